//! Where random numbers come from. Decisions take none; what has to be drawn, names that nobody may guess and the waits
//! before a lost race is decided again, is asked for here.

use std::sync::Arc;

use rand::Rng;
use uuid::Uuid;

/// A source of random numbers.
#[derive(Clone, Default)]
pub enum Randomness {
    /// The machine's.
    #[default]
    System,
    /// One that somebody else keeps: the seed of a simulation.
    Given(Arc<dyn Fn() -> u64 + Send + Sync>),
}

impl std::fmt::Debug for Randomness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::System => "Randomness(System)",
            Self::Given(_) => "Randomness(Given)",
        })
    }
}

impl Randomness {
    /// A name that nobody can guess (UUIDv4).
    pub fn uuid(&self) -> Uuid {
        match self {
            Self::System => Uuid::new_v4(),
            Self::Given(draw) => uuid::Builder::from_random_bytes(pair(draw(), draw())).into_uuid(),
        }
    }

    /// A number from 0 to below 1.
    pub fn fraction(&self) -> f64 {
        match self {
            Self::System => rand::rng().random_range(0.0..1.0),
            #[expect(clippy::cast_precision_loss, reason = "32 bits fit a double exactly")]
            Self::Given(draw) => (draw() >> 32) as f64 / (1_u64 << 32) as f64,
        }
    }
}

fn pair(first: u64, second: u64) -> [u8; 16] {
    ((u128::from(first) << 64) | u128::from(second)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_decides_all() {
        let given = Randomness::Given(Arc::new(|| u64::MAX));
        assert_eq!(given.uuid().to_string(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert!(given.fraction() < 1.0);
        assert_ne!(Randomness::System.uuid(), Randomness::System.uuid());
    }
}
