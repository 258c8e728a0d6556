//! Tests: what calls are read as, and what the caller hears.

use throughline_domain::inbound::Inbound;

use super::*;
use crate::provider::testing::{body_is_signed, form, read_form, request, secrets, signature_keeps};

const RINGING: [(&str, &str); 5] = [
    ("CallSid", "CA1"),
    ("CallStatus", "ringing"),
    ("Direction", "inbound"),
    ("From", "+41446681800"),
    ("To", "+41435051234"),
];

fn and(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let kept = RINGING.into_iter().filter(|(name, _)| !more.iter().any(|(other, _)| other == name));
    kept.chain(more.iter().copied()).collect()
}

fn message(fields: &[(&str, &str)]) -> Inbound {
    match read_form(&Voice, Channel::Voice, fields).unwrap().remove(0) {
        ChannelEvent::Message(inbound) => *inbound,
        other => panic!("{other:?}"),
    }
}

fn heard(fields: &[(&str, &str)]) -> String {
    let body = form(fields);
    let request = Request { url: "https://desk.example/v1/channels/voice/main?a=1&b=2".into(), ..request(&body) };
    let answer = Voice.answer(&request);
    assert_eq!(answer.content_type, "text/xml; charset=utf-8");
    answer.body
}

#[test]
fn the_signature_keeps_what_is_sent() {
    let body = form(&RINGING);
    signature_keeps(&Voice, &request(&body));
    body_is_signed(&Voice, &request(&body));
    assert_eq!(Voice.handshake(&request(&body), &secrets("s")), Ok(None));
}

#[test]
fn a_caller_hears_the_menu_then_the_tone() {
    let xml = heard(&RINGING);
    let order = ["<Gather ", "press 1", "</Gather>", "after the tone", "<Record "].map(|part| xml.find(part).unwrap());
    assert!(order.is_sorted(), "{xml}");
    assert!(xml.contains(r#"action="./main?a=1&amp;b=2""#), "{xml}");
    assert!(xml.contains(r#"transcribeCallback="./main?a=1&amp;b=2""#), "{xml}");
    is_well_formed(&xml);
}

#[test]
fn whoever_presses_another_key_hears_the_tone() {
    let xml = heard(&and(&[("CallStatus", "in-progress"), ("Digits", "9")]));
    assert!(!xml.contains("<Gather") && xml.contains("<Record "), "{xml}");
    is_well_formed(&xml);
}

#[test]
fn everything_else_ends_the_call() {
    for fields in [
        and(&[("CallStatus", "in-progress"), ("Digits", "1")]),
        and(&[("CallStatus", "completed"), ("CallbackSource", "call-progress-events"), ("SequenceNumber", "0")]),
        and(&[("CallbackSource", "call-progress-events")]),
        and(&[("RecordingUrl", "https://api.twilio.com/r"), ("Digits", "5"), ("CallStatus", "in-progress")]),
        and(&[("RecordingUrl", "https://api.twilio.com/r"), ("Digits", "hangup"), ("CallStatus", "completed")]),
        and(&[("Direction", "outbound-api"), ("CallStatus", "in-progress")]),
        and(&[("Direction", "outbound-api"), ("CallStatus", "in-progress"), ("Digits", "2")]),
        vec![],
    ] {
        assert_eq!(heard(&fields), "<Response/>", "{fields:?}");
    }
}

#[test]
fn what_is_put_into_the_answer_is_escaped() {
    let body = form(&RINGING);
    let url = r#"https://desk.example/v1/channels/voice/a"b<c>'d"#;
    let xml = Voice.answer(&Request { url: url.into(), ..request(&body) }).body;
    assert!(xml.contains(r#"action="./a&quot;b&lt;c&gt;&apos;d""#), "{xml}");
    is_well_formed(&xml);
    assert_eq!(here("main"), "./main");
    assert_eq!(here("https://desk.example/v1/voice/main?url=/a/b"), "./main?url=/a/b");
}

/// Every tag is closed in its order, and nothing stands raw that has to be escaped.
fn is_well_formed(xml: &str) {
    let mut open = Vec::new();
    for part in xml.split('<').skip(1) {
        let (tag, text) = part.split_once('>').unwrap();
        assert!(!text.contains('>') && tag.matches('"').count() % 2 == 0, "{xml}");
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "{xml}");
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty() && xml.starts_with('<') && xml.ends_with('>'), "{xml}");
}

#[test]
fn all_of_a_call_is_one_thread_and_what_is_told_twice_is_one_message() {
    let ringing = message(&RINGING);
    let answered = message(&and(&[("CallStatus", "in-progress"), ("SequenceNumber", "2")]));
    assert_eq!((&ringing.key, &ringing.fingerprint), (&answered.key, &answered.fingerprint));
    let recording = [("RecordingSid", "RE1"), ("RecordingUrl", "https://api.twilio.com/RE1")];
    let voicemail = message(&and(&recording));
    let ended = message(&and(&[("CallStatus", "completed"), ("CallDuration", "40")]));
    let thread = ringing.thread.last();
    assert!(thread.is_some());
    for other in [&voicemail, &ended] {
        assert_eq!(other.thread.last(), thread);
        assert_ne!(other.key, ringing.key);
    }
    assert_eq!(ended.message.call.unwrap().duration_s, Some(40));
}

#[test]
fn a_recording_told_with_and_without_the_caller_is_one_message() {
    let known = [("RecordingSid", "RE1"), ("RecordingUrl", "https://api.twilio.com/RE1")];
    let by_the_call = message(&and(&[known[0], known[1], ("RecordingDuration", "23"), ("Digits", "hangup")]));
    let status =
        [("CallSid", "CA1"), known[0], known[1], ("RecordingStatus", "completed"), ("RecordingDuration", "24")];
    let by_the_status = message(&status);
    assert_eq!((by_the_call.claims.len(), by_the_status.claims.len()), (1, 0));
    assert_eq!((&by_the_call.key, &by_the_call.fingerprint), (&by_the_status.key, &by_the_status.fingerprint));
    assert_ne!(message(&RINGING).fingerprint, by_the_call.fingerprint);
}

#[test]
fn the_text_of_a_recording_is_added_to_its_message() {
    let text = |id: &'static str| {
        let fields = and(&[("RecordingSid", "RE1"), ("TranscriptionSid", id), ("TranscriptionText", "hel\0lo")]);
        match read_form(&Voice, Channel::Voice, &fields).unwrap().remove(0) {
            ChannelEvent::Change(change) => *change,
            other => panic!("{other:?}"),
        }
    };
    let recording = message(&and(&[("RecordingSid", "RE1"), ("RecordingUrl", "https://api.twilio.com/RE1")]));
    let change = text("TR1");
    assert_eq!(change.of, recording.key);
    assert_eq!(change.group(), recording.group(), "it comes behind its recording");
    assert_eq!(change.change, Changed::Transcribed { text: "hello".to_owned() });
    assert_eq!(change.key, text("TR1").key);
    assert_ne!(change.key, text("TR2").key);
    let without = read_form(&Voice, Channel::Voice, &and(&[("TranscriptionSid", "TR1"), ("TranscriptionText", "x")]));
    assert!(matches!(&without.unwrap()[..], [ChannelEvent::Unknown(_)]));
}

#[test]
fn a_hidden_number_names_nobody() {
    for hidden in ["anonymous", "Anonymous", "RESTRICTED", "+266696687", "+7378742833", "+8656696"] {
        let inbound = message(&and(&[("From", hidden)]));
        assert_eq!(inbound.claims, [], "{hidden}");
        assert_eq!(inbound.message.text, "(call from a hidden number)");
        assert_eq!(inbound.message.warnings, ["the caller shows no number"]);
    }
}

#[test]
fn the_shown_number_is_proved_only_where_the_companies_vouch_for_it() {
    let proof = |verdict: &'static str| message(&and(&[("StirVerstat", verdict)])).claims[0].proof;
    assert_eq!(proof("TN-Validation-Passed-A"), Proof::Proven);
    for other in ["", "TN-Validation-Passed-B", "TN-Validation-Failed-A", "No-TN-Validation"] {
        assert_eq!(proof(other), Proof::Answerable, "{other}");
    }
}

#[test]
fn times_are_those_of_mail() {
    assert_eq!(moment("Fri, 20 Nov 2026 14:00:00 +0000"), Some(crate::provider::testing::now()));
    assert_eq!(moment("soon"), None);
}
