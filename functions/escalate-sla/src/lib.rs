//! Looks at the tickets whose clocks or work are due: records warnings and breaches once, drives again what nobody did.
//!
//! Its cost follows what is due, not what is open. It looks at what was due ten seconds ago or earlier: a change is in
//! the table within five seconds of the moment that it is stamped with, so nothing that happened in time can still come.
//! Two at once do no step twice: each step is a commit on the version that was read.

use aws_lambda_events::event::cloudwatch_events::CloudWatchEvent;
use futures::stream::{self, StreamExt};
use serde::Serialize;
use throughline_domain::check;
use throughline_domain::clock;
use throughline_domain::event::{Actor, Changes, EventData};
use throughline_domain::id::TicketId;
use throughline_domain::moment::Moment;
use throughline_platform::config::Setting;
use throughline_platform::queues::Send;
use throughline_platform::recording::{self, Draft, deciding};
use throughline_platform::{App, Failure};
use throughline_store::{Hint, StoredTicket, keys};
use tokio::time::{Duration, Instant};

/// The settings that it needs. No bucket: what it sends names tickets and agents, and never is long.
pub const NEEDS: &[Setting] = &[Setting::Table, Setting::RoutingQueue, Setting::OutboundQueue];

/// How long ago something must have been due to be looked at, in milliseconds.
pub const SETTLE_MS: i64 = 10_000;
/// Most tickets that one look reads of a shard at a time.
const PAGE: usize = 50;
/// Shards that are looked at at once.
const SHARDS_AT_ONCE: usize = 4;
/// No further page is begun when less than this is left of the function's time.
const RESERVE: Duration = Duration::from_secs(10);

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Swept {
    /// Tickets looked at.
    pub looked_at: u32,
    /// Warnings recorded.
    pub warned: u32,
    /// Breaches recorded.
    pub breached: u32,
    /// Tickets and replies that were driven again.
    pub driven: u32,
    /// Tickets that could not be looked at, and shards that could not be read; what is in them stays due.
    pub failed: u32,
    /// Shards among these.
    pub unread: u32,
}

impl Swept {
    fn add(&mut self, other: Self) {
        self.looked_at += other.looked_at;
        self.warned += other.warned;
        self.breached += other.breached;
        self.driven += other.driven;
        self.failed += other.failed;
        self.unread += other.unread;
    }
}

/// Runs for the schedule's event.
pub async fn handle(app: &App, _event: CloudWatchEvent, deadline: Instant) -> Swept {
    sweep(app, deadline).await
}

/// Looks at everything that is due.
pub async fn sweep(app: &App, deadline: Instant) -> Swept {
    // Another shard comes first each minute: if time runs out, it does so for different ones.
    let first = u8::try_from(app.clock.now().ms() / 60_000 % i64::from(keys::SHARDS)).unwrap_or_default();
    let shards = (0..keys::SHARDS).map(move |i| (first + i) % keys::SHARDS);
    let shards = stream::iter(shards).map(|shard| sweep_shard(app, shard, deadline));
    let mut swept = Swept::default();
    shards
        .buffer_unordered(SHARDS_AT_ONCE)
        .for_each(|part| {
            swept.add(part);
            std::future::ready(())
        })
        .await;
    tracing::info!(
        function = "escalate-sla",
        swept.looked_at,
        swept.warned,
        swept.breached,
        swept.driven,
        swept.failed,
        swept.unread,
        "sweep"
    );
    // A count on every run, also when nothing was due: that none comes is what tells that nobody checks. A run that could
    // not read a shard does not know what is due there, and is none.
    let counts = [
        ("sweeps", if swept.unread == 0 { 1.0 } else { 0.0 }),
        ("looked_at", f64::from(swept.looked_at)),
        ("warned", f64::from(swept.warned)),
        ("breached", f64::from(swept.breached)),
        ("driven", f64::from(swept.driven)),
        ("failed", f64::from(swept.failed)),
    ];
    app.metrics.put("escalate-sla", app.clock.now(), &counts);
    swept
}

async fn sweep_shard(app: &App, shard: u8, deadline: Instant) -> Swept {
    let mut swept = Swept::default();
    let asked_at = app.clock.now();
    let until = asked_at.plus_ms(-SETTLE_MS);
    let mut seen: Vec<TicketId> = Vec::new();
    let mut stuck = 0;
    while Instant::now() + RESERVE < deadline {
        let due = match app.store.tickets_to_check(shard, until, PAGE + stuck).await {
            Ok(due) => due,
            Err(error) => {
                tracing::error!(function = "escalate-sla", error.detail = %error, "a shard was not looked at");
                swept.failed += 1;
                swept.unread += 1;
                return swept;
            }
        };
        // What was looked at has moved on, or could not be moved: then the next sweep tries again, and this one looks
        // past it.
        let new: Vec<TicketId> = due.into_iter().map(Hint::to_confirm).filter(|id| !seen.contains(id)).collect();
        if new.is_empty() {
            return swept;
        }
        for id in new {
            if Instant::now() + RESERVE > deadline {
                return swept;
            }
            seen.push(id);
            match deciding(app, |_| look(app, id, until, asked_at)).await {
                Ok(part) => swept.add(part),
                Err(failure) => {
                    tracing::error!(function = "escalate-sla", ticket.id = %id, error.detail = %failure, "a ticket was not looked at");
                    swept.failed += 1;
                    stuck += 1;
                }
            }
        }
    }
    swept
}

/// Looks at one ticket, confirmed on the ticket itself.
async fn look(app: &App, id: TicketId, until: Moment, asked_at: Moment) -> Result<Swept, Failure> {
    let mut swept = Swept { looked_at: 1, ..Swept::default() };
    let Some(stored) = app.store.ticket(id).await? else {
        return Ok(swept);
    };
    let head = &stored.ticket.head;
    let sends = drive_again(app, &stored, asked_at).await?;
    swept.driven = u32::try_from(sends.len()).unwrap_or(u32::MAX);
    for result in app.queues.send(&sends, &app.blobs).await {
        result?;
    }
    // Stamped once all that takes time is done.
    let now = app.clock.now();
    let mut changes = Changes::new();
    if let Some(sla) = &head.sla {
        for verdict in clock::warnings(sla, until).chain(clock::overdue(sla, until)) {
            match verdict {
                EventData::SlaWarned(_) => swept.warned += 1,
                _ => swept.breached += 1,
            }
            changes.push(Actor::System, verdict);
        }
    }
    if changes.is_empty() {
        let next = check::after_look(head, now);
        app.store.move_check(&stored, next).await?;
        return Ok(swept);
    }
    recording::commit(app, Draft::of(stored, changes, now), |change| change.looked_at = Some(now)).await?;
    Ok(swept)
}

/// The work that should have been done by now.
async fn drive_again(app: &App, stored: &StoredTicket, now: Moment) -> Result<Vec<Send>, Failure> {
    let head = &stored.ticket.head;
    let overdue = check::overdue(head, now);
    let cause = format!("check-{}", now.ms());
    let mut sends = Vec::new();
    if overdue.route {
        sends.push(Send::route(head.id, head.version, &cause));
    }
    if overdue.send {
        for unsent in &head.unsent {
            let commit = app.store.read_commit(head.id, unsent.sequence).await?;
            let events = commit.into_iter().flat_map(|commit| commit.events);
            let replies = events.filter(|event| matches!(event.data, EventData::ReplySent(_)));
            sends.extend(replies.map(|reply| Send::reply(head.id, unsent.sequence, reply.id, &cause)));
        }
    }
    Ok(sends)
}
