//! Sending work while the queue takes some of a request and not all: order is kept, and nobody is told that all is well.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_sqs::types::MessageSystemAttributeName;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use bytes::Bytes;
use serde_json::{Value, json};
use throughline_aws::{Answer, Aws, Call, Interceptor, Next, Service};
use throughline_domain::channel::Channel;
use throughline_domain::id::AgentId;
use throughline_local::client::Client;
use throughline_local::samples::{Sample, Sender};
use throughline_platform::blobs::Blobs;
use throughline_platform::clients::Clients;
use throughline_platform::config::QueueUrls;
use throughline_platform::queues::{Queues, Send};
use throughline_queues::{QUEUE_URL_PREFIX, QueueSpec};
use throughline_tests::{World, problem, provider};

/// Answers of a queue that does not take the entry in which this stands, so many times. Others of the request it takes.
struct NotThisOne {
    mark: &'static str,
    left: AtomicUsize,
}

impl NotThisOne {
    fn once(mark: &'static str) -> Arc<dyn Interceptor> {
        Arc::new(Self { mark, left: AtomicUsize::new(1) })
    }

    fn refuses(&self, entry: &Value) -> bool {
        let fewer = |left: usize| left.checked_sub(1);
        entry.to_string().contains(self.mark)
            && self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer).is_ok()
    }
}

#[async_trait::async_trait]
impl Interceptor for NotThisOne {
    async fn call(&self, call: &Call, mut request: HttpRequest, next: &Next) -> Answer {
        if call.service != Service::Sqs || call.operation != "SendMessageBatch" {
            return next.run(request).await;
        }
        let mut sent: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        let entries = sent["Entries"].as_array().unwrap().clone();
        let (refused, taken): (Vec<Value>, Vec<Value>) = entries.into_iter().partition(|entry| self.refuses(entry));
        let none_taken = || HttpResponse::new(StatusCode::try_from(200).unwrap(), "{}".into());
        let mut response = match taken.is_empty() {
            true => none_taken(),
            false => {
                sent["Entries"] = taken.into();
                *request.body_mut() = sent.to_string().into();
                next.run(request).await?
            }
        };
        let mut answer: Value = serde_json::from_slice(response.body().bytes().unwrap()).unwrap();
        let failed =
            refused.iter().map(|entry| json!({"Id": entry["Id"], "Code": "InternalError", "SenderFault": false}));
        answer["Failed"] = failed.collect();
        *response.body_mut() = answer.to_string().into();
        Ok(response)
    }
}

/// The names of the messages in a queue, in the order in which they are received.
async fn received(aws: &Aws, queue: &str) -> Vec<String> {
    let client = aws_sdk_sqs::Client::new(&aws.sdk_config());
    let receive = client.receive_message().queue_url(format!("{QUEUE_URL_PREFIX}{queue}")).max_number_of_messages(10);
    let name = MessageSystemAttributeName::MessageDeduplicationId;
    let messages =
        receive.message_system_attribute_names(name.clone()).send().await.unwrap().messages.unwrap_or_default();
    messages.iter().map(|message| message.attributes().unwrap()[&name].clone()).collect()
}

#[tokio::test]
async fn a_group_stops_at_its_first_failed_message_and_others_go_on() {
    let aws = Aws::memory().unwrap();
    aws.queues().create(&QueueSpec::fifo("routing.fifo")).unwrap();
    let clients = Clients::new(&aws.with_interceptor(NotThisOne::once("mia-2")).sdk_config());
    let blobs = Blobs::new(clients.s3.clone(), "bucket".to_owned());
    let urls = QueueUrls { routing: format!("{QUEUE_URL_PREFIX}routing.fifo"), ..QueueUrls::default() };
    let queues = Queues::new(clients.sqs, urls);
    let [mia, ben]: [AgentId; 2] = ["mia", "ben"].map(|name| name.parse().unwrap());
    let sends: Vec<Send> =
        [(&mia, 1), (&mia, 2), (&ben, 1), (&mia, 3), (&ben, 2)].map(|(agent, cause)| Send::pull(agent, cause)).into();

    let results: Vec<String> =
        queues.send(&sends, &blobs).await.into_iter().map(|result| format!("{result:?}")).collect();
    assert_eq!((results[0].as_str(), results[2].as_str(), results[4].as_str()), ("Ok(())", "Ok(())", "Ok(())"));
    assert!(results[1].contains("Retry") && results[1].contains("InternalError"), "{results:?}");
    assert!(results[3].contains("Retry") && results[3].contains("an earlier message of its group"), "{results:?}");
    assert_eq!(aws.queues().depths()["routing.fifo"].visible, 3, "what was not sent is not there");

    // It comes again, whole, when its sender does.
    assert!(queues.send(&sends, &blobs).await.iter().all(Result::is_ok));
    let mut received = received(&aws, "routing.fifo").await;
    received.sort_by_key(|name| name.starts_with("mia"));
    assert_eq!(received, ["ben-1", "ben-2", "mia-1", "mia-2", "mia-3"], "each once, and in the order of its group");
}

/// A text of one of LINE's users.
fn said(user: &str, id: &str, text: &str) -> Value {
    json!({"type": "message", "webhookEventId": format!("e{id}"), "timestamp": 1,
        "source": {"type": "user", "userId": user}, "message": {"id": id, "type": "text", "text": text}})
}

#[tokio::test]
async fn a_body_of_which_a_message_was_not_stored_is_answered_with_an_error_and_comes_again() {
    let world = World::start().await;
    let faulty = world.system().aws.with_interceptor(NotThisOne::once("my parcel is lost"));
    let mut app = world.app().clone();
    let urls = QueueUrls { inbound: format!("{QUEUE_URL_PREFIX}inbound.fifo"), ..QueueUrls::default() };
    app.queues = Queues::new(Clients::new(&faulty.sdk_config()).sqs, urls);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(listener.local_addr().unwrap());
    let served = tokio::spawn(async move { axum::serve(listener, ingest_webhook::router(app)).await });
    let line = Sender { client, ..provider::sender(&world, Channel::Line) };
    let events = [
        said("U1", "1", "Hello"),
        said("U1", "2", "my parcel is lost"),
        said("U2", "4", "Good morning"),
        said("U1", "3", "can you help?"),
    ];
    let body = Bytes::from(json!({"destination": "U0", "events": events}).to_string());
    let sample = Sample::of(Channel::Line, body);

    problem(&provider::post_by(&world, &line, &sample).await, 503);
    world.settled().await;
    for (id, status) in [("1", 200), ("2", 404), ("3", 404), ("4", 200)] {
        assert_eq!(world.ledger("line", "line", id).await.status, status, "{id}");
    }

    assert_eq!(provider::post_by(&world, &line, &sample).await.status, 200);
    world.settled().await;
    let ticket = world.ticket_of("line", "line", "1").await;
    let timeline = world.timeline(&ticket).await;
    let received = timeline.iter().filter(|event| event["kind"] == "message_received");
    let texts: Vec<&str> = received.map(|event| event["data"]["message"]["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["Hello", "my parcel is lost", "can you help?"], "each once, in their order");
    assert_eq!(world.ticket_of("line", "line", "4").await["message_count"], 1);
    served.abort();
    world.finish().await;
}
