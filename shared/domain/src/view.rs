//! Read models: tickets, events and customers as the HTTP contract shows them.

mod relayed;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::channel::Channel;
use crate::clock::{PolicyRef, TargetKind};
use crate::cluster::{Cluster, Link};
use crate::config::Calendars;
use crate::crm::{Entitlement, Order};
use crate::customer::{KnownIdentifier, LinkSuggestion, Profile};
use crate::event::{Actor, Commit, Event};
use crate::id::{AgentId, CustomerId, InboxId, TeamId, TicketId, TicketReference};
use crate::likeness::Likeness;
use crate::message::Visibility;
use crate::moment::Moment;
use crate::strong_reference::StrongReference;
use crate::ticket::{Participant, Priority, Related, Resolution, Role, Status, Ticket};

pub use relayed::{Relayed, RelayedKind, RelayedMessage};

/// A ticket.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[expect(missing_docs, reason = "the fields of `domain::ticket`, named by the HTTP contract")]
pub struct TicketView {
    pub id: TicketId,
    pub reference: TicketReference,
    pub subject: String,
    pub status: Status,
    pub priority: Priority,
    pub channel: Channel,
    pub inbox: InboxId,
    pub customer_id: CustomerId,
    /// Who sees an answer that says nothing of it; nothing while it is not known where answers go.
    pub visibility: Option<Visibility>,
    /// Where the customer wrote for everybody to see, and can be answered so.
    pub public_channel: Option<Channel>,
    pub participants: Vec<Participant>,
    pub assignee: Option<AgentId>,
    pub team: Option<TeamId>,
    pub waiting_since: Option<Moment>,
    pub tags: Vec<String>,
    pub fields: BTreeMap<String, serde_json::Value>,
    pub references: Vec<StrongReference>,
    pub resolution: Option<Resolution>,
    pub intent: Option<String>,
    pub language: Option<String>,
    pub segment: Option<String>,
    pub related: Vec<Related>,
    pub merged_into: Option<TicketId>,
    pub message_count: u32,
    pub unsent_count: usize,
    pub sla: Option<SlaView>,
    pub last_customer_message_at: Option<Moment>,
    pub last_reply_at: Option<Moment>,
    pub created_at: Moment,
    pub updated_at: Moment,
    pub resolved_at: Option<Moment>,
    pub version: u64,
}

/// The service-level clocks of a ticket.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[expect(missing_docs, reason = "the fields of `domain::clock`, named by the HTTP contract")]
pub struct SlaView {
    pub policy: PolicyRef,
    pub paused: bool,
    pub clocks: Vec<ClockView>,
}

/// One clock.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[expect(missing_docs, reason = "the fields of `domain::clock::Clock`, named by the HTTP contract")]
pub struct ClockView {
    pub target: TargetKind,
    pub due_at: Option<Moment>,
    pub met_at: Option<Moment>,
    pub breached_at: Option<Moment>,
    pub warned_at: Option<Moment>,
    pub remaining_business_ms: Option<i64>,
}

/// An event of the timeline, or what somebody said before it elsewhere.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct EventView {
    /// The ticket.
    pub ticket_id: TicketId,
    /// Its commit: events of one change share it.
    pub sequence: u64,
    /// When it happened.
    pub at: Moment,
    /// When it was written.
    pub recorded_at: Moment,
    /// Id, kind, actor, decision and data.
    #[serde(flatten)]
    pub event: Told,
}

/// What an entry of the timeline tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Told {
    /// An event.
    Event(Box<Event>),
    /// A line of a bot's transcript.
    Relayed(Box<Relayed>),
}

/// A customer.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[expect(missing_docs, reason = "the fields of `domain::customer::Profile`, named by the HTTP contract")]
pub struct CustomerView {
    pub id: CustomerId,
    pub name: Option<String>,
    pub attributes: BTreeMap<String, String>,
    pub preferences: Preferences,
    pub identifiers: Vec<KnownIdentifier>,
    pub linked: Vec<LinkedView>,
    pub link_suggestions: Vec<SuggestionView>,
    pub open_tickets: Vec<TicketId>,
    pub recent_tickets: Vec<TicketView>,
    pub entitlements: Vec<Entitlement>,
    pub orders: Vec<Order>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erased_at: Option<Moment>,
    pub created_at: Moment,
    pub updated_at: Moment,
}

/// Another customer who is the same person.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LinkedView {
    /// The other customer.
    pub customer_id: CustomerId,
    /// Through whom they are linked, if not directly.
    pub via: Option<CustomerId>,
    /// The rule that linked them.
    pub rule: String,
    /// What it rested on.
    pub evidence: String,
    /// Who did it.
    pub by: Actor,
    /// When.
    pub at: Moment,
}

/// Somebody who may be the same person, with how likely that is.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SuggestionView {
    /// Who, and why.
    #[serde(flatten)]
    pub suggestion: LinkSuggestion,
    /// How likely it is.
    #[serde(flatten)]
    pub likeness: Likeness,
}

/// How a customer wants to be served.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[expect(missing_docs, reason = "named by the HTTP contract")]
pub struct Preferences {
    pub channel: Option<Channel>,
    pub language: Option<String>,
}

impl LinkedView {
    /// The others of the cluster, as `id` is linked with them.
    pub fn of(cluster: &Cluster, id: CustomerId) -> Vec<Self> {
        let shown = |(customer_id, link): (CustomerId, &Link)| Self {
            customer_id,
            via: link.other(customer_id).filter(|other| *other != id),
            rule: link.rule.clone(),
            evidence: link.evidence.clone(),
            by: link.by.clone(),
            at: link.at,
        };
        cluster.links_from(id).into_iter().map(shown).collect()
    }
}

impl TicketView {
    /// The ticket at `now`; `calendars` gives the business time that is left.
    pub fn new(ticket: &Ticket, calendars: &Calendars, now: Moment) -> Self {
        let (head, detail) = (&ticket.head, &ticket.detail);
        let requester = head.reply_to.as_ref().map(|reply_to| Participant {
            customer_id: Some(head.customer_id),
            identifier: reply_to.identifier.clone(),
            role: Role::Requester,
        });
        let sla = head.sla.as_ref().map(|sla| SlaView {
            policy: sla.policy.clone(),
            paused: sla.paused,
            clocks: sla
                .clocks
                .iter()
                .map(|clock| ClockView {
                    target: clock.target,
                    due_at: clock.due_at,
                    met_at: clock.met_at,
                    breached_at: clock.breached_at,
                    warned_at: clock.warned_at,
                    remaining_business_ms: calendars
                        .get(&sla.calendar)
                        .and_then(|calendar| clock.remaining_ms(now, calendar)),
                })
                .collect(),
        });
        Self {
            id: head.id,
            reference: head.reference,
            subject: head.subject.clone(),
            status: head.status,
            priority: head.priority,
            channel: head.channel,
            inbox: head.inbox.clone(),
            customer_id: head.customer_id,
            visibility: head.reply_to.as_ref().map(|way| way.visibility),
            public_channel: head.public_way.as_ref().map(|way| way.channel),
            participants: requester.into_iter().chain(detail.participants.iter().cloned()).collect(),
            assignee: head.assignee.clone(),
            team: head.team.clone(),
            waiting_since: head.waiting_since,
            tags: detail.tags.clone(),
            fields: detail.fields.clone(),
            references: detail.references.clone(),
            resolution: detail.resolution.clone(),
            intent: head.intent.clone(),
            language: head.language.clone(),
            segment: head.segment.clone(),
            related: detail.related.clone(),
            merged_into: head.merged.map(|merged| merged.into),
            message_count: head.message_count,
            unsent_count: head.unsent.len(),
            sla,
            last_customer_message_at: head.last_customer_message_at,
            last_reply_at: head.last_reply_at,
            created_at: head.created_at,
            updated_at: head.updated_at,
            resolved_at: head.resolved_at,
            version: head.version,
        }
    }
}

impl EventView {
    /// The events of a commit, each after what was said before it.
    pub fn of(commit: Commit) -> impl Iterator<Item = Self> {
        let Commit { ticket_id, sequence, at, recorded_at, events } = commit;
        let told = events.into_iter().flat_map(move |event| {
            let before = relayed::lines(&event, at).into_iter().map(|(at, line)| (at, Told::Relayed(Box::new(line))));
            before.chain([(at, Told::Event(Box::new(event)))])
        });
        told.map(move |(at, event)| Self { ticket_id, sequence, at, recorded_at, event })
    }
}

impl CustomerView {
    /// The customer with their open and recent tickets; whom they are linked with is still to be added.
    pub fn new(profile: Profile, open_tickets: Vec<TicketId>, recent_tickets: Vec<TicketView>) -> Self {
        Self {
            id: profile.id,
            name: profile.name,
            attributes: profile.attributes,
            preferences: Preferences { channel: profile.preferred_channel, language: profile.language },
            identifiers: profile.identifiers,
            linked: Vec::new(),
            link_suggestions: Vec::new(),
            open_tickets,
            recent_tickets,
            entitlements: profile.entitlements,
            orders: profile.orders.into_iter().map(|known| known.order).collect(),
            erased_at: profile.erasure.and_then(|erasure| erasure.done_at),
            created_at: profile.created_at,
            updated_at: profile.updated_at,
        }
    }
}

#[cfg(test)]
mod tests;
