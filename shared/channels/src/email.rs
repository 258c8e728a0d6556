//! E-mail: reading what came (RFC 5322 and what programs make of it) and writing what goes out.
//!
//! Reading never fails on what a mail contains. Broken mail is normal, so every step takes the best reading and says in
//! a warning what it could not use; the raw mail is kept elsewhere and can be read again when the reading gets better.
//!
//! | question | file |
//! | --- | --- |
//! | which values are in the headers? | `headers`, after `header_text` made them readable |
//! | how much is read of header fields? | `fields` |
//! | how are attached mails kept closed? | `flat` |
//! | how much is taken apart? | `bounds` |
//! | what is the text, which files came along? | `parts`; `plain`, where it is one text |
//! | which characters do the bytes mean? | `charset` |
//! | what may be shown of HTML, and what does it say? | `html`, `html_style`; `html_text`; both read `html_tokens` |
//! | what is in a file that is no plain file? | `tnef`, `calendar`, `uuencode` |
//! | how is a file listed, what is it really? | `file`, `file_type` |
//! | what does a mail system report about a mail of ours? | `report` |
//! | who sent it, and what proves that? | `sender` |
//! | did a machine send it? | `automatic` |
//! | what of the text is new? | `reply_text` |
//! | how does an answer look on the wire? | `write` |

mod automatic;
mod bounds;
mod calendar;
mod charset;
mod clean;
mod fields;
mod file;
pub(crate) mod file_type;
mod flat;
mod header_text;
mod headers;
mod html;
mod html_style;
mod html_text;
mod html_tokens;
mod parts;
mod plain;
mod reply_text;
mod report;
mod sender;
mod tnef;
mod uuencode;
mod write;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use throughline_domain::channel::Channel;
use throughline_domain::config::{Inbox, Inboxes};
use throughline_domain::id::TicketId;
use throughline_domain::identifier::Identifier;
use throughline_domain::inbound::{Inbound, THREAD_KEYS_MAX};
use throughline_domain::ledger::{Fingerprint, LedgerKey};
use throughline_domain::message::{Attachment, Authentication, Direction, Message};
use throughline_domain::moment::Moment;

use self::automatic::Traits;
use self::clean::Warnings;
pub(crate) use self::clean::file_name;
pub use self::fields::{CONTENT_FIELD_BYTES_MAX, FIELD_BYTES_MAX, HEADERS_BYTES_MAX};
pub use self::file::FILE_NAME_BYTES_MAX;
use self::flat::Flat;
use self::headers::{Address, Headers};
use self::parts::Parts;
pub use self::parts::{ATTACHMENTS_MAX, NESTING_MAX, PARTS_MAX};
use self::reply_text::Known;
pub use self::sender::NAME_BYTES_MAX;
pub use self::write::{OutgoingMail, RECIPIENTS_WRITTEN_MAX, REFERENCES_WRITTEN_MAX, reply_subject, write};
use crate::reply_address;
use crate::secrets::ReplyKey;

/// Longest mail that is opened, in bytes: what SES takes (40 MB). Of a longer one, headers and the beginning are read.
pub const MAIL_BYTES_MAX: usize = 40 * 1024 * 1024;
/// Longest subject, in bytes; of what comes in, the raw mail has the rest.
pub const SUBJECT_BYTES_MAX: usize = 800;
/// Most addresses kept of To and of Cc each.
pub const RECIPIENTS_MAX: usize = 50;
/// Most other people who count as addressed.
pub const ADDRESSED_MAX: usize = 20;
/// Most ids kept of In-Reply-To and of References each; of more, the nearest.
pub const REFERENCES_MAX: usize = 50;

/// A mail as the receiving service hands it over.
#[derive(Clone, Debug)]
pub struct Delivery<'a> {
    /// The mail, as it came.
    pub raw: &'a [u8],
    /// Where it is kept.
    pub object_key: &'a str,
    /// When it was taken.
    pub received_at: Moment,
    /// Return path on the envelope. None: not known; empty or `<>`: the null sender.
    pub envelope_from: Option<&'a str>,
    /// Recipients on the envelope.
    pub recipients: &'a [String],
    /// The service's verdicts, if it gives any.
    pub authentication: Option<Authentication>,
}

/// The mail is not for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no recipient of the mail is one of our inboxes")]
pub struct NoInbox;

/// Reads a delivered mail: for the first of its recipients that is one of `inboxes`.
///
/// Where the envelope names no recipients, To and Cc stand in.
///
/// # Errors
///
/// [`NoInbox`] if no recipient is one of our inboxes. Nothing that the mail contains is an error.
pub fn read(delivery: &Delivery<'_>, inboxes: &Inboxes, reply_keys: &[ReplyKey]) -> Result<Inbound, NoInbox> {
    let mut warnings = Warnings::default();
    let mail = without_leading_blanks(delivery.raw);
    let readable = header_text::readable(mail);
    let headers = Headers::of_mail(&readable);
    if headers.are_cut() {
        warnings.add_limit(fields::warning());
    }
    let (to, cc) = (headers.addresses("to"), headers.addresses("cc"));
    let recipients = recipients(delivery, &to, &cc);
    let (inbox, envelope_to) = inbox(&recipients, inboxes).ok_or(NoInbox)?;

    let flat = Flat::of(mail);
    let parts = opened(&flat, &headers, &mut warnings);
    let reading = parts.read(&mut warnings);
    let statuses = parts.statuses();
    if statuses.iter().any(|status| status.len() > report::STATUS_BYTES_MAX) {
        warnings.add_limit(format!("Of a report, the first {} bytes are read.", report::STATUS_BYTES_MAX));
    }
    let authentication = delivery.authentication.as_ref();
    let found = sender::find(&headers, delivery.envelope_from, authentication, inboxes, &mut warnings);
    let message_id = own_id(&headers);
    let provider_message_id = name(message_id.clone(), delivery.raw);
    let key = LedgerKey::mail(&provider_message_id);

    let id = Inbound::message_id(delivery.received_at, &key, delivery.object_key);
    let mut message =
        Message::new(id, Channel::Email, inbox.id.clone(), Direction::Inbound, found.sender, delivery.received_at);
    message.envelope_to = Some(envelope_to.value().to_owned());
    message.to = texts(&to);
    message.cc = texts(&cc);
    message.reply_to = found.reply_to;
    message.subject = headers.line("subject", SUBJECT_BYTES_MAX);
    message.text = reading.text;
    message.html = reading.html;
    message.reply_text = reply_text::reply_text(
        &message.text,
        &Known {
            subject: message.subject.as_deref(),
            sender_name: message.sender.name.as_deref(),
            names_answered: Some(headers.has("in-reply-to") || headers.has("references")),
        },
    );
    message.attachments = reading.files.into_iter().map(|(file, _)| file).collect();
    message.in_reply_to = nearest(headers.ids("in-reply-to"));
    message.references = nearest(headers.ids("references"));
    message.automatic = automatic::automatic(&Traits {
        headers: &headers,
        envelope_from: delivery.envelope_from,
        report_actions: &report::actions(&statuses),
        from_us: found.from_us,
        own_message_id: message_id.as_deref().is_some_and(|id| is_ours(id, reply_keys)),
        is_own: &|address| inboxes.is_own(address),
    });
    message.report = report::report(&report::Traits {
        headers: &headers,
        statuses: &statuses,
        originals: &|| parts.originals(),
        text: &message.text,
    });
    message.authentication = delivery.authentication.clone();
    message.sent_at = headers.date();
    if message.sent_at.is_none() && headers.has("date") {
        warnings.add("The Date header is no date.");
    }
    message.raw_url = Some(delivery.object_key.to_owned());
    message.message_id = message_id;
    message.provider_message_id = provider_message_id;
    message.warnings = warnings.into_list();

    Ok(Inbound {
        fingerprint: Fingerprint::of(&message),
        claims: found.claims,
        signed_ticket: signed_ticket(&recipients, &to, &cc, &message, inboxes, reply_keys),
        thread: thread(&message),
        addressed: addressed(&to, &cc, &message.sender.value, inboxes),
        fields: Default::default(),
        score: None,
        handoff: false,
        late: false,
        message,
        key,
    })
}

/// The files of a raw mail with their decoded bytes: the same, with the same numbers, that [`read`] lists.
pub fn files(raw: &[u8]) -> Vec<(Attachment, Vec<u8>)> {
    let (mail, mut unheard) = (without_leading_blanks(raw), Warnings::default());
    let flat = Flat::of(mail);
    let fields = header_text::readable(mail);
    let headers = Headers::of_mail(&fields);
    let parts = opened(&flat, &headers, &mut unheard);
    let files = parts.read(&mut unheard).files;
    files.into_iter().map(|(file, bytes)| (file, bytes.into_owned())).collect()
}

/// The mail taken apart, where that can be done.
fn opened<'a>(flat: &'a Flat<'a>, headers: &Headers<'a>, warnings: &mut Warnings) -> Parts<'a> {
    if !headers.are_of_mail() {
        warnings.add("The mail has no headers: all of it is taken as text.");
    } else if flat.bytes().len() > MAIL_BYTES_MAX {
        warnings.add_limit(format!(
            "The mail is longer than {MAIL_BYTES_MAX} bytes: the text is the start of its raw form."
        ));
    } else {
        return Parts::of(flat, headers, warnings);
    }
    Parts::closed(flat)
}

/// The name that [`read`] gives a raw mail in the ledger, whatever else is in it.
pub fn ledger_key(raw: &[u8]) -> LedgerKey {
    let fields = header_text::readable(without_leading_blanks(raw));
    LedgerKey::mail(&name(own_id(&Headers::of_mail(&fields)), raw))
}

/// The addresses in To and Cc of a raw mail that belong to `inboxes`, in their order.
pub fn own_recipients(raw: &[u8], inboxes: &Inboxes) -> Vec<String> {
    let fields = header_text::readable(without_leading_blanks(raw));
    let headers = Headers::of_mail(&fields);
    let named = headers.addresses("to").into_iter().chain(headers.addresses("cc"));
    let own = named.map(|address| address.identifier).filter(|address| inboxes.is_own(address));
    own.map(|address| address.value().to_owned()).take(RECIPIENTS_MAX).collect()
}

fn own_id(headers: &Headers<'_>) -> Option<String> {
    headers.ids("message-id").into_iter().next()
}

/// A mail without an id of its own is named by its bytes, so that it is one message however often it is delivered.
fn name(own_id: Option<String>, raw: &[u8]) -> String {
    own_id.unwrap_or_else(|| name_by_content(raw))
}

/// Some programs put a blank line, a byte order mark or the first line of a mailbox file before the headers, which would
/// hide them.
fn without_leading_blanks(raw: &[u8]) -> &[u8] {
    const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
    let raw = raw.strip_prefix(BYTE_ORDER_MARK).unwrap_or(raw).trim_ascii_start();
    let rest = raw.strip_prefix(b"From ").or(raw.strip_prefix(b">From "));
    let is_mailbox = rest.is_some_and(|rest| !rest.starts_with(b":"));
    let line = raw.iter().position(|byte| *byte == b'\n').filter(|_| is_mailbox);
    line.map_or(raw, |end| raw[end + 1..].trim_ascii_start())
}

fn recipients(delivery: &Delivery<'_>, to: &[Address<'_>], cc: &[Address<'_>]) -> Vec<Identifier> {
    if delivery.recipients.is_empty() {
        return to.iter().chain(cc).map(|address| address.identifier.clone()).collect();
    }
    delivery.recipients.iter().filter_map(|text| Identifier::email(text).ok()).collect()
}

fn inbox<'a>(recipients: &[Identifier], inboxes: &'a Inboxes) -> Option<(&'a Inbox, Identifier)> {
    recipients.iter().find_map(|address| {
        let inbox = inboxes.by_address(address).filter(|inbox| inbox.channel == Channel::Email)?;
        Some((inbox, address.clone()))
    })
}

fn name_by_content(raw: &[u8]) -> String {
    format!("sha256-{}", HEXLOWER.encode(&Sha256::digest(raw)))
}

fn texts(addresses: &[Address<'_>]) -> Vec<String> {
    addresses.iter().take(RECIPIENTS_MAX).map(|address| address.text.to_owned()).collect()
}

/// The last ids, which are the nearest.
fn nearest(mut ids: Vec<String>) -> Vec<String> {
    ids.drain(..ids.len().saturating_sub(REFERENCES_MAX));
    ids
}

fn is_ours(id: &str, reply_keys: &[ReplyKey]) -> bool {
    reply_address::ticket_of_message_id(reply_keys, id).is_some()
}

/// The ids that the mail refers to, nearest first. A report also speaks of the message that it is about, and belongs where
/// that one is; what it refers to itself comes first.
fn referenced(message: &Message) -> impl Iterator<Item = &String> {
    let original = message
        .report
        .iter()
        .flat_map(|report| report.original_message_id.iter().chain(report.original_references.iter().rev()));
    message.in_reply_to.iter().chain(message.references.iter().rev()).chain(original)
}

/// The ticket that an address of ours among the recipients names, or else an id of ours among the references.
fn signed_ticket(
    recipients: &[Identifier],
    to: &[Address<'_>],
    cc: &[Address<'_>],
    message: &Message,
    inboxes: &Inboxes,
    reply_keys: &[ReplyKey],
) -> Option<TicketId> {
    let named = to.iter().chain(cc).map(|address| &address.identifier);
    let ticket =
        |address: &Identifier| reply_address::ticket(reply_keys, address.value()).filter(|_| inboxes.is_own(address));
    let mut addresses = recipients.iter().chain(named);
    addresses
        .find_map(ticket)
        .or_else(|| referenced(message).find_map(|id| reply_address::ticket_of_message_id(reply_keys, id)))
}

fn thread(message: &Message) -> Vec<LedgerKey> {
    let mut seen: Vec<&str> = vec![&message.provider_message_id];
    for id in referenced(message) {
        if seen.len() <= THREAD_KEYS_MAX && !seen.contains(&id.as_str()) {
            seen.push(id);
        }
    }
    seen[1..].iter().map(|id| LedgerKey::mail(id)).collect()
}

fn addressed(to: &[Address<'_>], cc: &[Address<'_>], sender: &str, inboxes: &Inboxes) -> Vec<Identifier> {
    let mut addressed: Vec<Identifier> = Vec::new();
    for other in to.iter().chain(cc).map(|address| &address.identifier) {
        let is_new = addressed.len() < ADDRESSED_MAX && other.value() != sender && !addressed.contains(other);
        if is_new && !inboxes.is_own(other) {
            addressed.push(other.clone());
        }
    }
    addressed
}

#[cfg(test)]
mod tests;
