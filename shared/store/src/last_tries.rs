//! Marks of last tries: what tells a record that takes whole functions down from one that waited for a long outage.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use throughline_domain::id::digest;
use throughline_domain::moment::Moment;

use crate::Store;
use crate::error::StoreError;
use crate::item::{self, number};
use crate::keys::{self, ItemKey, TTL};

/// How long a mark is remembered, in milliseconds: longer than a queue keeps a message.
const REMEMBERED_MS: i64 = 15 * 86_400_000;

fn key(stage: &str, record: &str) -> ItemKey {
    keys::last_try(&data_encoding::HEXLOWER.encode(&digest(&[stage.as_bytes(), record.as_bytes()])[..16]))
}

impl Store {
    /// Marks that a record is tried once more, under a name for this try; returns how many tries, this one included,
    /// began and never ended. The same try marked twice is one, so a lost answer does not count.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn begin_last_try(
        &self,
        stage: &str,
        record: &str,
        attempt: &str,
        at: Moment,
    ) -> Result<usize, StoreError> {
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(item::key(&key(stage, record))))
            .update_expression("SET #ttl = :ttl ADD tries :attempt")
            .expression_attribute_names("#ttl", TTL)
            .expression_attribute_values(":ttl", number(at.plus_ms(REMEMBERED_MS).ms() / 1_000))
            .expression_attribute_values(":attempt", AttributeValue::Ss(vec![attempt.to_owned()]))
            .return_values(ReturnValue::AllNew);
        let answer = request.send().await.map_err(|error| StoreError::unavailable("begin_last_try", &error))?;
        let tries = answer.attributes.as_ref().and_then(|item| item.get("tries")?.as_ss().ok());
        Ok(tries.map_or(1, Vec::len))
    }

    /// Takes the marks away: a try ended, one way or another.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn end_last_try(&self, stage: &str, record: &str) -> Result<(), StoreError> {
        let delete = self.client.delete_item().table_name(&self.table).set_key(Some(item::key(&key(stage, record))));
        delete.send().await.map_err(|error| StoreError::unavailable("end_last_try", &error))?;
        Ok(())
    }
}
