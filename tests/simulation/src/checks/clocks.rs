//! Invariant 5: the verdicts of the clocks, worked out again from what people did, as if no check had ever run.

use std::collections::BTreeSet;

use throughline_domain::clock::{self, Sla, TargetKind};
use throughline_domain::event::{Commit, EventData};
use throughline_domain::moment::Moment;
use throughline_domain::ticket::Status;

use super::{Findings, Invariant, Kept, Rest};

type Breaches = BTreeSet<(TargetKind, Moment)>;

pub(super) fn check(rest: &Rest, swept_at: Moment, findings: &mut Findings) {
    for (id, kept) in &rest.tickets {
        let mut recorded = Breaches::new();
        for event in kept.log.iter().flat_map(|commit| &commit.events) {
            if let EventData::SlaBreached(breached) = &event.data {
                let new = recorded.insert((breached.target, breached.breached_at));
                findings.expect(new, Invariant::Verdicts, || format!("{id} records {breached:?} twice"));
            }
        }
        // What fell due after the last check may be recorded, and need not be.
        let least = breaches(rest, kept, swept_at);
        let most = breaches(rest, kept, rest.now);
        let right = recorded.is_superset(&least) && recorded.is_subset(&most);
        findings.expect(right, Invariant::Verdicts, || {
            format!("{id} records the breaches {recorded:?}, but these happened: {least:?} to {most:?}")
        });
    }
}

/// The breaches until a moment, from what people and routing did.
fn breaches(rest: &Rest, kept: &Kept, until: Moment) -> Breaches {
    let mut found = Breaches::new();
    let mut sla: Option<Sla> = None;
    let mut status = Status::New;
    for commit in &kept.log {
        if only_verdicts(commit) {
            continue;
        }
        if let Some(sla) = &mut sla {
            miss(rest, sla, commit.at, &mut found);
        }
        for event in &commit.events {
            match &event.data {
                EventData::SlaBreached(_) | EventData::SlaWarned(_) => continue,
                EventData::StatusChanged(change) => status = change.to,
                EventData::SlaApplied(applied) => {
                    let calendar = rest.calendars.get(&applied.calendar);
                    sla = calendar.map(|calendar| clock::start(applied, status, commit.at, calendar));
                }
                _ => {}
            }
            if let Some(sla) = &mut sla
                && let Some(calendar) = rest.calendars.get(&sla.calendar.clone())
            {
                clock::step(sla, &event.data, commit.at, calendar);
            }
        }
    }
    if let Some(sla) = &mut sla {
        miss(rest, sla, until, &mut found);
    }
    found
}

/// Whether nothing but the check made the commit.
fn only_verdicts(commit: &Commit) -> bool {
    commit.events.iter().all(|event| matches!(event.data, EventData::SlaBreached(_) | EventData::SlaWarned(_)))
}

/// Notes what fell due before a moment.
fn miss(rest: &Rest, sla: &mut Sla, at: Moment, found: &mut Breaches) {
    let missed: Vec<EventData> = clock::overdue(sla, at).collect();
    let Some(calendar) = rest.calendars.get(&sla.calendar.clone()) else { return };
    for event in missed {
        if let EventData::SlaBreached(breached) = &event {
            found.insert((breached.target, breached.breached_at));
        }
        clock::step(sla, &event, at, calendar);
    }
}
