//! Everything at once: whoever comes first, the outcome is one that would have come of doing it one after the other.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::{Value, json};
use throughline_tests::chat::CHAT;
use throughline_tests::webhook::{SHOP, message, send};
use throughline_tests::{Accepted, Mail, World, count, event};

/// How often each race is run: whoever wins it, wins it some of the time.
const ROUNDS: usize = 8;
/// How often the same is delivered at once.
const COPIES: usize = 10;

fn path(ticket: &Value, rest: &str) -> String {
    format!("/v1/tickets/{}/{rest}", ticket["id"].as_str().unwrap())
}

/// The place of the first event of a kind that is like this.
fn place(timeline: &[Value], kind: &str, is: impl Fn(&Value) -> bool) -> Option<usize> {
    timeline.iter().position(|event| event["kind"] == kind && is(&event["data"]))
}

/// The place of the message that says this.
fn message_at(timeline: &[Value], text: &str) -> Option<usize> {
    place(timeline, "message_received", |data| data["message"]["text"].as_str().unwrap_or_default().trim() == text)
}

#[tokio::test]
async fn the_same_message_ten_times_at_once_is_one_message() {
    let world = World::start().await;
    let chat = world.chat(&json!({})).await;
    let mail = Mail::from("anna@example.org");
    let order = message("order-1", &json!({"account": "user-1"}), "Order 1", "Where is it?");
    let form = json!({"submission_id": "s-1", "requester": {"email": "ben@example.org"}, "subject": "Lamp",
        "description": "It does not light."});
    let each = (0..COPIES).map(|_| async {
        let submit = world.anyone.post("/v1/channels/portal/portal", &form);
        let (_, (), _, submitted) =
            futures::join!(chat.say(&world, "1", "Hello"), world.mail(&mail), send(&world, &order), submit);
        assert_eq!(submitted.unwrap().status, 202);
    });
    join_all(each).await;
    let (inbox, id) = ("portal".to_owned(), "ben@example.org:s-1".to_owned());
    world.took(Accepted { channel: "portal", inbox, id, content: String::new() });
    world.settled().await;
    let tickets = world.tickets("").await;
    assert_eq!(tickets.len(), 4, "{tickets:#?}");
    for ticket in &tickets {
        assert_eq!(ticket["message_count"], 1, "{ticket}");
        assert!(ticket["related"].as_array().unwrap().is_empty(), "four people: {ticket}");
    }
    let customers: BTreeSet<&str> = tickets.iter().filter_map(|ticket| ticket["customer_id"].as_str()).collect();
    assert_eq!(customers.len(), 4);
    assert_eq!(chat.see(None).await.0.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn somebody_new_who_mails_and_fills_in_a_form_at_once_is_one_customer() {
    let world = World::start().await;
    let rounds = (0..ROUNDS).map(|round| {
        let world = &world;
        async move {
            let address = format!("person-{round}@example.org");
            let mail = Mail::from(&address).subject("My green bicycle broke");
            let form = json!({"submission_id": "1", "requester": {"email": address}, "subject": "Invoice question",
                "description": "Too high"});
            let submit = world.anyone.post("/v1/channels/portal/portal", &form);
            let ((), submitted) = futures::join!(world.mail(&mail), submit);
            assert_eq!(submitted.unwrap().status, 202);
            let (inbox, id) = ("portal".to_owned(), format!("{address}:1"));
            world.took(Accepted { channel: "portal", inbox, id, content: String::new() });
            (address, mail)
        }
    });
    let people = join_all(rounds).await;
    world.settled().await;
    for (address, mail) in people {
        let customer = world.customer(&format!("email:{address}")).await;
        let by_mail = world.ticket_of_mail(&mail.id).await;
        let by_form = world.ticket_of("portal", "portal", &format!("{address}:1")).await;
        assert_eq!((&by_mail["customer_id"], &by_form["customer_id"]), (&customer["id"], &customer["id"]));
        assert_eq!(customer["open_tickets"].as_array().unwrap().len(), 2);
        // Whichever was second names the first.
        let named = |one: &Value, other: &Value| {
            one["related"].as_array().unwrap().iter().filter(|related| related["ticket_id"] == other["id"]).count()
        };
        assert_eq!(named(&by_mail, &by_form) + named(&by_form, &by_mail), 1, "{by_mail} {by_form}");
    }
    world.finish().await;
}

#[tokio::test]
async fn two_agents_at_once_both_do_what_they_are_told_they_did() {
    let world = World::start().await;
    for round in 0..ROUNDS {
        let mail = Mail::from(&format!("person-{round}@example.org"));
        let ticket = world.ticket_by_mail(&mail).await;
        let text = |who: &str| json!({"text": format!("{who} {round}")});
        let (replies, status, assignment) =
            (path(&ticket, "replies"), path(&ticket, "status"), path(&ticket, "assignment"));
        let (resolved, jonas) = (json!({"status": "resolved"}), json!({"agent": "jonas"}));
        let (mias, lenas) = (text("Mia"), text("Lena"));
        let (one, two, done, given) = futures::join!(
            world.agent.post(&replies, &mias),
            world.lead.post(&replies, &lenas),
            world.agent.post(&status, &resolved),
            world.lead.post(&assignment, &jonas),
        );
        world.settled().await;
        let timeline = world.timeline(&ticket).await;
        let statuses = [one, two, done, given].map(|answer| answer.unwrap().status);
        // Every answer is a yes that holds, or a no that says so.
        assert!(statuses.iter().all(|status| [200, 409, 422].contains(status)), "{statuses:?}");
        let told = statuses[..2].iter().filter(|status| **status == 200).count();
        assert_eq!(count(&timeline, "reply_sent"), told, "{statuses:?}");
        let mails = world.sent_mail().await;
        let sent = mails.iter().filter(|mail| mail.text.contains(&format!(" {round}"))).count();
        assert_eq!(sent, told, "each reply leaves once");
        if statuses[2] == 200 {
            assert!(place(&timeline, "status_changed", |data| data["to"] == "resolved").is_some(), "{statuses:?}");
        }
        let after = world.ticket(ticket["id"].as_str().unwrap()).await;
        let last = timeline.iter().rfind(|event| event["kind"] == "status_changed").unwrap();
        assert_eq!(after["status"], last["data"]["to"], "the last that was recorded holds");
    }
    world.finish().await;
}

#[tokio::test]
async fn two_agents_who_saw_the_same_version_are_not_both_right() {
    let world = World::start().await;
    for round in 0..ROUNDS {
        let ticket = world.ticket_by_mail(&Mail::from(&format!("person-{round}@example.org"))).await;
        let version = format!("\"{}\"", ticket["version"]);
        let (at, headers) = (path(&ticket, "priority"), [("if-match", version.as_str())]);
        let set = |client, priority: &str| {
            let body = json!({"priority": priority}).to_string();
            let client: &throughline_local::client::Client = client;
            let (at, headers) = (at.clone(), headers);
            async move { client.send(http::Method::POST, &at, &headers, body).await.unwrap().status }
        };
        let (one, two) = futures::join!(set(&world.agent, "high"), set(&world.lead, "urgent"));
        let mut statuses = [one, two];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412], "round {round}");
        let after = world.ticket(ticket["id"].as_str().unwrap()).await;
        assert_eq!(after["priority"], if one == 200 { "high" } else { "urgent" });
    }
    world.finish().await;
}

#[tokio::test]
async fn a_message_that_comes_while_its_ticket_is_resolved_is_before_or_after_it() {
    let world = World::start().await;
    for round in 0..ROUNDS {
        let first = Mail::from(&format!("person-{round}@example.org"));
        let ticket = world.ticket_by_mail(&first).await;
        let chat = world.chat(&json!({})).await;
        chat.say(&world, "1", "Hello").await;
        world.settled().await;
        let talk = world.ticket_of("web_chat", CHAT, &format!("{}:1", chat.session_id)).await;
        let answer = Mail::from(&first.from).in_reply_to(&first.id).text("still broken");
        let (mail_status, chat_status) = (path(&ticket, "status"), path(&talk, "status"));
        let resolved = json!({"status": "resolved"});
        let (by_mail, by_chat, (), _) = futures::join!(
            world.agent.post(&mail_status, &resolved),
            world.agent.post(&chat_status, &resolved),
            world.mail(&answer),
            chat.say(&world, "2", "still broken"),
        );
        world.settled().await;
        for (ticket, done) in [(&ticket, by_mail.unwrap()), (&talk, by_chat.unwrap())] {
            let timeline = world.timeline(ticket).await;
            let after = world.ticket(ticket["id"].as_str().unwrap()).await;
            if done.status != 200 {
                // Told that it changed meanwhile: nothing was done.
                assert!([409, 412].contains(&done.status), "{}", done.status);
                assert_eq!(count(&timeline, "status_changed"), 1, "new to open");
                continue;
            }
            let resolved = place(&timeline, "status_changed", |data| data["to"] == "resolved").unwrap();
            match message_at(&timeline, "still broken") {
                Some(written) if written < resolved => assert_eq!(after["status"], "resolved", "{timeline:#?}"),
                Some(_) => {
                    assert_eq!(after["status"], "open", "{timeline:#?}");
                    let reopened = timeline.iter().rfind(|event| event["kind"] == "status_changed").unwrap();
                    assert_eq!(reopened["decision"]["rule"], "customer_replied");
                }
                // A conversation that is done is not gone on with: the message opens another.
                None => {
                    assert_eq!((&after["status"], &ticket["channel"]), (&json!("resolved"), &json!("web_chat")));
                    let id = format!("{}:2", chat.session_id);
                    let other = world.ticket_of("web_chat", CHAT, &id).await;
                    assert_eq!(other["customer_id"], talk["customer_id"]);
                    assert!(["new", "open"].contains(&other["status"].as_str().unwrap()), "{other}");
                }
            }
        }
    }
    world.finish().await;
}

#[tokio::test]
async fn a_new_matter_that_comes_while_the_old_one_is_resolved_names_it_only_if_it_was_open() {
    let world = World::start().await;
    for round in 0..ROUNDS {
        let requester = json!({"account": format!("user-{round}")});
        let (old, new) = (format!("old-{round}"), format!("new-{round}"));
        send(&world, &message(&old, &requester, "Green bicycle", "It broke")).await;
        world.settled().await;
        let ticket = world.ticket_of("webhook", SHOP, &old).await;
        let (at, resolved) = (path(&ticket, "status"), json!({"status": "resolved"}));
        let body = message(&new, &requester, "Invoice question", "Too high");
        let (done, _) = futures::join!(world.agent.post(&at, &resolved), send(&world, &body));
        assert!([200, 409].contains(&done.unwrap().status));
        world.settled().await;
        let other = world.ticket_of("webhook", SHOP, &new).await;
        assert_ne!(other["id"], ticket["id"]);
        let related = other["related"].as_array().unwrap();
        let timeline = world.timeline(&other).await;
        let rule = &event(&timeline, "ticket_created")["decision"];
        assert!(related.iter().all(|related| related["ticket_id"] == ticket["id"]), "{rule}");
        // Its list is what the next decision rests on.
        let customer = world.customer(&format!("account:user-{round}")).await;
        let open = customer["open_tickets"].as_array().unwrap();
        assert!(open.contains(&other["id"]), "{customer}");
        let after = world.ticket(ticket["id"].as_str().unwrap()).await;
        assert_eq!(open.contains(&ticket["id"]), after["status"] != "resolved", "{customer}");
    }
    world.finish().await;
}
