//! What business systems know of a customer: told and used.

use http::Method;
use serde_json::{Value, json};
use throughline_channels::web_chat::user_hash;
use throughline_local::client::{Answer, Client};
use throughline_tests::chat::CHAT;
use throughline_tests::{Mail, World, event, problem};

async fn put(client: &Client, name: &str, body: &Value) -> Answer {
    let path = format!("/v1/customers/by-identifier/{name}");
    client.send(Method::PUT, &path, &[], body.to_string()).await.unwrap()
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
    world.told("crm/7", &late).await;
    let early = json!({"name": "Anna", "attributes": {"tier": "silver"}, "observed_at": "2026-11-20T09:10:00Z"});
    let answer = put(&world.admin, "crm/7", &early).await.json();
    assert_eq!((&answer["attributes"]["tier"], &answer["name"]), (&json!("gold"), &json!("Anna")));
    assert_eq!(answer["outdated"], json!(["attributes.tier"]));
    world.set_time("2026-11-20T09:31:00Z");
    let removed = world.told("crm/7", &json!({"attributes": {"tier": null}, "name": null})).await;
    assert_eq!((&removed["attributes"], &removed["name"]), (&json!({}), &Value::Null));
    assert_eq!(world.told("crm/7", &late).await["outdated"], json!(["attributes.tier"]));

    let future = json!({"observed_at": "2026-11-20T09:40:00Z"});
    let refused = put(&world.integration, "crm/7", &future).await;
    assert_eq!(problem(&refused, 422)["errors"][0]["pointer"], "/observed_at");
    world.finish().await;
}

#[tokio::test]
async fn a_name_that_another_customer_holds_becomes_a_suggestion() {
    let world = World::start().await;
    let anna =
        world.told("account/1", &json!({"identifiers": [{"kind": "email", "value": "family@example.org"}]})).await;
    let ben =
        world.told("account/2", &json!({"identifiers": [{"kind": "email", "value": "family@example.org"}]})).await;
    let suggestion = &ben["link_suggestions"][0];
    assert_eq!(
        (&suggestion["customer_id"], &suggestion["identifier"]["value"]),
        (&anna["id"], &json!("family@example.org"))
    );
    assert_eq!(world.customer("email:family@example.org").await["id"], anna["id"], "it is not stolen");
    // What nobody proved and no business knows is taken over, with a suggestion that says from whom.
    let ticket = world.ticket_by_mail(&Mail::from("carla@example.org")).await;
    let carla =
        world.told("account/3", &json!({"identifiers": [{"kind": "email", "value": "carla@example.org"}]})).await;
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

#[tokio::test]
async fn a_customer_holds_no_more_names_than_are_listed() {
    let world = World::start().await;
    for tens in 0..10 {
        let names = (0..10).filter(|one| tens + one > 0);
        let names = names.map(|one| json!({"kind": "email", "value": format!("a{tens}{one}@example.org")}));
        world.told("account/user-1", &json!({"identifiers": names.collect::<Vec<_>>()})).await;
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
