//! Quarantine: what could not be processed, kept raw with the reason, by day and shard.

use std::fmt;
use std::str::FromStr;

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use throughline_domain::id::digest;
use throughline_domain::ledger::{LedgerEntry, LedgerKey, LedgerState};
use throughline_domain::moment::Moment;

use crate::Store;
use crate::error::StoreError;
use crate::item::{self, string, text};
use crate::keys::{self, ItemKey, SHARDS, SK};

/// Above every sort key, which begin with a time.
const END_OF_TIMES: &str = "~";

/// The name of a quarantined record: when, and a hash of what it was in its queue. Tells day and shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantineId {
    at: Moment,
    hash: String,
}

impl QuarantineId {
    /// The id of a record that came to `stage` as `record` (its queue's or the front's id for it): the same record
    /// quarantined twice is one.
    pub fn new(at: Moment, stage: &str, record: &str) -> Self {
        let hash = digest(&[stage.as_bytes(), record.as_bytes()]);
        Self { at, hash: HEXLOWER.encode(&hash[..8]) }
    }

    /// The day on which it came, as [`Moment::day`] counts.
    pub fn day(&self) -> i64 {
        self.at.day()
    }

    fn key(&self) -> ItemKey {
        let shard = u8::from_str_radix(&self.hash[..1], 16).unwrap_or_default() % SHARDS;
        ItemKey { pk: keys::quarantine(self.day(), shard), sk: format!("{}#{}", self.at, self.hash) }
    }
}

impl fmt::Display for QuarantineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "qua_{:012x}{}", self.at.ms(), self.hash)
    }
}

/// The text is not the id of a quarantined record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a quarantined record")]
pub struct InvalidQuarantineId;

impl FromStr for QuarantineId {
    type Err = InvalidQuarantineId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix("qua_").filter(|rest| rest.len() == 28 && rest.is_ascii());
        let (at, hash) = rest.ok_or(InvalidQuarantineId)?.split_at(12);
        let at = i64::from_str_radix(at, 16).map_err(|_| InvalidQuarantineId)?;
        let right = hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        right.then(|| Self { at: Moment::from_ms(at), hash: hash.to_owned() }).ok_or(InvalidQuarantineId)
    }
}

/// A record in quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// Its name.
    pub id: String,
    /// When it came here.
    pub at: Moment,
    /// The function that could not process it.
    pub stage: String,
    /// Why.
    pub reason: String,
    /// Object key of what it was, whole.
    pub raw_key: String,
    /// The queue to which it goes back on a retry; nothing when it has to be taken in anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// The queue's group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Its message's name in the ledger, if it could be read that far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<LedgerKey>,
    /// When it was sent through again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retried_at: Option<Moment>,
}

impl Store {
    /// Puts a record into quarantine, and its message into the ledger as quarantined unless it is recorded already. One that
    /// was sent through again stays as it is: it comes here anew, under another name, if that goes wrong.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn quarantine(&self, id: &QuarantineId, record: &Quarantined) -> Result<(), StoreError> {
        let put = Put::builder().table_name(&self.table).set_item(Some(item::encode(&id.key(), record)?));
        let put = put.condition_expression("attribute_not_exists(retried_at)").build().map_err(StoreError::build)?;
        let put = TransactWriteItem::builder().put(put).build();
        let Some(message) = &record.message else {
            return self.write("quarantine", vec![put]).await.map(drop);
        };
        let mut entry = LedgerEntry::new(LedgerState::Quarantined, record.at);
        entry.reason = Some(record.reason.clone());
        let ledger = self
            .turned(message, &entry)?
            .condition_expression("attribute_not_exists(pk) OR #state IN (:seen, :in_flight, :quarantined)")
            .expression_attribute_values(":seen", string("seen"))
            .expression_attribute_values(":in_flight", string("in_flight"))
            .expression_attribute_values(":quarantined", string("quarantined"))
            .build()
            .map_err(StoreError::build)?;
        let ledger = TransactWriteItem::builder().update(ledger).build();
        if self.write("quarantine", vec![put.clone(), ledger]).await? {
            return Ok(());
        }
        // The message is recorded: only this copy of it is in quarantine.
        self.write("quarantine", vec![put]).await.map(drop)
    }

    /// A record in quarantine.
    ///
    /// # Errors
    /// When the table does not answer or the item cannot be read.
    pub async fn quarantined(&self, id: &QuarantineId) -> Result<Option<Quarantined>, StoreError> {
        self.get(&id.key()).await?.map(item::decode).transpose()
    }

    /// The records that came into quarantine on a day, newest first, at most `limit`; those after `after` in this order.
    ///
    /// # Errors
    /// When the table does not answer or an item cannot be read.
    pub async fn quarantined_on(
        &self,
        day: i64,
        after: Option<&QuarantineId>,
        limit: usize,
    ) -> Result<Vec<Quarantined>, StoreError> {
        let end = after.map_or_else(|| END_OF_TIMES.to_owned(), |after| after.key().sk);
        let mut found = Vec::new();
        for shard in 0..SHARDS {
            let answer = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :pk AND sk < :end")
                .expression_attribute_values(":pk", string(keys::quarantine(day, shard)))
                .expression_attribute_values(":end", string(&end))
                .scan_index_forward(false)
                .limit(i32::try_from(limit).unwrap_or(i32::MAX))
                .send()
                .await
                .map_err(|error| StoreError::unavailable("query quarantine", &error))?;
            found.extend(answer.items.unwrap_or_default());
        }
        found.sort_by(|a, b| text(b, SK).cmp(&text(a, SK)));
        found.truncate(limit);
        found.into_iter().map(item::decode).collect()
    }

    /// Says in the ledger that a quarantined message is on its way again; false when it is recorded by now.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn release_message(&self, message: &LedgerKey, at: Moment) -> Result<bool, StoreError> {
        let entry = LedgerEntry::new(LedgerState::InFlight, at);
        let update = self
            .turned(message, &entry)?
            .condition_expression("#state IN (:quarantined, :in_flight)")
            .expression_attribute_values(":quarantined", string("quarantined"))
            .expression_attribute_values(":in_flight", string("in_flight"))
            .build()
            .map_err(StoreError::build)?;
        self.write("release_message", vec![TransactWriteItem::builder().update(update).build()]).await
    }

    /// Marks a record as sent through again; false when that was done before.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn mark_retried(&self, id: &QuarantineId, before: &Quarantined, at: Moment) -> Result<bool, StoreError> {
        let after = Quarantined { retried_at: Some(at), ..before.clone() };
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item::encode(&id.key(), &after)?))
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(retried_at)")
            .build()
            .map_err(StoreError::build)?;
        self.write("mark_retried", vec![TransactWriteItem::builder().put(put).build()]).await
    }

    /// A transaction; false when a condition of it failed.
    async fn write(&self, operation: &'static str, writes: Vec<TransactWriteItem>) -> Result<bool, StoreError> {
        match self.client.transact_write_items().set_transact_items(Some(writes)).send().await {
            Ok(_) => Ok(true),
            Err(error) => {
                let failed = |reasons: &[aws_sdk_dynamodb::types::CancellationReason]| {
                    reasons.iter().any(|reason| reason.code() == Some("ConditionalCheckFailed"))
                };
                match error.as_service_error() {
                    Some(aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(cancelled))
                        if failed(cancelled.cancellation_reasons()) =>
                    {
                        Ok(false)
                    }
                    _ => Err(StoreError::unavailable(operation, &error)),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_tell_where_the_record_is() {
        let id = QuarantineId::new(Moment::from_ms(1_763_631_000_000), "ingest-email", "abc");
        let read: QuarantineId = id.to_string().parse().unwrap();
        assert_eq!(read, id);
        assert_eq!(read.key(), id.key());
        for wrong in ["", "qua_", "qua_zz00000000000000000000000000", "evt_0000000000000000000000000000"] {
            assert!(wrong.parse::<QuarantineId>().is_err(), "{wrong}");
        }
    }
}
