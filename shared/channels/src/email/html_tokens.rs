//! HTML cut into tags and text, as browsers cut it where that matters, in one pass whatever it contains.

use std::borrow::Cow;

use mail_parser::decoders::html::add_html_token;
use memchr::{memchr, memchr_iter};

/// Elements whose content is no text to show.
const HIDDEN: [&str; 12] =
    ["script", "style", "title", "svg", "math", "template", "object", "iframe", "noembed", "noframes", "applet", "xml"];
/// Shortest name of these, in bytes: most elements have shorter ones.
const HIDDEN_BYTES_MIN: usize = 3;
/// Longest character reference, in bytes.
const REFERENCE_BYTES_MAX: usize = 34;

/// A start tag.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    pub(super) name: &'a str,
    pub(super) attributes: Attributes<'a>,
}

/// What HTML is made of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Token<'a> {
    /// Text, with character references as they stand.
    Text(&'a str),
    Start(Element<'a>),
    End(&'a str),
}

/// The tokens of an HTML text, without comments and hidden elements.
pub(super) struct Tokens<'a> {
    html: &'a str,
    at: usize,
    /// Where the last end of each hidden element starts, once looked for: an element without an end hides nothing.
    ends: [Option<Option<usize>>; HIDDEN.len()],
    /// Where the last comment ends, once looked for.
    comments_end: Option<Option<usize>>,
}

impl<'a> Tokens<'a> {
    pub(super) fn of(html: &'a str) -> Self {
        Self { html, at: 0, ends: [None; HIDDEN.len()], comments_end: None }
    }

    fn text(&mut self, end: usize) -> Option<Token<'a>> {
        let text = &self.html[self.at..end];
        self.at = end;
        Some(Token::Text(text))
    }

    /// Skips a comment or declaration that starts at `at`.
    fn skip_declaration(&mut self) {
        let rest = &self.html[self.at..];
        if rest.starts_with("<!--") {
            let last = *self.comments_end.get_or_insert_with(|| self.html.rfind("-->"));
            if last.is_some_and(|last| last >= self.at + 2)
                && let Some(length) = rest[2..].find("-->")
            {
                self.at += 2 + length + "-->".len();
                return;
            }
        }
        self.at = rest.find('>').map_or(self.html.len(), |length| self.at + length + 1);
    }

    /// Skips the content of a hidden element whose start tag was read, with its end tag.
    fn skip_hidden(&mut self, which: usize) {
        let name = HIDDEN[which];
        let html = self.html;
        let last = *self.ends[which].get_or_insert_with(|| end_tags(html, 0, name).last());
        if last.is_some_and(|last| last >= self.at)
            && let Some(start) = end_tags(html, self.at, name).next()
        {
            self.at = html[start..].find('>').map_or(html.len(), |length| start + length + 1);
        } else if matches!(name, "script" | "style") {
            self.at = html.len();
        }
    }
}

/// Where end tags of an element start, from `from` on.
fn end_tags<'a>(html: &'a str, from: usize, name: &'a str) -> impl Iterator<Item = usize> + 'a {
    let starts = html[from..].match_indices("</").map(move |(at, _)| from + at);
    starts.filter(move |at| {
        let rest = &html.as_bytes()[at + 2..];
        let is_name = rest.get(..name.len()).is_some_and(|given| given.eq_ignore_ascii_case(name.as_bytes()));
        is_name && rest.get(name.len()).is_none_or(|next| !next.is_ascii_alphanumeric())
    })
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let rest = &self.html[self.at..];
            if rest.is_empty() {
                return None;
            }
            if !begins_markup(rest.as_bytes()) {
                return self.text(self.at + text_length(rest.as_bytes()));
            }
            if matches!(rest.as_bytes()[1], b'!' | b'?') && rest.contains('>') {
                self.skip_declaration();
                continue;
            }
            // A tag without an end is text, and so is everything in it: nothing is lost of what was cut off.
            let Some(length) = tag_length(rest) else { return self.text(self.html.len()) };
            let tag = &rest[1..length - 1];
            self.at += length;
            if let Some(end) = tag.strip_prefix('/') {
                return Some(Token::End(name(end)));
            }
            let name = name(tag);
            let is_long = name.len() >= HIDDEN_BYTES_MIN;
            let hidden = || HIDDEN.iter().position(|hidden| hidden.eq_ignore_ascii_case(name));
            if let Some(which) = is_long.then(hidden).flatten() {
                if !tag.ends_with('/') || matches!(HIDDEN[which], "script" | "style") {
                    self.skip_hidden(which);
                }
                continue;
            }
            return Some(Token::Start(Element { name, attributes: Attributes(&tag[name.len()..]) }));
        }
    }
}

/// Whether a tag, a comment or a declaration begins with the bytes.
fn begins_markup(bytes: &[u8]) -> bool {
    match bytes {
        [b'<', b'/', third, ..] => third.is_ascii_alphabetic(),
        [b'<', second, ..] => second.is_ascii_alphabetic() || matches!(second, b'!' | b'?'),
        _ => false,
    }
}

/// The length of the text that the bytes begin with, which begin no markup.
fn text_length(bytes: &[u8]) -> usize {
    memchr_iter(b'<', bytes).find(|at| begins_markup(&bytes[*at..])).unwrap_or(bytes.len())
}

fn name(tag: &str) -> &str {
    &tag[..tag.bytes().position(|byte| byte.is_ascii_whitespace() || byte == b'/').unwrap_or(tag.len())]
}

/// The length of the tag at the start of `rest`. Quotes hide a `>` only as values of attributes, behind `=`.
fn tag_length(rest: &str) -> Option<usize> {
    let bytes = rest.as_bytes();
    let (mut at, mut is_value) = (1, false);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'>' => return Some(at + 1),
            b'=' => is_value = true,
            b'"' | b'\'' if is_value => {
                at += 1 + memchr(*byte, &bytes[at + 1..])?;
                is_value = false;
            }
            byte if byte.is_ascii_whitespace() => {}
            _ => is_value = false,
        }
        at += 1;
    }
    None
}

/// The attributes of a tag: names and values as they stand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attributes<'a>(&'a str);

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let is_blank = |byte: u8| byte.is_ascii_whitespace() || byte == b'/';
        let start = self.0.bytes().position(|byte| !is_blank(byte))?;
        let rest = &self.0[start..];
        // A `=` without a name before it is part of the name.
        let end = rest.bytes().skip(1).position(|byte| is_blank(byte) || byte == b'=');
        let (key, after) = rest.split_at(end.map_or(rest.len(), |end| 1 + end));
        let Some(value) = after.trim_start().strip_prefix('=') else {
            self.0 = after;
            return Some((key, ""));
        };
        let value = value.trim_start();
        let (value, rest) = match value.as_bytes() {
            [quote @ (b'"' | b'\''), inner @ ..] => match memchr(*quote, inner) {
                Some(length) => (&value[1..1 + length], &value[2 + length..]),
                None => (&value[1..], ""),
            },
            bytes => value.split_at(bytes.iter().position(u8::is_ascii_whitespace).unwrap_or(value.len())),
        };
        self.0 = rest;
        Some((key, value))
    }
}

/// A value or text with its character references as characters.
pub(super) fn decoded(text: &str) -> Cow<'_, str> {
    if memchr(b'&', text.as_bytes()).is_none() {
        return text.into();
    }
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        whole.push_str(&rest[..at]);
        let reference = &rest[at..];
        let inner = reference[1..].bytes().take(REFERENCE_BYTES_MAX);
        let length = 1 + inner.take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'#').count();
        let is_numeric = reference.as_bytes().get(1) == Some(&b'#');
        if reference.as_bytes().get(length) == Some(&b';') && length > 1 {
            add_html_token(&mut whole, &reference.as_bytes()[..=length], false);
            rest = &reference[length + 1..];
        } else if is_numeric && length > 2 {
            // Browsers also take numbers without the semicolon.
            add_html_token(&mut whole, format!("{};", &reference[..length]).as_bytes(), false);
            rest = &reference[length..];
        } else {
            whole.push('&');
            rest = &reference[1..];
        }
    }
    whole.push_str(rest);
    whole.into()
}
