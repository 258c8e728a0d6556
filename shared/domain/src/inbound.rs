//! An inbound message: normalized, from any channel, before it has a ticket.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decision::Decision;
use crate::id::{CustomerId, MessageId, TicketId, uuid_v7};
use crate::identifier::Identifier;
use crate::ledger::{Fingerprint, LedgerKey};
use crate::message::{Attachment, Message, Sender};
use crate::moment::Moment;

/// Most referenced ids that are looked up and indexed for one message.
pub const THREAD_KEYS_MAX: usize = 10;

/// How a sender's identifier is known, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// The channel or a signature proved it.
    Proven,
    /// Not proved, but the answer will travel to this very identifier: it may match, marked unverified.
    Answerable,
    /// Somebody typed it: matches nobody, claims nothing, kept as a suggestion.
    Typed,
}

/// An identifier that a message came with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The identifier.
    pub identifier: Identifier,
    /// How it is known.
    pub proof: Proof,
}

/// Who sent a message that came with these claims: the first of them names its sender.
pub fn sender(claims: &[Claim], name: Option<String>) -> Sender {
    let Some(first) = claims.first() else { return Sender { name, ..Sender::default() } };
    Sender { name, verified: first.proof == Proof::Proven, ..Sender::proven(&first.identifier) }
}

/// A normalized message, before it has a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inbound {
    /// The message.
    pub message: Message,
    /// Its name in the ledger.
    pub key: LedgerKey,
    /// What it says.
    pub fingerprint: Fingerprint,
    /// What the sender is known by.
    pub claims: Vec<Claim>,
    /// The ticket that a signed reference of ours names (reply address, reference id).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_ticket: Option<TicketId>,
    /// Ledger keys of the messages that it refers to, nearest first, at most [`THREAD_KEYS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thread: Vec<LedgerKey>,
    /// Other people addressed, who may take part: normalized mail addresses that are not ours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addressed: Vec<Identifier>,
    /// Custom fields that came with it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, serde_json::Value>,
    /// The customer rates the help, 1 to 5; what they say about it is the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<u8>,
    /// The customer asks for a person.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub handoff: bool,
    /// It comes out of quarantine: recorded, but never reopens.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
}

impl Inbound {
    /// The message's own id: the same for every run over the same delivery, and a later one for a later delivery.
    /// `delivery` tells deliveries of the same moment apart, also those that say different things under one name: by
    /// this id the queues and the ledger know what they have already.
    pub fn message_id(received_at: Moment, key: &LedgerKey, delivery: &str) -> MessageId {
        MessageId::new(uuid_v7(
            received_at,
            &[b"message", key.scope.as_bytes(), key.hash.as_bytes(), delivery.as_bytes()],
        ))
    }

    /// The same message with these files. They are part of what it says, so it gets another fingerprint and with it
    /// another id.
    #[must_use]
    pub fn with_files(mut self, files: Vec<Attachment>) -> Self {
        self.message.attachments = files;
        self.fingerprint = Fingerprint::of(&self.message);
        self.message.id = Self::message_id(self.message.received_at, &self.key, self.fingerprint.as_str());
        self
    }

    /// The same message, of which its id alone says what it is: the provider chose the id, signs, and tells of one thing in
    /// several ways.
    #[must_use]
    pub fn known_by_id(mut self) -> Self {
        self.fingerprint = Fingerprint::of_id(&self.key);
        self.message.id = Self::message_id(self.message.received_at, &self.key, self.fingerprint.as_str());
        self
    }

    /// The queue group that keeps one sender's messages in order: inbox and sender handle, hashed so that no handle
    /// shows in a queue's attributes.
    pub fn group(&self) -> String {
        group(self.message.inbox.as_str(), &self.message.sender.value)
    }
}

/// The queue group of a sender in an inbox.
pub fn group(inbox: &str, handle: &str) -> String {
    let hash = crate::id::digest(&[inbox.as_bytes(), handle.as_bytes()]);
    data_encoding::HEXLOWER.encode(&hash[..16])
}

/// An inbound message whose sender is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identified {
    /// The message.
    pub inbound: Inbound,
    /// Who sent it.
    pub customer_id: CustomerId,
    /// This message made them known: nothing else is known of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_new: bool,
    /// Why it is them.
    pub decision: Decision,
}
