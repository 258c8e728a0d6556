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
    /// Another order of hers, as the seed says that order numbers look: what names it is about the same.
    pub(super) parcel: String,
    /// Anna's telephone.
    pub(super) phone: String,
    /// Anna on X, which nobody knows.
    pub(super) on_x: String,
    /// Mail address of somebody who has nothing to do with Anna.
    pub(super) stranger: String,
}

impl Cast {
    /// People that no run had before.
    pub(super) fn fresh() -> Self {
        let drawn = uuid::Uuid::new_v4();
        let run: String = drawn.simple().to_string().chars().take(RUN_CHARS).collect();
        let number = drawn.as_u128();
        Self {
            account: format!("shop-{run}"),
            address: format!("anna.berg.{run}@example.org"),
            order: format!("A-{}", run.to_uppercase()),
            parcel: format!("ORD-{:06}", number % 1_000_000),
            phone: format!("+49151{:08}", number % 100_000_000),
            on_x: format!("{}", 1_000_000_000_000_000_000 + number % 1_000_000_000_000_000_000),
            stranger: format!("max.muster.{run}@example.net"),
            run,
        }
    }
}
