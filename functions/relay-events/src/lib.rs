//! Turns commits into work: what a commit makes necessary goes into the queue of who does it. Then tells the event bus
//! of the commits, one thin entry each ([`TicketChanged`]).
//!
//! **Work first, then the bus.** The helpdesk runs on the work; the bus is for others. All work of a batch is in the
//! queues before the first entry is published, so a bus that is down, slow or forbidden keeps no ticket from being routed
//! and no reply from being sent on this try. A commit that the bus did not take is the batch's failure all the same, so
//! the stream brings it again, and subscribers get a commit at least once. What is in the queues by then is asked for
//! a second time, which does nothing: the queues drop it, or the consumers see that it is done. While the bus stays
//! down the stream stands at that commit; work of later batches is driven by the breach check. After as many tries as the
//! template says (`MaximumRetryAttempts`) Lambda gives a commit up and goes on.
//!
//! What the stream loses, or Lambda gives up, the breach check finds in the table; the bus never learns of it.

use std::collections::BTreeMap;

use aws_lambda_events::event::dynamodb::{Event as StreamEvent, EventRecord};
use aws_lambda_events::event::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use futures::FutureExt;
use throughline_domain::event::{Commit, EventData};
use throughline_domain::ticket_changed::TicketChanged;
use throughline_platform::config::Setting;
use throughline_platform::queues::Send;
use throughline_platform::telemetry::Dimension;
use throughline_platform::{App, Failure};
use tokio::time::{Duration, Instant, timeout_at};

/// The settings that it needs. No bucket: what it sends names tickets and agents, and never is long.
pub const NEEDS: &[Setting] = &[Setting::Table, Setting::RoutingQueue, Setting::OutboundQueue, Setting::EventBus];

/// No commit is begun when less than this is left of the function's time.
const RESERVE: Duration = Duration::from_secs(5);
/// What is left of the function's time for its answer when the bus takes too long.
const ANSWERING: Duration = Duration::from_secs(1);

/// Processes a batch of the table's stream. The answer names the first record that was not relayed: the stream goes on
/// from there.
pub async fn handle(app: &App, event: StreamEvent, deadline: Instant) -> DynamoDbEventResponse {
    let sequences: Vec<Option<String>> =
        event.records.iter().map(|record| record.change.sequence_number.clone()).collect();
    let mut commits: Vec<(usize, Commit)> = Vec::new();
    let mut sends = Vec::new();
    let mut owners: Vec<usize> = Vec::new();
    // Place in the batch of the first record that was not relayed.
    let mut failed: Option<usize> = None;
    let mut not_relayed = NotRelayed::default();
    for (place, record) in event.records.into_iter().enumerate() {
        if Instant::now() + RESERVE > deadline {
            failed = Some(place);
            break;
        }
        let commit = match new_commit(record) {
            Ok(Some(commit)) => commit,
            Ok(None) => continue,
            // The table has it, and the breach check drives what it left undone.
            Err(failure @ Failure::Quarantine(_)) => {
                not_relayed.tell(&failure);
                continue;
            }
            Err(failure) => {
                not_relayed.tell(&failure);
                failed = Some(place);
                break;
            }
        };
        // Boxed, for the types of what is inside are too deep for the compiler to lay out as one.
        match work_of(app, &commit).boxed().await {
            Ok(work) => {
                owners.extend(std::iter::repeat_n(place, work.len()));
                sends.extend(work);
            }
            // It never will be: the stream goes on, and the breach check drives what the commit left undone.
            Err(failure @ Failure::Quarantine(_)) => not_relayed.tell(&failure),
            Err(failure) => {
                not_relayed.tell(&failure);
                failed = Some(place);
                break;
            }
        }
        commits.push((place, commit));
    }
    for (place, result) in owners.into_iter().zip(app.queues.send(&sends, &app.blobs).await) {
        if let Err(failure) = result {
            not_relayed.tell(&failure);
            if !matches!(failure, Failure::Quarantine(_)) {
                failed = Some(place);
                break;
            }
        }
    }
    // What comes again is published then.
    commits.retain(|(place, _)| failed.is_none_or(|failed| *place < failed));
    let unpublished = publish(app, &commits, deadline, &mut not_relayed).boxed().await;
    failed = unpublished.or(failed);
    commits.retain(|(place, _)| failed.is_none_or(|failed| *place < failed));
    tracing::info!(
        function = "relay-events",
        records = sequences.len(),
        sends = sends.len(),
        published = commits.len(),
        "batch"
    );
    #[expect(clippy::cast_precision_loss, reason = "a batch has at most 10,000 records")]
    let mut counts =
        vec![("commits", sequences.len() as f64), ("sends", sends.len() as f64), ("published", commits.len() as f64)];
    if not_relayed.count > 0 {
        counts.push(("failed", f64::from(not_relayed.count)));
    }
    app.metrics.put("relay-events", app.clock.now(), &counts);
    measure_promises(app, &commits);
    let mut response = DynamoDbEventResponse::default();
    if let Some(place) = failed {
        let mut item = DynamoDbBatchItemFailure::default();
        item.item_identifier = sequences.into_iter().nth(place).flatten();
        response.batch_item_failures.push(item);
    }
    response
}

/// What of a batch is not relayed, or not published.
#[derive(Debug, Default)]
struct NotRelayed {
    count: u32,
}

impl NotRelayed {
    fn tell(&mut self, failure: &Failure) {
        self.count += 1;
        tracing::error!(function = "relay-events", error.detail = %failure, "a commit is not relayed");
    }
}

/// The commit that a record of the stream brings; none when it is no new commit.
///
/// # Errors
/// [`Failure::Retry`] for a commit of a newer version: it comes again, for that version may be back soon.
/// [`Failure::Quarantine`] for one that cannot be read.
fn new_commit(record: EventRecord) -> Result<Option<Commit>, Failure> {
    if record.event_name != "INSERT" {
        return Ok(None);
    }
    throughline_store::commit_of_image(record.change.new_image).map_err(Failure::from)
}

/// Counts what became of promises: every commit comes by here, whoever made it.
fn measure_promises(app: &App, commits: &[(usize, Commit)]) {
    let mut counts: BTreeMap<&str, Vec<(&str, f64)>> = BTreeMap::new();
    for event in commits.iter().flat_map(|(_, commit)| &commit.events) {
        let (name, target) = match &event.data {
            EventData::SlaMet(met) if !met.late => ("sla_met", met.target),
            EventData::SlaWarned(warned) => ("sla_warned", warned.target),
            EventData::SlaBreached(breached) => ("sla_breached", breached.target),
            _ => continue,
        };
        counts.entry(target.as_str()).or_default().push((name, 1.0));
    }
    for (target, values) in counts {
        app.metrics.put_by("relay-events", Dimension::Target, target, app.clock.now(), &values);
    }
}

/// Tells the bus of commits; gives back the place of the first one that has to come again.
async fn publish(
    app: &App,
    commits: &[(usize, Commit)],
    deadline: Instant,
    not_relayed: &mut NotRelayed,
) -> Option<usize> {
    let changes: Vec<TicketChanged> = commits.iter().map(|(_, commit)| TicketChanged::of(commit)).collect();
    let Ok(results) = timeout_at(deadline - ANSWERING, app.bus.publish(&changes)).await else {
        not_relayed.tell(&Failure::Retry("the bus took too long".to_owned()));
        return commits.first().map(|(place, _)| *place);
    };
    for ((place, _), result) in commits.iter().zip(results) {
        if let Err(failure) = result {
            not_relayed.tell(&failure);
            if !matches!(failure, Failure::Quarantine(_)) {
                return Some(*place);
            }
        }
    }
    None
}

/// What a commit makes necessary.
async fn work_of(app: &App, commit: &Commit) -> Result<Vec<Send>, Failure> {
    let (ticket_id, sequence) = (commit.ticket_id, commit.sequence);
    let cause = || format!("{ticket_id}-{sequence}");
    let mut sends = Vec::new();
    if needs_routing(commit) {
        sends.push(Send::route(ticket_id, sequence, "commit"));
    }
    for event in &commit.events {
        match &event.data {
            EventData::ReplySent(_) => sends.push(Send::reply(ticket_id, sequence, event.id, "commit")),
            EventData::MessageReceived(received)
                if received.message.attachments.iter().any(|file| file.held_by_channel.is_some()) =>
            {
                sends.push(Send::store_attachments(ticket_id, sequence, event.id));
            }
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
