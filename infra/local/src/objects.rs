//! Downloads by signed links, as S3 serves them in the cloud: the same link, the same limits. Uploads: [`form`].

pub(crate) mod form;

use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use throughline_domain::moment::Moment;
use throughline_platform::App;
use throughline_platform::blobs::Download;
use throughline_platform::problem::Problem;

/// Where links lead to, behind the front's own address.
pub(crate) const OBJECTS: &str = "/objects/";
/// The path of an object.
pub(crate) const OBJECT_PATH: &str = "/objects/{bucket}/{*key}";

/// What a signed link says (AWS Signature Version 4, authentication by query parameters).
#[derive(Deserialize)]
pub(crate) struct Link {
    #[serde(rename = "X-Amz-Date")]
    date: String,
    #[serde(rename = "X-Amz-Expires")]
    expires_s: u32,
    #[serde(rename = "X-Amz-Signature")]
    signature: String,
    #[serde(rename = "response-content-type")]
    content_type: String,
    #[serde(rename = "response-content-disposition")]
    disposition: String,
}

/// The object, to who has a link that we signed for just this and that still lasts.
pub(crate) async fn download(
    State(app): State<App>,
    Path((bucket, key)): Path<(String, String)>,
    Query(link): Query<Link>,
) -> Result<Response, Problem> {
    let refused = || Problem::forbidden("the link is not signed for this, or it has expired");
    let signed_at = signed_at(&link.date).filter(|_| bucket == app.blobs.bucket()).ok_or_else(refused)?;
    let lasts = Duration::from_secs(link.expires_s.into());
    let age_ms = app.clock.now().since_ms(signed_at);
    if age_ms > i64::from(link.expires_s) * 1000 {
        return Err(refused());
    }
    let Link { content_type, disposition, .. } = link;
    let download = Download { key, content_type, disposition };
    let right = app.blobs.link(&download, signed_at, lasts).await.map_err(|_| refused())?;
    let right = right.split(['?', '&']).find_map(|part| part.strip_prefix("X-Amz-Signature="));
    if right != Some(link.signature.as_str()) {
        return Err(refused());
    }
    let bytes = app.blobs.get(&download.key).await?;
    let bytes = bytes.ok_or_else(|| Problem::not_found("there is no such object"))?;
    let headers = [(header::CONTENT_TYPE, download.content_type), (header::CONTENT_DISPOSITION, download.disposition)];
    Ok((headers, bytes).into_response())
}

/// `20261120T140000Z` as a moment.
fn signed_at(date: &str) -> Option<Moment> {
    let part = |from, to| date.get(from..to);
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(9, 11)?, part(11, 13)?, part(13, 15)?);
    format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z").parse().ok()
}
