//! Reading one or many items.

use aws_sdk_dynamodb::types::KeysAndAttributes;

use crate::Store;
use crate::error::StoreError;
use crate::item::{self, Item, text};
use crate::keys::{ItemKey, PK, SK};

/// Most keys that one request takes.
const KEYS_PER_REQUEST: usize = 100;
/// How often unprocessed keys are asked for again before the read fails.
const ATTEMPTS_MAX: usize = 5;

impl Store {
    /// One item, read strongly.
    pub(crate) async fn get(&self, at: &ItemKey) -> Result<Option<Item>, StoreError> {
        let request = self.client.get_item().table_name(&self.table).consistent_read(true);
        let answer = request.set_key(Some(item::key(at))).send().await;
        Ok(answer.map_err(|error| StoreError::unavailable("get_item", &error))?.item)
    }

    /// Many items, read strongly, in the order of the keys; keys must differ.
    pub(crate) async fn get_many(&self, keys: &[ItemKey]) -> Result<Vec<Option<Item>>, StoreError> {
        if let [single] = keys {
            return Ok(vec![self.get(single).await?]);
        }
        let mut found: Vec<Option<Item>> = vec![None; keys.len()];
        for (chunk_index, chunk) in keys.chunks(KEYS_PER_REQUEST).enumerate() {
            let mut wanted: Vec<Item> = chunk.iter().map(item::key).collect();
            for _ in 0..ATTEMPTS_MAX {
                if wanted.is_empty() {
                    break;
                }
                let request = KeysAndAttributes::builder().set_keys(Some(wanted)).consistent_read(true);
                let request = request.build().map_err(StoreError::build)?;
                let answer = self.client.batch_get_item().request_items(&self.table, request).send().await;
                let mut answer = answer.map_err(|error| StoreError::unavailable("batch_get_item", &error))?;
                let items = answer.responses.as_mut().and_then(|tables| tables.remove(&self.table));
                for item in items.unwrap_or_default() {
                    let place = chunk.iter().position(|key| {
                        text(&item, PK) == Some(key.pk.as_str()) && text(&item, SK) == Some(key.sk.as_str())
                    });
                    if let Some(place) = place {
                        found[chunk_index * KEYS_PER_REQUEST + place] = Some(item);
                    }
                }
                let rest = answer.unprocessed_keys.and_then(|mut tables| tables.remove(&self.table));
                wanted = rest.map(|rest| rest.keys).unwrap_or_default();
            }
            if !wanted.is_empty() {
                let detail = "some keys stayed unprocessed".to_owned();
                return Err(StoreError::Unavailable { operation: "batch_get_item", detail });
            }
        }
        Ok(found)
    }
}
