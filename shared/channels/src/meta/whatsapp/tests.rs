//! Tests: whole bodies of WhatsApp, and who somebody is there.

use serde_json::json;

use crate::meta::Meta;
use crate::provider::ChannelEvent;
use crate::provider::testing::read;
use throughline_domain::channel::Channel;
use throughline_domain::inbound::Inbound;
use throughline_domain::message_change::MessageChange;

use super::*;

fn events(value: &Value) -> Vec<ChannelEvent> {
    let entry = json!({"id": "1", "changes": [{"field": "messages", "value": value}]});
    read(&Meta, Channel::Whatsapp, &json!({"object": "whatsapp_business_account", "entry": [entry]})).unwrap()
}

fn messages(value: &Value) -> Vec<Inbound> {
    let message = |event| if let ChannelEvent::Message(message) = event { *message } else { panic!("{event:?}") };
    events(value).into_iter().map(message).collect()
}

fn changes(value: &Value) -> Vec<MessageChange> {
    let change = |event| if let ChannelEvent::Change(change) = event { *change } else { panic!("{event:?}") };
    events(value).into_iter().map(change).collect()
}

fn text(id: &str, body: &str) -> Value {
    json!({"from": "41791234567", "id": id, "timestamp": "1795183200", "type": "text", "text": {"body": body}})
}

#[test]
fn a_thousand_messages_of_one_body_are_a_thousand_messages_in_order() {
    let all: Vec<Value> = (0..1000).map(|number| text(&format!("wamid.{number}"), &number.to_string())).collect();
    let read = messages(&json!({"messages": all}));
    let texts: Vec<String> = read.into_iter().map(|inbound| inbound.message.text).collect();
    assert_eq!(texts, (0..1000).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[test]
fn a_report_is_known_by_its_message_its_state_and_in_a_group_by_the_member() {
    let status = |state: &str, more: Value| {
        let mut status = json!({"id": "wamid.1", "status": state, "timestamp": "1795183200", "recipient_id": "4179"});
        status.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        status
    };
    let one = |member: &str| json!({"recipient_participant_id": member});
    let all = [
        status("sent", json!({})),
        status("read", json!({})),
        status("read", json!({"timestamp": "1795183209"})),
        status("read", one("41791")),
        status("read", one("41792")),
    ];
    let read = changes(&json!({"statuses": all}));
    let keys: Vec<_> = read.iter().map(|change| &change.key).collect();
    assert_eq!(keys[1], keys[2]);
    let different: std::collections::BTreeSet<_> = keys.into_iter().collect();
    assert_eq!(different.len(), 4);
    assert!(read.iter().all(|change| change.of == read[0].of));
}

#[test]
fn somebody_else_among_the_contacts_lends_neither_name_nor_id() {
    let other = json!([{"profile": {"name": "Beat"}, "wa_id": "41797654321", "user_id": "CH.2"}]);
    let [inbound] = &messages(&json!({"contacts": other, "messages": [text("wamid.1", "x")]}))[..] else { panic!() };
    assert_eq!((inbound.message.sender.value.as_str(), &inbound.message.sender.name), ("41791234567", &None));

    let mut nameless = text("wamid.1", "x");
    nameless.as_object_mut().unwrap().remove("from");
    let [inbound] = &messages(&json!({"contacts": other, "messages": [nameless.clone()]}))[..] else { panic!() };
    assert_eq!(inbound.message.sender.value, "CH.2", "the only one it can be");
    let both = json!([other[0], {"user_id": "CH.3"}]);
    let read = events(&json!({"contacts": both, "messages": [nameless]}));
    assert!(matches!(&read[..], [ChannelEvent::Unknown(unknown)] if unknown.reason == NOBODY), "{read:?}");
}

#[test]
fn what_a_program_is_told_is_a_field() {
    let mut pressed = text("wamid.1", "x");
    let reply = json!({"type": "button_reply", "button_reply": {"id": "cancel", "title": "Cancel"}});
    pressed.as_object_mut().unwrap().extend([
        ("type".to_owned(), json!("interactive")),
        ("interactive".to_owned(), reply),
        ("referral".to_owned(), json!({"source_url": "https://fb.me/1", "headline": "Lamps", "body": "long"})),
    ]);
    let [inbound] = &messages(&json!({"messages": [pressed]}))[..] else { panic!() };
    let fields: Vec<_> = inbound.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(fields, ["button=\"cancel\"", "referral_headline=\"Lamps\"", "referral_source_url=\"https://fb.me/1\""]);
}

#[test]
fn in_a_group_the_conversation_is_the_groups() {
    let mut said = text("wamid.1", "x");
    said["group_id"] = json!("Y2FwaV9ncm91cDox");
    let [inbound] = &messages(&json!({"messages": [said]}))[..] else { panic!() };
    assert_eq!(inbound.thread.len(), 1);
}

#[test]
fn a_reason_repeats_nothing_that_somebody_wrote() {
    let words = json!({"type": "geheim", "text": {"body": ["geheim"]}, "id": "1", "from": "41791234567"});
    let wrong = json!({"type": "text", "text": {"body": ["geheim"]}, "id": "1", "from": "41791234567"});
    let system = json!({"type": "system", "system": {"type": "geheim", "body": "geheim"}, "id": "1"});
    let nobody = json!({"type": "text", "text": {"body": "geheim"}, "id": "1"});
    for event in events(&json!({"messages": [words, wrong, system, nobody, "geheim", ["geheim"]]})).iter().skip(1) {
        assert!(matches!(event, ChannelEvent::Unknown(unknown) if !unknown.reason.contains("geheim")), "{event:?}");
    }
}
