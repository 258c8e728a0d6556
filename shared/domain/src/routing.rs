//! Who works on it? First the team, then four layers in fixed precedence — VIP, priority, skill, language — that narrow
//! its agents, then the one agent. A layer that would leave nobody is skipped and says so.

use crate::agent::Agent;
use crate::config::{IntentRule, RoutingRules, Versioned};
use crate::decision::{Candidate, Decision};
use crate::event::{Actor, Assigned, Changes, EventData, StatusChanged, TeamChanged};
use crate::id::{AgentId, TeamId, digest};
use crate::moment::Moment;
use crate::ticket::{Priority, Status, TicketHead};

/// Skill of agents who serve VIP customers first.
pub const VIP_SKILL: &str = "vip";
/// Skill of agents who take what is urgent.
pub const URGENT_SKILL: &str = "urgent";
/// Load within which agents count as equally busy, in per cent of capacity.
const NEAR_EQUAL_LOAD: u64 = 5;

/// What the decision reads.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// The ticket.
    pub head: &'a TicketHead,
    /// Team of the ticket's inbox.
    pub inbox_team: Option<&'a TeamId>,
    /// Rules.
    pub rules: &'a Versioned<RoutingRules>,
    /// The agents of the team; whoever is chosen must have been read strongly.
    pub agents: &'a [Agent],
}

/// Which team a ticket goes to: the one that it has, else by its intent, its inbox, or the default.
pub fn team(
    head: &TicketHead,
    inbox_team: Option<&TeamId>,
    rules: &Versioned<RoutingRules>,
) -> Option<(TeamId, Decision)> {
    let intent = rule(head, &rules.body).and_then(|rule| Some((rule.team.as_ref()?, rule)));
    let found = if let Some(team) = &head.team {
        (team, "team_kept", "the ticket has this team".to_owned())
    } else if let Some((team, rule)) = intent {
        (team, "intent", format!("the intent {} goes to this team", rule.intent))
    } else if let Some(team) = inbox_team {
        (team, "inbox_team", format!("tickets of the inbox {} go to this team", head.inbox))
    } else {
        (rules.body.default_team.as_ref()?, "default_team", "no rule and no inbox says where it goes".to_owned())
    };
    let (team, rule, because) = found;
    Some((team.clone(), Decision::new(rule, because).under(rules.version)))
}

fn rule<'a>(head: &TicketHead, rules: &'a RoutingRules) -> Option<&'a IntentRule> {
    let intent = head.intent.as_deref()?;
    rules.intents.iter().find(|rule| rule.intent == intent)
}

/// Who gets the ticket, or that it waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The agent; nobody: it waits in the team's line.
    pub agent: Option<AgentId>,
    /// Share of their capacity that it takes, in per cent.
    pub weight: u32,
    /// The funnel: how many each layer left, and why this one.
    pub decision: Decision,
}

/// The agents who come first for the ticket, at most `count`, and whoever had it before: whom to read anew before the
/// decision, where what is known of the team is some seconds old.
pub fn shortlist(question: &Question<'_>, count: usize) -> Vec<AgentId> {
    let (left, ..) = ranked(question);
    let had_it = question.head.preferred_agent.clone();
    let mut list: Vec<AgentId> = had_it.into_iter().collect();
    for agent in left {
        if list.len() < count && !list.contains(&agent.id) {
            list.push(agent.id.clone());
        }
    }
    list
}

/// Decides who of a team gets the ticket.
pub fn route(question: &Question<'_>) -> Route {
    let (left, mut funnel, weight) = ranked(question);
    let considered: Vec<_> = left
        .iter()
        .map(|agent| Candidate::new(&agent.id, format!("{} of {} % taken", agent.load, agent.capacity)))
        .collect();
    let (agent, rule, why) = choose(&left, question.head);
    funnel.push(why);
    let decision = Decision::new(rule, funnel.join(", ")).considering(considered).under(question.rules.version);
    Route { agent: agent.map(|agent| agent.id.clone()), weight, decision }
}

/// Who may get the ticket, the best first; how many each layer left; and how much of them it takes.
fn ranked<'a>(question: &Question<'a>) -> (Vec<&'a Agent>, Vec<String>, u32) {
    let head = question.head;
    let rules = &question.rules.body;
    let weight = rules.weight(head.channel);
    let mut funnel = vec![format!("{} in the team", question.agents.len())];
    let mut left: Vec<&Agent> = question.agents.iter().filter(|agent| agent.has_room(weight)).collect();
    funnel.push(format!("{} present with room for {weight} %", left.len()));

    let vip = head.segment.as_ref().is_some_and(|segment| rules.vip_segments.contains(segment));
    let has = |agent: &Agent, skill: &str| agent.skills.iter().any(|known| known == skill);
    if vip {
        narrow(&mut left, &mut funnel, "vip", |agent| has(agent, VIP_SKILL));
    }
    if head.priority == Priority::Urgent {
        narrow(&mut left, &mut funnel, "urgent", |agent| has(agent, URGENT_SKILL));
    }
    let skills = rule(head, rules).map(|rule| rule.skills.as_slice()).unwrap_or_default();
    if !skills.is_empty() {
        let name = format!("skills {}", skills.join(" and "));
        narrow(&mut left, &mut funnel, &name, |agent| skills.iter().all(|skill| has(agent, skill)));
    }
    if let Some(language) = &head.language {
        let wanted = format!("lang:{}", language.split('-').next().unwrap_or(language).to_ascii_lowercase());
        narrow(&mut left, &mut funnel, &wanted, |agent| has(agent, &wanted));
    }

    left.sort_by_cached_key(|agent| rank(agent, head));
    (left, funnel, weight)
}

fn narrow(left: &mut Vec<&Agent>, funnel: &mut Vec<String>, layer: &str, keeps: impl Fn(&Agent) -> bool) {
    let kept: Vec<&Agent> = left.iter().copied().filter(|agent| keeps(agent)).collect();
    if left.is_empty() {
        return;
    }
    if kept.is_empty() {
        funnel.push(format!("{layer} would leave nobody and is skipped"));
    } else {
        funnel.push(format!("{} with {layer}", kept.len()));
        *left = kept;
    }
}

/// Order among agents, best first: whom it should go back to, else the least loaded; among near-equals who waits for work
/// the longest, and among those by a hash of the ticket, so that a burst does not fall on one person.
fn rank(agent: &Agent, head: &TicketHead) -> (bool, u64, Option<Moment>, [u8; 32]) {
    let share = u64::from(agent.load) * 100 / u64::from(agent.capacity.max(1)) / NEAR_EQUAL_LOAD;
    let lot = digest(&[head.id.uuid().as_bytes(), agent.id.as_str().as_bytes()]);
    (Some(&agent.id) != head.preferred_agent.as_ref(), share, agent.last_assigned_at, lot)
}

/// The first of the ranked agents.
fn choose<'a>(ranked: &[&'a Agent], head: &TicketHead) -> (Option<&'a Agent>, &'static str, String) {
    match ranked.first() {
        Some(agent) if Some(&agent.id) == head.preferred_agent.as_ref() => {
            (Some(agent), "preferred_agent", format!("{} had it before", agent.id))
        }
        Some(agent) => (Some(agent), "least_loaded", format!("{} is the least loaded", agent.id)),
        None => (None, "nobody_free", "nobody is free: it waits in the team's line".to_owned()),
    }
}

/// The changes that a route makes to the ticket; none when it waits already and still has to.
pub fn changes(head: &TicketHead, team: &TeamId, team_decision: Decision, route: &Route) -> Changes {
    let mut changes = Changes::new();
    let waiting = route.agent.is_none();
    if head.team.as_ref() != Some(team) || (waiting && head.waiting_since.is_none()) {
        let changed = TeamChanged { from: head.team.clone(), to: team.clone(), waiting };
        let decision = if waiting { route.decision.clone() } else { team_decision };
        changes.push_because(Actor::System, EventData::TeamChanged(changed), decision);
    }
    if let Some(agent) = &route.agent {
        let assigned = Assigned { agent: agent.clone(), weight: route.weight };
        changes.push_because(Actor::System, EventData::Assigned(assigned), route.decision.clone());
        if head.status == Status::New {
            let change = StatusChanged::plain(Status::New, Status::Open);
            changes.push(Actor::System, EventData::StatusChanged(change));
        }
    }
    changes
}

/// Whether the ticket still needs a team or an agent.
pub fn is_wanted(head: &TicketHead) -> bool {
    head.status.is_live() && head.assignee.is_none() && (head.unrouted_since.is_some() || head.waiting_since.is_some())
}

#[cfg(test)]
mod tests;
