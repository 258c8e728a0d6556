//! Sending by mail: once, with the send ledger for what happens in between.

use std::collections::BTreeSet;

use throughline_channels::secrets::ReplyKey;
use throughline_channels::{email, reply_address};
use throughline_domain::config::Inbox;
use throughline_domain::event::ReplySent;
use throughline_domain::identifier::{Identifier, IdentifierKind};
use throughline_domain::suppression::Suppression;
use throughline_domain::work::SendReply;
use throughline_platform::mail::NotSent;
use throughline_platform::{App, Failure};
use throughline_store::{SendRecord, SendState, StoredTicket};

use crate::Sent;

/// How long an attempt may take before nobody knows what became of it, in milliseconds: longer than the client's own
/// limit for the request.
const LEASE_MS: i64 = 30_000;
/// Attempts that a mail service which does not take the mail gets before the reply counts as failed: with the waits
/// between them, most of a day.
const ATTEMPTS_MAX: u32 = 100;

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
    let recipients = match reachable(app, reply).await? {
        Ok(recipients) => recipients,
        Err(reason) => return Ok(Sent::Failed { reason, ambiguous: false }),
    };
    let keys = app.secrets.reply(now).await?;
    let attempts = before.as_ref().map_or(0, |record| record.attempts) + 1;
    let attempting = SendRecord {
        state: SendState::Attempting,
        attempts,
        attempt: app.randomness.uuid().simple().to_string(),
        lease_until: now.plus_ms(LEASE_MS),
        provider_message_id: None,
        reason: None,
    };
    if !app.store.put_send_record(wanted.ticket_id, wanted.event_id, before.as_ref(), &attempting).await? {
        // Somebody else's attempt, or this one's own, written by a request whose answer was lost.
        let written = app.store.send_record(wanted.ticket_id, wanted.event_id).await?;
        if written.is_none_or(|written| written.attempt != attempting.attempt) {
            return Err(Failure::Retry("another attempt began at the same moment".to_owned()));
        }
    }
    let answer = hand_over(app, &keys, inbox, ticket, wanted, reply, &recipients).await;
    let mut after = attempting.clone();
    let retry = match answer {
        Ok(id) => {
            after.state = SendState::Sent;
            after.provider_message_id = Some(id);
            None
        }
        Err(not_sent) => {
            after.reason = Some(not_sent.to_string());
            after.state = match not_sent {
                NotSent::NotTaken(_) if attempts < ATTEMPTS_MAX => SendState::NotTaken,
                NotSent::NotTaken(_) | NotSent::Permanent(_) => SendState::Failed,
                NotSent::Unknown(_) => SendState::Ambiguous,
            };
            after.reason.clone().filter(|_| after.state == SendState::NotTaken)
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
            message_id: record.provider_message_id.as_deref().map(|id| app.mail.message_id(id)),
        },
        SendState::Failed | SendState::NotTaken => Sent::Failed { reason: reason(), ambiguous: false },
        SendState::Ambiguous | SendState::Attempting => Sent::Failed { reason: reason(), ambiguous: true },
    }
}

async fn hand_over(
    app: &App,
    keys: &[ReplyKey],
    inbox: &Inbox,
    ticket: &StoredTicket,
    wanted: &SendReply,
    reply: &ReplySent,
    Recipients { to, cc }: &Recipients,
) -> Result<String, NotSent> {
    let permanent = |reason: &str| NotSent::Permanent(reason.to_owned());
    let message = &reply.message;
    let from = inbox.address.as_deref().ok_or_else(|| permanent("its inbox has no mail address"))?;
    let to_anybody: Vec<String> = to.iter().chain(cc).cloned().collect();
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
        to,
        cc,
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
    app.mail.send(from, to_anybody, raw).await
}

/// To whom a mail goes.
struct Recipients {
    to: Vec<String>,
    cc: Vec<String>,
}

/// The mail addresses among the reply's recipients to which something may be sent; or why there is none.
async fn reachable(app: &App, reply: &ReplySent) -> Result<Result<Recipients, String>, Failure> {
    let mail = |recipients: &[String]| -> Vec<Identifier> {
        let known = recipients.iter().filter_map(|recipient| recipient.parse::<Identifier>().ok());
        known.filter(|id| id.kind() == IdentifierKind::Email).collect()
    };
    let (to, cc) = (mail(&reply.message.to), mail(&reply.message.cc));
    let names: BTreeSet<Identifier> = to.iter().chain(&cc).cloned().collect();
    if names.is_empty() {
        return Ok(Err("it has no recipient with a mail address".to_owned()));
    }
    let names: Vec<Identifier> = names.into_iter().collect();
    let found = app.store.suppressions(&names).await?;
    let held = names.iter().zip(found).filter_map(|(name, found)| Some((name, found.filter(Suppression::holds)?)));
    let held: Vec<(&Identifier, Suppression)> = held.collect();
    if held.len() == names.len() {
        let reasons: Vec<String> = held.iter().map(|(name, why)| format!("{} {why}", name.value())).collect();
        return Ok(Err(format!("nothing is sent there: {}", reasons.join("; "))));
    }
    let left = |list: Vec<Identifier>| {
        let left = list.into_iter().filter(|name| !held.iter().any(|(held, _)| *held == name));
        left.map(|name| name.value().to_owned()).collect()
    };
    Ok(Ok(Recipients { to: left(to), cc: left(cc) }))
}
