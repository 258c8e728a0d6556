//! The event bus: other systems learn of every commit, thin, and a bus that fails holds no work up.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use serde_json::{Value, json};
use throughline_aws::{Answer, Aws, Call, Interceptor, Next, Published, Service};
use throughline_domain::ticket_changed::{DETAIL_TYPE, SOURCE, TicketChanged};
use throughline_platform::App;
use throughline_platform::clients::Clients;
use throughline_platform::clock::Clock;
use throughline_platform::config::{QueueUrls, Settings};
use throughline_platform::telemetry::Metrics;
use throughline_queues::{QUEUE_URL_PREFIX, QueueSpec};
use throughline_tests::{Mail, World};
use tokio::time::Instant;

/// The entries about a ticket.
fn about(published: &[Published], ticket: &Value) -> Vec<TicketChanged> {
    let changes = published.iter().filter(|entry| entry.detail["ticket_id"] == ticket["id"]);
    changes.map(|entry| serde_json::from_value(entry.detail.clone()).unwrap()).collect()
}

#[tokio::test]
async fn every_commit_is_on_the_bus_and_says_no_more_than_ids_and_kinds() {
    let world = World::start().await;
    let mail = Mail::from("anna.berg@example.org").subject("Zebra").text("The invoice is a giraffe.");
    let ticket = world.ticket_by_mail(&mail).await;
    let path = format!("/v1/tickets/{}/replies", ticket["id"].as_str().unwrap());
    world.post(&path, &json!({"text": "It is an elephant."})).await;
    world.settled().await;

    let timeline = world.timeline(&ticket).await;
    let published = world.system().aws.published();
    let changes = about(&published, &ticket);
    let told: BTreeSet<(String, String)> = changes
        .iter()
        .flat_map(|change| &change.events)
        .map(|event| (event.id.to_string(), event.kind.clone()))
        .collect();
    let text = |event: &Value, field: &str| event[field].as_str().unwrap().to_owned();
    let happened: BTreeSet<(String, String)> =
        timeline.iter().map(|event| (text(event, "id"), text(event, "kind"))).collect();
    assert_eq!(told, happened);
    let sequences: BTreeSet<u64> = changes.iter().map(|change| change.sequence).collect();
    assert_eq!(changes.len(), sequences.len(), "one entry a commit");
    let first = changes.iter().find(|change| change.sequence == 1).unwrap();
    assert_eq!(first.channel.map(|channel| channel.as_str()), Some("email"));
    assert!(first.kinds.contains(&"ticket_created".to_owned()), "{first:?}");

    for entry in &published {
        assert_eq!((entry.source.as_str(), entry.detail_type.as_str()), (SOURCE, DETAIL_TYPE));
        let detail = entry.detail.to_string().to_lowercase();
        for personal in ["anna", "example.org", "zebra", "giraffe", "elephant", "cus_", "mia"] {
            assert!(!detail.contains(personal), "{detail}");
        }
    }
    world.finish().await;
}

/// What the bus does with entries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    /// It is not there.
    Down,
    /// It does not take the fourth of each request.
    Throttling,
    /// It takes all.
    Well,
}

/// A bus in a mood.
struct Moody(Mutex<Mood>);

impl Moody {
    fn set(&self, mood: Mood) {
        *self.0.lock().unwrap() = mood;
    }
}

#[async_trait::async_trait]
impl Interceptor for Moody {
    async fn call(&self, call: &Call, request: HttpRequest, next: &Next) -> Answer {
        let mood = *self.0.lock().unwrap();
        match mood {
            _ if call.service != Service::EventBridge => next.run(request).await,
            Mood::Well => next.run(request).await,
            Mood::Down => Err(ConnectorError::io("the bus is down".into())),
            Mood::Throttling => {
                let result = |i| match i {
                    3 => json!({"ErrorCode": "ThrottlingException", "ErrorMessage": "too much"}),
                    _ => json!({"EventId": "1"}),
                };
                let results: Vec<Value> = (0..10).map(result).collect();
                let body = json!({"FailedEntryCount": 1, "Entries": results}).to_string();
                Ok(HttpResponse::new(StatusCode::try_from(200).unwrap(), body.into()))
            }
        }
    }
}

/// What `relay-events` holds, on services of its own; and the bus.
fn rig(aws: &Aws, name: &str) -> (App, Arc<Moody>) {
    let queue = |name: &str| {
        aws.queues().create(&QueueSpec::fifo(name)).unwrap();
        format!("{QUEUE_URL_PREFIX}{name}")
    };
    let bus = Arc::new(Moody(Mutex::new(Mood::Down)));
    let settings = Settings {
        queues: QueueUrls { routing: queue("routing.fifo"), outbound: queue("outbound.fifo"), ..QueueUrls::default() },
        event_bus: name.to_owned(),
        ..Settings::default()
    };
    let clients = Clients::new(&aws.with_interceptor(Arc::clone(&bus) as Arc<dyn Interceptor>).sdk_config());
    (App::new(settings, clients, Clock::System, Metrics::default()), bus)
}

#[tokio::test]
async fn a_dead_bus_holds_no_work_up_and_gets_the_commit_later() {
    let aws = Aws::memory().unwrap();
    let (mut app, bus) = rig(&aws, "bus");
    let lines: Arc<Mutex<Vec<Value>>> = Arc::default();
    let sink = Arc::clone(&lines);
    app.metrics = Metrics::to(move |line| sink.lock().unwrap().push(line.clone()));
    let event = || serde_json::from_str(include_str!("../../../events/relay-events/commit.json")).unwrap();
    let deadline = || Instant::now() + Duration::from_secs(30);
    let waiting = || aws.queues().depths()["routing.fifo"];

    let response = relay_events::handle(&app, event(), deadline()).await;
    assert_eq!(response.batch_item_failures.len(), 1, "the commit comes again");
    assert!(!waiting().is_empty(), "its work was sent all the same");
    assert!(aws.published().is_empty());
    assert_eq!(lines.lock().unwrap()[0]["failed"], 1.0, "and somebody is told");

    bus.set(Mood::Well);
    let before = waiting();
    let response = relay_events::handle(&app, event(), deadline()).await;
    assert!(response.batch_item_failures.is_empty());
    assert_eq!(waiting(), before, "the same work is there once");
    let published = aws.published();
    assert_eq!((published.len(), published[0].bus.as_str()), (1, "bus"));
    assert!(lines.lock().unwrap()[1]["failed"].is_null(), "all is well");
}

#[tokio::test]
async fn an_entry_that_the_bus_does_not_take_is_the_one_that_failed() {
    let aws = Aws::memory().unwrap();
    let (app, bus) = rig(&aws, "bus");
    let change = |sequence| TicketChanged {
        version: 1,
        ticket_id: "tkt_0192f0c1a2b37c8d9e0f112233445566".parse().unwrap(),
        sequence,
        at: Clock::System.now(),
        kinds: Vec::new(),
        channel: None,
        events: Vec::new(),
    };
    let changes: Vec<TicketChanged> = (1..=12).map(change).collect();
    bus.set(Mood::Throttling);
    let results = app.bus.publish(&changes).await;
    let failed: Vec<usize> = results.iter().enumerate().filter(|(_, r)| r.is_err()).map(|(i, _)| i).collect();
    assert_eq!(failed, [3, 10, 11], "the second request was not tried: {results:?}");
    bus.set(Mood::Well);
    assert!(app.bus.publish(&changes).await.iter().all(Result::is_ok));
    assert_eq!(aws.published().len(), 12);
}
