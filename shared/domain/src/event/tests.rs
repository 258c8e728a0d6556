//! That what was written once can be read for ever.

use super::*;
use serde_json::Value;
use std::collections::BTreeSet;

/// Every kind there is. A new kind does not compile until it is named here, and does not pass until it is in the file.
fn kind(data: &EventData) -> &'static str {
    match data {
        EventData::TicketCreated(_) => "ticket_created",
        EventData::MessageReceived(_) => "message_received",
        EventData::ReplySent(_) => "reply_sent",
        EventData::NoteAdded(_) => "note_added",
        EventData::MessageDelivered(_) => "message_delivered",
        EventData::MessageFailed(_) => "message_failed",
        EventData::StatusChanged(_) => "status_changed",
        EventData::PriorityChanged(_) => "priority_changed",
        EventData::Assigned(_) => "assigned",
        EventData::Unassigned(_) => "unassigned",
        EventData::TeamChanged(_) => "team_changed",
        EventData::Tagged(_) => "tagged",
        EventData::ParticipantAdded(_) => "participant_added",
        EventData::TicketRelated(_) => "ticket_related",
        EventData::SlaApplied(_) => "sla_applied",
        EventData::SlaWarned(_) => "sla_warned",
        EventData::SlaMet(_) => "sla_met",
        EventData::SlaBreached(_) => "sla_breached",
        EventData::CsatReceived(_) => "csat_received",
        EventData::HandedOff(_) => "handed_off",
    }
}

/// How many kinds [`kind`] names.
const KINDS: usize = 20;

#[test]
fn commits_of_format_1_still_decode() {
    let golden: Value = serde_json::from_str(include_str!("golden_v1.json")).unwrap();
    assert_eq!(COMMIT_FORMAT, 1, "a new format needs a file of its own; this one stays");
    let commit: Commit = serde_json::from_value(golden.clone()).unwrap();
    let kinds: BTreeSet<_> = commit.events.iter().map(|event| kind(&event.data)).collect();
    assert_eq!((kinds.len(), commit.events.len()), (KINDS, KINDS));
    for (event, golden) in commit.events.iter().zip(golden["events"].as_array().unwrap()) {
        assert_eq!(golden["kind"], kind(&event.data));
        assert_eq!(&serde_json::to_value(event).unwrap(), golden);
    }
    assert_eq!(serde_json::to_value(&commit).unwrap(), golden);
}
