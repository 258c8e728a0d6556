//! Agents, teams and the lines of waiting tickets.

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem, Update};
use serde::{Deserialize, Serialize};
use throughline_domain::agent::{Agent, Presence, Team};
use throughline_domain::id::{AgentId, TeamId, TicketId};
use throughline_domain::moment::Moment;

use crate::Store;
use crate::error::StoreError;
use crate::item::{self, number, string, text};
use crate::keys::{self, SK};

/// Most members and teams that the roster lists in one answer.
const ROSTER_MAX: i32 = 1_000;

/// The capacity that a change takes of an agent: written only if the agent still has room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Whose.
    pub agent_id: AgentId,
    /// The capacity that the decision rests on.
    pub capacity: u32,
    /// Only while they take work: for assignments by the system.
    pub only_if_available: bool,
}

impl Claim {
    pub(crate) fn update(&self, table: &str, weight: u32, at: Moment) -> UpdateBuilder {
        let room = i64::from(self.capacity) - i64::from(weight);
        let update = Update::builder()
            .table_name(table)
            .set_key(Some(item::key(&keys::agent(&self.agent_id))))
            .update_expression("SET #load = #load + :weight, last_assigned_at = :at")
            .expression_attribute_names("#load", "load")
            .expression_attribute_names("#capacity", "capacity")
            .expression_attribute_values(":weight", number(weight))
            .expression_attribute_values(":at", string(at.to_string()))
            .expression_attribute_values(":room", number(room))
            .expression_attribute_values(":capacity", number(self.capacity));
        let room = "#load <= :room AND #capacity = :capacity";
        if self.only_if_available {
            update
                .condition_expression(format!("{room} AND presence = :available"))
                .expression_attribute_values(":available", string("available"))
        } else {
            update.condition_expression(room)
        }
    }
}

/// An agent in the list of all.
#[derive(Serialize, Deserialize)]
struct RosterAgent {
    teams: Vec<TeamId>,
}

impl Store {
    /// Agents, read strongly; unknown ids are left out.
    ///
    /// # Errors
    /// When the table does not answer or an item cannot be read.
    pub async fn agents(&self, ids: &[AgentId]) -> Result<Vec<Agent>, StoreError> {
        let keys: Vec<_> = ids.iter().map(keys::agent).collect();
        let items = self.get_many(&keys).await?;
        items.into_iter().flatten().map(item::decode).collect()
    }

    /// Everybody's name and teams, in order of names.
    ///
    /// # Errors
    /// When the table does not answer or an item cannot be read.
    pub async fn roster(&self) -> Result<Vec<(AgentId, Vec<TeamId>)>, StoreError> {
        let mut found = Vec::new();
        for item in self.sorted(keys::ROSTER, keys::ROSTER_AGENTS, ROSTER_MAX).await? {
            let id = text(&item, SK).and_then(|sk| sk.strip_prefix(keys::ROSTER_AGENTS)?.parse().ok());
            let listed: RosterAgent = item::decode(item)?;
            found.extend(id.map(|id| (id, listed.teams)));
        }
        Ok(found)
    }

    /// All teams, in order of names.
    ///
    /// # Errors
    /// When the table does not answer or an item cannot be read.
    pub async fn teams(&self) -> Result<Vec<Team>, StoreError> {
        let items = self.sorted(keys::ROSTER, keys::ROSTER_TEAMS, ROSTER_MAX).await?;
        items.into_iter().map(item::decode).collect()
    }

    /// Creates or changes an agent; load and last assignment stay as they are.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn put_agent(&self, agent: &Agent) -> Result<(), StoreError> {
        let list = |names: &[String]| aws_sdk_dynamodb::types::AttributeValue::L(names.iter().map(string).collect());
        let teams: Vec<String> = agent.teams.iter().map(ToString::to_string).collect();
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(item::key(&keys::agent(&agent.id))))
            .update_expression(
                "SET id = :id, #name = :name, teams = :teams, skills = :skills, #capacity = :capacity, \
                 presence = if_not_exists(presence, :presence), #load = if_not_exists(#load, :zero)",
            )
            .expression_attribute_names("#name", "name")
            .expression_attribute_names("#capacity", "capacity")
            .expression_attribute_names("#load", "load")
            .expression_attribute_values(":id", string(agent.id.as_str()))
            .expression_attribute_values(":name", string(&agent.name))
            .expression_attribute_values(":teams", list(&teams))
            .expression_attribute_values(":skills", list(&agent.skills))
            .expression_attribute_values(":capacity", number(agent.capacity))
            .expression_attribute_values(":presence", string(presence_text(agent.presence)))
            .expression_attribute_values(":zero", number(0))
            .build()
            .map_err(StoreError::build)?;
        let listed = item::encode(&keys::roster_agent(&agent.id), &RosterAgent { teams: agent.teams.clone() })?;
        let put = Put::builder().table_name(&self.table).set_item(Some(listed)).build().map_err(StoreError::build)?;
        let request = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().update(update).build())
            .transact_items(TransactWriteItem::builder().put(put).build());
        request.send().await.map_err(|error| StoreError::unavailable("put_agent", &error))?;
        Ok(())
    }

    /// Sets whether an agent takes work; false when there is no such agent.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn set_presence(&self, id: &AgentId, presence: Presence) -> Result<bool, StoreError> {
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(item::key(&keys::agent(id))))
            .update_expression("SET presence = :presence")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":presence", string(presence_text(presence)));
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {
                Ok(false)
            }
            Err(error) => Err(StoreError::unavailable("set_presence", &error)),
        }
    }

    /// Creates or renames a team.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn put_team(&self, team: &Team) -> Result<(), StoreError> {
        let mut request = self.client.transact_write_items();
        for key in [keys::team(&team.id), keys::roster_team(&team.id)] {
            let put = Put::builder().table_name(&self.table).set_item(Some(item::encode(&key, team)?));
            let put = put.build().map_err(StoreError::build)?;
            request = request.transact_items(TransactWriteItem::builder().put(put).build());
        }
        request.send().await.map_err(|error| StoreError::unavailable("put_team", &error))?;
        Ok(())
    }

    /// The tickets that wait for somebody of a team, the first in line first, at most `limit`; read strongly.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn waiting_tickets(&self, team: &TeamId, limit: usize) -> Result<Vec<TicketId>, StoreError> {
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        let items = self.sorted(&keys::team(team).pk, keys::WAIT_PREFIX, limit).await?;
        Ok(items.iter().filter_map(|item| keys::waiting_ticket(text(item, SK)?)).collect())
    }

    /// The items of a partition whose sort key begins so, in order, at most `limit`; read strongly.
    pub(crate) async fn sorted(&self, pk: &str, prefix: &str, limit: i32) -> Result<Vec<item::Item>, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", string(pk))
            .expression_attribute_values(":prefix", string(prefix))
            .limit(limit)
            .send()
            .await
            .map_err(|error| StoreError::unavailable("query", &error))?;
        Ok(answer.items.unwrap_or_default())
    }
}

fn presence_text(presence: Presence) -> &'static str {
    match presence {
        Presence::Available => "available",
        Presence::Busy => "busy",
        Presence::Away => "away",
    }
}
