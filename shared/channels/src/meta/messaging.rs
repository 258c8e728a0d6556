//! Direct messages on Messenger and on Instagram, which have one form
//! (<https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events>).

mod content;

use serde::Deserialize;
use serde_json::Value;
use throughline_domain::channel::Channel;
use throughline_domain::config::Inbox;
use throughline_domain::identifier::{Identifier, IdentifierKind};
use throughline_domain::message_change::{Changed, DeliveryState};
use throughline_domain::moment::Moment;

use super::{MARKETING, unknown};
use crate::provider::{ChannelEvent, Context, Said, change};
use crate::tolerant::{field, list, moment, plain, text};

/// What is posted of a conversation besides what somebody says in it.
const NOTHING_TO_US: [(&str, &str); 8] = [
    ("account_linking", "somebody signed in or out"),
    ("app_roles", "another application gives or takes the conversation"),
    ("game_play", "somebody played"),
    ("pass_thread_control", "another application gives or takes the conversation"),
    ("policy_enforcement", "it is about the account"),
    ("referral", "somebody came by a link and wrote nothing yet"),
    ("request_thread_control", "another application gives or takes the conversation"),
    ("take_thread_control", "another application gives or takes the conversation"),
];

/// Which of the two it is.
#[derive(Clone, Copy)]
pub(super) struct Platform {
    /// The channel.
    pub(super) channel: Channel,
    /// What kind of name its people have.
    pub(super) kind: IdentifierKind,
    /// Why an entry is kept that is for nobody.
    pub(super) no_inbox: &'static str,
}

#[derive(Deserialize)]
struct Message {
    mid: String,
    text: Option<String>,
    #[serde(default)]
    is_echo: bool,
    #[serde(default)]
    is_self: bool,
    #[serde(default)]
    is_deleted: bool,
    #[serde(default)]
    is_unsupported: bool,
}

#[derive(Deserialize)]
struct Edit {
    mid: String,
    text: String,
    num_edit: Value,
}

#[derive(Deserialize)]
struct Postback {
    mid: Option<String>,
    title: Option<String>,
    payload: Option<String>,
}

#[derive(Deserialize)]
struct Reaction {
    mid: String,
    action: String,
    emoji: Option<String>,
    reaction: Option<String>,
}

/// An entry with what is known of it.
struct Entry<'a> {
    raw: &'a Value,
    by: Identifier,
    at: Option<Moment>,
    inbox: &'a Inbox,
    context: &'a Context<'a>,
}

/// Reads one entry of the list `messaging`. `account` is the page or the Instagram account.
pub(super) fn read(
    raw: &Value,
    account: Option<&str>,
    on: Platform,
    context: &Context<'_>,
    events: &mut Vec<ChannelEvent>,
) {
    let id = ["/message/mid", "/postback/mid"].into_iter().find_map(|place| text(raw, place));
    let unknown = |reason| unknown(raw, id, reason);
    let Some(inbox) = context.inbox_of(on.channel, account.or_else(|| text(raw, "/recipient/id"))) else {
        return events.push(unknown(on.no_inbox));
    };
    let nothing = NOTHING_TO_US.iter().find(|(name, _)| raw.get(name).is_some());
    if let Some((_, why)) = nothing.filter(|_| id.is_none()) {
        return events.push(ChannelEvent::Dropped { why });
    }
    let sender = text(raw, "/sender/id");
    if sender.is_some() && sender == account {
        return events.push(ChannelEvent::Dropped { why: "it is our own message" });
    }
    let Some(by) = sender.and_then(|sender| Identifier::new(on.kind, sender, None).ok()) else {
        return events.push(unknown("nobody is named as its sender"));
    };
    let entry = Entry { raw, by, at: moment(raw.get("timestamp")), inbox, context };
    let before = events.len();
    if entry.read(events).is_err() {
        events.truncate(before);
        events.push(unknown("a field has another type than documented"));
    } else if events.len() == before {
        events.push(unknown("its kind is not known"));
    }
}

impl Entry<'_> {
    fn read(&self, events: &mut Vec<ChannelEvent>) -> Result<(), serde_json::Error> {
        let part = |name: &str| self.raw.get(name).filter(|part| !part.is_null());
        if let Some(raw) = part("message") {
            events.extend(self.message(&Message::deserialize(raw)?, raw));
        } else if let Some(raw) = part("message_edit") {
            let edit = Edit::deserialize(raw)?;
            let id = format!("edit:{}", plain(&edit.num_edit));
            events.push(self.change(&edit.mid, &id, Changed::Edited { text: edit.text }));
        } else if let Some(raw) = part("postback") {
            events.extend(self.postback(Postback::deserialize(raw)?, raw));
        } else if let Some(raw) = part("reaction") {
            let reaction = Reaction::deserialize(raw)?;
            let id = format!("{}:{}:{}", reaction.action, self.by.value(), self.ms());
            let emoji = reaction.emoji.or(reaction.reaction).unwrap_or_default();
            let removed = reaction.action == "unreact";
            events.push(self.change(&reaction.mid, &id, Changed::Reacted { emoji, removed }));
        } else if let Some(raw) = part("delivery") {
            self.reached(list(raw, "/mids"), DeliveryState::Delivered, events);
        } else if let Some(raw) = part("read") {
            self.reached(raw.get("mid").map_or(&[], std::slice::from_ref), DeliveryState::Read, events);
        } else if part("optin").is_some() {
            events.push(unknown(self.raw, None, MARKETING));
        }
        Ok(())
    }

    fn message(&self, message: &Message, raw: &Value) -> Vec<ChannelEvent> {
        if message.is_echo || message.is_self {
            return vec![ChannelEvent::Dropped { why: "it is our own message" }];
        }
        if message.is_deleted {
            // It has the id of the message that it takes back.
            return vec![self.change(&message.mid, "deleted", Changed::Deleted)];
        }
        let mut said = Said::by(self.by.kind(), self.by.value(), None, &message.mid);
        said.text = message.text.clone().unwrap_or_default();
        said.quoted = text(raw, "/reply_to/mid").map(str::to_owned);
        if message.is_unsupported {
            said.warnings.push("the service does not hand over what was written".to_owned());
        }
        content::fill(&mut said, raw);
        self.said(said)
    }

    /// Somebody pressed a button of ours. What it was called counts; what it means to a program is a field.
    fn postback(&self, postback: Postback, raw: &Value) -> Vec<ChannelEvent> {
        let id = postback.mid.unwrap_or_else(|| format!("postback:{}:{}", self.by.value(), self.ms()));
        let mut said = Said::by(self.by.kind(), self.by.value(), None, &id);
        let title = postback.title.filter(|title| !title.trim().is_empty());
        said.text = title.or_else(|| postback.payload.clone()).unwrap_or_default();
        field(&mut said, "button", postback.payload.as_deref());
        content::referral(&mut said, raw);
        self.said(said)
    }

    /// What became of messages of ours. Which ones, is told only where they are named: Messenger tells of what is read
    /// only until when.
    fn reached(&self, mids: &[Value], state: DeliveryState, events: &mut Vec<ChannelEvent>) {
        let id = format!("{state:?}").to_lowercase();
        let mids = mids.iter().filter_map(Value::as_str);
        let before = events.len();
        events.extend(mids.map(|mid| self.change(mid, &id, Changed::Reported { state, suppress: None, reason: None })));
        if events.len() == before {
            events.push(ChannelEvent::Dropped { why: "it names no message" });
        }
    }

    fn said(&self, mut said: Said) -> Vec<ChannelEvent> {
        said.sent_at = self.at;
        said.into_events(self.raw, self.inbox, self.context.received_at)
    }

    fn change(&self, of: &str, id: &str, changed: Changed) -> ChannelEvent {
        let change = change(of, id, &self.by, changed, self.at, self.inbox, self.context.received_at);
        ChannelEvent::Change(Box::new(change))
    }

    /// The time as the provider gives it, which tells apart what has no id.
    fn ms(&self) -> i64 {
        self.at.map_or(0, Moment::ms)
    }
}

#[cfg(test)]
mod tests;
