//! Customers: one, by a name, their timeline over all tickets and channels; what business systems tell of them; giving out and
//! erasing what is known.

mod erase;
mod export;
mod upsert;

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use throughline_domain::id::{CustomerId, TicketId};
use throughline_domain::identifier::Identifier;
use throughline_domain::view::{CustomerView, EventView, TicketView};
use throughline_platform::problem::Problem;
use throughline_platform::{App, bodies, files};
use throughline_store::Hint;

use crate::auth::Caller;
use crate::page::{List, wrong_cursor};

pub(crate) use erase::{EraseCustomer, ErasureView, erase};
pub(crate) use export::{ExportPage, export};
pub(crate) use upsert::{PutCustomer, PutOutcome, put};

/// How many of a customer's tickets are shown with them, and gone through for their timeline: the latest.
const TICKETS_MAX: usize = 20;
/// Most commits of each ticket in one answer of a timeline.
const COMMITS_MAX: usize = 50;

fn unknown() -> Problem {
    Problem::not_found("there is no such customer")
}

async fn shown(app: &App, id: CustomerId) -> Result<CustomerView, Problem> {
    let profile = app.store.profile(id).await?.ok_or_else(unknown)?;
    let open = app.store.customer_head(id).await?.open.into_iter().map(|open| open.ticket_id).collect();
    let ids = tickets_of(app, id).await?;
    let recent: Vec<_> = app.store.tickets(&ids).await?.into_iter().flatten().map(|stored| stored.ticket).collect();
    let calendars = app.calendars(recent.iter().map(|ticket| &ticket.head)).await?;
    let now = app.clock.now();
    let recent = recent.iter().map(|ticket| TicketView::new(ticket, &calendars, now)).collect();
    Ok(CustomerView::new(profile, open, recent))
}

async fn tickets_of(app: &App, id: CustomerId) -> Result<Vec<TicketId>, Problem> {
    let page = app.store.tickets_of_customer(id, TICKETS_MAX, None).await?;
    Ok(page.items.into_iter().map(Hint::to_confirm).collect())
}

/// `GET /v1/customers/{id}`.
pub(crate) async fn get(
    State(app): State<App>,
    _: Caller,
    Path(id): Path<String>,
) -> Result<Json<CustomerView>, Problem> {
    Ok(Json(shown(&app, id.parse().map_err(|_| unknown())?).await?))
}

/// A name: `kind:value`.
#[derive(Deserialize)]
pub(crate) struct Name {
    identifier: String,
}

/// `GET /v1/customers/lookup?identifier=`.
pub(crate) async fn lookup(
    State(app): State<App>,
    _: Caller,
    Query(name): Query<Name>,
) -> Result<Json<CustomerView>, Problem> {
    let identifier: Identifier =
        name.identifier.parse().map_err(|error| Problem::fault("/identifier", format!("{error}")))?;
    let owners = app.store.owners(std::slice::from_ref(&identifier)).await?;
    let owner = owners.get(&identifier).ok_or_else(|| Problem::not_found("nobody is known by this name"))?;
    Ok(Json(shown(&app, owner.customer_id).await?))
}

/// How far a timeline was read.
#[derive(Deserialize)]
pub(crate) struct After {
    cursor: Option<String>,
}

/// `GET /v1/customers/{id}/timeline`: every ticket's events in one order. A page holds up to fifty further commits of
/// each ticket; its cursor says how far each was read.
pub(crate) async fn timeline(
    State(app): State<App>,
    _: Caller,
    Path(id): Path<String>,
    Query(After { cursor }): Query<After>,
) -> Result<Json<List<EventView>>, Problem> {
    let id: CustomerId = id.parse().map_err(|_| unknown())?;
    app.store.profile(id).await?.ok_or_else(unknown)?;
    let mut read_to: BTreeMap<TicketId, u64> = match &cursor {
        Some(cursor) => serde_json::from_str(cursor).map_err(|_| wrong_cursor())?,
        None => BTreeMap::new(),
    };
    let mut events = Vec::new();
    let mut more = false;
    for ticket in tickets_of(&app, id).await? {
        let from = read_to.get(&ticket).copied().unwrap_or_default();
        let commits = app.store.timeline(ticket, from, COMMITS_MAX).await?;
        more |= commits.len() == COMMITS_MAX;
        for mut commit in commits {
            read_to.insert(ticket, commit.sequence);
            bodies::restore(&mut commit, &app.blobs).await?;
            files::link(&mut commit, &app.blobs, app.clock.now()).await?;
            events.extend(EventView::of(commit));
        }
    }
    events.sort_by_key(|event| (event.at, event.ticket_id, event.sequence));
    let next = if more { serde_json::to_string(&read_to).ok() } else { None };
    Ok(Json(List { items: events, next }))
}
