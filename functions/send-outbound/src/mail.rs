//! Sending by mail: through SES, once, with the send ledger for what happens in between.

use aws_sdk_ses::error::{DisplayErrorContext, SdkError};
use aws_sdk_ses::operation::send_raw_email::SendRawEmailError;
use aws_sdk_ses::primitives::Blob;
use aws_sdk_ses::types::RawMessage;
use throughline_channels::{email, reply_address};
use throughline_domain::config::Inbox;
use throughline_domain::event::ReplySent;
use throughline_domain::identifier::IdentifierKind;
use throughline_domain::identifier::Identifier;
use throughline_domain::work::SendReply;
use throughline_platform::{App, Failure};
use throughline_store::{SendRecord, SendState, StoredTicket};

use crate::Sent;

/// How long an attempt may take before nobody knows what became of it, in milliseconds: longer than the client's own
/// limit for the request.
const LEASE_MS: i64 = 30_000;
/// Attempts that a mail service which does not take the mail gets before the reply counts as failed.
const ATTEMPTS_MAX: u32 = 10;

/// Sends the reply, or says what became of an earlier attempt.
pub(crate) async fn send(
    app: &App,
    ticket: &StoredTicket,
    wanted: &SendReply,
    reply: &ReplySent,
) -> Result<Sent, Failure> {
    let now = app.clock.now();
    let before = app.store.send_record(wanted.ticket_id, wanted.event_id).await?;
    match &before {
        Some(record) if record.state == SendState::Attempting && now < record.lease_until => {
            return Err(Failure::Retry("an attempt is under way".to_owned()));
        }
        Some(record) if record.state != SendState::NotTaken => return Ok(outcome(app, record)),
        _ => {}
    }
    let config = app.config().await?;
    let inbox = config.inboxes.body.find(reply.message.channel, &reply.message.inbox);
    let Some(inbox) = inbox else {
        return Ok(Sent::Failed { reason: "its inbox does not exist any more".to_owned(), ambiguous: false });
    };
    let attempts = before.as_ref().map_or(0, |record| record.attempts) + 1;
    let attempting = SendRecord {
        state: SendState::Attempting,
        attempts,
        lease_until: now.plus_ms(LEASE_MS),
        provider_message_id: None,
        reason: None,
    };
    if !app.store.put_send_record(wanted.ticket_id, wanted.event_id, before.as_ref(), &attempting).await? {
        return Err(Failure::Retry("another attempt began at the same moment".to_owned()));
    }
    let answer = hand_over(app, inbox, ticket, wanted, reply).await;
    let mut after = attempting.clone();
    let retry = match answer {
        Ok(id) => {
            after.state = SendState::Sent;
            after.provider_message_id = Some(id);
            None
        }
        Err(refusal) => {
            after.reason = Some(refusal.reason.clone());
            after.state = match refusal.kind {
                RefusalKind::NotTaken if attempts < ATTEMPTS_MAX => SendState::NotTaken,
                RefusalKind::NotTaken | RefusalKind::Permanent => SendState::Failed,
                RefusalKind::Unknown => SendState::Ambiguous,
            };
            (after.state == SendState::NotTaken).then_some(refusal.reason)
        }
    };
    // If this is not written, the attempt stays open, and whoever comes after its lease finds it ambiguous.
    app.store.put_send_record(wanted.ticket_id, wanted.event_id, Some(&attempting), &after).await?;
    match retry {
        Some(reason) => Err(Failure::Retry(reason)),
        None => Ok(outcome(app, &after)),
    }
}

/// What a send ledger item says that became of the reply.
fn outcome(app: &App, record: &SendRecord) -> Sent {
    let reason = || record.reason.clone().unwrap_or_else(|| "the attempt broke off and may have succeeded".to_owned());
    match record.state {
        SendState::Sent => Sent::Taken {
            provider_message_id: record.provider_message_id.clone(),
            message_id: record.provider_message_id.as_deref().map(|id| format!("{id}@{}", ses_domain(app))),
        },
        SendState::Failed | SendState::NotTaken => Sent::Failed { reason: reason(), ambiguous: false },
        SendState::Ambiguous | SendState::Attempting => Sent::Failed { reason: reason(), ambiguous: true },
    }
}

/// The domain of the Message-IDs that SES gives:
/// <https://docs.aws.amazon.com/ses/latest/dg/header-fields.html>.
fn ses_domain(app: &App) -> String {
    match app.ses.config().region().map(AsRef::as_ref) {
        Some("us-east-1") | None => "email.amazonses.com".to_owned(),
        Some(region) => format!("{region}.amazonses.com"),
    }
}

/// Why the mail service did not take a mail.
struct Refusal {
    kind: RefusalKind,
    reason: String,
}

enum RefusalKind {
    /// Surely not taken: may be tried again.
    NotTaken,
    /// Never will be.
    Permanent,
    /// May have been taken.
    Unknown,
}

async fn hand_over(
    app: &App,
    inbox: &Inbox,
    ticket: &StoredTicket,
    wanted: &SendReply,
    reply: &ReplySent,
) -> Result<String, Refusal> {
    let permanent = |reason: &str| Refusal { kind: RefusalKind::Permanent, reason: reason.to_owned() };
    let message = &reply.message;
    let from = inbox.address.as_deref().ok_or_else(|| permanent("its inbox has no mail address"))?;
    let (to, cc) = (mail_addresses(&message.to), mail_addresses(&message.cc));
    let to_anybody: Vec<String> = to.iter().chain(&cc).cloned().collect();
    if to_anybody.is_empty() {
        return Err(permanent("it has no recipient with a mail address"));
    }
    let keys = &app.secrets.reply;
    let domain = from.rsplit_once('@').map_or(from, |(_, domain)| domain);
    let event = wanted.event_id.uuid().simple().to_string();
    let message_id = reply_address::message_id(keys, wanted.ticket_id, &event, domain);
    let reply_to = reply_address::address(keys, from, wanted.ticket_id);
    // SES replaces the Message-ID header, so our own id travels in References, too.
    let references: Vec<String> = message.in_reply_to.iter().cloned().chain([message_id.clone()]).collect();
    let subject = message.subject.clone().unwrap_or_else(|| email::reply_subject(&ticket.ticket.head.subject));
    let raw = email::write(&email::OutgoingMail {
        brand: &inbox.brand,
        from,
        to: &to,
        cc: &cc,
        subject: &subject,
        date: message.received_at,
        message_id: &message_id,
        in_reply_to: message.in_reply_to.first().map(String::as_str),
        references: &references,
        reply_to: reply_to.as_deref(),
        text: &message.text,
        html: message.html.as_deref(),
        automatic: !reply.human,
    });
    let raw = RawMessage::builder().data(Blob::new(raw)).build().map_err(|error| permanent(&error.to_string()))?;
    let request = app.ses.send_raw_email().source(from).set_destinations(Some(to_anybody)).raw_message(raw);
    let answer = request.send().await.map_err(|error| refusal(&error))?;
    Ok(answer.message_id)
}

/// The mail addresses among `kind:value` recipients.
fn mail_addresses(recipients: &[String]) -> Vec<String> {
    let known = recipients.iter().filter_map(|recipient| recipient.parse::<Identifier>().ok());
    known.filter(|id| id.kind() == IdentifierKind::Email).map(|id| id.value().to_owned()).collect()
}

fn refusal(error: &SdkError<SendRawEmailError>) -> Refusal {
    let reason = DisplayErrorContext(error).to_string();
    let kind = match error {
        // An answer of the service: it did not take the mail. What it says about the mail or the account is for good.
        SdkError::ServiceError(service) => match service.err() {
            SendRawEmailError::MessageRejected(_)
            | SendRawEmailError::MailFromDomainNotVerifiedException(_)
            | SendRawEmailError::ConfigurationSetDoesNotExistException(_) => RefusalKind::Permanent,
            _ => RefusalKind::NotTaken,
        },
        SdkError::ConstructionFailure(_) => RefusalKind::Permanent,
        // No answer, or half of one: it may have gone out.
        _ => RefusalKind::Unknown,
    };
    Refusal { kind, reason }
}
