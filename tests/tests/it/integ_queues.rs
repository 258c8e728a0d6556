//! Sending work while the queue takes some of a request and not all: order is kept, and nobody is told that all is well.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use bytes::Bytes;
use serde_json::{Value, json};
use throughline_aws::{Answer, Aws, Call, Interceptor, Next, Service};
use throughline_domain::channel::Channel;
use throughline_domain::work::{ByReference, Work};
use throughline_local::client::Client;
use throughline_local::samples::{Sample, Sender};
use throughline_platform::blobs::Blobs;
use throughline_platform::clients::Clients;
use throughline_platform::config::QueueUrls;
use throughline_platform::queues::{Queue, Queues, Send};
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

/// Work that has a name.
fn named(group: &str, number: usize) -> Send {
    let name = format!("{group}-{number:02}");
    let work = Work::ByReference(ByReference { key: name.clone() });
    Send { queue: Queue::Inbound, work, group: group.to_owned(), deduplication_id: name }
}

/// The names of the work in a queue, message by message, in the order in which they are received.
async fn received(aws: &Aws, queue: &str) -> Vec<Vec<String>> {
    let client = aws_sdk_sqs::Client::new(&aws.sdk_config());
    let receive = client.receive_message().queue_url(format!("{QUEUE_URL_PREFIX}{queue}")).max_number_of_messages(10);
    let messages = receive.send().await.unwrap().messages.unwrap_or_default();
    let names = |message: aws_sdk_sqs::types::Message| {
        let body: Value = serde_json::from_str(message.body().unwrap()).unwrap();
        let pieces = body["data"].as_array().unwrap().clone();
        pieces.iter().map(|piece| piece["data"]["key"].as_str().unwrap().to_owned()).collect()
    };
    messages.into_iter().map(names).collect()
}

#[tokio::test]
async fn a_group_stops_at_its_first_failed_message_and_others_go_on() {
    let aws = Aws::memory().unwrap();
    aws.queues().create(&QueueSpec::fifo("inbound.fifo")).unwrap();
    let clients = Clients::new(&aws.with_interceptor(NotThisOne::once("mia-25")).sdk_config());
    let blobs = Blobs::new(clients.s3.clone(), "bucket".to_owned());
    let urls = QueueUrls { inbound: format!("{QUEUE_URL_PREFIX}inbound.fifo"), ..QueueUrls::default() };
    let queues = Queues::new(clients.sqs, urls);
    // Twenty go as one: three messages of hers, two of his, and what is his stands between what is hers.
    let (hers, his) = (50, 30);
    let mut sends: Vec<Send> = (0..his).flat_map(|number| [named("mia", number), named("ben", number)]).collect();
    sends.extend((his..hers).map(|number| named("mia", number)));

    let results = queues.send(&sends, &blobs).await;
    let of = |group: &str| -> Vec<String> {
        let of_group = sends.iter().zip(&results).filter(|(send, _)| send.group == group);
        of_group.map(|(_, result)| format!("{result:?}")).collect()
    };
    assert!(of("ben").iter().all(|result| result == "Ok(())"), "{results:?}");
    let mia = of("mia");
    assert!(mia[..20].iter().all(|result| result == "Ok(())"), "{mia:?}");
    assert!(mia[20..40].iter().all(|result| result.contains("Retry") && result.contains("InternalError")), "{mia:?}");
    assert!(mia[40..].iter().all(|result| result.contains("an earlier message of its group")), "{mia:?}");
    assert_eq!(aws.queues().depths()["inbound.fifo"].visible, 3, "what was not sent is not there");

    // It comes again, whole, when its sender does.
    assert!(queues.send(&sends, &blobs).await.iter().all(Result::is_ok));
    let received: Vec<String> = received(&aws, "inbound.fifo").await.concat();
    for (group, count) in [("mia", hers), ("ben", his)] {
        let wanted: Vec<String> = (0..count).map(|number| format!("{group}-{number:02}")).collect();
        let of_group: Vec<&String> = received.iter().filter(|name| name.starts_with(group)).collect();
        assert_eq!(of_group, wanted.iter().collect::<Vec<_>>(), "each once, and in the order of its group");
    }
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
    // Those of one user go as one, twenty at most.
    let mut events: Vec<Value> = (1..=20).map(|number| said("U1", &number.to_string(), "Hello")).collect();
    events.extend([
        said("U1", "21", "my parcel is lost"),
        said("U2", "31", "Good morning"),
        said("U1", "22", "can you help?"),
    ]);
    let body = Bytes::from(json!({"destination": "U0", "events": events}).to_string());
    let sample = Sample::of(Channel::Line, body);

    problem(&provider::post_by(&world, &line, &sample).await, 503);
    world.settled().await;
    for (id, status) in [("1", 200), ("20", 200), ("21", 404), ("22", 404), ("31", 200)] {
        assert_eq!(world.ledger("line", "line", id).await.status, status, "{id}");
    }

    assert_eq!(provider::post_by(&world, &line, &sample).await.status, 200);
    world.settled().await;
    let ticket = world.ticket_of("line", "line", "1").await;
    let timeline = world.timeline(&ticket).await;
    let received = timeline.iter().filter(|event| event["kind"] == "message_received");
    let texts: Vec<&str> = received.map(|event| event["data"]["message"]["text"].as_str().unwrap()).collect();
    let (before, after) = texts.split_at(20);
    assert!(before.iter().all(|text| *text == "Hello"), "{texts:?}");
    assert_eq!(after, ["my parcel is lost", "can you help?"], "each once, in their order");
    assert_eq!(world.ticket_of("line", "line", "31").await["message_count"], 1);
    served.abort();
    world.finish().await;
}
