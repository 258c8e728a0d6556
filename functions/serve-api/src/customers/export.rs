//! Everything that is known of a customer, page by page: the profile; each ticket of theirs with its timeline; what they
//! wrote on the tickets of others; what goes by their names.

use axum::Json;
use axum::extract::{Path, Query, State};
use data_encoding::BASE64URL_NOPAD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use throughline_domain::cluster::{Cluster, Link};
use throughline_domain::customer::{LinkSuggestion, Profile, SuggestedBy};
use throughline_domain::event::{Actor, Event, EventData};
use throughline_domain::id::{CustomerId, TicketId};
use throughline_domain::identifier::Identifier;
use throughline_domain::message::Sender;
use throughline_domain::moment::Moment;
use throughline_domain::suppression::Suppression;
use throughline_domain::view::{EventView, TicketView};
use throughline_platform::blobs::Download;
use throughline_platform::problem::Problem;
use throughline_platform::{App, files};
use throughline_store::Hint;

use super::unknown;
use crate::auth::{Caller, Role};
use crate::page::{Filled, wrong_cursor};

/// A page ends after so many items.
const PAGE_ITEMS_MAX: usize = 500;
/// A page ends after so many reads, however little was found.
const PAGE_READS_MAX: usize = 200;
/// Commits that are read at once: their texts are in memory together.
const COMMITS_READ: usize = 10;
/// Files that are listed at once.
const FILES_LISTED: usize = 200;
/// Tickets, and profiles, with a name that are listed at once.
const NAMINGS_LISTED: usize = 50;

/// A page of an export.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ExportPage {
    /// What is known of the customer: on the first page.
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<ExportedCustomer>,
    /// Tickets from the newest, each in front of its events; then what is theirs elsewhere.
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
    /// Who is the same person, or was said not to be, as far as it is known on their side; with the evidence.
    links: Vec<Link>,
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
    /// What happened to it; on a ticket of somebody else, what the customer did there or was sent.
    Event(Box<EventView>),
    /// A file that they sent, on whichever ticket.
    File {
        /// The name that it came by.
        identifier: Identifier,
        size: usize,
        /// Where it can be had for some minutes.
        url: String,
    },
    /// A name of theirs was addressed on a ticket of somebody else, and whose it is was not known there.
    Addressed { identifier: Identifier, ticket_id: TicketId },
    /// A name of theirs suggested that somebody else may be the same person.
    Suggested { identifier: Identifier, by: SuggestedBy, at: Moment },
}

/// How far it was read.
#[derive(Deserialize)]
pub(crate) struct Cursor {
    cursor: Option<String>,
}

/// Where a page begins.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
enum Place {
    /// At the customer's newest ticket.
    #[default]
    Start,
    /// Behind a commit of a ticket of theirs.
    Own(TicketId, u64),
    /// At the newest ticket of others on which they wrote.
    Elsewhere,
    /// Behind a commit of a ticket of somebody else.
    Joined(TicketId, u64),
    /// Behind a file that came by a name of theirs.
    Files(Identifier, Option<String>),
    /// Behind a ticket of somebody else on which a name of theirs was addressed.
    Addressed(Identifier, Option<TicketId>),
    /// Behind a customer to whom a name suggests this one.
    Suggested(Identifier, Option<CustomerId>),
}

impl Place {
    fn read(text: &str) -> Option<Self> {
        serde_json::from_slice(&BASE64URL_NOPAD.decode(text.as_bytes()).ok()?).ok()
    }

    fn written(&self) -> String {
        BASE64URL_NOPAD.encode(&serde_json::to_vec(self).unwrap_or_default())
    }
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
    let mut place = match &cursor {
        Some(text) => Some(Place::read(text).ok_or_else(wrong_cursor)?),
        None => Some(Place::default()),
    };
    let customer = if cursor.is_none() { Some(known(&app, id, &profile).await?) } else { None };
    let mut held = names(&profile);
    let owners = app.store.owners(&held).await?;
    // A name that somebody else holds now leads to what is theirs.
    held.retain(|name| owners.get(name).is_some_and(|owner| owner.customer_id == id));
    let mut page = Page { app: &app, id, held: &held, items: Vec::new(), filled: Filled::default(), reads: 0 };
    while let Some(at) = place.take_if(|_| !page.is_full()) {
        place = page.read(at).await?;
    }
    Ok(Json(ExportPage { customer, items: page.items, next: place.as_ref().map(Place::written) }))
}

/// A page while it is read.
struct Page<'a> {
    app: &'a App,
    id: CustomerId,
    /// The names that the customer holds, in order.
    held: &'a [Identifier],
    items: Vec<Exported>,
    filled: Filled,
    reads: usize,
}

impl Page<'_> {
    fn is_full(&self) -> bool {
        self.filled.is_full() || self.items.len() > PAGE_ITEMS_MAX || self.reads > PAGE_READS_MAX
    }

    /// Reads a little from a place on; says where to go on, if there may be more.
    async fn read(&mut self, place: Place) -> Result<Option<Place>, Problem> {
        self.reads += 1;
        Ok(match place {
            Place::Start => self.ticket_before(None).await?,
            Place::Own(ticket, after) => match self.events(ticket, after, true).await? {
                Some(after) => Some(Place::Own(ticket, after)),
                None => self.ticket_before(Some(ticket)).await?,
            },
            Place::Elsewhere => self.joined_before(None).await?,
            Place::Joined(ticket, after) => match self.events(ticket, after, false).await? {
                Some(after) => Some(Place::Joined(ticket, after)),
                None => self.joined_before(Some(ticket)).await?,
            },
            // Held no more since the page before: what goes by it is somebody else's.
            Place::Files(name, _) | Place::Addressed(name, _) | Place::Suggested(name, _)
                if !self.held.contains(&name) =>
            {
                self.after_name(&name)
            }
            Place::Files(name, after) => Some(self.files(name, after).await?),
            Place::Addressed(name, before) => Some(self.addressed(name, before).await?),
            Place::Suggested(name, before) => self.suggested(name, before).await?,
        })
    }

    /// The next older ticket of theirs.
    async fn ticket_before(&mut self, before: Option<TicketId>) -> Result<Option<Place>, Problem> {
        let before = before.map(|ticket| ticket.to_string());
        let page = self.app.store.tickets_of_customer(self.id, 1, before.as_deref()).await?;
        let Some(ticket) = page.items.into_iter().next().map(Hint::to_confirm) else {
            return Ok(Some(Place::Elsewhere));
        };
        let stored = self.app.store.ticket(ticket).await?;
        Ok(Some(match stored.filter(|stored| stored.ticket.head.customer_id == self.id) {
            Some(stored) => {
                self.items.push(Exported::Ticket(Box::new(crate::tickets::view(self.app, &stored).await?)));
                Place::Own(ticket, 0)
            }
            None => Place::Own(ticket, u64::MAX),
        }))
    }

    /// The next older ticket of others on which they wrote; after the last, what goes by their names.
    async fn joined_before(&mut self, before: Option<TicketId>) -> Result<Option<Place>, Problem> {
        let Some(ticket) = self.app.store.joined_tickets(self.id, before, 1).await?.first().copied() else {
            return Ok(self.held.first().map(|name| Place::Files(name.clone(), None)));
        };
        let stored = self.app.store.ticket(ticket).await?;
        let is_others = stored.is_some_and(|stored| stored.ticket.head.customer_id != self.id);
        Ok(Some(Place::Joined(ticket, if is_others { 0 } else { u64::MAX })))
    }

    /// Some events of a ticket after a commit, with their whole texts and links to their files: all of them of the customer's
    /// `own`, of others' what the customer did there and what was sent to them, without what was decided on it. Says after
    /// which commit to go on, if there may be more.
    async fn events(&mut self, ticket: TicketId, mut after: u64, own: bool) -> Result<Option<u64>, Problem> {
        let commits = self.app.store.timeline(ticket, after, COMMITS_READ).await?;
        let all = commits.len() < COMMITS_READ;
        for mut commit in commits {
            if self.is_full() {
                return Ok(Some(after));
            }
            after = commit.sequence;
            if !own {
                commit.events.retain(|event| self.concerns(event));
                commit.events.iter_mut().for_each(|event| event.decision = None);
            }
            let events = self.filled.show(self.app, commit).await?;
            self.items.extend(events.map(|event| Exported::Event(Box::new(event))));
        }
        Ok((!all).then_some(after))
    }

    /// Some files that came by a name.
    async fn files(&mut self, name: Identifier, after: Option<String>) -> Result<Place, Problem> {
        let prefix = files::sender_prefix(&Sender::proven(&name));
        let listing = self.app.blobs.list(&prefix, after.as_deref(), FILES_LISTED).await?;
        let last = listing.objects.last().map(|object| object.key.clone()).filter(|_| listing.more);
        for object in listing.objects {
            let (content_type, disposition) = ("application/octet-stream".to_owned(), "attachment".to_owned());
            let download = Download { key: object.key, content_type, disposition };
            let url = self.app.blobs.link(&download, self.app.clock.now(), files::LINK_LASTS).await?;
            self.items.push(Exported::File { identifier: name.clone(), size: object.size, url });
        }
        Ok(match last {
            Some(last) => Place::Files(name, Some(last)),
            None => Place::Addressed(name, None),
        })
    }

    /// Whether something on the ticket of somebody else is what the customer did, or was sent to them.
    fn concerns(&self, event: &Event) -> bool {
        let sent = |recipient: &String| recipient.parse().is_ok_and(|name: Identifier| self.held.contains(&name));
        match &event.data {
            EventData::MessageReceived(received) => received.customer_id == self.id,
            EventData::ReplySent(reply) => reply.message.to.iter().chain(&reply.message.cc).any(sent),
            _ => event.actor == Actor::Customer(self.id),
        }
    }

    /// Some tickets of others on which a name was addressed.
    async fn addressed(&mut self, name: Identifier, before: Option<TicketId>) -> Result<Place, Problem> {
        let tickets = self.app.store.tickets_naming(&name, before, NAMINGS_LISTED).await?;
        let Some(last) = tickets.last().copied() else {
            return Ok(Place::Suggested(name, None));
        };
        let addressed = |ticket_id| Exported::Addressed { identifier: name.clone(), ticket_id };
        self.items.extend(tickets.into_iter().map(addressed));
        Ok(Place::Addressed(name, Some(last)))
    }

    /// To whom a name suggests the customer; after the last, the next name.
    async fn suggested(&mut self, name: Identifier, before: Option<CustomerId>) -> Result<Option<Place>, Problem> {
        let others = self.app.store.customers_naming(&name, before, NAMINGS_LISTED).await?;
        let Some(last) = others.last().copied() else {
            return Ok(self.after_name(&name));
        };
        let profiles = self.app.store.profiles(&others).await?;
        let suggestions = profiles.into_iter().flatten().filter(|other| other.id != self.id);
        let suggestions = suggestions.flat_map(|other| other.link_suggestions);
        let of_name = suggestions.filter(|suggestion| suggestion.identifier == name);
        let told = |suggestion: LinkSuggestion| Exported::Suggested {
            identifier: name.clone(),
            by: suggestion.by,
            at: suggestion.at,
        };
        self.items.extend(of_name.map(told));
        Ok(Some(Place::Suggested(name, Some(last))))
    }

    /// The next name that they hold.
    fn after_name(&self, name: &Identifier) -> Option<Place> {
        let next = self.held.iter().find(|held| *held > name)?;
        Some(Place::Files(next.clone(), None))
    }
}

fn names(profile: &Profile) -> Vec<Identifier> {
    let mut names: Vec<Identifier> = profile.names().cloned().collect();
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
    let Cluster { root, mut heads, links } = app.store.cluster(id).await?;
    let open = heads.remove(&root).unwrap_or_default().open;
    let mut profile = profile.clone();
    profile.erasure.iter_mut().for_each(|erasure| erasure.salt.clear());
    Ok(ExportedCustomer {
        profile: serde_json::to_value(&profile).unwrap_or_default(),
        names: names.collect(),
        links: links.into_iter().filter(|link| link.pair.contains(&id)).collect(),
        open_tickets: open.into_iter().filter(|open| open.member == id).map(|open| open.ticket_id).collect(),
    })
}
