//! Making what strangers wrote safe to store and show: no control characters, bounded lengths.

use memchr::memchr2_iter;
use throughline_domain::message::truncated;

/// Characters that are not seen but change what is: they turn `exe.gpj` into `jpg.exe` (Unicode TR 36, section 3.5).
fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// One line of at most `bytes_max` bytes: control characters and runs of white space become one space. None if nothing
/// is left.
pub(super) fn line(text: &str, bytes_max: usize) -> Option<String> {
    let mut line = String::with_capacity(text.len().min(bytes_max));
    for word in text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty()) {
        if line.len() >= bytes_max {
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line.truncate(truncated(&line, bytes_max).trim_end().len());
    (!line.is_empty()).then_some(line)
}

/// A name that people are shown, without characters that reorder it.
pub(super) fn name(text: &str, bytes_max: usize) -> Option<String> {
    if text.is_ascii() {
        return line(text, bytes_max);
    }
    let visible: String = text.chars().filter(|c| !is_bidi_control(*c)).collect();
    line(&visible, bytes_max)
}

/// Text of several lines: line ends are `\n`, NUL bytes are gone (no store takes them), so is a byte order mark, and the
/// end is trimmed.
pub(super) fn text(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut clean = String::with_capacity(text.len());
    let mut start = 0;
    for at in memchr2_iter(b'\r', b'\0', text.as_bytes()) {
        clean.push_str(&text[start..at]);
        start = at + 1;
        if text.as_bytes()[at] == b'\r' && text.as_bytes().get(start) != Some(&b'\n') {
            clean.push('\n');
        }
    }
    clean.push_str(&text[start..]);
    clean.truncate(clean.trim_end().len());
    clean
}

/// A file name without folders and without characters that reorder it, at most `bytes_max` bytes with its extension
/// kept. None if nothing is left.
pub(crate) fn file_name(text: &str, bytes_max: usize) -> Option<String> {
    // Longer endings are no extensions but names with a point in them.
    const EXTENSION_BYTES_MAX: usize = 16;
    let last = text.rsplit(['/', '\\']).next()?;
    let whole = name(last, usize::MAX).filter(|name| !name.chars().all(|c| c == '.'))?;
    if whole.len() <= bytes_max {
        return Some(whole);
    }
    let extension = whole.rfind('.').map(|at| &whole[at..]).filter(|end| end.len() <= EXTENSION_BYTES_MAX);
    let extension = extension.unwrap_or_default();
    Some(format!("{}{extension}", truncated(&whole, bytes_max - extension.len())))
}

/// What was noticed while reading, each at most once and not without end.
#[derive(Default)]
pub(super) struct Warnings {
    list: Vec<String>,
    limits: usize,
}

/// Most warnings kept of one mail, besides those of limits.
const WARNINGS_MAX: usize = 20;

impl Warnings {
    pub(super) fn add(&mut self, warning: impl Into<String>) {
        let warning = warning.into();
        if self.list.len() - self.limits < WARNINGS_MAX && !self.list.contains(&warning) {
            self.list.push(warning);
        }
    }

    /// Adds that a limit was hit, however much else was noticed: of limits there are few.
    pub(super) fn add_limit(&mut self, warning: impl Into<String>) {
        let warning = warning.into();
        if !self.list.contains(&warning) {
            self.list.push(warning);
            self.limits += 1;
        }
    }

    pub(super) fn into_list(self) -> Vec<String> {
        self.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_lose_folders_and_tricks() {
        let cases = [
            ("report.pdf", Some("report.pdf")),
            ("../../etc/passwd", Some("passwd")),
            ("C:\\Users\\anna\\invoice.docx", Some("invoice.docx")),
            ("photo\u{202e}gpj.exe", Some("photogpj.exe")),
            ("a\r\n\tb\0.txt", Some("a b .txt")),
            ("..", None),
            ("folder/", None),
            ("  ", None),
        ];
        for (given, expected) in cases {
            assert_eq!(file_name(given, 200).as_deref(), expected, "{given:?}");
        }
        assert_eq!(file_name("ääääääää.pdf", 12).as_deref(), Some("ääää.pdf"));
    }

    #[test]
    fn limits_are_told_beside_all_else() {
        let mut warnings = Warnings::default();
        for n in 0..2 * WARNINGS_MAX {
            warnings.add(format!("{n}"));
            warnings.add_limit("limit");
        }
        let list = warnings.into_list();
        assert_eq!((list.len(), list[1].as_str()), (WARNINGS_MAX + 1, "limit"));
    }

    #[test]
    fn lines_are_one_line() {
        assert_eq!(line(" a\r\n b\u{0}c ", 80).as_deref(), Some("a b c"));
        assert_eq!(line("grün und gelb", 9).as_deref(), Some("grün und"));
        assert_eq!(line("\r\n", 80), None);
        assert_eq!(text("a\r\nb\rc\0\n\n"), "a\nb\nc");
        assert_eq!(text("\u{feff}\r\r\0\n\0x\r"), "\n\n\nx");
    }
}
