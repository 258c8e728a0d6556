//! Tests of the comparison.

use super::*;
use crate::check::next_check;
use crate::event::EventData;
use crate::testing::{Log, MINUTE, applied, customer, email, noon};
use crate::ticket::{Participant, Priority, Role, Status};

/// A ticket with clocks, and somebody else on it.
fn kept() -> Ticket {
    let colleague =
        Participant { customer_id: Some(customer(9)), identifier: email("bob@example.org"), role: Role::Colleague };
    Log::of(1).then(noon(), [EventData::SlaApplied(applied("always")), EventData::ParticipantAdded(colleague)]).now()
}

#[test]
fn what_is_stored_as_the_log_says_does_not_differ() {
    assert_eq!(ticket(&kept(), &kept()), []);
}

#[test]
fn each_field_that_differs_is_named_with_both_sides() {
    type Damage = fn(&mut Ticket);
    let cases: [(Damage, &str, &str); 7] = [
        (|ticket| ticket.head.status = Status::Resolved, "status", "\"resolved\""),
        (|ticket| ticket.head.priority = Priority::Urgent, "priority", "\"urgent\""),
        (|ticket| ticket.head.version += 1, "version", "3"),
        (|ticket| ticket.head.message_count = 7, "message_count", "7"),
        (|ticket| ticket.head.unrouted_since = None, "unrouted_since", NOTHING),
        (|ticket| ticket.detail.participants.clear(), "detail.participants", NOTHING),
        (|ticket| ticket.detail.tags.push("vip".to_owned()), "detail.tags", "[\"vip\"]"),
    ];
    for (damage, field, stored) in cases {
        let mut damaged = kept();
        damage(&mut damaged);
        let found = ticket(&damaged, &kept());
        let [difference] = found.as_slice() else { panic!("{field}: {found:?}") };
        assert_eq!(difference.of, Derived::Ticket(damaged.head.id));
        assert_eq!((difference.field.as_str(), difference.stored.as_str()), (field, stored));
        assert_ne!(difference.log, difference.stored);
    }
    let mut damaged = kept();
    damaged.head.sla = None;
    let found = ticket(&damaged, &kept());
    assert!(!found.is_empty() && found.iter().all(|difference| difference.field.starts_with("sla")), "{found:?}");
}

#[test]
fn a_look_may_come_early_and_never_late() {
    let head = kept().head;
    let needed = next_check(&head).unwrap();
    let early = needed.plus_ms(-MINUTE);
    assert_eq!(next_look(&head, Some(needed), early.plus_ms(-REDRIVE_AFTER_MS)), None);
    assert_eq!(next_look(&head, Some(early), early), None);
    let late = next_look(&head, Some(needed.plus_ms(1)), early.plus_ms(-REDRIVE_AFTER_MS)).unwrap();
    assert_eq!(late.field, "check_at");
    assert!(next_look(&head, None, early).is_some(), "a ticket that needs a look has one");
    // Driven again a moment ago: not yet again.
    assert_eq!(next_look(&head, Some(needed.plus_ms(REDRIVE_AFTER_MS)), needed), None);
    let quiet = crate::ticket::TicketHead { sla: None, unrouted_since: None, ..head };
    assert_eq!(next_look(&quiet, None, needed), None);
    assert_eq!(next_look(&quiet, Some(needed), needed), None, "a look for nothing is no harm");
}

#[test]
fn differences_read_as_sentences() {
    let of = Derived::Agent("mia".parse().unwrap());
    let difference = Difference::new(of, "load", "40", "30");
    assert_eq!(difference.to_string(), "agent mia: load is 40, the log says 30");
}
