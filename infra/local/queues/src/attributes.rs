//! Queue attributes: the settings as the protocol has them, a map of strings.

use crate::fault::{Fault, Kind};
use crate::queue::Depth;
use crate::spec::{self, DeadLetter, QueueSpec};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Attributes that SQS knows and that change nothing here: taken without an error, not kept.
const WITHOUT_EFFECT: [&str; 9] = [
    "DeduplicationScope",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "Policy",
    "RedriveAllowPolicy",
    "SqsManagedSseEnabled",
];

/// The value of `RedrivePolicy`, itself JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RedrivePolicy {
    dead_letter_target_arn: String,
    max_receive_count: Count,
}

/// Clients send the count as a number or as a string.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Count {
    Number(u32),
    Text(String),
}

/// Changes `spec` as the attributes say. Ranges are checked with the whole.
pub(crate) fn apply(spec: &mut QueueSpec, attributes: &BTreeMap<String, String>) -> Result<(), Fault> {
    for (name, value) in attributes {
        let wrong = || Kind::InvalidAttributeValue.because(format!("Invalid value for the parameter {name}."));
        let seconds = || value.parse().map(Duration::from_secs).map_err(|_| wrong());
        let flag = || value.parse::<bool>().map_err(|_| wrong());
        match name.as_str() {
            "VisibilityTimeout" => spec.visibility_timeout = seconds()?,
            "DelaySeconds" => spec.delay = seconds()?,
            "ReceiveMessageWaitTimeSeconds" => spec.receive_wait = seconds()?,
            "ContentBasedDeduplication" => spec.content_based_deduplication = flag()?,
            // The kind of a queue is for life; saying again what it is changes nothing.
            "FifoQueue" if flag()? == spec.fifo => {}
            "FifoQueue" => return Err(wrong()),
            "RedrivePolicy" if value.is_empty() => spec.dead_letter = None,
            "RedrivePolicy" => spec.dead_letter = Some(redrive(value).ok_or_else(wrong)?),
            other if WITHOUT_EFFECT.contains(&other) => {}
            other => return Err(Kind::InvalidAttributeName.because(format!("Unknown Attribute {other}."))),
        }
    }
    Ok(())
}

fn redrive(value: &str) -> Option<DeadLetter> {
    let policy: RedrivePolicy = serde_json::from_str(value).ok()?;
    let max_receive_count = match policy.max_receive_count {
        Count::Number(count) => count,
        Count::Text(text) => text.parse().ok()?,
    };
    let queue = policy.dead_letter_target_arn.strip_prefix(crate::QUEUE_ARN_PREFIX)?.to_owned();
    Some(DeadLetter { queue, max_receive_count })
}

/// The attributes of a queue that `names` asks for.
pub(crate) fn describe(
    spec: &QueueSpec,
    depth: Depth,
    names: &[String],
) -> Result<BTreeMap<&'static str, String>, Fault> {
    let seconds = |duration: Duration| duration.as_secs().to_string();
    let mut all = BTreeMap::from([
        ("ApproximateNumberOfMessages", depth.visible.to_string()),
        ("ApproximateNumberOfMessagesDelayed", depth.delayed.to_string()),
        ("ApproximateNumberOfMessagesNotVisible", depth.in_flight.to_string()),
        ("DelaySeconds", seconds(spec.delay)),
        ("QueueArn", spec::arn(&spec.name)),
        ("ReceiveMessageWaitTimeSeconds", seconds(spec.receive_wait)),
        ("VisibilityTimeout", seconds(spec.visibility_timeout)),
    ]);
    if spec.fifo {
        all.insert("FifoQueue", "true".to_owned());
        all.insert("ContentBasedDeduplication", spec.content_based_deduplication.to_string());
    }
    if let Some(dead_letter) = &spec.dead_letter {
        let policy = RedrivePolicy {
            dead_letter_target_arn: spec::arn(&dead_letter.queue),
            max_receive_count: Count::Number(dead_letter.max_receive_count),
        };
        let policy =
            serde_json::to_string(&policy).map_err(|error| Kind::InternalFailure.because(error.to_string()))?;
        all.insert("RedrivePolicy", policy);
    }
    let conditional = ["FifoQueue", "ContentBasedDeduplication", "RedrivePolicy"];
    for name in names.iter().map(String::as_str) {
        let known = name == "All" || all.contains_key(name) || conditional.contains(&name);
        if !known && !WITHOUT_EFFECT.contains(&name) {
            return Err(Kind::InvalidAttributeName.because(format!("Unknown Attribute {name}.")));
        }
    }
    if !names.iter().any(|name| name == "All") {
        all.retain(|name, _| names.iter().any(|asked| asked == name));
    }
    Ok(all)
}
