//! Which ticket: order numbers over channels, matters that only look alike, and new topics in old threads.

use serde_json::{Value, json};
use throughline_tests::webhook::{message, send};
use throughline_tests::{Mail, World, event, kinds};

/// The rule that decided where the last message of a ticket went, and why.
async fn last_rule(world: &World, ticket: &Value) -> (String, String) {
    let timeline = world.timeline(ticket).await;
    let placed = |event: &&Value| event["kind"] == "ticket_created" || event["kind"] == "message_received";
    let rule = |event: &Value| event["decision"]["rule"].as_str().map(str::to_owned);
    // The first message of a ticket carries who it is; which ticket stands on what opened it.
    let first = timeline.iter().filter(placed).count() == 2;
    let decided = timeline.iter().rev().filter(placed).nth(usize::from(first)).expect("a message");
    (rule(decided).expect("a rule"), decided["decision"]["because"].as_str().expect("words").to_owned())
}

#[tokio::test]
async fn an_order_number_brings_channels_together() {
    let world = World::start().await;
    let first = Mail::from("anna@example.org").subject("Parcel").text("Where is order ORD-004711? It should be here.");
    let ticket = world.ticket_by_mail(&first).await;
    assert_eq!(ticket["references"], json!([{"name": "order", "value": "ORD-004711"}]));
    let found = event(&world.timeline(&ticket).await, "references_found").clone();
    assert_eq!(found["data"]["references"], ticket["references"]);
    // The shop, by its own words, and with the number typed in another way.
    let anna = json!({"email": "anna@example.org"});
    send(&world, &message("1", &anna, "Customer called", "Asks about ord 004711 again")).await;
    world.settled().await;
    let joined = world.ticket_of("webhook", "shop", "1").await;
    assert_eq!(joined["id"], ticket["id"]);
    let (rule, because) = last_rule(&world, &joined).await;
    assert_eq!(rule, "shared_reference");
    assert!(
        because.contains("order ORD-004711") && because.contains(ticket["reference"].as_str().unwrap()),
        "{because}"
    );
    // A number that the ticket has already is not noted again.
    assert_eq!(kinds(&world.timeline(&joined).await).iter().filter(|kind| **kind == "references_found").count(), 1);
    // A custom field of a form says it as well as a text.
    let mut form = message("2", &anna, "Complaint", "Nothing has come yet");
    form["data"]["fields"] = json!({"order": "ORD-004711"});
    send(&world, &form).await;
    world.settled().await;
    assert_eq!(world.ticket_of("webhook", "shop", "2").await["id"], ticket["id"]);
    world.finish().await;
}

#[tokio::test]
async fn each_message_keeps_the_subject_that_it_came_with() {
    let world = World::start().await;
    let first = Mail::from("anna@example.org").subject("Parcel lost");
    let ticket = world.ticket_by_mail(&first).await;
    let subjects = ["Re: Parcel lost", "Parcel lost, and the invoice of it", "AW: Parcel lost"];
    for subject in subjects {
        world.mail(&Mail::from("anna@example.org").subject(subject).in_reply_to(&first.id)).await;
        world.settled().await;
    }
    let timeline = world.timeline(&ticket).await;
    let received = timeline.iter().filter(|event| event["kind"] == "message_received");
    let found: Vec<&Value> = received.map(|event| &event["data"]["message"]["subject"]).collect();
    assert_eq!(found, ["Parcel lost", subjects[0], subjects[1], subjects[2]]);
    assert_eq!(world.ticket(ticket["id"].as_str().unwrap()).await["subject"], "Parcel lost", "the first one");
    world.finish().await;
}

#[tokio::test]
async fn without_a_shared_number_it_is_a_related_ticket_and_says_why() {
    let world = World::start().await;
    let first =
        world.ticket_by_mail(&Mail::from("anna@example.org").subject("Parcel").text("Where is ORD-004711?")).await;
    let second =
        world.ticket_by_mail(&Mail::from("anna@example.org").subject("Invoice").text("ORD-004712, please")).await;
    assert_ne!(second["id"], first["id"]);
    assert_eq!(second["related"], json!([{"ticket_id": first["id"], "why": "open ticket of the same customer"}]));
    let (rule, because) = last_rule(&world, &second).await;
    assert_eq!(rule, "create");
    assert!(because.contains("about the same"), "{because}");
    let created = event(&world.timeline(&second).await, "ticket_created").clone();
    assert_eq!(created["decision"]["candidates"][0]["why"], "no word in common", "{created}");
    // Somebody else's ticket is not to be had by its number.
    let stranger = world.ticket_by_mail(&Mail::from("eve@example.net").subject("Hi").text("about ORD-004711")).await;
    assert_ne!(stranger["id"], first["id"]);
    assert_ne!(stranger["customer_id"], first["customer_id"]);
    assert_eq!(stranger["related"], json!([]));
    world.finish().await;
}

#[tokio::test]
async fn a_new_topic_in_an_old_thread_gets_a_ticket_of_its_own() {
    let world = World::start().await;
    let first = Mail::from("anna@example.org").subject("Printer does not print").text("It only blinks.");
    let old = world.ticket_by_mail(&first).await;
    world.post(&format!("/v1/tickets/{}/status", old["id"].as_str().unwrap()), &json!({"status": "resolved"})).await;
    world.settled().await;
    let other = Mail::from("anna@example.org").in_reply_to(&first.id).subject("Invoice november missing");
    let other = other.text("Where can I get it?");
    let new = world.ticket_by_mail(&other).await;
    assert_ne!(new["id"], old["id"]);
    assert_eq!(new["related"], json!([{"ticket_id": old["id"], "why": "a new topic begun as an answer to it"}]));
    let (rule, because) = last_rule(&world, &new).await;
    assert_eq!(rule, "drifted");
    assert!(because.contains(old["reference"].as_str().unwrap()) && because.contains("printer"), "{because}");
    assert_eq!(world.ticket(old["id"].as_str().unwrap()).await["status"], "resolved", "it stays done");
    // The same new topic again, still as an answer to the old mail.
    let again = Mail::from("anna@example.org").in_reply_to(&first.id).subject("Re: Invoice november missing");
    let again = world.ticket_by_mail(&again.text("Anybody there?")).await;
    assert_eq!(again["id"], new["id"]);
    assert_eq!(last_rule(&world, &again).await.0, "drifted");
    // The old topic reopens the old ticket.
    let back = Mail::from("anna@example.org").in_reply_to(&first.id).subject("Re: Printer does not print");
    let back = world.ticket_by_mail(&back.text("It is back.")).await;
    assert_eq!((&back["id"], &back["status"]), (&old["id"], &"open".into()));
    world.finish().await;
}

#[tokio::test]
async fn rules_can_be_set_by_channel_and_are_checked() {
    let world = World::start().await;
    let put = async |body: Value| {
        world.admin.send(http::Method::PUT, "/v1/config/ticketing", &[], body.to_string()).await.unwrap()
    };
    let wrong = put(json!({
        "references": [{"name": "order", "pattern": "ORD ####"}],
        "same_problem_percent_by_channel": {"sms": 101},
        "resolving": {"require_disposition": true, "dispositions": []},
    }))
    .await;
    let faults = throughline_tests::problem(&wrong, 422);
    let pointers: Vec<&str> =
        faults["errors"].as_array().unwrap().iter().filter_map(|one| one["pointer"].as_str()).collect();
    assert_eq!(pointers, ["/same_problem_percent_by_channel/sms", "/references/0/pattern", "/resolving/dispositions"]);
    assert_eq!(put(json!({"conversation_window_hours_by_channel": {"web_chat": 0}})).await.status, 200);
    let shown = world.get("/v1/config/ticketing").await;
    assert_eq!(shown["conversation_window_hours_by_channel"], json!({"web_chat": 0}));
    assert_eq!(
        (&shown["drift"]["quiet_days"], &shown["references"]),
        (&30.into(), &json!([])),
        "the built-in defaults"
    );
    world.finish().await;
}
