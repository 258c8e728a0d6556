//! The real client on top of the service, and short forms of its calls.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::operation::send_message::SendMessageOutput;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, SendMessageBatchRequestEntry};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use md5::{Digest as _, Md5};
use std::path::Path;
use throughline_queues::{CONTENT_TYPE, QUERY_ERROR_HEADER, QUEUE_URL_PREFIX, QueueSpec, Queues};
use tokio::task::JoinHandle;

/// Gives each request to the service in place of a socket.
#[derive(Debug)]
struct Connector(Queues);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let queues = self.0.clone();
        HttpConnectorFuture::new(async move {
            let target = request.headers().get("x-amz-target").unwrap_or_default().to_owned();
            let body = request.body().bytes().unwrap_or_default();
            let reply = queues.call(&target, body).await;
            let mut response = http::Response::builder().status(reply.status).header("content-type", CONTENT_TYPE);
            if let Some(error) = reply.query_error {
                response = response.header(QUERY_ERROR_HEADER, error);
            }
            let response =
                response.body(SdkBody::from(reply.body)).map_err(|error| ConnectorError::other(error.into(), None))?;
            HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// A service and a client of it.
pub(crate) struct Rig {
    pub(crate) queues: Queues,
    pub(crate) client: Client,
}

impl Rig {
    pub(crate) fn memory() -> Self {
        Self::on(Queues::memory())
    }

    pub(crate) fn open(dir: &Path) -> Self {
        Self::on(Queues::open(dir).unwrap())
    }

    pub(crate) fn on(queues: Queues) -> Self {
        let connector = SharedHttpConnector::new(Connector(queues.clone()));
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("local"))
            .endpoint_url("http://sqs.local")
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .build();
        Self { queues, client: Client::from_conf(config) }
    }

    pub(crate) fn create(&self, spec: &QueueSpec) {
        self.queues.create(spec).unwrap();
    }

    pub(crate) fn url(&self, name: &str) -> String {
        format!("{QUEUE_URL_PREFIX}{name}")
    }

    /// Sends to a FIFO queue with the digest of the body as de-duplication id, or to a standard queue when the group is empty.
    pub(crate) async fn send(&self, queue: &str, group: &str, body: &str) -> SendMessageOutput {
        let call = self.client.send_message().queue_url(self.url(queue)).message_body(body);
        let call = if group.is_empty() {
            call
        } else {
            call.message_group_id(group).message_deduplication_id(md5(body.as_bytes()))
        };
        call.send().await.unwrap()
    }

    pub(crate) async fn receive(&self, queue: &str, max: i32) -> Vec<Message> {
        let call = self.client.receive_message().queue_url(self.url(queue)).max_number_of_messages(max);
        let call = call.message_system_attribute_names(MessageSystemAttributeName::All);
        call.send().await.unwrap().messages.unwrap_or_default()
    }

    /// A long poll on a task of its own.
    pub(crate) fn poll(&self, queue: &str, seconds: i32) -> JoinHandle<Vec<Message>> {
        let call = self.client.receive_message().queue_url(self.url(queue)).wait_time_seconds(seconds);
        tokio::spawn(async move { call.max_number_of_messages(10).send().await.unwrap().messages.unwrap_or_default() })
    }

    pub(crate) async fn delete(&self, queue: &str, message: &Message) {
        let call = self.client.delete_message().queue_url(self.url(queue));
        call.receipt_handle(message.receipt_handle().unwrap()).send().await.unwrap();
    }

    pub(crate) async fn hide(&self, queue: &str, message: &Message, seconds: i32) {
        let call = self.client.change_message_visibility().queue_url(self.url(queue)).visibility_timeout(seconds);
        call.receipt_handle(message.receipt_handle().unwrap()).send().await.unwrap();
    }
}

pub(crate) fn bodies(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.body().unwrap()).collect()
}

/// An entry of a send batch, with a de-duplication id made of its id.
pub(crate) fn entry(id: &str, group: &str, body: &str) -> SendMessageBatchRequestEntry {
    let entry = SendMessageBatchRequestEntry::builder().id(id).message_body(body).message_group_id(group);
    entry.message_deduplication_id(format!("{id}-id")).build().unwrap()
}

/// The digest of a binary attribute `blob` = 1, 2 and a string attribute `trace.id` = `value`.
pub(crate) fn md5_of_the_two_attributes() -> String {
    let bytes = [
        b"\x00\x00\x00\x04blob\x00\x00\x00\x06Binary\x02\x00\x00\x00\x02\x01\x02".as_slice(),
        b"\x00\x00\x00\x08trace.id\x00\x00\x00\x06String\x01\x00\x00\x00\x05value",
    ];
    md5(&bytes.concat())
}

fn md5(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Md5::digest(bytes))
}
