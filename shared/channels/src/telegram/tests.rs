//! Tests: updates of every kind, and the secret token.

use serde_json::json;
use throughline_domain::inbound::Proof;
use throughline_domain::ledger::LedgerKey;

use super::*;
use crate::provider::testing::{inbox, now, read, request, secrets, signature_keeps};

fn one(body: &Value) -> ChannelEvent {
    let mut events = read(&Telegram, Channel::Telegram, body).unwrap();
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0)
}

fn message(chat: &Value, fields: &Value) -> Value {
    let mut message = json!({"message_id": 7, "date": 1_795_183_200, "chat": chat,
        "from": {"id": 987, "is_bot": false, "first_name": "Anna"}});
    message.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    json!({"update_id": 1, "message": message})
}

#[test]
fn the_token_is_checked() {
    signature_keeps(&Telegram, &request(b"{}"));
}

#[test]
fn the_whole_token_has_to_be_right() {
    let right = secrets("right secret");
    for wrong in ["right secre", "right secret2", "RIGHT SECRET", "r"] {
        let mut request = request(b"{}");
        request.headers.push((TOKEN.into(), wrong.into()));
        assert_eq!(Telegram.verify(&request, &right, now()), Err(Refused::WrongSignature), "{wrong}");
    }
}

#[test]
fn there_is_nothing_to_answer_before_a_body_is_taken() {
    assert_eq!(Telegram.handshake(&request(b"{}"), &secrets("right secret")), Ok(None));
}

#[test]
fn an_edit_and_a_reply_name_the_message_by_its_own_key() {
    let chat = json!({"id": 987, "type": "private"});
    let ChannelEvent::Message(first) = one(&message(&chat, &json!({"text": "a"}))) else { panic!() };
    let reply = json!({"message_id": 8, "text": "b", "reply_to_message": {"message_id": 7}});
    let ChannelEvent::Message(reply) = one(&message(&chat, &reply)) else { panic!() };
    assert_eq!(reply.thread.first(), Some(&first.key));
    let mut edit = message(&chat, &json!({"text": "c"}));
    edit["edited_message"] = edit["message"].take();
    edit.as_object_mut().unwrap().remove("message");
    let ChannelEvent::Change(edit) = one(&edit) else { panic!() };
    assert_eq!(edit.of, first.key);
    assert_eq!(edit.group(), first.group());
}

#[test]
fn the_same_number_in_another_chat_is_another_message() {
    let at = |chat: i64| one(&message(&json!({"id": chat, "type": "private"}), &json!({"text": "a"})));
    let (ChannelEvent::Message(a), ChannelEvent::Message(b)) = (at(1), at(2)) else { panic!() };
    assert_ne!(a.key, b.key);
}

#[test]
fn a_conversation_in_a_group_is_the_groups_or_its_topics() {
    let chat = json!({"id": -100, "type": "supergroup"});
    let key =
        |thread: &str| LedgerKey::new(Channel::Telegram, &inbox(Channel::Telegram).id, &format!("thread:{thread}"));
    let group = one(&message(&chat, &json!({"text": "a", "message_thread_id": 5})));
    let topic = one(&message(&chat, &json!({"text": "a", "message_thread_id": 5, "is_topic_message": true})));
    let (ChannelEvent::Message(group), ChannelEvent::Message(topic)) = (group, topic) else { panic!() };
    assert_eq!(group.thread, [key("-100")]);
    assert_eq!(topic.thread, [key("-100:5")]);
}

#[test]
fn a_number_is_claimed_only_as_ones_own() {
    let chat = json!({"id": 987, "type": "private"});
    let claims = |user: i64| {
        let contact = json!({"contact": {"phone_number": "41446681800", "first_name": "A", "user_id": user}});
        let ChannelEvent::Message(said) = one(&message(&chat, &contact)) else { panic!() };
        said.claims.iter().map(|claim| (claim.identifier.to_string(), claim.proof)).collect::<Vec<_>>()
    };
    assert_eq!(claims(5), [("telegram:987".to_owned(), Proof::Proven)]);
    assert_eq!(
        claims(987),
        [("telegram:987".to_owned(), Proof::Proven), ("phone:+41446681800".to_owned(), Proof::Typed)]
    );
}

#[test]
fn a_changed_reaction_is_one_taken_away_and_one_new() {
    let sign = |emoji: &str| json!([{"type": "emoji", "emoji": emoji}]);
    let body = json!({"update_id": 3, "message_reaction": {"chat": {"id": 987, "type": "private"}, "message_id": 7,
        "user": {"id": 987}, "date": 1, "old_reaction": sign("👍"), "new_reaction": sign("❤")}});
    let events = read(&Telegram, Channel::Telegram, &body).unwrap();
    let [ChannelEvent::Change(gone), ChannelEvent::Change(new)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(gone.change, Changed::Reacted { emoji: "👍".to_owned(), removed: true });
    assert_eq!(new.change, Changed::Reacted { emoji: "❤".to_owned(), removed: false });
    assert_ne!(gone.key, new.key);
}

#[test]
fn a_body_that_is_no_update_is_not_understood() {
    for body in [json!([]), json!(1), json!({}), json!({"update_id": "1"})] {
        assert!(matches!(read(&Telegram, Channel::Telegram, &body), Err(Malformed::NotUnderstood(_))), "{body}");
    }
}
