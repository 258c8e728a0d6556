//! Events and commits: what happened to a ticket, once and for all.

mod merging;
mod sla;

pub use merging::{MessageMoved, TicketMerged, TicketSplit, TicketUnmerged};
pub use sla::{SlaApplied, SlaBreached, SlaMet, SlaWarned};

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::decision::Decision;
use crate::id::{AgentId, CustomerId, EventId, InboxId, TeamId, TicketId, TicketReference};
use crate::identifier::Identifier;
use crate::message::{Attachment, Message, Sender};
use crate::message_change::DeliveryState;
use crate::moment::Moment;
use crate::strong_reference::StrongReference;
use crate::ticket::{Participant, Priority, ReplyTo, Status};

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "id", rename_all = "snake_case")]
pub enum Actor {
    /// A customer.
    Customer(CustomerId),
    /// An agent.
    Agent(AgentId),
    /// The system, by a rule.
    System,
    /// A business system.
    Integration(String),
    /// A bot.
    Bot(String),
}

/// What happened, in the past tense: `kind` and `data` of the HTTP contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", content = "data", rename_all = "snake_case")]
pub enum EventData {
    /// A ticket was opened.
    TicketCreated(Box<TicketCreated>),
    /// A message of the customer, or of somebody who takes part.
    MessageReceived(Box<MessageReceived>),
    /// An agent or the system wrote to the customer.
    ReplySent(Box<ReplySent>),
    /// Agents wrote to each other.
    NoteAdded(Box<NoteAdded>),
    /// A channel took a reply.
    MessageDelivered(MessageDelivered),
    /// A channel did not take a reply, or nobody knows whether it did.
    MessageFailed(MessageFailed),
    /// Its writer wrote a message anew.
    MessageEdited(Box<MessageEdited>),
    /// Its writer took a message back.
    MessageDeleted(MessageDeleted),
    /// Somebody answered a message with a sign, or took the sign away.
    ReactionAdded(ReactionAdded),
    /// The status changed.
    StatusChanged(StatusChanged),
    /// The priority changed.
    PriorityChanged(Change<Priority>),
    /// An agent got it.
    Assigned(Assigned),
    /// An agent lost it.
    Unassigned(Unassigned),
    /// A team got it.
    TeamChanged(TeamChanged),
    /// Tags changed.
    Tagged(Tagged),
    /// Custom fields changed.
    FieldsChanged(FieldsChanged),
    /// A message named order, invoice, product or case numbers that the ticket did not have.
    ReferencesFound(ReferencesFound),
    /// Somebody takes part.
    ParticipantAdded(Participant),
    /// Somebody does not take part any more.
    ParticipantRemoved(Box<ParticipantRemoved>),
    /// Another ticket has to do with this one.
    TicketRelated(TicketRelated),
    /// A service-level policy was applied.
    SlaApplied(SlaApplied),
    /// A target comes near.
    SlaWarned(SlaWarned),
    /// A target was met in time.
    SlaMet(SlaMet),
    /// A target was missed.
    SlaBreached(SlaBreached),
    /// The customer rated the help.
    CsatReceived(CsatReceived),
    /// The customer asked for a person, or a bot handed over.
    HandedOff(HandedOff),
    /// A caller wants to be called back.
    CallbackRequested(CallbackRequested),
    /// An agent made sure that the requester has a name.
    CallerVerified(CallerVerified),
    /// Somebody should do something.
    TaskCreated(TaskCreated),
    /// Files that a channel held are stored here, or it is known that they never will be.
    AttachmentsStored(Box<AttachmentsStored>),
    /// One ticket went into another: on the logs of both.
    TicketMerged(Box<TicketMerged>),
    /// A merge was undone: on the logs of both.
    TicketUnmerged(Box<TicketUnmerged>),
    /// Messages of one ticket became a ticket of their own: on the logs of both.
    TicketSplit(TicketSplit),
    /// A message is on another ticket from now on: on the log of the one that it was on.
    MessageMoved(MessageMoved),
}

impl EventData {
    /// Its kind, as `kind` of the HTTP contract names it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::TicketCreated(_) => "ticket_created",
            Self::MessageReceived(_) => "message_received",
            Self::ReplySent(_) => "reply_sent",
            Self::NoteAdded(_) => "note_added",
            Self::MessageDelivered(_) => "message_delivered",
            Self::MessageFailed(_) => "message_failed",
            Self::MessageEdited(_) => "message_edited",
            Self::MessageDeleted(_) => "message_deleted",
            Self::ReactionAdded(_) => "reaction_added",
            Self::StatusChanged(_) => "status_changed",
            Self::PriorityChanged(_) => "priority_changed",
            Self::Assigned(_) => "assigned",
            Self::Unassigned(_) => "unassigned",
            Self::TeamChanged(_) => "team_changed",
            Self::Tagged(_) => "tagged",
            Self::FieldsChanged(_) => "fields_changed",
            Self::ReferencesFound(_) => "references_found",
            Self::ParticipantAdded(_) => "participant_added",
            Self::ParticipantRemoved(_) => "participant_removed",
            Self::TicketRelated(_) => "ticket_related",
            Self::SlaApplied(_) => "sla_applied",
            Self::SlaWarned(_) => "sla_warned",
            Self::SlaMet(_) => "sla_met",
            Self::SlaBreached(_) => "sla_breached",
            Self::CsatReceived(_) => "csat_received",
            Self::HandedOff(_) => "handed_off",
            Self::CallbackRequested(_) => "callback_requested",
            Self::CallerVerified(_) => "caller_verified",
            Self::TaskCreated(_) => "task_created",
            Self::AttachmentsStored(_) => "attachments_stored",
            Self::TicketMerged(_) => "ticket_merged",
            Self::TicketUnmerged(_) => "ticket_unmerged",
            Self::TicketSplit(_) => "ticket_split",
            Self::MessageMoved(_) => "message_moved",
        }
    }
}

/// A ticket was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TicketCreated {
    /// Its public name.
    pub reference: TicketReference,
    /// First subject, cut.
    pub subject: String,
    /// Channel of the first message.
    pub channel: Channel,
    /// Inbox of the first message.
    pub inbox: InboxId,
    /// Whose it is.
    pub customer_id: CustomerId,
    /// Priority by the signals in the first message.
    pub priority: Priority,
    /// Intent by the signals in the first message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<String>,
    /// Language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Segment of the customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<String>,
    /// The resolved ticket that it follows up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follow_up_of: Option<TicketId>,
    /// Custom fields.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, serde_json::Value>,
    /// Where answers go while the customer has not written, for one that was opened for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<ReplyTo>,
}

/// A message of the customer, or of somebody who takes part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MessageReceived {
    /// Who wrote it.
    pub customer_id: CustomerId,
    /// Where an answer to it goes, if it can be answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<ReplyTo>,
    /// The message.
    pub message: Message,
    /// It came out of quarantine, after messages that were accepted later.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
    /// The ticket that its reference or conversation led to, which was merged into this one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_way_of: Option<TicketId>,
    /// Where it was recorded first, when an agent moved it here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_from: Option<MovedFrom>,
}

/// Where a message was before an agent moved it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MovedFrom {
    /// The ticket.
    pub ticket_id: TicketId,
    /// The event of the message there.
    pub event_id: EventId,
    /// Its commit.
    pub sequence: u64,
}

/// An agent or the system wrote to the customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReplySent {
    /// The message.
    pub message: Message,
    /// A person wrote it: it counts for response targets.
    pub human: bool,
}

/// Agents wrote to each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NoteAdded {
    /// The note.
    pub message: Message,
}

/// A channel took a reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MessageDelivered {
    /// The reply.
    pub event_id: EventId,
    /// Commit of the reply.
    pub sequence: u64,
    /// The channel that took it.
    pub channel: Channel,
    /// The provider's id for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_message_id: Option<String>,
    /// How far the channel later said that it got; nothing while it only took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<DeliveryState>,
}

/// A channel did not take a reply, or nobody knows whether it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MessageFailed {
    /// The reply.
    pub event_id: EventId,
    /// Commit of the reply.
    pub sequence: u64,
    /// The channel that was tried.
    pub channel: Channel,
    /// Why, in words.
    pub reason: String,
    /// It may have gone out: not repeated on its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ambiguous: bool,
}

/// Its writer wrote a message anew. What it was before stays in its own event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MessageEdited {
    /// The event of the message.
    pub event_id: EventId,
    /// Its commit.
    pub sequence: u64,
    /// The message as it is now, under an id of its own.
    pub message: Message,
}

/// Its writer took a message back. What it said stays in its own event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MessageDeleted {
    /// The event of the message.
    pub event_id: EventId,
    /// Its commit.
    pub sequence: u64,
}

/// Somebody answered a message with a sign, or took the sign away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReactionAdded {
    /// The event of the message.
    pub event_id: EventId,
    /// Its commit.
    pub sequence: u64,
    /// The sign, as the channel gives it.
    pub emoji: String,
    /// It was taken away.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
}

/// From something to something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change<T> {
    /// Before.
    pub from: T,
    /// After.
    pub to: T,
}

/// The status changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StatusChanged {
    /// Before.
    pub from: Status,
    /// After.
    pub to: Status,
    /// How it ended, in one of the configured words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disposition: Option<String>,
    /// What was done about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<String>,
}

impl StatusChanged {
    /// A change of which nothing else is said.
    pub fn plain(from: Status, to: Status) -> Self {
        Self { from, to, disposition: None, resolution: None }
    }
}

/// An agent got it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Assigned {
    /// The agent.
    pub agent: AgentId,
    /// Share of their capacity, in per cent.
    pub weight: u32,
}

/// An agent lost it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unassigned {
    /// The agent.
    pub agent: AgentId,
    /// They should get it back if it needs somebody.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub preferred: bool,
    /// It needs somebody now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reroute: bool,
}

/// A team got it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TeamChanged {
    /// Before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<TeamId>,
    /// After.
    pub to: TeamId,
    /// Nobody of the team was free: it waits in the team's line.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waiting: bool,
}

/// Tags changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tagged {
    /// Tags added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<String>,
    /// Tags removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
}

/// Custom fields changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldsChanged {
    /// Fields that have another value now.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, serde_json::Value>,
    /// Fields that are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
}

/// A message named order, invoice, product or case numbers that the ticket did not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReferencesFound {
    /// The new ones.
    pub references: Vec<StrongReference>,
}

/// Somebody does not take part any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ParticipantRemoved {
    /// Who.
    pub participant: Participant,
    /// Where answers go from now on, if anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<ReplyTo>,
    /// Where they can go for everybody to see, if anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_way: Option<ReplyTo>,
}

/// Another ticket has to do with this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TicketRelated {
    /// The other ticket.
    pub ticket_id: TicketId,
    /// How.
    pub why: String,
}

/// The customer rated the help.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CsatReceived {
    /// 1 to 5.
    pub score: u8,
    /// In their words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
}

/// The customer asked for a person, or a bot handed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HandedOff {
    /// Channel on which they asked.
    pub channel: Channel,
}

/// A caller wants to be called back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CallbackRequested {
    /// Inbox that they called.
    pub inbox: InboxId,
    /// Their number in E.164, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
}

/// An agent made sure, in words or by a question, that the requester has a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CallerVerified {
    /// The name.
    pub identifier: Identifier,
    /// How it was verified, in the agent's words.
    pub how: String,
}

/// What somebody should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// Put messages of somebody else on a ticket of their own.
    Split,
}

/// Somebody should do something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskCreated {
    /// What.
    pub task: TaskKind,
    /// Whom it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<CustomerId>,
    /// The events that it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub event_ids: Vec<EventId>,
}

/// Files that a channel held are stored here, or it is known that they never will be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AttachmentsStored {
    /// The event of their message.
    pub event_id: EventId,
    /// Its commit.
    pub sequence: u64,
    /// Who sent them: whose files they are.
    pub sender: Sender,
    /// What is here, under the numbers that the message gives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// What is not, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<AttachmentFailed>,
}

/// A file that could not be had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AttachmentFailed {
    /// Its number in the message.
    pub id: String,
    /// Why.
    pub reason: String,
}

/// One immutable fact in a commit, as the HTTP contract shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// Who did it.
    pub actor: Actor,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// What.
    #[serde(flatten)]
    pub data: EventData,
}

/// The layout of [`Commit::events`] that this version writes.
pub const COMMIT_FORMAT: u8 = 1;

/// One change of a ticket, with all events of that change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// The ticket.
    pub ticket_id: TicketId,
    /// Its place in the ticket's log, from 1.
    pub sequence: u64,
    /// When it happened. Never earlier than the commit before.
    pub at: Moment,
    /// When it was written.
    pub recorded_at: Moment,
    /// What happened.
    pub events: Vec<Event>,
}

/// A change that is decided but has no place in the log yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes(Vec<(Actor, EventData, Option<Decision>)>);

impl Changes {
    /// No change yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an event that needs no explanation.
    pub fn push(&mut self, actor: Actor, data: EventData) {
        self.0.push((actor, data, None));
    }

    /// Adds an event with its decision.
    pub fn push_because(&mut self, actor: Actor, data: EventData, decision: Decision) {
        self.0.push((actor, data, Some(decision)));
    }

    /// Adds further changes after these.
    pub fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The message as it is after an edit, where one is edited.
    pub fn edited_message(&mut self) -> Option<&mut Message> {
        self.0.iter_mut().find_map(|(_, data, _)| match data {
            EventData::MessageEdited(edited) => Some(&mut edited.message),
            _ => None,
        })
    }

    /// The events so far.
    pub fn data(&self) -> impl Iterator<Item = &EventData> {
        self.0.iter().map(|(_, data, _)| data)
    }

    /// The commit at this place of the ticket's log.
    pub fn into_commit(self, ticket_id: TicketId, sequence: u64, at: Moment, recorded_at: Moment) -> Commit {
        let events = self.0.into_iter().enumerate().map(|(index, (actor, data, decision))| Event {
            id: EventId::of(ticket_id, sequence, index, at),
            actor,
            decision,
            data,
        });
        Commit { ticket_id, sequence, at, recorded_at, events: events.collect() }
    }
}

#[cfg(test)]
mod tests;
