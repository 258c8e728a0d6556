//! What business systems know of a customer: attributes, preferences, entitlements, orders and names. What channels tell of
//! somebody goes the same way ([`crate::profile_told`]).
//!
//! Several systems tell about one customer, late and more than once. Each field keeps who told it last and when
//! ([`Stamp`]); of two tellings the later one holds, field by field, so their order of arrival changes nothing.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::channel::Channel;
use crate::customer::Profile;
use crate::moment::Moment;

mod names;

pub use names::{AssertedNames, Holder, NameRefused, assert_names, holders_to_check};

/// Most attribute names that a profile keeps, removed ones included: they have to be remembered, too.
pub const ATTRIBUTES_MAX: usize = 50;
/// Longest name of an attribute, in bytes.
pub const ATTRIBUTE_NAME_BYTES_MAX: usize = 64;
/// Longest value of an attribute, in bytes.
pub const ATTRIBUTE_VALUE_BYTES_MAX: usize = 256;
/// Longest display name, in bytes.
pub const NAME_BYTES_MAX: usize = 320;
/// Longest language tag (BCP 47), in bytes.
pub const LANGUAGE_BYTES_MAX: usize = 35;
/// Most entitlements of a customer.
pub const ENTITLEMENTS_MAX: usize = 20;
/// Most orders that a profile keeps: those told last, of these the newest.
pub const ORDERS_MAX: usize = 50;
/// Most orders that are told at once.
pub const ORDERS_TOLD_MAX: usize = 200;
/// Longest entitlement or order, in bytes of JSON.
pub const RECORD_BYTES_MAX: usize = 1_024;
/// Longest id of an order or an entitlement, in bytes.
pub const RECORD_ID_BYTES_MAX: usize = 128;

/// Who told something, and when it was so: the later of two stamps is the greater.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Stamp {
    /// When it was so, as the source says; else when it told.
    pub at: Moment,
    /// The business system: the subject of its token; or the channel and inbox that told: `telegram/support`.
    pub source: String,
}

/// Something that a customer is entitled to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Entitlement {
    /// The business system's id of it.
    pub id: String,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Moment>,
    /// What else is known of it.
    #[serde(flatten)]
    pub more: BTreeMap<String, Value>,
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Order {
    /// The order number.
    pub id: String,
    /// When it was placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Moment>,
    /// What else is known of it: `status`, `total`, …
    #[serde(flatten)]
    pub more: BTreeMap<String, Value>,
}

/// An order with who told it last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KnownOrder {
    /// The order.
    pub order: Order,
    /// Who told it last, and when.
    pub told: Stamp,
}

impl KnownOrder {
    /// Of two tellings of one order the greater holds; of many orders the greatest are kept. Because a later telling is
    /// always greater, what is cut now would be cut later, too.
    fn rank(&self) -> (&Stamp, Option<Moment>, &str, String) {
        (&self.told, self.order.at, &self.order.id, text(&self.order))
    }
}

/// What a business system tells at once. Absent fields stay as they are; an inner nothing removes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Who tells, and when it was so.
    pub stamp: Stamp,
    /// Display name.
    pub name: Option<Option<String>>,
    /// Preferred language.
    pub language: Option<Option<String>>,
    /// Preferred channel.
    pub channel: Option<Option<Channel>>,
    /// Attributes by name.
    pub attributes: BTreeMap<String, Option<String>>,
    /// All entitlements.
    pub entitlements: Option<Vec<Entitlement>>,
    /// Orders, each by its id; others stay.
    pub orders: Vec<Order>,
}

/// What a telling made of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// The profile; version and time of change are as before.
    pub profile: Profile,
    /// Fields of which something later is known: they stayed as they were.
    pub outdated: Vec<String>,
    /// How many orders were cut, told before or now.
    pub orders_cut: usize,
}

/// A fault of a telling: where (a JSON pointer), and what.
pub type Fault = (String, String);

/// The profile after a telling: the last writer holds, field by field. At the same moment the source with the greater name
/// holds, and of two tellings of one source the greater value, so that every order of arrival gives the same.
pub fn merge(mut profile: Profile, told: &Told) -> Merged {
    let mut outdated = Vec::new();
    let mut stamps = std::mem::take(&mut profile.told);
    let mut holds = |field: &str, known: String, news: String| {
        let before = stamps.get(field).map(|stamp| (stamp, &known));
        let later = before.is_none_or(|before| (&told.stamp, &news) > before);
        if later {
            stamps.insert(field.to_owned(), told.stamp.clone());
        } else if stamps.get(field).is_some_and(|stamp| *stamp > told.stamp) || known != news {
            outdated.push(field.to_owned());
        }
        later
    };
    if let Some(name) = &told.name
        && holds("name", text(&profile.name), text(name))
    {
        profile.name.clone_from(name);
    }
    if let Some(language) = &told.language
        && holds("language", text(&profile.language), text(language))
    {
        profile.language.clone_from(language);
    }
    if let Some(channel) = &told.channel
        && holds("channel", text(&profile.preferred_channel), text(channel))
    {
        profile.preferred_channel = *channel;
    }
    if let Some(entitlements) = &told.entitlements
        && holds("entitlements", text(&profile.entitlements), text(entitlements))
    {
        profile.entitlements.clone_from(entitlements);
    }
    for (name, value) in &told.attributes {
        if holds(&attribute(name), text(&profile.attributes.get(name)), text(&value.as_ref())) {
            match value {
                Some(value) => drop(profile.attributes.insert(name.clone(), value.clone())),
                None => drop(profile.attributes.remove(name)),
            }
        }
    }
    for order in &told.orders {
        let news = KnownOrder { order: order.clone(), told: told.stamp.clone() };
        match profile.orders.iter_mut().find(|known| known.order.id == order.id) {
            None => profile.orders.push(news),
            Some(known) if news.rank() > known.rank() => *known = news,
            Some(known) if *known != news => outdated.push(format!("orders.{}", order.id)),
            Some(_) => {}
        }
    }
    profile.told = stamps;
    profile.orders.sort_by(|a, b| b.rank().cmp(&a.rank()));
    let orders_cut = profile.orders.len().saturating_sub(ORDERS_MAX);
    profile.orders.truncate(ORDERS_MAX);
    Merged { profile, outdated, orders_cut }
}

/// What is wrong with a telling about this customer: sizes and numbers.
pub fn faults(profile: &Profile, told: &Told) -> Vec<Fault> {
    let mut faults: Vec<Fault> = Vec::new();
    let mut check = |right: bool, pointer: String, detail: String| {
        if !right {
            faults.push((pointer, detail));
        }
    };
    let short = |text: &str, most: usize| {
        (1..=most).contains(&text.trim().len()) && text.len() <= most && !text.chars().any(char::is_control)
    };
    if let Some(Some(name)) = &told.name {
        check(short(name, NAME_BYTES_MAX), "/name".to_owned(), format!("1 to {NAME_BYTES_MAX} bytes"));
    }
    if let Some(Some(language)) = &told.language {
        let right = short(language, LANGUAGE_BYTES_MAX);
        check(right, "/preferences/language".to_owned(), format!("1 to {LANGUAGE_BYTES_MAX} bytes"));
    }
    for (name, value) in &told.attributes {
        let pointer = format!("/attributes/{}", name.replace('~', "~0").replace('/', "~1"));
        let right = short(name, ATTRIBUTE_NAME_BYTES_MAX);
        check(right, pointer.clone(), format!("a name has 1 to {ATTRIBUTE_NAME_BYTES_MAX} bytes"));
        let right = value.as_ref().is_none_or(|value| short(value, ATTRIBUTE_VALUE_BYTES_MAX));
        check(right, pointer, format!("a value has 1 to {ATTRIBUTE_VALUE_BYTES_MAX} bytes; null removes it"));
    }
    let known = profile.told.keys().filter(|field| field.starts_with(ATTRIBUTE_PREFIX)).count();
    let new = told.attributes.keys().filter(|name| !profile.told.contains_key(&attribute(name))).count();
    let detail = format!("at most {ATTRIBUTES_MAX} names are kept, removed ones included");
    check(new == 0 || known + new <= ATTRIBUTES_MAX, "/attributes".to_owned(), detail);

    let entitlements = told.entitlements.as_deref().unwrap_or_default();
    let detail = format!("at most {ENTITLEMENTS_MAX}");
    check(entitlements.len() <= ENTITLEMENTS_MAX, "/entitlements".to_owned(), detail);
    let detail = format!("at most {ORDERS_TOLD_MAX} at once");
    check(told.orders.len() <= ORDERS_TOLD_MAX, "/orders".to_owned(), detail);
    let mut record = |list: &str, i: usize, id: &str, text: &str, ids: &[&str]| {
        let right = short(id, RECORD_ID_BYTES_MAX) && text.len() <= RECORD_BYTES_MAX;
        let detail = format!("an id of 1 to {RECORD_ID_BYTES_MAX} bytes, and at most {RECORD_BYTES_MAX} bytes as JSON");
        check(right, format!("/{list}/{i}"), detail);
        check(!ids[..i].contains(&id), format!("/{list}/{i}/id"), "is there twice".to_owned());
    };
    let ids: Vec<&str> = entitlements.iter().map(|entitlement| entitlement.id.as_str()).collect();
    for (i, entitlement) in entitlements.iter().enumerate() {
        record("entitlements", i, &entitlement.id, &text(entitlement), &ids);
    }
    let ids: Vec<&str> = told.orders.iter().map(|order| order.id.as_str()).collect();
    for (i, order) in told.orders.iter().enumerate() {
        record("orders", i, &order.id, &text(order), &ids);
    }
    faults
}

/// Beginning of the fields of attributes in [`Profile::told`].
const ATTRIBUTE_PREFIX: &str = "attributes.";

fn attribute(name: &str) -> String {
    format!("{ATTRIBUTE_PREFIX}{name}")
}

/// A value as text, to tell which of two is the greater: any fixed order will do.
fn text<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests;
