//! Bounces and complaints that SES tells: on the reply that came back, and nothing more is sent there.

use serde_json::{Value, json};
use throughline_tests::{Mail, World, count, event, problem};

/// A ticket of Anna's with a reply that went out, and SES's id of the reply.
async fn replied(world: &World) -> (Value, String) {
    let ticket = world.ticket_by_mail(&Mail::from("anna@example.org")).await;
    reply(world, &ticket).await;
    let timeline = world.timeline(&ticket).await;
    let id = event(&timeline, "message_delivered")["data"]["provider_message_id"].as_str().unwrap().to_owned();
    (ticket, id)
}

async fn reply(world: &World, ticket: &Value) {
    let path = format!("/v1/tickets/{}/replies", ticket["id"].as_str().unwrap());
    world.post(&path, &json!({"text": "We look into it."})).await;
    world.settled().await;
}

fn bounce(ses_id: &str, kind: &str, address: &str) -> Value {
    json!({"eventType": "Bounce", "mail": {"messageId": ses_id, "source": "support@example.com", "destination": [address]},
        "bounce": {"bounceType": kind, "bounceSubType": "General", "feedbackId": format!("f-{kind}-{address}"),
            "bouncedRecipients": [{"emailAddress": address, "status": "5.1.1", "diagnosticCode": "550 no such user"}]}})
}

/// What SES tells, as it comes by the queue.
async fn tell(world: &World, event: &Value) {
    world.put_into_queue("mail", &event.to_string(), "", "").await;
    world.settled().await;
}

#[tokio::test]
async fn an_address_that_bounces_for_good_gets_nothing_until_a_lead_says_so() {
    let world = World::start().await;
    let (ticket, ses_id) = replied(&world).await;
    for _ in 0..2 {
        tell(&world, &bounce(&ses_id, "Permanent", "anna@example.org")).await;
    }
    let timeline = world.timeline(&ticket).await;
    assert_eq!(count(&timeline, "message_failed"), 1, "told twice, it is one failure");
    let failed = event(&timeline, "message_failed");
    assert_eq!(failed["decision"]["rule"], "delivery_report");
    assert_eq!(failed["data"]["event_id"], event(&timeline, "reply_sent")["id"]);
    assert!(failed["data"]["reason"].as_str().unwrap().contains("550 no such user"), "{failed}");

    let path = "/v1/suppressions/email:anna@example.org";
    assert_eq!(world.get(path).await["kind"], "unreachable");
    reply(&world, &ticket).await;
    assert_eq!(world.sent_mail().await.len(), 1, "nothing more went out");
    let timeline = world.timeline(&ticket).await;
    let last = timeline.iter().rev().find(|event| event["kind"] == "message_failed").unwrap();
    assert!(last["data"]["reason"].as_str().unwrap().contains("nothing is sent there"), "{last}");

    problem(&world.agent.send(http::Method::DELETE, path, &[], "").await.unwrap(), 403);
    let lifted = world.lead.send(http::Method::DELETE, path, &[], "").await.unwrap();
    assert_eq!((lifted.status, &lifted.json()["kind"]), (200, &json!("lifted")));
    reply(&world, &ticket).await;
    assert_eq!(world.sent_mail().await.len(), 2);
    problem(&world.agent.get("/v1/suppressions/email:ben@example.org").await.unwrap(), 404);
    world.finish().await;
}

#[tokio::test]
async fn a_passing_bounce_is_shown_and_keeps_nothing_back() {
    let world = World::start().await;
    let (ticket, ses_id) = replied(&world).await;
    tell(&world, &bounce(&ses_id, "Transient", "anna@example.org")).await;
    assert_eq!(count(&world.timeline(&ticket).await, "message_failed"), 1);
    reply(&world, &ticket).await;
    assert_eq!(world.sent_mail().await.len(), 2);
    world.finish().await;
}

#[tokio::test]
async fn a_complaint_keeps_back_what_would_follow() {
    let world = World::start().await;
    let (ticket, ses_id) = replied(&world).await;
    let complaint = json!({"eventType": "Complaint",
        "mail": {"messageId": ses_id, "source": "support@example.com", "destination": ["anna@example.org"]},
        "complaint": {"complainedRecipients": [{"emailAddress": "anna@example.org"}], "complaintFeedbackType": "abuse"}});
    tell(&world, &complaint).await;
    assert_eq!(count(&world.timeline(&ticket).await, "message_failed"), 1);
    assert_eq!(world.get("/v1/suppressions/email:anna@example.org").await["kind"], "complained");
    world.finish().await;
}

#[tokio::test]
async fn a_bounce_of_somebody_to_whom_the_reply_did_not_go_is_kept_apart() {
    let world = World::start().await;
    let (ticket, ses_id) = replied(&world).await;
    tell(&world, &bounce(&ses_id, "Permanent", "ben@example.org")).await;
    assert_eq!(count(&world.timeline(&ticket).await, "message_failed"), 0);
    let kept = world.get("/v1/quarantine").await;
    assert!(kept["items"][0]["reason"].as_str().unwrap().contains("somebody else"), "{kept}");
    problem(&world.agent.get("/v1/suppressions/email:ben@example.org").await.unwrap(), 404);
    world.finish().await;
}
