//! `POST /v1/channels/webhook/{inbox}`: business systems, signed as Standard Webhooks has it.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use throughline_channels::webhook::{self, Signed};
use throughline_domain::channel::Channel;
use throughline_platform::App;
use throughline_platform::problem::Problem;

use crate::media_type::JsonBody;
use crate::{Accepted, Door, accept, refuse_or_keep};

pub(crate) async fn post_message(
    State(app): State<App>,
    Path(inbox): Path<String>,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> Result<Accepted, Problem> {
    let door = Door::find(&app, Channel::Webhook, &inbox).await?;
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let signed = Signed {
        id: header(webhook::ID),
        timestamp: header(webhook::TIMESTAMP),
        signature: header(webhook::SIGNATURE),
    };
    let now = app.clock.now();
    webhook::verify(&signed, &body, &door.secrets.webhook, now)
        .map_err(|error| Problem::unauthorized(error.to_string()))?;
    let id = signed.id.unwrap_or_default();
    match webhook::parse(&body, id, door.inbox()?, now) {
        Ok(inbound) => accept(&app, &door, inbound).await,
        Err(malformed) => refuse_or_keep(&app, &door, id, &body, malformed, now).await,
    }
}
