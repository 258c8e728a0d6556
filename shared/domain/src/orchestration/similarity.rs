//! How much two messages are about the same, by the words that they share.

use std::collections::BTreeSet;

use crate::message::{Message, truncated};

/// Shorter words say little.
const WORD_CHARS_MIN: usize = 4;
/// Fewer shared words are chance.
const SHARED_WORDS_MIN: usize = 2;
/// How much of a message is compared, in bytes.
const COMPARED_BYTES_MAX: usize = 2_048;

/// The share of the words of a ticket's subject that are in the message, in per cent.
pub(super) fn percent(message: &Message, subject: &str) -> u32 {
    let wanted = words(subject);
    let text = format!(
        "{} {}",
        message.subject.as_deref().unwrap_or_default(),
        truncated(message.new_text(), COMPARED_BYTES_MAX)
    );
    let shared = wanted.intersection(&words(&text)).count();
    if shared < SHARED_WORDS_MIN {
        return 0;
    }
    u32::try_from(shared * 100 / wanted.len()).unwrap_or(100)
}

fn words(text: &str) -> BTreeSet<String> {
    let long = text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().count() >= WORD_CHARS_MIN);
    long.map(str::to_lowercase).collect()
}
