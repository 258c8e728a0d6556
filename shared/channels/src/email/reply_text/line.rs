//! What one line is.

use memchr::memchr2_iter;

/// Longest line that a mail program writes around a reply, in bytes. Longer ones are never looked into.
pub(super) const PROGRAM_LINE_BYTES_MAX: usize = 500;

pub(super) fn is_blank(line: &str) -> bool {
    line.chars().all(char::is_whitespace)
}

/// The line is marked as quoted (RFC 3676, section 4.5, and programs that put a space before).
pub(super) fn is_quoted(line: &str) -> bool {
    // As nearly all quoted lines are: trimming looks at characters one by one.
    line.starts_with('>') || line.trim_start().starts_with('>')
}

/// Characters that take no room: they set the direction of writing, or mark where words may break.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The line in the form in which words are compared: one kind of space, none at the ends, nothing invisible.
pub(super) fn plain(line: &str) -> String {
    if line.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return line.trim_matches(' ').to_owned();
    }
    let line = line.trim_matches(|c: char| c.is_whitespace() || is_invisible(c));
    let mut plain = String::with_capacity(line.len());
    plain.extend(line.chars().filter(|c| !is_invisible(*c)).map(|c| if c.is_whitespace() { ' ' } else { c }));
    plain
}

/// The text behind the word that it begins with. Of many words most differ in their first byte: comparing calls no function
/// then.
pub(super) fn behind<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let first = word.as_bytes().first();
    if first.is_some() && text.as_bytes().first() != first { None } else { text.strip_prefix(word) }
}

/// The text before the word that it ends with; as in [`behind`].
pub(super) fn before<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let last = word.as_bytes().last();
    if last.is_some() && text.as_bytes().last() != last { None } else { text.strip_suffix(word) }
}

/// The text ends with a colon, of whatever script.
pub(super) fn ends_with_colon(text: &str) -> bool {
    text.ends_with([':', '：'])
}

/// What stands before and behind the first colon, of whatever script.
pub(super) fn split_at_colon(text: &str) -> Option<(&str, &str)> {
    const WIDE: &str = "：";
    memchr2_iter(b':', WIDE.as_bytes()[0], text.as_bytes()).find_map(|at| match text.as_bytes()[at] {
        b':' => Some((&text[..at], &text[at + 1..])),
        _ => Some((&text[..at], text[at..].strip_prefix(WIDE)?)),
    })
}

/// What titles stand between, and lines are drawn with.
const DASHES: [char; 4] = ['-', '—', '–', '_'];

/// The line begins with a dash.
pub(super) fn is_dashed(line: &str) -> bool {
    line.trim_start().starts_with(DASHES)
}

/// The title between dashes, in lower case; None where the line is none. At least three on each side: people put one
/// or two around their own words.
pub(super) fn dashed_title(line: &str) -> Option<String> {
    const DASHES_MIN: usize = 3;
    let line = line.trim();
    if line.len() > PROGRAM_LINE_BYTES_MAX || !line.starts_with(DASHES) || !line.ends_with(DASHES) {
        return None;
    }
    let title = line.trim_matches(DASHES);
    let before = line.chars().take_while(|c| DASHES.contains(c)).count();
    let after = line.chars().rev().take_while(|c| DASHES.contains(c)).count();
    let is_title = before >= DASHES_MIN && after >= DASHES_MIN && !title.trim().is_empty();
    is_title.then(|| plain(title).to_lowercase())
}

/// A line drawn by Outlook above a quoted mail.
pub(super) fn is_rule(line: &str) -> bool {
    const LENGTH_MIN: usize = 10;
    let line = line.trim();
    line.len() >= LENGTH_MIN
        && line.len() <= PROGRAM_LINE_BYTES_MAX
        && line.bytes().all(|byte| matches!(byte, b'_' | b'-'))
}
