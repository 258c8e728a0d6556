//! What the tests of all providers use.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};
use throughline_domain::channel::Channel;
use throughline_domain::config::{Inbox, Inboxes};
use throughline_domain::moment::Moment;

use crate::malformed::Malformed;
use crate::provider::{ChannelEvent, Context, Provider, Request};
use crate::secrets::InboxSecrets;
use crate::signature::Refused;

/// When the tests run.
pub(crate) fn now() -> Moment {
    "2026-11-20T14:00:00.000Z".parse().unwrap()
}

/// An inbox named `main` for any account, in Switzerland.
pub(crate) fn inbox(channel: Channel) -> Inbox {
    let inbox = json!({"id": "main", "channel": channel, "country": "CH"});
    serde_json::from_value(inbox).unwrap()
}

/// Only this inbox.
pub(crate) fn inboxes(inbox: Inbox) -> Inboxes {
    Inboxes { inboxes: vec![inbox], ..Inboxes::default() }
}

/// One secret that signs, for whoever signs with it as it is and for whoever takes its base64 (Standard Webhooks).
pub(crate) fn secrets(signing: &str) -> InboxSecrets {
    InboxSecrets {
        signing: vec![signing.to_owned()],
        webhook: vec![STANDARD.encode(signing)],
        ..InboxSecrets::default()
    }
}

/// A body, unsigned.
pub(crate) fn request(body: &[u8]) -> Request<'_> {
    Request { url: "https://desk.example/v1/channels/any/main".into(), headers: Vec::new(), body: body.into() }
}

/// What a JSON body says in the inbox of [`inbox`].
pub(crate) fn read(provider: &dyn Provider, channel: Channel, body: &Value) -> Result<Vec<ChannelEvent>, Malformed> {
    let inboxes = inboxes(inbox(channel));
    let context = Context { inboxes: &inboxes, inbox: &inboxes.inboxes[0], received_at: now() };
    provider.parse(&request(body.to_string().as_bytes()), &context)
}

/// A part of a fixture, as JSON.
pub(crate) fn part(fixture: &str, name: &str) -> String {
    let fixture: Value = serde_json::from_str(fixture).unwrap();
    fixture[name].to_string()
}

/// The body of a form.
pub(crate) fn form(fields: &[(&str, &str)]) -> Vec<u8> {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish().into_bytes()
}

/// What a form says in the inbox of [`inbox`].
pub(crate) fn read_form(
    provider: &dyn Provider,
    channel: Channel,
    fields: &[(&str, &str)],
) -> Result<Vec<ChannelEvent>, Malformed> {
    let inboxes = inboxes(inbox(channel));
    let context = Context { inboxes: &inboxes, inbox: &inboxes.inboxes[0], received_at: now() };
    provider.parse(&request(&form(fields)), &context)
}

/// The request with the headers that sign it.
pub(crate) fn signed_by<'a>(
    provider: &dyn Provider,
    unsigned: &Request<'a>,
    secrets: &InboxSecrets,
    at: Moment,
) -> Request<'a> {
    let headers = provider.sign(unsigned, secrets, at).unwrap();
    let headers = headers.into_iter().map(|(name, value)| (name.into(), value.into()));
    Request { headers: unsigned.headers.iter().cloned().chain(headers).collect(), ..unsigned.clone() }
}

/// What every signature keeps: the right one is taken; without it, cut, with another secret, or over another body it is not.
pub(crate) fn signature_keeps(provider: &dyn Provider, unsigned: &Request<'_>) {
    let right = secrets("right secret");
    let signed = |secrets: &InboxSecrets| signed_by(provider, unsigned, secrets, now());
    let request = signed(&right);
    assert_eq!(provider.verify(&request, &right, now()), Ok(()));
    let mut both = secrets("new");
    both.signing.extend(right.signing.clone());
    both.webhook.extend(right.webhook.clone());
    assert_eq!(provider.verify(&request, &both, now()), Ok(()), "while secrets change, both are good");

    assert!(provider.verify(unsigned, &right, now()).is_err(), "unsigned");
    assert_eq!(provider.verify(&signed(&secrets("wrong")), &right, now()), Err(Refused::WrongSignature));
    assert_eq!(provider.verify(&request, &InboxSecrets::default(), now()), Err(Refused::NoSecret));
    assert_eq!(provider.verify(&request, &secrets(""), now()), Err(Refused::NoSecret));
    for index in 0..request.headers.len() {
        let mut cut = request.clone();
        let value = cut.headers[index].1.to_string();
        let kept: String = value.chars().take(value.chars().count().saturating_sub(3)).collect();
        if kept != value && !unsigned.headers.contains(&request.headers[index]) {
            cut.headers[index].1 = kept.into();
            assert!(provider.verify(&cut, &right, now()).is_err(), "cut {}", cut.headers[index].0);
        }
        if unsigned.headers.contains(&request.headers[index]) {
            continue;
        }
        for encoded in encoded_otherwise(&value) {
            let mut other = request.clone();
            other.headers[index].1 = encoded.clone().into();
            assert!(provider.verify(&other, &right, now()).is_err(), "{}: {encoded}", other.headers[index].0);
        }
    }
}

/// The same signature in capitals, in hexadecimal where it is in base 64, and the other way round. Nothing for what is none.
fn encoded_otherwise(value: &str) -> Vec<String> {
    const MAC_BYTES: usize = 20;
    let prefix = ["sha256=", "v0=", "v1,"].into_iter().find(|prefix| value.starts_with(prefix)).unwrap_or_default();
    let mac = &value[prefix.len()..];
    let (hex, base64) = (data_encoding::HEXLOWER.decode(mac.as_bytes()), STANDARD.decode(mac.as_bytes()));
    let others = match (hex, base64) {
        (Ok(bytes), _) if bytes.len() >= MAC_BYTES => vec![mac.to_uppercase(), STANDARD.encode(&bytes)],
        (_, Ok(bytes)) if bytes.len() >= MAC_BYTES => vec![data_encoding::HEXLOWER.encode(&bytes), mac.to_lowercase()],
        _ => Vec::new(),
    };
    others.into_iter().map(|other| format!("{prefix}{other}")).collect()
}

/// What a signature over the body keeps besides: any other body is refused.
pub(crate) fn body_is_signed(provider: &dyn Provider, unsigned: &Request<'_>) {
    let right = secrets("right secret");
    let mut request = signed_by(provider, unsigned, &right, now());
    let mut body = request.body.to_vec();
    for index in 0..body.len() {
        body[index] ^= 1;
        request.body = body.clone().into();
        assert!(provider.verify(&request, &right, now()).is_err(), "byte {index}");
        body[index] ^= 1;
    }
    body.push(b' ');
    request.body = body.into();
    assert!(provider.verify(&request, &right, now()).is_err());
}

/// Any JSON, often with these names in its objects and these texts in it.
pub(crate) fn any_json(names: &'static [&'static str], texts: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
        prop::sample::select(texts).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(names), inner), 0..8)
                .prop_map(|fields| fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ]
    })
}
