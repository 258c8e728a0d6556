//! Mallory knows names, ids, references and addresses of Anna's, and tries what can be done with them on every way in. Whatever
//! she does, nothing of Anna's is shown to her, moved, hidden or answered, and nothing of it changes at all.

mod mail;

use bytes::Bytes;
use serde_json::{Value, json};
use throughline_channels::web_chat::user_hash;
use throughline_domain::channel::Channel;
use throughline_tests::chat::CHAT;
use throughline_tests::webhook::{Delivery, SHOP, message, send};
use throughline_tests::{Accepted, Chat, Mail, World, problem, provider};

const ANNA: &str = "anna@example.org";
const MALLORY: &str = "mallory@example.net";

/// Everything that the interface tells about a ticket and whoever holds a name. Links to files are signed anew each time,
/// and clocks run: they are left out.
async fn affairs(world: &World, ticket: &Value, name: &str) -> Value {
    let id = ticket["id"].as_str().unwrap();
    let suppressed = world.agent.get(&format!("/v1/suppressions/{}", name.replace('+', "%2B"))).await.unwrap();
    let mut affairs = json!({
        "ticket": world.ticket(id).await,
        "timeline": world.timeline(ticket).await,
        "customer": world.customer(name).await,
        "suppressed": (suppressed.status == 200).then(|| suppressed.json()),
    });
    without_times(&mut affairs);
    affairs
}

fn without_times(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| !matches!(name.as_str(), "raw_url" | "sla"));
            members.values_mut().for_each(without_times);
        }
        Value::Array(items) => items.iter_mut().for_each(without_times),
        _ => (),
    }
}

/// A ticket of Anna's by a mail that is proved to be hers, answered once; and the mail with the answer.
async fn annas(world: &World) -> (Value, Mail, throughline_tests::mail::Received) {
    let mail = Mail::from(ANNA).subject("My secret parcel").text("Where is the parcel with the ring?");
    world.mail_judged(&mail, "PASS").await;
    world.settled().await;
    let ticket = world.ticket_of_mail(&mail.id).await;
    reply(world, &ticket, "It is in Berlin, at number 7.").await;
    let answer = world.sent_mail().await.pop().unwrap();
    (world.ticket_of_mail(&mail.id).await, mail, answer)
}

async fn reply(world: &World, ticket: &Value, text: &str) {
    let path = format!("/v1/tickets/{}/replies", ticket["id"].as_str().unwrap());
    world.post(&path, &json!({"text": text})).await;
    world.settled().await;
}

/// To whom the latest mail went.
async fn last_mail_to(world: &World) -> Vec<String> {
    world.sent_mail().await.pop().unwrap().to
}

/// The tickets with this subject.
async fn about(world: &World, subject: &str) -> Vec<Value> {
    let tickets = world.tickets("").await;
    tickets.into_iter().filter(|ticket| ticket["subject"] == subject).collect()
}

/// Nobody holds a name.
async fn is_nobodys(world: &World, name: &str) {
    let answer = world.agent.get(&format!("/v1/customers/lookup?identifier={name}")).await.unwrap();
    assert_eq!(answer.status, 404, "{name}: {}", answer.json());
}

fn hash(world: &World, account: &str) -> String {
    user_hash(account, &world.seed.secrets.inboxes[&CHAT.parse().unwrap()].identity[0])
}

#[tokio::test]
async fn nobody_signs_in_as_somebody_else() {
    let world = World::start().await;
    let vouched = json!({"external_id": "anna-1", "user_hash": hash(&world, "anna-1")});
    let anna = world.chat(&vouched).await;
    anna.say(&world, "1", "Where is my secret parcel?").await;
    world.settled().await;
    let ticket = world.ticket_of("web_chat", CHAT, &format!("{}:1", anna.session_id)).await;
    reply(&world, &ticket, "In Berlin.").await;
    let before = affairs(&world, &ticket, "account:anna-1").await;

    let hers = json!({"external_id": "mallory-1", "user_hash": hash(&world, "mallory-1")});
    let mallory = world.chat(&hers).await;
    let upper = hash(&world, "ANNA-1");
    let attempts = [
        json!({"external_id": "anna-1"}),
        json!({"external_id": "anna-1", "user_hash": ""}),
        json!({"external_id": "anna-1", "user_hash": "0".repeat(64)}),
        json!({"external_id": "anna-1", "user_hash": hers["user_hash"]}),
        json!({"external_id": "anna-1", "user_hash": upper}),
        json!({"external_id": "anna-1", "user_hash": vouched["user_hash"].as_str().unwrap().get(..32)}),
        json!({"external_id": "anna-1", "email": ANNA, "name": "Anna"}),
    ];
    for attempt in attempts {
        for client in [&world.anyone, &world.anyone.with_token(&mallory.token)] {
            problem(&world.open_chat(client, &attempt).await, 401);
        }
    }
    // What is not vouched for is a name that somebody typed, also in a session of hers.
    let typed = json!({"email": ANNA, "name": "Anna", "external_id": "mallory-1", "user_hash": hers["user_hash"]});
    let again = world.open_chat(&world.anyone.with_token(&mallory.token), &typed).await;
    let mallory = Chat::of(&world, &again.ok().unwrap());
    mallory.say(&world, "1", "Where is my secret parcel?").await;
    mallory.post(&json!({"type": "csat.submit", "score": 1, "comment": "bad"})).await;
    world.settled().await;
    assert_eq!(mallory.see(None).await.0, [("inbound".to_owned(), "Where is my secret parcel?".to_owned())]);
    let own = world.ticket_of("web_chat", CHAT, &format!("{}:1", mallory.session_id)).await;
    assert_ne!((&own["id"], &own["customer_id"]), (&ticket["id"], &ticket["customer_id"]));
    reply(&world, &own, "Who are you?").await;
    assert_eq!(anna.see(None).await.0.len(), 2, "and Anna sees nothing of hers");
    is_nobodys(&world, &format!("email:{ANNA}")).await;
    assert_eq!(affairs(&world, &ticket, "account:anna-1").await, before);
    world.finish().await;
}

#[tokio::test]
async fn a_chat_token_opens_nothing_but_its_own_conversation() {
    let world = World::start().await;
    let (ticket, ..) = annas(&world).await;
    let mallory = world.chat(&json!({"email": ANNA})).await;
    mallory.say(&world, "1", "Hello").await;
    world.settled().await;
    let client = world.anyone.with_token(&mallory.token);
    let id = ticket["id"].as_str().unwrap();
    let customer = ticket["customer_id"].as_str().unwrap();
    for path in [
        "/v1/tickets".to_owned(),
        format!("/v1/tickets/{id}"),
        format!("/v1/tickets/{}", ticket["reference"].as_str().unwrap()),
        format!("/v1/tickets/{id}/timeline"),
        format!("/v1/customers/{customer}"),
        format!("/v1/customers/lookup?identifier=email:{ANNA}"),
    ] {
        problem(&client.get(&path).await.unwrap(), 401);
        problem(&world.anyone.get(&path).await.unwrap(), 401);
    }
    // A cursor that names Anna's ticket shows nothing of it, and says nothing about it.
    for sequence in ["0", "1"] {
        let (seen, next) = mallory.see(Some(&format!("{id}.{sequence}"))).await;
        assert_eq!(seen, [("inbound".to_owned(), "Hello".to_owned())], "{next:?}");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_reused_client_id_takes_no_others_place() {
    let world = World::start().await;
    let (anna, mallory) = (world.chat(&json!({})).await, world.chat(&json!({})).await);
    anna.say(&world, "1", "Mine").await;
    // Another session under the whole of the name, and under the client's part of it.
    mallory.say(&world, &format!("{}:1", anna.session_id), "Not hers").await;
    mallory.say(&world, "1", "Not hers either").await;
    world.settled().await;
    let line = |text: &str| ("inbound".to_owned(), text.to_owned());
    assert_eq!(anna.see(None).await.0, [line("Mine")]);
    // The same session with another text: neither hides the other.
    anna.say(&world, "1", "Mine, too").await;
    world.settled().await;
    assert_eq!(anna.see(None).await.0, [line("Mine"), line("Mine, too")]);
    assert_eq!(mallory.see(None).await.0, [line("Not hers"), line("Not hers either")]);
    let ticket = world.ticket_of("web_chat", CHAT, &format!("{}:1", anna.session_id)).await;
    assert_eq!(ticket["message_count"], 2);
    world.finish().await;
}

/// A message of a person on WhatsApp, who is proved by their number.
fn whatsapp(number: &str, id: &str, text: &str) -> Bytes {
    let message = json!({"from": number, "id": id, "timestamp": "1795183200", "type": "text", "text": {"body": text}});
    let value = json!({"messaging_product": "whatsapp", "metadata": {"phone_number_id": "1", "display_phone_number": "1"},
        "contacts": [{"profile": {"name": "Anna"}, "wa_id": number}], "messages": [message]});
    let body = json!({"object": "whatsapp_business_account",
        "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]});
    Bytes::from(body.to_string())
}

#[tokio::test]
async fn a_form_with_anothers_number_and_address_is_answered_to_that_address_alone() {
    let world = World::start().await;
    provider::post(&world, Channel::Whatsapp, whatsapp("4915112345678", "w1", "My secret parcel")).await;
    world.settled().await;
    let by_phone = world.ticket_of("whatsapp", "whatsapp", "w1").await;
    let before = affairs(&world, &by_phone, "phone:+4915112345678").await;
    let (by_mail, ..) = annas(&world).await;
    let submit = async |id: &str, email: &str, subject: &str| {
        let form = json!({"submission_id": id, "requester": {"email": email, "phone": "+49 151 12345678"},
            "subject": subject, "description": "Tell me about the secret parcel."});
        let answer = world.anyone.post("/v1/channels/portal/portal", &form).await.unwrap();
        assert_eq!(answer.status, 202, "{}", answer.json());
        world.settled().await;
        let (inbox, id) = ("portal".to_owned(), format!("{email}:{id}"));
        world.took(Accepted { channel: "portal", inbox, id, content: subject.to_owned() });
        answer.json()
    };
    // Anna's number with an address of her own: nobody's but that address's.
    let told = submit("s-1", MALLORY, "Number").await;
    let own = about(&world, "Number").await.remove(0);
    assert_ne!(own["customer_id"], by_phone["customer_id"]);
    reply(&world, &own, "Which parcel?").await;
    assert_eq!(last_mail_to(&world).await, [MALLORY]);
    // What she is told names no ticket, and is no key to one.
    assert_eq!(told.as_object().unwrap().keys().collect::<Vec<_>>(), ["ticket_hint"]);
    problem(&world.anyone.get("/v1/channels/portal/portal").await.unwrap(), 405);
    // Anna's address: it may be her, so the answer is hers, and nothing goes on what she has.
    submit("s-2", ANNA, "Address").await;
    let maybe = about(&world, "Address").await.remove(0);
    assert_ne!(maybe["id"], by_mail["id"]);
    assert_eq!(world.ticket(by_mail["id"].as_str().unwrap()).await["message_count"], by_mail["message_count"]);
    reply(&world, &maybe, "In Berlin.").await;
    assert_eq!(last_mail_to(&world).await, [ANNA]);
    // The same submission under another address, or with another text, is another one.
    submit("s-2", MALLORY, "Copied").await;
    submit("s-2", ANNA, "Copied, too").await;
    assert_eq!((about(&world, "Copied").await.len(), about(&world, "Copied, too").await.len()), (1, 1));
    assert_eq!(affairs(&world, &by_phone, "phone:+4915112345678").await, before);
    reply(&world, &by_mail, "It is on its way.").await;
    assert_eq!(last_mail_to(&world).await, [ANNA]);
    world.finish().await;
}

/// A world with a second inbox of signed webhooks, `market`.
async fn with_market() -> World {
    World::start_with(|options| {
        let seed = &mut options.seed;
        let shop = seed.inboxes.inboxes.iter().find(|inbox| inbox.id.as_str() == SHOP).unwrap().clone();
        let market: throughline_domain::id::InboxId = "market".parse().unwrap();
        let mut secrets = seed.secrets.inboxes[&shop.id].clone();
        secrets.webhook = vec!["whsec_bWFya2V0cGxhY2U=".to_owned()];
        seed.inboxes.inboxes.push(throughline_domain::config::Inbox { id: market.clone(), ..shop });
        seed.secrets.inboxes.insert(market, secrets);
    })
    .await
}

#[tokio::test]
async fn a_thread_of_another_inbox_or_of_another_account_leads_nowhere() {
    let world = with_market().await;
    let on_thread = |id: &str, account: &str, subject: &str| {
        let mut body = message(id, &json!({"account": account}), subject, "It is about the ring.");
        body["data"]["thread"] = json!("conversation-7");
        body
    };
    send(&world, &on_thread("order-1", "anna-1", "My secret parcel")).await;
    world.settled().await;
    let ticket = world.ticket_of("webhook", SHOP, "order-1").await;
    let before = affairs(&world, &ticket, "account:anna-1").await;
    // Another business's system, with its own secret, also under the message's own name; then with the wrong one.
    for id in ["offer-1", "order-1"] {
        let body = on_thread(id, "mallory-1", "Offer").to_string();
        let delivery = Delivery {
            inbox: "market".to_owned(),
            secret: "whsec_bWFya2V0cGxhY2U=".to_owned(),
            ..Delivery::of(&world, id, body)
        };
        assert_eq!(delivery.post(&world).await.status, 202);
        let (inbox, id, content) = ("market".to_owned(), id.to_owned(), "offer".to_owned());
        world.took(Accepted { channel: "webhook", inbox, id, content });
        problem(&Delivery { inbox: SHOP.to_owned(), ..delivery }.post(&world).await, 401);
        world.settled().await;
    }
    // Another account of the same business.
    send(&world, &on_thread("order-2", "mallory-2", "Mine")).await;
    world.settled().await;
    for own in [
        world.ticket_of("webhook", "market", "offer-1").await,
        world.ticket_of("webhook", "market", "order-1").await,
        world.ticket_of("webhook", SHOP, "order-2").await,
    ] {
        assert_ne!((&own["id"], &own["customer_id"]), (&ticket["id"], &ticket["customer_id"]));
    }
    assert_eq!(affairs(&world, &ticket, "account:anna-1").await, before);
    world.finish().await;
}

/// A bot hands a conversation over.
async fn hand_over(world: &World, id: &str, customer: Value) -> Value {
    let body = json!({"type": "bot.handoff", "data": {"handoff_id": id, "conversation_ref": format!("c-{id}"),
        "customer": customer, "summary": format!("The customer asks for the secret parcel ({id}).")}});
    let answer = provider::post(world, Channel::Bot, Bytes::from(body.to_string())).await;
    assert_eq!(answer.status, 202, "{}", answer.json());
    world.settled().await;
    world.ticket_of("bot", "bot", id).await
}

#[tokio::test]
async fn what_a_bot_repeats_is_no_proof() {
    let world = World::start().await;
    let (ticket, ..) = annas(&world).await;
    // Nothing but the address: it may be Anna, and the answer is hers alone.
    let maybe = hand_over(&world, "h1", json!({"email": ANNA, "phone": "+41446681800"})).await;
    reply(&world, &maybe, "In Berlin.").await;
    assert_eq!(last_mail_to(&world).await, [ANNA]);
    is_nobodys(&world, "phone:%2B41446681800").await;
    // An account that the bot vouches for is not Anna's because somebody told the bot her address.
    let before = affairs(&world, &ticket, &format!("email:{ANNA}")).await;
    let own = hand_over(&world, "h2", json!({"id": "mallory-1", "email": ANNA})).await;
    assert_ne!(own["customer_id"], ticket["customer_id"]);
    assert_eq!(affairs(&world, &ticket, &format!("email:{ANNA}")).await, before);
    let account = world.customer("account:mallory-1").await;
    assert_eq!(account["id"], own["customer_id"]);
    assert_eq!(account["link_suggestions"][0]["customer_id"], ticket["customer_id"], "somebody may decide it");
    world.finish().await;
}

#[tokio::test]
async fn an_account_gets_no_answers_of_whose_address_it_claims() {
    let world = World::start().await;
    let (ticket, ..) = annas(&world).await;
    // The shop lets people type their address, and passes it on.
    let claimed = json!({"account": "mallory-1", "email": ANNA});
    send(&world, &message("order-1", &claimed, "Shoes", "Where are they?")).await;
    world.settled().await;
    let mallory = world.chat(&json!({"external_id": "mallory-1", "user_hash": hash(&world, "mallory-1")})).await;
    mallory.say(&world, "1", "My secret parcel: where is the parcel with the ring?").await;
    world.settled().await;
    let theirs = world.ticket_of("web_chat", CHAT, &format!("{}:1", mallory.session_id)).await;
    assert_ne!(theirs["id"], ticket["id"], "as alike as it is");
    reply(&world, &ticket, "Number 7, third floor.").await;
    assert_eq!(last_mail_to(&world).await, [ANNA]);
    assert_eq!(mallory.see(None).await.0.len(), 1);
    // Nor does the address lead Anna's next mail to her.
    let next = Mail::from(ANNA).subject("Shoes are not mine");
    world.mail_judged(&next, "PASS").await;
    world.settled().await;
    assert_eq!(world.ticket_of_mail(&next.id).await["customer_id"], ticket["customer_id"]);
    world.finish().await;
}

/// Events of a person on LINE.
fn line(events: &[Value]) -> Bytes {
    Bytes::from(json!({"destination": "U0", "events": events}).to_string())
}

fn line_event(kind: &str, user: &str, id: &str, text: &str) -> Value {
    json!({"type": kind, "webhookEventId": format!("{kind}-{user}-{id}"), "timestamp": 1,
        "source": {"type": "user", "userId": user}, "message": {"id": id, "type": "text", "text": text},
        "unsend": {"messageId": id}})
}

#[tokio::test]
async fn nobody_edits_or_takes_back_what_another_wrote() {
    let world = World::start().await;
    // Before it comes: what waits is found to be of somebody else once it is there.
    let edit = line_event("messageEdited", "U2", "1", "Send it to number 9.");
    let unsend = line_event("unsend", "U2", "1", "");
    provider::post(&world, Channel::Line, line(&[edit.clone(), unsend.clone()])).await;
    world.settled().await;
    provider::post(&world, Channel::Line, line(&[line_event("message", "U1", "1", "Send it to number 7.")])).await;
    world.settled().await;
    let ticket = world.ticket_of("line", "line", "1").await;
    let before = affairs(&world, &ticket, "line:U1").await;
    let said: Vec<&str> =
        before["timeline"].as_array().unwrap().iter().filter_map(|event| event["kind"].as_str()).collect();
    assert!(!said.contains(&"message_edited") && !said.contains(&"message_deleted"), "{said:?}");
    // And after.
    let again = |mut event: Value| {
        event["webhookEventId"] = json!(format!("{}-again", event["webhookEventId"]));
        event
    };
    provider::post(&world, Channel::Line, line(&[again(edit), again(unsend)])).await;
    world.settled().await;
    assert_eq!(affairs(&world, &ticket, "line:U1").await, before);
    let kept = world.get("/v1/quarantine").await;
    let reasons: Vec<&str> =
        kept["items"].as_array().unwrap().iter().filter_map(|one| one["reason"].as_str()).collect();
    assert_eq!(reasons.iter().filter(|reason| reason.contains("somebody else")).count(), 4, "{reasons:?}");
    world.finish().await;
}

#[tokio::test]
async fn an_edit_in_another_chat_changes_nothing_in_this_one() {
    let world = World::start().await;
    // Telegram numbers messages within a chat.
    let update = |kind: &str, number: u64, person: u64, text: &str| {
        let mut message = json!({"message_id": 52, "from": {"id": person, "is_bot": false, "first_name": "A"},
            "chat": {"id": person, "type": "private"}, "date": 1_795_183_200, "text": text});
        if kind == "edited_message" {
            message["edit_date"] = json!(1_795_183_230);
        }
        let mut update = json!({"update_id": number});
        update[kind] = message;
        Bytes::from(update.to_string())
    };
    provider::post(&world, Channel::Telegram, update("message", 1, 7, "Send it to number 7.")).await;
    world.settled().await;
    let ticket = world.ticket_of("telegram", "telegram", "7:52").await;
    let before = affairs(&world, &ticket, "telegram:7").await;
    provider::post(&world, Channel::Telegram, update("edited_message", 2, 66, "Send it to number 9.")).await;
    provider::post(&world, Channel::Telegram, update("message", 3, 66, "Send it to number 8.")).await;
    world.settled().await;
    assert_eq!(affairs(&world, &ticket, "telegram:7").await, before);
    assert_ne!(world.ticket_of("telegram", "telegram", "66:52").await["id"], ticket["id"]);
    world.finish().await;
}

#[tokio::test]
async fn the_link_to_a_file_is_no_key_to_another() {
    let world = World::start().await;
    let hers = Mail::from(ANNA).subject("Papers").file("passport.txt", "text/plain", b"Anna, 1990");
    // The same file in a mail of Mallory's: what she may have is her own copy.
    let copied = Mail::from(MALLORY).subject("Papers, too").file("passport.txt", "text/plain", b"Anna, 1990");
    world.mail_judged(&hers, "PASS").await;
    world.mail_judged(&copied, "PASS").await;
    world.settled().await;
    let link = async |mail: &Mail| {
        let timeline = world.timeline(&world.ticket_of_mail(&mail.id).await).await;
        let received = throughline_tests::event(&timeline, "message_received");
        received["data"]["message"]["attachments"][0]["url"].as_str().unwrap().to_owned()
    };
    let (annas, mallorys) = (link(&hers).await, link(&copied).await);
    assert_eq!(world.download(&annas).await.status, 200);
    let signed = |link: &str| link.split_once('?').map(|(path, query)| (path.to_owned(), query.to_owned())).unwrap();
    let ((path, _), (other, query)) = (signed(&annas), signed(&mallorys));
    assert_ne!(path, other, "each sender's files lie apart");
    for link in [format!("{path}?{query}"), path] {
        let refused = world.download(&link).await;
        assert!(matches!(refused.status, 400 | 403), "{link}: {}", refused.status);
    }
    world.finish().await;
}
