//! What is wrong with the ticketing rules.

use std::collections::{BTreeMap, BTreeSet};

use super::Faults;
use crate::channel::Channel;
use crate::config::{Config, ConfigKind, FieldKind};
use crate::ticket::FIELDS_MAX;

/// Longest window of the ticketing rules, in hours: ten years.
const WINDOW_HOURS_MAX: i64 = 10 * 366 * 24;
/// Most patterns of strong references: each is looked for in every message.
const PATTERNS_MAX: usize = 20;
/// Most choices of a custom field, and most dispositions.
const CHOICES_MAX: usize = 100;
/// Longest name of a pattern, a field, a choice or a disposition, in bytes.
const NAME_BYTES_MAX: usize = 64;

const KIND: ConfigKind = ConfigKind::Ticketing;

pub(super) fn check(config: &Config, faults: &mut Faults<'_>) {
    windows(config, faults);
    references(config, faults);
    fields(config, faults);
    resolving(config, faults);
}

fn windows(config: &Config, faults: &mut Faults<'_>) {
    let rules = &config.ticketing.body;
    let windows = [
        ("conversation_window_hours", rules.conversation_window_hours, &rules.conversation_window_hours_by_channel),
        ("reopen_window_hours", rules.reopen_window_hours, &rules.reopen_window_hours_by_channel),
        ("same_problem_window_hours", rules.same_problem_window_hours, &rules.same_problem_window_hours_by_channel),
    ];
    for (name, hours, by_channel) in windows {
        for (pointer, hours) in by_name(name, hours, by_channel) {
            if !(0..=WINDOW_HOURS_MAX).contains(&hours) {
                faults.add(KIND, pointer, format!("0 to {WINDOW_HOURS_MAX} hours"));
            }
        }
    }
    let by_channel = &rules.same_problem_percent_by_channel;
    for (pointer, percent) in by_name("same_problem_percent", rules.same_problem_percent, by_channel) {
        if percent > 100 {
            faults.add(KIND, pointer, "0 to 100 per cent");
        }
    }
}

/// A number and those of single channels, each with its pointer.
fn by_name<T: Copy>(name: &str, number: T, by_channel: &BTreeMap<Channel, T>) -> Vec<(String, T)> {
    let of = |(channel, number): (&Channel, &T)| (format!("/{name}_by_channel/{channel}"), *number);
    std::iter::once((format!("/{name}"), number)).chain(by_channel.iter().map(of)).collect()
}

fn references(config: &Config, faults: &mut Faults<'_>) {
    let patterns = &config.ticketing.body.references;
    if patterns.len() > PATTERNS_MAX {
        faults.add(KIND, "/references", format!("at most {PATTERNS_MAX} patterns"));
    }
    for (i, pattern) in patterns.iter().enumerate() {
        // Two patterns may be of one name: a number that is written in two ways.
        word(format!("/references/{i}/name"), &pattern.name, &mut BTreeSet::new(), faults);
        if let Err(fault) = pattern.check() {
            faults.add(KIND, format!("/references/{i}/pattern"), fault.to_string());
        }
    }
}

fn fields(config: &Config, faults: &mut Faults<'_>) {
    let fields = &config.ticketing.body.fields;
    if fields.len() > FIELDS_MAX {
        faults.add(KIND, "/fields", format!("at most {FIELDS_MAX} fields"));
    }
    let mut keys = BTreeSet::new();
    for (i, field) in fields.iter().enumerate() {
        word(format!("/fields/{i}/key"), &field.key, &mut keys, faults);
        let pointer = format!("/fields/{i}/choices");
        match (field.kind, field.choices.is_empty()) {
            (FieldKind::Choice, true) => faults.add(KIND, pointer, "a choice needs choices"),
            (FieldKind::Choice, false) => words(&pointer, &field.choices, faults),
            (_, false) => faults.add(KIND, pointer, "only a choice has choices"),
            (_, true) => {}
        }
    }
}

fn resolving(config: &Config, faults: &mut Faults<'_>) {
    let rules = &config.ticketing.body.resolving;
    words("/resolving/dispositions", &rules.dispositions, faults);
    if rules.require_disposition && rules.dispositions.is_empty() {
        faults.add(KIND, "/resolving/dispositions", "one is required, so there must be some");
    }
}

/// Names that people choose from.
fn words(pointer: &str, names: &[String], faults: &mut Faults<'_>) {
    if names.len() > CHOICES_MAX {
        faults.add(KIND, pointer, format!("at most {CHOICES_MAX}"));
    }
    let mut before = BTreeSet::new();
    for (i, name) in names.iter().enumerate() {
        word(format!("{pointer}/{i}"), name, &mut before, faults);
    }
}

fn word<'n>(pointer: String, name: &'n str, before: &mut BTreeSet<&'n str>, faults: &mut Faults<'_>) {
    if name.len() > NAME_BYTES_MAX {
        faults.add(KIND, pointer, format!("at most {NAME_BYTES_MAX} bytes"));
    } else {
        faults.name(KIND, pointer, name, before);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::InvalidConfig;

    fn places(ticketing: serde_json::Value) -> Vec<String> {
        let mut config = Config::default();
        config.ticketing.body = serde_json::from_value(ticketing).unwrap();
        let found = config.validate(&[]).err().map(|InvalidConfig(found)| found).unwrap_or_default();
        found.into_iter().map(|fault| format!("{} {}", fault.pointer, fault.detail)).collect()
    }

    #[test]
    fn every_fault_has_its_place_and_says_what_is_right() {
        let found = places(json!({
            "conversation_window_hours_by_channel": {"sms": -1},
            "same_problem_percent_by_channel": {"sms": 101},
            "references": [{"name": "", "pattern": "ORD-######"}, {"name": "order", "pattern": "###"}],
            "fields": [
                {"key": "size", "kind": "choice"},
                {"key": "size", "kind": "text", "choices": ["s"]},
                {"key": "x".repeat(65), "kind": "bool"},
            ],
            "resolving": {"dispositions": ["solved", "solved"]},
        }));
        assert_eq!(
            found,
            [
                "/conversation_window_hours_by_channel/sms 0 to 87840 hours",
                "/same_problem_percent_by_channel/sms 0 to 100 per cent",
                "/references/0/name must not be empty",
                "/references/1/pattern a pattern needs at least 4 places of # @ or *, or it finds too much",
                "/fields/0/choices a choice needs choices",
                "/fields/1/key size stands here twice",
                "/fields/1/choices only a choice has choices",
                "/fields/2/key at most 64 bytes",
                "/resolving/dispositions/1 solved stands here twice",
            ]
        );
        let none = json!({"resolving": {"require_disposition": true, "dispositions": []}});
        assert_eq!(places(none), ["/resolving/dispositions one is required, so there must be some"]);
    }

    #[test]
    fn lists_are_bounded() {
        let pattern = json!({"name": "order", "pattern": "ORD-######"});
        let names = |n: usize| (0..n).map(|i| format!("d{i}")).collect::<Vec<_>>();
        let field = |i: usize| json!({"key": format!("f{i}"), "kind": "text"});
        let found = places(json!({
            "references": vec![pattern.clone(); PATTERNS_MAX + 1],
            "fields": (0..=FIELDS_MAX).map(field).collect::<Vec<_>>(),
            "resolving": {"dispositions": names(CHOICES_MAX + 1)},
        }));
        assert_eq!(
            found,
            ["/references at most 20 patterns", "/fields at most 50 fields", "/resolving/dispositions at most 100"]
        );
        assert!(places(json!({"references": vec![pattern; PATTERNS_MAX]})).is_empty());
    }
}
