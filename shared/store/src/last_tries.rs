//! Marks of last tries: what tells a record that takes whole functions down from one that waited for a long outage.

use throughline_domain::id::digest;

use crate::Store;
use crate::error::StoreError;
use crate::item;
use crate::keys::{self, ItemKey};

fn key(stage: &str, record: &str) -> ItemKey {
    keys::last_try(&data_encoding::HEXLOWER.encode(&digest(&[stage.as_bytes(), record.as_bytes()])[..16]))
}

impl Store {
    /// Marks that a record is tried once more; false when an earlier such try began and never ended.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn begin_last_try(&self, stage: &str, record: &str) -> Result<bool, StoreError> {
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item::key(&key(stage, record))));
        match put.condition_expression("attribute_not_exists(pk)").send().await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {
                Ok(false)
            }
            Err(error) => Err(StoreError::unavailable("begin_last_try", &error)),
        }
    }

    /// Takes the mark away: the try ended, one way or another.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn end_last_try(&self, stage: &str, record: &str) -> Result<(), StoreError> {
        let delete = self.client.delete_item().table_name(&self.table).set_key(Some(item::key(&key(stage, record))));
        delete.send().await.map_err(|error| StoreError::unavailable("end_last_try", &error))?;
        Ok(())
    }
}
