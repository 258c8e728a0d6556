//! Tests: comments on a page, edited, removed, and our own.

use serde_json::json;

use crate::meta::Meta;
use crate::provider::ChannelEvent;
use crate::provider::testing::read;
use throughline_domain::message::Visibility;

use super::*;

fn events(values: &[Value]) -> Vec<ChannelEvent> {
    let changes: Vec<Value> = values.iter().map(|value| json!({"field": "feed", "value": value})).collect();
    let body = json!({"object": "page", "entry": [{"id": "1", "changes": changes}]});
    crate::provider::testing::read(&Meta, Channel::Facebook, &body).unwrap()
}

fn comment(verb: &str, words: &str, at: i64) -> Value {
    json!({"item": "comment", "verb": verb, "comment_id": "9_2", "post_id": "1_9", "parent_id": "1_9",
        "from": {"id": "77", "name": "Anna"}, "message": words, "created_time": at})
}

#[test]
fn a_post_is_no_conversation() {
    let [ChannelEvent::Message(inbound)] = &events(&[comment("add", "x", 1795183200)])[..] else { panic!() };
    assert!(inbound.thread.is_empty() && inbound.message.quoted_message_id.is_none());
    assert_eq!(inbound.fields["post_id"], "1_9");
    assert_eq!(inbound.message.visibility, Visibility::Public);
}

#[test]
fn pictures_of_a_post_are_its_files() {
    let post = |item: &str, more: &str, what: Value| {
        json!({"item": item, "verb": "add", "post_id": "1_9",
            "from": {"id": "77"}, more: what})
    };
    let posts = [
        post("photo", "link", json!("https://scontent.xx.fbcdn.net/1.jpg")),
        post("video", "link", json!("https://video.xx.fbcdn.net/1.mp4")),
        post("status", "photos", json!(["https://scontent.example/1.jpg", "https://scontent.example/2.jpg"])),
        post("status", "link", json!("https://example.com/somewhere")),
    ];
    let files = |event: &ChannelEvent| match event {
        ChannelEvent::Message(inbound) => inbound.message.attachments.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!(events(&posts).iter().map(files).collect::<Vec<_>>(), [1, 1, 2, 0]);
}

#[test]
fn each_edit_of_a_comment_is_known_and_counts_once() {
    let edits = [
        comment("edited", "x", 1795183200),
        comment("edited", "y", 1795183200),
        comment("edited", "x", 1795183300),
        comment("edited", "x", 1795183300),
        comment("remove", "", 1795183300),
    ];
    let key = |event| if let ChannelEvent::Change(change) = event { change.key } else { panic!() };
    let keys: Vec<_> = events(&edits).into_iter().map(key).collect();
    assert_eq!(keys[2], keys[3]);
    assert_eq!(keys.into_iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
}

#[test]
fn a_comment_for_whose_page_no_inbox_is_there_is_kept() {
    let body = json!({"object": "page", "entry": [{"id": "1", "changes": [
        {"field": "feed", "value": comment("add", "x", 1795183200)}]}]});
    let read = read(&Meta, Channel::Messenger, &body).unwrap();
    assert!(matches!(&read[..], [ChannelEvent::Unknown(unknown)] if unknown.name == "9_2"), "{read:?}");
}
