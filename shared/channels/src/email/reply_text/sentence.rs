//! Whether a line that has what announcements have is the sender's own: "On 3 May at 10:30 the driver wrote:".
//!
//! Programs write a date, a name and a verb, and few words more. Names begin with a capital letter, so other words in
//! lower case outside of the date were written by somebody. In scripts without such letters, it must at least be said
//! who is quoted.

use std::ops::Range;

use super::words::LANGUAGES;

/// Announcements have fewer words.
const WORDS_MAX: usize = 40;
/// Most words between two figures of a date and time, as in "3 de noviembre de 2025".
const GAP_WORDS_MAX: usize = 3;
/// Most words in lower case between the verb and the date: "op ma".
const BEFORE_DATE_WORDS_MAX: usize = 2;
/// Most words in lower case of a name that begins in lower case.
const LOWER_NAME_WORDS_MAX: usize = 2;
/// Words of sentences that people write about others' mails, as written; no program announces a quote with them.
const SENTENCE_WORDS: &[&str] = &[
    "me",
    "us",
    "my",
    "your",
    "our",
    "their",
    "mir",
    "uns",
    "Ihr",
    "Ihre",
    "ihr",
    "ihre",
    "mein",
    "meine",
    "unser",
    "nous",
    "votre",
    "mon",
    "notre",
    "su",
    "mi",
    "nos",
    "nuestro",
    "mio",
    "vostro",
    "vostra",
    "meu",
    "minha",
    "seu",
    "mij",
    "ons",
    "uw",
    "mijn",
    "I",
    "My",
    "Your",
    "Our",
    "Sie",
    "Yesterday",
    "Today",
    "Gestern",
    "Heute",
    "Hier",
    "Ayer",
    "Hoy",
    "Ieri",
    "Oggi",
    "Ontem",
    "Hoje",
    "Gisteren",
    "Vandaag",
    "Wczoraj",
];
/// What programs write in lower case beside the date and the verb: marks of the time, parts of verbs of two words.
const PROGRAM_WORDS: &[&str] = &[
    "am",
    "pm",
    "a",
    "p",
    "m",
    "h",
    "r",
    "uhr",
    "dem",
    "den",
    "hat",
    "ha",
    "heeft",
    "het",
    "volgende",
    "je",
    "ezt",
    "în",
    "đã",
    "г",
    "р",
    "от",
    "від",
    "ο",
    "χρήστης",
    "tarihinde",
    "şunu",
    "şunları",
    "keltezéssel",
    "dátummal",
    "időpontban",
];
/// Who is quoted, where a program does not say the name.
const YOU: &str = "you";
/// Words within names, in lower case.
const PARTICLES: &[&str] = &[
    "von", "van", "de", "da", "do", "dos", "di", "du", "del", "della", "zu", "af", "av", "bin", "y", "e", "and", "und",
    "et", "of", "from", "via", "for",
];
/// Words that follow such a word in names.
const SECOND_PARTICLES: &[&str] = &["der", "den", "dem", "het", "la", "las", "los"];
/// What shops are called in lower case behind their names.
const DEPARTMENTS: &[&str] = &[
    "support",
    "service",
    "services",
    "team",
    "customer",
    "care",
    "sales",
    "help",
    "desk",
    "helpdesk",
    "shop",
    "store",
    "client",
    "clients",
    "cliente",
    "clientes",
    "clienti",
    "al",
    "ao",
    "assistenza",
    "klantenservice",
    "klienta",
    "kundeservice",
    "kundservice",
    "asiakaspalvelu",
    "podpora",
];
/// What stands before people and things that have no name.
const ARTICLES: &[&str] = &[
    "the", "a", "an", "der", "die", "das", "ein", "eine", "le", "la", "les", "un", "une", "el", "los", "las", "una",
    "il", "lo", "gli", "o", "os", "as", "um", "uma", "de", "het", "een", "en", "ett", "et",
];

/// The text, which is without the words that its language begins announcements with, is a sentence. Where it has a verb,
/// a name before an address may have words in lower case.
pub(super) fn is_sentence(text: &str, has_verb: bool) -> bool {
    let words: Vec<&str> = text.split_whitespace().map(bare).take(WORDS_MAX + 1).collect();
    let date = date(&words);
    // Short names of days can look like such words.
    let day = usize::from(date.start == 1 && words[0].starts_with(char::is_lowercase));
    if words.len() > WORDS_MAX || words[day..].iter().any(|word| SENTENCE_WORDS.contains(word)) {
        return true;
    }
    let lower = |range: Range<usize>| range.filter(|at| is_lower(&words, *at)).count();
    let address = text.split_whitespace().position(is_address);
    let names_somebody = |mut range: Range<usize>| address.is_some() || range.any(|at| is_name(words[at]));
    // Nothing but a name, and its address.
    let is_named = |range: Range<usize>| match address.filter(|at| range.contains(at)) {
        Some(at) => {
            let of_name = lower(range.start..at);
            let is_name = || has_verb && may_be_name(&words[range.start..at], of_name);
            (of_name == 0 || is_name()) && lower(at + 1..range.end) == 0
        }
        None => lower(range) == 0,
    };
    let is_announcement = match words[..date.start].iter().position(|word| is_verb(word)) {
        Some(verb) => {
            names_somebody(0..verb)
                && is_named(0..verb)
                && lower(verb + 1..date.start) <= BEFORE_DATE_WORDS_MAX
                && lower(date.end..words.len()) == 0
        }
        // Only the name of the day may stand before the date, or who is quoted.
        None => names_somebody(date.end..words.len()) && lower(1..date.start) == 0 && is_named(date.end..words.len()),
    };
    !is_announcement
}

/// The words before an address may be a name, though so many are in lower case: "Shop with a long name", "anna berg".
fn may_be_name(words: &[&str], lower: usize) -> bool {
    let first = words.iter().find(|word| is_name(word));
    let is_article = first.is_some_and(|first| ARTICLES.contains(&first.to_lowercase().as_str()));
    let is_capital = first.is_some_and(|first| first.starts_with(char::is_uppercase));
    !is_article && (is_capital || lower <= LOWER_NAME_WORDS_MAX)
}

/// The text has words with which no program announces a quote.
pub(super) fn has_sentence_word(text: &str) -> bool {
    text.split_whitespace().any(|word| SENTENCE_WORDS.contains(&bare(word)))
}

/// A word without marks around it and without other forms of it: `napisał(a):`, `napisao/la`.
fn bare(word: &str) -> &str {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    word.find(['(', '/']).filter(|_| word.starts_with(char::is_alphabetic)).map_or(word, |at| &word[..at])
}

/// The word is, or ends, an address in brackets.
fn is_address(word: &str) -> bool {
    word.contains('@') && word.contains(['>', ')', ']'])
}

/// The words from the first figure to the last one of the date and time. Empty where there is none.
fn date(words: &[&str]) -> Range<usize> {
    let mut figures = words.iter().enumerate().filter(|(_, word)| is_figure(word)).map(|(at, _)| at);
    let Some(first) = figures.next() else { return 0..0 };
    let last = figures.fold(first, |last, at| if at - last <= GAP_WORDS_MAX + 1 { at } else { last });
    first..last + 1
}

/// The word is of a date or time; not a name with a figure in it. Scripts without spaces have more in such a word.
fn is_figure(word: &str) -> bool {
    let is_cased = |c: char| c.is_lowercase() || c.is_uppercase();
    !word.contains('@') && !word.starts_with(is_cased) && word.contains(|c: char| c.is_ascii_digit())
}

/// The word may be of a name.
fn is_name(word: &str) -> bool {
    let is_of_program = || PROGRAM_WORDS.contains(&word.to_lowercase().as_str());
    word == YOU || (word.contains(char::is_alphabetic) && !is_of_program() && !is_verb(word))
}

/// The word is in lower case and neither of a program nor of a name.
fn is_lower(words: &[&str], at: usize) -> bool {
    let word = words[at];
    let is_part = |c: char| c.is_lowercase() || matches!(c, '-' | '\'' | '’');
    word.starts_with(char::is_lowercase)
        && word.chars().all(is_part)
        && word != YOU
        && !PROGRAM_WORDS.contains(&word)
        && !is_within_name(words, at)
        && !is_verb(word)
}

/// The word is one of a name that began with a capital letter.
fn is_within_name(words: &[&str], at: usize) -> bool {
    let Some(before) = at.checked_sub(1).map(|before| words[before]) else { return false };
    let capital = |word: &str| word.starts_with(char::is_uppercase);
    (PARTICLES.contains(&words[at]) && capital(before))
        || (DEPARTMENTS.contains(&words[at]) && (capital(before) || DEPARTMENTS.contains(&before)))
        || (SECOND_PARTICLES.contains(&words[at]) && PARTICLES.contains(&before))
}

/// The word is a verb of announcements, or the last one of it.
fn is_verb(word: &str) -> bool {
    let mut verbs = LANGUAGES.iter().flat_map(|language| language.verbs);
    verbs.any(|verb| verb.strip_suffix(word).is_some_and(|before| before.is_empty() || before.ends_with(' ')))
}
