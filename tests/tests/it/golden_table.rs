//! That a table which an older version wrote is read by this one, item by item, and goes on: `tests/fixtures/table/v1.json`
//! holds everything that a small desk left in the table, and stays as it is. What a version adds comes in a file of its own:
//! `v2.json` says by which names a profile or a ticket is found that does not hold them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use http::Method;
use serde_json::{Value, json};
use throughline_domain::identifier::Identifier;
use throughline_domain::ledger::LedgerKey;
use throughline_domain::suppression::{Suppression, SuppressionKind};
use throughline_local::TABLE;
use throughline_store::{QuarantineId, Quarantined};
use throughline_tests::{Mail, World, count, event, kinds};

/// When the desk was open; so that nothing in it is over when it is read.
const THEN: &str = "2026-11-20T09:30:00Z";
const ANNA: &str = "anna@example.org";
const ANNA_AT_WORK: &str = "anna@corp.example";
const TECHNICIANS: [&str; 2] = ["aiko", "liam"];
const KEY: [(&str, &str); 1] = [("idempotency-key", "reply-1")];

/// All tables, the latest last.
const TABLES: [&str; 2] = ["v1.json", "v2.json"];

fn file(table: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/table").join(table)
}

fn table(table: &str) -> Vec<Value> {
    serde_json::from_str(&std::fs::read_to_string(file(table)).unwrap()).unwrap()
}

fn golden() -> Vec<Value> {
    TABLES.iter().flat_map(|name| table(name)).collect()
}

/// The mails of the desk, in order.
fn mails() -> [Mail; 4] {
    [
        Mail::from(ANNA).id("first@example.org").header("Cc", ANNA_AT_WORK).subject("Invoice 4711 is wrong"),
        Mail::from("waits@example.org").id("waits@example.org").subject("The app shows an error"),
        Mail::from(ANNA_AT_WORK).id("joins@corp.example").in_reply_to("first@example.org"),
        Mail::from(ANNA_AT_WORK).id("own@corp.example").subject("Bicycle saddle loose"),
    ]
}

async fn reply(world: &World, ticket: &Value) -> Value {
    let path = format!("/v1/tickets/{}/replies", ticket["id"].as_str().unwrap());
    let body = json!({"text": "We look into it."}).to_string();
    world.agent.send(Method::POST, &path, &KEY, body).await.unwrap().ok().unwrap()
}

/// The desk: everything of which the table keeps something happened.
async fn desk() -> World {
    let world = World::start_at(THEN).await;
    for technician in TECHNICIANS {
        world.presence(technician, "away").await;
    }
    for mail in mails() {
        world.mail(&mail).await;
        world.settled().await;
    }
    let ticket = world.ticket_of_mail("first@example.org").await;
    reply(&world, &ticket).await;
    let own = world.ticket_of_mail("own@corp.example").await;
    let path = format!("/v1/customers/{}/link", ticket["customer_id"].as_str().unwrap());
    world.post(&path, &json!({"customer_id": own["customer_id"], "because": "she said so"})).await;
    world.settled().await;
    let (store, now) = (&world.app().store, world.now());
    let opted_out = Suppression::new(SuppressionKind::OptedOut, "they said so", now);
    store.suppress(&Identifier::email("waits@example.org").unwrap(), &opted_out).await.unwrap();
    let id = QuarantineId::new(now, "ingest-email", "record");
    let junk = Quarantined {
        id: id.to_string(),
        at: now,
        stage: "ingest-email".to_owned(),
        reason: "it is broken".to_owned(),
        raw_key: "quarantine/1".to_owned(),
        queue: Some("mail".to_owned()),
        group: Some("one".to_owned()),
        message: Some(LedgerKey::mail("broken@example.org")),
        retried_at: None,
    };
    store.quarantine(&id, &junk).await.unwrap();
    store.mark_retried(&id, &junk, now).await.unwrap();
    store.add_to_budget("support", 50, 50).await.unwrap();
    store.begin_last_try("upsert-ticket", "record", "one", now).await.unwrap();
    // A business says that Anna's name is somebody else's: she loses it, and it suggests who they are.
    world.told("crm/77", &json!({"identifiers": [{"kind": "email", "value": ANNA}]})).await;
    world
}

fn text<'a>(item: &'a Value, name: &str) -> &'a str {
    item[name]["S"].as_str().unwrap_or_default()
}

/// What an item is: the beginnings of its keys.
fn kind(item: &Value) -> (String, String) {
    let first = |name| text(item, name).split('#').next().unwrap_or_default().to_owned();
    let sort = first("sk");
    // Records in quarantine are in the order of their time.
    let sort = if sort.starts_with(|c: char| c.is_ascii_digit()) { "time".to_owned() } else { sort };
    (first("pk"), sort)
}

/// The attributes that items of each kind have.
fn attributes(items: &[Value]) -> BTreeMap<(String, String), BTreeSet<String>> {
    let mut all: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for item in items {
        all.entry(kind(item)).or_default().extend(item.as_object().unwrap().keys().cloned());
    }
    all
}

/// The kinds of items that `ACCESS_PATTERNS.md` lists.
fn entities() -> BTreeSet<(String, String)> {
    let patterns = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/store/ACCESS_PATTERNS.md");
    let text = std::fs::read_to_string(patterns).unwrap();
    let table = text.split("## Entities").nth(1).unwrap().split("Indexes hold").next().unwrap();
    let mut kinds = BTreeSet::new();
    for line in table.lines().filter(|line| line.contains('`')) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
        let names = |cell: &str| -> Vec<String> {
            let named = cell.split('`').skip(1).step_by(2);
            named.map(|name| name.split('#').next().unwrap().to_owned()).collect()
        };
        let (partitions, sorts) = (names(cells[1]), names(cells[2]));
        // `TEAM#id`; `AGENT#id` go with `TEAM`; `AGENT`, one with one.
        match partitions.as_slice() {
            [one] => kinds.extend(sorts.into_iter().map(|sort| (one.clone(), sort))),
            _ => kinds.extend(partitions.into_iter().zip(sorts)),
        }
    }
    kinds
}

#[tokio::test]
#[ignore = "writes the latest file anew: only before a version is given to anybody, or for a new file"]
async fn write() {
    let world = desk().await;
    let (latest, before) = TABLES.split_last().unwrap();
    let known = attributes(&before.iter().flat_map(|name| table(name)).collect::<Vec<_>>());
    let is_new = |item: &Value| {
        let known = known.get(&kind(item));
        known.is_none_or(|known| item.as_object().unwrap().keys().any(|name| !known.contains(name)))
    };
    let items = world.system().aws.dump(TABLE).unwrap();
    let lines: Vec<String> = items.iter().filter(|item| is_new(item)).map(Value::to_string).collect();
    std::fs::write(file(latest), format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
    world.stop().await;
}

#[test]
fn every_kind_of_item_is_in_the_golden_table() {
    let golden: BTreeSet<_> = attributes(&golden()).into_keys().collect();
    let missing: Vec<_> = entities().into_iter().filter(|kind| !golden.contains(kind)).collect();
    assert!(missing.is_empty(), "ACCESS_PATTERNS.md lists items that the golden table has none of: {missing:?}");
}

/// What is written today is written as then: no kind and no attribute that the golden table does not have.
#[tokio::test]
async fn what_is_written_today_is_of_the_golden_tables_form() {
    let world = desk().await;
    let (then, now) = (attributes(&golden()), attributes(&world.system().aws.dump(TABLE).unwrap()));
    let nothing = BTreeSet::new();
    let new: BTreeMap<_, Vec<_>> = now
        .iter()
        .map(|(kind, names)| (kind, names.difference(then.get(kind).unwrap_or(&nothing)).collect()))
        .filter(|(_, new): &(_, Vec<_>)| !new.is_empty())
        .collect();
    assert!(new.is_empty(), "a further golden table has to hold these: {new:?}");
    world.stop().await;
}

#[tokio::test]
async fn a_table_of_an_older_version_is_read_and_goes_on() {
    let world = World::start_at(THEN).await;
    world.system().aws.load(TABLE, &golden()).unwrap();
    // Everything is understood: each list, and what is in it.
    let ticket = world.ticket_of_mail("first@example.org").await;
    let timeline = world.timeline(&ticket).await;
    assert_eq!((count(&timeline, "message_received"), count(&timeline, "message_delivered")), (2, 1), "{timeline:?}");
    let customer = world.get(&format!("/v1/customers/{}", ticket["customer_id"].as_str().unwrap())).await;
    assert_eq!(customer["linked"][0]["evidence"], "she said so", "{customer}");
    assert_eq!(world.tickets("").await.len(), 3);
    for list in ["teams", "agents", "quarantine"] {
        let found = world.lead.get(&format!("/v1/{list}")).await.unwrap().ok().unwrap();
        assert!(!found["items"].as_array().unwrap().is_empty(), "{list}");
    }
    let store = &world.app().store;
    let waits = Identifier::email("waits@example.org").unwrap();
    assert!(store.suppressions(&[waits]).await.unwrap()[0].is_some());
    let anna = Identifier::email(ANNA).unwrap();
    assert_eq!(
        store.customers_naming(&anna, None, 10).await.unwrap().len(),
        2,
        "who lost her name, and to whom it suggests her"
    );
    let at_work = Identifier::email(ANNA_AT_WORK).unwrap();
    assert_eq!(store.tickets_naming(&at_work, None, 10).await.unwrap().len(), 1, "where she was addressed");
    // What was done then is done: the mails came before, the command was given.
    for mail in mails() {
        world.mail(&mail).await;
    }
    let again = reply(&world, &ticket).await;
    let replied = again["events"].as_array().unwrap();
    assert_eq!(event(replied, "reply_sent")["id"], event(&timeline, "reply_sent")["id"], "{again}");
    // And it goes on.
    world.mail(&Mail::from(ANNA).in_reply_to("first@example.org")).await;
    for technician in TECHNICIANS {
        world.presence(technician, "available").await;
    }
    let status = format!("/v1/tickets/{}/status", ticket["id"].as_str().unwrap());
    world.post(&status, &json!({"status": "resolved"})).await;
    let unlink = format!("/v1/customers/{}/unlink", ticket["customer_id"].as_str().unwrap());
    world.post(&unlink, &json!({"customer_id": customer["linked"][0]["customer_id"]})).await;
    world.settled().await;
    let timeline = world.timeline(&ticket).await;
    assert_eq!(
        (count(&timeline, "message_received"), count(&timeline, "reply_sent")),
        (3, 1),
        "{:?}",
        kinds(&timeline)
    );
    world.finish().await;
}
