//! What a provider reports on our messages, from its webhook to the ticket of the message.

use bytes::Bytes;
use serde_json::{Value, json};
use throughline_domain::channel::Channel;
use throughline_domain::event::{Actor, Changes, EventData, MessageDelivered};
use throughline_domain::ledger::{LedgerEntry, LedgerKey, LedgerState};
use throughline_platform::recording::{self, Draft};
use throughline_store::{LedgerWrite, Mention};
use throughline_tests::{World, count, event, provider};

/// Anna's number.
const ANNA: &str = "4915112345678";
/// WhatsApp's id of our message.
const OURS: &str = "wamid.OURS";

fn whatsapp(list: &str, entry: &Value) -> Bytes {
    let value = json!({"messaging_product": "whatsapp", "metadata": {"phone_number_id": "1", "display_phone_number": "1"},
        list: [entry]});
    let body = json!({"object": "whatsapp_business_account",
        "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]});
    Bytes::from(body.to_string())
}

async fn post(world: &World, list: &str, entry: &Value) {
    let answer = provider::post(world, Channel::Whatsapp, whatsapp(list, entry)).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
}

/// What became of our message, told ten times.
async fn report(world: &World, to: &str, status: &str, more: &Value) {
    let mut entry = json!({"id": OURS, "status": status, "timestamp": "1795183300", "recipient_id": to});
    entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    for _ in 0..10 {
        post(world, "statuses", &entry).await;
    }
    world.settled().await;
}

/// A ticket of Anna's with a reply that WhatsApp took. There is no way out to WhatsApp yet, so what a sender would write
/// down of its answer is written here.
async fn replied(world: &World) -> Value {
    let asked = json!({"from": ANNA, "id": "wamid.1", "timestamp": "1795183200", "type": "text",
        "text": {"body": "Where is my parcel?"}});
    post(world, "messages", &asked).await;
    world.settled().await;
    let ticket = world.ticket_of("whatsapp", "whatsapp", "wamid.1").await;
    let path = format!("/v1/tickets/{}/replies", ticket["id"].as_str().unwrap());
    world.post(&path, &json!({"text": "On its way."})).await;
    world.settled().await;
    let timeline = world.timeline(&ticket).await;
    let reply = event(&timeline, "reply_sent");
    let (event_id, sequence) = (reply["id"].as_str().unwrap().parse().unwrap(), reply["sequence"].as_u64().unwrap());
    let taken = MessageDelivered {
        event_id,
        sequence,
        channel: Channel::Whatsapp,
        provider_message_id: Some(OURS.to_owned()),
        state: None,
    };
    let mut changes = Changes::new();
    changes.push(Actor::System, EventData::MessageDelivered(taken));
    let stored = world.app().store.ticket(ticket["id"].as_str().unwrap().parse().unwrap()).await.unwrap().unwrap();
    let id = stored.ticket.head.id;
    let draft = Draft::of(stored, changes, world.now());
    let written = recording::commit(world.app(), draft, |write| {
        let mut entry = LedgerEntry::new(LedgerState::Seen, write.commit.at);
        (entry.ticket_id, entry.event_id, entry.sequence) = (Some(id), Some(event_id), Some(sequence));
        let key = LedgerKey::new(Channel::Whatsapp, &"whatsapp".parse().unwrap(), OURS);
        write.ledger = Some(LedgerWrite { key, entry, mention: Mention::Ignored });
    });
    written.await.unwrap();
    world.settled().await;
    ticket
}

/// The events about the reply's delivery after what its sender wrote down: kind and how far it got, or why not.
async fn told(world: &World, ticket: &Value) -> Vec<(String, String)> {
    let timeline = world.timeline(ticket).await;
    let reply = event(&timeline, "reply_sent")["id"].clone();
    let told = timeline.iter().filter(|event| event["decision"]["rule"] == "delivery_report");
    let told = told.inspect(|event| assert_eq!(event["data"]["event_id"], reply, "it is about the reply"));
    let words = |event: &Value| {
        let word = event["data"]["state"].as_str().or_else(|| event["data"]["reason"].as_str());
        (event["kind"].as_str().unwrap().to_owned(), word.unwrap().to_owned())
    };
    told.map(words).collect()
}

#[tokio::test]
async fn how_far_a_reply_got_is_on_its_ticket_once() {
    let world = World::start().await;
    let ticket = replied(&world).await;
    // That the provider has it, is known since it answered.
    report(&world, ANNA, "sent", &json!({})).await;
    assert_eq!(told(&world, &ticket).await, []);
    report(&world, ANNA, "delivered", &json!({})).await;
    report(&world, ANNA, "read", &json!({})).await;
    let delivered = |state: &str| ("message_delivered".to_owned(), state.to_owned());
    assert_eq!(told(&world, &ticket).await, [delivered("delivered"), delivered("read")]);
    assert_eq!(world.get("/v1/quarantine").await["items"], json!([]));
    world.finish().await;
}

#[tokio::test]
async fn that_a_reply_did_not_arrive_is_on_its_ticket_with_the_providers_reason() {
    let world = World::start().await;
    let ticket = replied(&world).await;
    let errors = json!({"errors": [{"code": 131_047, "title": "Re-engagement message"}]});
    report(&world, ANNA, "failed", &errors).await;
    let failed = ("message_failed".to_owned(), format!("{ANNA}: 131047 Re-engagement message"));
    assert_eq!(told(&world, &ticket).await, [failed]);
    world.finish().await;
}

#[tokio::test]
async fn a_report_on_somebody_to_whom_the_reply_did_not_go_is_kept_apart() {
    let world = World::start().await;
    let ticket = replied(&world).await;
    report(&world, "4915187654321", "read", &json!({})).await;
    assert_eq!(told(&world, &ticket).await, []);
    let kept = world.get("/v1/quarantine").await["items"].as_array().unwrap().clone();
    assert!(!kept.is_empty() && kept.iter().all(|item| item["reason"].as_str().unwrap().contains("somebody else")));
    assert_eq!(count(&world.timeline(&ticket).await, "message_received"), 1);
    world.finish().await;
}
