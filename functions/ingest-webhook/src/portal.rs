//! `POST /v1/channels/portal/{inbox}`: the help centre's form. Nobody signs it: pages are told apart by their origin, robots
//! by a field that people do not see.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde_json::json;
use throughline_channels::portal::{self, Posted};
use throughline_domain::channel::Channel;
use throughline_domain::id::MessageId;
use throughline_platform::App;
use throughline_platform::problem::Problem;

use crate::media_type::JsonBody;
use crate::{Accepted, Door, accept, cors, keep, refuse_or_keep, uploads};

pub(crate) async fn submit(
    State(app): State<App>,
    Path(inbox): Path<String>,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> Result<Accepted, Problem> {
    let door = Door::find(&app, Channel::Portal, &inbox).await?;
    cors::check(door.inbox()?, &headers)?;
    let now = app.clock.now();
    let name = String::from_utf8_lossy(&body);
    match portal::parse(&body, door.inbox()?, now) {
        Ok(Posted::Message(inbound)) => {
            let inbound = uploads::take(&app, &door, uploads::NOBODY, *inbound, now).await?;
            let (status, Json(accepted)) = accept(&app, &door, inbound).await?;
            Ok((status, Json(json!({"ticket_hint": accepted["message_id"]}))))
        }
        Ok(Posted::Robot) => {
            // It is told what people are told, and learns nothing.
            keep(&app, &door, &name, &body, "a robot filled the field that people do not see", now).await?;
            let hint = MessageId::new(app.randomness.uuid());
            Ok((StatusCode::ACCEPTED, Json(json!({"ticket_hint": hint}))))
        }
        Err(malformed) => refuse_or_keep(&app, &door, &name, &body, malformed, now).await,
    }
}
