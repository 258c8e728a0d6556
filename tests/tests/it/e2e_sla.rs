//! Clocks and the breach check: warnings and breaches once, at their true times, whenever somebody looked.

use serde_json::{Value, json};
use throughline_domain::moment::Moment;
use throughline_domain::ticket::UNSENT_MAX;
use throughline_tests::{Mail, World, count, event, kinds, problem};

/// A Wednesday, 10:00 in Berlin. The standard policy: first response within four business hours, warning at 80 %.
const START: &str = "2026-11-18T09:00:00Z";
const WARNED: &str = "2026-11-18T12:12:00.000Z";
const DUE: &str = "2026-11-18T13:00:00.000Z";

fn at(text: &str) -> Moment {
    text.parse().unwrap()
}

fn clock<'a>(ticket: &'a Value, target: &str) -> &'a Value {
    ticket["sla"]["clocks"].as_array().unwrap().iter().find(|clock| clock["target"] == target).unwrap()
}

#[tokio::test]
async fn a_warning_and_a_breach_are_recorded_once_with_their_true_times() {
    let world = World::start_at(START).await;
    let mail = Mail::from("anna@example.org");
    let ticket = world.ticket_by_mail(&mail).await;
    assert_eq!(clock(&ticket, "first_response")["due_at"], DUE);
    assert_eq!(clock(&ticket, "resolution")["due_at"], "2026-11-23T09:00:00.000Z", "24 hours of three office days");

    let early = world.check_at(at("2026-11-18T12:12:09Z")).await;
    assert_eq!((&early["warned"], &early["breached"]), (&0.into(), &0.into()), "{early}");
    let swept = world.check_at(at("2026-11-18T12:30:00Z")).await;
    assert_eq!((&swept["warned"], &swept["breached"]), (&1.into(), &0.into()), "{swept}");
    let again = world.check_at(at("2026-11-18T12:31:00Z")).await;
    assert_eq!((&again["warned"], &again["breached"]), (&0.into(), &0.into()), "{again}");
    let swept = world.check_at(at("2026-11-18T15:00:00Z")).await;
    assert_eq!((&swept["warned"], &swept["breached"]), (&0.into(), &1.into()), "{swept}");
    let again = world.check_at(at("2026-11-18T15:01:00Z")).await;
    assert_eq!((&again["warned"], &again["breached"]), (&0.into(), &0.into()), "{again}");

    let ticket = world.ticket_of_mail(&mail.id).await;
    let first = clock(&ticket, "first_response");
    assert_eq!((&first["warned_at"], &first["breached_at"]), (&WARNED.into(), &DUE.into()));
    let timeline = world.timeline(&ticket).await;
    assert_eq!((count(&timeline, "sla_warned"), count(&timeline, "sla_breached")), (1, 1));
    assert_eq!(event(&timeline, "sla_breached")["data"]["breached_at"], DUE);
    world.finish().await;
}

#[tokio::test]
async fn two_sweeps_at_once_record_a_breach_once() {
    let world = World::start_at(START).await;
    for i in 0..5 {
        world.mail(&Mail::from(&format!("person-{i}@example.org"))).await;
    }
    world.settled().await;
    let late = at("2026-11-18T15:00:00Z");
    let sweeps = futures::future::join_all((0..4).map(|_| world.check_at(late))).await;
    assert!(sweeps.iter().all(|swept| swept["failed"] == 0), "{sweeps:?}");
    for ticket in world.tickets("").await {
        assert_eq!(count(&world.timeline(&ticket).await, "sla_breached"), 1);
    }
    world.finish().await;
}

/// What the clocks of a ticket say after a reply at a time, when sweeps ran at these times before it.
async fn verdict(sweeps: &[&str], reply_at: &str) -> Value {
    let mut world = World::start_at(START).await;
    let ticket = world.ticket_by_mail(&Mail::from("anna@example.org")).await;
    for sweep in sweeps {
        world.check_at(at(sweep)).await;
    }
    world.set_time(reply_at);
    let path = format!("/v1/tickets/{}/replies", ticket["id"].as_str().unwrap());
    world.post(&path, &json!({"text": "Sorry."})).await;
    world.settled().await;
    let ticket = world.ticket(ticket["id"].as_str().unwrap()).await;
    let first = clock(&ticket, "first_response").clone();
    world.finish().await;
    json!({"breached_at": first["breached_at"], "met_at": first["met_at"]})
}

#[tokio::test]
async fn the_verdict_does_not_depend_on_when_sweeps_ran() {
    let late = "2026-11-18T13:30:00Z";
    let swept = verdict(&["2026-11-18T12:30:00Z", "2026-11-18T13:20:00Z"], late).await;
    let never = verdict(&[], late).await;
    assert_eq!(swept, never);
    assert_eq!(swept["breached_at"], DUE);
    let in_time = "2026-11-18T12:59:59Z";
    assert_eq!(verdict(&["2026-11-18T12:30:00Z"], in_time).await, verdict(&[], in_time).await);
    assert!(verdict(&[], in_time).await["breached_at"].is_null());
}

#[tokio::test]
async fn clocks_stand_still_while_the_customer_is_waited_for() {
    let mut world = World::start_at(START).await;
    let mail = Mail::from("anna@example.org");
    let ticket = world.ticket_by_mail(&mail).await;
    let path = format!("/v1/tickets/{}/replies", ticket["id"].as_str().unwrap());
    world.post(&path, &json!({"text": "Which one?", "then_status": "pending"})).await;
    world.settled().await;
    let paused = world.ticket_of_mail(&mail.id).await;
    assert_eq!((&paused["sla"]["paused"], &clock(&paused, "resolution")["due_at"]), (&true.into(), &Value::Null));
    // Two office hours later the customer answers: the resolution moves by as much.
    world.set_time("2026-11-18T11:00:00Z");
    let answered = world.ticket_by_mail(&Mail::from("anna@example.org").in_reply_to(&mail.id)).await;
    assert_eq!(clock(&answered, "resolution")["due_at"], "2026-11-23T11:00:00.000Z");
    assert_eq!(clock(&answered, "next_response")["due_at"], "2026-11-19T11:00:00.000Z");
    world.finish().await;
}

#[tokio::test]
async fn more_replies_than_can_wait_are_refused_and_none_is_lost() {
    let world = World::start_with(|options| options.relay = false).await;
    let ticket = world.ticket_by_mail(&Mail::from("anna@example.org")).await;
    let path = format!("/v1/tickets/{}/replies", ticket["id"].as_str().unwrap());
    for number in 0..UNSENT_MAX {
        world.post(&path, &json!({"text": format!("Answer {number}")})).await;
    }
    problem(&world.agent.post(&path, &json!({"text": "One too many"})).await.unwrap(), 409);
    world.check_at(world.now().plus_ms(75_000)).await;
    world.settled().await;
    assert_eq!(world.sent_mail().await.len(), UNSENT_MAX);
    world.post(&path, &json!({"text": "Now there is room"})).await;
    world.check_at(world.now().plus_ms(150_000)).await;
    world.settled().await;
    assert_eq!(world.sent_mail().await.len(), UNSENT_MAX + 1);
    world.finish().await;
}

#[tokio::test]
async fn what_the_stream_lost_is_driven_by_the_check() {
    let world = World::start_with(|options| options.relay = false).await;
    let mail = Mail::from("anna@example.org");
    let ticket = world.ticket_by_mail(&mail).await;
    assert!(ticket["team"].is_null() && ticket["assignee"].is_null(), "nobody routed it: {ticket}");
    let soon = world.check_at(world.now().plus_ms(50_000)).await;
    assert_eq!(soon["driven"], 0, "the stream gets its minute: {soon}");
    let swept = world.check_at(world.now().plus_ms(75_000)).await;
    assert_eq!((&swept["driven"], &swept["failed"]), (&1.into(), &0.into()), "{swept}");
    world.settled().await;
    let ticket = world.ticket_of_mail(&mail.id).await;
    assert!(ticket["assignee"].is_string(), "{ticket}");

    let path = format!("/v1/tickets/{}/replies", ticket["id"].as_str().unwrap());
    world.post(&path, &json!({"text": "Hello"})).await;
    world.settled().await;
    assert!(world.sent_mail().await.is_empty());
    assert_eq!(world.ticket_of_mail(&mail.id).await["unsent_count"], 1);
    world.check_at(world.now().plus_ms(150_000)).await;
    world.settled().await;
    assert_eq!(world.sent_mail().await.len(), 1);
    let ticket = world.ticket_of_mail(&mail.id).await;
    assert_eq!(ticket["unsent_count"], 0, "{:?}", kinds(&world.timeline(&ticket).await));
    // Driven again after all is done, it leaves no second time.
    world.check_at(world.now().plus_ms(300_000)).await;
    world.settled().await;
    assert_eq!(world.sent_mail().await.len(), 1);
    world.finish().await;
}
