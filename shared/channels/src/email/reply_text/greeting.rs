//! Whether lines say anything beside what people write out of politeness.

use super::ending;
use super::line::{self, PROGRAM_LINE_BYTES_MAX};
use super::lines::Lines;
use super::words::LANGUAGES;

/// Most words of a name, with titles.
const NAME_WORDS_MAX: usize = 5;
/// Most characters of a name in a script without capital letters, where names look like other words.
const UNCASED_CHARS_MAX: usize = 4;
/// Words in lower case that stand in names, or in place of one.
const NAME_PARTS: &[&str] = &[
    "again", "all", "there", "team", "everyone", "sir", "madam", "or", "and", "support", "und", "zusammen", "alle",
    "von", "der", "aus", "à", "tous", "et", "de", "la", "e", "y", "a", "todos", "tutti", "van", "den", "allemaal",
    "alla",
];
/// What follows names in scripts without capital letters.
const TITLES: &[&str] = &["先生", "女士", "小姐", "様", "さん", "님"];

/// The lines are a greeting, or only begin with one, and a signature or a program's last line follow at most.
pub(super) fn is_all(lines: Lines<'_>, sender_name: Option<&str>) -> bool {
    let is_greeting = |line: &str| {
        let greets = || LANGUAGES.iter().flat_map(|language| language.greetings);
        let is_own = !line::is_blank(line) && !line::is_rule(line) && !line::is_quoted(line);
        !is_own || is_one(line, greets()) || ending::is_footer(line)
    };
    let Some(at) = lines.iter().position(|line| !is_greeting(line)) else { return true };
    let rest = lines.from(at);
    let closes = || LANGUAGES.iter().flat_map(|language| language.closings);
    rest.first().is_some_and(|line| is_one(line, closes()) || ending::is_begun(line, sender_name)) || goes_on(rest)
}

/// One line that goes on in the next one: "Anna,".
fn goes_on(lines: Lines<'_>) -> bool {
    let mut written = lines.iter().filter(|line| !line::is_blank(line));
    written.next().is_some_and(|line| line.trim_end().ends_with([',', '，', '、'])) && written.next().is_none()
}

/// The line is one of the phrases, and a name at most.
fn is_one<'a>(line: &str, mut phrases: impl Iterator<Item = &'a &'static str>) -> bool {
    if line.len() > PROGRAM_LINE_BYTES_MAX {
        return false;
    }
    let line = line::plain(line);
    let line = line.trim_matches(|c: char| !c.is_alphanumeric());
    let lower = line.to_lowercase();
    phrases.any(|phrase| {
        let begins = || line::behind(&lower, phrase).is_some() && is_name(from_char(line, phrase.chars().count()));
        // "王先生您好"
        let ends = || line::before(line, phrase).is_some_and(|name| phrase.starts_with(is_uncased) && is_name(name));
        begins() || ends()
    })
}

/// The text from its character with this number on.
fn from_char(text: &str, count: usize) -> &str {
    text.char_indices().nth(count).map_or("", |(at, _)| &text[at..])
}

/// A name, or nothing; not the rest of a word.
fn is_name(text: &str) -> bool {
    let is_open = text.chars().next().is_none_or(|c| !c.is_alphanumeric() || is_uncased(c));
    let words = || text.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()));
    let uncased = words().flat_map(str::chars).filter(|c| is_uncased(*c)).count();
    let is_short = uncased <= UNCASED_CHARS_MAX || TITLES.iter().any(|title| text.ends_with(title));
    let is_of_name =
        |word: &str| word.is_empty() || !word.starts_with(char::is_lowercase) || NAME_PARTS.contains(&word);
    is_open
        && is_short
        && words().count() <= NAME_WORDS_MAX
        && words().all(is_of_name)
        && !text.contains(char::is_numeric)
}

/// A letter of a script without capital letters.
fn is_uncased(c: char) -> bool {
    c.is_alphabetic() && !c.is_lowercase() && !c.is_uppercase()
}
