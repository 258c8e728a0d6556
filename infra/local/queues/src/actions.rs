//! The actions of the protocol: read the call, check it, change the store, write the answer.

use crate::digest::{md5_of_attributes, md5_of_body};
use crate::fault::{Fault, Kind, invalid};
use crate::handle::{Handle, HandleError};
use crate::limits::{BATCH_ENTRIES_MAX, LISTED_QUEUES_MAX, MESSAGE_BYTES_MAX, VISIBILITY_TIMEOUT_MAX, WAIT_MAX};
use crate::message::Content;
use crate::protocol::{
    Batch, BatchResult, CreateQueue, GetQueueAttributes, GetQueueUrl, ListQueues, Message, Messages, NewMessage,
    NewVisibility, Nothing, PurgeQueue, QueueAttributes, QueueUrl, QueueUrls, Receipt, ReceiveMessage, SentMessage,
    SetQueueAttributes, Single, answer, parse,
};
use crate::queue::{Delivery, Sent};
use crate::spec::{QueueSpec, arn, url};
use crate::store::StoreError;
use crate::{Queues, attributes, validate};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Actions of SQS that this service does not have. Clients get a typed error, not that of a misspelt action.
const UNSUPPORTED: [&str; 10] = [
    "AddPermission",
    "CancelMessageMoveTask",
    "DeleteQueue",
    "ListDeadLetterSourceQueues",
    "ListMessageMoveTasks",
    "ListQueueTags",
    "RemovePermission",
    "StartMessageMoveTask",
    "TagQueue",
    "UntagQueue",
];

/// Performs the action that `target` names.
pub(crate) async fn perform(queues: &Queues, target: &str, body: &[u8]) -> Result<Vec<u8>, Fault> {
    match target.strip_prefix("AmazonSQS.").unwrap_or_default() {
        "SendMessage" => send(queues, parse(body)?),
        "SendMessageBatch" => send_batch(queues, parse(body)?),
        "ReceiveMessage" => receive(queues, &parse(body)?).await,
        "DeleteMessage" => delete(queues, parse(body)?),
        "DeleteMessageBatch" => delete_batch(queues, parse(body)?),
        "ChangeMessageVisibility" => change_visibility(queues, parse(body)?),
        "ChangeMessageVisibilityBatch" => change_visibility_batch(queues, parse(body)?),
        "CreateQueue" => create(queues, parse(body)?),
        "GetQueueUrl" => get_url(queues, &parse(body)?),
        "GetQueueAttributes" => get_attributes(queues, &parse(body)?),
        "SetQueueAttributes" => set_attributes(queues, &parse(body)?),
        "ListQueues" => list(queues, &parse(body)?),
        "PurgeQueue" => purge(queues, &parse(body)?),
        other if UNSUPPORTED.contains(&other) => {
            Err(Kind::UnsupportedOperation.because(format!("{other} is not supported by the embedded queues.")))
        }
        _ => Err(Kind::UnknownOperation.because(format!("{target} is not an action of this service."))),
    }
}

fn send(queues: &Queues, call: Single<NewMessage>) -> Result<Vec<u8>, Fault> {
    let name = name_of(&call.queue_url);
    let spec = queues.with(|store, _| store.spec(name))?;
    let message = validate::message(&spec, call.value)?;
    let content = Arc::clone(&message.0);
    let sent = queues.change(|store, at| store.send(name, vec![message], at))?;
    let sent = sent.first().ok_or_else(|| Kind::InternalFailure.because("a send without an answer"))?;
    answer(&sent_message(&spec, &content, *sent))
}

fn send_batch(queues: &Queues, call: Batch<NewMessage>) -> Result<Vec<u8>, Fault> {
    let name = name_of(&call.queue_url);
    let spec = queues.with(|store, _| store.spec(name))?;
    validate::batch_ids(call.entries.iter().map(|entry| entry.id.as_str()))?;
    let (mut result, mut ids, mut messages, mut bytes) = (BatchResult::new(), Vec::new(), Vec::new(), 0);
    for entry in call.entries {
        match validate::message(&spec, entry.value) {
            Ok(message) => {
                bytes += message.0.size();
                ids.push((entry.id, Arc::clone(&message.0)));
                messages.push(message);
            }
            Err(fault) => result.push(entry.id, Err(fault)),
        }
    }
    if bytes > MESSAGE_BYTES_MAX {
        return Err(Kind::BatchRequestTooLong.because(format!(
            "Batch requests cannot be longer than {MESSAGE_BYTES_MAX} bytes. You have sent {bytes} bytes."
        )));
    }
    let sent = queues.change(|store, at| store.send(name, messages, at))?;
    for ((id, content), sent) in ids.into_iter().zip(sent) {
        result.push(id, Ok(sent_message(&spec, &content, sent)));
    }
    answer(&result)
}

fn sent_message(spec: &QueueSpec, content: &Content, sent: Sent) -> SentMessage {
    SentMessage {
        message_id: sent.id.to_string(),
        md5_of_message_body: md5_of_body(&content.body),
        md5_of_message_attributes: md5_of_attributes(content.attributes.iter()),
        sequence_number: spec.fifo.then(|| sequence_number(sent.seq)),
    }
}

async fn receive(queues: &Queues, call: &ReceiveMessage) -> Result<Vec<u8>, Fault> {
    let name = name_of(&call.queue_url);
    let (spec, wake) = queues.with(|store, _| {
        let slot = store.slot(name)?;
        Ok::<_, StoreError>((Arc::clone(&slot.queue.spec), Arc::clone(&slot.wake)))
    })?;
    let asked = call.max_number_of_messages.unwrap_or(1);
    let max = usize::try_from(asked).ok().filter(|max| (1..=BATCH_ENTRIES_MAX).contains(max));
    let max = max.ok_or_else(|| invalid("MaxNumberOfMessages", asked, "Must be between 1 and 10, if provided."))?;
    let seconds = |name, value: Option<i64>, max| value.map(|s| validate::seconds_within(name, s, max)).transpose();
    let visibility = seconds("VisibilityTimeout", call.visibility_timeout, VISIBILITY_TIMEOUT_MAX)?;
    let wait = seconds("WaitTimeSeconds", call.wait_time_seconds, WAIT_MAX)?.unwrap_or(spec.receive_wait);
    let deadline = Instant::now() + wait;
    loop {
        // Enabled before the look, so that no send between look and wait is missed.
        let mut woken = std::pin::pin!(wake.notified());
        woken.as_mut().enable();
        let (messages, due) = queues.change(|store, at| store.receive(name, max, visibility, at))?;
        if !messages.is_empty() || Instant::now() >= deadline {
            return answer(&Messages { messages: messages.iter().map(|one| message(&spec, call, one)).collect() });
        }
        // From here to the next look nothing is taken: a client that goes away during the wait loses nothing.
        let until = due.map_or(deadline, |due| due.min(deadline));
        drop(tokio::time::timeout_at(until, woken).await);
    }
}

fn message<'a>(spec: &QueueSpec, call: &ReceiveMessage, delivery: &'a Delivery) -> Message<'a> {
    let Delivery { seq, content, envelope } = delivery;
    let handle = Handle { queue: spec.name.clone(), seq: *seq, receive: envelope.receives };
    let names = &call.message_attribute_names;
    let message_attributes: BTreeMap<_, _> =
        content.attributes.iter().filter(|(name, _)| names.iter().any(|asked| matches(asked, name))).collect();
    Message {
        message_id: envelope.id.to_string(),
        receipt_handle: handle.to_string(),
        md5_of_body: md5_of_body(&content.body),
        body: &content.body,
        attributes: system_attributes(spec, call, delivery),
        md5_of_message_attributes: md5_of_attributes(message_attributes.iter().map(|(name, value)| (*name, *value))),
        message_attributes,
    }
}

/// Whether a message attribute is asked for by this name, prefix (`a.*`) or wildcard.
fn matches(asked: &str, name: &str) -> bool {
    asked == name || asked == "All" || asked.strip_suffix(".*").is_some_and(|prefix| name.starts_with(prefix))
}

fn system_attributes(spec: &QueueSpec, call: &ReceiveMessage, delivery: &Delivery) -> BTreeMap<&'static str, String> {
    let Delivery { seq, content, envelope } = delivery;
    let asked = |name: &str| {
        let mut names = call.attribute_names.iter().chain(&call.message_system_attribute_names);
        names.any(|asked| asked == name || asked == "All")
    };
    let all = [
        ("ApproximateReceiveCount", Some(envelope.receives.to_string())),
        ("ApproximateFirstReceiveTimestamp", envelope.first_received_ms.map(|ms| ms.to_string())),
        ("SentTimestamp", Some(envelope.sent_ms.to_string())),
        ("MessageGroupId", content.group.clone()),
        ("MessageDeduplicationId", content.dedup.clone()),
        ("SequenceNumber", spec.fifo.then(|| sequence_number(*seq))),
        ("DeadLetterQueueSourceArn", envelope.source.as_deref().map(arn)),
    ];
    all.into_iter().filter(|(name, _)| asked(name)).filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Twenty digits, so that they sort as text as well.
fn sequence_number(seq: u64) -> String {
    format!("{seq:020}")
}

fn delete(queues: &Queues, call: Single<Receipt>) -> Result<Vec<u8>, Fault> {
    let handles = [call.value.receipt_handle];
    let results = queues.change(|store, at| store.delete(name_of(&call.queue_url), &handles, at))?;
    for (handle, result) in handles.iter().zip(results) {
        result.map_err(|error| handle_fault(handle, error))?;
    }
    answer(&Nothing {})
}

fn delete_batch(queues: &Queues, call: Batch<Receipt>) -> Result<Vec<u8>, Fault> {
    validate::batch_ids(call.entries.iter().map(|entry| entry.id.as_str()))?;
    let (ids, handles): (Vec<_>, Vec<_>) =
        call.entries.into_iter().map(|entry| (entry.id, entry.value.receipt_handle)).unzip();
    let results = queues.change(|store, at| store.delete(name_of(&call.queue_url), &handles, at))?;
    answer(&handle_results(ids, handles.iter(), results))
}

fn change_visibility(queues: &Queues, call: Single<NewVisibility>) -> Result<Vec<u8>, Fault> {
    let change = [new_visibility(call.value)?];
    let results = queues.change(|store, at| store.change_visibility(name_of(&call.queue_url), &change, at.now))?;
    for ((handle, _), result) in change.iter().zip(results) {
        result.map_err(|error| handle_fault(handle, error))?;
    }
    answer(&Nothing {})
}

fn change_visibility_batch(queues: &Queues, call: Batch<NewVisibility>) -> Result<Vec<u8>, Fault> {
    validate::batch_ids(call.entries.iter().map(|entry| entry.id.as_str()))?;
    let (mut refused, mut ids, mut changes) = (BatchResult::<Nothing>::new(), Vec::new(), Vec::new());
    for entry in call.entries {
        match new_visibility(entry.value) {
            Ok(change) => {
                ids.push(entry.id);
                changes.push(change);
            }
            Err(fault) => refused.push(entry.id, Err(fault)),
        }
    }
    let results = queues.change(|store, at| store.change_visibility(name_of(&call.queue_url), &changes, at.now))?;
    let mut result = handle_results(ids, changes.iter().map(|(handle, _)| handle), results);
    result.failed.extend(refused.failed);
    answer(&result)
}

fn new_visibility(new: NewVisibility) -> Result<(String, Duration), Fault> {
    let seconds = new.visibility_timeout.ok_or_else(|| crate::fault::missing("VisibilityTimeout"))?;
    Ok((new.receipt_handle, validate::seconds_within("VisibilityTimeout", seconds, VISIBILITY_TIMEOUT_MAX)?))
}

fn handle_results<'a>(
    ids: Vec<String>,
    handles: impl Iterator<Item = &'a String>,
    results: Vec<Result<(), HandleError>>,
) -> BatchResult<Nothing> {
    let mut all = BatchResult::new();
    for ((id, handle), result) in ids.into_iter().zip(handles).zip(results) {
        // In batches SQS answers an expired receipt with the code of a wrong one.
        let fault = |error| match error {
            HandleError::Expired => Kind::ReceiptHandleIsInvalid.because("The receipt handle has expired"),
            other => handle_fault(handle, other),
        };
        all.push(id, result.map(|()| Nothing {}).map_err(fault));
    }
    all
}

fn handle_fault(handle: &str, error: HandleError) -> Fault {
    match error {
        HandleError::Malformed => Kind::ReceiptHandleIsInvalid
            .because(format!("The input receipt handle \"{handle}\" is not a valid receipt handle.")),
        HandleError::Expired => invalid("ReceiptHandle", handle, "The receipt handle has expired."),
        HandleError::NotInFlight => {
            Kind::MessageNotInflight.because(format!("The message of receipt handle {handle} is not in flight."))
        }
        HandleError::Gone => {
            let reason = "Message does not exist or is not available for visibility timeout change.";
            invalid("ReceiptHandle", handle, reason)
        }
    }
}

fn create(queues: &Queues, call: CreateQueue) -> Result<Vec<u8>, Fault> {
    let fifo = call.attributes.get("FifoQueue").is_some_and(|value| value == "true");
    let fresh = if fifo { QueueSpec::fifo(call.queue_name) } else { QueueSpec::standard(call.queue_name) };
    queues.change(|store, at| {
        let existing = store.spec(&fresh.name).ok();
        // A second call names what it cares about; the rest is as it is.
        let mut spec = existing.as_deref().cloned().unwrap_or(fresh);
        attributes::apply(&mut spec, &call.attributes)?;
        match existing {
            Some(existing) if *existing == spec => {}
            Some(_) => {
                return Err(Kind::QueueNameExists
                    .because("A queue already exists with the same name and a different value for its attributes."));
            }
            None => {
                validate::spec(store, &spec)?;
                store.put_queue(&spec, at)?;
            }
        }
        answer(&QueueUrl { queue_url: url(&spec.name) })
    })
}

fn get_url(queues: &Queues, call: &GetQueueUrl) -> Result<Vec<u8>, Fault> {
    let spec = queues.with(|store, _| store.spec(&call.queue_name))?;
    answer(&QueueUrl { queue_url: url(&spec.name) })
}

fn get_attributes(queues: &Queues, call: &GetQueueAttributes) -> Result<Vec<u8>, Fault> {
    let name = name_of(&call.queue_url);
    let spec = queues.with(|store, _| store.spec(name))?;
    let attributes = attributes::describe(&spec, queues.depth(name), &call.attribute_names)?;
    answer(&QueueAttributes { attributes })
}

fn set_attributes(queues: &Queues, call: &SetQueueAttributes) -> Result<Vec<u8>, Fault> {
    queues.change(|store, at| {
        let mut spec = (*store.spec(name_of(&call.queue_url))?).clone();
        attributes::apply(&mut spec, &call.attributes)?;
        validate::spec(store, &spec)?;
        store.put_queue(&spec, at)?;
        answer(&Nothing {})
    })
}

fn list(queues: &Queues, call: &ListQueues) -> Result<Vec<u8>, Fault> {
    let max = call.max_results.unwrap_or(LISTED_QUEUES_MAX).clamp(1, LISTED_QUEUES_MAX);
    let after = call.next_token.as_deref().unwrap_or_default();
    let prefix = call.queue_name_prefix.as_deref().unwrap_or_default();
    let mut names: Vec<String> = queues.with(|store, _| {
        let found = store.names().filter(|name| name.as_str() > after && name.starts_with(prefix));
        found.take(max + 1).cloned().collect()
    });
    let more = names.len() > max;
    names.truncate(max);
    let next_token = names.last().filter(|_| more).cloned();
    answer(&QueueUrls { queue_urls: names.iter().map(|name| url(name)).collect(), next_token })
}

fn purge(queues: &Queues, call: &PurgeQueue) -> Result<Vec<u8>, Fault> {
    queues.change(|store, at| store.purge(name_of(&call.queue_url), at))?;
    answer(&Nothing {})
}

/// The queue that a URL names; host and account do not matter.
fn name_of(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        let kind = match error {
            StoreError::NoQueue => Kind::QueueDoesNotExist,
            StoreError::Journal(_) => Kind::InternalFailure,
        };
        kind.because(error.to_string())
    }
}
