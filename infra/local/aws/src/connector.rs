//! From an HTTP request of an SDK client to a service, without a socket.

use std::fmt;
use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use throughline_queues::{CONTENT_TYPE, QUERY_ERROR_HEADER, Queues};

use crate::counts::Units;
use crate::intercept::{Answer, Interceptor, Next};
use crate::objects::Target;
use crate::{Aws, Services, mail, reply};

/// Header with the name of an operation of DynamoDB, SQS or EventBridge.
const TARGET_HEADER: &str = "x-amz-target";
/// What follows a bucket in the host of an object request.
const BUCKET_HOST_SUFFIX: &str = ".s3.local";

/// A service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// The table.
    DynamoDb,
    /// The queues.
    Sqs,
    /// The objects.
    S3,
    /// Outbound mail.
    Ses,
    /// The event bus.
    EventBridge,
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DynamoDb => "dynamodb",
            Self::Sqs => "sqs",
            Self::S3 => "s3",
            Self::Ses => "ses",
            Self::EventBridge => "eventbridge",
        })
    }
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// Of whom.
    pub service: Service,
    /// Name of the operation as in the API of the service, such as `PutItem`.
    pub operation: String,
}

/// No service lives at an address.
#[derive(Debug, thiserror::Error)]
#[error("no service at {0}")]
struct Elsewhere(String);

/// The connector of one [`Aws`].
#[derive(Clone)]
pub(crate) struct Connector {
    services: Arc<Services>,
    interceptor: Option<Arc<dyn Interceptor>>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}

impl Connector {
    pub(crate) fn of(aws: &Aws) -> Self {
        Self { services: Arc::clone(&aws.services), interceptor: aws.interceptor.clone() }
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self { services, interceptor } = self.clone();
        HttpConnectorFuture::new(async move {
            let Some(service) = service_at(request.uri()) else {
                return Err(ConnectorError::user(Elsewhere(request.uri().to_owned()).into()));
            };
            let call = Call { service, operation: operation(service, &request) };
            match interceptor {
                None => services.serve(&call, request).await,
                Some(interceptor) => interceptor.call(&call, request, &Next::new(services, call.clone())).await,
            }
        })
    }
}

impl Services {
    /// Carries a request out.
    pub(crate) async fn serve(&self, call: &Call, mut request: HttpRequest) -> Answer {
        // Most calls wait for nothing, so a loop of them would never let other tasks run.
        tokio::task::coop::consume_budget().await;
        let body = request.take_body();
        let sent = length(&body);
        let measure = self.counter.is_on();
        let mut units = Units::default();
        let response = match call.service {
            Service::DynamoDb => match body.bytes() {
                Some(bytes) => self.table.call(&call.operation, bytes, measure.then_some(&mut units)),
                None => self.table.call(&call.operation, &read(body).await?, measure.then_some(&mut units)),
            },
            Service::Sqs => {
                let target = request.headers().get(TARGET_HEADER).unwrap_or_default();
                match body.bytes() {
                    Some(bytes) => queue_call(&self.queues, target, bytes).await,
                    None => queue_call(&self.queues, target, &read(body).await?).await,
                }
            }
            Service::S3 => match body.bytes() {
                Some(bytes) => self.objects.call(&call.operation, &request, bytes),
                None => self.objects.call(&call.operation, &request, &read(body).await?),
            },
            Service::Ses => match body.bytes() {
                Some(bytes) => mail::call(&self.mail, bytes),
                None => mail::call(&self.mail, &read(body).await?),
            },
            Service::EventBridge => match body.bytes() {
                Some(bytes) => self.bus.call(&call.operation, bytes),
                None => self.bus.call(&call.operation, &read(body).await?),
            },
        };
        if measure {
            self.counter.add(call, units, sent + length(response.body()));
        }
        Ok(response)
    }
}

async fn queue_call(queues: &Queues, target: &str, body: &[u8]) -> HttpResponse {
    let answer = queues.call(target, body).await;
    let mut response = reply::response(answer.status, answer.body);
    reply::set(&mut response, "content-type", CONTENT_TYPE);
    if let Some(error) = answer.query_error {
        reply::set(&mut response, QUERY_ERROR_HEADER, error);
    }
    response
}

/// Bytes of a body, if that can be told.
fn length(body: &SdkBody) -> u64 {
    body.content_length().unwrap_or_default()
}

/// All of a body that comes in parts.
async fn read(body: SdkBody) -> Result<Bytes, ConnectorError> {
    let collected = body.collect().await.map_err(ConnectorError::user)?;
    Ok(collected.to_bytes())
}

/// Host, path and query of an address.
fn parts(uri: &str) -> (&str, &str, &str) {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    (authority.split(':').next().unwrap_or_default(), path, query)
}

fn service_at(uri: &str) -> Option<Service> {
    match parts(uri).0 {
        "dynamodb.local" => Some(Service::DynamoDb),
        "sqs.local" => Some(Service::Sqs),
        "s3.local" => Some(Service::S3),
        "ses.local" => Some(Service::Ses),
        "events.local" => Some(Service::EventBridge),
        host if host.ends_with(BUCKET_HOST_SUFFIX) => Some(Service::S3),
        _ => None,
    }
}

/// Where an object request goes: bucket and key in the path, or the bucket in front of the host.
pub(crate) fn object_target(request: &HttpRequest) -> Target<'_> {
    let (host, path, query) = parts(request.uri());
    Target::new(host.strip_suffix(BUCKET_HOST_SUFFIX), path, query)
}

fn operation(service: Service, request: &HttpRequest) -> String {
    match service {
        Service::DynamoDb | Service::Sqs | Service::EventBridge => {
            let target = request.headers().get(TARGET_HEADER).unwrap_or_default();
            target.rsplit('.').next().unwrap_or_default().to_owned()
        }
        Service::S3 => object_target(request).operation(request.method()).to_owned(),
        Service::Ses => mail::operation(request.body().bytes().unwrap_or_default()),
    }
}
