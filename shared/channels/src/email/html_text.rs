//! What HTML says, as text: lines where blocks are, dashes where lists are, quoted lines where quotes are, and where
//! links lead.

use super::html;
use super::html_tokens::{Element, Token, Tokens, decoded};

/// Deepest quote that is marked: deeper ones are marked as this deep, so that the text grows no faster than the HTML.
const QUOTE_DEPTH_MAX: usize = 5;
/// Longest address of a link that is shown beside its text, in bytes.
const LINK_BYTES_MAX: usize = 500;

/// What the HTML says.
pub(super) fn text(html: &str) -> String {
    let mut writer = Writer::default();
    let mut is_head = false;
    for token in Tokens::of(html) {
        match token {
            Token::Text(_) if is_head => {}
            Token::Text(text) => writer.text(&decoded(text)),
            Token::Start(element) => {
                is_head = is_head && !matches(element.name, &["body", "div", "p", "table"]);
                is_head = is_head || matches(element.name, &["head"]);
                writer.start(element);
            }
            Token::End(name) => {
                is_head = is_head && !matches(name, &["head"]);
                writer.end(name);
            }
        }
    }
    writer.out
}

#[derive(Default)]
struct Writer {
    out: String,
    /// Line ends that stand between what was written and what comes.
    lines: usize,
    /// White space does.
    is_space: bool,
    quotes: usize,
    /// How deep the last word was quoted.
    quotes_before: usize,
    preformatted: usize,
    /// Where the open link leads, and where its text starts.
    link: Option<(String, usize)>,
}

impl Writer {
    fn start(&mut self, element: Element<'_>) {
        let name = element.name;
        if matches(name, &["br"]) {
            self.lines += 1;
        } else if matches(name, &["p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "table", "pre", "hr"]) {
            self.at_least(2);
        } else if matches(name, &["blockquote"]) {
            self.at_least(2);
            self.quotes += 1;
        } else if is_block(name) {
            self.at_least(1);
        } else if matches(name, &["td", "th"]) {
            self.is_space = true;
        }
        if matches(name, &["li"]) {
            self.word("- ");
        } else if matches(name, &["pre"]) {
            self.preformatted += 1;
        } else if matches(name, &["a"]) {
            let mut attributes = element.attributes;
            let target = attributes.find(|(key, _)| key.eq_ignore_ascii_case("href"));
            self.link = target.and_then(|(_, value)| html::link(value)).map(|target| (target, self.out.len()));
        } else if matches(name, &["img"]) {
            let mut attributes = element.attributes;
            let alt = attributes.find(|(key, _)| key.eq_ignore_ascii_case("alt"));
            if let Some(alt) = alt.map(|(_, alt)| decoded(alt)).filter(|alt| !alt.trim().is_empty()) {
                self.word(&format!("[{}]", alt.trim()));
            }
        }
    }

    fn end(&mut self, name: &str) {
        if matches(name, &["p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "table", "pre"]) {
            self.at_least(if matches(name, &["p"]) { 1 } else { 2 });
            if matches(name, &["pre"]) {
                self.preformatted = self.preformatted.saturating_sub(1);
            }
        } else if matches(name, &["blockquote"]) {
            self.at_least(2);
            self.quotes = self.quotes.saturating_sub(1);
        } else if matches(name, &["a"]) {
            self.end_link();
        } else if is_block(name) {
            self.at_least(1);
        }
    }

    /// The address stands behind the text where the text does not name it.
    fn end_link(&mut self) {
        let Some((target, start)) = self.link.take() else { return };
        let shown = self.out.get(start..).unwrap_or_default().trim();
        let bare = target.split_once(':').map_or(target.as_str(), |(_, bare)| bare).trim_matches('/');
        if !shown.is_empty() && !shown.contains(bare) && target.len() <= LINK_BYTES_MAX {
            let address = format!(" <{target}>");
            self.is_space = false;
            self.word(&address);
        }
    }

    fn at_least(&mut self, lines: usize) {
        self.lines = self.lines.max(lines);
    }

    fn text(&mut self, text: &str) {
        if self.preformatted > 0 {
            for (at, line) in text.split('\n').enumerate() {
                self.lines += usize::from(at > 0);
                if !line.is_empty() {
                    self.word(line.trim_end_matches('\r'));
                }
            }
            return;
        }
        let is_blank = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n' | '\u{c}');
        for piece in text.split_inclusive(is_blank) {
            let word = piece.trim_end_matches(is_blank);
            if !word.is_empty() {
                self.word(word);
            }
            self.is_space = self.is_space || word.len() < piece.len();
        }
    }

    fn mark(&mut self, quotes: usize) {
        self.out.extend(std::iter::repeat_n('>', quotes.min(QUOTE_DEPTH_MAX)));
    }

    /// Writes a word behind the line ends or the space that are due.
    fn word(&mut self, word: &str) {
        let is_start = self.out.is_empty();
        if self.lines > 0 && !is_start {
            for left in (0..self.lines.min(3)).rev() {
                self.out.push('\n');
                // Empty lines between a quote and what is around it belong to neither.
                let quotes = if left > 0 { self.quotes.min(self.quotes_before) } else { self.quotes };
                self.mark(quotes);
            }
        } else if is_start {
            self.mark(self.quotes);
        }
        let is_quoted = (self.lines > 0 || is_start) && self.quotes > 0;
        if is_quoted || self.lines == 0 && !is_start && self.is_space {
            self.out.push(' ');
        }
        self.out.push_str(word);
        (self.lines, self.is_space, self.quotes_before) = (0, false, self.quotes);
    }
}

fn matches(name: &str, names: &[&str]) -> bool {
    names.iter().any(|other| other.eq_ignore_ascii_case(name))
}

fn is_block(name: &str) -> bool {
    matches(
        name,
        &[
            "div",
            "li",
            "tr",
            "dt",
            "dd",
            "section",
            "article",
            "header",
            "footer",
            "address",
            "center",
            "caption",
            "form",
            "fieldset",
            "option",
            "figure",
            "figcaption",
            "main",
            "nav",
            "aside",
            "tbody",
            "thead",
            "body",
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_says_what_readers_see() {
        let cases = [
            ("<p>Hi&nbsp;<b>there</b></p>", "Hi\u{a0}there"),
            ("<div>a</div><div>b</div>", "a\nb"),
            ("<div>a<br></div><div><br></div><div>b</div>", "a\n\nb"),
            ("<p>a</p><p>b</p>", "a\n\nb"),
            ("<style type=\"text/css\">p{}</style><title>t</title>x<script src=y>z</script>", "x"),
            ("<head><meta charset=utf-8>h</head><body>x</body>", "x"),
            ("<ul><li>a</li><li>b</li></ul>", "- a\n- b"),
            ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
            ("see <a href=\"https://x.example/a\">here</a>.", "see here <https://x.example/a>."),
            ("<a href=\"https://x.example/\">x.example</a>", "x.example"),
            ("<a href=\"javascript:x\">x</a>", "x"),
            ("yes<blockquote>a<br>b</blockquote>no", "yes\n\n> a\n> b\n\nno"),
            ("<pre>a\n  b</pre>", "a\n  b"),
            ("<img src=x alt=\"Our logo\">", "[Our logo]"),
            ("a &lt;b&gt; &amp; c", "a <b> & c"),
            ("  a \n b  ", "a b"),
            ("<!-- x -->a<![if !mso]>b<![endif]>", "ab"),
        ];
        for (html, expected) in cases {
            assert_eq!(text(html), expected, "{html}");
        }
    }

    #[test]
    fn deep_quotes_do_not_multiply() {
        let html = "<blockquote>x<br>".repeat(20_000);
        assert!(text(&html).len() < 2 * html.len());
    }
}
