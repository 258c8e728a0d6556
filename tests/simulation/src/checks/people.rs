//! Invariants 2, 7 and 9, and customers' lists: who is who, who is where, and who sees what.

use std::collections::{BTreeMap, BTreeSet};

use throughline_domain::event::EventData;
use throughline_domain::id::{CustomerId, TicketId};
use throughline_domain::identifier::Identifier;

use super::{Findings, Invariant, Kept, Rest, received};
use crate::cloud::Cloud;
use crate::memory::{Memory, Sent};

/// Most open tickets that a customer's head lists.
const OPEN_LISTED_MAX: usize = 40;

pub(super) async fn check(cloud: &Cloud, rest: &Rest, memory: &Memory, findings: &mut Findings) -> anyhow::Result<()> {
    for (id, kept) in &rest.tickets {
        strangers(*id, kept, memory, findings);
    }
    privacy(rest, memory, findings);
    lists(cloud, rest, findings).await?;
    owners(cloud, rest, memory, findings).await
}

fn address(person: usize) -> String {
    format!("email:person{person}@customer.example")
}

/// On a ticket write only who opened it, and who was addressed there before.
fn strangers(id: TicketId, kept: &Kept, memory: &Memory, findings: &mut Findings) {
    let mut known: BTreeSet<usize> = BTreeSet::new();
    for event in kept.log.iter().flat_map(|commit| &commit.events) {
        if let EventData::ReplySent(reply) = &event.data {
            let people = memory.sent.iter().map(|sent| sent.person);
            known.extend(people.filter(|person| reply.message.to.contains(&address(*person))));
        }
        let Some(sent) = received(event).and_then(|(text, _)| memory.of(text)) else { continue };
        let admitted = known.is_empty() || known.contains(&sent.person);
        findings.expect(admitted, Invariant::Strangers, || {
            format!("{} of person {} is on {id}, which is of {known:?}", sent.mark, sent.person)
        });
        known.insert(sent.person);
        known.extend(&sent.addressed);
    }
}

/// A visitor sees what was said in the session, and replies on tickets that the session is on.
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
        let mut events = ticket.into_iter().flat_map(|kept| kept.log.iter().flat_map(|commit| &commit.events));
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

/// Every name has one owner, whose profile says so, and a name stands in one profile; so all that somebody proved is one
/// customer's, and nobody else's is theirs.
async fn owners(cloud: &Cloud, rest: &Rest, memory: &Memory, findings: &mut Findings) -> anyhow::Result<()> {
    let store = &cloud.observer.store;
    let mut names: BTreeSet<Identifier> = BTreeSet::new();
    for person in 0..cloud.plan.people {
        names.insert(address(person).parse()?);
        names.insert(format!("account:account-{person}").parse()?);
        names.insert(format!("line:U{person}").parse()?);
    }
    let sessions: BTreeSet<&str> = memory.sent.iter().filter_map(|sent| sent.session.as_deref()).collect();
    for session in sessions {
        names.insert(format!("session:{session}").parse()?);
    }
    let names: Vec<Identifier> = names.into_iter().collect();
    let owners = store.owners(&names).await?;
    let mut customers: BTreeSet<CustomerId> = owners.values().map(|owner| owner.customer_id).collect();
    customers.extend(rest.events().filter_map(|(_, _, event)| match &event.data {
        EventData::MessageReceived(received) => Some(received.customer_id),
        _ => None,
    }));
    let mut listed: BTreeMap<Identifier, BTreeSet<CustomerId>> = BTreeMap::new();
    for customer in customers {
        let profile = store.profile(customer).await?;
        findings.expect(profile.is_some(), Invariant::OneOwner, || format!("{customer} has no profile"));
        for known in profile.into_iter().flat_map(|profile| profile.identifiers) {
            listed.entry(known.identifier).or_default().insert(customer);
        }
    }
    for (name, owner) in &owners {
        let lists = listed.get(name).is_some_and(|customers| customers.contains(&owner.customer_id));
        findings.expect(lists, Invariant::OneOwner, || {
            format!("{name} is owned by {}, whose profile does not list it", owner.customer_id)
        });
    }
    for (name, customers) in &listed {
        let owned = owners.contains_key(name);
        findings.expect(owned && customers.len() == 1, Invariant::OneOwner, || {
            format!("{name} stands in the profiles of {customers:?}, and its owner is {:?}", owners.get(name))
        });
    }
    Ok(())
}
