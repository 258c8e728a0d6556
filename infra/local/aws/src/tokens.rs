//! Transactions that are sent again: the same client token within ten minutes is the same transaction
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>).
//!
//! `dynoxide` knows this too, but looks through all tokens of the last ten minutes at every transaction, which under load
//! comes to take longer than the transaction itself. Here what a token costs does not depend on how many there are.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, VecDeque};
use std::hash::{Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use dynoxide::AttributeValue;
use dynoxide::actions::transact_write_items::TransactWriteItem;

/// How long a token is known, in milliseconds.
const WINDOW_MS: u64 = 10 * 60 * 1000;
/// Most tokens that are known at once, the latest: clients send again within seconds.
const TOKENS_MAX: usize = 100_000;

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Once<A> {
    /// It was done now, with this answer.
    Now(A),
    /// It was done before.
    Before,
    /// Another transaction was done with its token.
    Mismatch,
}

/// The tokens of transactions that were done. A hash stands for each, and one for what it did.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    done: HashMap<u64, u64>,
    /// In the order in which they were done, with the time.
    order: VecDeque<(u64, u64)>,
}

impl Tokens {
    /// Does what `run` does, unless it was done with this token already; `digest` is that of its writes. Transactions with tokens go one at a time, as the
    /// table itself works, so that one that is sent again meanwhile waits for the first.
    pub(crate) fn once<A, E>(
        &self,
        token: &str,
        digest: u64,
        now: u64,
        run: impl FnOnce() -> Result<A, E>,
    ) -> Result<Once<A>, E> {
        let token = hash(token);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.forget(now);
        match state.done.get(&token) {
            Some(done) if *done == digest => return Ok(Once::Before),
            Some(_) => return Ok(Once::Mismatch),
            None => {}
        }
        let answer = run()?;
        state.done.insert(token, digest);
        state.order.push_back((token, now));
        Ok(Once::Now(answer))
    }
}

impl State {
    fn forget(&mut self, now: u64) {
        while let Some((token, at)) = self.order.front() {
            if self.order.len() < TOKENS_MAX && now < at + WINDOW_MS {
                return;
            }
            self.done.remove(token);
            self.order.pop_front();
        }
    }
}

/// The same for the same writes, in whatever order their attributes come.
pub(crate) fn digest(writes: &[TransactWriteItem]) -> u64 {
    let mut all = DefaultHasher::new();
    for write in writes {
        if let Some(put) = &write.put {
            let (names, values) = (&put.expression_attribute_names, &put.expression_attribute_values);
            let what = (&put.table_name, &put.condition_expression, &put.return_values_on_condition_check_failure);
            ("put", what, attributes(&put.item), texts(names), values.as_ref().map(attributes)).hash(&mut all);
        }
        if let Some(update) = &write.update {
            let (names, values) = (&update.expression_attribute_names, &update.expression_attribute_values);
            let what =
                (&update.table_name, &update.condition_expression, &update.return_values_on_condition_check_failure);
            let change = (&update.update_expression, attributes(&update.key));
            ("update", what, change, texts(names), values.as_ref().map(attributes)).hash(&mut all);
        }
        if let Some(delete) = &write.delete {
            let (names, values) = (&delete.expression_attribute_names, &delete.expression_attribute_values);
            let what =
                (&delete.table_name, &delete.condition_expression, &delete.return_values_on_condition_check_failure);
            ("delete", what, attributes(&delete.key), texts(names), values.as_ref().map(attributes)).hash(&mut all);
        }
        if let Some(check) = &write.condition_check {
            let (names, values) = (&check.expression_attribute_names, &check.expression_attribute_values);
            let what =
                (&check.table_name, &check.condition_expression, &check.return_values_on_condition_check_failure);
            ("check", what, attributes(&check.key), texts(names), values.as_ref().map(attributes)).hash(&mut all);
        }
    }
    all.finish()
}

fn texts(names: &Option<HashMap<String, String>>) -> Option<u64> {
    names.as_ref().map(|names| names.iter().fold(0_u64, |sum, entry| sum.wrapping_add(hash(entry))))
}

fn attributes(item: &HashMap<String, AttributeValue>) -> u64 {
    item.iter().fold(0_u64, |sum, (name, value)| sum.wrapping_add(hash((name, of_value(value)))))
}

fn of_value(value: &AttributeValue) -> u64 {
    match value {
        AttributeValue::S(text) => hash(("S", text)),
        AttributeValue::N(number) => hash(("N", number)),
        AttributeValue::B(bytes) => hash(("B", bytes)),
        AttributeValue::BOOL(is) => hash(("BOOL", is)),
        AttributeValue::NULL(is) => hash(("NULL", is)),
        AttributeValue::SS(set) => hash(("SS", set)),
        AttributeValue::NS(set) => hash(("NS", set)),
        AttributeValue::BS(set) => hash(("BS", set)),
        AttributeValue::L(list) => hash(("L", list.iter().map(of_value).collect::<Vec<_>>())),
        AttributeValue::M(map) => hash(("M", attributes(map))),
    }
}

fn hash(what: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}
