//! Files of chat visitors and of the form: uploaded by signed forms, named by a message, had by links.

use serde_json::{Value, json};
use throughline_channels::upload::{self, UPLOAD_BYTES_MAX, UPLOADS_PREFIX};
use throughline_domain::channel::Channel;
use throughline_platform::files::FILES_PREFIX;
use throughline_tests::chat::{CHAT, post_form};
use throughline_tests::{Accepted, Chat, World, count, event, problem};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n0000IHDR";
const FORM: &str = "/v1/channels/portal/portal";

async fn chat(world: &World) -> Chat {
    let opened = world.open_chat(&world.anyone, &json!({})).await.ok().unwrap();
    Chat::of(world, &opened)
}

/// Sends a message that is taken, and waits until it is recorded.
async fn send(world: &World, chat: &Chat, id: &str, text: &str, files: &[Value]) {
    let answer = chat.post(&Chat::with_files(id, text, files)).await;
    assert_eq!(answer.status, 202, "{}", answer.json());
    let id = format!("{}:{id}", chat.session_id);
    world.took(Accepted { channel: "web_chat", inbox: CHAT.to_owned(), id, content: text.to_owned() });
    world.settled().await;
}

/// Sends a message that is refused; where its fault is.
async fn refused(chat: &Chat, files: &[Value]) -> String {
    let found = problem(&chat.post(&Chat::with_files("refused", "See.", files)).await, 422);
    found["errors"][0]["pointer"].as_str().unwrap().to_owned()
}

/// The files of a message of a chat, as the timeline lists them.
async fn files(world: &World, chat: &Chat, id: &str) -> Vec<Value> {
    let ticket = world.ticket_of("web_chat", CHAT, &format!("{}:{id}", chat.session_id)).await;
    let timeline = world.timeline(&ticket).await;
    event(&timeline, "message_received")["data"]["message"]["attachments"].as_array().unwrap().clone()
}

#[tokio::test]
async fn what_a_visitor_uploads_is_on_the_timeline_with_a_link() {
    let world = World::start().await;
    let chat = chat(&world).await;
    let file = chat.upload("Größe.png", "application/octet-stream", PNG).await;
    // The answer of the first was lost: it is one message all the same.
    for _ in 0..2 {
        send(&world, &chat, "1", "", std::slice::from_ref(&file)).await;
    }
    let listed = files(&world, &chat, "1").await;
    assert_eq!(listed.len(), 1);
    let told = (&listed[0]["filename"], &listed[0]["content_type"], &listed[0]["size"]);
    assert_eq!(told, (&json!("Größe.png"), &json!("image/png"), &json!(PNG.len())), "the type is what the bytes show");
    assert_eq!(listed[0]["held_by_channel"], Value::Null);
    let answer = world.download(listed[0]["url"].as_str().unwrap()).await;
    assert_eq!((answer.status, &answer.body[..]), (200, PNG));
    let ticket = world.ticket_of("web_chat", CHAT, &format!("{}:1", chat.session_id)).await;
    assert_eq!(count(&world.timeline(&ticket).await, "message_received"), 1);
    // Who sent it sees its name.
    let path = format!("/v1/channels/web_chat/{CHAT}/messages");
    let seen = world.anyone.with_token(&chat.token).get(&path).await.unwrap().ok().unwrap();
    assert_eq!(seen["items"][0]["files"], json!([{"filename": "Größe.png", "size": PNG.len()}]));
    world.finish().await;
}

#[tokio::test]
async fn a_page_that_was_uploaded_is_never_shown_as_one() {
    let world = World::start().await;
    let chat = chat(&world).await;
    let page = b"<!DOCTYPE html><script>alert(document.domain)</script>";
    let file = chat.upload("invoice.png", "image/png", page).await;
    send(&world, &chat, "1", "My invoice.", &[file]).await;
    let listed = files(&world, &chat, "1").await;
    assert_eq!((&listed[0]["content_type"], &listed[0]["dangerous"]), (&json!("text/html"), &json!(true)));
    let answer = world.download(listed[0]["url"].as_str().unwrap()).await;
    assert_eq!(answer.headers["content-type"], "application/octet-stream");
    assert!(answer.headers["content-disposition"].to_str().unwrap().starts_with("attachment; "));
    world.finish().await;
}

#[tokio::test]
async fn nobody_names_the_upload_of_another() {
    let world = World::start().await;
    let (anna, ben) = (chat(&world).await, chat(&world).await);
    let file = anna.upload("a.png", "image/png", PNG).await;
    assert_eq!(refused(&ben, std::slice::from_ref(&file)).await, "/attachments/0/upload_id");
    let never = json!({"upload_id": "upl_0123456789abcdef0123456789abcdef", "filename": "a.png"});
    assert_eq!(refused(&anna, &[file.clone(), never]).await, "/attachments/1/upload_id");
    let elsewhere = json!({"upload_id": "upl_../../attachments/x", "filename": "a.png"});
    assert_eq!(refused(&anna, &[elsewhere]).await, "/attachments/0/upload_id");
    let mut other_size = file.clone();
    other_size["size"] = json!(PNG.len() + 1);
    assert_eq!(refused(&anna, &[other_size]).await, "/attachments/0/size");
    // A form that was asked for and never used is no upload.
    let unused = anna.ask_upload("b.png", "image/png", 3).await.json();
    assert_eq!(refused(&anna, &[json!({"upload_id": unused["upload_id"]})]).await, "/attachments/0/upload_id");
    world.settled().await;
    assert_eq!(world.tickets("").await.len(), 0, "a message comes with all its files or not at all");
    send(&world, &anna, "1", "See.", &[file]).await;
    assert_eq!(files(&world, &anna, "1").await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_form_takes_what_it_was_signed_for_and_nothing_else() {
    let world = World::start().await;
    let chat = chat(&world).await;
    let form = chat.ask_upload("a.png", "image/png", PNG.len()).await.json();
    let (url, fields) = (&form["url"], &form["fields"]);
    let with = |name: &str, value: &str| {
        let mut fields = fields.clone();
        fields[name] = json!(value);
        fields
    };
    let key = fields["key"].as_str().unwrap();
    let other = key.replace("upl_", "upl_0");
    for changed in [
        with("key", &other),
        with("key", "mail/forged"),
        with("Content-Type", "text/html"),
        with("x-amz-signature", &"0".repeat(64)),
        with("x-amz-date", "20260101T000000Z"),
        with("acl", "public-read"),
        with("policy", "e30="),
        json!({}),
    ] {
        assert_eq!(post_form(url, &changed, PNG).await.status, 403, "{changed}");
    }
    for wrong in [&PNG[1..], &[PNG, PNG].concat(), b""] {
        assert_eq!(post_form(url, fields, wrong).await.status, 400, "{} bytes", wrong.len());
    }
    let kept = world.app().blobs.list(UPLOADS_PREFIX, None, 10).await.unwrap();
    assert_eq!(kept.objects.len(), 0);
    let right = post_form(url, fields, PNG).await;
    assert_eq!((right.status, &right.headers["access-control-allow-origin"]), (204, &"*".parse().unwrap()));
    world.finish().await;
}

#[tokio::test]
async fn a_form_lasts_ten_minutes() {
    let mut world = World::start_at("2026-11-20T09:30:00Z").await;
    let chat = chat(&world).await;
    let form = chat.ask_upload("a.png", "image/png", PNG.len()).await.json();
    assert_eq!(form["expires_at"], "2026-11-20T09:40:00.000Z");
    world.set_time("2026-11-20T09:39:59Z");
    assert_eq!(post_form(&form["url"], &form["fields"], PNG).await.status, 204);
    world.set_time("2026-11-20T09:40:00Z");
    assert_eq!(post_form(&form["url"], &form["fields"], PNG).await.status, 403);
    world.finish().await;
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let world = World::start().await;
    let chat = chat(&world).await;
    let max = usize::try_from(UPLOAD_BYTES_MAX).unwrap();
    for size in [0, max + 1] {
        let found = problem(&chat.ask_upload("a.bin", "", size).await, 422);
        assert_eq!(found["errors"][0]["pointer"], "/size", "{size}");
    }
    assert_eq!(chat.ask_upload("a.bin", "", max).await.status, 201);
    // However it got there: an object that is too large alone, and some that are so together.
    let put = async |digit: &str, size: usize| {
        let id = upload::id(&digit.repeat(32));
        let key = upload::key(Channel::WebChat, &CHAT.parse().unwrap(), &chat.session_id, &id);
        world.app().blobs.put(&key, vec![0; size]).await.unwrap();
        json!({"upload_id": id})
    };
    let large = put("0", max + 1).await;
    assert_eq!(refused(&chat, &[large]).await, "/attachments/0");
    let files = [put("1", 14 << 20).await, put("2", 14 << 20).await, put("3", 14 << 20).await];
    assert_eq!(refused(&chat, &files).await, "/attachments");
    let many: Vec<Value> = (0..=upload::FILES_MAX).map(|_| files[0].clone()).collect();
    assert_eq!(refused(&chat, &many).await, "/attachments");
    assert_eq!(world.app().blobs.list(FILES_PREFIX, None, 10).await.unwrap().objects.len(), 0);
    world.finish().await;
}

#[tokio::test]
async fn a_flood_of_uploads_is_refused_and_keeps_no_message_away() {
    let world = World::start().await;
    let chat = chat(&world).await;
    let file = chat.upload("a.txt", "text/plain", b"Hello").await;
    let mut statuses = Vec::new();
    for _ in 0..405 {
        statuses.push(chat.ask_upload("a.png", "image/png", 3).await.status);
    }
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 399, "one was asked for before");
    assert!(statuses[399..].iter().all(|status| *status == 429), "{statuses:?}");
    // Naming one counts, too: each time it is read and stored.
    problem(&chat.post(&Chat::with_files("0", "Look", std::slice::from_ref(&file))).await, 429);
    chat.say(&world, "1", "Hello?").await;
    world.settled().await;
    assert_eq!(world.tickets("").await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn who_is_nobody_uploads_nothing() {
    let world = World::start().await;
    let wanted = json!({"filename": "a.png", "size": 3});
    let path = format!("/v1/channels/web_chat/{CHAT}/uploads");
    problem(&world.anyone.post(&path, &wanted).await.unwrap(), 401);
    problem(&world.anyone.with_token("junk").post(&path, &wanted).await.unwrap(), 401);
    problem(&world.anyone.post("/v1/channels/web_chat/nowhere/uploads", &wanted).await.unwrap(), 404);
    problem(&world.anyone.post("/v1/channels/portal/nowhere/uploads", &wanted).await.unwrap(), 404);
    world.finish().await;
}

#[tokio::test]
async fn a_form_of_the_help_centre_brings_its_files() {
    let world = World::start().await;
    let wanted = json!({"filename": "lamp.png", "content_type": "image/png", "size": PNG.len()});
    let form = world.anyone.post(&format!("{FORM}/uploads"), &wanted).await.unwrap().ok().unwrap();
    assert_eq!(post_form(&form["url"], &form["fields"], PNG).await.status, 204);
    let file = json!({"upload_id": form["upload_id"], "filename": "lamp.png", "content_type": "image/png"});
    let submission = json!({"submission_id": "s-1", "requester": {"email": "anna@example.org"},
        "subject": "Broken lamp", "description": "See the picture.", "attachments": [file]});
    // No chat can have it, by whatever name.
    let visitor = chat(&world).await;
    assert_eq!(refused(&visitor, std::slice::from_ref(&file)).await, "/attachments/0/upload_id");
    for _ in 0..2 {
        let answer = world.anyone.post(FORM, &submission).await.unwrap();
        assert_eq!(answer.status, 202, "{}", answer.json());
    }
    world.settled().await;
    let tickets = world.tickets("").await;
    assert_eq!(tickets.len(), 1);
    let timeline = world.timeline(&tickets[0]).await;
    assert_eq!(count(&timeline, "message_received"), 1);
    let message = &event(&timeline, "message_received")["data"]["message"];
    let answer = world.download(message["attachments"][0]["url"].as_str().unwrap()).await;
    assert_eq!((answer.status, &answer.body[..]), (200, PNG));
    let id = message["provider_message_id"].as_str().unwrap().to_owned();
    world.took(Accepted { channel: "portal", inbox: "portal".to_owned(), id, content: String::new() });
    world.finish().await;
}
