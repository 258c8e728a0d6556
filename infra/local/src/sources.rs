//! Event sources: what Lambda does in the cloud. Batches from queues with partial failures, commits to the relay, the
//! schedule.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use aws_lambda_events::event::cloudwatch_events::CloudWatchEvent;
use aws_lambda_events::event::dynamodb::Event as StreamEvent;
use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName};
use serde_json::{Value, json};
use throughline_aws::{Aws, Committed, STAGE};
use throughline_channels::upload::UPLOADS_PREFIX;
use throughline_domain::work::Reconcile;
use throughline_platform::App;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// Most records of a batch.
const BATCH_MAX: i32 = 10;
/// How long a receive waits for a message, in seconds.
const WAIT_SECONDS: i32 = 20;
/// A function's own time-out.
const FUNCTION_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a source rests after its queue failed.
const REST: Duration = Duration::from_millis(500);
/// How long a source rests after a batch that was not full: under load the next one is fuller, and a batch costs nearly
/// the same whatever its size. An idle queue's first message does not wait.
const FILL: Duration = Duration::from_millis(10);
/// Most commits that are relayed at once.
const COMMITS_MAX: usize = 100;
/// How often the breach check runs.
const CHECK_EVERY: Duration = Duration::from_secs(60);
/// How often raw mail that was never noticed is looked for.
const RECONCILE_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long uploads are kept: what a message names in this time is stored with it.
const UPLOADS_LAST: Duration = Duration::from_secs(24 * 60 * 60);

/// What a function does with a batch of a queue.
pub(crate) type Handler =
    for<'a> fn(&'a App, SqsEvent, Instant) -> Pin<Box<dyn Future<Output = SqsBatchResponse> + Send + 'a>>;

/// A queue and the function that it feeds.
#[derive(Clone)]
pub(crate) struct QueueSource {
    pub(crate) function: &'static str,
    pub(crate) url: String,
    pub(crate) arn: String,
    pub(crate) handler: Handler,
}

/// Feeds a function from its queue until `stop` is set; a batch that was begun is finished.
pub(crate) async fn feed_queue(
    app: App,
    sqs: aws_sdk_sqs::Client,
    source: QueueSource,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let receive = sqs
            .receive_message()
            .queue_url(&source.url)
            .max_number_of_messages(BATCH_MAX)
            .wait_time_seconds(WAIT_SECONDS)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .customize()
            .config_override(long_poll());
        let received = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            received = receive.send() => received,
        };
        match received {
            Ok(answer) => {
                let messages = answer.messages.unwrap_or_default();
                let count = messages.len();
                if count > 0 {
                    one_batch(&app, &sqs, &source, messages).await;
                }
                if (1..BATCH_MAX.unsigned_abs() as usize).contains(&count) {
                    tokio::time::sleep(FILL).await;
                }
            }
            Err(error) => {
                tracing::error!(function = source.function, error.detail = %error, "a queue does not answer");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

/// A receive may wait for longer than other requests take.
fn long_poll() -> aws_sdk_sqs::config::Builder {
    let patience = Duration::from_secs(u64::from(WAIT_SECONDS.unsigned_abs()) + 10);
    let timeouts = aws_sdk_sqs::config::timeout::TimeoutConfig::builder()
        .operation_attempt_timeout(patience)
        .operation_timeout(patience)
        .build();
    aws_sdk_sqs::Config::builder().timeout_config(timeouts)
}

async fn one_batch(app: &App, sqs: &aws_sdk_sqs::Client, source: &QueueSource, messages: Vec<Message>) {
    let mut event = SqsEvent::default();
    let mut receipts: Vec<(String, String)> = Vec::with_capacity(messages.len());
    for message in messages {
        receipts
            .push((message.message_id.clone().unwrap_or_default(), message.receipt_handle.clone().unwrap_or_default()));
        event.records.push(record(message, &source.arn));
    }
    let handled = (source.handler)(app, event, Instant::now() + FUNCTION_TIMEOUT);
    let response = STAGE.scope(source.function, handled).await;
    let failed: Vec<&str> =
        response.batch_item_failures.iter().map(|failure| failure.item_identifier.as_str()).collect();
    let done = receipts.iter().enumerate().filter(|(_, (id, _))| !failed.contains(&id.as_str()));
    let entries: Vec<_> = done
        .filter_map(|(i, (_, receipt))| {
            DeleteMessageBatchRequestEntry::builder().id(i.to_string()).receipt_handle(receipt).build().ok()
        })
        .collect();
    if entries.is_empty() {
        return;
    }
    let delete = sqs.delete_message_batch().queue_url(&source.url).set_entries(Some(entries)).send();
    if let Err(error) = STAGE.scope(source.function, delete).await {
        tracing::warn!(function = source.function, error.detail = %error, "messages were not deleted and come again");
    }
}

fn record(message: Message, arn: &str) -> SqsMessage {
    let mut record = SqsMessage::default();
    record.message_id = message.message_id;
    record.receipt_handle = message.receipt_handle;
    record.body = message.body;
    record.md5_of_body = message.md5_of_body;
    let attributes = message.attributes.unwrap_or_default();
    record.attributes = attributes.into_iter().map(|(name, value)| (name.as_str().to_owned(), value)).collect();
    record.event_source_arn = Some(arn.to_owned());
    record.event_source = Some("aws:sqs".to_owned());
    record.aws_region = Some(throughline_aws::REGION.to_owned());
    record
}

/// Hands commits to the relay until `stop` is set, in order; what fails is handed over again. `relayed` is told the
/// sequence of the last commit that is through.
pub(crate) async fn feed_relay(
    app: App,
    mut commits: mpsc::UnboundedReceiver<Committed>,
    relayed: watch::Sender<u64>,
    mut stop: watch::Receiver<bool>,
) {
    let mut waiting: Vec<Committed> = Vec::new();
    loop {
        if waiting.is_empty() {
            let received = tokio::select! {
                biased;
                received = commits.recv_many(&mut waiting, COMMITS_MAX) => received,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            if received == 0 {
                return;
            }
        }
        let event = stream_event(&waiting);
        let handled = relay_events::handle(&app, event, Instant::now() + FUNCTION_TIMEOUT);
        let response = STAGE.scope("relay-events", handled).await;
        let first = response.batch_item_failures.first().and_then(|failure| failure.item_identifier.clone());
        let failed = first.and_then(|failed| waiting.iter().position(|commit| commit.sequence.to_string() == failed));
        if let Some(last) = waiting.drain(..failed.unwrap_or(waiting.len())).next_back() {
            relayed.send_replace(last.sequence);
        }
        if failed.is_some() {
            // What the relay cannot do now stays in the table; the breach check finds it if the process ends.
            if *stop.borrow() {
                return;
            }
            tokio::time::sleep(REST).await;
        }
    }
}

/// The event that the table's stream gives.
fn stream_event(commits: &[Committed]) -> StreamEvent {
    let record = |commit: &Committed| -> Value {
        json!({
            "eventID": commit.sequence.to_string(),
            "eventName": "INSERT",
            "eventSource": "aws:dynamodb",
            "awsRegion": throughline_aws::REGION,
            "dynamodb": {
                "ApproximateCreationDateTime": 0,
                "Keys": {"pk": commit.item["pk"], "sk": commit.item["sk"]},
                "NewImage": commit.item,
                "SequenceNumber": commit.sequence.to_string(),
                "SizeBytes": 0,
                "StreamViewType": "NEW_IMAGE",
            },
        })
    };
    let records: Vec<Value> = commits.iter().map(record).collect();
    serde_json::from_value(json!({"Records": records})).unwrap_or_else(|error| {
        tracing::error!(error.detail = %error, "commits could not be made an event; the breach check drives them");
        StreamEvent::default()
    })
}

/// Fires the breach check each minute and the search for lost mail each day until `stop` is set, the first time at once.
pub(crate) async fn schedule(app: App, aws: Aws, mut stop: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(CHECK_EVERY);
    let mut days = tokio::time::interval(RECONCILE_EVERY);
    loop {
        let new_day = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            _ = days.tick() => true,
            _ = ticks.tick() => false,
        };
        if new_day {
            if let Err(failure) = app.queues.send_reconcile(&Reconcile::default()).await {
                tracing::warn!(error.detail = %failure, "lost mail is not looked for today");
            }
            continue;
        }
        let check = escalate_sla::handle(&app, CloudWatchEvent::default(), Instant::now() + FUNCTION_TIMEOUT);
        STAGE.scope("escalate-sla", check).await;
        // The table of the cloud cleans up by itself.
        if let Err(error) = aws.delete_expired() {
            tracing::warn!(error.detail = %error, "what has expired was not removed");
        }
        if let Err(error) = aws.expire_objects(app.blobs.bucket(), UPLOADS_PREFIX, UPLOADS_LAST) {
            tracing::warn!(error.detail = %error, "uploads that nobody claimed were not removed");
        }
    }
}
