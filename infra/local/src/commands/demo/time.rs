//! The demo's time: the machine's against a running system, and hours ahead of it in a system of its own, where a day can
//! pass between two steps.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use throughline_domain::moment::Moment;
use throughline_platform::clock::Clock;

/// An hour, in milliseconds.
pub(super) const HOUR_MS: i64 = 3_600_000;
/// A day, in milliseconds.
pub(super) const DAY_MS: i64 = 24 * HOUR_MS;
/// When the day begins, after midnight (UTC).
const BEGINS_MS: i64 = 14 * HOUR_MS;

/// What time it is.
#[derive(Clone)]
pub(super) struct Time {
    /// How far ahead of the machine's it is, in milliseconds; nothing where it cannot be set.
    ahead_ms: Option<Arc<AtomicI64>>,
}

impl Time {
    /// The machine's.
    pub(super) fn of_the_machine() -> Self {
        Self { ahead_ms: None }
    }

    /// One that is two o'clock in the afternoon now.
    pub(super) fn from_two() -> Self {
        let since_midnight = Clock::System.now().ms().rem_euclid(DAY_MS);
        let ahead = (BEGINS_MS - since_midnight).rem_euclid(DAY_MS);
        Self { ahead_ms: Some(Arc::new(AtomicI64::new(ahead))) }
    }

    /// The clock of a system that keeps this time.
    pub(super) fn clock(&self) -> Clock {
        let Some(ahead) = self.ahead_ms.clone() else {
            return Clock::System;
        };
        Clock::Given(Arc::new(move || Clock::System.now().plus_ms(ahead.load(Ordering::SeqCst))))
    }

    /// Now.
    pub(super) fn now(&self) -> Moment {
        self.clock().now()
    }

    /// Lets time pass, where it can be set. Says whether.
    pub(super) fn pass(&self, ms: i64) -> bool {
        let passed = self.ahead_ms.as_ref().map(|ahead| ahead.fetch_add(ms, Ordering::SeqCst));
        passed.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_at_two_and_goes_on_when_told() {
        let time = Time::from_two();
        let hour = |time: &Time| time.now().to_string()[11..13].to_owned();
        assert_eq!(hour(&time), "14");
        assert!(time.pass(3 * HOUR_MS));
        assert_eq!(hour(&time), "17");
        assert!(!Time::of_the_machine().pass(HOUR_MS), "a running system's time is its own");
    }
}
