//! Assignment by hand: to an agent, to a team, or to whoever routing finds next.

use throughline_domain::event::{Actor, Assigned, Changes, EventData, StatusChanged, TeamChanged, Unassigned};
use throughline_domain::ticket::{Status, Ticket};
use throughline_platform::App;
use throughline_platform::problem::Problem;
use throughline_store::Claim;

use super::{Assignment, Decided};

pub(super) async fn decide(app: &App, ticket: &Ticket, wanted: &Assignment, actor: Actor) -> Result<Decided, Problem> {
    if !ticket.head.status.is_live() {
        return Err(Problem::conflict("the ticket is done; reopen it first"));
    }
    match (&wanted.assignee, &wanted.team, wanted.next) {
        (Some(agent), None, false) => to_agent(app, ticket, agent, actor).await,
        (None, Some(team), false) => {
            let teams = app.store.teams().await?;
            if !teams.iter().any(|known| known.id == *team) {
                return Err(Problem::fault("/team", "there is no such team"));
            }
            let mut changes = Changes::new();
            give_up(ticket, true, &actor, &mut changes);
            if ticket.head.team.as_ref() != Some(team) {
                let changed = TeamChanged { from: ticket.head.team.clone(), to: team.clone(), waiting: false };
                changes.push(actor, EventData::TeamChanged(changed));
            }
            Ok(changes.into())
        }
        (None, None, true) => {
            let mut changes = Changes::new();
            give_up(ticket, true, &actor, &mut changes);
            Ok(changes.into())
        }
        _ => Err(Problem::fault("", "say one of `assignee`, `team` and `next`")),
    }
}

async fn to_agent(
    app: &App,
    ticket: &Ticket,
    id: &throughline_domain::id::AgentId,
    actor: Actor,
) -> Result<Decided, Problem> {
    let mut changes = Changes::new();
    if ticket.head.assignee.as_ref() == Some(id) {
        return Ok(changes.into());
    }
    let agent = app.store.agents(std::slice::from_ref(id)).await?.pop();
    let agent = agent.ok_or_else(|| Problem::fault("/assignee", "there is no such agent"))?;
    let weight = app.config().await?.routing.body.weight(ticket.head.channel);
    if agent.load.saturating_add(weight) > agent.capacity {
        let detail = format!("{id} has {} of {} % taken and no room for {weight} %", agent.load, agent.capacity);
        return Err(Problem::conflict(detail));
    }
    give_up(ticket, false, &actor, &mut changes);
    changes.push(actor.clone(), EventData::Assigned(Assigned { agent: id.clone(), weight }));
    if ticket.head.status == Status::New {
        let change = StatusChanged::plain(Status::New, Status::Open);
        changes.push(actor, EventData::StatusChanged(change));
    }
    let claim = Claim { agent_id: id.clone(), capacity: agent.capacity, only_if_available: false };
    Ok(Decided { changes, claim: Some(claim), ..Decided::default() })
}

fn give_up(ticket: &Ticket, reroute: bool, actor: &Actor, changes: &mut Changes) {
    if let Some(agent) = &ticket.head.assignee {
        let unassigned = Unassigned { agent: agent.clone(), preferred: false, reroute };
        changes.push(actor.clone(), EventData::Unassigned(unassigned));
    }
}
