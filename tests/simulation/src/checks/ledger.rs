//! Invariants 1 and 8: what was accepted is recorded once, and in order; and so is what becomes of it.

use std::collections::{BTreeMap, BTreeSet};

use throughline_domain::event::EventData;

use super::{Findings, Invariant, Rest, received};
use crate::cloud::Cloud;
use crate::memory::{Fate, Memory};

pub(super) fn check(cloud: &Cloud, rest: &Rest, memory: &Memory, findings: &mut Findings) {
    let mut recorded: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (_, commit, event) in rest.events() {
        let Some((text, _)) = received(event) else { continue };
        match memory.of(text) {
            Some(sent) => {
                recorded.entry(&sent.mark).or_default().push(format!("{}/{}", commit.ticket_id, commit.sequence));
            }
            None => findings.expect(false, Invariant::Ledger, || {
                format!("{}/{} records what nobody sent: {text}", commit.ticket_id, commit.sequence)
            }),
        }
    }
    for sent in &memory.sent {
        let places = recorded.get(sent.mark.as_str()).cloned().unwrap_or_default();
        let digits: String = sent.mark.chars().filter(char::is_ascii_alphanumeric).collect();
        let named = format!("-{digits}");
        // What was sent through again is not there any more: it comes back as another record, or is recorded.
        let there = rest.quarantined.iter().filter(|(record, _)| record.retried_at.is_none());
        let kept = there.map(|(_, raw)| raw).any(|raw| raw.contains(&sent.mark) || names(raw, &named));
        findings.expect(places.len() <= 1, Invariant::Ledger, || format!("{} is recorded at {places:?}", sent.mark));
        if !sent.accepted {
            continue;
        }
        let right = match sent.fate {
            Fate::Recorded => places.len() == 1,
            Fate::Quarantined => kept && places.is_empty(),
            Fate::Either => kept || places.len() == 1,
        };
        findings.expect(right, Invariant::Ledger, || {
            format!("{} was accepted, and is recorded at {places:?}, in quarantine: {kept}", sent.mark)
        });
    }
    taken_back(rest, memory, findings);
    edits(rest, memory, findings);
    order(cloud, rest, findings);
}

/// What was taken back is marked so once, whichever came first.
fn taken_back(rest: &Rest, memory: &Memory, findings: &mut Findings) {
    let mut marked: BTreeMap<String, usize> = BTreeMap::new();
    for (_, _, event) in rest.events() {
        if let EventData::MessageDeleted(deleted) = &event.data {
            *marked.entry(deleted.event_id.to_string()).or_default() += 1;
        }
    }
    for (_, _, event) in rest.events() {
        let Some(sent) = received(event).and_then(|(text, _)| memory.of(text)) else { continue };
        let times = marked.remove(&event.id.to_string()).unwrap_or_default();
        // Who was not told that we know it may have been heard all the same.
        findings.expect(times <= 1 && (times == 1 || !sent.taken_back), Invariant::Ledger, || {
            format!("{} was taken back ({}), and is marked so {times} times", sent.mark, sent.taken_back)
        });
    }
    findings
        .expect(marked.is_empty(), Invariant::Ledger, || format!("messages that nobody has are deleted: {marked:?}"));
}

/// What was written anew is noted once, on the message that it is of, whichever came first.
fn edits(rest: &Rest, memory: &Memory, findings: &mut Findings) {
    let mut originals: BTreeMap<&str, String> = BTreeMap::new();
    let mut noted: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (_, _, event) in rest.events() {
        if let Some(sent) = received(event).and_then(|(text, _)| memory.of(text)) {
            originals.insert(&sent.mark, event.id.to_string());
        }
        if let EventData::MessageEdited(edited) = &event.data {
            let edit = memory.edits.iter().find(|edit| edited.message.text.contains(&edit.mark));
            findings
                .expect(edit.is_some(), Invariant::Ledger, || format!("nobody wrote {:?} anew", edited.message.text));
            if let Some(edit) = edit {
                noted.entry(&edit.mark).or_default().push(edited.event_id.to_string());
            }
        }
    }
    for edit in &memory.edits {
        let of = noted.remove(edit.mark.as_str()).unwrap_or_default();
        let original = originals.get(edit.of.as_str());
        let right = match of.as_slice() {
            // Without its message it waits; who was not told that we know it may not have been heard.
            [] => original.is_none() || !edit.accepted,
            [of] => original == Some(of),
            _ => false,
        };
        findings.expect(right, Invariant::Ledger, || {
            format!("{} writes {} ({original:?}) anew, and is noted for {of:?}", edit.mark, edit.of)
        });
    }
}

/// Whether a raw record names an object of this ending.
fn names(raw: &str, ending: &str) -> bool {
    raw.match_indices(ending).any(|(at, _)| {
        let next = raw[at + ending.len()..].chars().next();
        next.is_none_or(|next| !next.is_ascii_digit())
    })
}

/// Messages of one group are recorded in the order in which they came into the inbound queue.
fn order(cloud: &Cloud, rest: &Rest, findings: &mut Findings) {
    let queued = cloud.faults.order();
    let groups: BTreeSet<&str> = queued.iter().map(|queued| queued.group.as_str()).collect();
    for group in groups {
        let place: BTreeMap<&str, usize> = queued
            .iter()
            .filter(|queued| queued.group == group)
            .enumerate()
            .map(|(place, queued)| (queued.message.as_str(), place))
            .collect();
        let mut last: Option<(usize, String)> = None;
        for event in rest.taken().flat_map(|(commit, _)| &commit.events) {
            let EventData::MessageReceived(received) = &event.data else { continue };
            let id = received.message.id.to_string();
            let Some(at) = place.get(id.as_str()).filter(|_| !received.late) else { continue };
            if let Some((before, other)) = &last {
                findings.expect(before < at, Invariant::Order, || format!("{other} is recorded before {id}"));
            }
            last = Some((*at, id));
        }
    }
}
