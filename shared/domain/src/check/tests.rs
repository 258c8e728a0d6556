//! Tests of the next look.

use super::*;
use crate::event::EventData;
use crate::testing::{Log, MINUTE, applied, noon, reply};
use crate::ticket::Unsent;

fn after(ms: i64) -> Moment {
    noon().plus_ms(ms)
}

/// A ticket that nothing is to be done for.
fn quiet() -> TicketHead {
    TicketHead { unrouted_since: None, ..Log::of(1).now().head }
}

#[test]
fn the_next_look_is_at_what_comes_first() {
    let mut head = quiet();
    assert_eq!((next_check(&head), after_look(&head, noon())), (None, None));
    head.waiting_since = Some(noon());
    assert_eq!(next_check(&head), Some(after(WAITING_CHECK_MS)));
    head.sla = Log::of(1).then(noon(), [EventData::SlaApplied(applied("always"))]).now().head.sla;
    assert_eq!(next_check(&head), Some(after(WAITING_CHECK_MS)), "the warning comes after 48 minutes");
    head.waiting_since = None;
    assert_eq!(next_check(&head), Some(after(48 * MINUTE)));
    head.unrouted_since = Some(after(MINUTE));
    assert_eq!(next_check(&head), Some(after(MINUTE + REDRIVE_AFTER_MS)));
    // The oldest unsent reply counts.
    head.unsent = vec![Unsent { sequence: 2, since: noon() }, Unsent { sequence: 3, since: after(MINUTE) }];
    assert_eq!(next_check(&head), Some(after(REDRIVE_AFTER_MS)));
}

#[test]
fn what_the_stream_should_have_carried_is_driven_again() {
    let fresh = Log::of(1).then(noon(), [reply(true)]).now().head;
    assert_eq!(overdue(&fresh, after(REDRIVE_AFTER_MS - 1)), Overdue::default());
    assert_eq!(overdue(&fresh, after(REDRIVE_AFTER_MS)), Overdue { route: true, send: true });
    let waiting = TicketHead { waiting_since: Some(noon()), ..quiet() };
    assert_eq!(overdue(&waiting, after(WAITING_CHECK_MS - 1)), Overdue::default());
    assert_eq!(overdue(&waiting, after(WAITING_CHECK_MS)), Overdue { route: true, send: false });
}

#[test]
fn a_look_that_changes_nothing_is_repeated_later_and_delays_nothing_else() {
    let mut head = TicketHead { waiting_since: Some(noon()), ..quiet() };
    let now = after(WAITING_CHECK_MS);
    assert_eq!(after_look(&head, now), Some(now.plus_ms(REDRIVE_AFTER_MS)));
    assert_eq!(after_look(&head, noon()), Some(now), "nothing was due");
    // A reply gets overdue sooner than that.
    head.unsent = vec![Unsent { sequence: 2, since: now.plus_ms(-20_000) }];
    assert_eq!(after_look(&head, now), Some(now.plus_ms(REDRIVE_AFTER_MS - 20_000)));
}
