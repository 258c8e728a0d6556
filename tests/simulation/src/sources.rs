//! Event sources, as the cloud has them when it is not at its best: batches cut anywhere, delivered twice or late,
//! deletions lost, commits late, twice, lost, and in another order between tickets, schedules missed or doubled.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use aws_lambda_events::event::cloudwatch_events::CloudWatchEvent;
use aws_lambda_events::event::dynamodb::Event as StreamEvent;
use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use throughline_aws::{Committed, REGION};
use throughline_platform::App;
use throughline_queues::{QUEUE_ARN_PREFIX, QUEUE_URL_PREFIX};
use throughline_store::commit_of_image;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use crate::cloud::{Cloud, FUNCTION_TIMEOUT, QUEUES, dead_letters_of};
use crate::defects::Defect;

/// Most batches of a queue at once.
const CONCURRENCY: usize = 3;
/// Most records of a batch.
const BATCH_MAX: u64 = 10;
/// Longest wait before a batch, when it is late, in milliseconds.
const DELAY_MS_MAX: u64 = 4_000;
/// Most commits that are relayed at once.
const COMMITS_MAX: usize = 10;
/// Longest time that the schedule does not fire, as often as it would have.
const MISSED_MAX: u64 = 20;
/// How long a source rests after a failure.
const REST: Duration = Duration::from_millis(500);
/// How long the queues are left alone when there is nothing to be had: doubles with each look.
const IDLE_MS: (u64, u64) = (40, 8_000);

type Handler = fn(App, SqsEvent, Instant) -> BoxFuture<'static, SqsBatchResponse>;

macro_rules! handler {
    ($function:path) => {
        |app, event, deadline| async move { $function(&app, event, deadline).await }.boxed()
    };
}

/// The functions that queues feed, in the order of [`QUEUES`].
const HANDLERS: [(&str, Handler); 5] = [
    ("ingest-email", handler!(ingest_email::handle)),
    ("resolve-identity", handler!(resolve_identity::handle)),
    ("upsert-ticket", handler!(upsert_ticket::handle)),
    ("route-ticket", handler!(route_ticket::handle)),
    ("send-outbound", handler!(send_outbound::handle)),
];

/// The event sources of a cloud.
pub(crate) struct Sources {
    cloud: Arc<Cloud>,
    /// Batches and relays under way.
    busy: AtomicUsize,
    /// Whether commits wait to be relayed.
    waiting: AtomicBool,
    changed: Notify,
    scheduled: AtomicBool,
}

/// A queue with its function.
struct Source {
    name: String,
    function: &'static str,
    handler: Handler,
    running: AtomicUsize,
}

impl Sources {
    /// Starts them.
    pub(crate) fn start(cloud: &Arc<Cloud>) -> Arc<Self> {
        let sources = Arc::new(Self {
            cloud: Arc::clone(cloud),
            busy: AtomicUsize::new(0),
            waiting: AtomicBool::new(false),
            changed: Notify::new(),
            scheduled: AtomicBool::new(true),
        });
        tokio::spawn(Arc::clone(&sources).feed_queues());
        tokio::spawn(Arc::clone(&sources).feed_relay(cloud.aws.commits()));
        tokio::spawn(Arc::clone(&sources).schedule());
        sources
    }

    /// Ends the schedule: from now on who waits for the end fires it.
    pub(crate) fn end_schedule(&self) {
        self.scheduled.store(false, Ordering::Relaxed);
    }

    /// Waits until every queue is empty and every commit relayed; false when that takes longer than `patience`.
    pub(crate) async fn settled(&self, patience: Duration) -> bool {
        let settled = async {
            loop {
                let queued = self.cloud.aws.queues().depths().values().any(|depth| !depth.is_empty());
                if !queued && self.busy.load(Ordering::Relaxed) == 0 && !self.waiting.load(Ordering::Relaxed) {
                    return;
                }
                let _later = tokio::time::timeout(Duration::from_secs(20), self.changed.notified()).await;
            }
        };
        tokio::time::timeout(patience, settled).await.is_ok()
    }

    fn ended(&self) {
        self.busy.fetch_sub(1, Ordering::Relaxed);
        self.changed.notify_one();
        self.cloud.faults.poke();
    }

    async fn feed_queues(self: Arc<Self>) {
        let mut sources = Vec::new();
        for (name, (function, handler)) in QUEUES.iter().zip(HANDLERS) {
            for name in [(*name).to_owned(), dead_letters_of(name)] {
                sources.push(Arc::new(Source { name, function, handler, running: AtomicUsize::new(0) }));
            }
        }
        let random = &self.cloud.random;
        let mut idle_ms = IDLE_MS.0;
        loop {
            let depths = self.cloud.aws.queues().depths();
            let mut took = false;
            let first = random.place(sources.len());
            for i in 0..sources.len() {
                let source = &sources[(first + i) % sources.len()];
                let visible = depths.get(&source.name).is_some_and(|depth| depth.visible > 0);
                if !visible || source.running.load(Ordering::Relaxed) >= CONCURRENCY {
                    continue;
                }
                let records = self.receive(source, random.between(1, BATCH_MAX)).await;
                if records.is_empty() {
                    continue;
                }
                took = true;
                source.running.fetch_add(1, Ordering::Relaxed);
                self.busy.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(Arc::clone(&self).one_batch(Arc::clone(source), records));
            }
            if took {
                idle_ms = IDLE_MS.0;
                tokio::task::yield_now().await;
                continue;
            }
            let waited = if depths.values().all(throughline_queues::Depth::is_empty) { None } else { Some(idle_ms) };
            tokio::select! {
                biased;
                () = self.cloud.faults.poked() => {}
                () = sleep(waited) => idle_ms = (idle_ms * 2).min(IDLE_MS.1),
            }
        }
    }

    async fn call(&self, target: &str, body: &Value) -> Value {
        let answer = self.cloud.aws.queues().call(&format!("AmazonSQS.{target}"), body.to_string().as_bytes()).await;
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }

    async fn receive(&self, source: &Source, max: u64) -> Vec<SqsMessage> {
        let url = format!("{QUEUE_URL_PREFIX}{}", source.name);
        let asked = json!({"QueueUrl": url, "MaxNumberOfMessages": max, "MessageSystemAttributeNames": ["All"]});
        let answer = self.call("ReceiveMessage", &asked).await;
        let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
        messages.into_iter().map(|message| record(message, &source.name)).collect()
    }

    /// A batch, from its delivery until what was done is deleted.
    async fn one_batch(self: Arc<Self>, source: Arc<Source>, records: Vec<SqsMessage>) {
        let cloud = &self.cloud;
        let rates = cloud.faults.rates();
        if cloud.random.chance(rates.delay) {
            tokio::time::sleep(Duration::from_millis(cloud.random.below(DELAY_MS_MAX))).await;
        }
        let twice = cloud.random.chance(rates.duplicate / 3);
        cloud.trace.line(source.function, format_args!("gets {} of {}", records.len(), source.name));
        if twice {
            cloud.trace.line(source.function, format_args!("gets them at another instance, too"));
            let (at, records, again) = (Arc::clone(&source), records.clone(), Arc::clone(&self));
            self.busy.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(again.cloud.random.below(DELAY_MS_MAX))).await;
                let _not_deleted = again.deliver(&at, &records).await;
                again.ended();
            });
        }
        if let Some(done) = self.deliver(&source, &records).await {
            let entries: Vec<Value> = done
                .iter()
                .filter(|_| !cloud.random.chance(rates.duplicate / 2))
                .enumerate()
                .map(|(i, receipt)| json!({"Id": i.to_string(), "ReceiptHandle": receipt}))
                .collect();
            if entries.len() < done.len() {
                cloud.trace.line(source.function, format_args!("{} deletions are lost", done.len() - entries.len()));
            }
            if !entries.is_empty() {
                let url = format!("{QUEUE_URL_PREFIX}{}", source.name);
                self.call("DeleteMessageBatch", &json!({"QueueUrl": url, "Entries": entries})).await;
            }
        }
        source.running.fetch_sub(1, Ordering::Relaxed);
        self.ended();
    }

    /// Has a function work on records; gives the receipts of those that it is done with, or nothing when it crashed.
    async fn deliver(&self, source: &Source, records: &[SqsMessage]) -> Option<Vec<String>> {
        // With this defect a batch goes on in a group whose record failed: as if each record were alone.
        let size = if self.cloud.faults.defect() == Some(Defect::NoGroupSkip) { 1 } else { records.len() };
        let mut receipts = Vec::new();
        for part in records.chunks(size.max(1)) {
            let mut event = SqsEvent::default();
            event.records = part.to_vec();
            let handled = self
                .cloud
                .invoke(source.function, |app| (source.handler)(app, event, Instant::now() + FUNCTION_TIMEOUT));
            let response = handled.await?;
            let failed = |id: &Option<String>| {
                response.batch_item_failures.iter().any(|item| Some(&item.item_identifier) == id.as_ref())
            };
            let done = part.iter().filter(|record| !failed(&record.message_id));
            receipts.extend(done.filter_map(|record| record.receipt_handle.clone()));
        }
        Some(receipts)
    }

    async fn feed_relay(self: Arc<Self>, mut commits: mpsc::UnboundedReceiver<Committed>) {
        let cloud = &self.cloud;
        let mut waiting: BTreeMap<String, VecDeque<Committed>> = BTreeMap::new();
        loop {
            if waiting.is_empty() {
                self.waiting.store(false, Ordering::Relaxed);
                self.changed.notify_one();
                let Some(commit) = commits.recv().await else { return };
                self.take_in(commit, &mut waiting);
            }
            self.waiting.store(true, Ordering::Relaxed);
            while let Ok(commit) = commits.try_recv() {
                self.take_in(commit, &mut waiting);
            }
            let rates = cloud.faults.rates();
            let wait = if cloud.random.chance(rates.delay) { cloud.random.below(DELAY_MS_MAX) } else { 20 };
            tokio::time::sleep(Duration::from_millis(wait)).await;
            let batch = self.batch(&waiting);
            if batch.is_empty() {
                continue;
            }
            let event = stream_event(&batch);
            let relayed = cloud.invoke("relay-events", |app| {
                async move { relay_events::handle(&app, event, Instant::now() + FUNCTION_TIMEOUT).await }.boxed()
            });
            let Some(response) = relayed.await else { continue };
            let first = response.batch_item_failures.first().and_then(|failure| failure.item_identifier.clone());
            let failed = first.and_then(|first| batch.iter().position(|commit| commit.sequence.to_string() == first));
            let done = failed.unwrap_or(batch.len());
            let again = cloud.random.chance(rates.duplicate);
            for commit in batch.iter().take(done).filter(|_| !again) {
                let ticket = ticket_of(commit);
                if let Some(line) = waiting.get_mut(&ticket) {
                    line.pop_front();
                    if line.is_empty() {
                        waiting.remove(&ticket);
                    }
                }
            }
            if failed.is_some() {
                tokio::time::sleep(REST).await;
            }
        }
    }

    /// Some of the commits that wait. The order between tickets is nobody's promise; that within a ticket is kept.
    fn batch(&self, waiting: &BTreeMap<String, VecDeque<Committed>>) -> Vec<Committed> {
        let random = &self.cloud.random;
        let mut left: Vec<_> = waiting.values().map(VecDeque::iter).collect();
        let mut batch = Vec::new();
        for _ in 0..=random.place(COMMITS_MAX) {
            if left.is_empty() {
                break;
            }
            let place = random.place(left.len());
            match left[place].next() {
                Some(commit) => batch.push(commit.clone()),
                None => drop(left.remove(place)),
            }
        }
        batch
    }

    fn take_in(&self, commit: Committed, waiting: &mut BTreeMap<String, VecDeque<Committed>>) {
        let (ticket, sequence) = (ticket_of(&commit), commit.item["sk"]["S"].as_str().unwrap_or_default().to_owned());
        let kinds = kinds(&commit.item);
        self.cloud.trace.line("table", format_args!("{ticket} {sequence}: {kinds}"));
        let now = self.cloud.now();
        self.cloud.memory().committed(&commit, now);
        if self.cloud.random.chance(self.cloud.faults.rates().loss) {
            self.cloud.trace.line("stream", format_args!("loses {ticket} {sequence}"));
            self.cloud.memory().lost(&commit);
        } else {
            waiting.entry(ticket).or_default().push_back(commit);
        }
    }

    async fn schedule(self: Arc<Self>) {
        while self.scheduled.load(Ordering::Relaxed) {
            let jitter = self.cloud.random.below(self.cloud.plan.schedule_ms);
            tokio::time::sleep(Duration::from_millis(self.cloud.plan.schedule_ms / 2 + jitter)).await;
            if !self.scheduled.load(Ordering::Relaxed) {
                return;
            }
            let rates = self.cloud.faults.rates();
            if self.cloud.random.chance(rates.missed) {
                let times = self.cloud.random.between(1, MISSED_MAX);
                self.cloud.trace.line("schedule", format_args!("misses {times} times"));
                tokio::time::sleep(Duration::from_millis(self.cloud.plan.schedule_ms * times)).await;
                continue;
            }
            if self.cloud.random.chance(rates.duplicate) {
                let again = Arc::clone(&self);
                self.busy.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move {
                    again.check().await;
                    again.ended();
                });
            }
            self.busy.fetch_add(1, Ordering::Relaxed);
            self.check().await;
            self.ended();
        }
    }

    /// Fires the breach check; tells what it did, or nothing when it crashed.
    pub(crate) async fn check(&self) -> Option<escalate_sla::Swept> {
        self.cloud.checks.notify_waiters();
        let swept = self.cloud.invoke("escalate-sla", |app| {
            let deadline = Instant::now() + FUNCTION_TIMEOUT;
            async move { escalate_sla::handle(&app, CloudWatchEvent::default(), deadline).await }.boxed()
        });
        let swept = swept.await;
        self.cloud.trace.line("schedule", format_args!("{swept:?}"));
        swept
    }
}

async fn sleep(ms: Option<u64>) {
    match ms {
        Some(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
        None => std::future::pending().await,
    }
}

/// The partition of a commit: its ticket.
fn ticket_of(commit: &Committed) -> String {
    commit.item["pk"]["S"].as_str().unwrap_or_default().to_owned()
}

/// The kinds of a commit's events.
fn kinds(item: &Value) -> String {
    let image = serde_json::from_value(item.clone()).ok();
    let commit = image.and_then(|image| commit_of_image(image).ok().flatten());
    let events = commit.map(|commit| commit.events).unwrap_or_default();
    let kinds: Vec<&str> = events.iter().map(|event| event.data.kind()).collect();
    kinds.join(", ")
}

fn record(mut message: Value, queue: &str) -> SqsMessage {
    let mut record = SqsMessage::default();
    let mut text = |name: &str| message[name].take().as_str().map(str::to_owned);
    record.message_id = text("MessageId");
    record.receipt_handle = text("ReceiptHandle");
    record.body = text("Body");
    let attributes = message["Attributes"].as_object().cloned().unwrap_or_default();
    record.attributes =
        attributes.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect();
    record.event_source_arn = Some(format!("{QUEUE_ARN_PREFIX}{queue}"));
    record.event_source = Some("aws:sqs".to_owned());
    record.aws_region = Some(REGION.to_owned());
    record
}

/// The event that the table's stream gives.
fn stream_event(commits: &[Committed]) -> StreamEvent {
    let record = |commit: &Committed| {
        json!({
            "eventID": commit.sequence.to_string(),
            "eventName": "INSERT",
            "eventSource": "aws:dynamodb",
            "awsRegion": REGION,
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
    serde_json::from_value(json!({"Records": records})).expect("what a table streams is an event")
}
