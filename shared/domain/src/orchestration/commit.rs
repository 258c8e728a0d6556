//! The changes that a placement makes to a ticket.

use std::collections::BTreeMap;

use crate::channel::Channel;
use crate::clock;
use crate::config::Config;
use crate::decision::Decision;
use crate::event::{
    Actor, CallbackRequested, Changes, CsatReceived, EventData, FieldsChanged, HandedOff, MessageFailed,
    MessageReceived, ReferencesFound, SlaApplied, StatusChanged, TicketCreated, TicketRelated, Unassigned,
};
use crate::id::{CustomerId, EventId, TicketId, TicketReference};
use crate::identifier::{Identifier, IdentifierKind};
use crate::inbound::{Claim, Identified, Proof};
use crate::message::{AutomaticKind, CallStage, DeliveryAction, Message, ReportedRecipient, Visibility, truncated};
use crate::moment::Moment;
use crate::orchestration::acknowledgement::acknowledge;
use crate::orchestration::{Orchestration, Placement, comes_by_list, needs_work};
use crate::signals;
use crate::strong_reference::{REFERENCES_MAX, StrongReference};
use crate::ticket::{
    FIELDS_BYTES_MAX, FIELDS_MAX, Participant, Priority, ReplyTo, Role, SUBJECT_BYTES_MAX, Status, Ticket, field_bytes,
};

/// Longest Message-ID that is kept on the head for answers to refer to, in bytes; longer ones are rare, and answers find
/// back by their reply address.
const ANCHOR_BYTES_MAX: usize = 120;

/// Longest reason that is kept of a failed delivery, in bytes; the report itself has all of it.
const REASON_BYTES_MAX: usize = 500;

/// What a recording reads besides the decision.
#[derive(Clone, Debug)]
pub struct Recording<'a> {
    /// The message and its sender.
    pub identified: &'a Identified,
    /// Where it goes.
    pub orchestration: &'a Orchestration,
    /// The ticket that it goes on; nothing for a new one.
    pub ticket: Option<&'a Ticket>,
    /// All customers that are the same person as the sender, the sender included.
    pub cluster: &'a [CustomerId],
    /// The public name of a new ticket.
    pub reference: TicketReference,
    /// Segment of the customer, for a new ticket.
    pub segment: Option<&'a str>,
    /// How many open tickets of this person have something new today.
    pub open_today: usize,
    /// The reply on that ticket that the message is a mail system's report about.
    pub reported: Option<ReportedReply>,
    /// Rules.
    pub config: &'a Config,
    /// When it happens.
    pub at: Moment,
}

/// A reply that left, as the ledger knows it by the id that it left under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportedReply {
    /// The event of the reply.
    pub event_id: EventId,
    /// Its commit.
    pub sequence: u64,
}

/// The changes that put the message on its ticket.
pub fn record(recording: &Recording<'_>) -> Changes {
    let mut changes = Changes::new();
    let customer = Actor::Customer(recording.identified.customer_id);
    let decision = recording.orchestration.decision.clone();
    if let Some(ticket) = recording.ticket {
        if let Some(sla) = &ticket.head.sla {
            clock::overdue(sla, recording.at).for_each(|breach| changes.push(Actor::System, breach));
        }
        append(recording, ticket, customer, decision, &mut changes);
    } else {
        create(recording, &customer, decision, &mut changes);
    }
    changes
}

fn append(recording: &Recording<'_>, ticket: &Ticket, customer: Actor, decision: Decision, changes: &mut Changes) {
    let Placement::Append { status, joins, .. } = recording.orchestration.placement else {
        return;
    };
    if joins {
        participants(recording, ticket, changes);
    } else {
        same_person(recording, ticket, changes);
    }
    // A rating is no message that somebody waits for an answer to.
    if let Some(score) = recording.identified.inbound.score {
        let comment = recording.identified.inbound.message.text.clone();
        changes.push_because(customer, EventData::CsatReceived(CsatReceived { score, comment }), decision);
        return;
    }
    changes.push_because(customer.clone(), received(recording), decision);
    references(recording, Some(ticket), changes);
    more_fields(recording, ticket, &customer, changes);
    bounced(recording, changes);
    addressed(recording, Some(ticket), changes);
    handoff(recording, &customer, changes);
    let Some(to) = status else {
        return;
    };
    let change = StatusChanged::plain(ticket.head.status, to);
    let because = "the customer wrote again";
    changes.push_because(Actor::System, EventData::StatusChanged(change), Decision::new("customer_replied", because));
    // A resolved ticket has given its capacity back; whoever had it gets it again if they have room.
    if let (false, Some(agent)) = (ticket.head.status.is_live(), &ticket.head.assignee) {
        let unassigned = Unassigned { agent: agent.clone(), preferred: true, reroute: true };
        let because = "the ticket needs capacity again, which its agent may not have";
        changes.push_because(Actor::System, EventData::Unassigned(unassigned), Decision::new("reopened", because));
    }
}

/// Custom fields that the message brings and the ticket does not have, as far as there is room. What it has stays as it is:
/// an agent may have put it right.
fn more_fields(recording: &Recording<'_>, ticket: &Ticket, customer: &Actor, changes: &mut Changes) {
    let known = &ticket.detail.fields;
    let mut bytes: usize = known.iter().map(|(name, value)| field_bytes(name, value)).sum();
    let mut set = BTreeMap::new();
    for (name, value) in recording.identified.inbound.fields.iter().filter(|(name, _)| !known.contains_key(*name)) {
        let size = field_bytes(name, value);
        if known.len() + set.len() < FIELDS_MAX && bytes + size <= FIELDS_BYTES_MAX {
            bytes += size;
            set.insert(name.clone(), value.clone());
        }
    }
    if !set.is_empty() {
        let changed = FieldsChanged { set, removed: Vec::new() };
        changes.push(customer.clone(), EventData::FieldsChanged(changed));
    }
}

/// The strong references of the message that the ticket does not have yet. Most messages bring none, and write no detail.
fn references(recording: &Recording<'_>, ticket: Option<&Ticket>, changes: &mut Changes) {
    let known = ticket.map(|ticket| ticket.detail.references.as_slice()).unwrap_or_default();
    let new = recording.orchestration.references.iter().filter(|reference| !known.contains(reference));
    let new: Vec<StrongReference> = new.take(REFERENCES_MAX.saturating_sub(known.len())).cloned().collect();
    if !new.is_empty() {
        changes.push(Actor::System, EventData::ReferencesFound(ReferencesFound { references: new }));
    }
}

/// A reply came back: nobody read it. A report that it only takes longer changes nothing.
fn bounced(recording: &Recording<'_>, changes: &mut Changes) {
    let message = &recording.identified.inbound.message;
    let is_bounce = message.automatic.as_ref().is_some_and(|automatic| automatic.kind == AutomaticKind::Bounce);
    let Some((reply, report)) = recording.reported.zip(message.report.as_ref()).filter(|_| is_bounce) else {
        return;
    };
    let failed = report.recipients.iter().filter(|recipient| recipient.action == DeliveryAction::Failed);
    let reasons: Vec<String> = failed.map(reason).collect();
    if reasons.is_empty() {
        return;
    }
    let failed = MessageFailed {
        event_id: reply.event_id,
        sequence: reply.sequence,
        channel: message.channel,
        reason: truncated(&reasons.join("; "), REASON_BYTES_MAX).to_owned(),
        ambiguous: false,
    };
    let because = "a mail system reports that it could not deliver the reply";
    changes.push_because(Actor::System, EventData::MessageFailed(failed), Decision::new("delivery_report", because));
}

/// The people whom a report about a reply on the ticket says that no mail will ever reach (RFC 3463: the address is no good),
/// as far as the ticket's mail goes to them; with what the report says.
pub fn unreachable(identified: &Identified, ticket: &Ticket) -> Vec<(Identifier, String)> {
    let message = &identified.inbound.message;
    let is_bounce = message.automatic.as_ref().is_some_and(|automatic| automatic.kind == AutomaticKind::Bounce);
    let recipients = message.report.iter().filter(|_| is_bounce).flat_map(|report| &report.recipients);
    let failed = recipients.filter(|recipient| recipient.action == DeliveryAction::Failed);
    let for_good =
        failed.filter(|recipient| recipient.status.as_deref().is_some_and(|status| status.starts_with("5.1.")));
    let named = for_good.filter_map(|recipient| Some((Identifier::email(&recipient.address).ok()?, reason(recipient))));
    named.filter(|(name, _)| names(ticket, name)).collect()
}

/// What a report says of a recipient. Most diagnostics hold the status already.
fn reason(recipient: &ReportedRecipient) -> String {
    let (status, said) = (recipient.status.as_deref(), recipient.diagnostic.as_deref());
    let status = status.filter(|status| !said.is_some_and(|said| said.contains(status)));
    let said: Vec<&str> = [status, said].into_iter().flatten().collect();
    let said = if said.is_empty() { "no reason given".to_owned() } else { said.join(" ") };
    format!("{}: {said}", recipient.address)
}

fn create(recording: &Recording<'_>, customer: &Actor, decision: Decision, changes: &mut Changes) {
    let inbound = &recording.identified.inbound;
    let message = &inbound.message;
    let follow_up_of = match &recording.orchestration.placement {
        Placement::Create { follow_up_of, .. } => *follow_up_of,
        _ => None,
    };
    let signals = signals::read(message, &recording.config.routing.body);
    let created = TicketCreated {
        reference: recording.reference,
        subject: subject(recording),
        channel: message.channel,
        inbox: message.inbox.clone(),
        customer_id: recording.identified.customer_id,
        priority: signals.priority,
        intent: signals.intent.clone(),
        language: message.language.clone(),
        segment: recording.segment.map(str::to_owned),
        follow_up_of,
        fields: inbound.fields.clone(),
        reply_to: None,
    };
    changes.push_because(Actor::System, EventData::TicketCreated(Box::new(created)), decision);
    let identity = recording.identified.decision.clone();
    changes.push_because(customer.clone(), received(recording), identity);
    references(recording, None, changes);
    addressed(recording, None, changes);
    if let Placement::Create { related, .. } = &recording.orchestration.placement {
        for (ticket_id, why) in related {
            let related = TicketRelated { ticket_id: *ticket_id, why: why.clone() };
            changes.push(Actor::System, EventData::TicketRelated(related));
        }
    }
    handoff(recording, customer, changes);
    if !needs_work(message.automatic.as_ref().map(|automatic| automatic.kind)) {
        let change = StatusChanged::plain(Status::New, Status::Resolved);
        let because = "a machine's answer needs nobody's work";
        changes.push_because(Actor::System, EventData::StatusChanged(change), Decision::new("automatic", because));
        return;
    }
    let promised = promises(recording.config, message.channel, signals.priority, recording.segment);
    if let (Some((applied, decision)), None) = (promised, &message.automatic) {
        changes.push_because(Actor::System, applied, decision);
    }
    if let Some((acknowledgement, decision)) = acknowledge(recording, reply_to(recording)) {
        changes.push_because(Actor::System, acknowledgement, decision);
    }
}

/// What a new ticket's customer is promised, by the most specific policy, and why that one.
pub(crate) fn promises(
    config: &Config,
    channel: Channel,
    priority: Priority,
    segment: Option<&str>,
) -> Option<(EventData, Decision)> {
    let rules = &config.sla;
    let policy = rules.policy_for(channel, priority, segment)?;
    let because = format!("the most specific policy for {channel} with its priority and segment");
    let applied = EventData::SlaApplied(SlaApplied {
        policy: rules.policy_ref(policy),
        calendar: rules.calendar_ref(policy),
        targets: policy.targets.clone(),
        pause_in: policy.pause_in.clone(),
        warn_at_percent: policy.warn_at_percent,
    });
    Some((applied, Decision::new("most_specific_policy", because).under(rules.version)))
}

/// The subject, or else the first line that says something.
fn subject(recording: &Recording<'_>) -> String {
    let message = &recording.identified.inbound.message;
    let subject = message.subject.as_deref().map(str::trim).filter(|subject| !subject.is_empty());
    let line = message.new_text().lines().map(str::trim).find(|line| !line.is_empty());
    let chosen = subject.or(line).unwrap_or("(no subject)");
    truncated(chosen, SUBJECT_BYTES_MAX).to_owned()
}

fn received(recording: &Recording<'_>) -> EventData {
    let inbound = &recording.identified.inbound;
    let mut message = inbound.message.clone();
    message.warnings.extend(recording.orchestration.warnings.iter().cloned());
    EventData::MessageReceived(Box::new(MessageReceived {
        customer_id: recording.identified.customer_id,
        reply_to: reply_to(recording),
        message,
        late: inbound.late,
        by_way_of: by_way_of(recording),
        moved_from: None,
    }))
}

/// The merged ticket that led to the ticket where the message goes.
fn by_way_of(recording: &Recording<'_>) -> Option<TicketId> {
    match recording.orchestration.placement {
        Placement::Append { by_way_of, .. } => by_way_of,
        _ => None,
    }
}

/// Where an answer goes: back on the channel it came by, to a name that the sender proved or that the answer reaches.
fn reply_to(recording: &Recording<'_>) -> Option<ReplyTo> {
    let inbound = &recording.identified.inbound;
    let message = &inbound.message;
    if message.automatic.is_some() {
        return None;
    }
    let claims = inbound.claims.iter().filter(|claim| claim.proof != Proof::Typed || is_mail_sender(message, claim));
    let (channel, wanted) = way_back(message)?;
    let claim = claims.into_iter().find(|claim| claim.identifier.kind() == wanted)?;
    let identifier = elsewhere(message, claim).unwrap_or_else(|| claim.identifier.clone());
    let inbox = if channel == message.channel {
        message.inbox.clone()
    } else {
        let inboxes = &recording.config.inboxes.body.inboxes;
        inboxes.iter().find(|inbox| inbox.channel == channel)?.id.clone()
    };
    let visibility = if channel == message.channel { message.visibility } else { Visibility::Private };
    let anchor = match visibility {
        Visibility::Public => Some(message.provider_message_id.clone()),
        Visibility::Private => message.message_id.clone(),
    };
    let anchor = anchor.filter(|id| id.len() <= ANCHOR_BYTES_MAX);
    Some(ReplyTo { channel, inbox, identifier, anchor, visibility })
}

/// The channel on which a message is answered, and the kind of name that the answer travels to: who posts by a business
/// system, a bot or a form is answered by mail, who calls by text message, everybody else where they wrote.
fn way_back(message: &Message) -> Option<(Channel, IdentifierKind)> {
    Some(match message.channel {
        Channel::Email | Channel::Webhook | Channel::Portal | Channel::Bot => (Channel::Email, IdentifierKind::Email),
        Channel::Voice => (Channel::Sms, IdentifierKind::Phone),
        Channel::WebChat => (Channel::WebChat, IdentifierKind::Session),
        channel => (channel, IdentifierKind::named(&message.sender.kind)?),
    })
}

/// Mail is answered to its sender even where nothing proves them: the answer goes to the address, not to who wrote.
fn is_mail_sender(message: &Message, claim: &Claim) -> bool {
    message.channel == Channel::Email && claim.identifier.value() == message.sender.value
}

/// Where a proven sender of mail wants the answers. Unproven, anybody could have the answers that speak of another's
/// affairs sent to themselves.
fn elsewhere(message: &Message, sender: &Claim) -> Option<Identifier> {
    let heeded = message.channel == Channel::Email && sender.proof == Proof::Proven;
    Identifier::email(message.reply_to.as_deref().filter(|_| heeded)?).ok()
}

/// The sender, who was addressed before, takes part from now on.
fn participants(recording: &Recording<'_>, ticket: &Ticket, changes: &mut Changes) {
    let claims = recording.identified.inbound.claims.iter().filter(|claim| claim.proof != Proof::Typed);
    // By the name that was addressed, so that they are not listed twice.
    let new = |claim: &Claim| !names(ticket, &claim.identifier);
    if let Some(claim) = claims.min_by_key(|claim| (new(claim), claim.identifier.kind())) {
        let participant = Participant {
            customer_id: Some(recording.identified.customer_id),
            identifier: claim.identifier.clone(),
            role: Role::Colleague,
        };
        let (rule, because) = match by_way_of(recording) {
            Some(_) => ("merged_ticket", "they wrote to a ticket that was merged into this one"),
            None => ("addressed_colleague", "a participant addressed them, and now they wrote"),
        };
        let decision = Decision::new(rule, because);
        changes.push_because(Actor::System, EventData::ParticipantAdded(participant), decision);
    }
}

/// Who writes on a ticket of somebody whom they are linked with takes part as the same person, as long as they are.
fn same_person(recording: &Recording<'_>, ticket: &Ticket, changes: &mut Changes) {
    let customer_id = recording.identified.customer_id;
    let participants = &ticket.detail.participants;
    let of_somebody_else = ticket.head.customer_id != customer_id;
    let is_linked = recording.cluster.contains(&ticket.head.customer_id);
    let is_listed = participants.iter().any(|other| other.customer_id == Some(customer_id));
    if !(of_somebody_else && is_linked) || is_listed {
        return;
    }
    let claims = recording.identified.inbound.claims.iter().filter(|claim| claim.proof != Proof::Typed);
    if let Some(claim) = claims.min_by_key(|claim| claim.identifier.kind()) {
        let identifier = claim.identifier.clone();
        let participant = Participant { customer_id: Some(customer_id), identifier, role: Role::SamePerson };
        let because = format!("they are linked with the requester, {}, as the same person", ticket.head.customer_id);
        let decision = Decision::new("same_person", because);
        changes.push_because(Actor::System, EventData::ParticipantAdded(participant), decision);
    }
}

/// Whom the message addresses besides us may answer on the ticket. A machine lets nobody in; by a list, people write.
fn addressed(recording: &Recording<'_>, ticket: Option<&Ticket>, changes: &mut Changes) {
    let inbound = &recording.identified.inbound;
    if inbound.message.automatic.is_some() && !comes_by_list(&inbound.message) {
        return;
    }
    let mut known: Vec<_> = inbound.claims.iter().map(|claim| &claim.identifier).collect();
    for identifier in &inbound.addressed {
        if !known.contains(&identifier) && !ticket.is_some_and(|ticket| names(ticket, identifier)) {
            known.push(identifier);
            let participant = Participant { customer_id: None, identifier: identifier.clone(), role: Role::Colleague };
            changes.push(Actor::System, EventData::ParticipantAdded(participant));
        }
    }
}

/// Whether the ticket knows somebody by this name: a participant, or the requester.
fn names(ticket: &Ticket, identifier: &Identifier) -> bool {
    ticket.head.reply_to.as_ref().is_some_and(|reply_to| reply_to.identifier == *identifier)
        || ticket.detail.participants.iter().any(|participant| participant.identifier == *identifier)
}

/// What else the message asks for: a person, or a call.
fn handoff(recording: &Recording<'_>, customer: &Actor, changes: &mut Changes) {
    let inbound = &recording.identified.inbound;
    let message = &inbound.message;
    if inbound.handoff {
        changes.push(customer.clone(), EventData::HandedOff(HandedOff { channel: message.channel }));
    }
    if message.call.as_ref().is_some_and(|call| call.stage == CallStage::CallbackRequested) {
        let is_phone = |claim: &&Claim| claim.identifier.kind() == IdentifierKind::Phone;
        let number = inbound.claims.iter().find(is_phone).map(|claim| claim.identifier.value().to_owned());
        let wanted = CallbackRequested { inbox: message.inbox.clone(), number };
        changes.push(customer.clone(), EventData::CallbackRequested(wanted));
    }
}
