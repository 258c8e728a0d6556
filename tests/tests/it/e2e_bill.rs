//! The bill of one message, guarded: counts of units, never of time.

use bytes::Bytes;
use serde_json::{Value, json};
use throughline_aws::{Service, Tally};
use throughline_domain::channel::Channel;
use throughline_tests::bill::counted;
use throughline_tests::stock::Stock;
use throughline_tests::{Mail, World, provider};

/// Write units of a message that is added to an open ticket of a known customer. The promise is 8.
const APPEND_WRITE_UNITS: f64 = 6.0;
/// Most read units of it. The promise is 4.
const APPEND_READ_UNITS_MAX: f64 = 4.0;
/// Tickets in the table, first few and then many.
const STORED: [usize; 2] = [2, 2_000];

/// Units of the table that a message costs, on all its way.
async fn units(world: &World, message: impl Future<Output = ()>) -> (f64, f64) {
    let counts = counted(world, message).await;
    let Tally { read_units, write_units, .. } = counts.sum(|key| key.call.service == Service::DynamoDb);
    (read_units, write_units)
}

#[tokio::test]
async fn a_message_on_an_open_ticket_costs_six_write_units_and_at_most_four_read_units() {
    let world = World::start().await;
    let chat = world.chat(&json!({"name": "Anna"})).await;
    chat.say(&world, "first", "Where is my parcel?").await;
    let first = Mail::from("anna@example.org");
    world.mail(&first).await;
    // What functions read once: settings, the roster.
    world.mail(&Mail::from("anna@example.org").in_reply_to(&first.id)).await;
    for number in 0..3 {
        let said = units(&world, async {
            drop(chat.say(&world, &number.to_string(), "Is there anything new about my order?").await);
        });
        let (read, written) = said.await;
        assert_eq!(written, APPEND_WRITE_UNITS, "a chat message writes more, or less: say so in ACCESS_PATTERNS.md");
        assert!(read <= APPEND_READ_UNITS_MAX, "a chat message reads {read} units");
        let (read, written) = units(&world, world.mail(&Mail::from("anna@example.org").in_reply_to(&first.id))).await;
        assert_eq!(written, APPEND_WRITE_UNITS, "a mail writes more, or less: say so in ACCESS_PATTERNS.md");
        assert!(read <= APPEND_READ_UNITS_MAX, "a mail reads {read} units");
    }
    world.finish().await;
}

/// What is written when a commit does more than append; a text of a kilobyte more costs two units more.
#[tokio::test]
async fn what_opens_a_ticket_answers_merges_or_repeats_costs_what_is_promised() {
    let world = World::start().await;
    for warm in ["warm@example.org", "again@example.org"] {
        world.ticket_by_mail(&Mail::from(warm).subject("The app shows an error")).await;
    }
    let mut bill = Vec::new();
    let first = Mail::from("anna@example.org").subject("Invoice 4711 is wrong");
    bill.push(("a new customer by mail, routed", units(&world, world.mail(&first)).await.1, 28.0));
    let ticket = world.ticket_of_mail(&first.id).await;
    assert!(ticket["assignee"].is_string(), "{ticket}");
    let path = |ticket: &Value, what: &str| format!("/v1/tickets/{}/{what}", ticket["id"].as_str().unwrap());
    let command = async |of: &Value, what: &str, body: Value| {
        let path = path(of, what);
        units(&world, async { drop(world.post(&path, &body).await) }).await.1
    };
    bill.push(("a delivered reply", command(&ticket, "replies", json!({"text": "We look into it."})).await, 18.0));
    bill.push(("the same mail again", units(&world, world.mail(&first)).await.1, 0.0));
    let other = Mail::from("anna@example.org").subject("Bicycle saddle loose");
    bill.push(("a further ticket of a known customer", units(&world, world.mail(&other)).await.1, 26.0));
    let other = world.ticket_of_mail(&other.id).await;
    bill.push(("two tickets become one", command(&other, "merge", json!({"into": ticket["id"]})).await, 24.0));
    bill.push(("a note", command(&ticket, "notes", json!({"text": "They called."})).await, 6.0));
    let over: Vec<_> = bill.iter().filter(|(_, written, most)| written > most).collect();
    assert!(over.is_empty(), "write units over what is promised: {over:?}, of {bill:?}");
    world.finish().await;
}

/// What a provider is waiting for is the sending, and a request is what it takes long for.
#[tokio::test]
async fn many_messages_in_one_body_are_few_requests() {
    let world = World::start().await;
    // Of one user twenty go as one; of many users, ten messages go in a request.
    for (users, requests) in [(1, 5), (100, 10)] {
        let said = |number: usize| {
            let (id, user) = (format!("{users}-{number}"), format!("U{users}-{}", number % users));
            json!({"type": "message", "webhookEventId": id, "timestamp": 1, "source": {"type": "user", "userId": user},
                "message": {"id": id, "type": "text", "text": "Hello"}})
        };
        let events: Vec<Value> = (0..100).map(said).collect();
        let body = Bytes::from(json!({"destination": "U0", "events": events}).to_string());
        let counts = counted(&world, async { drop(provider::post(&world, Channel::Line, body).await) }).await;
        let sent = counts.sum(|key| key.stage.is_empty() && key.call.operation == "SendMessageBatch");
        assert_eq!(sent.requests, requests, "for {users}: {:?}", counts.calls);
    }
    world.finish().await;
}

#[tokio::test]
async fn what_a_message_costs_does_not_grow_with_what_is_stored() {
    let world = World::start().await;
    let copied = Mail::from("stock@example.org");
    let stock = Stock::of(world.system(), &copied.from, world.mail(&copied)).await.unwrap();
    let first = Mail::from("anna@example.org");
    world.mail(&first).await;
    world.mail(&Mail::from("anna@example.org").in_reply_to(&first.id)).await;
    let (mut there, mut bills) = (STORED[0], Vec::new());
    for size in STORED {
        stock.fill(&world.system().aws, there..size).unwrap();
        there = size;
        bills.push(units(&world, world.mail(&Mail::from("anna@example.org").in_reply_to(&first.id))).await);
    }
    assert_eq!(bills[0], bills[1], "(read, write) units with {STORED:?} tickets in the table");
    world.stop().await;
}
