//! What was committed, told to whoever listens, in place of table streams.
//!
//! The streams of the embedded table get slower with every record that they keep; this keeps none.

use std::sync::{Mutex, MutexGuard, PoisonError};

use dynoxide::{AttributeValue, Item};
use tokio::sync::mpsc;

/// Beginning of the sort keys of what is told.
pub const COMMIT_PREFIX: &str = "EVENT#";
/// Attribute of the sort key.
const SORT_KEY: &str = "sk";

/// An item that was committed.
#[derive(Clone, Debug, PartialEq)]
pub struct Committed {
    /// Counts up from 1 in the order of commits, anew with each process.
    pub sequence: u64,
    /// Name of its table.
    pub table: String,
    /// The item as it was put, in DynamoDB JSON: `{"pk":{"S":"…"},…}`.
    pub item: serde_json::Value,
}

/// The listeners.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sequence: u64,
    listeners: Vec<mpsc::UnboundedSender<Committed>>,
}

impl Feed {
    pub(crate) fn subscribe(&self) -> mpsc::UnboundedReceiver<Committed> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.lock().listeners.push(sender);
        receiver
    }

    /// Sequence of the last item that was told; 0 before the first.
    pub(crate) fn told(&self) -> u64 {
        self.lock().sequence
    }

    /// Whether somebody listens: if not, nothing needs to be copied.
    pub(crate) fn is_heard(&self) -> bool {
        let mut state = self.lock();
        state.listeners.retain(|listener| !listener.is_closed());
        !state.listeners.is_empty()
    }

    /// Runs a commit of some items and tells them if it succeeds. One at a time, as the table itself works, so that they
    /// are told in the order in which they were committed.
    pub(crate) fn commit<A, E>(
        &self,
        items: Vec<(String, Item)>,
        commit: impl FnOnce() -> Result<A, E>,
    ) -> Result<A, E> {
        if items.is_empty() {
            return commit();
        }
        let mut state = self.lock();
        let answer = commit()?;
        for (table, item) in items {
            state.sequence += 1;
            let item = serde_json::to_value(item).expect("attribute values are JSON");
            let committed = Committed { sequence: state.sequence, table, item };
            state.listeners.retain(|listener| listener.send(committed.clone()).is_ok());
        }
        Ok(answer)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an item is told.
pub(crate) fn is_commit(item: &Item) -> bool {
    matches!(item.get(SORT_KEY), Some(AttributeValue::S(key)) if key.starts_with(COMMIT_PREFIX))
}
