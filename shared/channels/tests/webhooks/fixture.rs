//! Fixtures: what is posted, with the headers that its sender gives it, and how it is to be read.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use throughline_channels::malformed::Malformed;
use throughline_channels::provider::{ChannelEvent, Request, provider};
use throughline_channels::secrets::InboxSecrets;
use throughline_channels::webhook;
use throughline_domain::channel::Channel;
use throughline_domain::config::{Inbox, Inboxes};
use throughline_domain::message::Visibility;
use throughline_domain::message_change::{Changed, MessageChange};
use throughline_domain::moment::Moment;

/// Fewest fixtures of a channel.
const FIXTURES_MIN: usize = 6;
/// What is in the name of a header that proves who sent it: such a one depends on secret and time.
const OF_PROOFS: [&str; 4] = ["signature", "token", "secret", "authorization"];
/// A key by which a sender tells repetitions, and which proves nothing.
const IDEMPOTENCY: &str = "i-twilio-idempotency-token";

/// A fixture.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fixture {
    /// What it shows.
    pub(crate) what: String,
    /// The inbox's account; any, if none is given.
    #[serde(default)]
    account: Option<String>,
    /// Other inboxes of the stack.
    #[serde(default)]
    others: Vec<Inbox>,
    /// What its sender says in headers, but for the signature; names in lower case.
    headers: BTreeMap<String, String>,
    /// What opened the chat's session in which it is posted.
    #[serde(default)]
    pub(crate) session: Option<Value>,
    /// JSON, or a text that is the raw body.
    #[serde(default)]
    pub(crate) body: Option<Value>,
    /// Fields of a form.
    #[serde(default)]
    form: Option<Vec<(String, String)>>,
    /// One line for each event, as [`line`] writes it.
    reads: Vec<String>,
}

impl Fixture {
    /// The body as it is posted.
    pub(crate) fn raw(&self) -> Vec<u8> {
        match (&self.body, &self.form) {
            (Some(Value::String(raw)), None) => raw.clone().into_bytes(),
            (Some(body), None) => body.to_string().into_bytes(),
            (None, Some(form)) => {
                form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish().into_bytes()
            }
            _ => panic!("a fixture has either a body or a form"),
        }
    }

    /// The inboxes of the stack that it is posted to, the addressed one first.
    pub(crate) fn inboxes(&self, channel: Channel) -> Inboxes {
        let own = serde_json::json!({"id": "main", "channel": channel, "country": "CH", "account": self.account});
        let own: Inbox = serde_json::from_value(own).unwrap();
        Inboxes { inboxes: [own].into_iter().chain(self.others.iter().cloned()).collect(), ..Inboxes::default() }
    }

    /// A body with its headers, unsigned.
    pub(crate) fn request<'a>(&'a self, channel: Channel, body: &'a [u8]) -> Request<'a> {
        let headers = self.headers.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into()));
        Request { headers: headers.collect(), ..request(channel, body) }
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(String::as_str).unwrap_or_default()
    }
}

/// When the fixtures come.
pub(crate) fn now() -> Moment {
    "2026-11-20T14:00:00.000Z".parse().unwrap()
}

/// The secrets of their inbox.
pub(crate) fn secrets() -> InboxSecrets {
    InboxSecrets {
        signing: vec!["secret".to_owned()],
        webhook: vec!["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned()],
        session: vec!["session".to_owned()],
        identity: vec!["identity".to_owned()],
        ..InboxSecrets::default()
    }
}

/// A body without any header.
pub(crate) fn request(channel: Channel, body: &[u8]) -> Request<'_> {
    let url = format!("https://desk.example/v1/channels/{channel}/main");
    Request { url: Cow::Owned(url), headers: Vec::new(), body: body.into() }
}

/// The channels to which something is posted. Mail comes another way.
pub(crate) fn channels() -> impl Iterator<Item = Channel> {
    Channel::ALL.into_iter().filter(|channel| *channel != Channel::Email)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/ingest-webhook")
}

/// The fixtures of a channel, in a fixed order.
pub(crate) fn fixtures(channel: Channel) -> Vec<(PathBuf, Fixture)> {
    let files = std::fs::read_dir(folder().join(channel.as_str())).into_iter().flatten();
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    let read = |path: PathBuf| {
        let fixture = serde_json::from_slice(&std::fs::read(&path).unwrap());
        let fixture = fixture.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path, fixture)
    };
    files.into_iter().map(read).collect()
}

/// Reads each fixture of a channel, and tells all that are read otherwise than they say.
pub(crate) fn is_read_as_it_says(
    channel: Channel,
    fixtures: &[(PathBuf, Fixture)],
    read: impl Fn(&Fixture) -> Result<Vec<ChannelEvent>, Malformed>,
) {
    let mut wrong = Vec::new();
    assert!(fixtures.len() >= FIXTURES_MIN, "{channel} has {} fixtures", fixtures.len());
    for (path, fixture) in fixtures {
        let read: Vec<String> = match read(fixture) {
            Ok(events) => events.iter().map(line).collect(),
            Err(error) => vec![error.to_string()],
        };
        if read != fixture.reads {
            let read = serde_json::to_string_pretty(&read).unwrap();
            wrong.push(format!("{} ({}) is read as\n{read}", path.display(), fixture.what));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// An event in one line.
pub(crate) fn line(event: &ChannelEvent) -> String {
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
fn every_fixture_has_the_headers_of_its_sender_and_none_that_proves_anything() {
    for channel in channels() {
        let provider = provider(channel);
        let wanted = provider.map_or("application/json", |provider| provider.content_type());
        for (path, fixture) in fixtures(channel) {
            let at = path.display();
            let essence = fixture.header("content-type").split(';').next().unwrap_or_default();
            let is_json = essence == "application/json" || essence.ends_with("+json");
            assert!(essence == wanted || is_json, "{at}: {essence:?}");
            let raw = fixture.raw();
            let unsigned = fixture.request(channel, &raw);
            let by_provider = provider.and_then(|provider| provider.sign(&unsigned, &secrets(), now()));
            let signed = by_provider.or_else(|| webhook::signed(&raw, &secrets().webhook, now())).unwrap();
            for (name, value) in &fixture.headers {
                assert_eq!(*name, name.to_ascii_lowercase(), "{at}");
                assert!(!value.trim().is_empty(), "{at}: {name}");
                let proves = OF_PROOFS.iter().any(|part| name.contains(part)) && name != IDEMPOTENCY;
                assert!(!proves && signed.iter().all(|(known, _)| known != name), "{at}: {name} depends on a secret");
            }
        }
    }
}

/// What lies elsewhere is read by nobody.
#[test]
fn every_fixture_lies_in_the_folder_of_its_channel() {
    for found in std::fs::read_dir(folder()).unwrap() {
        let found = found.unwrap();
        let name = found.file_name();
        let channel = channels().find(|channel| name == *channel.as_str());
        assert!(found.path().is_dir() && channel.is_some(), "{}", found.path().display());
    }
}
