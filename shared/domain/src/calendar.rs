//! Business time: intervals of a week in a time zone, without holidays. Exact to the millisecond, also over midnight
//! and where clocks are set forward or back.

use std::fmt;
use std::str::FromStr;

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::moment::Moment;

/// How many days ahead business time is looked for before a calendar counts as empty: about ten years.
const DAYS_AHEAD_MAX: i32 = 3_660;

/// The name of a calendar at a version of the SLA rules.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct CalendarRef {
    /// Its name.
    pub id: String,
    /// The version of the rules.
    pub version: u64,
}

/// When a team works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Calendar {
    /// Its name.
    pub id: String,
    /// IANA time zone: `Europe/Berlin`.
    pub time_zone: String,
    /// Working intervals of the week.
    pub hours: Vec<Hours>,
    /// Days (`2026-12-25`) on which no interval starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub holidays: Vec<Date>,
}

/// An interval on some days of the week.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hours {
    /// The days on which it starts.
    pub days: Vec<Day>,
    /// Start.
    pub from: WallTime,
    /// End; not later than `from` means on the next day.
    pub to: WallTime,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl From<Weekday> for Day {
    fn from(day: Weekday) -> Self {
        match day {
            Weekday::Monday => Self::Mon,
            Weekday::Tuesday => Self::Tue,
            Weekday::Wednesday => Self::Wed,
            Weekday::Thursday => Self::Thu,
            Weekday::Friday => Self::Fri,
            Weekday::Saturday => Self::Sat,
            Weekday::Sunday => Self::Sun,
        }
    }
}

/// A time of day in minutes, `00:00` to `24:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WallTime(u16);

const DAY_MINUTES: u16 = 24 * 60;

/// The text is not a time of day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a time of day is written 00:00 to 24:00")]
pub struct InvalidWallTime;

impl FromStr for WallTime {
    type Err = InvalidWallTime;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (hours, minutes) = text.split_once(':').ok_or(InvalidWallTime)?;
        let digits = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(hours) || !digits(minutes) {
            return Err(InvalidWallTime);
        }
        let hours: u16 = hours.parse().map_err(|_| InvalidWallTime)?;
        let minutes: u16 = minutes.parse().map_err(|_| InvalidWallTime)?;
        let total = hours * 60 + minutes;
        if minutes < 60 && total <= DAY_MINUTES { Ok(Self(total)) } else { Err(InvalidWallTime) }
    }
}

impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl Serialize for WallTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WallTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for WallTime {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "WallTime".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^([01][0-9]|2[0-4]):[0-5][0-9]$"})
    }
}

/// What is wrong with a calendar.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCalendar {
    /// The time zone is not in the database.
    #[error("unknown time zone {0:?}")]
    TimeZone(String),
    /// No interval at all.
    #[error("no working hours")]
    Empty,
}

impl Calendar {
    /// Checks that the time zone exists and that there is working time.
    pub fn validate(&self) -> Result<(), InvalidCalendar> {
        TimeZone::get(&self.time_zone).map_err(|_| InvalidCalendar::TimeZone(self.time_zone.clone()))?;
        if self.hours.iter().all(|hours| hours.days.is_empty()) { Err(InvalidCalendar::Empty) } else { Ok(()) }
    }

    /// The moment at which `ms` of business time have passed since `from`; `from` itself for nothing or less. Nothing
    /// when the calendar has too little working time in the next ten years.
    pub fn add(&self, from: Moment, ms: i64) -> Option<Moment> {
        let mut left = ms;
        if left <= 0 {
            return Some(from);
        }
        for (start, end) in self.intervals(from) {
            let here = end.since_ms(start);
            if left <= here {
                return Some(start.plus_ms(left));
            }
            left -= here;
        }
        None
    }

    /// Business time from `from` to `to` in milliseconds; negative when `to` is the earlier one.
    pub fn between(&self, from: Moment, to: Moment) -> i64 {
        if to < from {
            return -self.between(to, from);
        }
        let within = self.intervals(from).take_while(|(start, _)| *start < to);
        within.map(|(start, end)| end.min(to).since_ms(start)).sum()
    }

    /// Working intervals from `from` on, in order, without overlap.
    fn intervals(&self, from: Moment) -> impl Iterator<Item = (Moment, Moment)> + '_ {
        let zone = TimeZone::get(&self.time_zone).unwrap_or(TimeZone::UTC);
        // An interval that runs over midnight may have started the day before.
        let first = zone.to_datetime(from.timestamp()).date().checked_sub(1.day()).unwrap_or(Date::MIN);
        let mut reached = from;
        (0..DAYS_AHEAD_MAX)
            .map_while(move |offset| first.checked_add(offset.days()).ok())
            .flat_map(move |date| self.of_day(date, &zone))
            .filter_map(move |(start, end)| {
                let start = start.max(reached);
                reached = reached.max(end);
                (start < end).then_some((start, end))
            })
    }

    fn of_day(&self, date: Date, zone: &TimeZone) -> Vec<(Moment, Moment)> {
        if self.holidays.contains(&date) {
            return Vec::new();
        }
        let day = Day::from(date.weekday());
        let today = self.hours.iter().filter(|hours| hours.days.contains(&day));
        let mut found: Vec<_> = today
            .filter_map(|hours| {
                let next = if hours.to <= hours.from { DAY_MINUTES } else { 0 };
                Some((at(date, hours.from.0, zone)?, at(date, hours.to.0 + next, zone)?))
            })
            .collect();
        found.sort_unstable();
        found
    }
}

/// The moment of a wall-clock time, `minutes` after the midnight that starts `date`. A time that the clocks skip counts
/// as the same distance after the gap; one that comes twice is the first of the two (RFC 5545, section 3.3.5).
fn at(date: Date, minutes: u16, zone: &TimeZone) -> Option<Moment> {
    let date = date.checked_add(i32::from(minutes / DAY_MINUTES).days()).ok()?;
    let minutes = minutes % DAY_MINUTES;
    let time = date.at(i8::try_from(minutes / 60).ok()?, i8::try_from(minutes % 60).ok()?, 0, 0);
    Some(zone.to_timestamp(time).ok()?.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: i64 = 60_000;
    const HOUR: i64 = 60 * MINUTE;

    fn calendar(zone: &str, hours: &[(&[Day], &str, &str)], holidays: &[&str]) -> Calendar {
        Calendar {
            id: "test".into(),
            time_zone: zone.into(),
            hours: hours
                .iter()
                .map(|(days, from, to)| Hours {
                    days: days.to_vec(),
                    from: from.parse().unwrap(),
                    to: to.parse().unwrap(),
                })
                .collect(),
            holidays: holidays.iter().map(|day| day.parse().unwrap()).collect(),
        }
    }

    const WEEK: &[Day] = &[Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri];
    const ALL: &[Day] = &[Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri, Day::Sat, Day::Sun];

    fn office() -> Calendar {
        calendar("Europe/Berlin", &[(WEEK, "09:00", "12:00"), (WEEK, "13:00", "17:00")], &["2026-12-25"])
    }

    fn at(text: &str) -> Moment {
        text.parse().unwrap()
    }

    #[test]
    fn table_of_due_times() {
        let nights = calendar("Europe/Berlin", &[(&[Day::Fri], "22:00", "06:00")], &[]);
        let always = calendar("Europe/Berlin", &[(ALL, "00:00", "24:00")], &[]);
        let cases = [
            // Within an interval, over the lunch break, over the night, over a week-end, over a holiday.
            (office(), "2026-11-20T09:00:00+01:00", 30 * MINUTE, "2026-11-20T09:30:00+01:00"),
            (office(), "2026-11-20T11:59:59.999+01:00", 2, "2026-11-20T13:00:00.001+01:00"),
            (office(), "2026-11-19T16:30:00+01:00", HOUR, "2026-11-20T09:30:00+01:00"),
            (office(), "2026-11-20T16:00:00+01:00", 2 * HOUR, "2026-11-23T10:00:00+01:00"),
            (office(), "2026-12-24T16:00:00+01:00", 2 * HOUR, "2026-12-28T10:00:00+01:00"),
            // What ends exactly with an interval is due at its end, not at the start of the next.
            (office(), "2026-11-20T16:00:00+01:00", HOUR, "2026-11-20T17:00:00+01:00"),
            // Outside working time the clock starts with the next interval.
            (office(), "2026-11-21T12:00:00+01:00", HOUR, "2026-11-23T10:00:00+01:00"),
            // Over midnight into a day that has no interval of its own.
            (nights.clone(), "2026-11-20T23:00:00+01:00", 2 * HOUR, "2026-11-21T01:00:00+01:00"),
            (nights, "2026-11-21T05:00:00+01:00", 2 * HOUR, "2026-11-27T23:00:00+01:00"),
            // Clocks go forward on 2026-03-29 and back on 2026-10-25: a day has 23 and 25 hours.
            (always.clone(), "2026-03-28T12:00:00+01:00", 24 * HOUR, "2026-03-29T13:00:00+02:00"),
            (always, "2026-10-24T12:00:00+02:00", 24 * HOUR, "2026-10-25T11:00:00+01:00"),
        ];
        for (calendar, from, ms, due) in cases {
            assert_eq!(calendar.add(at(from), ms), Some(at(due)), "{from} + {ms} ms");
            assert_eq!(calendar.between(at(from), at(due)), ms, "{from} to {due}");
        }
    }

    #[test]
    fn overlapping_hours_count_once_and_an_empty_calendar_is_never_due() {
        let double = calendar("UTC", &[(ALL, "08:00", "12:00"), (ALL, "10:00", "14:00")], &[]);
        assert_eq!(double.between(at("2026-01-01T00:00:00Z"), at("2026-01-02T00:00:00Z")), 6 * HOUR);
        let empty = calendar("UTC", &[], &[]);
        assert_eq!(empty.add(at("2026-01-01T00:00:00Z"), 1), None);
        assert_eq!(empty.validate(), Err(InvalidCalendar::Empty));
        assert!(calendar("Mars/Base", &[(ALL, "00:00", "24:00")], &[]).validate().is_err());
        for text in ["24:01", "+9:00", "09:60", "9:00", "0900"] {
            assert!(text.parse::<WallTime>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn add_and_between_are_inverse(start in 1_700_000_000_000_i64..1_900_000_000_000, ms in 1_i64..200 * HOUR) {
            let from = Moment::from_ms(start);
            let due = office().add(from, ms).unwrap();
            prop_assert_eq!(office().between(from, due), ms);
            prop_assert_eq!(office().between(due, from), -ms);
        }

        #[test]
        fn time_can_be_cut_anywhere(start in 1_700_000_000_000_i64..1_900_000_000_000, a in 0_i64..60 * HOUR, b in 0_i64..60 * HOUR) {
            let (from, calendar) = (Moment::from_ms(start), office());
            let middle = from.plus_ms(a);
            let to = middle.plus_ms(b);
            prop_assert_eq!(calendar.between(from, middle) + calendar.between(middle, to), calendar.between(from, to));
        }
    }
}
