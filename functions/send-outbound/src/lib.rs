//! Sends replies on the customer's channel, and puts on the ticket what became of them.

mod attachments;
mod mail;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use throughline_domain::channel::Channel;
use throughline_domain::event::{Actor, Changes, Event, EventData, MessageDelivered, MessageFailed, ReplySent};
use throughline_domain::ledger::{LedgerEntry, LedgerKey, LedgerState};
use throughline_domain::work::{SendReply, Work};
use throughline_platform::batch::{self, Done, Record, Stage};
use throughline_platform::config::Setting;
use throughline_platform::queues::Queue;
use throughline_platform::recording::{self, Draft, deciding};
use throughline_platform::{App, Failure, bodies, message_changes};
use throughline_store::{CommitError, LedgerWrite, Lost, Mention, StoredTicket, TicketChange};
use tokio::time::Instant;

/// The settings that it needs.
pub const NEEDS: &[Setting] = &[Setting::Table, Setting::Bucket, Setting::Secrets];

const STAGE: Stage = Stage { function: "send-outbound", queue: Some(Queue::Outbound) };

/// Processes a batch of the `outbound` queue or of its dead letters.
pub async fn handle(app: &App, event: SqsEvent, deadline: Instant) -> SqsBatchResponse {
    batch::run(app, STAGE, event, deadline, |record| send(app, record)).await
}

/// What became of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Sent {
    /// The channel took it.
    Taken {
        /// The provider's id for it.
        provider_message_id: Option<String>,
        /// The Message-ID under which it travels, for mail.
        message_id: Option<String>,
    },
    /// The channel will never take it, or nobody knows whether it did.
    Failed {
        /// Why.
        reason: String,
        /// It may have gone out.
        ambiguous: bool,
    },
}

async fn send(app: &App, record: Record) -> Result<Done, Failure> {
    let wanted = match batch::decode(app, &record.body).await? {
        Work::Send(wanted) => wanted,
        Work::StoreAttachments(wanted) => {
            return Ok(Done::quietly(attachments::store(app, &wanted, record.receives).await?));
        }
        _ => return Err(Failure::Quarantine("it is work for another queue".to_owned())),
    };
    let ticket = app.store.ticket(wanted.ticket_id).await?;
    let ticket = ticket.ok_or_else(|| Failure::Quarantine("there is no such ticket".to_owned()))?;
    if !is_unsent(&ticket, &wanted) {
        return Ok(Done::quietly("sent_before"));
    }
    let commit = app.store.read_commit(wanted.ticket_id, wanted.sequence).await?;
    let mut commit = commit.ok_or_else(|| Failure::Quarantine("there is no such commit".to_owned()))?;
    bodies::restore(&mut commit, &app.blobs).await?;
    let reply = commit.events.into_iter().find(|event| event.id == wanted.event_id);
    let Some(Event { data: EventData::ReplySent(reply), .. }) = reply else {
        return Err(Failure::Quarantine("the event is no reply".to_owned()));
    };
    let sent = match reply.message.channel {
        // It may be on its way from an attempt before its customer was erased.
        _ if reply.message.erased => {
            let ambiguous = app.store.send_record(wanted.ticket_id, wanted.event_id).await?.is_some();
            Sent::Failed { reason: "its customer was erased".to_owned(), ambiguous }
        }
        Channel::Email => mail::send(app, &ticket, &wanted, &reply).await?,
        // The visitor's next look at the conversation shows it: it is there as soon as it is on the ticket.
        Channel::WebChat => Sent::Taken { provider_message_id: None, message_id: None },
        other => Sent::Failed { reason: format!("there is no way out on {other} yet"), ambiguous: false },
    };
    let outcome = match &sent {
        Sent::Taken { .. } => "sent",
        Sent::Failed { ambiguous: true, .. } => "ambiguous",
        Sent::Failed { .. } => "failed_for_good",
    };
    deciding(app, |_| record_outcome(app, &wanted, &reply, &sent)).await?;
    Ok(Done::quietly(outcome))
}

fn is_unsent(ticket: &StoredTicket, wanted: &SendReply) -> bool {
    ticket.ticket.head.unsent.iter().any(|unsent| unsent.sequence == wanted.sequence)
}

/// Puts on the ticket what became of the reply, and the id under which it travels into the ledger: an answer to it finds
/// its ticket by that.
async fn record_outcome(app: &App, wanted: &SendReply, reply: &ReplySent, sent: &Sent) -> Result<(), Failure> {
    let ticket = app.store.ticket(wanted.ticket_id).await?;
    let ticket = ticket.ok_or_else(|| Failure::Quarantine("there is no such ticket".to_owned()))?;
    if !is_unsent(&ticket, wanted) {
        return Ok(());
    }
    let (event_id, sequence, channel) = (wanted.event_id, wanted.sequence, reply.message.channel);
    let mut name = None;
    let data = match sent {
        Sent::Taken { provider_message_id, message_id } => {
            name = message_id.as_deref().map(LedgerKey::mail);
            let provider_message_id = provider_message_id.clone();
            let state = None;
            EventData::MessageDelivered(MessageDelivered { event_id, sequence, channel, provider_message_id, state })
        }
        Sent::Failed { reason, ambiguous } => {
            let (reason, ambiguous) = (reason.clone(), *ambiguous);
            EventData::MessageFailed(MessageFailed { event_id, sequence, channel, reason, ambiguous })
        }
    };
    let known = match &name {
        Some(name) => app.store.message(name).await?,
        None => None,
    };
    let parked = known.as_ref().map(|known| known.parked.clone()).unwrap_or_default();
    let mut changes = Changes::new();
    changes.push(Actor::System, data);
    let draft = Draft::of(ticket, changes, app.clock.now());
    let indexed = |write: &mut TicketChange| {
        // Known already is a name that came back before we learned it: in an answer, or in a report on the delivery.
        let name = name.filter(|_| known.as_ref().is_none_or(|known| known.state == LedgerState::Seen));
        let mut entry = LedgerEntry::new(LedgerState::Seen, write.commit.at);
        entry.ticket_id = Some(wanted.ticket_id);
        entry.event_id = Some(event_id);
        entry.sequence = Some(sequence);
        entry.parked.clone_from(&parked);
        write.ledger = name.map(|key| LedgerWrite { key, entry, mention: Mention::Ignored });
    };
    match recording::commit(app, draft, indexed).await {
        Ok(_) => message_changes::apply_parked(app, STAGE.function, &parked).await,
        Err(CommitError::Lost(Lost::Ledger(_))) => Err(Failure::Conflict("its name became known meanwhile".to_owned())),
        Err(error) => Err(error.into()),
    }
}
