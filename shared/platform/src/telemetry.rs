//! What functions tell about themselves: one JSON line a record, without personal data, and metrics in CloudWatch's
//! embedded format (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
//!
//! Each distinct combination of a metric's name and its dimension's value is paid by the month, whether anybody looks at
//! it or not. So a metric has one dimension with few values, nothing is measured by customer, inbox or agent, and a batch
//! writes one line rather than one a message. All metrics are declared in [`METRICS`]: dashboard and alarms are made from
//! that list, and nothing else may be emitted. How much waits in a queue is measured by the queue itself.

mod metrics;

use std::sync::Arc;

use serde_json::{Value, json};
use throughline_domain::moment::Moment;
use tracing::Level;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config;

pub use metrics::{Dimension, METRICS, Metric, Unit};

/// Namespace of all metrics.
pub const NAMESPACE: &str = "Throughline";

/// What is logged: as `RUST_LOG` says (`info`, `warn,throughline_store=debug`), or else at this level.
pub fn filter(default: Level) -> Targets {
    let asked = config::log_filter().and_then(|directives| directives.parse().ok());
    asked.unwrap_or_else(|| Targets::new().with_default(default))
}

/// Starts JSON logging to standard output; `RUST_LOG` chooses what is shown (default: `info`). Called once, at start. Lines
/// carry the span that the Lambda runtime puts around an invocation, with its request id.
pub fn init() {
    let format = tracing_subscriber::fmt::layer().json().with_current_span(true).flatten_event(true);
    // A second start in one process (tests) keeps the first.
    let _already = tracing_subscriber::registry().with(format.with_filter(filter(Level::INFO))).try_init();
}

/// Most values of a metric in a line: CloudWatch drops lines with more
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
pub const TIMES_MAX: usize = 100;

/// What takes a line of measurements.
type Sink = Arc<dyn Fn(&Value) + Send + Sync>;

/// Where measurements go.
#[derive(Clone, Default)]
pub struct Metrics(Option<Sink>);

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Metrics(on)" } else { "Metrics(off)" })
    }
}

impl Metrics {
    /// To standard output, where CloudWatch finds them among the logs.
    pub fn to_stdout() -> Self {
        Self::to(|line| println!("{line}"))
    }

    /// To somewhere else.
    pub fn to(sink: impl Fn(&Value) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(sink)))
    }

    /// Tells measurements of one function. Counts of one name are added up; milliseconds of one name are kept apart, the
    /// first [`TIMES_MAX`] of them.
    pub fn put(&self, function: &str, at: Moment, values: &[(&str, f64)]) {
        self.put_by(function, Dimension::Function, function, at, values);
    }

    /// Tells measurements by another dimension than the function, of one value of it.
    pub fn put_by(&self, function: &str, by: Dimension, of: &str, at: Moment, values: &[(&str, f64)]) {
        for (name, _) in values {
            debug_assert!(metrics::is_declared(name, by, function), "{name} of {function} is not in METRICS");
        }
        let Some(sink) = &self.0 else {
            return;
        };
        sink(&embedded(function, by, of, at, values));
    }
}

fn embedded(function: &str, by: Dimension, of: &str, at: Moment, values: &[(&str, f64)]) -> Value {
    let mut grouped: Vec<(&str, Vec<f64>)> = Vec::new();
    for (name, value) in values {
        match grouped.iter_mut().find(|(known, _)| known == name) {
            Some((_, times)) if Unit::of(name) == Unit::Milliseconds && times.len() >= TIMES_MAX => {}
            Some((_, values)) => values.push(*value),
            None => grouped.push((name, vec![*value])),
        }
    }
    let unit = |name: &&str| Unit::of(name);
    let definitions: Vec<Value> =
        grouped.iter().map(|(name, _)| json!({"Name": name, "Unit": unit(name).as_str()})).collect();
    let mut line = json!({
        "_aws": {
            "Timestamp": at.ms(),
            "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": [[by.as_str()]], "Metrics": definitions}],
        },
        "function": function,
    });
    line[by.as_str()] = json!(of);
    for (name, values) in grouped {
        line[name] = match (Unit::of(name), values.as_slice()) {
            (_, [single]) => json!(single),
            (Unit::Count, counts) => json!(counts.iter().sum::<f64>()),
            (Unit::Milliseconds, times) => json!(times),
        };
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_no_more_values_than_are_read() {
        let values: Vec<_> = (0..150).flat_map(|_| [("recorded", 1.0), ("recorded_after_ms", 7.5)]).collect();
        let line = embedded("upsert-ticket", Dimension::Function, "upsert-ticket", Moment::from_ms(5), &values);
        assert_eq!(
            (line["recorded"].as_f64(), line["recorded_after_ms"].as_array().unwrap().len()),
            (Some(150.0), 100)
        );
    }

    #[test]
    fn metrics_are_in_the_embedded_format() {
        let values = [("recorded", 1.0), ("recorded_after_ms", 7.5), ("recorded", 1.0), ("recorded_after_ms", 9.0)];
        let line = embedded("upsert-ticket", Dimension::Function, "upsert-ticket", Moment::from_ms(5), &values);
        assert_eq!(line["_aws"]["Timestamp"], 5);
        let metrics = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!((&metrics["Namespace"], &metrics["Dimensions"]), (&json!(NAMESPACE), &json!([["function"]])));
        assert_eq!(metrics["Metrics"].as_array().unwrap().len(), 2);
        assert_eq!(metrics["Metrics"][1], json!({"Name": "recorded_after_ms", "Unit": "Milliseconds"}));
        assert_eq!((&line["recorded"], &line["function"]), (&json!(2.0), &json!("upsert-ticket")));
        assert_eq!(line["recorded_after_ms"], json!([7.5, 9.0]));
    }

    #[test]
    fn a_metric_by_another_dimension_names_its_function_too() {
        let line = embedded("relay-events", Dimension::Target, "resolution", Moment::from_ms(5), &[("sla_met", 1.0)]);
        assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["target"]]));
        assert_eq!((&line["target"], &line["function"]), (&json!("resolution"), &json!("relay-events")));
    }

    #[test]
    #[should_panic(expected = "not in METRICS")]
    fn what_is_not_declared_is_not_emitted() {
        Metrics::default().put("upsert-ticket", Moment::from_ms(5), &[("surprise", 1.0)]);
    }
}
