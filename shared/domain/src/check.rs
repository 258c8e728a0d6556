//! When a ticket needs looking at next, though nothing happens to it: what the breach check goes by.

use crate::clock;
use crate::moment::Moment;
use crate::ticket::TicketHead;

/// How long a ticket may be without a team or an agent, or a reply unsent, before the check drives it again, in
/// milliseconds: what the stream carried normally takes a second.
pub const REDRIVE_AFTER_MS: i64 = 60_000;
/// How long a ticket waits in a team's line before the check looks for a free agent, in milliseconds: a backstop, for
/// who becomes free looks at the line.
pub const WAITING_CHECK_MS: i64 = 300_000;

/// What is to be done for a ticket that is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overdue {
    /// It should be routed again.
    pub route: bool,
    /// Its unsent replies should be sent again.
    pub send: bool,
}

/// When the ticket needs looking at next; nothing when it never does.
pub fn next_check(head: &TicketHead) -> Option<Moment> {
    reasons(head).min()
}

/// Every reason to look at the ticket, and when.
fn reasons(head: &TicketHead) -> impl Iterator<Item = Moment> {
    let clocks = head.sla.as_ref().and_then(clock::next_due);
    let unrouted = head.unrouted_since.map(|since| since.plus_ms(REDRIVE_AFTER_MS));
    let waiting = head.waiting_since.map(|since| since.plus_ms(WAITING_CHECK_MS));
    let unsent = head.unsent.first().map(|unsent| unsent.since.plus_ms(REDRIVE_AFTER_MS));
    [clocks, unrouted, waiting, unsent].into_iter().flatten()
}

/// What is to be driven again at `now`.
pub fn overdue(head: &TicketHead, now: Moment) -> Overdue {
    let since = |at: Option<Moment>, ms: i64| at.is_some_and(|at| at.plus_ms(ms) <= now);
    Overdue {
        route: since(head.unrouted_since, REDRIVE_AFTER_MS) || since(head.waiting_since, WAITING_CHECK_MS),
        send: since(head.unsent.first().map(|unsent| unsent.since), REDRIVE_AFTER_MS),
    }
}

/// When to look again after a look at `now` that drove things again: what stays overdue is tried after a while, not at
/// once.
pub fn after_look(head: &TicketHead, now: Moment) -> Option<Moment> {
    reasons(head).map(|at| if at <= now { now.plus_ms(REDRIVE_AFTER_MS) } else { at }).min()
}

#[cfg(test)]
mod tests;
