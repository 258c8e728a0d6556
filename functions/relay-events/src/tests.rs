//! Which commits ask for routing.

use super::*;
use throughline_domain::event::{Actor, Assigned, Changes, StatusChanged, TeamChanged, Unassigned};
use throughline_domain::moment::Moment;
use throughline_domain::ticket::Status;

fn commit(events: Vec<EventData>) -> Commit {
    let mut changes = Changes::new();
    events.into_iter().for_each(|event| changes.push(Actor::System, event));
    let ticket = "tkt_0192f0c1a2b37c8d9e0f112233445566".parse().unwrap();
    changes.into_commit(ticket, 2, Moment::from_ms(0), Moment::from_ms(0))
}

#[test]
fn routing_is_asked_for_when_somebody_is_missing() {
    let unassigned =
        |reroute| EventData::Unassigned(Unassigned { agent: "mia".parse().unwrap(), preferred: false, reroute });
    let team = |waiting| EventData::TeamChanged(TeamChanged { from: None, to: "billing".parse().unwrap(), waiting });
    let assigned = || EventData::Assigned(Assigned { agent: "mia".parse().unwrap(), weight: 10 });
    let status = |from, to| EventData::StatusChanged(StatusChanged::plain(from, to));
    for (events, wanted) in [
        (vec![unassigned(true)], true),
        (vec![unassigned(false)], false),
        (vec![team(false)], true),
        (vec![team(true)], false),
        (vec![team(false), assigned()], false),
        (vec![unassigned(true), assigned()], false),
        (vec![status(Status::Resolved, Status::Open)], true),
        (vec![status(Status::Pending, Status::Open)], false),
        (vec![], false),
    ] {
        assert_eq!(needs_routing(&commit(events.clone())), wanted, "{events:?}");
    }
}

#[test]
fn a_commit_of_a_newer_version_comes_again_and_a_broken_one_does_not() {
    let event: serde_json::Value =
        serde_json::from_str(include_str!("../../../events/relay-events/commit.json")).unwrap();
    let relayed = |attribute: &str, value: serde_json::Value| {
        let mut event = event.clone();
        event["Records"][0]["dynamodb"]["NewImage"][attribute] = value;
        let event: StreamEvent = serde_json::from_value(event).unwrap();
        new_commit(event.records.into_iter().next().unwrap())
    };
    assert!(matches!(relayed("unheard_of", serde_json::json!({"S": "later"})), Ok(Some(_))));
    assert!(matches!(relayed("format", serde_json::json!({"N": "9"})), Err(Failure::Retry(_))));
    assert!(matches!(relayed("at", serde_json::json!({"S": "never"})), Err(Failure::Quarantine(_))));
}

#[test]
fn the_sample_event_is_a_commit_that_asks_for_routing() {
    let event: StreamEvent = serde_json::from_str(include_str!("../../../events/relay-events/commit.json")).unwrap();
    let record = event.records.into_iter().next().unwrap();
    let commit = throughline_store::commit_of_image(record.change.new_image).unwrap().unwrap();
    assert_eq!((commit.sequence, commit.events.len()), (1, 2));
    assert!(needs_routing(&commit));
}
