//! The replay: what is stored follows from the logs, and what does not is found and named.

use serde_json::{Value, json};
use throughline_local::TABLE;
use throughline_local::replay::ReplayReport;
use throughline_tests::{Mail, World};

async fn replayed(world: &World) -> ReplayReport {
    let report = world.anyone.post("/local/replay", &Value::Null).await.unwrap().ok().unwrap();
    serde_json::from_value(report).unwrap()
}

/// A desk with a ticket that somebody has, one that waits, one with other people on it and one that is done.
async fn busy() -> World {
    let world = World::start().await;
    world.put_agent("liam", &["technical"], 10).await;
    world.presence("aiko", "away").await;
    let mut people = Vec::new();
    for from in ["held@example.org", "waits@example.org"] {
        let ticket = world.ticket_by_mail(&Mail::from(from).subject("The app shows an error")).await;
        people.push(ticket["customer_id"].as_str().unwrap().to_owned());
    }
    let link = json!({"customer_id": people[1], "because": "she said so"});
    world.post(&format!("/v1/customers/{}/link", people[0]), &link).await;
    let done = world.ticket_by_mail(&Mail::from("done@example.org")).await;
    let path = format!("/v1/tickets/{}", done["id"].as_str().unwrap());
    world.post(&format!("{path}/tags"), &json!({"add": ["vip"]})).await;
    world.post(&format!("{path}/status"), &json!({"status": "resolved"})).await;
    world.settled().await;
    world
}

/// The item whose keys begin so, where `wanted` picks it.
fn item(world: &World, pk: &str, sk: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let text = |item: &Value, name: &str| item[name]["S"].as_str().unwrap_or_default().to_owned();
    let items = world.system().aws.dump(TABLE).unwrap();
    let found = items
        .into_iter()
        .find(|item| text(item, "pk").starts_with(pk) && text(item, "sk").starts_with(sk) && wanted(item));
    found.unwrap_or_else(|| panic!("there is no {pk} {sk}"))
}

fn put(world: &World, item: Value) {
    world.system().aws.load(TABLE, &[item]).unwrap();
}

#[tokio::test]
async fn a_desk_at_rest_follows_from_its_logs() {
    let world = busy().await;
    let report = replayed(&world).await;
    assert_eq!((report.replayed.tickets, report.replayed.differences), (3, 0), "{:?}", report.differences);
    assert!(report.replayed.commits >= 6, "{:?}", report.replayed);
    world.finish().await;
}

#[tokio::test]
async fn each_damage_is_found_and_named() {
    type Damage = fn(&mut Value);
    // Where it is, which item, what is done to it, and what is told of it.
    type Case = (&'static str, &'static str, fn(&Value) -> bool, Damage, &'static str, &'static str);
    let live: fn(&Value) -> bool = |head| head["status"]["S"] != "resolved";
    let held: fn(&Value) -> bool = |head| head["assignee"]["S"] == "liam";
    let any: fn(&Value) -> bool = |_| true;
    let linked: fn(&Value) -> bool = |head| head["members"]["L"][0].is_object();
    let cases: [Case; 10] = [
        ("TICKET#", "HEAD", live, |head| head["priority"] = json!({"S": "low"}), "ticket tkt_", "priority"),
        ("TICKET#", "HEAD", live, |head| head["message_count"] = json!({"N": "9"}), "ticket tkt_", "message_count"),
        ("TICKET#", "HEAD", held, |head| head["holder_key"] = json!({"S": "NOBODY#open"}), "ticket tkt_", "holder_key"),
        (
            "TICKET#",
            "HEAD",
            live,
            |head| head["check_at"] = json!({"S": "2999-01-01T00:00:00.000Z"}),
            "ticket tkt_",
            "check_at",
        ),
        ("TICKET#", "DETAIL", any, |detail| detail["tags"] = json!({"L": []}), "ticket tkt_", "detail.tags"),
        ("AGENT#liam", "AGENT", any, |agent| agent["load"] = json!({"N": "30"}), "agent liam", "load"),
        (
            "CUSTOMER#",
            "HEAD",
            |head| head["open"]["L"][0].is_object(),
            |head| head["open"] = json!({"L": []}),
            "customer cus_",
            "tkt_",
        ),
        ("CUSTOMER#", "HEAD", linked, |head| head["members"] = json!({"L": []}), "customer cus_", "root"),
        ("CUSTOMER#", "LINK#", any, |link| link["state"] = json!({"S": "kept_apart"}), "customer cus_", "members"),
        (
            "TEAM#technical",
            "WAIT#",
            any,
            |place| place["sk"] = json!({"S": "WAIT#0#tkt_0192f0c1a2b37c8d9e0f112233445566"}),
            "line of technical",
            "tkt_0192f0c1",
        ),
    ];
    let world = busy().await;
    for (pk, sk, wanted, damage, of, field) in cases {
        let right = item(&world, pk, sk, wanted);
        let mut wrong = right.clone();
        damage(&mut wrong);
        assert_ne!(wrong, right, "{pk} {sk} is not damaged");
        put(&world, wrong);
        let report = replayed(&world).await;
        let named = report
            .differences
            .iter()
            .any(|difference| difference.of.to_string().starts_with(of) && difference.field.starts_with(field));
        assert!(named, "{of} {field}: {:?}", report.differences);
        assert_eq!(report.replayed.differences, report.differences.len() as u64);
        put(&world, right);
    }
    world.stop().await;
}

#[tokio::test]
async fn a_log_that_is_broken_is_named() {
    let world = busy().await;
    let mut commit = item(&world, "TICKET#", "EVENT#0000000002", |_| true);
    commit["at"] = json!({"S": "2001-01-01T00:00:00.000Z"});
    put(&world, commit);
    let report = replayed(&world).await;
    let [difference, ..] = report.differences.as_slice() else { panic!("nothing was found") };
    assert_eq!(difference.field, "commit 2", "{difference}");
    world.stop().await;
}
