//! Versions as entity tags (RFC 9110, section 8.8.3), and what `If-Match` asks for.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use throughline_platform::problem::Problem;

/// A version as an entity tag.
pub(crate) fn entity_tag(version: u64) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"0\""))
}

/// What the caller's `If-Match` says, if they sent one.
pub(crate) fn if_match(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::IF_MATCH).and_then(|value| value.to_str().ok())
}

/// Refuses with 412 when `If-Match` names another version (RFC 9110, section 13.1.1). Without one, any version is right.
pub(crate) fn at_version(if_match: Option<&str>, version: u64, what: &str) -> Result<(), Problem> {
    if if_match.is_none_or(|wanted| wanted == "*" || wanted.trim_matches('"') == version.to_string()) {
        return Ok(());
    }
    let detail = format!("{what} is at version {version}");
    Err(Problem::new(StatusCode::PRECONDITION_FAILED, "changed", detail))
}
