//! Quarantine: what could not be processed, and sending it through again.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use throughline_channels::ses_notice::{self, Notice};
use throughline_domain::moment::Moment;
use throughline_domain::work::{Several, Work};
use throughline_platform::App;
use throughline_platform::problem::Problem;
use throughline_platform::queues::{Queue, Send};
use throughline_store::{QuarantineId, Quarantined};

use crate::auth::{Caller, Role};
use crate::page::{List, Paging, wrong_cursor};

/// How many days back one page looks for quarantined records.
const DAYS_A_PAGE: i64 = 7;
/// How many days back there is anything to be found: as long as raw objects are kept.
const DAYS_MAX: i64 = 90;

/// A record in quarantine.
#[derive(Serialize, JsonSchema)]
pub(crate) struct QuarantineView {
    id: String,
    at: Moment,
    stage: String,
    reason: String,
    raw_key: String,
    /// Whether it can be sent through again from here.
    can_retry: bool,
    retried_at: Option<Moment>,
}

impl From<Quarantined> for QuarantineView {
    fn from(record: Quarantined) -> Self {
        let Quarantined { id, at, stage, reason, raw_key, queue, retried_at, .. } = record;
        let can_retry = queue.is_some() && retried_at.is_none();
        Self { id, at, stage, reason, raw_key, can_retry, retried_at }
    }
}

/// `GET /v1/quarantine`: a page holds what came within a week, the newest first; its cursor is the last record of a full
/// page, or else the day to go on with.
pub(crate) async fn list(
    State(app): State<App>,
    _: Caller,
    Query(paging): Query<Paging>,
) -> Result<Json<List<QuarantineView>>, Problem> {
    let limit = paging.limit()?;
    let today = app.clock.now().day();
    let mut after: Option<QuarantineId> = None;
    let first: i64 = match &paging.cursor {
        Some(cursor) => match cursor.parse::<QuarantineId>() {
            Ok(last) => after.insert(last).day(),
            Err(_) => cursor.parse().map_err(|_| wrong_cursor())?,
        },
        None => today,
    };
    if !(today - DAYS_MAX - DAYS_A_PAGE..=today + DAYS_A_PAGE).contains(&first) {
        return Err(wrong_cursor());
    }
    let mut items: Vec<QuarantineView> = Vec::new();
    let mut day = first;
    while day > first - DAYS_A_PAGE && items.len() < limit {
        let found = app.store.quarantined_on(day, after.take().as_ref(), limit - items.len()).await?;
        items.extend(found.into_iter().map(QuarantineView::from));
        day -= 1;
    }
    let last = items.last().filter(|_| items.len() == limit).map(|last| last.id.clone());
    let next = last.or_else(|| (day > today - DAYS_MAX).then(|| day.to_string()));
    Ok(Json(List { items, next }))
}

/// `POST /v1/quarantine/{id}/retry`: sends it through again, once.
pub(crate) async fn retry(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<QuarantineView>), Problem> {
    caller.at_least(Role::Lead)?;
    let unknown = || Problem::not_found("there is no such record in quarantine");
    let id: QuarantineId = id.parse().map_err(|_| unknown())?;
    let record = app.store.quarantined(&id).await?.ok_or_else(unknown)?;
    let queue = record.queue.as_deref().and_then(Queue::named);
    let queue = queue.ok_or_else(|| Problem::conflict("it has to be sent in anew: it never became a message"))?;
    let raw = app.blobs.get(&record.raw_key).await?.ok_or_else(unknown)?;
    if record.retried_at.is_some() {
        return Err(Problem::conflict("it was sent through again before"));
    }
    let now = app.clock.now();
    if queue == Queue::Mail {
        let notice = ses_notice::read(&String::from_utf8_lossy(&raw)).map_err(|_| hopeless())?;
        app.queues.send_notice(&Notice { late: true, ..notice }).await?;
    } else {
        let sends: Vec<Send> = pieces(&raw)?
            .into_iter()
            .enumerate()
            .map(|(place, work)| Send {
                queue,
                work: late(work),
                group: record.group.clone().unwrap_or_default(),
                deduplication_id: format!("{id}-{}-{place}", now.ms()),
            })
            .collect();
        if let Some(message) = &record.message {
            // If another message is recorded under this name, the ledger says so when this one comes to it.
            app.store.release_message(message, now).await?;
        }
        if let Some(failure) = app.queues.send(&sends, &app.blobs).await.into_iter().find_map(Result::err) {
            // Not all of it is on its way: the ledger says again that it is here.
            app.store.quarantine(&id, &record).await?;
            return Err(failure.into());
        }
    }
    // Marked last: what is sent twice is recorded once, but what is marked and not sent would be lost.
    app.store.mark_retried(&id, &record, now).await?;
    Ok((StatusCode::ACCEPTED, Json(Quarantined { retried_at: Some(now), ..record }.into())))
}

/// The work in a record: several pieces where an older version quarantined a message that it could not take apart.
fn pieces(raw: &[u8]) -> Result<Vec<Work>, Problem> {
    let text = std::str::from_utf8(raw).map_err(|_| hopeless())?;
    let bodies =
        serde_json::from_str(text).map(|Several { bodies, .. }| bodies.into_iter().map(RawValue::get).collect());
    let bodies: Vec<&str> = bodies.unwrap_or_else(|_| vec![text]);
    bodies.into_iter().map(|body| serde_json::from_str(body).map_err(|_| hopeless())).collect()
}

fn hopeless() -> Problem {
    Problem::conflict("it still is nothing that is known here")
}

/// A message that comes out of quarantine is late: recorded, but it reopens nothing.
fn late(work: Work) -> Work {
    match work {
        Work::Inbound(mut inbound) => {
            inbound.late = true;
            Work::Inbound(inbound)
        }
        Work::Identified(mut identified) => {
            identified.inbound.late = true;
            Work::Identified(identified)
        }
        other => other,
    }
}
