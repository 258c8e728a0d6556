//! Files that a message's channel still holds: had from there, stored here, and told on the ticket, once.

use throughline_channels::media::{self, Holder, NotFetched, Step};
use throughline_channels::secrets::InboxSecrets;
use throughline_domain::event::{Actor, AttachmentFailed, AttachmentsStored, Changes, EventData};
use throughline_domain::ledger::{LedgerEntry, LedgerKey, LedgerState};
use throughline_domain::message::{Attachment, Message};
use throughline_domain::work::StoreAttachments;
use throughline_platform::fetch::{FetchError, Fetched};
use throughline_platform::recording::{self, Draft, deciding};
use throughline_platform::{App, Failure, files};
use throughline_store::{CommitError, LedgerWrite, Lost, Mention};

/// Receives after which a file that still cannot be had counts as lost: with the waits between them, most of a day.
const RECEIVES_MAX: u32 = 100;
/// The same for one that is refused: with the waits between them, about a quarter of an hour.
const REFUSALS_MAX: u32 = 5;

/// Stores the files of a message. Those that may be had later are tried again with all others: what is stored is stored
/// again under the same name.
pub(crate) async fn store(app: &App, wanted: &StoreAttachments, receives: u32) -> Result<&'static str, Failure> {
    let key = LedgerKey::attachments(wanted.event_id);
    if app.store.message(&key).await?.is_some() {
        return Ok("stored_before");
    }
    let gone = || Failure::Quarantine("there is no such message".to_owned());
    let commit = app.store.read_commit(wanted.ticket_id, wanted.sequence).await?.ok_or_else(gone)?;
    let event = commit.events.into_iter().find(|event| event.id == wanted.event_id).ok_or_else(gone)?;
    let EventData::MessageReceived(received) = event.data else { return Err(gone()) };
    let message = received.message;
    let secrets = app.secrets.inbox(&message.inbox, app.clock.now()).await?;
    let config = app.config().await?;
    let holder = Holder::of(message.channel, config.inboxes.body.find(message.channel, &message.inbox));
    let (mut stored, mut failed) = (Vec::new(), Vec::new());
    for file in message.attachments.iter().filter(|file| file.held_by_channel.is_some()) {
        match one(app, &message, file, holder, &secrets).await {
            Ok(file) => stored.push(file),
            Err(FetchError::Passing(reason)) if receives < RECEIVES_MAX => return Err(Failure::Retry(reason)),
            Err(FetchError::Refused(reason)) if receives < REFUSALS_MAX => return Err(Failure::Retry(reason)),
            Err(error) => failed.push(AttachmentFailed { id: file.id.clone(), reason: error.to_string() }),
        }
    }
    deciding(app, |_| tell(app, wanted, &key, &message, &stored, &failed)).await?;
    Ok("attachments_stored")
}

async fn one(
    app: &App,
    message: &Message,
    file: &Attachment,
    holder: Holder<'_>,
    secrets: &InboxSecrets,
) -> Result<Attachment, FetchError> {
    let held = file.held_by_channel.as_deref().unwrap_or_default();
    let Fetched { content_type, bytes } = fetched(app, holder, held, secrets).await?;
    let described = media::described(file, content_type.as_deref(), &bytes);
    media::check_content(file, &described)?;
    let put = files::store(&message.sender, vec![(described.clone(), bytes.to_vec())], &app.blobs).await;
    put.map_err(|failure| FetchError::Passing(failure.to_string()))?;
    Ok(described)
}

async fn fetched(app: &App, holder: Holder<'_>, held: &str, secrets: &InboxSecrets) -> Result<Fetched, FetchError> {
    let get = match media::start(holder, held, secrets)? {
        Step::File(get) => get,
        Step::LookUp(get) => {
            let answer = app.fetcher.get(holder, &get).await?;
            let answer = serde_json::from_slice(&answer.bytes).map_err(|_| NotFetched::NotSaid)?;
            media::found(holder, &answer, secrets)?
        }
    };
    app.fetcher.get(holder, &get).await
}

async fn tell(
    app: &App,
    wanted: &StoreAttachments,
    key: &LedgerKey,
    message: &Message,
    stored: &[Attachment],
    failed: &[AttachmentFailed],
) -> Result<(), Failure> {
    let ticket = app.store.ticket(wanted.ticket_id).await?;
    let ticket = ticket.ok_or_else(|| Failure::Quarantine("there is no such ticket".to_owned()))?;
    let mut changes = Changes::new();
    let told = AttachmentsStored {
        event_id: wanted.event_id,
        sequence: wanted.sequence,
        sender: message.sender.clone(),
        attachments: stored.to_vec(),
        failed: failed.to_vec(),
    };
    changes.push(Actor::System, EventData::AttachmentsStored(Box::new(told)));
    let draft = Draft::of(ticket, changes, app.clock.now());
    let once = |write: &mut throughline_store::TicketChange| {
        let mut entry = LedgerEntry::new(LedgerState::Recorded, write.commit.at);
        entry.ticket_id = Some(wanted.ticket_id);
        entry.sequence = Some(write.commit.sequence);
        write.ledger = Some(LedgerWrite { key: key.clone(), entry, mention: Mention::Ignored });
    };
    match recording::commit(app, draft, once).await {
        Ok(_) | Err(CommitError::Lost(Lost::Ledger(_))) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
