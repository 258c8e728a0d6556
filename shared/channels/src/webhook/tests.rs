//! Signatures and bodies of webhooks.

use proptest::prelude::*;

use throughline_domain::message::Sender;

use super::*;
use crate::provider::testing;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const TIME_S: i64 = 1_614_265_330;
const BODY: &[u8] = br#"{"test": 2432232314}"#;
const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

fn inbox() -> Inbox {
    serde_json::from_str(r#"{"id": "shop", "channel": "webhook", "country": "DE"}"#).unwrap()
}

fn now() -> Moment {
    Moment::from_ms(TIME_S * 1000)
}

fn check(signature: &str, body: &[u8], secrets: &[&str], now: Moment) -> Result<(), Refused> {
    let secrets: Vec<String> = secrets.iter().map(|&secret| secret.to_owned()).collect();
    let headers = Signed { id: Some(ID), timestamp: Some("1614265330"), signature: Some(signature) };
    verify(&headers, body, &secrets, now)
}

fn read(body: &str) -> Result<Inbound, Malformed> {
    parse(body.as_bytes(), ID, &inbox(), now())
}

/// A message with this JSON as `data` besides its text.
fn with(data: &str) -> Inbound {
    read(&format!(r#"{{"type": "message.create", "data": {{"body": "x", {data}}}}}"#)).unwrap()
}

#[test]
fn the_public_vector_of_standard_webhooks() {
    assert_eq!(check(SIGNATURE, BODY, &[SECRET], now()), Ok(()));
    assert_eq!(sign(ID, TIME_S, BODY, SECRET).as_deref(), Some(SIGNATURE));
}

#[test]
fn signatures_are_right_or_refused() {
    let (wrong, right) = (Err(Refused::WrongSignature), Ok(()));
    let malformed = Err(Refused::Malformed("webhook-signature"));
    let several = format!("v1a,bm90IG91cnM= v1,bm90IGl0 {SIGNATURE}");
    let truncated = STANDARD.decode(&SIGNATURE[3..]).unwrap();
    let truncated = format!("v1,{}", STANDARD.encode(&truncated[..16]));
    for (signature, expected) in [
        (SIGNATURE, &right),
        (several.as_str(), &right),
        ("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OF=", &malformed),
        ("v1,h0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", &wrong),
        (truncated.as_str(), &wrong),
        ("v1,", &wrong),
        (&SIGNATURE[..20], &malformed),
        (&SIGNATURE[3..], &malformed),
        ("v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", &malformed),
    ] {
        assert_eq!(&check(signature, BODY, &[SECRET], now()), expected, "{signature}");
    }
    assert_eq!(check(SIGNATURE, b"{\"test\": 2432232315}", &[SECRET], now()), wrong);
    assert_eq!(check(SIGNATURE, BODY, &[OTHER_SECRET], now()), wrong);
}

#[test]
fn rotated_secrets_are_all_good() {
    for secrets in [[OTHER_SECRET, SECRET], [SECRET, OTHER_SECRET], ["not base64!", SECRET]] {
        assert_eq!(check(SIGNATURE, BODY, &secrets, now()), Ok(()));
    }
    for none in [&[][..], &["whsec_"], &[""], &["whsec_%%"]] {
        assert_eq!(check(SIGNATURE, BODY, none, now()), Err(Refused::NoSecret), "{none:?}");
        // Nobody can sign with the empty key instead.
        assert_eq!(none.first().and_then(|secret| sign(ID, TIME_S, BODY, secret)), None);
    }
}

#[test]
fn only_lately_signed_bodies_are_taken() {
    for (ms, expected) in [
        (SIGNED_TIME_TOLERANCE_MS, Ok(())),
        (-SIGNED_TIME_TOLERANCE_MS, Ok(())),
        (SIGNED_TIME_TOLERANCE_MS + 1, Err(Refused::Stale)),
        (-SIGNED_TIME_TOLERANCE_MS - 1, Err(Refused::Stale)),
    ] {
        assert_eq!(check(SIGNATURE, BODY, &[SECRET], now().plus_ms(ms)), expected, "{ms}");
    }
}

#[test]
fn headers_must_be_there() {
    let secrets = [SECRET.to_owned()];
    let full = Signed { id: Some(ID), timestamp: Some("1614265330"), signature: Some(SIGNATURE) };
    let long = "i".repeat(ID_BYTES_MAX + 1);
    for (headers, expected) in [
        (Signed { id: None, ..full }, Refused::Missing("webhook-id")),
        (Signed { id: Some(&long), ..full }, Refused::Malformed("webhook-id")),
        (Signed { timestamp: Some(""), ..full }, Refused::Missing("webhook-timestamp")),
        (Signed { timestamp: Some("2021-02-25"), ..full }, Refused::Malformed("webhook-timestamp")),
        (Signed { timestamp: Some("9223372036854775807"), ..full }, Refused::Stale),
        (Signed { timestamp: Some("1614265331"), ..full }, Refused::WrongSignature),
        (Signed { signature: None, ..full }, Refused::Missing("webhook-signature")),
    ] {
        assert_eq!(verify(&headers, BODY, &secrets, now()), Err(expected));
    }
}

#[test]
fn a_message_is_read() {
    let inbound =
        read(&testing::part(include_str!("../../../../events/ingest-webhook/webhook/message.json"), "body")).unwrap();
    let message = &inbound.message;
    assert_eq!(message.provider_message_id, "shop-msg-88213");
    assert_eq!(inbound.key, LedgerKey::new(Channel::Webhook, &inbox().id, "shop-msg-88213"));
    assert_eq!(inbound.thread, [LedgerKey::new(Channel::Webhook, &inbox().id, "thread:order-5530")]);
    assert_eq!(message.subject.as_deref(), Some("Where is order 5530?"));
    assert!(message.text.starts_with("The tracking page") && message.text.ends_with("\nTomas"));
    assert_eq!(message.sent_at, "2026-11-20T09:31:00Z".parse().ok());
    let claims: Vec<_> = inbound.claims.iter().map(|claim| (claim.identifier.to_string(), claim.proof)).collect();
    assert_eq!(
        claims,
        [
            ("account:cust-10442".to_owned(), Proof::Proven),
            ("email:tomas.lind@example.org".to_owned(), Proof::Answerable),
            ("phone:+4930901820".to_owned(), Proof::Typed),
        ]
    );
    let sender = &message.sender;
    assert_eq!((sender.kind.as_str(), sender.value.as_str(), sender.verified), ("account", "cust-10442", true));
    assert_eq!(sender.name.as_deref(), Some("Tomas Lind"));
    assert_eq!(inbound.fields["order"], "5530");
    assert!(message.warnings.is_empty(), "{:?}", message.warnings);
}

#[test]
fn a_ticket_of_html_alone_is_read() {
    let inbound =
        read(&testing::part(include_str!("../../../../events/ingest-webhook/webhook/ticket.json"), "body")).unwrap();
    let message = &inbound.message;
    assert_eq!(message.text, "The booking BK-2291 was cancelled.\nPlease refund it to the card.");
    assert_eq!(message.html, None);
    assert_eq!(message.provider_message_id, ID);
    assert_eq!((message.sender.kind.as_str(), message.sender.verified), ("email", false));
    let [file] = &message.attachments[..] else { panic!("{:?}", message.attachments) };
    assert_eq!((file.filename.as_str(), file.content_type.as_str()), ("booking.pdf", "application/pdf"));
    assert_eq!(file.held_by_channel.as_deref(), Some("https://files.example.com/bk-2291.pdf"));
    assert_eq!(message.warnings, ["1 attachment(s) are on hosts from which the inbox fetches nothing"]);
    assert!(inbound.thread.is_empty());
}

#[test]
fn what_is_not_understood_is_told_from_what_is_not_json() {
    for wrong in ["", "{", "nul", r#"{"type": "\ud800"}"#, r#"{"x": 1e999}"#, &"[".repeat(129)] {
        assert!(matches!(read(wrong), Err(Malformed::NotJson(_))), "{wrong}");
    }
    for strange in [
        "null",
        "[]",
        "7",
        "{}",
        r#"{"type": "message.create"}"#,
        r#"{"type": "message.create", "data": []}"#,
        r#"{"type": "message.create", "data": {}}"#,
        r#"{"type": "message.create", "data": {"body": {"private": "words"}, "subject": "s"}}"#,
        r#"{"type": "message.create", "data": {"body": " \u0000", "html": "<p></p>"}}"#,
        r#"{"type": "message.create", "data": {"body": "x", "requester": "private"}}"#,
        r#"{"type": "ticket.delete", "data": {"body": "x"}}"#,
    ] {
        let Err(Malformed::NotUnderstood(reason)) = read(strange) else { panic!("{strange}") };
        assert!(!reason.contains("private"), "{reason}");
    }
}

#[test]
fn what_only_adds_becomes_a_warning() {
    let inbound = with(
        r#""requester": {"email": "nowhere", "phone": "12", "account": ["a"], "name": "A\r\nB"}, "thread": {},
           "external_id": "a\u0000b", "fields": 3, "attachments": "none", "unknown": [{}]"#,
    );
    assert_eq!(inbound.claims, []);
    assert_eq!(inbound.message.sender, Sender { name: Some("A B".into()), ..Sender::default() });
    assert_eq!(inbound.message.provider_message_id, ID);
    assert_eq!(inbound.message.warnings.len(), 8, "{:?}", inbound.message.warnings);
    assert_eq!(with(r#""external_id": 4711"#).message.provider_message_id, "4711");
}

#[test]
fn a_file_alone_is_a_message_and_what_is_wrong_with_it_refuses_none() {
    for (files, kept) in
        [(r#"[{"url": "https://files.example.com/a"}]"#, 1), ("[7]", 0), (r#"[{"url": "ftp://a"}]"#, 0)]
    {
        let body = format!(r#"{{"type": "message.create", "data": {{"attachments": {files}}}}}"#);
        let message = read(&body).unwrap().message;
        assert_eq!((message.attachments.len(), message.warnings.len()), (kept, 2), "{:?}", message.warnings);
    }
    // Where a file lies may change with every attempt; it is the same message.
    let at = |url: &str| {
        with(&format!(r#""external_id": 1, "attachments": [{{"url": "https://files.example.com/{url}"}}]"#))
    };
    assert_eq!(at("a?signed=1").fingerprint, at("a?signed=2").fingerprint);
}

#[test]
fn texts_are_cleaned() {
    let inbound =
        read(r#"{"type": "message.create", "data": {"body": "a\u0000b\nc", "subject": "a\u0000\r\nBcc: b"}}"#);
    let message = inbound.unwrap().message;
    assert_eq!(message.text, "ab\nc");
    assert_eq!(message.subject.as_deref(), Some("a Bcc: b"));
}

#[test]
fn messages_of_one_thread_find_each_other_but_not_themselves() {
    let (first, second) = (with(r#""external_id": 1, "thread": "t""#), with(r#""external_id": 2, "thread": "t""#));
    assert_eq!(first.thread, second.thread);
    assert_ne!(first.key, second.key);
    assert_eq!(with(r#""external_id": "thread:t", "thread": "t""#).thread, []);
}

#[test]
fn fields_have_limits() {
    let named: Vec<_> = (0..FIELDS_MAX + 5).map(|n| format!(r#""f{n}": {n}"#)).collect();
    let many = with(&format!(r#""fields": {{{}}}"#, named.join(",")));
    assert_eq!(many.fields.len(), FIELDS_MAX);
    assert!(many.message.warnings.contains(&"5 of 55 custom fields are left out".to_owned()));
    let deep = format!("{}{}", "[".repeat(FIELD_DEPTH_MAX + 1), "]".repeat(FIELD_DEPTH_MAX + 1));
    let long = "x".repeat(FIELDS_BYTES_MAX);
    let odd = with(&format!(r#""fields": {{"a": {deep}, "b": "{long}", "c\u0000": ["d\u0000"], " ": 1}}"#));
    assert_eq!(serde_json::to_string(&odd.fields).unwrap(), r#"{"c":["d"]}"#);
    assert!(serde_json::from_slice::<Inbound>(&serde_json::to_vec(&odd).unwrap()).is_ok());
}

/// Any JSON, often with the names and values of the contract.
fn any_json() -> impl Strategy<Value = Value> {
    testing::any_json(
        &[
            "type",
            "data",
            "body",
            "html",
            "subject",
            "requester",
            "email",
            "phone",
            "fields",
            "thread",
            "attachments",
            "url",
            "x",
        ],
        &["message.create", "<b>&#x110000;&eacute;<!-- --><style>", "a\0@b.example"],
    )
}

proptest! {
    #[test]
    fn no_bytes_panic(body: Vec<u8>, id: Option<String>, timestamp: Option<String>, signature in ".*", at: i64) {
        let at = Moment::from_ms(at);
        let timestamp = timestamp.as_deref().or(Some("1614265330"));
        let headers = Signed { id: id.as_deref(), timestamp, signature: Some(&signature) };
        prop_assert!(verify(&headers, &body, &[SECRET.to_owned()], at).is_err());
        let _ = parse(&body, &signature, &inbox(), at);
    }

    #[test]
    fn no_json_panics(data in any_json(), root in any_json(), html in "[<>&;!/a-zé \\-]*") {
        let _ = parse(root.to_string().as_bytes(), ID, &inbox(), now());
        let framed = serde_json::json!({"type": "ticket.create", "data": data, "timestamp": root});
        let _ = parse(framed.to_string().as_bytes(), ID, &inbox(), now());
        let markup = serde_json::json!({"type": "ticket.create", "data": {"html": html}});
        let _ = parse(markup.to_string().as_bytes(), ID, &inbox(), now());
    }

    #[test]
    fn what_is_signed_is_verified(body: Vec<u8>, id in "[!-~]{1,64}", key in prop::collection::vec(any::<u8>(), 1..64)) {
        let secret = format!("whsec_{}", STANDARD.encode(key));
        let signature = sign(&id, TIME_S, &body, &secret).unwrap();
        let headers = Signed { id: Some(&id), timestamp: Some("1614265330"), signature: Some(&signature) };
        prop_assert_eq!(verify(&headers, &body, &[secret], now()), Ok(()));
    }
}

#[test]
fn one_name_for_two_messages_of_one_moment_makes_two_messages() {
    let (first, other, again) =
        (with(r#""external_id": "1""#), with(r#""external_id": "1", "subject": "y""#), with(r#""external_id": "1""#));
    assert_eq!(first.key, other.key);
    assert_ne!(first.message.id, other.message.id, "a queue would take the second for the first and drop it");
    assert_eq!(first.message.id, again.message.id);
}
