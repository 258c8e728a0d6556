//! The service as its users see it: through the real client, with a connector in place of HTTP.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod durability;
mod support;

use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message, MessageAttributeValue,
    MessageSystemAttributeName, QueueAttributeName, SendMessageBatchRequestEntry,
};
use aws_smithy_types::Blob;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use support::{Rig, bodies, entry};
use throughline_queues::{Depth, QueueSpec, Queues};
use tokio::time::{Instant, advance};

const FIFO: &str = "inbound.fifo";
const DEAD: &str = "dead.fifo";
const PLAIN: &str = "mail";
const VISIBILITY: Duration = Duration::from_secs(30);

fn rig() -> Rig {
    let rig = Rig::memory();
    rig.create(&QueueSpec::fifo(DEAD));
    rig.create(&QueueSpec::fifo(FIFO).dead_letter(DEAD, 3));
    rig.create(&QueueSpec::standard(PLAIN));
    rig
}

#[tokio::test(start_paused = true)]
async fn group_is_locked_while_in_flight_and_others_are_not() {
    let rig = rig();
    for (group, body) in [("a", "a1"), ("a", "a2"), ("b", "b1"), ("a", "a3")] {
        rig.send(FIFO, group, body).await;
    }
    let first = rig.receive(FIFO, 2).await;
    assert_eq!(bodies(&first), ["a1", "a2"]);
    assert_eq!(bodies(&rig.receive(FIFO, 10).await), ["b1"]);
    rig.delete(FIFO, &first[0]).await;
    assert!(rig.receive(FIFO, 10).await.is_empty());
    rig.delete(FIFO, &first[1]).await;
    assert_eq!(bodies(&rig.receive(FIFO, 10).await), ["a3"]);
}

#[tokio::test(start_paused = true)]
async fn part_of_a_batch_can_be_returned_and_comes_again_in_order() {
    let rig = rig();
    for body in ["a1", "a2", "a3", "a4"] {
        rig.send(FIFO, "a", body).await;
    }
    let batch = rig.receive(FIFO, 3).await;
    rig.delete(FIFO, &batch[0]).await;
    let entries = batch[1..].iter().rev().enumerate().map(|(n, message)| {
        ChangeMessageVisibilityBatchRequestEntry::builder()
            .id(n.to_string())
            .receipt_handle(message.receipt_handle().unwrap())
            .visibility_timeout(0)
            .build()
            .unwrap()
    });
    let call = rig.client.change_message_visibility_batch().queue_url(rig.url(FIFO));
    let done = call.set_entries(Some(entries.collect())).send().await.unwrap();
    assert_eq!((done.successful.len(), done.failed.len()), (2, 0));
    let again = rig.receive(FIFO, 10).await;
    assert_eq!(bodies(&again), ["a2", "a3", "a4"]);
    assert_eq!(attribute(&again[0], &MessageSystemAttributeName::ApproximateReceiveCount), "2");
    assert_eq!(attribute(&again[2], &MessageSystemAttributeName::ApproximateReceiveCount), "1");
}

#[tokio::test(start_paused = true)]
async fn visibility_timeout_returns_messages_and_expires_fifo_receipts() {
    let rig = rig();
    rig.send(FIFO, "a", "a1").await;
    let first = rig.receive(FIFO, 1).await.remove(0);
    advance(VISIBILITY - Duration::from_millis(1)).await;
    assert!(rig.receive(FIFO, 1).await.is_empty());
    advance(Duration::from_millis(1)).await;
    let second = rig.receive(FIFO, 1).await.remove(0);
    assert_ne!(first.receipt_handle, second.receipt_handle);
    assert_eq!(first.message_id, second.message_id);

    let stale = rig.client.delete_message().queue_url(rig.url(FIFO)).receipt_handle(first.receipt_handle().unwrap());
    assert_eq!(stale.send().await.unwrap_err().code(), Some("InvalidParameterValue"));
    let entry = |id: &str, message: &Message| {
        let handle = message.receipt_handle().unwrap();
        DeleteMessageBatchRequestEntry::builder().id(id).receipt_handle(handle).build().unwrap()
    };
    let batch = rig.client.delete_message_batch().queue_url(rig.url(FIFO));
    let done = batch.entries(entry("old", &first)).entries(entry("new", &second)).send().await.unwrap();
    assert_eq!(done.successful[0].id, "new");
    assert_eq!((done.failed[0].id.as_str(), done.failed[0].code.as_str()), ("old", "ReceiptHandleIsInvalid"));
    rig.delete(FIFO, &second).await;
    assert!(rig.queues.depth(FIFO).is_empty());
}

#[tokio::test(start_paused = true)]
async fn extended_visibility_keeps_a_message_away() {
    let rig = rig();
    rig.send(FIFO, "a", "a1").await;
    let message = rig.receive(FIFO, 1).await.remove(0);
    rig.hide(FIFO, &message, 100).await;
    advance(Duration::from_secs(99)).await;
    assert!(rig.receive(FIFO, 1).await.is_empty());
    advance(Duration::from_secs(1)).await;
    assert_eq!(rig.receive(FIFO, 1).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn second_send_of_an_id_delivers_nothing_for_five_minutes() {
    let rig = rig();
    let first = rig.send(FIFO, "a", "same").await;
    let again = rig.send(FIFO, "a", "same").await;
    assert_eq!(first.message_id, again.message_id);
    assert_eq!(first.sequence_number, again.sequence_number);
    let message = rig.receive(FIFO, 10).await.remove(0);
    rig.delete(FIFO, &message).await;
    assert_eq!(rig.send(FIFO, "a", "same").await.message_id, first.message_id, "deleted messages count as well");
    advance(Duration::from_secs(300)).await;
    assert_ne!(rig.send(FIFO, "a", "same").await.message_id, first.message_id);
    assert_eq!(rig.receive(FIFO, 10).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn same_calls_at_the_same_times_give_the_same_ids() {
    let mut ids = Vec::new();
    for now_ms in [1_700_000_000_000, 1_700_000_000_000, 1_700_000_000_001] {
        let rig = Rig::on(Queues::memory_with_clock(Arc::new(move || now_ms)));
        rig.create(&QueueSpec::fifo(FIFO));
        ids.push(rig.send(FIFO, "a", "x").await.message_id);
    }
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2]);
}

#[tokio::test(start_paused = true)]
async fn content_based_deduplication_takes_the_body() {
    let rig = rig();
    rig.create(&QueueSpec { content_based_deduplication: true, ..QueueSpec::fifo("content.fifo") });
    for body in ["x", "x", "y"] {
        let call = rig.client.send_message().queue_url(rig.url("content.fifo")).message_body(body);
        call.message_group_id("a").send().await.unwrap();
    }
    let got = rig.receive("content.fifo", 10).await;
    assert_eq!(bodies(&got), ["x", "y"]);
    let sha256_of_x = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
    assert_eq!(attribute(&got[0], &MessageSystemAttributeName::MessageDeduplicationId), sha256_of_x);
}

#[tokio::test(start_paused = true)]
async fn message_received_too_often_becomes_a_dead_letter() {
    let rig = rig();
    let sent = rig.send(FIFO, "a", "poison").await;
    rig.send(FIFO, "a", "good").await;
    for _ in 0..3 {
        assert_eq!(bodies(&rig.receive(FIFO, 1).await), ["poison"]);
        advance(VISIBILITY).await;
    }
    assert_eq!(bodies(&rig.receive(FIFO, 1).await), ["good"], "in the receive that buries the other");
    let dead = rig.receive(DEAD, 10).await.remove(0);
    assert_eq!((dead.body(), dead.message_id()), (Some("poison"), sent.message_id()));
    assert_eq!(attribute(&dead, &MessageSystemAttributeName::MessageGroupId), "a");
    assert_eq!(attribute(&dead, &MessageSystemAttributeName::ApproximateReceiveCount), "4");
    let source = format!("arn:aws:sqs:local:000000000000:{FIFO}");
    assert_eq!(attribute(&dead, &MessageSystemAttributeName::DeadLetterQueueSourceArn), source);
}

#[tokio::test(start_paused = true)]
async fn long_poll_wakes_at_a_send() {
    let rig = rig();
    let poll = rig.poll(FIFO, 20);
    advance(Duration::from_secs(7)).await;
    let before = Instant::now();
    rig.send(FIFO, "a", "a1").await;
    assert_eq!(bodies(&poll.await.unwrap()), ["a1"]);
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn long_poll_wakes_when_a_group_is_free_or_a_message_is_due() {
    let rig = rig();
    rig.send(FIFO, "a", "a1").await;
    rig.send(FIFO, "a", "a2").await;
    let first = rig.receive(FIFO, 1).await.remove(0);
    let poll = rig.poll(FIFO, 20);
    tokio::task::yield_now().await;
    rig.delete(FIFO, &first).await;
    let second = poll.await.unwrap().remove(0);
    assert_eq!(second.body(), Some("a2"));

    let (poll, start) = (rig.poll(FIFO, 20), Instant::now());
    tokio::task::yield_now().await;
    rig.hide(FIFO, &second, 5).await;
    assert_eq!(bodies(&poll.await.unwrap()), ["a2"]);
    // Timers have a resolution of one millisecond.
    assert!((5_000..=5_001).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());

    let start = Instant::now();
    assert!(rig.poll("mail", 3).await.unwrap().is_empty());
    assert!((3_000..=3_001).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn receive_by_another_makes_a_sleeping_poll_look_in_time() {
    let rig = rig();
    let poll = rig.poll(PLAIN, 20);
    tokio::task::yield_now().await;
    // The message is gone again before the poll gets to look.
    rig.send(PLAIN, "", "m").await;
    let call = rig.client.receive_message().queue_url(rig.url(PLAIN)).visibility_timeout(2);
    let taken = call.send().await.unwrap().messages.unwrap_or_default();
    let start = Instant::now();
    let polled = poll.await.unwrap();
    assert_eq!(taken.len() + polled.len(), if taken.is_empty() { 1 } else { 2 });
    assert!(start.elapsed() <= Duration::from_millis(2_001), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn cancelled_poll_loses_nothing() {
    let rig = rig();
    for round in 0..20_u32 {
        let poll = rig.poll(FIFO, 20);
        for _ in 0..round % 5 {
            tokio::task::yield_now().await;
        }
        let body = format!("m{round}");
        let (_, ()) = tokio::join!(rig.send(FIFO, "a", &body), async { poll.abort() });
        let mut got = poll.await.unwrap_or_default();
        if got.is_empty() {
            got = rig.receive(FIFO, 10).await;
        }
        assert_eq!(bodies(&got), [body]);
        rig.delete(FIFO, &got[0]).await;
    }
    assert!(rig.queues.depth(FIFO).is_empty());
}

#[tokio::test(start_paused = true)]
async fn batches_report_each_entry() {
    let rig = rig();
    let batch = rig.client.send_message_batch().queue_url(rig.url(FIFO));
    let no_group = SendMessageBatchRequestEntry::builder().id("no-group").message_body("x");
    let bad_text = entry("bad-text", "a", "x\u{1}");
    let sent = batch
        .entries(entry("one", "a", "a1"))
        .entries(no_group.message_deduplication_id("x").build().unwrap())
        .entries(bad_text)
        .entries(entry("two", "a", "a2"))
        .send()
        .await
        .unwrap();
    assert_eq!(sent.successful.iter().map(|done| done.id.as_str()).collect::<Vec<_>>(), ["one", "two"]);
    let failed: Vec<_> = sent.failed.iter().map(|f| (f.id.as_str(), f.code.as_str(), f.sender_fault)).collect();
    assert_eq!(failed, [("no-group", "MissingParameter", true), ("bad-text", "InvalidMessageContents", true)]);
    assert_eq!(bodies(&rig.receive(FIFO, 10).await), ["a1", "a2"]);
}

#[tokio::test(start_paused = true)]
async fn batch_limits_are_typed_errors() {
    let rig = rig();
    let send = async |entries: Vec<SendMessageBatchRequestEntry>| {
        let call = rig.client.send_message_batch().queue_url(rig.url(FIFO)).set_entries(Some(entries));
        call.send().await.unwrap_err().into_service_error()
    };
    assert!(send(Vec::new()).await.is_empty_batch_request());
    let eleven = (0..11).map(|n| entry(&n.to_string(), "a", "x")).collect();
    assert!(send(eleven).await.is_too_many_entries_in_batch_request());
    assert!(send(vec![entry("1", "a", "x"), entry("1", "a", "y")]).await.is_batch_entry_ids_not_distinct());
    assert!(send(vec![entry("a b", "a", "x")]).await.is_invalid_batch_entry_id());
    let half = "x".repeat(600 * 1024);
    assert!(send(vec![entry("1", "a", &half), entry("2", "a", &half)]).await.is_batch_request_too_long());
    assert!(rig.queues.depth(FIFO).is_empty());
}

#[tokio::test(start_paused = true)]
async fn single_limits() {
    let rig = rig();
    let send = async |body: &str, group: &str, dedup: &str| {
        let call = rig.client.send_message().queue_url(rig.url(FIFO)).message_body(body);
        call.message_group_id(group).message_deduplication_id(dedup).send().await.map_err(|e| code(&e))
    };
    let refused = Err(Some("InvalidParameterValue".to_owned()));
    let limit = "x".repeat(1_048_576);
    assert!(send(&limit, "a", "full").await.is_ok());
    assert_eq!(send(&format!("{limit}x"), "a", "over").await.map(drop), refused);
    assert_eq!(send("", "a", "empty").await.map(drop), Err(Some("MissingParameter".to_owned())));
    assert!(send("x", &"g".repeat(128), "g").await.is_ok());
    assert_eq!(send("x", &"g".repeat(129), "g2").await.map(drop), refused);
    assert_eq!(send("x", "a", &"d".repeat(129)).await.map(drop), refused);
    let receive = rig.client.receive_message().queue_url(rig.url(FIFO)).max_number_of_messages(11);
    assert_eq!(receive.send().await.map_err(|e| code(&e)).map(drop), refused);
    let delayed = rig.client.send_message().queue_url(rig.url(FIFO)).message_body("x").delay_seconds(1);
    let delayed = delayed.message_group_id("a").message_deduplication_id("late").send().await;
    assert_eq!(delayed.map_err(|e| code(&e)).map(drop), refused);
}

#[tokio::test(start_paused = true)]
async fn delay_and_waiting_on_depths() {
    let rig = rig();
    let call = rig.client.send_message().queue_url(rig.url(PLAIN)).message_body("late").delay_seconds(9);
    call.send().await.unwrap();
    assert_eq!(rig.queues.depth(PLAIN), Depth { delayed: 1, ..Depth::default() });
    assert!(rig.receive(PLAIN, 1).await.is_empty());
    rig.queues.wait_until(|depths| depths[PLAIN].visible == 1).await;
    let queues = rig.queues.clone();
    let idle = tokio::spawn(async move { queues.wait_until(|depths| depths.values().all(Depth::is_empty)).await });
    let late = rig.receive(PLAIN, 1).await.remove(0);
    rig.delete(PLAIN, &late).await;
    idle.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn attributes_and_digests_come_through() {
    let rig = rig();
    let text = MessageAttributeValue::builder().data_type("String").string_value("value").build().unwrap();
    let blob = MessageAttributeValue::builder().data_type("Binary").binary_value(Blob::new([1, 2])).build().unwrap();
    let call = rig.client.send_message().queue_url(rig.url(FIFO)).message_body("hello world");
    let call = call.message_group_id("g").message_deduplication_id("d");
    let sent = call.message_attributes("trace.id", text).message_attributes("blob", blob).send().await.unwrap();
    assert_eq!(sent.md5_of_message_body(), Some("5eb63bbbe01eeed093cb22bb8f5acdc3"));
    let call = rig.client.receive_message().queue_url(rig.url(FIFO)).message_attribute_names("All");
    let call = call.message_system_attribute_names(MessageSystemAttributeName::All);
    let message = call.send().await.unwrap().messages.unwrap().remove(0);
    assert_eq!(message.md5_of_body(), sent.md5_of_message_body());
    // Worked out by hand from the description in the developer guide.
    assert_eq!(sent.md5_of_message_attributes(), Some(support::md5_of_the_two_attributes().as_str()));
    assert_eq!(message.md5_of_message_attributes(), sent.md5_of_message_attributes());
    let attributes = message.message_attributes().unwrap();
    assert_eq!(attributes["trace.id"].string_value(), Some("value"));
    assert_eq!(attributes["blob"].binary_value().unwrap().as_ref(), [1, 2]);
    assert_eq!(attribute(&message, &MessageSystemAttributeName::MessageDeduplicationId), "d");
    assert_eq!(attribute(&message, &MessageSystemAttributeName::SequenceNumber), sent.sequence_number().unwrap());
    let sent_at: u64 = attribute(&message, &MessageSystemAttributeName::SentTimestamp).parse().unwrap();
    assert!(sent_at > 1_700_000_000_000);
    assert!(message.attributes().unwrap().contains_key(&MessageSystemAttributeName::ApproximateFirstReceiveTimestamp));
}

#[tokio::test(start_paused = true)]
async fn queues_can_be_made_and_changed_by_clients() {
    let rig = Rig::memory();
    let create = async |name: &str, attributes: &[(QueueAttributeName, &str)]| {
        let attributes: HashMap<_, _> = attributes.iter().map(|(k, v)| (k.clone(), (*v).to_owned())).collect();
        rig.client.create_queue().queue_name(name).set_attributes(Some(attributes)).send().await
    };
    let fifo = (QueueAttributeName::FifoQueue, "true");
    create("d.fifo", std::slice::from_ref(&fifo)).await.unwrap();
    let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:local:000000000000:d.fifo","maxReceiveCount":"5"}"#;
    let made = [fifo.clone(), (QueueAttributeName::RedrivePolicy, policy)];
    let url = create("q.fifo", &made).await.unwrap().queue_url.unwrap();
    assert_eq!(url, "http://sqs.local/000000000000/q.fifo");
    create("q.fifo", &made).await.unwrap();
    let other = [fifo, (QueueAttributeName::VisibilityTimeout, "7")];
    assert!(create("q.fifo", &other).await.unwrap_err().into_service_error().is_queue_name_exists());
    assert_eq!(code(&create("no dots.fifo", &[]).await.unwrap_err()).as_deref(), Some("InvalidParameterValue"));

    let set = rig.client.set_queue_attributes().queue_url(&url).attributes(QueueAttributeName::VisibilityTimeout, "7");
    set.send().await.unwrap();
    let get = rig.client.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::All);
    let all = get.send().await.unwrap().attributes.unwrap();
    assert_eq!(all[&QueueAttributeName::VisibilityTimeout], "7");
    assert_eq!(all[&QueueAttributeName::QueueArn], "arn:aws:sqs:local:000000000000:q.fifo");
    assert_eq!(all[&QueueAttributeName::FifoQueue], "true");
    assert_eq!(all[&QueueAttributeName::ApproximateNumberOfMessages], "0");
    assert!(all[&QueueAttributeName::RedrivePolicy].contains(r#""maxReceiveCount":5"#));

    let page = rig.client.list_queues().max_results(1).send().await.unwrap();
    assert_eq!(page.queue_urls(), ["http://sqs.local/000000000000/d.fifo"]);
    let page = rig.client.list_queues().set_next_token(page.next_token).send().await.unwrap();
    assert_eq!(page.queue_urls(), [url.as_str()]);
    rig.send("q.fifo", "a", "x").await;
    rig.client.purge_queue().queue_url(&url).send().await.unwrap();
    assert!(rig.queues.depth("q.fifo").is_empty());
}

#[tokio::test(start_paused = true)]
async fn errors_are_those_that_the_client_knows() {
    let rig = rig();
    let nowhere = rig.client.get_queue_url().queue_name("nowhere").send().await;
    assert!(nowhere.unwrap_err().into_service_error().is_queue_does_not_exist());
    let nowhere = rig.client.send_message().queue_url(rig.url("nowhere")).message_body("x").send().await;
    assert!(nowhere.unwrap_err().into_service_error().is_queue_does_not_exist());
    let wrong = rig.client.delete_message().queue_url(rig.url(FIFO)).receipt_handle("wrong").send().await;
    assert!(wrong.unwrap_err().into_service_error().is_receipt_handle_is_invalid());
    let wrong = rig.client.get_queue_attributes().queue_url(rig.url(FIFO)).attribute_names("Colour".into());
    assert!(wrong.send().await.unwrap_err().into_service_error().is_invalid_attribute_name());
    let unsupported = rig.client.delete_queue().queue_url(rig.url(FIFO)).send().await;
    assert!(unsupported.unwrap_err().into_service_error().is_unsupported_operation());

    rig.send(PLAIN, "", "m").await;
    let message = rig.receive(PLAIN, 1).await.remove(0);
    rig.hide(PLAIN, &message, 0).await;
    let again = rig.client.change_message_visibility().queue_url(rig.url(PLAIN)).visibility_timeout(5);
    let again = again.receipt_handle(message.receipt_handle().unwrap()).send().await;
    assert!(again.unwrap_err().into_service_error().is_message_not_inflight());

    let unknown = rig.queues.call("AmazonSQS.Explode", b"{}").await;
    assert_eq!((unknown.status, unknown.query_error.as_deref()), (404, Some("UnknownOperationException;Sender")));
    let garbage = rig.queues.call("AmazonSQS.SendMessage", b"{").await;
    assert_eq!(garbage.status, 400);
    assert!(String::from_utf8(garbage.body).unwrap().contains("com.amazon.coral.service#SerializationException"));
}

fn attribute<'a>(message: &'a Message, name: &MessageSystemAttributeName) -> &'a str {
    &message.attributes().unwrap()[name]
}

fn code(error: &impl ProvideErrorMetadata) -> Option<String> {
    error.code().map(ToOwned::to_owned)
}
