//! Commands on tickets: decide, commit, answer with the ticket and what happened. The same idempotency key does the same
//! thing once.

mod assignment;
mod caller;
mod decide;
mod merging;
mod moving;
mod open;
mod resolving;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
pub(crate) use merging::{Merge, Relate, Unmerge, unmerge_parted};
use moving::Try;
pub(crate) use moving::{MoveMessage, SplitOff};
pub(crate) use open::{OpenTicket, open};
pub(crate) use resolving::{Ending, Fields};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use throughline_domain::customer::CustomerHead;
use throughline_domain::event::{Actor, Changes, Commit, Event, EventData};
use throughline_domain::id::{CustomerId, EventId, TicketId};
use throughline_domain::ledger::LedgerKey;
use throughline_domain::message::Visibility;
use throughline_domain::moment::Moment;
use throughline_domain::ticket::{Priority, Status};
use throughline_domain::view::{EventView, TicketView};
use throughline_platform::http::{RawBody, json};
use throughline_platform::problem::Problem;
use throughline_platform::recording::{self, Draft, deciding};
use throughline_platform::{App, Failure, bodies};
use throughline_store::{
    Claim, CommandKey, CommitError, CustomerWrite, LedgerMove, Lost, StoreError, StoredTicket, TicketChange,
};

pub(crate) use caller::{VerifyCaller, caller_verified};
pub(crate) use decide::with_verdicts;

use crate::auth::{Caller, Role};
use crate::etag::{at_version, entity_tag, if_match};
use crate::tickets::{find, view};

/// Most commits of a ticket that are looked through for messages.
const LOG_COMMITS_MAX: usize = 2_000;
/// Longest idempotency key, in bytes.
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

/// `POST …/replies`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(crate) struct Reply {
    /// What to write.
    pub(crate) text: String,
    /// The channel; by default the one that the customer wrote on last.
    #[serde(default)]
    pub(crate) channel: Option<throughline_domain::channel::Channel>,
    /// Mail recipients, instead of the requester.
    #[serde(default)]
    pub(crate) to: Vec<String>,
    /// Mail copies.
    #[serde(default)]
    pub(crate) cc: Vec<String>,
    /// The status after it.
    #[serde(default)]
    pub(crate) then_status: Option<Status>,
    /// How it ends, where that status ends it.
    #[serde(flatten)]
    pub(crate) ending: Ending,
    /// `public` only where the customer wrote in public; by default as what is answered, and private once they wrote in
    /// private.
    #[serde(default)]
    pub(crate) visibility: Option<Visibility>,
    /// Not taken yet.
    #[serde(default)]
    pub(crate) template: Option<String>,
    /// Not taken yet: sanitized HTML comes with the mail work.
    #[serde(default)]
    pub(crate) html: Option<String>,
    /// Not taken yet.
    #[serde(default)]
    pub(crate) attachments: Vec<serde_json::Value>,
}

/// `POST …/notes`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(crate) struct Note {
    /// What to note; never leaves.
    pub(crate) text: String,
}

/// `POST …/status`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(crate) struct SetStatus {
    /// The status to be.
    pub(crate) status: Status,
    /// How it ends, where that status ends it.
    #[serde(flatten)]
    pub(crate) ending: Ending,
}

/// `POST …/priority`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(crate) struct SetPriority {
    /// The priority to be.
    pub(crate) priority: Priority,
}

/// `POST …/assignment`: one of the three.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Assignment {
    /// This agent.
    pub(crate) assignee: Option<throughline_domain::id::AgentId>,
    /// This team, and whoever routing finds in it.
    pub(crate) team: Option<throughline_domain::id::TeamId>,
    /// Whoever routing finds next.
    pub(crate) next: bool,
}

/// `POST …/tags`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Tags {
    /// Tags to add.
    pub(crate) add: Vec<String>,
    /// Tags to remove.
    pub(crate) remove: Vec<String>,
}

/// What a command did.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Outcome {
    /// The ticket after it.
    pub(crate) ticket: TicketView,
    /// What happened.
    pub(crate) events: Vec<EventView>,
    /// The other ticket that it changed, after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) other: Option<TicketView>,
}

/// A command, read.
enum Command {
    Reply(Reply),
    Note(Note),
    Status(SetStatus),
    Priority(SetPriority),
    Assignment(Assignment),
    Tags(Tags),
    Merge(Merge),
    Unmerge(Unmerge),
    Split(SplitOff),
    Move(MoveMessage),
    Relate(Relate),
    Fields(Fields),
    CallerVerified(VerifyCaller),
}

/// What a command changes.
#[derive(Default)]
struct Decided {
    changes: Changes,
    claim: Option<Claim>,
    also: Option<Also>,
    /// It was decided because customers are linked, and holds only while they are.
    rests_on: Option<Linked>,
}

/// Who speaks for a cluster, and their list as it was read.
struct Linked {
    root: CustomerId,
    list: CustomerHead,
}

/// What it changes on another ticket, together with the first or not at all.
struct Also {
    ticket_id: TicketId,
    /// As it was read; nothing for a new one.
    before: Option<StoredTicket>,
    changes: Changes,
    /// Ledger items of messages that go there, each with the event that it names now.
    moved: Vec<(LedgerKey, EventId)>,
}

impl From<Changes> for Decided {
    fn from(changes: Changes) -> Self {
        Self { changes, ..Self::default() }
    }
}

macro_rules! command {
    ($name:ident, $variant:ident) => {
        /// Carries out a command of this kind.
        pub(crate) async fn $name(
            State(app): State<App>,
            caller: Caller,
            method: Method,
            uri: Uri,
            headers: HeaderMap,
            Path(id): Path<String>,
            RawBody(body): RawBody,
        ) -> Result<Response, Problem> {
            let command = Command::$variant(json(&body)?);
            let request: &[&[u8]] = &[method.as_str().as_bytes(), uri.path().as_bytes(), &body];
            carry_out(&app, &caller, &headers, &id, command, request).await
        }
    };
}

command!(reply, Reply);
command!(note, Note);
command!(status, Status);
command!(priority, Priority);
command!(assignment, Assignment);
command!(tags, Tags);
command!(merge, Merge);
command!(unmerge, Unmerge);
command!(split, Split);
command!(move_message, Move);
command!(relate, Relate);
command!(fields, Fields);

async fn carry_out(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    id: &str,
    command: Command,
    request: &[&[u8]],
) -> Result<Response, Problem> {
    let for_anybody = matches!(
        command,
        Command::Reply(_) | Command::Note(_) | Command::Status(_) | Command::Tags(_) | Command::Fields(_)
    );
    if !for_anybody {
        caller.at_least(Role::Agent)?;
    }
    let key = idempotency_key(caller, headers, request)?;
    if let Some(answer) = earlier(app, key.as_ref()).await? {
        return Ok(answer);
    }
    let wanted = if_match(headers);
    // The message of a reply or note keeps its id over attempts.
    let seed = app.randomness.uuid();
    let refused: std::sync::Mutex<Option<Problem>> = std::sync::Mutex::new(None);
    let done = deciding(app, |number| {
        let this = Try { number, seed, now: app.clock.now() };
        let (command, key, refused) = (&command, key.as_ref(), &refused);
        async move {
            match attempt(app, caller, id, command, wanted, key, this).await {
                Ok(done) => Ok(Some(done)),
                Err(Attempt::Again(failure)) => Err(failure),
                Err(Attempt::Refused(problem)) => {
                    *refused.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(problem);
                    Ok(None)
                }
            }
        }
    })
    .await?;
    match done {
        Some((stored, commit)) => answer(app, &stored, commit).await,
        None => {
            let refused = refused.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
            match earlier(app, key.as_ref()).await? {
                Some(answer) => Ok(answer),
                None => Err(refused.unwrap_or_else(|| Problem::conflict("it was carried out at the same moment"))),
            }
        }
    }
}

/// Why an attempt did not succeed.
enum Attempt {
    /// The race was lost: decide again.
    Again(Failure),
    /// It is not to be.
    Refused(Problem),
}

impl From<Problem> for Attempt {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}

impl From<StoreError> for Attempt {
    fn from(error: StoreError) -> Self {
        Self::Refused(error.into())
    }
}

async fn attempt(
    app: &App,
    caller: &Caller,
    id: &str,
    command: &Command,
    wanted: Option<&str>,
    key: Option<&CommandKey>,
    this: Try,
) -> Result<(StoredTicket, Option<Commit>), Attempt> {
    let before = find(app, id).await?;
    at_version(wanted, before.ticket.head.version, "the ticket")?;
    if !matches!(command, Command::Merge(_) | Command::Unmerge(_) | Command::Relate(_)) {
        merging::not_merged(app, &before.ticket).await?;
    }
    let decided = decide(app, caller, &before, command, this).await?;
    // Stamped once all that takes time is done.
    let now = app.clock.now().max(before.ticket.head.updated_at);
    if decided.changes.is_empty() {
        return Ok((before, None));
    }
    let Decided { changes, mut claim, also, rests_on } = decided;
    // A new ticket comes onto the list; otherwise the first may leave it.
    let listed = usize::from(also.as_ref().is_some_and(|also| also.before.is_none()));
    let mut drafts = vec![draft(before.ticket.head.id, Some(before), changes, now)];
    let moved = also.as_ref().map(|also| also.moved.clone()).unwrap_or_default();
    drafts.extend(also.map(|also| draft(also.ticket_id, also.before, also.changes, now)));
    let complete = |place: usize, change: &mut TicketChange| {
        if place == 0 {
            change.claim = claim.take();
            change.command = key.cloned();
        } else {
            change.moved = ledger_moves(&moved, &change.commit);
        }
        if let Some(Linked { root, list }) = rests_on.as_ref().filter(|_| place == listed) {
            change.customer = Some(CustomerWrite { id: *root, head: recording::list_after(list, change) });
        }
    };
    match recording::commit_all(app, drafts, complete).await.map(|recorded| recorded.into_iter().next()) {
        Ok(Some(recorded)) => {
            Ok((StoredTicket { ticket: recorded.after, check_at: None, rewritten_at: None }, Some(recorded.commit)))
        }
        Ok(None) => Err(Problem::conflict("nothing was to be written").into()),
        Err(CommitError::Lost(Lost::Command)) => Err(Problem::conflict("it was carried out at the same moment").into()),
        Err(CommitError::Lost(lost)) => Err(Attempt::Again(Failure::Conflict(format!("{lost:?}")))),
        Err(CommitError::Store(error)) => Err(error.into()),
    }
}

/// What is decided for a ticket, with what it means for the clocks.
fn draft(ticket_id: TicketId, before: Option<StoredTicket>, changes: Changes, now: Moment) -> Draft {
    let at = before.as_ref().map_or(now, |before| now.max(before.ticket.head.updated_at));
    let changes = match &before {
        Some(before) => decide::with_verdicts(&before.ticket, changes, at),
        None => changes,
    };
    Draft { ticket_id, before, changes, at, decided_now: true }
}

/// The ledger items that say from this commit on that their messages are here.
fn ledger_moves(moved: &[(LedgerKey, EventId)], commit: &Commit) -> Vec<LedgerMove> {
    let to = |from: EventId| {
        commit.events.iter().find_map(|event| match &event.data {
            EventData::MessageReceived(received) => {
                received.moved_from.is_some_and(|moved| moved.event_id == from).then_some(event.id)
            }
            _ => None,
        })
    };
    moved.iter().filter_map(|(key, from)| Some(LedgerMove { key: key.clone(), from: *from, to: to(*from)? })).collect()
}

/// A ticket's log from its beginning, with long texts as they are stored.
async fn log(app: &App, id: TicketId) -> Result<Vec<Commit>, Problem> {
    let log = app.store.timeline(id, 0, LOG_COMMITS_MAX + 1).await?;
    // What is known of a part only would be wrong: a message that was moved at its end looks as if it were there.
    if log.len() > LOG_COMMITS_MAX {
        return Err(Problem::conflict(format!(
            "{id} has more than {LOG_COMMITS_MAX} changes: too many to look through"
        )));
    }
    Ok(log)
}

async fn decide(
    app: &App,
    caller: &Caller,
    before: &StoredTicket,
    command: &Command,
    this: Try,
) -> Result<Decided, Problem> {
    let Try { seed, now, .. } = this;
    let ticket = &before.ticket;
    let actor = actor(caller);
    match command {
        Command::Reply(reply) => {
            let config = app.config().await?;
            decide::not_to_ourselves(reply, &config.inboxes.body)?;
            let after = decide::after_reply(ticket, reply, &config.ticketing.body, &actor)?;
            let way = decide::way_out(app, ticket, reply).await?;
            let mut message = decide::reply_message(ticket, reply, way, caller, now, seed)?;
            bodies::store(&mut message, &app.blobs).await?;
            Ok(decide::reply(ticket, message, after, &actor).into())
        }
        Command::Note(note) => {
            let mut message = decide::note_message(ticket, note, caller, now, seed)?;
            bodies::store(&mut message, &app.blobs).await?;
            Ok(decide::note(message, actor).into())
        }
        Command::Status(set) => {
            let rules = &app.config().await?.ticketing.body;
            Ok(decide::status(ticket, set.status, &set.ending, rules, "/status", actor)?.into())
        }
        Command::Priority(set) => Ok(decide::priority(ticket, set.priority, actor).into()),
        Command::Tags(tags) => Ok(decide::tags(ticket, tags, actor)?.into()),
        Command::Fields(fields) => {
            let rules = &app.config().await?.ticketing.body;
            Ok(resolving::fields(ticket, fields, rules, actor)?.into())
        }
        Command::CallerVerified(wanted) => {
            Ok(caller::verified(wanted, &app.config().await?.inboxes.body, actor)?.into())
        }
        Command::Assignment(wanted) => assignment::decide(app, ticket, wanted, actor).await,
        Command::Merge(wanted) => merging::merge(app, caller, ticket, wanted, actor).await,
        Command::Unmerge(wanted) => merging::unmerge(app, ticket, wanted, &actor).await,
        Command::Split(wanted) => moving::split(app, ticket, wanted, this, actor).await,
        Command::Move(wanted) => moving::move_message(app, caller, ticket, wanted, actor).await,
        Command::Relate(wanted) => merging::relate(app, ticket, wanted, &actor).await,
    }
}

/// The caller, as events name them.
fn actor(caller: &Caller) -> Actor {
    match caller.role {
        Role::Integration => Actor::Integration(caller.id.to_string()),
        _ => Actor::Agent(caller.id.clone()),
    }
}

/// The caller's idempotency key, if one came.
fn idempotency_key(caller: &Caller, headers: &HeaderMap, request: &[&[u8]]) -> Result<Option<CommandKey>, Problem> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let key = value.to_str().ok().filter(|key| (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&key.len()));
    let key = key.ok_or_else(|| {
        Problem::bad_request(format!("Idempotency-Key is 1 to {IDEMPOTENCY_KEY_BYTES_MAX} ASCII characters"))
    })?;
    Ok(Some(CommandKey::new(caller.id.as_str(), key, request)))
}

/// The answer to a command that was carried out before under this key.
async fn earlier(app: &App, key: Option<&CommandKey>) -> Result<Option<Response>, Problem> {
    let Some(key) = key else {
        return Ok(None);
    };
    let Some(record) = app.store.command(key).await? else {
        return Ok(None);
    };
    if !key.is_of(&record) {
        let detail = "this Idempotency-Key came with another request before";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused", detail));
    }
    let stored = find(app, &record.ticket_id.to_string()).await?;
    let commit = app.store.read_commit(record.ticket_id, record.sequence).await?;
    answer(app, &stored, commit).await.map(Some)
}

async fn answer(app: &App, stored: &StoredTicket, commit: Option<Commit>) -> Result<Response, Problem> {
    let mut events = Vec::new();
    let mut other = None;
    if let Some(mut commit) = commit {
        if let Some(id) = commit.events.iter().find_map(|event| other_ticket(event, commit.ticket_id)) {
            other = Some(view(app, &find(app, &id.to_string()).await?).await?);
        }
        bodies::restore(&mut commit, &app.blobs).await?;
        events.extend(EventView::of(commit));
    }
    let tag = entity_tag(stored.ticket.head.version);
    let outcome = Outcome { ticket: view(app, stored).await?, events, other };
    Ok(([(header::ETAG, tag)], Json(outcome)).into_response())
}

/// The other ticket that an event of a command names.
fn other_ticket(event: &Event, own: TicketId) -> Option<TicketId> {
    let named = match &event.data {
        EventData::TicketMerged(merged) => [merged.ticket_id, merged.into],
        EventData::TicketUnmerged(unmerged) => [unmerged.ticket_id, unmerged.from],
        EventData::TicketSplit(split) => [split.from, split.to],
        EventData::MessageMoved(moved) => [own, moved.to],
        EventData::TicketRelated(related) => [own, related.ticket_id],
        _ => return None,
    };
    named.into_iter().find(|id| *id != own)
}
