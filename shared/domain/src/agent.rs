//! Agents and teams: who works.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{AgentId, TeamId};
use crate::moment::Moment;

/// Whether an agent takes work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// Takes work.
    #[default]
    Available,
    /// Here, but takes no new work.
    Busy,
    /// Not here.
    Away,
}

/// Somebody who works on tickets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Agent {
    /// Their name in tokens and assignments.
    pub id: AgentId,
    /// Display name.
    pub name: String,
    /// The teams that they work in.
    pub teams: Vec<TeamId>,
    /// What they can: `vip`, `refunds`, `lang:de`, …
    #[serde(default)]
    pub skills: Vec<String>,
    /// Whether they take work.
    #[serde(default)]
    pub presence: Presence,
    /// Most load that they take, in per cent: 100 is a full plate.
    pub capacity: u32,
    /// The sum of the weights of their open tickets, in per cent.
    #[serde(default)]
    pub load: u32,
    /// Last time they were given a ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_assigned_at: Option<Moment>,
}

impl Agent {
    /// Whether they can take a ticket of this weight.
    pub fn has_room(&self, weight: u32) -> bool {
        self.presence == Presence::Available && self.load.saturating_add(weight) <= self.capacity
    }
}

/// A group of agents that tickets are sent to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Team {
    /// Its name.
    pub id: TeamId,
    /// Display name.
    pub name: String,
}
