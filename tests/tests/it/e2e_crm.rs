//! What business systems know of a customer: told, used and given out.

use http::Method;
use serde_json::{Value, json};
use throughline_channels::web_chat::user_hash;
use throughline_domain::event::{Actor, Changes, EventData, Tagged};
use throughline_domain::fold;
use throughline_local::client::{Answer, Client};
use throughline_store::{CommitError, StoredTicket, TicketChange};
use throughline_tests::chat::CHAT;
use throughline_tests::{Mail, World, event, problem};

async fn put(client: &Client, name: &str, body: &Value) -> Answer {
    let path = format!("/v1/customers/by-identifier/{name}");
    client.send(Method::PUT, &path, &[], body.to_string()).await.unwrap()
}

async fn told(world: &World, name: &str, body: &Value) -> Value {
    let answer = put(&world.integration, name, body).await;
    assert!([200, 201].contains(&answer.status), "{}", answer.json());
    answer.json()
}

#[tokio::test]
async fn what_the_crm_tells_is_shown_and_decides_the_next_ticket() {
    let world = World::start().await;
    let body = json!({
        "name": "Anna Berg",
        "attributes": {"segment": "vip", "tier": "gold"},
        "preferences": {"channel": "email", "language": "de"},
        "identifiers": [{"kind": "email", "value": "Anna@Example.org"}, {"kind": "phone", "value": "+49 30 901820"}],
        "entitlements": [{"id": "care", "name": "Care+", "valid_until": "2027-01-01T00:00:00Z", "seats": 3}],
        "orders": [{"id": "A-1", "at": "2026-11-01T10:00:00Z", "status": "sent", "total": 129.9}],
    });
    let first = put(&world.integration, "account/42", &body).await;
    assert_eq!(first.status, 201, "{}", first.json());
    let again = put(&world.integration, "account/42", &body).await;
    assert_eq!((again.status, &again.json()["id"]), (200, &first.json()["id"]));

    let customer = world.customer("account:42").await;
    assert_eq!((&customer["name"], &customer["attributes"]["tier"]), (&json!("Anna Berg"), &json!("gold")));
    assert_eq!(customer["preferences"], json!({"channel": "email", "language": "de"}));
    assert_eq!(customer["entitlements"][0]["seats"], 3);
    assert_eq!((&customer["orders"][0]["id"], &customer["orders"][0]["total"]), (&json!("A-1"), &json!(129.9)));
    let names: Vec<_> =
        customer["identifiers"].as_array().unwrap().iter().map(|known| known["value"].clone()).collect();
    assert_eq!(names, [json!("42"), json!("anna@example.org"), json!("+4930901820")]);

    let ticket = world.ticket_by_mail(&Mail::from("anna@example.org").subject("Where is it?")).await;
    assert_eq!((&ticket["customer_id"], &ticket["segment"]), (&customer["id"], &json!("vip")));
    let timeline = world.timeline(&ticket).await;
    assert_eq!(event(&timeline, "ticket_created")["data"]["segment"], "vip");
    world.finish().await;
}

#[tokio::test]
async fn of_two_systems_the_later_word_holds_for_each_field() {
    let mut world = World::start_at("2026-11-20T09:30:00Z").await;
    let late = json!({"attributes": {"tier": "gold"}, "observed_at": "2026-11-20T09:20:00Z"});
    told(&world, "crm/7", &late).await;
    let early = json!({"name": "Anna", "attributes": {"tier": "silver"}, "observed_at": "2026-11-20T09:10:00Z"});
    let answer = put(&world.admin, "crm/7", &early).await.json();
    assert_eq!((&answer["attributes"]["tier"], &answer["name"]), (&json!("gold"), &json!("Anna")));
    assert_eq!(answer["outdated"], json!(["attributes.tier"]));
    world.set_time("2026-11-20T09:31:00Z");
    let removed = told(&world, "crm/7", &json!({"attributes": {"tier": null}, "name": null})).await;
    assert_eq!((&removed["attributes"], &removed["name"]), (&json!({}), &Value::Null));
    assert_eq!(told(&world, "crm/7", &late).await["outdated"], json!(["attributes.tier"]));

    let future = json!({"observed_at": "2026-11-20T09:40:00Z"});
    let refused = put(&world.integration, "crm/7", &future).await;
    assert_eq!(problem(&refused, 422)["errors"][0]["pointer"], "/observed_at");
    world.finish().await;
}

#[tokio::test]
async fn a_name_that_another_customer_holds_becomes_a_suggestion() {
    let world = World::start().await;
    let anna =
        told(&world, "account/1", &json!({"identifiers": [{"kind": "email", "value": "family@example.org"}]})).await;
    let ben =
        told(&world, "account/2", &json!({"identifiers": [{"kind": "email", "value": "family@example.org"}]})).await;
    let suggestion = &ben["link_suggestions"][0];
    assert_eq!(
        (&suggestion["customer_id"], &suggestion["identifier"]["value"]),
        (&anna["id"], &json!("family@example.org"))
    );
    assert_eq!(world.customer("email:family@example.org").await["id"], anna["id"], "it is not stolen");
    // What nobody proved and no business knows is taken over, with a suggestion that says from whom.
    let ticket = world.ticket_by_mail(&Mail::from("carla@example.org")).await;
    let carla =
        told(&world, "account/3", &json!({"identifiers": [{"kind": "email", "value": "carla@example.org"}]})).await;
    assert_eq!(carla["link_suggestions"][0]["customer_id"], ticket["customer_id"]);
    assert_eq!(world.customer("email:carla@example.org").await["id"], carla["id"]);
    world.finish().await;
}

#[tokio::test]
async fn at_once_they_make_one_customer() {
    let world = World::start().await;
    let bodies: Vec<Value> = (0..6).map(|n| json!({"attributes": {format!("a{n}"): "x"}})).collect();
    let answers = futures::future::join_all(bodies.iter().map(|body| put(&world.integration, "crm/9", body))).await;
    let taken = answers.iter().filter(|answer| [200, 201].contains(&answer.status)).count();
    assert!(answers.iter().all(|answer| [200, 201, 409].contains(&answer.status)), "409 says: try again");
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    let customer = world.customer("crm:9").await;
    assert_eq!(customer["attributes"].as_object().unwrap().len(), taken, "nothing that was taken is lost");
    world.finish().await;
}

#[tokio::test]
async fn who_may_tell_and_what() {
    let world = World::start().await;
    let nothing = json!({});
    problem(&put(&world.agent, "crm/7", &nothing).await, 403);
    problem(&put(&world.lead, "crm/7", &nothing).await, 403);
    for name in ["order/A-1", "email/anna@example.org", "fax/1"] {
        problem(&put(&world.integration, name, &nothing).await, 422);
    }
    for (body, pointer) in [
        (json!({"identifiers": [{"kind": "email", "value": "nobody"}]}), "/identifiers/0"),
        (json!({"identifiers": [{"kind": "phone", "value": "030 1"}]}), "/identifiers/0"),
        (json!({"identifiers": [{"kind": "session", "value": "x"}]}), "/identifiers/0"),
        (json!({"identifiers": [{"kind": "crm", "value": "8"}]}), "/identifiers/0"),
        (json!({"identifiers": [{"kind": "email", "value": "support@example.com"}]}), "/identifiers/0"),
        (json!({"attributes": {"tier": "x".repeat(257)}}), "/attributes/tier"),
        (json!({"orders": [{"id": "A", "note": "x".repeat(1_100)}]}), "/orders/0"),
    ] {
        let problem = problem(&put(&world.integration, "crm/7", &body).await, 422);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    problem(&world.agent.get("/v1/customers/lookup?identifier=crm:7").await.unwrap(), 404);
    world.finish().await;
}

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

/// Asks for an erasure until it is done; says how often it was asked for.
async fn erase(world: &World, id: &str) -> usize {
    for asked in 1..100 {
        let body = json!({"because": "they asked for it", "confirm": id});
        let answer = world.admin.post(&format!("/v1/customers/{id}/erase"), &body).await.unwrap();
        match answer.status {
            200 => return asked,
            202 => assert_eq!(answer.json()["state"], "erasing"),
            other => panic!("{other}: {}", answer.json()),
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
    let crm = told(&world, "crm/xyzzy", &body).await;
    let before = world.timeline(&ticket).await;
    assert!(everything(&world, &[&ticket]).await.contains(SECRET));

    let path = format!("/v1/customers/{id}/erase");
    problem(&world.lead.post(&path, &json!({"because": "x", "confirm": id})).await.unwrap(), 403);
    problem(&world.admin.post(&path, &json!({"because": "x", "confirm": "yes"})).await.unwrap(), 422);
    problem(&world.admin.post(&path, &json!({"because": " ", "confirm": id})).await.unwrap(), 422);
    assert_eq!(erase(&world, id).await, 1);
    assert_eq!(erase(&world, id).await, 1, "again, it does nothing");
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
    let again = put(&world.integration, "crm/xyzzy", &json!({})).await;
    assert_eq!(again.status, 201, "the number is a new customer's");
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
async fn a_customer_holds_no_more_names_than_are_listed() {
    let world = World::start().await;
    for tens in 0..10 {
        let names = (0..10).filter(|one| tens + one > 0);
        let names = names.map(|one| json!({"kind": "email", "value": format!("a{tens}{one}@example.org")}));
        told(&world, "account/user-1", &json!({"identifiers": names.collect::<Vec<_>>()})).await;
    }
    let full = world.customer("account:user-1").await;
    assert_eq!(full["identifiers"].as_array().unwrap().len(), 100);
    let secret = world.seed.secrets.inboxes[&CHAT.parse().unwrap()].identity[0].clone();
    let chat = world.chat(&json!({"external_id": "user-1", "user_hash": user_hash("user-1", &secret)})).await;
    for n in ["1", "2"] {
        chat.say(&world, n, "Hello").await;
        world.settled().await;
    }
    let ticket = world.ticket_of("web_chat", CHAT, &format!("{}:1", chat.session_id)).await;
    assert_eq!(ticket["customer_id"], full["id"], "the account says who it is");
    let identity = &event(&world.timeline(&ticket).await, "message_received")["decision"]["because"].clone();
    assert!(identity.as_str().unwrap().contains("not theirs for good"), "{identity}");
    let lookup = format!("/v1/customers/lookup?identifier=session:{}", chat.session_id);
    problem(&world.agent.get(&lookup).await.unwrap(), 404);
    let path = format!("/v1/tickets/{}/caller-verified", ticket["id"].as_str().unwrap());
    let body = json!({"identifier": "phone:+41791234567", "how": "she named her last invoice"});
    problem(&world.agent.post(&path, &body).await.unwrap(), 409);
    assert_eq!(world.customer("account:user-1").await["identifiers"], full["identifiers"]);
    // Who holds the name already is linked all the same.
    let mail = world.ticket_by_mail(&Mail::from("anna@example.org")).await;
    let path_of_mail = format!("/v1/tickets/{}/caller-verified", mail["id"].as_str().unwrap());
    world.post(&path_of_mail, &body).await;
    world.post(&path, &body).await;
    assert_eq!(world.customer("account:user-1").await["linked"][0]["customer_id"], mail["customer_id"]);
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
