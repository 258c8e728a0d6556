//! The connector: where requests go, what an interceptor can do, and what a folder keeps.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_dynamodb::config::http::HttpRequest;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_ses::primitives::Blob;
use aws_sdk_ses::types::RawMessage;
use aws_smithy_runtime_api::client::result::ConnectorError;
use throughline_aws::{Answer, Aws, Call, Interceptor, Next, Service};
use throughline_queues::{QUEUE_URL_PREFIX, QueueSpec};

use crate::support::{BUCKET, Rig, TABLE, put_new, text};

/// Loses the first answers to an operation.
struct LostAnswers {
    operation: &'static str,
    left: AtomicUsize,
}

#[async_trait::async_trait]
impl Interceptor for LostAnswers {
    async fn call(&self, call: &Call, request: HttpRequest, next: &Next) -> Answer {
        let answer = next.run(request).await?;
        let fails = call.service == Service::DynamoDb && call.operation == self.operation;
        if fails && self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
            return Err(ConnectorError::io("the answer was lost".into()));
        }
        Ok(answer)
    }
}

#[tokio::test(start_paused = true)]
async fn an_interceptor_can_lose_an_answer_after_the_effect() {
    let clean = Rig::memory().await;
    clean.aws.count(true);
    let mut commits = clean.aws.commits();
    let interceptor = LostAnswers { operation: "TransactWriteItems", left: AtomicUsize::new(1) };
    let faulty = Rig::on(clean.aws.with_interceptor(Arc::new(interceptor)));
    let call = faulty.table.transact_write_items().transact_items(put_new("TICKET#1", "EVENT#1", "note"));
    call.client_request_token("token").send().await.unwrap();

    let sent = clean.aws.counts().operation(Service::DynamoDb, "TransactWriteItems");
    assert_eq!(sent.requests, 2, "the client tries again");
    assert_eq!(sent.write_units, 2.0, "and the token makes the second a read");
    assert_eq!(clean.table.scan().table_name(TABLE).send().await.unwrap().count, 1);
    assert!(commits.try_recv().is_ok());
}

#[tokio::test]
async fn other_hosts_cannot_be_reached() {
    let aws = Aws::memory().unwrap();
    let config = aws.sdk_config().into_builder().endpoint_url("http://example.com").build();
    let config = aws_sdk_sqs::config::Builder::from(&config).endpoint_url("http://example.com").build();
    let error = aws_sdk_sqs::Client::from_conf(config).list_queues().send().await.unwrap_err();
    assert!(format!("{error:?}").contains("example.com"), "{error:?}");
}

#[tokio::test]
async fn buckets_may_be_in_the_path() {
    let rig = Rig::memory().await;
    let config = aws_sdk_s3::config::Builder::from(&rig.aws.sdk_config()).force_path_style(true).build();
    let by_path = aws_sdk_s3::Client::from_conf(config);
    by_path.put_object().bucket(BUCKET).key("a b").body(ByteStream::from_static(b"x")).send().await.unwrap();
    rig.objects.head_object().bucket(BUCKET).key("a b").send().await.unwrap();
}

/// What is in the files while the process runs is what is there after it was killed.
#[tokio::test]
async fn a_folder_keeps_everything_that_was_acknowledged_when_the_process_is_killed() {
    let (dir, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let rig = Rig::open(dir.path());
    rig.create().await;
    let count = 50;
    for number in 0..count {
        let key = number.to_string();
        rig.table.transact_write_items().transact_items(put_new(&key, "b", "note")).send().await.unwrap();
        rig.objects.put_object().bucket(BUCKET).key(key).body(ByteStream::from_static(b"x")).send().await.unwrap();
    }
    for path in ["table.sqlite", "table.sqlite-wal", "objects/objects.sqlite", "objects/objects.sqlite-wal"] {
        let copied = copy.path().join(path);
        std::fs::create_dir_all(copied.parent().unwrap()).unwrap();
        std::fs::copy(dir.path().join(path), copied).unwrap();
    }
    let rig = Rig::open(copy.path());
    assert_eq!(rig.table.scan().table_name(TABLE).send().await.unwrap().count, count);
    let listed = rig.objects.list_objects_v2().bucket(BUCKET).send().await.unwrap();
    assert_eq!(listed.key_count(), Some(count));
}

#[tokio::test]
async fn a_folder_keeps_everything() {
    let dir = tempfile::tempdir().unwrap();
    let mail = || RawMessage::builder().data(Blob::new(b"From: a@b\r\nTo: c@d\r\n\r\nhi".to_vec())).build().unwrap();
    let rig = Rig::open(dir.path());
    rig.create().await;
    rig.table.transact_write_items().transact_items(put_new("a", "b", "note")).send().await.unwrap();
    rig.objects.put_object().bucket(BUCKET).key("k").body(ByteStream::from_static(b"body")).send().await.unwrap();
    let url = rig.aws.queues().create(&QueueSpec::standard("mail")).unwrap();
    rig.queues.send_message().queue_url(url).message_body("notice").send().await.unwrap();
    let first = rig.mail.send_raw_email().raw_message(mail()).send().await.unwrap().message_id;
    assert!(Aws::open(dir.path()).is_err(), "one at a time");
    drop(rig);

    let rig = Rig::open(dir.path());
    let get = rig.table.get_item().table_name(TABLE).key("pk", text("a")).key("sk", text("b"));
    assert_eq!(get.send().await.unwrap().item.unwrap()["note"], text("note"));
    let object = rig.objects.get_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert_eq!(object.body.collect().await.unwrap().to_vec(), b"body");
    let received = rig.queues.receive_message().queue_url(format!("{QUEUE_URL_PREFIX}mail")).send().await.unwrap();
    assert_eq!(received.messages()[0].body(), Some("notice"));
    let second = rig.mail.send_raw_email().raw_message(mail()).send().await.unwrap().message_id;
    let sent = rig.aws.sent_mail().sent();
    assert_eq!(sent.iter().map(|mail| mail.id.as_str()).collect::<Vec<_>>(), [&first, &second]);
    assert_eq!(sent[0].recipients, ["c@d"]);
    assert!(String::from_utf8_lossy(&sent[0].raw().unwrap()).contains(&first));
    assert!(sent[0].path().unwrap().starts_with(dir.path()));
}
