//! The ticket as the fold of its commits.

use crate::answer;
use crate::calendar::{Calendar, CalendarRef};
use crate::clock;
use crate::cluster::MEMBERS_MAX;
use crate::config::Calendars;
use crate::erasure;
use crate::event::{Commit, EventData, FieldsChanged, MessageReceived, StatusChanged, TicketMerged, TicketUnmerged};
use crate::id::CustomerId;
use crate::identifier::Identifier;
use crate::merging::WENT_INTO_IT;
use crate::message::truncated;
use crate::moment::Moment;
use crate::strong_reference::{REFERENCES_MAX, StrongReference};
use crate::ticket::{
    MERGED_IN_MAX, Merged, PARTICIPANTS_MAX, Participant, RELATED_MAX, Related, ReplyTo, Resolution, Role,
    SUBJECT_BYTES_MAX, Status, Ticket, TicketDetail, TicketHead, UNSENT_MAX, Unsent,
};

/// Why a commit does not follow from the ticket as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// The first commit of a ticket opens it.
    #[error("the log does not start with ticket_created")]
    NotCreated,
    /// The commit is not the next one.
    #[error("commit {found} follows {version}")]
    Sequence {
        /// Version of the ticket.
        version: u64,
        /// Sequence of the commit.
        found: u64,
    },
    /// Time went backwards.
    #[error("the commit is older than the one before")]
    Time,
    /// The pinned calendar was not given.
    #[error("calendar {0:?} is not known")]
    Calendar(CalendarRef),
}

/// The ticket after a commit; `before` is nothing for the first one.
///
/// # Errors
/// When the commit is not the next one of this ticket, or its calendar is not among `calendars`.
pub fn apply(before: Option<Ticket>, commit: &Commit, calendars: &Calendars) -> Result<Ticket, FoldError> {
    let mut ticket = match before {
        Some(ticket) => ticket,
        None => created(commit)?,
    };
    let head = &mut ticket.head;
    if commit.sequence != head.version + 1 {
        return Err(FoldError::Sequence { version: head.version, found: commit.sequence });
    }
    if commit.at < head.updated_at {
        return Err(FoldError::Time);
    }
    head.version = commit.sequence;
    head.updated_at = commit.at;
    for event in &commit.events {
        apply_event(&mut ticket, &event.data, commit, calendars)?;
    }
    ticket.head.has_detail = !ticket.detail.is_empty();
    Ok(ticket)
}

/// The ticket after its whole log.
///
/// # Errors
/// As [`apply`]; an empty log is [`FoldError::NotCreated`].
pub fn fold<'a>(commits: impl IntoIterator<Item = &'a Commit>, calendars: &Calendars) -> Result<Ticket, FoldError> {
    let mut ticket = None;
    for commit in commits {
        ticket = Some(apply(ticket, commit, calendars)?);
    }
    ticket.ok_or(FoldError::NotCreated)
}

fn created(commit: &Commit) -> Result<Ticket, FoldError> {
    let first = commit.events.first().map(|event| &event.data);
    let Some(EventData::TicketCreated(created)) = first else {
        return Err(FoldError::NotCreated);
    };
    let head = TicketHead {
        id: commit.ticket_id,
        version: 0,
        reference: created.reference,
        subject: truncated(&created.subject, SUBJECT_BYTES_MAX).to_owned(),
        status: Status::New,
        priority: created.priority,
        channel: created.channel,
        inbox: created.inbox.clone(),
        customer_id: created.customer_id,
        reply_to: created.reply_to.clone().filter(leads_somewhere),
        public_way: created.reply_to.clone().filter(|way| leads_somewhere(way) && way.is_public()),
        team: None,
        assignee: None,
        weight: 0,
        preferred_agent: None,
        unrouted_since: Some(commit.at),
        waiting_since: None,
        intent: created.intent.clone(),
        language: created.language.clone(),
        segment: created.segment.clone(),
        sla: None,
        message_count: 0,
        unsent: Vec::new(),
        last_customer_message_at: None,
        last_reply_at: None,
        created_at: commit.at,
        updated_at: commit.at,
        resolved_at: None,
        merged: None,
        has_detail: false,
    };
    let detail = TicketDetail { fields: created.fields.clone(), ..TicketDetail::default() };
    Ok(Ticket { head, detail })
}

fn apply_event(
    ticket: &mut Ticket,
    event: &EventData,
    commit: &Commit,
    calendars: &Calendars,
) -> Result<(), FoldError> {
    let at = commit.at;
    let (head, detail) = (&mut ticket.head, &mut ticket.detail);
    match event {
        EventData::MessageReceived(received) => message_received(head, detail, received, at),
        EventData::ReplySent(_) => {
            head.message_count += 1;
            head.last_reply_at = Some(at);
            if head.unsent.len() < UNSENT_MAX {
                head.unsent.push(Unsent { sequence: commit.sequence, since: at });
            }
        }
        EventData::MessageDelivered(delivered) => head.unsent.retain(|unsent| unsent.sequence != delivered.sequence),
        EventData::MessageFailed(failed) => head.unsent.retain(|unsent| unsent.sequence != failed.sequence),
        EventData::StatusChanged(change) => {
            status_changed(head, change.to, at);
            resolved(detail, change);
        }
        EventData::PriorityChanged(change) => head.priority = change.to,
        EventData::Assigned(assigned) => {
            head.assignee = Some(assigned.agent.clone());
            head.weight = assigned.weight;
            head.preferred_agent = None;
            head.unrouted_since = None;
            head.waiting_since = None;
        }
        EventData::Unassigned(unassigned) => {
            head.assignee = None;
            head.weight = 0;
            head.preferred_agent = unassigned.preferred.then(|| unassigned.agent.clone());
            head.unrouted_since = (unassigned.reroute && head.status.is_live()).then_some(at);
        }
        EventData::TeamChanged(changed) => {
            head.team = Some(changed.to.clone());
            head.waiting_since = (changed.waiting && head.status.is_live()).then_some(at);
            let settled = changed.waiting || head.assignee.is_some() || !head.status.is_live();
            head.unrouted_since = if settled { None } else { head.unrouted_since.or(Some(at)) };
        }
        EventData::Tagged(tagged) => {
            detail.tags.retain(|tag| !tagged.removed.contains(tag));
            for tag in &tagged.added {
                if !detail.tags.contains(tag) {
                    detail.tags.push(tag.clone());
                }
            }
        }
        EventData::FieldsChanged(changed) => change_fields(detail, changed),
        EventData::ReferencesFound(found) => add_references(detail, &found.references),
        EventData::ParticipantAdded(added) => add_participant(detail, added),
        EventData::ParticipantRemoved(removed) => {
            detail.participants.retain(|participant| *participant != removed.participant);
            let left = &removed.participant.identifier;
            head.reply_to = without(head.reply_to.take(), left, removed.reply_to.as_ref());
            head.public_way = without(head.public_way.take(), left, removed.public_way.as_ref());
        }
        EventData::TicketRelated(related) => {
            let known = detail.related.iter().any(|other| other.ticket_id == related.ticket_id);
            if !known && detail.related.len() < RELATED_MAX {
                detail.related.push(Related { ticket_id: related.ticket_id, why: related.why.clone() });
            }
        }
        EventData::TicketMerged(merged) => ticket_merged(head, detail, merged),
        EventData::TicketUnmerged(unmerged) => ticket_unmerged(head, detail, unmerged),
        EventData::MessageMoved(_) => head.message_count = head.message_count.saturating_sub(1),
        EventData::SlaApplied(applied) => {
            let calendar = pinned(calendars, &applied.calendar)?;
            head.sla = Some(clock::start(applied, head.status, at, calendar));
        }
        EventData::TicketCreated(_)
        | EventData::NoteAdded(_)
        | EventData::SlaWarned(_)
        | EventData::SlaMet(_)
        | EventData::SlaBreached(_)
        | EventData::CsatReceived(_)
        | EventData::MessageEdited(_)
        | EventData::MessageDeleted(_)
        | EventData::ReactionAdded(_)
        | EventData::CallbackRequested(_)
        | EventData::CallerVerified(_)
        | EventData::TaskCreated(_)
        | EventData::AttachmentsStored(_)
        | EventData::TicketSplit(_)
        | EventData::HandedOff(_) => {}
    }
    if let Some(sla) = &mut head.sla {
        let calendar = pinned(calendars, &sla.calendar)?;
        clock::step(sla, event, at, calendar);
    }
    Ok(())
}

fn pinned<'a>(calendars: &'a Calendars, reference: &CalendarRef) -> Result<&'a Calendar, FoldError> {
    calendars.get(reference).ok_or_else(|| FoldError::Calendar(reference.clone()))
}

fn message_received(head: &mut TicketHead, detail: &TicketDetail, received: &MessageReceived, at: Moment) {
    head.message_count += 1;
    if received.message.automatic.is_some() {
        return;
    }
    // What was moved here counts as written when it was written: it is not the last word if others came since.
    let written_at = if received.moved_from.is_some() { received.message.received_at.min(at) } else { at };
    if head.last_customer_message_at.is_some_and(|last| last > written_at) {
        return;
    }
    head.last_customer_message_at = Some(written_at);
    // A colleague's message does not turn the answers away from whose problem it is.
    let way = received.reply_to.as_ref().filter(|way| leads_somewhere(way));
    let way = way.filter(|_| is_requester(head, detail, received.customer_id));
    if let Some(way) = way {
        head.reply_to = Some(answer::after(head.reply_to.as_ref(), way));
        if way.is_public() {
            head.public_way = Some(way.clone());
        }
    }
}

/// Where answers go once somebody left: where that said, unless whose way that was is erased since.
fn without(before: Option<ReplyTo>, left: &Identifier, said: Option<&ReplyTo>) -> Option<ReplyTo> {
    match said {
        Some(said) if !leads_somewhere(said) => before.filter(|before| before.identifier != *left),
        said => said.cloned(),
    }
}

/// Whether somebody can be answered there: not under a name that is erased.
fn leads_somewhere(way: &ReplyTo) -> bool {
    !erasure::is_erased(&way.identifier)
}

fn ticket_merged(head: &mut TicketHead, detail: &mut TicketDetail, merged: &TicketMerged) {
    if head.id == merged.ticket_id {
        let linked = merged.linked_customer.is_some();
        head.merged = Some(Merged { into: merged.into, status_before: merged.status_before, linked });
        return;
    }
    for conversation in &merged.conversations {
        let known = detail.merged_in.iter().any(|other| other.ticket_id == conversation.ticket_id);
        if !known && detail.merged_in.len() < MERGED_IN_MAX {
            detail.merged_in.push(conversation.clone());
        }
    }
}

fn ticket_unmerged(head: &mut TicketHead, detail: &mut TicketDetail, unmerged: &TicketUnmerged) {
    if head.id == unmerged.ticket_id {
        head.merged = None;
        return;
    }
    // Those that had gone into it stay listed: whether they still lead here, they say themselves.
    detail.merged_in.retain(|other| other.ticket_id != unmerged.ticket_id);
    detail.related.retain(|other| other.ticket_id != unmerged.ticket_id || other.why != WENT_INTO_IT);
}

fn status_changed(head: &mut TicketHead, to: Status, at: Moment) {
    let was_live = head.status.is_live();
    head.status = to;
    if !to.is_live() {
        head.resolved_at = head.resolved_at.or(Some(at));
        head.unrouted_since = None;
        head.waiting_since = None;
    } else if !was_live {
        head.resolved_at = None;
        head.unrouted_since = head.assignee.is_none().then_some(at);
    }
}

/// What was said of the end stays until the ticket is live again, or somebody says something else.
fn resolved(detail: &mut TicketDetail, change: &StatusChanged) {
    let said = change.disposition.is_some() || change.resolution.is_some();
    if change.to.is_live() {
        detail.resolution = None;
    } else if said {
        let (disposition, note) = (change.disposition.clone(), change.resolution.clone());
        detail.resolution = Some(Resolution { disposition, note });
    }
}

fn change_fields(detail: &mut TicketDetail, changed: &FieldsChanged) {
    detail.fields.retain(|key, _| !changed.removed.contains(key));
    detail.fields.extend(changed.set.clone());
}

fn add_references(detail: &mut TicketDetail, found: &[StrongReference]) {
    for reference in found {
        if !detail.references.contains(reference) && detail.references.len() < REFERENCES_MAX {
            detail.references.push(reference.clone());
        }
    }
}

/// Whether a message of this customer is one of the requester: theirs, or of somebody who is the same person.
fn is_requester(head: &TicketHead, detail: &TicketDetail, customer_id: CustomerId) -> bool {
    let same = |other: &Participant| other.role == Role::SamePerson && other.customer_id == Some(customer_id);
    customer_id == head.customer_id || detail.participants.iter().any(same)
}

fn add_participant(detail: &mut TicketDetail, added: &Participant) {
    let same = |other: &&mut Participant| other.identifier == added.identifier;
    if let Some(known) = detail.participants.iter_mut().find(same) {
        known.customer_id = known.customer_id.or(added.customer_id);
        return;
    }
    let is_same_person = |role| role == Role::SamePerson;
    let (role, most) =
        if is_same_person(added.role) { (Role::SamePerson, MEMBERS_MAX) } else { (Role::Colleague, PARTICIPANTS_MAX) };
    let alike = detail.participants.iter().filter(|other| is_same_person(other.role) == is_same_person(role));
    if alike.count() < most {
        detail.participants.push(Participant { role, ..added.clone() });
    }
}

#[cfg(test)]
mod tests;
