//! How much of a mail is taken apart: the parser has no limits of its own.

use std::sync::LazyLock;

use mail_parser::parsers::MessageStream;
use mail_parser::{GetHeader, HeaderName, HeaderValue, MessageParser};
use memchr::{memchr3_iter, memmem};

use super::parts::{NESTING_MAX, PARTS_MAX};

/// Most parts that are opened; of those above [`PARTS_MAX`] nothing is read, they are counted. A part of forty bytes takes
/// a kilobyte when it is opened.
pub(super) const OPENED_MAX: usize = PARTS_MAX + PARTS_MAX / 2;
/// Deepest nesting that is opened.
const OPENED_NESTING_MAX: usize = 2 * NESTING_MAX;
/// Most bytes that may be looked at in search of the ends of multiparts, each of which can look through the whole mail:
/// about two seconds' work. A mail above is not opened.
const SEARCHED_BYTES_MAX: usize = 2_000_000_000;
/// Most continued parameters (RFC 2231, section 3): each is compared with all others. A mail above is not opened.
const CONTINUATIONS_MAX: usize = 20_000;

/// The parser of parts: it reads the headers that say what a part is.
pub(super) static PARSER: LazyLock<MessageParser> =
    LazyLock::new(|| MessageParser::new().with_mime_headers().default_header_ignore());

/// Whether taking the mail apart would take more than its length warrants: a few kilobytes could keep us busy for hours.
pub(super) fn is_tangled(mail: &[u8]) -> bool {
    const MULTIPART: &[u8] = b"multipart";
    // Short mails have no room for so many.
    let most = mail.len() / MULTIPART.len();
    if most.saturating_mul(mail.len()) <= SEARCHED_BYTES_MAX && mail.len() / 2 <= CONTINUATIONS_MAX {
        return false;
    }
    let (mut multiparts, mut continuations) = (0_usize, 0);
    for at in memchr3_iter(b'm', b'M', b'*', mail) {
        let rest = &mail[at..];
        if rest[0] == b'*' {
            continuations += usize::from(matches!(rest.get(1), Some(b'0'..=b'9' | b'=')));
        } else {
            let word = rest.get(..MULTIPART.len());
            multiparts += usize::from(word.is_some_and(|word| word.eq_ignore_ascii_case(MULTIPART)));
        }
    }
    multiparts.saturating_mul(mail.len()) > SEARCHED_BYTES_MAX || continuations > CONTINUATIONS_MAX
}

/// The mail up to the first part that is one too many or lies too deep to be opened. Parts are found as the parser finds
/// them.
pub(super) fn opened(mail: &[u8]) -> &[u8] {
    limited(mail, OPENED_MAX, OPENED_NESTING_MAX)
}

fn limited(mail: &[u8], parts_max: usize, nesting_max: usize) -> &[u8] {
    // Every part but the first has two dashes and a boundary before it.
    let most = nesting_max.min(parts_max);
    if memmem::find_iter(mail, b"--").take(most).count() < most {
        return mail;
    }
    let mut stream = MessageStream::new(mail);
    let mut boundaries: Vec<Vec<u8>> = Vec::new();
    for _ in 0..parts_max {
        if boundaries.len() > nesting_max {
            break;
        }
        let mut headers = Vec::new();
        if !stream.parse_headers(&PARSER, &mut headers) {
            return mail;
        }
        let content_type = headers.header_value(&HeaderName::ContentType).and_then(HeaderValue::as_content_type);
        let boundary =
            content_type.filter(|kind| kind.ctype() == "multipart").and_then(|kind| kind.attribute("boundary"));
        if let Some(boundary) = boundary.map(str::as_bytes)
            && stream.seek_next_part(boundary)
        {
            stream.skip_crlf();
            boundaries.push(boundary.to_vec());
            continue;
        }
        loop {
            let Some(boundary) = boundaries.last() else { return mail };
            if !stream.seek_next_part(boundary) {
                return mail;
            }
            if !stream.is_multipart_end() {
                break;
            }
            boundaries.pop();
        }
    }
    &mail[..stream.offset()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(mail: &[u8]) -> usize {
        PARSER.parse(mail).map(|mail| mail.parts.len()).unwrap_or_default()
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
        let dashes = format!("Content-Type: multipart/mixed; boundary=b\n\n--b\n\n{}--b--\n", "-- \n".repeat(5_000));
        assert_eq!(opened(dashes.as_bytes()).len(), dashes.len());
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
            let (whole, part) = (PARSER.parse(mail.as_bytes()), PARSER.parse(limited(mail.as_bytes(), most, usize::MAX)));
            let starts = |mail: &Option<mail_parser::Message<'_>>| -> Vec<u32> {
                mail.iter().flat_map(|mail| &mail.parts).map(|part| part.offset_body).collect()
            };
            prop_assert_eq!(starts(&part), starts(&whole).into_iter().take(most).collect::<Vec<_>>());
        }
    }
}
