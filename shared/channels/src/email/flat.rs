//! Keeping mails inside mails closed before the parser sees them.
//!
//! A mail of a megabyte can hold thirty thousand mails, each attached to the one before. The parser builds them as a
//! tree that is dropped and copied recursively, so such a mail would overflow the stack, which no handler can catch.
//! Attached mails are files to us. So the types that open them are misspelled, byte for byte, in a copy, and spelled
//! right again in what is read out of it.

use std::borrow::Cow;
use std::cell::OnceCell;

use memchr::{memchr, memchr3, memrchr};

use super::bounds::Opening;

/// The subtypes at which the parser goes one mail deeper: `message/rfc822`, `message/global`, and the parts of
/// `multipart/digest`. It compares them as written, so they always stand in one piece.
const KEYWORDS: [&[u8]; 3] = [b"rfc822", b"global", b"digest"];

/// First letters of the keywords and what stands for them: control characters that no text contains.
const MARKS: [(u8, u8); 6] = [(b'r', 1), (b'R', 2), (b'g', 3), (b'G', 4), (b'd', 5), (b'D', 6)];

/// A mail with every type that opens an attached mail misspelled.
pub(super) struct Flat<'a> {
    /// Borrowed where there is no such type, as in nearly all mail.
    bytes: Cow<'a, [u8]>,
    opening: OnceCell<Opening>,
}

impl<'a> Flat<'a> {
    pub(super) fn of(raw: &'a [u8]) -> Self {
        Self { bytes: flattened(raw), opening: OnceCell::new() }
    }

    /// The whole mail.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The mail as far as the parser may see it, with its bytes in their places; None where it must not see any.
    pub(super) fn opened(&self) -> Option<&[u8]> {
        let opening = self.opening();
        opening.cut.as_deref().unwrap_or(&self.bytes).get(..opening.end?)
    }

    /// Whether some of the parts' headers are hidden from the parser.
    pub(super) fn is_cut(&self) -> bool {
        self.opening().cut.is_some()
    }

    fn opening(&self) -> &Opening {
        self.opening.get_or_init(|| Opening::of(&self.bytes))
    }

    /// Spells right again what is misspelled in a piece of the mail.
    pub(super) fn restored<'b>(&self, bytes: Cow<'b, [u8]>) -> Cow<'b, [u8]> {
        if matches!(self.bytes, Cow::Borrowed(_)) || !has_mark(&bytes) {
            return bytes;
        }
        let mut bytes = bytes.into_owned();
        restore(&mut bytes);
        bytes.into()
    }

    /// [`Self::restored`] for text.
    pub(super) fn restored_text<'b>(&self, text: Cow<'b, str>) -> Cow<'b, str> {
        if matches!(self.bytes, Cow::Borrowed(_)) || !has_mark(text.as_bytes()) {
            return text;
        }
        let mut bytes = text.into_owned().into_bytes();
        restore(&mut bytes);
        String::from_utf8(bytes).expect("one ASCII character was put for another").into()
    }
}

fn flattened(raw: &[u8]) -> Cow<'_, [u8]> {
    let mut flat = Cow::Borrowed(raw);
    let mut from = 0;
    while let Some(slash) = memchr(b'/', &raw[from..]).map(|at| from + at) {
        let start = memrchr(b'\n', &raw[from..slash]).map_or(from, |end| from + end + 1);
        let end = memchr(b'\n', &raw[slash..]).map_or(raw.len(), |end| slash + end + 1);
        // A subtype stands on the line of its slash, behind a header's colon or the space that continues a header. Base
        // 64 has neither, so attachments are never touched.
        let header = memchr3(b':', b' ', b'\t', &raw[start..end]).map(|at| start + at);
        let first = header.map_or(end, |header| header.max(slash));
        let rest = Some(&raw[first..end]).filter(|rest| may_have_keyword(rest)).unwrap_or_default();
        for (at, pair) in (first..).zip(rest.windows(2)) {
            if begins_keyword(pair[0], pair[1])
                && is_keyword(&raw[at..])
                && let Some((_, mark)) = MARKS.iter().find(|(letter, _)| *letter == raw[at])
            {
                flat.to_mut()[at] = *mark;
            }
        }
        from = end;
    }
    flat
}

fn has_mark(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| matches!(byte, 1..=6))
}

fn restore(bytes: &mut [u8]) {
    for at in 0..bytes.len() {
        let Some((letter, mark)) = MARKS.iter().find(|(_, mark)| *mark == bytes[at]) else { continue };
        bytes[at] = *letter;
        if !is_keyword(&bytes[at..]) {
            bytes[at] = *mark;
        }
    }
}

/// Whether a keyword begins somewhere in the bytes, as far as two letters tell. Without a way out of the loop, many pairs are
/// compared in one look.
fn may_have_keyword(bytes: &[u8]) -> bool {
    let seconds = bytes.get(1..).unwrap_or_default();
    bytes.iter().zip(seconds).fold(false, |found, (first, second)| found | begins_keyword(*first, *second))
}

/// Whether a keyword begins with these two letters.
fn begins_keyword(first: u8, second: u8) -> bool {
    const LOWER: u8 = 0x20;
    let (first, second) = (first | LOWER, second | LOWER);
    (first == b'r') & (second == b'f') | (first == b'g') & (second == b'l') | (first == b'd') & (second == b'i')
}

/// Whether a keyword stands at the start of the bytes.
fn is_keyword(bytes: &[u8]) -> bool {
    KEYWORDS.iter().any(|word| bytes.get(..word.len()).is_some_and(|given| given.eq_ignore_ascii_case(word)))
}

#[cfg(test)]
mod tests {
    use mail_parser::{MessageParser, PartType};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_types_are_touched() {
        for untouched in ["Subject: global warming", "Content-Type: text/plain", "ab/rfc822=", "https://a/b\nglobal x"]
        {
            assert!(matches!(flattened(untouched.as_bytes()), Cow::Borrowed(_)), "{untouched}");
        }
        let flat = flattened(b"Content-Type: Message/RFC822\n\nsee http://x/y global");
        assert_eq!(flat, &b"Content-Type: Message/\x02FC822\n\nsee http://x/y \x03lobal"[..]);
    }

    #[test]
    fn no_spelling_opens_an_attached_mail() {
        let spellings = [
            "Content-Type: message/rfc822\n\nSubject: inner\n\ninner",
            "content-type:MESSAGE/RFC822\n\nSubject: inner\n\ninner",
            "Content-Type: message\n /global\n\nSubject: inner\n\ninner",
            "Content-Type: message/(a (b) c)\"rfc822\n\nSubject: inner\n\ninner",
            "Content-Type: message/x(c)rfc822\n\nSubject: inner\n\ninner",
            "C ontent - Type : message (c) / rfc822 ; a=b\n\nSubject: inner\n\ninner",
            "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: inner\n\ninner\n--b--\n",
            "Content-Type: multipart/mixed; boundary=b\n\n--b Content-Type: message/rfc822\n\nSubject: in\n\nin\n--b--\n",
            "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogaW5uZXIKCmlubmVyCg==\n",
        ];
        for mail in spellings {
            let is_open = |bytes: &[u8]| {
                let parsed = MessageParser::new().parse(bytes).unwrap();
                parsed.parts.iter().any(|part| matches!(part.body, PartType::Message(_)))
            };
            assert!(is_open(mail.as_bytes()), "the parser no longer opens {mail:?}");
            assert!(!is_open(&flattened(mail.as_bytes())), "{mail:?}");
        }
    }

    #[test]
    fn what_was_not_misspelled_stays() {
        let (flat, closed) = (Flat::of(b"Subject: x"), Flat::of(b"Content-Type: message/rfc822"));
        assert_eq!(flat.restored_text("\u{1}fc822".into()), "\u{1}fc822");
        assert_eq!(closed.restored_text("\u{1}fc822".into()), "rfc822");
        assert_eq!(&*closed.restored(closed.bytes().into()), b"Content-Type: message/rfc822");
    }

    proptest! {
        #[test]
        fn what_is_flattened_is_restored(text in "([a-zA-Z:/\n ]|/rfc822|/Global| digest){0,60}") {
            let mut flat = flattened(text.as_bytes()).into_owned();
            restore(&mut flat);
            prop_assert_eq!(flat, text.as_bytes());
        }
    }
}
