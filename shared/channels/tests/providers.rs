//! Every provider against its fixtures (`events/ingest-webhook/{channel}/*.json`): each is read as it says there, signed
//! and verified, and no damage makes a reader panic.
#![allow(clippy::unwrap_used, clippy::allow_attributes, reason = "a test")]

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;
use throughline_channels::malformed::Malformed;
use throughline_channels::provider::{ChannelEvent, Context, Provider, Request, provider};
use throughline_channels::secrets::InboxSecrets;
use throughline_domain::channel::Channel;
use throughline_domain::config::{Inbox, Inboxes};
use throughline_domain::message::Visibility;
use throughline_domain::message_change::{Changed, MessageChange};
use throughline_domain::moment::Moment;

/// Fewest fixtures of a channel.
const FIXTURES_MIN: usize = 6;

/// A fixture: what a provider posts, and how it is to be read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixture {
    /// What it shows.
    what: String,
    /// The inbox's account; any, if none is given.
    #[serde(default)]
    account: Option<String>,
    /// Other inboxes of the stack.
    #[serde(default)]
    others: Vec<Inbox>,
    /// JSON, or a text that is the raw body.
    #[serde(default)]
    body: Option<Value>,
    /// Fields of a form.
    #[serde(default)]
    form: Option<Vec<(String, String)>>,
    /// One line for each event, as [`line`] writes it.
    reads: Vec<String>,
}

impl Fixture {
    fn raw(&self) -> Vec<u8> {
        match (&self.body, &self.form) {
            (Some(Value::String(raw)), None) => raw.clone().into_bytes(),
            (Some(body), None) => body.to_string().into_bytes(),
            (None, Some(form)) => {
                form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish().into_bytes()
            }
            _ => panic!("a fixture has either a body or a form"),
        }
    }

    fn inboxes(&self, channel: Channel) -> Inboxes {
        let own = serde_json::json!({"id": "main", "channel": channel, "country": "CH", "account": self.account});
        let own: Inbox = serde_json::from_value(own).unwrap();
        Inboxes { inboxes: [own].into_iter().chain(self.others.iter().cloned()).collect(), ..Inboxes::default() }
    }
}

fn now() -> Moment {
    "2026-11-20T14:00:00.000Z".parse().unwrap()
}

fn request(channel: Channel, body: &[u8]) -> Request<'_> {
    let url = format!("https://desk.example/v1/channels/{channel}/main");
    Request { url: Cow::Owned(url), headers: Vec::new(), body: body.into() }
}

/// A provider with its fixtures.
type Known = (Channel, &'static dyn Provider, Vec<(PathBuf, Fixture)>);

/// The providers with their fixtures.
fn all() -> Vec<Known> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/ingest-webhook");
    let fixtures = |channel: Channel| {
        let files = std::fs::read_dir(folder.join(channel.as_str())).into_iter().flatten();
        let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
        files.sort();
        let read = |path: PathBuf| {
            let fixture = serde_json::from_slice(&std::fs::read(&path).unwrap());
            let fixture = fixture.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path, fixture)
        };
        files.into_iter().map(read).collect()
    };
    let known = Channel::ALL.into_iter().filter_map(|channel| Some((channel, provider(channel)?, fixtures(channel))));
    known.collect()
}

fn parse(
    provider: &dyn Provider,
    channel: Channel,
    fixture: &Fixture,
    body: &[u8],
) -> Result<Vec<ChannelEvent>, Malformed> {
    let inboxes = fixture.inboxes(channel);
    let context = Context { inboxes: &inboxes, inbox: &inboxes.inboxes[0], received_at: now() };
    provider.parse(&request(channel, body), &context)
}

/// An event in one line.
fn line(event: &ChannelEvent) -> String {
    match event {
        ChannelEvent::Message(inbound) => {
            let message = &inbound.message;
            let claims: Vec<_> = inbound.claims.iter().map(|claim| claim.identifier.to_string()).collect();
            let mut line = format!("message {} from {}", message.provider_message_id, claims.join(" + "));
            let mut add = |what: &str, said: Option<String>| {
                if let Some(said) = said {
                    line.push_str(&format!(", {what} {said}"));
                }
            };
            add("named", message.sender.name.clone());
            add("in", (message.inbox.as_str() != "main").then(|| message.inbox.to_string()));
            add("seen by", (message.visibility == Visibility::Public).then(|| "everybody".to_owned()));
            add("about", message.subject.clone());
            add("quoting", message.quoted_message_id.clone());
            add("call", message.call.as_ref().map(|call| format!("{:?} {}", call.stage, call.id).to_lowercase()));
            add("rated", inbound.score.map(|score| score.to_string()));
            add("handed over by", message.handoff.as_ref().map(|handoff| handoff.bot_id.clone()));
            for file in &message.attachments {
                let held = file.held_by_channel.as_deref().unwrap_or("?");
                add("file", Some(format!("{} ({}, {} bytes, {held})", file.filename, file.content_type, file.size)));
            }
            for warning in &message.warnings {
                add("warning", Some(warning.clone()));
            }
            format!("{line}: {}", message.text)
        }
        ChannelEvent::Change(change) => {
            let MessageChange { sender, change, .. } = &**change;
            let by = format!("{}:{}", sender.kind, sender.value);
            match change {
                Changed::Edited { text } => format!("edited by {by}: {text}"),
                Changed::Deleted => format!("deleted by {by}"),
                Changed::Transcribed { text } => format!("transcribed, said by {by}: {text}"),
                Changed::Reacted { emoji, removed: false } => format!("reacted by {by}: {emoji}"),
                Changed::Reacted { emoji, removed: true } => format!("reaction removed by {by}: {emoji}"),
                Changed::Reported { state, reason, .. } => {
                    let reason = reason.as_deref().map(|reason| format!(", {reason}")).unwrap_or_default();
                    format!("{} to {by}{reason}", format!("{state:?}").to_lowercase())
                }
            }
        }
        ChannelEvent::Profile(told) => {
            let parts = [("named", &told.name), ("called", &told.handle)].into_iter();
            let parts: String = parts.filter_map(|(what, told)| Some(format!(", {what} {}", told.as_ref()?))).collect();
            format!("profile of {}{parts}", told.identifier)
        }
        ChannelEvent::Consent(consent) => {
            let wants = if consent.wanted { "wants messages" } else { "wants no messages" };
            format!("{} {wants}: {}", consent.identifier, consent.because)
        }
        ChannelEvent::Dropped { why } => format!("dropped: {why}"),
        ChannelEvent::Unknown(unknown) => format!("unknown {}: {}", unknown.name, unknown.reason),
    }
}

#[test]
fn every_fixture_is_read_as_it_says() {
    let mut wrong = Vec::new();
    for (channel, provider, fixtures) in all() {
        assert!(fixtures.len() >= FIXTURES_MIN, "{channel} has {} fixtures", fixtures.len());
        for (path, fixture) in fixtures {
            let read: Vec<String> = match parse(provider, channel, &fixture, &fixture.raw()) {
                Ok(events) => events.iter().map(line).collect(),
                Err(error) => vec![error.to_string()],
            };
            if read != fixture.reads {
                let read = serde_json::to_string_pretty(&read).unwrap();
                wrong.push(format!("{} ({}) is read as\n{read}", path.display(), fixture.what));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_fixture_is_verified_signed_and_refused_unsigned() {
    let secrets = InboxSecrets {
        signing: vec!["secret".to_owned()],
        webhook: vec!["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned()],
        ..InboxSecrets::default()
    };
    for (channel, provider, fixtures) in all() {
        for (path, fixture) in fixtures {
            let raw = fixture.raw();
            let unsigned = request(channel, &raw);
            assert!(provider.verify(&unsigned, &secrets, now()).is_err(), "{}", path.display());
            let headers = provider.sign(&unsigned, &secrets, now()).expect("there is a secret");
            let headers = headers.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
            let signed = Request { headers, ..unsigned };
            assert_eq!(provider.verify(&signed, &secrets, now()), Ok(()), "{}", path.display());
        }
    }
}

#[test]
fn reading_twice_gives_the_same() {
    for (channel, provider, fixtures) in all() {
        for (path, fixture) in fixtures {
            let raw = fixture.raw();
            let read = || parse(provider, channel, &fixture, &raw);
            assert_eq!(read(), read(), "{}", path.display());
        }
    }
}

/// Every value of the JSON in turn becomes another: parsers take whatever there is.
#[test]
fn a_value_of_another_type_never_makes_a_reader_panic() {
    let others =
        [Value::Null, Value::from(-1), Value::from("\u{0}\n💥"), serde_json::json!([[]]), serde_json::json!({})];
    for (channel, provider, fixtures) in all() {
        for (_, fixture) in fixtures {
            let Some(body) = fixture.body.as_ref().filter(|body| !body.is_string()) else { continue };
            let mut pointers = Vec::new();
            pointers_of(body, String::new(), &mut pointers);
            for pointer in pointers {
                for other in &others {
                    let mut body = body.clone();
                    if let Some(place) = body.pointer_mut(&pointer) {
                        place.clone_from(other);
                    }
                    let _ = parse(provider, channel, &fixture, body.to_string().as_bytes());
                }
            }
        }
    }
}

fn pointers_of(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| pointers_of(item, format!("{at}/{index}"), found));
        }
        Value::Object(fields) => fields.iter().for_each(|(name, field)| {
            pointers_of(field, format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found);
        }),
        _ => (),
    }
    found.push(at);
}

/// The names and texts in all fixtures: what a reader looks for.
fn words() -> (Vec<String>, Vec<String>) {
    fn gather(value: &Value, names: &mut BTreeSet<String>, texts: &mut BTreeSet<String>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| gather(item, names, texts)),
            Value::Object(fields) => fields.iter().for_each(|(name, field)| {
                names.insert(name.clone());
                gather(field, names, texts);
            }),
            Value::String(text) => {
                texts.insert(text.clone());
            }
            _ => (),
        }
    }
    let (mut names, mut texts) = (BTreeSet::new(), BTreeSet::new());
    for (_, _, fixtures) in all() {
        fixtures
            .iter()
            .filter_map(|(_, fixture)| fixture.body.as_ref())
            .for_each(|b| gather(b, &mut names, &mut texts));
    }
    (names.into_iter().collect(), texts.into_iter().collect())
}

/// Any JSON, of the names and texts that providers use.
fn any_json() -> impl Strategy<Value = Value> {
    let (names, texts) = words();
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
        prop::sample::select(texts).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(names.clone()), inner), 0..6)
                .prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for (channel, provider, fixtures) in all() {
            let _ = parse(provider, channel, &fixtures[0].1, &bytes);
            let unsigned = request(channel, &bytes);
            prop_assert!(provider.verify(&unsigned, &InboxSecrets::default(), now()).is_err());
        }
    }

    /// By itself, and in the place of any value that a reader looks at.
    #[test]
    fn any_json_is_read_or_refused(other in any_json(), at in any::<prop::sample::Index>()) {
        for (channel, provider, fixtures) in all() {
            let _ = parse(provider, channel, &fixtures[0].1, other.to_string().as_bytes());
            for (_, fixture) in &fixtures {
                let Some(mut body) = fixture.body.clone().filter(|body| !body.is_string()) else { continue };
                let mut pointers = Vec::new();
                pointers_of(&body, String::new(), &mut pointers);
                if let Some(place) = body.pointer_mut(&pointers[at.index(pointers.len())]) {
                    place.clone_from(&other);
                }
                let _ = parse(provider, channel, fixture, body.to_string().as_bytes());
            }
        }
    }

    #[test]
    fn a_damaged_body_is_read_or_refused(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        for (channel, provider, fixtures) in all() {
            for (_, fixture) in fixtures {
                let mut raw = fixture.raw();
                let at = at.index(raw.len());
                raw[at] = byte;
                if cut {
                    raw.truncate(at);
                }
                let _ = parse(provider, channel, &fixture, &raw);
            }
        }
    }
}
