//! Objects: what comes back, what a list shows, which errors are typed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::primitives::ByteStream;
use throughline_aws::Aws;

use crate::support::{BUCKET, Rig};

async fn put(rig: &Rig, key: &str, body: &str) {
    let body = ByteStream::from(body.as_bytes().to_vec());
    rig.objects.put_object().bucket(BUCKET).key(key).body(body).send().await.unwrap();
}

async fn get(rig: &Rig, key: &str) -> String {
    let object = rig.objects.get_object().bucket(BUCKET).key(key).send().await.unwrap();
    String::from_utf8(object.body.collect().await.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn an_object_comes_back_with_what_was_said_of_it() {
    let rig = Rig::memory().await;
    let call = rig.objects.put_object().bucket(BUCKET).key("in/ä b+c?.eml").content_type("message/rfc822");
    let put = call.metadata("session", "s-1").body(ByteStream::from_static(b"hello")).send().await.unwrap();
    let object = rig.objects.get_object().bucket(BUCKET).key("in/ä b+c?.eml").send().await.unwrap();
    assert_eq!(object.content_type(), Some("message/rfc822"));
    assert_eq!(object.metadata().unwrap()["session"], "s-1");
    assert_eq!(object.e_tag(), Some("\"5d41402abc4b2a76b9719d911017c592\""));
    assert_eq!(object.e_tag(), put.e_tag());
    assert!(object.last_modified().is_some());
    assert_eq!(object.body.collect().await.unwrap().to_vec(), b"hello");
    let head = rig.objects.head_object().bucket(BUCKET).key("in/ä b+c?.eml").send().await.unwrap();
    assert_eq!(head.content_length(), Some(5));
}

#[tokio::test]
async fn a_file_is_put_as_a_stream() {
    let rig = Rig::memory().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let content = "0123456789".repeat(30_000);
    std::fs::write(file.path(), &content).unwrap();
    let body = ByteStream::from_path(file.path()).await.unwrap();
    rig.objects.put_object().bucket(BUCKET).key("file").body(body).send().await.unwrap();
    assert_eq!(get(&rig, "file").await, content);
}

#[tokio::test]
async fn a_key_and_keys_below_it_live_together() {
    let rig = Rig::memory().await;
    put(&rig, "x", "above").await;
    put(&rig, "x/y", "below").await;
    put(&rig, "x", "again").await;
    assert_eq!((get(&rig, "x").await, get(&rig, "x/y").await), ("again".to_owned(), "below".to_owned()));
    rig.objects.delete_object().bucket(BUCKET).key("x").send().await.unwrap();
    rig.objects.delete_object().bucket(BUCKET).key("x").send().await.unwrap();
    assert_eq!(get(&rig, "x/y").await, "below");
}

#[tokio::test]
async fn what_is_not_there_is_a_typed_error() {
    let rig = Rig::memory().await;
    let error = rig.objects.get_object().bucket(BUCKET).key("none").send().await.unwrap_err().into_service_error();
    assert!(matches!(error, GetObjectError::NoSuchKey(_)), "{error:?}");
    let error = rig.objects.head_object().bucket(BUCKET).key("none").send().await.unwrap_err().into_service_error();
    assert!(error.is_not_found(), "{error:?}");
    let error = rig.objects.get_object().bucket("other").key("none").send().await.unwrap_err().into_service_error();
    assert_eq!(error.meta().code(), Some("NoSuchBucket"));
    let error = rig.objects.get_object().bucket(BUCKET).key("none").range("bytes=0-1").send().await.unwrap_err();
    assert_eq!(error.into_service_error().meta().code(), Some("NotImplemented"));
}

#[tokio::test]
async fn a_put_on_condition_of_absence_keeps_the_first() {
    let rig = Rig::memory().await;
    let call = || rig.objects.put_object().bucket(BUCKET).key("once").if_none_match("*");
    call().body(ByteStream::from_static(b"first")).send().await.unwrap();
    let error = call().body(ByteStream::from_static(b"second")).send().await.unwrap_err().into_service_error();
    assert_eq!(error.meta().code(), Some("PreconditionFailed"));
    assert_eq!(get(&rig, "once").await, "first");
}

#[tokio::test]
async fn lists_come_in_pages_and_by_prefix() {
    let rig = Rig::memory().await;
    for key in ["a/1", "a/2 & 3", "a/b/4", "a/b/5", "a/c", "b"] {
        put(&rig, key, "x").await;
    }
    let list = || rig.objects.list_objects_v2().bucket(BUCKET).prefix("a/");
    let mut found = Vec::new();
    let mut pages = list().max_keys(2).into_paginator().send();
    while let Some(page) = pages.next().await {
        found.extend(page.unwrap().contents().iter().map(|object| object.key().unwrap().to_owned()));
    }
    assert_eq!(found, ["a/1", "a/2 & 3", "a/b/4", "a/b/5", "a/c"]);

    let mut found = Vec::new();
    let mut pages = list().delimiter("/").max_keys(1).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        assert_eq!(page.key_count(), Some(1));
        found.extend(page.contents().iter().map(|object| object.key().unwrap().to_owned()));
        found.extend(page.common_prefixes().iter().map(|prefix| prefix.prefix().unwrap().to_owned()));
    }
    assert_eq!(found, ["a/1", "a/2 & 3", "a/b/", "a/c"]);
    assert_eq!(list().start_after("a/b/4").send().await.unwrap().contents()[0].key(), Some("a/b/5"));
}

#[tokio::test]
async fn what_is_old_goes_and_nothing_else() {
    let now = Arc::new(AtomicU64::new(1_000_000));
    let clock = Arc::clone(&now);
    let rig = Rig::on(Aws::memory_with_clock(Arc::new(move || clock.load(Ordering::Relaxed))).unwrap());
    rig.create().await;
    put(&rig, "uploads/old", "x").await;
    put(&rig, "mail/old", "x").await;
    now.fetch_add(60_000, Ordering::Relaxed);
    put(&rig, "uploads/new", "x").await;
    let minute = Duration::from_secs(60);
    assert_eq!(rig.aws.expire_objects(BUCKET, "uploads/", minute).unwrap(), 0, "not a moment too early");
    now.fetch_add(1, Ordering::Relaxed);
    assert_eq!(rig.aws.expire_objects(BUCKET, "uploads/", minute).unwrap(), 1);
    for (key, there) in [("uploads/old", false), ("mail/old", true), ("uploads/new", true)] {
        let found = rig.objects.head_object().bucket(BUCKET).key(key).send().await;
        assert_eq!(found.is_ok(), there, "{key}");
    }
}
