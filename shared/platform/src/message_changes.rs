//! Changes of messages: onto the ticket of the message that they are about, or parked until it comes.

use throughline_domain::event::EventData;
use throughline_domain::identifier::Identifier;
use throughline_domain::ledger::{LedgerEntry, LedgerState};
use throughline_domain::message_change::{self, Changed, MessageChange, NotApplied};
use throughline_domain::suppression::Suppression;
use throughline_domain::work::Work;
use throughline_store::{CommitError, LedgerWrite, Lost, Mention};

use crate::app::App;
use crate::batch::{Taken, put_in_quarantine};
use crate::bodies;
use crate::error::Failure;
use crate::queues::Queue;
use crate::recording::{self, Draft, deciding};

/// Puts a change on the ticket of its message, once; or parks it if the message is not recorded yet. Says how it ended.
///
/// # Errors
/// [`Failure::Quarantine`] when it is not for that message, or too many wait for it.
pub async fn apply(app: &App, change: &MessageChange) -> Result<&'static str, Failure> {
    deciding(app, |_| attempt(app, change)).await
}

/// The same for all that waited for a message that is recorded now, in the order in which they came. What turns out not to
/// be for it goes into quarantine.
///
/// # Errors
/// [`Failure::Retry`] and [`Failure::Conflict`]: then it is to be done again from the beginning, which does nothing twice.
pub async fn apply_parked(app: &App, function: &'static str, parked: &[MessageChange]) -> Result<(), Failure> {
    for change in parked {
        let reason = match apply(app, change).await {
            Ok(_) => continue,
            Err(Failure::Quarantine(reason)) => reason,
            Err(failure) => return Err(failure),
        };
        let work = Work::Change(Box::new(change.clone()));
        let raw = serde_json::to_vec(&work).map_err(|error| Failure::Retry(error.to_string()))?;
        let taken = Taken {
            function,
            queue: Some(Queue::Identified),
            group: &change.group(),
            name: &change.id.to_string(),
            at: change.received_at,
            message: Some(change.key.clone()),
            reason: &reason,
        };
        put_in_quarantine(app, taken, raw).await?;
    }
    Ok(())
}

async fn attempt(app: &App, change: &MessageChange) -> Result<&'static str, Failure> {
    let mut entries = app.store.messages(&[change.of.clone(), change.key.clone()]).await?.into_iter();
    let (message, own) = (entries.next().flatten(), entries.next().flatten());
    if own.is_some_and(|own| own.state == LedgerState::Recorded) {
        return Ok("duplicate");
    }
    let recorded = message.as_ref().and_then(|entry| Some((entry.ticket_id?, entry.sequence?, entry.event_id?)));
    let Some((ticket_id, sequence, event_id)) = recorded else {
        return park(app, change, message.as_ref()).await;
    };
    let gone = || Failure::Quarantine("the message that it is about is not where the ledger says".to_owned());
    let commit = app.store.read_commit(ticket_id, sequence).await?.ok_or_else(gone)?;
    let original = commit.events.iter().find(|event| event.id == event_id).ok_or_else(gone)?;
    let mut changes = match message_change::decide(change, original, sequence) {
        Ok(changes) => changes,
        Err(NotApplied::NothingNew) => return Ok("nothing_new"),
        Err(refused) => return Err(Failure::Quarantine(refused.to_string())),
    };
    suppress(app, change).await?;
    if let Some(message) = changes.edited_message() {
        bodies::store(message, &app.blobs).await?;
    }
    let ticket = app.store.ticket(ticket_id).await?.ok_or_else(gone)?;
    // What came in can be moved. If it is still here now, a move that comes meanwhile changes the ticket as it was read.
    if matches!(original.data, EventData::MessageReceived(_)) {
        let now = app.store.message(&change.of).await?;
        if now.and_then(|entry| entry.event_id) != Some(event_id) {
            return Err(Failure::Conflict("the message was moved meanwhile".to_owned()));
        }
    }
    let draft = Draft::of(ticket, changes, app.clock.now());
    let written = recording::commit(app, draft, |write| {
        let mut entry = LedgerEntry::new(LedgerState::Recorded, write.commit.at);
        entry.ticket_id = Some(ticket_id);
        entry.sequence = Some(write.commit.sequence);
        entry.event_id = write.commit.events.first().map(|event| event.id);
        entry.message_id = Some(change.id);
        write.ledger = Some(LedgerWrite { key: change.key.clone(), entry, mention: Mention::Ignored });
    });
    match written.await {
        Ok(_) => Ok("changed"),
        Err(CommitError::Lost(Lost::Ledger(_))) => Err(Failure::Conflict("the change is recorded already".to_owned())),
        Err(error) => Err(error.into()),
    }
}

async fn park(app: &App, change: &MessageChange, message: Option<&LedgerEntry>) -> Result<&'static str, Failure> {
    if message.is_some_and(|entry| entry.parked.iter().any(|parked| parked.key == change.key)) {
        return Ok("parked");
    }
    if change.text().is_some_and(|text| text.len() > message_change::PARKED_TEXT_BYTES_MAX) {
        return Err(Failure::Quarantine("an edit as long as this cannot wait for its message".to_owned()));
    }
    if message.is_some_and(|entry| entry.parked.len() >= message_change::PARKED_MAX) {
        return Err(Failure::Quarantine("too many changes wait for its message".to_owned()));
    }
    if app.store.park(change).await? {
        return Ok("parked");
    }
    Err(Failure::Conflict("its message came meanwhile".to_owned()))
}

/// Nothing more is sent to a name for which a report on what we sent there says so.
async fn suppress(app: &App, change: &MessageChange) -> Result<(), Failure> {
    let Changed::Reported { suppress: Some(kind), reason, .. } = &change.change else {
        return Ok(());
    };
    let name = format!("{}:{}", change.sender.kind, change.sender.value);
    if let Ok(identifier) = name.parse::<Identifier>() {
        let reason = reason.clone().unwrap_or_default();
        let suppression = Suppression::new(*kind, &reason, change.received_at);
        app.store.suppress(&identifier, &suppression).await?;
    }
    Ok(())
}
