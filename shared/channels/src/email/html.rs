//! HTML of strangers, in a form that can be shown: it runs nothing, loads nothing and covers nothing.
//!
//! The result is not what came with parts cut out, but written anew from a short list of elements and attributes: every
//! element is balanced, every attribute is quoted, every `<` of the text is escaped. What browsers parse differently
//! from each other, comments, scripts, styles, foreign content (SVG, MathML) and forms, is never written, so there is
//! nothing in it that could turn into something else. Work and depth grow with the input and no faster, which tree
//! builders do not promise: `<font>` in `<p>`, repeated, costs them the square.
//!
//! How images are written is told at `Message::html`.

use std::borrow::Cow;

use memchr::memchr3;

use super::html_style;
use super::html_tokens::{Attributes, Element, Token, Tokens, decoded};

/// Longest HTML that is kept, in bytes as it came; of longer, the text says what it says.
pub(super) const HTML_BYTES_MAX: usize = 1_048_576;
/// Deepest nesting that is written; deeper elements are left out, their text stays. Browsers stop at 512.
const DEPTH_MAX: usize = 200;
/// Longest link or address of an image, in bytes.
const URL_BYTES_MAX: usize = 4_096;
/// Longest other attribute, in bytes.
const VALUE_BYTES_MAX: usize = 1_000;

/// Elements that are written, in their alphabet's order.
const ELEMENTS: &[&str] = &[
    "a",
    "abbr",
    "address",
    "article",
    "aside",
    "b",
    "bdi",
    "bdo",
    "big",
    "blockquote",
    "br",
    "caption",
    "center",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "del",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "figcaption",
    "figure",
    "font",
    "footer",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "i",
    "img",
    "ins",
    "kbd",
    "li",
    "main",
    "mark",
    "nav",
    "ol",
    "p",
    "pre",
    "q",
    "s",
    "samp",
    "section",
    "small",
    "span",
    "strike",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "tt",
    "u",
    "ul",
    "var",
    "wbr",
];
/// Where the elements of each letter start, and where those of the last end.
const LETTERS: [usize; 27] = {
    let mut starts = [ELEMENTS.len(); 27];
    let mut at = ELEMENTS.len();
    let mut letter = 26;
    while letter > 0 {
        letter -= 1;
        while at > 0 && ELEMENTS[at - 1].as_bytes()[0] >= b'a' + letter as u8 {
            at -= 1;
        }
        starts[letter] = at;
    }
    starts
};
/// Attributes that any element may have, if their values are words, numbers or measures.
const ATTRIBUTES: &[&str] = &[
    "align",
    "alt",
    "bgcolor",
    "border",
    "cellpadding",
    "cellspacing",
    "color",
    "colspan",
    "datetime",
    "dir",
    "face",
    "height",
    "lang",
    "rowspan",
    "size",
    "span",
    "start",
    "title",
    "type",
    "valign",
    "width",
];
/// What links may lead to.
const LINKS: &[&str] = &["http://", "https://", "mailto:", "tel:"];
/// Images that may stand in the HTML itself: none of these formats can hold a script.
const IMAGES: &[&str] = &["data:image/png;base64,", "data:image/jpeg;base64,", "data:image/gif;base64,"];

/// Writes the HTML in a form that can be shown. `attachment` tells the number of the file with a Content-ID.
pub(super) fn sanitize(html: &str, attachment: &dyn Fn(&str) -> Option<String>, out: &mut String) {
    let mut open: Vec<&'static str> = Vec::new();
    for token in Tokens::of(html) {
        match token {
            Token::Text(text) => escape_text(text, out),
            Token::Start(Element { name, attributes }) => {
                let Some(name) = written(name) else { continue };
                let is_empty = is_empty(name);
                while open.last().is_some_and(|last| ends(last, name)) {
                    close(open.pop(), out);
                }
                if !is_empty && open.len() >= DEPTH_MAX {
                    continue;
                }
                out.push('<');
                out.push_str(name);
                write_attributes(name, attributes, attachment, out);
                out.push('>');
                if !is_empty {
                    open.push(name);
                }
            }
            Token::End(name) => {
                if name.eq_ignore_ascii_case("br") {
                    out.push_str("<br>");
                }
                let Some(at) = open.iter().rposition(|open| open.eq_ignore_ascii_case(name)) else { continue };
                // An end that crosses a table's cell is a mistake that would throw the rest out of the table.
                let crosses = open[at + 1..].iter().any(|between| matches!(*between, "td" | "th" | "table"));
                if crosses && !matches!(open[at], "td" | "th" | "tr" | "table" | "tbody" | "thead" | "tfoot") {
                    continue;
                }
                while open.len() > at {
                    close(open.pop(), out);
                }
            }
        }
    }
    while !open.is_empty() {
        close(open.pop(), out);
    }
}

fn written(name: &str) -> Option<&'static str> {
    let letter = name.bytes().next()?.to_ascii_lowercase().checked_sub(b'a')?;
    let of_letter = LETTERS.get(usize::from(letter)..)?;
    let (start, end) = (*of_letter.first()?, *of_letter.get(1)?);
    ELEMENTS[start..end].iter().find(|element| element.eq_ignore_ascii_case(name)).copied()
}

/// Whether it is an element without content.
fn is_empty(name: &str) -> bool {
    matches!(name.as_bytes(), b"br" | b"col" | b"hr" | b"img" | b"wbr")
}

/// Whether the start of an element ends the one that is open: authors leave these ends out.
fn ends(open: &str, next: &str) -> bool {
    // Bytes are compared in one look, texts one after the other.
    matches!(
        (open.as_bytes(), next.as_bytes()),
        (b"p", b"p" | b"div" | b"ul" | b"ol" | b"dl" | b"table" | b"blockquote" | b"pre" | b"hr")
            | (b"p", b"h1" | b"h2" | b"h3" | b"h4" | b"h5")
            | (b"li", b"li")
            | (b"dt" | b"dd", b"dt" | b"dd")
            | (b"td" | b"th", b"td" | b"th" | b"tr")
            | (b"tr", b"tr")
    )
}

fn close(name: Option<&'static str>, out: &mut String) {
    if let Some(name) = name {
        out.push_str("</");
        out.push_str(name);
        out.push('>');
    }
}

fn write_attributes(name: &str, given: Attributes<'_>, attachment: &dyn Fn(&str) -> Option<String>, out: &mut String) {
    // A bit for each of ATTRIBUTES and, behind them, for those that are written in a way of their own.
    const STYLE: usize = ATTRIBUTES.len();
    const ADDRESS: usize = STYLE + 1;
    const { assert!(ADDRESS < 32, "there is a bit for each") };
    let mut seen = 0_u32;
    let mut once = |which: usize| {
        let before = seen;
        seen |= 1 << which;
        seen != before
    };
    for (key, value) in given {
        if key.eq_ignore_ascii_case("style") {
            let style = once(STYLE).then(|| html_style::limited(&decoded(value)));
            if let Some(style) = style.filter(|style| !style.is_empty()) {
                write_attribute("style", &style, out);
            }
        } else if let Some(which) = ATTRIBUTES.iter().position(|known| known.eq_ignore_ascii_case(key)) {
            let value = decoded(value);
            if value.len() <= VALUE_BYTES_MAX && once(which) {
                write_attribute(ATTRIBUTES[which], &value, out);
            }
        } else if name == "a" && key.eq_ignore_ascii_case("href") && once(ADDRESS) {
            if let Some(link) = link(value) {
                write_attribute("href", &link, out);
                out.push_str(" rel=\"noopener noreferrer nofollow\" target=\"_blank\"");
            }
        } else if name == "img" && key.eq_ignore_ascii_case("src") && once(ADDRESS) {
            write_image(value, attachment, out);
        }
    }
}

/// The address in a link, if it leads where links may lead.
pub(super) fn link(value: &str) -> Option<String> {
    let url = address(value)?;
    let is_allowed = url.len() <= URL_BYTES_MAX && LINKS.iter().any(|start| starts_with(&url, start));
    is_allowed.then_some(url)
}

fn write_image(value: &str, attachment: &dyn Fn(&str) -> Option<String>, out: &mut String) {
    let Some(url) = address(value) else { return };
    if starts_with(&url, "cid:") {
        if let Some(number) = attachment(&unescaped(&url["cid:".len()..])) {
            write_attribute("data-attachment", &number, out);
        }
    } else if IMAGES.iter().any(|start| starts_with(&url, start)) {
        write_attribute("src", &url, out);
    } else if url.len() <= URL_BYTES_MAX {
        let is_remote = ["https://", "http://"].iter().any(|start| starts_with(&url, start));
        if is_remote {
            write_attribute("data-blocked-src", &url, out);
        } else if url.starts_with("//") {
            write_attribute("data-blocked-src", &format!("https:{url}"), out);
        }
    }
}

/// An address as browsers read it: without control characters and white space, which they leave out or take for its end.
fn address(value: &str) -> Option<String> {
    let url: String = decoded(value).chars().filter(|c| !c.is_control() && !c.is_whitespace()).collect();
    (!url.is_empty()).then_some(url)
}

fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|given| given.eq_ignore_ascii_case(start))
}

/// A Content-ID in an address, which is percent-encoded there (RFC 2392, section 2).
fn unescaped(id: &str) -> Cow<'_, str> {
    if !id.contains('%') {
        return id.into();
    }
    let (mut bytes, mut rest) = (Vec::with_capacity(id.len()), id.as_bytes());
    while let Some((first, tail)) = rest.split_first() {
        let digit = |at: usize| tail.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        if let (b'%', Some(high), Some(low)) = (first, digit(0), digit(1)) {
            bytes.push((high * 16 + low) as u8);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned().into()
}

fn write_attribute(name: &str, value: &str, out: &mut String) {
    out.push(' ');
    out.push_str(name);
    out.push_str("=\"");
    let mut rest = value;
    while let Some(at) = rest.find(|c: char| matches!(c, '&' | '"' | '<' | '>' | '`') || c.is_control()) {
        out.push_str(&rest[..at]);
        let found = rest[at..].chars().next().unwrap_or(' ');
        out.push_str(match found {
            '&' => "&amp;",
            '"' => "&quot;",
            '<' => "&lt;",
            '>' => "&gt;",
            '`' => "&#96;",
            _ => " ",
        });
        rest = &rest[at + found.len_utf8()..];
    }
    out.push_str(rest);
    out.push('"');
}

/// Text as text: references such as `&amp;` stay, they are no markup wherever they stand.
fn escape_text(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = memchr3(b'<', b'>', b'\0', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'<' => out.push_str("&lt;"),
            b'>' => out.push_str("&gt;"),
            _ => {}
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}

/// Plain text as HTML.
pub(super) fn escape_plain(text: &str, out: &mut String) {
    for (at, piece) in text.split('&').enumerate() {
        out.push_str(if at > 0 { "&amp;" } else { "" });
        escape_text(piece, out);
    }
}

#[cfg(test)]
#[path = "html_tests.rs"]
mod tests;
