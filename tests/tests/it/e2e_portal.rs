//! The help centre's form.

use http::Method;
use serde_json::{Value, json};
use throughline_tests::{Accepted, World, event, problem};

fn form(id: &str) -> Value {
    json!({"submission_id": id, "requester": {"email": "Anna@Example.org", "name": "Anna", "phone": "+4915112345678"},
        "subject": "Broken lamp", "description": "It does not light.", "fields": {"order": "4711"}, "locale": "de-DE"})
}

async fn submit(world: &World, form: &Value, headers: &[(&str, &str)]) -> throughline_local::client::Answer {
    let body = form.to_string();
    world.anyone.send(Method::POST, "/v1/channels/portal/portal", headers, body).await.unwrap()
}

#[tokio::test]
async fn a_form_becomes_a_ticket_of_the_address_that_is_answered() {
    let world = World::start().await;
    for _ in 0..10 {
        let answer = submit(&world, &form("s-1"), &[]).await;
        assert_eq!(answer.status, 202, "{}", answer.json());
        assert!(answer.json()["ticket_hint"].as_str().is_some_and(|hint| hint.starts_with("msg_")));
    }
    world.settled().await;
    let tickets = world.tickets("").await;
    assert_eq!((tickets.len(), &tickets[0]["subject"]), (1, &json!("Broken lamp")));
    assert_eq!(tickets[0]["fields"]["order"], "4711");
    assert_eq!(world.customer("email:anna@example.org").await["id"], tickets[0]["customer_id"]);
    let timeline = world.timeline(&tickets[0]).await;
    let message = &event(&timeline, "message_received")["data"]["message"];
    assert_eq!(message["sender"]["verified"], false, "nothing proves who filled it in");
    let id = message["provider_message_id"].as_str().unwrap().to_owned();
    world.took(Accepted { channel: "portal", inbox: "portal".to_owned(), id, content: String::new() });
    world.finish().await;
}

#[tokio::test]
async fn a_robot_is_told_that_all_is_well_and_opens_no_ticket() {
    let world = World::start().await;
    let mut filled = form("s-2");
    filled["hp_website"] = json!("https://spam.example");
    let answer = submit(&world, &filled, &[]).await;
    assert_eq!(answer.status, 202);
    assert!(answer.json()["ticket_hint"].as_str().is_some_and(|hint| hint.starts_with("msg_")), "as anybody is told");
    world.settled().await;
    assert_eq!(world.tickets("").await.len(), 0);
    let kept = world.get("/v1/quarantine").await;
    assert!(kept["items"][0]["reason"].as_str().unwrap().contains("robot"), "{kept}");
    world.finish().await;
}

#[tokio::test]
async fn what_is_wrong_in_a_form_is_named_with_its_place() {
    let world = World::start().await;
    let wrong = json!({"submission_id": "s-3", "requester": {"email": "nobody"}, "description": {}});
    let found = problem(&submit(&world, &wrong, &[]).await, 422);
    let pointers: Vec<&str> =
        found["errors"].as_array().unwrap().iter().filter_map(|e| e["pointer"].as_str()).collect();
    assert!(pointers.contains(&"/description") && pointers.contains(&"/requester/email"), "{found}");
    problem(&world.anyone.send(Method::POST, "/v1/channels/portal/portal", &[], "{").await.unwrap(), 400);
    problem(&world.anyone.send(Method::POST, "/v1/channels/portal/nowhere", &[], "{}").await.unwrap(), 404);
    assert_eq!(world.tickets("").await.len(), 0);
    world.finish().await;
}
