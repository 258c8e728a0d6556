//! A small HTTP client for one server on this machine: what the commands and the tests talk to the system with.

use std::net::SocketAddr;

use anyhow::Context;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// A client of the system at an address.
#[derive(Clone, Debug)]
pub struct Client {
    client: HyperClient<HttpConnector, Full<Bytes>>,
    base: String,
    host: Option<String>,
    token: Option<String>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: http::HeaderMap,
    /// Body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// Whether the status says success.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as JSON if the status says success.
    ///
    /// # Errors
    /// The status and the body otherwise.
    pub fn ok(&self) -> anyhow::Result<Value> {
        anyhow::ensure!(self.is_success(), "{}: {}", self.status, String::from_utf8_lossy(&self.body));
        Ok(self.json())
    }
}

impl Client {
    /// A client without a token.
    pub fn new(at: SocketAddr) -> Self {
        let client = HyperClient::builder(TokioExecutor::new()).build_http();
        Self { client, base: format!("http://{at}"), host: None, token: None }
    }

    /// The same that names another host than the address: for a server that serves many.
    #[must_use]
    pub fn with_host(&self, host: impl Into<String>) -> Self {
        Self { host: Some(host.into()), ..self.clone() }
    }

    /// The same with a bearer token.
    #[must_use]
    pub fn with_token(&self, token: impl Into<String>) -> Self {
        Self { token: Some(token.into()), ..self.clone() }
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Gets a path.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(Method::GET, path, &[], Bytes::new()).await
    }

    /// Posts JSON to a path.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.send(Method::POST, path, &[], Bytes::from(body.to_string())).await
    }

    /// Sends anything.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> anyhow::Result<Answer> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        if let Some(host) = &self.host {
            request = request.header("host", host);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).context("the request")?;
        let response: Response<_> = self.client.request(request).await.context("no answer; is the system running?")?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.context("the answer broke off")?.to_bytes();
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    }
}
