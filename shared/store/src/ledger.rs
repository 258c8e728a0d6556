//! The ledger: what became of every message.

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Update};
use throughline_domain::ledger::{LedgerEntry, LedgerKey};
use throughline_domain::message_change::{MessageChange, PARKED_MAX};

use crate::Store;
use crate::error::StoreError;
use crate::item::{self, number, string};
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

    /// The item as this entry says, but for what is parked on it: that stays.
    pub(crate) fn turned(&self, key: &LedgerKey, entry: &LedgerEntry) -> Result<UpdateBuilder, StoreError> {
        let state = serde_dynamo::to_attribute_value(entry.state).map_err(StoreError::build)?;
        let update = Update::builder().table_name(&self.table).set_key(Some(item::key(&keys::message(key))));
        let update = update
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#at", "at")
            .expression_attribute_values(":turned", state)
            .expression_attribute_values(":at", string(entry.at.to_string()));
        const REMOVED: &str = "REMOVE ticket_id, #sequence, event_id, message_id, duplicate_of, fingerprint, forged";
        let update = update.expression_attribute_names("#sequence", "sequence");
        Ok(match &entry.reason {
            Some(reason) => update
                .update_expression(format!("SET #state = :turned, #at = :at, reason = :reason {REMOVED}"))
                .expression_attribute_values(":reason", string(reason)),
            None => update.update_expression(format!("SET #state = :turned, #at = :at {REMOVED}, reason")),
        })
    }

    /// Keeps a change until its message is recorded, behind those that wait for it already. Says whether it does: not when
    /// the message is recorded meanwhile, or sent by us, and not when [`PARKED_MAX`] changes wait.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn park(&self, change: &MessageChange) -> Result<bool, StoreError> {
        let parked: AttributeValue = serde_dynamo::to_attribute_value(change).map_err(StoreError::build)?;
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(item::key(&keys::message(&change.of))))
            .update_expression(
                "SET #state = if_not_exists(#state, :seen), #at = if_not_exists(#at, :at), \
                 parked = list_append(if_not_exists(parked, :none), :parked)",
            )
            .condition_expression(
                "attribute_not_exists(pk) OR (#state IN (:seen, :in_flight, :quarantined) \
                 AND attribute_not_exists(event_id) AND (attribute_not_exists(parked) OR size(parked) < :max))",
            )
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#at", "at")
            .expression_attribute_values(":seen", string("seen"))
            .expression_attribute_values(":in_flight", string("in_flight"))
            .expression_attribute_values(":quarantined", string("quarantined"))
            .expression_attribute_values(":at", string(change.received_at.to_string()))
            .expression_attribute_values(":none", AttributeValue::L(Vec::new()))
            .expression_attribute_values(":parked", AttributeValue::L(vec![parked]))
            .expression_attribute_values(":max", number(PARKED_MAX as u64))
            .send()
            .await;
        match update {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {
                Ok(false)
            }
            Err(error) => Err(StoreError::unavailable("park", &error)),
        }
    }
}
