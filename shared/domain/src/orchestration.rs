//! Which ticket? Six steps, the first that matches decides: duplicate, signed reference, known thread, live
//! conversation, same problem on another channel, create.

mod acknowledgement;
mod commit;
mod drift;
mod opening;
mod same_problem;
mod similarity;

pub use acknowledgement::ACKNOWLEDGED_BESIDE_MAX;
pub(crate) use commit::promises;
pub use commit::{Recording, ReportedReply, record, unreachable};
pub use drift::is_quiet;
pub use opening::{Opening, open, way_to};
pub(crate) use same_problem::named_in;

use crate::config::{HOUR_MS, TicketingRules, Versioned};
use crate::decision::{Candidate, Decision};
use crate::id::{CustomerId, EventId, InboxId, TicketId};
use crate::identifier::Identifier;
use crate::inbound::{Identified, Proof};
use crate::ledger::{LedgerEntry, LedgerState};
use crate::merging;
use crate::message::{AutomaticKind, Message, Visibility};
use crate::moment::Moment;
use crate::strong_reference::StrongReference;
use crate::ticket::{Participant, Role, Status, Ticket, TicketHead};

/// What the decision reads: the customer's head and the referenced ledger items strongly, and the tickets they name.
#[derive(Clone, Debug)]
pub struct Situation<'a> {
    /// The message and its sender.
    pub identified: &'a Identified,
    /// All customers that are the same person, the sender included.
    pub cluster: &'a [CustomerId],
    /// The ledger item under the message's own key, if it was read or came back from a failed write.
    pub own: Option<&'a LedgerEntry>,
    /// The ticket that this item is on, or that mentioned it.
    pub own_ticket: Option<&'a Ticket>,
    /// The ticket that a signed reference of ours names.
    pub signed: Option<&'a Ticket>,
    /// Tickets that the referenced messages are on, nearest first.
    pub thread: &'a [Ticket],
    /// Those among these that a mail which we sent ourselves was referenced for.
    pub ours: &'a [TicketId],
    /// The customer's open tickets, oldest first.
    pub open: &'a [Ticket],
    /// Where merged ones among these went, and the merged ones whose conversations may go on on open ones.
    pub merged: &'a [Ticket],
    /// The inboxes on which people write in public who go on in private on the message's.
    pub public_sides: &'a [InboxId],
    /// Rules.
    pub rules: &'a Versioned<TicketingRules>,
    /// When the message was accepted.
    pub at: Moment,
}

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Nowhere: it is there already.
    Duplicate {
        /// The event that recorded it.
        of: Option<EventId>,
        /// This very delivery was recorded before: the stage runs again.
        same_delivery: bool,
    },
    /// On a ticket.
    Append {
        /// The ticket.
        ticket_id: TicketId,
        /// What its status becomes.
        status: Option<Status>,
        /// The sender takes part from now on.
        joins: bool,
        /// The ticket that was found first, if it was merged into this one.
        by_way_of: Option<TicketId>,
    },
    /// On a new ticket.
    Create {
        /// Tickets that have to do with it, and how.
        related: Vec<(TicketId, String)>,
        /// The resolved ticket that it follows up.
        follow_up_of: Option<TicketId>,
    },
}

/// Where a message goes, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orchestration {
    /// Where.
    pub placement: Placement,
    /// Why.
    pub decision: Decision,
    /// The message's own id is taken by another content: it is recorded beside it.
    pub beside: bool,
    /// What is to be noted on the message.
    pub warnings: Vec<String>,
    /// Order, invoice, product and case numbers that it names.
    pub references: Vec<StrongReference>,
}

/// How a new ticket names another that its customer has open.
pub const ALSO_OPEN: &str = "open ticket of the same customer";
/// How a follow-up names the ticket that it follows.
pub(crate) const FOLLOWS_UP: &str = "follows it up";

/// Decides which ticket a message belongs on.
pub fn orchestrate(situation: &Situation<'_>) -> Orchestration {
    let mut warnings = Vec::new();
    let mut beside = false;
    if let Some(own) = situation.own.filter(|own| !own.is_open()) {
        if let Some(found) = duplicate(situation, own) {
            return found;
        }
        // What is quarantined and comes again by itself is another chance to record it, under its own key.
        if !same_content(situation, own) {
            beside = true;
            let before = match own {
                own if own.is_of_reply() => "a reply of ours left",
                own if own.forged => "a forged message came before",
                _ => "another message with other content came before",
            };
            warnings.push(format!("{before} under the same id"));
        }
    }
    let references = same_problem::references(situation);
    // A list sends on what came by itself; or an answer came before what it answers, from the same person.
    let same_id = situation.own_ticket.filter(|ticket| match beside {
        true => comes_by_list(&situation.identified.inbound.message),
        false => situation.cluster.contains(&ticket.head.customer_id),
    });
    let (placement, decision) = match by_reference(situation, same_id, &references, &mut warnings) {
        Some(Referenced::Placed(placement, decision)) => (placement, decision),
        Some(Referenced::Drifted(from)) => drift::place(situation, from, &references),
        None => live_conversation(situation)
            .or_else(|| same_problem(situation, &references))
            .unwrap_or_else(|| create(situation, &warnings)),
    };
    let decision = decision.under(situation.rules.version);
    Orchestration { placement, decision, beside, warnings, references }
}

/// What comes of the references of a message.
enum Referenced<'a> {
    /// They place it.
    Placed(Placement, Decision),
    /// They lead to this ticket, but the message is about something else.
    Drifted(&'a Ticket),
}

/// Step 1. The same id is the same message only with the same content.
fn duplicate(situation: &Situation<'_>, own: &LedgerEntry) -> Option<Orchestration> {
    let inbound = &situation.identified.inbound;
    let same_delivery = own.message_id == Some(inbound.message.id);
    if !same_delivery && (own.state == LedgerState::Quarantined || !same_content(situation, own)) {
        return None;
    }
    let because = if same_delivery {
        "this delivery was recorded before"
    } else {
        "the same id and the same content were recorded before"
    };
    Some(Orchestration {
        placement: Placement::Duplicate { of: own.event_id.or(own.duplicate_of), same_delivery },
        decision: Decision::new("duplicate", because),
        beside: false,
        warnings: Vec::new(),
        references: Vec::new(),
    })
}

/// What is forged word by word must not hide the mail that it copies.
fn same_content(situation: &Situation<'_>, own: &LedgerEntry) -> bool {
    let inbound = &situation.identified.inbound;
    own.fingerprint.as_ref() == Some(&inbound.fingerprint) && (!own.forged || inbound.message.is_forged())
}

/// Steps 2 and 3. A reference leads to its ticket only for who has to do with it; a stranger gets a ticket of their own. Its own
/// id leads as a reference does, where an answer came before it, and where a list sends on what may have come by itself, too.
fn by_reference<'a>(
    situation: &Situation<'a>,
    same_id: Option<&'a Ticket>,
    found: &[StrongReference],
    warnings: &mut Vec<String>,
) -> Option<Referenced<'a>> {
    let signed = situation.signed.map(|ticket| ("signed_reference", ticket));
    let thread = situation.thread.iter().map(|ticket| ("known_thread", ticket));
    let all: Vec<_> = signed.into_iter().chain(thread).collect();
    let same_id = same_id.map(|ticket| ("known_thread", ticket));
    for (rule, ticket) in all.iter().chain(&same_id) {
        let admitted = admits(situation, ticket).map(|joins| {
            (joins, if joins { "a participant addressed the sender" } else { "the sender takes part in it" })
        });
        let survivor = survivor(situation, ticket);
        let parted = is_parted(situation, ticket);
        let goes_on = !stays(situation) && survivor.head.id != ticket.head.id && !parted;
        let on = if goes_on { survivor } else { *ticket };
        let there = || admits(situation, on).map(|joins| (joins, "the sender has to do with where it went"));
        let reports = || reports_on(situation, ticket).then_some((false, "it reports on a mail of ours"));
        if let Some((joins, how)) = admitted.or_else(there).or_else(reports) {
            if drift::drifts(situation, on, *rule == "signed_reference", found) {
                return Some(Referenced::Drifted(on));
            }
            let what = if *rule == "signed_reference" {
                "a reference that we signed names"
            } else {
                "a message of its thread is on"
            };
            let mut because = format!("{what} {}, and {how}", ticket.head.reference);
            if parted {
                let elsewhere = "that went into a ticket of somebody who is not the same person any more";
                because = format!("{because}; {elsewhere}");
            }
            let decision = Decision::new(rule, because).considering(candidates(&all));
            let (placement, decision) = if goes_on {
                // Who was let in by the merged ticket takes part in the other from now on.
                let joins = admits(situation, survivor).unwrap_or(true);
                on_survivor(situation, ticket, survivor, joins, decision)
            } else {
                on_ticket(situation, ticket, joins, None, decision)
            };
            return Some(Referenced::Placed(placement, decision));
        }
    }
    if let Some((_, ticket)) = all.first() {
        warnings.push("it refers to a ticket that its sender has nothing to do with".to_owned());
        let related = vec![(ticket.head.id, "referred to by a stranger".to_owned())];
        let because = format!(
            "it refers to {}, but its sender neither takes part there nor was addressed: a ticket of their own",
            ticket.head.reference
        );
        let decision = Decision::new("stranger_with_reference", because).considering(candidates(&all));
        return Some(Referenced::Placed(Placement::Create { related, follow_up_of: None }, decision));
    }
    None
}

/// The ticket that this one went into in the end; the ticket itself while it is not merged, or when its way has no end.
fn survivor<'a>(situation: &Situation<'a>, ticket: &'a Ticket) -> &'a Ticket {
    way(situation, ticket).last().copied().unwrap_or(ticket)
}

/// From the ticket to the one that it went into in the end; nothing when that cannot be followed.
fn way<'a>(situation: &Situation<'a>, ticket: &'a Ticket) -> Vec<&'a Ticket> {
    let known = situation.merged.iter().chain(situation.open).chain(situation.thread).chain(situation.signed);
    let find = |id| known.clone().find(|ticket| ticket.head.id == id);
    merging::chain(ticket, find).unwrap_or_default()
}

/// Whether the sender's ticket went, because two people were linked, into one of somebody who is not the same person any more.
fn is_parted(situation: &Situation<'_>, ticket: &Ticket) -> bool {
    let is_theirs = |ticket: &Ticket| situation.cluster.contains(&ticket.head.customer_id);
    let is_linked = |passed: &Ticket| passed.head.merged.is_some_and(|merged| merged.linked);
    way(situation, ticket).windows(2).any(|step| match step {
        [passed, next] => is_linked(passed) && is_theirs(passed) && !is_theirs(next),
        _ => false,
    })
}

/// Whether the message belongs on the very ticket that it is about, merged or not: a rating, and a mail system's report.
fn stays(situation: &Situation<'_>) -> bool {
    let inbound = &situation.identified.inbound;
    inbound.score.is_some() || is_report(&inbound.message)
}

fn comes_by_list(message: &Message) -> bool {
    message.automatic.as_ref().is_some_and(|automatic| automatic.kind == AutomaticKind::List)
}

fn is_report(message: &Message) -> bool {
    let kind = message.automatic.as_ref().map(|automatic| automatic.kind);
    matches!(kind, Some(AutomaticKind::Bounce | AutomaticKind::Delayed))
}

/// The message goes where the ticket that was found went.
fn on_survivor(
    situation: &Situation<'_>,
    found: &Ticket,
    survivor: &Ticket,
    joins: bool,
    decision: Decision,
) -> (Placement, Decision) {
    let (before, after) = (found.head.reference, survivor.head.reference);
    let because = format!("{}; {before} was merged into {after}", decision.because);
    let decision = Decision { because, ..decision };
    on_ticket(situation, survivor, joins, Some(found.head.id), decision)
}

fn candidates<'a>(all: &'a [(&'a str, &'a Ticket)]) -> impl Iterator<Item = Candidate> + 'a {
    all.iter().map(|(rule, ticket)| Candidate::new(ticket.head.id, rule))
}

/// Whether the sender may write on the ticket by reference, and whether they join it with that.
fn admits(situation: &Situation<'_>, ticket: &Ticket) -> Option<bool> {
    let claims = &situation.identified.inbound.claims;
    let names: Vec<&Identifier> =
        claims.iter().filter(|claim| claim.proof != Proof::Typed).map(|claim| &claim.identifier).collect();
    if situation.cluster.contains(&ticket.head.customer_id) {
        return Some(false);
    }
    // Who hides their number is not named again by what follows in the call; whose call it is, its provider says and signs.
    if claims.is_empty() && situation.identified.inbound.message.call.is_some() {
        return Some(false);
    }
    let customer = situation.identified.customer_id;
    let is_them = |id: CustomerId| id == customer || situation.cluster.contains(&id);
    let is_theirs = |participant: &&Participant| participant.customer_id.is_some_and(is_them);
    // Who wrote here only as the same person as the requester is a stranger once they are unlinked.
    let (parted, participants): (Vec<&Participant>, Vec<&Participant>) =
        ticket.detail.participants.iter().partition(|participant| participant.role == Role::SamePerson);
    if participants.iter().any(is_theirs) {
        return Some(false);
    }
    let is_parted = parted.iter().any(is_theirs);
    let named = participants.iter().find(|participant| names.contains(&&participant.identifier));
    let answered = ticket.head.reply_to.as_ref().filter(|reply_to| !is_parted && names.contains(&&reply_to.identifier));
    named.map(|named| named.customer_id.is_none()).or(answered.map(|_| true))
}

/// Whether the message is a mail system's report about a mail of ours. The system itself takes part nowhere. Everybody can
/// write such a report, so it has to know what only who had the mail knows: the id that it left under, whoever had it then; or
/// a name that we signed, which is in all mails of the ticket, and somebody whom they go to. The ids of customers' mails are
/// known to others, too.
fn reports_on(situation: &Situation<'_>, ticket: &Ticket) -> bool {
    let message = &situation.identified.inbound.message;
    if !is_report(message) || message.is_forged() {
        return false;
    }
    if situation.ours.contains(&ticket.head.id) {
        return true;
    }
    if situation.signed.is_none_or(|signed| signed.head.id != ticket.head.id) {
        return false;
    }
    let named = message.report.iter().flat_map(|report| &report.recipients);
    let mut named = named.filter_map(|recipient| Identifier::email(&recipient.address).ok());
    let participants = &ticket.detail.participants;
    named.any(|named| {
        ticket.head.reply_to.as_ref().is_some_and(|reply_to| reply_to.identifier == named)
            || participants.iter().any(|participant| participant.identifier == named)
    })
}

/// The message goes on this ticket, or, when the ticket is done for too long, on a follow-up.
fn on_ticket(
    situation: &Situation<'_>,
    ticket: &Ticket,
    joins: bool,
    by_way_of: Option<TicketId>,
    decision: Decision,
) -> (Placement, Decision) {
    let inbound = &situation.identified.inbound;
    let head = &ticket.head;
    let append = |status| Placement::Append { ticket_id: head.id, status, joins, by_way_of };
    let follow_up = || situation.open.iter().rev().find(|open| open.head.status.is_live() && follows_up(open, ticket));
    // Machines, latecomers and ratings change nothing.
    if inbound.message.automatic.is_some() || inbound.late || inbound.score.is_some() {
        return (append(None), decision);
    }
    match head.status {
        Status::New | Status::Open => (append(None), decision),
        Status::Pending | Status::OnHold => (append(Some(Status::Open)), decision),
        Status::Resolved if within_reopen_window(situation, ticket) => {
            let because = format!("{}; resolved inside the reopen window, so it is reopened", decision.because);
            (append(Some(Status::Open)), Decision { because, ..decision })
        }
        Status::Resolved | Status::Closed if let Some(open) = follow_up() => {
            let because = format!("{}; that is done and {} follows it up", decision.because, open.head.reference);
            on_ticket(situation, open, false, by_way_of, Decision { because, ..decision })
        }
        Status::Resolved | Status::Closed => {
            let because =
                format!("{}; that is {} for too long, so this follows it up", decision.because, head.status.as_str());
            let decision = Decision { rule: "follow_up".to_owned(), because, ..decision };
            let related = vec![(head.id, FOLLOWS_UP.to_owned())];
            (Placement::Create { related, follow_up_of: Some(head.id) }, decision)
        }
    }
}

fn follows_up(ticket: &Ticket, before: &Ticket) -> bool {
    ticket.detail.related.iter().any(|related| related.ticket_id == before.head.id && related.why == FOLLOWS_UP)
}

fn within_reopen_window(situation: &Situation<'_>, ticket: &Ticket) -> bool {
    let window_ms = situation.rules.body.reopen_window_ms(situation.identified.inbound.message.channel);
    ticket.head.resolved_at.is_some_and(|resolved_at| situation.at.since_ms(resolved_at) <= window_ms)
}

/// Step 4. Chat-like channels go on with the running conversation of their inbox.
fn live_conversation(situation: &Situation<'_>) -> Option<(Placement, Decision)> {
    let message = &situation.identified.inbound.message;
    if !message.channel.is_conversational() {
        return None;
    }
    let hours = situation.rules.body.conversation_window_hours(message.channel);
    let is_active = |ticket: &&Ticket| {
        let head = &ticket.head;
        head.status.is_live() && situation.at.since_ms(last_message_at(head)) <= hours.saturating_mul(HOUR_MS)
    };
    let active = situation.open.iter().rev().filter(is_active);
    let here = |head: &TicketHead| head.inbox == message.inbox && head.channel == message.channel;
    // Who wrote in public goes on in private on that inbox's private side, unless they talk there already.
    let in_public = |head: &TicketHead| {
        let way = head.public_way.as_ref().filter(|_| message.visibility == Visibility::Private);
        way.is_some_and(|way| situation.public_sides.contains(&way.inbox))
    };
    // The ticket itself, or the one where it went when it was merged.
    let running = |fits: &dyn Fn(&TicketHead) -> bool| {
        let own = active.clone().find(|ticket| fits(&ticket.head)).map(|ticket| (ticket, ticket));
        own.or_else(|| {
            active.clone().find_map(|ticket| {
                let leads_here = |merged: &&Ticket| {
                    fits(&merged.head)
                        && merged.head.merged.is_some()
                        && situation.cluster.contains(&merged.head.customer_id)
                        && survivor(situation, merged).head.id == ticket.head.id
                };
                situation.merged.iter().find(leads_here).map(|merged| (merged, ticket))
            })
        })
    };
    let (found, running) = running(&here).or_else(|| running(&in_public))?;
    let reference = found.head.reference;
    let decision = if here(&found.head) {
        let because = format!("the customer's conversation on this inbox was active within {hours} hours: {reference}");
        Decision::new("live_conversation", because)
    } else {
        let because = format!("the customer wrote in public within {hours} hours, and goes on in private: {reference}");
        Decision::new("gone_private", because)
    };
    Some(if found.head.id == running.head.id {
        on_ticket(situation, running, false, None, decision)
    } else {
        on_survivor(situation, found, running, false, decision)
    })
}

/// When somebody last wrote. What the system does by itself, a breach recorded or an agent found, is no activity.
fn last_message_at(head: &TicketHead) -> Moment {
    head.last_customer_message_at.max(head.last_reply_at).unwrap_or(head.created_at)
}

/// Step 5. An open ticket that names the same number, or is recent and about the same, or recent and called about.
fn same_problem(situation: &Situation<'_>, found: &[StrongReference]) -> Option<(Placement, Decision)> {
    if situation.identified.inbound.message.automatic.is_some() {
        return None;
    }
    same_problem::by_reference(situation, found)
        .or_else(|| same_problem::by_words(situation))
        .or_else(|| same_problem::by_call(situation))
}

/// Step 6.
fn create(situation: &Situation<'_>, warnings: &[String]) -> (Placement, Decision) {
    let live = situation.open.iter().filter(|ticket| ticket.head.status.is_live());
    let related: Vec<_> = live.clone().map(|ticket| (ticket.head.id, ALSO_OPEN.to_owned())).collect();
    let because = match (related.len(), warnings.len()) {
        (0, 0) => "no reference, no running conversation and no open ticket of this customer".to_owned(),
        (0, _) => "no open ticket that it belongs on".to_owned(),
        (n, _) => format!("none of the customer's {n} open ticket(s) is about the same: a new one, marked as related"),
    };
    let message = &situation.identified.inbound.message;
    let considered = live.map(|ticket| Candidate::new(ticket.head.id, same_problem::why_not(message, ticket)));
    let decision = Decision::new("create", because).considering(considered);
    (Placement::Create { related, follow_up_of: None }, decision)
}

/// Whether an automatic message opens a ticket that somebody has to work on. Answers of machines do not; what a machine
/// sends of its own accord may matter.
pub fn needs_work(automatic: Option<AutomaticKind>) -> bool {
    matches!(automatic, None | Some(AutomaticKind::Bulk | AutomaticKind::List))
}

#[cfg(test)]
mod tests;
