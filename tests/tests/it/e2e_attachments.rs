//! Files: stored once for each sender, and downloaded by links that last for minutes.

use serde_json::Value;
use throughline_platform::files::{FILES_PREFIX, LINK_LASTS};
use throughline_tests::{Mail, World, event};

const PDF: &[u8] = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n";

/// The files of the first message of the ticket that a mail is on.
async fn files(world: &World, mail: &Mail) -> Vec<Value> {
    let ticket = world.ticket_by_mail(mail).await;
    let timeline = world.timeline(&ticket).await;
    event(&timeline, "message_received")["data"]["message"]["attachments"].as_array().unwrap().clone()
}

/// How many files the bucket holds.
async fn stored(world: &World) -> usize {
    world.app().blobs.list(FILES_PREFIX, None, 100).await.unwrap().objects.len()
}

#[tokio::test]
async fn a_file_is_downloaded_by_its_link() {
    let world = World::start().await;
    let mail = Mail::from("anna@example.org").file("Größe.pdf", "application/octet-stream", PDF);
    let files = files(&world, &mail).await;
    assert_eq!(files.len(), 1);
    assert_eq!((&files[0]["filename"], &files[0]["content_type"]), (&"Größe.pdf".into(), &"application/pdf".into()));
    let link = files[0]["url"].as_str().unwrap();
    let answer = world.download(link).await;
    assert_eq!((answer.status, &answer.body[..]), (200, PDF));
    let header = |name: &str| answer.headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "application/pdf");
    let disposition = header("content-disposition");
    assert!(disposition.starts_with("attachment; ") && disposition.contains("Gr%C3%B6%C3%9Fe%2Epdf"), "{disposition}");
    world.finish().await;
}

#[tokio::test]
async fn a_page_that_came_by_mail_is_never_shown_as_one() {
    let world = World::start().await;
    let page = b"<html><script>alert(document.domain)</script></html>";
    let mail = Mail::from("mallory@example.net").file("invoice.html", "text/html", page);
    let files = files(&world, &mail).await;
    let answer = world.download(files[0]["url"].as_str().unwrap()).await;
    let disposition = answer.headers["content-disposition"].to_str().unwrap();
    assert!(disposition.starts_with("attachment; "), "{disposition}");
    world.finish().await;
}

#[tokio::test]
async fn the_same_file_is_stored_once_for_each_sender() {
    let world = World::start().await;
    for _ in 0..2 {
        world.mail(&Mail::from("anna@example.org").file("a.pdf", "application/pdf", PDF)).await;
    }
    world.settled().await;
    assert_eq!(stored(&world).await, 1);
    world.mail(&Mail::from("ben@example.org").file("b.pdf", "application/pdf", PDF)).await;
    world.settled().await;
    assert_eq!(stored(&world).await, 2);
    world.finish().await;
}

#[tokio::test]
async fn a_link_is_for_one_file_and_some_minutes() {
    let mut world = World::start_at("2026-11-20T09:30:00Z").await;
    let mail = Mail::from("anna@example.org").file("a.pdf", "application/pdf", PDF).file("b.txt", "text/plain", b"b");
    let files = files(&world, &mail).await;
    let links: Vec<&str> = files.iter().map(|file| file["url"].as_str().unwrap()).collect();
    assert_eq!(world.download(links[0]).await.status, 200);
    let hash = |index: usize| files[index]["sha256"].as_str().unwrap();
    for changed in [
        links[0].replace(hash(0), hash(1)),
        links[0].replace("application%2Fpdf", "text%2Fhtml"),
        links[0].replace("attachment", "inline"),
        links[0].replace("X-Amz-Expires=300", "X-Amz-Expires=3000"),
        links[0].replace("X-Amz-Signature=", "X-Amz-Signature=0"),
    ] {
        assert_ne!(changed, links[0]);
        assert_eq!(world.download(&changed).await.status, 403, "{changed}");
    }
    assert_eq!(LINK_LASTS.as_secs(), 300);
    world.set_time("2026-11-20T09:35:00Z");
    assert_eq!(world.download(links[0]).await.status, 200);
    world.set_time("2026-11-20T09:35:02Z");
    assert_eq!(world.download(links[0]).await.status, 403);
    world.finish().await;
}
