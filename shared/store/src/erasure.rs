//! What is rewritten and removed when a customer is erased. Each step may be done again at any point.

use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem};
use throughline_domain::event::Commit;
use throughline_domain::id::{CustomerId, EventId, TicketId};
use throughline_domain::identifier::Identifier;
use throughline_domain::ledger::LedgerKey;
use throughline_domain::moment::Moment;
use throughline_domain::ticket::Ticket;

use crate::Store;
use crate::error::StoreError;
use crate::item::{self, string};
use crate::keys::{self, ItemKey};
use crate::tickets::{StoredTicket, as_read, encode_commit, encode_head};

impl Store {
    /// Writes a commit anew that is in the log already. The stream tells of new commits only, so nothing follows from it.
    ///
    /// # Errors
    /// When the table does not answer or there is no such commit.
    pub async fn rewrite_commit(&self, commit: &Commit) -> Result<(), StoreError> {
        let put = self.client.put_item().table_name(&self.table).set_item(Some(encode_commit(commit)?));
        let sent = put.condition_expression("attribute_exists(pk)").send().await;
        sent.map(drop).map_err(|error| StoreError::unavailable("rewrite_commit", &error))
    }

    /// Writes head and detail of a ticket anew, at the version that was read, for an erasure, at `at`. Says whether
    /// it did: not when the ticket changed meanwhile. A change that was decided on what was read before is not written any
    /// more.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn rewrite_ticket(&self, before: &StoredTicket, after: &Ticket, at: Moment) -> Result<bool, StoreError> {
        // Another mark than before: what was decided in between is not written either.
        let at = before.rewritten_at.map_or(at, |before| at.max(before.plus_ms(1)));
        let item = encode_head(&after.head, before.check_at, Some(at))?;
        let head = Put::builder().table_name(&self.table).set_item(Some(item));
        let head = as_read(head, before).build().map_err(StoreError::build)?;
        let place = keys::ticket_detail(after.head.id);
        let detail = if after.detail.is_empty() {
            let delete = Delete::builder().table_name(&self.table).set_key(Some(item::key(&place)));
            TransactWriteItem::builder().delete(delete.build().map_err(StoreError::build)?)
        } else {
            let put = Put::builder().table_name(&self.table).set_item(Some(item::encode(&place, &after.detail)?));
            TransactWriteItem::builder().put(put.build().map_err(StoreError::build)?)
        };
        let request = self.client.transact_write_items().transact_items(TransactWriteItem::builder().put(head).build());
        match request.transact_items(detail.build()).send().await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_transaction_canceled_exception()) => Ok(false),
            Err(error) => Err(StoreError::unavailable("rewrite_ticket", &error)),
        }
    }

    /// Lets nobody hold an identifier any more, if this customer does.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn release(&self, identifier: &Identifier, holder: CustomerId) -> Result<(), StoreError> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(item::key(&keys::identifier(identifier))))
            .condition_expression("customer_id = :holder")
            .expression_attribute_values(":holder", string(holder.to_string()))
            .send()
            .await;
        match delete {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => Ok(()),
            Err(error) => Err(StoreError::unavailable("release", &error)),
        }
    }

    /// Forgets whether something is sent to a name.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn forget_suppression(&self, identifier: &Identifier) -> Result<(), StoreError> {
        let key = item::key(&keys::suppressed(identifier));
        let delete = self.client.delete_item().table_name(&self.table).set_key(Some(key)).send().await;
        delete.map(drop).map_err(|error| StoreError::unavailable("forget_suppression", &error))
    }

    /// Forgets what changes once waited for a message.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn forget_parked(&self, key: &LedgerKey) -> Result<(), StoreError> {
        self.forget("forget_parked", &keys::message(key), "REMOVE parked").await
    }

    /// Forgets the channel's words and name for a reply; what became of it stays.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn forget_send(&self, ticket: TicketId, event: EventId) -> Result<(), StoreError> {
        self.forget("forget_send", &keys::send(ticket, event), "REMOVE reason, provider_message_id").await
    }

    async fn forget(&self, operation: &'static str, at: &ItemKey, what: &str) -> Result<(), StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(item::key(at)))
            .update_expression(what)
            .condition_expression("attribute_exists(pk)")
            .send()
            .await;
        match update {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => Ok(()),
            Err(error) => Err(StoreError::unavailable(operation, &error)),
        }
    }
}
