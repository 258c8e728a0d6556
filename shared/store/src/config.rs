//! Configuration: versioned, each kind by itself.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use throughline_domain::config::{Config, ConfigKind, SlaRules, Versioned};
use throughline_domain::moment::Moment;

use crate::Store;
use crate::error::StoreError;
use crate::item;
use crate::keys;

/// Nothing is there yet.
const ABSENT: &str = "attribute_not_exists(pk)";

/// Who put a version of a configuration in force, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigChange {
    /// Who: the subject of their token.
    pub by: String,
    /// When.
    pub at: Moment,
}

/// The configuration in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigInForce {
    /// What it says.
    pub config: Config,
    /// Who changed each kind last; a kind that was never configured has nobody.
    pub changes: BTreeMap<ConfigKind, ConfigChange>,
}

/// A configuration as it is stored: as JSON, for it is read whole.
#[derive(Serialize, Deserialize)]
struct ConfigItem {
    version: u64,
    body: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    change: Option<ConfigChange>,
}

fn decode<T: DeserializeOwned>(item: item::Item) -> Result<(Versioned<T>, Option<ConfigChange>), StoreError> {
    let stored: ConfigItem = item::decode(item)?;
    let body = serde_json::from_str(&stored.body)
        .map_err(|error| StoreError::Corrupt { key: "CONFIG".to_owned(), detail: error.to_string() })?;
    Ok((Versioned { version: stored.version, body }, stored.change))
}

impl Store {
    /// The configuration in force.
    ///
    /// # Errors
    /// When the table does not answer or an item cannot be read.
    pub async fn config(&self) -> Result<Config, StoreError> {
        Ok(self.config_in_force().await?.config)
    }

    /// The configuration in force, and who changed it last.
    ///
    /// # Errors
    /// When the table does not answer or an item cannot be read.
    pub async fn config_in_force(&self) -> Result<ConfigInForce, StoreError> {
        let keys: Vec<_> = ConfigKind::ALL.iter().map(|kind| keys::config_current(kind.as_str())).collect();
        let items = self.get_many(&keys).await?;
        let mut found = ConfigInForce::default();
        for (kind, item) in ConfigKind::ALL.into_iter().zip(items) {
            let Some(item) = item else { continue };
            let config = &mut found.config;
            let change = match kind {
                ConfigKind::Inboxes => put_into(&mut config.inboxes, item)?,
                ConfigKind::Routing => put_into(&mut config.routing, item)?,
                ConfigKind::Sla => put_into(&mut config.sla, item)?,
                ConfigKind::Ticketing => put_into(&mut config.ticketing, item)?,
            };
            found.changes.extend(change.map(|change| (kind, change)));
        }
        Ok(found)
    }

    /// The SLA rules at a version.
    ///
    /// # Errors
    /// When the table does not answer or the item cannot be read.
    pub async fn sla_rules(&self, version: u64) -> Result<Option<Versioned<SlaRules>>, StoreError> {
        let item = self.get(&keys::config_version(ConfigKind::Sla.as_str(), version)).await?;
        item.map(decode).transpose().map(|found| found.map(|(rules, _)| rules))
    }

    /// Puts a next version of a configuration in force, and keeps it with who did so; false when somebody else put one in
    /// force meanwhile.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn put_config<T: Serialize>(
        &self,
        kind: ConfigKind,
        config: &Versioned<T>,
        change: ConfigChange,
    ) -> Result<bool, StoreError> {
        let body = serde_json::to_string(&config.body).map_err(StoreError::build)?;
        let stored = ConfigItem { version: config.version, body, change: Some(change) };
        let put = |key| Ok(Put::builder().table_name(&self.table).set_item(Some(item::encode(&key, &stored)?)));
        let version = put(keys::config_version(kind.as_str(), config.version))?.condition_expression(ABSENT);
        let current = put(keys::config_current(kind.as_str()))?;
        let current = match config.version.saturating_sub(1) {
            0 => current.condition_expression(ABSENT),
            before => current
                .condition_expression("version = :before")
                .expression_attribute_values(":before", item::number(before)),
        };
        let mut request = self.client.transact_write_items();
        for put in [version, current] {
            let put = put.build().map_err(StoreError::build)?;
            request = request.transact_items(TransactWriteItem::builder().put(put).build());
        }
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(is_lost) => Ok(false),
            Err(error) => Err(StoreError::unavailable("put_config", &error)),
        }
    }
}

fn put_into<T: DeserializeOwned>(
    place: &mut Versioned<T>,
    item: item::Item,
) -> Result<Option<ConfigChange>, StoreError> {
    let (config, change) = decode(item)?;
    *place = config;
    Ok(change)
}

/// Whether somebody else changed the same thing, before or at this moment.
fn is_lost(error: &TransactWriteItemsError) -> bool {
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else {
        return false;
    };
    let codes = cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code());
    codes.into_iter().any(|code| code == "ConditionalCheckFailed" || code == "TransactionConflict")
}
