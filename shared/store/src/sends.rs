//! The send ledger: what was tried for every outbound message, so that none goes out twice unnoticed.

use serde::{Deserialize, Serialize};
use throughline_domain::id::{EventId, TicketId};
use throughline_domain::moment::Moment;

use crate::Store;
use crate::error::StoreError;
use crate::item::{self, number, string};
use crate::keys;

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendState {
    /// Under way until its lease ends; after that nobody knows whether it went out.
    Attempting,
    /// The channel surely did not take it: may be tried again.
    NotTaken,
    /// The channel took it.
    Sent,
    /// The channel will never take it.
    Failed,
    /// It may have gone out: not repeated on its own.
    Ambiguous,
}

/// The send ledger item of one outbound message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendRecord {
    /// What became of the last attempt.
    pub state: SendState,
    /// Attempts so far.
    pub attempts: u32,
    /// Names the last attempt: whose write it was, when its answer was lost.
    #[serde(default)]
    pub attempt: String,
    /// Until when the attempt under way may take.
    pub lease_until: Moment,
    /// The provider's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_message_id: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Store {
    /// What was tried for an outbound message, read strongly.
    ///
    /// # Errors
    /// When the table does not answer or the item cannot be read.
    pub async fn send_record(&self, ticket: TicketId, event: EventId) -> Result<Option<SendRecord>, StoreError> {
        self.get(&keys::send(ticket, event)).await?.map(item::decode).transpose()
    }

    /// Writes what is tried or was achieved, if the item is as it was read; false when somebody else wrote meanwhile.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn put_send_record(
        &self,
        ticket: TicketId,
        event: EventId,
        before: Option<&SendRecord>,
        after: &SendRecord,
    ) -> Result<bool, StoreError> {
        let item = item::encode(&keys::send(ticket, event), after)?;
        let request = self.client.put_item().table_name(&self.table).set_item(Some(item));
        let request = match before {
            None => request.condition_expression("attribute_not_exists(pk)"),
            Some(before) => request
                .condition_expression("attempts = :attempts AND #state = :state")
                .expression_attribute_names("#state", "state")
                .expression_attribute_values(":attempts", number(before.attempts))
                .expression_attribute_values(":state", string(state_text(before.state))),
        };
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {
                Ok(false)
            }
            Err(error) => Err(StoreError::unavailable("put_send_record", &error)),
        }
    }
}

fn state_text(state: SendState) -> &'static str {
    match state {
        SendState::Attempting => "attempting",
        SendState::NotTaken => "not_taken",
        SendState::Sent => "sent",
        SendState::Failed => "failed",
        SendState::Ambiguous => "ambiguous",
    }
}
