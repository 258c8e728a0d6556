//! The place between clients and services at which a test or simulation makes things fail.

use std::sync::Arc;

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;

use crate::Services;
use crate::connector::Call;

/// What a client gets: a response, or an error of the connection.
pub type Answer = Result<HttpResponse, ConnectorError>;

/// Sees every request before its service does. It can fail before the effect (without running [`Next`]), after it (by
/// throwing its answer away), delay it, or have it twice; `HttpRequest::try_clone` copies a request.
#[async_trait::async_trait]
pub trait Interceptor: Send + Sync {
    /// Answers a request.
    async fn call(&self, call: &Call, request: HttpRequest, next: &Next) -> Answer;
}

/// The services behind an [`Interceptor`]. A clone outlives the client's patience: what it runs is carried out although
/// nobody waits for the answer any more.
#[derive(Clone)]
pub struct Next {
    services: Arc<Services>,
    call: Call,
}

impl Next {
    pub(crate) fn new(services: Arc<Services>, call: Call) -> Self {
        Self { services, call }
    }

    /// Carries the request out.
    ///
    /// # Errors
    /// Only when the body of the request cannot be read.
    pub async fn run(&self, request: HttpRequest) -> Answer {
        self.services.serve(&self.call, request).await
    }
}

impl std::fmt::Debug for Next {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Next").field("call", &self.call).finish_non_exhaustive()
    }
}
