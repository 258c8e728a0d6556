//! Invariant 9, and customers' lists: who sees what, and what is open.

use std::collections::{BTreeMap, BTreeSet};

use throughline_domain::event::EventData;
use throughline_domain::id::{CustomerId, TicketId};

use super::{Findings, Invariant, Kept, Rest, received};
use crate::cloud::Cloud;
use crate::memory::{Memory, Sent};

/// Most open tickets that a customer's head lists.
const OPEN_LISTED_MAX: usize = 40;

pub(super) async fn check(cloud: &Cloud, rest: &Rest, memory: &Memory, findings: &mut Findings) -> anyhow::Result<()> {
    privacy(rest, memory, findings);
    lists(cloud, rest, findings).await
}

/// The tickets whose conversation went on, or goes on, on this one.
fn merged_into<'a>(rest: &'a Rest, kept: &'a Kept) -> impl Iterator<Item = &'a Kept> {
    let id = kept.stored.ticket.head.id;
    let events = kept.log.iter().flat_map(|commit| &commit.events);
    let ids = events.flat_map(move |event| match &event.data {
        EventData::TicketMerged(merged) if merged.into == id => {
            merged.conversations.iter().map(|conversation| conversation.ticket_id).collect()
        }
        _ => Vec::new(),
    });
    ids.filter_map(|id| rest.tickets.get(&id))
}

/// A visitor sees what was said in the session, and replies on tickets that the session is on, or that these went into.
fn privacy(rest: &Rest, memory: &Memory, findings: &mut Findings) {
    for seen in &memory.seen {
        let own = |sent: &Sent| sent.session.as_deref() == Some(&seen.session);
        if let Some(sent) = memory.of(&seen.text) {
            findings.expect(own(sent), Invariant::Privacy, || format!("{} sees {}", seen.session, sent.mark));
            continue;
        }
        let holds = |kept: &&Kept| {
            let events = kept.log.iter().flat_map(|commit| &commit.events);
            events.into_iter().any(|event| match &event.data {
                EventData::ReplySent(reply) => reply.message.text == seen.text,
                _ => false,
            })
        };
        let ticket = rest.tickets.values().find(holds);
        let conversation = ticket.into_iter().flat_map(|kept| std::iter::once(kept).chain(merged_into(rest, kept)));
        let mut events = conversation.flat_map(|kept| kept.log.iter().flat_map(|commit| &commit.events));
        let theirs = events.any(|event| received(event).and_then(|(text, _)| memory.of(text)).is_some_and(own));
        findings.expect(theirs, Invariant::Privacy, || format!("{} sees {}", seen.session, seen.text));
    }
}

/// The head of a customer, or of their cluster's root, lists exactly what is open.
async fn lists(cloud: &Cloud, rest: &Rest, findings: &mut Findings) -> anyhow::Result<()> {
    let mut open: BTreeMap<CustomerId, BTreeSet<TicketId>> = BTreeMap::new();
    for kept in rest.tickets.values() {
        let head = &kept.stored.ticket.head;
        let (root, _) = cloud.observer.store.root_head(head.customer_id).await?;
        let list = open.entry(root).or_default();
        if head.status.is_live() {
            list.insert(head.id);
        }
    }
    for (customer, open) in open {
        let listed = cloud.observer.store.customer_head(customer).await?.open;
        let listed: BTreeSet<TicketId> = listed.into_iter().map(|open| open.ticket_id).collect();
        findings.expect(open.len() > OPEN_LISTED_MAX || listed == open, Invariant::Lists, || {
            format!("{customer} lists {listed:?}, but {open:?} are open")
        });
    }
    Ok(())
}
