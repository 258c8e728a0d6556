//! What travels in the queues: versioned, tagged bodies, so that a message enqueued before a deployment still decodes
//! after it, and after it is rolled back.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::id::{AgentId, EventId, TicketId};
use crate::inbound::{Identified, Inbound};
use crate::ledger::LedgerKey;
use crate::message_change::MessageChange;
use crate::moment::Moment;
use crate::profile_told::ProfileTold;

/// The body of a message in any of the work queues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Work {
    /// `inbound`: a normalized message whose sender is to be resolved.
    #[serde(rename = "inbound.v1")]
    Inbound(Box<Inbound>),
    /// `identified`: a message whose sender is known, to be put on a ticket.
    #[serde(rename = "identified.v1")]
    Identified(Box<Identified>),
    /// `inbound`, `identified`: what becomes of a message that exists already.
    #[serde(rename = "change.v1")]
    Change(Box<MessageChange>),
    /// `inbound`: how somebody calls themselves on a channel now.
    #[serde(rename = "profile.v1")]
    Profile(Box<ProfileTold>),
    /// `routing`: a ticket to be routed.
    #[serde(rename = "route.v1")]
    Route(RouteTicket),
    /// `routing`: an agent has capacity again: give them the best waiting ticket.
    #[serde(rename = "pull.v1")]
    Pull(PullWaiting),
    /// `outbound`: a reply to be sent.
    #[serde(rename = "send.v1")]
    Send(SendReply),
    /// `outbound`: files of a message that its channel still holds, to be stored here.
    #[serde(rename = "store_attachments.v1")]
    StoreAttachments(StoreAttachments),
    /// Any queue: a body over the queue's limit; the real one is in the object store under this key.
    #[serde(rename = "by_reference.v1")]
    ByReference(ByReference),
}

/// The body of a message that carries several pieces of [`Work`] of one group, in their order, so that of many messages in
/// one request each does not cost a request of its own. Who receives it takes them one by one, as if each had come alone.
#[derive(Debug, Serialize, Deserialize)]
pub struct Several<'a> {
    /// Its kind and version.
    #[serde(rename = "type")]
    pub kind: SeveralKind,
    /// The bodies.
    #[serde(rename = "data", borrow)]
    pub bodies: Vec<&'a RawValue>,
}

/// The only kind of [`Several`].
#[derive(Debug, Serialize, Deserialize)]
pub enum SeveralKind {
    /// Each body is one of [`Work`].
    #[serde(rename = "several.v1")]
    V1,
}

/// A ticket to be routed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTicket {
    /// The ticket.
    pub ticket_id: TicketId,
    /// The commit that made it necessary, or the version that the sweep saw.
    pub sequence: u64,
}

/// An agent who has capacity again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullWaiting {
    /// The agent.
    pub agent_id: AgentId,
}

/// A reply to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendReply {
    /// The ticket.
    pub ticket_id: TicketId,
    /// The commit with the reply.
    pub sequence: u64,
    /// The event of the reply.
    pub event_id: EventId,
}

/// Files of a message that its channel still holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreAttachments {
    /// The ticket.
    pub ticket_id: TicketId,
    /// The commit with the message.
    pub sequence: u64,
    /// The event of the message.
    pub event_id: EventId,
}

/// A body kept in the object store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByReference {
    /// Its object key.
    pub key: String,
}

/// `mail`: not work for a message, but the order to look through stored raw mail for what was never noticed. The nightly
/// rule puts `{"reconcile": {}}` into the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reconcile {
    /// From where on.
    pub reconcile: ReconcileFrom,
}

/// From where on stored raw mail is looked through.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReconcileFrom {
    /// The object key after which to go on; from the beginning if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Only mail that was stored before this moment: the same for all of one pass. An hour ago if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
}

impl Work {
    /// The name in the ledger of the message or change inside, if it is one.
    pub fn ledger_key(&self) -> Option<&LedgerKey> {
        match self {
            Self::Inbound(inbound) => Some(&inbound.key),
            Self::Identified(identified) => Some(&identified.inbound.key),
            Self::Change(change) => Some(&change.key),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
