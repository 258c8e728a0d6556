//! Where time comes from. Decisions take it as an argument; functions ask here once a record.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use throughline_domain::moment::Moment;

/// A source of time.
#[derive(Clone, Default)]
pub enum Clock {
    /// The machine's.
    #[default]
    System,
    /// One that is set by hand: tests, and checks fired for another time.
    Manual(Arc<AtomicI64>),
    /// One that somebody else keeps: the virtual time of a simulation.
    Given(Arc<dyn Fn() -> Moment + Send + Sync>),
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

impl Clock {
    /// A clock that stands at this moment until it is set.
    pub fn at(moment: Moment) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(moment.ms())))
    }

    /// Now.
    pub fn now(&self) -> Moment {
        match self {
            Self::System => machine_now(),
            Self::Manual(ms) => Moment::from_ms(ms.load(Ordering::SeqCst)),
            Self::Given(now) => now(),
        }
    }

    /// Sets a manual clock; others are left alone.
    pub fn set(&self, moment: Moment) {
        if let Self::Manual(ms) = self {
            ms.store(moment.ms(), Ordering::SeqCst);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
fn machine_now() -> Moment {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Moment::from_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
