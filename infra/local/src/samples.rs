//! Samples of what is posted to channels (`events/ingest-webhook/{channel}/*.json`), posted as their senders post it: with
//! the sender's headers, and with the signature that the seed's secrets and the time of sending make.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use bytes::Bytes;
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use throughline_channels::provider::{Request, provider};
use throughline_channels::secrets::InboxSecrets;
use throughline_channels::{web_chat, webhook};
use throughline_domain::channel::Channel;
use throughline_domain::id::InboxId;
use throughline_domain::moment::Moment;

use crate::client::{Answer, Client};
use crate::seed::Seed;

/// Where the samples are, seen from the repository's folder.
pub const FOLDER: &str = "events/ingest-webhook";
/// What is posted where nobody says otherwise.
const JSON: &str = "application/json";

/// What somebody posts, as far as it is needed to post it.
#[derive(Clone, Debug)]
pub struct Sample {
    /// What it shows.
    pub what: String,
    /// The account that it is for; any, if none is named.
    pub account: Option<String>,
    /// The headers that its sender gives it besides the signature.
    pub headers: BTreeMap<String, String>,
    /// What opens the chat's session in which it is posted.
    session: Value,
    /// The raw body.
    pub raw: Bytes,
}

/// The file of a sample.
#[derive(Deserialize)]
struct File {
    what: String,
    #[serde(default)]
    account: Option<String>,
    headers: BTreeMap<String, String>,
    #[serde(default)]
    session: Option<Value>,
    /// JSON, or a text that is the raw body.
    #[serde(default)]
    body: Option<Value>,
    /// Fields of a form.
    #[serde(default)]
    form: Option<Vec<(String, String)>>,
}

impl Sample {
    /// The sample in a file, and the channel that its folder names.
    ///
    /// # Errors
    /// When there is no sample in the file, or the folder names no channel.
    pub fn read(path: &Path) -> anyhow::Result<(Channel, Self)> {
        let folder = path.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default();
        let channel = folder.parse().with_context(|| format!("{}: its folder names no channel", path.display()))?;
        let text = std::fs::read(path).with_context(|| path.display().to_string())?;
        let file: File = serde_json::from_slice(&text).with_context(|| format!("{}: no sample", path.display()))?;
        let raw = match (file.body, file.form) {
            (Some(Value::String(raw)), _) => raw,
            (Some(body), _) => body.to_string(),
            (None, form) => {
                let pairs = form.into_iter().flatten();
                form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
            }
        };
        let File { what, account, headers, session, .. } = file;
        let session = session.unwrap_or_else(|| json!({}));
        Ok((channel, Self { what, account, headers, session, raw: raw.into() }))
    }

    /// All samples of a channel in a folder of samples, by their names.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn all(folder: &Path, channel: Channel) -> anyhow::Result<Vec<(PathBuf, Self)>> {
        let folder = folder.join(channel.as_str());
        let files = std::fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
        let mut files = files.map(|file| Ok(file?.path())).collect::<anyhow::Result<Vec<PathBuf>>>()?;
        files.sort();
        files.into_iter().map(|path| Self::read(&path).map(|(_, sample)| (path, sample))).collect()
    }

    /// A body with nothing but its type.
    pub fn of(channel: Channel, body: impl Into<Bytes>) -> Self {
        let content_type = provider(channel).map_or(JSON, |provider| provider.content_type());
        Self {
            what: String::new(),
            account: None,
            headers: BTreeMap::from([("content-type".to_owned(), content_type.to_owned())]),
            session: json!({}),
            raw: body.into(),
        }
    }
}

/// Somebody who posts to an inbox: a provider, a business system, a visitor, or who fills in the form.
#[derive(Clone)]
pub struct Sender {
    /// With what.
    pub client: Client,
    /// Where.
    pub channel: Channel,
    /// To which inbox there.
    pub inbox: InboxId,
    /// What is signed with.
    pub secrets: InboxSecrets,
}

impl Sender {
    /// Who posts to the inbox that the seed has for a channel.
    ///
    /// # Errors
    /// When it has none.
    pub fn of(client: &Client, seed: &Seed, channel: Channel) -> anyhow::Result<Self> {
        let inbox = seed.inboxes.inboxes.iter().find(|inbox| inbox.channel == channel);
        let inbox = inbox.with_context(|| format!("there is no inbox on {channel}"))?.id.clone();
        let secrets = seed.secrets.inboxes.get(&inbox).cloned().unwrap_or_default();
        Ok(Self { client: client.clone(), channel, inbox, secrets })
    }

    /// Where this sender posts.
    pub fn path(&self) -> String {
        format!("/v1/channels/{}/{}", self.channel, self.inbox)
    }

    /// Posts a sample, signed as its sender signs; gives back all headers that were sent, too.
    ///
    /// # Errors
    /// When nobody posts on the channel, the secrets cannot sign, or there is no answer.
    pub async fn post(&self, sample: &Sample, now: Moment) -> anyhow::Result<(Answer, BTreeMap<String, String>)> {
        let mut headers = sample.headers.clone();
        headers.extend(self.proof(sample, now).await?);
        let answer = self.send(&self.path(), &headers, sample.raw.clone()).await?;
        Ok((answer, headers))
    }

    /// The headers that say who sends this.
    async fn proof(&self, sample: &Sample, now: Moment) -> anyhow::Result<Vec<(String, String)>> {
        let signed = match (provider(self.channel), self.channel) {
            (Some(provider), _) => {
                let url = self.client.url(&self.path()).into();
                let unsigned = Request { url, headers: Vec::new(), body: (&sample.raw[..]).into() };
                provider.sign(&unsigned, &self.secrets, now)
            }
            (None, Channel::Webhook) => webhook::signed(&sample.raw, &self.secrets.webhook, now),
            (None, Channel::WebChat) => Some(vec![("authorization", self.session(sample).await?)]),
            (None, Channel::Portal) => Some(Vec::new()),
            (None, channel) => anyhow::bail!("nobody posts on {channel}"),
        };
        let signed = signed.context("the inbox has no secret that signs")?;
        Ok(signed.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// Opens the session of a chat in which a sample is posted. The page vouches for whom it names by an account.
    async fn session(&self, sample: &Sample) -> anyhow::Result<String> {
        let mut opening = sample.session.clone();
        if let Some(account) = opening.pointer("/visitor/external_id").and_then(Value::as_str) {
            let secret = self.secrets.identity.first().context("the inbox has no identity secret")?;
            opening["visitor"]["user_hash"] = web_chat::user_hash(account, secret).into();
        }
        let body = opening.to_string();
        let opened = self.send(&format!("{}/sessions", self.path()), &sample.headers, body.into()).await?.ok()?;
        let token = opened["token"].as_str().context("the session has no token")?;
        Ok(format!("Bearer {token}"))
    }

    async fn send(&self, path: &str, headers: &BTreeMap<String, String>, body: Bytes) -> anyhow::Result<Answer> {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.client.send(Method::POST, path, &headers, body).await
    }
}
