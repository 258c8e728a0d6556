//! What happened in a seed, line by line in virtual time: the same for the same seed, byte for byte.

use std::fmt::{Arguments, Write as _};
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// The trace of a seed.
#[derive(Debug)]
pub(crate) struct Trace {
    begin: Instant,
    text: Mutex<String>,
}

impl Trace {
    /// An empty trace whose time begins now.
    pub(crate) fn begin() -> Self {
        Self { begin: Instant::now(), text: Mutex::default() }
    }

    /// Adds a line about somebody.
    pub(crate) fn line(&self, who: &str, what: Arguments<'_>) {
        let ms = Instant::now().duration_since(self.begin).as_millis();
        let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        // Writing to a string does not fail.
        let _ = writeln!(text, "{ms:>9} {who:<20} {what}");
    }

    /// All of it.
    pub(crate) fn text(&self) -> String {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
