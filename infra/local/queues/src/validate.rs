//! Checks of what clients send, before any state changes.

use crate::digest;
use crate::fault::{Fault, Kind, invalid, missing};
use crate::limits::{
    ATTRIBUTES_MAX, BATCH_ENTRIES_MAX, BATCH_ID_CHARS_MAX, DEDUPLICATION_ID_CHARS_MAX, DELAY_MAX, GROUP_ID_CHARS_MAX,
    MESSAGE_BYTES_MAX, QUEUE_NAME_CHARS_MAX, RECEIVE_COUNT_MAX, VISIBILITY_TIMEOUT_MAX, WAIT_MAX,
};
use crate::message::{Attribute, Content};
use crate::protocol::NewMessage;
use crate::spec::{self, FIFO_SUFFIX, QueueSpec};
use crate::store::Store;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// The settings of a queue, alone and against the queues that are there.
pub(crate) fn spec(store: &Store, spec: &QueueSpec) -> Result<(), Fault> {
    let stem = spec.name.strip_suffix(FIFO_SUFFIX);
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let base = stem.unwrap_or(&spec.name);
    if base.is_empty() || spec.name.len() > QUEUE_NAME_CHARS_MAX || !base.chars().all(allowed) {
        return Err(invalid(
            "QueueName",
            &spec.name,
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.",
        ));
    }
    if stem.is_some() != spec.fifo {
        return Err(invalid("QueueName", &spec.name, "The name of a FIFO queue, and only of one, ends in .fifo."));
    }
    if spec.content_based_deduplication && !spec.fifo {
        return Err(Kind::InvalidAttributeName.because("Unknown Attribute ContentBasedDeduplication."));
    }
    for (name, value, max) in [
        ("VisibilityTimeout", spec.visibility_timeout, VISIBILITY_TIMEOUT_MAX),
        ("DelaySeconds", spec.delay, DELAY_MAX),
        ("ReceiveMessageWaitTimeSeconds", spec.receive_wait, WAIT_MAX),
    ] {
        if value > max {
            return Err(Kind::InvalidAttributeValue.because(format!("Invalid value for the parameter {name}.")));
        }
    }
    let Some(dead_letter) = &spec.dead_letter else { return Ok(()) };
    let bad_policy = |why: &str| {
        let arn = spec::arn(&dead_letter.queue);
        Err(Kind::InvalidAttributeValue
            .because(format!("Value {arn} for parameter RedrivePolicy is invalid. Reason: {why}")))
    };
    if !(1..=RECEIVE_COUNT_MAX).contains(&dead_letter.max_receive_count) {
        return bad_policy("maxReceiveCount must be between 1 and 1000.");
    }
    match store.spec(&dead_letter.queue) {
        Err(_) => bad_policy("Dead letter target does not exist."),
        Ok(target) if target.fifo != spec.fifo => bad_policy("Dead letter target is of another type."),
        Ok(_) if dead_letter.queue == spec.name => bad_policy("Dead letter target is the queue itself."),
        Ok(_) => Ok(()),
    }
}

/// A message for a queue with these settings, and its delay.
pub(crate) fn message(spec: &QueueSpec, new: NewMessage) -> Result<(Arc<Content>, Duration), Fault> {
    if new.message_body.is_empty() {
        return Err(missing("MessageBody"));
    }
    let delay = delay(spec, new.delay_seconds)?;
    let group = new.message_group_id.map(|id| identifier("MessageGroupId", id, GROUP_ID_CHARS_MAX)).transpose()?;
    let id = new.message_deduplication_id;
    let mut dedup = id.map(|id| identifier("MessageDeduplicationId", id, DEDUPLICATION_ID_CHARS_MAX)).transpose()?;
    if !spec.fifo {
        if let Some(id) = dedup {
            let reason = "The request include parameter that is not valid for this queue type";
            return Err(invalid("MessageDeduplicationId", id, reason));
        }
    } else if group.is_none() {
        return Err(missing("MessageGroupId"));
    } else if spec.content_based_deduplication {
        dedup = dedup.or_else(|| Some(digest::sha256_of_body(&new.message_body)));
    } else if dedup.is_none() {
        return Err(Kind::InvalidParameterValue.because(
            "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
        ));
    }
    check_characters(&new.message_body)?;
    if new.message_attributes.len() > ATTRIBUTES_MAX {
        return Err(
            Kind::InvalidParameterValue.because("Number of message attributes exceeds the allowed maximum [10].")
        );
    }
    new.message_attributes.iter().try_for_each(|(name, value)| check_attribute(name, value))?;
    let content = Content { body: new.message_body, attributes: new.message_attributes, group, dedup };
    if content.size() > MESSAGE_BYTES_MAX {
        return Err(Kind::InvalidParameterValue.because(format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {MESSAGE_BYTES_MAX} bytes."
        )));
    }
    Ok((Arc::new(content), delay))
}

fn delay(spec: &QueueSpec, seconds: Option<i64>) -> Result<Duration, Fault> {
    let Some(seconds) = seconds else { return Ok(spec.delay) };
    if spec.fifo && seconds != 0 {
        let reason = "The request include parameter that is not valid for this queue type";
        return Err(invalid("DelaySeconds", seconds, reason));
    }
    if spec.fifo { Ok(spec.delay) } else { seconds_within("DelaySeconds", seconds, DELAY_MAX) }
}

/// A number of seconds from 0 to `max`.
pub(crate) fn seconds_within(parameter: &str, seconds: i64, max: Duration) -> Result<Duration, Fault> {
    u64::try_from(seconds)
        .ok()
        .map(Duration::from_secs)
        .filter(|value| *value <= max)
        .ok_or_else(|| invalid(parameter, seconds, &format!("Must be between 0 and {}, if provided.", max.as_secs())))
}

/// A group or de-duplication id: letters, digits and punctuation of ASCII.
fn identifier(parameter: &str, id: String, chars_max: usize) -> Result<String, Fault> {
    if id.is_empty() || id.len() > chars_max || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
        let reason = format!("Can only include alphanumeric and punctuation characters. 1 to {chars_max} in length.");
        return Err(invalid(parameter, id, &reason));
    }
    Ok(id)
}

/// SQS takes what XML 1.0 allows.
fn check_characters(text: &str) -> Result<(), Fault> {
    let allowed =
        |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    if text.chars().all(allowed) {
        return Ok(());
    }
    Err(Kind::InvalidMessageContents.because("Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF"))
}

fn check_attribute(name: &str, attribute: &Attribute) -> Result<(), Fault> {
    let wrong = |why: &str| Err(Kind::InvalidParameterValue.because(format!("The message attribute '{name}' {why}")));
    let (string, binary) = (attribute.string_value.as_deref(), attribute.binary_value.as_deref());
    match (attribute.data_type.split('.').next(), string, binary) {
        (Some("String" | "Number"), Some(value), None) if !value.is_empty() => check_characters(value),
        (Some("Binary"), None, Some(value)) if STANDARD.decode(value).is_ok_and(|bytes| !bytes.is_empty()) => Ok(()),
        (Some("String" | "Number" | "Binary"), ..) => wrong("must contain a non-empty value of its type."),
        _ => wrong(
            "has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.",
        ),
    }
}

/// The ids of a batch: one to ten, well-formed and distinct.
pub(crate) fn batch_ids<'a>(ids: impl ExactSizeIterator<Item = &'a str>) -> Result<(), Fault> {
    let count = ids.len();
    if count == 0 {
        return Err(Kind::EmptyBatchRequest.because("There should be at least one entry in the request."));
    }
    if count > BATCH_ENTRIES_MAX {
        return Err(Kind::TooManyEntriesInBatchRequest.because(format!(
            "Maximum number of entries per request are {BATCH_ENTRIES_MAX}. You have sent {count}."
        )));
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let mut seen = HashSet::with_capacity(count);
    for id in ids {
        if id.is_empty() || id.len() > BATCH_ID_CHARS_MAX || !id.bytes().all(allowed) {
            return Err(Kind::InvalidBatchEntryId.because("A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long."));
        }
        if !seen.insert(id) {
            return Err(Kind::BatchEntryIdsNotDistinct.because(format!("Id {id} repeated.")));
        }
    }
    Ok(())
}
