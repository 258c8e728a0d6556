//! Counting.

use throughline_aws::{STAGE, Service};

use crate::support::{BUCKET, Rig, TABLE, put_new, text};

#[tokio::test]
async fn a_transaction_costs_two_write_units_a_kilobyte_of_each_item() {
    let rig = Rig::memory().await;
    rig.aws.count(true);
    let small = put_new("a", "EVENT#1", "small");
    let large = put_new("b", "EVENT#1", &"x".repeat(1500));
    let call = rig.table.transact_write_items().transact_items(small).transact_items(large);
    let answer = STAGE.scope("upsert-ticket", call.send()).await.unwrap();
    assert!(answer.consumed_capacity().is_empty(), "nobody asked for it");
    let get = rig.table.get_item().table_name(TABLE).key("pk", text("b")).key("sk", text("EVENT#1"));
    get.consistent_read(true).send().await.unwrap();

    let counts = rig.aws.counts();
    let written = counts.operation(Service::DynamoDb, "TransactWriteItems");
    assert_eq!((written.requests, written.write_units, written.read_units), (1, 2.0 + 4.0, 0.0));
    assert_eq!(counts.stage("upsert-ticket"), written);
    let read = counts.operation(Service::DynamoDb, "GetItem");
    assert_eq!((read.requests, read.write_units, read.read_units), (1, 0.0, 1.0));
    assert_eq!(counts.total().requests, 2);
}

#[tokio::test]
async fn every_service_is_counted_while_counting_is_on() {
    let rig = Rig::memory().await;
    rig.objects.list_objects_v2().bucket(BUCKET).send().await.unwrap();
    assert_eq!(rig.aws.counts().total().requests, 0);
    rig.aws.count(true);
    rig.objects.list_objects_v2().bucket(BUCKET).send().await.unwrap();
    rig.objects.get_object().bucket(BUCKET).key("none").send().await.unwrap_err();
    rig.queues.list_queues().send().await.unwrap();
    rig.mail.get_send_quota().send().await.unwrap_err();
    let calls = rig.aws.reset_counts().calls;
    let calls: Vec<_> = calls.keys().map(|key| format!("{} {}", key.call.service, key.call.operation)).collect();
    assert_eq!(calls, ["sqs ListQueues", "s3 GetObject", "s3 ListObjectsV2", "ses GetSendQuota"]);
    assert_eq!(rig.aws.counts().total().requests, 0);
}
