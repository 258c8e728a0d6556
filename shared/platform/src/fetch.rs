//! Getting files from the providers that hold them.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use throughline_channels::media::{FILE_BYTES_MAX, Get, Holder, NotFetched, redirected};

/// Longest time for one file, redirects included.
const FETCH_MAX: Duration = Duration::from_secs(20);
/// Who asks: some providers refuse who does not say.
const USER_AGENT: &str = "throughline";
/// Most redirects that are followed.
const REDIRECTS_MAX: usize = 3;

/// Gets files. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Fetcher {
    way: Way,
    /// Made when the first file is got: few functions get any.
    client: Arc<OnceLock<HttpClient>>,
}

#[derive(Clone, Debug, Default)]
enum Way {
    /// From the providers.
    #[default]
    Providers,
    /// From a stand-in for all of them, which gets the host as the first part of the path.
    StandIn(SocketAddr),
    /// From nobody.
    Nobody,
}

/// What was got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// `Content-Type` of the answer.
    pub content_type: Option<String>,
    /// The bytes.
    pub bytes: Bytes,
}

/// Why nothing was got.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// It may be got later.
    #[error("{0}")]
    Passing(String),
    /// It is refused now, and may not be soon: a token is put right, what was recorded just now is there.
    #[error("{0}")]
    Refused(String),
    /// It never will be.
    #[error("{0}")]
    ForGood(String),
}

impl From<NotFetched> for FetchError {
    fn from(error: NotFetched) -> Self {
        Self::ForGood(error.to_string())
    }
}

impl Fetcher {
    /// Asks one server on this machine instead of the providers: for tests.
    pub fn stand_in(at: SocketAddr) -> Self {
        Self { way: Way::StandIn(at), ..Self::default() }
    }

    /// Asks nobody: every file stays with its channel.
    pub fn nobody() -> Self {
        Self { way: Way::Nobody, ..Self::default() }
    }

    /// Gets what a request asks for. Redirects are followed as far as they stay with who holds it.
    ///
    /// # Errors
    /// Whether it may be got later.
    pub async fn get(&self, holder: Holder<'_>, get: &Get) -> Result<Fetched, FetchError> {
        let fetched = tokio::time::timeout(FETCH_MAX, self.follow(holder, get.clone())).await;
        fetched.map_err(|_| FetchError::Passing(format!("it took longer than {} s", FETCH_MAX.as_secs())))?
    }

    async fn follow(&self, holder: Holder<'_>, mut get: Get) -> Result<Fetched, FetchError> {
        for _ in 0..=REDIRECTS_MAX {
            let mut request = Request::get(self.target(&get)?).header(header::USER_AGENT, USER_AGENT);
            if let Some(authorization) = &get.authorization {
                request = request.header(header::AUTHORIZATION, authorization);
            }
            let request = request.body(Empty::new()).map_err(|error| FetchError::ForGood(error.to_string()))?;
            // What the client says of an error may hold the URL, and some URLs hold tokens.
            let answer = self.client()?.request(request).await;
            let answer = answer.map_err(|_| FetchError::Passing("the provider cannot be reached".to_owned()))?;
            let status = answer.status();
            if status.is_redirection() {
                let location = answer.headers().get(header::LOCATION).and_then(|location| location.to_str().ok());
                get = redirected(holder, &get, location.ok_or(NotFetched::NotSaid)?)?;
                continue;
            }
            if status != StatusCode::OK {
                return Err(refused(status));
            }
            let content_type = answer.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
            let content_type = content_type.map(str::to_owned);
            let body = Limited::new(answer.into_body(), FILE_BYTES_MAX).collect().await;
            let bytes = body.map_err(|error| match error.is::<http_body_util::LengthLimitError>() {
                true => FetchError::ForGood(format!("it is larger than {FILE_BYTES_MAX} bytes")),
                false => FetchError::Passing("the answer broke off".to_owned()),
            })?;
            return Ok(Fetched { content_type, bytes: bytes.to_bytes() });
        }
        Err(FetchError::ForGood(format!("more than {REDIRECTS_MAX} redirects")))
    }

    fn client(&self) -> Result<&HttpClient, FetchError> {
        match self.client.get() {
            Some(client) => Ok(client),
            None => {
                let made = client()?;
                Ok(self.client.get_or_init(|| made))
            }
        }
    }

    fn target(&self, get: &Get) -> Result<String, FetchError> {
        match self.way {
            Way::Providers => Ok(get.url.to_string()),
            Way::StandIn(at) => {
                let host = get.url.host_str().unwrap_or_default();
                let query = get.url.query().map(|query| format!("?{query}")).unwrap_or_default();
                Ok(format!("http://{at}/{host}{}{query}", get.url.path()))
            }
            Way::Nobody => Err(FetchError::ForGood("this system gets no files from providers".to_owned())),
        }
    }
}

fn refused(status: StatusCode) -> FetchError {
    let reason = format!("the provider answers {}", status.as_u16());
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND | StatusCode::CONFLICT => {
            FetchError::Refused(reason)
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            FetchError::Passing(reason)
        }
        // Accepted, and not ready yet.
        status if status.is_success() || status.is_server_error() => FetchError::Passing(reason),
        _ => FetchError::ForGood(reason),
    }
}

type HttpClient = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

/// A client that trusts the system's roots: providers are not AWS.
fn client() -> Result<HttpClient, FetchError> {
    let connector =
        HttpsConnectorBuilder::new().with_provider_and_native_roots(rustls::crypto::ring::default_provider());
    let connector = connector.map_err(|error| FetchError::Passing(format!("no provider can be verified: {error}")))?;
    Ok(Client::builder(TokioExecutor::new()).build(connector.https_or_http().enable_http1().build()))
}

#[cfg(test)]
mod tests;
