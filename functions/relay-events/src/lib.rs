//! Turns commits into work: what a commit makes necessary goes into the queue of who does it.
//!
//! What the stream loses, the breach check finds in the table.

use aws_lambda_events::event::dynamodb::{Event as StreamEvent, EventRecord};
use aws_lambda_events::event::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use futures::FutureExt;
use throughline_domain::event::{Commit, EventData};
use throughline_platform::config::Setting;
use throughline_platform::queues::Send;
use throughline_platform::{App, Failure};
use tokio::time::{Duration, Instant};

/// The settings that it needs.
pub const NEEDS: &[Setting] = &[Setting::Table, Setting::Bucket, Setting::RoutingQueue, Setting::OutboundQueue];

/// No commit is begun when less than this is left of the function's time.
const RESERVE: Duration = Duration::from_secs(5);

/// Processes a batch of the table's stream. The answer names the first record that was not relayed: the stream goes on
/// from there.
pub async fn handle(app: &App, event: StreamEvent, deadline: Instant) -> DynamoDbEventResponse {
    let mut sends = Vec::new();
    let mut owners: Vec<Option<String>> = Vec::new();
    let mut failed: Option<Option<String>> = None;
    let count = event.records.len();
    for record in event.records {
        let sequence = record.change.sequence_number.clone();
        if Instant::now() + RESERVE > deadline {
            failed = Some(sequence);
            break;
        }
        // Boxed, for the types of what is inside are too deep for the compiler to lay out as one.
        match work_of(app, record).boxed().await {
            Ok(work) => {
                owners.extend(std::iter::repeat_n(sequence, work.len()));
                sends.extend(work);
            }
            // It never will be: the stream goes on, and the breach check drives what the commit left undone.
            Err(failure @ Failure::Quarantine(_)) => {
                tracing::error!(function = "relay-events", error.detail = %failure, "a commit is not relayed");
            }
            Err(failure) => {
                tracing::error!(function = "relay-events", error.detail = %failure, "a commit was not relayed");
                failed = Some(sequence);
                break;
            }
        }
    }
    for (owner, result) in owners.into_iter().zip(app.queues.send(&sends, &app.blobs).await) {
        if let Err(failure) = result {
            tracing::error!(function = "relay-events", error.detail = %failure, "a commit was not relayed");
            if !matches!(failure, Failure::Quarantine(_)) {
                failed = Some(owner);
                break;
            }
        }
    }
    tracing::info!(function = "relay-events", records = count, sends = sends.len(), "batch");
    #[expect(clippy::cast_precision_loss, reason = "a batch has at most 10,000 records")]
    app.metrics.put("relay-events", app.clock.now(), &[("commits", count as f64), ("sends", sends.len() as f64)]);
    let mut response = DynamoDbEventResponse::default();
    if let Some(sequence) = failed {
        let mut item = DynamoDbBatchItemFailure::default();
        item.item_identifier = sequence;
        response.batch_item_failures.push(item);
    }
    response
}

/// What a record of the stream makes necessary; nothing when it is no new commit, or one that cannot be read: the table
/// has it, and the breach check drives what it left undone.
async fn work_of(app: &App, record: EventRecord) -> Result<Vec<Send>, Failure> {
    if record.event_name != "INSERT" {
        return Ok(Vec::new());
    }
    match throughline_store::commit_of_image(record.change.new_image) {
        Ok(Some(commit)) => sends(app, &commit).await,
        Ok(None) => Ok(Vec::new()),
        Err(error) => {
            tracing::error!(function = "relay-events", error.detail = %error, "a commit cannot be read");
            Ok(Vec::new())
        }
    }
}

/// What a commit makes necessary.
async fn sends(app: &App, commit: &Commit) -> Result<Vec<Send>, Failure> {
    let (ticket_id, sequence) = (commit.ticket_id, commit.sequence);
    let cause = || format!("{ticket_id}-{sequence}");
    let mut sends = Vec::new();
    if needs_routing(commit) {
        sends.push(Send::route(ticket_id, sequence, "commit"));
    }
    for event in &commit.events {
        match &event.data {
            EventData::ReplySent(_) => sends.push(Send::reply(ticket_id, sequence, event.id, "commit")),
            EventData::Unassigned(unassigned) => sends.push(Send::pull(&unassigned.agent, cause())),
            EventData::StatusChanged(change) if change.from.is_live() && !change.to.is_live() => {
                let stored = app.store.ticket(ticket_id).await?;
                let freed = stored.and_then(|stored| stored.ticket.head.assignee);
                sends.extend(freed.map(|agent| Send::pull(&agent, cause())));
            }
            _ => {}
        }
    }
    Ok(sends)
}

/// Whether the ticket has to find a team or an agent after this commit. Routing itself looks at the ticket as it is
/// then, so asking once too often does nothing.
fn needs_routing(commit: &Commit) -> bool {
    let settled = commit.events.iter().any(|event| match &event.data {
        EventData::Assigned(_) => true,
        EventData::TeamChanged(changed) => changed.waiting,
        _ => false,
    });
    let wanted = commit.events.iter().any(|event| match &event.data {
        EventData::TicketCreated(_) | EventData::TeamChanged(_) => true,
        EventData::Unassigned(unassigned) => unassigned.reroute,
        EventData::StatusChanged(change) => !change.from.is_live() && change.to.is_live(),
        _ => false,
    });
    wanted && !settled
}

#[cfg(test)]
mod tests;
