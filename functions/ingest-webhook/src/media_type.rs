//! Of which media type bodies are (RFC 9110, section 8.3): one of another type than its sender's is not that sender's.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use throughline_platform::http::RawBody;
use throughline_platform::problem::Problem;

/// What our own clients and business systems post.
const JSON: &str = "application/json";
/// How media types begin that may end with [`JSON_SUFFIX`].
const APPLICATION: &str = "application/";
/// How media types end that are JSON (RFC 6839, section 3.1).
const JSON_SUFFIX: &str = "+json";

/// Refuses a body that is neither of the wanted type nor JSON: Twilio posts forms, and some bodies as JSON. Parameters of
/// the type, such as the charset, do not matter.
pub(crate) fn check(wanted: &str, headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let given = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if given == wanted || is_json(&given) {
        return Ok(());
    }
    let detail = format!("this channel takes {wanted}");
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", detail))
}

/// Whether a media type, in lower case, is JSON.
fn is_json(given: &str) -> bool {
    let named = given.strip_prefix(APPLICATION).and_then(|rest| rest.strip_suffix(JSON_SUFFIX));
    given == JSON || named.is_some_and(|name| !name.is_empty())
}

/// The whole body of a request, which says that it is JSON. What it really is, who reads it finds out.
#[derive(Clone, Debug)]
pub(crate) struct JsonBody(pub(crate) Bytes);

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        check(JSON, request.headers())?;
        let RawBody(body) = RawBody::from_request(request, state).await?;
        Ok(Self(body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "application/x-www-form-urlencoded";

    fn takes(wanted: &str, given: Option<&str>) -> bool {
        let given = given.map(|given| (header::CONTENT_TYPE, given.parse().unwrap()));
        check(wanted, &given.into_iter().collect()).is_ok()
    }

    #[test]
    fn json_is_taken_however_it_is_called() {
        for json in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            " application/json ;charset=\"utf-8\"",
            "application/vnd.example.shop+json",
            "application/cloudevents+JSON; charset=utf-8",
        ] {
            assert!(takes(JSON, Some(json)) && takes(FORM, Some(json)), "{json}");
        }
    }

    #[test]
    fn other_types_are_refused_but_the_wanted_one() {
        for other in [
            "",
            ";",
            "text/plain",
            "text/json",
            "application/jsonl",
            "application/json2",
            "application/+json",
            "json",
            "image/svg+json",
            "multipart/form-data; boundary=application/json",
            FORM,
        ] {
            assert!(!takes(JSON, Some(other)), "{other}");
        }
        assert!(!takes(JSON, None) && !takes(FORM, None));
        assert!(takes(FORM, Some("application/x-www-form-urlencoded; charset=UTF-8")));
    }
}
