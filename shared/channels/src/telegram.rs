//! Telegram: the updates that a bot gets (<https://core.telegram.org/bots/api#update>).
//!
//! A message is numbered only in its chat: its id is `{chat id}:{message id}`, which is what edits, replies and
//! reactions refer to. The parts of an album come as messages of their own.

mod content;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use throughline_domain::channel::Channel;
use throughline_domain::config::Inbox;
use throughline_domain::identifier::{Identifier, IdentifierKind};
use throughline_domain::inbound::Proof;
use throughline_domain::message_change::Changed;
use throughline_domain::moment::Moment;

use self::content::Content;
use crate::malformed::{Malformed, json};
use crate::provider::{ChannelEvent, Consent, Context, Provider, Request, Said, Unknown, change, profile};
use crate::secrets::InboxSecrets;
use crate::signature::{Refused, verify_shared};

/// The header that repeats the token set with `setWebhook` (<https://core.telegram.org/bots/api#setwebhook>).
const TOKEN: &str = "x-telegram-bot-api-secret-token";

/// Kinds of updates in which no customer says anything to us: posts of channels, and what bots for other ends get.
const SILENT: [&str; 15] = [
    "channel_post",
    "edited_channel_post",
    "message_reaction_count",
    "chat_member",
    "chat_join_request",
    "inline_query",
    "chosen_inline_result",
    "poll",
    "poll_answer",
    "shipping_query",
    "pre_checkout_query",
    "chat_boost",
    "removed_chat_boost",
    "purchased_paid_media",
    "business_connection",
];

/// See the module.
pub(crate) struct Telegram;

impl Provider for Telegram {
    fn verify(&self, request: &Request<'_>, secrets: &InboxSecrets, _now: Moment) -> Result<(), Refused> {
        let given = request.header(TOKEN).ok_or(Refused::Missing(TOKEN))?;
        verify_shared(&secrets.signing, given)
    }

    fn parse(&self, request: &Request<'_>, context: &Context<'_>) -> Result<Vec<ChannelEvent>, Malformed> {
        let root = json(&request.body)?;
        let Some(id) = root.get("update_id").and_then(Value::as_i64) else {
            return Err(Malformed::NotUnderstood("there is no number `update_id`".to_owned()));
        };
        // A token belongs to one bot: the URL names the inbox.
        let Some(inbox) = context.inbox_of(Channel::Telegram, None) else {
            return Err(Malformed::NotUnderstood("the inbox is not on this channel".to_owned()));
        };
        let update = Update { id: id.to_string(), raw: &root, inbox, received_at: context.received_at };
        Ok(update.events())
    }

    fn sign(&self, _: &Request<'_>, secrets: &InboxSecrets, _now: Moment) -> Option<Vec<(&'static str, String)>> {
        Some(vec![(TOKEN, secrets.signing.first()?.clone())])
    }
}

#[derive(Deserialize)]
struct User {
    id: i64,
    #[serde(default)]
    is_bot: bool,
    first_name: Option<String>,
    last_name: Option<String>,
    username: Option<String>,
    language_code: Option<String>,
}

impl User {
    fn name(&self) -> Option<String> {
        let names: Vec<&str> = [&self.first_name, &self.last_name].into_iter().flatten().map(String::as_str).collect();
        (!names.is_empty()).then(|| names.join(" "))
    }
}

#[derive(Deserialize)]
struct Chat {
    id: i64,
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl Chat {
    fn is_group(&self) -> bool {
        matches!(self.kind.as_deref(), Some("group" | "supergroup"))
    }
}

#[derive(Deserialize)]
struct Posted {
    message_id: i64,
    date: Option<i64>,
    edit_date: Option<i64>,
    chat: Chat,
    from: Option<User>,
    message_thread_id: Option<i64>,
    #[serde(default)]
    is_topic_message: bool,
    reply_to_message: Option<Box<Named>>,
}

/// A message that is only referred to.
#[derive(Deserialize)]
struct Named {
    message_id: i64,
    chat: Option<Chat>,
}

#[derive(Deserialize)]
struct Pressed {
    id: String,
    from: User,
    message: Option<Named>,
    data: Option<String>,
}

#[derive(Deserialize)]
struct Reacted {
    chat: Chat,
    message_id: i64,
    user: Option<User>,
    date: Option<i64>,
    #[serde(default)]
    old_reaction: Vec<Sign>,
    #[serde(default)]
    new_reaction: Vec<Sign>,
}

/// An emoji, or the id of an own one.
#[derive(PartialEq, Deserialize)]
struct Sign {
    #[serde(rename = "type")]
    kind: String,
    emoji: Option<String>,
    custom_emoji_id: Option<String>,
}

impl Sign {
    fn name(&self) -> &str {
        self.emoji.as_deref().or(self.custom_emoji_id.as_deref()).unwrap_or(&self.kind)
    }
}

#[derive(Deserialize)]
struct Membership {
    chat: Chat,
    from: User,
    date: Option<i64>,
    new_chat_member: Member,
}

#[derive(Deserialize)]
struct Member {
    status: String,
}

fn id_of(chat: &Chat, message_id: i64) -> String {
    format!("{}:{message_id}", chat.id)
}

fn moment(seconds: Option<i64>) -> Option<Moment> {
    seconds.map(|seconds| Moment::from_ms(seconds.saturating_mul(1000)))
}

/// One update: its id, and one entry that names its kind.
struct Update<'a> {
    id: String,
    raw: &'a Value,
    inbox: &'a Inbox,
    received_at: Moment,
}

impl Update<'_> {
    fn events(&self) -> Vec<ChannelEvent> {
        if let Some(entry) = self.raw.get("message") {
            return self.read(entry, |posted| self.message(&posted, entry));
        }
        if let Some(entry) = self.raw.get("edited_message") {
            return self.read(entry, |posted| vec![self.edited(&posted, entry)]);
        }
        if let Some(entry) = self.raw.get("callback_query") {
            return self.read(entry, |pressed| vec![self.pressed(pressed)]);
        }
        if let Some(entry) = self.raw.get("message_reaction") {
            return self.read(entry, |reacted| self.reacted(&reacted));
        }
        if let Some(entry) = self.raw.get("my_chat_member") {
            return self.read(entry, |membership| self.membership(&membership));
        }
        if SILENT.iter().any(|kind| self.raw.get(kind).is_some()) {
            return vec![dropped("it says nothing to us")];
        }
        vec![self.unknown("its kind is not known")]
    }

    fn read<T: DeserializeOwned>(&self, entry: &Value, with: impl Fn(T) -> Vec<ChannelEvent>) -> Vec<ChannelEvent> {
        match T::deserialize(entry) {
            Ok(read) => with(read),
            Err(_) => vec![self.unknown("a field has another type than documented")],
        }
    }

    fn unknown(&self, reason: &str) -> ChannelEvent {
        ChannelEvent::Unknown(Unknown::of(self.raw, Some(&self.id), reason))
    }

    fn message(&self, posted: &Posted, entry: &Value) -> Vec<ChannelEvent> {
        let Some(from) = &posted.from else { return vec![self.unknown("nobody is named as its sender")] };
        if from.is_bot {
            return vec![dropped("a message of a bot")];
        }
        let Ok(content) = Content::deserialize(entry) else {
            return vec![self.unknown("a field has another type than documented")];
        };
        let mut said = said_by(from, &id_of(&posted.chat, posted.message_id));
        said.sent_at = moment(posted.date);
        said.quoted = posted.reply_to_message.as_ref().map(|named| id_of(&posted.chat, named.message_id));
        said.thread = thread(posted);
        if let Some(number) = content.own_number(from.id) {
            // Telegram does not say who checked the number.
            said.claim(IdentifierKind::Phone, &number, self.inbox.country.as_deref(), Proof::Typed);
        }
        if !content.put_into(&mut said) {
            if content::is_service(entry) {
                return vec![dropped("a notice of the service")];
            }
            said.warnings.push("nothing in it is known: it is kept without its content".to_owned());
            said.keep("it has no known content");
        }
        said.into_events(self.raw, self.inbox, self.received_at)
    }

    fn edited(&self, posted: &Posted, entry: &Value) -> ChannelEvent {
        let Some(from) = &posted.from else { return self.unknown("nobody is named as its sender") };
        if from.is_bot {
            return dropped("a message of a bot");
        }
        let Ok(content) = Content::deserialize(entry) else {
            return self.unknown("a field has another type than documented");
        };
        if content.is_moving() {
            return dropped("a shared place that moves");
        }
        let of = id_of(&posted.chat, posted.message_id);
        let mut said = Said::default();
        if !content.put_into(&mut said) {
            return self.unknown("it has no known content");
        }
        self.change(&of, "", from, Changed::Edited { text: said.text }, posted.edit_date.or(posted.date))
    }

    fn pressed(&self, pressed: Pressed) -> ChannelEvent {
        let mut said = said_by(&pressed.from, &format!("callback:{}", pressed.id));
        let Some(data) = pressed.data else { return dropped("a button that says nothing") };
        said.text = data;
        let chat = pressed.message.as_ref().and_then(|named| Some((named, named.chat.as_ref()?)));
        said.quoted = chat.map(|(named, chat)| id_of(chat, named.message_id));
        said.thread = chat.and_then(|(_, chat)| chat.is_group().then(|| chat.id.to_string()));
        self.said(said)
    }

    fn reacted(&self, reacted: &Reacted) -> Vec<ChannelEvent> {
        let Some(user) = &reacted.user else { return vec![dropped("a reaction of nobody in particular")] };
        let of = id_of(&reacted.chat, reacted.message_id);
        let one = |sign: &Sign, removed: bool| {
            let emoji = sign.name().to_owned();
            let id = format!("{}:{removed}", sign.name());
            self.change(&of, &id, user, Changed::Reacted { emoji, removed }, reacted.date)
        };
        let gone = reacted.old_reaction.iter().filter(|sign| !reacted.new_reaction.contains(sign));
        let new = reacted.new_reaction.iter().filter(|sign| !reacted.old_reaction.contains(sign));
        gone.map(|sign| one(sign, true)).chain(new.map(|sign| one(sign, false))).collect()
    }

    /// Whether somebody wants our messages; and how they call themselves, for Telegram tells of a new name by nothing else.
    fn membership(&self, membership: &Membership) -> Vec<ChannelEvent> {
        if membership.chat.kind.as_deref() != Some("private") {
            return vec![dropped("the bot was added to a group or taken out of one")];
        }
        let (wanted, because) = match membership.new_chat_member.status.as_str() {
            "kicked" => (false, "blocked the bot"),
            "member" => (true, "unblocked the bot"),
            _ => return vec![self.unknown("the state of the membership is not known")],
        };
        let from = &membership.from;
        let Some(who) = identifier(from) else {
            return vec![self.unknown("the id of its sender is no identifier")];
        };
        let at = moment(membership.date);
        let handle = from.username.as_ref().map(|username| format!("@{username}"));
        let told = profile(who.clone(), from.name().as_deref(), handle.as_deref(), at, self.inbox, self.received_at);
        let consent = ChannelEvent::Consent(Consent { identifier: who, wanted, because, at });
        [consent].into_iter().chain(told.map(|told| ChannelEvent::Profile(Box::new(told)))).collect()
    }

    fn said(&self, said: Said) -> ChannelEvent {
        ChannelEvent::Message(Box::new(said.into_inbound(self.inbox, self.received_at)))
    }

    /// A change that this update tells; `part` tells it from the others of the same update.
    fn change(&self, of: &str, part: &str, by: &User, changed: Changed, at: Option<i64>) -> ChannelEvent {
        let Some(by) = identifier(by) else { return self.unknown("the id of its sender is no identifier") };
        let id = format!("{}:{part}", self.id);
        ChannelEvent::Change(Box::new(change(of, &id, &by, changed, moment(at), self.inbox, self.received_at)))
    }
}

fn identifier(user: &User) -> Option<Identifier> {
    Identifier::new(IdentifierKind::Telegram, &user.id.to_string(), None).ok()
}

fn said_by(from: &User, id: &str) -> Said {
    let mut said = Said::by(IdentifierKind::Telegram, &from.id.to_string(), None, id);
    said.name = from.name();
    said.language.clone_from(&from.language_code);
    said
}

/// In a group the conversation is the group's, or that of one of its topics.
fn thread(posted: &Posted) -> Option<String> {
    let topic = posted.message_thread_id.filter(|_| posted.is_topic_message);
    let group = posted.chat.is_group().then_some(posted.chat.id)?;
    Some(topic.map_or_else(|| group.to_string(), |topic| format!("{group}:{topic}")))
}

fn dropped(why: &'static str) -> ChannelEvent {
    ChannelEvent::Dropped { why }
}

#[cfg(test)]
mod tests;
