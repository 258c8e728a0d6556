//! Suppression: names to which nothing is sent, because nothing reaches them or their owner wants nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::message::truncated;
use crate::moment::Moment;

/// Longest reason that is kept, in bytes.
const REASON_BYTES_MAX: usize = 500;

/// Why nothing is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SuppressionKind {
    /// A message came back, and every other one would: there is no such address.
    Unreachable,
    /// The recipient marked a message as spam.
    Complained,
    /// The recipient said that they want no more.
    OptedOut,
    /// Messages are sent again: the name was suppressed, and is not any more.
    Lifted,
}

/// What is known of a name to which nothing is, or was not, sent. The latest of several counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Suppression {
    /// Why.
    pub kind: SuppressionKind,
    /// In words.
    pub reason: String,
    /// Since when.
    pub at: Moment,
}

impl Suppression {
    /// A suppression, or the end of one.
    pub fn new(kind: SuppressionKind, reason: &str, at: Moment) -> Self {
        Self { kind, reason: truncated(reason, REASON_BYTES_MAX).to_owned(), at }
    }

    /// Whether nothing may be sent.
    pub fn holds(&self) -> bool {
        self.kind != SuppressionKind::Lifted
    }
}

impl std::fmt::Display for Suppression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = match self.kind {
            SuppressionKind::Unreachable => "cannot be reached",
            SuppressionKind::Complained => "complained",
            SuppressionKind::OptedOut => "wants no messages",
            SuppressionKind::Lifted => "gets messages again",
        };
        write!(f, "{what} since {}", self.at)?;
        if self.reason.is_empty() { Ok(()) } else { write!(f, " ({})", self.reason) }
    }
}
