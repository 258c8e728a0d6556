//! Names to which nothing is sent.

use throughline_domain::identifier::Identifier;
use throughline_domain::suppression::Suppression;

use crate::Store;
use crate::error::StoreError;
use crate::item::{self, string};
use crate::keys;

impl Store {
    /// Says that nothing is sent to a name from now on, or that something is again. What is known from later stays.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn suppress(&self, identifier: &Identifier, suppression: &Suppression) -> Result<(), StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item::encode(&keys::suppressed(identifier), suppression)?))
            .condition_expression("attribute_not_exists(pk) OR #at <= :at")
            .expression_attribute_names("#at", "at")
            .expression_attribute_values(":at", string(suppression.at.to_string()))
            .send()
            .await;
        match put {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => Ok(()),
            Err(error) => Err(StoreError::unavailable("suppress", &error)),
        }
    }

    /// What is known of many names, read strongly in one request, in their order; they must differ.
    ///
    /// # Errors
    /// When the table does not answer or an item cannot be read.
    pub async fn suppressions(&self, identifiers: &[Identifier]) -> Result<Vec<Option<Suppression>>, StoreError> {
        let keys: Vec<_> = identifiers.iter().map(keys::suppressed).collect();
        let items = self.get_many(&keys).await?;
        items.into_iter().map(|item| item.map(item::decode).transpose()).collect()
    }
}
