//! Invariant 7: on a ticket write only who opened it, who was addressed there before, who takes part in a ticket that was
//! merged into it, and, while an agent says that they are one person with one of these, who is linked with them.

use std::collections::{BTreeMap, BTreeSet};

use throughline_domain::event::EventData;
use throughline_domain::id::TicketId;

use super::customers::{Customers, address};
use super::{Findings, Invariant, Rest, received};
use crate::memory::{MAIL_SYSTEM, Memory};

/// Goes through all commits in the order in which the table took them.
pub(super) fn check(rest: &Rest, memory: &Memory, customers: &Customers, findings: &mut Findings) {
    let mut known: BTreeMap<TicketId, BTreeSet<usize>> = BTreeMap::new();
    for (commit, taken_at) in rest.taken() {
        let id = commit.ticket_id;
        for event in &commit.events {
            if let EventData::TicketMerged(merged) = &event.data
                && merged.into == id
            {
                let theirs = known.get(&merged.ticket_id).cloned().unwrap_or_default();
                known.entry(id).or_default().extend(theirs);
            }
            let known = known.entry(id).or_default();
            let one = customers.as_one(known, commit.at..=taken_at);
            if let EventData::ReplySent(reply) = &event.data {
                let people = memory.sent.iter().map(|sent| sent.person);
                let answered = people.filter(|person| reply.message.to.contains(&address(*person)));
                // Who is answered only as one person with somebody is a stranger once they are taken apart.
                known.extend(answered.filter(|person| !one.contains(person)));
            }
            let Some(sent) = received(event).and_then(|(text, _)| memory.of(text)) else { continue };
            // A report on mail belongs where somebody takes part to whom that mail went.
            if sent.person == MAIL_SYSTEM && sent.addressed.iter().any(|person| one.contains(person)) {
                continue;
            }
            let admitted = known.is_empty() || one.contains(&sent.person);
            findings.expect(admitted, Invariant::Strangers, || {
                format!(
                    "{} of person {} is on {id}, which is of {known:?}; linked are {customers}",
                    sent.mark, sent.person
                )
            });
            if !one.contains(&sent.person) {
                known.insert(sent.person);
            }
            known.extend(&sent.addressed);
        }
    }
}
