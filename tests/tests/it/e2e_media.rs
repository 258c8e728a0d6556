//! Files that providers hold, or lie where whoever signs says: had from there after the answer, once, and from nobody else.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::{Value, json};
use throughline_domain::channel::Channel;
use throughline_platform::fetch::Fetcher;
use throughline_platform::files::FILES_PREFIX;
use throughline_tests::webhook::{self, SHOP};
use throughline_tests::{World, count, event, provider};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n0000IHDR and so on";
const PNG_SHA256: &str = "c2f9877a3f0681ad38fd1e78d873108b42f222ee63c33b177db469d01a9b4b75";

/// The end of paths that the stand-in fails once.
const BUSY_AT_FIRST: &str = "busy-at-first";

/// What the stand-in for the providers was asked for: paths with their `Authorization`.
type Asked = Arc<Mutex<Vec<(String, Option<String>)>>>;

/// What it answers, by the path that it is asked for; the first part is the host.
type Answers = BTreeMap<&'static str, (u16, Vec<(&'static str, String)>, Vec<u8>)>;

async fn answer(State((asked, answers)): State<(Asked, Arc<Answers>)>, uri: Uri, headers: HeaderMap) -> Response {
    let authorization = headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
    let before = asked.lock().unwrap().iter().filter(|(path, _)| *path == uri.to_string()).count();
    asked.lock().unwrap().push((uri.to_string(), authorization));
    if before == 0 && uri.path().ends_with(BUSY_AT_FIRST) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let Some((status, headers, body)) = answers.get(uri.to_string().as_str()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut response = (StatusCode::from_u16(*status).unwrap(), body.clone()).into_response();
    for (name, value) in headers {
        response.headers_mut().insert(*name, value.parse().unwrap());
    }
    response
}

/// A world whose inboxes have the token `tok` and, of those who sign, allow `files.example.com`, and the stand-in that it asks.
async fn world(answers: Answers) -> (World, Asked) {
    let asked = Asked::default();
    let router = Router::new().fallback(answer).with_state((Arc::clone(&asked), Arc::new(answers)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let world = World::start_with(|options| {
        options.fetcher = Fetcher::stand_in(at);
        for secrets in options.seed.secrets.inboxes.values_mut() {
            secrets.access_token = vec!["tok".to_owned()];
        }
        for inbox in options.seed.inboxes.inboxes.iter_mut().filter(|inbox| inbox.takes_media_hosts()) {
            inbox.media_hosts = vec!["files.example.com".to_owned()];
        }
    });
    (world.await, asked)
}

/// A message of LINE's user `U1` with an image.
fn image(id: &str) -> Bytes {
    let event = json!({"type": "message", "webhookEventId": format!("e{id}"), "timestamp": 1,
        "source": {"type": "user", "userId": "U1"}, "message": {"id": id, "type": "image"}});
    Bytes::from(json!({"destination": "U0", "events": [event]}).to_string())
}

async fn timeline(world: &World, channel: &str, id: &str) -> Vec<Value> {
    world.settled().await;
    world.timeline(&world.ticket_of(channel, channel, id).await).await
}

#[tokio::test]
async fn a_file_is_had_from_its_channel_once_and_downloaded_like_any() {
    let content = vec![("content-type", "image/jpeg".to_owned())];
    let answers = Answers::from([("/api-data.line.me/v2/bot/message/7/content", (200, content, PNG.to_vec()))]);
    let (world, asked) = world(answers).await;
    for _ in 0..3 {
        assert_eq!(provider::post(&world, Channel::Line, image("7")).await.status, 200);
    }
    let timeline = timeline(&world, "line", "7").await;
    assert_eq!(count(&timeline, "attachments_stored"), 1);
    let stored = &event(&timeline, "attachments_stored")["data"];
    assert_eq!(stored["event_id"], event(&timeline, "message_received")["id"]);
    let file = &stored["attachments"][0];
    assert_eq!((&file["content_type"], &file["size"]), (&json!("image/png"), &json!(PNG.len())), "as its bytes show");
    let download = world.download(file["url"].as_str().unwrap()).await;
    assert_eq!((download.status, &download.body[..]), (200, PNG));
    let asked = asked.lock().unwrap().clone();
    let wanted = "/api-data.line.me/v2/bot/message/7/content".to_owned();
    assert_eq!(asked, [(wanted, Some("Bearer tok".to_owned()))]);
    world.finish().await;
}

#[tokio::test]
async fn what_the_provider_no_longer_has_is_said_on_the_ticket() {
    let gone = Answers::from([("/api-data.line.me/v2/bot/message/8/content", (410, vec![], vec![]))]);
    let (world, _) = world(gone).await;
    provider::post(&world, Channel::Line, image("8")).await;
    let timeline = timeline(&world, "line", "8").await;
    let failed = &event(&timeline, "attachments_stored")["data"]["failed"];
    assert_eq!(*failed, json!([{"id": "1", "reason": "the provider answers 410"}]));
    world.finish().await;
}

#[tokio::test]
async fn a_url_of_anybody_else_is_never_asked() {
    let (world, asked) = world(Answers::new()).await;
    let body = json!({"object": "page", "entry": [{"id": "1", "time": 1, "messaging": [{"sender": {"id": "9"},
        "recipient": {"id": "1"}, "timestamp": 1, "message": {"mid": "m_1", "attachments": [
            {"type": "image", "payload": {"url": "https://169.254.169.254/latest/meta-data"}},
            {"type": "image", "payload": {"url": "https://scontent.fbcdn.net.evil.example/a.jpg"}}]}}]}]});
    let answer = provider::post(&world, Channel::Messenger, Bytes::from(body.to_string())).await;
    assert_eq!(answer.status, 200);
    let timeline = timeline(&world, "messenger", "m_1").await;
    let failed = event(&timeline, "attachments_stored")["data"]["failed"].as_array().unwrap().clone();
    assert!(
        failed.iter().all(|file| file["reason"] == "the file is on no host from which its inbox fetches"),
        "{failed:?}"
    );
    assert_eq!(failed.len(), 2);
    assert!(asked.lock().unwrap().is_empty());
    world.finish().await;
}

/// A WhatsApp message with an image.
fn photo(id: &str, media: &str) -> Bytes {
    let message = json!({"from": "4915112345678", "id": id, "timestamp": "1795183200", "type": "image",
        "image": {"id": media, "mime_type": "image/png", "caption": "see"}});
    let value = json!({"messaging_product": "whatsapp", "metadata": {"phone_number_id": "1", "display_phone_number": "1"},
        "messages": [message]});
    let body = json!({"object": "whatsapp_business_account",
        "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]});
    Bytes::from(body.to_string())
}

/// WhatsApp and Telegram tell an id, and where the file is only to who asks.
#[tokio::test]
async fn where_a_file_is_told_by_its_id_is_looked_up_first() {
    let said =
        |body: Value| (200, vec![("content-type", "application/json".to_owned())], body.to_string().into_bytes());
    let answers = Answers::from([
        ("/graph.facebook.com/v23.0/4711", said(json!({"url": "https://lookaside.fbsbx.com/attachments/?mid=1"}))),
        ("/lookaside.fbsbx.com/attachments/?mid=1", (200, Vec::new(), PNG.to_vec())),
        ("/graph.facebook.com/v23.0/4712", said(json!({"url": "https://evil.example/attachments/?mid=2"}))),
        (
            "/api.telegram.org/bottok/getFile?file_id=AgAC-1",
            said(json!({"ok": true, "result": {"file_id": "AgAC-1", "file_path": "photos/file_1.png"}})),
        ),
        ("/api.telegram.org/file/bottok/photos/file_1.png", (200, Vec::new(), PNG.to_vec())),
    ]);
    let (world, asked) = world(answers).await;
    let stored = |timeline: &[Value]| event(timeline, "attachments_stored")["data"]["attachments"][0].clone();
    let asked = || std::mem::take(&mut *asked.lock().unwrap());

    assert_eq!(provider::post(&world, Channel::Whatsapp, photo("w1", "4711")).await.status, 200);
    let had = stored(&timeline(&world, "whatsapp", "w1").await);
    assert_eq!((&had["sha256"], &had["content_type"]), (&json!(PNG_SHA256), &json!("image/png")));
    let token = Some("Bearer tok".to_owned());
    let wanted = ["/graph.facebook.com/v23.0/4711", "/lookaside.fbsbx.com/attachments/?mid=1"];
    assert_eq!(asked(), wanted.map(|path| (path.to_owned(), token.clone())));

    // What the look-up names is held to the provider's hosts, too.
    assert_eq!(provider::post(&world, Channel::Whatsapp, photo("w2", "4712")).await.status, 200);
    let timeline_of_other = timeline(&world, "whatsapp", "w2").await;
    let failed = timeline_of_other.iter().filter_map(|event| event["data"]["failed"][0]["reason"].as_str());
    assert_eq!(failed.collect::<Vec<_>>(), ["the file is on no host from which its inbox fetches"]);
    assert_eq!(asked(), [("/graph.facebook.com/v23.0/4712".to_owned(), token)]);

    let update = json!({"update_id": 1, "message": {"message_id": 5, "date": 1_795_183_200,
        "from": {"id": 7, "is_bot": false, "first_name": "Anna"}, "chat": {"id": 7, "type": "private"},
        "photo": [{"file_id": "AgAC-1", "file_unique_id": "u1", "width": 90, "height": 90}]}});
    assert_eq!(provider::post(&world, Channel::Telegram, Bytes::from(update.to_string())).await.status, 200);
    let had = stored(&timeline(&world, "telegram", "7:5").await);
    assert_eq!(had["sha256"], PNG_SHA256);
    let wanted = ["/api.telegram.org/bottok/getFile?file_id=AgAC-1", "/api.telegram.org/file/bottok/photos/file_1.png"];
    assert_eq!(asked(), wanted.map(|path| (path.to_owned(), None)));
    world.finish().await;
}

#[tokio::test]
async fn a_redirect_is_followed_on_the_channels_hosts_and_loses_the_token() {
    let there = vec![("location", "https://media.twiliocdn.com/ME1".to_owned())];
    let answers = Answers::from([
        ("/api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1", (307, there, Vec::new())),
        ("/media.twiliocdn.com/ME1", (200, vec![("content-type", "image/png".to_owned())], PNG.to_vec())),
    ]);
    let (world, asked) = world(answers).await;
    let form = [
        ("MessageSid", "MM1"),
        ("AccountSid", "AC1"),
        ("From", "+4915112345678"),
        ("To", "+4930123456"),
        ("Body", "see"),
        ("NumMedia", "1"),
        ("MediaContentType0", "image/png"),
        ("MediaUrl0", "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1"),
    ];
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    assert_eq!(provider::post(&world, Channel::Sms, Bytes::from(body)).await.status, 200);
    let timeline = timeline(&world, "sms", "MM1").await;
    assert_eq!(event(&timeline, "attachments_stored")["data"]["attachments"][0]["size"], PNG.len());
    let asked = asked.lock().unwrap().clone();
    assert!(asked[0].1.as_ref().is_some_and(|given| given.starts_with("Basic ")));
    assert_eq!(asked[1], ("/media.twiliocdn.com/ME1".to_owned(), None));
    world.finish().await;
}

#[tokio::test]
async fn a_channel_without_a_token_says_so_on_the_ticket() {
    let world = World::start().await;
    assert_eq!(provider::post(&world, Channel::Line, image("9")).await.status, 200);
    let timeline = timeline(&world, "line", "9").await;
    let failed = &event(&timeline, "attachments_stored")["data"]["failed"];
    assert_eq!(*failed, json!([{"id": "1", "reason": "the inbox has no access token for the channel's files"}]));
    world.finish().await;
}

/// A message of a business system that names files by URL.
fn naming(id: &str, files: &Value) -> Value {
    let mut body = webhook::message(id, &json!({"account": "user-1"}), "Broken lamp", "See the picture.");
    body["data"]["attachments"] = files.clone();
    body
}

/// What is said of a webhook's files: stored ones, and why others are not.
async fn told(world: &World, id: &str) -> (Vec<Value>, Vec<Value>) {
    let timeline = timeline_of_shop(world, id).await;
    assert_eq!(count(&timeline, "attachments_stored"), 1);
    let told = &event(&timeline, "attachments_stored")["data"];
    let list = |name: &str| told[name].as_array().cloned().unwrap_or_default();
    (list("attachments"), list("failed"))
}

async fn timeline_of_shop(world: &World, id: &str) -> Vec<Value> {
    world.settled().await;
    world.timeline(&world.ticket_of("webhook", SHOP, id).await).await
}

#[tokio::test]
async fn a_file_that_a_business_system_names_is_had_once_however_often_it_is_posted() {
    let answers = Answers::from([("/files.example.com/lamp?v=1", (200, Vec::new(), PNG.to_vec()))]);
    let (world, asked) = world(answers).await;
    let file = json!({"url": "https://files.example.com/lamp?v=1", "filename": "lamp.png", "content_type": "image/png",
        "size": PNG.len(), "sha256": PNG_SHA256});
    for _ in 0..10 {
        webhook::send(&world, &naming("lamp", &json!([file]))).await;
    }
    let timeline = timeline_of_shop(&world, "lamp").await;
    assert_eq!(count(&timeline, "message_received"), 1);
    let message = &event(&timeline, "message_received")["data"]["message"];
    assert_eq!((&message["warnings"], &message["attachments"][0]["url"]), (&Value::Null, &Value::Null), "not here yet");
    let (stored, failed) = told(&world, "lamp").await;
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!((&stored[0]["filename"], &stored[0]["sha256"]), (&json!("lamp.png"), &json!(PNG_SHA256)));
    let download = world.download(stored[0]["url"].as_str().unwrap()).await;
    assert_eq!((download.status, &download.body[..]), (200, PNG));
    assert_eq!(*asked.lock().unwrap(), [("/files.example.com/lamp?v=1".to_owned(), None)], "once, and without a token");
    assert_eq!(world.app().blobs.list(FILES_PREFIX, None, 100).await.unwrap().objects.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_bots_file_is_had_from_where_its_inbox_allows() {
    let answers = Answers::from([("/files.example.com/receipt.png", (200, Vec::new(), PNG.to_vec()))]);
    let (world, _) = world(answers).await;
    let body = json!({"type": "bot.handoff", "data": {"handoff_id": "ho_1", "summary": "See the receipt.",
        "attachments": [{"url": "https://files.example.com/receipt.png"}]}});
    assert_eq!(provider::post(&world, Channel::Bot, Bytes::from(body.to_string())).await.status, 202);
    let timeline = timeline(&world, "bot", "ho_1").await;
    let stored = &event(&timeline, "attachments_stored")["data"]["attachments"][0];
    let download = world.download(stored["url"].as_str().unwrap()).await;
    assert_eq!((download.status, &download.body[..]), (200, PNG));
    world.finish().await;
}

#[tokio::test]
async fn what_is_named_elsewhere_or_is_not_what_was_named_is_said_and_the_message_stays() {
    let away = vec![("location", "https://evil.example/a".to_owned())];
    let answers = Answers::from([
        ("/files.example.com/moved", (302, away, Vec::new())),
        ("/files.example.com/other", (200, Vec::new(), PNG.to_vec())),
    ]);
    let (world, asked) = world(answers).await;
    let files = json!([
        {"url": "https://169.254.169.254/latest/meta-data"},
        {"url": "https://files.example.com/moved"},
        {"url": "https://files.example.com/other", "sha256": "0".repeat(64)},
        {"url": "http://files.example.com/plain"},
        "nonsense",
    ]);
    webhook::send(&world, &naming("odd", &files)).await;
    let (stored, failed) = told(&world, "odd").await;
    assert!(stored.is_empty(), "{stored:?}");
    let reasons: Vec<_> = failed.iter().map(|file| file["reason"].as_str().unwrap()).collect();
    let elsewhere = "the file is on no host from which its inbox fetches";
    assert_eq!(reasons, [elsewhere, elsewhere, "the file has another SHA-256 than the message says"]);
    let timeline = timeline_of_shop(&world, "odd").await;
    let warnings = &event(&timeline, "message_received")["data"]["message"]["warnings"];
    let left_out = "2 attachment(s) without an https URL are left out";
    assert_eq!(*warnings, json!([left_out, "1 attachment(s) are on hosts from which the inbox fetches nothing"]));
    assert!(asked.lock().unwrap().iter().all(|(path, _)| path.starts_with("/files.example.com/")));
    assert!(world.app().blobs.list(FILES_PREFIX, None, 100).await.unwrap().objects.is_empty());
    world.finish().await;
}

#[tokio::test]
async fn what_cannot_be_had_now_is_had_later() {
    let answers = Answers::from([("/files.example.com/busy-at-first", (200, Vec::new(), PNG.to_vec()))]);
    let (world, asked) = world(answers).await;
    webhook::send(&world, &naming("busy", &json!([{"url": "https://files.example.com/busy-at-first"}]))).await;
    let (stored, failed) = told(&world, "busy").await;
    assert_eq!((stored.len(), failed.len()), (1, 0));
    assert_eq!(asked.lock().unwrap().len(), 2);
    world.finish().await;
}
