//! Merging with undo, splitting, moving and relating: on both tickets or on none, and where later messages go.

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use throughline_channels::web_chat::user_hash;
use throughline_domain::channel::Channel;
use throughline_domain::moment::Moment;
use throughline_local::client::{Answer, Client};
use throughline_tests::chat::CHAT;
use throughline_tests::webhook::{SHOP, message, send};
use throughline_tests::{Mail, World, count, event, kinds, problem, provider};

const ANNA: &str = "anna@example.org";

async fn command(client: &Client, ticket: &Value, rest: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let path = format!("/v1/tickets/{}/{rest}", ticket["id"].as_str().unwrap());
    client.send(Method::POST, &path, headers, body.to_string()).await.unwrap()
}

/// A command of the agent; carried out.
async fn done(world: &World, ticket: &Value, rest: &str, body: &Value) -> Value {
    let outcome = command(&world.agent, ticket, rest, &[], body).await.ok().unwrap();
    world.settled().await;
    outcome
}

async fn merge(world: &World, ticket: &Value, into: &Value) -> Value {
    done(world, ticket, "merge", &json!({"into": into["reference"], "because": "the same parcel"})).await
}

/// Mails of a person about different things, each with its ticket.
async fn tickets(world: &World, from: &str, subjects: &[&str]) -> Vec<(Mail, Value)> {
    let mut tickets = Vec::new();
    for subject in subjects {
        let mail = Mail::from(from).subject(subject).text(subject);
        let ticket = world.ticket_by_mail(&mail).await;
        tickets.push((mail, ticket));
    }
    let ids: std::collections::BTreeSet<&str> =
        tickets.iter().map(|(_, ticket)| ticket["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), subjects.len(), "each is a ticket of its own");
    tickets
}

async fn now(world: &World, ticket: &Value) -> Value {
    world.ticket(ticket["id"].as_str().unwrap()).await
}

/// The ticket that an answer to a mail goes to.
async fn answer(world: &World, to: &Mail, text: &str) -> (Mail, Value) {
    let answer = Mail::from(&to.from).subject(&format!("Re: {}", to.subject)).text(text).in_reply_to(&to.id);
    let ticket = world.ticket_by_mail(&answer).await;
    (answer, ticket)
}

#[tokio::test]
async fn a_merge_can_be_undone_and_the_mail_that_came_meanwhile_is_named() {
    let world = World::start().await;
    let pair = tickets(&world, ANNA, &["Where is my parcel?", "Bicycle broke yesterday"]).await;
    let ((mail, a), (_, b)) = (&pair[0], &pair[1]);
    let a = now(&world, a).await;
    assert!(a["assignee"].is_string());
    let outcome = merge(&world, &a, b).await;
    assert_eq!((&outcome["ticket"]["status"], &outcome["ticket"]["merged_into"]), (&"closed".into(), &b["id"]));
    assert_eq!(outcome["other"]["id"], b["id"]);
    for ticket in [&a, b] {
        let timeline = world.timeline(ticket).await;
        let merged = event(&timeline, "ticket_merged");
        assert_eq!((&merged["data"]["ticket_id"], &merged["data"]["into"]), (&a["id"], &b["id"]));
        assert!(merged["decision"]["because"].as_str().unwrap().contains("the same parcel"), "{merged}");
    }
    let survivor = now(&world, b).await;
    assert!(survivor["related"].as_array().unwrap().iter().any(|other| other["ticket_id"] == a["id"]));
    let customer = world.customer(&format!("email:{ANNA}")).await;
    assert_eq!(customer["open_tickets"], json!([b["id"]]));

    let (later, on) = answer(&world, mail, "Still nothing").await;
    assert_eq!(on["id"], b["id"]);
    let timeline = world.timeline(b).await;
    let received = timeline.iter().find(|event| event["data"]["message"]["provider_message_id"] == later.id.as_str());
    let received = received.unwrap();
    assert_eq!((&received["decision"]["rule"], &received["data"]["by_way_of"]), (&"known_thread".into(), &a["id"]));
    let because = received["decision"]["because"].as_str().unwrap();
    let says = format!("{} was merged into {}", a["reference"].as_str().unwrap(), b["reference"].as_str().unwrap());
    assert!(because.contains(&says), "{because}");

    for (rest, body) in [
        ("replies", json!({"text": "Soon."})),
        ("notes", json!({"text": "noted"})),
        ("status", json!({"status": "open"})),
        ("assignment", json!({"next": true})),
    ] {
        let refused = problem(&command(&world.agent, &a, rest, &[], &body).await, 409);
        assert!(refused["detail"].as_str().unwrap().contains(b["reference"].as_str().unwrap()), "{refused}");
    }
    let outcome = done(&world, &a, "unmerge", &json!({"because": "another parcel"})).await;
    assert_eq!((&outcome["ticket"]["status"], &outcome["ticket"]["merged_into"]), (&"open".into(), &Value::Null));
    let unmerged = event(outcome["events"].as_array().unwrap(), "ticket_unmerged");
    assert_eq!(unmerged["data"]["messages"], json!([received["id"]]));
    assert_eq!(now(&world, &a).await["assignee"], a["assignee"], "whoever had it has it again");
    let (_, on) = answer(&world, mail, "Thank you").await;
    assert_eq!(on["id"], a["id"], "what comes later is its own again");

    let body = json!({"event_id": received["id"], "to": a["id"]});
    let outcome = done(&world, b, "move", &body).await;
    assert_eq!((&outcome["ticket"]["message_count"], &outcome["other"]["message_count"]), (&1.into(), &3.into()));
    assert_eq!(world.ticket_of_mail(&later.id).await["id"], a["id"]);
    let (_, on) = answer(&world, &later, "And one more").await;
    assert_eq!(on["id"], a["id"], "answers go where the message is");
    problem(&command(&world.agent, b, "move", &[], &body).await, 409);
    problem(&command(&world.agent, &a, "unmerge", &[], &json!({})).await, 409);
    world.finish().await;
}

#[tokio::test]
async fn chains_are_followed_and_circles_refused() {
    let world = World::start().await;
    let all = tickets(&world, ANNA, &["Parcel lost", "Invoice wrong", "Bicycle broke", "Account locked"]).await;
    let [(mail, a), (_, b), (_, c), (_, d)] = &all[..] else { panic!("four tickets") };
    merge(&world, a, b).await;
    merge(&world, b, c).await;
    let (_, on) = answer(&world, mail, "Hello?").await;
    assert_eq!(on["id"], c["id"]);
    problem(&command(&world.agent, c, "merge", &[], &json!({"into": a["id"]})).await, 409);
    problem(&command(&world.agent, c, "merge", &[], &json!({"into": b["id"]})).await, 409);
    problem(&command(&world.agent, a, "merge", &[], &json!({"into": d["id"]})).await, 409);
    problem(&command(&world.agent, c, "merge", &[], &json!({"into": c["id"]})).await, 422);
    problem(&command(&world.agent, c, "merge", &[], &json!({"into": "TL-0000-0000"})).await, 422);
    // Into a merged ticket means into where that went.
    let outcome = merge(&world, d, a).await;
    assert_eq!(outcome["ticket"]["merged_into"], c["id"]);
    let merged = event(outcome["events"].as_array().unwrap(), "ticket_merged");
    assert!(merged["decision"]["because"].as_str().unwrap().contains("was itself merged into"), "{merged}");
    // Out of the middle: what went into it goes with it.
    done(&world, b, "unmerge", &json!({})).await;
    let (_, on) = answer(&world, mail, "Hello again?").await;
    assert_eq!(on["id"], b["id"]);
    done(&world, a, "unmerge", &json!({})).await;
    let (_, on) = answer(&world, mail, "Anybody?").await;
    assert_eq!(on["id"], a["id"]);
    assert_eq!(now(&world, a).await["status"], "open");
    world.finish().await;
}

#[tokio::test]
async fn a_merge_happens_once_and_whole_whoever_asks_at_once() {
    let world = World::start().await;
    let pair = tickets(&world, ANNA, &["Parcel lost", "Invoice wrong"]).await;
    let ((_, a), (_, b)) = (&pair[0], &pair[1]);
    // Each into the other, many times at once: one of the two happens.
    let both = (0..6).map(|i| if i % 2 == 0 { (a, b) } else { (b, a) });
    let at_once = both.map(|(one, other)| {
        let body = json!({"into": other["id"]});
        let world = &world;
        async move { command(&world.agent, one, "merge", &[], &body).await.status }
    });
    let statuses = futures::future::join_all(at_once).await;
    assert!(statuses.iter().all(|status| [200, 409].contains(status)), "{statuses:?}");
    world.settled().await;
    let (a, b) = (now(&world, a).await, now(&world, b).await);
    assert_ne!(a["merged_into"].is_null(), b["merged_into"].is_null(), "{a} {b}");
    let (merged, survivor) = if a["merged_into"].is_null() { (b, a) } else { (a, b) };
    for ticket in [&merged, &survivor] {
        assert_eq!(count(&world.timeline(ticket).await, "ticket_merged"), 1);
    }
    // By its key the same command gives the same answer, though the ticket is merged by now.
    let (c, key) = (&tickets(&world, ANNA, &["Account locked"]).await[0].1, [("idempotency-key", "merge-1")]);
    let body = json!({"into": survivor["id"]});
    let first = command(&world.agent, c, "merge", &key, &body).await.ok().unwrap();
    let again = command(&world.agent, c, "merge", &key, &body).await.ok().unwrap();
    assert_eq!((&first["events"], &first["other"]["id"]), (&again["events"], &again["other"]["id"]));
    world.finish().await;
}

#[tokio::test]
async fn mail_that_comes_while_a_ticket_is_merged_is_on_one_of_both() {
    let world = World::start().await;
    let pair = tickets(&world, ANNA, &["Parcel lost", "Invoice wrong"]).await;
    let ((mail, a), (_, b)) = (&pair[0], &pair[1]);
    let mails: Vec<Mail> = (0..8)
        .map(|i| Mail::from(ANNA).subject("Re: Parcel lost").text(&format!("{i}")).in_reply_to(&mail.id))
        .collect();
    let send = futures::future::join_all(mails.iter().map(|mail| world.mail(mail)));
    let body = json!({"into": b["id"]});
    let (_, merged) = futures::join!(send, command(&world.agent, a, "merge", &[], &body));
    assert_eq!(merged.status, 200, "{}", merged.json());
    world.settled().await;
    let timeline = world.timeline(a).await;
    let merged_at = event(&timeline, "ticket_merged")["sequence"].as_u64();
    let late = timeline.iter().filter(|event| event["kind"] == "message_received");
    assert!(late.into_iter().all(|event| event["sequence"].as_u64() < merged_at), "nothing came after the merge");
    for mail in &mails {
        let on = world.ticket_of_mail(&mail.id).await["id"].clone();
        assert!(on == a["id"] || on == b["id"], "{on}");
    }
    let (a, b) = (now(&world, a).await, now(&world, b).await);
    let messages = |ticket: &Value| ticket["message_count"].as_u64().unwrap();
    assert_eq!(messages(&a) + messages(&b), 10);
    world.finish().await;
}

#[tokio::test]
async fn tickets_of_different_people_are_merged_by_a_lead_who_says_so() {
    let world = World::start().await;
    let a = &tickets(&world, ANNA, &["Parcel lost"]).await[0];
    let b = &tickets(&world, "ben@example.org", &["Our parcel is lost"]).await[0].1;
    let body = json!({"into": b["id"], "across_customers": true, "add_requester": true});
    let refused = problem(&command(&world.lead, &a.1, "merge", &[], &json!({"into": b["id"]})).await, 409);
    assert!(refused["detail"].as_str().unwrap().contains("different people"), "{refused}");
    problem(&command(&world.agent, &a.1, "merge", &[], &body).await, 403);
    problem(&command(&world.integration, &a.1, "merge", &[], &body).await, 403);
    assert_eq!(command(&world.lead, &a.1, "merge", &[], &body).await.status, 200);
    let survivor = now(&world, b).await;
    let joined =
        survivor["participants"].as_array().unwrap().iter().any(|p| p["identifier"].to_string().contains(ANNA));
    assert!(joined, "{survivor}");
    let (_, on) = answer(&world, &a.0, "And?").await;
    assert_eq!(on["id"], b["id"]);
    // Nobody else comes along: a stranger with a copied reference gets a ticket of their own.
    let stranger = Mail::from("mallory@example.net").in_reply_to(&a.0.id);
    let own = world.ticket_by_mail(&stranger).await;
    assert!(own["id"] != a.1["id"] && own["id"] != b["id"], "{own}");
    world.finish().await;
}

#[tokio::test]
async fn no_clock_of_a_merged_ticket_runs_out() {
    let world = World::start_at("2026-11-18T09:00:00Z").await;
    let pair = tickets(&world, ANNA, &["Parcel lost", "Invoice wrong"]).await;
    let ((_, a), (_, b)) = (&pair[0], &pair[1]);
    merge(&world, a, b).await;
    let late: Moment = "2026-12-24T12:00:00Z".parse().unwrap();
    let swept = world.check_at(late).await;
    assert_eq!(swept["breached"], 2, "those of the one that goes on: {swept}");
    assert_eq!(world.check_at(late.plus_ms(60_000)).await["breached"], 0);
    let timeline = world.timeline(a).await;
    assert_eq!((count(&timeline, "sla_breached"), count(&timeline, "sla_met")), (0, 0), "{:?}", kinds(&timeline));
    world.finish().await;
}

#[tokio::test]
async fn chat_goes_on_where_its_ticket_went() {
    let world = World::start().await;
    let secret = world.seed.secrets.inboxes[&CHAT.parse().unwrap()].identity[0].clone();
    send(&world, &message("m-1", &json!({"account": "user-1", "email": ANNA}), "Invoice wrong", "Too high")).await;
    world.settled().await;
    let shop = world.ticket_of("webhook", SHOP, "m-1").await;
    let chat = world.chat(&json!({"external_id": "user-1", "user_hash": user_hash("user-1", &secret)})).await;
    let on = async |id: &str| world.ticket_of("web_chat", CHAT, &format!("{}:{id}", chat.session_id)).await;
    chat.say(&world, "1", "My bicycle broke").await;
    world.settled().await;
    let ticket = on("1").await;
    assert_ne!(ticket["id"], shop["id"]);
    merge(&world, &ticket, &shop).await;
    chat.say(&world, "2", "Hello?").await;
    world.settled().await;
    assert_eq!(on("2").await["id"], shop["id"]);
    // The visitor sees their own words once, wherever they are, and the answer.
    done(&world, &shop, "replies", &json!({"text": "We look into it."})).await;
    let (seen, _) = chat.see(None).await;
    let texts: Vec<&str> = seen.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts, ["My bicycle broke", "Hello?", "We look into it."]);
    // A rating is of the ticket that it is about.
    let rated = chat.post(&json!({"type": "csat.submit", "score": 5, "comment": "thanks"})).await;
    assert_eq!(rated.status, 202, "{}", rated.json());
    world.settled().await;
    assert_eq!(count(&world.timeline(&ticket).await, "csat_received"), 1);
    done(&world, &ticket, "unmerge", &json!({})).await;
    chat.say(&world, "3", "Still there?").await;
    world.settled().await;
    assert_eq!(on("3").await["id"], ticket["id"]);
    world.finish().await;
}

#[tokio::test]
async fn split_messages_are_a_ticket_of_their_own_and_so_are_the_answers_to_them() {
    let world = World::start().await;
    let (first, ticket) = tickets(&world, ANNA, &["Where is my parcel?"]).await.remove(0);
    let long = (0..400).map(|line| format!("The bill is wrong, line {line}.")).collect::<Vec<_>>().join("\r\n");
    let (bill, _) = answer(&world, &first, &long).await;
    let (more, _) = answer(&world, &bill, "It is about bill 4711.").await;
    let timeline = world.timeline(&ticket).await;
    let of = |mail: &Mail| {
        let id = mail.id.as_str();
        let mut messages = timeline.iter().filter(|event| event["kind"] == "message_received");
        messages.find(|event| event["data"]["message"]["provider_message_id"] == id).unwrap()["id"].clone()
    };
    let status_changed = event(&timeline, "status_changed")["id"].clone();
    for (ids, status) in [(json!([]), 422), (json!([status_changed]), 422), (json!(["nonsense"]), 422)] {
        problem(&command(&world.agent, &ticket, "split", &[], &json!({"event_ids": ids})).await, status);
    }
    let body = json!({"event_ids": [of(&more), of(&bill)], "subject": "Bill 4711", "because": "another matter"});
    let key = [("idempotency-key", "split-1")];
    let outcome = command(&world.agent, &ticket, "split", &key, &body).await.ok().unwrap();
    let again = command(&world.agent, &ticket, "split", &key, &body).await.ok().unwrap();
    assert_eq!(outcome["other"]["id"], again["other"]["id"]);
    world.settled().await;
    let new = world.ticket(outcome["other"]["id"].as_str().unwrap()).await;
    assert_eq!((&new["subject"], &new["message_count"]), (&"Bill 4711".into(), &2.into()));
    assert_eq!((&new["customer_id"], &new["status"]), (&ticket["customer_id"], &"open".into()));
    assert!(new["assignee"].is_string() && new["sla"].is_object(), "it is routed and has clocks: {new}");
    let old = now(&world, &ticket).await;
    assert_eq!(old["message_count"], 1);
    let log = world.timeline(&new).await;
    let texts: Vec<&str> = log.iter().filter_map(|event| event["data"]["message"]["text"].as_str()).collect();
    assert_eq!(texts.len(), 2);
    assert!(
        texts[0].contains("line 0.")
            && texts[0].contains("line 399.")
            && texts[1].starts_with("It is about bill 4711."),
        "{texts:?}"
    );
    for (timeline, one) in [(&world.timeline(&ticket).await, &ticket), (&log, &new)] {
        let split = event(timeline, "ticket_split");
        assert_eq!((&split["data"]["from"], &split["data"]["to"]), (&ticket["id"], &new["id"]), "{one}");
        assert!(split["decision"]["because"].as_str().unwrap().contains("another matter"));
    }
    assert_eq!(count(&world.timeline(&ticket).await, "message_moved"), 2);
    assert_eq!(world.ticket_of_mail(&more.id).await["id"], new["id"]);
    let (_, on) = answer(&world, &more, "Well?").await;
    assert_eq!(on["id"], new["id"]);
    let (_, on) = answer(&world, &first, "And the parcel?").await;
    assert_eq!(on["id"], ticket["id"]);
    problem(&command(&world.agent, &ticket, "split", &[], &json!({"event_ids": [of(&bill)]})).await, 409);
    world.finish().await;
}

#[tokio::test]
async fn a_message_is_moved_to_somebody_else_s_ticket_by_a_lead_who_says_so() {
    let world = World::start().await;
    let a = &tickets(&world, ANNA, &["Parcel lost"]).await[0];
    let b = &tickets(&world, "ben@example.org", &["Our parcel is lost"]).await[0].1;
    let received = event(&world.timeline(&a.1).await, "message_received")["id"].clone();
    let body = json!({"event_id": received, "to": b["reference"]});
    let refused = problem(&command(&world.agent, &a.1, "move", &[], &body).await, 409);
    assert!(refused["detail"].as_str().unwrap().contains("nothing to do with that ticket"), "{refused}");
    let across = json!({"event_id": received, "to": b["reference"], "across_customers": true});
    problem(&command(&world.agent, &a.1, "move", &[], &across).await, 403);
    assert_eq!(command(&world.lead, &a.1, "move", &[], &across).await.status, 200);
    let (_, on) = answer(&world, &a.0, "And?").await;
    assert_eq!(on["id"], b["id"], "whoever wrote it takes part where it is");
    world.finish().await;
}

#[tokio::test]
async fn an_edit_finds_its_message_where_it_was_split_off_to() {
    let world = World::start().await;
    let (chat, anna) =
        (json!({"id": 987, "type": "private"}), json!({"id": 987, "is_bot": false, "first_name": "Anna"}));
    let says = |update: u64, id: u64, text: &str| {
        let said = json!({"message_id": id, "from": anna, "chat": chat, "date": 1_795_183_200, "text": text});
        json!({"update_id": update, "message": said})
    };
    let mut edit = says(3, 2, "And the saddle is loose.")["message"].clone();
    edit["edit_date"] = json!(1_795_183_230);
    let post = async |update: Value| {
        let answer = provider::post(&world, Channel::Telegram, Bytes::from(update.to_string())).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        world.settled().await;
    };
    post(says(1, 1, "Where is my parcel?")).await;
    post(says(2, 2, "And the saddel is loose.")).await;
    let ticket = world.tickets("").await.remove(0);
    let timeline = world.timeline(&ticket).await;
    let second = timeline.iter().rfind(|event| event["kind"] == "message_received").unwrap();
    let own = done(&world, &ticket, "split", &json!({"event_ids": [second["id"]]})).await["other"].clone();
    post(json!({"update_id": 3, "edited_message": edit})).await;
    let edited = event(&world.timeline(&own).await, "message_edited").clone();
    assert_eq!(edited["data"]["message"]["text"], "And the saddle is loose.");
    assert_eq!(count(&world.timeline(&ticket).await, "message_edited"), 0, "it is not there any more");
    world.finish().await;
}

#[tokio::test]
async fn tickets_are_related_on_both_and_once() {
    let world = World::start().await;
    let a = &tickets(&world, ANNA, &["Parcel lost"]).await[0].1;
    let b = &tickets(&world, "ben@example.org", &["Our parcel is lost"]).await[0].1;
    let body = json!({"ticket": b["reference"], "why": "the same van"});
    done(&world, a, "relate", &body).await;
    let again = done(&world, a, "relate", &body).await;
    assert_eq!(again["events"], json!([]));
    for (one, other) in [(a, b), (b, a)] {
        assert_eq!(now(&world, one).await["related"], json!([{"ticket_id": other["id"], "why": "the same van"}]));
        assert_eq!(count(&world.timeline(one).await, "ticket_related"), 1);
    }
    problem(&command(&world.agent, a, "relate", &[], &json!({"ticket": a["id"], "why": "?"})).await, 422);
    problem(&command(&world.agent, a, "relate", &[], &json!({"ticket": b["id"], "why": " "})).await, 422);
    world.finish().await;
}
