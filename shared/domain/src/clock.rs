//! Service-level clocks: an accumulator that events advance in constant time.
//!
//! A clock runs in business time of a pinned calendar towards `due_at`, stands still with `left_ms`, or is met. Verdicts
//! do not depend on when anybody looked: a breach carries its true time, and a change that comes after an unnoticed
//! breach records the breach first ([`overdue`]).

mod packed;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::calendar::{Calendar, CalendarRef};
use crate::event::{EventData, SlaApplied, SlaBreached, SlaMet, SlaWarned};
use crate::moment::Moment;
use crate::ticket::Status;

/// What is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// The first human public reply.
    FirstResponse,
    /// Every further human public reply after a message of the customer.
    NextResponse,
    /// The resolution.
    Resolution,
}

impl TargetKind {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FirstResponse => "first_response",
            Self::NextResponse => "next_response",
            Self::Resolution => "resolution",
        }
    }
}

/// A promise and its business time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// What is promised.
    pub target: TargetKind,
    /// Within which business time, in milliseconds.
    pub business_ms: i64,
}

/// The name of a policy at a version of the SLA rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyRef {
    /// Its name.
    pub id: String,
    /// The version of the rules.
    pub version: u64,
}

/// The service-level accumulator of a ticket. Stored packed, for it stands on every head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "packed::PackedSla", from = "packed::PackedSla")]
pub struct Sla {
    /// The policy, pinned.
    pub policy: PolicyRef,
    /// The calendar, pinned.
    pub calendar: CalendarRef,
    /// Statuses in which the clocks stand still.
    pub pause_in: Vec<Status>,
    /// Share of a target after which it warns, in per cent.
    pub warn_at_percent: u8,
    /// The clocks stand still.
    pub paused: bool,
    /// One clock a target.
    pub clocks: Vec<Clock>,
}

/// One clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// What is promised.
    pub target: TargetKind,
    /// Within which business time, in milliseconds.
    pub business_ms: i64,
    /// When it is due; nothing while it stands still, is met, or is not asked for.
    pub due_at: Option<Moment>,
    /// When it warns; nothing once it did.
    pub warn_at: Option<Moment>,
    /// Business time left while it stands still, in milliseconds; negative when it is late.
    pub left_ms: Option<i64>,
    /// When the warning was due that was given.
    pub warned_at: Option<Moment>,
    /// When it was met.
    pub met_at: Option<Moment>,
    /// When it was missed.
    pub breached_at: Option<Moment>,
}

impl Clock {
    fn new(target: Target) -> Self {
        Self {
            target: target.target,
            business_ms: target.business_ms,
            due_at: None,
            warn_at: None,
            left_ms: None,
            warned_at: None,
            met_at: None,
            breached_at: None,
        }
    }

    /// Lets it run from `at` with this business time left.
    fn run(&mut self, at: Moment, left_ms: i64, warn_at_percent: u8, calendar: &Calendar) {
        self.left_ms = None;
        // Late clocks keep a due time in the past: what counts is that it was missed.
        self.due_at = if left_ms >= 0 { calendar.add(at, left_ms) } else { self.breached_at.or(Some(at)) };
        let quiet_ms = self.business_ms.saturating_mul(i64::from(100 - warn_at_percent.min(100))) / 100;
        let due_for_warning = self.due_at.is_some() && self.warned_at.is_none() && self.breached_at.is_none();
        self.warn_at = if due_for_warning { calendar.add(at, (left_ms - quiet_ms).max(0)) } else { None };
    }

    /// Stops it, keeping what is left.
    fn stop(&mut self, at: Moment, calendar: &Calendar) {
        if let Some(due_at) = self.due_at.take() {
            self.left_ms = Some(calendar.between(at, due_at));
            self.warn_at = None;
        }
    }

    /// Business time left at `now`, in milliseconds; nothing once it is met or while it is not asked for.
    pub fn remaining_ms(&self, now: Moment, calendar: &Calendar) -> Option<i64> {
        if self.met_at.is_some() {
            return None;
        }
        self.due_at.map(|due_at| calendar.between(now, due_at)).or(self.left_ms)
    }
}

/// The accumulator of a policy that was applied at `at` to a ticket in this status.
pub fn start(applied: &SlaApplied, status: Status, at: Moment, calendar: &Calendar) -> Sla {
    let paused = applied.pause_in.contains(&status) || !status.is_live();
    let mut clocks: Vec<Clock> = applied.targets.iter().map(|target| Clock::new(*target)).collect();
    for clock in &mut clocks {
        if clock.target == TargetKind::NextResponse {
            continue;
        }
        if paused {
            clock.left_ms = Some(clock.business_ms);
        } else {
            clock.run(at, clock.business_ms, applied.warn_at_percent, calendar);
        }
    }
    Sla {
        policy: applied.policy.clone(),
        calendar: applied.calendar.clone(),
        pause_in: applied.pause_in.clone(),
        warn_at_percent: applied.warn_at_percent,
        paused,
        clocks,
    }
}

/// Advances the accumulator by one event of a commit at `at`.
///
/// - A status in which the clocks pause, or a resolution, stops what runs; leaving it lets it run on with what is left,
///   the resolution clock too when a ticket is reopened.
/// - A message of the customer starts `next_response`, unless the first response is still owed.
/// - Verdict events mark their clock; `sla_met` stops it.
pub fn step(sla: &mut Sla, event: &EventData, at: Moment, calendar: &Calendar) {
    match event {
        EventData::StatusChanged(change) => {
            let still = |status: Status| sla.pause_in.contains(&status) || !status.is_live();
            let reopened = !change.from.is_live() && change.to.is_live();
            sla.paused = still(change.to);
            for clock in &mut sla.clocks {
                if reopened && clock.target == TargetKind::Resolution {
                    // Also where it is reopened into a status that pauses: what is live is not resolved.
                    clock.met_at = None;
                }
                if sla.paused {
                    clock.stop(at, calendar);
                } else if let (Some(left_ms), None) = (clock.left_ms, clock.met_at) {
                    clock.run(at, left_ms, sla.warn_at_percent, calendar);
                }
            }
        }
        EventData::MessageReceived(received) if received.message.automatic.is_none() => {
            let owed = sla.clocks.iter().any(|c| c.target == TargetKind::FirstResponse && c.met_at.is_none());
            let idle =
                |c: &&mut Clock| c.target == TargetKind::NextResponse && c.due_at.is_none() && c.left_ms.is_none();
            if let (false, Some(clock)) = (owed, sla.clocks.iter_mut().find(idle)) {
                // From when it was accepted, however long it took to be recorded; what comes late, or is moved here, starts now.
                let since_now = received.late || received.moved_from.is_some();
                let from = if since_now { at } else { received.message.received_at.min(at) };
                *clock = Clock::new(Target { target: clock.target, business_ms: clock.business_ms });
                if sla.paused {
                    // The message itself ends the pause, in the same commit.
                    clock.left_ms = Some(clock.business_ms - calendar.between(from, at));
                } else {
                    clock.run(from, clock.business_ms, sla.warn_at_percent, calendar);
                }
            }
        }
        EventData::SlaWarned(warned) => {
            if let Some(clock) = clock_mut(sla, warned.target) {
                clock.warned_at = Some(warned.warned_at);
                clock.warn_at = None;
            }
        }
        EventData::SlaBreached(breached) => {
            if let Some(clock) = clock_mut(sla, breached.target) {
                clock.breached_at = Some(breached.breached_at);
                clock.warn_at = None;
            }
        }
        EventData::SlaMet(met) => {
            if let Some(clock) = clock_mut(sla, met.target) {
                clock.stop(met.met_at, calendar);
                clock.met_at = Some(met.met_at);
                // Only a reopened resolution runs on with what was left.
                if clock.target != TargetKind::Resolution {
                    clock.left_ms = None;
                }
            }
        }
        _ => {}
    }
}

fn clock_mut(sla: &mut Sla, target: TargetKind) -> Option<&mut Clock> {
    sla.clocks.iter_mut().find(|clock| clock.target == target)
}

/// Breaches that happened before `at` and are not recorded yet: a change that a customer or an agent makes records them
/// first.
pub fn overdue(sla: &Sla, at: Moment) -> impl Iterator<Item = EventData> + '_ {
    let missed = sla.clocks.iter().filter(|clock| clock.breached_at.is_none());
    missed.filter_map(move |clock| {
        let due_at = clock.due_at.filter(|due_at| *due_at < at)?;
        Some(EventData::SlaBreached(SlaBreached { target: clock.target, breached_at: due_at }))
    })
}

/// Warnings that were due by `at` and whose target is not missed yet.
pub fn warnings(sla: &Sla, at: Moment) -> impl Iterator<Item = EventData> + '_ {
    sla.clocks.iter().filter_map(move |clock| {
        let warned_at = clock.warn_at.filter(|warn_at| *warn_at <= at)?;
        let due_at = clock.due_at.filter(|due_at| *due_at >= at)?;
        Some(EventData::SlaWarned(SlaWarned { target: clock.target, due_at, warned_at }))
    })
}

/// The targets that a change at `at` meets: responses by a human reply to the customer, the resolution by resolving.
pub fn met(sla: &Sla, change: &EventData, at: Moment) -> Vec<EventData> {
    let meets = |target: TargetKind| match (change, target) {
        (EventData::ReplySent(reply), TargetKind::FirstResponse | TargetKind::NextResponse) => reply.human,
        (EventData::StatusChanged(change), TargetKind::Resolution) => change.from.is_live() && !change.to.is_live(),
        _ => false,
    };
    let open = |clock: &&Clock| clock.met_at.is_none() && (clock.due_at.is_some() || clock.left_ms.is_some());
    let clocks = sla.clocks.iter().filter(open).filter(|clock| meets(clock.target));
    clocks
        .map(|clock| {
            let late = clock.breached_at.is_some() || clock.due_at.is_some_and(|due_at| due_at < at);
            EventData::SlaMet(SlaMet { target: clock.target, met_at: at, late })
        })
        .collect()
}

/// When a clock needs looking at next: its warning or its due time.
pub fn next_due(sla: &Sla) -> Option<Moment> {
    let warnings = sla.clocks.iter().filter_map(|clock| clock.warn_at);
    let missed = sla.clocks.iter().filter(|clock| clock.breached_at.is_none());
    warnings.chain(missed.filter_map(|clock| clock.due_at)).min()
}

#[cfg(test)]
mod tests;
