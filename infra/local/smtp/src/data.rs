//! The form of a mail between DATA and the final dot: a dot before each line that starts with one, and
//! `<CR><LF>.<CR><LF>` as the end (RFC 5321 section 4.5.2).

use std::io::BufRead;

/// The end of the data when the last line is complete.
const FINAL_DOT: &[u8] = b".\r\n";

/// Where in a line the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// After CRLF, or at the start of the data: the line end of DATA itself counts.
    LineStart,
    /// After a dot at the start of a line; it is dropped whatever follows.
    Dot,
    /// After a dot and a CR; the CR is held back, it may belong to the end.
    DotCr,
    /// Anywhere else, also after a bare LF, which starts no line.
    Text,
    /// After a CR that was part of the text.
    TextCr,
}

/// Takes the stuffed dots out and finds the end, whatever pieces the data comes in.
#[derive(Debug)]
pub(crate) struct Unstuffer {
    place: Place,
}

/// What one piece brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fed {
    /// All of it belongs to the mail, more must come.
    More,
    /// The mail is complete; so many bytes of the piece belong to it.
    Ended(usize),
}

impl Unstuffer {
    pub(crate) fn new() -> Self {
        Unstuffer { place: Place::LineStart }
    }

    /// Reads one piece and hands what belongs to the mail to `emit`, in order.
    pub(crate) fn feed(&mut self, piece: &[u8], mut emit: impl FnMut(&[u8])) -> Fed {
        let mut at = 0;
        while let Some(&byte) = piece.get(at) {
            self.place = match (self.place, byte) {
                (Place::LineStart, b'.') => {
                    at += 1;
                    Place::Dot
                }
                (Place::Dot, b'\r') => {
                    at += 1;
                    Place::DotCr
                }
                (Place::DotCr, b'\n') => {
                    self.place = Place::LineStart;
                    return Fed::Ended(at + 1);
                }
                (Place::DotCr, _) => {
                    emit(b"\r");
                    Place::TextCr
                }
                (before, _) => {
                    let (taken, after) = rest_of_line(before, &piece[at..]);
                    emit(&piece[at..at + taken]);
                    at += taken;
                    after
                }
            };
        }
        Fed::More
    }
}

/// How many of the bytes go up to the next LF, it included, and where that leads. `bytes` is not empty.
fn rest_of_line(before: Place, bytes: &[u8]) -> (usize, Place) {
    match find_line_feed(bytes) {
        Some(at) => {
            let cr_before = if at == 0 { before == Place::TextCr } else { bytes[at - 1] == b'\r' };
            (at + 1, if cr_before { Place::LineStart } else { Place::Text })
        }
        None => (bytes.len(), if bytes.last() == Some(&b'\r') { Place::TextCr } else { Place::Text }),
    }
}

/// Through `skip_until`, because that is the vectorised search of the standard library, also in a debug build.
fn find_line_feed(bytes: &[u8]) -> Option<usize> {
    let mut unread = bytes;
    let skipped = unread.skip_until(b'\n').expect("reading from memory cannot fail");
    bytes[..skipped].ends_with(b"\n").then(|| skipped - 1)
}

/// A mail as it goes over the wire.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stuffed {
    /// The data with its final dot.
    pub(crate) wire: Vec<u8>,
    /// Bytes of the mail as SIZE counts them: line ends as CRLF, without stuffed dots and the end (RFC 1870 section 5).
    pub(crate) mail_bytes: usize,
}

/// Writes every line end, bare CR and bare LF too, as CRLF (RFC 5321 section 2.3.8), adds a missing last one, stuffs
/// the dots and adds the end. Other bytes pass as they are.
pub(crate) fn stuff(mail: &[u8]) -> Stuffed {
    let mut wire = Vec::with_capacity(mail.len() + mail.len() / 32 + FINAL_DOT.len());
    let mut stuffed_dots = 0;
    let mut rest = mail;
    while !rest.is_empty() {
        let (line, after) = match find_line_feed(rest) {
            Some(at) => (&rest[..at], &rest[at + 1..]),
            None => (rest, &rest[rest.len()..]),
        };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // `contains` is a vectorised search and nearly always says no.
        if line.contains(&b'\r') {
            for part in line.split(|&byte| byte == b'\r') {
                stuffed_dots += stuff_line(part, &mut wire);
            }
        } else {
            stuffed_dots += stuff_line(line, &mut wire);
        }
        rest = after;
    }
    let mail_bytes = wire.len() - stuffed_dots;
    wire.extend_from_slice(FINAL_DOT);
    Stuffed { wire, mail_bytes }
}

/// Writes one line and says how many dots were added.
fn stuff_line(line: &[u8], wire: &mut Vec<u8>) -> usize {
    let dots = usize::from(line.starts_with(b"."));
    wire.extend_from_slice(&b"."[..dots]);
    wire.extend_from_slice(line);
    wire.extend_from_slice(b"\r\n");
    dots
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The mail and what is left behind its end, fed in pieces of the given lengths.
    fn unstuff(wire: &[u8], cuts: &[usize]) -> Option<(Vec<u8>, Vec<u8>)> {
        let (mut unstuffer, mut mail, mut rest) = (Unstuffer::new(), Vec::new(), wire);
        let mut cuts = cuts.iter().copied().chain([wire.len()]);
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(cuts.next().unwrap_or(1).clamp(1, rest.len()));
            match unstuffer.feed(piece, |part| mail.extend_from_slice(part)) {
                Fed::More => rest = after,
                Fed::Ended(taken) => return Some((mail, rest[taken..].to_vec())),
            }
        }
        None
    }

    /// Every line end as CRLF, the plain way.
    fn normalised(mail: &[u8]) -> Vec<u8> {
        let mut lines: Vec<u8> = Vec::new();
        for (at, &byte) in mail.iter().enumerate() {
            match byte {
                b'\n' if at > 0 && mail[at - 1] == b'\r' => {}
                b'\n' | b'\r' => lines.extend_from_slice(b"\r\n"),
                byte => lines.push(byte),
            }
        }
        if !lines.is_empty() && !lines.ends_with(b"\r\n") {
            lines.extend_from_slice(b"\r\n");
        }
        lines
    }

    #[test]
    fn ends_only_at_crlf_dot_crlf() {
        for (wire, mail, rest) in [
            (".\r\n", "", ""),
            ("hi\r\n.\r\nQUIT\r\n", "hi\r\n", "QUIT\r\n"),
            ("..\r\n.a\r\n..b\r\n.\r\n", ".\r\na\r\n.b\r\n", ""),
            ("a\n.\nb\r\n.\r\n", "a\n.\nb\r\n", ""),
            ("a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n", ""),
            ("a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n", ""),
            ("a\r.\rb\r\n.\r\n", "a\r.\rb\r\n", ""),
            ("a\r.\r\nb\r\n.\r\n", "a\r.\r\nb\r\n", ""),
            ("a\r\n.\rb\r\n.\r\n", "a\r\n\rb\r\n", ""),
            ("a\r\n.\r\r\nb\r\n.\r\n", "a\r\n\r\r\nb\r\n", ""),
            ("a\r\r\n.\r\n", "a\r\r\n", ""),
            ("a\n\r\n.\r\n", "a\n\r\n", ""),
            ("a\r\n.\0\r\nb\r\n.\r\n", "a\r\n\0\r\nb\r\n", ""),
        ] {
            let whole = unstuff(wire.as_bytes(), &[]).unwrap();
            assert_eq!(whole, (mail.as_bytes().to_vec(), rest.as_bytes().to_vec()), "{wire:?}");
            assert_eq!(unstuff(wire.as_bytes(), &[1; 64]).unwrap(), whole, "{wire:?} byte by byte");
        }
        for open in ["", "a", "a\r\n.", "a\r\n.\r", "a\n.\n", "\r.\r", "..\r\n", ".\r\r\n"] {
            assert_eq!(unstuff(open.as_bytes(), &[]), None, "{open:?}");
        }
    }

    #[test]
    fn stuffs() {
        for (mail, wire) in [
            ("", ".\r\n"),
            ("a", "a\r\n.\r\n"),
            ("a\nb\r\nc\rd", "a\r\nb\r\nc\r\nd\r\n.\r\n"),
            (".\n..\n.a", "..\r\n...\r\n..a\r\n.\r\n"),
            ("a\r\r\n.\r.\n", "a\r\n\r\n..\r\n..\r\n.\r\n"),
            ("\r", "\r\n.\r\n"),
        ] {
            assert_eq!(stuff(mail.as_bytes()).wire, wire.as_bytes(), "{mail:?}");
        }
    }

    /// Bytes with many dots and line ends.
    fn mails() -> impl Strategy<Value = Vec<u8>> {
        let bytes = prop_oneof![Just(b'.'), Just(b'\r'), Just(b'\n'), any::<u8>()];
        prop::collection::vec(bytes, 0..200)
    }

    proptest! {
        #[test]
        fn a_mail_survives_the_way(mail in mails(), after in mails(), cuts in prop::collection::vec(1..9usize, 0..64)) {
            let Stuffed { mut wire, mail_bytes } = stuff(&mail);
            let expected = normalised(&mail);
            prop_assert_eq!(mail_bytes, expected.len());
            wire.extend_from_slice(&after);
            prop_assert_eq!(unstuff(&wire, &cuts), Some((expected.clone(), after)));
            prop_assert_eq!(stuff(&expected), stuff(&mail));
        }

        #[test]
        fn cuts_change_nothing(wire in mails(), cuts in prop::collection::vec(1..9usize, 0..64)) {
            prop_assert_eq!(unstuff(&wire, &cuts), unstuff(&wire, &[]));
        }

        #[test]
        fn the_end_is_the_first_crlf_dot_crlf(wire in mails()) {
            let framed = [b"\r\n", wire.as_slice()].concat();
            let end = framed.windows(5).position(|window| window == b"\r\n.\r\n");
            let left = unstuff(&wire, &[]).map(|(_, rest)| rest);
            prop_assert_eq!(left, end.map(|at| framed[at + 5..].to_vec()));
        }
    }
}
