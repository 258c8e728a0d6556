//! Header fields as programs write them, made into what the standards say: raw 8-bit characters (RFC 6532 wants UTF-8),
//! encoded words in any character set, and characters that are cut in two by the end of an encoded word (RFC 2047,
//! section 5, forbids that and many programs do it).

use std::borrow::Cow;

use data_encoding::BASE64;
use mail_parser::decoders::base64::base64_decode;
use memchr::memchr_iter;

use super::charset;
use super::fields::{CONTENT_FIELD_BYTES_MAX, Excess, HEADERS_BYTES_MAX};

/// Longest name of a character set that is looked for, in bytes.
const CHARSET_BYTES_MAX: usize = 60;
/// Most encoded words of one field that are left to the parser because they are none to us: it looks for the end of each in
/// the whole field.
const ODD_WORDS_MAX: usize = 50;

/// The header fields of a mail or part in a form that can be read.
#[derive(Debug)]
pub(super) struct Readable<'a> {
    /// The fields, up to and with the blank line.
    pub(super) bytes: Cow<'a, [u8]>,
    /// Whether some of them is left out.
    pub(super) is_cut: bool,
}

/// The header fields of a mail or part, as far as they are read, in a form that can be.
pub(super) fn readable(mail: &[u8]) -> Readable<'_> {
    let (block, is_cut) = bounded(&mail[..end(mail)]);
    let mut block = if block.is_ascii() { block } else { Cow::Owned(in_unicode(&block)) };
    // The parser wants the end of a line to see a field.
    if !block.ends_with(b"\n") {
        block.to_mut().extend_from_slice(b"\n\n");
    }
    let has_words = memchr_iter(b'=', &block).any(|at| block.get(at + 1) == Some(&b'?'));
    Readable { bytes: if has_words { Cow::Owned(joined(&block)) } else { block }, is_cut }
}

/// The fields without what is too long of them, and whether anything was.
fn bounded(block: &[u8]) -> (Cow<'_, [u8]>, bool) {
    if block.len() <= CONTENT_FIELD_BYTES_MAX {
        return (block.into(), false);
    }
    let excess = Excess::of(block, &mut HEADERS_BYTES_MAX.clone());
    if excess.places.is_empty() {
        return (block.into(), false);
    }
    let (mut whole, mut start) = (Vec::new(), 0);
    for place in excess.places {
        whole.extend_from_slice(&block[start..place.start]);
        start = place.end;
    }
    whole.extend_from_slice(&block[start..]);
    (whole.into(), true)
}

/// Where the body starts.
fn end(mail: &[u8]) -> usize {
    let mut start = 0;
    for end in memchr_iter(b'\n', mail) {
        if matches!(&mail[start..end], b"" | b"\r") {
            return end + 1;
        }
        start = end + 1;
    }
    mail.len()
}

/// Every line in UTF-8. The character set that the text is in is also that of the fields around it.
fn in_unicode(block: &[u8]) -> Vec<u8> {
    let label = label(block);
    let mut whole = Vec::with_capacity(block.len() * 2);
    for line in block.split_inclusive(|byte| *byte == b'\n') {
        match std::str::from_utf8(line) {
            Ok(_) => whole.extend_from_slice(line),
            Err(_) => whole.extend_from_slice(charset::decoded(line, label.as_deref()).as_bytes()),
        }
    }
    whole
}

/// The first `charset` parameter.
pub(super) fn label(block: &[u8]) -> Option<String> {
    const NAME: &[u8] = b"charset=";
    let at = block.windows(NAME.len()).position(|word| word.eq_ignore_ascii_case(NAME))?;
    let value = &block[at + NAME.len()..];
    let value = value.strip_prefix(b"\"").or(value.strip_prefix(b"'")).unwrap_or(value);
    let length = value.iter().position(|byte| !byte.is_ascii_graphic() || matches!(byte, b'"' | b'\'' | b';' | b'>'));
    let value = &value[..length.unwrap_or(value.len()).min(CHARSET_BYTES_MAX)];
    Some(String::from_utf8_lossy(value).into_owned())
}

/// An encoded word.
struct Word<'a> {
    charset: &'a str,
    is_base64: bool,
    data: &'a [u8],
    length: usize,
}

impl<'a> Word<'a> {
    /// The encoded word at the start of `rest`, which begins with `=?`.
    fn at(rest: &'a [u8]) -> Option<Self> {
        let inner = rest.strip_prefix(b"=?")?;
        let named = inner.iter().take(CHARSET_BYTES_MAX).position(|byte| *byte == b'?')?;
        // A language may follow the name (RFC 2231, section 5).
        let charset = std::str::from_utf8(&inner[..named]).ok()?.split('*').next()?.trim();
        let [encoding, b'?', data @ ..] = &inner[named + 1..] else { return None };
        let is_base64 = match encoding.to_ascii_lowercase() {
            b'b' => true,
            b'q' => false,
            _ => return None,
        };
        let length = data.iter().position(|byte| matches!(byte, b'?' | b'\n' | b'\r'))?;
        data[length..].starts_with(b"?=").then_some(Self {
            charset,
            is_base64,
            data: &data[..length],
            length: named + length + "=????=".len() + 1,
        })
    }

    fn is_like(&self, other: &Self) -> bool {
        self.is_base64 == other.is_base64 && self.charset.eq_ignore_ascii_case(other.charset)
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        if self.is_base64 { base64_decode(self.data) } else { Some(quoted(self.data)) }
    }
}

/// Runs of encoded words of one kind as one word each, in UTF-8. Of words that are none, those that are too many for a field
/// are broken by a blank.
fn joined(block: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(block.len());
    let (mut at, mut odd) = (0, 0);
    while at < block.len() {
        let is_begun = block[at..].starts_with(b"=?");
        let Some(first) = is_begun.then(|| Word::at(&block[at..])).flatten() else {
            whole.push(block[at]);
            odd += usize::from(is_begun);
            if is_begun && odd > ODD_WORDS_MAX {
                whole.push(b' ');
            }
            at += 1;
            if block[at - 1] == b'\n' && !matches!(block.get(at), Some(b' ' | b'\t')) {
                odd = 0;
            }
            continue;
        };
        let mut end = at + first.length;
        let mut words = vec![first];
        while let Some((word, start)) = next(block, end).filter(|(word, _)| word.is_like(&words[0])) {
            end = start + word.length;
            words.push(word);
        }
        match text(&words) {
            Some(text) => {
                let encoded = BASE64.encode(text.as_bytes());
                whole.extend_from_slice(format!("=?utf-8?B?{encoded}?=").as_bytes());
            }
            None => whole.extend_from_slice(&block[at..end]),
        }
        at = end;
    }
    whole
}

/// The encoded word behind the white space at `end`, and where it starts.
fn next(block: &[u8], end: usize) -> Option<(Word<'_>, usize)> {
    let blanks = block[end..].iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
    let start = end + blanks;
    // A line end without a blank ends the field.
    if blanks > 0 && block[start - 1] == b'\n' {
        return None;
    }
    Some((Word::at(&block[start..])?, start))
}

fn text(words: &[Word<'_>]) -> Option<String> {
    // Base 64 that is cut without regard to its groups of four only decodes as a whole.
    let is_cut = words[0].is_base64 && words.iter().any(|word| !word.data.len().is_multiple_of(4));
    let bytes = if is_cut {
        base64_decode(&words.iter().map(|word| word.data).collect::<Vec<_>>().concat())?
    } else {
        words.iter().map(Word::bytes).collect::<Option<Vec<_>>>()?.concat()
    };
    let text = charset::decoded(&bytes, Some(words[0].charset));
    (!text.is_empty()).then(|| text.into_owned())
}

fn quoted(data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(data.len());
    let mut rest = data;
    while let Some((first, tail)) = rest.split_first() {
        let digit = |at: usize| tail.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'=', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &tail[2..];
                continue;
            }
            (b'_', ..) => bytes.push(b' '),
            _ => bytes.push(*first),
        }
        rest = tail;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::email::headers::Headers;

    fn subject(field: &[u8]) -> Option<String> {
        let mail = [b"Subject: ", field, b"\nTo: x@y.example\n\n"].concat();
        Headers::of(&readable(&mail).bytes).text("subject")
    }

    #[test]
    fn fields_are_read_as_they_were_meant() {
        let cases: [(&[u8], &str); 12] = [
            (b"plain", "plain"),
            ("grün".as_bytes(), "grün"),
            (b"gr\xfcn und sch\xf6n", "grün und schön"),
            (b"=?utf-8?Q?gr=C3=BCn?=", "grün"),
            (b"=?utf-8?Q?gr=C3?= =?utf-8?Q?=BCn?=", "grün"),
            (b"=?utf-8?B?Z3LD?=\r\n =?UTF-8?B?vG4=?=", "grün"),
            (b"=?utf-8?B?Z3LDv?=\n =?utf-8?B?G4=?=", "grün"),
            (b"=?utf-8?Q?gr=C3=BC n?= x", "grü n x"),
            (b"=?x-unknown?Q?gr=C3=BCn?=", "grün"),
            (b"=?iso-2022-jp?B?k/qWew==?=", "日本"),
            (b"=?utf-8?X?a?= =?utf-8?Q?", "=?utf-8?X?a?= =?utf-8?Q?"),
            (b"=?gb2312?B?xOO6ww==?= =?iso-8859-1*de?q?gr=FCn?=", "你好grün"),
        ];
        for (field, expected) in cases {
            assert_eq!(subject(field).as_deref(), Some(expected), "{}", String::from_utf8_lossy(field));
        }
    }

    #[test]
    fn words_without_an_end_stay_text() {
        let words = "=?aa?q?x ".repeat(2 * ODD_WORDS_MAX);
        let mail = format!("Subject: {words}\nX: {words}\n\n");
        let bytes = readable(mail.as_bytes()).bytes.into_owned();
        let expected = ["=?aa?q?x ".repeat(ODD_WORDS_MAX), "= ?aa?q?x ".repeat(ODD_WORDS_MAX)].concat();
        assert_eq!(String::from_utf8_lossy(&bytes), format!("Subject: {expected}\nX: {expected}\n\n"));
    }

    #[test]
    fn too_long_fields_are_read_in_part() {
        let ids = "<a@x.example>\r\n ".repeat(10_000);
        let mail = format!("References: {ids}\r\nSubject: x\r\n\r\ntext");
        let readable = readable(mail.as_bytes());
        let headers = Headers::of(&readable.bytes);
        assert!(readable.is_cut);
        assert_eq!(
            (headers.ids("references"), headers.text("subject")),
            (vec!["a@x.example".to_owned()], Some("x".into()))
        );
    }

    #[test]
    fn fields_are_in_the_texts_character_set() {
        let mail = b"Subject: \xcf\xf0\xe8\xe2\xe5\xf2\nContent-Type: text/plain; charset=\"windows-1251\"\n\n";
        assert_eq!(Headers::of(&readable(mail).bytes).text("subject").as_deref(), Some("Привет"));
    }
}
