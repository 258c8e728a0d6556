//! The chat and the form from pages of other origins (Fetch standard, "CORS protocol"): a browser lets the business's own
//! page, on which the widget runs, read our answers. Nothing here uses cookies, so answers never allow credentials.

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use throughline_domain::channel::Channel;
use throughline_domain::config::{Config, Inbox};
use throughline_domain::id::InboxId;
use throughline_platform::App;
use throughline_platform::problem::Problem;

/// What a page may send.
const METHODS: &str = "GET, POST";
const HEADERS: &str = "authorization, content-type";
/// What a page may read besides the body.
const EXPOSED: &str = "retry-after, x-request-id";
/// How long a browser may remember the answer, in seconds: what it is told here is checked again with every request.
const MAX_AGE_SECONDS: &str = "600";

/// `OPTIONS …`: a browser asks before a page's request. What is allowed to whom is added by [`allow`].
pub(crate) async fn preflight(
    State(app): State<App>,
    Path(inbox): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let config = app.config().await?;
    let inbox = find(&config, &inbox)?;
    check(inbox, &headers)?;
    let allowed = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS),
        (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECONDS),
    ];
    Ok((StatusCode::NO_CONTENT, allowed).into_response())
}

/// Says in every answer to a page, problems included, which page may read it: the one that asks, if it is allowed.
pub(crate) async fn allow(
    State(app): State<App>,
    Path(inbox): Path<String>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let config = app.config().await?;
    let allowed = origin.filter(|origin| find(&config, &inbox).is_ok_and(|inbox| admits(inbox, origin)));
    let mut response = next.run(request).await;
    // Another origin gets another answer, so no cache may give one the other's.
    set(&mut response, header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = allowed {
        set(&mut response, header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        set(&mut response, header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
    Ok(response)
}

/// Browsers say from which page they ask; only the inbox's pages may. Other clients say nothing.
pub(crate) fn check(inbox: &Inbox, headers: &HeaderMap) -> Result<(), Problem> {
    match headers.get(header::ORIGIN) {
        Some(origin) if !admits(inbox, origin) => Err(Problem::forbidden("this page may not use this inbox")),
        _ => Ok(()),
    }
}

/// Whether pages of this origin may use the inbox. Origins are compared as they stand.
fn admits(inbox: &Inbox, origin: &HeaderValue) -> bool {
    inbox.origins.is_empty() || inbox.origins.iter().any(|known| known.as_bytes() == origin.as_bytes())
}

/// The inbox of this name that pages use: a chat's, or a form's.
pub(crate) fn find<'a>(config: &'a Config, name: &str) -> Result<&'a Inbox, Problem> {
    let id: Option<InboxId> = name.parse().ok();
    let inboxes = &config.inboxes.body;
    let found = id.and_then(|id| inboxes.find(Channel::WebChat, &id).or_else(|| inboxes.find(Channel::Portal, &id)));
    found.ok_or_else(|| Problem::not_found("there is no such inbox on this channel"))
}

fn set(response: &mut Response, name: HeaderName, value: HeaderValue) {
    response.headers_mut().insert(name, value);
}
