//! Signals: what a message is about and how much it presses, by its words.

use crate::config::{IntentRule, RoutingRules};
use crate::message::{Message, truncated};
use crate::ticket::Priority;

/// How much of a message is read for its signals, in bytes.
const READ_BYTES_MAX: usize = 4_096;

/// What a message is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signals {
    /// The intent, by the first rule that matches.
    pub intent: Option<String>,
    /// The priority that the intent gives.
    pub priority: Priority,
}

/// Reads the signals of a message.
pub fn read(message: &Message, rules: &RoutingRules) -> Signals {
    let subject = message.subject.as_deref().unwrap_or_default();
    let words = words(&format!("{subject} {}", truncated(message.new_text(), READ_BYTES_MAX)));
    let matches = |rule: &&IntentRule| {
        let here = rule.channels.is_empty() || rule.channels.contains(&message.channel);
        here && rule.any.iter().any(|phrase| words.contains(&self::words(phrase)))
    };
    let hit = rules.intents.iter().find(matches);
    hit.map_or_else(Signals::default, |rule| Signals {
        intent: Some(rule.intent.clone()),
        priority: rule.priority.unwrap_or_default(),
    })
}

/// The words of a text in lower case, each between blanks, so that `contains` finds whole words and phrases only.
fn words(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        out.push(' ');
        out.extend(word.chars().flat_map(char::to_lowercase));
    }
    out.push(' ');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Channel;
    use crate::id::MessageId;
    use crate::message::{Direction, Sender};
    use crate::moment::Moment;

    fn message(text: &str) -> Message {
        let id = MessageId::new(uuid::Uuid::nil());
        let inbox = "i".parse().unwrap();
        let mut message =
            Message::new(id, Channel::Email, inbox, Direction::Inbound, Sender::default(), Moment::from_ms(0));
        message.text = text.into();
        message
    }

    #[test]
    fn whole_words_and_phrases_match_without_case() {
        let rules: RoutingRules = serde_json::from_str(
            r#"{"intents":[{"intent":"refund","any":["refund","money back"],"priority":"high"},
                           {"intent":"bug","any":["crash"],"channels":["web_chat"]}]}"#,
        )
        .unwrap();
        let intent = |text| read(&message(text), &rules).intent;
        assert_eq!(intent("I want my Money\n Back!").as_deref(), Some("refund"));
        assert_eq!(intent("REFUND, please").as_deref(), Some("refund"));
        assert_eq!(intent("I was refunded"), None);
        assert_eq!(intent("a crash"), None, "another channel");
        assert_eq!(read(&message("refund"), &rules).priority, Priority::High);
        assert_eq!(read(&message(""), &rules), Signals::default());
    }
}
