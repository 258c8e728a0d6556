//! Configuration: versioned, each kind by itself.

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use throughline_domain::config::{Config, SlaRules, Versioned};

use crate::Store;
use crate::error::StoreError;
use crate::item;
use crate::keys;

/// A kind of configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigKind {
    /// Ways in.
    Inboxes,
    /// Where tickets go.
    Routing,
    /// Until when.
    Sla,
    /// Which ticket.
    Ticketing,
}

impl ConfigKind {
    const ALL: [Self; 4] = [Self::Inboxes, Self::Routing, Self::Sla, Self::Ticketing];

    fn as_str(self) -> &'static str {
        match self {
            Self::Inboxes => "inboxes",
            Self::Routing => "routing",
            Self::Sla => "sla",
            Self::Ticketing => "ticketing",
        }
    }
}

/// A configuration as it is stored: as JSON, for it is read whole.
#[derive(Serialize, Deserialize)]
struct ConfigItem {
    version: u64,
    body: String,
}

fn decode<T: DeserializeOwned + Default>(item: Option<item::Item>) -> Result<Versioned<T>, StoreError> {
    let Some(item) = item else {
        return Ok(Versioned::default());
    };
    let stored: ConfigItem = item::decode(item)?;
    let body = serde_json::from_str(&stored.body)
        .map_err(|error| StoreError::Corrupt { key: "CONFIG".to_owned(), detail: error.to_string() })?;
    Ok(Versioned { version: stored.version, body })
}

impl Store {
    /// The configuration in force.
    ///
    /// # Errors
    /// When the table does not answer or an item cannot be read.
    pub async fn config(&self) -> Result<Config, StoreError> {
        let keys: Vec<_> = ConfigKind::ALL.iter().map(|kind| keys::config_current(kind.as_str())).collect();
        let mut items = self.get_many(&keys).await?.into_iter();
        let mut next = || items.next().flatten();
        Ok(Config {
            inboxes: decode(next())?,
            routing: decode(next())?,
            sla: decode(next())?,
            ticketing: decode(next())?,
        })
    }

    /// The SLA rules at a version.
    ///
    /// # Errors
    /// When the table does not answer or the item cannot be read.
    pub async fn sla_rules(&self, version: u64) -> Result<Option<Versioned<SlaRules>>, StoreError> {
        let item = self.get(&keys::config_version(ConfigKind::Sla.as_str(), version)).await?;
        if item.is_some() { decode(item).map(Some) } else { Ok(None) }
    }

    /// Puts a next version of a configuration in force; false when somebody else did meanwhile.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn put_config<T: Serialize>(&self, kind: ConfigKind, config: &Versioned<T>) -> Result<bool, StoreError> {
        let body = serde_json::to_string(&config.body).map_err(StoreError::build)?;
        let stored = ConfigItem { version: config.version, body };
        let mut request = self.client.transact_write_items();
        for key in [keys::config_version(kind.as_str(), config.version), keys::config_current(kind.as_str())] {
            let condition = "attribute_not_exists(pk) OR version = :before";
            let put = Put::builder()
                .table_name(&self.table)
                .set_item(Some(item::encode(&key, &stored)?))
                .condition_expression(condition)
                .expression_attribute_values(":before", item::number(config.version.saturating_sub(1)))
                .build()
                .map_err(StoreError::build)?;
            request = request.transact_items(TransactWriteItem::builder().put(put).build());
        }
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_transaction_canceled_exception()) => Ok(false),
            Err(error) => Err(StoreError::unavailable("put_config", &error)),
        }
    }
}
