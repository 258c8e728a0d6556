//! Who opens a ticket by mail is told that it came: once, in nobody's name, and no machine is.

use throughline_domain::channel::Channel;
use throughline_domain::orchestration::ACKNOWLEDGED_BESIDE_MAX;
use throughline_tests::{Mail, World, count, event};

/// A world whose mail inbox `support` acknowledges.
async fn acknowledging() -> World {
    World::start_with(|options| {
        let inboxes = &mut options.seed.inboxes.inboxes;
        let support =
            inboxes.iter_mut().find(|inbox| inbox.channel == Channel::Email && inbox.id.to_string() == "support");
        support.unwrap().acknowledgement = Some("We have your mail. Its name is {reference}.".to_owned());
    })
    .await
}

#[tokio::test]
async fn who_opens_a_ticket_is_told_so_once_and_a_vacation_reply_to_that_changes_nothing() {
    let world = acknowledging().await;
    let mail = Mail::from("anna@example.org").subject("My parcel");
    let ticket = world.ticket_by_mail(&mail).await;
    let [told] = world.sent_mail().await.try_into().unwrap();
    assert_eq!((&told.to[..], told.subject.as_str()), (&["anna@example.org".to_owned()][..], "Re: My parcel"));
    assert!(told.text.contains(ticket["reference"].as_str().unwrap()), "{}", told.text);
    assert_eq!(told.auto_submitted.as_deref(), Some("auto-replied"));
    let before = world.ticket(ticket["id"].as_str().unwrap()).await;
    let timeline = world.timeline(&before).await;
    assert_eq!(event(&timeline, "reply_sent")["decision"]["rule"], "acknowledgement");
    assert_eq!((count(&timeline, "message_delivered"), count(&timeline, "sla_met")), (1, 0), "no person answered");

    let vacation = Mail::from("anna@example.org").to(&told.reply_to).subject("Automatic reply: My parcel");
    world.mail(&vacation.header("Auto-Submitted", "auto-replied").in_reply_to(&told.id)).await;
    world.settled().await;
    let after = world.ticket(ticket["id"].as_str().unwrap()).await;
    assert_eq!(after["message_count"], 3);
    assert_eq!((&after["status"], &after["sla"]["clocks"]), (&before["status"], &before["sla"]["clocks"]));

    // Nor does an answer of hers open anything that would be acknowledged.
    world.ticket_by_mail(&Mail::from("anna@example.org").in_reply_to(&told.id).subject("Re: My parcel")).await;
    assert_eq!((world.sent_mail().await.len(), world.tickets("").await.len()), (1, 1));
    world.finish().await;
}

#[tokio::test]
async fn machines_and_forged_mail_are_not_told_and_nobody_without_end() {
    let world = acknowledging().await;
    world.ticket_by_mail(&Mail::from("bot@example.org").header("Auto-Submitted", "auto-generated")).await;
    world.ticket_by_mail(&Mail::from("shop@example.org").header("Precedence", "bulk")).await;
    world.mail_judged(&Mail::from("ben@example.org").subject("In the name of Ben"), "FAIL").await;
    world.ticket_by_mail(&Mail::from("carl@example.org").to("billing@example.com")).await;
    world.settled().await;
    assert_eq!(world.sent_mail().await.len(), 0);
    // A machine that says nothing of the kind, and answers under no name that is known.
    for number in 0..ACKNOWLEDGED_BESIDE_MAX + 4 {
        world.ticket_by_mail(&Mail::from("odd@example.org").subject(&format!("Notice {number} of {number}00"))).await;
    }
    let opened =
        world.tickets("").await.iter().filter(|ticket| ticket["subject"].to_string().contains("Notice")).count();
    assert_eq!((opened, world.sent_mail().await.len()), (ACKNOWLEDGED_BESIDE_MAX + 4, ACKNOWLEDGED_BESIDE_MAX + 1));
    world.finish().await;
}
