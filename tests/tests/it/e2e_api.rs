//! The interface: who may, what is wrong, lists, documents.

use std::collections::BTreeSet;

use http::Method;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use throughline_tests::webhook::{message, send};
use throughline_tests::{Mail, World, problem};

const UNKNOWN_TICKET: &str = "tkt_0192f0c1a2b37c8d9e0f112233445566";

/// A token of the development issuer with other claims than it gives.
fn token(world: &World, change: impl FnOnce(&mut Value)) -> String {
    let now = world.now().ms() / 1_000;
    let mut claims = json!({
        "iss": world.seed.oidc.issuer, "aud": world.seed.oidc.audience, "sub": "mia", "roles": ["agent"],
        "exp": now + 600,
    });
    change(&mut claims);
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some("development".to_owned());
    let key = EncodingKey::from_ed_pem(world.seed.oidc.private_key.as_bytes()).unwrap();
    encode(&header, &claims, &key).unwrap()
}

#[tokio::test]
async fn only_right_tokens_open_the_interface() {
    let world = World::start().await;
    let now = world.now().ms() / 1_000;
    let no_signature = {
        let right = token(&world, |_| ());
        format!("{}.", right.rsplit_once('.').unwrap().0)
    };
    let shared = encode(
        &Header::new(Algorithm::HS256),
        &json!({"iss": world.seed.oidc.issuer, "aud": world.seed.oidc.audience, "sub": "mia", "roles": ["admin"],
            "exp": now + 600}),
        &EncodingKey::from_secret(world.seed.oidc.keys.as_deref().unwrap().as_bytes()),
    );
    for (what, token) in [
        ("expired", token(&world, |claims| claims["exp"] = (now - 60).into())),
        ("not yet", token(&world, |claims| claims["nbf"] = (now + 600).into())),
        ("another issuer", token(&world, |claims| claims["iss"] = "https://evil.example".into())),
        ("another audience", token(&world, |claims| claims["aud"] = "elsewhere".into())),
        ("no subject", token(&world, |claims| drop(claims.as_object_mut().unwrap().remove("sub")))),
        ("no signature", no_signature),
        ("signed with the public key", shared.unwrap()),
        ("junk", "junk".to_owned()),
        ("empty", String::new()),
    ] {
        let answer = world.anyone.with_token(token).get("/v1/tickets").await.unwrap();
        let problem = problem(&answer, 401);
        assert!(answer.headers.contains_key("www-authenticate"), "{what}: {problem}");
    }
    problem(&world.anyone.get("/v1/tickets").await.unwrap(), 401);
    let no_role = token(&world, |claims| claims["roles"] = json!(["gardener"]));
    problem(&world.anyone.with_token(no_role).get("/v1/tickets").await.unwrap(), 403);
    assert_eq!(world.anyone.with_token(token(&world, |_| ())).get("/v1/tickets").await.unwrap().status, 200);
    world.finish().await;
}

#[tokio::test]
async fn roles_decide_who_may_what() {
    let world = World::start().await;
    let ticket = world.ticket_by_mail(&Mail::from("anna@example.org")).await;
    let path = |rest: &str| format!("/v1/tickets/{}/{rest}", ticket["id"].as_str().unwrap());
    let body = json!({"priority": "high"});
    problem(&world.integration.post(&path("priority"), &body).await.unwrap(), 403);
    problem(&world.integration.post(&path("assignment"), &json!({"next": true})).await.unwrap(), 403);
    problem(&world.agent.post("/v1/agents/liam/presence", &json!({"status": "away"})).await.unwrap(), 403);
    assert_eq!(world.agent.post("/v1/agents/mia/presence", &json!({"status": "busy"})).await.unwrap().status, 200);
    let agent = json!({"name": "New", "teams": ["support"]}).to_string();
    let put = world.lead.send(Method::PUT, "/v1/agents/new", &[], agent).await.unwrap();
    problem(&put, 403);
    problem(&world.agent.post("/v1/quarantine/qua_0/retry", &Value::Null).await.unwrap(), 403);
    assert_eq!(world.integration.post(&path("tags"), &json!({"add": ["vip"]})).await.unwrap().status, 200);
    world.finish().await;
}

#[tokio::test]
async fn unknown_things_are_404_and_wrong_methods_405() {
    let world = World::start().await;
    for path in [
        "/v1/nothing",
        "/v1/tickets/TL-0000-0000",
        "/v1/tickets/nonsense",
        "/v1/customers/cus_0192f0c1a2b37c8d9e0f112233445566",
        "/v1/customers/lookup?identifier=email%3Anobody@example.org",
        "/v1/agents/nobody",
        "/v1/messages/email/support/nobody@example.org",
        "/v1/messages/fax/support/1",
    ] {
        problem(&world.agent.get(path).await.unwrap(), 404);
    }
    problem(&world.agent.get(&format!("/v1/tickets/{UNKNOWN_TICKET}")).await.unwrap(), 404);
    problem(&world.agent.get(&format!("/v1/tickets/{UNKNOWN_TICKET}/timeline")).await.unwrap(), 404);
    let reply = json!({"text": "Hello"});
    problem(&world.agent.post(&format!("/v1/tickets/{UNKNOWN_TICKET}/replies"), &reply).await.unwrap(), 404);
    problem(&world.lead.post("/v1/quarantine/qua_0/retry", &Value::Null).await.unwrap(), 404);
    problem(&world.lead.post("/v1/agents/nobody/presence", &json!({"status": "away"})).await.unwrap(), 404);
    problem(&world.agent.post("/v1/health", &Value::Null).await.unwrap(), 405);
    world.finish().await;
}

#[tokio::test]
async fn wrong_parameters_are_problems_too() {
    let world = World::start().await;
    for path in [
        "/v1/tickets?status=lost",
        "/v1/tickets?limit=0",
        "/v1/tickets?limit=many",
        "/v1/tickets?limit=201",
        "/v1/tickets?cursor=junk",
        "/v1/tickets?customer=anna",
        "/v1/customers/lookup",
        "/v1/customers/lookup?identifier=anna",
        "/v1/quarantine?cursor=junk",
        "/v1/tickets/%FF",
    ] {
        let answer = world.agent.get(path).await.unwrap();
        assert!([400, 422].contains(&answer.status), "{path}: {}", answer.status);
        problem(&answer, answer.status);
    }
    world.finish().await;
}

#[tokio::test]
async fn cursors_beyond_the_end_show_nothing() {
    let world = World::start().await;
    let ticket = world.ticket_by_mail(&Mail::from("anna@example.org")).await;
    for after in [9_999_999_998, 9_999_999_999, u64::MAX] {
        let path = format!("/v1/tickets/{}/timeline?after={after}", ticket["id"].as_str().unwrap());
        assert_eq!(world.get(&path).await["items"], json!([]));
    }
    world.finish().await;
}

#[tokio::test]
async fn lists_are_filtered() {
    let world = World::start().await;
    let anna = world.ticket_by_mail(&Mail::from("anna@example.org").subject("Hello")).await;
    let ben = world.ticket_by_mail(&Mail::from("ben@example.org").text("money back, please")).await;
    let chat = world.chat(&json!({})).await;
    chat.say(&world, "1", "Hello").await;
    send(&world, &message("w", &json!({"account": "user-1"}), "Hi", "it is down")).await;
    world.settled().await;
    let status = format!("/v1/tickets/{}/status", anna["id"].as_str().unwrap());
    world.post(&status, &json!({"status": "resolved"})).await;
    let ids = async |filter: &str| -> Vec<Value> {
        world.tickets(filter).await.into_iter().map(|ticket| ticket["id"].clone()).collect()
    };
    assert_eq!(ids("").await.len(), 4);
    assert_eq!(ids("status=resolved").await, [anna["id"].clone()]);
    assert_eq!(ids("status=open").await.len(), 3);
    assert_eq!(ids("status=closed").await.len(), 0);
    assert_eq!(ids("team=billing").await, [ben["id"].clone()]);
    assert_eq!(ids("priority=high").await, [ben["id"].clone()]);
    assert_eq!(ids("channel=web_chat").await.len(), 1);
    assert_eq!(ids("channel=email").await.len(), 2);
    assert_eq!(ids(&format!("customer={}", ben["customer_id"].as_str().unwrap())).await, [ben["id"].clone()]);
    let assignee = ben["assignee"].as_str().unwrap();
    assert!(ids(&format!("assignee={assignee}&status=open")).await.contains(&ben["id"]));
    assert_eq!(ids("team=technical&priority=urgent&channel=webhook").await.len(), 1);
    assert_eq!(ids("sort=updated").await[0], anna["id"], "what changed last comes first");
    assert_eq!(ids("sort=created").await.last(), Some(&anna["id"]), "the oldest comes last");
    assert_eq!(ids("sort=due").await.len(), 4);
    world.finish().await;
}

#[tokio::test]
async fn paging_walks_everything_exactly_once() {
    let world = World::start().await;
    for i in 0..13 {
        world.mail(&Mail::from(&format!("person-{i}@example.org"))).await;
    }
    world.settled().await;
    for sort in ["updated", "due", "created"] {
        let (mut seen, mut pages, mut cursor) = (Vec::new(), 0, String::new());
        loop {
            let page = world.get(&format!("/v1/tickets?sort={sort}&limit=4{cursor}")).await;
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= 4);
            seen.extend(items.iter().map(|ticket| ticket["id"].as_str().unwrap().to_owned()));
            pages += 1;
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let different: BTreeSet<_> = seen.iter().collect();
        assert_eq!((seen.len(), different.len(), pages), (13, 13, 4), "{sort}");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_customers_timeline_is_one_order_over_tickets_and_channels() {
    let world = World::start().await;
    let requester = json!({"account": "user-1", "email": "anna@example.org"});
    send(&world, &message("1", &requester, "Green bicycle", "It broke")).await;
    world.settled().await;
    let first = Mail::from("anna@example.org").subject("Another matter");
    world.ticket_by_mail(&first).await;
    let thread = Mail::from("anna@example.org").in_reply_to(&first.id);
    world.ticket_by_mail(&thread).await;
    send(&world, &message("2", &requester, "Third matter", "Also")).await;
    world.settled().await;
    let customer = world.customer("account:user-1").await;
    assert_eq!(customer["recent_tickets"].as_array().unwrap().len(), 3);
    let path = format!("/v1/customers/{}/timeline", customer["id"].as_str().unwrap());
    let timeline = world.get(&path).await;
    let events = timeline["items"].as_array().unwrap();
    let times: Vec<&str> = events.iter().map(|event| event["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    let channels: Vec<&str> = events.iter().filter_map(|event| event["data"]["message"]["channel"].as_str()).collect();
    assert_eq!(channels, ["webhook", "email", "email", "webhook"]);
    world.finish().await;
}

#[tokio::test]
async fn every_documented_path_answers() {
    let world = World::start().await;
    let document = world.anyone.get("/v1/openapi.json").await.unwrap().ok().unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let mut operations = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let concrete = path.replace("{channel}", "email").replace("{inbox}", "support").replace("{id}", "something");
        let concrete = concrete.replace("{kind}", "routing").replace("{identifier}", "email:anna@example.org");
        let concrete = concrete.replace("{value}", "42");
        assert!(!concrete.contains('{'), "{concrete}");
        for (method, operation) in methods.as_object().unwrap() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let answer = world.admin.send(method.clone(), &concrete, &[], "{}").await.unwrap();
            let unknown_route = answer.json()["detail"] == "there is nothing at this address";
            assert!(
                !unknown_route && answer.status != 405 && answer.status < 500,
                "{method} {path}: {}",
                answer.status
            );
            assert!(operation["summary"].is_string() && operation["responses"].is_object(), "{method} {path}");
            let without = world.anyone.send(method.clone(), &concrete, &[], "{}").await.unwrap();
            let open = operation["security"] == json!([]);
            assert_eq!(without.status == 401, !open, "{method} {path}: {}", without.status);
            operations += 1;
        }
    }
    assert!(operations > 20);
    world.finish().await;
}

#[tokio::test]
async fn health_and_the_inbox_page_need_no_token() {
    let world = World::start().await;
    let health = world.anyone.get("/v1/health").await.unwrap().ok().unwrap();
    assert_eq!(health["status"], "ok");
    let page = world.anyone.get("/").await.unwrap();
    assert_eq!(page.status, 200);
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    world.finish().await;
}

/// A function answers at most 6 MB: a timeline of long texts comes in pages, and nothing of it is cut.
#[tokio::test]
async fn a_timeline_of_long_texts_is_no_longer_than_an_answer() {
    let world = World::start().await;
    let first = Mail::from("anna@example.org").text(&"It is all in here. ".repeat(45_000));
    let ticket = world.ticket_by_mail(&first).await;
    for _ in 0..7 {
        let text = "And more of it. ".repeat(55_000);
        world.mail(&Mail::from("anna@example.org").in_reply_to(&first.id).text(&text)).await;
    }
    world.settled().await;
    let path = format!("/v1/tickets/{}/timeline", ticket["id"].as_str().unwrap());
    let page = world.agent.get(&path).await.unwrap();
    assert!(page.body.len() < 6_000_000, "{} bytes", page.body.len());
    assert!(page.json()["next"].is_string());
    let timeline = world.timeline(&ticket).await;
    let texts = timeline.iter().filter_map(|event| event["data"]["message"]["text"].as_str());
    assert_eq!(texts.filter(|text| text.len() > 800_000).count(), 8);
    world.finish().await;
}
