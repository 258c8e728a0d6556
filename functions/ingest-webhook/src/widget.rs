//! The chat widget: the script that a business embeds in its pages.

use axum::extract::{Path, State};
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use throughline_platform::App;
use throughline_platform::problem::Problem;

use crate::cors;

/// The script. It finds its inbox by the address that it was loaded from.
const SCRIPT: &str = include_str!("widget.js");

/// The header that lets pages of other origins embed it (Fetch standard, section 3.7).
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// `GET …/widget.js`: the script, if there is such a chat.
pub(crate) async fn of_inbox(State(app): State<App>, Path(inbox): Path<String>) -> Result<Response, Problem> {
    let config = app.config().await?;
    cors::find(&config, &inbox)?;
    Ok(script().await)
}

/// The script as it is served.
pub async fn script() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=3600"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Also for pages that embed only what agrees to it (Cross-Origin-Embedder-Policy).
        (CROSS_ORIGIN_RESOURCE_POLICY, "cross-origin"),
    ];
    (headers, SCRIPT).into_response()
}
