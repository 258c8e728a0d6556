//! What a replay of the running system's table says.

use serde::{Deserialize, Serialize};
use throughline_domain::moment::Moment;
use throughline_domain::replay::Difference;
use throughline_store::{Replayed, Store, StoreError};

/// Most differences that one answer lists; all are counted.
const LISTED_MAX: usize = 1_000;

/// What a replay found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReplayReport {
    /// What was gone through.
    pub replayed: Replayed,
    /// What is stored otherwise than the logs say, the first thousand.
    pub differences: Vec<Difference>,
}

impl ReplayReport {
    /// Replays a table.
    ///
    /// # Errors
    /// When the table does not answer, or an item cannot be read.
    pub async fn of(store: &Store, now: Moment) -> Result<Self, StoreError> {
        let mut differences = Vec::new();
        let mut list = |difference| {
            if differences.len() < LISTED_MAX {
                differences.push(difference);
            }
        };
        let replayed = store.replay(now, &mut list).await?;
        Ok(Self { replayed, differences })
    }
}
