//! The table as it is created: one description, which the local default creates and the template is tested against.

use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType, TimeToLiveSpecification,
};

use crate::Store;
use crate::error::StoreError;
use crate::keys;

/// A key attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Attribute name; always a string attribute.
    pub attribute: &'static str,
    /// Which part of the key it is.
    pub kind: KeyKind,
}

/// Which part of a key an attribute is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// Partition key.
    Hash,
    /// Sort key.
    Range,
}

/// A secondary index; all project keys only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Index {
    /// Its name.
    pub name: &'static str,
    /// Its keys.
    pub keys: [Key; 2],
}

/// The table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableDescription {
    /// Its keys.
    pub keys: [Key; 2],
    /// Its indexes.
    pub indexes: [Index; 3],
    /// Its time-to-live attribute.
    pub ttl: &'static str,
}

/// The one description of the table. On demand, keys-only indexes.
pub fn table_description() -> TableDescription {
    let keys =
        |hash, range| [Key { attribute: hash, kind: KeyKind::Hash }, Key { attribute: range, kind: KeyKind::Range }];
    TableDescription {
        keys: keys(keys::PK, keys::SK),
        indexes: [
            Index { name: keys::BY_CUSTOMER, keys: keys(keys::CUSTOMER, keys::PK) },
            Index { name: keys::BY_HOLDER, keys: keys(keys::HOLDER, keys::PK) },
            Index { name: keys::BY_CHECK, keys: keys(keys::CHECK_SHARD, keys::CHECK_AT) },
        ],
        ttl: keys::TTL,
    }
}

fn schema(keys: [Key; 2]) -> Result<Vec<KeySchemaElement>, StoreError> {
    let element = |key: Key| {
        let kind = match key.kind {
            KeyKind::Hash => KeyType::Hash,
            KeyKind::Range => KeyType::Range,
        };
        KeySchemaElement::builder().attribute_name(key.attribute).key_type(kind).build().map_err(StoreError::build)
    };
    keys.into_iter().map(element).collect()
}

impl Store {
    /// Creates the table, or finds it there. For the local default and tests: in the cloud the template does this.
    ///
    /// # Errors
    /// When the table service refuses or does not answer.
    pub async fn create_table(&self) -> Result<(), StoreError> {
        let description = table_description();
        let indexed = description.indexes.iter().flat_map(|index| index.keys);
        let mut attributes: Vec<&str> = description.keys.into_iter().chain(indexed).map(|key| key.attribute).collect();
        attributes.sort_unstable();
        attributes.dedup();
        let mut request = self
            .client
            .create_table()
            .table_name(&self.table)
            .billing_mode(BillingMode::PayPerRequest)
            .set_key_schema(Some(schema(description.keys)?));
        for attribute in attributes {
            let definition = AttributeDefinition::builder()
                .attribute_name(attribute)
                .attribute_type(ScalarAttributeType::S)
                .build()
                .map_err(StoreError::build)?;
            request = request.attribute_definitions(definition);
        }
        for index in description.indexes {
            let index = GlobalSecondaryIndex::builder()
                .index_name(index.name)
                .set_key_schema(Some(schema(index.keys)?))
                .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build())
                .build()
                .map_err(StoreError::build)?;
            request = request.global_secondary_indexes(index);
        }
        match request.send().await {
            Ok(_) => {}
            Err(SdkError::ServiceError(error))
                if matches!(error.err(), CreateTableError::ResourceInUseException(_)) =>
            {
                return Ok(());
            }
            Err(error) => return Err(StoreError::unavailable("create_table", &error)),
        }
        let ttl = TimeToLiveSpecification::builder()
            .attribute_name(description.ttl)
            .enabled(true)
            .build()
            .map_err(StoreError::build)?;
        let request = self.client.update_time_to_live().table_name(&self.table).time_to_live_specification(ttl);
        request.send().await.map_err(|error| StoreError::unavailable("update_time_to_live", &error))?;
        Ok(())
    }

    /// Asks the table whether it is there: what `/v1/health` rests on.
    ///
    /// # Errors
    /// When the table service does not answer.
    pub async fn ping(&self, patience: Duration) -> Result<(), StoreError> {
        let key = keys::config_current("health");
        let override_ = aws_sdk_dynamodb::config::Config::builder().timeout_config(
            aws_sdk_dynamodb::config::timeout::TimeoutConfig::builder().operation_timeout(patience).build(),
        );
        let request = self.client.get_item().table_name(&self.table).set_key(Some(crate::item::key(&key)));
        let sent = request.customize().config_override(override_).send().await;
        sent.map_err(|error| StoreError::unavailable("ping", &error))?;
        Ok(())
    }
}
