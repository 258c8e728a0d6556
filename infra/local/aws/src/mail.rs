//! Outbound mail: SES's query protocol, `SendRawEmail` only. Nothing is delivered; the mail is kept to be looked at.

mod header;
mod sink;

use std::collections::BTreeMap;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_parser::{Address, MessageParser};

use crate::{query, reply};

pub use sink::{Mailbox, SentMail};

/// The operation that exists.
const SEND: &str = "SendRawEmail";
/// Largest mail in bytes (SES's limit for version 1 of its API).
const MAIL_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Most recipients of a mail (SES's limit).
const RECIPIENTS_MAX: usize = 50;
/// Beginning of the fields with recipients, which are numbered from 1.
const RECIPIENT_PREFIX: &str = "Destinations.member.";
/// Host of the message ids that SES gives in this region.
const MESSAGE_ID_HOST: &str = "local.amazonses.com";
const NAMESPACE: &str = "http://ses.amazonaws.com/doc/2010-12-01/";

/// An error as SES tells it.
struct Fault {
    status: u16,
    code: &'static str,
    message: String,
}

impl Fault {
    fn invalid(message: impl Into<String>) -> Self {
        Self { status: 400, code: "InvalidParameterValue", message: message.into() }
    }
}

/// The operation that a request asks for.
pub(crate) fn operation(body: &[u8]) -> String {
    let form = std::str::from_utf8(body).unwrap_or_default();
    query::field(form, "Action").unwrap_or_default().into_owned()
}

/// Performs an operation.
pub(crate) fn call(mailbox: &Mailbox, body: &[u8]) -> HttpResponse {
    let (status, body) = match perform(mailbox, body) {
        Ok(id) => (
            200,
            format!(
                "<SendRawEmailResponse xmlns=\"{NAMESPACE}\"><SendRawEmailResult><MessageId>{id}</MessageId>\
                 </SendRawEmailResult><ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata>\
                 </SendRawEmailResponse>"
            ),
        ),
        Err(Fault { status, code, message }) => {
            let (message, side) = (reply::xml(&message), if status < 500 { "Sender" } else { "Receiver" });
            let error = format!("<Type>{side}</Type><Code>{code}</Code><Message>{message}</Message>");
            (status, format!("<ErrorResponse xmlns=\"{NAMESPACE}\"><Error>{error}</Error></ErrorResponse>"))
        }
    };
    let mut response = reply::response(status, body);
    reply::set(&mut response, "content-type", "text/xml");
    response
}

fn perform(mailbox: &Mailbox, body: &[u8]) -> Result<String, Fault> {
    let form = std::str::from_utf8(body).map_err(|_| Fault::invalid("The request is not UTF-8"))?;
    let action = query::field(form, "Action").unwrap_or_default();
    if action != SEND {
        let message = format!("The action {action} is not supported here");
        return Err(Fault { status: 400, code: "InvalidAction", message });
    }
    let data = query::field(form, "RawMessage.Data").unwrap_or_default();
    if data.is_empty() {
        let message = "1 validation error detected: Value at 'rawMessage.data' failed to satisfy constraint: \
                       Member must not be null";
        return Err(Fault { status: 400, code: "ValidationError", message: message.to_owned() });
    }
    let raw = STANDARD.decode(data.as_bytes()).map_err(|_| Fault::invalid("RawMessage.Data is not base64"))?;
    if raw.len() > MAIL_BYTES_MAX {
        let message = format!("Message length is more than {MAIL_BYTES_MAX} bytes long: '{}'.", raw.len());
        return Err(Fault::invalid(message));
    }
    let source = query::field(form, "Source").unwrap_or_default().into_owned();
    let (source, recipients) = envelope(source, recipients(form), &raw)?;
    let id = mailbox.next_id();
    let raw = header::with_message_id(&raw, &format!("<{id}@{MESSAGE_ID_HOST}>"));
    mailbox.keep(id, source, recipients, raw).map_err(|error| Fault {
        status: 500,
        code: "InternalFailure",
        message: format!("The mail cannot be kept: {error}"),
    })
}

/// The recipients in a request, in the order of their numbers.
fn recipients(form: &str) -> Vec<String> {
    let numbered = query::fields(form).filter_map(|(name, value)| {
        let number: usize = name.strip_prefix(RECIPIENT_PREFIX)?.parse().ok()?;
        Some((number, query::decode(value).into_owned()))
    });
    numbered.collect::<BTreeMap<_, _>>().into_values().collect()
}

/// Sender and recipients; those that the request does not name are taken from the header of the mail.
fn envelope(source: String, recipients: Vec<String>, raw: &[u8]) -> Result<(String, Vec<String>), Fault> {
    let (mut source, mut recipients) = (source, recipients);
    if source.is_empty() || recipients.is_empty() {
        let mail = MessageParser::default().parse_headers(raw);
        let mail = mail.ok_or_else(|| Fault::invalid("Missing required header 'From'."))?;
        if source.is_empty() {
            source = addresses(mail.from()).next().ok_or_else(|| Fault::invalid("Missing required header 'From'."))?;
        }
        if recipients.is_empty() {
            let headers = [mail.to(), mail.cc(), mail.bcc()];
            recipients = headers.into_iter().flat_map(addresses).collect();
        }
    }
    match recipients.len() {
        0 => return Err(Fault::invalid("Missing required header 'To'.")),
        1..=RECIPIENTS_MAX => {}
        count => return Err(Fault::invalid(format!("Recipient count exceeds {RECIPIENTS_MAX}: {count}."))),
    }
    if let Some(address) = recipients.iter().chain([&source]).find(|address| !address.contains('@')) {
        return Err(Fault::invalid(format!("Missing final '@domain': {address}")));
    }
    Ok((source, recipients))
}

fn addresses<'a>(header: Option<&'a Address<'a>>) -> impl Iterator<Item = String> + 'a {
    header.into_iter().flat_map(Address::iter).filter_map(|address| address.address().map(str::to_owned))
}
