//! Which ticket a message belongs on, what tickets keep, and what has to be said of one that is done.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::channel::Channel;
use crate::strong_reference::ReferencePattern;

/// One hour in milliseconds.
pub const HOUR_MS: i64 = 3_600_000;
/// One day in milliseconds.
const DAY_MS: i64 = 24 * HOUR_MS;

/// Which ticket a message belongs on, and what tickets keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TicketingRules {
    /// A conversational message joins the running ticket of its inbox that was active within this time, in hours.
    pub conversation_window_hours: i64,
    /// The same for single channels; 0: every message that is no answer stands for itself.
    pub conversation_window_hours_by_channel: BTreeMap<Channel, i64>,
    /// A reply reopens a ticket that was resolved within this time, in hours; later it opens a follow-up.
    pub reopen_window_hours: i64,
    /// The same for single channels.
    pub reopen_window_hours_by_channel: BTreeMap<Channel, i64>,
    /// A message without reference may join a ticket on another channel that was active within this time, in hours.
    pub same_problem_window_hours: i64,
    /// The same for single channels: those of the message, not of the ticket.
    pub same_problem_window_hours_by_channel: BTreeMap<Channel, i64>,
    /// Share of words in common, in per cent, from which two messages are about the same problem.
    pub same_problem_percent: u32,
    /// The same for single channels: those of the message, not of the ticket.
    pub same_problem_percent_by_channel: BTreeMap<Channel, u32>,
    /// Order, invoice, product and case numbers: a message joins the open ticket of the same customer that has the same
    /// one. None, if nothing is said.
    pub references: Vec<ReferencePattern>,
    /// When a mail that answers an old one is about something else.
    pub drift: DriftRules,
    /// Custom fields that can be set through the interface. What forms and business systems send along is kept as it is.
    pub fields: Vec<FieldRule>,
    /// What has to be said when a ticket is resolved.
    pub resolving: ResolvingRules,
}

impl Default for TicketingRules {
    fn default() -> Self {
        Self {
            conversation_window_hours: 24,
            conversation_window_hours_by_channel: BTreeMap::new(),
            reopen_window_hours: 14 * 24,
            reopen_window_hours_by_channel: BTreeMap::new(),
            same_problem_window_hours: 48,
            same_problem_window_hours_by_channel: BTreeMap::new(),
            same_problem_percent: 60,
            same_problem_percent_by_channel: BTreeMap::new(),
            references: Vec::new(),
            drift: DriftRules::default(),
            fields: Vec::new(),
            resolving: ResolvingRules::default(),
        }
    }
}

impl TicketingRules {
    /// How long a conversation on this channel runs on after its last message, in hours.
    pub fn conversation_window_hours(&self, channel: Channel) -> i64 {
        let own = self.conversation_window_hours_by_channel.get(&channel).copied();
        own.unwrap_or(self.conversation_window_hours)
    }

    /// How long after its resolution a reply on this channel reopens a ticket, in milliseconds.
    pub fn reopen_window_ms(&self, channel: Channel) -> i64 {
        let hours = self.reopen_window_hours_by_channel.get(&channel).copied();
        hours.unwrap_or(self.reopen_window_hours).saturating_mul(HOUR_MS)
    }

    /// How long a ticket may have been quiet for a message on this channel to join it for what it says, in milliseconds.
    pub fn same_problem_window_ms(&self, channel: Channel) -> i64 {
        let hours = self.same_problem_window_hours_by_channel.get(&channel).copied();
        hours.unwrap_or(self.same_problem_window_hours).saturating_mul(HOUR_MS)
    }

    /// How alike a message on this channel has to be, in per cent.
    pub fn same_problem_percent(&self, channel: Channel) -> u32 {
        self.same_problem_percent_by_channel.get(&channel).copied().unwrap_or(self.same_problem_percent)
    }

    /// The rule of a custom field.
    pub fn field(&self, key: &str) -> Option<&FieldRule> {
        self.fields.iter().find(|field| field.key == key)
    }
}

/// When a mail that answers an old one is about something else, and gets a ticket of its own: people look for an old mail
/// to have the address at hand. Its subject has to be another one, and no word and no strong reference be shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DriftRules {
    /// Whether it is looked at: for what is resolved, and for what was quiet. On, if nothing is said.
    pub enabled: bool,
    /// After how many days without a message an open ticket counts as quiet. 30, if nothing is said.
    pub quiet_days: u32,
}

impl Default for DriftRules {
    fn default() -> Self {
        Self { enabled: true, quiet_days: 30 }
    }
}

impl DriftRules {
    /// The time after which an open ticket counts as quiet, in milliseconds.
    pub fn quiet_ms(&self) -> i64 {
        i64::from(self.quiet_days).saturating_mul(DAY_MS)
    }
}

/// A custom field of tickets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldRule {
    /// Its name.
    pub key: String,
    /// What it holds.
    pub kind: FieldKind,
    /// What it may be, for a choice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// A ticket cannot be resolved without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required_to_resolve: bool,
}

/// What a custom field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// A line or more of text.
    Text,
    /// A number.
    Number,
    /// Yes or no.
    Bool,
    /// One of its choices.
    Choice,
}

impl FieldRule {
    /// Longest text of a field, in bytes.
    pub const TEXT_BYTES_MAX: usize = 1_000;

    /// Why it cannot hold this value, if it cannot.
    pub fn refuses(&self, value: &Value) -> Option<String> {
        match (self.kind, value) {
            (FieldKind::Text, Value::String(text)) if text.len() > Self::TEXT_BYTES_MAX => {
                Some(format!("at most {} bytes", Self::TEXT_BYTES_MAX))
            }
            (FieldKind::Text, Value::String(text)) if text.trim().is_empty() || text.contains('\0') => {
                Some("must say something; to empty a field, remove it".to_owned())
            }
            (FieldKind::Choice, Value::String(text)) if !self.choices.contains(text) => {
                Some(format!("must be one of: {}", self.choices.join(", ")))
            }
            (FieldKind::Text | FieldKind::Choice, Value::String(_))
            | (FieldKind::Number, Value::Number(_))
            | (FieldKind::Bool, Value::Bool(_)) => None,
            (FieldKind::Text | FieldKind::Choice, _) => Some("must be a text".to_owned()),
            (FieldKind::Number, _) => Some("must be a number".to_owned()),
            (FieldKind::Bool, _) => Some("must be true or false".to_owned()),
        }
    }
}

/// What has to be said when a person resolves or closes a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ResolvingRules {
    /// How it ended has to be said. Off, if nothing is said.
    pub require_disposition: bool,
    /// A note on what was done has to be written. Off, if nothing is said.
    pub require_note: bool,
    /// How a ticket can end.
    pub dispositions: Vec<String>,
}

impl Default for ResolvingRules {
    fn default() -> Self {
        let usual = ["solved", "workaround", "duplicate", "no_answer", "spam", "other"];
        Self { require_disposition: false, require_note: false, dispositions: usual.map(str::to_owned).to_vec() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_channel_goes_by_its_own_numbers_where_it_has_some() {
        let rules: TicketingRules = serde_json::from_value(json!({
            "conversation_window_hours_by_channel": {"sms": 72},
            "reopen_window_hours_by_channel": {"sms": 1},
            "same_problem_window_hours_by_channel": {"sms": 2},
            "same_problem_percent_by_channel": {"sms": 80},
        }))
        .unwrap();
        let of = |channel| {
            (
                rules.conversation_window_hours(channel),
                rules.reopen_window_ms(channel) / HOUR_MS,
                rules.same_problem_window_ms(channel) / HOUR_MS,
                rules.same_problem_percent(channel),
            )
        };
        assert_eq!(of(Channel::Sms), (72, 1, 2, 80));
        assert_eq!(of(Channel::WebChat), (24, 336, 48, 60));
    }

    #[test]
    fn what_an_older_version_stored_is_read_with_the_rest_as_built_in() {
        let old = r#"{"conversation_window_hours": 24, "reopen_window_hours": 336, "reopen_window_hours_by_channel": {},
            "same_problem_window_hours": 48, "same_problem_percent": 60}"#;
        assert_eq!(serde_json::from_str::<TicketingRules>(old).unwrap(), TicketingRules::default());
    }

    #[test]
    fn a_field_holds_its_kind_and_nothing_else() {
        let field = |kind| FieldRule {
            key: "k".into(),
            kind,
            choices: vec!["a".into(), "b".into()],
            required_to_resolve: false,
        };
        let long = "x".repeat(FieldRule::TEXT_BYTES_MAX + 1);
        for (kind, value, right) in [
            (FieldKind::Text, json!("some"), true),
            (FieldKind::Text, json!(" "), false),
            (FieldKind::Text, json!("a\0b"), false),
            (FieldKind::Text, json!(long), false),
            (FieldKind::Text, json!(1), false),
            (FieldKind::Number, json!(1.5), true),
            (FieldKind::Number, json!("1"), false),
            (FieldKind::Bool, json!(false), true),
            (FieldKind::Bool, json!(0), false),
            (FieldKind::Choice, json!("b"), true),
            (FieldKind::Choice, json!("c"), false),
            (FieldKind::Choice, json!(null), false),
            (FieldKind::Number, json!([1]), false),
        ] {
            assert_eq!(field(kind).refuses(&value).is_none(), right, "{kind:?} {value}");
        }
    }
}
