//! The parts of a mail: its text, its HTML and its files.

use std::borrow::Cow;
use std::collections::HashMap;

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{Encoding, Message, MessagePart, MimeHeaders, PartType};
use memchr::memmem;
use throughline_domain::message::{Attachment, TEXT_BYTES_MAX, truncated};

use super::bounds::{OPENED_MAX, PARSER};
use super::clean::{self, Warnings};
use super::file::{CONTENT_TYPE_BYTES_MAX, Given, attachment, content_id};
use super::flat::Flat;
use super::headers::Headers;
use super::uuencode::TakenOut;
use super::{calendar, charset, fields, file_type, header_text, html, html_text, plain, tnef, uuencode};

/// Most files that are listed of one mail; the raw mail has all of them.
pub const ATTACHMENTS_MAX: usize = 200;
/// Most parts of one mail that are looked at.
pub const PARTS_MAX: usize = 1_000;
/// Deepest nesting of parts that is looked at.
pub const NESTING_MAX: usize = 50;
/// Where HTML names its character set, in bytes from its start.
const META_BYTES_MAX: usize = 1_024;
/// Most calendars that are shown in the text.
const CALENDARS_MAX: usize = 3;
/// Most status parts and most originals that are read of a report: it has one of each.
const REPORT_PARTS_MAX: usize = 3;

/// A mail taken apart. Attached mails stay closed.
pub(super) struct Parts<'a> {
    mail: Option<Message<'a>>,
    /// How deep each part lies that is looked at.
    depths: Vec<usize>,
    flat: &'a Flat<'a>,
}

/// A file with its decoded bytes.
pub(super) type File<'a> = (Attachment, Cow<'a, [u8]>);

/// What a mail says and brings.
pub(super) struct Reading<'a> {
    /// The readable text, at most [`TEXT_BYTES_MAX`].
    pub(super) text: String,
    /// Sanitized HTML, if the mail has any.
    pub(super) html: Option<String>,
    /// The files, numbered from 1 in the mail's order.
    pub(super) files: Vec<File<'a>>,
}

impl<'a> Parts<'a> {
    /// Takes a mail apart.
    pub(super) fn of(flat: &'a Flat<'a>, headers: &Headers<'a>, warnings: &mut Warnings) -> Self {
        let mut mail = plain::mail(flat.bytes(), headers);
        if mail.is_none() {
            let Some(opened) = flat.opened() else {
                warnings.add_limit("The mail has too many parts to be opened: the text is its raw form.");
                return Self::closed(flat);
            };
            mail = PARSER.parse(opened);
            if flat.is_cut() {
                warnings.add_limit(fields::warning());
            }
        }
        let mut parts = Self { depths: mail.as_ref().map(depths).unwrap_or_default(), mail, flat };
        let count = parts.depths.len();
        if count > PARTS_MAX {
            let more = if count < OPENED_MAX { "" } else { "at least " };
            warnings.add_limit(format!("The mail has {more}{count} parts: the first {PARTS_MAX} are read."));
            parts.depths.truncate(PARTS_MAX);
        }
        if parts.depths.iter().any(|depth| *depth > NESTING_MAX) {
            warnings.add_limit(format!(
                "Parts lie in each other more than {NESTING_MAX} deep: the inner ones are not read."
            ));
        }
        for part in parts.all() {
            if part.is_encoding_problem {
                warnings.add("A part is not encoded as it says, or cut off.");
            }
            if let Some(charset) = charset_of(part).filter(|name| part.is_text() && !charset::is_known(name)) {
                let shown = clean::line(charset, 40).unwrap_or_default();
                warnings.add(format!("The character set {shown:?} is not known: it is guessed."));
            }
        }
        parts
    }

    /// Leaves a mail unopened: its text is its raw form, and it has no files.
    pub(super) fn closed(flat: &'a Flat<'a>) -> Self {
        Self { mail: None, depths: Vec::new(), flat }
    }

    /// The parts that are looked at.
    fn all(&self) -> impl Iterator<Item = &MessagePart<'a>> {
        let parts = self.mail.iter().flat_map(|mail| &mail.parts).zip(&self.depths);
        parts.filter(|(_, depth)| **depth <= NESTING_MAX).map(|(part, _)| part)
    }

    /// Those with these numbers that are looked at.
    fn numbered<'b>(&'b self, numbers: &'b [u32]) -> impl Iterator<Item = &'b MessagePart<'a>> {
        let parts = self.mail.as_ref().map(|mail| mail.parts.as_slice()).unwrap_or_default();
        let is_read = |at: &usize| self.depths.get(*at).is_some_and(|depth| *depth <= NESTING_MAX);
        numbers.iter().map(|at| *at as usize).filter(is_read).filter_map(|at| parts.get(at))
    }

    /// Reads everything that is shown of the mail.
    pub(super) fn read(&self, warnings: &mut Warnings) -> Reading<'_> {
        let Some(mail) = &self.mail else {
            // More than is kept, so that it is told that something is left out.
            let raw = self.flat.bytes();
            let start = String::from_utf8_lossy(&raw[..raw.len().min(2 * TEXT_BYTES_MAX)]);
            let text = limited(self.flat.restored_text(clean::text(&start).into()).into_owned(), warnings);
            return Reading { text, html: None, files: Vec::new() };
        };
        let (mut files, packed) = self.files(mail, warnings);
        let found = self.text(mail, packed.as_deref(), ATTACHMENTS_MAX.saturating_sub(files.len()));
        if found.has_more {
            warn_of_more_files(warnings);
        }
        for file in found.files {
            let given = Given { name: Some(file.name), ..Given::default() };
            files.push((attachment(files.len() + 1, given, &file.bytes), Cow::Owned(file.bytes)));
        }
        let html = self.html(mail, &files, warnings);
        Reading { text: limited(found.text, warnings), html, files }
    }

    /// Plain text parts, or what HTML parts say where there is no plain text; then invitations; and the files that were in
    /// the text itself.
    fn text(&self, mail: &Message<'_>, packed: Option<&str>, files_max: usize) -> TakenOut {
        let readings: [&dyn Fn() -> String; 5] = [
            &|| joined(self.numbered(&mail.text_body).filter_map(|part| self.said(part))),
            // Some programs send an empty plain part beside the HTML that says everything.
            &|| joined(self.numbered(&mail.html_body).filter_map(|part| self.said(part))),
            &|| joined(self.all().filter_map(|part| self.broken_text(part))),
            &|| packed.map(clean::text).unwrap_or_default(),
            // And some send all they have to say as a file.
            &|| joined(self.all().filter(|part| self.is_readable(part)).filter_map(|part| self.said(part)).take(1)),
        ];
        let text = readings.iter().map(|reading| reading()).find(|text| !text.is_empty()).unwrap_or_default();
        let mut found = if has_files(&text) {
            uuencode::taken_out(&text, files_max)
        } else {
            TakenOut { text, files: Vec::new(), has_more: false }
        };
        let text = &mut found.text;
        text.truncate(text.trim_end().len());
        let calendars = self.all().filter(|part| part.is_content_type("text", "calendar")).take(CALENDARS_MAX);
        for invitation in calendars.filter_map(|part| calendar::text(&self.characters(part)?)) {
            if !text.is_empty() {
                text.push_str("\n\n");
            }
            text.push_str(&invitation);
        }
        found.text = self.flat.restored_text(found.text.into()).into_owned();
        found
    }

    /// What a text or HTML part says.
    fn said<'b>(&'b self, part: &'b MessagePart<'_>) -> Option<Cow<'b, str>> {
        let text = self.characters(part)?;
        Some(if matches!(part.body, PartType::Html(_)) { html_text::text(&text).into() } else { text })
    }

    /// The characters of a text part, whatever its label says about them.
    fn characters<'b>(&'b self, part: &'b MessagePart<'_>) -> Option<Cow<'b, str>> {
        let (PartType::Text(text) | PartType::Html(text)) = &part.body else { return None };
        let label = charset_of(part);
        let is_believed = label.is_none_or(charset::is_unicode) || text.is_ascii();
        if is_believed && charset::is_sure(text) {
            return Some(Cow::Borrowed(text));
        }
        let bytes = self.decoded(part);
        // HTML may name its character set itself, at its beginning (HTML, section 4.2.5.4).
        let start = &bytes[..bytes.len().min(META_BYTES_MAX)];
        let own = label.is_none().then(|| header_text::label(start)).flatten();
        Some(charset::decoded(&bytes, label.or(own.as_deref())).into_owned().into())
    }

    /// The HTML parts, sanitized, with the plain texts between them.
    fn html(&self, mail: &Message<'_>, files: &[File<'_>], warnings: &mut Warnings) -> Option<String> {
        let parts: Vec<_> = self.numbered(&mail.html_body).collect();
        if !parts.iter().any(|part| matches!(part.body, PartType::Html(_))) {
            return None;
        }
        let bytes: usize = parts.iter().filter_map(|part| part.text_contents()).map(str::len).sum();
        if bytes > html::HTML_BYTES_MAX {
            let max = html::HTML_BYTES_MAX;
            warnings.add_limit(format!("The HTML is longer than {max} bytes: only its text is kept."));
            return None;
        }
        let numbers = files.iter().filter_map(|(file, _)| Some((file.content_id.as_deref()?, file.id.as_str())));
        let numbers: HashMap<&str, &str> = numbers.collect();
        let mut whole = String::with_capacity(bytes);
        for part in parts {
            let Some(text) = self.characters(part) else { continue };
            let text = self.flat.restored_text(text);
            if matches!(part.body, PartType::Html(_)) {
                html::sanitize(&text, &|id| numbers.get(id).map(|number| (*number).to_owned()), &mut whole);
            } else {
                whole.push_str("<div style=\"white-space:pre-wrap\">");
                html::escape_plain(&text, &mut whole);
                whole.push_str("</div>");
            }
        }
        whole.truncate(whole.trim_end().len());
        (!whole.is_empty()).then_some(whole)
    }

    /// The files, and the text that Outlook's envelope holds. The envelope's files stand in its place.
    fn files<'b>(&'b self, mail: &'b Message<'_>, warnings: &mut Warnings) -> (Vec<File<'b>>, Option<String>) {
        let (mut files, mut text): (Vec<File<'_>>, _) = (Vec::new(), None);
        for part in self.numbered(&mail.attachments) {
            if files.len() >= ATTACHMENTS_MAX {
                warn_of_more_files(warnings);
                break;
            }
            let bytes = self.decoded(part);
            if tnef::is_tnef(&bytes) {
                let unpacked = tnef::unpacked(&bytes, ATTACHMENTS_MAX - files.len());
                let said = unpacked.text.or_else(|| unpacked.html.as_deref().map(html_text::text));
                let is_unpacked = said.is_some() || !unpacked.files.is_empty();
                if unpacked.has_more {
                    warn_of_more_files(warnings);
                }
                text = text.or(said);
                for file in unpacked.files {
                    let kind = file.content_type.and_then(|kind| file_type::name(&kind, CONTENT_TYPE_BYTES_MAX));
                    let id = file.content_id.as_deref().and_then(content_id);
                    let given = Given { name: file.name, content_type: kind, content_id: id, inline: false };
                    files.push((attachment(files.len() + 1, given, file.bytes), Cow::Owned(file.bytes.to_vec())));
                }
                if is_unpacked {
                    continue;
                }
                warnings.add("A file of Outlook (winmail.dat) could not be unpacked.");
            }
            files.push((attachment(files.len() + 1, self.given(part), &bytes), bytes));
        }
        (files, text)
    }

    /// What a part says about the file that it is.
    fn given(&self, part: &MessagePart<'_>) -> Given {
        let disposition = part.content_disposition();
        let id = part.content_id().and_then(content_id);
        let is_shown = id.is_some()
            || matches!(part.body, PartType::InlineBinary(_))
            || disposition.is_some_and(mail_parser::ContentType::is_inline);
        Given {
            name: self.name(part),
            content_type: Some(self.content_type(part)),
            content_id: id,
            inline: is_shown && !disposition.is_some_and(mail_parser::ContentType::is_attachment),
        }
    }

    /// The file name, from header fields made readable where it is not.
    fn name(&self, part: &MessagePart<'_>) -> Option<String> {
        let given = part.attachment_name()?;
        let is_odd = given.contains("=?") || given.contains(char::REPLACEMENT_CHARACTER);
        let opened = self.flat.opened().filter(|_| is_odd);
        let raw = opened.and_then(|opened| opened.get(part.offset_header as usize..part.offset_body as usize));
        let again = raw.and_then(|raw| {
            let fields = header_text::readable(raw);
            let parsed = PARSER.parse_headers(&fields.bytes)?;
            parsed.parts.first()?.attachment_name().map(str::to_owned)
        });
        let name = again.map_or(Cow::Borrowed(given), Cow::Owned);
        Some(self.flat.restored_text(name).into_owned())
    }

    /// A file's bytes as the sender had them. The parser has turned text files into UTF-8, so they are decoded anew.
    fn decoded<'b>(&'b self, part: &'b MessagePart<'_>) -> Cow<'b, [u8]> {
        let raw = self.flat.bytes().get(part.offset_body as usize..part.offset_end as usize);
        let anew = match (&part.body, part.encoding, raw) {
            (PartType::Text(_) | PartType::Html(_), Encoding::None, Some(raw)) => Some(Cow::Borrowed(raw)),
            (PartType::Text(_) | PartType::Html(_), Encoding::Base64, Some(raw)) => base64_decode(raw).map(Cow::Owned),
            (PartType::Text(_) | PartType::Html(_), Encoding::QuotedPrintable, Some(raw)) => {
                quoted_printable_decode(raw).map(Cow::Owned)
            }
            _ => None,
        };
        let bytes = anew.unwrap_or(Cow::Borrowed(part.contents()));
        if part.encoding == Encoding::Base64 { bytes } else { self.flat.restored(bytes) }
    }

    /// The status parts of a report about a delivery (RFC 3464), decoded. None for every other mail.
    pub(super) fn statuses(&self) -> Vec<Cow<'_, [u8]>> {
        if !self.mail.as_ref().is_some_and(|mail| mail.is_content_type("multipart", "report")) {
            return Vec::new();
        }
        self.of_type(&["message/delivery-status", "message/global-delivery-status"])
    }

    /// What is attached of the message that a report is about: all of it, or its headers (RFC 6522, section 3).
    pub(super) fn originals(&self) -> Vec<Cow<'_, [u8]>> {
        self.of_type(&["message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers"])
    }

    fn of_type(&self, kinds: &[&str]) -> Vec<Cow<'_, [u8]>> {
        let parts = self.all().filter(|part| kinds.contains(&self.content_type(part).as_str()));
        parts.map(|part| self.decoded(part)).take(REPORT_PARTS_MAX).collect()
    }

    fn is_readable(&self, part: &MessagePart<'_>) -> bool {
        matches!(self.content_type(part).as_str(), "text/plain" | "text/html")
    }

    /// `type/subtype` in lower case; what a part without a type is (RFC 2045, section 5.2) where it says nothing.
    fn content_type(&self, part: &MessagePart<'_>) -> String {
        let given = part.content_type().and_then(|given| {
            let name =
                self.flat.restored_text(format!("{}/{}", given.ctype(), given.subtype()?).into()).to_ascii_lowercase();
            let right = !name.contains(char::is_whitespace) && name.len() <= CONTENT_TYPE_BYTES_MAX && name.is_ascii();
            (right && !name.contains(|c: char| c.is_control())).then_some(name)
        });
        given.unwrap_or_else(|| if part.is_text() { "text/plain" } else { "application/octet-stream" }.to_owned())
    }

    /// The text of a part that the parser counts as a file because its end or its boundary is missing: mail that was cut off
    /// or rebuilt by a careless program.
    fn broken_text<'b>(&self, part: &'b MessagePart<'_>) -> Option<Cow<'b, str>> {
        let (PartType::Text(_) | PartType::Binary(_)) = &part.body else { return None };
        let raw = part.contents();
        let is_file = part.content_disposition().is_some_and(mail_parser::ContentType::is_attachment);
        let kind = self.content_type(part);
        let is_closed = kind.starts_with("multipart/");
        if !(part.is_encoding_problem || is_closed) || is_file {
            return None;
        }
        let bytes = match part.content_transfer_encoding().map(str::to_ascii_lowercase).as_deref() {
            Some("base64") => base64_decode(raw)?,
            Some("quoted-printable") => quoted_printable_decode(raw)?,
            _ => raw.to_vec(),
        };
        let text = charset::decoded(&bytes, charset_of(part)).into_owned();
        match kind.as_str() {
            "text/html" => Some(html_text::text(&text).into()),
            plain if is_closed || plain == "text/plain" => Some(text.into()),
            _ => None,
        }
    }
}

fn charset_of<'a>(part: &'a MessagePart<'_>) -> Option<&'a str> {
    part.content_type().and_then(|kind| kind.attribute("charset")).map(str::trim).filter(|name| !name.is_empty())
}

/// How deep each part lies. Parts stand behind those that hold them.
fn depths(mail: &Message<'_>) -> Vec<usize> {
    let mut depths = vec![0; mail.parts.len()];
    for (at, part) in mail.parts.iter().enumerate() {
        let PartType::Multipart(inner) = &part.body else { continue };
        let depth = depths[at] + 1;
        for inner in inner.iter().map(|inner| *inner as usize) {
            if let Some(inner) = depths.get_mut(inner) {
                *inner = depth;
            }
        }
    }
    depths
}

/// The text cut to what is kept, with a warning for what is wrong with it.
fn limited(mut text: String, warnings: &mut Warnings) -> String {
    if charset::is_damaged(&text) {
        warnings.add("Some characters of the text could not be read.");
    }
    if text.len() > TEXT_BYTES_MAX {
        warnings.add_limit(format!("The text is longer than {TEXT_BYTES_MAX} bytes: the raw mail has the rest."));
        text.truncate(truncated(&text, TEXT_BYTES_MAX).len());
    }
    text
}

fn warn_of_more_files(warnings: &mut Warnings) {
    warnings.add_limit(format!("The mail has more than {ATTACHMENTS_MAX} files: the first are listed."));
}

fn joined<'a>(texts: impl Iterator<Item = Cow<'a, str>>) -> String {
    let texts = texts.map(|text| clean::text(start(&text))).filter(|text| !text.trim().is_empty());
    let mut joined = String::new();
    for text in texts {
        if joined.is_empty() {
            joined = text;
        } else if joined.len() <= 2 * TEXT_BYTES_MAX || has_files(&text) {
            joined.push_str("\n\n");
            joined.push_str(&text);
        }
    }
    joined
}

/// What of a text can be kept, and more, so that it is told that something is left out: a mail that is one text is not
/// copied several times as a whole.
fn start(text: &str) -> &str {
    if text.len() <= 2 * TEXT_BYTES_MAX || has_files(text) { text } else { truncated(text, 2 * TEXT_BYTES_MAX) }
}

fn has_files(text: &str) -> bool {
    memmem::find(text.as_bytes(), b"begin ").is_some()
}
