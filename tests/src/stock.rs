//! Many stored tickets, quickly: copies of everything that one ticket left in the table, under other names.

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::Value;
use throughline_aws::Aws;
use throughline_local::{System, TABLE};

/// Tickets that are put into the table at once.
const AT_ONCE: usize = 500;
/// What is not of one ticket: the capacity of agents, the lines of teams, settings.
const SHARED: [&str; 3] = ["AGENT#", "TEAM#", "CONFIG#"];

/// What one ticket of one customer left in the table.
#[derive(Debug)]
pub struct Stock {
    /// The items, as JSON.
    items: String,
    /// What is different in each copy.
    names: Vec<Name>,
}

/// A text by which items are told apart, and how a copy's is made.
#[derive(Debug)]
struct Name {
    text: String,
    /// What it becomes: this beginning, and the number of the copy.
    beginning: String,
    end: &'static str,
}

impl Stock {
    /// What `action` leaves of its own in the table: one mail of somebody new, with this address, to its end.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn of(system: &System, address: &str, action: impl Future<Output = ()>) -> anyhow::Result<Self> {
        system.settled().await;
        let before = keys(&system.aws.dump(TABLE)?);
        action.await;
        system.settled().await;
        let mut items = system.aws.dump(TABLE)?;
        items.retain(|item| {
            !before.contains(&key(item)) && !SHARED.iter().any(|shared| key(item).0.starts_with(shared))
        });
        let mut texts: BTreeSet<String> = BTreeSet::new();
        for item in &items {
            let pk = key(item).0;
            texts.extend(pk.rsplit('#').next().map(str::to_owned).filter(|name| name != address));
        }
        let names =
            texts.iter().map(|text| Name::of(text)).chain([Name::new(address, "stock-", "@example.org")]).collect();
        Ok(Self { items: serde_json::to_string(&items)?, names })
    }

    /// Puts copies into the table, one for each number.
    ///
    /// # Errors
    /// When the table fails.
    pub fn fill(&self, aws: &Aws, copies: Range<usize>) -> anyhow::Result<()> {
        let mut batch: Vec<Value> = Vec::new();
        for copy in copies.clone() {
            let mut items = self.items.clone();
            for name in &self.names {
                items = items.replace(&name.text, &format!("{}{copy:07}{}", name.beginning, name.end));
            }
            batch.extend(serde_json::from_str::<Vec<Value>>(&items)?);
            if copy % AT_ONCE == 0 || copy + 1 == copies.end {
                aws.load(TABLE, &batch)?;
                batch.clear();
            }
        }
        Ok(())
    }
}

impl Name {
    fn new(text: &str, beginning: &str, end: &'static str) -> Self {
        Self { text: text.to_owned(), beginning: beginning.to_owned(), end }
    }

    /// Ids, hashes and references end in digits and letters: the last seven become the number of the copy.
    fn of(text: &str) -> Self {
        match text.strip_prefix("TL-") {
            // It has a dash in its last seven characters.
            Some(reference) => Self::new(reference, "0-", ""),
            None => Self::new(text, &text[..text.len().saturating_sub(7)], ""),
        }
    }
}

fn key(item: &Value) -> (String, String) {
    let part = |name: &str| item[name]["S"].as_str().unwrap_or_default().to_owned();
    (part("pk"), part("sk"))
}

fn keys(items: &[Value]) -> BTreeSet<(String, String)> {
    items.iter().map(key).collect()
}
