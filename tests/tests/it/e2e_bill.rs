//! The bill of one message, guarded: counts of units, never of time.

use serde_json::json;
use throughline_aws::{Service, Tally};
use throughline_tests::bill::counted;
use throughline_tests::stock::Stock;
use throughline_tests::{Mail, World};

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
