//! The whole corpus of mails through the SMTP port: whatever was answered 250 is somewhere, once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;
use throughline_tests::{Mail, World, count};

/// Every mail of the corpus, in a fixed order.
fn corpus() -> Vec<PathBuf> {
    let (mut folders, mut mails) = (vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/mail")], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "eml") {
                mails.push(path);
            }
        }
    }
    mails.sort();
    mails
}

#[tokio::test]
async fn every_mail_of_the_corpus_is_found_again() {
    let world = World::start().await;
    let corpus = corpus();
    assert!(corpus.len() >= 120, "{} mails", corpus.len());
    let mut client = world.smtp().await;
    for path in &corpus {
        let raw = std::fs::read(path).unwrap();
        let sent = client.send(Some("sender@example.org"), &["support@example.com"], &raw).await.unwrap();
        assert!(sent.refused.is_empty(), "{}: {:?}", path.display(), sent.refused);
    }
    client.quit().await.unwrap();
    world.settled().await;

    let mut raw_mails = BTreeSet::new();
    let mut recorded = 0;
    for ticket in world.tickets("").await {
        let timeline = world.timeline(&ticket).await;
        recorded += count(&timeline, "message_received");
        let urls = timeline.iter().filter_map(|event| event["data"]["message"]["raw_url"].as_str());
        raw_mails.extend(urls.map(str::to_owned));
    }
    let quarantined = world.lead.get("/v1/quarantine").await.unwrap().ok().unwrap();
    let quarantined = quarantined["items"].as_array().map_or(0, Vec::len);
    assert_eq!(raw_mails.len(), recorded, "no mail is recorded twice");
    assert_eq!(recorded + quarantined, corpus.len(), "every mail that was accepted is recorded or in quarantine");

    // What a provider repeats changes nothing, and the ledger says so.
    let path = &corpus[0];
    throughline_smtp::send(world.system().smtp, None, &["support@example.com"], &std::fs::read(path).unwrap())
        .await
        .unwrap();
    world.settled().await;
    let mut again = 0;
    for ticket in world.tickets("").await {
        again += count(&world.timeline(&ticket).await, "message_received");
    }
    assert_eq!(again, recorded, "the second delivery is a duplicate");
    world.stop().await;
}

#[tokio::test]
async fn a_bounce_finds_the_reply_that_came_back() {
    let world = World::start().await;
    let first = Mail::from("anna@example.org").subject("Parcel");
    let ticket = world.ticket_by_mail(&first).await;
    let path = format!("/v1/tickets/{}/replies", ticket["id"].as_str().unwrap());
    world.post(&path, &serde_json::json!({"text": "It is on its way.", "then_status": "pending"})).await;
    world.settled().await;
    let sent = world.sent_mail().await.pop().unwrap();
    let bounce = |action: &str, status: &str, number: u32| {
        format!(
            "From: Mail Delivery System <MAILER-DAEMON@mx.example.org>\r\nTo: support@example.com\r\n\
             Subject: Undelivered Mail Returned to Sender\r\nMessage-ID: <bounce-{number}@mx.example.org>\r\n\
             Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n\r\n\
             --b\r\nContent-Type: text/plain\r\n\r\nThe mail system could not deliver it.\r\n\
             --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.org\r\n\r\n\
             Final-Recipient: rfc822; anna@example.org\r\nAction: {action}\r\nStatus: {status}\r\n\
             Diagnostic-Code: smtp; 550 5.1.1 User unknown\r\n\r\n\
             --b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <{}>\r\nSubject: {}\r\n\r\n--b--\r\n",
            sent.id, sent.subject
        )
    };
    let deliver = async |mail: String| {
        throughline_smtp::send(world.system().smtp, None, &["support@example.com"], mail.as_bytes()).await.unwrap();
        world.settled().await;
        world.timeline(&ticket).await
    };
    let failures = |timeline: &[Value]| count(timeline, "message_failed");
    let timeline = deliver(bounce("delayed", "4.4.1", 1)).await;
    assert_eq!((count(&timeline, "message_received"), failures(&timeline)), (2, 0), "a delay is no failure");
    let suppression = "/v1/suppressions/email:anna@example.org";
    assert_eq!(world.agent.get(suppression).await.unwrap().status, 404);
    let timeline = deliver(bounce("failed", "5.1.1", 2)).await;
    assert_eq!((count(&timeline, "message_received"), failures(&timeline)), (3, 1));
    assert_eq!(world.get(suppression).await["kind"], "unreachable");
    let failed = throughline_tests::event(&timeline, "message_failed");
    assert_eq!(failed["data"]["event_id"], throughline_tests::event(&timeline, "reply_sent")["id"]);
    assert_eq!(failed["data"]["reason"], "anna@example.org: 550 5.1.1 User unknown");
    assert_eq!(failed["decision"]["rule"], "delivery_report");
    assert_eq!(
        world.ticket(ticket["id"].as_str().unwrap()).await["status"],
        "pending",
        "a report changes nothing else"
    );
    assert_eq!(world.sent_mail().await.len(), 1, "and nobody answers it");
    world.stop().await;
}

/// Five mails, written by three programs and two people: as they quote, and as they name what they answer.
#[tokio::test]
async fn a_thread_through_three_mail_programs_and_a_colleague_stays_one_ticket() {
    // The time stands still: what is left of a clock is compared.
    let world = World::start_at("2026-11-20T10:00:00Z").await;
    let first = Mail::from("anna@corp.example").header("Cc", "ben@corp.example").subject("Parcel 4711");
    let first = first.references(&["plan-1@corp.example"]).header("X-Mailer", "Apple Mail (2.3774)");
    let ticket = world.ticket_by_mail(&first).await;
    let path = format!("/v1/tickets/{}/replies", ticket["id"].as_str().unwrap());
    world.post(&path, &serde_json::json!({"text": "We look for it.", "then_status": "pending"})).await;
    world.settled().await;
    let ours = world.sent_mail().await.pop().unwrap();

    // Gmail: her words above, the whole of ours below an attribution line; our ids in both headers.
    let gmail = Mail::from("anna@corp.example").to(&ours.reply_to).subject("Re: Parcel 4711").in_reply_to(&ours.id);
    let gmail = gmail.references(&[&first.id, &ours.id]).text(
        "It was the blue one.\n\nOn Fri, Nov 20, 2026 at 10:02 AM Support <support@example.com>\nwrote:\n\n> We look for it.\n",
    );
    // Outlook: no References, an In-Reply-To of its own making, the block of headers.
    let outlook = Mail::from("anna@corp.example").to(&ours.reply_to).subject("AW: Parcel 4711");
    let outlook = outlook.header("Thread-Index", "AQHaG1").text(
        "Any news?\n\n________________________________\nVon: Support <support@example.com>\nGesendet: Freitag, 20. \
         November 2026 10:02\nAn: Anna\nBetreff: Parcel 4711\n\nWe look for it.\n",
    );
    // The colleague answers a mail between the two that never came here, and knows nothing of ours.
    let colleague = Mail::from("ben@corp.example").subject("Fwd: parcel").references(&["plan-1@corp.example"]);
    let colleague = colleague.in_reply_to("plan-2@corp.example").text("I have it, sorry.");
    // Apple Mail: her words between the lines of ours.
    let apple = Mail::from("anna@corp.example").subject("Re: Parcel 4711").in_reply_to(&first.id).text(
        "> On 20. Nov 2026, at 10:02, Support <support@example.com> wrote:\n>\n> We look for it.\n\nFound, thank you!\n",
    );
    for (mail, new) in [
        (&gmail, "It was the blue one."),
        (&outlook, "Any news?"),
        (&colleague, "I have it, sorry."),
        (&apple, "Found, thank you!"),
    ] {
        let again = world.ticket_by_mail(mail).await;
        assert_eq!(again["id"], ticket["id"], "{}", mail.text);
        let timeline = world.timeline(&ticket).await;
        let message = &timeline.iter().rfind(|event| event["kind"] == "message_received").unwrap()["data"]["message"];
        let newly = message["reply_text"].as_str().or(message["text"].as_str()).unwrap();
        assert!(newly.contains(new), "{newly}");
        assert!(!newly.contains("Gesendet") && !newly.contains("AM Support"), "{newly}");
    }
    assert_eq!(world.tickets("").await.len(), 1);

    // A stranger who copied a reference has a ticket of their own, with a warning; a machine's answer changes nothing.
    let stranger = Mail::from("mallory@example.net").references(&[&ours.id]).subject("Re: Parcel 4711");
    let other = world.ticket_by_mail(&stranger).await;
    assert_ne!(other["id"], ticket["id"]);
    let warned = world.timeline(&other).await;
    assert!(warned.iter().any(|event| event["data"]["message"]["warnings"].to_string().contains("nothing to do with")));
    let before = world.ticket(ticket["id"].as_str().unwrap()).await;
    let vacation = Mail::from("anna@corp.example").to(&ours.reply_to).subject("Automatic reply: Parcel 4711");
    world.mail(&vacation.header("Auto-Submitted", "auto-replied").in_reply_to(&ours.id)).await;
    world.settled().await;
    let after = world.ticket(ticket["id"].as_str().unwrap()).await;
    assert_eq!((&after["status"], &after["sla"]["clocks"]), (&before["status"], &before["sla"]["clocks"]));
    assert_eq!(world.sent_mail().await.len(), 1, "and nobody answers it");
    world.finish().await;
}
