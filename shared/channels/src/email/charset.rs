//! Which characters a text's bytes mean, when its label is wrong, unknown or missing.
//!
//! Labels lie in a few well-known ways: GBK is called GB2312, Shift_JIS is called ISO-2022-JP, and every encoding is
//! called us-ascii or nothing. What is decoded without an error as its label says is believed, with one exception:
//! single-byte sets decode anything, so bytes that are UTF-8 are UTF-8 whatever such a label says.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{BIG5, EUC_JP, EUC_KR, Encoding, GB18030, GBK, ISO_2022_JP, REPLACEMENT, SHIFT_JIS, UTF_8};
use mail_parser::decoders::charsets::map::charset_decoder;
use memchr::{memchr, memchr_iter, memchr2_iter};

/// How many bytes are looked at to guess an encoding: enough for a language's habits to show.
const GUESSED_BYTES_MAX: usize = 65_536;

/// What stands for bytes that could not be decoded.
const DAMAGE: &str = "\u{fffd}";

/// What seven-bit encodings change their meaning with (ISO/IEC 2022).
const ESCAPE: u8 = 0x1b;

/// Whether texts in this character set are read as what they say. What is Unicode already needs no decoder.
pub(super) fn is_known(label: &str) -> bool {
    is_unicode(label) || known(label).is_some() || charset_decoder(label.trim().as_bytes()).is_some()
}

/// Whether the label says UTF-8 or its subset.
pub(super) fn is_unicode(label: &str) -> bool {
    let unicode = ["utf-8", "utf8", "us-ascii", "ascii"];
    unicode.iter().any(|name| label.trim().eq_ignore_ascii_case(name))
}

fn known(label: &str) -> Option<&'static Encoding> {
    // Labels that encodings' registry (WHATWG) does not have and mail does.
    let label = label.trim().trim_matches(['"', '\'']);
    let others = [("cp932", SHIFT_JIS), ("cp936", GBK), ("cp949", EUC_KR), ("cp950", BIG5), ("utf8mb4", UTF_8)];
    let other = others.iter().find(|(name, _)| label.eq_ignore_ascii_case(name)).map(|(_, encoding)| *encoding);
    other.or_else(|| Encoding::for_label(label.as_bytes())).filter(|encoding| *encoding != REPLACEMENT)
}

/// Whether the text is surely what its bytes mean: all of it could be decoded, and nothing of it looks like a seven-bit
/// encoding.
pub(super) fn is_sure(text: &str) -> bool {
    let mut suspects = memchr2_iter(ESCAPE, DAMAGE.as_bytes()[0], text.as_bytes());
    !suspects.any(|at| text.as_bytes()[at] == ESCAPE || text[at..].starts_with(DAMAGE))
}

/// Whether some of the text could not be decoded.
pub(super) fn is_damaged(text: &str) -> bool {
    memchr_iter(DAMAGE.as_bytes()[0], text.as_bytes()).any(|at| text[at..].starts_with(DAMAGE))
}

/// The text of bytes with this label.
pub(super) fn decoded<'a>(bytes: &'a [u8], label: Option<&str>) -> Cow<'a, str> {
    let encoding = label.and_then(known);
    // Seven-bit encodings look like ASCII.
    let is_shifted = memchr(ESCAPE, bytes).is_some();
    let shifted = is_shifted || label.is_some_and(|label| !is_unicode(label) && encoding.is_none());
    if bytes.is_ascii() && !shifted && encoding.is_none_or(Encoding::is_ascii_compatible) {
        return String::from_utf8_lossy(bytes);
    }
    // UTF-7 and a few code pages are known to the mail parser only.
    let parsers = label.filter(|_| encoding.is_none()).and_then(|label| charset_decoder(label.trim().as_bytes()));
    if let Some(decoder) = parsers {
        return decoder(bytes).into();
    }
    let is_loose = encoding.is_none_or(|encoding| encoding.is_single_byte() || encoding == UTF_8);
    if is_loose
        && let Ok(text) = std::str::from_utf8(bytes)
        && !is_shifted
    {
        return text.into();
    }
    let labelled = encoding.filter(|encoding| *encoding != UTF_8);
    let claimed = labelled.and_then(|encoding| strictly(encoding, bytes));
    claimed.or_else(|| repaired(labelled, bytes)).unwrap_or_else(|| guessed(bytes))
}

/// The text if every byte is right in this encoding.
fn strictly<'a>(encoding: &'static Encoding, bytes: &'a [u8]) -> Option<Cow<'a, str>> {
    encoding.decode_without_bom_handling_and_without_replacement(bytes)
}

/// What usually hides behind a label that is wrong.
fn repaired<'a>(labelled: Option<&'static Encoding>, bytes: &'a [u8]) -> Option<Cow<'a, str>> {
    let labelled = labelled?;
    let siblings: &[&'static Encoding] = match labelled {
        set if set == ISO_2022_JP || set == SHIFT_JIS || set == EUC_JP => &[UTF_8, ISO_2022_JP, SHIFT_JIS, EUC_JP],
        set if set == GBK || set == GB18030 || set == BIG5 => &[UTF_8, GB18030, BIG5],
        set if set == EUC_KR => &[UTF_8, EUC_KR],
        _ => return None,
    };
    let clean = siblings.iter().find_map(|sibling| strictly(sibling, bytes));
    // A few damaged bytes, such as a character that was cut, leave the label the best guess; for seven-bit labels they
    // show that it is wrong.
    clean.or_else(|| (labelled != ISO_2022_JP).then(|| labelled.decode_without_bom_handling(bytes).0))
}

/// What the bytes look like. A text that is UTF-8 but for a damaged place is UTF-8.
fn guessed(bytes: &[u8]) -> Cow<'_, str> {
    let start = &bytes[..bytes.len().min(GUESSED_BYTES_MAX)];
    let lossy = String::from_utf8_lossy(start);
    let damaged = lossy.matches(char::REPLACEMENT_CHARACTER).count();
    let whole = lossy.chars().filter(|c| !c.is_ascii() && *c != char::REPLACEMENT_CHARACTER).count();
    if whole > damaged.saturating_mul(2) {
        return String::from_utf8_lossy(bytes);
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(start, true);
    detector.guess(None, Utf8Detection::Deny).decode_without_bom_handling(bytes).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_character_sets_are_known() {
        for name in ["utf-8", "UTF-8", " us-ascii ", "iso-8859-1", "windows-1252", "gb2312", "shift_jis", "koi8-r"] {
            assert!(is_known(name), "{name}");
        }
        for name in ["cp932", "utf-7", "\"utf-8\"", "cp850"] {
            assert!(is_known(name), "{name}");
        }
        assert!(!is_known("x-unknown"));
    }

    #[test]
    fn labels_are_believed_when_they_can_be_true() {
        let cases: [(&[u8], Option<&str>, &str); 13] = [
            (b"plain", None, "plain"),
            (b"plain", Some("x-unknown"), "plain"),
            ("grün".as_bytes(), Some("x-unknown"), "grün"),
            ("grün".as_bytes(), Some("iso-8859-1"), "grün"),
            (b"gr\xfcn", Some("iso-8859-1"), "grün"),
            (b"gr\xfcn ist die Farbe", Some("us-ascii"), "grün ist die Farbe"),
            (b"gr\xfcn ist die Farbe", None, "grün ist die Farbe"),
            (b"\xf0\xd2\xc9\xd7\xc5\xd4", Some("koi8-r"), "Привет"),
            (b"\xc4\xe3\xba\xc3", Some("gb2312"), "你好"),
            (b"\x93\xfa\x96\x7b", Some("iso-2022-jp"), "日本"),
            (b"\x1b$BF|K\\\x1b(B", Some("iso-2022-jp"), "日本"),
            (b"gr+APw-n", Some("utf-7"), "grün"),
            ("日本語のメール".as_bytes(), Some("shift_jis"), "日本語のメール"),
        ];
        for (bytes, label, expected) in cases {
            assert_eq!(decoded(bytes, label), expected, "{label:?}");
        }
    }

    #[test]
    fn one_damaged_place_does_not_change_the_rest() {
        let mut bytes = "größer als gedacht, für alle schön".as_bytes().to_vec();
        bytes.push(0xc3);
        assert!(decoded(&bytes, None).starts_with("größer als gedacht, für alle schön"));
    }
}
