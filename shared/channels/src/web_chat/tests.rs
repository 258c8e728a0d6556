//! Sessions and messages of the web chat.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;

use super::*;
use crate::provider::testing;
use crate::secrets::{InboxSecrets, hmac_sha256};

const SESSION: &str = "6f1c2d";
const SIGNED_IN: &str = "9b7e4a";

fn inbox() -> Inbox {
    serde_json::from_str(r#"{"id": "shop", "channel": "web_chat"}"#).unwrap()
}

fn secrets() -> InboxSecrets {
    InboxSecrets {
        session: vec!["session-new".into(), "session-old".into()],
        identity: vec!["identity-new".into(), "identity-old".into()],
        ..InboxSecrets::default()
    }
}

fn now() -> Moment {
    "2026-11-20T09:30:00Z".parse().unwrap()
}

fn open_with(body: &str, previous: Option<&Session>) -> Result<Opened, NotOpened> {
    open(body.as_bytes(), &inbox(), &secrets(), if previous.is_some() { SIGNED_IN } else { SESSION }, previous, now())
}

fn check(token: &str) -> Result<Session, Refused> {
    verify(token, &inbox().id, &secrets(), now())
}

fn session_of(body: &str, previous: Option<&Session>) -> Session {
    check(&open_with(body, previous).unwrap().token).unwrap()
}

fn signed_in(account: &str, identity_secret: &str) -> String {
    let hash = user_hash(account, identity_secret);
    format!(r#"{{"visitor": {{"external_id": "{account}", "user_hash": "{hash}"}}}}"#)
}

fn read(body: &str) -> Result<Inbound, Malformed> {
    parse(body.as_bytes(), &session_of("{}", None), &inbox(), now())
}

fn pointers(result: Result<Inbound, Malformed>) -> Vec<String> {
    let Err(Malformed::Invalid(faults)) = result else { panic!("{result:?}") };
    faults.into_iter().map(|fault| fault.pointer).collect()
}

/// A token with this header and these claims, signed with HS256 whatever the header says.
fn forged(header: &str, claims: &str, secret: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let mac = hmac_sha256(secret.as_bytes(), &[message.as_bytes()]);
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac))
}

#[test]
fn a_visitor_opens_a_session() {
    let body = testing::part(include_str!("../../../../events/ingest-webhook/web_chat/message.json"), "session");
    let opened = open_with(&body, None).unwrap();
    assert_eq!((opened.session_id.as_str(), opened.conversation_id.as_str()), (SESSION, SESSION));
    assert_eq!(opened.expires_at, now().plus_ms(SESSION_MS));
    assert!(!format!("{opened:?}").contains(&opened.token));
    let session = check(&opened.token).unwrap();
    assert_eq!(
        session,
        Session {
            inbox: inbox().id,
            session_id: SESSION.into(),
            account: None,
            email: Some("mira.holm@example.com".into()),
            name: Some("Mira Holm".into()),
            locale: Some("da-DK".into()),
            expires_at: opened.expires_at,
        }
    );
}

#[test]
fn only_a_right_user_hash_proves_an_account() {
    // HMAC-SHA256("key", "The quick brown fox jumps over the lazy dog"), widely published.
    let known = "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8";
    assert_eq!(user_hash("The quick brown fox jumps over the lazy dog", "key"), known);
    for secret in ["identity-new", "identity-old"] {
        assert_eq!(session_of(&signed_in("cust-1", secret), None).account.as_deref(), Some("cust-1"));
    }
    let upper = signed_in("cust-1", "identity-new").replace(&user_hash("cust-1", "identity-new"), "HASH");
    let upper = upper.replace("HASH", &user_hash("cust-1", "identity-new").to_uppercase());
    assert!(open_with(&upper, None).is_ok());
    let stolen = signed_in("cust-1", "identity-new").replace("cust-1", "cust-2");
    let missing = r#"{"visitor": {"external_id": "cust-1"}}"#.to_owned();
    let short = r#"{"visitor": {"external_id": "cust-1", "user_hash": "00"}}"#.to_owned();
    for wrong in [stolen, missing, short, signed_in("cust-1", "session-new"), signed_in("cust-1", "")] {
        assert_eq!(open_with(&wrong, None), Err(NotOpened::Refused(Refused::WrongUserHash)), "{wrong}");
    }
    assert_eq!(session_of(r#"{"visitor": {"user_hash": "00"}}"#, None).account, None);
}

#[test]
fn without_secrets_nobody_gets_in() {
    for none in [vec![], vec![String::new()]] {
        let secrets = InboxSecrets { session: none.clone(), identity: none, ..InboxSecrets::default() };
        let open = |body: &str| open(body.as_bytes(), &inbox(), &secrets, SESSION, None, now());
        assert_eq!(open("{}"), Err(NotOpened::Refused(Refused::NoSecret)));
        assert_eq!(open(&signed_in("cust-1", "")), Err(NotOpened::Refused(Refused::NoSecret)));
        assert_eq!(verify(&open_with("{}", None).unwrap().token, &inbox().id, &secrets, now()), Err(Refused::NoSecret));
    }
}

#[test]
fn a_session_call_that_breaks_the_contract_is_invalid() {
    for (body, expected) in [
        ("[]", vec![""]),
        (r#"{"visitor": 1}"#, vec!["/visitor"]),
        (r#"{"visitor": {"email": "nowhere", "name": []}}"#, vec!["/visitor/name", "/visitor/email"]),
        (r#"{"visitor": {"external_id": " cust-1"}}"#, vec!["/visitor/external_id"]),
        (r#"{"visitor": {"external_id": "a\u0000"}}"#, vec!["/visitor/external_id"]),
    ] {
        let Err(NotOpened::Malformed(Malformed::Invalid(faults))) = open_with(body, None) else { panic!("{body}") };
        assert_eq!(faults.iter().map(|fault| fault.pointer.as_str()).collect::<Vec<_>>(), expected, "{body}");
    }
    assert!(matches!(open_with("", None), Err(NotOpened::Malformed(Malformed::NotJson(_)))));
    assert_eq!(session_of(r#"{"visitor": {"locale": "<script>", "name": "\u0000"}}"#, None).locale, None);
}

#[test]
fn a_session_goes_on_when_the_visitor_signs_in_but_not_as_somebody_else() {
    let (anna, ben) = (signed_in("anna", "identity-new"), signed_in("ben", "identity-new"));
    let anonymous = session_of(r#"{"visitor": {"email": "anna@example.com"}}"#, None);
    let as_anna = session_of(&anna, Some(&anonymous));
    assert_eq!((as_anna.session_id.as_str(), as_anna.account.as_deref()), (SESSION, Some("anna")));
    assert_eq!(as_anna.email, anonymous.email);
    assert_eq!(session_of(&anna, Some(&as_anna)).session_id, SESSION);
    for after in [session_of(&ben, Some(&as_anna)), session_of("{}", Some(&as_anna))] {
        assert_eq!((after.session_id.as_str(), after.email), (SIGNED_IN, None));
    }
    let elsewhere = Session { inbox: "other".parse().unwrap(), ..anonymous };
    assert_eq!(session_of(&anna, Some(&elsewhere)).session_id, SIGNED_IN);
}

#[test]
fn tokens_are_ours_or_refused() {
    let token = open_with("{}", None).unwrap().token;
    let claims = format!(r#"{{"aud":"web_chat/shop","exp":{},"sid":"s"}}"#, now().ms() / 1000 + 60);
    let header = r#"{"typ":"JWT","alg":"HS256"}"#;
    for secret in ["session-new", "session-old"] {
        assert_eq!(check(&forged(header, &claims, secret)).unwrap().session_id, "s");
    }
    let [head, body, mac] = token.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let none = URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT","alg":"none"}"#);
    let long = "a".repeat(TOKEN_BYTES_MAX + 1);
    let (wrong, malformed) = (Refused::WrongToken, Refused::MalformedToken);
    for (token, expected) in [
        (forged(header, &claims, "guessed"), wrong),
        (forged(header, &claims, ""), wrong),
        (forged(r#"{"alg":"HS512"}"#, &claims, "session-new"), wrong),
        (forged(r#"{"alg":"RS256"}"#, &claims, "session-new"), wrong),
        (forged(r#"{"alg":"none"}"#, &claims, "session-new"), malformed),
        (format!("{none}.{body}."), malformed),
        (format!("{none}.{body}"), malformed),
        (format!("{head}.{body}."), wrong),
        (format!("{head}.{}.{mac}", URL_SAFE_NO_PAD.encode(&claims)), wrong),
        (format!("{head}.{body}.{}", URL_SAFE_NO_PAD.encode([0; 32])), wrong),
        (forged(header, &claims.replace("shop", "other"), "session-new"), wrong),
        (forged(header, &claims.replace("web_chat/", ""), "session-new"), wrong),
        (forged(header, &claims.replace(r#""aud":"web_chat/shop","#, ""), "session-new"), malformed),
        (forged(header, r#"{"aud":"web_chat/shop","sid":"s"}"#, "session-new"), malformed),
        (forged(header, "[]", "session-new"), malformed),
        (String::new(), malformed),
        ("a.b.c".to_owned(), malformed),
        (long, malformed),
    ] {
        assert_eq!(check(&token), Err(expected), "{token:.80}");
    }
    assert_eq!(verify(&token, &"other".parse().unwrap(), &secrets(), now()), Err(wrong));
}

#[test]
fn tokens_run_out() {
    let opened = open_with("{}", None).unwrap();
    let at = |now| verify(&opened.token, &inbox().id, &secrets(), now);
    assert!(at(opened.expires_at.plus_ms(-1)).is_ok());
    assert_eq!(at(opened.expires_at), Err(Refused::Expired));
    // The longest token that we make is one that we look at.
    let long = format!("{}@example.com", "ö".repeat(148));
    let body = serde_json::json!({"visitor": {"email": long, "name": "\"".repeat(256), "locale": "de-DE"}});
    assert!(open_with(&body.to_string(), None).unwrap().token.len() < TOKEN_BYTES_MAX / 2);
}

#[test]
fn a_message_is_read() {
    let body = testing::part(include_str!("../../../../events/ingest-webhook/web_chat/message.json"), "body");
    let session = session_of(
        &signed_in("cust-1", "identity-new")
            .replace("{\"ext", r#"{"email": "Typed@example.com", "locale": "de", "ext"#),
        None,
    );
    let inbound = parse(body.as_bytes(), &session, &inbox(), now()).unwrap();
    let message = &inbound.message;
    assert_eq!(message.provider_message_id, format!("{SESSION}:c1f6a0de-0001"));
    assert_eq!(inbound.key, LedgerKey::new(Channel::WebChat, &inbox().id, &message.provider_message_id));
    assert_eq!(message.id, Inbound::message_id(now(), &inbound.key, inbound.fingerprint.as_str()));
    assert!(message.text.starts_with("Hi! My discount code"));
    assert_eq!(message.sent_at, "2026-11-20T09:30:02.120Z".parse().ok());
    assert_eq!(message.language.as_deref(), Some("de"));
    let claims: Vec<_> = inbound.claims.iter().map(|claim| (claim.identifier.to_string(), claim.proof)).collect();
    assert_eq!(
        claims,
        [
            (format!("session:{SESSION}"), Proof::Proven),
            ("account:cust-1".to_owned(), Proof::Proven),
            ("email:typed@example.com".to_owned(), Proof::Typed),
        ]
    );
    let sender = &message.sender;
    assert_eq!((sender.kind.as_str(), sender.value.as_str(), sender.verified), ("session", SESSION, true));
    assert!(!inbound.handoff && message.warnings.is_empty());
    assert!(!read(&body).unwrap().message.sender.verified);
}

#[test]
fn a_visitor_asks_for_a_person() {
    let inbound =
        read(&testing::part(include_str!("../../../../events/ingest-webhook/web_chat/handoff.json"), "body")).unwrap();
    assert!(inbound.handoff);
    assert_eq!(inbound.message.text, HANDOFF_TEXT);
    assert_eq!(inbound.message.provider_message_id, format!("{SESSION}:c1f6a0de-0002"));
    let bare = read(r#"{"type": "handoff.request"}"#).unwrap();
    assert_eq!(bare.message.provider_message_id, format!("{SESSION}:handoff:{}", now().ms() / HANDOFF_AGAIN_MS));
}

#[test]
fn messages_that_break_the_contract_are_invalid() {
    let long = format!(r#"{{"type": "message.create", "text": "x", "client_message_id": "{}"}}"#, "ö".repeat(129));
    for (body, expected) in [
        ("[]", vec!["", "/type"]),
        (r#"{"type": null}"#, vec!["/type"]),
        (r#"{"type": 1.5}"#, vec!["/type"]),
        (r#"{"type": "message.create"}"#, vec!["/client_message_id", "/text"]),
        (r#"{"type": "message.create", "client_message_id": [], "text": {}}"#, vec!["/client_message_id", "/text"]),
        (r#"{"type": "message.create", "client_message_id": "a\u0000", "text": "x"}"#, vec!["/client_message_id"]),
        (r#"{"type": "message.create", "client_message_id": "1", "text": " \u0000\n"}"#, vec!["/text"]),
        (
            r#"{"type": "message.create", "client_message_id": "1", "text": "x", "sent_at": "now", "attachments": 1}"#,
            vec!["/attachments", "/sent_at"],
        ),
        (r#"{"type": "handoff.request", "client_message_id": true}"#, vec!["/client_message_id"]),
        (long.as_str(), vec!["/client_message_id"]),
    ] {
        assert_eq!(pointers(read(body)), expected, "{body}");
    }
    let typing = read(r#"{"type": "typing.start"}"#);
    assert_eq!(typing, Err(Malformed::NotUnderstood("unknown type \"typing.start\"".into())));
}

#[test]
fn a_rating_is_one_to_five() {
    let rated = read(r#"{"type": "csat.submit", "score": 4, "comment": "quick"}"#).unwrap();
    assert_eq!((rated.score, rated.message.text.as_str()), (Some(4), "quick"));
    for wrong in ["0", "6", "-1", "4.5", "\"4\"", "null", "1e999"] {
        let body = format!(r#"{{"type": "csat.submit", "score": {wrong}}}"#);
        assert!(read(&body).is_err(), "{wrong}");
    }
    for wrong in ["", "{", r#"{"type": "\udc00"}"#, r#"{"x": 1e999}"#, &"[".repeat(129)] {
        assert!(matches!(read(wrong), Err(Malformed::NotJson(_))), "{wrong}");
    }
}

#[test]
fn texts_are_cleaned_and_files_are_listed() {
    let body = r#"{"type": "message.create", "client_message_id": 1, "text": "a\u0000b"}"#;
    let message = read(body).unwrap().message;
    assert_eq!((message.text.as_str(), message.attachments.len()), ("ab", 0));
    assert_eq!(message.warnings, ["NUL characters are left out"]);
    let only_files = r#"{"type": "message.create", "client_message_id": 1,
        "attachments": [{"upload_id": "upl_0123456789abcdef0123456789abcdef", "filename": "a.png", "size": 3}]}"#;
    let message = read(only_files).unwrap().message;
    assert_eq!((message.text.as_str(), message.attachments[0].filename.as_str()), ("", "a.png"));
    let nothing = read(r#"{"type": "message.create", "client_message_id": 1, "attachments": [{}]}"#);
    assert!(matches!(nothing, Err(Malformed::Invalid(faults)) if faults[0].pointer == "/attachments/0/upload_id"));
}

#[test]
fn one_session_cannot_name_the_message_of_another() {
    let body = r#"{"type": "message.create", "client_message_id": "1", "text": "x"}"#;
    let mine = session_of("{}", None);
    let theirs = Session { session_id: "other".into(), ..mine.clone() };
    let key = |session| parse(body.as_bytes(), session, &inbox(), now()).unwrap().key;
    assert_ne!(key(&mine), key(&theirs));
}

/// Any JSON, often with the names and values of the contract.
fn any_json() -> impl Strategy<Value = Value> {
    testing::any_json(
        &["type", "client_message_id", "text", "sent_at", "attachments", "visitor", "email", "external_id"],
        &["message.create", "handoff.request"],
    )
}

proptest! {
    #[test]
    fn no_bytes_panic(body: Vec<u8>, token in "([A-Za-z0-9_-]{0,40}\\.){0,3}.*", sid in ".*", at: i64) {
        let at = Moment::from_ms(at);
        prop_assert!(verify(&token, &inbox().id, &secrets(), at).is_err());
        let odd = Session { session_id: sid.clone(), account: Some(sid.clone()), ..session_of("{}", None) };
        let _ = parse(&body, &odd, &inbox(), at);
        let _ = open(&body, &inbox(), &secrets(), &sid, Some(&odd), at);
    }

    #[test]
    fn no_json_panics(root in any_json(), visitor in any_json()) {
        let _ = read(&root.to_string());
        let _ = open_with(&root.to_string(), None);
        let _ = open_with(&serde_json::json!({ "visitor": visitor }).to_string(), None);
        let framed = serde_json::json!({"type": "message.create", "client_message_id": root, "text": visitor});
        let _ = read(&framed.to_string());
    }

    #[test]
    fn claims_of_any_signed_token_do_not_panic(claims in any_json()) {
        let _ = check(&forged(r#"{"alg":"HS256"}"#, &claims.to_string(), "session-new"));
    }

    #[test]
    fn a_changed_token_is_refused(place: prop::sample::Index, flip in 1u8..128) {
        let mut token = open_with("{}", None).unwrap().token.into_bytes();
        let at = place.index(token.len() - 1);
        token[at] = (token[at] ^ flip) & 0x7f;
        let token = String::from_utf8(token).unwrap();
        prop_assert!(check(&token).is_err());
    }
}

#[test]
fn one_name_for_two_messages_of_one_moment_makes_two_messages() {
    let say = |text: &str| {
        read(&format!(r#"{{"type": "message.create", "client_message_id": "1", "text": "{text}"}}"#)).unwrap()
    };
    let (first, other, again) = (say("yes"), say("no"), say("yes"));
    assert_eq!(first.key, other.key);
    assert_ne!(first.message.id, other.message.id, "a queue would take the second for the first and drop it");
    assert_eq!(first.message.id, again.message.id);
}
