//! Changing a ticket: read, decide, fold, commit; when the race is lost, again.

use std::future::Future;
use std::time::Duration;

use throughline_domain::customer::{CustomerHead, OpenTicket};
use throughline_domain::event::{Changes, Commit};
use throughline_domain::fold;
use throughline_domain::id::TicketId;
use throughline_domain::moment::Moment;
use throughline_domain::ticket::{Ticket, TicketHead};
use throughline_store::{CommitError, CustomerWrite, Lost, StoredTicket, TicketChange};

use crate::app::App;
use crate::error::Failure;

/// How often a decision is made again in process after a lost race.
pub const ATTEMPTS_MAX: u32 = 5;
/// How old a decision that is stamped with its own time may be when it is written, in milliseconds. With the table's
/// time-out of 4.5 seconds a change is in the table within five seconds of its stamp, or not at all: the breach check
/// relies on it.
const DECISION_AGE_MS_MAX: i64 = 500;
/// Longest wait before the first repetition; it doubles with each.
const JITTER_MAX: Duration = Duration::from_millis(16);

/// Runs an attempt until it does not lose its race, at most [`ATTEMPTS_MAX`] times, with growing random waits. The
/// attempt gets its number, from 0, and reads everything anew.
///
/// # Errors
/// The last attempt's failure.
pub async fn deciding<T, F: Future<Output = Result<T, Failure>>>(
    app: &App,
    mut attempt: impl FnMut(u32) -> F,
) -> Result<T, Failure> {
    let mut number = 0;
    loop {
        match attempt(number).await {
            Err(Failure::Conflict(_)) if number + 1 < ATTEMPTS_MAX => {
                let wait = JITTER_MAX.saturating_mul(1 << number).mul_f64(app.randomness.fraction());
                tokio::time::sleep(wait).await;
                number += 1;
            }
            done => return done,
        }
    }
}

/// A change that was written.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The commit.
    pub commit: Commit,
    /// The ticket after it.
    pub after: Ticket,
}

/// A change on its way to the log: what was read, what is decided.
#[derive(Debug)]
pub struct Draft {
    /// The ticket.
    pub ticket_id: TicketId,
    /// As it was read; nothing for a new one.
    pub before: Option<StoredTicket>,
    /// What changes.
    pub changes: Changes,
    /// When it happened; brought up to the ticket's last change if it is earlier.
    pub at: Moment,
    /// `at` is when it was decided, not when a message was accepted: it is written at once or decided again.
    pub decided_now: bool,
}

impl Draft {
    /// Changes of an existing ticket, decided just now.
    pub fn of(before: StoredTicket, changes: Changes, at: Moment) -> Self {
        Self { ticket_id: before.ticket.head.id, before: Some(before), changes, at, decided_now: true }
    }
}

/// Writes a draft: folds it onto the ticket and commits both, together with whatever `complete` adds. When the ticket
/// becomes live or is done, the customer's list of open tickets changes with it.
///
/// # Errors
/// [`CommitError::Lost`] when something that was read changed meanwhile.
pub async fn commit(
    app: &App,
    draft: Draft,
    complete: impl FnOnce(&mut TicketChange),
) -> Result<Recorded, CommitError> {
    let (decided_now, decided_at) = (draft.decided_now, draft.at);
    let change = prepare(app, draft, complete).await?;
    if decided_now {
        fresh(app, decided_at)?;
    }
    app.store.commit(&change).await?;
    Ok(Recorded { commit: change.commit, after: change.after })
}

/// The same for drafts of different tickets that were decided together, just now: all of them are written, or none.
/// `complete` gets the place of each.
///
/// # Errors
/// [`CommitError::Lost`] when something that was read changed meanwhile.
pub async fn commit_all(
    app: &App,
    drafts: Vec<Draft>,
    mut complete: impl FnMut(usize, &mut TicketChange),
) -> Result<Vec<Recorded>, CommitError> {
    let decided_at = drafts.iter().map(|draft| draft.at).min();
    let mut changes = Vec::with_capacity(drafts.len());
    for (place, draft) in drafts.into_iter().enumerate() {
        changes.push(prepare(app, draft, |change| complete(place, change)).await?);
    }
    decided_at.map_or(Ok(()), |at| fresh(app, at))?;
    app.store.commit_all(&changes).await?;
    Ok(changes.into_iter().map(|change| Recorded { commit: change.commit, after: change.after }).collect())
}

/// Refuses what was decided too long ago.
fn fresh(app: &App, decided_at: Moment) -> Result<(), CommitError> {
    let too_old = app.clock.now().since_ms(decided_at) > DECISION_AGE_MS_MAX;
    if too_old { Err(CommitError::Lost(Lost::Time)) } else { Ok(()) }
}

/// The change that a draft makes, with whatever `complete` adds.
async fn prepare(
    app: &App,
    draft: Draft,
    complete: impl FnOnce(&mut TicketChange),
) -> Result<TicketChange, CommitError> {
    let Draft { ticket_id, before, changes, at, .. } = draft;
    let head_before = before.as_ref().map(|before| &before.ticket.head);
    let calendars = app.calendars(head_before).await?;
    let sequence = head_before.map_or(0, |head| head.version) + 1;
    let at = head_before.map_or(at, |head| at.max(head.updated_at));
    let commit = changes.into_commit(ticket_id, sequence, at, app.clock.now());
    let ticket_before = before.as_ref().map(|before| before.ticket.clone());
    let after = fold::apply(ticket_before, &commit, &calendars)
        .map_err(|error| throughline_store::StoreError::Build(format!("the change does not follow: {error}")))?;
    let was_live = head_before.is_some_and(|head| head.status.is_live());
    let mut change = TicketChange::new(before, commit, after);
    complete(&mut change);
    // Whatever was completed, the head that is written is the one before with the commit applied.
    debug_assert_eq!(
        fold::apply(change.before.as_ref().map(|before| before.ticket.clone()), &change.commit, &calendars).as_ref(),
        Ok(&change.after)
    );
    if change.customer.is_none() && was_live != change.after.head.status.is_live() {
        change.customer = list_change(app, &change).await?;
    }
    Ok(change)
}

/// The list of the customer's cluster with the ticket on it, or without it.
async fn list_change(app: &App, change: &TicketChange) -> Result<Option<CustomerWrite>, CommitError> {
    let head = &change.after.head;
    let (id, list) = app.store.root_head(head.customer_id).await?;
    let changes = head.status.is_live() || list.lists(head.id);
    Ok(changes.then(|| CustomerWrite { id, head: list_after(&list, change) }))
}

/// The list of the cluster of a ticket's customer after a change of the ticket. Written, it makes the change hold only if the
/// list is still as it was read.
pub fn list_after(list: &CustomerHead, change: &TicketChange) -> CustomerHead {
    let was_live = change.before.as_ref().is_some_and(|before| before.ticket.head.status.is_live());
    let head = &change.after.head;
    match (was_live, head.status.is_live()) {
        (false, true) => list.with_open(open_ticket(head)),
        (true, false) => list.without(head.id),
        _ => list.touched(),
    }
}

/// A ticket as its customer's head lists it.
pub fn open_ticket(head: &TicketHead) -> OpenTicket {
    OpenTicket { ticket_id: head.id, member: head.customer_id, inbox: head.inbox.clone(), day: head.updated_at.day() }
}
