//! Step 5: an open ticket of the customer about the same problem, by a strong reference that both name, by what they
//! say, or because a call without words goes on with what is running. Only tickets of the sender's own cluster are looked at: what a message names leads to nobody else's ticket.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::similarity::{self, Similarity};
use super::{Placement, Situation, last_message_at, on_ticket};
use crate::channel::Channel;
use crate::decision::{Candidate, Decision};
use crate::inbound::Proof;
use crate::message::{CallStage, Message};
use crate::strong_reference::{self, ReferencePattern, StrongReference};
use crate::ticket::Ticket;

/// The strong references that the message brings. Of machines' answers none are taken: they repeat what they answer.
pub(super) fn references(situation: &Situation<'_>) -> Vec<StrongReference> {
    let inbound = &situation.identified.inbound;
    if inbound.message.automatic.is_some() || inbound.score.is_some() {
        return Vec::new();
    }
    named_in(&situation.rules.body.references, &inbound.message, &inbound.fields)
}

/// The strong references in a message's subject, in what was newly written, in its custom fields and in what a bot says of
/// the conversation.
pub(crate) fn named_in(
    patterns: &[ReferencePattern],
    message: &Message,
    fields: &BTreeMap<String, serde_json::Value>,
) -> Vec<StrongReference> {
    if patterns.is_empty() {
        return Vec::new();
    }
    let fields: Vec<String> = fields.values().map(said).collect();
    let summary = message.handoff.as_ref().and_then(|handoff| handoff.summary.as_deref());
    let texts = [message.subject.as_deref(), Some(message.new_text()), summary].into_iter().flatten();
    strong_reference::find(patterns, texts.chain(fields.iter().map(String::as_str)))
}

/// The texts and numbers in a field's value.
fn said(value: &serde_json::Value) -> String {
    use serde_json::Value;
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Array(items) => items.iter().map(said).collect::<Vec<_>>().join("\n"),
        Value::Object(fields) => fields.values().map(said).collect::<Vec<_>>().join("\n"),
        Value::Null | Value::Bool(_) => String::new(),
    }
}

/// The first of the references that the ticket has, too.
pub(super) fn shared<'r>(found: &'r [StrongReference], ticket: &Ticket) -> Option<&'r StrongReference> {
    found.iter().find(|reference| ticket.detail.references.contains(reference))
}

/// The customer's tickets that somebody still works on.
fn open<'a>(situation: &Situation<'a>) -> impl Iterator<Item = &'a Ticket> {
    let ours = |ticket: &&Ticket| situation.cluster.contains(&ticket.head.customer_id);
    situation.open.iter().filter(|ticket| ticket.head.status.is_live()).filter(ours)
}

/// An open ticket that has a strong reference of the message: the one that was active last.
pub(super) fn by_reference(situation: &Situation<'_>, found: &[StrongReference]) -> Option<(Placement, Decision)> {
    let named = open(situation).filter_map(|ticket| Some((shared(found, ticket)?, ticket)));
    let mut named: Vec<(&StrongReference, &Ticket)> = named.collect();
    named.sort_by_key(|(_, ticket)| (Reverse(last_message_at(&ticket.head)), Reverse(ticket.head.id)));
    let (reference, best) = *named.first()?;
    let because = format!("it names {reference}, as the open ticket {} of the same customer does", best.head.reference);
    let considered =
        named.iter().map(|(shared, ticket)| Candidate::new(ticket.head.id, format!("names {shared}, too")));
    let decision = Decision::new("shared_reference", because).considering(considered);
    Some(on_ticket(situation, best, false, None, decision))
}

/// Those of them that were active lately.
fn recent<'a>(situation: &Situation<'a>) -> impl Iterator<Item = &'a Ticket> {
    let window_ms = situation.rules.body.same_problem_window_ms(situation.identified.inbound.message.channel);
    let at = situation.at;
    open(situation).filter(move |ticket| at.since_ms(last_message_at(&ticket.head)) <= window_ms)
}

/// An open ticket that was active lately and is alike enough: the most alike one, the newer of equals. Not for a form that
/// anybody may fill in with anybody's address: likeness is only a guess.
pub(super) fn by_words(situation: &Situation<'_>) -> Option<(Placement, Decision)> {
    let inbound = &situation.identified.inbound;
    let message = &inbound.message;
    if message.channel == Channel::Portal && !inbound.claims.iter().any(|claim| claim.proof == Proof::Proven) {
        return None;
    }
    let rules = &situation.rules.body;
    let mut scored: Vec<(Similarity, &Ticket)> =
        recent(situation).map(|ticket| (similarity::compare(message, &ticket.head.subject), ticket)).collect();
    scored.sort_by_key(|(score, ticket)| (Reverse(score.percent), Reverse(ticket.head.id)));
    let (score, best) = scored.first()?;
    let enough = rules.same_problem_percent(message.channel);
    // Nothing in common is not the same problem, however low the bar is.
    if score.percent < enough.max(1) {
        return None;
    }
    let because = format!(
        "it is {} % like the open ticket {} (from {enough} % on it is the same problem): {} % of the words of its subject \
         are in it, and the subjects are {} % alike",
        score.percent, best.head.reference, score.covered_percent, score.subjects_percent
    );
    let considered = scored.iter().map(|(score, ticket)| Candidate::new(ticket.head.id, score.why()));
    let decision = Decision::new("same_problem", because).considering(considered);
    Some(on_ticket(situation, best, false, None, decision))
}

/// A call says nothing that could be compared: it goes on with the open ticket that was active last, so that a caller does
/// not explain again. What was recorded has words of its own, and belongs to its call.
pub(super) fn by_call(situation: &Situation<'_>) -> Option<(Placement, Decision)> {
    let call = situation.identified.inbound.message.call.as_ref()?;
    if call.stage == CallStage::Transcribed {
        return None;
    }
    let active = |ticket: &&Ticket| (last_message_at(&ticket.head), ticket.head.id);
    let mut running: Vec<&Ticket> = recent(situation).collect();
    running.sort_by_key(|ticket| Reverse(active(ticket)));
    let latest = running.first()?;
    let because = format!(
        "a call names no matter of its own, and {} is the open ticket of the same customer that was active last",
        latest.head.reference
    );
    let considered = running
        .iter()
        .map(|ticket| Candidate::new(ticket.head.id, format!("last active at {}", last_message_at(&ticket.head))));
    let decision = Decision::new("call_goes_on", because).considering(considered);
    Some(on_ticket(situation, latest, false, None, decision))
}

/// What speaks for an open ticket that the message does not go on.
pub(super) fn why_not(message: &Message, ticket: &Ticket) -> String {
    similarity::compare(message, &ticket.head.subject).why()
}
