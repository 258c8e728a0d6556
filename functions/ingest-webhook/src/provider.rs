//! `GET` and `POST /v1/channels/{channel}/{inbox}`: what providers post.

use std::borrow::Cow;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use throughline_channels::provider::{Answer, ChannelEvent, Consent, Context, Provider, Request, Unknown, provider};
use throughline_domain::channel::Channel;
use throughline_domain::id::InboxId;
use throughline_domain::moment::Moment;
use throughline_domain::suppression::{Suppression, SuppressionKind};
use throughline_domain::work::Work;
use throughline_platform::App;
use throughline_platform::http::RawBody;
use throughline_platform::problem::Problem;
use throughline_platform::queues::{Queue, Send};

use crate::{Door, keep, media_type, pass_on, refuse_or_keep};

/// A provider asks whether we are there.
pub(crate) async fn ask(
    State(app): State<App>,
    Path((channel, inbox)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (provider, door) = find(&app, &channel, &inbox).await?;
    let request = request(&uri, &headers, &[]);
    let answer =
        provider.handshake(&request, &door.secrets).map_err(|error| Problem::unauthorized(error.to_string()))?;
    let method = || Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "this channel only posts");
    Ok(respond(answer.ok_or_else(method)?))
}

/// A provider posts.
pub(crate) async fn post(
    State(app): State<App>,
    Path((channel, inbox)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<Response, Problem> {
    let (provider, door) = find(&app, &channel, &inbox).await?;
    media_type::check(provider.content_type(), &headers)?;
    let (request, now) = (request(&uri, &headers, &body), app.clock.now());
    let refused = |error: throughline_channels::signature::Refused| Problem::unauthorized(error.to_string());
    provider.verify(&request, &door.secrets, now).map_err(refused)?;
    if let Some(answer) = provider.handshake(&request, &door.secrets).map_err(refused)? {
        return Ok(respond(answer));
    }
    let context = Context { inboxes: &door.config.inboxes.body, inbox: door.inbox()?, received_at: now };
    match provider.parse(&request, &context) {
        Ok(events) => take(&app, &door, provider, &request, events, now).await?,
        Err(malformed) => {
            // Nothing in it could be read, so only its bytes name it.
            let name = String::from_utf8_lossy(&body);
            let _told = refuse_or_keep(&app, &door, &name, &body, malformed, now).await?;
        }
    }
    Ok(respond(provider.answer(&request)))
}

/// Puts every event where it goes; all of them are durable once this returns. What was done of a body that fails half-way
/// is done again when it comes again, and changes nothing.
async fn take(
    app: &App,
    door: &Door,
    provider: &dyn Provider,
    request: &Request<'_>,
    events: Vec<ChannelEvent>,
    now: Moment,
) -> Result<(), Problem> {
    let mut sends = Vec::new();
    let mut proven: Vec<InboxId> = vec![door.id.clone()];
    for event in events {
        let inbox = match &event {
            ChannelEvent::Message(inbound) => inbound.message.inbox.clone(),
            ChannelEvent::Change(change) => change.inbox.clone(),
            ChannelEvent::Profile(told) => told.inbox.clone(),
            _ => door.id.clone(),
        };
        if !proven.contains(&inbox) {
            // Another account's traffic by this URL: whoever signs for this inbox must be allowed to sign for that one.
            let secrets = app.secrets.inbox(&inbox, now).await?;
            let verified = provider.verify(request, &secrets, now);
            verified.map_err(|_| Problem::unauthorized("another inbox's traffic is not signed with its secret"))?;
            proven.push(inbox);
        }
        match event {
            ChannelEvent::Message(inbound) => sends.push(Send::inbound(*inbound)),
            ChannelEvent::Change(change) => sends.push(Send::change(Queue::Inbound, *change)),
            ChannelEvent::Profile(told) => sends.push(Send::profile(*told)),
            // Without a time of its own, it is as old as the message that says it: told again, it is not said again.
            ChannelEvent::Consent(consent) if consent.at.is_none() && said_before(app, &sends).await? => {}
            ChannelEvent::Consent(consent) => agree(app, &consent, now).await?,
            ChannelEvent::Dropped { why } => tracing::info!(channel = %door.channel, why, "dropped"),
            ChannelEvent::Unknown(Unknown { name, reason, raw }) => {
                keep(app, door, &format!("unknown:{name}"), raw.to_string().as_bytes(), &reason, now).await?;
            }
        }
    }
    pass_on(app, door, sends, now).await
}

/// Whether the last message of the body so far was recorded before.
async fn said_before(app: &App, sends: &[Send]) -> Result<bool, Problem> {
    let Some(Work::Inbound(inbound)) = sends.last().map(|send| &send.work) else {
        return Ok(false);
    };
    Ok(app.store.message(&inbound.key).await?.is_some_and(|entry| !entry.is_open()))
}

/// What somebody wants holds from the moment at which they said so.
async fn agree(app: &App, consent: &Consent, now: Moment) -> Result<(), Problem> {
    let kind = if consent.wanted { SuppressionKind::Lifted } else { SuppressionKind::OptedOut };
    let suppression = Suppression::new(kind, consent.because, consent.at.unwrap_or(now).min(now));
    app.store.suppress(&consent.identifier, &suppression).await?;
    Ok(())
}

async fn find(app: &App, channel: &str, inbox: &str) -> Result<(&'static dyn Provider, Door), Problem> {
    let unknown = || Problem::not_found("there is no such inbox on this channel");
    let channel: Channel = channel.parse().map_err(|_| unknown())?;
    let provider = provider(channel).ok_or_else(unknown)?;
    Ok((provider, Door::find(app, channel, inbox).await?))
}

/// The request as the provider made it: some sign the URL that they called.
fn request<'a>(uri: &Uri, headers: &'a HeaderMap, body: &'a [u8]) -> Request<'a> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let scheme = text("x-forwarded-proto").filter(|scheme| *scheme == "https").unwrap_or("http");
    let host = text("host").unwrap_or_default();
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let named = headers
        .iter()
        .filter_map(|(name, value)| Some((Cow::Borrowed(name.as_str()), Cow::Borrowed(value.to_str().ok()?))));
    Request { url: format!("{scheme}://{host}{path}").into(), headers: named.collect(), body: body.into() }
}

fn respond(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    (status, [(header::CONTENT_TYPE, answer.content_type)], answer.body).into_response()
}
