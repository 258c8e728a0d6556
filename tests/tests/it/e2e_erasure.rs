//! Giving out what is known of a customer, and erasing it.

use serde_json::{Value, json};
use throughline_domain::event::{Actor, Changes, EventData, Tagged};
use throughline_domain::fold;
use throughline_store::{CommitError, StoredTicket, TicketChange};
use throughline_tests::{Mail, World, event, problem};

/// Stands in everything that Anna writes.
const SECRET: &str = "xyzzy";

/// All pages of an export: what is known of the customer, and the items.
async fn exported(world: &World, id: &str) -> (Value, Vec<Value>) {
    let (mut customer, mut items, mut cursor) = (Value::Null, Vec::new(), String::new());
    loop {
        let page = world.lead.get(&format!("/v1/customers/{id}/export{cursor}")).await.unwrap().json();
        if page["customer"].is_object() {
            customer = page["customer"].clone();
        }
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("?cursor={next}"),
            None => return (customer, items),
        }
    }
}

/// Asks for an erasure once: whether it is done, and how many steps it took.
async fn erase_once(world: &World, id: &str) -> (bool, u64) {
    let body = json!({"because": "they asked for it", "confirm": id});
    let answer = world.admin.post(&format!("/v1/customers/{id}/erase"), &body).await.unwrap();
    let (status, answer) = (answer.status, answer.json());
    assert!(matches!(status, 200 | 202), "{status}: {answer}");
    assert_eq!(answer["state"], if status == 200 { "erased" } else { "erasing" });
    (status == 200, answer["steps"].as_u64().unwrap())
}

/// Asks for an erasure until it is done; says how often it was asked for. Once more, there is nothing left to do.
async fn erase(world: &World, id: &str) -> usize {
    for asked in 1..100 {
        if erase_once(world, id).await.0 {
            assert_eq!(erase_once(world, id).await, (true, 0), "again, it does nothing");
            return asked;
        }
    }
    panic!("it is never done");
}

/// Everything that the table and the objects hold, as text: commits unpacked.
async fn everything(world: &World, tickets: &[&Value]) -> String {
    let mut text = serde_json::to_string(&world.system().aws.dump(throughline_local::TABLE).unwrap()).unwrap();
    for ticket in tickets {
        text += &serde_json::to_string(&world.timeline(ticket).await).unwrap();
    }
    let blobs = &world.app().blobs;
    for object in blobs.list("", None, 1_000).await.unwrap().objects {
        text += &object.key;
        text += &String::from_utf8_lossy(&blobs.get(&object.key).await.unwrap().unwrap());
    }
    text
}

/// A ticket of Anna's with everything that there can be on it: a long mail with a file, an answer, a note, a colleague who
/// quotes her.
async fn eventful(world: &World) -> Value {
    let text = format!("My number is {SECRET}. {}", format!("Again: {SECRET}. ").repeat(400));
    let mail = Mail::from("xyzzy@example.org").subject("About xyzzy").text(&text);
    let mail = mail.to("support@example.com, ben@example.net").envelope_to(&["support@example.com"]);
    let mail = mail.file("xyzzy.txt", "text/plain", b"xyzzy in a file");
    let ticket = world.ticket_by_mail(&mail).await;
    let path = |rest: &str| format!("/v1/tickets/{}/{rest}", ticket["id"].as_str().unwrap());
    world.post(&path("notes"), &json!({"text": "xyzzy called, too"})).await;
    world.post(&path("replies"), &json!({"text": "Dear xyzzy, we look into it."})).await;
    world.settled().await;
    let quoting = "I can confirm that.\n\nOn Friday Anna wrote:\n> My number is xyzzy.\n";
    world.mail(&Mail::from("ben@example.net").in_reply_to(&mail.id).subject("Re: About xyzzy").text(quoting)).await;
    world.mail(&Mail::from("xyzzy@example.org").in_reply_to(&mail.id).text("And xyzzy again")).await;
    world.settled().await;
    world.ticket(ticket["id"].as_str().unwrap()).await
}

#[tokio::test]
async fn an_export_holds_everything_and_only_for_leads() {
    let world = World::start().await;
    let ticket = eventful(&world).await;
    let id = ticket["customer_id"].as_str().unwrap();
    problem(&world.agent.get(&format!("/v1/customers/{id}/export")).await.unwrap(), 403);
    problem(&world.lead.get(&format!("/v1/customers/{id}/export?cursor=junk")).await.unwrap(), 422);
    let (customer, items) = exported(&world, id).await;
    assert_eq!(customer["profile"]["id"], id);
    assert_eq!(
        (&customer["names"][0]["identifier"]["value"], &customer["names"][0]["held"]),
        (&json!("xyzzy@example.org"), &json!(true))
    );
    assert_eq!(customer["open_tickets"], json!([ticket["id"]]));
    let of = |kind: &str| items.iter().filter(|item| item["type"] == kind).collect::<Vec<_>>();
    assert_eq!((of("ticket").len(), of("file").len()), (1, 1));
    let timeline = world.timeline(&ticket).await;
    let ids: Vec<_> = of("event").iter().map(|event| event["id"].clone()).collect();
    assert_eq!(ids, timeline.iter().map(|event| event["id"].clone()).collect::<Vec<_>>());
    let first = of("event").into_iter().find(|event| event["kind"] == "message_received").unwrap();
    assert!(first["data"]["message"]["text"].as_str().unwrap().len() > 5_000, "the whole text");
    let download = world.download(of("file")[0]["url"].as_str().unwrap()).await;
    assert_eq!(&download.body[..], b"xyzzy in a file");
    world.finish().await;
}

#[tokio::test]
async fn an_export_of_much_comes_in_pages() {
    let world = World::start().await;
    let mail = Mail::from("anna@example.org");
    let ticket = world.ticket_by_mail(&mail).await;
    for n in 0..4 {
        let text = "many words. ".repeat(70_000 + n);
        world.mail(&Mail::from("anna@example.org").in_reply_to(&mail.id).text(&text)).await;
    }
    world.settled().await;
    let id = ticket["customer_id"].as_str().unwrap();
    let page = world.lead.get(&format!("/v1/customers/{id}/export")).await.unwrap().json();
    assert!(page["next"].is_string());
    let (_, items) = exported(&world, id).await;
    let events: Vec<_> = items.iter().filter(|item| item["type"] == "event").map(|event| &event["id"]).collect();
    let timeline = world.timeline(&ticket).await;
    assert_eq!(events, timeline.iter().map(|event| &event["id"]).collect::<Vec<_>>(), "each event once");
    world.finish().await;
}

#[tokio::test]
async fn erasing_leaves_nothing_of_the_content_and_every_fact() {
    let world = World::start().await;
    let ticket = eventful(&world).await;
    let id = ticket["customer_id"].as_str().unwrap();
    let body = json!({"attributes": {"note": "xyzzy"}, "orders": [{"id": "xyzzy-1"}]});
    let crm = world.told("crm/xyzzy", &body).await;
    let before = world.timeline(&ticket).await;
    assert!(everything(&world, &[&ticket]).await.contains(SECRET));

    let path = format!("/v1/customers/{id}/erase");
    problem(&world.lead.post(&path, &json!({"because": "x", "confirm": id})).await.unwrap(), 403);
    problem(&world.admin.post(&path, &json!({"because": "x", "confirm": "yes"})).await.unwrap(), 422);
    problem(&world.admin.post(&path, &json!({"because": " ", "confirm": id})).await.unwrap(), 422);
    assert_eq!(erase(&world, id).await, 1);
    erase(&world, crm["id"].as_str().unwrap()).await;

    let left = everything(&world, &[&ticket]).await;
    if let Some(place) = left.find(SECRET) {
        panic!("it is still there: …{}…", &left[place.saturating_sub(300)..(place + 100).min(left.len())]);
    }
    let after = world.timeline(&ticket).await;
    let facts = |events: &[Value]| -> Vec<Value> {
        events
            .iter()
            .map(|event| json!([event["id"], event["kind"], event["at"], event["actor"], event["sequence"]]))
            .collect()
    };
    assert_eq!(facts(&after), facts(&before));
    let first = &event(&after, "message_received")["data"]["message"];
    assert_eq!((&first["text"], &first["erased"]), (&json!("[erased]"), &json!(true)));
    assert_eq!(first["attachments"][0]["size"], 15);
    let colleague =
        after.iter().find(|event| event["data"]["message"]["sender"]["value"] == "ben@example.net").unwrap();
    assert!(colleague["data"]["message"]["text"].as_str().unwrap().starts_with("I can confirm that."), "{colleague}");
    let now = world.ticket(ticket["id"].as_str().unwrap()).await;
    assert_eq!(
        (&now["subject"], &now["status"], &now["sla"]["policy"]),
        (&json!("[erased]"), &ticket["status"], &ticket["sla"]["policy"])
    );
    let customer = world.get(&format!("/v1/customers/{id}")).await;
    assert!(customer["erased_at"].is_string() && customer["identifiers"] == json!([]), "{customer}");

    // Who comes by the same address is somebody new, and sees nothing of it.
    let next = world.ticket_by_mail(&Mail::from("xyzzy@example.org").text("Hello again")).await;
    assert_ne!(next["customer_id"], ticket["customer_id"]);
    let again = world.told("crm/xyzzy", &json!({})).await;
    assert_ne!(again["id"], crm["id"], "the number is a new customer's");
    // The ticket goes on, as any other.
    let status = format!("/v1/tickets/{}/status", ticket["id"].as_str().unwrap());
    world.post(&status, &json!({"status": "resolved"})).await;
    world.finish().await;
}

#[tokio::test]
async fn a_file_and_a_long_text_go_from_the_object_store() {
    let world = World::start().await;
    let mail = Mail::from("anna@example.org").text(&"many words. ".repeat(500)).file("a.txt", "text/plain", b"a file");
    let ticket = world.ticket_by_mail(&mail).await;
    let before = world.timeline(&ticket).await;
    let link =
        event(&before, "message_received")["data"]["message"]["attachments"][0]["url"].as_str().unwrap().to_owned();
    assert_eq!(world.download(&link).await.status, 200);
    erase(&world, ticket["customer_id"].as_str().unwrap()).await;
    assert_eq!(world.download(&link).await.status, 404);
    for prefix in ["attachments/", "bodies/", "mail/"] {
        assert_eq!(world.app().blobs.list(prefix, None, 10).await.unwrap().objects.len(), 0, "{prefix}");
    }
    world.finish().await;
}

#[tokio::test]
async fn what_a_colleague_wrote_lives_on_where_it_was_split_off_to() {
    let world = World::start().await;
    let mail = Mail::from("anna@example.org").to("support@example.com, ben@example.net");
    let ticket = world.ticket_by_mail(&mail.envelope_to(&["support@example.com"]).id("first@example.org")).await;
    let long = "my own words. ".repeat(500);
    let answer = Mail::from("ben@example.net").in_reply_to("first@example.org").text(&long);
    world.mail(&answer.file("ben.txt", "text/plain", b"a file of Ben's")).await;
    world.settled().await;
    let timeline = world.timeline(&ticket).await;
    let of_ben = |event: &&Value| event["data"]["message"]["sender"]["value"] == "ben@example.net";
    let message = timeline.iter().find(of_ben).unwrap();
    let path = format!("/v1/tickets/{}/split", ticket["id"].as_str().unwrap());
    let own = world.post(&path, &json!({"event_ids": [message["id"]]})).await["other"].clone();
    assert_ne!(own["customer_id"], ticket["customer_id"]);
    erase(&world, ticket["customer_id"].as_str().unwrap()).await;

    let timeline = world.timeline(&own).await;
    let message = &timeline.iter().find(of_ben).unwrap()["data"]["message"];
    assert_eq!(message["text"].as_str().unwrap().trim(), long.trim());
    assert_eq!(world.download(message["attachments"][0]["url"].as_str().unwrap()).await.status, 200);
    let raw = world.app().blobs.list("mail/", None, 10).await.unwrap().objects;
    assert_eq!(raw.len(), 1, "his mail, and not hers");
    world.finish().await;
}

#[tokio::test]
async fn erasing_much_is_asked_for_until_it_is_done() {
    let world = World::start().await;
    let mail = Mail::from("xyzzy@example.org");
    let ticket = world.ticket_by_mail(&mail).await;
    let notes = format!("/v1/tickets/{}/notes", ticket["id"].as_str().unwrap());
    for _ in 0..160 {
        world.post(&notes, &json!({"text": "xyzzy called"})).await;
    }
    let id = ticket["customer_id"].as_str().unwrap();
    let body = json!({"because": "they asked for it", "confirm": id});
    let first = world.admin.post(&format!("/v1/customers/{id}/erase"), &body).await.unwrap();
    assert_eq!(first.status, 202, "{}", first.json());
    problem(&world.agent.get("/v1/customers/lookup?identifier=email:xyzzy@example.org").await.unwrap(), 404);
    // Meanwhile the ticket goes on, and is found all the same.
    world.post(&notes, &json!({"text": "xyzzy called once more"})).await;
    assert!(erase(&world, id).await < 4);
    let left = everything(&world, &[&ticket]).await;
    assert!(!left.contains(SECRET));
    world.finish().await;
}

/// A change that was decided before an erasure would bring back what is erased.
#[tokio::test]
async fn what_was_decided_before_an_erasure_is_not_written_after_it() {
    let world = World::start().await;
    let ticket = world.ticket_by_mail(&Mail::from("anna@example.org").subject("Xyzzy")).await;
    world.settled().await;
    let store = &world.app().store;
    let id = ticket["id"].as_str().unwrap().parse().unwrap();
    let before = store.ticket(id).await.unwrap().unwrap();
    erase(&world, ticket["customer_id"].as_str().unwrap()).await;
    let now = store.ticket(id).await.unwrap().unwrap();
    assert_eq!(now.ticket.head.version, before.ticket.head.version, "erasing is no change of the ticket");
    let calendars = world.app().calendars(std::iter::once(&now.ticket.head)).await.unwrap();
    let late = |read: StoredTicket| {
        let mut changes = Changes::new();
        let tagged = Tagged { added: vec!["late".to_owned()], removed: Vec::new() };
        changes.push(Actor::System, EventData::Tagged(tagged));
        let at = world.now();
        let commit = changes.into_commit(id, read.ticket.head.version + 1, at, at);
        let after = fold::apply(Some(read.ticket.clone()), &commit, &calendars).unwrap();
        TicketChange::new(Some(read), commit, after)
    };
    let lost = store.commit(&late(before)).await;
    assert!(matches!(lost, Err(CommitError::Lost(_))), "{lost:?}");
    assert_eq!(world.ticket(ticket["id"].as_str().unwrap()).await["subject"], "[erased]");
    store.commit(&late(now)).await.unwrap();
    world.finish().await;
}

/// A ticket of Anna's on which Ben, who is `xyzzy@example.net`, writes as a colleague, and is answered there.
async fn of_anna_with_ben(world: &World) -> Value {
    let mail = Mail::from("anna@example.org").subject("My bicycle").text("It is broken.");
    let mail = mail.to("support@example.com, xyzzy@example.net, carl@example.net");
    let ticket = world.ticket_by_mail(&mail.envelope_to(&["support@example.com"]).id("first@example.org")).await;
    let text = format!("It is of order ORD-774411. {}", "I am xyzzy. ".repeat(500));
    let answer = Mail::from("xyzzy@example.net").subject("I am xyzzy").in_reply_to("first@example.org").text(&text);
    world.mail(&answer.file("xyzzy.txt", "text/plain", b"xyzzy in a file")).await;
    world.settled().await;
    let path = format!("/v1/tickets/{}/replies", ticket["id"].as_str().unwrap());
    let to = json!(["anna@example.org", "xyzzy@example.net"]);
    world.post(&path, &json!({"text": "We look into it.", "to": to})).await;
    world.mail(&Mail::from("anna@example.org").in_reply_to("first@example.org").text("Thank you both.")).await;
    world.settled().await;
    world.ticket(ticket["id"].as_str().unwrap()).await
}

#[tokio::test]
async fn what_they_did_on_tickets_of_others_is_given_out() {
    let world = World::start().await;
    let ticket = of_anna_with_ben(&world).await;
    let ben = world.customer("email:xyzzy@example.net").await;
    assert_ne!(ben["id"], ticket["customer_id"]);
    let (_, items) = exported(&world, ben["id"].as_str().unwrap()).await;
    let of = |kind: &str| items.iter().filter(|item| item["type"] == kind).collect::<Vec<_>>();
    assert_eq!((of("ticket").len(), of("file").len()), (0, 1), "{items:?}");
    let texts: Vec<_> = of("event").iter().map(|event| event["data"]["message"]["text"].clone()).collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts[0].as_str().unwrap().starts_with("It is of order ORD-774411."), "his own words");
    assert_eq!(texts[1], "We look into it.", "what was sent to him");
    assert!(of("event").iter().all(|event| event["decision"].is_null()), "what was decided there is Anna's");
    assert_eq!(of("addressed")[0]["ticket_id"], ticket["id"]);
    world.finish().await;
}

#[tokio::test]
async fn what_they_left_on_tickets_of_others_is_erased_and_the_rest_stays() {
    let world = World::start().await;
    let ticket = of_anna_with_ben(&world).await;
    let ben = world.customer("email:xyzzy@example.net").await;
    let before = world.timeline(&ticket).await;
    erase(&world, ben["id"].as_str().unwrap()).await;
    let after = world.timeline(&ticket).await;
    let shape = |events: &[Value]| -> Vec<Value> {
        events.iter().map(|event| json!([event["id"], event["kind"], event["actor"]])).collect()
    };
    assert_eq!(shape(&after), shape(&before));
    let text = |events: &[Value], n: usize| -> Value {
        events.iter().filter(|event| event["kind"] == "message_received").nth(n).unwrap()["data"]["message"].clone()
    };
    assert_eq!(text(&after, 0)["text"], text(&before, 0)["text"], "Anna's words are hers");
    assert_eq!((&text(&after, 1)["text"], &text(&after, 1)["erased"]), (&json!("[erased]"), &json!(true)));
    assert_eq!(text(&after, 2), text(&before, 2));
    assert_eq!(event(&after, "reply_sent")["data"]["message"]["text"], "We look into it.");
    let now = world.ticket(ticket["id"].as_str().unwrap()).await;
    assert_eq!((&now["subject"], &now["status"]), (&ticket["subject"], &ticket["status"]));
    // Nothing of him is left but in Anna's own mail as she sent it.
    for object in world.app().blobs.list("mail/", None, 10).await.unwrap().objects {
        let raw = String::from_utf8_lossy(&world.app().blobs.get(&object.key).await.unwrap().unwrap()).into_owned();
        assert!(!raw.contains("From: xyzzy"), "{raw}");
        world.app().blobs.delete(&object.key).await.unwrap();
    }
    let left = everything(&world, &[&ticket]).await;
    if let Some(place) = left.find(SECRET) {
        panic!("it is still there: …{}…", &left[place.saturating_sub(300)..(place + 100).min(left.len())]);
    }
    assert!(left.contains("774411"), "the number of the order that the ticket is about is a fact");
    // Who takes part still does: a colleague whom nobody erased, and Anna is answered.
    world.mail(&Mail::from("carl@example.net").in_reply_to("first@example.org").text("I saw it.")).await;
    let path = format!("/v1/tickets/{}/replies", ticket["id"].as_str().unwrap());
    let replied = world.post(&path, &json!({"text": "Done."})).await;
    let sent = event(replied["events"].as_array().unwrap(), "reply_sent")["data"]["message"]["to"].clone();
    assert_eq!(sent, json!(["email:anna@example.org"]), "{replied}");
    world.settled().await;
    assert_eq!(world.timeline(&ticket).await.iter().filter(|event| event["kind"] == "message_received").count(), 4);
    world.finish().await;
}

/// Somebody's answers went to who is linked with them: erased, they go to the requester again.
#[tokio::test]
async fn who_is_linked_is_erased_alone_and_answers_find_the_requester() {
    let world = World::start().await;
    let ticket = world.ticket_by_mail(&Mail::from("anna@example.org").id("first@example.org")).await;
    let other = world.ticket_by_mail(&Mail::from("xyzzy@example.net").subject("Another matter")).await;
    let path = format!("/v1/customers/{}/link", ticket["customer_id"].as_str().unwrap());
    let because = "she said that xyzzy is hers";
    world.post(&path, &json!({"customer_id": other["customer_id"], "because": because})).await;
    world.mail(&Mail::from("xyzzy@example.net").in_reply_to("first@example.org").text("xyzzy speaking")).await;
    world.settled().await;
    let linked = other["customer_id"].as_str().unwrap();
    let (customer, _) = exported(&world, linked).await;
    assert_eq!(customer["links"][0]["evidence"], because, "{customer}");
    erase(&world, linked).await;
    let left = everything(&world, &[&ticket, &other]).await;
    if let Some(place) = left.find(SECRET) {
        panic!("it is still there: …{}…", &left[place.saturating_sub(300)..(place + 100).min(left.len())]);
    }
    let path = format!("/v1/tickets/{}/replies", ticket["id"].as_str().unwrap());
    let replied = world.post(&path, &json!({"text": "Dear Anna"})).await;
    let sent = event(replied["events"].as_array().unwrap(), "reply_sent")["data"]["message"]["to"].clone();
    assert_eq!(sent, json!(["email:anna@example.org"]), "{replied}");
    world.finish().await;
}

#[tokio::test]
async fn a_name_goes_from_the_profiles_of_others_and_from_tickets_where_it_was_only_addressed() {
    let world = World::start().await;
    let name = json!({"identifiers": [{"kind": "email", "value": "xyzzy@example.net"}]});
    let mail = Mail::from("anna@example.org").to("support@example.com, xyzzy@example.net");
    let ticket = world.ticket_by_mail(&mail.envelope_to(&["support@example.com"])).await;
    let ben = world.told("account/1", &name).await;
    let carla = world.told("account/2", &name).await;
    assert_eq!(carla["link_suggestions"][0]["customer_id"], ben["id"], "{carla}");
    let (_, items) = exported(&world, ben["id"].as_str().unwrap()).await;
    let kinds: Vec<_> = items.iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["addressed", "suggested"], "{items:?}");
    erase(&world, ben["id"].as_str().unwrap()).await;
    let carla = world.customer("account:2").await;
    assert_eq!(carla["link_suggestions"], json!([]), "{carla}");
    let dump = serde_json::to_string(&world.system().aws.dump(throughline_local::TABLE).unwrap()).unwrap();
    let timeline = serde_json::to_string(&world.timeline(&ticket).await).unwrap();
    assert!(!dump.contains(SECRET) && !timeline.contains(SECRET), "{timeline}");
    world.finish().await;
}

/// Who is being erased writes on, and the next request goes on where the first one broke off, in the middle of a ticket.
#[tokio::test]
async fn an_erasure_that_breaks_off_on_the_ticket_of_somebody_else_comes_to_the_same() {
    let world = World::start().await;
    let ticket = of_anna_with_ben(&world).await;
    let ben = world.customer("email:xyzzy@example.net").await;
    let again = |n: usize| Mail::from("xyzzy@example.net").in_reply_to("first@example.org").text(&format!("xyzzy {n}"));
    for n in 0..160 {
        world.mail(&again(n)).await;
    }
    world.settled().await;
    let (done, steps) = erase_once(&world, ben["id"].as_str().unwrap()).await;
    assert_eq!((done, steps), (false, 150));
    world.mail(&again(160)).await;
    world.settled().await;
    assert_eq!(erase(&world, ben["id"].as_str().unwrap()).await, 1, "the rest of it");
    let timeline = serde_json::to_string(&world.timeline(&ticket).await).unwrap();
    let detail = serde_json::to_string(&world.ticket(ticket["id"].as_str().unwrap()).await).unwrap();
    assert!(!timeline.contains("xyzzy@") && !detail.contains(SECRET), "{detail}");
    // That the head still is the fold of its log is looked at in the end.
    world.finish().await;
}

/// What an agent verified on the phone names somebody on the ticket of another.
#[tokio::test]
async fn a_name_that_was_verified_on_the_ticket_of_somebody_else_goes_too() {
    let world = World::start().await;
    let ticket = world.ticket_by_mail(&Mail::from("anna@example.org")).await;
    let ben = world.told("account/xyzzy-1", &json!({})).await;
    let path = format!("/v1/tickets/{}/caller-verified", ticket["id"].as_str().unwrap());
    world.post(&path, &json!({"identifier": "account:xyzzy-1", "how": "xyzzy knew the last order"})).await;
    assert!(everything(&world, &[&ticket]).await.contains(SECRET));
    erase(&world, ben["id"].as_str().unwrap()).await;
    assert!(!everything(&world, &[&ticket]).await.contains(SECRET));
    world.finish().await;
}
