//! Agents, teams and the lines of waiting tickets.

use axum::Json;
use axum::extract::{Path, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use throughline_domain::agent::{Agent, Presence, Team};
use throughline_domain::id::{AgentId, TeamId, TicketId};
use throughline_platform::App;
use throughline_platform::http::{RawBody, json};
use throughline_platform::problem::Problem;
use throughline_platform::queues::Send;

use crate::auth::{Caller, Role};
use crate::page::List;

/// Most waiting tickets of a team that are shown.
const WAITING_MAX: usize = 100;
/// Longest display name of an agent or a team, in characters.
const NAME_CHARS_MAX: usize = 200;

fn unknown() -> Problem {
    Problem::not_found("there is no such agent")
}

/// `GET /v1/agents`.
pub(crate) async fn list(State(app): State<App>, _: Caller) -> Result<Json<List<Agent>>, Problem> {
    let ids: Vec<AgentId> = app.store.roster().await?.into_iter().map(|(id, _)| id).collect();
    Ok(Json(List { items: app.store.agents(&ids).await?, next: None }))
}

async fn find(app: &App, id: &str) -> Result<Agent, Problem> {
    let id: AgentId = id.parse().map_err(|_| unknown())?;
    app.store.agents(std::slice::from_ref(&id)).await?.pop().ok_or_else(unknown)
}

/// `GET /v1/agents/{id}`.
pub(crate) async fn get(State(app): State<App>, _: Caller, Path(id): Path<String>) -> Result<Json<Agent>, Problem> {
    Ok(Json(find(&app, &id).await?))
}

/// `PUT /v1/agents/{id}`.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct PutAgent {
    name: String,
    teams: Vec<TeamId>,
    #[serde(default)]
    skills: Vec<String>,
    /// In per cent: 100 is a full plate.
    #[serde(default = "full_plate")]
    capacity: u32,
}

fn full_plate() -> u32 {
    100
}

fn check_name(name: &str) -> Result<(), Problem> {
    let right = !name.trim().is_empty() && name.chars().count() <= NAME_CHARS_MAX;
    if right { Ok(()) } else { Err(Problem::fault("/name", format!("1 to {NAME_CHARS_MAX} characters"))) }
}

/// `PUT /v1/agents/{id}`: creates or changes an agent.
pub(crate) async fn put(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    RawBody(body): RawBody,
) -> Result<Json<Agent>, Problem> {
    caller.at_least(Role::Admin)?;
    let wanted: PutAgent = json(&body)?;
    let id: AgentId = id.parse().map_err(|error| Problem::fault("", format!("{error}")))?;
    check_name(&wanted.name)?;
    let known = app.store.teams().await?;
    if let Some(i) = wanted.teams.iter().position(|team| !known.iter().any(|known| known.id == *team)) {
        return Err(Problem::fault(&format!("/teams/{i}"), "there is no such team"));
    }
    let PutAgent { name, teams, skills, capacity } = wanted;
    let agent = Agent { id, name, teams, skills, capacity, presence: Presence::Away, load: 0, last_assigned_at: None };
    app.store.put_agent(&agent).await?;
    app.forget();
    Ok(Json(has_room(&app, find(&app, agent.id.as_str()).await?).await))
}

/// `POST /v1/agents/{id}/presence`.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct SetPresence {
    status: Presence,
}

/// `POST /v1/agents/{id}/presence`: agents say it for themselves, leads for anybody.
pub(crate) async fn presence(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    RawBody(body): RawBody,
) -> Result<Json<Agent>, Problem> {
    let wanted: SetPresence = json(&body)?;
    let id: AgentId = id.parse().map_err(|_| unknown())?;
    if caller.id != id {
        caller.at_least(Role::Lead)?;
    }
    if !app.store.set_presence(&id, wanted.status).await? {
        return Err(unknown());
    }
    Ok(Json(has_room(&app, find(&app, id.as_str()).await?).await))
}

/// An agent who may take work now gets the best of who waits. If asking for it fails, the breach check finds the waiting
/// tickets later.
async fn has_room(app: &App, agent: Agent) -> Agent {
    if agent.has_room(1) {
        let send = Send::pull(&agent.id, format!("room-{}", app.clock.now().ms()));
        if let Err(failure) = app.queues.send_one(send, &app.blobs).await {
            tracing::warn!(error.detail = %failure, "waiting tickets were not asked for");
        }
    }
    agent
}

/// `GET /v1/teams`.
pub(crate) async fn teams(State(app): State<App>, _: Caller) -> Result<Json<List<Team>>, Problem> {
    Ok(Json(List { items: app.store.teams().await?, next: None }))
}

/// `PUT /v1/teams/{id}`.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct PutTeam {
    name: String,
}

/// `PUT /v1/teams/{id}`: creates or renames a team.
pub(crate) async fn put_team(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    RawBody(body): RawBody,
) -> Result<Json<Team>, Problem> {
    caller.at_least(Role::Admin)?;
    let PutTeam { name } = json(&body)?;
    let id: TeamId = id.parse().map_err(|error| Problem::fault("", format!("{error}")))?;
    check_name(&name)?;
    let team = Team { id, name };
    app.store.put_team(&team).await?;
    app.forget();
    Ok(Json(team))
}

/// A team's waiting tickets and its agents' load.
#[derive(Serialize, JsonSchema)]
pub(crate) struct TeamQueue {
    /// The team.
    team: TeamId,
    /// Who waits, the first in line first; at most a hundred.
    waiting: Vec<TicketId>,
    /// Its agents.
    agents: Vec<Agent>,
}

/// `GET /v1/queues`: waiting and live workload.
pub(crate) async fn queues(State(app): State<App>, _: Caller) -> Result<Json<List<TeamQueue>>, Problem> {
    let roster = app.store.roster().await?;
    let ids: Vec<AgentId> = roster.into_iter().map(|(id, _)| id).collect();
    let agents = app.store.agents(&ids).await?;
    let mut items = Vec::new();
    for team in app.store.teams().await? {
        let waiting = app.store.waiting_tickets(&team.id, WAITING_MAX).await?;
        let agents = agents.iter().filter(|agent| agent.teams.contains(&team.id)).cloned().collect();
        items.push(TeamQueue { team: team.id, waiting, agents });
    }
    Ok(Json(List { items, next: None }))
}
