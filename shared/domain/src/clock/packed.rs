//! The accumulator as it is stored: lists instead of maps, milliseconds instead of texts. Every commit writes the head,
//! and every kilobyte of it is billed.

use serde::{Deserialize, Serialize};

use super::{Clock, PolicyRef, Sla, TargetKind};
use crate::calendar::CalendarRef;
use crate::moment::Moment;
use crate::ticket::Status;

/// Policy, calendar, when it pauses, when it warns, whether it is paused, clocks.
#[derive(Serialize, Deserialize)]
pub(super) struct PackedSla((String, u64), (String, u64), Vec<Status>, u8, bool, Vec<PackedClock>);

/// Target and its time; then, in milliseconds since 1970 or of business time: due, warns, left, warned, met, breached.
#[derive(Serialize, Deserialize)]
struct PackedClock(TargetKind, i64, [Option<i64>; 6]);

impl From<Sla> for PackedSla {
    fn from(sla: Sla) -> Self {
        let ms = |at: Option<Moment>| at.map(Moment::ms);
        let clocks = sla.clocks.into_iter().map(|clock| {
            let times = [
                ms(clock.due_at),
                ms(clock.warn_at),
                clock.left_ms,
                ms(clock.warned_at),
                ms(clock.met_at),
                ms(clock.breached_at),
            ];
            PackedClock(clock.target, clock.business_ms, times)
        });
        Self(
            (sla.policy.id, sla.policy.version),
            (sla.calendar.id, sla.calendar.version),
            sla.pause_in,
            sla.warn_at_percent,
            sla.paused,
            clocks.collect(),
        )
    }
}

impl From<PackedSla> for Sla {
    fn from(packed: PackedSla) -> Self {
        let PackedSla(
            (policy, policy_version),
            (calendar, calendar_version),
            pause_in,
            warn_at_percent,
            paused,
            clocks,
        ) = packed;
        let at = |ms: Option<i64>| ms.map(Moment::from_ms);
        let clocks = clocks.into_iter().map(|PackedClock(target, business_ms, times)| {
            let [due, warn, left_ms, warned, met, breached] = times;
            Clock {
                target,
                business_ms,
                due_at: at(due),
                warn_at: at(warn),
                left_ms,
                warned_at: at(warned),
                met_at: at(met),
                breached_at: at(breached),
            }
        });
        Self {
            policy: PolicyRef { id: policy, version: policy_version },
            calendar: CalendarRef { id: calendar, version: calendar_version },
            pause_in,
            warn_at_percent,
            paused,
            clocks: clocks.collect(),
        }
    }
}
