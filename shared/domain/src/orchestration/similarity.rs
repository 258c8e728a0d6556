//! How much a message and a ticket are about the same, by the words that they share.

use std::collections::BTreeSet;

use crate::message::{Message, truncated};

/// Shorter words say little, but for those with a digit.
const WORD_CHARS_MIN: usize = 4;
/// The same for words with a digit: `404`, `X1C`.
const NUMBERED_CHARS_MIN: usize = 3;
/// Fewer shared words are chance.
const SHARED_WORDS_MIN: usize = 2;
/// How much of a message is compared, in bytes.
const COMPARED_BYTES_MAX: usize = 2_048;
/// Most shared words that an explanation names.
const NAMED_MAX: usize = 3;

/// Long words that letters about anything have: they say nothing about the problem. In the languages that most write.
const COMMON: [&str; 70] = [
    "about",
    "again",
    "aber",
    "alle",
    "auch",
    "avec",
    "been",
    "beim",
    "bitte",
    "bonjour",
    "cannot",
    "como",
    "could",
    "danke",
    "dans",
    "dear",
    "desde",
    "diese",
    "does",
    "doesn",
    "ebenfalls",
    "eine",
    "einen",
    "einer",
    "esta",
    "estoy",
    "from",
    "gracias",
    "guten",
    "haben",
    "hallo",
    "hatte",
    "have",
    "hello",
    "help",
    "hilfe",
    "hola",
    "ihre",
    "immer",
    "issue",
    "kann",
    "meine",
    "merci",
    "mein",
    "mais",
    "nach",
    "need",
    "nicht",
    "noch",
    "para",
    "please",
    "pour",
    "problem",
    "question",
    "still",
    "thank",
    "thanks",
    "that",
    "their",
    "there",
    "they",
    "this",
    "tengo",
    "vous",
    "what",
    "when",
    "wird",
    "with",
    "would",
    "your",
];

/// How alike a message and a ticket are, 0 to 100, and what makes it so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Similarity {
    /// The higher of the two parts.
    pub(super) percent: u32,
    /// The share of the words of the ticket's subject that are anywhere in the message.
    pub(super) covered_percent: u32,
    /// How much the two subjects overlap: twice the shared words over all words of both.
    pub(super) subjects_percent: u32,
    /// The words of the ticket's subject that are in the message.
    pub(super) shared: BTreeSet<String>,
}

impl Similarity {
    /// What speaks for it, in words.
    pub(super) fn why(&self) -> String {
        let named: Vec<&str> = self.shared.iter().take(NAMED_MAX).map(String::as_str).collect();
        match (named.is_empty(), self.percent) {
            (true, _) => "no word in common".to_owned(),
            (false, 0) => format!("too few words in common: {}", named.join(", ")),
            (false, percent) => format!("{percent} % alike: {}", named.join(", ")),
        }
    }
}

/// Compares a message with a ticket by its subject.
pub(super) fn compare(message: &Message, subject: &str) -> Similarity {
    let wanted = words(subject);
    let own = words(message.subject.as_deref().unwrap_or_default());
    let all: BTreeSet<String> = own.union(&words(new_text(message))).cloned().collect();
    let shared: BTreeSet<String> = wanted.intersection(&all).cloned().collect();
    let percent = |shared: usize, weight: usize, whole: usize| {
        if shared < SHARED_WORDS_MIN { 0 } else { u32::try_from(shared * weight * 100 / whole).unwrap_or(100) }
    };
    let covered_percent = percent(shared.len(), 1, wanted.len());
    let subjects_percent = percent(wanted.intersection(&own).count(), 2, wanted.len() + own.len());
    Similarity { percent: covered_percent.max(subjects_percent), covered_percent, subjects_percent, shared }
}

/// What of a message is compared besides its subject.
pub(super) fn new_text(message: &Message) -> &str {
    truncated(message.new_text(), COMPARED_BYTES_MAX)
}

/// The words of a text that say something: long ones, those with a digit, and pairs of neighbouring characters of scripts
/// that put no blanks between words.
pub(super) fn words(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for run in text.split(|c: char| !c.is_alphanumeric()).filter(|run| !run.is_empty()) {
        let mut rest = run;
        while let Some(first) = rest.chars().next() {
            let end = rest.find(|c| is_unspaced(c) != is_unspaced(first)).unwrap_or(rest.len());
            let (part, after) = rest.split_at(end);
            if is_unspaced(first) {
                found.extend(pairs(part));
            } else {
                found.extend(word(part));
            }
            rest = after;
        }
    }
    found
}

fn word(text: &str) -> Option<String> {
    let chars = text.chars().count();
    let numbered = chars >= NUMBERED_CHARS_MIN && text.chars().any(char::is_numeric);
    let word = (numbered || chars >= WORD_CHARS_MIN).then(|| text.to_lowercase())?;
    (!COMMON.contains(&word.as_str())).then_some(word)
}

/// Neighbouring characters. Two hiragana are an ending or a particle, not a word.
fn pairs(text: &str) -> impl Iterator<Item = String> {
    let is_hiragana = |c: char| matches!(c, '\u{3041}'..='\u{309f}');
    let neighbours = text.chars().zip(text.chars().skip(1));
    neighbours.filter(move |(a, b)| !(is_hiragana(*a) && is_hiragana(*b))).map(|(a, b)| String::from_iter([a, b]))
}

/// Whether the character is of a script whose words are not told apart by blanks, or are glued together: Chinese,
/// Japanese, Korean, Thai, Lao, Burmese, Khmer.
fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{1100}'..='\u{11ff}'
        | '\u{3041}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::channel::Channel;
    use crate::testing::message;

    fn of(subject: &str, text: &str, ticket: &str) -> Similarity {
        let mut message = message(Channel::Email, text);
        message.subject = (!subject.is_empty()).then(|| subject.to_owned());
        compare(&message, ticket)
    }

    #[test]
    fn common_words_stand_once_in_lower_case_and_are_long_enough_to_matter() {
        let once: BTreeSet<String> = COMMON.iter().map(|word| word.to_lowercase()).collect();
        assert!(once.len() == COMMON.len() && COMMON.iter().all(|word| once.contains(*word)));
        assert!(COMMON.iter().all(|word| word.chars().count() >= WORD_CHARS_MIN));
    }

    #[test]
    fn the_score_is_the_higher_of_its_parts() {
        for (subject, text, ticket, covered, subjects) in [
            ("", "my printer will not print", "Printer does not print", 100, 0),
            ("", "the invoice of november was charged twice", "invoice charged twice wrongly", 75, 0),
            ("Invoice charged", "", "Invoice charged twice wrongly somehow", 40, 57),
            ("Invoice", "charged", "Invoice charged", 100, 0),
            ("Printer", "", "Printer", 0, 0),
            ("Please help with this", "thanks", "Please help with this", 0, 0),
            ("", "error 404 on x1c", "Error 404 at X1C", 100, 0),
            ("", "Größe und Farbe FALSCH", "größe falsch", 100, 0),
            ("", "", "", 0, 0),
        ] {
            let found = of(subject, text, ticket);
            assert_eq!(
                (found.covered_percent, found.subjects_percent),
                (covered, subjects),
                "{subject}|{text}|{ticket}"
            );
            assert_eq!(found.percent, covered.max(subjects));
        }
    }

    #[test]
    fn scripts_without_blanks_are_compared_by_pairs() {
        assert!(of("", "昨日からプリンターが印刷できません", "プリンターが動かない").percent >= 50);
        assert!(of("", "打印机今天又坏了", "打印机坏了").percent >= 60);
        assert!(of("", "프린터가 인쇄되지 않아요", "프린터 인쇄 문제").percent >= 40);
        assert!(of("", "เครื่องพิมพ์เสียอีกแล้ว", "เครื่องพิมพ์เสีย").percent == 100);
        assert_eq!(of("", "よろしくお願いします", "それについて").percent, 0, "particles are no words");
        assert_eq!(words("注文ORD4711の件"), ["ord4711", "の件", "注文"].map(str::to_owned).into());
    }

    #[test]
    fn what_speaks_for_it_is_said() {
        assert_eq!(of("", "printer", "Printer print").why(), "too few words in common: printer");
        assert_eq!(of("", "Printer print", "Printer print").why(), "100 % alike: print, printer");
        assert_eq!(of("", "Refund", "Printer print").why(), "no word in common");
    }

    proptest! {
        #[test]
        fn the_score_is_a_share_and_what_is_the_same_is_wholly_alike(a in "\\PC{0,60}", b in "\\PC{0,60}") {
            let found = of(&a, &b, &a);
            prop_assert!(found.percent <= 100 && of(&a, &b, &b).percent <= 100 && of(&b, "", &a).percent <= 100);
            let enough = words(&a).len() >= SHARED_WORDS_MIN;
            prop_assert_eq!(found.percent, if enough { 100 } else { 0 });
        }
    }
}
