//! The web chat: sessions, what visitors write and what they may see.

use serde_json::json;
use throughline_channels::web_chat::user_hash;
use throughline_tests::chat::CHAT;
use throughline_tests::webhook::{message, send};
use throughline_tests::{Accepted, Chat, Mail, World, problem};

/// A visitor who is signed in at the business's own page.
fn signed_in(world: &World, account: &str) -> serde_json::Value {
    let secret = &world.seed.secrets.inboxes[&CHAT.parse().unwrap()].identity[0];
    json!({"external_id": account, "user_hash": user_hash(account, secret)})
}

async fn ticket_of(world: &World, chat: &Chat, client_message_id: &str) -> serde_json::Value {
    world.ticket_of("web_chat", CHAT, &format!("{}:{client_message_id}", chat.session_id)).await
}

fn lines<'a>(lines: &[(&'a str, &'a str)]) -> Vec<(String, String)> {
    lines.iter().map(|(direction, text)| ((*direction).to_owned(), (*text).to_owned())).collect()
}

#[tokio::test]
async fn a_visitor_and_an_agent_talk() {
    let world = World::start().await;
    let chat = world.chat(&json!({})).await;
    chat.say(&world, "1", "Is anybody there?").await;
    world.settled().await;
    let (seen, after) = chat.see(None).await;
    assert_eq!(seen, lines(&[("inbound", "Is anybody there?")]));

    let ticket = ticket_of(&world, &chat, "1").await;
    assert_eq!((&ticket["channel"], &ticket["team"]), (&"web_chat".into(), &"support".into()));
    let path = format!("/v1/tickets/{}", ticket["id"].as_str().unwrap());
    world.post(&format!("{path}/replies"), &json!({"text": "Yes, I am."})).await;
    world.post(&format!("{path}/notes"), &json!({"text": "A difficult one."})).await;
    chat.say(&world, "2", "Good.").await;
    world.settled().await;
    // Only what is new, and never the note.
    let (seen, after) = chat.see(after.as_deref()).await;
    assert_eq!(seen, lines(&[("outbound", "Yes, I am."), ("inbound", "Good.")]));
    let (seen, _) = chat.see(after.as_deref()).await;
    assert!(seen.is_empty());
    assert_eq!(chat.see(None).await.0.len(), 3);
    let ticket = ticket_of(&world, &chat, "2").await;
    assert_eq!((&ticket["message_count"], &ticket["unsent_count"]), (&3.into(), &0.into()));
    world.finish().await;
}

#[tokio::test]
async fn a_typed_address_shows_and_claims_nothing_of_its_owner() {
    let world = World::start().await;
    let first = Mail::from("anna@example.org").subject("My secret parcel");
    let annas = world.ticket_by_mail(&first).await;
    let path = format!("/v1/tickets/{}/replies", annas["id"].as_str().unwrap());
    world.post(&path, &json!({"text": "Your secret parcel is in Berlin."})).await;
    let chat = world.chat(&json!({"email": "anna@example.org", "name": "Anna"})).await;
    chat.say(&world, "1", "What about my secret parcel?").await;
    world.settled().await;
    assert_eq!(chat.see(None).await.0, lines(&[("inbound", "What about my secret parcel?")]));
    let ticket = ticket_of(&world, &chat, "1").await;
    assert_ne!(ticket["id"], annas["id"]);
    assert_ne!(ticket["customer_id"], annas["customer_id"]);
    assert!(ticket["related"].as_array().unwrap().is_empty());
    assert_eq!(world.customer("email:anna@example.org").await["id"], annas["customer_id"]);
    // It is kept as a suggestion for agents.
    let visitor = world.get(&format!("/v1/customers/{}", ticket["customer_id"].as_str().unwrap())).await;
    assert_eq!(visitor["link_suggestions"][0]["customer_id"], annas["customer_id"]);
    world.finish().await;
}

#[tokio::test]
async fn a_signed_in_visitor_is_the_same_customer_in_every_browser() {
    let world = World::start().await;
    let here = world.chat(&signed_in(&world, "user-1")).await;
    here.say(&world, "1", "Hello from my desk").await;
    world.settled().await;
    let there = world.chat(&signed_in(&world, "user-1")).await;
    there.say(&world, "1", "Hello from my phone").await;
    world.settled().await;
    let (one, two) = (ticket_of(&world, &here, "1").await, ticket_of(&world, &there, "1").await);
    assert_ne!(here.session_id, there.session_id);
    assert_eq!((&one["customer_id"], &one["id"]), (&two["customer_id"], &two["id"]));
    assert_eq!(world.customer("account:user-1").await["id"], one["customer_id"]);
    world.finish().await;
}

#[tokio::test]
async fn signing_in_during_a_chat_makes_the_visitor_known() {
    let world = World::start().await;
    let chat = world.chat(&json!({})).await;
    chat.say(&world, "1", "Hello, I am nobody yet").await;
    world.settled().await;
    let answer = world.open_chat(&world.anyone.with_token(&chat.token), &signed_in(&world, "user-1")).await;
    let known = Chat::of(&world, &answer.ok().unwrap());
    assert_eq!(known.session_id, chat.session_id, "the conversation goes on");
    known.say(&world, "2", "Now I am somebody").await;
    world.settled().await;
    let (one, two) = (ticket_of(&world, &chat, "1").await, ticket_of(&world, &known, "2").await);
    assert_eq!(one["id"], two["id"]);
    assert_eq!(world.customer("account:user-1").await["id"], one["customer_id"]);
    world.finish().await;
}

#[tokio::test]
async fn signing_in_to_a_known_account_keeps_the_conversation() {
    let world = World::start().await;
    let desk = world.chat(&signed_in(&world, "user-1")).await;
    desk.say(&world, "1", "Hello from my desk").await;
    let phone = world.chat(&json!({})).await;
    phone.say(&world, "1", "Is my parcel there?").await;
    world.settled().await;
    let signed = world.open_chat(&world.anyone.with_token(&phone.token), &signed_in(&world, "user-1")).await;
    let phone = Chat::of(&world, &signed.ok().unwrap());
    phone.say(&world, "2", "Now I am signed in.").await;
    world.settled().await;
    let ticket = ticket_of(&world, &phone, "2").await;
    let path = format!("/v1/tickets/{}/replies", ticket["id"].as_str().unwrap());
    world.post(&path, &json!({"text": "It is."})).await;
    world.settled().await;
    let all = [("inbound", "Is my parcel there?"), ("inbound", "Now I am signed in."), ("outbound", "It is.")];
    assert_eq!(phone.see(None).await.0, lines(&all), "and nothing of the other session");
    // Who was anonymous here is the same person: the signed session proves both names.
    let known = world.customer("account:user-1").await;
    let visitor = world.customer(&format!("session:{}", phone.session_id)).await;
    assert_eq!(known["linked"][0]["customer_id"], visitor["id"]);
    assert_eq!(known["linked"][0]["rule"], "signed_in");
    assert_eq!((&visitor["linked"][0]["customer_id"], &known["link_suggestions"]), (&known["id"], &json!([])));
    world.finish().await;
}

#[tokio::test]
async fn the_same_client_message_id_is_one_message_within_its_session_only() {
    let world = World::start().await;
    let (chat, other) = (world.chat(&json!({})).await, world.chat(&json!({})).await);
    for _ in 0..10 {
        chat.say(&world, "1", "Once").await;
    }
    other.say(&world, "1", "Once").await;
    world.settled().await;
    // Also later, when no queue remembers the first.
    chat.say(&world, "1", "Once").await;
    world.settled().await;
    assert_eq!(chat.see(None).await.0.len(), 1);
    assert_ne!(ticket_of(&world, &chat, "1").await["id"], ticket_of(&world, &other, "1").await["id"]);
    world.finish().await;
}

#[tokio::test]
async fn quick_messages_make_one_ticket() {
    let world = World::start().await;
    let chat = world.chat(&json!({})).await;
    let texts: Vec<String> = (0..6).map(|i| format!("part {i}")).collect();
    let says = texts.iter().map(|text| chat.say(&world, text, text));
    futures::future::join_all(says).await;
    world.settled().await;
    let tickets = world.tickets("").await;
    assert_eq!(tickets.len(), 1);
    assert_eq!(tickets[0]["message_count"], 6);
    world.finish().await;
}

#[tokio::test]
async fn wrong_tokens_are_refused() {
    let mut world = World::start_at("2026-11-18T09:00:00Z").await;
    let chat = world.chat(&json!({})).await;
    let messages = format!("/v1/channels/web_chat/{CHAT}/messages");
    let forged = format!("{}x", chat.token);
    for token in ["", "junk", "a.b.c", forged.as_str()] {
        let answer = world.anyone.with_token(token).get(&messages).await.unwrap();
        problem(&answer, 401);
    }
    problem(&world.anyone.get(&messages).await.unwrap(), 401);
    problem(&world.agent.get(&messages).await.unwrap(), 401);
    let wrong_hash = json!({"external_id": "user-1", "user_hash": "00"});
    problem(&world.open_chat(&world.anyone, &wrong_hash).await, 401);
    problem(&world.open_chat(&world.anyone, &json!({"external_id": "user-1"})).await, 401);
    let elsewhere = world.anyone.with_token(&chat.token).get("/v1/channels/web_chat/nowhere/messages").await.unwrap();
    problem(&elsewhere, 404);
    // A session token lasts eight hours.
    world.set_time("2026-11-18T17:00:00Z");
    problem(&chat.post(&Chat::message("1", "too late")).await, 401);
    world.finish().await;
}

#[tokio::test]
async fn a_token_of_another_inbox_is_refused() {
    let seed = include_str!("../../../infra/local/seed.toml");
    let second =
        "[[inboxes.inboxes]]\nid = \"shopchat\"\nchannel = \"web_chat\"\nbrand = \"Shop\"\n\n# --- Where tickets go";
    let secrets = "[secrets.inboxes.shopchat]\nsession = [\"another-key\"]\n\n# Signs the development tokens";
    let seed =
        seed.replacen("# --- Where tickets go", second, 1).replacen("# Signs the development tokens", secrets, 1);
    let seed = throughline_local::Seed::read(&seed).unwrap();
    let world = World::start_with(|options| options.seed = seed).await;
    let chat = world.chat(&json!({})).await;
    let visitor = world.anyone.with_token(&chat.token);
    problem(&visitor.get("/v1/channels/web_chat/shopchat/messages").await.unwrap(), 401);
    let body = Chat::message("1", "Hello");
    problem(&visitor.post("/v1/channels/web_chat/shopchat", &body).await.unwrap(), 401);
    world.finish().await;
}

#[tokio::test]
async fn messages_that_break_the_contract_say_where() {
    let world = World::start().await;
    let chat = world.chat(&json!({})).await;
    for (body, pointer) in [
        (json!({"type": "message.create", "text": "no id"}), "/client_message_id"),
        (json!({"type": "message.create", "client_message_id": "1"}), "/text"),
        (json!({"client_message_id": "1", "text": "no type"}), "/type"),
        (json!({"type": "message.create", "client_message_id": "1", "text": "x", "sent_at": "soon"}), "/sent_at"),
    ] {
        let problem = problem(&chat.post(&body).await, 422);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    world.settled().await;
    assert!(world.tickets("").await.is_empty());
    world.finish().await;
}

#[tokio::test]
async fn messages_of_one_visitor_are_recorded_in_order() {
    let world = World::start().await;
    let chat = world.chat(&json!({})).await;
    let texts: Vec<String> = (0..25).map(|i| format!("line {i}")).collect();
    for text in &texts {
        chat.say(&world, text, text).await;
    }
    world.settled().await;
    let timeline = world.timeline(&ticket_of(&world, &chat, "line 0").await).await;
    let recorded: Vec<&str> = timeline.iter().filter_map(|event| event["data"]["message"]["text"].as_str()).collect();
    assert_eq!(recorded, texts);
    world.finish().await;
}

#[tokio::test]
async fn a_busy_conversation_loses_nothing() {
    let world = World::start().await;
    let chat = world.chat(&json!({})).await;
    chat.say(&world, "first", "Hello").await;
    world.settled().await;
    let ticket = ticket_of(&world, &chat, "first").await;
    let path = |rest: &str| format!("/v1/tickets/{}/{rest}", ticket["id"].as_str().unwrap());
    let numbers: Vec<String> = (0..10).map(|i| i.to_string()).collect();
    let says = futures::future::join_all(numbers.iter().map(|number| chat.say(&world, number, number)));
    // The visitor writes, the agent answers and changes things, all at once. An answer that lost its races says so.
    let agent = async {
        let mut replies = 0;
        for number in &numbers {
            let reply = json!({"text": format!("reply {number}")});
            let status = json!({"status": if number == "5" { "resolved" } else { "pending" }});
            let priority = json!({"priority": if number < &numbers[5] { "high" } else { "low" }});
            let (replies_at, status_at, priority_at) = (path("replies"), path("status"), path("priority"));
            let (reply, status, priority) = futures::join!(
                world.agent.post(&replies_at, &reply),
                world.agent.post(&status_at, &status),
                world.agent.post(&priority_at, &priority),
            );
            for answer in [&reply, &status, &priority] {
                assert!([200, 409].contains(&answer.as_ref().unwrap().status), "{answer:?}");
            }
            replies += usize::from(reply.unwrap().status == 200);
        }
        replies
    };
    let (_, replies) = futures::join!(says, agent);
    world.settled().await;
    let (seen, _) = chat.see(None).await;
    assert_eq!(seen.iter().filter(|(direction, _)| direction == "outbound").count(), replies);
    assert_eq!(seen.len(), replies + numbers.len() + 1);
    world.finish().await;
}

#[tokio::test]
async fn cursors_of_others_show_nothing() {
    let world = World::start().await;
    let (chat, other) = (world.chat(&json!({})).await, world.chat(&json!({})).await);
    chat.say(&world, "1", "Mine").await;
    other.say(&world, "1", "Theirs").await;
    world.settled().await;
    let (_, theirs) = other.see(None).await;
    assert_eq!(chat.see(theirs.as_deref()).await.0, lines(&[("inbound", "Mine")]));
    let mine = ticket_of(&world, &chat, "1").await["id"].as_str().unwrap().to_owned();
    assert!(chat.see(Some(&format!("{mine}.{}", u64::MAX))).await.0.is_empty());
    let path = format!("/v1/channels/web_chat/{CHAT}/messages?after=junk");
    problem(&world.anyone.with_token(&chat.token).get(&path).await.unwrap(), 400);
    world.finish().await;
}

#[tokio::test]
async fn what_is_not_understood_is_kept_once() {
    let world = World::start().await;
    let chat = world.chat(&json!({})).await;
    let odd = json!({"type": "screen.share", "client_message_id": "odd"});
    for _ in 0..2 {
        assert_eq!(chat.post(&odd).await.status, 202);
    }
    let id = format!("{}:{odd}", chat.session_id);
    let (inbox, content) = (CHAT.to_owned(), String::new());
    world.took(Accepted { channel: "web_chat", inbox, id: id.clone(), content });
    world.expect_quarantine(&id);
    assert_eq!(world.get("/v1/quarantine").await["items"].as_array().unwrap().len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_conversation_is_found_however_many_tickets_came_since() {
    let world = World::start().await;
    let chat = world.chat(&signed_in(&world, "user-1")).await;
    chat.say(&world, "1", "Hello").await;
    world.settled().await;
    let ticket = ticket_of(&world, &chat, "1").await;
    for i in 0..7 {
        let body = message(&format!("order-{i}"), &json!({"account": "user-1"}), &format!("Order {i}"), "Where?");
        send(&world, &body).await;
        world.settled().await;
    }
    let path = format!("/v1/tickets/{}/replies", ticket["id"].as_str().unwrap());
    world.post(&path, &json!({"text": "Good morning."})).await;
    world.settled().await;
    let (seen, after) = chat.see(None).await;
    assert_eq!(seen, lines(&[("inbound", "Hello"), ("outbound", "Good morning.")]));
    // Also once it is done, for who read it before.
    world.post(&path, &json!({"text": "Good bye.", "then_status": "resolved"})).await;
    world.settled().await;
    assert_eq!(chat.see(after.as_deref()).await.0, lines(&[("outbound", "Good bye.")]));
    world.finish().await;
}

/// Long texts are kept beside the table: the page reads them back from there.
#[tokio::test]
async fn a_long_text_is_read_back_by_the_page() {
    let world = World::start().await;
    let chat = world.chat(&json!({"name": "Anna"})).await;
    let long = "The saddle is loose again, and here is how it came. ".repeat(90);
    chat.say(&world, "1", &long).await;
    world.settled().await;
    let (seen, _) = chat.see(None).await;
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(seen[0].1.trim(), long.trim());
    world.finish().await;
}
