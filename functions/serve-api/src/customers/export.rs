//! Everything that is known of a customer, page by page: the profile, then each ticket with its timeline, then their files.

use axum::Json;
use axum::extract::{Path, Query, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use throughline_domain::customer::Profile;
use throughline_domain::id::{CustomerId, TicketId};
use throughline_domain::identifier::Identifier;
use throughline_domain::message::Sender;
use throughline_domain::suppression::Suppression;
use throughline_domain::view::{EventView, TicketView};
use throughline_platform::blobs::Download;
use throughline_platform::problem::Problem;
use throughline_platform::{App, files};
use throughline_store::Hint;

use super::unknown;
use crate::auth::{Caller, Role};
use crate::page::{Filled, wrong_cursor};

/// A page ends after so many events.
const PAGE_EVENTS_MAX: usize = 500;
/// Commits that are read at once: their texts are in memory together.
const COMMITS_READ: usize = 10;
/// Most files that are listed for one name.
const FILES_MAX: usize = 200;

/// A page of an export.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ExportPage {
    /// What is known of the customer: on the first page.
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<ExportedCustomer>,
    /// Tickets from the newest, each in front of its events.
    items: Vec<Exported>,
    /// The `cursor` of the next page; null on the last.
    next: Option<String>,
}

/// What is known of the customer.
#[derive(Serialize, JsonSchema)]
struct ExportedCustomer {
    /// The profile as it is stored: attributes, entitlements and orders with who told them, names, suggestions.
    profile: Value,
    /// Their names.
    names: Vec<ExportedName>,
    /// Tickets that run.
    open_tickets: Vec<TicketId>,
}

/// A name of theirs.
#[derive(Serialize, JsonSchema)]
struct ExportedName {
    identifier: Identifier,
    /// They hold it now, and nobody else does.
    held: bool,
    /// Why nothing is sent there, or that something is again.
    suppression: Option<Suppression>,
}

/// One thing that is known.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Exported {
    /// A ticket of theirs.
    Ticket(Box<TicketView>),
    /// What happened to it.
    Event(Box<EventView>),
    /// A file that they sent, on whichever ticket.
    File {
        /// The name that it came by.
        identifier: Identifier,
        size: usize,
        /// Where it can be had for some minutes.
        url: String,
    },
}

/// How far it was read.
#[derive(Deserialize)]
pub(crate) struct Cursor {
    cursor: Option<String>,
}

/// `ticket.sequence`: the ticket, and its last commit that was told.
fn read_cursor(text: &str) -> Option<(TicketId, u64)> {
    let (ticket, sequence) = text.split_once('.')?;
    Some((ticket.parse().ok()?, sequence.parse().ok()?))
}

/// `GET /v1/customers/{id}/export`.
pub(crate) async fn export(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(Cursor { cursor }): Query<Cursor>,
) -> Result<Json<ExportPage>, Problem> {
    caller.at_least(Role::Lead)?;
    let id: CustomerId = id.parse().map_err(|_| unknown())?;
    let profile = app.store.profile(id).await?.ok_or_else(unknown)?;
    let mut at = match &cursor {
        Some(text) => Some(read_cursor(text).ok_or_else(wrong_cursor)?),
        None => None,
    };
    let customer = match &at {
        None => Some(known(&app, id, &profile).await?),
        Some(_) => None,
    };
    let (mut items, mut filled) = (Vec::new(), Filled::default());
    loop {
        let next = match at {
            Some((ticket, after)) => events(&app, ticket, after, &mut items, &mut filled).await?,
            None => None,
        };
        if let Some((ticket, sequence)) = next {
            return Ok(Json(ExportPage { customer, items, next: Some(format!("{ticket}.{sequence}")) }));
        }
        let before = at.map(|(ticket, _)| ticket.to_string());
        let page = app.store.tickets_of_customer(id, 1, before.as_deref()).await?;
        let Some(ticket) = page.items.into_iter().next().map(Hint::to_confirm) else {
            break;
        };
        at = Some((ticket, 0));
        let stored = app.store.ticket(ticket).await?;
        match stored.filter(|stored| stored.ticket.head.customer_id == id) {
            Some(stored) => items.push(Exported::Ticket(Box::new(crate::tickets::view(&app, &stored).await?))),
            None => at = Some((ticket, u64::MAX)),
        }
    }
    // A name that somebody else holds now leads to their files.
    for (identifier, owner) in app.store.owners(&names(&profile)).await? {
        if owner.customer_id == id {
            files_of(&app, &identifier, &mut items).await?;
        }
    }
    Ok(Json(ExportPage { customer, items, next: None }))
}

fn names(profile: &Profile) -> Vec<Identifier> {
    let mut names: Vec<Identifier> = profile.identifiers.iter().map(|known| known.identifier.clone()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

async fn known(app: &App, id: CustomerId, profile: &Profile) -> Result<ExportedCustomer, Problem> {
    let names = names(profile);
    let (owners, suppressions) = (app.store.owners(&names).await?, app.store.suppressions(&names).await?);
    let names = names.into_iter().zip(suppressions).map(|(identifier, suppression)| {
        let held = owners.get(&identifier).is_some_and(|owner| owner.customer_id == id);
        ExportedName { identifier, held, suppression }
    });
    let mut profile = profile.clone();
    profile.erasure.iter_mut().for_each(|erasure| erasure.salt.clear());
    Ok(ExportedCustomer {
        profile: serde_json::to_value(&profile).unwrap_or_default(),
        names: names.collect(),
        open_tickets: app.store.customer_head(id).await?.open.into_iter().map(|open| open.ticket_id).collect(),
    })
}

/// The events of a ticket after a commit, with their whole texts and links to their files, as far as a page holds them. Gives
/// where to go on, if there may be more.
async fn events(
    app: &App,
    ticket: TicketId,
    mut after: u64,
    items: &mut Vec<Exported>,
    filled: &mut Filled,
) -> Result<Option<(TicketId, u64)>, Problem> {
    let full = |items: &[Exported], filled: &Filled| filled.is_full() || items.len() > PAGE_EVENTS_MAX;
    loop {
        let commits = app.store.timeline(ticket, after, COMMITS_READ).await?;
        let all = commits.len() < COMMITS_READ;
        for commit in commits {
            if full(items, filled) {
                return Ok(Some((ticket, after)));
            }
            after = commit.sequence;
            let events = filled.show(app, commit).await?;
            items.extend(events.map(|event| Exported::Event(Box::new(event))));
        }
        if full(items, filled) {
            return Ok(Some((ticket, after)));
        }
        if all {
            return Ok(None);
        }
    }
}

/// The files that came by a name.
async fn files_of(app: &App, identifier: &Identifier, items: &mut Vec<Exported>) -> Result<(), Problem> {
    let prefix = files::sender_prefix(&Sender::proven(identifier));
    for object in app.blobs.list(&prefix, None, FILES_MAX).await?.objects {
        let (content_type, disposition) = ("application/octet-stream".to_owned(), "attachment".to_owned());
        let download = Download { key: object.key, content_type, disposition };
        let url = app.blobs.link(&download, app.clock.now(), files::LINK_LASTS).await?;
        items.push(Exported::File { identifier: identifier.clone(), size: object.size, url });
    }
    Ok(())
}
