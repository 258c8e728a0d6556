//! Moving messages to another ticket: one to a ticket that is there, or several to a new one. Decisions of people.
//!
//! The old log keeps what it has and says where the message went; the new one has the message as it reads now, and its
//! ledger item points there. So what answers, edits or reacts to it later finds it where it is.

use crate::config::Config;
use crate::decision::Decision;
use crate::event::{
    Actor, Changes, Commit, EventData, MessageMoved, MessageReceived, MovedFrom, ReferencesFound, TicketCreated,
    TicketRelated, TicketSplit,
};
use crate::id::{CustomerId, EventId, TicketId, TicketReference};
use crate::identifier::Identifier;
use crate::merging::{Both, said};
use crate::message::truncated;
use crate::orchestration::{named_in, promises};
use crate::ticket::{Participant, Role, SUBJECT_BYTES_MAX, Ticket};

/// Most messages that one split moves: all of them, with their ledger items, are one transaction.
pub const SPLIT_MAX: usize = 20;

/// Why messages are not moved. The words are for whoever asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotMoved {
    /// There is no such event on the ticket.
    #[error("{0} is no event of this ticket")]
    Unknown(EventId),
    /// The event is no message that came in.
    #[error("{0} is no message that came in; only those can be moved")]
    NotReceived(EventId),
    /// The message is elsewhere by now.
    #[error("{0} was moved to {1} before")]
    MovedBefore(EventId, TicketId),
    /// Its writer took it back.
    #[error("{0} was taken back by its writer")]
    Deleted(EventId),
    /// The ticket has it already.
    #[error("the message is on that ticket")]
    SameTicket,
    /// Its writer has nothing to do with the other ticket.
    #[error(
        "its writer has nothing to do with that ticket, and could read what is answered there: a lead can say \
         `across_customers`, and the writer takes part from then on"
    )]
    OtherCustomer,
}

/// A message that is to be moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moving {
    /// Where it is.
    pub from: MovedFrom,
    /// The message as it reads now.
    pub received: MessageReceived,
}

/// The message of an event as it reads now: as its writer wrote it last, with the files that came to be here.
///
/// # Errors
/// When it cannot be moved.
pub fn find(log: &[Commit], event_id: EventId) -> Result<Moving, NotMoved> {
    let mut events = log.iter().flat_map(|commit| commit.events.iter().map(move |event| (commit, event)));
    let (commit, event) = events.by_ref().find(|(_, event)| event.id == event_id).ok_or(NotMoved::Unknown(event_id))?;
    let EventData::MessageReceived(received) = &event.data else {
        return Err(NotMoved::NotReceived(event_id));
    };
    let mut received = (**received).clone();
    for (_, later) in events {
        match &later.data {
            EventData::MessageMoved(moved) if moved.event_id == event_id => {
                return Err(NotMoved::MovedBefore(event_id, moved.to));
            }
            EventData::MessageDeleted(deleted) if deleted.event_id == event_id => {
                return Err(NotMoved::Deleted(event_id));
            }
            EventData::MessageEdited(edited) if edited.event_id == event_id => {
                let attachments = std::mem::take(&mut received.message.attachments);
                received.message = edited.message.clone();
                received.message.attachments = attachments;
            }
            EventData::AttachmentsStored(stored) if stored.event_id == event_id => {
                for file in &mut received.message.attachments {
                    if let Some(here) = stored.attachments.iter().find(|here| here.id == file.id) {
                        file.clone_from(here);
                    }
                }
            }
            _ => {}
        }
    }
    let from = MovedFrom { ticket_id: commit.ticket_id, event_id, sequence: commit.sequence };
    (received.by_way_of, received.moved_from) = (None, Some(from));
    Ok(Moving { from, received })
}

/// What a person asks for: this message on another ticket.
#[derive(Clone, Debug)]
pub struct Move<'a> {
    /// The message.
    pub moving: &'a Moving,
    /// Where it goes, which stands by itself.
    pub to: &'a Ticket,
    /// Whether its writer and the customer of that ticket are the same person.
    pub same_person: bool,
    /// It was said that they may differ, by somebody who may say so.
    pub across_customers: bool,
    /// Rules.
    pub config: &'a Config,
    /// Who asks.
    pub actor: Actor,
    /// Why, in their words.
    pub because: &'a str,
}

/// Moves a message. Whoever wrote it takes part where it goes.
///
/// # Errors
/// Why it is not to be.
pub fn move_message(wanted: &Move<'_>) -> Result<Both, NotMoved> {
    let (moving, to) = (wanted.moving, wanted.to);
    if moving.from.ticket_id == to.head.id {
        return Err(NotMoved::SameTicket);
    }
    let writer = writer(&moving.received);
    let customer = moving.received.customer_id;
    let takes_part = writer.as_ref().is_some_and(|writer| to.detail.has_colleague(writer, customer));
    if !(takes_part || wanted.same_person || wanted.across_customers) {
        return Err(NotMoved::OtherCustomer);
    }
    let decision = Decision::new("moved_by_hand", said("somebody decided that it belongs there", wanted.because));
    let mut both = Both::default();
    both.ticket.push_because(wanted.actor.clone(), moved(moving, to.head.id), decision.clone());
    both.other.push_because(Actor::Customer(moving.received.customer_id), received(moving), decision);
    references(std::slice::from_ref(moving), wanted.config, &mut both.other);
    if let Some(identifier) = writer.filter(|writer| !knows(to, writer, customer)) {
        let role = if wanted.same_person { Role::SamePerson } else { Role::Colleague };
        join(Participant { customer_id: Some(customer), identifier, role }, &wanted.actor, &mut both.other);
    }
    Ok(both)
}

/// What a person asks for: these messages as a ticket of their own.
#[derive(Clone, Debug)]
pub struct Split<'a> {
    /// The ticket that they are on.
    pub ticket: &'a Ticket,
    /// The messages, at least one, the oldest first.
    pub messages: &'a [Moving],
    /// The new ticket.
    pub id: TicketId,
    /// Its public name.
    pub reference: TicketReference,
    /// All customers that are the same person as who wrote the first message.
    pub same_person: &'a [CustomerId],
    /// Its subject, if another one is wanted.
    pub subject: Option<&'a str>,
    /// Rules.
    pub config: &'a Config,
    /// Who asks.
    pub actor: Actor,
    /// Why, in their words.
    pub because: &'a str,
}

/// Splits messages off into a new ticket of who wrote the first of them. Nobody else of the old ticket takes part in the
/// new one, but for those who wrote a message that goes with it. Nothing when there is no message.
pub fn split(wanted: &Split<'_>) -> Option<Both> {
    let (head, actor) = (&wanted.ticket.head, &wanted.actor);
    let first = &wanted.messages.first()?.received;
    let decision = Decision::new("split_by_hand", said("somebody decided that it is another matter", wanted.because));
    let subject = wanted.subject.or(first.message.subject.as_deref()).unwrap_or(&head.subject);
    let segment = head.segment.clone().filter(|_| first.customer_id == head.customer_id);
    let created = TicketCreated {
        reference: wanted.reference,
        subject: truncated(subject, SUBJECT_BYTES_MAX).to_owned(),
        channel: first.message.channel,
        inbox: first.message.inbox.clone(),
        customer_id: first.customer_id,
        priority: head.priority,
        intent: None,
        language: first.message.language.clone(),
        segment: segment.clone(),
        follow_up_of: None,
        fields: std::collections::BTreeMap::new(),
        reply_to: None,
    };
    let split = EventData::TicketSplit(TicketSplit {
        from: head.id,
        to: wanted.id,
        event_ids: wanted.messages.iter().map(|moving| moving.from.event_id).collect(),
    });
    let related = |id, why: &str| EventData::TicketRelated(TicketRelated { ticket_id: id, why: why.to_owned() });
    let mut both = Both::default();
    both.ticket.push_because(actor.clone(), split.clone(), decision.clone());
    both.ticket.push(actor.clone(), related(wanted.id, "split off from this one"));
    both.other.push_because(actor.clone(), EventData::TicketCreated(Box::new(created)), decision.clone());
    both.other.push_because(actor.clone(), split, decision.clone());
    both.other.push(actor.clone(), related(head.id, "this one was split off from it"));
    let mut joined = vec![first.customer_id];
    for moving in wanted.messages {
        both.ticket.push_because(actor.clone(), moved(moving, wanted.id), decision.clone());
        let customer = moving.received.customer_id;
        both.other.push_because(Actor::Customer(customer), received(moving), decision.clone());
        if !joined.contains(&customer) {
            joined.push(customer);
            let role = if wanted.same_person.contains(&customer) { Role::SamePerson } else { Role::Colleague };
            if let Some(identifier) = writer(&moving.received) {
                join(Participant { customer_id: Some(customer), identifier, role }, actor, &mut both.other);
            }
        }
    }
    references(wanted.messages, wanted.config, &mut both.other);
    let promised = promises(wanted.config, first.message.channel, head.priority, segment.as_deref());
    if let Some((applied, decision)) = promised {
        both.other.push_because(Actor::System, applied, decision);
    }
    Some(both)
}

fn moved(moving: &Moving, to: TicketId) -> EventData {
    EventData::MessageMoved(MessageMoved { event_id: moving.from.event_id, sequence: moving.from.sequence, to })
}

fn received(moving: &Moving) -> EventData {
    EventData::MessageReceived(Box::new(moving.received.clone()))
}

/// The order, invoice, product and case numbers that the messages name: what comes about these finds them.
fn references(messages: &[Moving], config: &Config, changes: &mut Changes) {
    let patterns = &config.ticketing.body.references;
    let none = std::collections::BTreeMap::new();
    let mut references = Vec::new();
    for found in messages.iter().flat_map(|moving| named_in(patterns, &moving.received.message, &none)) {
        if !references.contains(&found) {
            references.push(found);
        }
    }
    if !references.is_empty() {
        changes.push(Actor::System, EventData::ReferencesFound(ReferencesFound { references }));
    }
}

/// Whether the ticket is the customer's, or they take part in it.
fn knows(ticket: &Ticket, name: &Identifier, customer: CustomerId) -> bool {
    let is_same_person = |known: &Participant| known.role == Role::SamePerson && known.customer_id == Some(customer);
    ticket.head.customer_id == customer
        || ticket.detail.has_colleague(name, customer)
        || ticket.detail.participants.iter().any(is_same_person)
}

fn join(participant: Participant, actor: &Actor, changes: &mut Changes) {
    let decision = Decision::new("moved_by_hand", "they wrote a message that was moved here");
    changes.push_because(actor.clone(), EventData::ParticipantAdded(participant), decision);
}

/// By which name whoever wrote it is addressed.
fn writer(received: &MessageReceived) -> Option<Identifier> {
    let sender = &received.message.sender;
    let answered = received.reply_to.as_ref().map(|reply_to| reply_to.identifier.clone());
    answered.or_else(|| format!("{}:{}", sender.kind, sender.value).parse().ok())
}

#[cfg(test)]
mod tests;
