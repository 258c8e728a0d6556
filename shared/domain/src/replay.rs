//! Holding what is stored against the log that it follows from: what differs, and in which field.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::check::{self, REDRIVE_AFTER_MS};
use crate::id::{AgentId, CustomerId, TeamId, TicketId, TicketReference};
use crate::moment::Moment;
use crate::ticket::{Ticket, TicketHead};

/// What is shown where nothing is.
const NOTHING: &str = "nothing";

/// What follows from the logs of tickets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "id", rename_all = "snake_case")]
pub enum Derived {
    /// A ticket's head, detail and place in the indexes.
    Ticket(TicketId),
    /// An agent's load.
    Agent(AgentId),
    /// A customer's list of open tickets.
    Customer(CustomerId),
    /// A team's line of waiting tickets.
    Line(TeamId),
    /// A public reference.
    Reference(TicketReference),
}

impl fmt::Display for Derived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ticket(id) => write!(f, "ticket {id}"),
            Self::Agent(id) => write!(f, "agent {id}"),
            Self::Customer(id) => write!(f, "customer {id}"),
            Self::Line(id) => write!(f, "line of {id}"),
            Self::Reference(reference) => write!(f, "reference {reference}"),
        }
    }
}

/// Something that is stored otherwise than the log says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// Of what.
    pub of: Derived,
    /// Which field of it; a ticket id where it is an entry of a list.
    pub field: String,
    /// What is stored.
    pub stored: String,
    /// What follows from the log.
    pub log: String,
}

impl Difference {
    /// A difference between two values that can be shown.
    pub fn new(of: Derived, field: impl Into<String>, stored: impl Into<String>, log: impl Into<String>) -> Self {
        Self { of, field: field.into(), stored: stored.into(), log: log.into() }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} is {}, the log says {}", self.of, self.field, self.stored, self.log)
    }
}

/// Every field in which a stored ticket differs from the fold of its log: those of the detail after `detail.`.
pub fn ticket(stored: &Ticket, folded: &Ticket) -> Vec<Difference> {
    let of = Derived::Ticket(folded.head.id);
    let mut differences = Vec::new();
    let pairs = [
        ("", serde_json::to_value(&stored.head), serde_json::to_value(&folded.head)),
        ("detail", serde_json::to_value(&stored.detail), serde_json::to_value(&folded.detail)),
    ];
    for (place, stored, folded) in pairs {
        // What cannot be written as JSON was never stored; then both are nothing.
        compare(&of, place, &stored.unwrap_or_default(), &folded.unwrap_or_default(), &mut differences);
    }
    differences
}

fn compare(of: &Derived, place: &str, stored: &Value, folded: &Value, differences: &mut Vec<Difference>) {
    let empty = Map::new();
    let parts = match (stored, folded) {
        (Value::Object(stored), Value::Object(folded)) => Some((stored, folded)),
        (Value::Object(stored), Value::Null) => Some((stored, &empty)),
        (Value::Null, Value::Object(folded)) => Some((&empty, folded)),
        _ => None,
    };
    let Some((stored_parts, folded_parts)) = parts else {
        if stored != folded {
            differences.push(Difference::new(of.clone(), place, shown(stored), shown(folded)));
        }
        return;
    };
    let names = stored_parts.keys().chain(folded_parts.keys().filter(|name| !stored_parts.contains_key(*name)));
    for name in names {
        let inner = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
        let part = |parts: &Map<String, Value>| parts.get(name).cloned().unwrap_or_default();
        compare(of, &inner, &part(stored_parts), &part(folded_parts), differences);
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => NOTHING.to_owned(),
        other => other.to_string(),
    }
}

/// Whether the next look at a ticket comes too late. One that comes too early is right, and so is one that a look
/// before `now` moved on because what it drove again is not done yet.
pub fn next_look(head: &TicketHead, stored: Option<Moment>, now: Moment) -> Option<Difference> {
    let needed = check::next_check(head)?;
    let latest = needed.max(now.plus_ms(REDRIVE_AFTER_MS));
    let in_time = stored.is_some_and(|stored| stored <= latest);
    let difference = || {
        let stored = stored.map_or_else(|| NOTHING.to_owned(), |at| at.to_string());
        Difference::new(Derived::Ticket(head.id), "check_at", stored, format!("{needed} at the latest"))
    };
    (!in_time).then(difference)
}

#[cfg(test)]
mod tests;
