//! Tests: Slack's own example of a signature, and events of every kind.

use serde_json::json;
use throughline_domain::config::Inboxes;
use throughline_domain::ledger::LedgerKey;

use super::*;
use crate::provider::testing::{
    body_is_signed, inbox, inboxes, now, read, request, secrets, signature_keeps, signed_by,
};

/// The documentation's own example (<https://docs.slack.dev/authentication/verifying-requests-from-slack/>).
const EXAMPLE_SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
const EXAMPLE_TIMESTAMP: i64 = 1_531_420_618;
const EXAMPLE_BODY: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow\
&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=\
&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN\
&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
const EXAMPLE_SIGNATURE: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";

#[test]
fn the_signature_is_that_of_the_documentation() {
    let at = Moment::from_ms(EXAMPLE_TIMESTAMP * 1000);
    let request = signed_by(&Slack, &request(EXAMPLE_BODY.as_bytes()), &secrets(EXAMPLE_SECRET), at);
    assert_eq!(request.header(SIGNATURE), Some(EXAMPLE_SIGNATURE));
    assert_eq!(Slack.verify(&request, &secrets(EXAMPLE_SECRET), at), Ok(()));
}

#[test]
fn the_signature_keeps_what_is_sent() {
    let unsigned = request(br#"{"type":"event_callback"}"#);
    signature_keeps(&Slack, &unsigned);
    body_is_signed(&Slack, &unsigned);
}

#[test]
fn what_was_signed_long_ago_or_ahead_is_stale() {
    let secrets = secrets("right secret");
    let signed = signed_by(&Slack, &request(b"{}"), &secrets, now());
    for (after_ms, taken) in [(300_000, Ok(())), (301_000, Err(Refused::Stale)), (-301_000, Err(Refused::Stale))] {
        assert_eq!(Slack.verify(&signed, &secrets, now().plus_ms(after_ms)), taken, "{after_ms}");
    }
    let mut moved = signed;
    for (name, value) in &mut moved.headers {
        if name == TIMESTAMP {
            *value = "1795183201".into();
        }
    }
    assert_eq!(Slack.verify(&moved, &secrets, now()), Err(Refused::WrongSignature), "the time is signed too");
    for (name, value) in &mut moved.headers {
        if name == TIMESTAMP {
            *value = "soon".into();
        }
    }
    assert_eq!(Slack.verify(&moved, &secrets, now()), Err(Refused::Malformed(TIMESTAMP)));
}

#[test]
fn the_challenge_is_echoed_and_nothing_else() {
    let answer = |body: &[u8]| Slack.handshake(&request(body), &secrets("s")).unwrap();
    let asked = br#"{"token": "Jhj5", "challenge": "3eZbrw1aB10FEMAGAZd4FyFQ", "type": "url_verification"}"#;
    assert_eq!(answer(asked), Some(Answer::text("3eZbrw1aB10FEMAGAZd4FyFQ")));
    for other in ["", "{}", "[1]", r#"{"type": "event_callback", "challenge": "x"}"#] {
        assert_eq!(answer(other.as_bytes()), None, "{other}");
    }
    assert_eq!(answer(br#"{"type": "url_verification", "challenge": 1}"#), None);
}

fn posted(event: &Value) -> Value {
    json!({"type": "event_callback", "team_id": "T1", "event_id": "Ev1", "event": event})
}

fn message(body: &Value) -> throughline_domain::inbound::Inbound {
    match read(&Slack, Channel::Slack, body).unwrap().remove(0) {
        ChannelEvent::Message(inbound) => *inbound,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_mention_is_the_same_message_as_the_post() {
    let of = |kind: &str| {
        message(&posted(&json!({"type": kind, "channel": "C1", "user": "U1", "ts": "1795183200.000100",
        "text": "<@U0BOT> help"})))
    };
    let (post, mention) = (of("message"), of("app_mention"));
    assert_eq!((&post.key, &post.fingerprint), (&mention.key, &mention.fingerprint));
    assert_eq!(post.message.id, mention.message.id);
}

#[test]
fn a_root_and_its_replies_name_one_thread() {
    let of = |ts: &str, thread: Option<&str>| {
        message(&posted(&json!({"type": "message", "channel": "C1", "user": "U1", "ts": ts, "thread_ts": thread})))
    };
    let (root, reply) = (of("1795183200.000100", None), of("1795183300.000200", Some("1795183200.000100")));
    let id = inbox(Channel::Slack).id;
    let thread = LedgerKey::new(Channel::Slack, &id, "thread:C1:1795183200.000100");
    assert_eq!(root.thread, [thread]);
    assert_eq!(root.thread, reply.thread);
    assert_ne!(root.key, reply.key);
    let elsewhere = json!({"type": "message", "channel": "C2", "user": "U1", "ts": "1795183200.000100"});
    assert_ne!(message(&posted(&elsewhere)).thread, root.thread);
}

#[test]
fn the_inbox_is_that_of_the_channel_then_of_the_team() {
    let named = |id: &str, account: &str| {
        let mut named = inbox(Channel::Slack);
        named.id = id.parse().unwrap();
        named.account = Some(account.to_owned());
        named
    };
    let inboxes = Inboxes { inboxes: vec![named("team", "T1"), named("vip", "C9")], ..inboxes(named("main", "T1")) };
    let context = Context { inboxes: &inboxes, inbox: &inboxes.inboxes[0], received_at: now() };
    let at = |channel: &str, team: &str| {
        let body = json!({"type": "event_callback", "team_id": team, "event": {"type": "message", "channel": channel,
            "user": "U1", "ts": "1.1"}});
        match Slack.parse(&request(body.to_string().as_bytes()), &context).unwrap().remove(0) {
            ChannelEvent::Message(inbound) => inbound.message.inbox.to_string(),
            ChannelEvent::Unknown(unknown) => unknown.reason,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(at("C9", "T1"), "vip");
    assert_eq!(at("C1", "T1"), "team");
    assert_eq!(at("C1", "T2"), "no inbox is for this team");
}

#[test]
fn times_are_read_to_the_millisecond() {
    let ms = |ts: &str| moment(ts).map(Moment::ms);
    assert_eq!(ms("1355517523.000005"), Some(1_355_517_523_000));
    assert_eq!(ms("1355517523.1"), Some(1_355_517_523_100));
    assert_eq!(ms("1355517523"), Some(1_355_517_523_000));
    for wrong in ["", "a.b", ".1"] {
        assert_eq!(ms(wrong), None, "{wrong}");
    }
    assert_eq!(ms("1.é9"), Some(1000));
}
