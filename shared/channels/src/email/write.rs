//! Writing the mail that goes to a customer.

use data_encoding::{BASE64, HEXLOWER};
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::date::Date;
use mail_builder::mime::{BodyPart, MimePart};
use throughline_domain::id::digest;
use throughline_domain::identifier::Identifier;
use throughline_domain::message::truncated;
use throughline_domain::moment::Moment;

use super::{SUBJECT_BYTES_MAX, clean};

/// Most ids written in References; of more, the first and the newest are kept (as RFC 5537, section 3.4.4, has it).
pub const REFERENCES_WRITTEN_MAX: usize = 20;
/// Most addresses written in To and in Cc each.
pub const RECIPIENTS_WRITTEN_MAX: usize = 50;

/// Longest brand name, in bytes.
const BRAND_BYTES_MAX: usize = 200;
/// Longest line of a header, in characters (RFC 5322, section 2.1.1, advises 78).
const LINE_CHARS: usize = 76;
/// Most bytes in one encoded word: with the base 64 and its frame, 64 of the 75 characters allowed (RFC 2047, section 2).
const WORD_BYTES: usize = 39;

/// A mail to send. Control characters in any value but the texts are removed, so that no value can add a header.
#[derive(Clone, Copy, Debug)]
pub struct OutgoingMail<'a> {
    /// Shown name of the sender.
    pub brand: &'a str,
    /// The inbox's address.
    pub from: &'a str,
    /// Recipients. What is no plain mail address is left out.
    pub to: &'a [String],
    /// Copies, likewise.
    pub cc: &'a [String],
    /// Subject.
    pub subject: &'a str,
    /// When it was written.
    pub date: Moment,
    /// Our own Message-ID, without angle brackets.
    pub message_id: &'a str,
    /// The id of the mail that this answers, without angle brackets.
    pub in_reply_to: Option<&'a str>,
    /// Ids of the thread, oldest first, without angle brackets.
    pub references: &'a [String],
    /// Where answers go: the reply address with the ticket's token.
    pub reply_to: Option<&'a str>,
    /// The text.
    pub text: &'a str,
    /// The same as HTML.
    pub html: Option<&'a str>,
    /// No person wrote it: it says so (`Auto-Submitted: auto-replied`, RFC 3834).
    pub automatic: bool,
}

/// The mail in its wire form (RFC 5322, RFC 2045), lines ending in CRLF. The same mail always gives the same bytes.
pub fn write(mail: &OutgoingMail<'_>) -> Vec<u8> {
    let mut out = Headers(String::new());
    out.put("From", &[named(mail.brand, mail.from)].into_iter().flatten().collect::<Vec<_>>(), ",");
    out.put("To", &addresses(mail.to), ",");
    out.put("Cc", &addresses(mail.cc), ",");
    out.put("Reply-To", &mail.reply_to.and_then(address).into_iter().collect::<Vec<_>>(), ",");
    out.put("Subject", &words(&clean::line(mail.subject, SUBJECT_BYTES_MAX).unwrap_or_default()), "");
    out.put("Date", &[Date::new(mail.date.ms().max(0) / 1000).to_rfc822()], "");
    out.put("Message-ID", &id(mail.message_id).into_iter().collect::<Vec<_>>(), "");
    out.put("In-Reply-To", &mail.in_reply_to.and_then(id).into_iter().collect::<Vec<_>>(), "");
    out.put("References", &references(mail.references), "");
    if mail.automatic {
        out.put("Auto-Submitted", &["auto-replied".to_owned()], "");
    }
    out.put("MIME-Version", &["1.0".to_owned()], "");
    let mut bytes = out.0.into_bytes();
    body(mail).write_part(&mut bytes).expect("writing to memory does not fail");
    bytes
}

/// The subject of an answer: `Re:` once, whatever answers stood before it.
pub fn reply_subject(subject: &str) -> String {
    // What programs of other languages write for it; a forwarded mail's mark stays.
    const MARKS: [&str; 7] = ["re", "aw", "antw", "sv", "odp", "rif", "res"];
    let line = clean::line(subject, SUBJECT_BYTES_MAX).unwrap_or_default();
    let mut rest = line.as_str();
    while let Some((mark, after)) = rest.split_once(':') {
        let mark = mark.trim().split('[').next().unwrap_or_default();
        if !MARKS.iter().any(|known| known.eq_ignore_ascii_case(mark)) {
            break;
        }
        rest = after.trim_start();
    }
    format!("Re: {rest}").trim_end().to_owned()
}

/// Headers, folded between their items.
struct Headers(String);

impl Headers {
    /// Nothing is written for a header without items.
    fn put(&mut self, name: &str, items: &[String], separator: &str) {
        if items.is_empty() {
            return;
        }
        self.0.push_str(name);
        self.0.push(':');
        let mut column = name.len() + 1;
        for (at, item) in items.iter().enumerate() {
            let separator = if at + 1 < items.len() { separator } else { "" };
            let folds = at > 0 && column + item.len() + separator.len() + 1 > LINE_CHARS;
            self.0.push_str(if folds { "\r\n " } else { " " });
            self.0.push_str(item);
            self.0.push_str(separator);
            column = if folds { 0 } else { column } + item.len() + separator.len() + 1;
        }
        self.0.push_str("\r\n");
    }
}

fn body<'a>(mail: &OutgoingMail<'a>) -> MimePart<'a> {
    let part = |kind: &'static str, text: &str| MimePart::new(kind, BodyPart::Text(crlf(text).into()));
    let Some(html) = mail.html else { return part("text/plain", mail.text) };
    // Derived, not drawn: a boundary that no text contains, because it is a hash of the texts.
    let hash = digest(&[mail.message_id.as_bytes(), mail.text.as_bytes(), html.as_bytes()]);
    let boundary = format!("part_{}", HEXLOWER.encode(&hash[..16]));
    let kind = ContentType::new("multipart/alternative").attribute("boundary", boundary);
    MimePart::new(kind, vec![part("text/plain", mail.text), part("text/html", html)])
}

fn crlf(text: &str) -> String {
    let mut text = clean::text(text);
    text.push('\n');
    text.replace('\n', "\r\n")
}

/// An address that stands in a header as it is. Quoted local parts and everything else that would need care in a header
/// are refused: what looks like one address to us must be one address to every server.
fn bare(text: &str) -> Option<String> {
    let right = Identifier::email(text).is_ok()
        && text.matches('@').count() == 1
        && !text.contains(|c: char| c.is_control() || "()<>[]:;,\\\" ".contains(c));
    right.then(|| text.trim().to_owned())
}

fn address(text: &str) -> Option<String> {
    bare(text.trim()).map(|address| format!("<{address}>"))
}

fn addresses(given: &[String]) -> Vec<String> {
    given.iter().filter_map(|text| address(text)).take(RECIPIENTS_WRITTEN_MAX).collect()
}

/// Name and address. A name that is not plain is written in encoded words, outside of quotes, where they are read.
fn named(name: &str, email: &str) -> Option<String> {
    let address = address(email)?;
    let Some(name) = clean::name(name, BRAND_BYTES_MAX) else { return Some(address) };
    if is_plain(&name) {
        return Some(format!("\"{}\" {address}", name.replace('\\', "\\\\").replace('"', "\\\"")));
    }
    Some(format!("{}\r\n {address}", words(&name).join("\r\n ")))
}

/// Whether text stands in a header unencoded, and is not taken for an encoded word there.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && !text.contains("=?")
}

/// One line of text as words to fold between: as it is, or in encoded words (RFC 2047).
fn words(line: &str) -> Vec<String> {
    if is_plain(line) {
        return line.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    }
    let mut rest = line;
    let mut words = Vec::new();
    while !rest.is_empty() {
        let (word, after) = rest.split_at(truncated(rest, WORD_BYTES).len());
        words.push(format!("=?utf-8?B?{}?=", BASE64.encode(word.as_bytes())));
        rest = after;
    }
    words
}

fn id(text: &str) -> Option<String> {
    let id: String =
        text.chars().filter(|c| !c.is_control() && !c.is_whitespace() && !matches!(c, '<' | '>')).collect();
    (!id.is_empty()).then(|| format!("<{id}>"))
}

fn references(ids: &[String]) -> Vec<String> {
    let mut ids: Vec<String> = ids.iter().filter_map(|text| id(text)).collect();
    if ids.len() > REFERENCES_WRITTEN_MAX {
        ids.drain(1..=ids.len() - REFERENCES_WRITTEN_MAX);
    }
    ids
}

#[cfg(test)]
mod tests;
