//! What only a deployed stack shows. Run by `tests/deployment`, which also runs most other end-to-end tests there.

use serde_json::{Value, json};
use throughline_local::Seed;
use throughline_platform::bodies::INLINE_BYTES_MAX;
use throughline_platform::queues::BODY_BYTES_MAX;
use throughline_tests::webhook;
use throughline_tests::{Accepted, Mail, World, count, event};
use tokio::time::{Duration, Instant};

/// Longest wait for the schedule: it fires each minute, for the first time after one, and looks at what was due ten
/// seconds before.
const SCHEDULE_MAX: Duration = Duration::from_secs(150);
const HOUR_MS: i64 = 60 * 60 * 1000;

#[tokio::test]
#[ignore = "needs a deployed stack: tests/deployment"]
async fn a_conversation_goes_all_the_way_and_back() {
    let world = World::start().await;
    let first = Mail::from("anna@example.org").subject("Broken").text(&"It is broken. ".repeat(INLINE_BYTES_MAX / 10));
    let ticket = world.ticket_by_mail(&first).await;
    assert!(ticket["assignee"].is_string(), "{ticket}");
    let path = format!("/v1/tickets/{}", ticket["id"].as_str().unwrap());
    // Longer than what stands in the table: the text is fetched to be sent.
    let answer = "We send another one. ".repeat(INLINE_BYTES_MAX / 10);
    world.post(&format!("{path}/replies"), &json!({"text": answer, "then_status": "pending"})).await;
    world.settled().await;
    let sent = world.sent_mail().await;
    assert_eq!(sent.len(), 1);
    assert_eq!(
        (sent[0].to.as_slice(), sent[0].text.trim()),
        (["anna@example.org".to_owned()].as_slice(), answer.trim())
    );
    assert_eq!(count(&world.timeline(&ticket).await, "message_delivered"), 1);
    let back = Mail::from("anna@example.org").to(&sent[0].reply_to).subject("thanks");
    let same = world.ticket_by_mail(&back).await;
    assert_eq!((&same["id"], &same["status"]), (&ticket["id"], &json!("open")));
    // Everybody who listens was told of every commit.
    let told = world.stack().told().await;
    let of_ticket: Vec<u64> = told
        .iter()
        .filter(|detail| detail["ticket_id"] == ticket["id"])
        .filter_map(|d| d["sequence"].as_u64())
        .collect();
    let version = world.ticket(ticket["id"].as_str().unwrap()).await["version"].as_u64().unwrap();
    assert!((1..=version).all(|sequence| of_ticket.contains(&sequence)), "{of_ticket:?} of {version}");
    world.finish().await;
}

#[tokio::test]
#[ignore = "needs a deployed stack: tests/deployment"]
async fn long_texts_and_long_work_travel_by_reference() {
    let world = World::start().await;
    let text = "All of it. ".repeat(BODY_BYTES_MAX / 10);
    let requester = json!({"email": "anna@example.org"});
    webhook::send(&world, &webhook::message("long", &requester, "Long", &text)).await;
    let mail = Mail::from("ben@example.org").text(&text);
    world.mail(&mail).await;
    world.settled().await;
    for ticket in [world.ticket_of("webhook", webhook::SHOP, "long").await, world.ticket_of_mail(&mail.id).await] {
        let timeline = world.timeline(&ticket).await;
        let shown = event(&timeline, "message_received")["data"]["message"]["text"].as_str().unwrap();
        assert!(shown.trim() == text.trim(), "{} of {} bytes are shown", shown.len(), text.len());
    }
    world.finish().await;
}

#[tokio::test]
#[ignore = "needs a deployed stack: tests/deployment"]
async fn the_schedule_warns_of_a_promise() {
    // Two minutes at any time of the day, and a warning after twelve seconds.
    let seed = include_str!("../../../infra/local/seed.toml");
    let policy = "id = \"chat\"\ncalendar = \"office\"";
    assert!(seed.contains(policy));
    let seed = seed.replacen(policy, "id = \"chat\"\nwarn_at_percent = 10\ncalendar = \"always\"", 1);
    let world = World::start_with(|options| options.seed = Seed::read(&seed).unwrap()).await;
    let chat = world.chat(&json!({"name": "Anna"})).await;
    chat.say(&world, "1", "Hello, where is my order?").await;
    world.settled().await;
    let ticket = world.ticket_of("web_chat", throughline_tests::chat::CHAT, &format!("{}:1", chat.session_id)).await;
    let started = Instant::now();
    let warned = loop {
        let timeline = world.timeline(&ticket).await;
        if let Some(warned) = timeline.iter().find(|event| event["kind"] == "sla_warned") {
            break warned.clone();
        }
        assert!(started.elapsed() < SCHEDULE_MAX, "nobody looked at the clocks");
        tokio::time::sleep(Duration::from_secs(2)).await;
    };
    assert_eq!(warned["data"]["target"], "first_response", "{warned}");
    world.finish().await;
}

#[tokio::test]
#[ignore = "needs a deployed stack: tests/deployment"]
async fn lost_mail_is_found_again() {
    let world = World::start().await;
    let mail = Mail::from("anna@example.org");
    world.app().blobs.put("mail/lost", mail.bytes()).await.unwrap();
    // As the nightly order, for objects that were stored up to now and not an hour ago.
    let until = world.now().plus_ms(HOUR_MS);
    world.put_into_queue("mail", &json!({"reconcile": {"until": until}}).to_string(), "", "").await;
    world.settled().await;
    let content = "found in the store".to_owned();
    world.took(Accepted { channel: "email", inbox: "support".to_owned(), id: mail.id.clone(), content });
    world.ticket_of_mail(&mail.id).await;
    world.finish().await;
}

#[tokio::test]
#[ignore = "needs a deployed stack: tests/deployment"]
async fn an_administrator_sets_up_a_team() {
    let world = World::start().await;
    let put = |path: &'static str, body: Value| world.admin.send(http::Method::PUT, path, &[], body.to_string());
    put("/v1/teams/night", json!({"name": "Night shift"})).await.unwrap().ok().unwrap();
    let agent = json!({"name": "Nora", "teams": ["night"], "capacity": 100});
    put("/v1/agents/nora", agent).await.unwrap().ok().unwrap();
    world.presence("nora", "available").await;
    let routing = world.get("/v1/config/routing").await;
    let answer = world.admin.send(http::Method::PUT, "/v1/config/routing", &[], routing.to_string()).await.unwrap();
    assert_eq!(answer.ok().unwrap()["version"], routing["version"]);
    world.finish().await;
}
