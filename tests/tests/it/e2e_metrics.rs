//! Metrics: what a dashboard needs is emitted, and all that is emitted is declared.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use serde_json::{Value, json};
use throughline_aws::{Answer, Call, Interceptor, Next, Service};
use throughline_platform::App;
use throughline_platform::clients::Clients;
use throughline_platform::clock::Clock;
use throughline_platform::config::Settings;
use throughline_platform::telemetry::{METRICS, Metrics, NAMESPACE, Unit};
use throughline_store::keys;
use throughline_tests::{Mail, World};
use tokio::time::Instant;

/// What was emitted.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<Value>>>);

impl Lines {
    fn sink(&self) -> Metrics {
        let lines = Arc::clone(&self.0);
        Metrics::to(move |line| lines.lock().unwrap_or_else(PoisonError::into_inner).push(line.clone()))
    }

    fn all(&self) -> Vec<Value> {
        self.0.lock().unwrap().clone()
    }

    /// The sum of a metric where its dimension has this value.
    fn sum(&self, name: &str, dimension: &str, of: &str) -> f64 {
        let lines = self.all();
        let by = |line: &&Value| line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == json!([[dimension]]);
        lines.iter().filter(by).filter(|line| line[dimension] == of).filter_map(|line| line[name].as_f64()).sum()
    }
}

/// A table that refuses every question in which one of these stands.
struct Refusing(Vec<String>);

#[async_trait::async_trait]
impl Interceptor for Refusing {
    async fn call(&self, call: &Call, request: HttpRequest, next: &Next) -> Answer {
        let asked = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        match call.service {
            Service::DynamoDb if self.0.iter().any(|of| asked.contains(&format!("\"{of}\""))) => {
                let error = json!({"__type": "AccessDeniedException", "message": "not for you"}).to_string();
                Ok(HttpResponse::new(StatusCode::try_from(400).unwrap(), error.into()))
            }
            _ => next.run(request).await,
        }
    }
}

#[tokio::test]
async fn a_sweep_that_cannot_read_every_shard_is_not_counted() {
    let world = World::start().await;
    for (unread, counted) in [(0, 1.0), (1, 0.0), (keys::SHARDS, 0.0)] {
        let lines = Lines::default();
        let refusing = Refusing((0..unread).map(keys::check_partition).collect());
        let aws = world.system().aws.with_interceptor(Arc::new(refusing));
        let settings = Settings { table: throughline_local::TABLE.to_owned(), ..Settings::default() };
        let app = App::new(settings, Clients::new(&aws.sdk_config()), Clock::System, lines.sink());
        let swept = escalate_sla::sweep(&app, Instant::now() + Duration::from_secs(60)).await;
        assert_eq!((swept.unread, swept.failed), (u32::from(unread), u32::from(unread)));
        assert_eq!(lines.sum("sweeps", "function", "escalate-sla"), counted, "{unread} shards are not read");
        assert_eq!(lines.sum("failed", "function", "escalate-sla"), f64::from(unread));
    }
    world.finish().await;
}

#[tokio::test]
async fn what_a_dashboard_needs_is_measured_and_declared() {
    let lines = Lines::default();
    let sink = lines.sink();
    let mut world = World::start_with(|options| {
        options.metrics = sink;
        options.clock = throughline_platform::clock::Clock::at("2026-11-18T09:00:00Z".parse().unwrap());
    })
    .await;
    let mail = Mail::from("anna@example.org");
    let ticket = world.ticket_by_mail(&mail).await;
    world.mail(&mail).await;
    world.mail(&Mail::from("anna@example.org").in_reply_to(&mail.id)).await;
    let chat = world.chat(&json!({"name": "Bert"})).await;
    chat.say(&world, "1", "Hello").await;
    world.settled().await;
    assert_eq!(lines.sum("messages_accepted", "channel", "email"), 3.0);
    assert_eq!(lines.sum("messages_accepted", "channel", "web_chat"), 1.0);
    assert_eq!(lines.sum("recorded", "function", "upsert-ticket"), 3.0);
    assert_eq!(lines.sum("duplicate", "function", "upsert-ticket"), 1.0);
    let timed = lines.all().iter().filter(|line| !line["recorded_after_ms"].is_null()).count();
    assert!(timed > 0, "the way from acceptance to recording is timed");

    // Nothing is due, and the run is counted all the same.
    let swept = world.check_at("2026-11-18T09:01:00Z".parse().unwrap()).await;
    assert_eq!(swept["looked_at"], 0, "{swept}");
    assert_eq!(lines.sum("sweeps", "function", "escalate-sla"), 1.0);

    world.check_at("2026-11-18T12:30:00Z".parse().unwrap()).await;
    world.set_time("2026-11-18T12:31:00Z");
    let path = format!("/v1/tickets/{}/replies", ticket["id"].as_str().unwrap());
    world.post(&path, &json!({"text": "Yes."})).await;
    world.settled().await;
    assert!(lines.sum("sla_warned", "target", "first_response") >= 1.0);
    assert_eq!(lines.sum("sla_met", "target", "first_response"), 1.0);
    world.check_at("2026-11-30T09:00:00Z".parse().unwrap()).await;
    world.settled().await;
    assert!(lines.sum("sla_breached", "target", "resolution") >= 1.0);

    for line in lines.all() {
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], NAMESPACE);
        for metric in directive["Metrics"].as_array().unwrap() {
            let name = metric["Name"].as_str().unwrap();
            let declared = METRICS.iter().find(|declared| declared.name == name).unwrap();
            let function = line["function"].as_str().unwrap();
            assert!(declared.functions.contains(&function), "{function} emits {name}");
            assert_eq!(directive["Dimensions"], json!([[declared.dimension.as_str()]]));
            assert_eq!(metric["Unit"], Unit::of(name).as_str());
        }
    }
    world.finish().await;
}
