//! Keeping mails inside mails closed before the parser sees them.
//!
//! A mail of a megabyte can hold thirty thousand mails, each attached to the one before. The parser builds them as a
//! tree that is dropped and copied recursively, so such a mail would overflow the stack, which no handler can catch.
//! Attached mails are files to us. So the types that open them are misspelled, byte for byte, in a copy, and spelled
//! right again in what is read out of it.

use std::borrow::Cow;

/// The subtypes at which the parser goes one mail deeper: `message/rfc822`, `message/global`, and the parts of
/// `multipart/digest`. It compares them as written, so they always stand in one piece.
const KEYWORDS: [&[u8]; 3] = [b"rfc822", b"global", b"digest"];

/// First letters of the keywords and what stands for them: control characters that no text contains.
const MARKS: [(u8, u8); 6] = [(b'r', 1), (b'R', 2), (b'g', 3), (b'G', 4), (b'd', 5), (b'D', 6)];

/// The mail with every type that opens an attached mail misspelled. Borrowed when there is none, as in nearly all mail.
pub(super) fn flattened(raw: &[u8]) -> Cow<'_, [u8]> {
    let mut flat = Cow::Borrowed(raw);
    // A subtype stands on the line of its slash, behind a header's colon or the space that continues a header. Base 64
    // has neither, so attachments are never touched.
    let (mut slash, mut header) = (false, false);
    for (at, byte) in raw.iter().enumerate() {
        match byte {
            b'\n' => (slash, header) = (false, false),
            b'/' => slash = true,
            b':' | b' ' | b'\t' => header = true,
            _ => {}
        }
        if !(slash && header) {
            continue;
        }
        let mark = MARKS.iter().find(|(letter, _)| letter == byte);
        if let Some((letter, mark)) = mark
            && is_keyword(*letter, &raw[at + 1..])
        {
            flat.to_mut()[at] = *mark;
        }
    }
    flat
}

/// Spells right again what [`flattened`] misspelled.
pub(super) fn restore(bytes: &mut [u8]) {
    for at in 0..bytes.len() {
        let letter = MARKS.iter().find(|(_, mark)| *mark == bytes[at]);
        if let Some((letter, _)) = letter
            && is_keyword(*letter, &bytes[at + 1..])
        {
            bytes[at] = *letter;
        }
    }
}

/// [`restore`] for text.
pub(super) fn restored(text: String) -> String {
    if !text.bytes().any(|byte| matches!(byte, 1..=6)) {
        return text;
    }
    let mut bytes = text.into_bytes();
    restore(&mut bytes);
    String::from_utf8(bytes).expect("one ASCII character was put for another")
}

fn is_keyword(first: u8, rest: &[u8]) -> bool {
    KEYWORDS.iter().any(|word| {
        word[0].eq_ignore_ascii_case(&first) && rest.get(..5).is_some_and(|rest| rest.eq_ignore_ascii_case(&word[1..]))
    })
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

    proptest! {
        #[test]
        fn what_is_flattened_is_restored(text in "([a-zA-Z:/\n ]|/rfc822|/Global| digest){0,60}") {
            let mut flat = flattened(text.as_bytes()).into_owned();
            restore(&mut flat);
            prop_assert_eq!(flat, text.as_bytes());
        }
    }
}
