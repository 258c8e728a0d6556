//! Tests: text messages, their words, and reports on ours.

use throughline_domain::ledger::LedgerKey;

use super::*;
use crate::provider::testing::{
    body_is_signed, form, inbox, inboxes, now, read_form, request, secrets, signature_keeps,
};

const HELLO: [(&str, &str); 4] =
    [("MessageSid", "SM1"), ("From", "+41446681800"), ("To", "+41435051234"), ("Body", "Grüezi & hallo")];

#[test]
fn the_signature_keeps_what_is_sent() {
    let body = form(&HELLO);
    signature_keeps(&Sms, &request(&body));
    body_is_signed(&Sms, &request(&body));
}

#[test]
fn another_url_is_not_signed() {
    let body = form(&HELLO);
    let mut request = crate::provider::testing::signed_by(&Sms, &request(&body), &secrets("s"), now());
    request.url = "https://desk.example/v1/channels/any/other".into();
    assert_eq!(Sms.verify(&request, &secrets("s"), now()), Err(Refused::WrongSignature));
}

#[test]
fn twilio_is_answered_with_nothing_to_do() {
    assert_eq!(Sms.answer(&request(b"")), Answer::xml("<Response/>"));
    assert_eq!(Sms.handshake(&request(b""), &secrets("s")), Ok(None));
}

/// What the text and `OptOutType` say of messages: `Some(true)` when they are wanted again.
fn wanted(body: &str, said: Option<&str>) -> Option<bool> {
    let mut fields = vec![("MessageSid", "SM1"), ("From", "+41446681800"), ("Body", body)];
    fields.extend(said.map(|said| ("OptOutType", said)));
    let events = read_form(&Sms, Channel::Sms, &fields).unwrap();
    assert!(matches!(events.first(), Some(ChannelEvent::Message(_))), "the message is kept");
    match events.get(1) {
        Some(ChannelEvent::Consent(consent)) => Some(consent.wanted),
        None => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_words_of_consent_count_alone_and_in_any_case() {
    for word in ["STOP", " stop\n", "StopAll", "unsubscribe", "end", "quit", "cancel", "revoke", "optout"] {
        assert_eq!(wanted(word, None), Some(false), "{word}");
    }
    for word in ["start", "UNSTOP"] {
        assert_eq!(wanted(word, None), Some(true), "{word}");
    }
    for other in ["yes", "help", "stop it", "please stop", "STOP!", "cancel my order", "", "ſtop"] {
        assert_eq!(wanted(other, None), None, "{other}");
    }
}

#[test]
fn what_twilio_says_of_consent_comes_first() {
    assert_eq!(wanted("arrêt", Some("STOP")), Some(false));
    assert_eq!(wanted("yes", Some("START")), Some(true));
    assert_eq!(wanted("help", Some("HELP")), None);
    assert_eq!(wanted("stop", Some("HELP")), None);
}

#[test]
fn a_report_is_about_the_message_of_that_id() {
    let report = |status: &str| {
        let fields = [("MessageSid", "SM9"), ("MessageStatus", status), ("To", "+41446681800")];
        match read_form(&Sms, Channel::Sms, &fields).unwrap().remove(0) {
            ChannelEvent::Change(change) => change,
            other => panic!("{other:?}"),
        }
    };
    let (sent, delivered) = (report("sent"), report("delivered"));
    assert_eq!(sent.of, LedgerKey::new(Channel::Sms, &inbox(Channel::Sms).id, "SM9"));
    assert_eq!(sent.of, delivered.of);
    assert_ne!(sent.key, delivered.key);
    let answer = [("MessageSid", "SM10"), ("From", "+41446681800"), ("Body", "thanks")];
    let ChannelEvent::Message(answer) = read_form(&Sms, Channel::Sms, &answer).unwrap().remove(0) else { panic!() };
    assert_eq!(sent.group(), answer.group(), "in order with what they write");
}

#[test]
fn the_inbox_is_that_of_the_number_written_to() {
    let named = |id: &str, account: &str| {
        let mut named = inbox(Channel::Sms);
        named.id = id.parse().unwrap();
        named.account = Some(account.to_owned());
        named
    };
    let mut all = inboxes(named("main", "+41435051234"));
    all.inboxes.push(named("chat", "whatsapp:+41435051234"));
    all.inboxes.push(named("second", "+41435059999"));
    let context = Context { inboxes: &all, inbox: &all.inboxes[0], received_at: now() };
    let at = |to: &str| twilio::inbox(Channel::Sms, Some(to), &context).map(|inbox| inbox.id.to_string());
    assert_eq!(at("+41435051234").as_deref(), Some("main"));
    assert_eq!(at("whatsapp:+41435051234").as_deref(), Some("chat"));
    assert_eq!(at("whatsapp:+41435059999").as_deref(), Some("second"));
    assert_eq!(at("+41435050000"), None);
}
