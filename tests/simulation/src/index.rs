//! The indexes of the table as they were some time ago. The embedded table's are always fresh; those of the cloud are
//! not, and no decision that leads to a write may rest on them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Sort key of ticket heads, the only items that are indexed.
const HEAD: &str = "HEAD";
/// Beginning of the partition keys of tickets.
const TICKET: &str = "TICKET#";

/// The index attributes of a head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Entry {
    customer: String,
    holder: String,
    shard: Option<String>,
    check_at: Option<String>,
}

/// The history of every head's index attributes.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// By partition key, with the time of each change in milliseconds.
    heads: BTreeMap<String, Vec<(u64, Entry)>>,
}

fn text<'a>(item: &'a Value, name: &str) -> Option<&'a str> {
    item.get(name)?.get("S")?.as_str()
}

impl Index {
    /// Notes a transaction that was carried out.
    pub(crate) fn transaction(&mut self, request: &Value, now_ms: u64) {
        for write in request["TransactItems"].as_array().into_iter().flatten() {
            let item = &write["Put"]["Item"];
            let Some(pk) = text(item, "pk").filter(|pk| pk.starts_with(TICKET)) else { continue };
            if text(item, "sk") != Some(HEAD) {
                continue;
            }
            let own = |name| text(item, name).map(str::to_owned);
            let entry = Entry {
                customer: own("customer_key").unwrap_or_default(),
                holder: own("holder_key").unwrap_or_default(),
                shard: own("check_shard"),
                check_at: own("check_at"),
            };
            self.heads.entry(pk.to_owned()).or_default().push((now_ms, entry));
        }
    }

    /// Notes an update that was carried out: the next check of a head moved.
    pub(crate) fn update(&mut self, request: &Value, now_ms: u64) {
        let key = &request["Key"];
        let Some(history) = text(key, "pk").and_then(|pk| self.heads.get_mut(pk)) else { return };
        let Some((_, last)) = history.last().cloned().filter(|_| text(key, "sk") == Some(HEAD)) else { return };
        let entry = match text(&request["ExpressionAttributeValues"], ":at") {
            Some(at) => Entry { check_at: Some(at.to_owned()), ..last },
            None => Entry { shard: None, check_at: None, ..last },
        };
        history.push((now_ms, entry));
    }

    /// The answer to a query of an index as it would have been then; nothing for a query that is none.
    pub(crate) fn answer(&self, request: &Value, as_of_ms: u64) -> Option<Value> {
        let value = |name| text(&request["ExpressionAttributeValues"], name);
        let limit = usize::try_from(request["Limit"].as_u64()?).ok()?;
        let then = self.heads.iter().filter_map(|(pk, history)| {
            let known = history.iter().rev().find(|(at, _)| *at <= as_of_ms)?;
            Some((pk, &known.1))
        });
        let mut keys: Vec<(&str, &String)> = match request["IndexName"].as_str()? {
            "by_check" => {
                let (shard, until) = (value(":shard")?, value(":until")?);
                let due = then.filter(|(_, entry)| entry.shard.as_deref() == Some(shard));
                due.filter_map(|(pk, entry)| Some((entry.check_at.as_deref()?, pk)))
                    .filter(|(at, _)| *at <= until)
                    .collect()
            }
            name => {
                let (partition, before) = (value(":partition")?, value(":before")?);
                let of = move |entry: &Entry| {
                    if name == "by_customer" { entry.customer == partition } else { entry.holder == partition }
                };
                then.filter(|(pk, entry)| of(entry) && pk.as_str() < before).map(|(pk, _)| (pk.as_str(), pk)).collect()
            }
        };
        keys.sort_unstable();
        if request["ScanIndexForward"] == false {
            keys.reverse();
        }
        let more = keys.len() > limit;
        keys.truncate(limit);
        let items: Vec<Value> = keys.iter().map(|(_, pk)| json!({"pk": {"S": pk}, "sk": {"S": HEAD}})).collect();
        let mut answer = json!({"Count": items.len(), "ScannedCount": items.len(), "Items": items});
        if let Some(last) = answer["Items"].as_array().and_then(|items| items.last().cloned()).filter(|_| more) {
            answer["LastEvaluatedKey"] = last;
        }
        Some(answer)
    }
}
