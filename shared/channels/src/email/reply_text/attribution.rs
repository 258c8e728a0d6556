//! The lines that announce a quote: "On Monday Anna wrote:".

use super::block;
use super::line::{self, PROGRAM_LINE_BYTES_MAX};
use super::lines::{self, Lines};
use super::sentence::{has_sentence_word, is_sentence};
use super::words::LANGUAGES;

/// Programs fold long announcements into at most this many lines.
const LINES_MAX: usize = 4;
/// An announcement that was folded has its first figure within this many characters: the date comes first.
const DATE_CHARS_MAX: usize = 32;
/// Most words of a name before the address of who is quoted.
const NAME_WORDS_MAX: usize = 5;

/// The first line of the announcement that ends with the last of `lines`, which stand directly above a quote. Nothing
/// where the lines may be the sender's own.
pub(super) fn start(lines: Lines<'_>) -> Option<usize> {
    let last = lines.last().filter(|line| line.len() <= PROGRAM_LINE_BYTES_MAX)?;
    if is_title(last) {
        return Some(lines.len() - 1);
    }
    if !ends(&line::plain(last)) {
        return None;
    }
    let is_paragraph = |length: usize| {
        let before = lines.len().checked_sub(length + 1);
        before.and_then(|before| lines.get(before)).is_none_or(line::is_blank)
    };
    let most = LINES_MAX.min(lines.len());
    let whole = |length: usize| {
        let part = lines.from(lines.len() - length);
        let fits = part
            .iter()
            .all(|line| line.len() <= PROGRAM_LINE_BYTES_MAX && !line::is_blank(line) && !line::is_quoted(line));
        fits.then(|| part.iter().map(line::plain).collect::<Vec<_>>().join(" "))
    };
    let begins = |length: &usize| whole(*length).is_some_and(|whole| is_begun(&whole, *length));
    // A form without a fixed beginning must be a paragraph of its own, or words of the sender could be taken with it.
    let stands = |length: &usize| is_paragraph(*length) && whole(*length).is_some_and(|whole| is_free(&whole));
    let length = (1..=most).find(begins).or_else(|| (1..=most).find(stands))?;
    let start = lines.len() - length;
    // Some programs write both.
    let above = lines.before(start).iter().rposition(|line| !line::is_blank(line));
    Some(above.filter(|above| lines.get(*above).is_some_and(is_title)).unwrap_or(start))
}

fn is_title(line: &str) -> bool {
    line::dashed_title(line).is_some_and(|title| block::is_original(&title))
}

/// The first of these quoted lines announce the others.
pub(super) fn is_in(quoted: Lines<'_>) -> bool {
    let marked = quoted.iter().take(LINES_MAX).take_while(|line| line::is_quoted(line));
    let bare: String =
        marked.flat_map(|line| [line.trim_start_matches(|c: char| c == '>' || c.is_whitespace()), "\n"]).collect();
    let ends = lines::ends(&bare);
    (1..=ends.len()).any(|length| start(Lines::of(&bare, &ends[..length])) == Some(0))
}

/// It begins as its language begins, and has its verb and a date.
fn is_begun(whole: &str, length: usize) -> bool {
    let lower = whole.to_lowercase();
    let said = LANGUAGES.iter().find_map(|language| {
        let rest = language.starts.iter().find_map(|start| whole.strip_prefix(start))?;
        has_verb(&lower, language.verbs).then_some(rest)
    });
    let early = || whole.chars().take(DATE_CHARS_MAX).any(|c| c.is_ascii_digit());
    let dated = whole.contains(|c: char| c.is_ascii_digit());
    said.is_some_and(|rest| {
        dated && (length == 1 || (early() && (has_year(whole) || has_time(whole)))) && !is_sentence(rest, true)
    })
}

/// It has a date and time and ends with an address, or has a verb and a date and time, or is a name, an address and a
/// verb and nothing else.
fn is_free(whole: &str) -> bool {
    let address = address(whole);
    let (year, time) = (has_year(whole), has_time(whole));
    if time && (year || address.is_some()) {
        let lower = whole.to_lowercase();
        let said = LANGUAGES.iter().any(|language| has_verb(&lower, language.verbs));
        if said && !is_sentence(whole, true) {
            return true;
        }
    }
    let Some((name, after)) = address else { return false };
    let verb = after.trim_matches(|c: char| matches!(c, ':' | '：' | '*' | '_' | ' ')).to_lowercase();
    if verb.is_empty() {
        return year && time && !is_sentence(whole, false);
    }
    let words = || name.split_whitespace();
    let is_name = (1..=NAME_WORDS_MAX).contains(&words().count());
    is_name
        && words().all(|word| !word.starts_with(char::is_lowercase))
        && LANGUAGES.iter().any(|language| language.verbs.contains(&verb.as_str()))
        && !has_sentence_word(whole)
}

fn ends(whole: &str) -> bool {
    line::ends_with_colon(whole.trim_end_matches(['*', '_', ' ']))
}

/// A text in lower case has the verb as a word of its own, where the script has spaces between words; "(a)" and the like may follow it.
fn has_verb(whole: &str, verbs: &[&str]) -> bool {
    verbs.iter().any(|verb| {
        whole.match_indices(verb).any(|(at, _)| {
            let open = |c: Option<char>| c.is_none_or(|c| !c.is_alphabetic() || !is_spaced(c));
            open(whole[..at].chars().next_back()) && open(whole[at + verb.len()..].chars().next())
        })
    })
}

/// Whether words of the character's script have spaces between them.
fn is_spaced(c: char) -> bool {
    !matches!(c, '\u{3000}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}')
}

/// What stands before and behind an address in brackets.
fn address(whole: &str) -> Option<(&str, &str)> {
    [('<', '>'), ('(', ')'), ('[', ']')].into_iter().find_map(|(open, close)| {
        let (name, rest) = whole.split_once(open)?;
        let (inside, after) = rest.split_once(close)?;
        let inside = inside.trim().trim_start_matches("mailto:");
        let (local, domain) = inside.split_once('@')?;
        let is_address = !local.is_empty() && domain.contains('.') && !inside.contains(char::is_whitespace);
        is_address.then_some((name, after))
    })
}

/// A year of our time, four figures.
fn has_year(whole: &str) -> bool {
    let bytes = whole.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    (0..bytes.len().saturating_sub(3)).any(|at| {
        let century = &bytes[at..at + 2];
        (century == b"19" || century == b"20")
            && digit(at + 2)
            && digit(at + 3)
            && !digit(at + 4)
            && !(at > 0 && digit(at - 1))
    }) || has_short_date(bytes)
}

/// `3.11.25`, `11/3/25`.
fn has_short_date(bytes: &[u8]) -> bool {
    bytes.split(|byte| byte.is_ascii_whitespace() || *byte == b',').any(|word| {
        let mut numbers = word.split(|byte| matches!(byte, b'.' | b'/' | b'-')).filter(|number| !number.is_empty());
        let all = numbers.clone().all(|number| number.len() <= 2 && number.iter().all(u8::is_ascii_digit));
        all && numbers.by_ref().count() == 3
    })
}

/// A time of day, `9:05`, `09.05` or the same with Asian marks.
fn has_time(whole: &str) -> bool {
    let bytes = whole.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let clock = (1..bytes.len()).any(|at| {
        matches!(bytes[at], b':' | b'.' | b'h') && digit(at - 1) && digit(at + 1) && digit(at + 2) && !digit(at + 3)
            // Not the day and month of a date.
            && !(bytes[at] == b'.' && bytes.get(at + 3) == Some(&b'.'))
    });
    clock || ["時", "时", "點", "点", "시"].iter().any(|mark| whole.contains(mark))
}
