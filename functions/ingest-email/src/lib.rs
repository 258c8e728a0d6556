//! Reads received mail: the notice says where the raw mail is, the raw mail becomes an inbound message. Each night it also
//! looks for mail whose notice was lost ([`Reconcile`]).

mod reconcile;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use throughline_channels::ses_event::SentMailEvent;
use throughline_channels::{email, ses_event, ses_notice};
use throughline_domain::channel::Channel;
use throughline_domain::identifier::Identifier;
use throughline_domain::inbound::Inbound;
use throughline_domain::ledger::LedgerKey;
use throughline_domain::message::Sender;
use throughline_domain::message_change::MessageChange;
use throughline_domain::work::Reconcile;
use throughline_platform::batch::{self, Done, Record, Stage};
use throughline_platform::config::Setting;
use throughline_platform::queues::{Queue, Send};
use throughline_platform::{App, Failure, files};
use tokio::time::Instant;

pub use reconcile::{IN_FLIGHT_MS, LOOKED_BACK_MS, PAGE_KEYS};

/// The settings that it needs.
pub const NEEDS: &[Setting] =
    &[Setting::Table, Setting::Bucket, Setting::MailQueue, Setting::InboundQueue, Setting::Secrets];

/// What the timeline says of a mail whose notice was rebuilt.
const FOUND_LATER: &str =
    "The notice of this mail was lost: it was found in the store of raw mail, and sent through later than it came.";

const STAGE: Stage = Stage { function: "ingest-email", queue: Some(Queue::Mail) };

/// Processes a batch of the `mail` queue or of its dead letters.
pub async fn handle(app: &App, event: SqsEvent, deadline: Instant) -> SqsBatchResponse {
    batch::run(app, STAGE, event, deadline, |record| ingest(app, record)).await
}

async fn ingest(app: &App, record: Record) -> Result<Done, Failure> {
    if let Ok(order) = serde_json::from_str::<Reconcile>(&record.body) {
        return reconcile::page(app, order.reconcile).await;
    }
    if let Some(event) = ses_event::read(&record.body) {
        return sent_mail(app, &event).await;
    }
    let notice = ses_notice::read(&record.body).map_err(|error| Failure::Quarantine(error.to_string()))?;
    let object_key = notice.receipt.action.object_key.as_str();
    let raw = app.blobs.get(object_key).await?;
    let raw = raw.ok_or_else(|| Failure::Quarantine(format!("the raw mail {object_key} is not there")))?;
    let config = app.config().await?;
    let verdicts = notice.receipt.authentication();
    // What comes out of quarantine was let through by somebody.
    let refused =
        verdicts.as_ref().filter(|_| !notice.late).and_then(|verdicts| config.inboxes.body.mail.refuses(verdicts));
    if let Some(reason) = refused {
        return Err(Failure::Quarantine(reason.to_owned()));
    }
    let delivery = email::Delivery {
        raw: &raw,
        object_key,
        received_at: notice.mail.timestamp,
        envelope_from: notice.mail.source.as_deref(),
        recipients: &notice.receipt.recipients,
        authentication: verdicts,
    };
    let keys = app.secrets.reply(app.clock.now()).await?;
    let mut inbound =
        email::read(&delivery, &config.inboxes.body, &keys).map_err(|error| Failure::Quarantine(error.to_string()))?;
    inbound.late = notice.late;
    if !inbound.message.attachments.is_empty() {
        files::store(&inbound.message.sender, email::files(&raw), &app.blobs).await?;
    }
    if notice.rebuilt {
        inbound.message.warnings.push(FOUND_LATER.to_owned());
    }
    let accepted = Some(inbound.message.channel);
    Ok(Done { sends: vec![Send::inbound(inbound)], accepted, ..Done::quietly("accepted") })
}

/// What became of a mail that we sent goes the way of everything that a channel reports on a message.
async fn sent_mail(app: &App, event: &SentMailEvent) -> Result<Done, Failure> {
    let config = app.config().await?;
    let source = Identifier::email(&event.source).ok();
    let inbox = source.and_then(|source| config.inboxes.body.by_address(&source).cloned());
    let inbox =
        inbox.ok_or_else(|| Failure::Quarantine("no inbox has the address that it was sent from".to_owned()))?;
    let of = LedgerKey::mail(&app.mail.message_id(&event.ses_id));
    let received_at = app.clock.now();
    let sends = event.recipients.iter().map(|(recipient, change)| {
        let key = LedgerKey::mail(&format!("ses:{}:{}:{}", event.ses_id, event.event, recipient.value()));
        let change = MessageChange {
            id: Inbound::message_id(event.at.unwrap_or(received_at), &key, ""),
            key,
            of: of.clone(),
            channel: Channel::Email,
            inbox: inbox.id.clone(),
            sender: Sender::proven(recipient),
            change: change.clone(),
            changed_at: event.at,
            received_at,
        };
        Send::change(Queue::Inbound, change)
    });
    Ok(Done { sends: sends.collect(), ..Done::quietly("sent_mail_event") })
}
