//! Our own chat: sessions, messages, and what the visitor may see.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use throughline_channels::web_chat::{self, NotOpened, Opened, Session};
use throughline_domain::channel::Channel;
use throughline_domain::moment::Moment;
use throughline_platform::App;
use throughline_platform::problem::Problem;

use crate::conversation::{self, Conversation};
use crate::media_type::JsonBody;
use crate::{Accepted, Door, accept, cors, refuse_or_keep, unreadable, uploads};

/// `POST …/sessions`: who visits, and a token for it.
pub(crate) async fn open_session(
    State(app): State<App>,
    Path(inbox): Path<String>,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<Opened>), Problem> {
    let door = Door::find(&app, Channel::WebChat, &inbox).await?;
    cors::check(door.inbox()?, &headers)?;
    let now = app.clock.now();
    let previous = match bearer(&headers) {
        Some(_) => Some(session(&door, &headers, now)?),
        None => None,
    };
    let session_id = app.randomness.uuid().simple().to_string();
    let opened = web_chat::open(&body, door.inbox()?, &door.secrets, &session_id, previous.as_ref(), now);
    match opened {
        Ok(opened) => Ok((StatusCode::CREATED, Json(opened))),
        Err(NotOpened::Refused(refused)) => Err(Problem::unauthorized(refused.to_string())),
        Err(NotOpened::Malformed(malformed)) => Err(match unreadable(malformed) {
            Err(problem) => problem,
            Ok(reason) => Problem::bad_request(reason),
        }),
    }
}

/// `POST …`: the visitor writes.
pub(crate) async fn post_message(
    State(app): State<App>,
    Path(inbox): Path<String>,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> Result<Accepted, Problem> {
    let door = Door::find(&app, Channel::WebChat, &inbox).await?;
    cors::check(door.inbox()?, &headers)?;
    let now = app.clock.now();
    let session = session(&door, &headers, now)?;
    match web_chat::parse(&body, &session, door.inbox()?, now) {
        Ok(inbound) => {
            let inbound = uploads::take(&app, &door, &session.session_id, inbound, now).await?;
            accept(&app, &door, inbound).await
        }
        Err(malformed) => {
            // The body names it, not what it says: it may speak of a message, and is not that message.
            let name = format!("{}:{}", session.session_id, String::from_utf8_lossy(&body));
            refuse_or_keep(&app, &door, &name, &body, malformed, now).await
        }
    }
}

/// Where the visitor has read to.
#[derive(Deserialize)]
pub(crate) struct After {
    after: Option<String>,
}

/// `GET …/messages?after=`: what the visitor may see.
pub(crate) async fn messages(
    State(app): State<App>,
    Path(inbox): Path<String>,
    Query(After { after }): Query<After>,
    headers: HeaderMap,
) -> Result<Json<Conversation>, Problem> {
    let door = Door::find(&app, Channel::WebChat, &inbox).await?;
    cors::check(door.inbox()?, &headers)?;
    let session = session(&door, &headers, app.clock.now())?;
    Ok(Json(conversation::read(&app, &session, after.as_deref()).await?))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ").map(str::trim)
}

/// Whose session the request's token is for.
pub(crate) fn session(door: &Door, headers: &HeaderMap, now: Moment) -> Result<Session, Problem> {
    let token = bearer(headers).ok_or_else(|| Problem::unauthorized("the session token is missing"))?;
    web_chat::verify(token, &door.id, &door.secrets, now).map_err(|error| Problem::unauthorized(error.to_string()))
}
