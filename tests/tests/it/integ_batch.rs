//! The batch driver: what becomes of records that fail, panic, or take functions down.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lambda_events::event::sqs::SqsEvent;
use serde_json::{Value, json};
use throughline_platform::batch::{self, Done, Stage};
use throughline_platform::telemetry::Metrics;
use throughline_platform::{App, Failure};
use throughline_tests::World;
use tokio::time::Instant;

const STAGE: Stage = Stage { function: "send-outbound", queue: None };

/// A batch of records: id, group, receives.
fn batch(records: &[(&str, &str, u32)], queue: &str) -> SqsEvent {
    let record = |(id, group, receives): &(&str, &str, u32)| {
        json!({
            "messageId": id, "receiptHandle": id, "body": format!("body of {id}"),
            "attributes": {
                "MessageGroupId": group, "ApproximateReceiveCount": receives.to_string(),
                "SentTimestamp": "1795167000000",
            },
            "messageAttributes": {}, "eventSource": "aws:sqs", "awsRegion": "local",
            "eventSourceARN": format!("arn:aws:sqs:local:000000000000:{queue}"),
        })
    };
    serde_json::from_value(json!({"Records": records.iter().map(record).collect::<Vec<_>>()})).unwrap()
}

/// The same, where the first record carries several pieces.
fn batch_of_pieces(pieces: &[&str], records: &[(&str, &str, u32)]) -> SqsEvent {
    let mut event = batch(records, "some.fifo");
    event.records[0].body = Some(json!({"type": "several.v1", "data": pieces}).to_string());
    event
}

/// Runs a batch; the handler does with a record what its body says. Returns what failed and what was handled.
async fn run(app: &App, event: SqsEvent) -> (Vec<String>, Vec<String>) {
    let handled = Mutex::new(Vec::new());
    let handle = |record: batch::Record| {
        let seen = &handled;
        async move {
            seen.lock().unwrap().push(record.id.clone());
            let said = record.body.trim_matches('"').trim_start_matches("body of ");
            match said.split('-').next() {
                Some("slow") => {
                    tokio::time::sleep(Duration::from_secs(3)).await;
                    Ok(Done::quietly("sent"))
                }
                Some("fails") => Err(Failure::Retry("the table is down".to_owned())),
                Some("races") => Err(Failure::Conflict("somebody else was faster".to_owned())),
                Some("poison") => Err(Failure::Quarantine("it is broken".to_owned())),
                Some("panics") => panic!("it hurts"),
                _ => Ok(Done::quietly("sent")),
            }
        }
    };
    let response = batch::run(app, STAGE, event, Instant::now() + Duration::from_secs(30), handle).await;
    let failed = response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect();
    (failed, handled.into_inner().unwrap())
}

async fn reasons(world: &World) -> Vec<String> {
    let kept = world.get("/v1/quarantine").await;
    let items = kept["items"].as_array().unwrap().iter();
    items.map(|item| item["reason"].as_str().unwrap().to_owned()).collect()
}

/// The quarantine is dated by when records were sent; the list starts today.
async fn world() -> World {
    World::start_at("2026-11-20T09:30:00Z").await
}

#[tokio::test]
async fn a_failure_stops_its_group_and_nobody_else() {
    let world = world().await;
    let records = [("ok-1", "a", 1), ("fails-1", "a", 1), ("ok-2", "a", 1), ("ok-3", "b", 1), ("poison-1", "b", 1)];
    let records = [&records[..], &[("ok-4", "b", 1)]].concat();
    let (failed, handled) = run(world.app(), batch(&records, "some.fifo")).await;
    assert_eq!(failed, ["fails-1", "ok-2"]);
    assert!(!handled.contains(&"ok-2".to_owned()), "{handled:?}");
    assert!(handled.contains(&"ok-4".to_owned()), "a poisoned record does not hold its group up");
    assert_eq!(reasons(&world).await, ["it is broken"]);
    world.finish().await;
}

#[tokio::test]
async fn what_failed_is_counted_and_what_lost_a_race_is_not() {
    let world = world().await;
    let lines: Arc<Mutex<Vec<Value>>> = Arc::default();
    let sink = Arc::clone(&lines);
    let mut app = world.app().clone();
    app.metrics = Metrics::to(move |line| sink.lock().unwrap().push(line.clone()));
    let records = [("races-1", "a", 1), ("fails-1", "b", 1), ("panics-1", "c", 1), ("poison-1", "d", 1)];
    let (failed, _) = run(&app, batch(&records, "some.fifo")).await;
    assert_eq!(failed, ["races-1", "fails-1", "panics-1"]);
    let line = lines.lock().unwrap()[0].clone();
    let counted = ["put_off", "failed", "quarantined"].map(|name| line[name].as_f64());
    assert_eq!(counted, [Some(1.0), Some(2.0), Some(1.0)], "{line}");
    world.finish().await;
}

#[tokio::test]
async fn pieces_that_came_together_come_again_together_from_the_first_that_fails() {
    let world = world().await;
    for receives in [1, 2] {
        let records = [("one", "a", receives), ("ok-1", "a", 1), ("ok-2", "b", 1)];
        let event = batch_of_pieces(&["ok", "poison", "fails", "ok"], &records);
        let (failed, mut handled) = run(world.app(), event).await;
        assert_eq!(failed, ["one", "ok-1"], "once each, by the queue's own id");
        handled.sort();
        assert_eq!(handled, ["ok-2", "one.0", "one.1", "one.2"], "what stands behind it is not begun");
        assert_eq!(reasons(&world).await, ["it is broken"], "a piece is quarantined once");
    }
    let (failed, handled) = run(world.app(), batch_of_pieces(&["ok", "ok"], &[("one", "a", 3)])).await;
    assert_eq!((failed.len(), handled.len()), (0, 2));
    world.finish().await;
}

#[tokio::test]
async fn a_group_takes_its_share_of_the_time_where_others_wait() {
    let world = world().await;
    tokio::time::pause();
    let (failed, handled) = run(world.app(), batch_of_pieces(&["slow"; 5], &[("one", "a", 1), ("ok-1", "b", 1)])).await;
    assert_eq!((failed, handled.len()), (vec!["one".to_owned()], 3), "two of hers, and the other one");
    let (failed, handled) = run(world.app(), batch_of_pieces(&["slow"; 5], &[("one", "a", 2)])).await;
    assert_eq!((failed.len(), handled.len()), (0, 5), "alone there is time for all");
    tokio::time::resume();
    world.finish().await;
}

#[tokio::test]
async fn a_panic_comes_again_twice_and_is_then_quarantined() {
    let world = world().await;
    for (receives, comes_again) in [(1, true), (2, true), (3, false)] {
        let event = batch(&[("panics-1", "a", receives), ("ok-1", "b", 1)], "some.fifo");
        let (failed, _) = run(world.app(), event).await;
        assert_eq!(failed, if comes_again { vec!["panics-1"] } else { vec![] });
    }
    let reasons = reasons(&world).await;
    assert!(reasons.len() == 1 && reasons[0].contains("panic: it hurts"), "{reasons:?}");
    world.finish().await;
}

#[tokio::test]
async fn a_long_outage_quarantines_nothing() {
    let world = world().await;
    let app = world.app();
    for receives in [21, 22, 500] {
        assert_eq!(run(app, batch(&[("fails-1", "a", receives)], "some.fifo")).await.0, ["fails-1"]);
    }
    // Nor does a deployment in the middle of a try.
    app.store.begin_last_try(STAGE.function, "ok-1", "a", world.now()).await.unwrap();
    assert_eq!(run(app, batch(&[("ok-1", "a", 500)], "some.fifo")).await, (vec![], vec!["ok-1".to_owned()]));
    assert!(reasons(&world).await.is_empty());
    world.finish().await;
}

#[tokio::test]
async fn what_takes_functions_down_is_quarantined_before_it_is_tried_again() {
    let world = world().await;
    let app = world.app();
    // Earlier tries began, and the function never came to its end. One whose answer was lost is marked twice, and is one.
    for (attempt, unended) in [("a", 1), ("a", 1), ("b", 2), ("c", 3)] {
        let begun = app.store.begin_last_try(STAGE.function, "ok-1", attempt, world.now()).await.unwrap();
        assert_eq!(begun, unended);
    }
    let (failed, handled) = run(app, batch(&[("ok-1", "a", 22), ("ok-2", "a", 1)], "some.fifo")).await;
    assert_eq!((failed.len(), handled), (0, vec!["ok-2".to_owned()]));
    assert_eq!(reasons(&world).await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn dead_letters_and_late_starts() {
    let world = world().await;
    let app = world.app();
    let (failed, handled) = run(app, batch(&[("ok-1", "a", 1)], "some-dead.fifo")).await;
    assert_eq!((failed.len(), handled.len(), reasons(&world).await.len()), (0, 0, 1));
    let event = batch(&[("ok-2", "a", 1)], "some.fifo");
    let response =
        batch::run(app, STAGE, event, Instant::now() + Duration::from_secs(1), |_| async { Ok(Done::quietly("sent")) });
    assert_eq!(response.await.batch_item_failures.len(), 1, "no record is begun when the time is nearly up");
    world.finish().await;
}
