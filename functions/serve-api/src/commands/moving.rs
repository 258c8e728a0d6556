//! Commands that move messages: one to a ticket that is there, or several to a new one. Decided by `domain::moving`; here is
//! what that reads, and which ledger items go with the messages.

use schemars::JsonSchema;
use serde::Deserialize;
use throughline_domain::event::{Actor, Commit, EventData};
use throughline_domain::id::{EventId, TicketId, TicketReference, uuid_v7};
use throughline_domain::ledger::{Fingerprint, LedgerKey};
use throughline_domain::moment::Moment;
use throughline_domain::moving::{self, Move, Moving, NotMoved, SPLIT_MAX, Split};
use throughline_domain::ticket::Ticket;
use throughline_platform::problem::Problem;
use throughline_platform::{App, bodies};

use super::merging::{linked, way};
use super::{Also, Decided, log};
use crate::auth::{Caller, Role};

/// `POST …/split`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(crate) struct SplitOff {
    /// The events of the messages, at most 20.
    pub(crate) event_ids: Vec<EventId>,
    /// Subject of the new ticket; by default that of the first of the messages.
    #[serde(default)]
    pub(crate) subject: Option<String>,
    /// Why, for the log.
    #[serde(default)]
    pub(crate) because: String,
}

/// `POST …/move`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(crate) struct MoveMessage {
    /// The event of the message.
    pub(crate) event_id: EventId,
    /// The ticket that it goes to, by id or reference. Where that was merged, the one that it went into.
    pub(crate) to: String,
    /// Its writer may have nothing to do with that ticket (leads); they take part from then on.
    #[serde(default)]
    pub(crate) across_customers: bool,
    /// Why, for the log.
    #[serde(default)]
    pub(crate) because: String,
}

/// What tells one attempt of a command from another.
#[derive(Clone, Copy)]
pub(super) struct Try {
    /// From 0.
    pub(super) number: u32,
    /// The same for all attempts.
    pub(super) seed: uuid::Uuid,
    /// When it is made.
    pub(super) now: Moment,
}

pub(super) async fn split(
    app: &App,
    ticket: &Ticket,
    wanted: &SplitOff,
    this: Try,
    actor: Actor,
) -> Result<Decided, Problem> {
    let mut ids = wanted.event_ids.clone();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() || ids.len() > SPLIT_MAX {
        return Err(Problem::fault("/event_ids", format!("1 to {SPLIT_MAX} messages")));
    }
    let subject = wanted.subject.as_deref().map(str::trim);
    if subject == Some("") {
        return Err(Problem::fault("/subject", "must not be empty"));
    }
    not_erasing(app, ticket).await?;
    let log = log(app, ticket.head.id).await?;
    let mut messages: Vec<Moving> = Vec::new();
    for id in ids {
        messages.push(moving::find(&log, id).map_err(|why| refused("/event_ids", &why))?);
    }
    // Several events of one commit keep the order of their ids, which count up.
    messages.sort_by_key(|moving| (moving.from.sequence, moving.from.event_id));
    let id = TicketId::new(uuid_v7(this.now, &[b"split", this.seed.as_bytes()]));
    let config = app.config().await?;
    let first = messages.first().map(|moving| moving.received.customer_id);
    let first = first.ok_or_else(|| Problem::fault("/event_ids", "no message is named"))?;
    let linked = linked(app, first).await?;
    let people = linked.list.cluster_of(first);
    let joins_linked = |moving: &Moving| {
        let writer = moving.received.customer_id;
        writer != first && people.contains(&writer)
    };
    let rests_on = messages.iter().any(joins_linked).then_some(linked);
    let both = moving::split(&Split {
        ticket,
        messages: &messages,
        same_person: &people,
        id,
        reference: TicketReference::candidate(id, this.number),
        subject,
        config: &config,
        actor,
        because: &wanted.because,
    });
    let both = both.ok_or_else(|| Problem::fault("/event_ids", "no message is named"))?;
    let moved = ledger_items(app, &log, &messages).await?;
    let also = Also { ticket_id: id, before: None, changes: both.other, moved };
    Ok(Decided { changes: both.ticket, also: Some(also), rests_on, ..Decided::default() })
}

pub(super) async fn move_message(
    app: &App,
    caller: &Caller,
    ticket: &Ticket,
    wanted: &MoveMessage,
    actor: Actor,
) -> Result<Decided, Problem> {
    if wanted.across_customers {
        caller.at_least(Role::Lead)?;
    }
    not_erasing(app, ticket).await?;
    let log = log(app, ticket.head.id).await?;
    let moving = moving::find(&log, wanted.event_id).map_err(|why| refused("/event_id", &why))?;
    let mut way = way(app, "/to", &wanted.to).await?;
    let to = way.pop().ok_or_else(|| Problem::fault("/to", "there is no such ticket"))?;
    let config = app.config().await?;
    let (writer, owner) = (moving.received.customer_id, to.ticket.head.customer_id);
    let linked = linked(app, writer).await?;
    let same_person = linked.list.cluster_of(writer).contains(&owner);
    let both = moving::move_message(&Move {
        moving: &moving,
        to: &to.ticket,
        same_person,
        across_customers: wanted.across_customers,
        config: &config,
        actor,
        because: &wanted.because,
    });
    let both = both.map_err(|why| refused("/to", &why))?;
    let moved = ledger_items(app, &log, std::slice::from_ref(&moving)).await?;
    let rests_on = Some(linked).filter(|_| same_person && writer != owner);
    let also = Also { ticket_id: to.ticket.head.id, before: Some(to), changes: both.other, moved };
    Ok(Decided { changes: both.ticket, also: Some(also), rests_on, ..Decided::default() })
}

/// What is erased of a ticket is decided on what is there: nothing leaves it meanwhile.
async fn not_erasing(app: &App, ticket: &Ticket) -> Result<(), Problem> {
    let erasure = app.store.profile(ticket.head.customer_id).await?.and_then(|profile| profile.erasure);
    match erasure.filter(|erasure| erasure.done_at.is_none()) {
        Some(_) => Err(Problem::conflict("its customer is being erased; ask again once that is done")),
        None => Ok(()),
    }
}

/// The ledger items that say where these messages are, each with the event that it names now.
async fn ledger_items(app: &App, log: &[Commit], messages: &[Moving]) -> Result<Vec<(LedgerKey, EventId)>, Problem> {
    let mut items = Vec::new();
    for moving in messages {
        let Some(commit) = log.iter().find(|commit| commit.sequence == moving.from.sequence) else {
            continue;
        };
        // What came under a known id with another content is in the ledger by its content.
        let mut commit = commit.clone();
        bodies::restore(&mut commit, &app.blobs).await?;
        let original = commit.events.iter().find(|event| event.id == moving.from.event_id).map(|event| &event.data);
        let Some(EventData::MessageReceived(original)) = original else {
            continue;
        };
        let message = &original.message;
        let key = LedgerKey::new(message.channel, &message.inbox, &message.provider_message_id);
        let keys = [key.beside(&Fingerprint::of(message)), key];
        let entries = app.store.messages(&keys).await?;
        let found = keys.into_iter().zip(entries);
        let names = |entry: &throughline_domain::ledger::LedgerEntry| entry.event_id == Some(moving.from.event_id);
        let found = found.filter(|(_, entry)| entry.as_ref().is_some_and(names));
        items.extend(found.map(|(key, _)| (key, moving.from.event_id)));
    }
    Ok(items)
}

/// What is no message of the ticket is a fault of the body; what became of it since is a conflict.
fn refused(pointer: &str, why: &NotMoved) -> Problem {
    match why {
        NotMoved::Unknown(_) | NotMoved::NotReceived(_) | NotMoved::SameTicket => {
            Problem::fault(pointer, why.to_string())
        }
        NotMoved::MovedBefore(..) | NotMoved::Deleted(_) | NotMoved::OtherCustomer => {
            Problem::conflict(why.to_string())
        }
    }
}
