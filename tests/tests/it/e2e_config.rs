//! Configuration by the interface alone: a new stack is set up, nobody's change is lost, and what is wrong is named.

use http::Method;
use serde_json::{Value, json};
use throughline_local::client::{Answer, Client};
use throughline_tests::{Mail, World, problem};

async fn put(client: &Client, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    client.send(Method::PUT, path, headers, body.to_string()).await.unwrap()
}

/// A stack that was just deployed: nothing in its table.
async fn empty() -> World {
    World::start_with(|options| options.plant = false).await
}

fn inboxes() -> Value {
    json!({"inboxes": [
        {"id": "support", "channel": "email", "address": "support@example.com", "brand": "Example", "team": "front"},
    ]})
}

fn sla() -> Value {
    json!({
        "policies": [{"id": "all", "calendar": "always", "targets": [{"target": "first_response", "business_ms": 3_600_000}]}],
        "calendars": [{"id": "always", "time_zone": "UTC", "hours": [
            {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "00:00", "to": "24:00"},
        ]}],
    })
}

#[tokio::test]
async fn a_new_stack_is_set_up_by_the_interface_alone() {
    let world = empty().await;
    let kinds = world.get("/v1/config").await;
    assert!(kinds["items"].as_array().unwrap().iter().all(|kind| kind["version"] == 0), "{kinds}");
    assert_eq!(world.get("/v1/config/ticketing").await["reopen_window_hours"], 336, "the built-in default");
    assert_eq!(world.get("/v1/config/routing").await["default_weight"], 10);
    let mail = Mail::from("anna@example.org").subject("Refund").text("A refund, please.");
    let refused =
        throughline_smtp::send(world.system().smtp, Some(&mail.from), &mail.recipients(), &mail.bytes()).await;
    assert!(matches!(refused, Err(throughline_smtp::SendError::NoRecipient(_))), "{refused:?}");

    // Without the team it says what is missing.
    let missing = problem(&put(&world.admin, "/v1/config/inboxes", &[], &inboxes()).await, 422);
    assert_eq!(missing["errors"][0]["pointer"], "/inboxes/0/team");
    assert!(missing["errors"][0]["detail"].as_str().unwrap().contains("team front does not exist"), "{missing}");

    let routing = json!({"default_team": "front", "weights": {"email": 20}, "intents": [
        {"intent": "refund", "any": ["refund"], "team": "back", "priority": "high"},
    ]});
    for (path, body) in [
        ("/v1/teams/front", json!({"name": "Front desk"})),
        ("/v1/teams/back", json!({"name": "Back office"})),
        ("/v1/agents/mia", json!({"name": "Mia", "teams": ["front", "back"]})),
        ("/v1/config/sla", sla()),
        ("/v1/config/routing", routing),
        ("/v1/config/ticketing", json!({"reopen_window_hours": 48})),
        ("/v1/config/inboxes", inboxes()),
    ] {
        let answer = put(&world.admin, path, &[], &body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.json());
    }
    world.post("/v1/agents/mia/presence", &json!({"status": "available"})).await;

    let ticket = world.ticket_by_mail(&mail).await;
    let found = (&ticket["team"], &ticket["assignee"], &ticket["priority"]);
    assert_eq!(found, (&"back".into(), &"mia".into(), &"high".into()));
    assert_eq!(ticket["sla"]["policy"], json!({"id": "all", "version": 1}), "{ticket}");
    assert_eq!(world.get("/v1/agents/mia").await["load"], 20);
    world.finish().await;
}

#[tokio::test]
async fn versions_count_up_and_say_who_and_when() {
    let world = empty().await;
    let answer = put(&world.admin, "/v1/config/sla", &[("if-match", "\"0\"")], &sla()).await;
    let first = answer.json();
    assert_eq!((&first["version"], &first["by"], &first["kind"]), (&1.into(), &"ada".into(), &"sla".into()));
    assert_eq!(answer.headers["etag"], "\"1\"");
    let at = first["at"].as_str().unwrap();
    assert!(at.parse::<throughline_domain::moment::Moment>().is_ok(), "{at}");

    // The same again, as after a lost answer, changes nothing; neither does what was read, sent back.
    let again = put(&world.admin, "/v1/config/sla", &[("if-match", "\"0\"")], &sla()).await;
    assert_eq!((again.status, again.json()), (200, first.clone()));
    assert_eq!(put(&world.admin, "/v1/config/sla", &[], &first).await.json(), first);

    let mut changed = sla();
    changed["policies"][0]["warn_at_percent"] = 50.into();
    problem(&put(&world.admin, "/v1/config/sla", &[("if-match", "\"0\"")], &changed).await, 412);
    let second = put(&world.admin, "/v1/config/sla", &[("if-match", "\"1\"")], &changed).await.json();
    assert_eq!(second["version"], 2);
    let read = world.agent.get("/v1/config/sla").await.unwrap();
    assert_eq!((read.json(), read.headers["etag"].to_str().unwrap()), (second, "\"2\""));
    world.finish().await;
}

#[tokio::test]
async fn admins_at_once_lose_nothing() {
    let world = empty().await;
    for headers in [&[("if-match", "\"0\"")][..], &[]] {
        let before = world.get("/v1/config/ticketing").await["version"].as_u64().unwrap();
        let tag = format!("\"{before}\"");
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, _)| (*name, tag.as_str())).collect();
        let bodies: Vec<Value> = (0..8).map(|i| json!({"reopen_window_hours": 100 + before * 10 + i})).collect();
        let at_once = bodies.iter().map(|body| put(&world.admin, "/v1/config/ticketing", &headers, body));
        let answers = futures::future::join_all(at_once).await;
        let done: Vec<Value> = answers.iter().filter(|answer| answer.status == 200).map(Answer::json).collect();
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            problem(answer, answer.status);
            assert!([409, 412].contains(&answer.status), "{}", answer.status);
        }
        // Each version is one admin's, and none was skipped.
        let mut versions: Vec<u64> = done.iter().map(|done| done["version"].as_u64().unwrap()).collect();
        versions.sort_unstable();
        assert_eq!(versions, (before + 1..=before + done.len() as u64).collect::<Vec<_>>());
        assert!(headers.is_empty() || versions.len() == 1, "{versions:?}");
        let last = done.iter().max_by_key(|done| done["version"].as_u64()).unwrap();
        assert_eq!(world.get("/v1/config/ticketing").await, *last);
    }
    world.finish().await;
}

#[tokio::test]
async fn what_is_wrong_is_named_with_its_place() {
    let world = World::start().await;
    let before = world.get("/v1/config/sla").await;
    let mut wrong = sla();
    wrong["policies"][0]["calendar"] = "none".into();
    wrong["policies"][0]["targets"] = json!([]);
    wrong["calendars"][0]["time_zone"] = "Mars/Base".into();
    let faults = problem(&put(&world.admin, "/v1/config/sla", &[], &wrong).await, 422);
    let pointers: Vec<&str> =
        faults["errors"].as_array().unwrap().iter().map(|fault| fault["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/calendars/0", "/policies/0/calendar", "/policies/0/targets"], "{faults}");
    for (path, body, status) in [
        ("/v1/config/sla", "{\"policies\": ", 400),
        ("/v1/config/sla", "[]", 422),
        ("/v1/config/inboxes", "{}", 422),
        ("/v1/config/inboxes", "{\"inboxes\": [{\"id\": \"a b\", \"channel\": \"email\"}]}", 422),
        ("/v1/config/routing", "{\"weights\": {\"fax\": 10}}", 422),
        ("/v1/config/colours", "{}", 404),
        ("/v1/teams/a%20b", "{\"name\": \"A\"}", 422),
        ("/v1/teams/a", "{\"name\": \" \"}", 422),
        ("/v1/agents/a", "{\"name\": \"\", \"teams\": []}", 422),
    ] {
        problem(&world.admin.send(Method::PUT, path, &[], body).await.unwrap(), status);
    }
    let long = json!({"intents": [{"intent": "x", "any": ["x".repeat(400_000)]}]});
    problem(&put(&world.admin, "/v1/config/routing", &[], &long).await, 413);
    problem(&world.agent.get("/v1/config/colours").await.unwrap(), 404);
    assert_eq!(world.get("/v1/config/sla").await, before);
    assert_eq!(before["by"], "seed.toml");
    world.finish().await;
}

#[tokio::test]
async fn only_admins_change_how_work_is_done() {
    let world = World::start().await;
    for client in [&world.integration, &world.agent, &world.lead] {
        problem(&put(client, "/v1/config/ticketing", &[], &json!({})).await, 403);
        problem(&put(client, "/v1/teams/new", &[], &json!({"name": "New"})).await, 403);
    }
    problem(&world.integration.get("/v1/config/sla").await.unwrap(), 403);
    problem(&world.integration.get("/v1/config").await.unwrap(), 403);
    assert_eq!(world.agent.get("/v1/config/sla").await.unwrap().status, 200);

    let renamed = put(&world.admin, "/v1/teams/billing", &[], &json!({"name": "Money"})).await.json();
    assert_eq!(renamed, json!({"id": "billing", "name": "Money"}));
    let teams = world.get("/v1/teams").await;
    assert_eq!(teams["items"].as_array().unwrap().len(), 3);
    assert!(teams["items"].as_array().unwrap().contains(&renamed), "{teams}");
    world.finish().await;
}
