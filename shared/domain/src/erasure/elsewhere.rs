//! Erasing what a customer left on the tickets of other people: their words and their names go, the matter stays.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{ERASED, Names, erase, erase_decision, erase_file, erase_sender, took_part};
use crate::config::Calendars;
use crate::event::{Actor, Commit, Event, EventData};
use crate::fold::{self, FoldError};
use crate::id::{CustomerId, EventId};
use crate::identifier::Identifier;
use crate::message::Message;
use crate::ticket::{Participant, ReplyTo, Ticket};

/// What a customer left on a ticket of somebody else, from its whole log. Of an erased log it is as much as is needed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Their messages, and others that are erased already.
    messages: BTreeSet<EventId>,
    /// To whom each reply went.
    replies: BTreeMap<EventId, Vec<Identifier>>,
    /// Custom fields by whether the customer was the last to set them.
    fields: BTreeMap<String, bool>,
    /// By which names they took part and wanted to be answered.
    names: BTreeSet<Identifier>,
}

impl Left {
    /// Takes in a commit of the ticket.
    pub fn read(&mut self, commit: &Commit, customer: CustomerId) {
        for event in &commit.events {
            match &event.data {
                EventData::MessageReceived(received) => {
                    let theirs = received.customer_id == customer;
                    if theirs || received.message.erased {
                        self.messages.insert(event.id);
                    }
                    let way = received.reply_to.iter().filter(|_| theirs);
                    self.names.extend(way.map(|way| way.identifier.clone()));
                }
                EventData::ReplySent(reply) => {
                    self.replies.insert(event.id, recipients(&reply.message));
                }
                EventData::FieldsChanged(changed) => {
                    let by_them = event.actor == Actor::Customer(customer);
                    self.fields.extend(changed.set.keys().map(|name| (name.clone(), by_them)));
                }
                data => self.names.extend(took_part(data, customer)),
            }
        }
    }

    /// By which names they took part and wanted to be answered; as far as the log is erased already, what stands for them.
    pub fn names(&self) -> impl Iterator<Item = &Identifier> {
        self.names.iter()
    }
}

/// Whose words and names go from the tickets of others.
#[derive(Clone, Debug)]
pub struct Elsewhere<'a> {
    /// The customer.
    pub customer: CustomerId,
    /// Their names, those on the ticket included.
    pub names: &'a Names,
    /// What they left on it.
    pub left: &'a Left,
}

impl Elsewhere<'_> {
    /// A commit of the ticket without what is theirs. Done twice, it is done once.
    #[must_use]
    pub fn commit(&self, mut commit: Commit) -> Commit {
        commit.events.iter_mut().for_each(|event| self.event(event));
        commit
    }

    /// The ticket without what is theirs: what the erased commits fold to.
    #[must_use]
    pub fn ticket(&self, mut ticket: Ticket, answered: &Answered) -> Ticket {
        let (head, detail) = (&mut ticket.head, &mut ticket.detail);
        if let Some(now) = &answered.0 {
            (head.reply_to, head.public_way) = (now.head.reply_to.clone(), now.head.public_way.clone());
            detail.participants.clone_from(&now.detail.participants);
        }
        for (name, value) in &mut detail.fields {
            if self.left.fields.get(name) == Some(&true) {
                *value = Value::from(ERASED);
            }
        }
        ticket
    }

    /// Whether an event is their message, or what they did.
    pub fn is_theirs(&self, event: &Event) -> bool {
        let of_theirs = |id| self.left.messages.contains(&id);
        let by_them = event.actor == Actor::Customer(self.customer);
        by_them
            || match &event.data {
                // A mail system's report on mail to them says where it went.
                EventData::MessageReceived(received) => {
                    received.customer_id == self.customer || self.reports(&received.message)
                }
                EventData::MessageEdited(edited) => of_theirs(edited.event_id),
                EventData::AttachmentsStored(stored) => of_theirs(stored.event_id),
                _ => false,
            }
    }

    /// Whether an event is a reply that was sent to them.
    pub fn is_for_them(&self, event: &Event) -> bool {
        matches!(&event.data, EventData::ReplySent(_)) && self.answers(event.id)
    }

    fn answers(&self, reply: EventId) -> bool {
        self.left.replies.get(&reply).is_some_and(|recipients| recipients.iter().any(|name| self.names.had(name)))
    }

    fn reports(&self, message: &Message) -> bool {
        let recipients = message.report.iter().flat_map(|report| &report.recipients);
        recipients.filter_map(|recipient| Identifier::email(&recipient.address).ok()).any(|name| self.names.has(&name))
    }

    fn event(&self, event: &mut Event) {
        let mut theirs = self.is_theirs(event);
        match &mut event.data {
            EventData::TicketCreated(created) => self.way_out(&mut created.reply_to),
            EventData::MessageReceived(received) => {
                self.way_out(&mut received.reply_to);
                self.message(&mut received.message, theirs);
            }
            EventData::MessageEdited(edited) => self.message(&mut edited.message, theirs),
            EventData::ReplySent(reply) => self.message(&mut reply.message, false),
            EventData::NoteAdded(note) => self.message(&mut note.message, false),
            EventData::MessageFailed(failed) if self.answers(failed.event_id) => {
                ERASED.clone_into(&mut failed.reason);
            }
            EventData::AttachmentsStored(stored) if theirs => {
                erase_sender(&mut stored.sender);
                stored.attachments.iter_mut().for_each(erase_file);
                stored.failed.iter_mut().for_each(|failed| ERASED.clone_into(&mut failed.reason));
            }
            EventData::ReactionAdded(reaction) if theirs => ERASED.clone_into(&mut reaction.emoji),
            EventData::CsatReceived(rating) if theirs => rating.comment.clear(),
            EventData::CallbackRequested(wanted) if theirs => wanted.number = None,
            EventData::FieldsChanged(changed) if theirs => {
                changed.set.values_mut().for_each(|value| *value = Value::from(ERASED));
            }
            EventData::ParticipantAdded(participant) => {
                theirs |= self.is_named(participant);
                self.names.erase(&mut participant.identifier);
            }
            EventData::ParticipantRemoved(removed) => {
                theirs |= self.is_named(&removed.participant);
                self.names.erase(&mut removed.participant.identifier);
                self.way_out(&mut removed.reply_to);
                self.way_out(&mut removed.public_way);
            }
            EventData::CallerVerified(verified) if self.names.has(&verified.identifier) => {
                self.names.erase(&mut verified.identifier);
                ERASED.clone_into(&mut verified.how);
                theirs = true;
            }
            _ => {}
        }
        event.decision.iter_mut().filter(|_| theirs).for_each(erase_decision);
    }

    fn is_named(&self, participant: &Participant) -> bool {
        participant.customer_id == Some(self.customer) || self.names.has(&participant.identifier)
    }

    /// Where answers went, when that is a name of theirs: nowhere any more.
    fn way_out(&self, reply_to: &mut Option<ReplyTo>) {
        if let Some(reply_to) = reply_to.as_mut().filter(|reply_to| self.names.has(&reply_to.identifier)) {
            self.names.erase(&mut reply_to.identifier);
            reply_to.anchor = None;
        }
    }

    /// Their message, or one of others that names them among its recipients.
    fn message(&self, message: &mut Message, theirs: bool) {
        if theirs {
            erase(message, true);
            return;
        }
        for recipient in message.to.iter_mut().chain(&mut message.cc) {
            if let Some(mut name) = recipient_of(recipient).filter(|name| self.names.has(name)) {
                self.names.erase(&mut name);
                *recipient = name.to_string();
            }
        }
    }
}

/// Where the answers on a ticket go and who takes part, now that a log is erased: the fold of its commits without clocks, which
/// have nothing to do with it.
#[derive(Clone, Debug, Default)]
pub struct Answered(Option<Ticket>);

impl Answered {
    /// Takes in the next erased commit.
    ///
    /// # Errors
    /// When it is not the next one.
    pub fn read(&mut self, erased: &Commit) -> Result<(), FoldError> {
        let mut commit = erased.clone();
        commit.events.retain(|event| !matches!(event.data, EventData::SlaApplied(_)));
        self.0 = Some(fold::apply(self.0.take(), &commit, &Calendars::default())?);
        Ok(())
    }
}

fn recipients(message: &Message) -> Vec<Identifier> {
    message.to.iter().chain(&message.cc).filter_map(|recipient| recipient_of(recipient)).collect()
}

/// A recipient of mail, as an address alone or with its kind.
fn recipient_of(recipient: &str) -> Option<Identifier> {
    recipient.parse().ok().or_else(|| Identifier::email(recipient).ok())
}

#[cfg(test)]
mod tests;
