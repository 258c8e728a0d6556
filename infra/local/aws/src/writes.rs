//! Which items a request writes, and how many units each is: for bills that name them.

use dynoxide::actions::batch_get_item::BatchGetItemRequest;
use dynoxide::actions::batch_write_item::BatchWriteItemRequest;
use dynoxide::actions::delete_item::DeleteItemRequest;
use dynoxide::actions::get_item::GetItemRequest;
use dynoxide::actions::put_item::PutItemRequest;
use dynoxide::actions::query::QueryRequest;
use dynoxide::actions::scan::ScanRequest;
use dynoxide::actions::transact_get_items::TransactGetItemsRequest;
use dynoxide::actions::transact_write_items::{TransactWriteItem, TransactWriteItemsRequest};
use dynoxide::actions::update_item::UpdateItemRequest;
use dynoxide::types::{item_size, write_capacity_units};
use dynoxide::{AttributeValue, Item};

/// What a write costs more in a transaction.
const TRANSACTION_FACTOR: f64 = 2.0;

/// A request that may write items.
pub(crate) trait Writes {
    /// Kinds of the items that it writes, with their units in the table itself. What is changed or deleted counts as small:
    /// its size is not in the request.
    fn items(&self) -> Vec<(String, f64)> {
        Vec::new()
    }
}

impl Writes for GetItemRequest {}
impl Writes for BatchGetItemRequest {}
impl Writes for BatchWriteItemRequest {}
impl Writes for QueryRequest {}
impl Writes for ScanRequest {}
impl Writes for TransactGetItemsRequest {}

impl Writes for PutItemRequest {
    fn items(&self) -> Vec<(String, f64)> {
        vec![of(&self.item)]
    }
}

impl Writes for UpdateItemRequest {
    fn items(&self) -> Vec<(String, f64)> {
        vec![of(&self.key)]
    }
}

impl Writes for DeleteItemRequest {
    fn items(&self) -> Vec<(String, f64)> {
        vec![of(&self.key)]
    }
}

impl Writes for TransactWriteItemsRequest {
    fn items(&self) -> Vec<(String, f64)> {
        let items = self.transact_items.iter().filter_map(written);
        items.map(of).map(|(kind, units)| (kind, units * TRANSACTION_FACTOR)).collect()
    }
}

fn written(write: &TransactWriteItem) -> Option<&Item> {
    let put = write.put.as_ref().map(|put| &put.item);
    put.or(write.update.as_ref().map(|update| &update.key)).or(write.delete.as_ref().map(|delete| &delete.key))
}

fn of(item: &Item) -> (String, f64) {
    let beginning = |attribute: &str| match item.get(attribute) {
        Some(AttributeValue::S(key)) => key.split('#').next().unwrap_or_default().to_owned(),
        _ => String::new(),
    };
    (format!("{} {}", beginning("pk"), beginning("sk")), write_capacity_units(item_size(item)))
}
