//! Changes of a message that exists already: edited, deleted, reacted to, delivered, read. They become events on the
//! ticket of the message that they speak of; the message itself stays in the log as it came.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::decision::Decision;
use crate::event::{
    Actor, Changes, Event, EventData, MessageDeleted, MessageDelivered, MessageEdited, MessageFailed, ReactionAdded,
};
use crate::id::{InboxId, MessageId};
use crate::inbound::group;
use crate::ledger::LedgerKey;
use crate::message::{CallStage, Message, Sender, truncated};
use crate::moment::Moment;
use crate::suppression::SuppressionKind;

/// Most changes that wait for one message that has not come yet; the later ones go into quarantine.
pub const PARKED_MAX: usize = 20;
/// Longest text of an edit that waits, in bytes: all that wait share one item of the table, which holds 400 KB.
pub const PARKED_TEXT_BYTES_MAX: usize = 8_192;

/// What becomes of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Changed {
    /// Its writer wrote it anew.
    Edited {
        /// The new text, whole.
        text: String,
    },
    /// Its writer took it back.
    Deleted,
    /// The channel wrote down what is said in its recording.
    Transcribed {
        /// The words.
        text: String,
    },
    /// Somebody answered it with a sign.
    Reacted {
        /// The sign, as the channel gives it: an emoji or a name.
        emoji: String,
        /// They took the sign away again.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        removed: bool,
    },
    /// The channel says what became of a message of ours.
    Reported {
        /// What became of it.
        state: DeliveryState,
        /// Nothing more is sent to this person by this name, for this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        suppress: Option<SuppressionKind>,
        /// The channel's words for a failure, with its error number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
}

/// How far a message of ours got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// The channel has it.
    Sent,
    /// It is on the customer's device.
    Delivered,
    /// The customer opened it.
    Read,
    /// It did not arrive, and nobody tries any more.
    Failed,
}

/// One change of a message, as a channel reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageChange {
    /// Our id of this report: the same for every run over the same delivery.
    pub id: MessageId,
    /// Its own name in the ledger: it is applied once.
    pub key: LedgerKey,
    /// The message that it is about.
    pub of: LedgerKey,
    /// The channel that reports it.
    pub channel: Channel,
    /// The inbox that it came to.
    pub inbox: InboxId,
    /// Who did it: the customer, also for what becomes of a message to them.
    pub sender: Sender,
    /// What.
    pub change: Changed,
    /// When they did it, as the channel says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<Moment>,
    /// When we took it.
    pub received_at: Moment,
}

impl MessageChange {
    /// Its text, where it brings one.
    pub fn text(&self) -> Option<&str> {
        match &self.change {
            Changed::Edited { text } | Changed::Transcribed { text } => Some(text),
            _ => None,
        }
    }

    /// The queue group: that of its sender's messages, so that it comes after the message that it is about.
    pub fn group(&self) -> String {
        group(self.inbox.as_str(), &self.sender.value)
    }
}

/// Longest sign that is kept of a reaction, and longest reason of a failure, in bytes.
const EMOJI_BYTES_MAX: usize = 64;
const REASON_BYTES_MAX: usize = 500;

/// A change that is not for this message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotApplied {
    /// Somebody else than the message's writer wants to change it.
    #[error("somebody else than its writer changes it")]
    Stranger,
    /// It is about a message of the other side.
    #[error("it is about a message that it cannot be about")]
    WrongSide,
    /// It tells nothing that is not known.
    #[error("it says nothing new")]
    NothingNew,
}

/// What a change makes of the event that recorded its message (`sequence` is the commit): only its writer edits and deletes
/// a message, only who it is to or from reacts to it, only recordings are written down, and only what we sent is delivered
/// or read.
///
/// # Errors
/// Why nothing becomes of it.
pub fn decide(change: &MessageChange, original: &Event, sequence: u64) -> Result<Changes, NotApplied> {
    let event_id = original.id;
    let is_writer = |message: &Message| {
        (message.sender.kind.as_str(), message.sender.value.as_str())
            == (change.sender.kind.as_str(), change.sender.value.as_str())
    };
    let name = format!("{}:{}", change.sender.kind, change.sender.value);
    let is_recipient = |message: &Message| message.to.contains(&name) || message.cc.contains(&name);
    let (data, actor, rule, because) = match (&change.change, &original.data) {
        (Changed::Edited { .. } | Changed::Deleted, EventData::MessageReceived(received))
            if !is_writer(&received.message) =>
        {
            return Err(NotApplied::Stranger);
        }
        (Changed::Edited { text }, EventData::MessageReceived(received)) => {
            let mut message = received.message.clone();
            message.id = change.id;
            message.text.clone_from(text);
            (message.reply_text, message.html, message.body_url) = (None, None, None);
            let edited = EventData::MessageEdited(Box::new(MessageEdited { event_id, sequence, message }));
            (edited, original.actor.clone(), "edited", "its writer wrote it anew")
        }
        (Changed::Transcribed { text }, EventData::MessageReceived(received)) if is_recording(&received.message) => {
            let mut message = received.message.clone();
            message.id = change.id;
            message.text = format!("{}\n\n{text}", message.text);
            let edited = EventData::MessageEdited(Box::new(MessageEdited { event_id, sequence, message }));
            (edited, original.actor.clone(), "transcribed", "the channel wrote down what is said in the recording")
        }
        (Changed::Deleted, EventData::MessageReceived(_)) => {
            let deleted = EventData::MessageDeleted(MessageDeleted { event_id, sequence });
            (deleted, original.actor.clone(), "deleted", "its writer took it back")
        }
        (Changed::Reacted { emoji, removed }, data) => {
            let actor = match data {
                EventData::MessageReceived(received) if is_writer(&received.message) => original.actor.clone(),
                EventData::MessageReceived(_) => Actor::System,
                EventData::ReplySent(reply) if is_recipient(&reply.message) => Actor::System,
                EventData::ReplySent(_) => return Err(NotApplied::Stranger),
                _ => return Err(NotApplied::WrongSide),
            };
            let emoji = truncated(emoji, EMOJI_BYTES_MAX).to_owned();
            let reaction = EventData::ReactionAdded(ReactionAdded { event_id, sequence, emoji, removed: *removed });
            (reaction, actor, "reacted", "somebody answered it with a sign")
        }
        (Changed::Reported { .. }, EventData::ReplySent(reply)) if !is_recipient(&reply.message) => {
            return Err(NotApplied::Stranger);
        }
        (Changed::Reported { state: DeliveryState::Sent, .. }, EventData::ReplySent(_)) => {
            return Err(NotApplied::NothingNew);
        }
        (Changed::Reported { state: DeliveryState::Failed, reason, .. }, EventData::ReplySent(_)) => {
            let reason = reason.as_deref().unwrap_or("no reason given");
            let failed = EventData::MessageFailed(MessageFailed {
                event_id,
                sequence,
                channel: change.channel,
                reason: truncated(&format!("{}: {reason}", change.sender.value), REASON_BYTES_MAX).to_owned(),
                ambiguous: false,
            });
            (failed, Actor::System, "delivery_report", "the channel reports that it could not deliver the reply")
        }
        (Changed::Reported { state, .. }, EventData::ReplySent(_)) => {
            let delivered = EventData::MessageDelivered(MessageDelivered {
                event_id,
                sequence,
                channel: change.channel,
                provider_message_id: None,
                state: Some(*state),
            });
            (delivered, Actor::System, "delivery_report", "the channel reports how far the reply got")
        }
        _ => return Err(NotApplied::WrongSide),
    };
    let mut changes = Changes::new();
    changes.push_because(actor, data, Decision::new(rule, because));
    Ok(changes)
}

/// Whether it is a recording of a call.
fn is_recording(message: &Message) -> bool {
    let stage = message.call.as_ref().map(|call| call.stage);
    matches!(stage, Some(CallStage::Voicemail | CallStage::Ended)) && !message.attachments.is_empty()
}

#[cfg(test)]
mod tests;
