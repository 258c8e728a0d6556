//! Every channel on which a provider posts: what comes in is found again, once, and only who signs rightly is heard.

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use throughline_channels::secrets::InboxSecrets;
use throughline_domain::channel::Channel;
use throughline_domain::message_change::PARKED_TEXT_BYTES_MAX;
use throughline_local::samples::Sender;
use throughline_tests::{Accepted, World, count, event, problem, provider};

/// How often every body is posted.
const REPLAYS: usize = 10;
/// Fewer messages of a channel cannot show much.
const FIXTURES_MIN: usize = 3;

#[tokio::test]
async fn everything_that_providers_post_is_found_again_once() {
    let world = World::start_with(|options| {
        for inbox in &mut options.seed.inboxes.inboxes {
            inbox.account = provider::account(inbox.channel);
        }
    })
    .await;
    for (channel, _) in provider::all() {
        for (path, posted) in provider::fixtures(channel) {
            for _ in 0..REPLAYS {
                let answer = provider::post_by(&world, &provider::sender(&world, channel), &posted).await;
                assert!(answer.is_success(), "{}: {}", path.display(), answer.json());
            }
        }
        world.settled().await;
        let accepted = world.memory().messages.iter().filter(|one| one.channel == channel.as_str()).count();
        assert!(accepted > FIXTURES_MIN, "{channel} brought {accepted} messages");
    }
    // Each of them is recorded once, or this tells which is not.
    world.finish().await;
}

/// What has no provider: the chat, the form, business systems. Each visitor opens a session, so in the chat each time is
/// another conversation.
#[tokio::test]
async fn everything_that_our_own_clients_post_is_recorded_once_or_kept() {
    let world = World::start().await;
    for (channel, times) in [(Channel::WebChat, 1), (Channel::Webhook, REPLAYS), (Channel::Portal, REPLAYS)] {
        let kept_before = world.get("/v1/quarantine?limit=200").await["items"].as_array().unwrap().len();
        let samples = provider::fixtures(channel);
        for (path, sample) in &samples {
            for _ in 0..times {
                let answer = provider::post_by(&world, &provider::sender(&world, channel), sample).await;
                assert_eq!(answer.status, 202, "{}: {}", path.display(), answer.json());
            }
        }
        world.settled().await;
        let mut recorded = Vec::new();
        for ticket in world.tickets(&format!("channel={channel}")).await {
            let timeline = world.timeline(&ticket).await;
            let received = timeline.into_iter().filter(|event| event["kind"] == "message_received");
            recorded.extend(received.map(|event| event["data"]["message"]["provider_message_id"].to_string()));
        }
        let kept = world.get("/v1/quarantine?limit=200").await["items"].as_array().unwrap().len() - kept_before;
        assert!(kept > 0, "{channel} has nothing to be kept");
        assert_eq!(recorded.len() + kept, samples.len(), "{channel}: {recorded:?} and {kept} kept");
        recorded.sort();
        recorded.dedup();
        assert_eq!(recorded.len() + kept, samples.len(), "{channel}: {recorded:?}");
    }
    world.finish().await;
}

#[tokio::test]
async fn what_is_not_rightly_signed_is_refused_on_every_channel() {
    let world = World::start().await;
    for (channel, known) in provider::all() {
        let (path, posted) = provider::fixtures(channel).remove(0);
        let address = format!("/v1/channels/{channel}/{channel}");
        let headers = [("content-type", known.content_type())];
        let answer = world.anyone.send(Method::POST, &address, &headers, posted.raw.clone()).await.unwrap();
        assert_eq!(answer.status, 401, "unsigned: {}", path.display());
        let wrong = InboxSecrets {
            signing: vec!["another secret".to_owned()],
            webhook: vec!["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned()],
            ..InboxSecrets::default()
        };
        let stranger = Sender { secrets: wrong, ..provider::sender(&world, channel) };
        let answer = provider::post_by(&world, &stranger, &posted).await;
        assert_eq!(answer.status, 401, "{}", path.display());
        let unknown = format!("/v1/channels/{channel}/nowhere");
        let answer = world.anyone.send(Method::POST, &unknown, &headers, posted.raw.clone()).await.unwrap();
        assert_eq!(answer.status, 404, "{channel}");
        let odd = [("content-type", "text/plain")];
        let answer = world.anyone.send(Method::POST, &address, &odd, posted.raw.clone()).await.unwrap();
        assert_eq!(answer.status, 415, "{channel}");
    }
    assert_eq!(world.tickets("").await.len(), 0);
    assert_eq!(world.get("/v1/quarantine").await["items"], json!([]));
    world.finish().await;
}

/// Nothing is read of a body that does not say that it is JSON.
#[tokio::test]
async fn our_own_ways_in_take_nothing_but_json() {
    let world = World::start().await;
    let chat = world.chat(&json!({})).await;
    let visitor = world.anyone.with_token(&chat.token);
    let doors = [
        "/v1/channels/web_chat/chat/sessions",
        "/v1/channels/web_chat/chat/uploads",
        "/v1/channels/web_chat/chat",
        "/v1/channels/portal/portal/uploads",
        "/v1/channels/portal/portal",
        "/v1/channels/webhook/shop",
    ];
    for door in doors {
        for odd in
            ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json"]
        {
            let answer = visitor.send(Method::POST, door, &[("content-type", odd)], "{}").await.unwrap();
            let refused = problem(&answer, 415);
            assert!(refused["detail"].as_str().unwrap().contains("application/json"), "{door} {odd}: {refused}");
        }
        for json in ["application/json; charset=utf-8", "application/vnd.example+json", "APPLICATION/JSON"] {
            let answer = visitor.send(Method::POST, door, &[("content-type", json)], "{}").await.unwrap();
            assert!(matches!(answer.status, 201 | 401 | 422), "{door} {json}: {}", answer.status);
        }
    }
    assert_eq!(world.get("/v1/quarantine").await["items"], json!([]));
    world.finish().await;
}

/// A text of LINE's user `U1`.
fn line(events: &[Value]) -> Bytes {
    let body = json!({"destination": "U0", "events": events});
    Bytes::from(body.to_string())
}

fn said(id: &str, text: &str) -> Value {
    json!({"type": "message", "webhookEventId": format!("e{id}"), "timestamp": 1, "source": {"type": "user", "userId": "U1"},
        "message": {"id": id, "type": "text", "text": text}})
}

fn unsent(id: &str) -> Value {
    json!({"type": "unsend", "webhookEventId": format!("u{id}"), "timestamp": 2,
        "source": {"type": "user", "userId": "U1"}, "unsend": {"messageId": id}})
}

#[tokio::test]
async fn a_conversation_on_a_messenger_is_one_ticket() {
    let world = World::start().await;
    for (id, text) in [("1", "Hello"), ("2", "my parcel is lost")] {
        assert_eq!(provider::post(&world, Channel::Line, line(&[said(id, text)])).await.status, 200);
    }
    world.settled().await;
    let ticket = world.ticket_of("line", "line", "1").await;
    assert_eq!(world.ticket_of("line", "line", "2").await["id"], ticket["id"]);
    assert_eq!((&ticket["channel"], &ticket["message_count"]), (&json!("line"), &json!(2)));
    assert_eq!(world.customer("line:U1").await["id"], ticket["customer_id"]);
    world.finish().await;
}

#[tokio::test]
async fn a_message_that_is_taken_back_says_so_and_stays_in_the_log() {
    let world = World::start().await;
    provider::post(&world, Channel::Line, line(&[said("1", "wrong window")])).await;
    world.settled().await;
    for _ in 0..2 {
        provider::post(&world, Channel::Line, line(&[unsent("1")])).await;
        world.settled().await;
    }
    let timeline = world.timeline(&world.ticket_of("line", "line", "1").await).await;
    assert_eq!(count(&timeline, "message_deleted"), 1);
    let received = event(&timeline, "message_received");
    assert_eq!(event(&timeline, "message_deleted")["data"]["event_id"], received["id"]);
    assert_eq!(received["data"]["message"]["text"], "wrong window");
    world.finish().await;
}

#[tokio::test]
async fn what_becomes_of_a_message_waits_until_it_comes() {
    let world = World::start().await;
    for _ in 0..2 {
        provider::post(&world, Channel::Line, line(&[unsent("1")])).await;
        world.settled().await;
    }
    assert_eq!(world.tickets("").await.len(), 0);
    let ledger = world.ledger("line", "line", "1").await;
    assert_eq!(ledger.json()["state"], "seen", "{}", ledger.json());
    provider::post(&world, Channel::Line, line(&[said("1", "wrong window")])).await;
    world.settled().await;
    let timeline = world.timeline(&world.ticket_of("line", "line", "1").await).await;
    assert_eq!((count(&timeline, "message_received"), count(&timeline, "message_deleted")), (1, 1));
    world.finish().await;
}

#[tokio::test]
async fn an_edit_too_long_to_wait_is_kept_and_keeps_nobody_waiting() {
    let world = World::start().await;
    let mut edited = said("1", &"x".repeat(PARKED_TEXT_BYTES_MAX + 1));
    edited["type"] = json!("messageEdited");
    provider::post(&world, Channel::Line, line(&[edited, said("2", "Hello")])).await;
    world.settled().await;
    assert_eq!(world.ticket_of("line", "line", "2").await["message_count"], 1);
    let kept = world.get("/v1/quarantine").await;
    assert!(kept["items"][0]["reason"].as_str().unwrap().contains("cannot wait"), "{kept}");
    world.finish().await;
}

#[tokio::test]
async fn what_its_writer_changes_of_a_message_is_on_the_timeline() {
    let world = World::start().await;
    let chat = json!({"id": 987, "first_name": "Anna", "type": "private"});
    let anna = json!({"id": 987, "is_bot": false, "first_name": "Anna"});
    let says = |text: &str| json!({"message_id": 52, "from": anna, "chat": chat, "date": 1_795_183_200, "text": text});
    let mut anew = says("Where is order 4712?");
    anew["edit_date"] = json!(1_795_183_230);
    let likes = json!({"chat": chat, "message_id": 52, "user": anna, "date": 1_795_183_240, "old_reaction": [],
        "new_reaction": [{"type": "emoji", "emoji": "👍"}]});
    let updates = [
        // The edit comes first, and waits.
        json!({"update_id": 2, "edited_message": anew}),
        json!({"update_id": 1, "message": says("Where is order 4711?")}),
        json!({"update_id": 3, "message_reaction": likes}),
    ];
    for update in updates {
        let answer = provider::post(&world, Channel::Telegram, Bytes::from(update.to_string())).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        world.settled().await;
    }
    let ticket = world.tickets("").await.remove(0);
    let timeline = world.timeline(&ticket).await;
    let received = event(&timeline, "message_received");
    assert_eq!(received["data"]["message"]["text"], "Where is order 4711?", "the original stays");
    let edited = event(&timeline, "message_edited");
    assert_eq!(edited["data"]["message"]["text"], "Where is order 4712?");
    let reaction = event(&timeline, "reaction_added");
    assert_eq!(reaction["data"]["emoji"], "👍");
    assert_eq!((&edited["data"]["event_id"], &reaction["data"]["event_id"]), (&received["id"], &received["id"]));
    assert_eq!(ticket["message_count"], 1);
    world.finish().await;
}

#[tokio::test]
async fn nobody_takes_back_what_another_wrote() {
    let world = World::start().await;
    provider::post(&world, Channel::Line, line(&[said("1", "mine")])).await;
    let mut other = unsent("1");
    other["source"]["userId"] = json!("U2");
    provider::post(&world, Channel::Line, line(&[other])).await;
    world.settled().await;
    let timeline = world.timeline(&world.ticket_of("line", "line", "1").await).await;
    assert_eq!(count(&timeline, "message_deleted"), 0);
    let kept = world.get("/v1/quarantine").await;
    assert!(kept["items"][0]["reason"].as_str().unwrap().contains("somebody else"), "{kept}");
    world.finish().await;
}

#[tokio::test]
async fn what_is_signed_and_not_understood_is_kept_once_and_its_neighbours_are_taken() {
    let world = World::start().await;
    let odd = json!({"type": "hologram", "webhookEventId": "h1"});
    for _ in 0..2 {
        let answer = provider::post(&world, Channel::Line, line(&[odd.clone(), said("1", "Hello")])).await;
        assert_eq!(answer.status, 200);
    }
    world.settled().await;
    assert_eq!(world.ticket_of("line", "line", "1").await["message_count"], 1);
    let kept = world.get("/v1/quarantine").await;
    assert_eq!(kept["items"].as_array().unwrap().len(), 1, "{kept}");
    let answer = provider::post(&world, Channel::Line, Bytes::from("[1, 2")).await;
    assert_eq!(answer.status, 400, "{}", answer.json());
    world.finish().await;
}

/// The message counts, for somebody waits for an answer; what it said, a later version may be able to read.
#[tokio::test]
async fn a_message_of_an_unknown_kind_is_recorded_and_what_came_is_kept_once() {
    let world = World::start().await;
    let mut odd = said("1", "Look!");
    odd["message"] = json!({"id": "1", "type": "hologram", "hologram": {"depth": 3}});
    for _ in 0..REPLAYS {
        assert_eq!(provider::post(&world, Channel::Line, line(&[odd.clone()])).await.status, 200);
    }
    world.settled().await;
    let ticket = world.ticket_of("line", "line", "1").await;
    assert_eq!(ticket["message_count"], 1);
    let timeline = world.timeline(&ticket).await;
    let warnings = &event(&timeline, "message_received")["data"]["message"]["warnings"];
    assert!(warnings[0].as_str().unwrap().contains("hologram"), "{warnings}");
    let kept = world.get("/v1/quarantine").await["items"].as_array().unwrap().clone();
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert!(kept[0]["reason"].as_str().unwrap().contains("a kind that is not known"), "{}", kept[0]);
    let raw = world.app().blobs.get(kept[0]["raw_key"].as_str().unwrap()).await.unwrap().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&raw).unwrap(), odd, "what came, whole");
    assert_eq!(world.ledger("line", "line", "unknown:1").await.json()["state"], "quarantined");
    world.finish().await;
}

/// Twilio gives no time: a body that it sends again says nothing again.
#[tokio::test]
async fn who_asked_for_messages_again_is_not_silenced_by_a_repeat_of_their_stop() {
    let world = World::start().await;
    let text = |id: &str, body: &str| {
        let form =
            [("MessageSid", id), ("From", "+41791234567"), ("To", "+4930901820"), ("Body", body), ("NumMedia", "0")];
        let form = form.map(|(name, value)| format!("{name}={}", value.replace('+', "%2B")));
        Bytes::from(form.join("&"))
    };
    let kind = async || world.get("/v1/suppressions/phone:%2B41791234567").await["kind"].clone();
    for (id, body, expected) in [("SM1", "STOP", "opted_out"), ("SM2", "START", "lifted"), ("SM1", "STOP", "lifted")] {
        let answer = provider::post(&world, Channel::Sms, text(id, body)).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        world.settled().await;
        assert_eq!(kind().await, expected, "{body} {id}");
    }
    world.finish().await;
}

#[tokio::test]
async fn who_blocks_us_gets_nothing_and_who_comes_back_does() {
    let world = World::start().await;
    let follow = |kind: &str, at: u64| {
        let event = json!({"type": kind, "webhookEventId": kind, "timestamp": at,
            "source": {"type": "user", "userId": "U1"}});
        line(&[event])
    };
    provider::post(&world, Channel::Line, follow("unfollow", 2_000)).await;
    assert_eq!(world.get("/v1/suppressions/line:U1").await["kind"], "opted_out");
    // An older event that comes late changes nothing.
    provider::post(&world, Channel::Line, follow("follow", 1_000)).await;
    assert_eq!(world.get("/v1/suppressions/line:U1").await["kind"], "opted_out");
    provider::post(&world, Channel::Line, follow("follow", 3_000)).await;
    assert_eq!(world.get("/v1/suppressions/line:U1").await["kind"], "lifted");
    world.finish().await;
}

#[tokio::test]
async fn a_flood_of_one_sender_goes_into_quarantine_and_keeps_nobody_waiting() {
    let world = World::start_with(|options| options.seed.inboxes.budget.sender_per_hour = 60).await;
    let flood: Vec<Value> = (0..70).map(|number| said(&number.to_string(), "again")).collect();
    assert_eq!(provider::post(&world, Channel::Line, line(&flood)).await.status, 200);
    let mut other = said("other", "Hello");
    other["source"]["userId"] = json!("U2");
    assert_eq!(provider::post(&world, Channel::Line, line(&[other])).await.status, 200);
    world.settled().await;
    assert_eq!(world.ticket_of("line", "line", "0").await["message_count"], 60);
    assert_eq!(world.ticket_of("line", "line", "other").await["message_count"], 1);
    let kept = world.get("/v1/quarantine?limit=50").await;
    let kept = kept["items"].as_array().unwrap().clone();
    assert_eq!(kept.len(), 10);
    assert!(kept[0]["reason"].as_str().unwrap().contains("60 messages of one sender"), "{}", kept[0]);
    let retry = format!("/v1/quarantine/{}/retry", kept[0]["id"].as_str().unwrap());
    assert_eq!(world.lead.post(&retry, &json!({})).await.unwrap().status, 202);
    world.settled().await;
    for number in 60..70 {
        let id = number.to_string();
        if world.ledger("line", "line", &id).await.json()["state"] == "quarantined" {
            world.expect_quarantine(&id);
        }
    }
    assert_eq!(world.ticket_of("line", "line", "0").await["message_count"], 61);
    world.finish().await;
}

#[tokio::test]
async fn what_one_sender_changes_again_and_again_costs_their_budget_too() {
    let world = World::start_with(|options| options.seed.inboxes.budget.sender_per_hour = 5).await;
    let edited = |number: usize| {
        json!({"type": "messageEdited", "webhookEventId": format!("edit-{number}"), "timestamp": 2_000,
            "source": {"type": "user", "userId": "U1"},
            "message": {"id": "1", "type": "text", "text": format!("version {number}")}})
    };
    let events: Vec<Value> = [said("1", "Hello")].into_iter().chain((0..10).map(edited)).collect();
    assert_eq!(provider::post(&world, Channel::Line, line(&events)).await.status, 200);
    world.settled().await;
    let ticket = world.ticket_of("line", "line", "1").await;
    assert_eq!(count(&world.timeline(&ticket).await, "message_edited"), 4);
    assert_eq!(world.get("/v1/quarantine").await["items"].as_array().unwrap().len(), 6);
    world.finish().await;
}

#[tokio::test]
async fn what_a_visitor_says_without_an_id_is_said_once_however_often_it_comes() {
    let world = World::start_at("2026-11-20T09:30:00Z").await;
    let chat = world.chat(&json!({})).await;
    chat.say(&world, "m1", "Where is my parcel?").await;
    for _ in 0..REPLAYS {
        chat.post(&json!({"type": "handoff.request"})).await;
        chat.post(&json!({"type": "csat.submit", "score": 4, "comment": "quick"})).await;
    }
    chat.post(&json!({"type": "csat.submit", "score": 5, "comment": "quick"})).await;
    world.settled().await;
    let timeline = world.timeline(&world.tickets("").await.remove(0)).await;
    assert_eq!(count(&timeline, "csat_received"), 2, "another rating is another");
    let received: Vec<&Value> = timeline.iter().filter(|event| event["kind"] == "message_received").collect();
    assert_eq!(received.len(), 2, "what they said, and that they want a person");
    let id = received[1]["data"]["message"]["provider_message_id"].as_str().unwrap().to_owned();
    world.took(Accepted { channel: "web_chat", inbox: "chat".to_owned(), id, content: "handoff".to_owned() });
    world.finish().await;
}

#[tokio::test]
async fn an_inbox_has_a_budget_of_its_own() {
    let world = World::start_with(|options| options.seed.inboxes.budget.inbox_per_hour = 100).await;
    let flood = (0..150).map(|number| {
        let mut event = said(&number.to_string(), "again");
        event["source"]["userId"] = json!(format!("U{number}"));
        event
    });
    let flood: Vec<Value> = flood.collect();
    // What came is counted after it was let in, a body at a time: the one that is over still goes through.
    for part in flood.chunks(50) {
        assert_eq!(provider::post(&world, Channel::Line, line(part)).await.status, 200);
    }
    world.settled().await;
    let kept = world.get("/v1/quarantine?limit=100").await;
    let kept = kept["items"].as_array().unwrap();
    assert!(!kept.is_empty());
    assert!(kept.iter().all(|one| one["reason"].as_str().unwrap().contains("for one inbox")), "{}", kept[0]);
    for number in 0..150 {
        let id = number.to_string();
        if world.ledger("line", "line", &id).await.json()["state"] == "quarantined" {
            world.expect_quarantine(&id);
        }
    }
    world.finish().await;
}

/// The first thing that a provider does with a new URL.
#[tokio::test]
async fn a_provider_that_asks_whether_we_are_there_is_answered_with_its_challenge() {
    let world = World::start().await;
    for channel in ["whatsapp", "messenger", "facebook", "instagram"] {
        let ask = |token: &str| {
            format!("/v1/channels/{channel}/{channel}?hub.mode=subscribe&hub.verify_token={token}&hub.challenge=4711")
        };
        let answer = world.anyone.get(&ask("development-only-verify-token")).await.unwrap();
        assert_eq!((answer.status, &answer.body[..]), (200, &b"4711"[..]), "{channel}");
        assert_eq!(world.anyone.get(&ask("wrong")).await.unwrap().status, 401, "{channel}");
    }
    let answer = world.anyone.get("/v1/channels/x/x?crc_token=abc").await.unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.json()["response_token"].as_str().is_some_and(|token| token.starts_with("sha256=")));
    assert_eq!(world.anyone.get("/v1/channels/line/line").await.unwrap().status, 405, "it asks for nothing");
    world.finish().await;
}

#[tokio::test]
async fn a_rating_goes_on_the_ticket_that_it_is_about_and_reopens_nothing() {
    let world = World::start().await;
    let chat = world.chat(&json!({})).await;
    chat.say(&world, "m1", "Where is my parcel?").await;
    world.settled().await;
    let ticket = world.tickets("").await.remove(0);
    let path = format!("/v1/tickets/{}/status", ticket["id"].as_str().unwrap());
    world.post(&path, &json!({"status": "resolved"})).await;
    chat.post(&json!({"type": "csat.submit", "score": 4, "comment": "quick"})).await;
    world.settled().await;
    let after = world.ticket(ticket["id"].as_str().unwrap()).await;
    assert_eq!((&after["status"], &after["message_count"]), (&json!("resolved"), &json!(1)));
    let timeline = world.timeline(&ticket).await;
    assert_eq!(event(&timeline, "csat_received")["data"], json!({"score": 4, "comment": "quick"}));
    assert_eq!(world.tickets("").await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_body_of_a_thousand_messages_is_a_thousand_messages_in_order() {
    const MESSAGES: usize = 1_000;
    let world = World::start().await;
    let messages: Vec<Value> = (0..MESSAGES)
        .map(|number| {
            json!({"from": "4915112345678", "id": format!("wamid.{number:04}"), "timestamp": "1795183200",
                "type": "text", "text": {"body": format!("message {number:04}")}})
        })
        .collect();
    let value = json!({"messaging_product": "whatsapp", "metadata": {"phone_number_id": "1", "display_phone_number": "1"},
        "contacts": [{"profile": {"name": "Anna"}, "wa_id": "4915112345678"}], "messages": messages});
    let body = json!({"object": "whatsapp_business_account",
        "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]});
    let answer = provider::post(&world, Channel::Whatsapp, Bytes::from(body.to_string())).await;
    assert_eq!(answer.status, 200);
    world.settled().await;
    let ticket = world.ticket_of("whatsapp", "whatsapp", "wamid.0000").await;
    assert_eq!(ticket["message_count"], MESSAGES);
    let timeline = world.timeline(&ticket).await;
    let texts = timeline.iter().filter_map(|event| event["data"]["message"]["text"].as_str());
    let wanted: Vec<String> = (0..MESSAGES).map(|number| format!("message {number:04}")).collect();
    assert_eq!(texts.collect::<Vec<_>>(), wanted);
    world.finish().await;
}

#[tokio::test]
async fn a_bot_tells_what_was_said_and_by_whom() {
    let world = World::start().await;
    let body = json!({"type": "bot.handoff", "timestamp": "2026-11-20T14:00:00Z", "data": {
    "handoff_id": "h1", "bot_id": "shop-bot", "customer": {"email": "anna@example.org"},
    "summary": "The parcel is lost.", "reason": "asked for a person",
    "intent": {"name": "lost_parcel", "confidence": 0.9}, "sentiment": {"label": "angry", "score": -0.5},
    "attempted_steps": [{"step": "looked up the parcel", "outcome": "nothing found"}],
    "transcript": [
        {"id": "1", "role": "customer", "text": "Where is my parcel?", "at": "2026-11-20T13:58:00Z"},
        {"id": "2", "role": "bot", "text": "It is on its way.", "at": "2026-11-20T13:58:01Z"},
        {"id": "3", "role": "customer", "text": "A person, please."},
    ]}});
    let answer = provider::post(&world, Channel::Bot, Bytes::from(body.to_string())).await;
    assert_eq!(answer.status, 202, "{}", answer.json());
    world.settled().await;
    let ticket = world.ticket_of("bot", "bot", "h1").await;
    let timeline = world.timeline(&ticket).await;
    let said: Vec<(&str, &str)> = timeline
        .iter()
        .filter(|event| event["kind"] == "message_relayed")
        .map(|event| {
            let text = event["data"]["message"]["text"].as_str().unwrap();
            (event["actor"]["type"].as_str().unwrap(), text)
        })
        .collect();
    let expected =
        [("customer", "Where is my parcel?"), ("bot", "It is on its way."), ("customer", "A person, please.")];
    assert_eq!(said, expected);
    let first = timeline.iter().position(|event| event["kind"] == "message_relayed").unwrap();
    assert_eq!(timeline[first]["at"], "2026-11-20T13:58:00.000Z");
    assert_eq!(timeline[first + 3]["kind"], "message_received", "it stands before what hands over");
    let handoff = &event(&timeline, "message_received")["data"]["message"]["handoff"];
    assert_eq!((&handoff["intent"], &handoff["sentiment"]), (&json!("lost_parcel"), &json!("angry")));
    assert_eq!(handoff["attempted_steps"].as_array().map(Vec::len), Some(1), "{handoff}");
    // None of it counts: one message came, nobody answered, nothing is to be sent.
    assert_eq!(
        (&ticket["message_count"], &ticket["last_reply_at"], &ticket["unsent_count"]),
        (&json!(1), &Value::Null, &json!(0))
    );
    world.finish().await;
}
