//! Gives a ticket to a team and an agent, or lets it wait in the team's line; and gives whoever becomes free the best
//! of who waits.
//!
//! No wake-up is lost: who starts waiting commits that and then reads the agents again; who becomes free commits that
//! and then reads the line.

mod team;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use throughline_domain::agent::Agent;
use throughline_domain::id::{AgentId, TeamId, TicketId};
use throughline_domain::routing::{self, Question};
use throughline_domain::work::Work;
use throughline_platform::batch::{self, Done, Record, Stage};
use throughline_platform::config::Setting;
use throughline_platform::queues::Queue;
use throughline_platform::recording::{self, Draft, deciding};
use throughline_platform::{App, Failure};
use throughline_store::Claim;
use tokio::time::Instant;

/// The settings that it needs.
pub const NEEDS: &[Setting] = &[Setting::Table, Setting::Bucket];

/// Most waiting tickets that are given out for one agent who becomes free.
const PULLED_MAX: usize = 20;
/// Most waiting tickets of a team that are passed over because nobody has room for them.
const PASSED_OVER_MAX: usize = 3;

const STAGE: Stage = Stage { function: "route-ticket", queue: Some(Queue::Routing) };

/// Processes a batch of the `routing` queue or of its dead letters.
pub async fn handle(app: &App, event: SqsEvent, deadline: Instant) -> SqsBatchResponse {
    batch::run(app, STAGE, event, deadline, |record| work(app, record)).await
}

async fn work(app: &App, record: Record) -> Result<Done, Failure> {
    match batch::decode(app, &record.body).await? {
        Work::Route(wanted) => Ok(Done::quietly(route(app, wanted.ticket_id).await?)),
        Work::Pull(pull) => Ok(Done::quietly(give(app, &pull.agent_id).await?)),
        _ => Err(Failure::Quarantine("it is work for another queue".to_owned())),
    }
}

/// What became of a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Routed {
    /// It needs nobody any more.
    Settled,
    /// Somebody got it.
    Assigned,
    /// It waits from now on, for somebody of this team with this much room.
    Waits(TeamId, u32),
    /// It waits as before.
    StillWaits,
    /// The configuration names no team for it.
    NoTeam,
}

impl Routed {
    fn outcome(&self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Assigned => "assigned",
            Self::Waits(..) => "waiting",
            Self::StillWaits => "still_waiting",
            Self::NoTeam => "no_team",
        }
    }
}

/// Routes a ticket. When it starts to wait, the agents are read once more: somebody may have become free before they
/// could see it wait.
async fn route(app: &App, id: TicketId) -> Result<&'static str, Failure> {
    let mut routed = deciding(app, |number| attempt(app, id, number)).await?;
    if let Routed::Waits(team, weight) = &routed
        && team::all(app, team).await?.iter().any(|agent| agent.has_room(*weight))
    {
        routed = deciding(app, |number| attempt(app, id, number)).await?;
    }
    Ok(routed.outcome())
}

async fn attempt(app: &App, id: TicketId, number: u32) -> Result<Routed, Failure> {
    let Some(before) = app.store.ticket(id).await? else {
        return Err(Failure::Quarantine("there is no such ticket".to_owned()));
    };
    let head = &before.ticket.head;
    if !routing::is_wanted(head) {
        return Ok(Routed::Settled);
    }
    let config = app.config().await?;
    let inbox = config.inboxes.body.find(head.channel, &head.inbox);
    let inbox_team = inbox.and_then(|inbox| inbox.team.as_ref());
    let Some((team, team_decision)) = routing::team(head, inbox_team, &config.routing) else {
        // Nothing is lost: the breach check asks again, and the configuration may know by then.
        tracing::error!(function = "route-ticket", ticket.id = %id, "no rule, no inbox and no default names a team");
        return Ok(Routed::NoTeam);
    };
    let asks = |agents: &[Agent]| routing::route(&Question { head, inbox_team, rules: &config.routing, agents });
    let first = |agents: &[Agent], count: usize| {
        routing::shortlist(&Question { head, inbox_team, rules: &config.routing, agents }, count)
    };
    // Who lost a race, and who finds nobody, looks at everybody.
    let agents = match number {
        0 => team::best(app, &team, first, |agents| asks(agents).agent).await?,
        _ => None,
    };
    let agents = match agents {
        Some(agents) => agents,
        None => team::all(app, &team).await?,
    };
    let route = asks(&agents);
    let changes = routing::changes(head, &team, team_decision, &route);
    if changes.is_empty() {
        return Ok(Routed::StillWaits);
    }
    let claim = route.agent.as_ref().and_then(|id| agents.iter().find(|agent| agent.id == *id)).map(|agent| Claim {
        agent_id: agent.id.clone(),
        capacity: agent.capacity,
        only_if_available: true,
    });
    let routed = if claim.is_some() { Routed::Assigned } else { Routed::Waits(team, route.weight) };
    let draft = Draft::of(before, changes, app.clock.now());
    recording::commit(app, draft, |change| change.claim = claim).await?;
    Ok(routed)
}

/// Gives out waiting tickets of an agent's teams, the first in line first. The tickets are routed as any: another free
/// agent may get them. One that takes more room than there is does not keep smaller ones behind it waiting, but after a
/// few such the agent counts as full.
async fn give(app: &App, id: &AgentId) -> Result<&'static str, Failure> {
    let mut given = 0;
    let Some(agent) = app.store.agents(std::slice::from_ref(id)).await?.pop() else {
        return Err(Failure::Quarantine("there is no such agent".to_owned()));
    };
    for team in &agent.teams {
        let mut passed_over = 0;
        for ticket in app.store.waiting_tickets(team, PULLED_MAX).await? {
            match deciding(app, |number| attempt(app, ticket, number)).await? {
                Routed::Assigned if given + 1 < PULLED_MAX => given += 1,
                // Somebody else had it meanwhile.
                Routed::Settled => {}
                Routed::StillWaits if passed_over < PASSED_OVER_MAX => passed_over += 1,
                _ => break,
            }
        }
    }
    Ok(if given > 0 { "gave_waiting" } else { "nobody_waits" })
}
