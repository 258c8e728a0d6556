//! Ids: a prefix that says what it is, then a UUIDv7 or a name.
//!
//! Ids are derived, not drawn: a stage that runs twice for the same message makes the same ids. The customer and the
//! ticket that a message opens carry the message's own UUID under another prefix.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::moment::Moment;

/// A UUIDv7 (RFC 9562) of the given moment whose other bits are a hash of `seed`: the same inputs give the same id.
pub fn uuid_v7(at: Moment, seed: &[&[u8]]) -> Uuid {
    let hash = digest(seed);
    let mut random = [0; 10];
    random.copy_from_slice(&hash[..10]);
    uuid::Builder::from_unix_timestamp_millis(at.ms().max(0).unsigned_abs(), &random).into_uuid()
}

/// SHA-256 over the parts, each preceded by its length, so that no two lists of parts look alike.
pub fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// The text is not an id of the wanted kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a {expected}: {text:?}")]
pub struct InvalidId {
    expected: &'static str,
    text: String,
}

impl InvalidId {
    fn new(expected: &'static str, text: &str) -> Self {
        Self { expected, text: text.chars().take(80).collect() }
    }
}

macro_rules! text_form {
    ($name:ident, $pattern:literal) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "pattern": $pattern})
            }
        }
    };
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $pattern:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// The id with this UUID.
            pub fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID behind the prefix.
            pub fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0.simple())
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.strip_prefix($prefix)
                    .filter(|rest| rest.len() == 32 && !rest.contains(|c: char| c.is_ascii_uppercase()))
                    .and_then(|rest| Uuid::try_parse(rest).ok())
                    .map(Self)
                    .ok_or_else(|| InvalidId::new(stringify!($name), text))
            }
        }

        text_form!($name, $pattern);
    };
}

macro_rules! name_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// One to 64 of the characters `a-z A-Z 0-9 . _ -`, so that it stands unescaped in paths and keys.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let right = (1..=64).contains(&text.len())
                    && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
                if right { Ok(Self(text.to_owned())) } else { Err(InvalidId::new(stringify!($name), text)) }
            }
        }

        text_form!($name, "^[A-Za-z0-9._-]{1,64}$");
    };
}

uuid_id!(
    /// A customer: the person behind identifiers.
    CustomerId, "cus_", "^cus_[0-9a-f]{32}$"
);
uuid_id!(
    /// A ticket: one problem of one requester.
    TicketId, "tkt_", "^tkt_[0-9a-f]{32}$"
);
uuid_id!(
    /// A message of any channel and direction.
    MessageId, "msg_", "^msg_[0-9a-f]{32}$"
);
uuid_id!(
    /// An event on a ticket's timeline.
    EventId, "evt_", "^evt_[0-9a-f]{32}$"
);
name_id!(
    /// An agent, as the identity provider names them (the `sub` of their token).
    AgentId
);
name_id!(
    /// A team.
    TeamId
);
name_id!(
    /// An inbox: one business address or account on a channel.
    InboxId
);

impl CustomerId {
    /// The customer that this message makes known, if it is from nobody known.
    pub fn opened_by(message: MessageId) -> Self {
        Self(message.0)
    }
}

impl TicketId {
    /// The ticket that this message opens, if it belongs on none.
    pub fn opened_by(message: MessageId) -> Self {
        Self(message.0)
    }
}

impl EventId {
    /// The id of the event at `index` of the commit `sequence` of a ticket.
    pub fn of(ticket: TicketId, sequence: u64, index: usize, at: Moment) -> Self {
        let place = [sequence.to_be_bytes(), (index as u64).to_be_bytes()].concat();
        Self(uuid_v7(at, &[b"event", ticket.0.as_bytes(), &place]))
    }
}

/// The short public name of a ticket: `TL-7F3K-9QX2`, eight characters of Crockford's base 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TicketReference([u8; 8]);

const REFERENCE_ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl TicketReference {
    /// The reference that a ticket tries for the `attempt`th time (from 0): two tickets can want the same one, and the
    /// one that reserves it first has it.
    pub fn candidate(ticket: TicketId, attempt: u32) -> Self {
        let hash = digest(&[b"reference", ticket.0.as_bytes(), &attempt.to_be_bytes()]);
        let mut text = [0; 8];
        for (place, byte) in text.iter_mut().zip(hash) {
            *place = REFERENCE_ALPHABET[usize::from(byte % 32)];
        }
        Self(text)
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for TicketReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = self.text().split_at(4);
        write!(f, "TL-{first}-{second}")
    }
}

impl FromStr for TicketReference {
    type Err = InvalidId;

    /// Reads what people type: any case, with or without `TL-` and dashes, `O` for 0 and `I`, `L` for 1.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let upper = text.trim().to_ascii_uppercase();
        let rest = upper.strip_prefix("TL-").unwrap_or(&upper);
        let mut found = Vec::with_capacity(8);
        for byte in rest.bytes().filter(|b| *b != b'-') {
            let byte = match byte {
                b'O' => b'0',
                b'I' | b'L' => b'1',
                other => other,
            };
            if !REFERENCE_ALPHABET.contains(&byte) {
                return Err(InvalidId::new("ticket reference", text));
            }
            found.push(byte);
        }
        found.try_into().map(Self).map_err(|_| InvalidId::new("ticket reference", text))
    }
}

text_form!(TicketReference, "^TL-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip_and_refuse_each_other() {
        let uuid = uuid_v7(Moment::from_ms(1_763_631_000_000), &[b"a"]);
        assert_eq!(uuid.get_version_num(), 7);
        let ticket = TicketId::new(uuid);
        assert_eq!(ticket.to_string().parse(), Ok(ticket));
        assert!(ticket.to_string().parse::<CustomerId>().is_err());
        assert!("tkt_xyz".parse::<TicketId>().is_err());
        assert!("a/b".parse::<InboxId>().is_err());
        assert!("".parse::<TeamId>().is_err());
    }

    #[test]
    fn ids_are_derived_and_sort_by_time() {
        let early = uuid_v7(Moment::from_ms(1_000), &[b"z"]);
        let late = uuid_v7(Moment::from_ms(2_000), &[b"a"]);
        assert!(MessageId::new(early) < MessageId::new(late));
        assert_eq!(early, uuid_v7(Moment::from_ms(1_000), &[b"z"]));
        assert_ne!(digest(&[b"ab", b"c"]), digest(&[b"a", b"bc"]));
    }

    #[test]
    fn references_are_read_as_people_type_them() {
        let reference = TicketReference::candidate(TicketId::new(Uuid::nil()), 0);
        let shown = reference.to_string();
        assert_eq!(shown.len(), 12);
        assert_eq!(shown.parse(), Ok(reference));
        assert_eq!(shown.to_lowercase().replace('-', "").trim_start_matches("tl").parse(), Ok(reference));
        assert!("TL-0000-000U".parse::<TicketReference>().is_err());
        assert!("TL-0000".parse::<TicketReference>().is_err());
    }
}
