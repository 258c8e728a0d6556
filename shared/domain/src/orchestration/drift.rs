//! Drift: a mail that answers an old one and is about something else. People look for an old mail to have the address at
//! hand; the ticket that it belonged to is done, or nobody has written on it for a long time.
//!
//! That the subject is another one is not enough: no word and no strong reference may be shared. What is doubtful stays
//! where it answers.

use super::similarity::{new_text, words};
use super::{Placement, Situation, last_message_at, on_ticket, same_problem};
use crate::channel::Channel;
use crate::config::TicketingRules;
use crate::decision::{Candidate, Decision};
use crate::message::truncated;
use crate::moment::Moment;
use crate::strong_reference::StrongReference;
use crate::ticket::{Status, Ticket, TicketHead};

/// How a ticket that drifted off names the one that it was an answer to.
const BESIDE: &str = "a new topic begun as an answer to it";
/// Fewer words of a subject do not tell what it is about.
const SUBJECT_WORDS_MIN: usize = 2;
/// How much of a subject an explanation names, in bytes.
const NAMED_BYTES_MAX: usize = 60;
/// How many marks are taken off a subject: each answer may add one.
const MARKS_MAX: usize = 20;

/// What mail programs put before the subject of an answer or of what is passed on, in the languages that they speak.
const MARKS: [&str; 31] = [
    "re", "aw", "antw", "antwort", "sv", "vs", "ref", "rv", "r", "res", "odp", "ynt", "bls", "blz", "vb", "fw", "fwd",
    "wg", "tr", "i", "rif", "enc", "pd", "doorst", "回复", "答复", "回覆", "转发", "轉寄", "返信", "転送",
];

/// Whether nobody wrote on a live ticket for so long that an answer to it may be about something else.
pub fn is_quiet(head: &TicketHead, rules: &TicketingRules, at: Moment) -> bool {
    rules.drift.enabled && head.status.is_live() && at.since_ms(last_message_at(head)) > rules.drift.quiet_ms()
}

/// Whether the message, an answer to something on the ticket, is about something else. `signed`: it came to an address that
/// we signed for this ticket, which somebody who answers a running ticket does.
pub(super) fn drifts(situation: &Situation<'_>, ticket: &Ticket, signed: bool, found: &[StrongReference]) -> bool {
    let inbound = &situation.identified.inbound;
    let (message, rules, head) = (&inbound.message, &situation.rules.body, &ticket.head);
    if message.channel != Channel::Email || message.automatic.is_some() || inbound.late || !rules.drift.enabled {
        return false;
    }
    let old = match head.status {
        Status::Resolved => true,
        Status::Closed => false,
        _ => !signed && is_quiet(head, rules, situation.at),
    };
    let given = message.subject.as_deref().unwrap_or_default();
    if !old || names(given, ticket) || same_problem::shared(found, ticket).is_some() {
        return false;
    }
    let (new, before) = (topic(given), topic(&head.subject));
    let (said, known) = (words(&new), words(&before));
    let same = |a: &str, b: &str| a.contains(b) || b.contains(a);
    said.len() >= SUBJECT_WORDS_MIN
        && !known.is_empty()
        && !same(&new, &before)
        && said.is_disjoint(&known)
        && words(new_text(message)).is_disjoint(&known)
}

/// Whether the subject carries the ticket's public name, as those of our answers do.
fn names(subject: &str, ticket: &Ticket) -> bool {
    subject.to_uppercase().contains(&ticket.head.reference.to_string())
}

/// The subject without what answering and passing on put before it, in lower case with single blanks.
fn topic(subject: &str) -> String {
    let mut rest = subject.trim();
    for _ in 0..MARKS_MAX {
        let Some(after) = without_mark(rest) else { break };
        rest = after.trim_start();
    }
    rest.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Behind the first mark: `Re:`, `AW :`, `Re[2]:`, `回复：`, `[EXTERNAL]`.
fn without_mark(subject: &str) -> Option<&str> {
    if let Some(rest) = subject.strip_prefix('[') {
        return rest.split_once(']').map(|(_, after)| after);
    }
    let (mark, after) = subject.split_once([':', '：'])?;
    let mark = match mark.trim_end().split_once(['[', '(']) {
        Some((mark, count)) if count.ends_with([']', ')']) => mark,
        _ => mark,
    };
    MARKS.contains(&mark.trim_end().to_lowercase().as_str()).then_some(after)
}

/// Where a message goes that drifted off a ticket: with what drifted off before about the same, on another open ticket about
/// the same, or on one of its own that is marked.
pub(super) fn place(situation: &Situation<'_>, from: &Ticket, found: &[StrongReference]) -> (Placement, Decision) {
    let message = &situation.identified.inbound.message;
    let given = message.subject.as_deref().unwrap_or_default();
    let (reference, new) = (from.head.reference, topic(given));
    let beside = |ticket: &&Ticket| {
        let marked = |ticket: &Ticket| {
            ticket.detail.related.iter().any(|related| related.ticket_id == from.head.id && related.why == BESIDE)
        };
        ticket.head.status.is_live() && marked(ticket) && topic(&ticket.head.subject).contains(&new)
    };
    if let Some(before) = situation.open.iter().rev().find(beside) {
        let because = format!(
            "it answers a message of {reference} but is about something else, as {} is, which began the same way",
            before.head.reference
        );
        return on_ticket(situation, before, false, None, Decision::new("drifted", because));
    }
    if let Some(elsewhere) = same_problem::by_reference(situation, found).or_else(|| same_problem::by_words(situation))
    {
        return elsewhere;
    }
    let stands = match from.head.status {
        Status::Resolved => "resolved".to_owned(),
        _ => format!("without a message for more than {} days", situation.rules.body.drift.quiet_days),
    };
    let because = format!(
        "it answers a message of {reference}, which is {stands}, but “{}” has nothing in common with “{}”: a new ticket, \
         marked as related",
        truncated(&new, NAMED_BYTES_MAX),
        truncated(&topic(&from.head.subject), NAMED_BYTES_MAX)
    );
    let considered = [Candidate::new(from.head.id, "no word in common")];
    let related = vec![(from.head.id, BESIDE.to_owned())];
    let placement = Placement::Create { related, follow_up_of: None };
    (placement, Decision::new("drifted", because).considering(considered))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answering_and_passing_on_change_no_topic() {
        for subject in [
            "Printer  broken",
            "Re: Printer broken",
            "RE: AW: Fwd: printer broken",
            "Re[2]: Printer broken",
            "Antw (3): Printer broken",
            "SV : Printer broken",
            "回复：Printer broken",
            "[EXTERNAL] Re: [shop] Printer broken",
        ] {
            assert_eq!(topic(subject), "printer broken", "{subject}");
        }
        assert_eq!(topic("Printer: broken"), "printer: broken", "no mark");
        assert_eq!(topic("[open"), "[open");
        assert_eq!(topic(&"Re: ".repeat(1_000)).matches("re:").count(), 1_000 - MARKS_MAX, "bounded");
    }
}
