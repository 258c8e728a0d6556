//! Putting HTTP responses together.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;

/// A response; the status is one that the services use.
pub(crate) fn response(status: u16, body: impl Into<SdkBody>) -> HttpResponse {
    HttpResponse::new(StatusCode::try_from(status).expect("services answer with statuses that exist"), body.into())
}

/// Sets a header. A value that no header can hold is left out: it came from a request in which it was one.
pub(crate) fn set(
    response: &mut HttpResponse,
    name: impl Into<std::borrow::Cow<'static, str>>,
    value: impl Into<String>,
) {
    let _ = response.headers_mut().try_insert(name.into(), value.into());
}

/// Text as it may stand between XML tags.
pub(crate) fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\r' => escaped.push_str("&#13;"),
            character => escaped.push(character),
        }
    }
    escaped
}
