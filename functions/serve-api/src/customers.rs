//! Customers: one, by a name, their timeline over all tickets and channels; what business systems tell of them; giving out and
//! erasing what is known.

mod erase;
mod export;
mod upsert;

pub(crate) mod links;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use throughline_domain::cluster;
use throughline_domain::customer::{LinkSuggestion, Profile};
use throughline_domain::event::Actor;
use throughline_domain::id::{CustomerId, TicketId};
use throughline_domain::identifier::Identifier;
use throughline_domain::likeness::likeness;
use throughline_domain::view::{CustomerView, EventView, LinkedView, SuggestionView, TicketView};
use throughline_platform::App;
use throughline_platform::problem::Problem;
use throughline_store::Hint;

use crate::auth::Caller;
use crate::page::{Filled, List, wrong_cursor};

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

pub(crate) async fn shown(app: &App, id: CustomerId) -> Result<CustomerView, Problem> {
    let profile = app.store.profile(id).await?.ok_or_else(unknown)?;
    let (_, list) = app.store.root_head(id).await?;
    let people = list.cluster_of(id);
    let linked = if people.len() > 1 { LinkedView::of(&app.store.cluster(id).await?, id) } else { Vec::new() };
    let link_suggestions = suggestions(app, &profile, &people).await?;
    let open = list.open.into_iter().map(|open| open.ticket_id).collect();
    let ids = tickets_of(app, &people).await?;
    let recent: Vec<_> = app.store.tickets(&ids).await?.into_iter().flatten().map(|stored| stored.ticket).collect();
    let calendars = app.calendars(recent.iter().map(|ticket| &ticket.head)).await?;
    let now = app.clock.now();
    let recent = recent.iter().map(|ticket| TicketView::new(ticket, &calendars, now)).collect();
    Ok(CustomerView { linked, link_suggestions, ..CustomerView::new(profile, open, recent) })
}

/// Who else it may be, the likeliest first; without those of whom somebody said whether it is.
async fn suggestions(app: &App, profile: &Profile, people: &[CustomerId]) -> Result<Vec<SuggestionView>, Problem> {
    let others: BTreeSet<CustomerId> = profile.link_suggestions.iter().filter_map(|other| other.customer_id).collect();
    let others: Vec<CustomerId> = others.into_iter().filter(|other| !people.contains(other)).collect();
    let pairs: Vec<_> = others.iter().map(|other| cluster::pair(profile.id, *other)).collect();
    let settled = app.store.links(&pairs).await?;
    let is_open = |id: &CustomerId| !settled.iter().any(|link| link.other(*id) == Some(profile.id));
    let others: Vec<CustomerId> = others.into_iter().filter(is_open).collect();
    let known: Vec<Profile> = app.store.profiles(&others).await?.into_iter().flatten().collect();
    let shown = |suggestion: &LinkSuggestion| {
        let other = known.iter().find(|other| Some(other.id) == suggestion.customer_id);
        let is_open = suggestion.customer_id.is_none() || other.is_some();
        let likeness = likeness(suggestion, profile, other);
        is_open.then(|| SuggestionView { suggestion: suggestion.clone(), likeness })
    };
    let mut all: Vec<SuggestionView> = profile.link_suggestions.iter().filter_map(shown).collect();
    all.sort_by_key(|suggestion| Reverse(suggestion.likeness.score));
    Ok(all)
}

/// The latest tickets of these people.
async fn tickets_of(app: &App, people: &[CustomerId]) -> Result<Vec<TicketId>, Problem> {
    let mut ids: Vec<TicketId> = Vec::new();
    for id in people {
        let page = app.store.tickets_of_customer(*id, TICKETS_MAX, None).await?;
        ids.extend(page.items.into_iter().map(Hint::to_confirm));
    }
    Ok(latest(ids))
}

/// The latest of these tickets, latest first.
fn latest(mut ids: Vec<TicketId>) -> Vec<TicketId> {
    ids.sort_unstable_by_key(|id| Reverse(*id));
    ids.dedup();
    ids.truncate(TICKETS_MAX);
    ids
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

/// `GET /v1/customers/{id}/timeline`: every ticket's events in one order, those of all customers who are the same person; of
/// the tickets of others only what these people did there. A page holds up to fifty further commits of
/// each ticket; its cursor says how far each was read.
pub(crate) async fn timeline(
    State(app): State<App>,
    _: Caller,
    Path(id): Path<String>,
    Query(After { cursor }): Query<After>,
) -> Result<Json<List<EventView>>, Problem> {
    let id: CustomerId = id.parse().map_err(|_| unknown())?;
    app.store.profile(id).await?.ok_or_else(unknown)?;
    let people = app.store.root_head(id).await?.1.cluster_of(id);
    let own = tickets_of(&app, &people).await?;
    let mut joined = Vec::new();
    for id in &people {
        joined.extend(app.store.joined_tickets(*id, None, TICKETS_MAX).await?);
    }
    joined.retain(|ticket| !own.contains(ticket));
    joined.sort_unstable();
    joined.dedup();
    let others = app.store.tickets(&joined).await?.into_iter().flatten().map(|stored| stored.ticket.head);
    let others = others.filter(|head| !people.contains(&head.customer_id)).map(|head| head.id);
    let others: BTreeSet<TicketId> = others.collect();
    let mut read_to: BTreeMap<TicketId, u64> = match &cursor {
        Some(cursor) => serde_json::from_str(cursor).map_err(|_| wrong_cursor())?,
        None => BTreeMap::new(),
    };
    let (mut events, mut filled) = (Vec::new(), Filled::default());
    let mut more = false;
    for ticket in latest(own.into_iter().chain(joined).collect()) {
        let from = read_to.get(&ticket).copied().unwrap_or_default();
        let commits = app.store.timeline(ticket, from, COMMITS_MAX).await?;
        more |= commits.len() == COMMITS_MAX;
        for mut commit in commits {
            if filled.is_full() {
                more = true;
                break;
            }
            read_to.insert(ticket, commit.sequence);
            if others.contains(&ticket) {
                commit.events.retain(|event| matches!(event.actor, Actor::Customer(by) if people.contains(&by)));
            }
            events.extend(filled.show(&app, commit).await?);
        }
    }
    events.sort_by_key(|event| (event.at, event.ticket_id, event.sequence));
    let next = if more { serde_json::to_string(&read_to).ok() } else { None };
    Ok(Json(List { items: events, next }))
}
