//! Reading tickets: one, its timeline, lists.

mod list;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
pub(crate) use list::list;
use serde::Deserialize;
use throughline_domain::id::TicketId;
use throughline_domain::view::{EventView, TicketView};
use throughline_platform::App;
use throughline_platform::problem::Problem;
use throughline_store::StoredTicket;

use crate::auth::Caller;
use crate::etag::entity_tag;
use crate::page::{Filled, List, wrong_cursor};

/// Most commits of a timeline in one answer.
const COMMITS_MAX: usize = 100;

/// The ticket of this id or public reference.
pub(crate) async fn find(app: &App, name: &str) -> Result<StoredTicket, Problem> {
    let unknown = || Problem::not_found("there is no such ticket");
    let id: TicketId = match name.parse() {
        Ok(id) => id,
        Err(_) => {
            let reference = name.parse().map_err(|_| unknown())?;
            app.store.ticket_by_reference(reference).await?.ok_or_else(unknown)?
        }
    };
    app.store.ticket(id).await?.ok_or_else(unknown)
}

/// The ticket as it is shown now.
pub(crate) async fn view(app: &App, stored: &StoredTicket) -> Result<TicketView, Problem> {
    let calendars = app.calendars([&stored.ticket.head]).await?;
    Ok(TicketView::new(&stored.ticket, &calendars, app.clock.now()))
}

/// `GET /v1/tickets/{id}`.
pub(crate) async fn get(State(app): State<App>, _: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    let stored = find(&app, &id).await?;
    let tag = entity_tag(stored.ticket.head.version);
    Ok(([(header::ETAG, tag)], Json(view(&app, &stored).await?)).into_response())
}

/// How far a timeline was read.
#[derive(Deserialize)]
pub(crate) struct After {
    after: Option<String>,
}

/// `GET /v1/tickets/{id}/timeline?after=`.
pub(crate) async fn timeline(
    State(app): State<App>,
    _: Caller,
    Path(id): Path<String>,
    Query(After { after }): Query<After>,
) -> Result<Json<List<EventView>>, Problem> {
    let id = find(&app, &id).await?.ticket.head.id;
    let after: u64 = after.map_or(Ok(0), |after| after.parse()).map_err(|_| wrong_cursor())?;
    let commits = app.store.timeline(id, after, COMMITS_MAX).await?;
    let mut more = commits.len() == COMMITS_MAX;
    let (mut items, mut last, mut filled) = (Vec::new(), after, Filled::default());
    for commit in commits {
        if filled.is_full() {
            more = true;
            break;
        }
        last = commit.sequence;
        items.extend(filled.show(&app, commit).await?);
    }
    Ok(Json(List { items, next: more.then(|| last.to_string()) }))
}
