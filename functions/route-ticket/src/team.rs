//! Who is in a team. Of a large one only those are read anew who come first by what was known some seconds ago.

use std::collections::BTreeMap;

use throughline_domain::agent::Agent;
use throughline_domain::id::{AgentId, TeamId};
use throughline_platform::{App, Failure};

/// Agents who are read anew of a large team, and the largest team that is always read whole.
const SHORTLIST: usize = 12;
/// How often the best of a large team may turn out to be no good before everybody is looked at.
const LOOKS_MAX: usize = 3;

/// Everybody in a team, read strongly.
pub(crate) async fn all(app: &App, team: &TeamId) -> Result<Vec<Agent>, Failure> {
    let ids = members(app, team).await?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let agents = app.store.agents(&ids).await?;
    if agents.len() > SHORTLIST {
        app.remember_agents(team, &agents);
    }
    Ok(agents)
}

/// A large team as it was some seconds ago, with those read strongly who come first; nothing for a small team, for one that
/// is not known, and where somebody would be chosen who was not read, or nobody. `first` names who comes first, `chosen`
/// who would be chosen.
pub(crate) async fn best(
    app: &App,
    team: &TeamId,
    first: impl Fn(&[Agent], usize) -> Vec<AgentId>,
    chosen: impl Fn(&[Agent]) -> Option<AgentId>,
) -> Result<Option<Vec<Agent>>, Failure> {
    let Some(mut agents) = app.remembered_agents(team) else {
        return Ok(None);
    };
    let mut read: BTreeMap<AgentId, Agent> = BTreeMap::new();
    for _ in 0..LOOKS_MAX {
        let unread: Vec<AgentId> = first(&agents, SHORTLIST).into_iter().filter(|id| !read.contains_key(id)).collect();
        if !unread.is_empty() {
            let found = app.store.agents(&unread).await?;
            // Who is gone, or in another team by now, is not chosen.
            agents.retain(|agent| !unread.contains(&agent.id));
            agents.extend(found.iter().filter(|agent| agent.teams.contains(team)).cloned());
            agents.sort_by(|a, b| a.id.cmp(&b.id));
            read.extend(found.into_iter().map(|agent| (agent.id.clone(), agent)));
        }
        match chosen(&agents) {
            Some(id) if read.contains_key(&id) => {
                app.remember_agents(team, &agents);
                return Ok(Some(agents));
            }
            Some(_) => (),
            None => return Ok(None),
        }
    }
    Ok(None)
}

async fn members(app: &App, team: &TeamId) -> Result<Vec<AgentId>, Failure> {
    let roster = app.roster().await?;
    Ok(roster.iter().filter(|(_, teams)| teams.contains(team)).map(|(id, _)| id.clone()).collect())
}
