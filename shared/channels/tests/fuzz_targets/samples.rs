//! From what a target starts: the samples of the repository in the target's form.

use std::path::{Path, PathBuf};

use serde_json::Value;
use throughline_channels::provider::{self as providers, Request};
use throughline_channels::secrets::InboxSecrets;
use throughline_channels::webhook;
use throughline_domain::channel::Channel;
use throughline_domain::moment::Moment;

/// Larger samples are left out: they cost more time than they show in this little of it.
const SAMPLE_BYTES_MAX: u64 = 16 * 1024;

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All files below a folder whose names end so, in a fixed order.
fn files(folder: &Path, extension: &str) -> Vec<Vec<u8>> {
    let (mut folders, mut found) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ends| ends == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found.retain(|path| path.metadata().unwrap().len() <= SAMPLE_BYTES_MAX);
    found.into_iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// What is posted to a channel, with the JSON of its fixture.
fn posted(channel: Channel) -> Vec<(Value, Vec<u8>)> {
    let folder = root().join("events/ingest-webhook").join(channel.as_str());
    let read = |file: Vec<u8>| {
        let fixture: Value = serde_json::from_slice(&file).unwrap();
        let raw = match (&fixture["body"], fixture["form"].as_array()) {
            (Value::String(raw), _) => raw.clone(),
            (_, Some(form)) => {
                let pairs = form.iter().map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap()));
                form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
            }
            (body, None) => body.to_string(),
        };
        (fixture, raw.into_bytes())
    };
    files(&folder, "json").into_iter().map(read).collect()
}

/// The byte that chooses, and what is chosen.
fn chosen(first: usize, rest: &[u8]) -> Vec<u8> {
    [&[u8::try_from(first).unwrap()], rest].concat()
}

/// Mails.
pub(crate) fn mail() -> Vec<Vec<u8>> {
    files(&root().join("tests/fixtures/mail"), "eml")
}

/// Texts of mails, quotes and all.
pub(crate) fn reply_text() -> Vec<Vec<u8>> {
    let text = |mail: Vec<u8>| {
        let at = mail.windows(2).position(|two| two == b"\n\n").map_or(0, |at| at + 2);
        mail[at..].to_vec()
    };
    mail().into_iter().map(text).collect()
}

/// Bodies of every provider.
pub(crate) fn provider() -> Vec<Vec<u8>> {
    let known = Channel::ALL.into_iter().filter(|channel| providers::provider(*channel).is_some());
    let of = |(first, channel)| posted(channel).into_iter().map(move |(_, raw)| chosen(first, &raw));
    known.enumerate().flat_map(of).collect()
}

/// Bodies that our own channels get, in the order in which the target reads them.
pub(crate) fn own() -> Vec<Vec<u8>> {
    let chat = posted(Channel::WebChat);
    let sessions = chat.iter().map(|(fixture, _)| chosen(1, fixture["session"].to_string().as_bytes()));
    let bodies = [(0, Channel::WebChat), (3, Channel::Portal), (4, Channel::Webhook)];
    let bodies = bodies
        .into_iter()
        .flat_map(|(first, channel)| posted(channel).into_iter().map(move |(_, raw)| chosen(first, &raw)));
    // The head of a token says with what it is signed.
    let token = "eyJhbGciOiJIUzI1NiJ9.eyJhdWQiOiJ3ZWJfY2hhdC9tYWluIiwiZXhwIjo5OTk5OTk5OTk5LCJzaWQiOiJzMSJ9.c2ln";
    let upload = br#"{"filename": "lamp.png", "content_type": "image/png", "size": 4711}"#;
    sessions.chain(bodies).chain([chosen(2, token.as_bytes()), chosen(5, upload)]).collect()
}

/// Requests of every provider, signed with another secret than the target's.
pub(crate) fn verify() -> Vec<Vec<u8>> {
    let secrets = InboxSecrets {
        signing: vec!["another".to_owned()],
        webhook: vec!["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned()],
        ..InboxSecrets::default()
    };
    let now = Moment::from_ms(1_795_000_000_000);
    let known = Channel::ALL.into_iter().filter_map(|channel| Some((channel, providers::provider(channel)?)));
    let mut found = Vec::new();
    for (first, (channel, provider)) in known.enumerate() {
        for (_, raw) in posted(channel).into_iter().take(3) {
            let unsigned = Request { body: raw.as_slice().into(), ..Request::default() };
            let headers = provider.sign(&unsigned, &secrets, now).unwrap();
            let headers = headers.into_iter().chain(webhook::signed(&raw, &secrets.webhook, now).unwrap());
            let lines: String = headers.map(|(name, value)| format!("{name}: {value}\n")).collect();
            let head = format!("?hub.mode=subscribe&hub.verify_token=x&hub.challenge=1&crc_token=2\n{lines}\n");
            found.push(chosen(first, &[head.as_bytes(), &raw].concat()));
        }
    }
    found
}
