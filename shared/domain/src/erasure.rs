//! Erasing a customer: content goes, facts stay, and every log still folds to its head.
//!
//! What was said and who it was is content: texts, subjects, names, addresses, files, providers' ids. That something came,
//! when, on which channel, and what became of it are facts: ids, kinds, times, actors, statuses and clocks stay.
//! Erasing a log and folding it gives the erased fold: `fold(erased(log)) == erased(fold(log))`. So log and head are
//! rewritten one after the other, and a ticket that goes on meanwhile loses nothing.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decision::Decision;
use crate::event::{Actor, Commit, Event, EventData};
use crate::id::{CustomerId, EventId, TicketId};
use crate::identifier::Identifier;
use crate::merging::WENT_INTO_IT;
use crate::message::{Attachment, Message, Sender};
use crate::moment::Moment;
use crate::orchestration::FOLLOWS_UP;
use crate::ticket::{Participant, Ticket};

mod elsewhere;
mod names;

pub use elsewhere::{Answered, Elsewhere, Left};
pub use names::{Names, is_erased};

/// What stands where content was.
pub const ERASED: &str = "[erased]";
/// Longest reason for an erasure, in bytes.
pub const BECAUSE_BYTES_MAX: usize = 500;

/// That a customer is erased, or is being erased: on their profile, for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErasureRecord {
    /// Who asked for it.
    pub by: String,
    /// Why; nobody is named in it.
    pub because: String,
    /// When it began.
    pub started_at: Moment,
    /// When it was done; nothing while it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_at: Option<Moment>,
    /// The last ticket, from the newest, that is done; while it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<TicketId>,
    /// The last ticket of others on which they wrote, from the newest, that is done; while it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joined: Option<TicketId>,
    /// Names on their profile that were somebody else's when it began; gone when it is done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<Identifier>,
    /// Makes pseudonyms that nobody can guess back; gone when it is done.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub salt: String,
}

/// What other people wrote on a ticket, by the events of their messages; and by which names the customer took part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Others {
    messages: BTreeSet<EventId>,
    moved: BTreeSet<EventId>,
    names: BTreeSet<Identifier>,
}

impl Others {
    /// Takes in a commit of the ticket. It says the same once it is erased.
    pub fn read(&mut self, commit: &Commit, customer: CustomerId) {
        for event in &commit.events {
            match &event.data {
                EventData::MessageReceived(received) if received.customer_id != customer => {
                    self.messages.insert(event.id);
                }
                EventData::MessageMoved(moved) => {
                    self.moved.insert(moved.event_id);
                }
                _ => self.names.extend(took_part(&event.data, customer)),
            }
        }
    }

    /// The names by which the customer took part, as far as a log is erased already what stands for them.
    pub fn names(&self) -> impl Iterator<Item = &Identifier> {
        self.names.iter()
    }

    /// Whether the event is about a message of somebody else that lives on another ticket by now: the objects that it names
    /// are that ticket's.
    pub fn took_away(&self, event: &Event) -> bool {
        let message = match &event.data {
            EventData::MessageEdited(edited) => edited.event_id,
            EventData::AttachmentsStored(stored) => stored.event_id,
            _ => event.id,
        };
        self.messages.contains(&message) && self.moved.contains(&message)
    }
}

/// Whose content goes.
#[derive(Clone, Debug)]
pub struct Erasure<'a> {
    /// The customer, whose own tickets are erased so; what they left on others is [`Elsewhere`].
    pub customer: CustomerId,
    /// Their names.
    pub names: &'a Names,
    /// What others wrote on the ticket, from its whole log.
    pub others: &'a Others,
}

impl Erasure<'_> {
    /// A commit of one of their tickets without its content. Done twice, it is done once.
    #[must_use]
    pub fn commit(&self, mut commit: Commit) -> Commit {
        commit.events.iter_mut().for_each(|event| self.event(event));
        commit
    }

    /// One of their tickets without its content: what the erased commits fold to.
    #[must_use]
    pub fn ticket(&self, mut ticket: Ticket) -> Ticket {
        let (head, detail) = (&mut ticket.head, &mut ticket.detail);
        ERASED.clone_into(&mut head.subject);
        (head.reply_to, head.public_way) = (None, None);
        detail.fields.clear();
        detail.references.clear();
        detail.resolution.iter_mut().for_each(|resolution| erase_words(&mut resolution.note));
        let mut participants: Vec<Participant> = Vec::new();
        for mut participant in std::mem::take(&mut detail.participants) {
            self.participant(&mut participant);
            // Of two that are one now the first stays, as when the log is folded.
            match participants.iter_mut().find(|known| known.identifier == participant.identifier) {
                Some(known) => known.customer_id = known.customer_id.or(participant.customer_id),
                None => participants.push(participant),
            }
        }
        detail.participants = participants;
        detail.related.iter_mut().for_each(|related| erase_relation(&mut related.why));
        head.has_detail = !detail.is_empty();
        ticket
    }

    /// Whether the message of an event is somebody else's: it stays, without what it quotes. What agents wrote speaks to the
    /// customer or of them, and goes.
    pub fn spares(&self, event: &Event) -> bool {
        match &event.data {
            EventData::MessageReceived(received) => received.customer_id != self.customer,
            EventData::AttachmentsStored(stored) => self.others.messages.contains(&stored.event_id),
            EventData::MessageEdited(_) => matches!(&event.actor, Actor::Customer(id) if *id != self.customer),
            _ => false,
        }
    }

    fn event(&self, event: &mut Event) {
        let (spared, took_away) = (self.spares(event), self.others.took_away(event));
        match &mut event.data {
            EventData::TicketCreated(created) => {
                ERASED.clone_into(&mut created.subject);
                created.fields.clear();
                created.reply_to = None;
            }
            EventData::MessageReceived(received) => {
                // Who was the same person is not answered here either: it was the customer's matter.
                received.reply_to = None;
                erase_or_cut(&mut received.message, spared, true);
                received.message.body_url.take_if(|_| took_away);
            }
            EventData::MessageEdited(edited) => {
                erase_or_cut(&mut edited.message, spared, true);
                edited.message.body_url.take_if(|_| took_away);
            }
            EventData::ReplySent(reply) => erase_or_cut(&mut reply.message, false, false),
            EventData::NoteAdded(note) => erase_or_cut(&mut note.message, false, false),
            EventData::MessageDelivered(delivered) => delivered.provider_message_id = None,
            EventData::MessageFailed(failed) => ERASED.clone_into(&mut failed.reason),
            EventData::ReactionAdded(reaction) => ERASED.clone_into(&mut reaction.emoji),
            EventData::StatusChanged(change) => erase_words(&mut change.resolution),
            EventData::FieldsChanged(changed) => (changed.set, changed.removed) = Default::default(),
            EventData::ReferencesFound(found) => found.references.clear(),
            EventData::ParticipantAdded(participant) => self.participant(participant),
            EventData::ParticipantRemoved(removed) => {
                self.participant(&mut removed.participant);
                (removed.reply_to, removed.public_way) = (None, None);
            }
            EventData::CallerVerified(verified) => {
                self.names.erase(&mut verified.identifier);
                ERASED.clone_into(&mut verified.how);
            }
            EventData::TicketRelated(related) => erase_relation(&mut related.why),
            EventData::CsatReceived(rating) => rating.comment.clear(),
            EventData::CallbackRequested(wanted) => wanted.number = None,
            EventData::AttachmentsStored(_) if spared => {}
            EventData::AttachmentsStored(stored) => {
                erase_sender(&mut stored.sender);
                stored.attachments.iter_mut().for_each(erase_file);
                stored.failed.iter_mut().for_each(|failed| ERASED.clone_into(&mut failed.reason));
            }
            // Whose work it is and how long it took says nothing of the customer; nor do the decisions.
            EventData::Assigned(_)
            | EventData::Unassigned(_)
            | EventData::SlaApplied(_)
            | EventData::SlaWarned(_)
            | EventData::SlaMet(_)
            | EventData::SlaBreached(_) => return,
            EventData::MessageDeleted(_)
            | EventData::PriorityChanged(_)
            | EventData::TeamChanged(_)
            | EventData::Tagged(_)
            | EventData::TaskCreated(_)
            | EventData::TicketMerged(_)
            | EventData::TicketUnmerged(_)
            | EventData::TicketSplit(_)
            | EventData::MessageMoved(_)
            | EventData::HandedOff(_) => {}
        }
        event.decision.iter_mut().for_each(erase_decision);
    }

    fn participant(&self, participant: &mut Participant) {
        self.names.erase(&mut participant.identifier);
    }
}

/// The name by which a customer comes to a ticket, or leaves it.
fn took_part(data: &EventData, customer: CustomerId) -> Option<Identifier> {
    let participant = match data {
        EventData::ParticipantAdded(participant) => participant,
        EventData::ParticipantRemoved(removed) => &removed.participant,
        _ => return None,
    };
    (participant.customer_id == Some(customer)).then(|| participant.identifier.clone())
}

/// What somebody newly wrote, without lines that are marked as quoted also where it is not sure that they are.
pub fn newly_written(text: &str, reply_text: Option<&str>) -> String {
    let lines = reply_text.unwrap_or(text).lines();
    let own: Vec<&str> = lines.filter(|line| !line.trim_start().starts_with('>')).collect();
    own.join("\n")
}

/// The message of an event, if it has one.
pub fn message_of(data: &EventData) -> Option<&Message> {
    match data {
        EventData::MessageReceived(received) => Some(&received.message),
        EventData::ReplySent(reply) => Some(&reply.message),
        EventData::NoteAdded(note) => Some(&note.message),
        EventData::MessageEdited(edited) => Some(&edited.message),
        _ => None,
    }
}

/// What somebody said of it goes; what the fold and later decisions go by is the system's own word.
fn erase_relation(why: &mut String) {
    if ![WENT_INTO_IT, FOLLOWS_UP].contains(&why.as_str()) {
        ERASED.clone_into(why);
    }
}

/// That something was said is a fact.
fn erase_words(words: &mut Option<String>) {
    words.iter_mut().for_each(|words| ERASED.clone_into(words));
}

/// The rule stays, and what was considered by its id; the words may repeat what was said.
fn erase_decision(decision: &mut Decision) {
    ERASED.clone_into(&mut decision.because);
    decision.candidates.iter_mut().for_each(|candidate| candidate.why.clear());
}

fn erase_or_cut(message: &mut Message, spared: bool, from_customer: bool) {
    if spared { cut(message) } else { erase(message, from_customer) }
}

/// Somebody else's message: only what they newly wrote stays of it.
fn cut(message: &mut Message) {
    message.text = newly_written(&message.text, message.reply_text.take().as_deref());
    message.html = None;
    message.subject = None;
    message.to.clear();
    message.cc.clear();
    message.in_reply_to.clear();
    message.references.clear();
    message.quoted_message_id = None;
    message.report = None;
    message.handoff = None;
    message.warnings.clear();
    message.raw_url = None;
}

/// A message of theirs, or to them.
fn erase(message: &mut Message, from_customer: bool) {
    cut(message);
    message.erased = true;
    ERASED.clone_into(&mut message.text);
    message.provider_message_id.clear();
    message.envelope_to = None;
    message.reply_to = None;
    message.message_id = None;
    message.body_url = None;
    message.attachments.iter_mut().for_each(erase_file);
    if from_customer {
        erase_sender(&mut message.sender);
    }
    if let Some(automatic) = &mut message.automatic {
        automatic.because.clear();
    }
    if let Some(call) = &mut message.call {
        call.id.clear();
    }
}

fn erase_sender(sender: &mut Sender) {
    ERASED.clone_into(&mut sender.value);
    sender.name = None;
}

/// That there was a file, of what kind and how large, is a fact.
fn erase_file(file: &mut Attachment) {
    ERASED.clone_into(&mut file.filename);
    file.sha256.clear();
    (file.content_id, file.url, file.held_by_channel) = (None, None, None);
}

#[cfg(test)]
mod tests;
