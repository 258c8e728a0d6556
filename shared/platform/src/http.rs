//! What both HTTP functions have around their routes: a request id, one log line a request, answers as problem+json,
//! a limit on bodies, and no way for a panic to take a connection with it.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, FromRequest, MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// Largest request body, in bytes (4 MiB).
pub const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Longest explanation of the framework's own that is passed on, in bytes.
const REFUSAL_BYTES_MAX: usize = 4_096;
/// Header with the name of a request in the logs.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The routes of a function with all that.
pub fn finish(routes: Router, function: &'static str) -> Router {
    routes
        .fallback(|| async { Problem::not_found("there is nothing at this address") })
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "this address does not take this method")
        })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn(move |request, next| around(function, request, next)))
}

async fn around(function: &'static str, request: Request, next: Next) -> Response {
    let request_id = format!("req_{}", uuid::Uuid::new_v4().simple());
    let method = request.method().clone();
    // The pattern of the route, not the path: paths name customers.
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let caught = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let mut response = caught.unwrap_or_else(|panic| {
        tracing::error!(function, request.id = request_id, panic = panic_text(panic.as_ref()), "a request panicked");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "something is broken here; it is in the log")
            .into_response()
    });
    let failed = response.status().is_client_error() || response.status().is_server_error();
    if failed && response.extensions().get::<Problem>().is_none() {
        response = refused(response).await;
    }
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let problem = Problem { request_id: request_id.clone(), ..problem };
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        response.headers_mut().insert(axum::http::header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        *response.body_mut() = Body::from(body);
    }
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    tracing::info!(
        function,
        request.id = request_id,
        http.method = %method,
        http.route = route,
        http.status = response.status().as_u16(),
        "request"
    );
    response
}

/// What the framework refuses by itself, a query that does not parse or a path that is no text, as a problem.
async fn refused(response: Response) -> Response {
    let status = response.status();
    let text = axum::body::to_bytes(response.into_body(), REFUSAL_BYTES_MAX).await.unwrap_or_default();
    let kind = if status == StatusCode::BAD_REQUEST { "bad-request" } else { "refused" };
    Problem::new(status, kind, String::from_utf8_lossy(&text)).into_response()
}

/// What a panic said, as far as it said anything.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// The whole body of a request, within [`BODY_BYTES_MAX`].
#[derive(Clone, Debug)]
pub struct RawBody(pub axum::body::Bytes);

impl<S: Send + Sync> FromRequest<S> for RawBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = axum::body::Bytes::from_request(request, state).await.map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                let detail = format!("a body has at most {BODY_BYTES_MAX} bytes");
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
            } else {
                Problem::bad_request("the body could not be read")
            }
        })?;
        Ok(Self(bytes))
    }
}

/// A JSON value from a body; a fault names its place.
///
/// # Errors
/// 400 when it is not JSON, 422 when it does not have the right shape.
pub fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let value: serde_json::Value =
        serde_json::from_slice(body).map_err(|error| Problem::bad_request(format!("the body is not JSON: {error}")))?;
    serde_json::from_value(value).map_err(|error| Problem::fault("", error.to_string()))
}
