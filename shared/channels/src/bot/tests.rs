//! Tests: what a bot hands over, and the limits of it.

use serde_json::json;
use throughline_domain::inbound::Inbound;
use throughline_domain::ledger::LedgerKey;
use throughline_domain::message::TranscriptRole;

use super::context::{STEPS_MAX, TEXT_BYTES_MAX, TRANSCRIPT_BYTES_MAX, TRANSCRIPT_LINES_MAX};
use super::*;
use crate::provider::testing::{body_is_signed, inbox, now, read, request, secrets, signature_keeps, signed_by};

fn said(data: &Value) -> Inbound {
    let body = json!({"type": "bot.handoff", "data": data});
    match read(&Bot, Channel::Bot, &body).unwrap().remove(0) {
        ChannelEvent::Message(inbound) => *inbound,
        other => panic!("{other:?}"),
    }
}

fn handed(data: &Value) -> Handoff {
    *said(data).message.handoff.unwrap()
}

#[test]
fn the_signature_keeps_what_is_sent() {
    let unsigned = request(br#"{"type":"bot.handoff"}"#);
    signature_keeps(&Bot, &unsigned);
    body_is_signed(&Bot, &unsigned);
    assert_eq!(Bot.handshake(&unsigned, &secrets("s")), Ok(None));
}

#[test]
fn what_was_signed_long_ago_or_ahead_is_stale() {
    let signed = signed_by(&Bot, &request(b"{}"), &secrets("right secret"), now());
    for (after_ms, taken) in [(299_000, Ok(())), (301_000, Err(Refused::Stale)), (-301_000, Err(Refused::Stale))] {
        assert_eq!(Bot.verify(&signed, &secrets("right secret"), now().plus_ms(after_ms)), taken, "{after_ms}");
    }
}

#[test]
fn the_same_hand_over_sent_again_is_the_same_message() {
    let data = json!({"handoff_id": "h-1", "conversation_ref": "c-9", "summary": "x"});
    let (first, second) = (said(&data), said(&data));
    assert_eq!((&first.key, &first.fingerprint), (&second.key, &second.fingerprint));
    assert!(first.handoff);
    let id = inbox(Channel::Bot).id;
    assert_eq!(first.thread, [LedgerKey::new(Channel::Bot, &id, "thread:c-9")]);
}

#[test]
fn the_account_is_proved_the_rest_is_repeated() {
    let customer = json!({"id": "A-1", "email": "Anna@Example.com", "phone": "044 668 18 00", "name": "Anna"});
    let inbound = said(&json!({"handoff_id": "h", "customer": customer}));
    let claims: Vec<_> = inbound.claims.iter().map(|claim| (claim.identifier.to_string(), claim.proof)).collect();
    assert_eq!(
        claims,
        [
            ("account:A-1".to_owned(), Proof::Proven),
            ("email:anna@example.com".to_owned(), Proof::Answerable),
            ("phone:+41446681800".to_owned(), Proof::Typed),
        ]
    );
}

#[test]
fn shares_become_per_cent() {
    let of = |confidence: Value, score: Value| {
        let handoff =
            handed(&json!({"handoff_id": "h", "intent": {"confidence": confidence}, "sentiment": {"score": score}}));
        (handoff.intent_percent, handoff.sentiment_percent)
    };
    assert_eq!(of(json!(0.925), json!(-0.8)), (Some(93), Some(-80)));
    assert_eq!(of(json!(1), json!(-1)), (Some(100), Some(-100)));
    assert_eq!(of(json!(0), json!(1.0)), (Some(0), Some(100)));
    assert_eq!(of(json!(93), json!(-1.01)), (None, None));
    assert_eq!(of(json!(-0.1), json!("sad")), (None, None));
    assert_eq!(of(json!(null), json!(null)), (None, None));
}

#[test]
fn of_a_long_transcript_the_end_is_kept() {
    let lines: Vec<Value> =
        (0..TRANSCRIPT_LINES_MAX + 3).map(|index| json!({"role": "user", "text": index.to_string()})).collect();
    let inbound = said(&json!({"handoff_id": "h", "transcript": lines}));
    let handoff = inbound.message.handoff.unwrap();
    assert_eq!(handoff.transcript.len(), TRANSCRIPT_LINES_MAX);
    assert_eq!(handoff.transcript[0].text, "3");
    assert!(inbound.message.warnings.contains(&"the first 3 of 203 lines of the transcript are left out".to_owned()));

    let long = json!({"role": "bot", "text": "ö".repeat(TEXT_BYTES_MAX)});
    let handoff = handed(&json!({"handoff_id": "h", "transcript": vec![long; 40]}));
    assert!(handoff.transcript.iter().all(|line| line.text.len() == TEXT_BYTES_MAX));
    assert_eq!(handoff.transcript.len(), TRANSCRIPT_BYTES_MAX / TEXT_BYTES_MAX);
}

#[test]
fn roles_are_read_in_the_words_of_bots() {
    for (name, role) in [
        (json!("customer"), TranscriptRole::Customer),
        (json!("User"), TranscriptRole::Customer),
        (json!("assistant"), TranscriptRole::Bot),
        (json!("agent"), TranscriptRole::Agent),
        (json!("tool"), TranscriptRole::System),
        (json!(3), TranscriptRole::System),
    ] {
        let handoff = handed(&json!({"handoff_id": "h", "transcript": [{"role": name, "text": "x"}]}));
        assert_eq!(handoff.transcript[0].role, role, "{name}");
    }
}

#[test]
fn steps_are_bounded_and_may_be_names_alone() {
    let steps: Vec<Value> = (0..STEPS_MAX + 1).map(|_| json!({"step": "reset", "outcome": "no"})).collect();
    assert_eq!(handed(&json!({"handoff_id": "h", "attempted_steps": steps})).attempted_steps.len(), STEPS_MAX);
    let handoff = handed(&json!({"handoff_id": "h", "attempted_steps": ["restart", 4, {"outcome": "x"}]}));
    let [step] = &handoff.attempted_steps[..] else { panic!("{handoff:?}") };
    assert_eq!((step.step.as_str(), step.outcome.as_str()), ("restart", ""));
}

#[test]
fn files_are_named_not_fetched() {
    let hash = "AB".repeat(32);
    let inbound = said(&json!({"handoff_id": "h", "attachments": [
        {"url": "https://bot.example/a.png", "content_type": "image/png", "size": 5, "sha256": hash},
        {"url": "http://bot.example/b.png"}, {"url": "file:///etc/passwd"}, 7]}));
    let [file] = &inbound.message.attachments[..] else { panic!("{:?}", inbound.message.attachments) };
    assert_eq!(file.held_by_channel.as_deref(), Some("https://bot.example/a.png"));
    assert_eq!(file.sha256, hash.to_lowercase());
    assert!(inbound.message.warnings.contains(&"3 attachment(s) without an https URL are left out".to_owned()));
}

#[test]
fn warnings_repeat_nothing_that_a_customer_wrote() {
    let secret = "4111 1111 1111 1111";
    let data = json!({"handoff_id": "h", "customer": {"email": secret, "phone": secret}, "intent": {"name": [secret]},
        "summary": {"a": secret}, "transcript": secret, "entities": secret, "attachments": [secret],
        "attempted_steps": {"a": secret}, "language": [secret]});
    let warnings = said(&data).message.warnings.join("\n");
    assert!(!warnings.contains("4111") && warnings.contains("/data/transcript must be an array"), "{warnings}");
}
