//! LINE: what its Messaging API posts (<https://developers.line.biz/en/reference/messaging-api/#webhooks>).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use throughline_domain::channel::Channel;
use throughline_domain::identifier::{Identifier, IdentifierKind};
use throughline_domain::message_change::Changed;
use throughline_domain::moment::Moment;

use crate::malformed::{Malformed, json};
use crate::provider::{ChannelEvent, Consent, Context, Provider, Request, Said, Unknown, change};
use crate::secrets::{InboxSecrets, hmac_sha256};
use crate::signature::{Refused, verify_sha256};

/// The header with the base64 HMAC-SHA256 of the body under the channel secret.
const SIGNATURE: &str = "x-line-signature";

/// Events that are no message and change none.
const NOTHING_TO_US: [&str; 14] = [
    "accountLink",
    "activated",
    "beacon",
    "botResumed",
    "botSuspended",
    "deactivated",
    "delivery",
    "join",
    "leave",
    "memberJoined",
    "memberLeft",
    "membership",
    "module",
    "videoPlayComplete",
];

/// See the module.
pub(crate) struct Line;

impl Provider for Line {
    fn verify(&self, request: &Request<'_>, secrets: &InboxSecrets, _now: Moment) -> Result<(), Refused> {
        let given = request.header(SIGNATURE).ok_or(Refused::Missing(SIGNATURE))?;
        let given = STANDARD.decode(given).map_err(|_| Refused::Malformed(SIGNATURE))?;
        verify_sha256(&secrets.signing, &[&request.body], &given)
    }

    fn parse(&self, request: &Request<'_>, context: &Context<'_>) -> Result<Vec<ChannelEvent>, Malformed> {
        let root = json(&request.body)?;
        let account = root.get("destination").and_then(Value::as_str);
        // The button "verify" posts no events.
        let Some(events) = root.get("events").and_then(Value::as_array) else {
            return Err(Malformed::NotUnderstood("there is no array `events`".to_owned()));
        };
        Ok(events.iter().flat_map(|raw| event(raw, account, context)).collect())
    }

    fn sign(&self, request: &Request<'_>, secrets: &InboxSecrets, _now: Moment) -> Option<Vec<(&'static str, String)>> {
        let secret = secrets.signing.first()?;
        Some(vec![(SIGNATURE, STANDARD.encode(hmac_sha256(secret.as_bytes(), &[&request.body])))])
    }
}

/// One entry. Only what is needed is read; everything else of it is tolerated.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    webhook_event_id: Option<String>,
    timestamp: Option<i64>,
    source: Option<Source>,
    message: Option<LineMessage>,
    unsend: Option<Unsent>,
    postback: Option<Postback>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Source {
    user_id: Option<String>,
    group_id: Option<String>,
    room_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LineMessage {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
    quoted_message_id: Option<String>,
    file_name: Option<String>,
    file_size: Option<u64>,
    title: Option<String>,
    address: Option<String>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    #[serde(default)]
    keywords: Vec<String>,
    content_provider: Option<ContentProvider>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContentProvider {
    original_content_url: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Unsent {
    message_id: String,
}

#[derive(Deserialize)]
struct Postback {
    data: String,
    params: Option<Chosen>,
}

/// What somebody chose in a date picker: one of these.
#[derive(Deserialize)]
struct Chosen {
    date: Option<String>,
    time: Option<String>,
    datetime: Option<String>,
}

fn event(raw: &Value, account: Option<&str>, context: &Context<'_>) -> Vec<ChannelEvent> {
    let unknown = |reason: &str| vec![ChannelEvent::Unknown(Unknown::of(raw, raw["webhookEventId"].as_str(), reason))];
    let Some(inbox) = context.inbox_of(Channel::Line, account) else {
        return unknown("no inbox is for this destination");
    };
    let Ok(entry) = Entry::deserialize(raw) else {
        return unknown("a field has another type than documented");
    };
    if NOTHING_TO_US.contains(&entry.kind.as_str()) {
        return vec![ChannelEvent::Dropped { why: "it says nothing to us" }];
    }
    let Some(user) = entry.source.as_ref().and_then(|source| source.user_id.as_deref()) else {
        return unknown("nobody is named as its source");
    };
    let Ok(by) = Identifier::new(IdentifierKind::Line, user, None) else {
        return unknown("the id of its source is no identifier");
    };
    let at = entry.timestamp.map(Moment::from_ms);
    let consent =
        |wanted, because| vec![ChannelEvent::Consent(Consent { identifier: by.clone(), wanted, because, at })];
    let changed = |change| vec![ChannelEvent::Change(Box::new(change))];
    let id = entry.webhook_event_id.as_deref().unwrap_or_default();
    match (entry.kind.as_str(), &entry.message, &entry.unsend, &entry.postback) {
        ("message", Some(message), ..) => said(message, &entry, user).into_events(raw, inbox, context.received_at),
        ("messageEdited", Some(LineMessage { id: edited, text: Some(text), .. }), ..) => {
            let edit = Changed::Edited { text: text.clone() };
            changed(change(edited, id, &by, edit, at, inbox, context.received_at))
        }
        ("unsend", _, Some(unsent), _) => {
            changed(change(&unsent.message_id, id, &by, Changed::Deleted, at, inbox, context.received_at))
        }
        ("postback", _, _, Some(postback)) if !id.is_empty() => {
            let mut said = Said::by(IdentifierKind::Line, user, None, id);
            said.text.clone_from(&postback.data);
            let chosen = postback
                .params
                .iter()
                .find_map(|params| params.date.as_ref().or(params.time.as_ref()).or(params.datetime.as_ref()));
            if let Some(chosen) = chosen {
                said.text.push_str(&format!(" (chosen: {chosen})"));
            }
            said.sent_at = at;
            said.into_events(raw, inbox, context.received_at)
        }
        ("follow", ..) => consent(true, "followed the account"),
        ("unfollow", ..) => consent(false, "blocked the account"),
        _ => unknown("its type is not known"),
    }
}

fn said(message: &LineMessage, entry: &Entry, user: &str) -> Said {
    let mut said = Said::by(IdentifierKind::Line, user, None, &message.id);
    said.sent_at = entry.timestamp.map(Moment::from_ms);
    said.quoted.clone_from(&message.quoted_message_id);
    // In a group the conversation is the group's.
    said.thread = entry.source.as_ref().and_then(|source| source.group_id.clone().or_else(|| source.room_id.clone()));
    let external = message.content_provider.as_ref().and_then(|content| content.original_content_url.as_deref());
    let held = external.unwrap_or(&message.id);
    match message.kind.as_str() {
        "text" => said.text = message.text.clone().unwrap_or_default(),
        "image" => said.file(held, None, "image/jpeg", None),
        "video" => said.file(held, None, "video/mp4", None),
        "audio" => said.file(held, None, "audio/mp4", None),
        "file" => said.file(held, message.file_name.as_deref(), "application/octet-stream", message.file_size),
        "sticker" => said.text = format!("(sticker: {})", message.keywords.join(", ")),
        "location" => {
            let named = [message.title.as_deref(), message.address.as_deref()];
            said.text = crate::text::place(message.latitude, message.longitude, &named);
        }
        other => said.not_known("a message", other),
    }
    said
}

#[cfg(test)]
mod tests;
