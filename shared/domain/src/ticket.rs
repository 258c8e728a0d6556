//! A ticket: one problem of one requester.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::clock::Sla;
use crate::id::{AgentId, CustomerId, InboxId, TeamId, TicketId, TicketReference};
use crate::identifier::Identifier;
use crate::message::Visibility;
use crate::moment::{self, Moment};
use crate::strong_reference::StrongReference;

/// Longest subject on a head, in bytes.
pub const SUBJECT_BYTES_MAX: usize = 120;
/// Most participants listed on a ticket's detail item, who are the same person as the requester not counted: of these there
/// are at most as many as a cluster has members.
pub const PARTICIPANTS_MAX: usize = 20;
/// Most related tickets listed on a ticket's detail item.
pub const RELATED_MAX: usize = 20;
/// Most tickets that may have gone into one, by way of others too. No chain of merged tickets is longer.
pub const MERGED_IN_MAX: usize = 16;
/// Most custom fields of a ticket, and of a message.
pub const FIELDS_MAX: usize = 50;
/// Most bytes of all custom fields of a ticket, and of a message, names and JSON values together (16 KiB).
pub const FIELDS_BYTES_MAX: usize = 16_384;
/// Longest note on how a ticket was resolved, in bytes.
pub const RESOLUTION_BYTES_MAX: usize = 2_000;
/// Most replies of one ticket that may wait to be sent at once.
pub const UNSENT_MAX: usize = 20;

/// Where a ticket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nobody has answered yet.
    New,
    /// Being worked on.
    Open,
    /// Waiting for the customer.
    Pending,
    /// Waiting for a third party.
    OnHold,
    /// Solved; a reply inside the reopen window reopens it.
    Resolved,
    /// Done for good; a later reply makes a follow-up ticket.
    Closed,
}

impl Status {
    /// Somebody still has to do something.
    pub fn is_live(self) -> bool {
        !matches!(self, Self::Resolved | Self::Closed)
    }

    /// The name in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Open => "open",
            Self::Pending => "pending",
            Self::OnHold => "on_hold",
            Self::Resolved => "resolved",
            Self::Closed => "closed",
        }
    }
}

/// How much it presses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// At once.
    Urgent,
    /// Soon.
    High,
    /// In turn.
    #[default]
    Normal,
    /// When there is time.
    Low,
}

impl Priority {
    /// 0 for the most urgent.
    pub fn rank(self) -> u8 {
        match self {
            Self::Urgent => 0,
            Self::High => 1,
            Self::Normal => 2,
            Self::Low => 3,
        }
    }
}

/// Somebody who takes part in a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Participant {
    /// The customer, once a message of theirs came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<CustomerId>,
    /// How they are addressed here.
    pub identifier: Identifier,
    /// What they are to the ticket.
    pub role: Role,
}

/// What a participant is to the ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Whose problem it is.
    Requester,
    /// Addressed by a participant, or joined the conversation.
    Colleague,
    /// Wrote here because they are linked with the requester as the same person; by this alone they are no stranger only
    /// while they are linked.
    SamePerson,
}

/// Another ticket that has to do with this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Related {
    /// The other ticket.
    pub ticket_id: TicketId,
    /// How it has to do with this one.
    pub why: String,
}

/// The state of a ticket that every commit reads and writes: kept under 1 KB, the fold of the ticket's commits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketHead {
    /// The ticket.
    pub id: TicketId,
    /// Sequence of its last commit.
    pub version: u64,
    /// Its public name.
    pub reference: TicketReference,
    /// First subject, cut.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// Where it stands.
    pub status: Status,
    /// How much it presses.
    pub priority: Priority,
    /// Channel of its first message.
    pub channel: Channel,
    /// Inbox of its first message.
    pub inbox: InboxId,
    /// The member customer whose message opened it.
    pub customer_id: CustomerId,
    /// Where answers go: channel, inbox and identifier of the requester's last message; of the last private one, once there
    /// is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<ReplyTo>,
    /// Where the requester last wrote for everybody to see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_way: Option<ReplyTo>,
    /// Team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<TeamId>,
    /// Agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<AgentId>,
    /// Share of the agent's capacity that it takes, in per cent; 0 while nobody has it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub weight: u32,
    /// Whom it should go back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_agent: Option<AgentId>,
    /// Needs a team or an agent since then; nothing once it is assigned, waiting in a team's line, or resolved.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "moment::as_ms_if_any")]
    pub unrouted_since: Option<Moment>,
    /// Waits in the team's line since then.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "moment::as_ms_if_any")]
    pub waiting_since: Option<Moment>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<String>,
    /// Language of the customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Segment of the customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<String>,
    /// The service-level accumulator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sla: Option<Sla>,
    /// Messages on it, notes not counted.
    pub message_count: u32,
    /// Replies that no channel has taken yet, by commit, oldest first, and since when.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsent: Vec<Unsent>,
    /// Last message of the customer or a colleague.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "moment::as_ms_if_any")]
    pub last_customer_message_at: Option<Moment>,
    /// Last public reply.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "moment::as_ms_if_any")]
    pub last_reply_at: Option<Moment>,
    /// First commit.
    #[serde(with = "moment::as_ms")]
    pub created_at: Moment,
    /// Last commit.
    #[serde(with = "moment::as_ms")]
    pub updated_at: Moment,
    /// Last time it was resolved; nothing while it is live.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "moment::as_ms_if_any")]
    pub resolved_at: Option<Moment>,
    /// Where it went when it was merged; nothing while it stands by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged: Option<Merged>,
    /// It has a detail item.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_detail: bool,
}

/// Where a merged ticket went, and how it stood before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merged {
    /// The ticket that it went into, which may have gone into another since.
    pub into: TicketId,
    /// What undoing brings back.
    pub status_before: Status,
    /// The other one is of somebody else, linked with this one's customer as the same person when it was merged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub linked: bool,
}

/// A ticket that went into another, with the conversation that goes on there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MergedIn {
    /// The ticket.
    pub ticket_id: TicketId,
    /// Its channel.
    pub channel: Channel,
    /// Its inbox.
    pub inbox: InboxId,
}

fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// A reply that no channel has taken yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsent {
    /// Its commit.
    pub sequence: u64,
    /// When it was written.
    #[serde(with = "moment::as_ms")]
    pub since: Moment,
}

/// Where answers go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReplyTo {
    /// Channel.
    pub channel: Channel,
    /// Inbox.
    pub inbox: InboxId,
    /// Whom.
    pub identifier: Identifier,
    /// What an answer refers to: the Message-ID of the mail, without angle brackets; the provider's id of what was written in
    /// public.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<String>,
    /// Who can see the answer: as with what it answers.
    #[serde(default, skip_serializing_if = "Visibility::is_private")]
    pub visibility: Visibility,
}

impl ReplyTo {
    /// In private, and about nothing in particular.
    pub fn new(channel: Channel, inbox: InboxId, identifier: Identifier) -> Self {
        Self { channel, inbox, identifier, anchor: None, visibility: Visibility::Private }
    }

    /// Whether everybody can see the answer.
    pub fn is_public(&self) -> bool {
        self.visibility == Visibility::Public
    }
}

/// The part of a ticket that changes rarely; the fold of the same commits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketDetail {
    /// Who takes part besides the requester.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub participants: Vec<Participant>,
    /// Other tickets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<Related>,
    /// Tickets that went into this one, by way of others too. Whether they still lead here, they say themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged_in: Vec<MergedIn>,
    /// Tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Custom fields.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, serde_json::Value>,
    /// Order, invoice, product and case numbers that messages on it named, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<StrongReference>,
    /// How it ended, as whoever resolved it said; nothing while it is live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
}

/// How a ticket ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Resolution {
    /// In one of the configured words: `solved`, `duplicate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disposition: Option<String>,
    /// What was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// How much a custom field takes of [`FIELDS_BYTES_MAX`], in bytes.
pub fn field_bytes(name: &str, value: &serde_json::Value) -> usize {
    name.len() + value.to_string().len()
}

impl TicketDetail {
    /// Whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether somebody takes part by this name, or is this customer, other than by being linked with the requester.
    pub fn has_colleague(&self, identifier: &Identifier, customer: CustomerId) -> bool {
        let mut colleagues = self.participants.iter().filter(|known| known.role != Role::SamePerson);
        colleagues.any(|known| known.identifier == *identifier || known.customer_id == Some(customer))
    }
}

/// A ticket as it is now: head and detail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// What every commit reads and writes.
    pub head: TicketHead,
    /// What changes rarely.
    pub detail: TicketDetail,
}
