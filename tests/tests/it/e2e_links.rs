//! One person who is known as several customers: linked, unlinked, and nothing lost or shown to somebody else by it.

use http::Method;
use serde_json::{Value, json};
use throughline_channels::web_chat::user_hash;
use throughline_local::client::Answer;
use throughline_tests::chat::CHAT;
use throughline_tests::webhook::{SHOP, message, send};
use throughline_tests::{Chat, Mail, World, count, event, kinds, problem};

fn id(value: &Value) -> &str {
    value["id"].as_str().expect("an id")
}

fn signed_in(world: &World, account: &str) -> Value {
    let secret = world.seed.secrets.inboxes[&CHAT.parse().unwrap()].identity[0].clone();
    json!({"external_id": account, "user_hash": user_hash(account, &secret)})
}

async fn customer_of(world: &World, ticket: &Value) -> Value {
    world.get(&format!("/v1/customers/{}", ticket["customer_id"].as_str().unwrap())).await
}

async fn try_link(world: &World, one: &Value, other: &Value) -> Answer {
    let body = json!({"customer_id": id(other), "because": "she said so on the phone"});
    world.agent.post(&format!("/v1/customers/{}/link", id(one)), &body).await.unwrap()
}

async fn link(world: &World, one: &Value, other: &Value) -> Value {
    try_link(world, one, other).await.ok().expect("linked")
}

async fn unlink(world: &World, one: &Value, other: &Value) -> Value {
    world.post(&format!("/v1/customers/{}/unlink", id(one)), &json!({"customer_id": id(other)})).await
}

/// The texts of the messages on a customer's timeline.
async fn texts(world: &World, customer: &Value) -> Vec<String> {
    let timeline = world.get(&format!("/v1/customers/{}/timeline", id(customer))).await;
    let events = timeline["items"].as_array().unwrap().iter();
    let messages = events.filter(|event| event["kind"] == "message_received");
    messages.map(|event| event["data"]["message"]["text"].as_str().unwrap().trim().to_owned()).collect()
}

async fn set_status(world: &World, ticket: &Value, status: &str) {
    world.post(&format!("/v1/tickets/{}/status", id(ticket)), &json!({"status": status})).await;
}

/// Somebody with a ticket by chat, and somebody with a ticket by mail.
async fn two(world: &World) -> (Chat, Value, Value) {
    let chat = world.chat(&json!({"name": "Anna Berg"})).await;
    chat.say(world, "1", "My green bicycle broke").await;
    let mail =
        world.ticket_by_mail(&Mail::from("anna@example.org").subject("Invoice 7").text("The invoice is wrong")).await;
    let by_chat = world.ticket_of("web_chat", CHAT, &format!("{}:1", chat.session_id)).await;
    let (one, other) = (customer_of(world, &by_chat).await, customer_of(world, &mail).await);
    assert_ne!(id(&one), id(&other));
    (chat, one, other)
}

#[tokio::test]
async fn linked_customers_are_one_and_unlinking_gives_each_their_own() {
    let world = World::start().await;
    let (chat, one, other) = two(&world).await;
    let by_chat = world.ticket_of("web_chat", CHAT, &format!("{}:1", chat.session_id)).await;

    let linked = link(&world, &one, &other).await;
    assert_eq!((&linked["linked"][0]["customer_id"], &linked["linked"][0]["rule"]), (&other["id"], &"by_agent".into()));
    assert_eq!(linked["linked"][0]["evidence"], "she said so on the phone");
    assert_eq!(linked["open_tickets"].as_array().unwrap().len(), 2);
    assert_eq!(link(&world, &other, &one).await["linked"].as_array().unwrap().len(), 1, "the same again");
    let view = world.get(&format!("/v1/customers/{}", id(&other))).await;
    assert_eq!(view["open_tickets"], linked["open_tickets"]);
    assert_eq!(texts(&world, &one).await, texts(&world, &other).await);

    // By mail about what the chat is about: the same ticket, answered where she wrote last.
    let follow = Mail::from("anna@example.org").subject("My green bicycle broke").text("It is still broken");
    let ticket = world.ticket_by_mail(&follow).await;
    assert_eq!(id(&ticket), id(&by_chat));
    assert_eq!(ticket["customer_id"], one["id"], "nothing moves");
    let timeline = world.timeline(&ticket).await;
    let joined = event(&timeline, "participant_added");
    assert_eq!((&joined["data"]["role"], &joined["data"]["customer_id"]), (&"same_person".into(), &other["id"]));
    world.mail(&Mail::from("anna@example.org").subject("Re: My green bicycle broke").in_reply_to(&follow.id)).await;
    world.settled().await;
    assert_eq!(count(&world.timeline(&ticket).await, "participant_added"), 1, "once");
    world.post(&format!("/v1/tickets/{}/replies", id(&ticket)), &json!({"text": "We mend it."})).await;
    world.settled().await;
    assert_eq!(world.sent_mail().await.last().unwrap().to, ["anna@example.org"]);

    // They are two people after all.
    let unlinked = unlink(&world, &one, &other).await;
    assert_eq!(unlinked["linked"], json!([]));
    let proposal = &unlinked["split_proposals"][0];
    assert_eq!((&proposal["ticket_id"], &proposal["customer_id"]), (&ticket["id"], &other["id"]));
    assert_eq!(proposal["event_ids"].as_array().unwrap().len(), 2);
    let timeline = world.timeline(&ticket).await;
    let task = event(&timeline, "task_created");
    assert_eq!((&task["data"]["task"], &task["data"]["event_ids"]), (&"split".into(), &proposal["event_ids"]));
    assert_eq!(task["decision"]["rule"], "split_proposed");
    assert_eq!(unlinked["open_tickets"], json!([ticket["id"]]));
    assert_eq!(unlink(&world, &one, &other).await["split_proposals"], json!([]), "the same again");

    // Answers go to whose ticket it is; later mail of the other is theirs, whatever it refers to.
    world.post(&format!("/v1/tickets/{}/replies", id(&ticket)), &json!({"text": "It is mended."})).await;
    let later =
        Mail::from("anna@example.org").subject("Re: My green bicycle broke").in_reply_to(&follow.id).text("Later");
    let later = world.ticket_by_mail(&later).await;
    assert_ne!(id(&later), id(&ticket));
    assert_eq!(later["customer_id"], other["id"]);
    assert_eq!(world.sent_mail().await.len(), 1);
    let seen = chat.see(None).await.0;
    assert_eq!(seen.last().unwrap(), &("outbound".to_owned(), "It is mended.".to_owned()));
    let others = texts(&world, &other).await;
    assert_eq!(others.len(), 4, "the invoice, two messages on the other's ticket, and the later one: {others:?}");
    assert!(!others.contains(&"My green bicycle broke".to_owned()));
    let timeline = world.get(&format!("/v1/customers/{}/timeline", id(&other))).await;
    assert!(!timeline.to_string().contains("We mend it."), "what was answered there is not theirs");
    world.finish().await;
}

#[tokio::test]
async fn what_was_merged_because_people_were_linked_stands_by_itself_once_they_are_not() {
    let world = World::start().await;
    let (chat, one, other) = two(&world).await;
    let by_chat = world.ticket_of("web_chat", CHAT, &format!("{}:1", chat.session_id)).await;
    let mail = Mail::from("anna@example.org").subject("The saddle is loose").text("It turns");
    let by_mail = world.ticket_by_mail(&mail).await;
    link(&world, &one, &other).await;
    let path = format!("/v1/tickets/{}/merge", id(&by_mail));
    world.post(&path, &json!({"into": id(&by_chat), "because": "it is all about the bicycle"})).await;

    let unlinked = unlink(&world, &one, &other).await;
    assert_eq!(unlinked["unmerged"], json!([by_mail["id"]]));
    let apart = world.ticket(id(&by_mail)).await;
    assert_eq!((&apart["merged_into"], &apart["status"]), (&Value::Null, &by_mail["status"]));
    let timeline = world.timeline(&by_mail).await;
    let because = &event(&timeline, "ticket_unmerged")["decision"]["because"];
    assert!(because.as_str().unwrap().contains("not the same person"), "{because}");
    let later = Mail::from("anna@example.org").subject("Re: The saddle is loose").in_reply_to(&mail.id).text("Still");
    assert_eq!(id(&world.ticket_by_mail(&later).await), id(&by_mail));
    let people = &world.ticket(id(&by_chat)).await["participants"];
    assert!(!people.to_string().contains("anna@example.org"), "{people}");
    assert_eq!(unlink(&world, &one, &other).await["unmerged"], json!([]), "the same again");
    world.finish().await;
}

#[tokio::test]
async fn who_was_unlinked_is_linked_again_by_people_only() {
    let world = World::start().await;
    let account = json!({"account": "user-1"});
    send(&world, &message("m-1", &account, "Order", "Where is it?")).await;
    let chat = world.chat(&json!({})).await;
    chat.say(&world, "1", "Hello").await;
    world.settled().await;
    let signed = world.open_chat(&world.anyone.with_token(&chat.token), &signed_in(&world, "user-1")).await;
    let chat = Chat::of(&world, &signed.ok().unwrap());
    chat.say(&world, "2", "Signed in").await;
    world.settled().await;
    let known = world.customer("account:user-1").await;
    let visitor = world.customer(&format!("session:{}", chat.session_id)).await;
    assert_eq!(known["linked"][0]["customer_id"], visitor["id"]);
    assert_eq!(known["linked"][0]["by"]["type"], "system");
    unlink(&world, &known, &visitor).await;
    chat.say(&world, "3", "Signed in, still").await;
    world.settled().await;
    let known = world.customer("account:user-1").await;
    assert_eq!((&known["linked"], &known["link_suggestions"]), (&json!([]), &json!([])));
    assert_eq!(link(&world, &known, &visitor).await["linked"][0]["rule"], "by_agent");
    world.finish().await;
}

#[tokio::test]
async fn two_accounts_are_not_linked_by_what_they_share() {
    let world = World::start().await;
    let chat = world.chat(&signed_in(&world, "user-1")).await;
    chat.say(&world, "1", "Hello").await;
    send(&world, &message("m-1", &json!({"account": "user-2"}), "Order", "Where is it?")).await;
    world.settled().await;
    // The next person at the same computer.
    let next = world.open_chat(&world.anyone.with_token(&chat.token), &signed_in(&world, "user-2")).await;
    let next = Chat::of(&world, &next.ok().unwrap());
    next.say(&world, "2", "Hello").await;
    world.settled().await;
    for name in ["account:user-1", "account:user-2"] {
        assert_eq!(world.customer(name).await["linked"], json!([]), "{name}");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_suggestion_has_a_score_and_goes_once_it_is_settled() {
    let world = World::start().await;
    let mail = world.ticket_by_mail(&Mail::from("Anna@example.org").subject("Parcel")).await;
    let chat = world.chat(&json!({"email": "anna@example.org", "name": "Anna"})).await;
    chat.say(&world, "1", "Hello").await;
    let tagged = world.ticket_by_mail(&Mail::from("anna+shop@example.org").subject("Bill")).await;
    let by_chat = world.ticket_of("web_chat", CHAT, &format!("{}:1", chat.session_id)).await;
    let visitor = customer_of(&world, &by_chat).await;
    let suggestion = &visitor["link_suggestions"][0];
    assert_eq!((&suggestion["customer_id"], &suggestion["by"]), (&mail["customer_id"], &"typed".into()));
    assert_eq!(suggestion["reasons"], json!(["this email was typed (+40)"]));
    assert_eq!(suggestion["score"], 40);
    let tagged = customer_of(&world, &tagged).await;
    assert_eq!(tagged["link_suggestions"][0]["by"], "same_mailbox");
    assert_eq!(tagged["link_suggestions"][0]["customer_id"], mail["customer_id"]);
    let anna = customer_of(&world, &mail).await;
    assert_eq!(link(&world, &visitor, &anna).await["link_suggestions"], json!([]));
    assert_eq!(unlink(&world, &visitor, &anna).await["link_suggestions"], json!([]), "somebody said that it is wrong");
    world.finish().await;
}

#[tokio::test]
async fn a_shared_name_links_nobody() {
    let world = World::start().await;
    let mail = world.ticket_by_mail(&Mail::from("info@example.org").subject("From the office")).await;
    let mark = |client: throughline_local::client::Client, shared: bool| async move {
        client.post("/v1/identifiers/email:info@example.org/shared", &json!({"shared": shared})).await.unwrap()
    };
    problem(&mark(world.agent.clone(), true).await, 403);
    assert_eq!(mark(world.lead.clone(), true).await.ok().unwrap()["shared"], true);
    let nobody =
        world.lead.post("/v1/identifiers/email:who@example.org/shared", &json!({"shared": true})).await.unwrap();
    problem(&nobody, 404);
    // An account with the office's address is somebody of their own.
    let requester = json!({"account": "user-1", "email": "info@example.org"});
    send(&world, &message("m-1", &requester, "Order", "Where is it?")).await;
    world.settled().await;
    let order = world.ticket_of("webhook", SHOP, "m-1").await;
    assert_ne!(order["customer_id"], mail["customer_id"]);
    // Alone, the address still says who wrote.
    let again = world.ticket_by_mail(&Mail::from("info@example.org").subject("Something else")).await;
    assert_eq!(again["customer_id"], mail["customer_id"]);
    let path = format!("/v1/tickets/{}/caller-verified", id(&order));
    let body = json!({"identifier": "email:info@example.org", "how": "asked"});
    problem(&world.agent.post(&path, &body).await.unwrap(), 409);
    mark(world.lead.clone(), false).await.ok().unwrap();
    world.post(&path, &body).await;
    // Nothing had proved it before: now it is hers.
    assert_eq!(world.customer("email:info@example.org").await["id"], order["customer_id"]);
    world.finish().await;
}

#[tokio::test]
async fn what_a_caller_proves_in_words_counts() {
    let world = World::start().await;
    let requester = json!({"account": "user-1", "phone": "+41791234567"});
    send(&world, &message("m-1", &requester, "Call", "Please call")).await;
    world.settled().await;
    let ticket = world.ticket_of("webhook", SHOP, "m-1").await;
    let path = format!("/v1/tickets/{}/caller-verified", id(&ticket));
    let body = json!({"identifier": "phone:+41791234567", "how": "she named her last invoice"});
    problem(&world.integration.post(&path, &body).await.unwrap(), 403);
    for (wrong, pointer) in [
        (json!({"identifier": "phone:12", "how": "x"}), "/identifier"),
        (json!({"identifier": "session:1", "how": "x"}), "/identifier"),
        (json!({"identifier": "email:support@example.com", "how": "x"}), "/identifier"),
        (json!({"identifier": "phone:+41791234567", "how": " "}), "/how"),
    ] {
        assert_eq!(problem(&world.agent.post(&path, &wrong).await.unwrap(), 422)["errors"][0]["pointer"], pointer);
    }
    let key = [("idempotency-key", "k")];
    for _ in 0..2 {
        let done = world.agent.send(Method::POST, &path, &key, body.to_string()).await.unwrap();
        assert_eq!(done.status, 200);
    }
    let timeline = world.timeline(&ticket).await;
    assert_eq!(count(&timeline, "caller_verified"), 1, "{:?}", kinds(&timeline));
    let verified = event(&timeline, "caller_verified");
    assert_eq!((&verified["actor"]["id"], &verified["decision"]["rule"]), (&"mia".into(), &"caller_verified".into()));
    let holder = world.customer("phone:+41791234567").await;
    assert_eq!(holder["id"], ticket["customer_id"]);
    let known = holder["identifiers"].as_array().unwrap().iter().find(|known| known["kind"] == "phone").unwrap();
    assert_eq!((&known["verified"], &known["source"]), (&true.into(), &"agent".into()));
    // Somebody else holds it: then they are the same person.
    let mail = world.ticket_by_mail(&Mail::from("anna@example.org").subject("Bill")).await;
    let path = format!("/v1/tickets/{}/caller-verified", id(&mail));
    world.post(&path, &body).await;
    let anna = customer_of(&world, &mail).await;
    assert_eq!(
        (&anna["linked"][0]["customer_id"], &anna["linked"][0]["rule"]),
        (&holder["id"], &"caller_verified".into())
    );
    world.finish().await;
}

#[tokio::test]
async fn a_visitor_sees_nothing_of_whom_they_are_linked_with() {
    let world = World::start().await;
    let (chat, one, other) = two(&world).await;
    link(&world, &one, &other).await;
    let mails = world.get(&format!("/v1/customers/{}", id(&other))).await["open_tickets"].clone();
    let mails: Vec<&str> = mails.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for ticket in mails {
        let ticket = world.ticket(ticket).await;
        if ticket["customer_id"] == other["id"] {
            let body = json!({"text": "Your invoice is 7 euros."});
            world.post(&format!("/v1/tickets/{}/replies", id(&ticket)), &body).await;
        }
    }
    world.settled().await;
    assert_eq!(chat.see(None).await.0, [("inbound".to_owned(), "My green bicycle broke".to_owned())]);
    // On the other's ticket by chat they see what they wrote there, and what was answered to them.
    let there = world.chat(&signed_in(&world, "user-9")).await;
    there.say(&world, "1", "Where is my blue lamp?").await;
    world.settled().await;
    let lamp = world.ticket_of("web_chat", CHAT, &format!("{}:1", there.session_id)).await;
    link(&world, &one, &customer_of(&world, &lamp).await).await;
    chat.say(&world, "2", "And now the lamp").await;
    world.settled().await;
    let ticket = world.ticket_of("web_chat", CHAT, &format!("{}:2", chat.session_id)).await;
    assert_eq!(id(&ticket), id(&lamp), "the running conversation of the person");
    world.post(&format!("/v1/tickets/{}/replies", id(&ticket)), &json!({"text": "The lamp is here."})).await;
    world.settled().await;
    let seen: Vec<String> = chat.see(None).await.0.into_iter().map(|(_, text)| text).collect();
    assert_eq!(seen, ["My green bicycle broke", "And now the lamp", "The lamp is here."]);
    let seen: Vec<String> = there.see(None).await.0.into_iter().map(|(_, text)| text).collect();
    assert_eq!(seen, ["Where is my blue lamp?"]);
    world.finish().await;
}

#[tokio::test]
async fn what_is_not_to_be_linked_says_why() {
    let world = World::start().await;
    let (_, one, other) = two(&world).await;
    problem(&try_link(&world, &one, &one).await, 422);
    let path = format!("/v1/customers/{}/link", id(&one));
    let nobody = json!({"customer_id": "cus_0192f0c1a2b37c8d9e0f112233445566", "because": "x"});
    problem(&world.agent.post(&path, &nobody).await.unwrap(), 422);
    let because = json!({"customer_id": id(&other), "because": " "});
    assert_eq!(problem(&world.agent.post(&path, &because).await.unwrap(), 422)["errors"][0]["pointer"], "/because");
    let body = json!({"customer_id": id(&other), "because": "x"});
    problem(&world.integration.post(&path, &body).await.unwrap(), 403);
    let unknown = "/v1/customers/cus_0192f0c1a2b37c8d9e0f112233445566/link";
    problem(&world.agent.post(unknown, &body).await.unwrap(), 404);
    let path = format!("/v1/customers/{}/unlink", id(&one));
    problem(&world.agent.post(&path, &json!({"customer_id": id(&other)})).await.unwrap(), 409);
    world.finish().await;
}

#[tokio::test]
async fn tickets_that_change_while_their_customers_are_linked_and_unlinked_stay_on_the_right_list() {
    let world = World::start().await;
    let mut customers = Vec::new();
    let mut tickets = Vec::new();
    for i in 0..4 {
        let ticket =
            world.ticket_by_mail(&Mail::from(&format!("p{i}@example.org")).subject(&format!("Thing {i}"))).await;
        customers.push(customer_of(&world, &ticket).await);
        tickets.push(ticket);
    }
    for round in 0..3 {
        let changes = async {
            for status in ["resolved", "open", "pending"] {
                for ticket in &tickets {
                    let path = format!("/v1/tickets/{}/status", id(ticket));
                    let answer = world.agent.post(&path, &json!({"status": status})).await.unwrap();
                    assert!([200, 409].contains(&answer.status), "{}", answer.json());
                }
            }
        };
        let relinks = async {
            for (a, b) in [(0, 1), (2, 3), (1, 2)] {
                let answer = try_link(&world, &customers[a], &customers[b]).await;
                assert!([200, 409].contains(&answer.status), "{}", answer.json());
            }
            let path = format!("/v1/customers/{}/unlink", id(&customers[1]));
            let answer = world.agent.post(&path, &json!({"customer_id": id(&customers[2])})).await.unwrap();
            assert!([200, 409].contains(&answer.status), "{}", answer.json());
        };
        let mails = (0..4).map(|i| Mail::from(&format!("p{i}@example.org")).subject(&format!("Other {round} {i}")));
        let mails: Vec<Mail> = mails.collect();
        let messages = futures::future::join_all(mails.iter().map(|mail| world.mail(mail)));
        futures::join!(changes, relinks, messages);
        world.settled().await;
    }
    for ticket in &tickets {
        set_status(&world, ticket, "resolved").await;
    }
    // Lists are checked at the end, as of every test.
    world.finish().await;
}

#[tokio::test]
async fn a_second_account_is_not_verified_onto_somebody_and_nobody_on_whom_is_erased() {
    let world = World::start().await;
    let ticket = world.ticket_by_mail(&Mail::from("anna@example.org")).await;
    let path = format!("/v1/tickets/{}/caller-verified", id(&ticket));
    let verify = |name: &str| json!({"identifier": name, "how": "she knew the last invoice"});
    world.post(&path, &verify("account:1")).await;
    problem(&world.agent.post(&path, &verify("account:2")).await.unwrap(), 409);
    problem(&world.agent.post(&path, &verify("order:2")).await.unwrap(), 422);
    let customer = ticket["customer_id"].as_str().unwrap();
    let erase = json!({"because": "she asked for it", "confirm": customer});
    world.admin.post(&format!("/v1/customers/{customer}/erase"), &erase).await.unwrap().ok().unwrap();
    problem(&world.agent.post(&path, &verify("email:anna@example.org")).await.unwrap(), 409);
    let other = customer_of(&world, &world.ticket_by_mail(&Mail::from("ben@example.org")).await).await;
    problem(&try_link(&world, &other, &json!({"id": customer})).await, 409);
    let open = json!({"inbox": "support", "customer_id": customer, "subject": "Hello", "text": "Hello",
        "on_behalf": "note"});
    problem(&world.agent.post("/v1/tickets", &open).await.unwrap(), 409);
    world.finish().await;
}

/// An anonymous tab that signs in as somebody else than the other tab did is somebody else.
#[tokio::test]
async fn one_session_does_not_bring_two_accounts_together() {
    let world = World::start().await;
    send(&world, &message("m-1", &json!({"account": "user-1"}), "Order", "Where is it?")).await;
    let chat = world.chat(&json!({"name": "Somebody"})).await;
    chat.say(&world, "1", "Hello").await;
    world.settled().await;
    for (account, number) in [("user-1", "2"), ("user-2", "3")] {
        let tab = world.open_chat(&world.anyone.with_token(&chat.token), &signed_in(&world, account)).await;
        Chat::of(&world, &tab.ok().unwrap()).say(&world, number, "Here I am").await;
        world.settled().await;
    }
    let (first, second) = (world.customer("account:user-1").await, world.customer("account:user-2").await);
    assert_eq!(first["linked"].as_array().unwrap().len(), 1, "the session is the first's: {first}");
    assert_ne!(second["id"], first["id"]);
    assert_eq!(second["linked"], json!([]), "{second}");
    assert_ne!(second["id"], first["linked"][0]["customer_id"], "{second}");
    world.finish().await;
}
