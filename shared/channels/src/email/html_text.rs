//! What HTML says, as text: lines where blocks are, dashes where lists are, quoted lines where quotes are, and where
//! links lead.

use super::html;
use super::html_tokens::{Element, Token, Tokens, decoded};

/// Deepest quote that is marked: deeper ones are marked as this deep, so that the text grows no faster than the HTML.
const QUOTE_DEPTH_MAX: usize = 5;
/// Longest address of a link that is shown beside its text, in bytes.
const LINK_BYTES_MAX: usize = 500;

/// What an element does to the text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Break,
    Paragraph,
    Pre,
    Quote,
    Item,
    Block,
    Cell,
    Link,
    Image,
    Head,
    Inline,
}

fn kind(name: &str) -> Kind {
    // Longer names are all of inline elements.
    let mut lower = [0_u8; 10];
    let Some(lower) = lower.get_mut(..name.len()) else { return Kind::Inline };
    lower.copy_from_slice(name.as_bytes());
    lower.make_ascii_lowercase();
    match &*lower {
        b"br" => Kind::Break,
        b"p" | b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" | b"ul" | b"ol" | b"dl" | b"table" | b"hr" => {
            Kind::Paragraph
        }
        b"pre" => Kind::Pre,
        b"blockquote" => Kind::Quote,
        b"li" => Kind::Item,
        b"div" | b"tr" | b"dt" | b"dd" | b"section" | b"article" | b"header" | b"footer" | b"address" | b"center"
        | b"caption" | b"form" | b"fieldset" | b"option" | b"figure" | b"figcaption" | b"main" | b"nav" | b"aside"
        | b"tbody" | b"thead" | b"body" => Kind::Block,
        b"td" | b"th" => Kind::Cell,
        b"a" => Kind::Link,
        b"img" => Kind::Image,
        b"head" => Kind::Head,
        _ => Kind::Inline,
    }
}

/// What the HTML says.
pub(super) fn text(html: &str) -> String {
    let mut writer = Writer::default();
    let mut is_head = false;
    for token in Tokens::of(html) {
        match token {
            Token::Text(_) if is_head => {}
            Token::Text(text) => writer.text(&decoded(text)),
            Token::Start(element) => {
                let kind = kind(element.name);
                is_head = kind == Kind::Head || is_head && !matches!(kind, Kind::Block | Kind::Paragraph);
                writer.start(kind, element);
            }
            Token::End(name) => {
                let kind = kind(name);
                is_head = is_head && kind != Kind::Head;
                writer.end(kind, name);
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
    fn start(&mut self, kind: Kind, element: Element<'_>) {
        let mut attributes = element.attributes;
        match kind {
            Kind::Break => self.lines += 1,
            Kind::Paragraph => self.at_least(2),
            Kind::Pre => {
                self.at_least(2);
                self.preformatted += 1;
            }
            Kind::Quote => {
                self.at_least(2);
                self.quotes += 1;
            }
            Kind::Item => {
                self.at_least(1);
                self.word("- ");
            }
            Kind::Block => self.at_least(1),
            Kind::Cell => self.is_space = true,
            Kind::Link => {
                let target = attributes.find(|(key, _)| key.eq_ignore_ascii_case("href"));
                self.link = target.and_then(|(_, value)| html::link(value)).map(|target| (target, self.out.len()));
            }
            Kind::Image => {
                let alt = attributes.find(|(key, _)| key.eq_ignore_ascii_case("alt"));
                if let Some(alt) = alt.map(|(_, alt)| decoded(alt)).filter(|alt| !alt.trim().is_empty()) {
                    self.word(&format!("[{}]", alt.trim()));
                }
            }
            Kind::Head | Kind::Inline => {}
        }
    }

    fn end(&mut self, kind: Kind, name: &str) {
        match kind {
            // Texts written as one paragraph a line are as common as those with air between.
            Kind::Paragraph => self.at_least(if name.eq_ignore_ascii_case("p") { 1 } else { 2 }),
            Kind::Pre => {
                self.at_least(2);
                self.preformatted = self.preformatted.saturating_sub(1);
            }
            Kind::Quote => {
                self.at_least(2);
                self.quotes = self.quotes.saturating_sub(1);
            }
            Kind::Item | Kind::Block => self.at_least(1),
            Kind::Link => self.end_link(),
            Kind::Break | Kind::Cell | Kind::Image | Kind::Head | Kind::Inline => {}
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
