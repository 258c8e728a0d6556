//! Who plays: people who are new with every run, so that it can be repeated on the same data.

/// How many characters tell one run from another.
const RUN_CHARS: usize = 6;

/// The people and things of one run.
#[derive(Clone, Debug)]
pub(super) struct Cast {
    /// What tells this run from others.
    pub(super) run: String,
    /// Anna's account in the shop.
    pub(super) account: String,
    /// Anna's mail address.
    pub(super) address: String,
    /// Anna's order.
    pub(super) order: String,
    /// Mail address of somebody who has nothing to do with Anna.
    pub(super) stranger: String,
}

impl Cast {
    /// People that no run had before.
    pub(super) fn fresh() -> Self {
        let run: String = uuid::Uuid::new_v4().simple().to_string().chars().take(RUN_CHARS).collect();
        Self {
            account: format!("shop-{run}"),
            address: format!("anna.berg.{run}@example.org"),
            order: format!("A-{}", run.to_uppercase()),
            stranger: format!("max.muster.{run}@example.net"),
            run,
        }
    }
}
