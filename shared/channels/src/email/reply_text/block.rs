//! Outlook's way to quote: the header of the older mail, and under it that mail, unmarked.

use throughline_domain::message::truncated;

use super::line::{self, PROGRAM_LINE_BYTES_MAX};
use super::lines::Lines;
use super::words::{LANGUAGES, Language};

/// Most lines of a header, long lists of recipients included.
const HEADER_LINES_MAX: usize = 16;
/// Most lines between a title or a drawn line and the header under it.
const GAP_LINES_MAX: usize = 2;

/// A quoted mail's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// The older mail of a conversation.
    Original,
    /// A mail that the sender passes on.
    Forward,
}

/// The block that begins with the first of `lines`, which is not quoted, if one does.
pub(super) fn at(lines: Lines<'_>) -> Option<Block> {
    let first = lines.first()?;
    if line::is_dashed(first) {
        if let Some(title) = line::dashed_title(first) {
            if LANGUAGES.iter().any(|language| is_title(&title, language.forwards)) {
                return Some(Block::Forward);
            }
            return (is_original(&title) && is_named(under(lines)?)).then_some(Block::Original);
        }
        if line::is_rule(first) {
            return is_header(under(lines)?).then_some(Block::Original);
        }
    }
    if is_header(lines) {
        return Some(Block::Original);
    }
    is_announced_forward(lines).then_some(Block::Forward)
}

/// Whether this is the title of a quoted mail.
pub(super) fn is_original(title: &str) -> bool {
    LANGUAGES.iter().any(|language| language.originals.contains(&title))
}

/// "Begin forwarded message:" and under it a header or a quote, without which the words could be the sender's own.
fn is_announced_forward(lines: Lines<'_>) -> bool {
    let Some(first) = lines.first().filter(|line| line.len() <= PROGRAM_LINE_BYTES_MAX) else { return false };
    if !line::ends_with_colon(first.trim_end()) {
        return false;
    }
    let title = line::plain(first).trim_end_matches([':', '：', ' ']).to_lowercase();
    LANGUAGES.iter().any(|language| language.forwards.contains(&title.as_str()))
        && under(lines).is_some_and(|rest| is_named(rest) || rest.first().is_some_and(line::is_quoted))
}

/// Titles of forwarded mails may go on: "Forwarded by Anna on Monday".
fn is_title(title: &str, names: &[&str]) -> bool {
    names.iter().any(|name| {
        title.strip_prefix(name).is_some_and(|rest| rest.is_empty() || name.ends_with(" by") || name.ends_with(" von"))
    })
}

/// The lines from the first that says anything under the first of `lines`.
fn under(lines: Lines<'_>) -> Option<Lines<'_>> {
    let at = lines.iter().skip(1).take(GAP_LINES_MAX + 1).position(|line| !line::is_blank(line))?;
    Some(lines.from(at + 1))
}

/// The lines begin with fields, of which one names the sender: enough under a title.
fn is_named(lines: Lines<'_>) -> bool {
    let names = names(lines);
    languages(&names).any(|language| has(&names, language.from))
}

/// A whole header in one language: sender, date, recipients and subject, as every program writes them, the sender or the
/// date first. Without the subject it could be a form that people fill in: "From: Berlin, To: Rome, Date: 3 May".
fn is_header(lines: Lines<'_>) -> bool {
    let begins = lines.first().and_then(field).is_some_and(|(name, value)| {
        let is_first = |language: &Language| language.from.contains(&name) || language.sent.contains(&name);
        !value.is_empty() && LANGUAGES.iter().any(is_first)
    });
    if !begins {
        return false;
    }
    let names = names(lines);
    languages(&names).any(|language| {
        [language.from, language.sent, language.to, language.subject].iter().all(|one| has(&names, one))
    })
}

fn has(names: &[&str], known: &[&str]) -> bool {
    names.iter().any(|name| known.contains(name))
}

/// The names of the fields up to a blank line.
fn names(lines: Lines<'_>) -> Vec<&str> {
    let header = lines.iter().take(HEADER_LINES_MAX).take_while(|line| !line::is_blank(line));
    header.filter_map(field).map(|(name, _)| name).collect()
}

/// The languages in which the first field is one of a mail's.
fn languages(names: &[&str]) -> impl Iterator<Item = &'static Language> {
    let first = names.first().copied();
    LANGUAGES.iter().filter(move |language| {
        let fields = [language.from, language.sent, language.to, language.subject];
        first.is_some_and(|name| fields.iter().any(|known| known.contains(&name)))
    })
}

/// The name and the value of a field, without bold marks. Of a long line, as lists of recipients are, only the
/// beginning is looked at.
fn field(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line::split_at_colon(truncated(line, PROGRAM_LINE_BYTES_MAX))?;
    Some((name.trim_matches(is_around), value.trim_matches(is_around)))
}

/// White space, marks of bold type (`*From:* Anna`), and what only sets the direction of writing.
fn is_around(c: char) -> bool {
    c.is_whitespace() || matches!(c, '*' | '_') || line::is_invisible(c)
}
