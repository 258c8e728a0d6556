//! Batches from queues: record by record, in order within a group, every error with its disposition.
//!
//! | failure | disposition |
//! | --- | --- |
//! | infrastructure | this record and the later ones of its group are reported as failed and come again, later each time; so do the pieces before it that came in the same message, of which is found that they are done |
//! | lost races, or no time left for it | the same, but soon |
//! | permanent | quarantined raw and with its reason, acknowledged |
//! | panic | comes again, quarantined at the third receive |
//! | taking the function down again and again | quarantined before it is processed |
//! | from a dead-letter queue | quarantined |

use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use futures::FutureExt;
use futures::future::join_all;
use serde_json::value::RawValue;
use throughline_channels::ses_notice;
use throughline_domain::channel::Channel;
use throughline_domain::ledger::LedgerKey;
use throughline_domain::moment::Moment;
use throughline_domain::work::{Several, Work};
use throughline_store::{QuarantineId, Quarantined};
use tokio::time::{Instant, timeout, timeout_at};

use crate::app::App;
use crate::error::Failure;
use crate::http::panic_text;
use crate::queues::{Queue, Send};
use crate::telemetry::Dimension;

/// Receives after which a record that makes the function panic is quarantined.
const PANICS_MAX: u32 = 3;
/// Receives after which a record is suspected to take whole functions down: each further try is marked before it begins.
/// Receives alone say nothing: an outage adds to them, too.
const RECEIVES_MAX: u32 = 20;
/// Marked tries that may have never ended before the record is quarantined: one may be a deployment, or a lost delete.
const UNENDED_TRIES_MAX: usize = 3;
/// Longest wait for taking the marks of a record's tries away.
const UNMARKING_MAX: Duration = Duration::from_secs(1);
/// No record is begun when less than this is left of the function's time: enough for one to be finished, a mail handed
/// over included.
const RESERVE: Duration = Duration::from_secs(15);
/// How long a group is worked on while others wait in the same batch: what comes of them is sent when all are through.
const SHARE: Duration = Duration::from_secs(5);
/// What is left of the function's time for sending what the records lead to.
const SENDING: Duration = Duration::from_secs(3);
/// When a record that lost its races comes again, in seconds.
const CONFLICT_SECONDS: i32 = 2;
/// When a record comes again after the first failure of the infrastructure, in seconds; doubles with each receive.
const RETRY_SECONDS: i32 = 5;
/// Longest time until a record comes again, in seconds.
const RETRY_SECONDS_MAX: i32 = 300;
/// Ending of the names of dead-letter queues, before `.fifo`.
const DEAD_LETTERS: &str = "-dead";

/// One record of a batch, or a piece of one that carries several: each piece is worked on, told of and quarantined as if it
/// had come alone, but they come again together.
#[derive(Clone, Debug)]
pub struct Record {
    /// The queue's id for it; a piece has its place behind it.
    pub id: String,
    /// Its body.
    pub body: String,
    /// Its group; its own id where the queue has none.
    pub group: String,
    /// How often it was received, this time included.
    pub receives: u32,
    /// When it was sent.
    pub sent_at: Moment,
    /// The queue's id for what it came in.
    message_id: String,
    receipt: String,
    queue_arn: String,
}

/// What came of a record.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// What it leads to: sent in order once all records of the batch are through; a record whose work was not sent
    /// counts as failed.
    pub sends: Vec<Send>,
    /// How it ended, for the log and the metrics: `duplicate`, `assigned`, … Declared in [`crate::telemetry::METRICS`].
    pub outcome: &'static str,
    /// What else is measured of it, declared as well.
    pub measured: Vec<(&'static str, f64)>,
    /// The channel of the message that was accepted with it.
    pub accepted: Option<Channel>,
}

impl Done {
    /// Ended like this, with nothing to be sent.
    pub fn quietly(outcome: &'static str) -> Self {
        Self { outcome, ..Self::default() }
    }
}

/// The consumer of a queue.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    /// The function's name.
    pub function: &'static str,
    /// The queue that it reads, for retries out of quarantine; nothing for queues that are not ours to send to.
    pub queue: Option<Queue>,
}

/// Processes a batch; the answer names the records that come again. `deadline` is the function's own.
pub async fn run<F, Fut>(app: &App, stage: Stage, event: SqsEvent, deadline: Instant, handle: F) -> SqsBatchResponse
where
    F: Fn(Record) -> Fut + Sync,
    Fut: Future<Output = Result<Done, Failure>> + std::marker::Send,
{
    let started = app.clock.now();
    let records: Vec<Record> = event.records.into_iter().flat_map(pieces).collect();
    let mut groups: Vec<Vec<&Record>> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for record in &records {
        let place = *places.entry(&record.group).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[place].push(record);
    }
    let time = Time { share: if groups.len() > 1 { Instant::now() + SHARE } else { deadline }, deadline };
    // Boxed, for the types of what is inside are too deep for the compiler to lay out as one.
    let groups = groups.into_iter().map(|group| in_order(app, stage, group, time, &handle).boxed());
    let outcomes = join_all(groups).await;
    let mut outcomes: HashMap<&str, Result<Done, Failure>> = outcomes.into_iter().flatten().collect();
    send(app, &records, &mut outcomes).boxed().await;
    report(app, stage, started, &records, outcomes).boxed().await
}

/// The time that there is for a batch.
#[derive(Clone, Copy)]
struct Time {
    /// Until when a group may begin something.
    share: Instant,
    /// When the function ends.
    deadline: Instant,
}

/// The records of a group, one after the other; what comes after a failed one comes again with it.
async fn in_order<'a, F, Fut>(
    app: &App,
    stage: Stage,
    group: Vec<&'a Record>,
    time: Time,
    handle: &F,
) -> Vec<(&'a str, Result<Done, Failure>)>
where
    F: Fn(Record) -> Fut + Sync,
    Fut: Future<Output = Result<Done, Failure>> + std::marker::Send,
{
    let mut outcomes = Vec::with_capacity(group.len());
    for record in group {
        let outcome = one(app, stage, record, time, handle).await;
        let failed = outcome.is_err();
        outcomes.push((record.id.as_str(), outcome));
        if failed {
            break;
        }
    }
    outcomes
}

async fn one<F, Fut>(app: &App, stage: Stage, record: &Record, time: Time, handle: &F) -> Result<Done, Failure>
where
    F: Fn(Record) -> Fut + Sync,
    Fut: Future<Output = Result<Done, Failure>> + std::marker::Send,
{
    let now = Instant::now();
    if now > time.share || now + RESERVE > time.deadline {
        // Nothing is wrong with it: it comes again soon.
        return Err(Failure::Conflict("the function's time for it is up".to_owned()));
    }
    let failure = if record.queue_arn.trim_end_matches(".fifo").ends_with(DEAD_LETTERS) {
        Failure::Quarantine("it was received too often and became a dead letter".to_owned())
    } else if record.receives > RECEIVES_MAX && unended_tries(app, stage, record).await? > UNENDED_TRIES_MAX {
        Failure::Quarantine(format!("it was received {} times, and took {} down", record.receives, stage.function))
    } else {
        // A slow record comes again by itself; it does not take its neighbours with it.
        let tried = timeout_at(time.deadline - SENDING, AssertUnwindSafe(handle(record.clone())).catch_unwind()).await;
        if record.receives > RECEIVES_MAX {
            tries_ended(app, stage, record).await;
        }
        match tried {
            Err(_) => Failure::Retry("it took too long".to_owned()),
            Ok(Ok(Ok(done))) => return Ok(done),
            Ok(Ok(Err(failure))) => failure,
            Ok(Err(panic)) => {
                let text = panic_text(panic.as_ref());
                tracing::error!(function = stage.function, record.id = record.id, panic = text, "a record panicked");
                if record.receives >= PANICS_MAX {
                    Failure::Quarantine(format!("it made {} panic: {text}", stage.function))
                } else {
                    Failure::Retry("it panicked".to_owned())
                }
            }
        }
    };
    match failure {
        Failure::Quarantine(reason) => {
            quarantine(app, stage, record, &reason).await?;
            if record.receives > RECEIVES_MAX {
                tries_ended(app, stage, record).await;
            }
            Ok(Done::quietly("quarantined"))
        }
        other => Err(other),
    }
}

/// How many tries of a record, this one included, began and never ended.
async fn unended_tries(app: &App, stage: Stage, record: &Record) -> Result<usize, Failure> {
    let attempt = app.randomness.uuid().simple().to_string();
    Ok(app.store.begin_last_try(stage.function, &record.id, &attempt, app.clock.now()).await?)
}

/// Takes the marks of a record's tries away. If that fails, some more of its tries count as not ended.
async fn tries_ended(app: &App, stage: Stage, record: &Record) {
    let ended = timeout(UNMARKING_MAX, app.store.end_last_try(stage.function, &record.id)).await;
    if !matches!(ended, Ok(Ok(()))) {
        tracing::warn!(function = stage.function, record.id = record.id, "the marks of its tries were not taken away");
    }
}

/// Sends what the records lead to; a record whose work is not sent has failed, and so have the later ones of its group.
async fn send<'a>(app: &App, records: &'a [Record], outcomes: &mut HashMap<&'a str, Result<Done, Failure>>) {
    let mut sends = Vec::new();
    let mut owners = Vec::new();
    for record in records {
        if let Some(Ok(done)) = outcomes.get_mut(record.id.as_str()) {
            owners.extend(std::iter::repeat_n(record.id.as_str(), done.sends.len()));
            sends.append(&mut done.sends);
        }
    }
    if sends.is_empty() {
        return;
    }
    for (owner, result) in owners.into_iter().zip(app.queues.send(&sends, &app.blobs).await) {
        if let Err(failure) = result {
            outcomes.insert(owner, Err(failure));
        }
    }
}

/// The answer, with a log line for every record and the measurements of the batch.
async fn report(
    app: &App,
    stage: Stage,
    started: Moment,
    records: &[Record],
    mut outcomes: HashMap<&str, Result<Done, Failure>>,
) -> SqsBatchResponse {
    let now = app.clock.now();
    let mut response = SqsBatchResponse::default();
    let mut counts: Vec<(&str, f64)> = Vec::new();
    let mut failed_groups: Vec<&str> = Vec::new();
    let mut accepted: HashMap<Channel, f64> = HashMap::new();
    let mut oldest_ms = 0;
    for record in records {
        oldest_ms = oldest_ms.max(now.since_ms(record.sent_at));
        let outcome = outcomes.remove(record.id.as_str());
        let (ended, detail) = match &outcome {
            Some(Ok(done)) if !failed_groups.contains(&record.group.as_str()) => {
                counts.extend(&done.measured);
                if let Some(channel) = done.accepted {
                    *accepted.entry(channel).or_default() += 1.0;
                }
                (done.outcome, String::new())
            }
            Some(Ok(_)) | None => ("skipped", String::new()),
            // Nothing is wrong: an alarm on what failed has to leave it out.
            Some(Err(failure @ Failure::Conflict(_))) => ("put_off", failure.to_string()),
            Some(Err(failure)) => ("failed", failure.to_string()),
        };
        if matches!(ended, "skipped" | "put_off" | "failed") {
            failed_groups.push(&record.group);
            let known = response.batch_item_failures.last();
            if known.is_none_or(|known| known.item_identifier != record.message_id) {
                let mut item = BatchItemFailure::default();
                item.item_identifier.clone_from(&record.message_id);
                response.batch_item_failures.push(item);
                come_again(app, record, outcome.and_then(Result::err)).await;
            }
        }
        counts.push((ended, 1.0));
        tracing::info!(
            function = stage.function,
            record.id = record.id,
            record.receives = record.receives,
            record.age_ms = now.since_ms(record.sent_at),
            outcome = ended,
            error.detail = detail,
            "record"
        );
    }
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a batch are far below 2^52")]
    counts.extend([("oldest_ms", oldest_ms as f64), ("batch_ms", now.since_ms(started) as f64)]);
    app.metrics.put(stage.function, now, &counts);
    for (channel, count) in accepted {
        let values = [("messages_accepted", count)];
        app.metrics.put_by(stage.function, Dimension::Channel, channel.as_str(), now, &values);
    }
    response
}

/// Lets a failed record come again after a time that fits its failure.
async fn come_again(app: &App, record: &Record, failure: Option<Failure>) {
    let seconds = match failure {
        Some(Failure::Retry(_)) => {
            let doubled = RETRY_SECONDS.saturating_mul(1_i32 << record.receives.saturating_sub(1).min(10));
            doubled.min(RETRY_SECONDS_MAX)
        }
        // Skipped records wait for the one before them anyway.
        _ => CONFLICT_SECONDS,
    };
    // If this fails too, the record comes again after its queue's own time.
    if let Err(failure) = app.queues.defer(&record.queue_arn, &record.receipt, seconds).await {
        tracing::warn!(record.id = record.id, error.detail = %failure, "a record could not be deferred");
    }
}

/// Puts a record into quarantine: what it was, whole, into the object store; the reason into the table.
///
/// # Errors
/// [`Failure::Retry`] when either does not answer: then the record comes again.
async fn quarantine(app: &App, stage: Stage, record: &Record, reason: &str) -> Result<(), Failure> {
    // What was sent by reference is kept whole: the object that it refers to goes some day.
    let (message, raw) = match decode(app, &record.body).await {
        Ok(work) => (work.ledger_key().cloned(), serde_json::to_vec(&work).ok()),
        Err(Failure::Quarantine(_)) => (raw_mail(stage, &record.body), None),
        Err(other) => return Err(other),
    };
    let raw = raw.unwrap_or_else(|| record.body.clone().into_bytes());
    let taken = Taken {
        function: stage.function,
        queue: stage.queue,
        group: &record.group,
        name: &record.id,
        at: record.sent_at,
        message,
        reason,
    };
    put_in_quarantine(app, taken, raw).await.map(drop)
}

/// The name of a noticed mail in the ledger, by its object: that it is in quarantine is known there, however little of it
/// could be read. The nightly search for lost mail leaves it alone by that.
fn raw_mail(stage: Stage, body: &str) -> Option<LedgerKey> {
    let notice = (stage.queue == Some(Queue::Mail)).then(|| ses_notice::read(body).ok()).flatten()?;
    Some(LedgerKey::raw_mail(&notice.receipt.action.object_key))
}

/// Something for quarantine.
#[derive(Clone, Debug)]
pub struct Taken<'a> {
    /// Who could not process it.
    pub function: &'static str,
    /// Where it goes on a retry.
    pub queue: Option<Queue>,
    /// Its group there.
    pub group: &'a str,
    /// What names it: the same name is the same quarantined record.
    pub name: &'a str,
    /// When it was accepted.
    pub at: Moment,
    /// Its message's name in the ledger.
    pub message: Option<LedgerKey>,
    /// Why.
    pub reason: &'a str,
}

/// Puts something into quarantine.
///
/// # Errors
/// [`Failure::Retry`] when table or object store do not answer.
pub async fn put_in_quarantine(app: &App, taken: Taken<'_>, raw: Vec<u8>) -> Result<QuarantineId, Failure> {
    let id = QuarantineId::new(taken.at, taken.function, taken.name);
    let raw_key = format!("quarantine/{id}");
    app.blobs.put(&raw_key, raw).await?;
    let record = Quarantined {
        id: id.to_string(),
        at: taken.at,
        stage: taken.function.to_owned(),
        reason: taken.reason.to_owned(),
        raw_key,
        queue: taken.queue.map(|queue| queue.as_str().to_owned()),
        group: Some(taken.group.to_owned()),
        message: taken.message,
        retried_at: None,
    };
    app.store.quarantine(&id, &record).await?;
    tracing::warn!(function = taken.function, quarantine.id = %id, "quarantined");
    Ok(id)
}

/// The work in a body, fetched from the object store where it is sent by reference.
///
/// # Errors
/// [`Failure::Quarantine`] when it is no work, [`Failure::Retry`] when the object store does not answer.
pub async fn decode(app: &App, body: &str) -> Result<Work, Failure> {
    match parse(body)? {
        Work::ByReference(reference) => {
            let bytes = app.blobs.get(&reference.key).await?;
            let bytes = bytes.ok_or_else(|| Failure::Quarantine("the object with its body is gone".to_owned()))?;
            parse(&String::from_utf8_lossy(&bytes))
        }
        work => Ok(work),
    }
}

fn parse(body: &str) -> Result<Work, Failure> {
    serde_json::from_str(body)
        .map_err(|error| Failure::Quarantine(format!("it is no work that is known here: {error}")))
}

/// The moment at which a function has to be done, from Lambda's deadline in milliseconds since 1970.
pub fn deadline(app: &App, deadline_ms: u64) -> Instant {
    let left = i64::try_from(deadline_ms).unwrap_or(i64::MAX).saturating_sub(app.clock.now().ms());
    Instant::now() + Duration::from_millis(u64::try_from(left).unwrap_or(0))
}

/// What a message carries, in order.
fn pieces(message: SqsMessage) -> Vec<Record> {
    let whole = record(message);
    // Anything else is found out at its first bytes.
    let bodies = serde_json::from_str(&whole.body).map_or(Vec::new(), |Several { bodies, .. }| bodies);
    if bodies.is_empty() {
        return vec![whole];
    }
    let piece = |(place, body): (usize, &&RawValue)| Record {
        id: format!("{}.{place}", whole.id),
        body: body.get().to_owned(),
        ..whole.clone()
    };
    bodies.iter().enumerate().map(piece).collect()
}

fn record(message: SqsMessage) -> Record {
    let attribute = |name: &str| message.attributes.get(name).cloned();
    let id = message.message_id.clone().unwrap_or_default();
    Record {
        group: attribute("MessageGroupId").unwrap_or_else(|| id.clone()),
        receives: attribute("ApproximateReceiveCount").and_then(|count| count.parse().ok()).unwrap_or(1),
        sent_at: Moment::from_ms(attribute("SentTimestamp").and_then(|at| at.parse().ok()).unwrap_or_default()),
        receipt: message.receipt_handle.clone().unwrap_or_default(),
        queue_arn: message.event_source_arn.clone().unwrap_or_default(),
        body: message.body.unwrap_or_default(),
        message_id: id.clone(),
        id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The record in a sample event, and its work.
    fn sample(event: &str) -> (Record, Work) {
        let event: SqsEvent = serde_json::from_str(event).unwrap();
        let record = record(event.records.into_iter().next().unwrap());
        let work = parse(&record.body).unwrap();
        (record, work)
    }

    #[test]
    fn sample_events_are_read() {
        let (inbound, work) = sample(include_str!("../../../events/resolve-identity/inbound.json"));
        let Work::Inbound(message) = work else { panic!("{work:?}") };
        assert_eq!(inbound.group, message.group(), "the group is the sender's");
        assert_eq!((inbound.receives, inbound.sent_at), (1, Moment::from_ms(1_795_167_000_700)));

        let (_, work) = sample(include_str!("../../../events/upsert-ticket/identified.json"));
        assert_eq!(work.ledger_key(), Some(&message.key));
        let (_, work) = sample(include_str!("../../../events/route-ticket/route.json"));
        assert!(matches!(work, Work::Route(_)));
        let (_, work) = sample(include_str!("../../../events/route-ticket/pull.json"));
        assert!(matches!(work, Work::Pull(_)));
        let (_, work) = sample(include_str!("../../../events/send-outbound/send.json"));
        assert!(matches!(work, Work::Send(_)));
    }

    #[test]
    fn a_message_of_several_pieces_is_as_many_records() {
        let mut event: SqsEvent = serde_json::from_str(include_str!("../../../events/route-ticket/pull.json")).unwrap();
        let mut message = event.records.remove(0);
        let alone = pieces(message.clone());
        let body = alone[0].body.clone();
        assert_eq!((alone.len(), &alone[0].id), (1, &alone[0].message_id));

        message.body = Some(r#"{"type":"several.v1","data":[]}"#.to_owned());
        assert_eq!(pieces(message.clone()).len(), 1, "nothing in it is no reason to drop it");
        message.body = Some(format!(r#"{{"type":"several.v1","data":[{body},"junk",{body}]}}"#));
        let records = pieces(message);
        let bodies: Vec<&str> = records.iter().map(|record| record.body.as_str()).collect();
        assert_eq!(bodies, [&body, "\"junk\"", &body]);
        for (place, record) in records.iter().enumerate() {
            assert_eq!(record.id, format!("{}.{place}", alone[0].id));
            assert_eq!((&record.message_id, &record.group), (&alone[0].id, &alone[0].group));
        }
    }

    #[test]
    fn what_is_no_work_is_for_quarantine() {
        for body in ["", "{}", r#"{"type":"inbound.v9","data":{}}"#, r#"{"type":"inbound.v1","data":{}}"#, "\u{0}"] {
            assert!(matches!(parse(body), Err(Failure::Quarantine(_))), "{body}");
        }
    }
}
