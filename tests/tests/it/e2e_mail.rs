//! Mail: from the SMTP port to a routed ticket, and which ticket.

use serde_json::{Value, json};
use throughline_tests::{Accepted, Mail, World, event, kinds};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The ids of a ticket's related tickets.
fn related(ticket: &Value) -> Vec<&str> {
    let related = ticket["related"].as_array().map(Vec::as_slice).unwrap_or_default();
    related.iter().filter_map(|related| related["ticket_id"].as_str()).collect()
}

/// The warnings on the messages of a timeline.
fn warnings(timeline: &[Value]) -> Vec<&str> {
    let messages = timeline.iter().filter_map(|event| event["data"]["message"]["warnings"].as_array());
    messages.flatten().filter_map(Value::as_str).collect()
}

#[tokio::test]
async fn a_mail_becomes_a_routed_ticket_with_running_clocks() {
    let world = World::start().await;
    let mail = Mail::from("anna@example.org").subject("Where is my parcel?").text("It should have come on Monday.");
    let ticket = world.ticket_by_mail(&mail).await;
    assert_eq!(ticket["subject"], "Where is my parcel?");
    assert_eq!((&ticket["channel"], &ticket["inbox"]), (&"email".into(), &"support".into()));
    assert_eq!((&ticket["status"], &ticket["team"]), (&"open".into(), &"support".into()));
    assert!(ticket["assignee"].is_string() && ticket["reference"].as_str().is_some_and(|r| r.starts_with("TL-")));
    let clocks = ticket["sla"]["clocks"].as_array().unwrap();
    for clock in clocks.iter().filter(|clock| clock["target"] != "next_response") {
        assert!(clock["due_at"].is_string() && clock["remaining_business_ms"].is_i64(), "{clock}");
    }
    assert_eq!(world.ticket(ticket["reference"].as_str().unwrap()).await["id"], ticket["id"]);

    let customer = world.customer("email:anna@example.org").await;
    assert_eq!(customer["id"], ticket["customer_id"]);
    assert_eq!(customer["open_tickets"][0], ticket["id"]);

    let timeline = world.timeline(&ticket).await;
    assert_eq!(
        kinds(&timeline),
        ["ticket_created", "message_received", "sla_applied", "team_changed", "assigned", "status_changed"]
    );
    for (kind, rule) in [
        ("ticket_created", "create"),
        ("message_received", "new_customer"),
        ("sla_applied", "most_specific_policy"),
        ("team_changed", "inbox_team"),
        ("assigned", "least_loaded"),
    ] {
        let decision = &event(&timeline, kind)["decision"];
        assert_eq!(decision["rule"], rule, "{kind}");
        assert!(decision["because"].as_str().is_some_and(|because| !because.is_empty()), "{kind}: {decision}");
    }
    world.finish().await;
}

#[tokio::test]
async fn the_same_mail_twice_is_one_message() {
    let world = World::start().await;
    let mail = Mail::from("anna@example.org");
    world.mail(&mail).await;
    let ticket = world.ticket_by_mail(&mail).await;
    assert_eq!(ticket["message_count"], 1);
    assert_eq!(world.tickets("").await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_copied_id_with_other_content_is_recorded_beside_it_with_a_warning() {
    let world = World::start().await;
    let mail = Mail::from("anna@example.org").subject("Mine");
    let mine = world.ticket_by_mail(&mail).await;
    world.mail(&Mail::from("mallory@example.net").id(&mail.id).subject("Other")).await;
    world.settled().await;
    assert_eq!(world.ticket_of_mail(&mail.id).await["id"], mine["id"], "the first keeps its id");
    let other = world.tickets("").await.into_iter().find(|ticket| ticket["subject"] == "Other").unwrap();
    assert_ne!(other["customer_id"], mine["customer_id"]);
    let timeline = world.timeline(&other).await;
    assert!(warnings(&timeline).iter().any(|warning| warning.contains("same id")), "{:?}", warnings(&timeline));
    world.finish().await;
}

#[tokio::test]
async fn what_a_list_sends_on_lands_beside_the_same_mail_that_came_by_itself() {
    let world = World::start().await;
    let direct = Mail::from("anna@example.org").subject("Parcel").text("Where is it?");
    let ticket = world.ticket_by_mail(&direct).await;
    let by_list = direct.clone().subject("[shop] Parcel").text("Where is it?\r\n\r\n-- \r\nThe list of the shop");
    world.mail(&by_list.header("List-Id", "<shop.lists.example.org>").header("Precedence", "list")).await;
    world.settled().await;
    let [only] = world.tickets("").await.try_into().unwrap();
    assert_eq!((&only["id"], &only["message_count"]), (&ticket["id"], &json!(2)));
    world.finish().await;
}

#[tokio::test]
async fn an_answer_by_in_reply_to_lands_on_the_ticket() {
    let world = World::start().await;
    let first = Mail::from("anna@example.org").subject("Parcel");
    let ticket = world.ticket_by_mail(&first).await;
    let answer = Mail::from("anna@example.org").subject("Something else").in_reply_to(&first.id);
    let again = world.ticket_by_mail(&answer).await;
    assert_eq!(again["id"], ticket["id"]);
    assert_eq!(again["message_count"], 2);
    let timeline = world.timeline(&again).await;
    assert_eq!(timeline.last().unwrap()["decision"]["rule"], "known_thread");
    world.finish().await;
}

#[tokio::test]
async fn a_colleague_in_copy_joins_by_foreign_ids_alone() {
    let world = World::start().await;
    let foreign = ["internal-1@corp.example", "internal-2@corp.example"];
    let first = Mail::from("anna@corp.example").header("Cc", "ben@corp.example").references(&foreign);
    let ticket = world.ticket_by_mail(&first).await;
    // He answers a mail between the two of them, which never came here.
    let his = Mail::from("ben@corp.example").references(&[foreign[0]]).in_reply_to("internal-3@corp.example");
    let again = world.ticket_by_mail(&his).await;
    assert_eq!(again["id"], ticket["id"]);
    let participants = again["participants"].as_array().unwrap();
    let ben = participants.iter().find(|one| one["identifier"].to_string().contains("ben@corp.example")).unwrap();
    assert_eq!(ben["customer_id"], world.customer("email:ben@corp.example").await["id"]);
    assert_ne!(ben["customer_id"], ticket["customer_id"]);
    world.finish().await;
}

#[tokio::test]
async fn a_stranger_with_a_copied_reference_gets_a_ticket_of_their_own() {
    let world = World::start().await;
    let first = Mail::from("anna@example.org");
    let ticket = world.ticket_by_mail(&first).await;
    let copied = Mail::from("mallory@example.net").in_reply_to(&first.id);
    let own = world.ticket_by_mail(&copied).await;
    assert_ne!(own["id"], ticket["id"]);
    assert_eq!(related(&own), [ticket["id"].as_str().unwrap()]);
    let timeline = world.timeline(&own).await;
    assert_eq!(event(&timeline, "ticket_created")["decision"]["rule"], "stranger_with_reference");
    assert!(warnings(&timeline).iter().any(|warning| warning.contains("nothing to do with")));
    assert_eq!(world.ticket_of_mail(&first.id).await["message_count"], 1);
    world.finish().await;
}

#[tokio::test]
async fn an_automatic_reply_is_recorded_and_nobody_works_on_it() {
    let world = World::start().await;
    let mail = Mail::from("anna@example.org").subject("Out of office").header("Auto-Submitted", "auto-replied");
    let ticket = world.ticket_by_mail(&mail).await;
    assert_eq!(ticket["status"], "resolved");
    assert!(ticket["sla"].is_null() && ticket["assignee"].is_null() && ticket["team"].is_null(), "{ticket}");
    let timeline = world.timeline(&ticket).await;
    assert_eq!(event(&timeline, "message_received")["data"]["message"]["automatic"]["kind"], "auto_reply");
    assert!(world.sent_mail().await.is_empty());
    world.finish().await;
}

#[tokio::test]
async fn an_automatic_reply_reopens_nothing() {
    let world = World::start().await;
    let first = Mail::from("anna@example.org");
    let ticket = world.ticket_by_mail(&first).await;
    let path = format!("/v1/tickets/{}/status", ticket["id"].as_str().unwrap());
    world.post(&path, &serde_json::json!({"status": "resolved"})).await;
    let auto = Mail::from("anna@example.org").in_reply_to(&first.id).header("Auto-Submitted", "auto-replied");
    let after = world.ticket_by_mail(&auto).await;
    assert_eq!(after["id"], ticket["id"]);
    assert_eq!((&after["status"], &after["message_count"]), (&"resolved".into(), &2.into()));
    world.finish().await;
}

#[tokio::test]
async fn one_mail_to_two_inboxes_is_one_message() {
    let world = World::start().await;
    let both = ["support@example.com", "billing@example.com"];
    let mail = Mail::from("anna@example.org").header("Cc", "billing@example.com").envelope_to(&both);
    world.mail(&mail).await;
    // Once more as some servers do it: a delivery for each.
    world.mail(&mail.clone().envelope_to(&both[1..])).await;
    let ticket = world.ticket_by_mail(&mail.clone().envelope_to(&both[..1])).await;
    assert_eq!(ticket["message_count"], 1);
    assert_eq!(world.tickets("").await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn first_mails_of_one_sender_at_once_make_related_tickets_of_one_customer() {
    let world = World::start().await;
    let mails: Vec<Mail> =
        (0..4).map(|i| Mail::from("anna@example.org").subject(&format!("Matter number {i}"))).collect();
    futures::future::join_all(mails.iter().map(|mail| world.mail(mail))).await;
    world.settled().await;
    let tickets = world.tickets("").await;
    let customer = world.customer("email:anna@example.org").await;
    assert!(tickets.iter().all(|ticket| ticket["customer_id"] == customer["id"]), "one customer");
    // Every ticket after the first names the ones before it.
    let links: usize = tickets.iter().map(|ticket| related(ticket).len()).sum();
    let n = tickets.len();
    assert_eq!(links, n * (n - 1) / 2, "{tickets:?}");
    world.finish().await;
}

#[tokio::test]
async fn unknown_recipients_are_refused_and_nothing_is_kept() {
    let world = World::start().await;
    let mail = Mail::from("anna@example.org").to("nobody@example.com");
    let refused =
        throughline_smtp::send(world.system().smtp, Some(&mail.from), &mail.recipients(), &mail.bytes()).await;
    assert!(matches!(refused, Err(throughline_smtp::SendError::NoRecipient(_))), "{refused:?}");
    world.settled().await;
    assert!(world.tickets("").await.is_empty());
    world.finish().await;
}

#[tokio::test]
async fn too_large_a_mail_is_refused_before_it_is_sent() {
    let world = World::start().await;
    let mut stream = TcpStream::connect(world.system().smtp).await.unwrap();
    stream.write_all(b"EHLO mx.example.org\r\nMAIL FROM:<anna@example.org> SIZE=41943041\r\nQUIT\r\n").await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    assert!(said.contains("\r\n250-SIZE 41943040\r\n") && said.contains("\r\n552 5.3.4 "), "{said}");
    world.finish().await;
}

#[tokio::test]
async fn a_mention_never_swallows_the_message_itself() {
    let world = World::start().await;
    let late = Mail::from("ben@corp.example").subject("The first of us");
    let early = Mail::from("anna@corp.example").header("Cc", "ben@corp.example").in_reply_to(&late.id);
    let ticket = world.ticket_by_mail(&early).await;
    let entry = world.ledger("email", "support", &late.id).await.json();
    assert_eq!((&entry["state"], &entry["ticket_id"]), (&"seen".into(), &ticket["id"]));
    // Ben is somebody else: whoever mentions a mail beforehand does not get hold of it.
    assert_ne!(world.ticket_by_mail(&late).await["id"], ticket["id"]);
    world.finish().await;
}

#[tokio::test]
async fn an_answer_that_comes_before_its_mail_is_on_one_ticket_with_it() {
    let world = World::start().await;
    let mail = || Mail::from("anna@example.org");
    let first = mail().subject("The parcel");
    let second = mail().subject("Re: The parcel").in_reply_to(&first.id);
    let third = mail().subject("Re: The parcel").in_reply_to(&second.id).references(&[&first.id, &second.id]);
    let ticket = world.ticket_by_mail(&third).await;
    for earlier in [&first, &second] {
        assert_eq!(world.ticket_by_mail(earlier).await["id"], ticket["id"]);
    }
    let timeline = world.timeline(&ticket).await;
    let rules = timeline.iter().filter(|event| event["kind"] == "message_received");
    let rules: Vec<_> = rules.map(|event| event["decision"]["rule"].as_str().unwrap_or_default()).collect();
    assert_eq!(rules[1..], ["known_thread", "known_thread"]);
    world.finish().await;
}

#[tokio::test]
async fn a_mail_of_megabytes_goes_through_whole() {
    let world = World::start().await;
    let line = "A long line of a long story, told again and again.\r\n";
    let mail = Mail::from("anna@example.org").text(&line.repeat(60_000));
    let ticket = world.ticket_by_mail(&mail).await;
    let timeline = world.timeline(&ticket).await;
    let message = &event(&timeline, "message_received")["data"]["message"];
    assert!(message["text"].as_str().unwrap().len() > 1_000_000);
    assert!(message["raw_url"].is_string());
    world.finish().await;
}

#[tokio::test]
async fn what_a_forged_mail_refers_to_is_not_led_to_its_ticket() {
    let world = World::start().await;
    // Somebody writes in Anna's name and knows the id of a mail that she is going to answer.
    let forged = Mail::from("anna@example.org").subject("Pay here").in_reply_to("known@mail.example.net");
    world.app().blobs.put("mail/forged", forged.bytes()).await.unwrap();
    let notice = json!({
        "notificationType": "Received",
        "mail": {"timestamp": world.now(), "source": "anna@example.org", "messageId": "x"},
        "receipt": {
            "recipients": ["support@example.com"],
            "dmarcVerdict": {"status": "FAIL"},
            "action": {"type": "S3", "bucketName": world.app().blobs.bucket(), "objectKey": "mail/forged"},
        },
    });
    world.put_into_queue("mail", &notice.to_string(), "", "").await;
    world.settled().await;
    let theirs = world.ticket_of_mail(&forged.id).await;
    let answer = Mail::from("anna@example.org").subject("Another matter").in_reply_to("known@mail.example.net");
    let hers = world.ticket_by_mail(&answer).await;
    assert_ne!(hers["id"], theirs["id"]);
    let content = format!("{}\n{}\n{}", forged.from, forged.subject, forged.text);
    world.took(Accepted { channel: "email", inbox: "support".to_owned(), id: forged.id.clone(), content });
    world.finish().await;
}
