//! The HTTP front: channels and interface as behind the gateway, and what only the local default has: the inbox page,
//! the example shop, the mail that was sent, the breach check, the search for lost mail and the replay by hand.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use throughline_aws::Aws;
use throughline_domain::moment::Moment;
use throughline_domain::work::{Reconcile, ReconcileFrom};
use throughline_platform::App;
use throughline_platform::clock::Clock;
use throughline_platform::problem::Problem;
use tokio::time::Instant;
use tower::ServiceExt;

use crate::objects::form::{self, FORM_BYTES_MAX, FORM_PATH};
use crate::objects::{self, OBJECT_PATH};
use crate::replay::ReplayReport;
use crate::seed::Seed;
use crate::{shop, token};

/// Longest breach check by hand.
const CHECK_MAX: Duration = Duration::from_secs(60);
/// The inbox page.
const PAGE: &str = include_str!("../inbox.html");
/// What our pages may load: this origin's data, and of script and style only what carries the answer's own nonce
/// (Content Security Policy Level 3, section 2.3.1).
const PAGE_POLICY: &str = "default-src 'none'; script-src 'nonce-{{nonce}}'; style-src 'nonce-{{nonce}}'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[derive(Clone)]
struct Local {
    app: App,
    aws: Aws,
    seed: Arc<Seed>,
}

/// Everything that is served.
pub(crate) fn router(app: &App, aws: &Aws, seed: Arc<Seed>) -> Router {
    let channels = ingest_webhook::router(app.clone());
    let interface = serve_api::router(app.clone());
    let behind_the_gateway = tower::service_fn(move |request: Request| {
        let to_channels = request.uri().path().starts_with("/v1/channels/");
        let function = if to_channels { channels.clone() } else { interface.clone() };
        async move { Ok::<Response, Infallible>(function.oneshot(request).await.into_response()) }
    });
    let objects = Router::new()
        .route(OBJECT_PATH, get(objects::download))
        .route(FORM_PATH, post(form::upload).layer(DefaultBodyLimit::max(FORM_BYTES_MAX)))
        .with_state(app.clone());
    Router::new()
        .route("/", get(inbox))
        .route("/local/check", post(check))
        .route("/local/reconcile", post(reconcile))
        .route("/local/replay", post(replay))
        .route("/local/mail", get(mail))
        .route("/local/mail/{id}", get(one_mail))
        .with_state(Local { app: app.clone(), aws: aws.clone(), seed: Arc::clone(&seed) })
        .merge(shop::router(seed))
        .layer(from_fn(only_this_machines_pages))
        .merge(objects)
        .route("/widget.js", get(ingest_webhook::widget_script))
        .fallback_service(behind_the_gateway)
}

/// What only the local default has needs no token, so no foreign page may reach it through somebody's browser: neither
/// under a name of its own that leads here (DNS rebinding), nor from its own origin.
async fn only_this_machines_pages(request: Request, next: Next) -> Response {
    if is_of_this_machine(request.headers()) {
        next.run(request).await
    } else {
        Problem::forbidden("this is for pages of this machine only").into_response()
    }
}

/// Whether a request names the machine by address or as localhost, and comes from no other page.
fn is_of_this_machine(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST).unwrap_or_default();
    let name = host
        .parse::<SocketAddr>()
        .map_or_else(|_| host.split(':').next().unwrap_or_default().to_owned(), |address| address.ip().to_string());
    let own = text(header::ORIGIN).is_none_or(|origin| origin == format!("http://{host}"));
    (name == "localhost" || name.parse::<IpAddr>().is_ok()) && own
}

/// The inbox page, with a development token in it.
async fn inbox(State(local): State<Local>) -> Result<Response, Problem> {
    let token = token::issue(&local.seed.oidc, "mia", "admin", local.app.clock.now());
    let token = token.map_err(|error| Problem::conflict(error.to_string()))?;
    Ok(html(&PAGE.replace("{{token}}", &token)))
}

/// A page under our policy; `{{nonce}}` stands for the answer's own.
pub(crate) fn html(page: &str) -> Response {
    let nonce = uuid::Uuid::new_v4().simple().to_string();
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (header::CONTENT_SECURITY_POLICY, PAGE_POLICY.replace("{{nonce}}", &nonce)),
        // It may hold a token, and its nonce is for once.
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    (headers, page.replace("{{nonce}}", &nonce)).into_response()
}

#[derive(Deserialize)]
struct At {
    at: Option<Moment>,
}

/// Fires the breach check, for another time if one is given.
async fn check(State(local): State<Local>, Query(At { at }): Query<At>) -> Json<Value> {
    let mut app = local.app.clone();
    if let Some(at) = at {
        app.clock = Clock::at(at);
    }
    let swept = escalate_sla::sweep(&app, Instant::now() + CHECK_MAX).await;
    Json(json!(swept))
}

/// Orders the search for raw mail that was never noticed, as if it were another time if one is given. It runs as in the
/// cloud: through the queue.
async fn reconcile(
    State(local): State<Local>,
    Query(At { at }): Query<At>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let until = at.map(|at| at.plus_ms(-ingest_email::IN_FLIGHT_MS));
    let order = Reconcile { reconcile: ReconcileFrom { after: None, until } };
    local.app.queues.send_reconcile(&order).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({"queued": true}))))
}

/// Folds every ticket again from its log and compares, as if it were another time if one is given.
async fn replay(State(local): State<Local>, Query(At { at }): Query<At>) -> Result<Json<ReplayReport>, Problem> {
    let now = at.unwrap_or_else(|| local.app.clock.now());
    Ok(Json(ReplayReport::of(&local.app.store, now).await?))
}

/// The mail that was sent, the latest last.
async fn mail(State(local): State<Local>) -> Json<Value> {
    let sent = local.aws.sent_mail().sent();
    let shown = sent.iter().map(|mail| {
        json!({"id": mail.id, "from": mail.source, "to": mail.recipients, "at": Moment::from_ms(i64::try_from(mail.at_ms).unwrap_or_default())})
    });
    Json(json!({"items": shown.collect::<Vec<_>>()}))
}

/// A mail that was sent, as it went out.
async fn one_mail(State(local): State<Local>, Path(id): Path<String>) -> Result<Response, Problem> {
    let sent = local.aws.sent_mail().sent();
    let mail = sent.iter().find(|mail| mail.id == id).ok_or_else(|| Problem::not_found("no such mail was sent"))?;
    let raw = mail.raw().map_err(|error| Problem::not_found(error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], raw).into_response())
}
