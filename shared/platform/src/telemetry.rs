//! What functions tell about themselves: one JSON line a record, without personal data, and metrics in CloudWatch's
//! embedded format (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).

use std::sync::Arc;

use serde_json::{Value, json};
use throughline_domain::moment::Moment;
use tracing::Level;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config;

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

    /// Tells measurements of one function: counts, and milliseconds where the name ends in `_ms`.
    pub fn put(&self, function: &str, at: Moment, values: &[(&str, f64)]) {
        let Some(sink) = &self.0 else {
            return;
        };
        sink(&embedded(function, at, values));
    }
}

fn embedded(function: &str, at: Moment, values: &[(&str, f64)]) -> Value {
    let unit = |name: &str| if name.ends_with("_ms") { "Milliseconds" } else { "Count" };
    let definitions: Vec<Value> = values.iter().map(|(name, _)| json!({"Name": name, "Unit": unit(name)})).collect();
    let mut line = json!({
        "_aws": {
            "Timestamp": at.ms(),
            "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": [["function"]], "Metrics": definitions}],
        },
        "function": function,
    });
    for (name, value) in values {
        line[*name] = json!(value);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_in_the_embedded_format() {
        let line = embedded("upsert-ticket", Moment::from_ms(5), &[("recorded", 2.0), ("latency_ms", 7.5)]);
        assert_eq!(line["_aws"]["Timestamp"], 5);
        let metrics = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(metrics["Namespace"], NAMESPACE);
        assert_eq!(metrics["Metrics"][1], json!({"Name": "latency_ms", "Unit": "Milliseconds"}));
        assert_eq!((&line["recorded"], &line["function"]), (&json!(2.0), &json!("upsert-ticket")));
    }
}
