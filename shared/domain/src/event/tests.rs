//! That what was written once can be read for ever.

use super::*;
use serde_json::Value;
use std::collections::BTreeSet;

/// How many kinds [`EventData::kind`] names. A new one does not pass until it is in the file.
const KINDS: usize = 31;

#[test]
fn commits_of_format_1_still_decode() {
    let golden: Value = serde_json::from_str(include_str!("golden_v1.json")).unwrap();
    assert_eq!(COMMIT_FORMAT, 1, "a new format needs a file of its own; this one stays");
    let commit: Commit = serde_json::from_value(golden.clone()).unwrap();
    let kinds: BTreeSet<_> = commit.events.iter().map(|event| event.data.kind()).collect();
    assert_eq!((kinds.len(), commit.events.len()), (KINDS, KINDS));
    for (event, golden) in commit.events.iter().zip(golden["events"].as_array().unwrap()) {
        assert_eq!(golden["kind"], event.data.kind());
        assert_eq!(&serde_json::to_value(event).unwrap(), golden);
    }
    assert_eq!(serde_json::to_value(&commit).unwrap(), golden);
}

#[test]
fn a_change_of_status_says_how_it_ended_where_somebody_said_it() {
    let plain = serde_json::json!({"kind": "status_changed", "data": {"from": "open", "to": "resolved"}});
    let said = serde_json::json!({"kind": "status_changed", "data": {"from": "open", "to": "resolved",
        "disposition": "workaround", "resolution": "Turned it off and on."}});
    for written in [plain, said] {
        let read: EventData = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), written);
    }
}

#[test]
fn a_ticket_that_was_opened_for_a_customer_says_where_answers_go() {
    let golden: Value = serde_json::from_str(include_str!("golden_v1.json")).unwrap();
    let mut opened = golden["events"][0].clone();
    opened["data"]["reply_to"] = golden["events"][1]["data"]["reply_to"].clone();
    let read: Event = serde_json::from_value(opened.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), opened);
}
