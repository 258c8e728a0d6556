//! What unlinking means for a ticket that holds messages of both people.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use crate::answer;
use crate::decision::Decision;
use crate::erasure;
use crate::event::{Actor, Changes, Commit, EventData, ParticipantRemoved, TaskCreated, TaskKind};
use crate::id::{CustomerId, EventId, TicketId};
use crate::ticket::{ReplyTo, Role, Ticket};

/// Most messages that one proposal names: the latest.
const PROPOSED_MAX: usize = 100;

/// Messages that should be on a ticket of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Proposal {
    /// The ticket that they are on.
    pub ticket_id: TicketId,
    /// Whose they are; the ticket is another's.
    pub customer_id: CustomerId,
    /// The events of the messages.
    pub event_ids: Vec<EventId>,
}

/// Takes off a ticket whoever wrote on it only as the same person as its owner, and is not among `cluster`, the owner's
/// people, any more. Answers go again where the owner's people wrote last, and somebody is asked to split what is still
/// open. `log` is the ticket's whole log.
pub fn part(ticket: &Ticket, log: &[Commit], cluster: &BTreeSet<CustomerId>, by: &Actor) -> (Changes, Vec<Proposal>) {
    let mut changes = Changes::new();
    let mut proposals = Vec::new();
    let leaving = ticket.detail.participants.iter().filter(|participant| participant.role == Role::SamePerson);
    for participant in leaving {
        let Some(customer_id) = participant.customer_id.filter(|id| !cluster.contains(id)) else { continue };
        let removed = ParticipantRemoved {
            participant: participant.clone(),
            reply_to: ways(log, cluster).fold(None, |before, way| Some(answer::after(before.as_ref(), way))),
            public_way: ways(log, cluster).filter(|way| way.is_public()).last().cloned(),
        };
        let because = "they wrote here as the same person as the requester, and are not any more";
        let decision = Decision::new("unlinked", because);
        changes.push_because(by.clone(), EventData::ParticipantRemoved(Box::new(removed)), decision);
        let event_ids = messages(log, customer_id);
        if event_ids.is_empty() || !ticket.head.status.is_live() {
            continue;
        }
        let because = format!("{} message(s) here came from {customer_id}, whose ticket it is not", event_ids.len());
        let task = TaskCreated { task: TaskKind::Split, customer_id: Some(customer_id), event_ids: event_ids.clone() };
        changes.push_because(by.clone(), EventData::TaskCreated(task), Decision::new("split_proposed", because));
        proposals.push(Proposal { ticket_id: ticket.head.id, customer_id, event_ids });
    }
    (changes, proposals)
}

/// Where the messages of these customers are answered, and who the ticket was opened for, in their order; not under names
/// that are erased.
fn ways<'a>(log: &'a [Commit], cluster: &'a BTreeSet<CustomerId>) -> impl Iterator<Item = &'a ReplyTo> {
    let ways = log.iter().flat_map(|commit| &commit.events).filter_map(|event| match &event.data {
        EventData::MessageReceived(received) if cluster.contains(&received.customer_id) => received.reply_to.as_ref(),
        EventData::TicketCreated(created) if cluster.contains(&created.customer_id) => created.reply_to.as_ref(),
        _ => None,
    });
    ways.filter(|way| !erasure::is_erased(&way.identifier))
}

/// The messages of a customer that are there still, oldest first.
fn messages(log: &[Commit], customer_id: CustomerId) -> Vec<EventId> {
    let mut all: Vec<EventId> = Vec::new();
    for event in log.iter().flat_map(|commit| &commit.events) {
        let gone = match &event.data {
            EventData::MessageReceived(received) => {
                all.extend((received.customer_id == customer_id).then_some(event.id));
                continue;
            }
            EventData::MessageMoved(moved) => moved.event_id,
            EventData::MessageDeleted(deleted) => deleted.event_id,
            _ => continue,
        };
        all.retain(|id| *id != gone);
    }
    all[all.len().saturating_sub(PROPOSED_MAX)..].to_vec()
}
