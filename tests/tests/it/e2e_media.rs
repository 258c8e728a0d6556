//! Files that providers hold: had from them after the answer, once, and from nobody else.

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
use throughline_tests::{World, count, event, provider};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n0000IHDR and so on";

/// What the stand-in for the providers was asked for: paths with their `Authorization`.
type Asked = Arc<Mutex<Vec<(String, Option<String>)>>>;

/// What it answers, by the path that it is asked for; the first part is the host.
type Answers = BTreeMap<&'static str, (u16, Vec<(&'static str, String)>, Vec<u8>)>;

async fn answer(State((asked, answers)): State<(Asked, Arc<Answers>)>, uri: Uri, headers: HeaderMap) -> Response {
    let authorization = headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
    asked.lock().unwrap().push((uri.to_string(), authorization));
    let Some((status, headers, body)) = answers.get(uri.to_string().as_str()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut response = (StatusCode::from_u16(*status).unwrap(), body.clone()).into_response();
    for (name, value) in headers {
        response.headers_mut().insert(*name, value.parse().unwrap());
    }
    response
}

/// A world whose inboxes have the token `tok`, and the stand-in that it asks.
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
    let (world, _) = world(Answers::new()).await;
    provider::post(&world, Channel::Line, image("8")).await;
    let timeline = timeline(&world, "line", "8").await;
    let failed = &event(&timeline, "attachments_stored")["data"]["failed"];
    assert_eq!(*failed, json!([{"id": "1", "reason": "the provider answers 404"}]));
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
    assert!(failed.iter().all(|file| file["reason"] == "the file is not on a host of its channel"), "{failed:?}");
    assert_eq!(failed.len(), 2);
    assert!(asked.lock().unwrap().is_empty());
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
