//! Commands on two tickets at once: merge, undo it, relate. Decided by `domain::merging`; here is what that reads.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;
use throughline_domain::event::{Actor, Commit};
use throughline_domain::id::{CustomerId, EventId, TicketId};
use throughline_domain::merging::{self, Refused};
use throughline_domain::ticket::{MERGED_IN_MAX, Merged, Role as Part, Ticket};
use throughline_platform::problem::Problem;
use throughline_platform::{App, Failure, recording};
use throughline_store::StoredTicket;

use super::{Also, Decided, Linked, draft, log};
use crate::auth::{Caller, Role};
use crate::tickets::find;

/// Longest text on why tickets are related, in bytes: each stands on the other's detail item.
const WHY_BYTES_MAX: usize = 200;

/// `POST …/merge`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(crate) struct Merge {
    /// The ticket that goes on, by id or reference. Where it was itself merged, the one that it went into.
    pub(crate) into: String,
    /// Why, for the log.
    #[serde(default)]
    pub(crate) because: String,
    /// The tickets may be of different people (leads).
    #[serde(default)]
    pub(crate) across_customers: bool,
    /// The other person, and who takes part in their ticket, takes part in the one that goes on.
    #[serde(default)]
    pub(crate) add_requester: bool,
}

/// `POST …/unmerge`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Unmerge {
    /// Why, for the log.
    pub(crate) because: String,
}

/// `POST …/relate`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(crate) struct Relate {
    /// The other ticket, by id or reference.
    pub(crate) ticket: String,
    /// How they have to do with each other.
    pub(crate) why: String,
}

pub(super) async fn merge(
    app: &App,
    caller: &Caller,
    ticket: &Ticket,
    wanted: &Merge,
    actor: Actor,
) -> Result<Decided, Problem> {
    if wanted.across_customers {
        caller.at_least(Role::Lead)?;
    }
    let mut way = way(app, "/into", &wanted.into).await?;
    let Some(survivor) = way.last() else {
        return Err(refused("/into", &Refused::NoEnd));
    };
    let (owner, other) = (ticket.head.customer_id, survivor.ticket.head.customer_id);
    let linked = linked(app, owner).await?;
    let people = linked.list.cluster_of(owner);
    let into: Vec<&Ticket> = way.iter().map(|stored| &stored.ticket).collect();
    let both = merging::merge(&merging::Merge {
        ticket,
        into: &into,
        people: &people,
        across_customers: wanted.across_customers,
        add_requester: wanted.add_requester,
        actor,
        because: &wanted.because,
    });
    let brings_linked = ticket.detail.participants.iter().any(|participant| participant.role == Part::SamePerson);
    let by_link = brings_linked || (owner != other && people.contains(&other));
    Ok(Decided {
        rests_on: by_link.then_some(linked),
        ..Decided::both(both.map_err(|why| refused("/into", &why))?, way.pop())
    })
}

pub(super) async fn unmerge(app: &App, ticket: &Ticket, wanted: &Unmerge, actor: &Actor) -> Result<Decided, Problem> {
    let merged = ticket.head.merged.ok_or_else(|| refused("", &Refused::NotMerged))?;
    let mut way = way(app, "", &merged.into.to_string()).await?;
    let messages = meant_for(app, ticket, &way).await?;
    let from = way.swap_remove(0);
    let both = merging::unmerge(ticket, &from.ticket, messages, actor, &wanted.because);
    Ok(Decided::both(both.map_err(|why| refused("", &why))?, Some(from)))
}

/// Undoes the merge of one ticket into another, if it was made because their customers were linked, and the one's is not
/// among `people`, the other's, any more. Says whether it did. `log` is the other's.
pub(crate) async fn unmerge_parted(
    app: &App,
    merged: TicketId,
    from: TicketId,
    log: &[Commit],
    people: &BTreeSet<CustomerId>,
    actor: &Actor,
) -> Result<bool, Failure> {
    let (Some(ticket), Some(from)) = (app.store.ticket(merged).await?, app.store.ticket(from).await?) else {
        return Ok(false);
    };
    let head = &ticket.ticket.head;
    let led_here = |merged: Merged| merged.linked && merged.into == from.ticket.head.id;
    if !head.merged.is_some_and(led_here) || people.contains(&head.customer_id) {
        return Ok(false);
    }
    let both = merging::part(&ticket.ticket, &from.ticket, log, actor);
    let both = both.map_err(|why| Failure::Conflict(why.to_string()))?;
    let (id, now) = (from.ticket.head.id, app.clock.now());
    let drafts = vec![draft(merged, Some(ticket), both.ticket, now), draft(id, Some(from), both.other, now)];
    recording::commit_all(app, drafts, |_, _| ()).await?;
    Ok(true)
}

pub(super) async fn relate(app: &App, ticket: &Ticket, wanted: &Relate, actor: &Actor) -> Result<Decided, Problem> {
    if wanted.why.trim().is_empty() || wanted.why.len() > WHY_BYTES_MAX {
        return Err(Problem::fault("/why", format!("1 to {WHY_BYTES_MAX} bytes")));
    }
    let other = named(app, "/ticket", &wanted.ticket).await?;
    let both = merging::relate(ticket, &other.ticket, wanted.why.trim(), actor);
    Ok(Decided::both(both.map_err(|why| refused("/ticket", &why))?, Some(other)))
}

/// Refuses what is to be done on the ticket that a merged one went into.
pub(super) async fn not_merged(app: &App, ticket: &Ticket) -> Result<(), Problem> {
    let Some(merged) = ticket.head.merged else {
        return Ok(());
    };
    let way = way(app, "", &merged.into.to_string()).await?;
    let survivor = way.last().map(|stored| stored.ticket.head.reference.to_string()).unwrap_or_default();
    Err(Problem::conflict(format!("the ticket was merged into {survivor}; go on there, or unmerge it")))
}

/// The ticket that a field of the body names.
async fn named(app: &App, pointer: &str, name: &str) -> Result<StoredTicket, Problem> {
    find(app, name).await.map_err(|problem| match problem.status {
        404 => Problem::fault(pointer, problem.detail),
        _ => problem,
    })
}

/// The tickets from the named one to the one that it went into in the end, as [`merging::chain`] has them.
pub(super) async fn way(app: &App, pointer: &str, name: &str) -> Result<Vec<StoredTicket>, Problem> {
    let mut way = vec![named(app, pointer, name).await?];
    while let Some(merged) = way.last().and_then(|last| last.ticket.head.merged) {
        if way.len() > MERGED_IN_MAX {
            break;
        }
        let Some(next) = app.store.ticket(merged.into).await? else {
            break;
        };
        way.push(next);
    }
    let find = |id| way.iter().map(|stored| &stored.ticket).find(|ticket| ticket.head.id == id);
    let ends = way.first().is_some_and(|first| merging::chain(&first.ticket, find).is_some());
    if ends { Ok(way) } else { Err(refused(pointer, &Refused::NoEnd)) }
}

/// Who is the same person as a customer, and what says so.
pub(super) async fn linked(app: &App, id: CustomerId) -> Result<Linked, Problem> {
    let (root, list) = app.store.root_head(id).await?;
    Ok(Linked { root, list })
}

/// The messages that came to the tickets where a merged one went, but were meant for it.
async fn meant_for(app: &App, ticket: &Ticket, way: &[StoredTicket]) -> Result<Vec<EventId>, Problem> {
    let mut messages = Vec::new();
    for went in way {
        messages.extend(merging::meant_for(ticket, &log(app, went.ticket.head.id).await?));
    }
    Ok(messages)
}

/// What is asked for the wrong thing is a fault of the body; what the tickets do not allow now is a conflict.
fn refused(pointer: &str, why: &Refused) -> Problem {
    match why {
        Refused::Itself => Problem::fault(pointer, why.to_string()),
        _ => Problem::conflict(why.to_string()),
    }
}

impl Decided {
    /// What changes on two tickets, the second of them as it was read.
    fn both(both: merging::Both, other: Option<StoredTicket>) -> Self {
        let also = other.map(|other| Also {
            ticket_id: other.ticket.head.id,
            before: Some(other),
            changes: both.other,
            moved: Vec::new(),
        });
        Self { changes: both.ticket, also, ..Self::default() }
    }
}
