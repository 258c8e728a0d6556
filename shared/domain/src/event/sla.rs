//! Events of service levels.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::calendar::CalendarRef;
use crate::clock::{PolicyRef, Target, TargetKind};
use crate::moment::Moment;
use crate::ticket::Status;

/// A service-level policy was applied: policy and calendar are pinned by version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SlaApplied {
    /// The policy.
    pub policy: PolicyRef,
    /// The calendar that its business time runs in.
    pub calendar: CalendarRef,
    /// The targets.
    pub targets: Vec<Target>,
    /// Statuses in which the clocks stand still.
    pub pause_in: Vec<Status>,
    /// Share of a target after which it warns, in per cent.
    pub warn_at_percent: u8,
}

/// A target comes near.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SlaWarned {
    /// Which.
    pub target: TargetKind,
    /// When it is due.
    pub due_at: Moment,
    /// When the warning was due.
    pub warned_at: Moment,
}

/// A target was met in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SlaMet {
    /// Which.
    pub target: TargetKind,
    /// When.
    pub met_at: Moment,
    /// Whether it was met after it had been missed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
}

/// A target was missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SlaBreached {
    /// Which.
    pub target: TargetKind,
    /// The true time of the breach, whenever it was noticed.
    pub breached_at: Moment,
}
