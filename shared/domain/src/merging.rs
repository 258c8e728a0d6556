//! Merging tickets, undoing it, and marking tickets as related: decisions of people, recorded on the logs of both.
//!
//! Merging moves nothing. The merged ticket is closed and names the one that it went into; what is meant for it later
//! goes there. So undoing it only takes the name away again, and each ticket has what was its own. While it is merged its
//! service-level clocks stand still.

use crate::decision::Decision;
use crate::event::{
    Actor, Changes, Commit, Event, EventData, ParticipantRemoved, StatusChanged, TicketMerged, TicketRelated,
    TicketUnmerged, Unassigned,
};
use crate::id::{CustomerId, EventId, TicketId};
use crate::ticket::{MERGED_IN_MAX, MergedIn, Participant, RELATED_MAX, Role, Status, Ticket};

/// Most messages that undoing a merge names as meant for the ticket.
const NAMED_MAX: usize = 100;
/// How a ticket names one that was merged into it.
pub const WENT_INTO_IT: &str = "merged into this one";

/// Why tickets are not merged, unmerged or related. The words are for whoever asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Both are the same.
    #[error("a ticket cannot be merged into, or related to, itself")]
    Itself,
    /// The other one is merged into this one, perhaps by way of others.
    #[error("{0} is itself merged into this ticket; unmerge it first")]
    Cycle(String),
    /// It is merged into another one already.
    #[error("the ticket was merged into {0}; unmerge it first")]
    Merged(String),
    /// It is not merged.
    #[error("the ticket is not merged into another one")]
    NotMerged,
    /// Its customer is not the other one's.
    #[error(
        "the tickets are of different people, and each could read what is answered to the other: a lead can say \
         `across_customers`, or link the customers first if they are the same person"
    )]
    OtherCustomer,
    /// Somebody works on this one, and the other is done.
    #[error("{0} is done and this ticket is not; reopen that one first")]
    Done(String),
    /// The other one took in too many.
    #[error("at most {MERGED_IN_MAX} tickets can be merged into one, by way of others too")]
    TooMany,
    /// One of the two names too many others.
    #[error("a ticket names at most {RELATED_MAX} related tickets")]
    TooManyRelated,
    /// Where the other one went cannot be followed to an end.
    #[error("the other ticket was merged, and where it went cannot be followed")]
    NoEnd,
}

/// What changes on two tickets at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Both {
    /// On the ticket that was asked for.
    pub ticket: Changes,
    /// On the other one.
    pub other: Changes,
}

/// The tickets from this one to the one that it went into in the end, which stands by itself; only the ticket where it is
/// not merged. Nothing when there is no such end: one of them is unknown, or the way is a circle.
pub fn chain<'a>(start: &'a Ticket, find: impl Fn(TicketId) -> Option<&'a Ticket>) -> Option<Vec<&'a Ticket>> {
    let mut way = vec![start];
    let mut last = start;
    while let Some(merged) = &last.head.merged {
        if way.len() > MERGED_IN_MAX || way.iter().any(|passed| passed.head.id == merged.into) {
            return None;
        }
        last = find(merged.into)?;
        way.push(last);
    }
    Some(way)
}

/// What a person asks for: this ticket into another one.
#[derive(Clone, Debug)]
pub struct Merge<'a> {
    /// The ticket.
    pub ticket: &'a Ticket,
    /// From the one that was named to the one that it went into in the end: see [`chain`].
    pub into: &'a [&'a Ticket],
    /// All customers that are the same person as the ticket's, themselves included.
    pub people: &'a [CustomerId],
    /// It was said that they may differ, by somebody who may say so.
    pub across_customers: bool,
    /// The requester takes part in the other one from now on, also where they are somebody else.
    pub add_requester: bool,
    /// Who asks.
    pub actor: Actor,
    /// Why, in their words.
    pub because: &'a str,
}

/// Merges a ticket into another one. The same again changes nothing.
///
/// # Errors
/// Why it is not to be.
pub fn merge(wanted: &Merge<'_>) -> Result<Both, Refused> {
    let (ticket, actor) = (wanted.ticket, &wanted.actor);
    let (Some(named), Some(into)) = (wanted.into.first(), wanted.into.last()) else {
        return Err(Refused::NoEnd);
    };
    let name = named.head.reference.to_string();
    if named.head.id == ticket.head.id {
        return Err(Refused::Itself);
    }
    if wanted.into.iter().any(|passed| passed.head.id == ticket.head.id) {
        return Err(Refused::Cycle(name));
    }
    if let Some(merged) = &ticket.head.merged {
        let there = wanted.into.iter().any(|passed| passed.head.id == merged.into);
        return if there { Ok(Both::default()) } else { Err(Refused::Merged(merged.into.to_string())) };
    }
    if !(is_same_person(wanted, into) || wanted.across_customers) {
        return Err(Refused::OtherCustomer);
    }
    if ticket.head.status.is_live() && !into.head.status.is_live() {
        return Err(Refused::Done(into.head.reference.to_string()));
    }
    if into.detail.merged_in.len() + ticket.detail.merged_in.len() >= MERGED_IN_MAX {
        return Err(Refused::TooMany);
    }
    let head = &ticket.head;
    let mut because = said("somebody decided that it is the same matter", wanted.because);
    if named.head.id != into.head.id {
        because = format!("{because}; {name} was itself merged into {}", into.head.reference);
    }
    let decision = Decision::new("merged_by_hand", because);
    let own = MergedIn { ticket_id: head.id, channel: head.channel, inbox: head.inbox.clone() };
    let merged = EventData::TicketMerged(Box::new(TicketMerged {
        ticket_id: head.id,
        into: into.head.id,
        status_before: head.status,
        conversations: std::iter::once(own).chain(ticket.detail.merged_in.iter().cloned()).collect(),
        linked_customer: (!wanted.across_customers && head.customer_id != into.head.customer_id)
            .then_some(head.customer_id),
    }));
    let mut both = Both::default();
    both.ticket.push_because(actor.clone(), merged.clone(), decision.clone());
    close(ticket, actor, &mut both.ticket);
    both.other.push_because(actor.clone(), merged, decision);
    let related = TicketRelated { ticket_id: head.id, why: WENT_INTO_IT.to_owned() };
    both.other.push(actor.clone(), EventData::TicketRelated(related));
    for participant in taken_over(wanted, into) {
        let decision = Decision::new("merged_by_hand", format!("they take part in {}", head.reference));
        both.other.push_because(actor.clone(), EventData::ParticipantAdded(participant), decision);
    }
    Ok(both)
}

/// Whether the customers of both are the same person.
fn is_same_person(wanted: &Merge<'_>, into: &Ticket) -> bool {
    wanted.people.contains(&into.head.customer_id)
}

fn close(ticket: &Ticket, actor: &Actor, changes: &mut Changes) {
    let from = ticket.head.status;
    if from != Status::Closed {
        let change = StatusChanged::plain(from, Status::Closed);
        let decision = Decision::new("merged", "it goes on on the ticket that it was merged into");
        changes.push_because(actor.clone(), EventData::StatusChanged(change), decision);
    }
}

/// Who takes part in the other ticket from now on: who took part in this one. Of another person's ticket only where that
/// was asked for, and their requester with them.
fn taken_over(wanted: &Merge<'_>, into: &Ticket) -> Vec<Participant> {
    let head = &wanted.ticket.head;
    // Who was linked and is not any more is about to leave the ticket.
    let stays = |participant: &&Participant| {
        participant.role != Role::SamePerson || participant.customer_id.is_some_and(|id| wanted.people.contains(&id))
    };
    let participants = wanted.ticket.detail.participants.iter().filter(stays).cloned();
    let requester = head.reply_to.as_ref().map(|reply_to| Participant {
        customer_id: Some(head.customer_id),
        identifier: reply_to.identifier.clone(),
        role: Role::Colleague,
    });
    // Who is the same person as their requester is not the same as the other's.
    let as_colleague = |participant| Participant { role: Role::Colleague, ..participant };
    let mut all: Vec<Participant> = match (is_same_person(wanted, into), wanted.add_requester) {
        (true, _) => participants.collect(),
        (false, true) => participants.chain(requester).map(as_colleague).collect(),
        (false, false) => Vec::new(),
    };
    let answered = into.head.reply_to.as_ref().map(|reply_to| &reply_to.identifier);
    let known = &into.detail.participants;
    all.retain(|new| {
        Some(&new.identifier) != answered
            && !known.iter().any(|known| known.identifier == new.identifier && known.customer_id.is_some())
    });
    all
}

/// Undoes a merge: the ticket stands where it stood, and whoever had it gets it again if they have room. What came to the
/// other one meanwhile stays there; `messages` names what was meant for this one. `from` is the ticket that it went into.
///
/// # Errors
/// When it is not merged into that one.
pub fn unmerge(
    ticket: &Ticket,
    from: &Ticket,
    messages: Vec<EventId>,
    actor: &Actor,
    because: &str,
) -> Result<Both, Refused> {
    let head = &ticket.head;
    let merged = head.merged.filter(|merged| merged.into == from.head.id).ok_or(Refused::NotMerged)?;
    let decision = Decision::new("unmerged_by_hand", said("somebody decided that it is another matter", because));
    let messages = messages.into_iter().take(NAMED_MAX).collect();
    let unmerged =
        EventData::TicketUnmerged(Box::new(TicketUnmerged { ticket_id: head.id, from: from.head.id, messages }));
    let mut both = Both::default();
    both.ticket.push_because(actor.clone(), unmerged.clone(), decision.clone());
    both.other.push_because(actor.clone(), unmerged, decision);
    let to = merged.status_before;
    if head.status != to {
        let change = StatusChanged::plain(head.status, to);
        let decision = Decision::new("unmerged", "it stands where it stood before it was merged");
        both.ticket.push_because(actor.clone(), EventData::StatusChanged(change), decision);
    }
    if let (true, Some(agent)) = (to.is_live(), &head.assignee) {
        let unassigned = Unassigned { agent: agent.clone(), preferred: true, reroute: true };
        let because = "the ticket needs capacity again, which its agent may not have";
        let decision = Decision::new("unmerged", because);
        both.ticket.push_because(actor.clone(), EventData::Unassigned(unassigned), decision);
    }
    Ok(both)
}

/// Undoes a merge that was made because the customers of both were linked, who are not any more. Who came to the other one
/// with it leaves again. `log` is that one's.
///
/// # Errors
/// When it is not merged into that one.
pub fn part(ticket: &Ticket, from: &Ticket, log: &[Commit], actor: &Actor) -> Result<Both, Refused> {
    let because = "its customer is not the same person as the other's any more";
    let mut both = unmerge(ticket, from, meant_for(ticket, log), actor, because)?;
    let is_merge = |event: &Event| matches!(&event.data, EventData::TicketMerged(m) if m.ticket_id == ticket.head.id);
    let merges = log.iter().filter(|commit| commit.events.iter().any(is_merge));
    let brought: Vec<&Participant> = merges
        .flat_map(|commit| &commit.events)
        .filter_map(|event| match &event.data {
            EventData::ParticipantAdded(participant) => Some(participant),
            _ => None,
        })
        .collect();
    let came_with_it = |other: &&Participant| {
        other.role == Role::Colleague && brought.iter().any(|b| b.identifier == other.identifier)
    };
    for participant in from.detail.participants.iter().filter(came_with_it) {
        let removed = ParticipantRemoved {
            participant: participant.clone(),
            reply_to: from.head.reply_to.clone(),
            public_way: from.head.public_way.clone(),
        };
        let decision = Decision::new("unmerged", "they came with the ticket that stands by itself again");
        both.other.push_because(actor.clone(), EventData::ParticipantRemoved(Box::new(removed)), decision);
    }
    Ok(both)
}

/// The messages in the log of another ticket that were meant for this one, or for one that was merged into it before. Those
/// that were moved elsewhere are left out.
pub fn meant_for(ticket: &Ticket, log: &[Commit]) -> Vec<EventId> {
    let is_meant = |id: TicketId| id == ticket.head.id || ticket.detail.merged_in.iter().any(|m| m.ticket_id == id);
    let mut messages = Vec::new();
    for event in log.iter().flat_map(|commit| &commit.events) {
        match &event.data {
            EventData::MessageReceived(received) if received.by_way_of.is_some_and(is_meant) => messages.push(event.id),
            EventData::MessageMoved(moved) => messages.retain(|id| *id != moved.event_id),
            _ => {}
        }
    }
    messages
}

/// Marks two tickets as related, on both. The same again changes nothing.
///
/// # Errors
/// Why it is not to be.
pub fn relate(ticket: &Ticket, other: &Ticket, why: &str, actor: &Actor) -> Result<Both, Refused> {
    if ticket.head.id == other.head.id {
        return Err(Refused::Itself);
    }
    let names = |one: &Ticket, two: &Ticket| one.detail.related.iter().any(|known| known.ticket_id == two.head.id);
    if names(ticket, other) && names(other, ticket) {
        return Ok(Both::default());
    }
    let full = |one: &Ticket, two: &Ticket| one.detail.related.len() >= RELATED_MAX && !names(one, two);
    if full(ticket, other) || full(other, ticket) {
        return Err(Refused::TooManyRelated);
    }
    let related = |id| EventData::TicketRelated(TicketRelated { ticket_id: id, why: why.to_owned() });
    let decision = Decision::new("related_by_hand", said("somebody decided that they have to do with each other", why));
    let mut both = Both::default();
    both.ticket.push_because(actor.clone(), related(other.head.id), decision.clone());
    both.other.push_because(actor.clone(), related(ticket.head.id), decision);
    Ok(both)
}

/// What somebody decided, with their words if there are any.
pub(crate) fn said(what: &str, because: &str) -> String {
    if because.trim().is_empty() { what.to_owned() } else { format!("{what}: {}", because.trim()) }
}

#[cfg(test)]
mod tests;
