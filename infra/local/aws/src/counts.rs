//! Counting requests and the units that the table bills.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::connector::{Call, Service};

tokio::task_local! {
    /// On whose account requests are counted: set around a handler with `STAGE.scope("upsert-ticket", …)`. Tasks that a
    /// handler spawns do not inherit it. Without it the stage is empty.
    pub static STAGE: &'static str;
}

/// What is counted apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallKey {
    /// Value of [`STAGE`], or empty.
    pub stage: &'static str,
    /// Service and operation.
    pub call: Call,
}

/// How much there was of something.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// Requests that reached the service, whatever it answered.
    pub requests: u64,
    /// Read request units of the table.
    pub read_units: f64,
    /// Write request units of the table. DynamoDB also bills writes whose condition failed, but does not say so in the
    /// error, and neither does this.
    pub write_units: f64,
    /// Bytes of the bodies of requests and answers.
    pub bytes: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.bytes += other.bytes;
        self.read_units += other.read_units;
        self.write_units += other.write_units;
    }
}

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// By stage, service and operation.
    pub calls: BTreeMap<CallKey, Tally>,
    /// Write units of the table by stage and kind of item: the beginnings of its keys, such as `TICKET EVENT`, or
    /// [`INDEXES`].
    pub items: BTreeMap<(&'static str, String), f64>,
}

/// What stands for the writes of indexes in [`Counts::items`].
pub const INDEXES: &str = "(indexes)";

impl Counts {
    /// Everything.
    pub fn total(&self) -> Tally {
        self.sum(|_| true)
    }

    /// Everything of a stage.
    pub fn stage(&self, stage: &str) -> Tally {
        self.sum(|key| key.stage == stage)
    }

    /// Everything of an operation.
    pub fn operation(&self, service: Service, operation: &str) -> Tally {
        self.sum(|key| key.call.service == service && key.call.operation == operation)
    }

    /// Everything that `wanted` picks.
    pub fn sum(&self, wanted: impl Fn(&CallKey) -> bool) -> Tally {
        let mut sum = Tally::default();
        for (_, tally) in self.calls.iter().filter(|(key, _)| wanted(key)) {
            sum += *tally;
        }
        sum
    }
}

/// Units of one request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Units {
    pub(crate) read: f64,
    pub(crate) write: f64,
    /// Kinds of the items that it writes, with the units of each in the table itself.
    pub(crate) items: Vec<(String, f64)>,
}

/// Counts while it is on.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    on: AtomicBool,
    counts: Mutex<Counts>,
}

impl Counter {
    pub(crate) fn switch(&self, on: bool) {
        self.on.store(on, Ordering::Relaxed);
    }

    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, call: &Call, units: Units, bytes: u64) {
        let stage = STAGE.try_with(|stage| *stage).unwrap_or_default();
        let tally = Tally { requests: 1, read_units: units.read, write_units: units.write, bytes };
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        // Nothing was written when nothing was consumed: a condition failed.
        if units.write > 0.0 {
            let indexes = units.write - units.items.iter().map(|(_, units)| units).sum::<f64>();
            let indexes = Some((INDEXES.to_owned(), indexes)).filter(|(_, units)| *units > 0.0);
            for (kind, units) in units.items.into_iter().chain(indexes) {
                *counts.items.entry((stage, kind)).or_default() += units;
            }
        }
        *counts.calls.entry(CallKey { stage, call: call.clone() }).or_default() += tally;
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn reset(&self) -> Counts {
        std::mem::take(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
