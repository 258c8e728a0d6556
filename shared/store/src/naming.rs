//! Where a name stands besides with whoever holds it: what giving out and erasing go by.

use throughline_domain::id::{CustomerId, TicketId};
use throughline_domain::identifier::Identifier;

use crate::Store;
use crate::error::StoreError;
use crate::item::{self, text};
use crate::keys::{self, SK};

/// What has a name that is not its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Naming {
    /// The profile of a customer who held it before, or to whom it suggests somebody.
    Customer(CustomerId),
    /// A ticket on which it was addressed, and whose it is was not known.
    Ticket(TicketId),
}

impl Store {
    /// The customers whose profile has a name that is not theirs, youngest first, older than `before` if that is given, at
    /// most `limit`.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn customers_naming(
        &self,
        name: &Identifier,
        before: Option<CustomerId>,
        limit: usize,
    ) -> Result<Vec<CustomerId>, StoreError> {
        let partition = keys::identifier(name).pk;
        let before = before.map(|before| keys::naming(name, Naming::Customer(before)));
        let items = self.in_partition(partition, keys::NAMED_BY_CUSTOMERS, before, Some(limit)).await?;
        let id = |sk: &str| sk.strip_prefix(keys::NAMED_BY_CUSTOMERS)?.parse().ok();
        Ok(items.iter().filter_map(|item| id(text(item, SK)?)).collect())
    }

    /// The tickets on which a name was addressed, newest first, older than `before` if that is given, at most `limit`.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn tickets_naming(
        &self,
        name: &Identifier,
        before: Option<TicketId>,
        limit: usize,
    ) -> Result<Vec<TicketId>, StoreError> {
        let partition = keys::identifier(name).pk;
        let before = before.map(|before| keys::naming(name, Naming::Ticket(before)));
        let items = self.in_partition(partition, keys::NAMED_BY_TICKETS, before, Some(limit)).await?;
        Ok(items.iter().filter_map(|item| keys::ticket_of(text(item, SK)?)).collect())
    }

    /// Forgets that something has a name.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn forget_naming(&self, name: &Identifier, by: Naming) -> Result<(), StoreError> {
        let key = item::key(&keys::naming(name, by));
        let delete = self.client.delete_item().table_name(&self.table).set_key(Some(key)).send().await;
        delete.map(drop).map_err(|error| StoreError::unavailable("forget_naming", &error))
    }
}
