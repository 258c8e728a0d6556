//! The DynamoDB table: one table, string keys built only in [`keys`], one method a question (`ACCESS_PATTERNS.md`).
//!
//! What a decision reads, it reads strongly from the table. What comes from an index is a [`Hint`], to be confirmed on
//! the item itself. A ticket changes by one transaction: [`Store::commit`].

mod agents;
mod batch;
mod budgets;
mod commands;
mod commit;
mod config;
mod customers;
mod erasure;
mod error;
mod item;
pub mod keys;
mod last_tries;
mod ledger;
mod links;
mod naming;
mod packed;
mod quarantine;
mod replay;
mod sends;
mod suppressions;
mod table;
mod tickets;

pub use agents::Claim;
pub use commands::{CommandKey, CommandRecord};
pub use commit::{CommitError, CustomerWrite, LedgerMove, LedgerWrite, Lost, Mention, TicketChange};
pub use config::{ConfigChange, ConfigInForce};
pub use customers::ClaimError;
pub use error::StoreError;
pub use naming::Naming;
pub use quarantine::{QuarantineId, Quarantined};
pub use replay::Replayed;
pub use sends::{SendRecord, SendState};
pub use table::{Index, Key, KeyKind, TableDescription, table_description};
pub use tickets::{Holder, Page, StoredTicket, commit_of_image};

/// The table. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

impl Store {
    /// The table of this name behind this client.
    pub fn new(client: aws_sdk_dynamodb::Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }
}

/// What an index says: perhaps no longer true. To be confirmed by reading the item itself before anything is decided
/// on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hint<T>(T);

impl<T> Hint<T> {
    /// Where to look for the truth.
    pub fn to_confirm(self) -> T {
        self.0
    }
}
