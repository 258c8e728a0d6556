//! The day of a customer: chat, a bot, mail, a call, a public post; one customer, one ticket, one timeline, each decision
//! explained.

use bytes::Bytes;
use serde_json::{Value, json};
use throughline_channels::web_chat::user_hash;
use throughline_domain::channel::Channel;
use throughline_tests::{Chat, Mail, World, event, provider};

/// Anna as the business knows her.
const ACCOUNT: &str = "shop-4711";
const ADDRESS: &str = "anna.berg@example.org";
const PHONE: &str = "+41791234567";
/// Anna as X knows her; nothing says that it is her.
const ON_X: &str = "2222222222222222222";

/// Anna signs in to the chat that she had open.
async fn sign_in(world: &World, chat: &Chat) -> Chat {
    let secret = world.seed.secrets.inboxes[&"chat".parse().unwrap()].identity[0].clone();
    let visitor = json!({"external_id": ACCOUNT, "user_hash": user_hash(ACCOUNT, &secret), "name": "Anna Berg"});
    let answer = world.open_chat(&world.anyone.with_token(&chat.token), &visitor).await;
    assert_eq!(answer.status, 201, "{}", answer.json());
    Chat::of(world, &answer.json())
}

async fn post(world: &World, channel: Channel, body: impl Into<Bytes>) {
    let answer = provider::post(world, channel, body.into()).await;
    assert!(matches!(answer.status, 200 | 202), "{}", String::from_utf8_lossy(&answer.body));
    world.settled().await;
}

fn handoff() -> String {
    json!({"type": "bot.handoff", "timestamp": "2026-12-01T13:20:00Z", "data": {
        "handoff_id": "ho-1", "bot_id": "helper", "channel": "web_chat", "conversation_ref": "c-1",
        "customer": {"id": ACCOUNT}, "summary": "Parcel of ORD-004711 is lost.", "entities": {"order": "ORD-004711"},
        "intent": {"name": "order_status", "confidence": 0.9}, "reason": "asks for a person", "language": "en",
        "transcript": [{"id": "1", "role": "customer", "text": "Where is it?", "at": "2026-12-01T13:19:00Z"}],
        "attempted_steps": [{"step": "track", "outcome": "no scan for nine days"}],
    }})
    .to_string()
}

fn callback() -> String {
    let form = [
        ("AccountSid", "AC1"),
        ("CallSid", "CA00000000000000000000000000000099"),
        ("CallStatus", "in-progress"),
        ("Direction", "inbound"),
        ("From", PHONE),
        ("To", "+41435051234"),
        ("Digits", "1"),
        ("FinishedOnKey", ""),
        ("msg", "Gather End"),
    ];
    form.map(|(name, value)| format!("{name}={}", value.replace('+', "%2B").replace(' ', "+"))).join("&")
}

fn complaint() -> String {
    json!({"data": {
        "event_uuid": "9", "filter": {"user_id": "1111111111111111111"}, "event_type": "post.mention.create", "tag": "desk",
        "payload": {"id": "2080765813578191999", "author_id": ON_X, "text": "@theshop ORD-004711 still lost, nobody calls",
            "created_at": "2026-12-01T17:00:00.000Z", "lang": "en", "conversation_id": "2080765813578191999"},
        "includes": {"users": [{"id": ON_X, "name": "Anna Berg", "username": "annaberg"}]},
    }})
    .to_string()
}

#[tokio::test]
async fn a_customer_explains_once() {
    let mut world = World::start_at("2026-12-01T12:59:00Z").await;
    // The business says who Anna is.
    let known = json!({
        "name": "Anna Berg",
        "attributes": {"segment": "vip", "tier": "gold"},
        "identifiers": [{"kind": "email", "value": ADDRESS}, {"kind": "phone", "value": PHONE}],
        "orders": [{"id": "ORD-004711", "at": "2026-11-20T10:00:00Z", "status": "shipped"}],
    });
    let told = world.told(&format!("account/{ACCOUNT}"), &known).await;
    let anna = told["id"].as_str().unwrap().to_owned();

    // At two she chats, and nobody knows her; then she signs in.
    world.set_time("2026-12-01T13:00:00Z");
    let anonymous = world.chat(&json!({})).await;
    anonymous.say(&world, "1", "Hello, has my parcel ORD-004711 left yet?").await;
    world.settled().await;
    let asked = world.ticket_of("web_chat", "chat", &format!("{}:1", anonymous.session_id)).await;
    assert_ne!(asked["customer_id"], anna.as_str());
    let chat = sign_in(&world, &anonymous).await;
    chat.say(&world, "2", "It is me, Anna.").await;
    world.settled().await;
    let ticket = world.ticket_of("web_chat", "chat", &format!("{}:2", chat.session_id)).await;
    assert_eq!(ticket["id"], asked["id"], "signing in goes on with the conversation");

    // A bot hands over.
    world.set_time("2026-12-01T13:20:00Z");
    post(&world, Channel::Bot, handoff()).await;
    assert_eq!(world.ticket_of("bot", "bot", "ho-1").await["id"], asked["id"]);

    // At three she mails, with the order's number.
    world.set_time("2026-12-01T14:00:00Z");
    let mail = Mail::from(ADDRESS).subject("Lost?").text("Order ORD-004711 did not come. Where is it?");
    assert_eq!(world.ticket_by_mail(&mail).await["id"], asked["id"]);

    // At five she calls and wants to be called back.
    world.set_time("2026-12-01T16:00:00Z");
    post(&world, Channel::Voice, callback()).await;
    let called = world.ticket_of("voice", "voice", "CA00000000000000000000000000000099:callback").await;
    assert_eq!(called["id"], asked["id"]);

    // Then everybody reads of it. Nothing proves that it is Anna: a ticket of its own, until an agent says so.
    world.set_time("2026-12-01T17:00:00Z");
    post(&world, Channel::X, complaint()).await;
    let public = world.ticket_of("x", "x", "2080765813578191999").await;
    assert_ne!(public["id"], asked["id"]);
    let somebody = public["customer_id"].as_str().unwrap();
    let link = json!({"customer_id": somebody, "because": "the post names her order, and she told so on the phone"});
    world.post(&format!("/v1/customers/{anna}/link"), &link).await;
    let into = json!({"into": asked["id"], "because": "the same parcel"});
    world.post(&format!("/v1/tickets/{}/merge", public["id"].as_str().unwrap()), &into).await;

    // She is answered by mail, and it is resolved.
    let id = asked["id"].as_str().unwrap();
    let reply = json!({"text": "It is found, and comes tomorrow.", "channel": "email"});
    world.post(&format!("/v1/tickets/{id}/replies"), &reply).await;
    world.settled().await;
    let answer = world.sent_mail().await.into_iter().rfind(|mail| mail.to.iter().any(|to| to == ADDRESS)).unwrap();
    let resolved = json!({"status": "resolved", "disposition": "solved", "resolution": "The parcel was found."});
    world.post(&format!("/v1/tickets/{id}/status"), &resolved).await;

    // The next day she writes again.
    world.set_time("2026-12-02T09:00:00Z");
    let again = Mail::from(ADDRESS).subject("Re: Lost?").text("It came, but it is broken.").in_reply_to(&answer.id);
    let reopened = world.ticket_by_mail(&again).await;
    assert_eq!(reopened["id"], asked["id"]);
    assert_eq!(reopened["status"], "open");

    // One customer, one ticket, one timeline in order.
    let customer = world.customer(&format!("account:{ACCOUNT}")).await;
    let linked: Vec<&str> =
        customer["linked"].as_array().unwrap().iter().filter_map(|l| l["customer_id"].as_str()).collect();
    assert!(linked.contains(&somebody) && linked.contains(&asked["customer_id"].as_str().unwrap()), "{customer}");
    assert_eq!(world.ticket(public["id"].as_str().unwrap()).await["merged_into"], asked["id"]);
    let timeline = world.timeline(&reopened).await;
    let mut before = (String::new(), 0);
    // What was said to the bot was said before it handed over.
    for event in timeline.iter().filter(|event| event["kind"] != "message_relayed") {
        let place = (event["at"].as_str().unwrap().to_owned(), event["sequence"].as_u64().unwrap());
        assert!(before <= place, "{timeline:#?}");
        before = place;
    }
    // Every decision is explained in words.
    let said: Vec<(&str, &str)> = timeline
        .iter()
        .filter(|event| event["kind"] == "message_received")
        .map(|event| {
            (event["data"]["message"]["channel"].as_str().unwrap(), event["decision"]["because"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        said.iter().map(|(channel, _)| *channel).collect::<Vec<_>>(),
        ["web_chat", "web_chat", "bot", "email", "voice", "email"]
    );
    assert!(said.iter().all(|(_, because)| because.split(' ').count() > 4), "{said:#?}");
    assert!(said[2].1.contains("ORD-004711") && said[3].1.contains("ORD-004711"), "{said:#?}");
    let elsewhere = world.timeline(&public).await;
    for event in timeline.iter().chain(&elsewhere).filter(|event| !event["decision"].is_null()) {
        let because = event["decision"]["because"].as_str().unwrap();
        assert!(because.split(' ').count() > 2, "{event:#}");
    }
    let decided =
        |kind: &str| timeline.iter().any(|event| event["kind"] == kind && event["decision"]["because"].is_string());
    for kind in ["ticket_created", "assigned", "sla_applied", "status_changed", "ticket_merged"] {
        assert!(decided(kind), "{kind}: {timeline:#?}");
    }
    event(&timeline, "callback_requested");
    event(&timeline, "ticket_merged");
    let path = format!("/v1/customers/{anna}/timeline");
    let all = world.get(&path).await;
    let texts: Vec<&Value> = all["items"].as_array().unwrap().iter().map(|e| &e["data"]["message"]["text"]).collect();
    assert!(texts.iter().any(|text| text.as_str().is_some_and(|text| text.contains("nobody calls"))), "{all:#}");
    world.finish().await;
}

/// As a newcomer starts it: nothing runs, so it plays against a system of its own.
#[test]
fn the_demo_plays_the_day_to_its_end() {
    let repository = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let demo = std::process::Command::new(super::e2e_durability::program())
        .args(["demo", "--http", "127.0.0.1:1"])
        .current_dir(repository)
        .output();
    let demo = demo.unwrap();
    let said = String::from_utf8_lossy(&demo.stdout);
    assert!(demo.status.success(), "{said}{}", String::from_utf8_lossy(&demo.stderr));
    for station in ["at three", "at five", "the next day", "merged", "callback", "resolved", "Nothing of this is kept"]
    {
        assert!(said.contains(station), "{station}: {said}");
    }
    // Every sample of every channel was posted at the end, and taken.
    for channel in Channel::ALL.into_iter().filter(|channel| *channel != Channel::Email) {
        let count = provider::fixtures(channel).len();
        let status = if matches!(channel, Channel::Bot | Channel::WebChat | Channel::Webhook | Channel::Portal) {
            202
        } else {
            200
        };
        let line = format!("  {:<10} {count:>3} posted, answered {count} × {status}\n", channel.as_str());
        assert!(said.contains(&line), "{line:?}: {said}");
    }
}
