//! Tests: the handshake, both envelopes, and what is read of them.

use serde_json::json;

use crate::provider::testing::{body_is_signed, inbox, inboxes, now, read, request, secrets, signature_keeps};

use super::*;

/// The account of the tests.
const US: &str = "1111";

/// What a body of the account activity says.
fn events(lists: &Value) -> Vec<ChannelEvent> {
    let mut body = json!({"for_user_id": US});
    body.as_object_mut().unwrap().extend(lists.as_object().unwrap().clone());
    read(&X, Channel::X, &body).unwrap()
}

fn direct(id: &str, sender: &str) -> Value {
    json!({"type": "message_create", "id": id, "created_timestamp": "1795183200000", "message_create": {
        "target": {"recipient_id": US}, "sender_id": sender, "message_data": {"text": id}}})
}

/// A handshake with this token, as the query has it.
fn shaken(query: &str, body: &[u8], secrets: &InboxSecrets) -> Result<Option<Answer>, Refused> {
    let mut request = request(body);
    request.url = format!("{}{query}", request.url).into();
    X.handshake(&request, secrets)
}

#[test]
fn the_signature_proves_every_byte() {
    let request = request(br#"{"for_user_id":"1111"}"#);
    signature_keeps(&X, &request);
    body_is_signed(&X, &request);
}

#[test]
fn a_signature_of_another_form_is_none() {
    for malformed in ["sha1=AA==", "AA==", "sha256=%"] {
        let mut request = request(b"{}");
        request.headers.push((SIGNATURE.into(), malformed.into()));
        assert_eq!(X.verify(&request, &secrets("x"), now()), Err(Refused::Malformed(SIGNATURE)), "{malformed}");
    }
}

/// Reckoned apart, with `openssl dgst -sha256 -hmac Jefe -binary`.
#[test]
fn the_handshake_signs_the_token() {
    let answer = shaken("?crc_token=foo&nonce=bar", b"", &secrets("Jefe")).unwrap().unwrap();
    assert_eq!(answer.content_type, "application/json");
    assert_eq!(answer.body, r#"{"response_token":"sha256=NwqVJturskRflyLlrcgwrjVYdyBKl/heZFQ2cCLiH+A="}"#);
}

#[test]
fn the_handshake_signs_nothing_that_could_be_a_body() {
    let body = form_urlencoded::byte_serialize(br#"{"for_user_id":"1111","direct_message_events":[]}"#);
    let body: String = body.collect();
    let long = "a".repeat(CRC_TOKEN_BYTES_MAX + 1);
    for token in [body.as_str(), "", "%7B%7D", "%22x%22", "%5B1%5D%0A", "12", "%2012%20", "true", &long] {
        let answer = shaken(&format!("?crc_token={token}"), b"", &secrets("x"));
        assert_eq!(answer, Err(Refused::Malformed(CRC_TOKEN)), "{token:.30}");
    }
    let usual = "?crc_token=YjIxN2M5-_~.%2B%2F%3D";
    assert!(matches!(shaken(usual, b"", &secrets("x")), Ok(Some(_))));
    assert_eq!(shaken(usual, b"", &InboxSecrets::default()), Err(Refused::NoSecret));
    assert_eq!(shaken(usual, b"", &secrets("")), Err(Refused::NoSecret));
    assert_eq!(shaken(usual, b"{}", &secrets("x")), Ok(None));
    assert_eq!(shaken("?crc=1", b"", &secrets("x")), Ok(None));
}

#[test]
fn what_has_neither_form_is_not_understood() {
    for body in [json!({}), json!([]), json!({"data": {}}), json!({"data": "x"}), json!("for_user_id")] {
        assert!(matches!(read(&X, Channel::X, &body), Err(Malformed::NotUnderstood(_))), "{body}");
    }
}

#[test]
fn a_thousand_messages_of_one_body_are_a_thousand_messages_in_order() {
    let all: Vec<Value> = (0..1000).map(|number| direct(&number.to_string(), "2222")).collect();
    let texts: Vec<String> = events(&json!({"direct_message_events": all}))
        .into_iter()
        .map(|event| if let ChannelEvent::Message(inbound) = event { inbound.message.text } else { panic!() })
        .collect();
    assert_eq!(texts, (0..1000).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[test]
fn what_the_account_did_itself_is_dropped() {
    let own = [
        json!({"direct_message_events": [direct("1", US)]}),
        json!({"tweet_create_events": [{"id_str": "1", "text": "x", "user": {"id_str": US}}]}),
        json!({"tweet_delete_events": [{"status": {"id": "1", "user_id": US}}]}),
        json!({"direct_message_mark_read_events": [{"sender_id": US, "last_read_event_id": "1"}]}),
    ];
    for lists in own {
        assert_eq!(events(&lists), [OUR_OWN], "{lists}");
    }
    // Without `for_user_id` in the newer form, the inbox says which account it is.
    let mut ours = inbox(Channel::X);
    ours.account = Some(US.to_owned());
    let inboxes = inboxes(ours);
    let context = Context { inboxes: &inboxes, inbox: &inboxes.inboxes[0], received_at: now() };
    let body = json!({"data": {"event_type": "post.create", "filter": {"keyword": "lamp"},
        "payload": {"id": "1", "author_id": US, "text": "x"}}});
    assert_eq!(X.parse(&request(body.to_string().as_bytes()), &context), Ok(vec![OUR_OWN]));
}

#[test]
fn both_forms_of_a_message_have_one_name() {
    let lists = json!({"direct_message_events": [direct("77", "2222")]});
    let older = events(&lists);
    let newer =
        json!({"data": {"event_uuid": "-1", "event_type": "dm.received", "filter": {"user_id": US}, "payload": lists}});
    assert_eq!(older, read(&X, Channel::X, &newer).unwrap());
}

#[test]
fn a_number_does_for_an_id() {
    let post =
        json!({"id": 1, "text": "x", "user": {"id": 2222}, "in_reply_to_user_id": 1111, "in_reply_to_status_id": 9});
    let read = events(&json!({"tweet_create_events": [post]}));
    let [ChannelEvent::Message(inbound)] = &read[..] else { panic!("{read:?}") };
    assert_eq!(inbound.message.quoted_message_id.as_deref(), Some("9"));
    assert_eq!(inbound.claims[0].identifier.to_string(), "x:2222");
}

#[test]
fn a_text_reads_as_it_was_meant() {
    let links = [
        json!({"url": "https://t.co/1", "expanded_url": "https://a.example/?x=1&y"}),
        json!({"url": "", "expanded_url": "x"}),
    ];
    let attached = [json!({"url": "https://t.co/2"}), json!({"url": ""})];
    let read = readable("1 &lt; 2 &amp;amp; https://t.co/1 https://t.co/2", &links, &attached);
    assert_eq!(read, "1 < 2 &amp; https://a.example/?x=1&y");
}
