//! The parts of a mail: its text and its files.

use std::borrow::Cow;

use data_encoding::HEXLOWER;
use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::decoders::html::html_to_text;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{Encoding, Message, MessageParser, MessagePart, MimeHeaders, PartType};
use sha2::{Digest, Sha256};
use throughline_domain::message::{Attachment, TEXT_BYTES_MAX, truncated};

use super::clean::{self, Warnings};
use super::flat;

/// Most files that are listed of one mail; the raw mail has all of them.
pub const ATTACHMENTS_MAX: usize = 100;
/// Longest file name kept, in bytes.
pub const FILE_NAME_BYTES_MAX: usize = 200;
/// Longest MIME type kept, in bytes (RFC 6838, section 4.2: 127 each for type and subtype).
const CONTENT_TYPE_BYTES_MAX: usize = 255;
/// Most bytes that may be looked at in search of the ends of multiparts, each of which can look through the whole mail:
/// about two seconds' work. A mail above is not opened.
const SEARCHED_BYTES_MAX: usize = 2_000_000_000;
/// Most continued parameters (RFC 2231, section 3): each is compared with all others. A mail above is not opened.
const CONTINUATIONS_MAX: usize = 20_000;

/// A mail taken apart. Attached mails stay closed.
pub(super) struct Parts<'a> {
    mail: Option<Message<'a>>,
    flat: &'a [u8],
}

/// Whether texts in this character set are read as what they say. What is Unicode already needs no decoder.
fn is_known(charset: &str) -> bool {
    let unicode = ["utf-8", "utf8", "us-ascii", "ascii"];
    unicode.iter().any(|name| charset.trim().eq_ignore_ascii_case(name))
        || charset_decoder(charset.as_bytes()).is_some()
}

impl<'a> Parts<'a> {
    /// Takes a mail apart that went through [`flat::flattened`].
    pub(super) fn of(flat: &'a [u8], warnings: &mut Warnings) -> Self {
        if is_tangled(flat) {
            warnings.add("The mail has too many parts to be opened: the text is its raw form.");
            return Self::closed(flat);
        }
        let mail = MessageParser::new().with_mime_headers().default_header_ignore().parse(flat);
        for part in mail.iter().flat_map(|mail| &mail.parts) {
            if part.is_encoding_problem {
                warnings.add("A part is not encoded as it says, or cut off.");
            }
            let charset = part.content_type().and_then(|kind| kind.attribute("charset"));
            if let Some(charset) = charset.filter(|name| part.is_text() && !is_known(name)) {
                let shown = clean::line(charset, 40).unwrap_or_default();
                warnings.add(format!("The character set {shown:?} is not known: read as UTF-8."));
            }
        }
        Self { mail, flat }
    }

    /// Leaves a mail unopened: its text is its raw form, and it has no files.
    pub(super) fn closed(flat: &'a [u8]) -> Self {
        Self { mail: None, flat }
    }

    /// The readable text, at most [`TEXT_BYTES_MAX`]: plain text parts, or what HTML parts say where there is no plain
    /// text.
    pub(super) fn text(&self, warnings: &mut Warnings) -> String {
        let text = match &self.mail {
            Some(mail) => {
                let readings: [&dyn Fn() -> String; 3] = [
                    &|| joined((0..mail.text_body_count()).filter_map(|part| mail.body_text(part))),
                    // Some programs send an empty plain part beside the HTML that says everything.
                    &|| joined(mail.html_bodies().filter_map(html_text)),
                    &|| joined(mail.parts.iter().filter_map(broken_text)),
                ];
                readings.iter().map(|reading| reading()).find(|text| !text.is_empty()).unwrap_or_default()
            }
            None => clean::text(&String::from_utf8_lossy(self.flat)),
        };
        let text = flat::restored(text);
        if text.contains(char::REPLACEMENT_CHARACTER) {
            warnings.add("Some characters of the text could not be read.");
        }
        if text.len() > TEXT_BYTES_MAX {
            warnings.add(format!("The text is longer than {TEXT_BYTES_MAX} bytes: the raw mail has the rest."));
        }
        truncated(&text, TEXT_BYTES_MAX).to_owned()
    }

    /// The files, numbered from 1 in the mail's order.
    pub(super) fn attachments(&self, warnings: &mut Warnings) -> Vec<Attachment> {
        let Some(mail) = &self.mail else { return Vec::new() };
        if mail.attachment_count() > ATTACHMENTS_MAX {
            let count = mail.attachment_count();
            warnings.add(format!("The mail has {count} files: the first {ATTACHMENTS_MAX} are listed."));
        }
        mail.attachments().take(ATTACHMENTS_MAX).enumerate().map(|(at, part)| self.attachment(at + 1, part)).collect()
    }

    fn attachment(&self, number: usize, part: &MessagePart<'_>) -> Attachment {
        let bytes = self.decoded(part);
        let name = part
            .attachment_name()
            .and_then(|name| clean::file_name(&flat::restored(name.to_owned()), FILE_NAME_BYTES_MAX));
        let disposition = part.content_disposition();
        let is_shown = part.content_id().is_some()
            || matches!(part.body, PartType::InlineBinary(_))
            || disposition.is_some_and(mail_parser::ContentType::is_inline);
        Attachment {
            id: number.to_string(),
            filename: name.unwrap_or_else(|| format!("attachment-{number}")),
            content_type: content_type(part),
            size: bytes.len() as u64,
            sha256: HEXLOWER.encode(&Sha256::digest(&bytes)),
            inline: is_shown && !disposition.is_some_and(mail_parser::ContentType::is_attachment),
            url: None,
        }
    }

    /// A file's bytes as the sender had them. The parser has turned text files into UTF-8, so they are decoded anew.
    fn decoded<'b>(&'b self, part: &'b MessagePart<'_>) -> Cow<'b, [u8]> {
        let raw = self.flat.get(part.offset_body as usize..part.offset_end as usize);
        let anew = match (&part.body, part.encoding, raw) {
            (PartType::Text(_) | PartType::Html(_), Encoding::None, Some(raw)) => Some(raw.to_vec()),
            (PartType::Text(_) | PartType::Html(_), Encoding::Base64, Some(raw)) => base64_decode(raw),
            (PartType::Text(_) | PartType::Html(_), Encoding::QuotedPrintable, Some(raw)) => {
                quoted_printable_decode(raw)
            }
            _ => None,
        };
        let mut bytes = anew.map_or(Cow::Borrowed(part.contents()), Cow::Owned);
        if part.encoding != Encoding::Base64 {
            flat::restore(bytes.to_mut());
        }
        bytes
    }

    /// What a report about a delivery (RFC 3464) says in its `Action` fields, in lower case. Empty for every other mail.
    pub(super) fn report_actions(&self) -> Vec<String> {
        let Some(mail) = self.mail.as_ref().filter(|mail| mail.is_content_type("multipart", "report")) else {
            return Vec::new();
        };
        let is_status = |part: &&MessagePart<'_>| {
            matches!(content_type(part).as_str(), "message/delivery-status" | "message/global-delivery-status")
        };
        let status = mail.parts.iter().filter(is_status);
        let mut actions = Vec::new();
        for part in status {
            let mut bytes = part.contents().to_vec();
            flat::restore(&mut bytes);
            let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
            actions.extend(text.lines().filter_map(|line| Some(line.strip_prefix("action:")?.trim().to_owned())));
        }
        actions
    }
}

/// Whether taking the mail apart would take more than its length warrants: a few kilobytes could keep us busy for hours.
fn is_tangled(flat: &[u8]) -> bool {
    const MULTIPART: &[u8] = b"multipart";
    let starts = |word: &[u8]| word[0] | 0x20 == b'm' && word.eq_ignore_ascii_case(MULTIPART);
    let multiparts = flat.windows(MULTIPART.len()).filter(|word| starts(word)).count();
    let continuations = flat.windows(2).filter(|pair| pair[0] == b'*' && matches!(pair[1], b'0'..=b'9' | b'=')).count();
    multiparts.saturating_mul(flat.len()) > SEARCHED_BYTES_MAX || continuations > CONTINUATIONS_MAX
}

/// `type/subtype` in lower case; what a part without a type is (RFC 2045, section 5.2) where it says nothing.
fn content_type(part: &MessagePart<'_>) -> String {
    let given = part.content_type().and_then(|given| {
        let name = flat::restored(format!("{}/{}", given.ctype(), given.subtype()?)).to_ascii_lowercase();
        let right = !name.contains(char::is_whitespace) && name.len() <= CONTENT_TYPE_BYTES_MAX && name.is_ascii();
        (right && !name.contains(|c: char| c.is_control())).then_some(name)
    });
    given.unwrap_or_else(|| if part.is_text() { "text/plain" } else { "application/octet-stream" }.to_owned())
}

fn html_text<'a>(part: &'a MessagePart<'_>) -> Option<Cow<'a, str>> {
    match &part.body {
        PartType::Html(html) => Some(html_to_text(html).into()),
        _ => None,
    }
}

/// The text of a part that the parser counts as a file because its end or its boundary is missing: mail that was cut off
/// or rebuilt by a careless program.
fn broken_text<'a>(part: &'a MessagePart<'_>) -> Option<Cow<'a, str>> {
    let (PartType::Text(_) | PartType::Binary(_)) = &part.body else { return None };
    let raw = part.contents();
    let is_file = part.content_disposition().is_some_and(mail_parser::ContentType::is_attachment);
    let kind = content_type(part);
    let is_closed = kind.starts_with("multipart/");
    if !(part.is_encoding_problem || is_closed) || is_file {
        return None;
    }
    let bytes = match part.content_transfer_encoding().map(str::to_ascii_lowercase).as_deref() {
        Some("base64") => base64_decode(raw)?,
        Some("quoted-printable") => quoted_printable_decode(raw)?,
        _ => raw.to_vec(),
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    match kind.as_str() {
        "text/html" => Some(html_to_text(&text).into()),
        plain if is_closed || plain == "text/plain" => Some(text.into()),
        _ => None,
    }
}

fn joined<'a>(texts: impl Iterator<Item = Cow<'a, str>>) -> String {
    let texts: Vec<String> = texts.map(|text| clean::text(&text)).filter(|text| !text.trim().is_empty()).collect();
    texts.join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_character_sets_are_known() {
        for name in ["utf-8", "UTF-8", " us-ascii ", "iso-8859-1", "windows-1252", "gb2312", "shift_jis", "koi8-r"] {
            assert!(is_known(name), "{name}");
        }
        assert!(!is_known("x-unknown"));
    }
}
