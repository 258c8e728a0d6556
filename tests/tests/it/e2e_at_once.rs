//! One person on several channels at the same moment.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use throughline_channels::web_chat::user_hash;
use throughline_tests::chat::CHAT;
use throughline_tests::webhook::{SHOP, message, send};
use throughline_tests::{Mail, World};

/// People who write at once.
const PEOPLE: usize = 6;

/// Whether every two of the tickets are the same or one names the other.
fn all_related(tickets: &[Value]) -> bool {
    let names = |one: &Value, other: &Value| {
        one["related"].as_array().unwrap().iter().any(|related| related["ticket_id"] == other["id"])
    };
    tickets
        .iter()
        .all(|one| tickets.iter().all(|other| one["id"] == other["id"] || names(one, other) || names(other, one)))
}

#[tokio::test]
async fn one_person_on_three_channels_at_once_never_has_unrelated_tickets() {
    let world = World::start().await;
    let secret = world.seed.secrets.inboxes[&CHAT.parse().unwrap()].identity[0].clone();
    let mut people = Vec::new();
    for i in 0..PEOPLE {
        let (account, address) = (format!("user-{i}"), format!("person-{i}@example.org"));
        // Known before, with both names, and nothing open.
        let requester = json!({"account": account, "email": address});
        send(&world, &message(&format!("known-{i}"), &requester, "Known", "before")).await;
        world.settled().await;
        let ticket = world.ticket_of("webhook", SHOP, &format!("known-{i}")).await;
        let path = format!("/v1/tickets/{}/status", ticket["id"].as_str().unwrap());
        world.post(&path, &json!({"status": "closed"})).await;
        let chat = world.chat(&json!({"external_id": account, "user_hash": user_hash(&account, &secret)})).await;
        let mail = Mail::from(&address).subject("My green bicycle broke");
        people.push((ticket["customer_id"].clone(), requester, chat, mail));
    }
    let at_once = people.iter().enumerate().map(|(i, (_, requester, chat, mail))| {
        let world = &world;
        let body = message(&format!("new-{i}"), requester, "Invoice question", "Too high");
        async move {
            futures::join!(chat.say(world, "1", "Hello, a question"), world.mail(mail), send(world, &body));
        }
    });
    futures::future::join_all(at_once).await;
    world.settled().await;
    for (i, (customer, _, chat, mail)) in people.iter().enumerate() {
        let mut tickets = vec![world.ticket_of_mail(&mail.id).await];
        tickets.push(world.ticket_of("web_chat", CHAT, &format!("{}:1", chat.session_id)).await);
        tickets.push(world.ticket_of("webhook", SHOP, &format!("new-{i}")).await);
        assert!(tickets.iter().all(|ticket| ticket["customer_id"] == *customer), "person {i}: {tickets:#?}");
        assert!(all_related(&tickets), "person {i}: {tickets:#?}");
    }
    world.finish().await;
}

#[tokio::test]
async fn an_unknown_account_that_arrives_on_two_channels_at_once_is_one_customer() {
    let world = World::start().await;
    let secret = world.seed.secrets.inboxes[&CHAT.parse().unwrap()].identity[0].clone();
    let mut chats = Vec::new();
    for i in 0..PEOPLE {
        let account = format!("user-{i}");
        chats.push(world.chat(&json!({"external_id": account, "user_hash": user_hash(&account, &secret)})).await);
    }
    let at_once = chats.iter().enumerate().map(|(i, chat)| {
        let world = &world;
        let body = message(&format!("m-{i}"), &json!({"account": format!("user-{i}")}), "Bicycle", "It broke");
        async move { futures::join!(chat.say(world, "1", "Hello"), send(world, &body)) }
    });
    futures::future::join_all(at_once).await;
    world.settled().await;
    let mut customers = BTreeSet::new();
    for (i, chat) in chats.iter().enumerate() {
        let by_chat = world.ticket_of("web_chat", CHAT, &format!("{}:1", chat.session_id)).await;
        let by_webhook = world.ticket_of("webhook", SHOP, &format!("m-{i}")).await;
        assert_eq!(by_chat["customer_id"], by_webhook["customer_id"], "person {i}");
        assert!(all_related(&[by_chat.clone(), by_webhook]), "person {i}");
        customers.insert(by_chat["customer_id"].as_str().unwrap().to_owned());
    }
    assert_eq!(customers.len(), PEOPLE);
    world.finish().await;
}
