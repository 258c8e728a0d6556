//! Tests: what the form takes, what it names as wrong, and robots.

use proptest::prelude::*;
use serde_json::json;
use throughline_domain::channel::Channel;

use super::*;
use crate::provider::testing::{self, inbox, now};

fn form() -> Value {
    json!({"submission_id": "3f1c", "subject": "Order 4711", "description": "Where is it?\nI waited two weeks.",
        "requester": {"email": "Anna.Berg@Example.com", "name": "Anna Berg", "phone": "044 668 18 00"},
        "fields": {"order": "4711"}, "locale": "de-CH", "attachments": [], "hp_website": ""})
}

/// The form with another value at a pointer.
fn with(pointer: &str, value: Value) -> Value {
    let mut form = form();
    if let Some(place) = form.pointer_mut(pointer) {
        *place = value;
    }
    form
}

fn posted(form: &Value) -> Result<Posted, Malformed> {
    parse(form.to_string().as_bytes(), &inbox(Channel::Portal), now())
}

fn message(form: &Value) -> Inbound {
    match posted(form) {
        Ok(Posted::Message(inbound)) => *inbound,
        other => panic!("{other:?}"),
    }
}

fn faults(form: &Value) -> Vec<String> {
    match posted(form) {
        Err(Malformed::Invalid(faults)) => faults.into_iter().map(|fault| fault.pointer).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_form_is_read() {
    let inbound = message(&form());
    let claims: Vec<_> = inbound.claims.iter().map(|claim| (claim.identifier.to_string(), claim.proof)).collect();
    assert_eq!(
        claims,
        [
            ("email:anna.berg@example.com".to_owned(), Proof::Answerable),
            ("phone:+41446681800".to_owned(), Proof::Typed)
        ]
    );
    let message = inbound.message;
    assert_eq!(message.channel, Channel::Portal);
    assert_eq!(message.provider_message_id, "anna.berg@example.com:3f1c");
    assert_eq!(message.subject.as_deref(), Some("Order 4711"));
    assert_eq!(message.text, "Where is it?\nI waited two weeks.");
    assert_eq!(message.language.as_deref(), Some("de-CH"));
    assert_eq!((message.sender.name.as_deref(), message.sender.verified), (Some("Anna Berg"), false));
    assert_eq!(message.warnings, [""; 0]);
    assert_eq!(inbound.fields["order"], "4711");
    assert_eq!((inbound.thread, inbound.signed_ticket), (vec![], None));
}

#[test]
fn a_form_sent_again_is_the_same_message_and_another_persons_is_not() {
    let (first, again) = (message(&form()), message(&with("/requester/email", json!("anna.berg@example.com"))));
    assert_eq!((&first.key, &first.fingerprint), (&again.key, &again.fingerprint));
    assert_ne!(message(&with("/requester/email", json!("ben@example.com"))).key, first.key);
    assert_ne!(message(&with("/submission_id", json!("3f1d"))).key, first.key);
    let changed = message(&with("/description", json!("And where is 4712?")));
    assert_eq!(changed.key, first.key);
    assert_ne!(changed.fingerprint, first.fingerprint, "recorded beside it");
}

#[test]
fn whoever_fills_the_hidden_field_is_a_robot() {
    for filled in [json!("https://spam.example"), json!(1), json!(true), json!(["x"])] {
        assert_eq!(posted(&with("/hp_website", filled.clone())), Ok(Posted::Robot), "{filled}");
    }
    assert_eq!(posted(&json!({"hp_website": "x"})), Ok(Posted::Robot), "whatever else it says");
    for empty in [json!(null), json!(""), json!(" ")] {
        assert!(matches!(posted(&with("/hp_website", empty)), Ok(Posted::Message(_))));
    }
}

#[test]
fn all_that_is_missing_is_named() {
    let expected = ["/requester", "/submission_id", "/requester/email", "/subject", "/description"];
    assert_eq!(faults(&json!({})), expected);
    for (pointer, value) in [
        ("/submission_id", json!("")),
        ("/submission_id", json!("x".repeat(SUBMISSION_ID_CHARS_MAX + 1))),
        ("/submission_id", json!("a\nb")),
        ("/subject", json!(["x"])),
        ("/subject", json!("\u{0}")),
        ("/description", json!(" \n")),
        ("/description", json!(null)),
        ("/requester/email", json!("anna")),
        ("/requester/email", json!(null)),
        ("/requester/phone", json!({})),
        ("/requester/name", json!([])),
        ("/fields", json!([])),
        ("/locale", json!(true)),
        ("/attachments", json!("a.png")),
    ] {
        assert_eq!(faults(&with(pointer, value.clone())), [pointer], "{value}");
    }
    for body in [json!([]), json!("x"), json!(null)] {
        assert_eq!(faults(&body).first().map(String::as_str), Some(""), "{body}");
    }
    assert!(matches!(parse(b"{", &inbox(Channel::Portal), now()), Err(Malformed::NotJson(_))));
}

#[test]
fn what_only_adds_becomes_a_warning() {
    let inbound = message(&with("/requester/phone", json!("12")));
    assert_eq!(inbound.message.warnings, ["the sender's phone is refused: not a telephone number"]);
}

#[test]
fn files_are_named_by_their_uploads() {
    let upload = "upl_0123456789abcdef0123456789abcdef";
    let inbound = message(&with("/attachments", json!([{"upload_id": upload, "filename": "lamp.jpg"}])));
    let file = &inbound.message.attachments[0];
    assert_eq!((file.filename.as_str(), file.held_by_channel.as_deref()), ("lamp.jpg", Some(upload)));
    assert_eq!(faults(&with("/attachments", json!([{"upload_id": "u1"}]))), ["/attachments/0/upload_id"]);
}

#[test]
fn texts_lose_what_no_reader_expects() {
    let inbound = message(&with("/subject", json!("Order\r\nBcc: x@y.example")));
    assert_eq!(inbound.message.subject.as_deref(), Some("Order Bcc: x@y.example"));
    let inbound = message(&with("/description", json!("a\u{0}b")));
    assert_eq!(inbound.message.text, "ab");
}

#[test]
fn a_value_of_another_type_never_makes_it_panic() {
    for (name, _) in form().as_object().unwrap() {
        for other in [json!(null), json!(-1), json!("\u{0}💥"), json!([[]]), json!({})] {
            let _ = posted(&with(&format!("/{name}"), other));
        }
    }
}

/// Any JSON, often with the names of the form.
fn any_json() -> impl Strategy<Value = Value> {
    testing::any_json(
        &["submission_id", "subject", "description", "requester", "email", "phone", "fields", "attachments", "x"],
        &["a\0@b.example", "anna@example.com"],
    )
}

proptest! {
    #[test]
    fn whatever_is_posted_is_read_or_named_as_wrong(bytes: Vec<u8>, other in any_json(), at in any::<prop::sample::Index>()) {
        let _ = parse(&bytes, &inbox(Channel::Portal), now());
        let _ = posted(&other);
        let places = ["/submission_id", "/subject", "/description", "/requester", "/requester/email", "/requester/phone",
            "/requester/name", "/fields", "/fields/order", "/locale", "/attachments", "/hp_website"];
        if let Ok(Posted::Message(inbound)) = posted(&with(places[at.index(places.len())], other)) {
            prop_assert!(!inbound.message.provider_message_id.is_empty());
            prop_assert!(inbound.claims.iter().all(|claim| claim.proof != Proof::Proven), "a form proves nobody");
        }
    }
}
