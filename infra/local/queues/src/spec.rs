//! The settings of a queue.

use crate::limits::VISIBILITY_TIMEOUT_DEFAULT;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Ending of the name that a FIFO queue must have and another must not.
pub(crate) const FIFO_SUFFIX: &str = ".fifo";

/// The settings of a queue. Start from [`QueueSpec::fifo`] or [`QueueSpec::standard`] and change what differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueSpec {
    /// Name: letters, digits, `-` and `_`, at most 80 characters; ends in `.fifo` exactly when `fifo` is set.
    pub name: String,
    /// Keep order within groups and de-duplicate.
    pub fifo: bool,
    /// Use the SHA-256 of the body where a sender gives no de-duplication id. FIFO only.
    pub content_based_deduplication: bool,
    /// How long a received message stays in flight before it becomes visible again; at most 12 hours.
    pub visibility_timeout: Duration,
    /// How long a sent message stays invisible first; at most 15 minutes.
    pub delay: Duration,
    /// Long-poll time of receives that do not say; at most 20 seconds.
    pub receive_wait: Duration,
    /// Where messages go that were received too often.
    pub dead_letter: Option<DeadLetter>,
}

/// A redrive policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Name of the dead-letter queue; must exist and be of the same kind.
    pub queue: String,
    /// A message that was received this often goes there at the next receive; 1 to 1,000.
    pub max_receive_count: u32,
}

impl QueueSpec {
    /// A standard queue with the defaults of SQS.
    pub fn standard(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            fifo: false,
            content_based_deduplication: false,
            visibility_timeout: VISIBILITY_TIMEOUT_DEFAULT,
            delay: Duration::ZERO,
            receive_wait: Duration::ZERO,
            dead_letter: None,
        }
    }

    /// A FIFO queue with the defaults of SQS; `name` ends in `.fifo`.
    pub fn fifo(name: impl Into<String>) -> Self {
        Self { fifo: true, ..Self::standard(name) }
    }

    /// The same with another visibility time-out.
    #[must_use]
    pub fn visibility_timeout(self, visibility_timeout: Duration) -> Self {
        Self { visibility_timeout, ..self }
    }

    /// The same with a dead-letter queue.
    #[must_use]
    pub fn dead_letter(self, queue: impl Into<String>, max_receive_count: u32) -> Self {
        Self { dead_letter: Some(DeadLetter { queue: queue.into(), max_receive_count }), ..self }
    }
}

/// Where clients reach the queue.
pub(crate) fn url(name: &str) -> String {
    format!("{}{name}", crate::QUEUE_URL_PREFIX)
}

/// The resource name of the queue.
pub(crate) fn arn(name: &str) -> String {
    format!("{}{name}", crate::QUEUE_ARN_PREFIX)
}
