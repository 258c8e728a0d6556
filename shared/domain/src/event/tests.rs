//! That what was written once can be read for ever.

use super::*;
use serde_json::Value;
use std::collections::BTreeSet;

/// A commit of each format that was ever written, with every kind of event that it has. The last one grows with new kinds
/// and fields; what is in it stays as it is.
const GOLDEN: [(u8, &str); 1] = [(1, include_str!("golden_v1.json"))];

/// Every kind that the contract knows.
fn kinds() -> BTreeSet<String> {
    let schema = serde_json::to_value(schemars::schema_for!(EventData)).unwrap();
    let kinds = schema["oneOf"].as_array().unwrap().iter();
    kinds.map(|kind| kind["properties"]["kind"]["const"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn commits_of_every_format_still_decode() {
    let formats: Vec<u8> = GOLDEN.iter().map(|(format, _)| *format).collect();
    let all: Vec<u8> = (1..=COMMIT_FORMAT).collect();
    assert_eq!(formats, all, "a new format needs a golden file of its own; the others stay");
    for (format, golden) in GOLDEN {
        let golden: Value = serde_json::from_str(golden).unwrap();
        let commit: Commit = serde_json::from_value(golden.clone()).unwrap();
        if format == COMMIT_FORMAT {
            for (event, golden) in commit.events.iter().zip(golden["events"].as_array().unwrap()) {
                assert_eq!(&serde_json::to_value(event).unwrap(), golden);
            }
            assert_eq!(serde_json::to_value(&commit).unwrap(), golden);
        }
    }
}

#[test]
fn every_kind_of_event_is_in_the_golden_file() {
    let (_, golden) = GOLDEN.last().unwrap();
    let commit: Commit = serde_json::from_str(golden).unwrap();
    let there: BTreeSet<String> = commit.events.iter().map(|event| event.data.kind().to_owned()).collect();
    let missing: Vec<_> = kinds().into_iter().filter(|kind| !there.contains(kind)).collect();
    assert!(missing.is_empty(), "add an event of {missing:?} to golden_v{COMMIT_FORMAT}.json, with every field set");
    assert_eq!(there, kinds(), "kind() names them as the contract does");
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
