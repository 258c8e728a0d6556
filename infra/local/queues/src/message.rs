//! A message: what its sender gave (`Content`) and what happened to it since (`Envelope`).

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What the sender gave. Never changes; shared between the queue and the answers under way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Content {
    #[serde(rename = "b")]
    pub(crate) body: String,
    #[serde(rename = "a", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) attributes: BTreeMap<String, Attribute>,
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
    pub(crate) group: Option<String>,
    /// The de-duplication id; the hash of the body where the queue de-duplicates by content.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub(crate) dedup: Option<String>,
}

/// One message attribute, in the shape of the protocol.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Attribute {
    pub(crate) data_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) string_value: Option<String>,
    /// Base64, as on the wire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) binary_value: Option<String>,
}

/// What the service knows about a message. Times are wall time in milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Envelope {
    pub(crate) id: Uuid,
    #[serde(rename = "at")]
    pub(crate) sent_ms: u64,
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub(crate) first_received_ms: Option<u64>,
    /// How often it was received, over all queues that it was in.
    #[serde(rename = "n", default)]
    pub(crate) receives: u32,
    /// How many of `receives` happened before it came to this queue; only dead letters have any.
    #[serde(rename = "p", default)]
    pub(crate) receives_before: u32,
    /// The queue that it is a dead letter of.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<String>,
}

impl Content {
    /// Size that counts against the limit, in bytes.
    pub(crate) fn size(&self) -> usize {
        let attributes = self.attributes.iter().map(|(name, attribute)| {
            let binary = attribute.binary_value.as_ref().map_or(0, |value| value.len() / 4 * 3);
            name.len() + attribute.data_type.len() + attribute.string_value.as_ref().map_or(0, String::len) + binary
        });
        self.body.len() + attributes.sum::<usize>()
    }
}
