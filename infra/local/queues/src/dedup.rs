//! The de-duplication window of one FIFO queue: which ids were sent in the last five minutes, and as which message.

use crate::limits::DEDUPLICATION_WINDOW;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use tokio::time::Instant;
use uuid::Uuid;

/// What the second send of an id is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) seq: u64,
    pub(crate) id: Uuid,
    /// Wall time of the first send, milliseconds since 1970.
    pub(crate) sent_ms: u64,
    expires: Instant,
}

/// Ids in the window. Every operation is O(1), spread over the ids: the window has one length, so ids expire in the order
/// in which they came.
#[derive(Debug, Default)]
pub(crate) struct Dedup {
    seen: HashMap<Arc<str>, Seen>,
    order: VecDeque<Arc<str>>,
    bytes: u64,
}

/// Upper bound of what one id takes in a compacted journal beside the id itself.
const JOURNAL_OVERHEAD_BYTES: u64 = 160;

impl Dedup {
    /// Forgets what is older than the window.
    pub(crate) fn expire(&mut self, now: Instant) {
        while let Some(key) = self.order.front()
            && self.seen.get(key).is_none_or(|seen| seen.expires <= now)
        {
            self.bytes -= journal_bytes(key);
            self.seen.remove(key);
            self.order.pop_front();
        }
    }

    /// The message that was sent under `key` within the window.
    pub(crate) fn get(&self, key: &str, now: Instant) -> Option<Seen> {
        self.seen.get(key).copied().filter(|seen| seen.expires > now)
    }

    /// Remembers a first send. `age_ms` is how long ago it was: not 0 only when a journal is read again.
    pub(crate) fn insert(&mut self, key: &str, seq: u64, id: Uuid, sent_ms: u64, age_ms: u64, now: Instant) {
        let left = DEDUPLICATION_WINDOW.saturating_sub(std::time::Duration::from_millis(age_ms));
        if left.is_zero() {
            return;
        }
        let key: Arc<str> = key.into();
        let seen = Seen { seq, id, sent_ms, expires: now + left };
        if self.seen.insert(Arc::clone(&key), seen).is_none() {
            self.bytes += journal_bytes(&key);
            self.order.push_back(key);
        }
    }

    /// All ids, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Seen)> {
        self.order.iter().filter_map(|key| self.seen.get(key).map(|seen| (&**key, *seen)))
    }

    /// Estimate of the bytes that the window takes in a compacted journal.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// Twice the id, for ids are printable ASCII, of which JSON escapes at most each by one more character.
fn journal_bytes(key: &str) -> u64 {
    2 * key.len() as u64 + JOURNAL_OVERHEAD_BYTES
}
