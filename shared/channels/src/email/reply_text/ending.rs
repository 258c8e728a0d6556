//! What programs and templates put under a text: signatures and the name of the device.

use memchr::memmem;

use super::line::{self, PROGRAM_LINE_BYTES_MAX};
use super::lines::Lines;
use super::words::{DEVICES, FILLERS, INFLECTED, LANGUAGES};

/// What stands before a signature (RFC 3676, section 4.3).
const SIGNATURE_MARK: &str = "-- ";
/// What is left of the mark where a program trims lines.
const SIGNATURE_MARK_TRIMMED: &str = "--";
/// Longer ends are no signatures.
const SIGNATURE_LINES_MAX: usize = 15;
/// Longest line that a program adds about itself, in bytes.
const FOOTER_BYTES_MAX: usize = 160;
/// Most words of the device's or program's name.
const FOOTER_WORDS_MAX: usize = 7;
/// What Windows calls its mail program in Finnish, in lower case.
const MAIL_IN_FINNISH: &str = "sähköpost";
/// How people begin what they add under their signature, in lower case.
const POSTSCRIPTS: [&str; 9] = ["ps", "p.s", "p. s", "pps", "nb:", "n.b", "p/s", "пс", "з.ы"];

/// The first line of the signature that ends with the last of `lines`.
///
/// Without the space of the mark it is safe only where the sender's name follows: people separate paragraphs with
/// dashes as well.
pub(super) fn signature(lines: Lines<'_>, sender_name: Option<&str>) -> Option<usize> {
    let first = lines.len().saturating_sub(SIGNATURE_LINES_MAX);
    let start = (first..lines.len()).rev().find(|at| {
        let named = || lines.get(at + 1).is_some_and(|next| is_sender(next, sender_name));
        let line = lines.get(*at);
        line == Some(SIGNATURE_MARK) || (line == Some(SIGNATURE_MARK_TRIMMED) && named())
    })?;
    let own = lines.from(start + 1).iter().any(|line| line::is_quoted(line) || is_postscript(line));
    (!own).then_some(start)
}

/// The line is the sender's name.
fn is_sender(line: &str, sender_name: Option<&str>) -> bool {
    let name = sender_name.map(str::trim).filter(|name| !name.is_empty());
    name.is_some_and(|name| line.trim().to_lowercase() == name.to_lowercase())
}

/// A signature begins with the line, if nothing else was said above it.
pub(super) fn is_begun(line: &str, sender_name: Option<&str>) -> bool {
    line.trim_end() == SIGNATURE_MARK_TRIMMED || is_sender(line, sender_name)
}

fn is_postscript(line: &str) -> bool {
    let line: String = line.trim_start().chars().take(8).collect::<String>().to_lowercase();
    POSTSCRIPTS.iter().any(|start| {
        let rest = line.strip_prefix(start);
        rest.is_some_and(|rest| rest.chars().next().is_none_or(|c| !c.is_alphanumeric()) || start.ends_with(':'))
    })
}

/// The first line of what a mailing list adds, which ends with the last of `lines`: a line of Mailman's length and under
/// it what the list is.
pub(super) fn list_footer(lines: Lines<'_>) -> Option<usize> {
    const RULE: &str = "_______________________________________________";
    const LINES_MAX: usize = 6;
    let first = lines.len().saturating_sub(LINES_MAX);
    let start = (first..lines.len()).rev().find(|at| lines.get(*at).map(str::trim_end) == Some(RULE))?;
    let next = lines.get(start + 1).filter(|line| line.len() <= PROGRAM_LINE_BYTES_MAX)?;
    next.to_lowercase().contains("mailing list").then_some(start)
}

/// The line says with which device or program the mail was written, and nothing else.
pub(super) fn is_footer(line: &str) -> bool {
    if line.len() > PROGRAM_LINE_BYTES_MAX {
        return false;
    }
    let plain = line::plain(line);
    // Links stand behind the name: `Get Outlook for iOS<https://aka.ms/x>`.
    let mut links = memmem::find_iter(plain.as_bytes(), b"http").filter_map(|at| at.checked_sub(1));
    let link = links.find(|before| matches!(plain.as_bytes()[*before], b'<' | b'[' | b'(' | b' '));
    let (said, link) = plain.split_at(link.unwrap_or(plain.len()));
    let behind = link.trim_start().split_once(' ').map_or("", |(_, behind)| behind);
    let whole = said.trim_matches(|c: char| matches!(c, '.' | '*' | '_' | ' ' | '[' | ']' | '。'));
    if !matches!(behind.trim_end_matches('.'), "" | "secure email") {
        return false;
    }
    if whole.is_empty() || whole.len() > FOOTER_BYTES_MAX {
        return false;
    }
    let lower = whole.to_lowercase();
    let device = |before: &str, behind: &str| {
        let name = line::behind(&lower, before).and_then(|rest| line::before(rest, behind));
        name.filter(|name| is_device(name, whole))
    };
    let is_between = |(before, behind): &(&str, &str)| device(before, behind).is_some();
    let sent = || LANGUAGES.iter().flat_map(|language| language.footers).any(is_between);
    let inflected = || {
        INFLECTED
            .iter()
            .any(|(before, behind, endings)| device(before, behind).is_some_and(|name| is_inflected(name, endings)))
    };
    let offered = || LANGUAGES.iter().flat_map(|language| language.offers).any(is_between);
    sent() || inflected() || (lower.contains("outlook") && offered())
}

/// The device or program, or the number of its model, has one of the endings; not a place that it was sent from.
fn is_inflected(name: &str, endings: &[&str]) -> bool {
    name.split_whitespace().any(|word| {
        let is_of_device =
            is_known(word) || word.starts_with(MAIL_IN_FINNISH) || word.contains(|c: char| c.is_ascii_digit());
        is_of_device && endings.iter().any(|ending| word.ends_with(ending))
    })
}

/// The word has the name of a device or program.
fn is_known(word: &str) -> bool {
    DEVICES.iter().any(|device| word.contains(device))
}

/// Only names of devices and programs, at least one of them known.
fn is_device(name: &str, whole: &str) -> bool {
    let capital = |word: &str| {
        let at = whole.split_whitespace().find(|given| given.to_lowercase() == word);
        at.is_some_and(|given| given.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit()))
    };
    let words: Vec<&str> = name.split_whitespace().map(|word| word.trim_matches([',', '.', ';'])).collect();
    words.len() <= FOOTER_WORDS_MAX
        && words.iter().any(|word| is_known(word))
        && words.iter().all(|word| is_known(word) || FILLERS.contains(word) || capital(word))
}
