//! What agents say when they resolve, custom fields, and tickets that they open for customers.

use http::Method;
use serde_json::{Value, json};
use throughline_local::client::Answer;
use throughline_tests::webhook::{message, send};
use throughline_tests::{Accepted, Mail, World, count, event, kinds, problem};

async fn command(world: &World, ticket: &Value, rest: &str, body: &Value) -> Answer {
    world.agent.post(&format!("/v1/tickets/{}/{rest}", ticket["id"].as_str().unwrap()), body).await.unwrap()
}

async fn put_rules(world: &World, body: &Value) {
    let answer = world.admin.send(Method::PUT, "/v1/config/ticketing", &[], body.to_string()).await.unwrap();
    answer.ok().expect("the rules are right");
}

fn pointers(answer: &Answer) -> Vec<String> {
    let problem = problem(answer, 422);
    let errors = problem["errors"].as_array().unwrap();
    errors.iter().map(|one| one["pointer"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn how_a_ticket_ends_has_to_be_said_where_the_rules_ask_for_it() {
    let world = World::start().await;
    let fields = json!([{"key": "product", "kind": "choice", "choices": ["printer"], "required_to_resolve": true}]);
    let resolving = json!({"require_disposition": true, "require_note": true, "dispositions": ["solved", "spam"]});
    put_rules(&world, &json!({"fields": fields, "resolving": resolving})).await;
    let ticket = world.ticket_by_mail(&Mail::from("anna@example.org")).await;
    let refused = command(&world, &ticket, "status", &json!({"status": "resolved"})).await;
    assert_eq!(pointers(&refused), ["/disposition", "/resolution", "/status"]);
    let reply = json!({"text": "Done.", "then_status": "resolved", "disposition": "lost"});
    assert_eq!(
        pointers(&command(&world, &ticket, "replies", &reply).await),
        ["/disposition", "/resolution", "/then_status"]
    );
    world.settled().await;
    assert_eq!(world.sent_mail().await.len(), 0, "nothing of it was done");
    let early = json!({"status": "pending", "disposition": "solved"});
    assert_eq!(pointers(&command(&world, &ticket, "status", &early).await), ["/disposition"]);

    assert_eq!(command(&world, &ticket, "fields", &json!({"set": {"product": "printer"}})).await.status, 200);
    let reply =
        json!({"text": "Done.", "then_status": "resolved", "disposition": "solved", "resolution": " New drum. "});
    let done = command(&world, &ticket, "replies", &reply).await.ok().unwrap();
    let said = json!({"disposition": "solved", "note": "New drum."});
    assert_eq!((&done["ticket"]["status"], &done["ticket"]["resolution"]), (&"resolved".into(), &said));
    let changed = done["events"].as_array().unwrap().iter().find(|event| event["kind"] == "status_changed").unwrap();
    assert_eq!(
        (&changed["data"]["disposition"], &changed["data"]["resolution"]),
        (&said["disposition"], &said["note"])
    );
    // What was said wrongly is put right; the same again changes nothing.
    let right = json!({"status": "resolved", "disposition": "spam", "resolution": "Nobody."});
    for events in [1, 0] {
        let amended = command(&world, &ticket, "status", &right).await.ok().unwrap();
        assert_eq!(amended["events"].as_array().unwrap().len(), events);
        assert_eq!(amended["ticket"]["resolution"]["disposition"], "spam");
    }
    // A ticket that lives again has no end.
    let open = command(&world, &ticket, "status", &json!({"status": "open"})).await.ok().unwrap();
    assert_eq!(open["ticket"]["resolution"], Value::Null);
    world.finish().await;
}

#[tokio::test]
async fn resolving_says_nothing_where_nobody_asks() {
    let world = World::start().await;
    let ticket = world.ticket_by_mail(&Mail::from("anna@example.org")).await;
    let done = command(&world, &ticket, "status", &json!({"status": "resolved"})).await.ok().unwrap();
    assert_eq!(done["ticket"]["resolution"], Value::Null);
    // The disposition of the built-in list may still be said.
    let said = json!({"status": "closed", "disposition": "workaround"});
    let closed = command(&world, &ticket, "status", &said).await.ok().unwrap();
    assert_eq!(closed["ticket"]["resolution"], json!({"disposition": "workaround"}));
    world.finish().await;
}

#[tokio::test]
async fn custom_fields_are_what_the_rules_say() {
    let world = World::start().await;
    let mut form = message("1", &json!({"email": "anna@example.org"}), "Hello", "Text");
    form["data"]["fields"] = json!({"from_form": {"kept": "as it is"}});
    send(&world, &form).await;
    world.settled().await;
    let ticket = world.ticket_of("webhook", "shop", "1").await;
    let wrong = json!({"set": {"product": "lamp", "refund_amount": "12", "warranty": 1, "a/b": "x", "from_form": 1}});
    assert_eq!(
        pointers(&command(&world, &ticket, "fields", &wrong).await),
        ["/set/a~1b", "/set/from_form", "/set/product", "/set/refund_amount", "/set/warranty"]
    );
    let set = json!({"set": {"product": "printer", "refund_amount": 12.5, "warranty": true}});
    let done = command(&world, &ticket, "fields", &set).await.ok().unwrap();
    let kept =
        json!({"from_form": {"kept": "as it is"}, "product": "printer", "refund_amount": 12.5, "warranty": true});
    assert_eq!(done["ticket"]["fields"], kept);
    assert_eq!(done["events"][0]["kind"], "fields_changed");
    let again = command(&world, &ticket, "fields", &set).await.ok().unwrap();
    assert_eq!(again["events"], json!([]), "nothing changes");
    let both = json!({"set": {"product": "ink"}, "remove": ["product"]});
    assert_eq!(pointers(&command(&world, &ticket, "fields", &both).await), ["/remove/0"]);
    let less = json!({"set": {"product": "ink"}, "remove": ["from_form", "unknown"]});
    let done = command(&world, &ticket, "fields", &less).await.ok().unwrap();
    assert_eq!(done["ticket"]["fields"], json!({"product": "ink", "refund_amount": 12.5, "warranty": true}));
    assert_eq!(done["events"][0]["data"], json!({"set": {"product": "ink"}, "removed": ["from_form"]}));
    world.finish().await;
}

#[tokio::test]
async fn an_agent_opens_a_ticket_for_somebody_known() {
    let world = World::start().await;
    let before = world.ticket_by_mail(&Mail::from("anna@example.org").subject("Parcel")).await;
    let body = json!({
        "requester": {"identifier": "email:Anna@Example.org", "name": "Anna"}, "inbox": "support",
        "subject": "Wants a refund", "text": "Called. Paid twice for ORD-004711, wants her money back.",
        "fields": {"product": "ink"}, "tags": ["Phone"],
    });
    let key = [("idempotency-key", "open-1")];
    let opened = world.agent.send(Method::POST, "/v1/tickets", &key, body.to_string()).await.unwrap();
    assert_eq!(opened.status, 201, "{}", opened.json());
    let ticket = opened.json()["ticket"].clone();
    assert_eq!((&ticket["customer_id"], &ticket["subject"]), (&before["customer_id"], &"Wants a refund".into()));
    assert_eq!(ticket["related"], json!([{"ticket_id": before["id"], "why": "open ticket of the same customer"}]));
    assert_eq!((&ticket["tags"], &ticket["fields"]["product"]), (&json!(["phone"]), &"ink".into()));
    assert_eq!(ticket["references"][0]["value"], "ORD-004711");
    assert_eq!(ticket["participants"][0]["identifier"]["value"], "anna@example.org");
    assert!(ticket["sla"].is_object(), "{ticket}");
    // The same command again is the same ticket.
    let again = world.agent.send(Method::POST, "/v1/tickets", &key, body.to_string()).await.unwrap();
    assert_eq!((again.status, &again.json()["ticket"]["id"]), (201, &ticket["id"]));
    world.settled().await;
    let now = world.ticket(ticket["id"].as_str().unwrap()).await;
    assert_eq!(now["team"], "billing", "it is routed by its words");
    let timeline = world.timeline(&now).await;
    assert_eq!(kinds(&timeline)[..2], ["ticket_created", "note_added"]);
    let created = event(&timeline, "ticket_created");
    assert_eq!((&created["actor"]["id"], &created["decision"]["rule"]), (&"mia".into(), &"opened_for_customer".into()));
    // The note stays inside; the answer goes to the customer, and theirs comes back.
    assert_eq!(world.sent_mail().await.len(), 0);
    let reply = json!({"text": "We look into it."});
    assert_eq!(command(&world, &now, "replies", &reply).await.status, 200);
    world.settled().await;
    let sent = world.sent_mail().await.pop().unwrap();
    assert_eq!(sent.to, ["anna@example.org"]);
    let back = Mail::from("anna@example.org").subject("Thanks").to(&sent.reply_to);
    assert_eq!(world.ticket_by_mail(&back).await["id"], ticket["id"]);
    world.finish().await;
}

#[tokio::test]
async fn what_a_new_customer_said_is_written_down_in_their_name() {
    let world = World::start().await;
    let body = json!({
        "requester": {"identifier": "email:zoe@example.net", "name": "Zoë"}, "inbox": "support", "priority": "urgent",
        "subject": "Scanner", "text": "It smokes.", "on_behalf": "message",
    });
    let opened = world.integration.post("/v1/tickets", &body).await.unwrap();
    assert_eq!(opened.status, 201, "{}", opened.json());
    let ticket = opened.json()["ticket"].clone();
    let timeline = world.timeline(&ticket).await;
    let said = event(&timeline, "message_received");
    assert_eq!((&said["actor"]["type"], &said["decision"]["rule"]), (&"integration".into(), &"new_customer".into()));
    let message = &said["data"]["message"];
    assert_eq!((&message["sender"]["name"], &message["sender"]["verified"]), (&"Zoë".into(), &false.into()));
    assert!(message["warnings"][0].as_str().unwrap().contains("written down by crm"), "{message}");
    // It is in the ledger like every message.
    let id = message["provider_message_id"].as_str().unwrap().to_owned();
    world.took(Accepted { channel: "email", inbox: "support".to_owned(), id, content: String::new() });
    let zoe = world.customer("email:zoe@example.net").await;
    assert_eq!((&zoe["id"], &zoe["identifiers"][0]["verified"]), (&ticket["customer_id"], &false.into()));
    assert_eq!((&ticket["priority"], &ticket["message_count"]), (&"urgent".into(), &1.into()));
    // The next mail of hers is the same customer's.
    let mail = world.ticket_by_mail(&Mail::from("zoe@example.net").subject("Scanner smokes again")).await;
    assert_eq!(mail["customer_id"], ticket["customer_id"]);
    world.finish().await;
}

#[tokio::test]
async fn the_same_ticket_opened_at_once_is_opened_once() {
    let world = World::start().await;
    let body =
        json!({"requester": {"identifier": "email:zoe@example.net"}, "inbox": "support", "subject": "A", "text": "B"});
    let body = body.to_string();
    let key = [("idempotency-key", "open-1")];
    let at_once = (0..6).map(|_| world.agent.send(Method::POST, "/v1/tickets", &key, body.clone()));
    let answers = futures::future::join_all(at_once).await;
    let ids: std::collections::BTreeSet<String> = answers
        .into_iter()
        .map(|answer| answer.unwrap().ok().unwrap()["ticket"]["id"].as_str().unwrap().to_owned())
        .collect();
    world.settled().await;
    assert_eq!((ids.len(), world.tickets("").await.len()), (1, 1));
    // Without a key, each is a ticket of its own, of the one customer.
    for _ in 0..2 {
        assert_eq!(world.agent.send(Method::POST, "/v1/tickets", &[], body.clone()).await.unwrap().status, 201);
    }
    let tickets = world.tickets("").await;
    assert_eq!(tickets.len(), 3);
    assert!(tickets.iter().all(|ticket| ticket["customer_id"] == tickets[0]["customer_id"]));
    world.finish().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_ticket_to_open_is_said_at_once() {
    let world = World::start().await;
    let wrong = json!({
        "requester": {"identifier": "email:support@example.com"}, "inbox": "nowhere", "subject": " ", "text": "",
        "fields": {"unknown": 1}, "tags": [""],
    });
    let refused = world.agent.post("/v1/tickets", &wrong).await.unwrap();
    assert_eq!(
        pointers(&refused),
        ["/fields/unknown", "/subject", "/inbox", "/requester/identifier", "/tags", "/text"]
    );
    for (requester, customer, pointer) in [
        (Value::Null, Value::Null, "/requester"),
        (json!({"identifier": "email:a@example.org"}), json!("cus_0192f0c1a2b37c8d9e0f112233445566"), "/requester"),
        (json!({"identifier": "session:s1"}), Value::Null, "/requester/identifier"),
        (json!({"identifier": "phone:123"}), Value::Null, "/requester/identifier"),
        (Value::Null, json!("cus_0192f0c1a2b37c8d9e0f112233445566"), "/customer_id"),
    ] {
        let body =
            json!({"requester": requester, "customer_id": customer, "inbox": "support", "subject": "A", "text": "B"});
        assert_eq!(pointers(&world.agent.post("/v1/tickets", &body).await.unwrap()), [pointer], "{body}");
    }
    problem(&world.anyone.post("/v1/tickets", &wrong).await.unwrap(), 401);
    assert_eq!(world.tickets("").await.len(), 0);
    world.finish().await;
}

#[tokio::test]
async fn a_known_customer_can_be_named_by_id() {
    let world = World::start().await;
    let first = world.ticket_by_mail(&Mail::from("anna@example.org")).await;
    let body = json!({"customer_id": first["customer_id"], "inbox": "chat", "subject": "A", "text": "B"});
    let opened = world.agent.post("/v1/tickets", &body).await.unwrap();
    let ticket = opened.ok().unwrap()["ticket"].clone();
    assert_eq!((&ticket["channel"], &ticket["customer_id"]), (&"web_chat".into(), &first["customer_id"]));
    // A chat window is not open: answers go to the address that is known.
    assert_eq!(ticket["participants"][0]["identifier"]["value"], "anna@example.org");
    world.settled().await;
    assert_eq!(count(&world.timeline(&ticket).await, "note_added"), 1);
    world.finish().await;
}
