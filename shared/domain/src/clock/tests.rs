//! Table tests of the clocks, and that no verdict depends on sweeps.

use super::*;
use crate::channel::Channel;
use crate::config::HOUR_MS;
use crate::event::NoteAdded;
use crate::message::{AutomaticKind, Message};
use crate::testing::{MINUTE, applied, at, automatic, calendar, customer, message, noon, received, reply, status};
use Status::{Closed, New, OnHold, Open, Pending, Resolved};
use TargetKind::{FirstResponse, NextResponse, Resolution};
use proptest::prelude::*;

/// How far behind a sweep looks.
const LAG_MS: i64 = 10_000;

/// A ticket's clocks, driven as commits drive them: breaches first, then what happens, then what it meets.
#[derive(Clone, Debug)]
struct Run {
    sla: Sla,
    calendar: Calendar,
    status: Status,
    /// Verdicts in the order of recording.
    verdicts: Vec<EventData>,
}

impl Run {
    fn started(calendar_id: &str, at: Moment) -> Self {
        let calendar = calendar(calendar_id);
        let sla = start(&applied(calendar_id), New, at, &calendar);
        Self { sla, calendar, status: New, verdicts: Vec::new() }
    }

    /// From [`noon`] on, with clocks that never rest.
    fn around_the_clock() -> Self {
        Self::started("always", noon())
    }

    fn step(&mut self, event: EventData, at: Moment) {
        step(&mut self.sla, &event, at, &self.calendar);
        if matches!(event, EventData::SlaMet(_) | EventData::SlaBreached(_)) {
            self.verdicts.push(event);
        }
    }

    fn happens(mut self, at: Moment, event: EventData) -> Self {
        let before: Vec<_> = overdue(&self.sla, at).collect();
        let after = met(&self.sla, &event, at);
        before.into_iter().chain([event]).chain(after).for_each(|event| self.step(event, at));
        self
    }

    fn becomes(mut self, at: Moment, to: Status) -> Self {
        let change = status(self.status, to);
        self.status = to;
        self.happens(at, change)
    }

    fn asks(self, at: Moment) -> Self {
        self.asked(at, at)
    }

    /// A message that was accepted earlier than it is recorded.
    fn asked(self, received_at: Moment, at: Moment) -> Self {
        let message = Message { received_at, ..message(Channel::Email, "?") };
        self.happens(at, received(customer(1), message))
    }

    fn answers(self, at: Moment) -> Self {
        self.happens(at, reply(true))
    }

    /// A sweep at `now`, with its commit if there is anything to record.
    fn swept(mut self, now: Moment) -> Self {
        let due = now.plus_ms(-LAG_MS);
        let found: Vec<_> = overdue(&self.sla, due).chain(warnings(&self.sla, due)).collect();
        found.into_iter().for_each(|event| self.step(event, now));
        self
    }

    fn clock(&self, target: TargetKind) -> Clock {
        *self.sla.clocks.iter().find(|clock| clock.target == target).unwrap()
    }
}

fn after(minutes: i64) -> Moment {
    noon().plus_ms(minutes * MINUTE)
}

#[test]
fn response_and_resolution_start_and_the_next_response_waits() {
    let run = Run::around_the_clock();
    assert_eq!(run.clock(FirstResponse).due_at, Some(after(60)));
    assert_eq!(run.clock(Resolution).due_at, Some(after(480)));
    assert_eq!((run.clock(NextResponse).due_at, run.clock(NextResponse).left_ms), (None, None));
    assert_eq!(next_due(&run.sla), Some(after(48)), "the warning at 80 % of an hour");
    let paused = start(&applied("always"), Pending, noon(), &run.calendar);
    assert!(paused.paused && paused.clocks.iter().all(|clock| clock.due_at.is_none()));
    assert_eq!((paused.clocks[0].left_ms, next_due(&paused)), (Some(HOUR_MS), None));
}

#[test]
fn clocks_pause_in_pending_and_run_on_with_what_is_left() {
    let run = Run::around_the_clock().becomes(after(20), Pending);
    assert_eq!((run.clock(FirstResponse).due_at, run.clock(FirstResponse).left_ms), (None, Some(40 * MINUTE)));
    assert_eq!(next_due(&run.sla), None);
    assert_eq!(run.clock(FirstResponse).remaining_ms(after(500), &run.calendar), Some(40 * MINUTE));
    let run = run.becomes(after(100), OnHold).becomes(after(200), Open);
    assert_eq!(run.clock(FirstResponse).due_at, Some(after(240)));
    assert_eq!(run.clock(FirstResponse).warn_at, Some(after(228)));
    assert_eq!(run.clock(Resolution).due_at, Some(after(480 + 180)));
    assert_eq!(run.verdicts, []);
}

#[test]
fn on_hold_over_a_holiday_costs_no_business_time() {
    // Eight hours from Wednesday 15:00; held from 16:00 over Christmas to Monday 09:00: seven hours are left.
    let run = Run::started("office", at("2026-12-23T15:00:00+01:00"))
        .becomes(at("2026-12-23T16:00:00+01:00"), OnHold)
        .becomes(at("2026-12-28T09:00:00+01:00"), Open);
    assert_eq!(run.clock(Resolution).due_at, Some(at("2026-12-28T17:00:00+01:00")));
    // Held outside working time: nothing is lost, nothing is won.
    let run = Run::started("office", at("2026-12-24T16:30:00+01:00"))
        .becomes(at("2026-12-24T20:00:00+01:00"), OnHold)
        .becomes(at("2026-12-27T12:00:00+01:00"), Open);
    assert_eq!(run.clock(FirstResponse).due_at, Some(at("2026-12-28T09:30:00+01:00")));
}

#[test]
fn reopening_lets_the_resolution_clock_run_on() {
    let resolved = Run::around_the_clock().answers(after(10)).becomes(after(60), Resolved);
    assert_eq!(resolved.clock(Resolution).met_at, Some(after(60)));
    assert_eq!(resolved.clock(Resolution).remaining_ms(after(61), &resolved.calendar), None);
    let reopened = resolved.clone().becomes(after(1_000), Open);
    assert_eq!(reopened.clock(Resolution).due_at, Some(after(1_000 + 420)), "seven hours were left");
    assert_eq!(reopened.clock(Resolution).met_at, None);
    assert_eq!(reopened.clock(FirstResponse).met_at, Some(after(10)), "what was answered stays answered");
    assert_eq!(reopened.clock(FirstResponse).due_at, None);
    // Closing what is resolved meets nothing twice.
    assert_eq!(resolved.clone().becomes(after(70), Closed).verdicts, resolved.verdicts);
}

#[test]
fn reopening_by_way_of_pending_lets_the_resolution_clock_run_on_too() {
    let pending = Run::around_the_clock().becomes(after(60), Resolved).becomes(after(100), Pending);
    assert_eq!((pending.clock(Resolution).met_at, pending.clock(Resolution).left_ms), (None, Some(7 * HOUR_MS)));
    let open = pending.becomes(after(200), Open);
    assert_eq!(open.clock(Resolution).due_at, Some(after(200 + 420)));
}

#[test]
fn only_a_person_s_public_reply_is_a_response() {
    let note = EventData::NoteAdded(Box::new(NoteAdded { message: message(Channel::Email, "who knows this one?") }));
    let run = Run::around_the_clock().happens(after(1), reply(false)).happens(after(2), note);
    assert_eq!((run.clock(FirstResponse).met_at, run.verdicts.len()), (None, 0));
    let run = run.answers(after(3));
    assert_eq!(run.verdicts, [EventData::SlaMet(SlaMet { target: FirstResponse, met_at: after(3), late: false })]);
    assert_eq!(next_due(&run.sla), run.clock(Resolution).warn_at, "only the resolution is left");
    assert_eq!(run.clone().answers(after(4)).verdicts, run.verdicts, "a second reply meets nothing");
}

#[test]
fn a_late_reply_records_the_breach_with_its_true_time_first() {
    let run = Run::around_the_clock().answers(after(75));
    let breached = EventData::SlaBreached(SlaBreached { target: FirstResponse, breached_at: after(60) });
    let met = EventData::SlaMet(SlaMet { target: FirstResponse, met_at: after(75), late: true });
    assert_eq!(run.verdicts, [breached, met]);
    let clock = run.clock(FirstResponse);
    assert_eq!((clock.breached_at, clock.met_at, clock.due_at), (Some(after(60)), Some(after(75)), None));
    // A pause does not hide it either, and what is late stays late.
    let run = Run::around_the_clock().becomes(after(61), Pending).becomes(after(90), Open).answers(after(91));
    assert_eq!(run.clock(FirstResponse).breached_at, Some(after(60)));
    assert!(matches!(run.verdicts[1], EventData::SlaMet(SlaMet { late: true, .. })));
}

#[test]
fn exactly_at_the_due_time_is_in_time() {
    let run = Run::around_the_clock();
    assert_eq!(overdue(&run.sla, after(60)).count(), 0);
    assert_eq!(overdue(&run.sla, after(60).plus_ms(1)).count(), 1);
    let met = EventData::SlaMet(SlaMet { target: FirstResponse, met_at: after(60), late: false });
    assert_eq!(run.clone().answers(after(60)).verdicts, [met]);
    // Paused at that very moment it has nothing left, and is due when it runs again.
    let run = run.becomes(after(60), Pending).becomes(after(90), Open);
    assert_eq!(run.clock(FirstResponse).due_at, Some(after(90)));
    assert!(matches!(run.answers(after(90)).verdicts[..], [EventData::SlaMet(SlaMet { late: false, .. })]));
}

#[test]
fn a_warning_comes_at_eighty_per_cent_and_once() {
    let run = Run::around_the_clock();
    assert_eq!(warnings(&run.sla, after(48).plus_ms(-1)).count(), 0);
    let warned = SlaWarned { target: FirstResponse, due_at: after(60), warned_at: after(48) };
    assert_eq!(warnings(&run.sla, after(50)).collect::<Vec<_>>(), [EventData::SlaWarned(warned)]);
    let run = run.swept(after(50));
    assert_eq!(run.clock(FirstResponse).warned_at, Some(after(48)));
    assert_eq!(warnings(&run.sla, after(51)).count(), 0);
    assert_eq!(next_due(&run.sla), Some(after(60)));
    // A pause afterwards does not warn again.
    let run = run.becomes(after(51), Pending).becomes(after(100), Open);
    assert_eq!(run.clock(FirstResponse).warn_at, None);
}

#[test]
fn nothing_warns_after_the_breach() {
    let run = Run::around_the_clock();
    assert_eq!(warnings(&run.sla, after(61)).count(), 0, "it is missed by then");
    let run = run.swept(after(61));
    assert_eq!(run.clock(FirstResponse).breached_at, Some(after(60)));
    assert_eq!(overdue(&run.sla, after(100)).count(), 0, "a breach is recorded once");
    assert_eq!((run.clock(FirstResponse).warn_at, run.clock(FirstResponse).warned_at), (None, None));
    assert_eq!(next_due(&run.sla), run.clock(Resolution).warn_at);
    let run = run.becomes(after(70), Pending).becomes(after(80), Open);
    assert_eq!(run.clock(FirstResponse).warn_at, None);
    assert_eq!(next_due(&run.sla), run.clock(Resolution).warn_at, "and never needs looking at again");
}

#[test]
fn the_next_response_runs_from_the_first_unanswered_message() {
    let run = Run::around_the_clock().asks(after(5));
    assert_eq!(run.clock(NextResponse).due_at, None, "the first response is still owed");
    let run = run.answers(after(10)).asks(after(20));
    assert_eq!(run.clock(NextResponse).due_at, Some(after(140)));
    let run = run.asks(after(60));
    assert_eq!(run.clock(NextResponse).due_at, Some(after(140)), "asking again does not put it off");
    let run = run.answers(after(70));
    assert_eq!(run.clock(NextResponse).met_at, Some(after(70)));
    let run = run.asks(after(100)).swept(after(230));
    assert_eq!((run.clock(NextResponse).met_at, run.clock(NextResponse).breached_at), (None, Some(after(220))));
    let run = run.answers(after(240)).asks(after(300));
    assert_eq!((run.clock(NextResponse).due_at, run.clock(NextResponse).breached_at), (Some(after(420)), None));
    // Asked while the ticket waits: it runs once the message has opened the ticket.
    let run = Run::around_the_clock().answers(after(1)).becomes(after(2), Pending).asks(after(50));
    assert_eq!(run.clock(NextResponse).left_ms, Some(2 * HOUR_MS));
    assert_eq!(run.becomes(after(50), Open).clock(NextResponse).due_at, Some(after(170)));
}

#[test]
fn the_next_response_runs_from_the_acceptance_however_late_it_is_recorded() {
    let answered = Run::around_the_clock().answers(after(1));
    for recorded in [20, 25, 90] {
        let run = answered.clone().asked(after(20), after(recorded));
        assert_eq!(run.clock(NextResponse).due_at, Some(after(140)), "recorded at {recorded}");
    }
    let mut late = received(customer(1), Message { received_at: after(20), ..message(Channel::Email, "?") });
    if let EventData::MessageReceived(received) = &mut late {
        received.late = true;
    }
    assert_eq!(answered.happens(after(90), late).clock(NextResponse).due_at, Some(after(210)));
}

#[test]
fn a_policy_that_promises_only_next_responses_keeps_them() {
    let mut applied = applied("always");
    applied.targets.retain(|target| target.target == NextResponse);
    let mut run = Run::around_the_clock();
    run.sla = start(&applied, New, noon(), &run.calendar);
    assert_eq!(run.asks(after(5)).clock(NextResponse).due_at, Some(after(125)));
}

#[test]
fn automatic_mail_starts_nothing() {
    let run = Run::around_the_clock().answers(after(1));
    for kind in [AutomaticKind::AutoReply, AutomaticKind::Bulk, AutomaticKind::Bounce, AutomaticKind::List] {
        let mail = automatic(message(Channel::Email, "I am away"), kind);
        let sla = run.clone().happens(after(5), received(customer(1), mail)).sla;
        assert_eq!(sla, run.sla, "{kind:?}");
    }
}

#[test]
fn a_target_that_no_calendar_can_hold_asks_for_no_look() {
    let mut applied = applied("always");
    // More than the ten years that are looked ahead, though the warning lies within them.
    applied.targets[2].business_ms = 4_000 * 24 * HOUR_MS;
    let sla = start(&applied, New, noon(), &calendar("always"));
    assert_eq!((sla.clocks[2].due_at, sla.clocks[2].warn_at), (None, None));
}

/// What may happen to a ticket.
fn happenings() -> impl Strategy<Value = Vec<(i64, u8)>> {
    // Gaps that often fall exactly on a due or warning time, and others.
    let gap = prop_oneof![
        prop::sample::select(vec![0, 1, 12 * MINUTE, 48 * MINUTE, HOUR_MS, HOUR_MS + 1, 2 * HOUR_MS, 8 * HOUR_MS]),
        0..3 * HOUR_MS,
        0..80 * HOUR_MS,
    ];
    prop::collection::vec((gap, 0_u8..10), 1..14)
}

fn happen(run: Run, at: Moment, what: u8) -> Run {
    let all = [New, Open, Pending, OnHold, Resolved, Closed];
    match what {
        0 | 1 => run.asks(at),
        2 => run.answers(at),
        3 => run.happens(at, reply(false)),
        4 => run.happens(at, received(customer(1), automatic(message(Channel::Email, ""), AutomaticKind::AutoReply))),
        other => run.becomes(at, all[usize::from(other - 4)]),
    }
}

/// Everything about the clocks but their warnings, and all verdicts there ever were.
fn outcome(mut run: Run) -> (Sla, Vec<String>) {
    for clock in &mut run.sla.clocks {
        (clock.warn_at, clock.warned_at) = (None, None);
    }
    let mut verdicts: Vec<String> = run.verdicts.iter().map(|event| format!("{event:?}")).collect();
    verdicts.sort();
    (run.sla, verdicts)
}

proptest! {
    #[test]
    fn verdicts_do_not_depend_on_sweeps(
        office in any::<bool>(),
        happenings in happenings(),
        sweeps in prop::collection::vec(0_i64..200 * HOUR_MS, 0..30),
        soon in prop::collection::vec(0_i64..2 * LAG_MS, 0..14),
    ) {
        let started = Run::started(if office { "office" } else { "always" }, noon());
        let (mut unswept, mut swept) = (started.clone(), started);
        let mut now = noon();
        // Sweeps at any time, and some that come so soon after something happened that they must not judge it yet.
        let happened = happenings.iter().scan(0, |at, (gap, _)| {
            *at += gap;
            Some(*at)
        });
        let (mut sweeps, mut last) = (sweeps, 0);
        sweeps.extend(happened.zip(soon).map(|(at, soon)| at + soon));
        sweeps.sort_unstable();
        for (gap, what) in happenings {
            now = now.plus_ms(gap);
            let until = now.since_ms(noon());
            for sweep in sweeps.iter().filter(|sweep| (last..until).contains(*sweep)) {
                swept = swept.swept(noon().plus_ms(*sweep));
            }
            last = until;
            unswept = happen(unswept, now, what);
            swept = happen(swept, now, what);
        }
        let end = now.plus_ms(1_000 * HOUR_MS);
        prop_assert_eq!(outcome(unswept.swept(end)), outcome(swept.swept(end)));
    }

    #[test]
    fn a_clock_is_running_or_standing_or_met_or_not_asked_for(happenings in happenings()) {
        let (mut run, mut now) = (Run::around_the_clock(), noon());
        for (gap, what) in happenings {
            now = now.plus_ms(gap);
            run = happen(run, now, what);
            prop_assert_eq!(run.sla.paused, matches!(run.status, Pending | OnHold | Resolved | Closed));
            for clock in &run.sla.clocks {
                prop_assert!(clock.due_at.is_none() || clock.left_ms.is_none(), "{clock:?}");
                prop_assert!(!run.sla.paused || clock.due_at.is_none(), "{clock:?}");
                prop_assert!(clock.met_at.is_none() || clock.due_at.is_none(), "{clock:?}");
                let owed = clock.target == Resolution && run.status.is_live();
                prop_assert!(!owed || clock.met_at.is_none(), "a live ticket is not resolved: {clock:?}");
            }
        }
    }
}
