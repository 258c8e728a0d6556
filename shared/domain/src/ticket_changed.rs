//! What other systems are told of a commit: the contract of the event bus.
//!
//! One entry a commit, for each entry is paid: source [`SOURCE`], detail-type [`DETAIL_TYPE`], and as its detail a
//! [`TicketChanged`]. It is thin: ids and kinds, no texts, names or addresses. Whoever wants more fetches it through the
//! interface, where their role decides what they may see.

use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::event::{Commit, Event, EventData};
use crate::id::{EventId, TicketId};
use crate::moment::Moment;

/// Who says it, for rules of the bus.
pub const SOURCE: &str = "throughline";
/// What it is, for rules of the bus.
pub const DETAIL_TYPE: &str = "Ticket Changed";
/// The format that is written. It rises when a field changes its meaning or goes; new fields do not raise it, so readers
/// pass over what they do not know.
pub const VERSION: u8 = 1;

/// A ticket changed: one commit, thin.
///
/// It comes at least once: `ticket_id` and `sequence` together name it. Nothing is said about the order between entries;
/// `sequence` tells it for those of a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketChanged {
    /// Version of this format: [`VERSION`].
    pub version: u8,
    /// The ticket: `GET /v1/tickets/{ticket_id}`.
    pub ticket_id: TicketId,
    /// The commit's place in the ticket's log, from 1: `GET /v1/tickets/{ticket_id}/timeline?after={sequence - 1}` begins
    /// with its events.
    pub sequence: u64,
    /// When it happened.
    pub at: Moment,
    /// Kinds of the events, each once, for rules: `{"detail": {"kinds": ["sla_breached"]}}`.
    pub kinds: Vec<String>,
    /// Channel of the first event that has one; none for what happens inside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// The events, in their order.
    pub events: Vec<EventMention>,
}

/// An event, by name only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventMention {
    /// Its id, as on the timeline.
    pub id: EventId,
    /// Its kind, as on the timeline. There will be new ones.
    pub kind: String,
}

impl TicketChanged {
    /// What is told of a commit.
    pub fn of(commit: &Commit) -> Self {
        let mut kinds: Vec<String> = Vec::new();
        for kind in commit.events.iter().map(|event| event.data.kind()) {
            if !kinds.iter().any(|known| known == kind) {
                kinds.push(kind.to_owned());
            }
        }
        let mention = |event: &Event| EventMention { id: event.id, kind: event.data.kind().to_owned() };
        Self {
            version: VERSION,
            ticket_id: commit.ticket_id,
            sequence: commit.sequence,
            at: commit.at,
            kinds,
            channel: commit.events.iter().find_map(|event| channel(&event.data)),
            events: commit.events.iter().map(mention).collect(),
        }
    }
}

/// The channel that an event is about.
fn channel(data: &EventData) -> Option<Channel> {
    match data {
        EventData::TicketCreated(created) => Some(created.channel),
        EventData::MessageReceived(received) => Some(received.message.channel),
        EventData::ReplySent(reply) => Some(reply.message.channel),
        EventData::MessageDelivered(delivered) => Some(delivered.channel),
        EventData::MessageFailed(failed) => Some(failed.channel),
        EventData::HandedOff(handed) => Some(handed.channel),
        EventData::MessageEdited(edited) => Some(edited.message.channel),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// A commit with an event of every kind.
    fn commit() -> Commit {
        serde_json::from_str(include_str!("event/golden_v1.json")).unwrap()
    }

    #[test]
    fn version_1_is_written_as_it_was_published() {
        assert_eq!(VERSION, 1, "a new version needs a golden value of its own; this one stays readable");
        let mut commit = commit();
        commit.events.truncate(2);
        let golden = json!({
            "version": 1,
            "ticket_id": "tkt_019abc00000070008000000000000001",
            "sequence": 7,
            "at": "2026-11-20T09:30:00.000Z",
            "kinds": ["ticket_created", "message_received"],
            "channel": "email",
            "events": [
                {"id": "evt_019abc00000070008000000000000001", "kind": "ticket_created"},
                {"id": "evt_019abc00000070008000000000000002", "kind": "message_received"},
            ],
        });
        let changed = TicketChanged::of(&commit);
        assert_eq!(serde_json::to_value(&changed).unwrap(), golden);
        assert_eq!(serde_json::from_value::<TicketChanged>(golden).unwrap(), changed);
    }

    #[test]
    fn an_event_of_every_kind_is_mentioned_by_id_and_kind_and_nothing_else() {
        let commit = commit();
        let told = serde_json::to_value(TicketChanged::of(&commit)).unwrap();
        let whole = serde_json::to_value(&commit).unwrap();
        let events = whole["events"].as_array().unwrap();
        for (mention, event) in told["events"].as_array().unwrap().iter().zip(events) {
            assert_eq!(mention, &json!({"id": event["id"], "kind": event["kind"]}));
        }
        assert_eq!(told["events"].as_array().unwrap().len(), events.len());
        let fields: Vec<&String> = told.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["at", "channel", "events", "kinds", "sequence", "ticket_id", "version"]);
    }

    #[test]
    fn kinds_are_named_once_and_the_inside_has_no_channel() {
        let mut commit = commit();
        commit.events.retain(|event| matches!(event.data, EventData::SlaBreached(_)));
        commit.events.extend(commit.events.clone());
        let told = serde_json::to_value(TicketChanged::of(&commit)).unwrap();
        assert_eq!((&told["kinds"], &told["channel"]), (&json!(["sla_breached"]), &Value::Null));
        assert_eq!(told["events"].as_array().unwrap().len(), 2);
    }
}
