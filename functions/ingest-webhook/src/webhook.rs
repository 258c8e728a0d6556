//! `POST /v1/channels/webhook/{inbox}`: business systems, signed as Standard Webhooks has it.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use throughline_channels::webhook::{self, Signed};
use throughline_domain::channel::Channel;
use throughline_platform::App;
use throughline_platform::http::RawBody;
use throughline_platform::problem::Problem;

use crate::{Door, accept, keep, unreadable};

pub(crate) async fn post_message(
    State(app): State<App>,
    Path(inbox): Path<String>,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let door = Door::find(&app, Channel::Webhook, &inbox).await?;
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let signed = Signed {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
    };
    let now = app.clock.now();
    webhook::verify(&signed, &body, &door.secrets.webhook, now)
        .map_err(|error| Problem::unauthorized(error.to_string()))?;
    let id = signed.id.unwrap_or_default();
    match webhook::parse(&body, id, door.inbox()?, now) {
        Ok(inbound) => {
            let message_id = inbound.message.id;
            accept(&app, inbound).await?;
            Ok((StatusCode::ACCEPTED, Json(json!({"message_id": message_id}))))
        }
        Err(malformed) => {
            let reason = unreadable(malformed)?;
            keep(&app, &door, id, &body, &reason, now).await?;
            Ok((StatusCode::ACCEPTED, Json(json!({"quarantined": reason}))))
        }
    }
}
