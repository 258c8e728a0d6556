//! Commands: once for each key, never on a stale ticket, and what is wrong with them.

use http::Method;
use serde_json::{Value, json};
use throughline_local::client::Answer;
use throughline_tests::{Mail, World, count, problem};

async fn command(world: &World, ticket: &Value, rest: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let path = format!("/v1/tickets/{}/{rest}", ticket["id"].as_str().unwrap());
    world.agent.send(Method::POST, &path, headers, body.to_string()).await.unwrap()
}

#[tokio::test]
async fn a_command_with_a_key_happens_once() {
    let world = World::start().await;
    let ticket = world.ticket_by_mail(&Mail::from("anna@example.org")).await;
    let key = [("idempotency-key", "key-1")];
    let body = json!({"text": "It is on its way."});
    let first = command(&world, &ticket, "replies", &key, &body).await.ok().unwrap();
    let again = command(&world, &ticket, "replies", &key, &body).await.ok().unwrap();
    assert_eq!(first["events"], again["events"]);
    problem(&command(&world, &ticket, "replies", &key, &json!({"text": "Something else"})).await, 422);
    problem(&command(&world, &ticket, "notes", &key, &body).await, 422);
    // Another caller's key of the same name is another key.
    let path = format!("/v1/tickets/{}/replies", ticket["id"].as_str().unwrap());
    assert_eq!(world.lead.send(Method::POST, &path, &key, body.to_string()).await.unwrap().status, 200);
    world.settled().await;
    assert_eq!(count(&world.timeline(&ticket).await, "reply_sent"), 2);
    assert_eq!(world.sent_mail().await.len(), 2);
    world.finish().await;
}

#[tokio::test]
async fn the_same_command_at_once_happens_once() {
    let world = World::start().await;
    let ticket = world.ticket_by_mail(&Mail::from("anna@example.org")).await;
    let key = [("idempotency-key", "key-1")];
    let body = json!({"text": "It is on its way."});
    let at_once = (0..8).map(|_| command(&world, &ticket, "replies", &key, &body));
    let answers = futures::future::join_all(at_once).await;
    let events: Vec<Value> = answers.into_iter().map(|answer| answer.ok().unwrap()["events"].clone()).collect();
    assert!(events.iter().all(|event| *event == events[0]), "{events:?}");
    world.settled().await;
    assert_eq!(count(&world.timeline(&ticket).await, "reply_sent"), 1);
    assert_eq!(world.sent_mail().await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_stale_version_is_refused() {
    let world = World::start().await;
    let ticket = world.ticket_by_mail(&Mail::from("anna@example.org")).await;
    let path = format!("/v1/tickets/{}", ticket["id"].as_str().unwrap());
    let tag = world.agent.get(&path).await.unwrap().headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(tag, format!("\"{}\"", ticket["version"]));
    let body = json!({"text": "noted"});
    let done = command(&world, &ticket, "notes", &[("if-match", &tag)], &body).await;
    let next = done.headers["etag"].to_str().unwrap().to_owned();
    assert_eq!((done.status, next != tag), (200, true));
    problem(&command(&world, &ticket, "notes", &[("if-match", &tag)], &body).await, 412);
    assert_eq!(command(&world, &ticket, "notes", &[("if-match", &next)], &body).await.status, 200);
    assert_eq!(command(&world, &ticket, "notes", &[("if-match", "*")], &body).await.status, 200);
    assert_eq!(count(&world.timeline(&ticket).await, "note_added"), 3);
    world.finish().await;
}

#[tokio::test]
async fn faults_say_where_they_are() {
    let world = World::start().await;
    let ticket = world.ticket_by_mail(&Mail::from("anna@example.org")).await;
    for (rest, body, pointer) in [
        ("replies", json!({"text": " "}), "/text"),
        ("replies", json!({"text": "x", "to": ["fine@example.org", "junk"]}), "/to/1"),
        ("replies", json!({"text": "x", "visibility": "public"}), "/visibility"),
        ("replies", json!({"text": "x", "template": "greeting"}), ""),
        ("notes", json!({"text": ""}), "/text"),
        ("status", json!({"status": "new"}), "/status"),
        ("tags", json!({"add": [""]}), "/add"),
        ("assignment", json!({"assignee": "nobody"}), "/assignee"),
    ] {
        let problem = problem(&command(&world, &ticket, rest, &[], &body).await, 422);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    for (rest, body) in [
        ("status", json!({"status": "lost"})),
        ("priority", json!({})),
        ("replies", json!([1, 2])),
        ("assignment", json!({})),
        ("assignment", json!({"team": "billing", "next": true})),
    ] {
        let problem = problem(&command(&world, &ticket, rest, &[], &body).await, 422);
        assert!(problem["errors"][0]["pointer"].is_string(), "{problem}");
    }
    let path = format!("/v1/tickets/{}/notes", ticket["id"].as_str().unwrap());
    problem(&world.agent.send(Method::POST, &path, &[], "{\"text\": ").await.unwrap(), 400);
    let long = "x".repeat(256);
    problem(&command(&world, &ticket, "notes", &[("idempotency-key", &long)], &json!({"text": "x"})).await, 400);
    world.finish().await;
}

#[tokio::test]
async fn what_is_closed_stays_closed() {
    let world = World::start().await;
    let ticket = world.ticket_by_mail(&Mail::from("anna@example.org")).await;
    assert_eq!(command(&world, &ticket, "status", &[], &json!({"status": "closed"})).await.status, 200);
    problem(&command(&world, &ticket, "status", &[], &json!({"status": "open"})).await, 409);
    problem(&command(&world, &ticket, "assignment", &[], &json!({"assignee": "liam"})).await, 409);
    world.finish().await;
}

#[tokio::test]
async fn many_commands_at_once_lose_nothing() {
    let world = World::start().await;
    let ticket = world.ticket_by_mail(&Mail::from("anna@example.org")).await;
    let bodies: Vec<Value> = (0..12).map(|i| json!({"text": format!("note {i}")})).collect();
    let at_once = bodies.iter().map(|body| command(&world, &ticket, "notes", &[], body));
    let answers = futures::future::join_all(at_once).await;
    let done = answers.iter().filter(|answer| answer.status == 200).count();
    assert!(answers.iter().all(|answer| [200, 409].contains(&answer.status)));
    assert_eq!(count(&world.timeline(&ticket).await, "note_added"), done, "what was answered is there, nothing else");
    world.finish().await;
}

#[tokio::test]
async fn a_long_note_is_kept_whole() {
    let world = World::start().await;
    let ticket = world.ticket_by_mail(&Mail::from("anna@example.org")).await;
    let text = "She called again and told the whole story from the beginning. ".repeat(200);
    command(&world, &ticket, "notes", &[], &json!({"text": text.trim()})).await.ok().unwrap();
    world.settled().await;
    let timeline = world.timeline(&ticket).await;
    let note = throughline_tests::event(&timeline, "note_added");
    assert!(note["data"].to_string().contains(text.trim()), "{note}");
    world.finish().await;
}
