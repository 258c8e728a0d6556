//! Points in time: UTC, to the millisecond.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time in UTC, in whole milliseconds since 1970. Written as RFC 3339 with exactly three decimals, so that
/// the text form sorts as the time does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(i64);

/// The text is not an RFC 3339 time, or lies outside the years 0 to 9999.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time: {0:?}")]
pub struct InvalidMoment(String);

/// The first moment that has a four-digit year: 0000-01-01.
const MIN_MS: i64 = -62_167_219_200_000;
/// The last moment that has a four-digit year: 9999-12-30, as far as the calendar arithmetic reaches.
const MAX_MS: i64 = 253_402_207_200_000;

impl Moment {
    /// Milliseconds since 1970; values outside the years 0 to 9999 are brought to the nearest bound.
    pub fn from_ms(ms: i64) -> Self {
        Self(ms.clamp(MIN_MS, MAX_MS))
    }

    /// Milliseconds since 1970.
    pub fn ms(self) -> i64 {
        self.0
    }

    /// This moment, `ms` milliseconds later (earlier when negative).
    pub fn plus_ms(self, ms: i64) -> Self {
        Self::from_ms(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this moment; negative when `earlier` is later.
    pub fn since_ms(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    /// Whole days since 1970 in UTC.
    pub fn day(self) -> i64 {
        self.0.div_euclid(86_400_000)
    }

    /// The same moment as a `jiff` timestamp.
    pub fn timestamp(self) -> Timestamp {
        Timestamp::from_millisecond(self.0).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        Self::from_ms(at.as_millisecond())
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.timestamp())
    }
}

impl FromStr for Moment {
    type Err = InvalidMoment;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let at: Timestamp = text.parse().map_err(|_| InvalidMoment(text.chars().take(64).collect()))?;
        let ms = at.as_millisecond();
        if (MIN_MS..=MAX_MS).contains(&ms) { Ok(Self(ms)) } else { Err(InvalidMoment(text.to_owned())) }
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Moment {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time", "examples": ["2026-11-20T09:30:00.000Z"]})
    }
}

/// A moment as milliseconds, for items that are billed by their size: `#[serde(with = "moment::as_ms")]`.
pub(crate) mod as_ms {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Moment;

    pub(crate) fn serialize<S: Serializer>(at: &Moment, serializer: S) -> Result<S::Ok, S::Error> {
        at.0.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Moment, D::Error> {
        i64::deserialize(deserializer).map(Moment::from_ms)
    }
}

/// The same for a moment that may be missing.
pub(crate) mod as_ms_if_any {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Moment;

    #[expect(clippy::ref_option, reason = "serde gives it so")]
    pub(crate) fn serialize<S: Serializer>(at: &Option<Moment>, serializer: S) -> Result<S::Ok, S::Error> {
        at.map(Moment::ms).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Moment>, D::Error> {
        Ok(Option::<i64>::deserialize(deserializer)?.map(Moment::from_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_has_three_decimals_and_round_trips() {
        let at = Moment::from_ms(1_763_631_000_005);
        assert_eq!(at.to_string(), "2025-11-20T09:30:00.005Z");
        assert_eq!(at.to_string().parse(), Ok(at));
        assert_eq!("2025-11-20T10:30:00.0059+01:00".parse(), Ok(at));
        assert_eq!(Moment::from_ms(0).to_string(), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn nonsense_is_refused_and_extremes_are_clamped() {
        assert!("yesterday".parse::<Moment>().is_err());
        assert!("-002026-01-01T00:00:00Z".parse::<Moment>().is_err());
        assert_eq!(Moment::from_ms(i64::MAX).to_string().parse(), Ok(Moment::from_ms(i64::MAX)));
        assert_eq!(Moment::from_ms(i64::MIN).to_string().parse(), Ok(Moment::from_ms(i64::MIN)));
    }
}
