//! Invariant 5: the verdicts of the clocks, worked out again from what people did, as if no check had ever run; and the
//! warnings, which only the check gives: each at the right time, and none forgotten.

use std::collections::BTreeSet;

use throughline_domain::clock::{self, Sla, TargetKind};
use throughline_domain::event::{Commit, Event, EventData, SlaWarned};
use throughline_domain::moment::Moment;
use throughline_domain::ticket::Status;

use super::{Findings, Invariant, Kept, Rest};

type Breaches = BTreeSet<(TargetKind, Moment)>;
/// Target, when it was met, and whether that was too late.
type Met = BTreeSet<(TargetKind, Moment, bool)>;

/// What the clocks of a ticket say.
#[derive(Default)]
struct Verdicts {
    breaches: Breaches,
    met: Met,
    /// Warnings for which it was not time.
    wrong: Vec<SlaWarned>,
    /// Warnings that are missing in the end.
    due: Vec<EventData>,
}

pub(super) fn check(rest: &Rest, swept_at: Moment, findings: &mut Findings) {
    for (id, kept) in &rest.tickets {
        let mut recorded = Breaches::new();
        let mut met = Met::new();
        for event in kept.log.iter().flat_map(|commit| &commit.events) {
            let new = match &event.data {
                EventData::SlaBreached(breached) => recorded.insert((breached.target, breached.breached_at)),
                EventData::SlaMet(now) => met.insert((now.target, now.met_at, now.late)),
                _ => true,
            };
            findings.expect(new, Invariant::Verdicts, || format!("{id} records {:?} twice", event.data));
        }
        // What fell due after the last check may be recorded, and need not be.
        let (least, most) = (verdicts(rest, kept, swept_at), verdicts(rest, kept, rest.now));
        let right = recorded.is_superset(&least.breaches) && recorded.is_subset(&most.breaches);
        findings.expect(right, Invariant::Verdicts, || {
            let (least, most) = (&least.breaches, &most.breaches);
            format!("{id} records the breaches {recorded:?}, but these happened: {least:?} to {most:?}")
        });
        findings.expect(met == most.met, Invariant::Verdicts, || {
            format!("{id} records that these were met: {met:?}, but these were: {:?}", most.met)
        });
        findings.expect(most.wrong.is_empty(), Invariant::Verdicts, || {
            format!("{id} warns of what is not near: {:?}", most.wrong)
        });
        findings.expect(least.due.is_empty(), Invariant::Verdicts, || {
            format!("{id} does not warn, though it is time: {:?}", least.due)
        });
    }
}

/// What the clocks say until a moment, from what people and routing did.
fn verdicts(rest: &Rest, kept: &Kept, until: Moment) -> Verdicts {
    let mut found = Verdicts::default();
    let mut sla: Option<Sla> = None;
    // The same as the log says it, breaches where they are recorded: who warns may not know yet what is missed.
    let mut logged: Option<Sla> = None;
    let mut status = Status::New;
    for commit in &kept.log {
        if let Some(sla) = sla.as_mut().filter(|_| !only_verdicts(commit)) {
            miss(rest, sla, commit.at, &mut found);
            meet(rest, sla, commit, &mut found);
        }
        for event in &commit.events {
            match &event.data {
                EventData::StatusChanged(change) => status = change.to,
                EventData::SlaApplied(applied) => {
                    let calendar = rest.calendars.get(&applied.calendar);
                    sla = calendar.map(|calendar| clock::start(applied, status, commit.at, calendar));
                    logged.clone_from(&sla);
                }
                EventData::SlaWarned(warned) if !is_due(warned, logged.as_ref(), commit.at) => {
                    found.wrong.push(*warned);
                }
                _ => {}
            }
            step(rest, logged.as_mut(), event, commit.at);
            // What the log says of the clocks is what is checked.
            if !matches!(event.data, EventData::SlaBreached(_) | EventData::SlaMet(_) | EventData::SlaWarned(_)) {
                step(rest, sla.as_mut(), event, commit.at);
            }
        }
    }
    if let Some(sla) = &mut sla {
        miss(rest, sla, until, &mut found);
    }
    found.due = logged.iter().flat_map(|sla| clock::warnings(sla, until).collect::<Vec<_>>()).collect();
    found
}

fn step(rest: &Rest, sla: Option<&mut Sla>, event: &Event, at: Moment) {
    let Some(sla) = sla else { return };
    if let Some(calendar) = rest.calendars.get(&sla.calendar.clone()) {
        clock::step(sla, &event.data, at, calendar);
    }
}

/// Whether it is time for a warning.
fn is_due(warned: &SlaWarned, sla: Option<&Sla>, at: Moment) -> bool {
    let times = (Some(warned.warned_at), Some(warned.due_at));
    let mut clocks = sla.iter().flat_map(|sla| &sla.clocks);
    warned.warned_at <= at
        && clocks.any(|clock| clock.target == warned.target && (clock.warn_at, clock.due_at) == times)
}

/// Whether nothing but the check made the commit.
fn only_verdicts(commit: &Commit) -> bool {
    commit.events.iter().all(|event| matches!(event.data, EventData::SlaBreached(_) | EventData::SlaWarned(_)))
}

/// Notes what a commit meets. A ticket that goes on on another one meets nothing.
fn meet(rest: &Rest, sla: &mut Sla, commit: &Commit, found: &mut Verdicts) {
    let Some(calendar) = rest.calendars.get(&sla.calendar.clone()) else { return };
    let goes_on = commit.events.iter().any(|event| matches!(event.data, EventData::TicketMerged(_)));
    let changes = commit.events.iter().filter(|_| !goes_on);
    let met: Vec<EventData> = changes.flat_map(|event| clock::met(sla, &event.data, commit.at)).collect();
    for event in met {
        if let EventData::SlaMet(met) = &event {
            found.met.insert((met.target, met.met_at, met.late));
        }
        clock::step(sla, &event, commit.at, calendar);
    }
}

/// Notes what fell due before a moment.
fn miss(rest: &Rest, sla: &mut Sla, at: Moment, found: &mut Verdicts) {
    let missed: Vec<EventData> = clock::overdue(sla, at).collect();
    let Some(calendar) = rest.calendars.get(&sla.calendar.clone()) else { return };
    for event in missed {
        if let EventData::SlaBreached(breached) = &event {
            found.breaches.insert((breached.target, breached.breached_at));
        }
        clock::step(sla, &event, at, calendar);
    }
}
