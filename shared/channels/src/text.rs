//! Texts as clients send them, made fit to be kept.

use throughline_domain::message::{TEXT_BYTES_MAX, truncated};

/// Longest name of a person, in bytes.
pub const NAME_BYTES_MAX: usize = 256;
/// Longest subject, in bytes: that of a mail header line (RFC 5322, section 2.1.1).
pub const SUBJECT_BYTES_MAX: usize = 998;

/// The text without NUL, which JSON may carry and few readers expect, and at most [`TEXT_BYTES_MAX`] of it.
/// Says in the warnings what it changed.
pub fn clean(text: &str, warnings: &mut Vec<String>) -> String {
    let mut kept = if text.contains('\0') {
        warnings.push("NUL characters are left out".to_owned());
        text.replace('\0', "")
    } else {
        text.to_owned()
    };
    let end = truncated(&kept, TEXT_BYTES_MAX).len();
    if end < kept.len() {
        warnings.push(format!("the text is cut at {TEXT_BYTES_MAX} bytes"));
        kept.truncate(end);
    }
    kept
}

/// The text as one line of at most `bytes_max` bytes: runs of blanks and control characters become one blank, because
/// such a text may end up in a mail header. Nothing when nothing is left.
pub fn clean_line(text: &str, bytes_max: usize) -> Option<String> {
    let words = text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty());
    let mut line = words.collect::<Vec<_>>().join(" ");
    line.truncate(truncated(&line, bytes_max).trim_end().len());
    (!line.is_empty()).then_some(line)
}

/// A place that somebody shares, as a line of text: what it is called, and where it is.
pub fn place(latitude: Option<f64>, longitude: Option<f64>, named: &[Option<&str>]) -> String {
    let named: Vec<&str> = named.iter().flatten().map(|name| name.trim()).filter(|name| !name.is_empty()).collect();
    let position = latitude.zip(longitude).map(|(latitude, longitude)| format!("{latitude:.6}, {longitude:.6}"));
    let parts: Vec<&str> = named.into_iter().chain(position.as_deref()).collect();
    format!("(place: {})", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_lose_nul_and_what_is_too_long() {
        let mut warnings = Vec::new();
        assert_eq!(clean("größer\n\tso", &mut warnings), "größer\n\tso");
        assert!(warnings.is_empty());
        assert_eq!(clean("a\0b", &mut warnings), "ab");
        let long = "ö".repeat(TEXT_BYTES_MAX / 2 + 1);
        assert_eq!(clean(&long, &mut warnings).len(), TEXT_BYTES_MAX);
        assert_eq!(warnings.len(), 2);
    }

    #[test]
    fn lines_stay_lines() {
        assert_eq!(clean_line(" Hi\r\nBcc: a@b.example\0 ", 998), Some("Hi Bcc: a@b.example".into()));
        assert_eq!(clean_line("größer", 3), Some("gr".into()));
        assert_eq!(clean_line(" \n\0", 9), None);
    }
}
