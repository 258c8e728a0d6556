//! Events of tickets that become one, or two.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{CustomerId, EventId, TicketId};
use crate::ticket::{MergedIn, Status};

/// One ticket went into another. Nothing moves: the messages stay where they are, later ones go to the other ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TicketMerged {
    /// The ticket that went into the other.
    pub ticket_id: TicketId,
    /// The one that goes on.
    pub into: TicketId,
    /// Where the first one stood before: what undoing brings back.
    pub status_before: Status,
    /// The conversations that go on on the other: that of the ticket, and of those that were merged into it before.
    pub conversations: Vec<MergedIn>,
    /// The first one's customer, where they were somebody else than the other's, linked with them as the same person: the
    /// merge holds as long as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linked_customer: Option<CustomerId>,
}

/// A merge was undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TicketUnmerged {
    /// The ticket that stands by itself again.
    pub ticket_id: TicketId,
    /// The one that it had gone into.
    pub from: TicketId,
    /// Events of messages that were meant for it and came while it was merged: they stay where they are, and can be moved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<EventId>,
}

/// Messages of one ticket became a ticket of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TicketSplit {
    /// The ticket that they were on.
    pub from: TicketId,
    /// The new one.
    pub to: TicketId,
    /// Their events on the first.
    pub event_ids: Vec<EventId>,
}

/// A message is on another ticket from now on. What it said stays in its own event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MessageMoved {
    /// The event of the message.
    pub event_id: EventId,
    /// Its commit.
    pub sequence: u64,
    /// The ticket that it is on now.
    pub to: TicketId,
}
