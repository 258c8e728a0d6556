//! The chat widget: the script, what a page of another origin may do, and what the script does, as it does it.

use http::Method;
use serde_json::{Value, json};
use throughline_channels::web_chat::user_hash;
use throughline_local::client::{Answer, Client};
use throughline_tests::chat::CHAT;
use throughline_tests::{Accepted, Chat, World, count, problem};

/// The page of the business.
const SHOP: &str = "https://shop.example";
/// Another one, which may look alike.
const OTHER: &str = "https://shop.example.evil.example";
/// Largest script, in bytes.
const SCRIPT_BYTES_MAX: usize = 30_000;

/// A world whose chat is for the shop's pages only.
async fn shop() -> World {
    let seed = include_str!("../../../infra/local/seed.toml");
    let chat = "id = \"chat\"\nchannel = \"web_chat\"\n";
    assert!(seed.contains(chat));
    let seed = seed.replacen(chat, &format!("{chat}origins = [\"{SHOP}\"]\n"), 1);
    let seed = throughline_local::Seed::read(&seed).unwrap();
    World::start_with(|options| options.seed = seed).await
}

fn path(rest: &str) -> String {
    format!("/v1/channels/web_chat/{CHAT}{rest}")
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.get(name).map(|value| value.to_str().unwrap())
}

/// Whom an answer lets read it.
fn reader(answer: &Answer) -> Option<&str> {
    header(answer, "access-control-allow-origin")
}

async fn preflight(world: &World, origin: &str, path: &str) -> Answer {
    let asked = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,content-type"),
    ];
    world.anyone.send(Method::OPTIONS, path, &asked, "").await.unwrap()
}

/// A request as a browser makes it for a page.
async fn from_page(client: &Client, origin: &str, method: Method, path: &str, body: &Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    client.send(method, path, &[("origin", origin)], body).await.unwrap()
}

#[tokio::test]
async fn the_script_is_served() {
    let world = World::start().await;
    let script = world.anyone.get(&path("/widget.js")).await.unwrap();
    assert_eq!(script.status, 200);
    assert_eq!(header(&script, "content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(header(&script, "cache-control"), Some("public, max-age=3600"));
    assert!(script.body.len() < SCRIPT_BYTES_MAX, "{} bytes", script.body.len());
    let text = std::str::from_utf8(&script.body).unwrap();
    for unsafe_sink in ["innerHTML", "outerHTML", "insertAdjacentHTML", "eval(", "document.write"] {
        assert!(!text.contains(unsafe_sink), "{unsafe_sink}");
    }
    let here = world.anyone.get("/widget.js").await.unwrap();
    assert_eq!((here.status, here.body), (200, script.body));
    problem(&world.anyone.get("/v1/channels/web_chat/nowhere/widget.js").await.unwrap(), 404);
    world.finish().await;
}

#[tokio::test]
async fn only_pages_of_the_inbox_may_ask() {
    let world = shop().await;
    for rest in ["", "/sessions", "/messages", "/uploads"] {
        let answer = preflight(&world, SHOP, &path(rest)).await;
        assert_eq!((answer.status, reader(&answer)), (204, Some(SHOP)), "{rest}");
        assert_eq!(header(&answer, "access-control-allow-methods"), Some("GET, POST"));
        assert_eq!(header(&answer, "access-control-allow-headers"), Some("authorization, content-type"));
        assert_eq!(header(&answer, "access-control-max-age"), Some("600"));
        assert_eq!(header(&answer, "vary"), Some("origin"));
        assert_eq!(header(&answer, "access-control-allow-credentials"), None);
        for origin in [OTHER, "null", "http://shop.example", "https://SHOP.example", "https://shop.example/"] {
            let answer = preflight(&world, origin, &path(rest)).await;
            problem(&answer, 403);
            assert_eq!((reader(&answer), header(&answer, "vary")), (None, Some("origin")), "{origin}");
        }
    }
    problem(&preflight(&world, SHOP, "/v1/channels/web_chat/nowhere/sessions").await, 404);
    // Providers are no pages.
    for other in ["/v1/channels/webhook/shop", "/v1/channels/line/line"] {
        let answer = preflight(&world, SHOP, other).await;
        assert_eq!(reader(&answer), None);
        problem(&answer, 405);
    }
    let answer = from_page(&world.anyone, OTHER, Method::POST, &path("/sessions"), &json!({})).await;
    assert_eq!(reader(&answer), None);
    problem(&answer, 403);
    // What a browser sends without asking first is refused, and a page of the inbox can read why.
    let unasked = [("origin", SHOP), ("content-type", "text/plain")];
    let answer = world.anyone.send(Method::POST, &path("/sessions"), &unasked, "{}").await.unwrap();
    assert_eq!(reader(&answer), Some(SHOP));
    problem(&answer, 415);
    world.finish().await;
}

#[tokio::test]
async fn a_chat_for_any_page_names_the_one_that_asks() {
    let world = World::start().await;
    assert_eq!(reader(&preflight(&world, OTHER, &path("/sessions")).await), Some(OTHER));
    // Who is no browser asks for nothing, and gets nothing.
    let answer = world.open_chat(&world.anyone, &json!({})).await;
    assert_eq!((answer.status, reader(&answer), header(&answer, "vary")), (201, None, Some("origin")));
    world.finish().await;
}

/// Writes as the widget does, from the shop's page.
async fn say(world: &World, chat: &Chat, id: &str, text: &str) {
    let visitor = world.anyone.with_token(&chat.token);
    let answer = from_page(&visitor, SHOP, Method::POST, &path(""), &Chat::message(id, text)).await;
    assert_eq!((answer.status, reader(&answer)), (202, Some(SHOP)), "{}", answer.json());
    let id = format!("{}:{id}", chat.session_id);
    world.took(Accepted { channel: "web_chat", inbox: CHAT.to_owned(), id, content: text.to_owned() });
}

/// Asks for what is new as the widget does.
async fn poll(world: &World, chat: &Chat, after: &str) -> Value {
    let visitor = world.anyone.with_token(&chat.token);
    let answer = from_page(&visitor, SHOP, Method::GET, &path(&format!("/messages{after}")), &Value::Null).await;
    assert_eq!(reader(&answer), Some(SHOP));
    answer.ok().unwrap()
}

#[tokio::test]
async fn a_page_talks_with_an_agent() {
    let world = shop().await;
    let visitor = json!({"visitor": {"locale": "en"}, "page": {"url": "https://shop.example/tea", "referrer": ""}});
    let opened = from_page(&world.anyone, SHOP, Method::POST, &path("/sessions"), &visitor).await;
    assert_eq!((opened.status, reader(&opened)), (201, Some(SHOP)));
    let chat = Chat::of(&world, &opened.json());
    let nothing = poll(&world, &chat, "").await;
    assert_eq!((&nothing["items"], &nothing["open"]), (&json!([]), &json!(false)));

    // Its answer was lost, so the widget sends it once more, under the same id.
    say(&world, &chat, "id-1", "Is the tea pot there?").await;
    world.settled().await;
    say(&world, &chat, "id-1", "Is the tea pot there?").await;
    world.settled().await;
    let seen = poll(&world, &chat, "").await;
    assert_eq!(seen["items"].as_array().unwrap().len(), 1, "{seen}");
    assert_eq!((&seen["items"][0]["client_message_id"], &seen["open"]), (&json!("id-1"), &json!(true)));

    let ticket = world.ticket_of("web_chat", CHAT, &format!("{}:id-1", chat.session_id)).await;
    let replies = format!("/v1/tickets/{}/replies", ticket["id"].as_str().unwrap());
    world.post(&replies, &json!({"text": "It is.", "then_status": "resolved"})).await;
    world.settled().await;
    let after = format!("?after={}", seen["next"].as_str().unwrap());
    let seen = poll(&world, &chat, &after).await;
    assert_eq!((&seen["items"][0]["text"], &seen["items"][0]["client_message_id"]), (&json!("It is."), &Value::Null));
    assert_eq!(seen["open"], false, "now it may ask how the help was");

    let rating = json!({"type": "csat.submit", "client_message_id": "csat:1", "score": 5, "comment": "quick"});
    let visitor = world.anyone.with_token(&chat.token);
    assert_eq!(from_page(&visitor, SHOP, Method::POST, &path(""), &rating).await.status, 202);
    world.settled().await;
    let after = format!("?after={}", seen["next"].as_str().unwrap());
    let seen = poll(&world, &chat, &after).await;
    assert_eq!((&seen["items"], &seen["open"]), (&json!([]), &json!(false)));
    let timeline = world.timeline(&ticket).await;
    assert_eq!(count(&timeline, "csat_received"), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_page_can_read_why_it_is_refused() {
    let world = shop().await;
    let wrong = world.anyone.with_token("junk");
    let answer = from_page(&wrong, SHOP, Method::GET, &path("/messages"), &Value::Null).await;
    assert_eq!(
        (reader(&answer), header(&answer, "access-control-expose-headers")),
        (Some(SHOP), Some("retry-after, x-request-id"))
    );
    problem(&answer, 401);
    let answer = from_page(&wrong, SHOP, Method::POST, &path("/sessions"), &json!({})).await;
    assert_eq!(reader(&answer), Some(SHOP), "then it asks without the old token");
    problem(&answer, 401);
    world.finish().await;
}

#[tokio::test]
async fn the_example_shop_vouches_for_its_customers_and_keeps_its_secret() {
    let world = World::start().await;
    let secret = &world.seed.secrets.inboxes[&CHAT.parse().unwrap()].identity[0];
    let page = world.anyone.get("/demo").await.unwrap();
    assert_eq!((page.status, header(&page, "content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = header(&page, "content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'nonce-") && !policy.contains("unsafe"), "{policy}");
    let text = std::str::from_utf8(&page.body).unwrap();
    assert!(text.contains("src=\"/widget.js\"") && !text.contains("{{") && !text.contains(secret.as_str()));
    let signed = world.anyone.post("/local/identify", &json!({"external_id": "customer-1"})).await.unwrap();
    let signed = signed.ok().unwrap();
    assert_eq!(signed, json!({"external_id": "customer-1", "user_hash": user_hash("customer-1", secret)}));
    assert_eq!(world.open_chat(&world.anyone, &signed).await.status, 201);
    assert_eq!(world.anyone.post("/local/identify", &json!({})).await.unwrap().status, 422);
    // No other page may have anybody signed.
    let body = json!({"external_id": "customer-1"});
    let foreign = from_page(&world.anyone, OTHER, Method::POST, "/local/identify", &body).await;
    assert_eq!(foreign.status, 403);
    world.finish().await;
}
