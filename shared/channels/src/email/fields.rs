//! How much of header fields is read: the parser has no limits of its own, and takes time with the square of a field's
//! length for some that nobody writes.

use std::ops::Range;

use memchr::{memchr, memchr_iter};

/// Longest header field that is read, in bytes, its name and its folds included. There are hundreds of recipients and ids in
/// so many; the servers that limit fields allow less or little more.
pub const FIELD_BYTES_MAX: usize = 64 * 1024;
/// Longest field that says what a part is (its name begins with `Content-`), in bytes: each of its parameters is compared
/// with the others. A file's name takes at most some hundred characters, of up to twelve bytes each.
pub const CONTENT_FIELD_BYTES_MAX: usize = 4 * 1024;
/// Most bytes of fields that are read of a mail's head, and again of the heads of all its parts together.
pub const HEADERS_BYTES_MAX: usize = 1024 * 1024;
/// What a field counts at least, in bytes: a field that is read takes hundreds of bytes of memory, however short it is.
const FIELD_COUNTED_MIN: usize = 100;

/// What the names of the fields about a part begin with.
const CONTENT: &[u8] = b"content-";

/// The warning that something was left out.
pub(super) fn warning() -> String {
    format!(
        "Headers are too long: {FIELD_BYTES_MAX} bytes are read of each ({CONTENT_FIELD_BYTES_MAX} if it is about a part), \
         {HEADERS_BYTES_MAX} of all, each counted as {FIELD_COUNTED_MIN} at least."
    )
}

/// What of a head is not read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Excess {
    /// The places, in order, each in one field or all fields from one on. The line ends behind them are not among them, so
    /// that the other fields stay what they are.
    pub(super) places: Vec<Range<usize>>,
    /// Where the head ends, behind its blank line; None where it has none.
    pub(super) end: Option<usize>,
}

impl Excess {
    /// Looks through the head at the start of the bytes; of `left`, what is read of it is taken.
    pub(super) fn of(bytes: &[u8], left: &mut usize) -> Self {
        let (mut fields, mut places) = (Fields { bytes, at: 0, end: None }, Vec::new());
        let mut rest: Option<Range<usize>> = None;
        for field in &mut fields {
            if let Some(rest) = &mut rest {
                rest.end = field.end;
                continue;
            }
            let kept = kept(&bytes[field.clone()]);
            let counted = kept.max(FIELD_COUNTED_MIN);
            if counted > *left {
                *left = 0;
                rest = Some(field);
                continue;
            }
            *left -= counted;
            if kept < field.len() {
                places.push(field.start + kept..field.end);
            }
        }
        places.extend(rest);
        Self { places, end: fields.end }
    }
}

/// How much of a field is read: all of it, or as many whole words as may be.
fn kept(field: &[u8]) -> usize {
    let is_break = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b':' | b',' | b';');
    if field.len() <= CONTENT_FIELD_BYTES_MAX {
        return field.len();
    }
    let max = if is_about_part(field) { CONTENT_FIELD_BYTES_MAX } else { FIELD_BYTES_MAX };
    if field.len() <= max {
        return field.len();
    }
    let words = field[..max].iter().rposition(is_break).map_or(max, |end| end + 1);
    field[..words].trim_ascii_end().len()
}

/// Whether the name of a field begins with `Content-`, as the parser reads names: without white space and first colons.
fn is_about_part(field: &[u8]) -> bool {
    let name = field.iter().filter(|byte| !byte.is_ascii_whitespace() && **byte != b':').take(CONTENT.len());
    name.map(u8::to_ascii_lowercase).eq(CONTENT.iter().copied())
}

/// The fields of a head as the parser finds them, and the lines between them that are none, each without the line end behind
/// it.
struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where the head ends, behind its blank line, once that is found.
    end: Option<usize>,
}

impl Iterator for Fields<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        if self.end.is_some() {
            return None;
        }
        let rest = &self.bytes[self.at..];
        let blanks = rest.iter().position(|byte| !byte.is_ascii_whitespace() || *byte == b'\n')?;
        self.at += blanks;
        let field = &rest[blanks..];
        if field[0] == b'\n' {
            self.end = Some(self.at + 1);
            return None;
        }
        let line = memchr(b'\n', field).unwrap_or(field.len());
        let is_folded = |end: &usize| matches!(field.get(end + 1), Some(b' ' | b'\t'));
        let length = if is_named(&field[..line]) {
            memchr_iter(b'\n', &field[line..]).map(|end| line + end).find(|end| !is_folded(end)).unwrap_or(field.len())
        } else {
            line
        };
        let start = self.at;
        self.at = (start + length + 1).min(self.bytes.len());
        let length = if field[..length].ends_with(b"\r") { length - 1 } else { length };
        Some(start..start + length)
    }
}

/// Whether a line begins a field: a colon with a name before it.
fn is_named(line: &[u8]) -> bool {
    let name = line.iter().position(|byte| !byte.is_ascii_whitespace() && *byte != b':');
    name.is_some_and(|name| memchr(b':', &line[name..]).is_some())
}

#[cfg(test)]
mod tests {
    use mail_parser::parsers::MessageStream;
    use proptest::prelude::*;

    use super::*;
    use crate::email::bounds::PARSER;

    fn places(head: &str) -> Vec<Range<usize>> {
        Excess::of(head.as_bytes(), &mut HEADERS_BYTES_MAX.clone()).places
    }

    #[test]
    fn whole_words_are_read() {
        let (word, ids) = ("x".repeat(FIELD_BYTES_MAX), "<id@x.example>\r\n ".repeat(5_000) + "<id>");
        for (head, kept) in [
            (format!("Subject: {word}\r\n\r\n"), "Subject:".len()),
            (format!("Subject: a, b {word}\n\n"), "Subject: a, b".len()),
            (format!("References: {ids}\r\n\r\n"), "References: ".len() + (FIELD_BYTES_MAX - 12) / 17 * 17 - 3),
            (format!("Content-Type: a/b; c={}\n\n", &word[..CONTENT_FIELD_BYTES_MAX]), "Content-Type: a/b;".len()),
            (format!(" C ontent-X : a; b={}\n\n", &word[..CONTENT_FIELD_BYTES_MAX]), " C ontent-X : a;".len()),
        ] {
            assert_eq!(places(&head), std::slice::from_ref(&(kept..head.trim_end().len())), "{}", &head[..20]);
        }
        let most = HEADERS_BYTES_MAX / FIELD_COUNTED_MIN;
        for head in [format!("X: {}\n\n", &word[3..]), "X: y\n".repeat(most), String::new()] {
            assert!(places(&head).is_empty(), "{}", &head[..head.len().min(20)]);
        }
        let many = "X: y\n".repeat(most + 2) + "\n";
        assert_eq!(places(&many), std::slice::from_ref(&(most * 5..many.len() - 2)));
        let long = format!("X: {}\n", "y".repeat(1_021)).repeat(HEADERS_BYTES_MAX / 1_024 + 2) + "\n";
        assert_eq!(places(&long), std::slice::from_ref(&(HEADERS_BYTES_MAX / 1_024 * 1_025..long.len() - 2)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn heads_end_where_the_parser_sees_their_end(pieces in prop::collection::vec(prop::sample::select(vec![
            "a", ":", "\n", "\r\n", "\r", " ", "\t", "\x0c", "Content-Type:", "Content-Disposition: ", "x/y", ";", "b=\"", "\"",
            "=?a1?q?", "=?a1?b?", "?=", "=3D", "(", ")", "\\", "*0*=", "Content-ID: <", ">", "Content-Location: ",
        ]), 0..30)) {
            let head = pieces.concat();
            let mut stream = MessageStream::new(head.as_bytes());
            let is_ended = stream.parse_headers(&PARSER, &mut Vec::new());
            let end = is_ended.then(|| stream.offset());
            prop_assert_eq!(Excess::of(head.as_bytes(), &mut HEADERS_BYTES_MAX.clone()).end, end);
        }
    }
}
