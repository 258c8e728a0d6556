//! How much came from a sender or to an inbox in a window of time.

use crate::Store;
use crate::error::StoreError;
use crate::item::{self, number};
use crate::keys;

/// How long a window is kept, in seconds: two hours after its beginning nobody counts in it.
const KEPT_S: i64 = 7_200;
/// Seconds of a window.
const WINDOW_S: i64 = 3_600;

impl Store {
    /// Adds to what came under a name in a window (hours since 1970); returns what came altogether.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn add_to_budget(&self, name: &str, window: i64, count: u32) -> Result<u32, StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(item::key(&keys::budget(name, window))))
            .update_expression("ADD spent :count SET #ttl = :ttl")
            .expression_attribute_names("#ttl", keys::TTL)
            .expression_attribute_values(":count", number(count))
            .expression_attribute_values(":ttl", number(window * WINDOW_S + KEPT_S))
            .return_values(aws_sdk_dynamodb::types::ReturnValue::UpdatedNew);
        let answer = update.send().await.map_err(|error| StoreError::unavailable("add_to_budget", &error))?;
        let spent = answer.attributes.and_then(|spent| spent.get("spent")?.as_n().ok()?.parse().ok());
        spent.ok_or_else(|| StoreError::Build("the table did not say what was spent".to_owned()))
    }
}
