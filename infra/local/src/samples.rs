//! Samples of what providers post (`events/ingest-webhook/{channel}/*.json`), posted as they post it.

use std::path::Path;

use anyhow::Context;
use bytes::Bytes;
use http::Method;
use serde::Deserialize;
use serde_json::Value;
use throughline_channels::provider::{Request, provider};
use throughline_channels::secrets::InboxSecrets;
use throughline_domain::channel::Channel;
use throughline_domain::moment::Moment;

use crate::client::{Answer, Client};

/// What a provider posts, as far as it is needed to post it.
#[derive(Clone, Debug, Deserialize)]
pub struct Sample {
    /// What it shows.
    pub what: String,
    /// The account that it is for; any, if none is named.
    #[serde(default)]
    pub account: Option<String>,
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
        let sample = serde_json::from_slice(&text).with_context(|| format!("{}: no sample", path.display()))?;
        Ok((channel, sample))
    }

    /// The raw body.
    pub fn raw(&self) -> Bytes {
        match (&self.body, &self.form) {
            (Some(Value::String(raw)), _) => Bytes::from(raw.clone()),
            (Some(body), _) => Bytes::from(body.to_string()),
            (None, form) => {
                let pairs = form.iter().flatten();
                Bytes::from(form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish())
            }
        }
    }
}

/// Posts a body to an inbox, signed as its provider signs; gives back what was sent besides the body, too.
///
/// # Errors
/// When no provider posts on the channel, the secrets cannot sign, or there is no answer.
pub async fn post(
    client: &Client,
    channel: Channel,
    inbox: &str,
    secrets: &InboxSecrets,
    now: Moment,
    body: Bytes,
) -> anyhow::Result<(Answer, Vec<(&'static str, String)>)> {
    let provider = provider(channel).with_context(|| format!("no provider posts on {channel}"))?;
    let path = format!("/v1/channels/{channel}/{inbox}");
    let unsigned = Request { url: client.url(&path).into(), headers: Vec::new(), body: (&body[..]).into() };
    let signed = provider.sign(&unsigned, secrets, now).context("the inbox has no secret that signs")?;
    let mut headers = vec![("content-type", provider.content_type().to_owned())];
    headers.extend(signed);
    let given: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = client.send(Method::POST, &path, &given, body.clone()).await?;
    Ok((answer, headers))
}
