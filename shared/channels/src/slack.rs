//! Slack: what its Events API posts (<https://docs.slack.dev/apis/events-api/>).
//!
//! A message is named by its channel and its time: `{channel}:{ts}`. The same message may come twice, as `message` and
//! as `app_mention`: under one name and with one text, so that the second is a duplicate. Every message names its
//! thread, the root itself too: the ledger then leads from the thread to the ticket of the root before anybody
//! replies.
//!
//! A person is named by the user id alone. People of another company in a shared channel are named with their own team
//! in messages and with none in reactions: with the team in the name, one person would be two.

mod person;
mod text;

use data_encoding::HEXLOWER;
use serde::Deserialize;
use serde_json::Value;
use throughline_domain::channel::Channel;
use throughline_domain::config::Inbox;
use throughline_domain::identifier::{Identifier, IdentifierKind};
use throughline_domain::message_change::Changed;
use throughline_domain::moment::Moment;

use self::text::readable;
use crate::malformed::{Malformed, json};
use crate::provider::{Answer, ChannelEvent, Context, Provider, Request, Said, Unknown, change};
use crate::secrets::{InboxSecrets, hmac_sha256};
use crate::signature::{Refused, verify_sha256};

/// The header with the signature (<https://docs.slack.dev/authentication/verifying-requests-from-slack/>).
const SIGNATURE: &str = "x-slack-signature";
/// The header with the signed time, in seconds since 1970.
const TIMESTAMP: &str = "x-slack-request-timestamp";
/// The version of the signature: stands before it and in what is signed.
const VERSION: &str = "v0";
/// How far the signed time may be from ours either way, in milliseconds.
const SIGNED_TIME_TOLERANCE_MS: i64 = 300_000;

/// Kinds of messages by which Slack tells what happened in a channel: nobody says anything there.
const SERVICE: [&str; 33] = [
    "assistant_app_thread",
    "bot_add",
    "bot_remove",
    "channel_archive",
    "channel_canvas_updated",
    "channel_convert_to_private",
    "channel_convert_to_public",
    "channel_join",
    "channel_leave",
    "channel_name",
    "channel_posting_permissions",
    "channel_purpose",
    "channel_topic",
    "channel_unarchive",
    "document_mention",
    "ekm_access_denied",
    "group_archive",
    "group_join",
    "group_leave",
    "group_name",
    "group_purpose",
    "group_topic",
    "group_unarchive",
    "huddle_thread",
    "joiner_notification",
    "message_replied",
    "pinned_item",
    "unpinned_item",
    "reminder_add",
    "reply_broadcast",
    "sh_room_created",
    "sh_room_shared",
    "thread_locked",
];

/// Events in which no customer says anything to us.
const SILENT: [&str; 11] = [
    "app_home_opened",
    "channel_archive",
    "channel_created",
    "channel_rename",
    "file_created",
    "file_shared",
    "link_shared",
    "member_joined_channel",
    "member_left_channel",
    "message_metadata_posted",
    "team_join",
];

/// See the module.
pub(crate) struct Slack;

impl Provider for Slack {
    fn verify(&self, request: &Request<'_>, secrets: &InboxSecrets, now: Moment) -> Result<(), Refused> {
        let timestamp = request.header(TIMESTAMP).ok_or(Refused::Missing(TIMESTAMP))?;
        let given = request.header(SIGNATURE).ok_or(Refused::Missing(SIGNATURE))?;
        let given = given.strip_prefix(VERSION).and_then(|given| given.strip_prefix('='));
        let given = given.and_then(|given| HEXLOWER.decode(given.as_bytes()).ok());
        let given = given.ok_or(Refused::Malformed(SIGNATURE))?;
        let signed_s: i64 = timestamp.parse().map_err(|_| Refused::Malformed(TIMESTAMP))?;
        let signed_at = Moment::from_ms(signed_s.saturating_mul(1000));
        if now.since_ms(signed_at).abs() > SIGNED_TIME_TOLERANCE_MS {
            return Err(Refused::Stale);
        }
        verify_sha256(&secrets.signing, &signed_parts(timestamp, &request.body), &given)
    }

    /// Slack asks once whether the URL is ours, by a signed `POST`
    /// (<https://docs.slack.dev/reference/events/url_verification/>).
    fn handshake(&self, request: &Request<'_>, _secrets: &InboxSecrets) -> Result<Option<Answer>, Refused> {
        let Ok(root) = json(&request.body) else { return Ok(None) };
        if root["type"] != "url_verification" {
            return Ok(None);
        }
        Ok(root["challenge"].as_str().map(Answer::text))
    }

    fn parse(&self, request: &Request<'_>, context: &Context<'_>) -> Result<Vec<ChannelEvent>, Malformed> {
        let root = json(&request.body)?;
        let unknown = |reason: &str| ChannelEvent::Unknown(Unknown::of(&root, root["event_id"].as_str(), reason));
        let one = match root.get("type").and_then(Value::as_str) {
            Some("event_callback") => event(&root, context).unwrap_or_else(unknown),
            Some("app_rate_limited") => unknown("events are left out: the app gets too many"),
            Some(_) => unknown("its type is not known"),
            None => return Err(Malformed::NotUnderstood("there is no text `type`".to_owned())),
        };
        Ok(vec![one])
    }

    fn sign(&self, request: &Request<'_>, secrets: &InboxSecrets, now: Moment) -> Option<Vec<(&'static str, String)>> {
        let timestamp = now.ms().div_euclid(1000).to_string();
        let mac = hmac_sha256(secrets.signing.first()?.as_bytes(), &signed_parts(&timestamp, &request.body));
        Some(vec![(SIGNATURE, format!("{VERSION}={}", HEXLOWER.encode(&mac))), (TIMESTAMP, timestamp)])
    }
}

fn signed_parts<'a>(timestamp: &'a str, body: &'a [u8]) -> [&'a [u8]; 5] {
    [VERSION.as_bytes(), b":", timestamp.as_bytes(), b":", body]
}

/// What stands around an event.
#[derive(Deserialize)]
struct Envelope {
    team_id: Option<String>,
    event_id: Option<String>,
    #[serde(default)]
    authorizations: Vec<Authorization>,
}

/// For whom the event comes: our bot in a team.
#[derive(Deserialize)]
struct Authorization {
    team_id: Option<String>,
    user_id: Option<String>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    subtype: Option<String>,
    channel: Option<Value>,
    deleted_ts: Option<String>,
    message: Option<Post>,
    previous_message: Option<Post>,
    reaction: Option<String>,
    item: Option<Item>,
    event_ts: Option<String>,
    #[serde(flatten)]
    post: Post,
}

/// A message, or what it was.
#[derive(Default, Deserialize)]
struct Post {
    ts: Option<String>,
    thread_ts: Option<String>,
    user: Option<String>,
    bot_id: Option<String>,
    text: Option<String>,
    #[serde(default)]
    files: Vec<File>,
    #[serde(default)]
    attachments: Vec<Attached>,
    edited: Option<Value>,
    #[serde(rename = "subtype")]
    kind: Option<String>,
}

/// What is shown below a message: one that was forwarded (`is_share`), or the preview of a link.
#[derive(Deserialize)]
struct Attached {
    #[serde(default)]
    is_share: bool,
    author_name: Option<String>,
    text: Option<String>,
    #[serde(default)]
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    id: String,
    name: Option<String>,
    mimetype: Option<String>,
    size: Option<u64>,
    url_private: Option<String>,
    mode: Option<String>,
}

/// What somebody reacts to.
#[derive(Deserialize)]
struct Item {
    #[serde(rename = "type")]
    kind: String,
    channel: Option<String>,
    ts: Option<String>,
}

/// An event with what it is read by.
struct Reader<'a> {
    envelope: Envelope,
    event: Event,
    channel: String,
    inbox: &'a Inbox,
    received_at: Moment,
}

/// The event in its envelope, or why it is not understood.
fn event(root: &Value, context: &Context<'_>) -> Result<ChannelEvent, &'static str> {
    const WRONG_TYPE: &str = "a field has another type than documented";
    let raw = root.get("event").ok_or("there is no event")?;
    let envelope = Envelope::deserialize(root).map_err(|_| WRONG_TYPE)?;
    let kind = raw.get("type").and_then(Value::as_str).ok_or(WRONG_TYPE)?;
    match kind {
        "message" | "app_mention" | "reaction_added" | "reaction_removed" => (),
        "user_change" | "user_profile_changed" => return Ok(person::changed(raw, &envelope, context)),
        "app_uninstalled" | "tokens_revoked" => return Err("the app was taken out of the team"),
        silent if SILENT.contains(&silent) => return Ok(dropped("it says nothing to us")),
        _ => return Err("its type is not known"),
    }
    let event = Event::deserialize(raw).map_err(|_| WRONG_TYPE)?;
    let item = event.item.as_ref().and_then(|item| item.channel.as_deref());
    let channel = event.channel.as_ref().and_then(Value::as_str).or(item).unwrap_or_default().to_owned();
    let inbox = inbox(&channel, &envelope, context).ok_or("no inbox is for this team")?;
    Reader { envelope, event, channel, inbox, received_at: context.received_at }.read()
}

/// An inbox is for one channel, for one team, or for one bot; the narrowest is taken.
fn inbox<'a>(channel: &str, envelope: &Envelope, context: &Context<'a>) -> Option<&'a Inbox> {
    let ours = |ours: &Authorization| [ours.team_id.clone(), ours.user_id.clone()];
    let ours = envelope.authorizations.iter().flat_map(ours).flatten();
    let mut accounts = [channel.to_owned()].into_iter().chain(envelope.team_id.clone()).chain(ours);
    accounts.find_map(|account| context.inbox_of(Channel::Slack, Some(&account)))
}

impl Reader<'_> {
    fn read(&self) -> Result<ChannelEvent, &'static str> {
        if matches!(self.event.kind.as_str(), "reaction_added" | "reaction_removed") {
            return self.reaction();
        }
        if self.channel.is_empty() {
            return Err("there is no channel");
        }
        match self.event.subtype.as_deref() {
            None if self.event.message.is_some() => Ok(dropped("a notice that a thread has a reply")),
            None | Some("file_share" | "thread_broadcast" | "me_message") => self.message(),
            Some("message_changed") => self.changed(),
            Some("message_deleted") => self.deleted(),
            Some("bot_message") => Ok(dropped("a message of a bot")),
            Some(service) if SERVICE.contains(&service) => Ok(dropped("a notice of the service")),
            Some(_) => Err("its subtype is not known"),
        }
    }

    fn message(&self) -> Result<ChannelEvent, &'static str> {
        let post = &self.event.post;
        if self.is_bots(post) {
            return Ok(dropped("a message of a bot"));
        }
        let user = post.user.as_deref().ok_or("nobody is named as its sender")?;
        let ts = post.ts.as_deref().ok_or("it has no time")?;
        let mut said = Said::by(IdentifierKind::Slack, user, None, &self.id_of(ts));
        said.text = readable(post.text.as_deref().unwrap_or_default());
        said.thread = Some(self.id_of(post.thread_ts.as_deref().unwrap_or(ts)));
        said.sent_at = moment(ts);
        for file in &post.files {
            put_file(file, &mut said);
        }
        for forwarded in post.attachments.iter().filter(|attached| attached.is_share) {
            let by = forwarded.author_name.as_deref().map(|name| format!(" from {name}")).unwrap_or_default();
            let text = readable(forwarded.text.as_deref().unwrap_or_default());
            let before = if said.text.is_empty() { "" } else { "\n\n" };
            said.text.push_str(&format!("{before}(forwarded{by})\n{text}"));
            for file in &forwarded.files {
                put_file(file, &mut said);
            }
        }
        Ok(ChannelEvent::Message(Box::new(said.into_inbound(self.inbox, self.received_at))))
    }

    fn changed(&self) -> Result<ChannelEvent, &'static str> {
        let post = self.event.message.as_ref().ok_or("it does not say what the message is now")?;
        if self.is_bots(post) {
            return Ok(dropped("a message of a bot"));
        }
        // What is left of a deleted message that has replies.
        if post.kind.as_deref() == Some("tombstone") {
            let before = self.event.previous_message.as_ref();
            return self.deleted_one(post.ts.as_deref(), before.unwrap_or(post));
        }
        let before = self.event.previous_message.as_ref().and_then(|before| before.text.as_ref());
        let is_same = before.map_or(post.edited.is_none(), |before| Some(before) == post.text.as_ref());
        if is_same {
            return Ok(dropped("only what surrounds the text changed, such as the preview of a link"));
        }
        let text = readable(post.text.as_deref().unwrap_or_default());
        self.change(post.ts.as_deref(), post.user.as_deref(), Changed::Edited { text })
    }

    fn deleted(&self) -> Result<ChannelEvent, &'static str> {
        let before = self.event.previous_message.as_ref().unwrap_or(&self.event.post);
        self.deleted_one(self.event.deleted_ts.as_deref(), before)
    }

    fn deleted_one(&self, ts: Option<&str>, before: &Post) -> Result<ChannelEvent, &'static str> {
        if self.is_bots(before) {
            return Ok(dropped("a message of a bot"));
        }
        self.change(ts, before.user.as_deref(), Changed::Deleted)
    }

    fn reaction(&self) -> Result<ChannelEvent, &'static str> {
        let item = self.event.item.as_ref().ok_or("it does not say what it is about")?;
        if item.kind != "message" {
            return Ok(dropped("a reaction to something that is no message"));
        }
        if self.is_bots(&self.event.post) {
            return Ok(dropped("a reaction of ours"));
        }
        let emoji = self.event.reaction.clone().ok_or("it does not say with what")?;
        let removed = self.event.kind == "reaction_removed";
        self.change(item.ts.as_deref(), self.event.post.user.as_deref(), Changed::Reacted { emoji, removed })
    }

    fn change(&self, ts: Option<&str>, by: Option<&str>, changed: Changed) -> Result<ChannelEvent, &'static str> {
        let of = self.id_of(ts.ok_or("it does not say which message it is about")?);
        let by = by.and_then(|by| Identifier::new(IdentifierKind::Slack, by, None).ok());
        let by = by.ok_or("nobody is named who did it")?;
        let at = self.event.event_ts.as_deref();
        let id = self.envelope.event_id.as_deref().or(at).unwrap_or_default();
        let change = change(&of, id, &by, changed, at.and_then(moment), self.inbox, self.received_at);
        Ok(ChannelEvent::Change(Box::new(change)))
    }

    /// Whether it is our own, or another program's.
    fn is_bots(&self, post: &Post) -> bool {
        let is_ours = |user: &String| {
            self.envelope.authorizations.iter().any(|authorization| authorization.user_id.as_ref() == Some(user))
        };
        post.bot_id.is_some() || post.user.as_ref().is_some_and(is_ours)
    }

    fn id_of(&self, ts: &str) -> String {
        format!("{}:{ts}", self.channel)
    }
}

fn put_file(file: &File, said: &mut Said) {
    if matches!(file.mode.as_deref(), Some("tombstone" | "hidden_by_limit")) {
        said.warnings.push("a file is not there any more".to_owned());
        return;
    }
    let kind = file.mimetype.as_deref().unwrap_or("application/octet-stream");
    let held = file.url_private.as_deref().unwrap_or(&file.id);
    said.file(held, file.name.as_deref(), kind, file.size);
}

/// The moment in a time of Slack: seconds, a point, and what tells messages of one second apart.
fn moment(ts: &str) -> Option<Moment> {
    let (seconds, fraction) = ts.split_once('.').unwrap_or((ts, ""));
    let seconds: i64 = seconds.parse().ok()?;
    let ms: i64 = format!("{fraction:0<3}").get(..3).and_then(|ms| ms.parse().ok()).unwrap_or_default();
    Some(Moment::from_ms(seconds.saturating_mul(1000).saturating_add(ms)))
}

fn dropped(why: &'static str) -> ChannelEvent {
    ChannelEvent::Dropped { why }
}

#[cfg(test)]
mod tests;
