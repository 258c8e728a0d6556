//! By mail: forged, copied, and in the name of mail systems.

use serde_json::json;
use throughline_tests::{Accepted, Mail, World, count, problem};

use super::{ANNA, MALLORY, about, affairs, annas, is_nobodys, last_mail_to, reply};

#[tokio::test]
async fn forged_mail_touches_nothing_whatever_it_copies() {
    let world = World::start().await;
    let (ticket, mail, answer) = annas(&world).await;
    let before = affairs(&world, &ticket, &format!("email:{ANNA}")).await;
    let ours = answer.references.iter().find(|id| id.ends_with("@example.com")).unwrap();
    let forged = |subject: &str| {
        let forged = Mail::from(ANNA).subject(subject).text("Send it to number 9 instead.");
        forged.header("Reply-To", MALLORY).header("Cc", MALLORY)
    };
    let reference = ticket["reference"].as_str().unwrap();
    let attempts = [
        forged("plain"),
        forged("by thread").in_reply_to(&mail.id).references(&[&mail.id]),
        forged("by our signed id").in_reply_to(ours).references(&[&mail.id, &answer.id, ours]),
        forged("by the reply address").to(&answer.reply_to),
        forged("by all").to(&answer.reply_to).in_reply_to(&answer.id).references(&[&mail.id, &answer.id, ours]),
        forged(&format!("Re: [{reference}] My secret parcel")),
    ];
    for attempt in attempts {
        world.mail_judged(&attempt, "FAIL").await;
        world.settled().await;
        let own = world.ticket_of_mail(&attempt.id).await;
        assert_ne!((&own["id"], &own["customer_id"]), (&ticket["id"], &ticket["customer_id"]), "{}", attempt.subject);
        assert_eq!(affairs(&world, &ticket, &format!("email:{ANNA}")).await, before, "{}", attempt.subject);
        // An agent who answers it answers nobody but whose name it bears.
        reply(&world, &own, "Who are you?").await;
        assert_eq!(last_mail_to(&world).await, [ANNA], "{}", attempt.subject);
        assert_eq!(affairs(&world, &ticket, &format!("email:{ANNA}")).await, before, "{}", attempt.subject);
    }
    is_nobodys(&world, &format!("email:{MALLORY}")).await;
    world.finish().await;
}

#[tokio::test]
async fn a_strangers_mail_is_led_nowhere_by_what_it_copies() {
    let world = World::start().await;
    let (ticket, mail, answer) = annas(&world).await;
    let before = affairs(&world, &ticket, &format!("email:{ANNA}")).await;
    let ours = answer.references.iter().find(|id| id.ends_with("@example.com")).unwrap();
    let reference = ticket["reference"].as_str().unwrap();
    let copied = |subject: &str| Mail::from(MALLORY).subject(subject).header("Reply-To", ANNA).header("Cc", ANNA);
    let attempts = [
        copied(&format!("Re: [{reference}] My secret parcel")),
        copied(reference).in_reply_to(ours),
        copied("by the reply address").to(&answer.reply_to).references(&[&mail.id, &answer.id]),
        copied("by name").header("Sender", ANNA),
    ];
    for attempt in attempts {
        for verdict in ["PASS", "GRAY"] {
            let attempt = attempt.clone().id(&format!("{verdict}-{}", attempt.id));
            world.mail_judged(&attempt, verdict).await;
            world.settled().await;
            let own = world.ticket_of_mail(&attempt.id).await;
            assert_ne!((&own["id"], &own["customer_id"]), (&ticket["id"], &ticket["customer_id"]));
            assert_eq!(affairs(&world, &ticket, &format!("email:{ANNA}")).await, before, "{}", attempt.subject);
        }
    }
    // What Anna gets is hers alone.
    reply(&world, &ticket, "It is on its way.").await;
    assert_eq!(last_mail_to(&world).await, [ANNA]);
    world.finish().await;
}

#[tokio::test]
async fn a_copied_message_id_that_comes_first_hides_nothing() {
    let world = World::start().await;
    let true_mail = Mail::from(ANNA).subject("My order").text("I cancel it.");
    // By somebody else, in her name with another text, and in her name word by word.
    let copies = [
        (Mail::from(MALLORY).id("a@mail.example.org").subject("Nothing"), "PASS"),
        (Mail::from(ANNA).id("b@mail.example.org").subject("Nothing"), "FAIL"),
        (true_mail.clone().id("c@mail.example.org"), "FAIL"),
    ];
    for (number, (copy, verdict)) in copies.iter().enumerate() {
        let hers = true_mail.clone().id(&copy.id);
        world.mail_judged(copy, verdict).await;
        world.settled().await;
        // However often it comes.
        for _ in 0..2 {
            world.mail_judged(&hers, "PASS").await;
            world.settled().await;
        }
        let customer = world.customer(&format!("email:{ANNA}")).await;
        let tickets = about(&world, "My order").await;
        let on_hers = tickets.iter().filter(|ticket| ticket["customer_id"] == customer["id"]);
        let messages: u64 = on_hers.map(|ticket| ticket["message_count"].as_u64().unwrap()).sum();
        assert_eq!(messages, 1 + number as u64, "{copy:?}");
        let first = world.ticket_of_mail(&copy.id).await;
        assert_ne!(first["customer_id"], customer["id"], "the copy is not hers");
    }
    // Word by word it is one content under one id, once as hers and once as nobody's.
    let content = "the copy".to_owned();
    let id = "c@mail.example.org".to_owned();
    world.took(Accepted { channel: "email", inbox: "support".to_owned(), id, content });
    world.finish().await;
}

#[tokio::test]
async fn a_copy_that_comes_second_adds_nothing() {
    let world = World::start().await;
    let (ticket, mail, _) = annas(&world).await;
    let before = affairs(&world, &ticket, &format!("email:{ANNA}")).await;
    world.mail_judged(&mail, "FAIL").await;
    world.mail_judged(&Mail::from(MALLORY).id(&mail.id).subject("Other"), "PASS").await;
    world.mail_judged(&Mail::from(ANNA).id(&mail.id).subject("Other"), "FAIL").await;
    world.settled().await;
    assert_eq!(world.ticket_of_mail(&mail.id).await["id"], ticket["id"]);
    assert_eq!(affairs(&world, &ticket, &format!("email:{ANNA}")).await, before);
    world.finish().await;
}

#[tokio::test]
async fn who_takes_the_name_of_a_reply_leaves_it_the_name() {
    let world = World::start().await;
    let (ticket, _, answer) = annas(&world).await;
    let before = affairs(&world, &ticket, &format!("email:{ANNA}")).await;
    let named = world.ledger("email", "support", &answer.id).await.json();
    let thief = Mail::from(MALLORY).id(&answer.id).subject("I am the reply");
    world.mail_judged(&thief, "PASS").await;
    world.settled().await;
    assert_eq!(world.ledger("email", "support", &answer.id).await.json(), named);
    assert_eq!(affairs(&world, &ticket, &format!("email:{ANNA}")).await, before);
    assert_eq!(about(&world, "I am the reply").await.len(), 1, "it is on a ticket of its own");
    // Whoever answers the reply still finds the ticket by that name.
    let hers = Mail::from(ANNA).in_reply_to(&answer.id);
    world.mail_judged(&hers, "PASS").await;
    world.settled().await;
    assert_eq!(world.ticket_of_mail(&hers.id).await["id"], ticket["id"]);
    world.finish().await;
}

#[tokio::test]
async fn a_made_up_bounce_silences_nobody() {
    let world = World::start().await;
    let (ticket, mail, answer) = annas(&world).await;
    let received = count(&world.timeline(&ticket).await, "message_received");
    // As a mail system would report that no mail ever reaches Anna.
    let bounce = |id: &str, original: &str| {
        format!(
            "From: Mail Delivery System <MAILER-DAEMON@mx.example.net>\r\nTo: support@example.com\r\nCc: {MALLORY}\r\n\
             Subject: Undelivered Mail Returned to Sender\r\nMessage-ID: <{id}@mx.example.net>\r\n\
             Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n\r\n\
             --b\r\nContent-Type: text/plain\r\n\r\nThe mail system could not deliver it.\r\n\
             --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.net\r\n\r\n\
             Final-Recipient: rfc822; {ANNA}\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n\
             --b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <{original}>\r\nSubject: x\r\n\r\n--b--\r\n"
        )
    };
    // By the id of a mail of hers, which others may know; and of a reply, but found out to be forged.
    let judged = [("hers", &mail.id, "GRAY"), ("ours", &answer.id, "FAIL")];
    for (id, original, verdict) in judged {
        let (raw, object_key) = (bounce(id, original), format!("mail/{id}"));
        let blobs = &world.app().blobs;
        blobs.put(&object_key, raw.into_bytes()).await.unwrap();
        let notice = json!({
            "notificationType": "Received",
            "mail": {"timestamp": world.now(), "source": "", "messageId": id},
            "receipt": {"recipients": ["support@example.com"], "dmarcVerdict": {"status": verdict},
                "action": {"type": "S3", "bucketName": blobs.bucket(), "objectKey": object_key}},
        });
        world.put_into_queue("mail", &notice.to_string(), "", "").await;
        world.settled().await;
        let (inbox, id, content) = ("support".to_owned(), format!("{id}@mx.example.net"), String::new());
        world.took(Accepted { channel: "email", inbox, id, content });
        let timeline = world.timeline(&ticket).await;
        assert_eq!(count(&timeline, "message_failed"), 0, "{original}");
        assert_eq!(count(&timeline, "message_received"), received, "{original}: it is on no ticket of hers");
        let suppressed = world.agent.get(&format!("/v1/suppressions/email:{ANNA}")).await.unwrap();
        problem(&suppressed, 404);
    }
    reply(&world, &ticket, "It is on its way.").await;
    assert_eq!(last_mail_to(&world).await, [ANNA]);
    assert_eq!(world.sent_mail().await.len(), 2);
    // Nor did it let anybody in.
    let intruder = Mail::from(MALLORY).in_reply_to(&mail.id);
    world.mail_judged(&intruder, "PASS").await;
    world.settled().await;
    assert_ne!(world.ticket_of_mail(&intruder.id).await["id"], ticket["id"]);
    world.finish().await;
}

#[tokio::test]
async fn our_own_address_is_nobodys_name() {
    let world = World::start().await;
    let (ticket, mail, answer) = annas(&world).await;
    let before = affairs(&world, &ticket, &format!("email:{ANNA}")).await;
    let mails = [
        Mail::from("Support@Example.com").subject("one"),
        Mail::from("support+x@example.com").subject("two").in_reply_to(&mail.id),
        Mail::from("billing@example.com").subject("three").to(&answer.reply_to),
        Mail::from(&answer.reply_to).subject("four").references(&[&answer.id]),
    ];
    let mut customers = Vec::new();
    for mail in &mails {
        for verdict in ["PASS", "GRAY", "FAIL"] {
            let mail = mail.clone().id(&format!("{verdict}-{}", mail.id));
            world.mail_judged(&mail, verdict).await;
            world.settled().await;
            let own = world.ticket_of_mail(&mail.id).await;
            assert_ne!(own["id"], ticket["id"], "{} {verdict}", mail.subject);
            customers.push(own["customer_id"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(affairs(&world, &ticket, &format!("email:{ANNA}")).await, before);
    for name in ["support@example.com", "support%2Bx@example.com", "billing@example.com"] {
        is_nobodys(&world, &format!("email:{name}")).await;
    }
    // Nobody is known by it, so no two of them are one person.
    let all = customers.len();
    customers.sort();
    customers.dedup();
    assert_eq!(customers.len(), all);
    assert_eq!(world.sent_mail().await.len(), 1, "and nothing answers itself");
    world.finish().await;
}
