//! Takes what channels post: verifies who sent it over the raw bytes, passes it on as inbound messages, and answers only
//! when they are durable. What is rightly signed and not understood is acknowledged and quarantined.

mod conversation;
mod cors;
mod media_type;
mod portal;
mod provider;
mod uploads;
mod web_chat;
mod webhook;
mod widget;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use throughline_channels::malformed::Malformed;
use throughline_channels::secrets::InboxSecrets;
use throughline_domain::channel::Channel;
use throughline_domain::config::{Config, Inbox};
use throughline_domain::id::InboxId;
use throughline_domain::inbound::Inbound;
use throughline_domain::ledger::{LedgerKey, LedgerState};
use throughline_domain::message_change::Changed;
use throughline_domain::moment::Moment;
use throughline_domain::work::Work;
use throughline_platform::App;
use throughline_platform::batch::{Taken, put_in_quarantine};
use throughline_platform::config::Setting;
use throughline_platform::http::finish;
use throughline_platform::problem::{Fault, Problem};
use throughline_platform::queues::Send;
use throughline_platform::telemetry::Dimension;

pub use widget::script as widget_script;

/// The settings that it needs.
pub const NEEDS: &[Setting] = &[Setting::Table, Setting::Bucket, Setting::InboundQueue, Setting::Secrets];

const FUNCTION: &str = "ingest-webhook";

/// The routes of the channels.
pub fn router(app: App) -> Router {
    let from_pages = Router::new()
        .route("/v1/channels/web_chat/{inbox}/sessions", post(web_chat::open_session).options(cors::preflight))
        .route("/v1/channels/web_chat/{inbox}/messages", get(web_chat::messages).options(cors::preflight))
        .route("/v1/channels/web_chat/{inbox}/uploads", post(uploads::of_chat).options(cors::preflight))
        .route("/v1/channels/web_chat/{inbox}", post(web_chat::post_message).options(cors::preflight))
        .route("/v1/channels/portal/{inbox}", post(portal::submit).options(cors::preflight))
        .route("/v1/channels/portal/{inbox}/uploads", post(uploads::of_portal).options(cors::preflight))
        .layer(from_fn_with_state(app.clone(), cors::allow));
    let routes = from_pages
        .route("/v1/channels/web_chat/{inbox}/widget.js", get(widget::of_inbox))
        .route("/v1/channels/webhook/{inbox}", post(webhook::post_message))
        .route("/v1/channels/{channel}/{inbox}", get(provider::ask).post(provider::post))
        .with_state(app);
    finish(routes, FUNCTION)
}

/// The inbox that a request addresses, with its secrets.
struct Door {
    config: Arc<Config>,
    channel: Channel,
    id: InboxId,
    secrets: InboxSecrets,
}

impl Door {
    async fn find(app: &App, channel: Channel, name: &str) -> Result<Self, Problem> {
        let unknown = || Problem::not_found("there is no such inbox on this channel");
        let id: InboxId = name.parse().map_err(|_| unknown())?;
        let config = app.config().await?;
        config.inboxes.body.find(channel, &id).ok_or_else(unknown)?;
        let secrets = app.secrets.inbox(&id, app.clock.now()).await?;
        Ok(Self { config, channel, id, secrets })
    }

    fn inbox(&self) -> Result<&Inbox, Problem> {
        let found = self.config.inboxes.body.find(self.channel, &self.id);
        found.ok_or_else(|| Problem::not_found("there is no such inbox on this channel"))
    }
}

/// What a sender is told when all is well.
type Accepted = (StatusCode, Json<Value>);

/// Passes a message on; it is durable once this returns.
async fn accept(app: &App, door: &Door, inbound: Inbound) -> Result<Accepted, Problem> {
    let message_id = inbound.message.id;
    pass_on(app, door, vec![Send::inbound(inbound)], app.clock.now()).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({"message_id": message_id}))))
}

/// Passes on what a request brought, in order; all of it is durable once this returns. What is over its sender's or the
/// inbox's budget goes into quarantine, ready to be sent through.
async fn pass_on(app: &App, door: &Door, sends: Vec<Send>, now: Moment) -> Result<(), Problem> {
    let mut passed = Vec::with_capacity(sends.len());
    let mut accepted: BTreeMap<Channel, u32> = BTreeMap::new();
    for send in sends {
        if let Some((inbox, sender, key)) = spent_by(&send.work) {
            let budget = &door.config.inboxes.body.budget;
            if let Some(reason) = app.budgets.spend(&app.store, inbox.as_str(), sender, budget, now).await? {
                over_budget(app, &send, key, &reason, now).await?;
                continue;
            }
        }
        if let Work::Inbound(inbound) = &send.work {
            *accepted.entry(inbound.message.channel).or_default() += 1;
        }
        passed.push(send);
    }
    for result in app.queues.send(&passed, &app.blobs).await {
        result?;
    }
    for (channel, count) in accepted {
        let values = [("messages_accepted", f64::from(count))];
        app.metrics.put_by(FUNCTION, Dimension::Channel, channel.as_str(), now, &values);
    }
    Ok(())
}

/// Whose budget in which inbox it costs, with its name in the ledger: what people do costs, what becomes of a message of
/// ours does not.
fn spent_by(work: &Work) -> Option<(&InboxId, &str, &LedgerKey)> {
    match work {
        Work::Inbound(inbound) => Some((&inbound.message.inbox, &inbound.message.sender.value, &inbound.key)),
        Work::Change(change) if !matches!(change.change, Changed::Reported { .. }) => {
            Some((&change.inbox, &change.sender.value, &change.key))
        }
        _ => None,
    }
}

async fn over_budget(app: &App, send: &Send, key: &LedgerKey, reason: &str, now: Moment) -> Result<(), Problem> {
    if is_quarantined(app, key).await? {
        return Ok(());
    }
    let raw = serde_json::to_vec(&send.work).map_err(|error| Problem::conflict(error.to_string()))?;
    let taken = Taken {
        function: FUNCTION,
        queue: Some(send.queue),
        group: &send.group,
        name: &send.deduplication_id,
        at: now,
        message: Some(key.clone()),
        reason,
    };
    put_in_quarantine(app, taken, raw).await?;
    app.metrics.put(FUNCTION, now, &[("quarantined", 1.0)]);
    Ok(())
}

async fn is_quarantined(app: &App, key: &LedgerKey) -> Result<bool, Problem> {
    Ok(app.store.message(key).await?.is_some_and(|known| known.state == LedgerState::Quarantined))
}

/// What becomes of a body that was rightly signed and cannot be read: a problem for the sender where they can mend it,
/// else it is kept. `name` is the sender's own id for it: sent again, it is the same, and under it the ledger tells what
/// became of it.
async fn refuse_or_keep(
    app: &App,
    door: &Door,
    name: &str,
    raw: &[u8],
    malformed: Malformed,
    at: Moment,
) -> Result<Accepted, Problem> {
    let reason = unreadable(malformed)?;
    let accepted = (StatusCode::ACCEPTED, Json(json!({"quarantined": reason})));
    keep(app, door, name, raw, &reason, at).await?;
    Ok(accepted)
}

/// Puts what is not understood into quarantine, once under its name.
async fn keep(app: &App, door: &Door, name: &str, raw: &[u8], reason: &str, at: Moment) -> Result<(), Problem> {
    let key = LedgerKey::new(door.channel, &door.id, name);
    if is_quarantined(app, &key).await? {
        return Ok(());
    }
    let message = Some(key);
    let taken = Taken { function: FUNCTION, queue: None, group: door.id.as_str(), name, at, message, reason };
    put_in_quarantine(app, taken, raw.to_vec()).await?;
    app.metrics.put(FUNCTION, at, &[("quarantined", 1.0)]);
    Ok(())
}

/// What is wrong with a body that cannot be read: a problem for the sender, or, where it was rightly signed, a reason for
/// quarantine.
fn unreadable(malformed: Malformed) -> Result<String, Problem> {
    match malformed {
        Malformed::NotJson(detail) => Err(Problem::bad_request(format!("the body is not JSON: {detail}"))),
        Malformed::Invalid(faults) => {
            let fault =
                |fault: throughline_channels::malformed::Fault| Fault { pointer: fault.pointer, detail: fault.detail };
            Err(Problem::invalid(faults.into_iter().map(fault).collect()))
        }
        Malformed::NotUnderstood(reason) => Ok(reason),
    }
}
