//! Changes of a message that exists already: edited, deleted, reacted to, delivered, read. They become events on the
//! ticket of the message that they speak of; the message itself stays in the log as it came.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::id::{InboxId, MessageId};
use crate::inbound::group;
use crate::ledger::LedgerKey;
use crate::message::Sender;
use crate::moment::Moment;

/// Most changes that wait for one message that has not come yet; the later ones go into quarantine.
pub const PARKED_MAX: usize = 20;

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
    /// The queue group: that of its sender's messages, so that it comes after the message that it is about.
    pub fn group(&self) -> String {
        group(self.inbox.as_str(), &self.sender.value)
    }
}
