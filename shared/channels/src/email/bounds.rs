//! How much of a mail is taken apart: the parser has no limits of its own.

use std::sync::LazyLock;

use mail_parser::parsers::MessageStream;
use mail_parser::{GetHeader, HeaderName, HeaderValue, MessageParser};
use memchr::memmem;

use super::fields::{CONTENT_FIELD_BYTES_MAX, Excess, HEADERS_BYTES_MAX};
use super::parts::{NESTING_MAX, PARTS_MAX};

/// Most parts that are opened; of those above [`PARTS_MAX`] nothing is read, they are counted. A part of forty bytes takes
/// a kilobyte when it is opened.
pub(super) const OPENED_MAX: usize = PARTS_MAX + PARTS_MAX / 2;
/// Deepest nesting that is opened.
const OPENED_NESTING_MAX: usize = 2 * NESTING_MAX;
/// Most bytes that may be looked at in search of boundaries, each of which can look through the whole mail: about two
/// seconds' work. A mail above is not opened.
const SEARCHED_BYTES_MAX: usize = 500_000_000;
/// A boundary of so many bytes counts once more in the search: it may be compared at each byte. Those that programs write
/// have at most 70 (RFC 2046, section 5.1.1).
const BOUNDARY_BYTES: usize = 128;

/// The parser of parts: it reads the headers that say what a part is.
pub(super) static PARSER: LazyLock<MessageParser> = LazyLock::new(|| {
    let parser = MessageParser::new().header_content_type(HeaderName::ContentType);
    let parser = parser.header_content_type(HeaderName::ContentDisposition).header_id(HeaderName::ContentId);
    parser.header_raw(HeaderName::ContentTransferEncoding).default_header_ignore()
});

/// What of a mail the parser may see.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Opening {
    /// The mail with blanks in place of what is not read of its parts' headers; None where all is read.
    pub(super) cut: Option<Vec<u8>>,
    /// Where the first part starts that is one too many or lies too deep; None where taking the mail apart would take more
    /// than its length warrants: a few kilobytes could keep us busy for hours.
    pub(super) end: Option<usize>,
}

impl Opening {
    /// Looks for the parts as the parser finds them.
    pub(super) fn of(mail: &[u8]) -> Self {
        // In so few bytes nothing is too many.
        if mail.len() <= CONTENT_FIELD_BYTES_MAX {
            return Self { cut: None, end: Some(mail.len()) };
        }
        Self::limited(mail, OPENED_MAX, OPENED_NESTING_MAX)
    }

    fn limited(mail: &[u8], parts_max: usize, nesting_max: usize) -> Self {
        let mut walk = Walk { mail, at: 0, cut: None, left: HEADERS_BYTES_MAX, searched: 0 };
        let is_finite = walk.parts(parts_max, nesting_max).is_ok();
        Self { cut: walk.cut, end: is_finite.then_some(walk.at) }
    }
}

/// The way through a mail from part to part.
struct Walk<'a> {
    mail: &'a [u8],
    at: usize,
    cut: Option<Vec<u8>>,
    /// Bytes of headers that may still be read.
    left: usize,
    searched: usize,
}

/// The search for boundaries takes too long, or the parser sees other parts.
struct Tangled;

impl Walk<'_> {
    /// Goes up to the first part that is one too many or lies too deep, or to the end.
    fn parts(&mut self, parts_max: usize, nesting_max: usize) -> Result<(), Tangled> {
        // Each with the two dashes before it.
        let mut boundaries: Vec<Vec<u8>> = Vec::new();
        for _ in 0..parts_max {
            if boundaries.len() > nesting_max {
                return Ok(());
            }
            let Some(boundary) = self.head()? else { break };
            if !boundary.is_empty() {
                let boundary = [b"--", &boundary[..]].concat();
                if self.is_found(&boundary)? {
                    self.step(|stream| stream.skip_crlf());
                    boundaries.push(boundary);
                    continue;
                }
            }
            while let Some(boundary) = boundaries.last() {
                if !self.is_found(boundary)? {
                    boundaries.clear();
                } else if self.step(|stream| stream.is_multipart_end()) {
                    boundaries.pop();
                } else {
                    break;
                }
            }
            if boundaries.is_empty() {
                self.at = self.mail.len();
                return Ok(());
            }
        }
        Ok(())
    }

    /// Reads a part's headers: the boundary of what is in it, empty where nothing is; None where the mail ends in them.
    fn head(&mut self) -> Result<Option<Vec<u8>>, Tangled> {
        let excess = Excess::of(&self.mail[self.at..], &mut self.left);
        for place in &excess.places {
            let (start, end) = (self.at + place.start, self.at + place.end);
            let place = &mut self.cut.get_or_insert_with(|| self.mail.to_vec())[start..end];
            place.fill(b' ');
            // What is left out becomes a line that is no field: blanks would belong to the field before them, in which
            // the parser may go through them again and again, or be the blank line that ends a head.
            let is_line = self.mail[..start].last().is_none_or(u8::is_ascii_whitespace);
            match place {
                [colon, ..] if is_line => *colon = b':',
                [line_end, colon, ..] => (*line_end, *colon) = (b'\n', b':'),
                _ => {}
            }
        }
        let Some(end) = excess.end else {
            self.at = self.mail.len();
            return Ok(None);
        };
        let mail = self.cut.as_deref().unwrap_or(self.mail);
        let (mut stream, mut headers) = (MessageStream::new(&mail[self.at..self.at + end]), Vec::new());
        if !stream.parse_headers(&PARSER, &mut headers) || stream.offset() != end {
            return Err(Tangled);
        }
        self.at += end;
        let content_type = headers.header_value(&HeaderName::ContentType).and_then(HeaderValue::as_content_type);
        let content_type = content_type.filter(|kind| kind.ctype() == "multipart");
        let boundary = content_type.and_then(|kind| kind.attribute("boundary"));
        Ok(Some(boundary.unwrap_or_default().as_bytes().to_vec()))
    }

    /// Goes behind the next boundary, if there is one.
    fn is_found(&mut self, boundary: &[u8]) -> Result<bool, Tangled> {
        let rest = &self.mail[self.at..];
        let found = memmem::find(rest, boundary);
        self.searched += found.unwrap_or(rest.len()) * (1 + boundary.len() / BOUNDARY_BYTES);
        if self.searched > SEARCHED_BYTES_MAX {
            return Err(Tangled);
        }
        if let Some(found) = found {
            self.at += found + boundary.len();
        }
        Ok(found.is_some())
    }

    /// Goes a step of the parser's.
    fn step<T>(&mut self, step: impl FnOnce(&mut MessageStream<'_>) -> T) -> T {
        let mut stream = MessageStream::new(&self.mail[self.at..]);
        let result = step(&mut stream);
        self.at += stream.offset();
        result
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(mail: &[u8]) -> usize {
        PARSER.parse(mail).map(|mail| mail.parts.len()).unwrap_or_default()
    }

    fn opened(mail: &[u8]) -> &[u8] {
        &mail[..Opening::of(mail).end.expect("not tangled")]
    }

    #[test]
    fn hostile_mails_are_opened_in_part() {
        let wide = |part: &str| format!("Content-Type: multipart/mixed; boundary=b\n\n{}", part.repeat(5_000));
        for part in ["--b\n\nx\n", "--b\n\nx", "--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\n--c--\n"] {
            let mail = wide(part);
            assert!(parts(mail.as_bytes()) > OPENED_MAX, "{part:?}");
            assert_eq!(parts(opened(mail.as_bytes())), OPENED_MAX, "{part:?}");
        }
        let hidden = wide("--b\n\nx\n").replacen("=b", "*0*=''%62; x=\"--never\"", 1);
        assert_eq!(parts(opened(hidden.as_bytes())), OPENED_MAX);
        let levels = (0..5_000).map(|at| format!("Content-Type: multipart/mixed; boundary=b{at}\n\n--b{at}\n"));
        assert!(parts(opened(levels.collect::<String>().as_bytes())) <= OPENED_NESTING_MAX + 1);
        for tangled in [
            wide("--b\nContent-Type: multipart/x; boundary=never\n\n").repeat(10),
            format!(
                "{}{}",
                wide(&format!("--b\nContent-Type: multipart/x; boundary={}x\n\n", "-".repeat(3_000))),
                "-".repeat(2_000_000)
            ),
        ] {
            assert_eq!(Opening::of(tangled.as_bytes()).end, None);
        }
        let dashes = format!("Content-Type: multipart/mixed; boundary=b\n\n--b\n\n{}--b--\n", "-- \n".repeat(5_000));
        assert_eq!(opened(dashes.as_bytes()).len(), dashes.len());
    }

    #[test]
    fn parts_keep_their_places_when_their_headers_are_cut() {
        let words = "=?aa?q?x ".repeat(1_000);
        let parameters = "a1* =x'y'z; ".repeat(1_000);
        let many = "X: y\n".repeat(HEADERS_BYTES_MAX / 4);
        for field in [
            format!("Content-Description: {words}\nContent-Type: text/html\n"),
            format!("Content-Type: text/html; {parameters}\n"),
            format!("Content-Type: text/html;\r\n {}\r\n", parameters.replace("; ", ";\r\n\t")),
            format!("Content-Type: text/html\n{many}"),
        ] {
            let part = format!("--b\n{field}\n<p>x</p>\n");
            let mail = format!("Content-Type: multipart/mixed; boundary=b\n\n{part}{part}--b--\n");
            let opening = Opening::of(mail.as_bytes());
            let cut = opening.cut.expect("cut");
            assert_eq!((cut.len(), opening.end), (mail.len(), Some(mail.len())));
            let (whole, opened) = (PARSER.parse(mail.as_bytes()).expect("a mail"), PARSER.parse(&cut).expect("a mail"));
            let bodies = |mail: &mail_parser::Message<'_>| -> Vec<(u32, u32)> {
                mail.parts.iter().map(|part| (part.offset_body, part.offset_end)).collect()
            };
            assert_eq!(bodies(&opened), bodies(&whole));
            assert_eq!(opened.parts[1].body, whole.parts[1].body);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_parts_that_are_opened_are_those_of_the_whole_mail(pieces in prop::collection::vec(prop::sample::select(vec![
            "--a", "--a\n", "--a\n\n", "--a--\n", "--b\n", "\r\n--b\r\n", "--b--", "--", "\n", "\n\n", "x", " ", "-",
            "Content-Type: multipart/mixed; boundary=a\n\n", "Content-Type: multipart/alternative; boundary=b\n",
            "Content-Type: text/html\n\n", "Content-Transfer-Encoding: base64\n\n", "eHg=\n", "X: --a\n",
        ]), 0..40), most in 1_usize..6) {
            let mail = pieces.concat();
            let opening = Opening::limited(mail.as_bytes(), most, usize::MAX);
            prop_assert_eq!(&opening.cut, &None);
            let opened = &mail.as_bytes()[..opening.end.expect("not tangled")];
            let (whole, part) = (PARSER.parse(mail.as_bytes()), PARSER.parse(opened));
            let starts = |mail: &Option<mail_parser::Message<'_>>| -> Vec<u32> {
                mail.iter().flat_map(|mail| &mail.parts).map(|part| part.offset_body).collect()
            };
            prop_assert_eq!(starts(&part), starts(&whole).into_iter().take(most).collect::<Vec<_>>());
        }
    }
}
