//! Tests: LINE's own example of a signature, and whose traffic it is.

use serde_json::json;
use throughline_domain::channel::Channel;

use super::*;
use crate::provider::testing::{body_is_signed, inbox, inboxes, now, read, request, secrets, signature_keeps};

/// The documentation's own example of a signature.
#[test]
fn the_signature_is_that_of_the_documentation() {
    let secrets = secrets("channel_secret");
    let mut request = request(b"bodybodybodybody");
    request.headers = Line
        .sign(&request, &secrets, now())
        .unwrap()
        .into_iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    let given = request.header(SIGNATURE).unwrap();
    assert!(given.starts_with("/gg9a+Lv") && given.ends_with("N7k="), "{given}");
    assert_eq!(Line.verify(&request, &secrets, now()), Ok(()));
}

#[test]
fn the_signature_keeps_what_is_sent() {
    let unsigned = request(br#"{"destination":"U1","events":[]}"#);
    signature_keeps(&Line, &unsigned);
    body_is_signed(&Line, &unsigned);
}

#[test]
fn the_button_that_verifies_posts_nothing() {
    let body = json!({"destination": "U1", "events": []});
    assert_eq!(read(&Line, Channel::Line, &body), Ok(vec![]));
}

#[test]
fn a_message_for_another_account_is_kept() {
    let body = json!({"destination": "Uother", "events": [{"type": "message", "webhookEventId": "01"}]});
    let mut own = inbox(Channel::Line);
    own.account = Some("Uours".to_owned());
    let inboxes = inboxes(own);
    let context = Context { inboxes: &inboxes, inbox: &inboxes.inboxes[0], received_at: now() };
    let events = Line.parse(&request(body.to_string().as_bytes()), &context).unwrap();
    assert!(matches!(&events[..], [ChannelEvent::Unknown(unknown)] if unknown.name == "01"), "{events:?}");
}
