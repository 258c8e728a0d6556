//! Invariant 4 and the lines: who holds what, and who waits.

use std::collections::{BTreeMap, BTreeSet};

use throughline_domain::event::EventData;
use throughline_domain::id::{AgentId, TicketId};
use throughline_domain::ticket::Status;

use super::{Findings, Invariant, Rest};
use crate::cloud::Cloud;

/// Most waiting tickets of a team that are read.
const WAITING_MAX: usize = 1_000;

pub(super) async fn check(cloud: &Cloud, rest: &Rest, findings: &mut Findings) -> anyhow::Result<()> {
    loads(rest, findings);
    claims(rest, findings);
    for team in &rest.teams {
        let shown: BTreeSet<TicketId> =
            cloud.observer.store.waiting_tickets(&team.id, WAITING_MAX).await?.into_iter().collect();
        let heads = rest.tickets.values().map(|kept| &kept.stored.ticket.head);
        let waiting = heads.filter(|head| {
            head.status.is_live() && head.waiting_since.is_some() && head.team.as_ref() == Some(&team.id)
        });
        let waiting: BTreeSet<TicketId> = waiting.map(|head| head.id).collect();
        findings.expect(shown == waiting, Invariant::Lists, || {
            format!("the line of {} holds {shown:?}, but {waiting:?} wait", team.id)
        });
    }
    Ok(())
}

fn loads(rest: &Rest, findings: &mut Findings) {
    for agent in &rest.agents {
        let heads = rest.tickets.values().map(|kept| &kept.stored.ticket.head);
        let held = heads.filter(|head| head.status.is_live() && head.assignee.as_ref() == Some(&agent.id));
        let sum: u32 = held.map(|head| head.weight).sum();
        findings.expect(agent.load == sum, Invariant::Load, || {
            format!("{} carries {} %, but holds {sum} %", agent.id, agent.load)
        });
    }
}

/// No claim raised a load above capacity: the commits in the order in which the table took them.
fn claims(rest: &Rest, findings: &mut Findings) {
    struct Held {
        agent: Option<(AgentId, u32)>,
        live: bool,
    }
    let mut tickets: BTreeMap<TicketId, Held> = BTreeMap::new();
    let mut loads: BTreeMap<AgentId, i64> = BTreeMap::new();
    for (commit, _) in rest.taken() {
        let (ticket, sequence) = (commit.ticket_id, commit.sequence);
        let held = tickets.entry(ticket).or_insert(Held { agent: None, live: Status::New.is_live() });
        let before = held.agent.clone().filter(|_| held.live);
        for event in &commit.events {
            match &event.data {
                EventData::Assigned(assigned) => held.agent = Some((assigned.agent.clone(), assigned.weight)),
                EventData::Unassigned(_) => held.agent = None,
                EventData::StatusChanged(change) => held.live = change.to.is_live(),
                _ => {}
            }
        }
        let after = held.agent.clone().filter(|_| held.live);
        if before == after {
            continue;
        }
        if let Some((agent, weight)) = before {
            *loads.entry(agent).or_default() -= i64::from(weight);
        }
        if let Some((agent, weight)) = after {
            let load = loads.entry(agent.clone()).or_default();
            *load += i64::from(weight);
            let capacity = rest.agents.iter().find(|known| known.id == agent).map_or(0, |known| known.capacity);
            findings.expect(*load <= i64::from(capacity), Invariant::Load, || {
                format!("{ticket}/{sequence} raises the load of {agent} to {load} of {capacity} %")
            });
        }
    }
}
