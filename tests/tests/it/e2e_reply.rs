//! Replies by mail, and the customer's answers to them.

use serde_json::{Value, json};
use throughline_tests::mail::Received;
use throughline_tests::{Mail, World, count, event, problem};

/// An agent replies; gives the mail that left.
async fn reply(world: &World, ticket: &Value, then_status: &str) -> Received {
    let path = format!("/v1/tickets/{}/replies", ticket["id"].as_str().unwrap());
    world.post(&path, &json!({"text": "It is on its way.", "then_status": then_status})).await;
    world.settled().await;
    world.sent_mail().await.pop().expect("a mail left")
}

async fn set_status(world: &World, ticket: &Value, status: &str) {
    world.post(&format!("/v1/tickets/{}/status", ticket["id"].as_str().unwrap()), &json!({"status": status})).await;
    world.settled().await;
}

fn clock<'a>(ticket: &'a Value, target: &str) -> &'a Value {
    ticket["sla"]["clocks"].as_array().unwrap().iter().find(|clock| clock["target"] == target).unwrap()
}

#[tokio::test]
async fn a_reply_leaves_as_mail_that_leads_back() {
    let world = World::start().await;
    let first = Mail::from("anna@example.org").subject("Parcel");
    let ticket = world.ticket_by_mail(&first).await;
    let sent = reply(&world, &ticket, "pending").await;
    assert_eq!(sent.to, ["anna@example.org"]);
    assert!(sent.reply_to.starts_with("support+r.") && sent.reply_to.ends_with("@example.com"), "{}", sent.reply_to);
    assert!(sent.id.ends_with("@local.amazonses.com"), "the sink gives ids as SES does: {}", sent.id);
    assert!(sent.references.contains(&first.id), "{:?}", sent.references);
    assert!(sent.references.iter().any(|id| id.ends_with("@example.com")), "our own id: {:?}", sent.references);
    assert!(sent.subject.starts_with("Re: Parcel"), "{}", sent.subject);
    assert!(sent.text.contains("It is on its way."));

    let ticket = world.ticket_of_mail(&first.id).await;
    assert_eq!((&ticket["status"], &ticket["unsent_count"]), (&"pending".into(), &0.into()));
    let first_response = clock(&ticket, "first_response");
    assert!(first_response["met_at"].is_string() && first_response["breached_at"].is_null(), "{first_response}");
    let timeline = world.timeline(&ticket).await;
    assert_eq!(event(&timeline, "message_delivered")["data"]["event_id"], event(&timeline, "reply_sent")["id"]);
    assert_eq!(count(&timeline, "sla_met"), 1);
    world.finish().await;
}

#[tokio::test]
async fn an_answer_to_the_reply_address_opens_the_ticket_again() {
    let world = World::start().await;
    let first = Mail::from("anna@example.org");
    let ticket = world.ticket_by_mail(&first).await;
    let sent = reply(&world, &ticket, "pending").await;
    // Nothing but the address leads back, and mail systems change its case.
    let answer = Mail::from("anna@example.org").subject("no thread at all").to(&sent.reply_to.to_uppercase());
    let after = world.ticket_by_mail(&answer).await;
    assert_eq!((&after["id"], &after["status"]), (&ticket["id"], &"open".into()));
    let timeline = world.timeline(&after).await;
    let received = timeline.iter().rfind(|event| event["kind"] == "message_received").unwrap();
    assert_eq!(received["decision"]["rule"], "signed_reference");
    assert!(clock(&after, "next_response")["due_at"].is_string(), "the next response is owed");
    world.finish().await;
}

#[tokio::test]
async fn an_answer_to_the_rewritten_message_id_lands_on_the_ticket() {
    let world = World::start().await;
    let ticket = world.ticket_by_mail(&Mail::from("anna@example.org")).await;
    let sent = reply(&world, &ticket, "open").await;
    let answer = Mail::from("anna@example.org").in_reply_to(&sent.id);
    let after = world.ticket_by_mail(&answer).await;
    assert_eq!((&after["id"], &after["message_count"]), (&ticket["id"], &3.into()));
    world.finish().await;
}

#[tokio::test]
async fn a_stolen_reply_address_opens_a_ticket_of_its_own() {
    let world = World::start().await;
    let ticket = world.ticket_by_mail(&Mail::from("anna@example.org")).await;
    let sent = reply(&world, &ticket, "pending").await;
    let stolen = world.ticket_by_mail(&Mail::from("mallory@example.net").to(&sent.reply_to)).await;
    assert_ne!(stolen["id"], ticket["id"]);
    assert_eq!(stolen["related"][0]["ticket_id"], ticket["id"]);
    assert_eq!(world.ticket(ticket["id"].as_str().unwrap()).await["status"], "pending");
    world.finish().await;
}

#[tokio::test]
async fn an_answer_inside_the_window_reopens_and_one_after_closing_follows_up() {
    let world = World::start().await;
    let first = Mail::from("anna@example.org");
    let ticket = world.ticket_by_mail(&first).await;
    set_status(&world, &ticket, "resolved").await;
    assert!(clock(&world.ticket_of_mail(&first.id).await, "resolution")["met_at"].is_string());
    let reopened = world.ticket_by_mail(&Mail::from("anna@example.org").in_reply_to(&first.id)).await;
    assert_eq!((&reopened["id"], &reopened["status"]), (&ticket["id"], &"open".into()));
    assert_eq!(reopened["assignee"], ticket["assignee"], "back to who had it");
    assert!(clock(&reopened, "resolution")["due_at"].is_string(), "the clock runs again");

    set_status(&world, &ticket, "resolved").await;
    set_status(&world, &ticket, "closed").await;
    let follow_up = world.ticket_by_mail(&Mail::from("anna@example.org").in_reply_to(&first.id)).await;
    assert_ne!(follow_up["id"], ticket["id"]);
    assert_eq!(follow_up["related"][0]["ticket_id"], ticket["id"]);
    let created = world.timeline(&follow_up).await;
    assert_eq!(event(&created, "ticket_created")["decision"]["rule"], "follow_up");
    // A second one goes on the follow-up.
    let second = world.ticket_by_mail(&Mail::from("anna@example.org").in_reply_to(&first.id)).await;
    assert_eq!(second["id"], follow_up["id"]);
    world.finish().await;
}

#[tokio::test]
async fn after_the_reopen_window_an_answer_follows_up() {
    let mut world = World::start_at("2026-11-02T10:00:00Z").await;
    let first = Mail::from("anna@example.org");
    let ticket = world.ticket_by_mail(&first).await;
    set_status(&world, &ticket, "resolved").await;
    // The seed's window is 336 hours: two weeks.
    world.set_time("2026-11-16T10:00:00Z");
    let inside = world.ticket_by_mail(&Mail::from("anna@example.org").in_reply_to(&first.id)).await;
    assert_eq!(inside["id"], ticket["id"]);
    set_status(&world, &ticket, "resolved").await;
    world.set_time("2026-11-30T10:00:00.001Z");
    let after = world.ticket_by_mail(&Mail::from("anna@example.org").in_reply_to(&first.id)).await;
    assert_ne!(after["id"], ticket["id"]);
    world.finish().await;
}

#[tokio::test]
async fn notes_never_leave_and_meet_no_target() {
    let world = World::start().await;
    let ticket = world.ticket_by_mail(&Mail::from("anna@example.org")).await;
    let path = format!("/v1/tickets/{}/notes", ticket["id"].as_str().unwrap());
    world.post(&path, &json!({"text": "Looks like fraud."})).await;
    world.settled().await;
    assert!(world.sent_mail().await.is_empty());
    let ticket = world.ticket(ticket["id"].as_str().unwrap()).await;
    assert!(clock(&ticket, "first_response")["met_at"].is_null());
    assert_eq!(ticket["message_count"], 1);
    world.finish().await;
}

#[tokio::test]
async fn whom_an_agent_copies_may_answer_on_the_ticket() {
    let world = World::start().await;
    let first = Mail::from("anna@example.org");
    let ticket = world.ticket_by_mail(&first).await;
    let path = format!("/v1/tickets/{}/replies", ticket["id"].as_str().unwrap());
    world.post(&path, &json!({"text": "Ben will look at it.", "cc": ["ben@partner.example"]})).await;
    world.settled().await;
    let sent = world.sent_mail().await.pop().unwrap();
    assert_eq!(sent.to, ["anna@example.org", "ben@partner.example"]);
    let answer = Mail::from("ben@partner.example").to(&sent.reply_to);
    let after = world.ticket_by_mail(&answer).await;
    assert_eq!(after["id"], ticket["id"]);
    // Answers still go to whose problem it is.
    world.post(&path, &json!({"text": "Thanks, both."})).await;
    world.settled().await;
    assert_eq!(world.sent_mail().await.pop().unwrap().to, ["anna@example.org"]);
    world.finish().await;
}

#[tokio::test]
async fn a_reply_never_goes_to_our_own_inboxes() {
    let world = World::start().await;
    let ticket = world.ticket_by_mail(&Mail::from("anna@example.org")).await;
    let path = format!("/v1/tickets/{}/replies", ticket["id"].as_str().unwrap());
    let body = json!({"text": "x", "cc": ["ben@example.org", "Support+x@example.com"]});
    let refused = world.agent.post(&path, &body).await.unwrap();
    assert_eq!(problem(&refused, 422)["errors"][0]["pointer"], "/cc/1");
    world.finish().await;
}

#[tokio::test]
async fn an_agent_reopens_a_ticket_and_has_it_again() {
    let world = World::start().await;
    let ticket = world.ticket_by_mail(&Mail::from("anna@example.org")).await;
    set_status(&world, &ticket, "resolved").await;
    set_status(&world, &ticket, "open").await;
    let after = world.ticket(ticket["id"].as_str().unwrap()).await;
    assert_eq!((&after["status"], &after["assignee"]), (&"open".into(), &ticket["assignee"]));
    world.finish().await;
}
