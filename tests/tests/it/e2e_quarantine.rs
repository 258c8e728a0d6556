//! Quarantine: what cannot be processed is kept with its reason, harms nobody beside it, and can be sent through again.

use serde_json::{Value, json};
use throughline_channels::ses_notice::{Action, Mail as NoticedMail, Notice, Receipt};
use throughline_domain::inbound::Inbound;
use throughline_domain::work::Work;
use throughline_platform::batch::{Taken, put_in_quarantine};
use throughline_platform::queues::Queue;
use throughline_tests::{Accepted, Mail, World, problem};

async fn quarantine(world: &World) -> Vec<Value> {
    world.get("/v1/quarantine").await["items"].as_array().unwrap().clone()
}

fn notice(world: &World, object_key: &str) -> String {
    let notice = Notice {
        notification_type: "Received".to_owned(),
        mail: NoticedMail {
            timestamp: world.now(),
            source: Some("anna@example.org".to_owned()),
            message_id: "x".to_owned(),
        },
        receipt: Receipt {
            recipients: vec!["support@example.com".to_owned()],
            spf_verdict: None,
            dkim_verdict: None,
            dmarc_verdict: None,
            spam_verdict: None,
            virus_verdict: None,
            action: Action {
                kind: "S3".to_owned(),
                bucket_name: world.app().blobs.bucket().to_owned(),
                object_key: object_key.to_owned(),
            },
        },
        late: false,
        rebuilt: false,
    };
    serde_json::to_string(&notice).unwrap()
}

#[tokio::test]
async fn a_poisoned_record_harms_nobody_beside_it() {
    let world = World::start().await;
    let mails: Vec<Mail> = (0..6).map(|i| Mail::from(&format!("person-{i}@example.org"))).collect();
    let bodies = [notice(&world, "mail/gone"), "junk".to_owned(), "{}".to_owned(), "\u{1F4A9}".repeat(100)];
    for (i, mail) in mails.iter().enumerate() {
        world.mail(mail).await;
        if let Some(body) = bodies.get(i) {
            world.put_into_queue("mail", body, "", "").await;
        }
    }
    world.settled().await;
    for mail in &mails {
        world.ticket_of_mail(&mail.id).await;
    }
    let found = quarantine(&world).await;
    assert_eq!(found.len(), bodies.len(), "{found:#?}");
    assert!(found.iter().all(|item| item["stage"] == "ingest-email" && item["can_retry"] == true), "{found:#?}");
    assert!(found.iter().any(|item| item["reason"].as_str().unwrap().contains("mail/gone")), "{found:#?}");
    let junk = found.iter().find(|item| !item["reason"].as_str().unwrap().contains("mail/gone")).unwrap();
    let retry = |item: &Value| format!("/v1/quarantine/{}/retry", item["id"].as_str().unwrap());
    problem(&world.lead.post(&retry(junk), &Value::Null).await.unwrap(), 409);
    world.finish().await;
}

#[tokio::test]
async fn a_mail_that_could_not_be_read_is_sent_through_again() {
    let world = World::start().await;
    world.put_into_queue("mail", &notice(&world, "mail/late"), "", "").await;
    world.settled().await;
    let kept = quarantine(&world).await;
    // What was missing comes to be there.
    let mail = Mail::from("anna@example.org").subject("Found again");
    world.app().blobs.put("mail/late", mail.bytes()).await.unwrap();
    let retry = format!("/v1/quarantine/{}/retry", kept[0]["id"].as_str().unwrap());
    assert_eq!(world.lead.post(&retry, &Value::Null).await.unwrap().status, 202);
    world.settled().await;
    let timeline = world.timeline(&world.ticket_of_mail(&mail.id).await).await;
    assert_eq!(throughline_tests::event(&timeline, "message_received")["data"]["late"], true);
    problem(&world.lead.post(&retry, &Value::Null).await.unwrap(), 409);
    let content = "out of quarantine".to_owned();
    world.took(Accepted { channel: "email", inbox: "support".to_owned(), id: mail.id.clone(), content });
    world.finish().await;
}

#[tokio::test]
async fn mail_with_a_virus_waits_until_somebody_lets_it_through() {
    let world = World::start().await;
    let mail = Mail::from("anna@example.org").subject("Your invoice");
    world.app().blobs.put("mail/virus", mail.bytes()).await.unwrap();
    let mut found: Value = serde_json::from_str(&notice(&world, "mail/virus")).unwrap();
    found["receipt"]["virusVerdict"] = json!({"status": "FAIL"});
    world.put_into_queue("mail", &found.to_string(), "", "").await;
    world.settled().await;
    let kept = quarantine(&world).await;
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0]["reason"], "the receiving service found a virus in it");
    let retry = format!("/v1/quarantine/{}/retry", kept[0]["id"].as_str().unwrap());
    assert_eq!(world.lead.post(&retry, &Value::Null).await.unwrap().status, 202);
    world.settled().await;
    assert_eq!(world.ticket_of_mail(&mail.id).await["subject"], "Your invoice");
    let content = "let through".to_owned();
    world.took(Accepted { channel: "email", inbox: "support".to_owned(), id: mail.id.clone(), content });
    world.finish().await;
}

#[tokio::test]
async fn junk_in_every_queue_is_quarantined_and_the_work_goes_on() {
    let world = World::start().await;
    let route =
        json!({"type": "route.v1", "data": {"ticket_id": "tkt_0192f0c1a2b37c8d9e0f112233445566", "sequence": 1}});
    let queues = ["inbound.fifo", "identified.fifo", "routing.fifo", "outbound.fifo"];
    let bodies = ["junk".to_owned(), json!({"type": "send.v9", "data": {}}).to_string(), route.to_string()];
    for queue in queues {
        for (i, body) in bodies.iter().enumerate() {
            world.put_into_queue(queue, body, "group", &i.to_string()).await;
        }
    }
    // Work that was too long for its queue, and whose object is gone.
    let gone = json!({"type": "by_reference.v1", "data": {"key": "long-work/gone"}}).to_string();
    world.put_into_queue("inbound.fifo", &gone, "group", "gone").await;
    world.put_into_queue("identified.fifo", &gone, "group", "gone").await;
    let ticket = world.ticket_by_mail(&Mail::from("anna@example.org")).await;
    assert!(ticket["assignee"].is_string());
    let found = quarantine(&world).await;
    assert_eq!(found.len(), queues.len() * bodies.len() + 2, "{found:#?}");
    assert!(found.iter().all(|item| item["can_retry"] == true), "they came from our queues");
    world.finish().await;
}

#[tokio::test]
async fn dead_letters_end_in_quarantine_and_can_be_sent_through_again() {
    let world = World::start().await;
    let mail = Mail::from("anna@example.org").subject("Nearly lost");
    let inbound = inbound(&world, &mail);
    let body = serde_json::to_string(&Work::Inbound(Box::new(inbound))).unwrap();
    world.put_into_queue("inbound-dead.fifo", &body, "group", "1").await;
    world.put_into_queue("mail-dead", "junk", "", "").await;
    world.put_into_queue("routing-dead.fifo", "junk", "group", "1").await;
    world.settled().await;
    let found = quarantine(&world).await;
    assert_eq!(found.len(), 3, "{found:#?}");
    let entry = world.ledger("email", "support", &mail.id).await.json();
    assert_eq!(entry["state"], "quarantined");
    assert!(entry["reason"].as_str().unwrap().contains("dead letter"), "{entry}");

    let lost = found.iter().find(|item| item["stage"] == "resolve-identity").unwrap();
    let retry = format!("/v1/quarantine/{}/retry", lost["id"].as_str().unwrap());
    let retried = world.lead.post(&retry, &Value::Null).await.unwrap();
    assert_eq!(retried.status, 202, "{}", retried.json());
    problem(&world.lead.post(&retry, &Value::Null).await.unwrap(), 409);
    world.settled().await;
    let content = "from quarantine".to_owned();
    world.took(Accepted { channel: "email", inbox: "support".to_owned(), id: mail.id.clone(), content });
    let ticket = world.ticket_of_mail(&mail.id).await;
    let timeline = world.timeline(&ticket).await;
    assert_eq!(throughline_tests::event(&timeline, "message_received")["data"]["late"], true);

    let junk = found.iter().find(|item| item["stage"] == "route-ticket").unwrap();
    let retry = format!("/v1/quarantine/{}/retry", junk["id"].as_str().unwrap());
    problem(&world.lead.post(&retry, &Value::Null).await.unwrap(), 409);
    world.finish().await;
}

#[tokio::test]
async fn of_what_came_as_one_only_what_cannot_be_processed_is_quarantined() {
    let world = World::start().await;
    let mails = [1, 2].map(|number| Mail::from("anna@example.org").subject(&format!("Order {number}")));
    let [first, second] = mails.each_ref().map(|mail| Work::Inbound(Box::new(inbound(&world, mail))));
    let body = json!({"type": "several.v1", "data": [first, {"type": "inbound.v9", "data": {}}, second]}).to_string();
    world.put_into_queue("inbound.fifo", &body, "group", "1").await;
    world.settled().await;
    for mail in &mails {
        let content = mail.id.clone();
        world.took(Accepted { channel: "email", inbox: "support".to_owned(), id: mail.id.clone(), content });
        world.ticket_of_mail(&mail.id).await;
    }
    let found = quarantine(&world).await;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0]["reason"].as_str().unwrap().contains("inbound.v9"), "{found:#?}");

    // A dead letter is looked at in the same way: each of its pieces waits by itself.
    world.put_into_queue("inbound-dead.fifo", &body, "group", "2").await;
    world.settled().await;
    let found = quarantine(&world).await;
    assert_eq!(found.len(), 4, "{found:#?}");
    world.finish().await;
}

#[tokio::test]
async fn what_an_older_version_kept_whole_is_sent_through_piece_by_piece() {
    let world = World::start().await;
    let mails = [1, 2].map(|number| Mail::from("anna@example.org").subject(&format!("Order {number}")));
    let pieces = mails.each_ref().map(|mail| Work::Inbound(Box::new(inbound(&world, mail))));
    let raw = json!({"type": "several.v1", "data": pieces}).to_string().into_bytes();
    let taken = Taken {
        function: "resolve-identity",
        queue: Some(Queue::Inbound),
        group: "group",
        name: "1",
        at: world.now(),
        message: None,
        reason: "it is no work that is known here: unknown variant `several.v1`",
    };
    put_in_quarantine(world.app(), taken, raw).await.unwrap();
    let kept = quarantine(&world).await;
    let retry = format!("/v1/quarantine/{}/retry", kept[0]["id"].as_str().unwrap());
    assert_eq!(world.lead.post(&retry, &Value::Null).await.unwrap().status, 202);
    world.settled().await;
    for mail in &mails {
        let content = mail.id.clone();
        world.took(Accepted { channel: "email", inbox: "support".to_owned(), id: mail.id.clone(), content });
        world.ticket_of_mail(&mail.id).await;
    }
    world.finish().await;
}

#[tokio::test]
async fn paging_through_quarantine_shows_everything_exactly_once() {
    let world = World::start().await;
    for i in 0..11 {
        world.put_into_queue("mail", &format!("junk {i}"), "", "").await;
    }
    world.settled().await;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = world.get(&format!("/v1/quarantine?limit=4{cursor}")).await;
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 4);
        seen.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!((seen.len(), seen.iter().collect::<std::collections::BTreeSet<_>>().len()), (11, 11));
    assert!(seen.is_sorted_by(|a, b| a >= b), "newest first: {seen:?}");
    for cursor in [i64::MIN, i64::MAX, 0] {
        problem(&world.agent.get(&format!("/v1/quarantine?cursor={cursor}")).await.unwrap(), 422);
    }
    world.finish().await;
}

/// A mail as `ingest-email` makes it.
fn inbound(world: &World, mail: &Mail) -> Inbound {
    let raw = mail.bytes();
    let recipients: Vec<String> = mail.recipients().into_iter().map(str::to_owned).collect();
    let delivery = throughline_channels::email::Delivery {
        raw: &raw,
        object_key: "mail/by-hand",
        received_at: world.now(),
        envelope_from: Some(&mail.from),
        recipients: &recipients,
        authentication: None,
    };
    let inboxes = serde_json::from_value(json!({"inboxes": [
        {"id": "support", "channel": "email", "address": "support@example.com", "brand": "Example Support"},
    ]}));
    throughline_channels::email::read(&delivery, &inboxes.unwrap(), &world.seed.secrets.reply).unwrap()
}
