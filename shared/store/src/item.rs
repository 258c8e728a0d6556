//! Items: maps of attributes to values, and what they are made from.

use std::collections::HashMap;
use std::fmt::Display;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::StoreError;
use crate::keys::{ItemKey, PK, SK};

pub(crate) type Item = HashMap<String, AttributeValue>;

pub(crate) fn string(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: impl Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// The key as the requests want it.
pub(crate) fn key(key: &ItemKey) -> Item {
    Item::from([(PK.to_owned(), string(&key.pk)), (SK.to_owned(), string(&key.sk))])
}

/// An item of this key with the fields of a value.
pub(crate) fn encode<T: Serialize>(at: &ItemKey, value: &T) -> Result<Item, StoreError> {
    let mut item: Item = serde_dynamo::to_item(value).map_err(StoreError::build)?;
    item.extend(key(at));
    Ok(item)
}

/// The value in an item; attributes that it does not know are left alone.
pub(crate) fn decode<T: DeserializeOwned>(item: Item) -> Result<T, StoreError> {
    let name = format!("{}/{}", text(&item, PK).unwrap_or_default(), text(&item, SK).unwrap_or_default());
    serde_dynamo::from_item(item).map_err(|error| StoreError::Corrupt { key: name, detail: error.to_string() })
}

pub(crate) fn text<'a>(item: &'a Item, attribute: &str) -> Option<&'a str> {
    item.get(attribute)?.as_s().ok().map(String::as_str)
}
