//! The ledger: what became of every message that was ever accepted or mentioned.

use data_encoding::HEXLOWER;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::id::{EventId, InboxId, MessageId, TicketId, digest};
use crate::message::Message;
use crate::message_change::MessageChange;
use crate::moment::Moment;

/// The name under which a message is in the ledger. The scope fits who chose the id: Message-IDs are global, what a
/// provider or client numbers is unique only in its inbox.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LedgerKey {
    /// `email`, or `channel/inbox`.
    pub scope: String,
    /// Hex of the first 16 bytes of the SHA-256 of the id.
    pub hash: String,
}

impl LedgerKey {
    /// The key of the message that `channel` calls `provider_id`. Chat clients' own ids must already carry their
    /// session (`session:client id`), so that no visitor can name another's message.
    pub fn new(channel: Channel, inbox: &InboxId, provider_id: &str) -> Self {
        let scope = match channel {
            Channel::Email => "email".to_owned(),
            other => format!("{other}/{inbox}"),
        };
        Self { scope, hash: HEXLOWER.encode(&digest(&[provider_id.as_bytes()])[..16]) }
    }

    /// The key of the mail with this Message-ID (without angle brackets).
    pub fn mail(message_id: &str) -> Self {
        Self { scope: "email".to_owned(), hash: HEXLOWER.encode(&digest(&[message_id.as_bytes()])[..16]) }
    }

    /// The key of the raw mail under this object key, for mail that could not be read as far as its Message-ID.
    pub fn raw_mail(object_key: &str) -> Self {
        Self { scope: "raw_mail".to_owned(), hash: HEXLOWER.encode(&digest(&[object_key.as_bytes()])[..16]) }
    }

    /// The key under which it is noted that the files of the message of this event were had from its channel.
    pub fn attachments(event: EventId) -> Self {
        Self { scope: "attachments".to_owned(), hash: event.uuid().simple().to_string() }
    }

    /// The key of a message that came under a known id with a different content: recorded beside the first, so that
    /// nobody can suppress a message by copying its id.
    #[must_use]
    pub fn beside(&self, fingerprint: &Fingerprint) -> Self {
        let hash = digest(&[self.hash.as_bytes(), fingerprint.0.as_bytes()]);
        Self { scope: self.scope.clone(), hash: HEXLOWER.encode(&hash[..16]) }
    }
}

/// What a message says, as a hash: a second arrival is a duplicate only if this is the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Of sender, subject, texts and files. Not of what the way here adds: recipients on the envelope, verdicts, times.
    pub fn of(message: &Message) -> Self {
        let files: String = message.attachments.iter().map(|file| file.sha256.as_str()).collect();
        let hash = digest(&[
            message.sender.value.as_bytes(),
            message.subject.as_deref().unwrap_or_default().as_bytes(),
            message.text.as_bytes(),
            message.html.as_deref().unwrap_or_default().as_bytes(),
            files.as_bytes(),
        ]);
        Self(HEXLOWER.encode(&hash[..16]))
    }

    /// Of nothing but the id: for what is told in several ways and is the same.
    pub fn of_id(key: &LedgerKey) -> Self {
        let hash = digest(&[b"id", key.scope.as_bytes(), key.hash.as_bytes()]);
        Self(HEXLOWER.encode(&hash[..16]))
    }

    /// Its hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LedgerState {
    /// Accepted again after quarantine, on its way.
    InFlight,
    /// Only mentioned by another message.
    Seen,
    /// In one commit on one ticket.
    Recorded,
    /// The same as another message.
    Duplicate,
    /// Kept raw, with the reason; can be retried.
    Quarantined,
}

/// A ledger item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// What became of it.
    pub state: LedgerState,
    /// The ticket that it is on, or that mentioned it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_id: Option<TicketId>,
    /// Commit that recorded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// Event that recorded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<EventId>,
    /// Our id of the delivery that was recorded: tells a stage that runs twice from a second delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<MessageId>,
    /// The message that this one repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate_of: Option<EventId>,
    /// What it says; none while only mentioned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
    /// The receiving service said that it is not from whom it names: what is repeats nothing of it, however alike.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forged: bool,
    /// Why it is in quarantine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What became of the message before it came itself, in the order in which it was reported.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parked: Vec<MessageChange>,
    /// Last change.
    pub at: Moment,
}

impl LedgerEntry {
    /// An entry of this state and moment, with nothing else known.
    pub fn new(state: LedgerState, at: Moment) -> Self {
        Self {
            state,
            ticket_id: None,
            sequence: None,
            event_id: None,
            message_id: None,
            duplicate_of: None,
            fingerprint: None,
            forged: false,
            reason: None,
            parked: Vec::new(),
            at,
        }
    }

    /// Whether the message is where it stays: recorded, a duplicate, or in quarantine.
    pub fn is_final(&self) -> bool {
        matches!(self.state, LedgerState::Recorded | LedgerState::Duplicate | LedgerState::Quarantined)
    }

    /// Whether it is the name that a reply of ours left under. What customers sent has no such name: others may know the id of
    /// a mail of theirs.
    pub fn is_of_reply(&self) -> bool {
        self.state == LedgerState::Seen && self.event_id.is_some()
    }

    /// Whether a message may still be recorded under this item's key.
    pub fn is_open(&self) -> bool {
        matches!(self.state, LedgerState::Seen | LedgerState::InFlight) && !self.is_of_reply()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_follows_who_chose_the_id() {
        let (a, b) = ("a".parse().unwrap(), "b".parse().unwrap());
        assert_eq!(LedgerKey::new(Channel::Email, &a, "x@y"), LedgerKey::new(Channel::Email, &b, "x@y"));
        assert_eq!(LedgerKey::new(Channel::Email, &a, "x@y"), LedgerKey::mail("x@y"));
        assert_ne!(LedgerKey::new(Channel::Webhook, &a, "1"), LedgerKey::new(Channel::Webhook, &b, "1"));
    }
}
