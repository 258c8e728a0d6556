//! Erasing what a customer left on the tickets of other people: their words and their names go, the matter stays.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{ERASED, erase, erase_decision, erase_file, erase_sender, pseudonym};
use crate::event::{Actor, Commit, Event, EventData};
use crate::id::{CustomerId, EventId};
use crate::identifier::Identifier;
use crate::message::Message;
use crate::strong_reference::StrongReference;
use crate::ticket::{Participant, ReplyTo, Ticket};

/// What a customer left on a ticket of somebody else, from its whole log. Of an erased log it is the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Their messages.
    messages: BTreeSet<EventId>,
    /// Replies that were addressed to them.
    replies: BTreeSet<EventId>,
    /// Strong references that stood in their messages, and those that stood elsewhere.
    references: BTreeSet<StrongReference>,
    others_references: BTreeSet<StrongReference>,
    /// Custom fields by whether the customer was the last to set them.
    fields: BTreeMap<String, bool>,
}

/// Whose words and names go from the tickets of others.
#[derive(Clone, Debug)]
pub struct Elsewhere<'a> {
    /// The customer.
    pub customer: CustomerId,
    /// Their names; none that is somebody else's by now.
    pub names: &'a BTreeSet<Identifier>,
    /// Makes pseudonyms that nobody can guess back.
    pub salt: &'a str,
}

impl Elsewhere<'_> {
    /// Takes in a commit of the ticket.
    pub fn read(&self, left: &mut Left, commit: &Commit) {
        let is_message = |event: &Event| matches!(event.data, EventData::MessageReceived(_));
        let mut messages = commit.events.iter().filter(|event| is_message(event)).peekable();
        let theirs = messages.peek().is_some() && messages.all(|event| self.is_theirs(left, event));
        for event in &commit.events {
            match &event.data {
                EventData::MessageReceived(received) if received.customer_id == self.customer => {
                    left.messages.insert(event.id);
                }
                EventData::ReplySent(reply) if self.addresses(&reply.message) => {
                    left.replies.insert(event.id);
                }
                EventData::ReferencesFound(found) => {
                    let references = if theirs { &mut left.references } else { &mut left.others_references };
                    references.extend(found.references.iter().cloned());
                }
                EventData::FieldsChanged(changed) => {
                    let by_them = event.actor == Actor::Customer(self.customer);
                    left.fields.extend(changed.set.keys().map(|name| (name.clone(), by_them)));
                }
                _ => {}
            }
        }
    }

    /// A commit of the ticket without what is theirs. Done twice, it is done once.
    #[must_use]
    pub fn commit(&self, left: &Left, mut commit: Commit) -> Commit {
        commit.events.iter_mut().for_each(|event| self.event(left, event));
        commit
    }

    /// The ticket without what is theirs: what the erased commits fold to.
    #[must_use]
    pub fn ticket(&self, left: &Left, mut ticket: Ticket) -> Ticket {
        let detail = &mut ticket.detail;
        self.way_out(&mut ticket.head.reply_to);
        self.way_out(&mut ticket.head.public_way);
        detail.participants.iter_mut().for_each(|participant| self.participant(participant));
        detail.references.iter_mut().for_each(|reference| self.reference(left, reference));
        for (name, value) in &mut detail.fields {
            if left.fields.get(name) == Some(&true) {
                *value = Value::from(ERASED);
            }
        }
        ticket
    }

    /// Whether an event is their message, or what they did.
    pub fn is_theirs(&self, left: &Left, event: &Event) -> bool {
        let by_them = event.actor == Actor::Customer(self.customer);
        by_them
            || match &event.data {
                EventData::MessageReceived(received) => received.customer_id == self.customer,
                EventData::MessageEdited(edited) => left.messages.contains(&edited.event_id),
                EventData::AttachmentsStored(stored) => left.messages.contains(&stored.event_id),
                _ => false,
            }
    }

    /// Whether an event is what they did, or was sent to them.
    pub fn concerns(&self, event: &Event) -> bool {
        self.is_theirs(&Left::default(), event)
            || matches!(&event.data, EventData::ReplySent(reply) if self.addresses(&reply.message))
    }

    fn event(&self, left: &Left, event: &mut Event) {
        let mut theirs = self.is_theirs(left, event);
        match &mut event.data {
            EventData::TicketCreated(created) => self.way_out(&mut created.reply_to),
            EventData::MessageReceived(received) => {
                self.way_out(&mut received.reply_to);
                self.message(&mut received.message, theirs);
            }
            EventData::MessageEdited(edited) => self.message(&mut edited.message, theirs),
            EventData::ReplySent(reply) => self.message(&mut reply.message, false),
            EventData::NoteAdded(note) => self.message(&mut note.message, false),
            EventData::MessageFailed(failed) if left.replies.contains(&failed.event_id) => {
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
            EventData::ReferencesFound(found) => {
                found.references.iter_mut().for_each(|reference| self.reference(left, reference));
            }
            EventData::ParticipantAdded(participant) => {
                theirs |= self.is_named(participant);
                self.participant(participant);
            }
            EventData::ParticipantRemoved(removed) => {
                theirs |= self.is_named(&removed.participant);
                self.participant(&mut removed.participant);
                self.way_out(&mut removed.reply_to);
            }
            EventData::CallerVerified(verified) if self.names.contains(&verified.identifier) => {
                self.name(&mut verified.identifier);
                ERASED.clone_into(&mut verified.how);
                theirs = true;
            }
            _ => {}
        }
        event.decision.iter_mut().filter(|_| theirs).for_each(erase_decision);
    }

    fn is_named(&self, participant: &Participant) -> bool {
        participant.customer_id == Some(self.customer) || self.names.contains(&participant.identifier)
    }

    fn participant(&self, participant: &mut Participant) {
        self.name(&mut participant.identifier);
    }

    /// Where answers go, when that is a name of theirs: nowhere any more.
    fn way_out(&self, reply_to: &mut Option<ReplyTo>) {
        if let Some(reply_to) = reply_to.as_mut().filter(|reply_to| self.names.contains(&reply_to.identifier)) {
            self.name(&mut reply_to.identifier);
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
            if let Some(mut name) = recipient_of(recipient).filter(|name| self.names.contains(name)) {
                self.name(&mut name);
                *recipient = name.to_string();
            }
        }
    }

    /// Whether a reply was addressed to them, also where their name is erased from it.
    fn addresses(&self, message: &Message) -> bool {
        let recipients: BTreeSet<Identifier> =
            message.to.iter().chain(&message.cc).filter_map(|to| recipient_of(to)).collect();
        self.names.iter().any(|name| {
            let mut erased = name.clone();
            self.name(&mut erased);
            recipients.contains(name) || recipients.contains(&erased)
        })
    }

    /// A reference that only they gave says nothing any more; two stay two.
    fn reference(&self, left: &Left, reference: &mut StrongReference) {
        let erased = StrongReference { value: pseudonym(self.salt, &reference.value), name: reference.name.clone() };
        let is_theirs = left.references.contains(reference) || left.references.contains(&erased);
        if is_theirs && !left.others_references.contains(reference) {
            *reference = erased;
        }
    }

    fn name(&self, name: &mut Identifier) {
        super::erase_name(name, self.names, self.salt);
    }
}

/// A recipient of mail, as an address alone or with its kind.
fn recipient_of(recipient: &str) -> Option<Identifier> {
    recipient.parse().ok().or_else(|| Identifier::email(recipient).ok())
}

#[cfg(test)]
mod tests;
