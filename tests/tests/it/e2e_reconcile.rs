//! The nightly search for lost mail: what is stored and was never noticed comes onto a ticket, everything else is left
//! alone.

use serde_json::Value;
use throughline_domain::moment::Moment;
use throughline_tests::{Accepted, Mail, World, event};

const HOUR_MS: i64 = 60 * 60 * 1000;

/// Stores a raw mail as the receiving service does, and gives no notice of it.
async fn store(world: &World, name: &str, raw: Vec<u8>) {
    world.system().app.blobs.put(&format!("mail/{name}"), raw).await.unwrap();
}

/// Remembers that a mail has to be on a ticket.
fn expect(world: &World, mail: &Mail) {
    let content = "found in the store".to_owned();
    world.took(Accepted { channel: "email", inbox: "support".to_owned(), id: mail.id.clone(), content });
}

/// Lets the search run as if it were this time, to its end; returns how many notices and orders it put into the queue.
async fn reconcile(world: &World, at: Moment) -> u64 {
    world.settled().await;
    world.system().aws.count(true);
    let answer = world.anyone.post(&format!("/local/reconcile?at={at}"), &Value::Null).await.unwrap();
    assert_eq!(answer.status, 202, "{}", answer.json());
    world.settled().await;
    world.system().aws.count(false);
    let counts = world.system().aws.reset_counts();
    counts.sum(|key| key.stage == "ingest-email" && key.call.operation == "SendMessage").requests
}

async fn reasons(world: &World) -> Vec<String> {
    let items = world.get("/v1/quarantine").await["items"].as_array().unwrap().clone();
    items.iter().map(|item| item["reason"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_mail_that_was_stored_and_never_noticed_comes_onto_a_ticket_once() {
    let world = World::start().await;
    let tonight = world.now().plus_ms(2 * HOUR_MS);
    let known = Mail::from("anna@example.org").subject("Printer");
    let ticket = world.ticket_by_mail(&known).await;
    let lost = Mail::from("anna@example.org").in_reply_to(&known.id).text("It burns.");
    store(&world, "lost", lost.bytes()).await;
    assert_eq!(reconcile(&world, world.now()).await, 0, "its notice may still come");
    assert_eq!(reconcile(&world, world.now().plus_ms(96 * HOUR_MS)).await, 0, "too long ago");

    assert_eq!(reconcile(&world, tonight).await, 1);
    expect(&world, &lost);
    let found = world.ticket_of_mail(&lost.id).await;
    assert_eq!(found["id"], ticket["id"], "it is as any other mail");
    let timeline = world.timeline(&found).await;
    let messages: Vec<&Value> = timeline.iter().filter(|event| event["kind"] == "message_received").collect();
    assert_eq!(messages.len(), 2);
    let warnings = messages[1]["data"]["message"]["warnings"].to_string();
    assert!(warnings.contains("notice of this mail was lost"), "{warnings}");
    assert_eq!(messages[1]["data"]["message"]["sender"]["verified"], false);
    assert_eq!(reconcile(&world, tonight).await, 0);
    world.finish().await;
}

#[tokio::test]
async fn recorded_duplicate_and_quarantined_mail_is_left_alone() {
    let world = World::start().await;
    let tonight = world.now().plus_ms(2 * HOUR_MS);
    let mail = Mail::from("anna@example.org");
    world.mail(&mail).await;
    world.settled().await;
    store(&world, "copy", mail.bytes()).await;
    // Without an id of its own it is known by its bytes.
    let nameless = b"From: bert@example.org\r\nTo: support@example.com\r\n\r\nHello.\r\n".to_vec();
    let mut client = world.smtp().await;
    client.send(Some("bert@example.org"), &["support@example.com"], &nameless).await.unwrap();
    client.quit().await.unwrap();
    store(&world, "nameless-copy", nameless).await;
    store(&world, "AMAZON_SES_SETUP_NOTIFICATION", b"Subject: Setup\r\n\r\nHello.\r\n".to_vec()).await;
    assert_eq!(reconcile(&world, tonight).await, 0);
    assert!(reasons(&world).await.is_empty());

    // Nobody's: the search sends it through once; then it is in quarantine under its object's name.
    store(&world, "nobodys", Mail::from("anna@example.org").to("nobody@example.net").bytes()).await;
    assert_eq!(reconcile(&world, tonight).await, 1);
    let kept = reasons(&world).await;
    assert!(kept.len() == 1 && kept[0].contains("no recipient"), "{kept:?}");
    for _ in 0..2 {
        assert_eq!(reconcile(&world, tonight).await, 0);
    }
    assert_eq!(reasons(&world).await.len(), 1);
    let ticket = world.ticket_of_mail(&mail.id).await;
    let timeline = world.timeline(&ticket).await;
    assert!(event(&timeline, "message_received")["data"]["message"]["warnings"].is_null(), "{timeline:#?}");
    let content = "nameless".to_owned();
    let id = event_id_of_nameless(&world).await;
    world.took(Accepted { channel: "email", inbox: "support".to_owned(), id, content });
    world.finish().await;
}

/// The name of the mail that has none of its own.
async fn event_id_of_nameless(world: &World) -> String {
    let customer = world.customer("email:bert@example.org").await;
    let tickets = world.tickets(&format!("customer={}", customer["id"].as_str().unwrap())).await;
    let timeline = world.timeline(&tickets[0]).await;
    let message = &event(&timeline, "message_received")["data"]["message"];
    message["provider_message_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_search_goes_on_behind_a_page() {
    let world = World::start().await;
    let mail = Mail::from("anna@example.org");
    world.mail(&mail).await;
    for i in 0..ingest_email::PAGE_KEYS {
        store(&world, &format!("!{i:04}"), mail.bytes()).await;
    }
    let lost = Mail::from("bert@example.org");
    store(&world, "~lost", lost.bytes()).await;
    let sent = reconcile(&world, world.now().plus_ms(2 * HOUR_MS)).await;
    assert_eq!(sent, 2, "the order for the second page, and one notice");
    expect(&world, &lost);
    world.ticket_of_mail(&lost.id).await;
    world.finish().await;
}
