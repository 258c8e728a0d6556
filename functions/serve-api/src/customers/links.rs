//! Linking customers as the same person, and taking them apart; names that several people share.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{Path, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use throughline_domain::cluster::{self, Link, LinkState, NotLinked, Proposal};
use throughline_domain::customer::Profile;
use throughline_domain::decision::BECAUSE_BYTES_MAX;
use throughline_domain::event::{Actor, Commit};
use throughline_domain::id::{CustomerId, TicketId};
use throughline_domain::identifier::Identifier;
use throughline_domain::identity::Owner;
use throughline_domain::ticket::Role as Part;
use throughline_domain::view::CustomerView;
use throughline_platform::http::{RawBody, json};
use throughline_platform::problem::Problem;
use throughline_platform::recording::{self, Draft, deciding};
use throughline_platform::{App, Failure, linking};

use super::{shown, unknown};
use crate::auth::{Caller, Role};
use crate::commands::unmerge_parted;

/// How many tickets of others on which a customer wrote are gone through when they are unlinked: the latest.
const JOINED_MAX: usize = 200;
/// Commits of a ticket that are read at once.
const COMMITS_MAX: usize = 500;

/// `POST …/link`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(crate) struct LinkTo {
    /// Who is the same person.
    customer_id: CustomerId,
    /// How that is known, in words.
    because: String,
}

/// `POST …/unlink`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(crate) struct UnlinkFrom {
    /// Who is not the same person.
    customer_id: CustomerId,
}

/// What unlinking leaves.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Unlinked {
    /// The customer without the other.
    #[serde(flatten)]
    customer: CustomerView,
    /// Open tickets that hold messages of both.
    split_proposals: Vec<Proposal>,
    /// Tickets of the one that had been merged into the other's because they were the same person: they stand by themselves
    /// again.
    unmerged: Vec<TicketId>,
}

/// `POST …/shared`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub(crate) struct Shared {
    /// Whether several people use the name.
    shared: bool,
}

/// The customer of a path, and the one of a body: both have to be there.
async fn both(app: &App, id: &str, other: CustomerId) -> Result<(CustomerId, [Profile; 2]), Problem> {
    let id: CustomerId = id.parse().map_err(|_| unknown())?;
    if id == other {
        return Err(Problem::fault("/customer_id", NotLinked::Itself.to_string()));
    }
    let one = app.store.profile(id).await?.ok_or_else(unknown)?;
    let no_other = || Problem::fault("/customer_id", "there is no such customer");
    let two = app.store.profile(other).await?.ok_or_else(no_other)?;
    Ok((id, [one, two]))
}

/// `POST /v1/customers/{id}/link`: the same again changes nothing.
pub(crate) async fn link(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    RawBody(body): RawBody,
) -> Result<Json<CustomerView>, Problem> {
    caller.at_least(Role::Agent)?;
    let LinkTo { customer_id, because } = json(&body)?;
    let evidence = because.trim();
    if !(1..=BECAUSE_BYTES_MAX).contains(&evidence.len()) {
        return Err(Problem::fault("/because", format!("1 to {BECAUSE_BYTES_MAX} bytes")));
    }
    let (id, profiles) = both(&app, &id, customer_id).await?;
    if profiles.iter().any(|profile| profile.erasure.is_some()) {
        return Err(Problem::conflict("who is erased is nobody that one could be"));
    }
    let link = Link {
        pair: cluster::pair(id, customer_id),
        state: LinkState::Linked,
        rule: "by_agent".to_owned(),
        evidence: evidence.to_owned(),
        by: Actor::Agent(caller.id),
        at: app.clock.now(),
    };
    linked(&app, &link).await?;
    Ok(Json(shown(&app, id).await?))
}

/// Links two customers because a person says so.
pub(crate) async fn linked(app: &App, link: &Link) -> Result<(), Problem> {
    match deciding(app, |_| linking::link(app, link.clone())).await? {
        Ok(()) | Err(NotLinked::Already) => Ok(()),
        Err(not) => Err(Problem::conflict(not.to_string())),
    }
}

/// `POST /v1/customers/{id}/unlink`: the same again does what an earlier call left undone.
pub(crate) async fn unlink(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    RawBody(body): RawBody,
) -> Result<Json<Unlinked>, Problem> {
    caller.at_least(Role::Agent)?;
    let UnlinkFrom { customer_id } = json(&body)?;
    let (id, _) = both(&app, &id, customer_id).await?;
    let (by, at) = (Actor::Agent(caller.id), app.clock.now());
    let unlinked = deciding(&app, |_| linking::unlink(&app, id, customer_id, &by, at)).await?;
    if !unlinked && app.store.links(&[cluster::pair(id, customer_id)]).await?.is_empty() {
        return Err(Problem::conflict("they are not linked"));
    }
    let (mut split_proposals, mut unmerged) = (Vec::new(), Vec::new());
    for of in [id, customer_id] {
        for member in app.store.root_head(of).await?.1.cluster_of(of) {
            for ticket in app.store.joined_tickets(member, None, JOINED_MAX).await? {
                unmerged.extend(unmerge(&app, ticket, &by).await?);
                split_proposals.extend(deciding(&app, |_| part(&app, ticket, &by)).await?);
            }
        }
    }
    let customer = shown(&app, id).await?;
    Ok(Json(Unlinked { customer, split_proposals, unmerged }))
}

/// Undoes merges into a ticket that were made because people were linked who are not any more. Says of which tickets.
async fn unmerge(app: &App, id: TicketId, by: &Actor) -> Result<Vec<TicketId>, Failure> {
    let mut unmerged = Vec::new();
    let Some(ticket) = app.store.ticket(id).await?.map(|stored| stored.ticket) else {
        return Ok(unmerged);
    };
    if ticket.detail.merged_in.is_empty() {
        return Ok(unmerged);
    }
    let (people, log) = (people(app, ticket.head.customer_id).await?, log(app, id).await?);
    for merged in ticket.detail.merged_in.iter().map(|merged| merged.ticket_id) {
        if deciding(app, |_| unmerge_parted(app, merged, id, &log, &people, by)).await? {
            unmerged.push(merged);
        }
    }
    Ok(unmerged)
}

/// All customers that are the same person as this one.
async fn people(app: &App, id: CustomerId) -> Result<BTreeSet<CustomerId>, Failure> {
    Ok(app.store.root_head(id).await?.1.cluster_of(id).into_iter().collect())
}

/// A ticket's whole log.
async fn log(app: &App, id: TicketId) -> Result<Vec<Commit>, Failure> {
    let mut log: Vec<Commit> = Vec::new();
    loop {
        let more = app.store.timeline(id, log.len() as u64, COMMITS_MAX).await?;
        let done = more.len() < COMMITS_MAX;
        log.extend(more);
        if done {
            return Ok(log);
        }
    }
}

/// Takes off a ticket who wrote there only as the same person as its owner, and is not any more.
async fn part(app: &App, id: TicketId, by: &Actor) -> Result<Vec<Proposal>, Failure> {
    let Some(before) = app.store.ticket(id).await? else {
        return Ok(Vec::new());
    };
    let owner = before.ticket.head.customer_id;
    if !before.ticket.detail.participants.iter().any(|other| other.role == Part::SamePerson) {
        return Ok(Vec::new());
    }
    let (people, log) = (people(app, owner).await?, log(app, id).await?);
    let (changes, proposals) = cluster::part(&before.ticket, &log, &people, by);
    if changes.is_empty() {
        return Ok(proposals);
    }
    let now = app.clock.now().max(before.ticket.head.updated_at);
    let changes = crate::commands::with_verdicts(&before.ticket, changes, now);
    recording::commit(app, Draft::of(before, changes, now), |_| ()).await?;
    Ok(proposals)
}

/// `POST /v1/identifiers/{identifier}/shared`: whether several people use a name.
pub(crate) async fn shared(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    RawBody(body): RawBody,
) -> Result<Json<Shared>, Problem> {
    caller.at_least(Role::Lead)?;
    let wanted: Shared = json(&body)?;
    let name: Identifier = name.parse().map_err(|_| Problem::bad_request("write the identifier as kind:value"))?;
    deciding(&app, |_| mark(&app, &name, wanted.shared)).await?.ok_or_else(|| {
        Problem::not_found("nobody is known by this name; it can be shared once somebody wrote from it")
    })?;
    Ok(Json(wanted))
}

/// The owner whose name was marked; nothing when it has none.
async fn mark(app: &App, name: &Identifier, shared: bool) -> Result<Option<Owner>, Failure> {
    let Some(owner) = app.store.owners(std::slice::from_ref(name)).await?.remove(name) else {
        return Ok(None);
    };
    if owner.shared != shared && !app.store.set_shared(name, &owner, shared).await? {
        return Err(Failure::Conflict("the name has another owner now".to_owned()));
    }
    Ok(Some(owner))
}
