//! The headers of a mail, read once: addresses, ids and plain values, from headers that may be missing, repeated or
//! malformed.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::LazyLock;

use mail_parser::parsers::MessageStream;
use mail_parser::{Addr, Address as Addresses, Header, HeaderName, HeaderValue, MessageParser};
use throughline_domain::identifier::Identifier;
use throughline_domain::moment::Moment;

use super::clean;
use super::header_text::Readable;

/// Longest value of a plain header that is read, in bytes.
const VALUE_BYTES_MAX: usize = 998;
/// Longest Message-ID that counts as one, in bytes: a line of mail has at most 998 (RFC 5322, section 2.1.1).
const ID_BYTES_MAX: usize = 998;

/// Headers of which every mail has at least one.
const COMMON: [&str; 13] = [
    "From",
    "Subject",
    "Date",
    "To",
    "Message-ID",
    "Received",
    "Content-Type",
    "MIME-Version",
    "Reply-To",
    "Sender",
    "Cc",
    "Return-Path",
    "In-Reply-To",
];

/// Headers that most of a mail's head is made of, and that are only looked for: what they say is not read.
const UNREAD: [HeaderName<'_>; 8] = [
    HeaderName::Received,
    HeaderName::ReceivedSpf,
    HeaderName::AuthenticationResults,
    HeaderName::DkimSignature,
    HeaderName::ArcSeal,
    HeaderName::ArcMessageSignature,
    HeaderName::ArcAuthenticationResults,
    HeaderName::MimeVersion,
];
/// Room for as many headers as most mails have.
const USUAL_COUNT: usize = 24;

/// The parser of a mail's own headers.
static PARSER: LazyLock<MessageParser> = LazyLock::new(|| {
    let parser = MessageParser::new().with_address_headers().with_message_ids().with_date_headers();
    let parser = parser.header_text("Subject").default_header_raw();
    UNREAD.into_iter().fold(parser, MessageParser::ignore_header)
});

/// The headers of a mail: their names and values.
pub(super) struct Headers<'a> {
    raw: &'a [u8],
    fields: Vec<Field<'a>>,
    /// The [`bit`] of every name: most of the headers that are asked for are not there.
    names: u64,
    /// Where the blank line under them ends; None where there is none.
    end: Option<usize>,
    /// Whether more of them came than is read.
    is_cut: bool,
}

struct Field<'a> {
    name: Cow<'a, str>,
    value: HeaderValue<'a>,
    /// Where the value starts.
    start: u32,
}

/// An address in a header that can be a mail address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address<'a> {
    /// Normalized.
    pub(super) identifier: Identifier,
    /// As given.
    pub(super) text: &'a str,
    /// Display name, as given.
    pub(super) name: Option<&'a str>,
}

impl<'a> Headers<'a> {
    /// Reads the headers of a mail.
    pub(super) fn of_mail(readable: &'a Readable<'_>) -> Self {
        Self { is_cut: readable.is_cut, ..Self::of(&readable.bytes) }
    }

    /// Reads headers that need not be made readable first.
    pub(super) fn of(raw: &'a [u8]) -> Self {
        let (mut stream, mut headers) = (MessageStream::new(raw), Vec::with_capacity(USUAL_COUNT));
        let is_ended = stream.parse_headers(&PARSER, &mut headers);
        let fields: Vec<_> = headers.into_iter().map(field).collect();
        let names = fields.iter().fold(0, |names, field| names | bit(&field.name));
        Self { raw, fields, names, end: is_ended.then(|| stream.offset()), is_cut: false }
    }

    /// What was read, if all of it is headers, up to the blank line that ends it.
    pub(super) fn whole(&self) -> Option<&'a [u8]> {
        (self.end == Some(self.raw.len())).then_some(self.raw)
    }

    /// Whether more of them came than is read.
    pub(super) fn are_cut(&self) -> bool {
        self.is_cut
    }

    /// Whether there is any header that mail has. Otherwise it is text that somebody dropped here.
    pub(super) fn are_of_mail(&self) -> bool {
        COMMON.iter().any(|name| self.has(name))
    }

    /// Whether the header is there, even if empty.
    pub(super) fn has(&self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    /// Every occurrence of a header, in the mail's order.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &HeaderValue<'a>> {
        self.named(name).map(|field| &field.value)
    }

    fn named(&self, name: &str) -> impl DoubleEndedIterator<Item = &Field<'a>> {
        let fields = if self.names & bit(name) == 0 { &[][..] } else { &self.fields[..] };
        fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name))
    }

    /// The last Content-Type, read as the type that it is.
    pub(super) fn content_type(&self) -> Option<HeaderValue<'a>> {
        let field = self.named("Content-Type").next_back()?;
        Some(MessageStream::new(self.raw.get(field.start as usize..)?).parse_content_type())
    }

    /// The first occurrence of a text header that says anything, as one line.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.line(name, VALUE_BYTES_MAX)
    }

    /// [`Self::text`] in at most so many bytes.
    pub(super) fn line(&self, name: &str, bytes_max: usize) -> Option<String> {
        self.values(name).filter_map(HeaderValue::as_text).find_map(|text| clean::line(text, bytes_max))
    }

    /// Whether the mail is a report by a mail system (RFC 6522).
    pub(super) fn is_report(&self) -> bool {
        const REPORT: &[u8] = b"multipart/report";
        let given = self.values("content-type").filter_map(HeaderValue::as_text);
        let mut given = given.map(|text| text.trim_start_matches(is_break)).filter(|text| !text.is_empty());
        let kind = given.next().and_then(|text| text.as_bytes().get(..REPORT.len()));
        kind.is_some_and(|kind| kind.eq_ignore_ascii_case(REPORT))
    }

    /// When the sender says that it was sent.
    pub(super) fn date(&self) -> Option<Moment> {
        let mut dates = self.values("date").filter_map(HeaderValue::as_datetime);
        let date = dates.find(|date| date.is_valid())?;
        Some(Moment::from_ms(date.to_timestamp().saturating_mul(1000)))
    }

    /// The usable addresses of every occurrence of a header.
    pub(super) fn addresses(&self, name: &str) -> Vec<Address<'_>> {
        let given = self.values(name).flat_map(given);
        given.filter_map(|given| address(given.address()?, given.name())).collect()
    }

    /// Whether the header is there once and gives one address, usable or not.
    pub(super) fn names_one(&self, name: &str) -> bool {
        self.values(name).count() == 1 && self.values(name).flat_map(given).count() == 1
    }

    /// Whether an address in a header may have one of these names before its `@`, in lower case: looked at as given, which
    /// costs less than making it comparable.
    pub(super) fn may_name(&self, name: &str, locals: &[&str]) -> bool {
        let mut given = self.values(name).flat_map(given).filter_map(|given| given.address());
        given.any(|address| {
            let local = address.split('@').next().unwrap_or_default().trim();
            !local.is_ascii() || locals.iter().any(|known| local.eq_ignore_ascii_case(known))
        })
    }

    /// The ids of every occurrence of a header, without angle brackets and doubles, in the mail's order.
    pub(super) fn ids(&self, name: &str) -> Vec<String> {
        let mut ids = Vec::new();
        for value in self.values(name) {
            match value {
                HeaderValue::TextList(list) => list.iter().filter_map(|id| in_brackets(id)).for_each(|id| ids.push(id)),
                HeaderValue::Text(text) => ids.extend(loose(text)),
                _ => {}
            }
        }
        without_doubles(ids)
    }
}

/// The ids without those that stood before.
pub(super) fn without_doubles(mut ids: Vec<String>) -> Vec<String> {
    if ids.len() < 2 {
        return ids;
    }
    // Comparing a few with each other costs less than a set of them does.
    const FEW: usize = 8;
    if ids.len() > FEW {
        let mut seen = HashSet::new();
        ids.retain(|id| seen.insert(id.clone()));
        return ids;
    }
    let mut first: Vec<String> = Vec::with_capacity(ids.len());
    for id in ids {
        if !first.contains(&id) {
            first.push(id);
        }
    }
    first
}

/// One bit of 64 for a name, whatever its case.
fn bit(name: &str) -> u64 {
    let [first, .., last] = name.as_bytes() else { return 1 };
    let letters = usize::from(first.to_ascii_lowercase()) + 5 * usize::from(last.to_ascii_lowercase());
    1 << ((letters + 11 * name.len()) % 64)
}

fn field(header: Header<'_>) -> Field<'_> {
    let name = match header.name {
        HeaderName::Other(name) => name,
        known => known.as_static_str().into(),
    };
    Field { name, value: header.value, start: header.offset_start }
}

/// The addresses in a header's value, of all its groups.
fn given<'b>(value: &'b HeaderValue<'_>) -> impl Iterator<Item = &'b Addr<'b>> {
    let (list, groups) = match value {
        HeaderValue::Address(Addresses::List(list)) => (&list[..], &[][..]),
        HeaderValue::Address(Addresses::Group(groups)) => (&[][..], &groups[..]),
        _ => (&[][..], &[][..]),
    };
    list.iter().chain(groups.iter().flat_map(|group| &group.addresses))
}

/// A mail address that we can compare and answer to. Two `@` or a character that was not readable mean that different
/// programs see different addresses in it, so it is nobody's.
pub(super) fn address<'a>(text: &'a str, name: Option<&'a str>) -> Option<Address<'a>> {
    let text = text.trim();
    if text.matches('@').count() != 1 || text.contains(char::REPLACEMENT_CHARACTER) {
        return None;
    }
    let identifier = Identifier::email(text).ok()?;
    Some(Address { identifier, text, name })
}

/// White space and control characters: what separates, or means nothing.
fn is_break(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}

/// An id that stood in angle brackets: long ones are folded on the way, so white space in them means nothing.
fn in_brackets(id: &str) -> Option<String> {
    let is_whole = id.bytes().all(|byte| byte.is_ascii_graphic()) || !id.contains(is_break);
    let id = if is_whole { id.to_owned() } else { id.replace(is_break, "") };
    (!id.is_empty() && id.len() <= ID_BYTES_MAX).then_some(id)
}

/// One id that stood in angle brackets, or what a program wrote that leaves them out: ids, or words around them.
fn loose(text: &str) -> Vec<String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',') {
        return in_brackets(text).into_iter().collect();
    }
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty()).collect();
    let is_id = |word: &&str| word.contains('@');
    match words.as_slice() {
        [] => Vec::new(),
        [word] => in_brackets(word).into_iter().collect(),
        words if words.iter().filter(|word| is_id(word)).count() == 1 && !words.iter().all(is_id) => {
            // Either words around an id, or one id that was folded; the second has no spaces but at its folds.
            let folded = text.contains('\n') && text.lines().all(|line| !line.trim().contains(' '));
            let word = words.iter().find(|word| is_id(word)).copied();
            if folded { in_brackets(text) } else { word.and_then(in_brackets) }.into_iter().collect()
        }
        words => words.iter().filter(|word| is_id(word)).filter_map(|word| in_brackets(word)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_count_once_be_they_few_or_many() {
        for count in [0, 3, 8, 9, 40] {
            let expected: Vec<String> = (0..count).map(|n| format!("{n}@x")).collect();
            let given = expected.iter().chain(expected.iter().rev()).cloned().collect();
            assert_eq!(without_doubles(given), expected);
        }
    }

    #[test]
    fn a_report_says_so_at_the_start_of_its_first_type() {
        let is_report = |fields: &str| Headers::of(format!("{fields}\n\n").as_bytes()).is_report();
        for right in [
            "Content-Type: multipart/report; a=b",
            "content-type:\n Multipart/REPORT",
            "Content-Type:\nContent-Type: multipart/report",
        ] {
            assert!(is_report(right), "{right:?}");
        }
        for wrong in [
            "Subject: multipart/report",
            "Content-Type: multipart/repor",
            "Content-Type: text/plain\nContent-Type: multipart/report",
            "Content-Type: multipärt/report",
        ] {
            assert!(!is_report(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn ids_are_read_as_programs_write_them() {
        let cases: [(&str, &[&str]); 8] = [
            ("<a@x>", &["a@x"]),
            ("<a@x> <b@y>\n <a@x>", &["a@x", "b@y"]),
            ("a@x b@y", &["a@x", "b@y"]),
            ("Your message of Monday <a@x>", &["a@x"]),
            ("Your message of Monday, a@x", &["a@x"]),
            ("<a-long-id-that-was-\r\n folded@x>", &["a-long-id-that-was-folded@x"]),
            ("<>", &[]),
            ("no id here", &[]),
        ];
        for (value, expected) in cases {
            let mail = format!("References: {value}\n\n");
            assert_eq!(Headers::of(mail.as_bytes()).ids("references"), expected, "{value:?}");
        }
    }

    #[test]
    fn addresses_are_read_as_programs_write_them() {
        let cases: [(&str, &[&str]); 7] = [
            ("Anna <Anna@Example.com>, b@example.com", &["anna@example.com", "b@example.com"]),
            ("\"Berg, Anna\" <anna@example.com>", &["anna@example.com"]),
            ("anna@example.com (Anna)", &["anna@example.com"]),
            ("team: a@x.example, b@x.example;", &["a@x.example", "b@x.example"]),
            ("<anna@example.com", &["anna@example.com"]),
            ("victim@bank.example mallory@evil.example", &[]),
            ("undisclosed-recipients:;", &[]),
        ];
        for (value, expected) in cases {
            let mail = format!("To: {value}\n\n");
            let headers = Headers::of(mail.as_bytes());
            let found = headers.addresses("to");
            let found: Vec<_> = found.iter().map(|found| found.identifier.value()).collect();
            assert_eq!(found, expected, "{value:?}");
        }
    }
}
