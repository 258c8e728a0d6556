//! What the commit feed tells.

use serde_json::json;

use crate::support::{Rig, TABLE, put_new, text};

#[tokio::test]
async fn the_commits_of_a_transaction_are_told_in_order() {
    let rig = Rig::memory().await;
    let mut commits = rig.aws.commits();
    let call = rig.table.transact_write_items().transact_items(put_new("TICKET#1", "EVENT#0000000001", "one"));
    call.transact_items(put_new("TICKET#1", "HEAD", "head")).send().await.unwrap();
    let put = rig.table.put_item().table_name(TABLE).item("pk", text("TICKET#1"));
    put.item("sk", text("EVENT#0000000002")).send().await.unwrap();

    let first = commits.try_recv().unwrap();
    assert_eq!((first.sequence, first.table.as_str()), (1, TABLE));
    let item = json!({"pk": {"S": "TICKET#1"}, "sk": {"S": "EVENT#0000000001"}, "note": {"S": "one"}});
    assert_eq!(first.item, item);
    let second = commits.try_recv().unwrap();
    assert_eq!((second.sequence, &second.item["sk"]), (2, &json!({"S": "EVENT#0000000002"})));
    assert!(commits.try_recv().is_err());
}

#[tokio::test]
async fn a_cancelled_transaction_tells_nothing() {
    let rig = Rig::memory().await;
    rig.table.transact_write_items().transact_items(put_new("TICKET#1", "HEAD", "head")).send().await.unwrap();
    let mut commits = rig.aws.commits();
    let call = rig.table.transact_write_items().transact_items(put_new("TICKET#1", "EVENT#0000000001", "one"));
    call.transact_items(put_new("TICKET#1", "HEAD", "head")).send().await.unwrap_err();
    assert!(commits.try_recv().is_err());
}

#[tokio::test]
async fn each_listener_hears_what_comes_after_it() {
    let rig = Rig::memory().await;
    let commit = |sk: &'static str| rig.table.transact_write_items().transact_items(put_new("TICKET#1", sk, "")).send();
    commit("EVENT#1").await.unwrap();
    let mut early = rig.aws.commits();
    commit("EVENT#2").await.unwrap();
    let mut late = rig.aws.commits();
    commit("EVENT#3").await.unwrap();
    assert_eq!(early.recv().await.unwrap().item["sk"], json!({"S": "EVENT#2"}));
    drop(early);
    assert_eq!(late.recv().await.unwrap().item["sk"], json!({"S": "EVENT#3"}));
    commit("EVENT#4").await.unwrap();
    assert_eq!(late.recv().await.unwrap().item["sk"], json!({"S": "EVENT#4"}));
}
