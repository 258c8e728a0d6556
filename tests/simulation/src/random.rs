//! Random numbers of a seed. Every part of the simulation draws from a stream of its own, so that one more draw in one
//! part does not change all others.

use std::sync::{Mutex, PoisonError};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use throughline_domain::id::digest;

/// A stream of random numbers. Shared by reference; all that runs, runs on one thread.
#[derive(Debug)]
pub(crate) struct Random(Mutex<ChaCha8Rng>);

impl Random {
    /// The stream of this name.
    pub(crate) fn of(seed: u64, stream: &str) -> Self {
        let seed = digest(&[b"simulation", &seed.to_be_bytes(), stream.as_bytes()]);
        Self(Mutex::new(ChaCha8Rng::from_seed(seed)))
    }

    /// Any number.
    pub(crate) fn draw(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).next_u64()
    }

    /// A number from 0 to below `end`, which is at least 1.
    pub(crate) fn below(&self, end: u64) -> u64 {
        self.draw() % end.max(1)
    }

    /// A number from `first` to `last`.
    pub(crate) fn between(&self, first: u64, last: u64) -> u64 {
        first + self.below(last.saturating_sub(first) + 1)
    }

    /// True this many times in a thousand.
    pub(crate) fn chance(&self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }

    /// A place in a list of this length.
    pub(crate) fn place(&self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or_default()
    }

    /// One of a list.
    pub(crate) fn pick<'a, T>(&self, list: &'a [T]) -> &'a T {
        &list[self.place(list.len())]
    }

    /// A name of 16 hexadecimal digits.
    pub(crate) fn name(&self) -> String {
        format!("{:016x}", self.draw())
    }
}
