//! What became of a message.

use axum::Json;
use axum::extract::{Path, State};
use schemars::JsonSchema;
use serde::Serialize;
use throughline_domain::channel::Channel;
use throughline_domain::id::{EventId, InboxId, TicketId};
use throughline_domain::ledger::{LedgerKey, LedgerState};
use throughline_domain::moment::Moment;
use throughline_platform::App;
use throughline_platform::problem::Problem;

use crate::auth::Caller;

/// What became of a message.
#[derive(Serialize, JsonSchema)]
pub(crate) struct LedgerView {
    state: LedgerState,
    ticket_id: Option<TicketId>,
    event_id: Option<EventId>,
    duplicate_of: Option<EventId>,
    reason: Option<String>,
    at: Moment,
}

/// `GET /v1/messages/{channel}/{inbox}/{provider id}`.
pub(crate) async fn get(
    State(app): State<App>,
    _: Caller,
    Path((channel, inbox, id)): Path<(String, String, String)>,
) -> Result<Json<LedgerView>, Problem> {
    let unknown = || Problem::not_found("no message of this id was recorded, seen or quarantined");
    let channel: Channel = channel.parse().map_err(|_| unknown())?;
    let inbox: InboxId = inbox.parse().map_err(|_| unknown())?;
    let key = LedgerKey::new(channel, &inbox, &id);
    let entry = app.store.message(&key).await?.ok_or_else(unknown)?;
    Ok(Json(LedgerView {
        state: entry.state,
        ticket_id: entry.ticket_id,
        event_id: entry.event_id,
        duplicate_of: entry.duplicate_of,
        reason: entry.reason,
        at: entry.at,
    }))
}
