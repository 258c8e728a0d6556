//! Tests: the handshake, the signature, and whose traffic it is.

use serde_json::json;
use throughline_domain::channel::Channel;

use super::*;
use crate::provider::testing::{body_is_signed, now, read, request, secrets, signature_keeps};

/// A handshake with this query, at an inbox whose token is `our token`.
fn shaken(query: &str, body: &[u8]) -> Result<Option<Answer>, Refused> {
    let secrets = InboxSecrets { verify_token: vec!["our token".to_owned()], ..InboxSecrets::default() };
    let mut request = request(body);
    request.url = format!("{}{query}", request.url).into();
    Meta.handshake(&request, &secrets)
}

#[test]
fn the_signature_proves_every_byte() {
    let request = request(br#"{"object":"page","entry":[]}"#);
    signature_keeps(&Meta, &request);
    body_is_signed(&Meta, &request);
}

#[test]
fn a_signature_of_another_form_is_none() {
    let refused = |value: &str| {
        let mut request = request(b"{}");
        request.headers.push((SIGNATURE.into(), value.to_owned().into()));
        Meta.verify(&request, &secrets("x"), now())
    };
    for malformed in ["sha1=00", "00", "sha256=xyz"] {
        assert_eq!(refused(malformed), Err(Refused::Malformed(SIGNATURE)), "{malformed}");
    }
    assert_eq!(refused("sha256="), Err(Refused::WrongSignature));
    let mut old = request(b"{}");
    old.headers.push(("x-hub-signature".into(), "sha1=5d61605c3feea9799210ddcb71307d4ba264225f".into()));
    assert_eq!(Meta.verify(&old, &secrets("x"), now()), Err(Refused::Missing(SIGNATURE)));
}

#[test]
fn the_handshake_repeats_the_challenge() {
    let answer = shaken("?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=our%20token", b"");
    assert_eq!(answer, Ok(Some(Answer::text("1158201444"))));
}

#[test]
fn a_handshake_with_another_token_is_refused() {
    let with = |token: &str| shaken(&format!("?hub.mode=subscribe&hub.challenge=1{token}"), b"");
    assert_eq!(with("&hub.verify_token=another"), Err(Refused::WrongSignature));
    assert_eq!(with("&hub.verify_token="), Err(Refused::WrongSignature));
    assert_eq!(with(""), Err(Refused::Missing(VERIFY_TOKEN)));
    let without = shaken("?hub.mode=subscribe&hub.verify_token=our%20token", b"");
    assert_eq!(without, Err(Refused::Missing(CHALLENGE)));
    let mut none = request(b"");
    none.url = "https://desk.example/?hub.mode=subscribe&hub.verify_token=&hub.challenge=1".into();
    assert_eq!(Meta.handshake(&none, &InboxSecrets::default()), Err(Refused::NoSecret));
}

#[test]
fn anything_else_is_no_handshake() {
    let right = "hub.challenge=1&hub.verify_token=our%20token";
    assert_eq!(shaken(&format!("?{right}"), b""), Ok(None));
    assert_eq!(shaken(&format!("?hub.mode=unsubscribe&{right}"), b""), Ok(None));
    assert_eq!(shaken(&format!("?hub.mode=subscribe&{right}"), b"{}"), Ok(None));
    assert_eq!(shaken("", b""), Ok(None));
}

#[test]
fn what_is_no_list_of_entries_is_not_understood() {
    for body in [json!({}), json!([]), json!({"object": "page", "entry": {}}), json!("x")] {
        assert!(matches!(read(&Meta, Channel::Messenger, &body), Err(Malformed::NotUnderstood(_))), "{body}");
    }
    let body = json!({"object": "hologram", "entry": [{"id": "1"}]});
    assert!(matches!(&read(&Meta, Channel::Messenger, &body).unwrap()[..], [ChannelEvent::Unknown(_)]));
}

#[test]
fn an_entry_of_nothing_known_is_kept() {
    for object in ["page", "instagram", "whatsapp_business_account"] {
        let body = json!({"object": object, "entry": ["a text", {"id": "1", "holograms": [1]}]});
        let events = read(&Meta, Channel::Messenger, &body).unwrap();
        assert!(matches!(&events[..], [ChannelEvent::Unknown(_), ChannelEvent::Unknown(_)]), "{object}: {events:?}");
    }
}
