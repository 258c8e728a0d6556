//! Budgets: how many messages a sender and an inbox may bring in an hour. What is over goes into quarantine, from where it can
//! be sent through: refusing it would lose it on some channels, and taking it would let one sender keep all others waiting.
//!
//! Every instance of the function counts for itself, and tells the table only each [`STEP`]th message of somebody: who
//! writes as people write costs nothing, and a flood is known to all instances soon after it begins.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use throughline_domain::config::Budget;
use throughline_domain::inbound::group;
use throughline_domain::moment::Moment;
use throughline_store::{Store, StoreError};

/// After how many messages of somebody an instance tells the table of them.
pub const STEP: u32 = 50;
/// Most names that an instance counts at the same time; beyond that it begins anew.
const NAMES_MAX: usize = 20_000;
/// The length of what is counted together, in milliseconds.
const WINDOW_MS: i64 = 3_600_000;

/// What came, as far as this instance knows. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Budgets(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    window: i64,
    by_name: HashMap<String, Count>,
}

/// What came from one sender, or to one inbox.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    /// Here, not told yet.
    here: u32,
    /// Everywhere, as the table last said.
    everywhere: u32,
}

impl Budgets {
    /// Counts a message; says why it is too much, if it is.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn spend(
        &self,
        store: &Store,
        inbox: &str,
        sender: &str,
        budget: &Budget,
        now: Moment,
    ) -> Result<Option<String>, StoreError> {
        let window = now.ms().div_euclid(WINDOW_MS);
        let of_sender = self.count(store, group(inbox, sender), window).await?;
        let of_inbox = self.count(store, inbox.to_owned(), window).await?;
        let over = |what: &str, limit: u32| format!("more than {limit} messages {what} in an hour");
        if of_sender > budget.sender_per_hour {
            return Ok(Some(over("of one sender", budget.sender_per_hour)));
        }
        Ok((of_inbox > budget.inbox_per_hour).then(|| over("for one inbox", budget.inbox_per_hour)))
    }

    async fn count(&self, store: &Store, name: String, window: i64) -> Result<u32, StoreError> {
        let count = self.add(&name, window);
        if count.here < STEP {
            return Ok(count.everywhere.saturating_add(count.here));
        }
        let everywhere = store.add_to_budget(&name, window, STEP).await?;
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = counts.by_name.entry(name).or_default();
        // Others may have counted on meanwhile.
        known.here = known.here.saturating_sub(STEP);
        known.everywhere = known.everywhere.max(everywhere);
        Ok(known.everywhere.saturating_add(known.here))
    }

    fn add(&self, name: &str, window: i64) -> Count {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.window != window || counts.by_name.len() >= NAMES_MAX {
            *counts = Counts { window, by_name: HashMap::new() };
        }
        let count = counts.by_name.entry(name.to_owned()).or_default();
        count.here += 1;
        *count
    }
}
