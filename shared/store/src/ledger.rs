//! The ledger: what became of every message.

use throughline_domain::ledger::{LedgerEntry, LedgerKey};

use crate::Store;
use crate::error::StoreError;
use crate::item;
use crate::keys;

impl Store {
    /// What became of a message, read strongly.
    ///
    /// # Errors
    /// When the table does not answer or the item cannot be read.
    pub async fn message(&self, key: &LedgerKey) -> Result<Option<LedgerEntry>, StoreError> {
        Ok(self.messages(std::slice::from_ref(key)).await?.pop().flatten())
    }

    /// What became of many messages, read strongly in one request, in the order of the keys, which must differ.
    ///
    /// # Errors
    /// When the table does not answer or an item cannot be read.
    pub async fn messages(&self, keys: &[LedgerKey]) -> Result<Vec<Option<LedgerEntry>>, StoreError> {
        let keys: Vec<_> = keys.iter().map(keys::message).collect();
        let items = self.get_many(&keys).await?;
        items.into_iter().map(|item| item.map(item::decode).transpose()).collect()
    }
}
