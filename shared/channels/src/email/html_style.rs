//! Styles of strangers: what changes how text looks, and nothing that loads, moves, covers or runs.

/// Properties that are kept.
const PROPERTIES: &[&str] = &[
    "background",
    "background-color",
    "border",
    "border-bottom",
    "border-collapse",
    "border-color",
    "border-left",
    "border-radius",
    "border-right",
    "border-spacing",
    "border-style",
    "border-top",
    "border-width",
    "color",
    "direction",
    "display",
    "font",
    "font-family",
    "font-size",
    "font-style",
    "font-variant",
    "font-weight",
    "height",
    "letter-spacing",
    "line-height",
    "list-style-type",
    "margin",
    "margin-bottom",
    "margin-left",
    "margin-right",
    "margin-top",
    "max-width",
    "min-width",
    "padding",
    "padding-bottom",
    "padding-left",
    "padding-right",
    "padding-top",
    "text-align",
    "text-decoration",
    "text-indent",
    "text-transform",
    "vertical-align",
    "white-space",
    "width",
    "word-break",
    "word-wrap",
];
/// Functions that values may use: colours only.
const FUNCTIONS: &[&str] = &["rgb", "rgba", "hsl", "hsla"];
/// Longest style that is looked at, in bytes.
const STYLE_BYTES_MAX: usize = 8_192;

/// The declarations of a style that are kept.
pub(super) fn limited(style: &str) -> String {
    if style.len() > STYLE_BYTES_MAX {
        return String::new();
    }
    let mut kept = String::with_capacity(style.len());
    for declaration in style.split(';') {
        let Some((property, value)) = declaration.split_once(':') else { continue };
        let (property, value) = (property.trim(), value.trim());
        let known = PROPERTIES.iter().find(|known| known.eq_ignore_ascii_case(property));
        if let Some(property) = known.filter(|_| is_harmless(value)) {
            if !kept.is_empty() {
                kept.push(';');
            }
            kept.push_str(property);
            kept.push(':');
            kept.push_str(value);
        }
    }
    kept
}

/// Words, numbers, measures, colours and names of fonts. No escapes, which hide words; no negative measures, which move
/// things over others.
fn is_harmless(value: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'#' | b'%' | b'.' | b',');
    if !value.is_empty() && value.bytes().all(is_word) {
        return true;
    }
    let is_known =
        |c: char| c.is_alphanumeric() || matches!(c, ' ' | '#' | '%' | '.' | ',' | '(' | ')' | '-' | '\'' | '"' | '!');
    let is_negative = value.as_bytes().windows(2).enumerate().any(|(at, pair)| {
        pair[0] == b'-'
            && matches!(pair[1], b'0'..=b'9' | b'.')
            && (at == 0 || !value.as_bytes()[at - 1].is_ascii_alphanumeric())
    });
    let mut calls = value.split('(');
    let last = calls.next_back();
    let are_colours = calls.all(|before| {
        let word = before.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '-').next().unwrap_or_default();
        FUNCTIONS.iter().any(|function| function.eq_ignore_ascii_case(word))
    });
    last.is_some() && !value.is_empty() && value.chars().all(is_known) && !is_negative && are_colours
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_looks_are_kept() {
        let cases = [
            ("color: red; position: fixed", "color:red"),
            ("COLOR:#fff;font-family:'Segoe UI',\"Arial\"", "color:#fff;font-family:'Segoe UI',\"Arial\""),
            ("background:url(https://x.example/a.png)", ""),
            ("background: rgb(1, 2, 3)", "background:rgb(1, 2, 3)"),
            ("width: expression(alert(1))", ""),
            ("color: r\\65 d", ""),
            ("color: red/**/", ""),
            ("margin-top: -900px; margin: 0 auto", "margin:0 auto"),
            ("margin: calc(1px)", ""),
            ("display:none", "display:none"),
            ("behavior: url(x)", ""),
            ("", ""),
        ];
        for (style, expected) in cases {
            assert_eq!(limited(style), expected, "{style}");
        }
    }
}
