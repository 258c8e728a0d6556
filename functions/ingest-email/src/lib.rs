//! Reads received mail: the notice says where the raw mail is, the raw mail becomes an inbound message.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use throughline_channels::{email, ses_notice};
use throughline_platform::batch::{self, Done, Record, Stage};
use throughline_platform::config::Setting;
use throughline_platform::queues::{Queue, Send};
use throughline_platform::{App, Failure};
use tokio::time::Instant;

/// The settings that it needs.
pub const NEEDS: &[Setting] = &[Setting::Table, Setting::Bucket, Setting::InboundQueue, Setting::Secrets];

const STAGE: Stage = Stage { function: "ingest-email", queue: Some(Queue::Mail) };

/// Processes a batch of the `mail` queue or of its dead letters.
pub async fn handle(app: &App, event: SqsEvent, deadline: Instant) -> SqsBatchResponse {
    batch::run(app, STAGE, event, deadline, |record| ingest(app, record)).await
}

async fn ingest(app: &App, record: Record) -> Result<Done, Failure> {
    let notice = ses_notice::read(&record.body).map_err(|error| Failure::Quarantine(error.to_string()))?;
    let object_key = notice.receipt.action.object_key.as_str();
    let raw = app.blobs.get(object_key).await?;
    let raw = raw.ok_or_else(|| Failure::Quarantine(format!("the raw mail {object_key} is not there")))?;
    let config = app.config().await?;
    let delivery = email::Delivery {
        raw: &raw,
        object_key,
        received_at: notice.mail.timestamp,
        envelope_from: Some(&notice.mail.source),
        recipients: &notice.receipt.recipients,
        authentication: notice.receipt.authentication(),
    };
    let keys = app.secrets.reply(app.clock.now()).await?;
    let mut inbound =
        email::read(&delivery, &config.inboxes.body, &keys).map_err(|error| Failure::Quarantine(error.to_string()))?;
    inbound.late = notice.late;
    Ok(Done { sends: vec![Send::inbound(inbound)], outcome: "accepted" })
}
