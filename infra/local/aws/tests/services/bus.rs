//! The event bus: what is taken, what is refused, what is kept.

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_eventbridge::types::builders::PutEventsRequestEntryBuilder;
use serde_json::json;
use throughline_aws::PUBLISHED_KEPT;

use crate::support::Rig;

fn entry(detail: &str) -> PutEventsRequestEntryBuilder {
    PutEventsRequestEntry::builder().event_bus_name("bus").source("test").detail_type("Test").detail(detail)
}

#[tokio::test]
async fn entries_are_kept_and_faulty_ones_are_named() {
    let rig = Rig::memory().await;
    let faulty = [entry("no json"), entry("[]"), PutEventsRequestEntry::builder().source("test").detail("{}")];
    let mut call = rig.bus.put_events().entries(entry(r#"{"n": 1}"#).build());
    for entry in faulty {
        call = call.entries(entry.build());
    }
    let answer = call.entries(entry(r#"{"n": 2}"#).build()).send().await.unwrap();
    assert_eq!(answer.failed_entry_count(), 3);
    let codes: Vec<_> = answer.entries().iter().map(|entry| entry.error_code().unwrap_or("taken")).collect();
    assert_eq!(codes, ["taken", "MalformedDetail", "MalformedDetail", "InvalidArgument", "taken"]);
    let kept = rig.aws.published();
    assert_eq!(kept.iter().map(|entry| &entry.detail).collect::<Vec<_>>(), [&json!({"n": 1}), &json!({"n": 2})]);
    assert_eq!((kept[0].bus.as_str(), kept[0].detail_type.as_str()), ("bus", "Test"));
    assert_eq!(Some(kept[1].id.as_str()), answer.entries()[4].event_id());
}

#[tokio::test]
async fn a_request_past_the_limits_is_refused_whole() {
    let rig = Rig::memory().await;
    let entries = |count: usize| Some((0..count).map(|_| entry("{}").build()).collect::<Vec<_>>());
    let large = format!(r#"{{"x": "{}"}}"#, "x".repeat(130 * 1024));
    let calls = [
        rig.bus.put_events().set_entries(entries(0)),
        rig.bus.put_events().set_entries(entries(11)),
        rig.bus.put_events().entries(entry(&large).build()).entries(entry(&large).build()),
    ];
    for call in calls {
        let error = call.send().await.unwrap_err().into_service_error();
        assert_eq!(error.meta().code(), Some("ValidationException"), "{error:?}");
    }
    let error = rig.bus.list_rules().send().await.unwrap_err().into_service_error();
    assert_eq!(error.meta().code(), Some("UnknownOperationException"));
    assert!(rig.aws.published().is_empty());
    rig.bus.put_events().entries(entry(&large).build()).send().await.unwrap();
}

#[tokio::test]
async fn the_last_entries_are_kept() {
    let rig = Rig::memory().await;
    for n in 0..=PUBLISHED_KEPT / 10 {
        let entries = (0..10).map(|_| entry(&json!({"n": n}).to_string()).build()).collect();
        rig.bus.put_events().set_entries(Some(entries)).send().await.unwrap();
    }
    let kept = rig.aws.published();
    assert_eq!((kept.len(), &kept[0].detail), (PUBLISHED_KEPT, &json!({"n": 1})));
}
