//! Tests: direct messages of Messenger and Instagram.

use serde_json::json;

use crate::meta::Meta;
use crate::provider::ChannelEvent;
use crate::provider::testing::read;
use throughline_domain::ledger::LedgerKey;

use super::*;

const BOTH: [(&str, Channel); 2] = [("page", Channel::Messenger), ("instagram", Channel::Instagram)];

fn events(object: &str, channel: Channel, parts: &[Value]) -> Vec<ChannelEvent> {
    let whole = |part: &Value| {
        let mut whole = json!({"sender": {"id": "77"}, "recipient": {"id": "1"}, "timestamp": 1795183200000_i64});
        whole.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
        whole
    };
    let messaging: Vec<Value> = parts.iter().map(whole).collect();
    let body = json!({"object": object, "entry": [{"id": "1", "time": 1, "messaging": messaging}]});
    crate::provider::testing::read(&Meta, channel, &body).unwrap()
}

/// The names in the ledger.
fn keys(events: &[ChannelEvent]) -> Vec<LedgerKey> {
    let key = |event: &ChannelEvent| match event {
        ChannelEvent::Message(inbound) => inbound.key.clone(),
        ChannelEvent::Change(change) => change.key.clone(),
        other => panic!("{other:?}"),
    };
    events.iter().map(key).collect()
}

#[test]
fn a_thousand_messages_of_one_body_are_a_thousand_messages_in_order() {
    for (object, channel) in BOTH {
        let all =
            (0..1000).map(|number| json!({"message": {"mid": format!("m_{number}"), "text": number.to_string()}}));
        let texts: Vec<String> = events(object, channel, &all.collect::<Vec<_>>())
            .into_iter()
            .map(|event| if let ChannelEvent::Message(inbound) = event { inbound.message.text } else { panic!() })
            .collect();
        assert_eq!(texts, (0..1000).map(|number| number.to_string()).collect::<Vec<_>>());
    }
}

#[test]
fn an_echo_is_dropped() {
    for (object, channel) in BOTH {
        let echo = json!({"message": {"mid": "m_1", "text": "x", "is_echo": true}});
        let ours = json!({"sender": {"id": "1"}, "recipient": {"id": "77"}, "message": {"mid": "m_2", "text": "x"}});
        let read = events(object, channel, &[echo, ours]);
        assert!(matches!(&read[..], [ChannelEvent::Dropped { .. }, ChannelEvent::Dropped { .. }]), "{read:?}");
    }
}

#[test]
fn what_becomes_of_a_message_has_a_name_of_its_own_each_time() {
    let parts = [
        json!({"message": {"mid": "m_1", "text": "x"}}),
        json!({"message": {"mid": "m_1", "is_deleted": true}}),
        json!({"message_edit": {"mid": "m_1", "text": "y", "num_edit": 1}}),
        json!({"message_edit": {"mid": "m_1", "text": "x", "num_edit": 2}}),
        json!({"reaction": {"mid": "m_1", "action": "react", "emoji": "❤️"}}),
        json!({"reaction": {"mid": "m_1", "action": "unreact"}}),
        json!({"delivery": {"mids": ["m_1"]}}),
        json!({"read": {"mid": "m_1"}}),
    ];
    for (object, channel) in BOTH {
        let first = keys(&events(object, channel, &parts));
        let different: std::collections::BTreeSet<_> = first.iter().collect();
        assert_eq!(different.len(), parts.len());
        assert_eq!(first, keys(&events(object, channel, &parts)), "delivered again");
    }
}

#[test]
fn what_a_program_is_told_is_a_field() {
    let parts = [
        json!({"message": {"mid": "m_1", "text": "Hours", "quick_reply": {"payload": "HOURS"}}}),
        json!({"postback": {"mid": "m_2", "title": "Go", "payload": "GO", "referral": {"ref": "flyer"}}}),
        json!({"message": {"mid": "m_3", "text": "x", "reply_to": {"story": {"id": "17"}}}}),
    ];
    let fields: Vec<String> = events("instagram", Channel::Instagram, &parts)
        .into_iter()
        .map(|event| if let ChannelEvent::Message(inbound) = event { inbound.fields } else { panic!() })
        .map(|fields| serde_json::to_string(&fields).unwrap())
        .collect();
    assert_eq!(fields, [r#"{"button":"HOURS"}"#, r#"{"button":"GO","referral_ref":"flyer"}"#, r#"{"story_id":"17"}"#]);
}

#[test]
fn a_conversation_of_another_account_goes_to_its_inbox_or_is_kept() {
    let body = json!({"object": "page", "entry": [{"id": "2", "messaging": [
        {"sender": {"id": "77"}, "recipient": {"id": "2"}, "message": {"mid": "m_1", "text": "x"}}]}]});
    let read = read(&Meta, Channel::Instagram, &body).unwrap();
    assert!(matches!(&read[..], [ChannelEvent::Unknown(unknown)] if unknown.name == "m_1"), "{read:?}");
}
