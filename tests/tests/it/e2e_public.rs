//! What customers write for everybody to see: answered in public without telling anything, gone on with in private, one ticket.

use bytes::Bytes;
use serde_json::{Value, json};
use throughline_domain::channel::Channel;
use throughline_tests::{Mail, World, count, event, problem, provider};

/// A comment on a post of ours.
fn instagram_comment(by: &str, id: &str, text: &str) -> Value {
    json!({"field": "comments", "value": {"id": id, "from": {"id": by, "username": "carla"}, "text": text,
        "media": {"id": "m1"}}})
}

/// A direct message.
fn instagram_message(by: &str, id: &str, text: &str) -> Value {
    json!({"sender": {"id": by}, "recipient": {"id": "us"}, "timestamp": 1_795_183_200_000_i64,
        "message": {"mid": id, "text": text}})
}

async fn post_instagram(world: &World, list: &str, entry: Value) {
    let mut body = json!({"object": "instagram", "entry": [{"time": 1_795_183_205_000_i64, "id": "us"}]});
    body["entry"][0][list] = json!([entry]);
    let answer = provider::post(world, Channel::Instagram, Bytes::from(body.to_string())).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    world.settled().await;
}

#[tokio::test]
async fn who_comments_in_public_and_goes_on_in_private_has_one_ticket() {
    let world = World::start().await;
    post_instagram(&world, "changes", instagram_comment("5001", "c1", "Where is my parcel?")).await;
    post_instagram(&world, "messaging", instagram_message("5001", "d1", "The order is 4711.")).await;
    post_instagram(&world, "changes", instagram_comment("5002", "c2", "Mine is late, too.")).await;
    let ticket = world.ticket_of("instagram", "instagram", "c1").await;
    assert_eq!(world.ticket_of("instagram", "instagram", "d1").await["id"], ticket["id"]);
    assert_ne!(world.ticket_of("instagram", "instagram", "c2").await["id"], ticket["id"], "a stranger under the post");
    let timeline = world.timeline(&ticket).await;
    let seen: Vec<(&Value, &Value)> = timeline
        .iter()
        .filter(|event| event["kind"] == "message_received")
        .map(|event| (&event["data"]["message"]["text"], &event["data"]["message"]["visibility"]))
        .collect();
    let (public, private) = (json!("public"), json!("private"));
    assert_eq!(
        seen,
        [(&json!("Where is my parcel?"), &public), (&json!("The order is 4711."), &private)],
        "each stays what it was"
    );
    world.finish().await;
}

async fn post(world: &World, channel: Channel, body: &Value) {
    let answer = provider::post(world, channel, Bytes::from(body.to_string())).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    world.settled().await;
}

fn id(ticket: &Value) -> &str {
    ticket["id"].as_str().unwrap()
}

/// The message of a reply with this body.
async fn replied(world: &World, ticket: &Value, body: &Value) -> Value {
    let answer = world.post(&format!("/v1/tickets/{}/replies", id(ticket)), body).await;
    event(answer["events"].as_array().unwrap(), "reply_sent")["data"]["message"].clone()
}

/// What is wrong with a reply: where, and its words.
async fn refused(world: &World, ticket: &Value, body: &Value) -> (String, String) {
    let answer = world.agent.post(&format!("/v1/tickets/{}/replies", id(ticket)), body).await.unwrap();
    let fault = problem(&answer, 422)["errors"][0].clone();
    (fault["pointer"].as_str().unwrap().to_owned(), fault["detail"].as_str().unwrap().to_owned())
}

/// The kind, channel, recipients and visibility of a message.
fn way(message: &Value) -> Value {
    json!([message["channel"], message["to"], message["visibility"]])
}

#[tokio::test]
async fn a_post_on_x_is_answered_in_public_and_gone_on_with_in_private() {
    let world = World::start().await;
    let user = json!({"id_str": "2001", "name": "Anna Berg", "screen_name": "anna"});
    let post_of = |number: &str, text: &str| {
        json!({"for_user_id": "1", "tweet_create_events": [{"id_str": number, "text": text, "user": user,
            "in_reply_to_user_id_str": "1", "timestamp_ms": "1795183200000"}]})
    };
    post(&world, Channel::X, &post_of("9001", "My lamp ORD-004711 came broken, and nobody answers!")).await;
    let ticket = world.ticket_of("x", "x", "9001").await;
    assert_eq!((&ticket["visibility"], &ticket["public_channel"]), (&json!("public"), &json!("x")));

    // An answer is as public as the post, and so tells nothing.
    let (pointer, detail) = refused(&world, &ticket, &json!({"text": "Your order ord-004711 is on its way."})).await;
    assert_eq!(pointer, "/text");
    assert!(detail.contains("ORD-004711"), "{detail}");
    let public = replied(&world, &ticket, &json!({"text": "We are sorry. Please write us a direct message."})).await;
    assert_eq!((way(&public), &public["quoted_message_id"]), (json!(["x", ["x:2001"], "public"]), &json!("9001")));

    let message = json!({"for_user_id": "1", "direct_message_events": [{"type": "message_create", "id": "9002",
        "created_timestamp": "1795183260000", "message_create": {"target": {"recipient_id": "1"}, "sender_id": "2001",
        "message_data": {"text": "Here I am."}}}]});
    post(&world, Channel::X, &message).await;
    let ticket = world.ticket(id(&ticket)).await;
    assert_eq!(world.ticket_of("x", "x", "9002").await["id"], ticket["id"], "one ticket");
    assert_eq!((&ticket["visibility"], &ticket["public_channel"]), (&json!("private"), &json!("x")));
    let private = replied(&world, &ticket, &json!({"text": "Your order ORD-004711 is on its way."})).await;
    assert_eq!(way(&private), json!(["x", ["x:2001"], "private"]), "everything can be said");

    // A further post does not turn what was private to everybody; who asks for it can answer it in public.
    post(&world, Channel::X, &post_of("9003", "Thank you!")).await;
    assert_eq!(world.ticket(id(&ticket)).await["visibility"], "private");
    assert_eq!(way(&replied(&world, &ticket, &json!({"text": "Still ORD-004711."})).await)[2], "private");
    let thanks = replied(&world, &ticket, &json!({"text": "You are welcome!", "visibility": "public"})).await;
    assert_eq!((way(&thanks)[2].clone(), &thanks["quoted_message_id"]), (json!("public"), &json!("9003")));
    world.finish().await;
}

/// What Anna comments on the page.
fn comment() -> Value {
    json!({"object": "page", "entry": [{"id": "p1", "time": 1_795_183_205, "changes": [{"field": "feed",
        "value": {"item": "comment", "verb": "add", "comment_id": "9_1", "post_id": "p1_9", "parent_id": "p1_9",
            "created_time": 1_795_183_200, "from": {"id": "7001", "name": "Anna Berg"}, "message": "Mine broke, too."}}]}]})
}

/// What she writes in Messenger, where Meta calls her otherwise.
fn message(number: &str, text: &str) -> Value {
    json!({"object": "page", "entry": [{"id": "p1", "time": 1_795_183_300_000_i64, "messaging": [
        {"sender": {"id": "8001"}, "recipient": {"id": "p1"}, "timestamp": 1_795_183_300_000_i64,
         "message": {"mid": number, "text": text}}]}]})
}

#[tokio::test]
async fn a_comment_on_a_page_goes_on_in_messenger_on_one_ticket() {
    let world = World::start().await;
    post(&world, Channel::Facebook, &comment()).await;
    let ticket = world.ticket_of("facebook", "facebook", "9_1").await;
    // Who comments can be written to in private, by the comment.
    let private = replied(&world, &ticket, &json!({"text": "What happened?", "visibility": "private"})).await;
    assert_eq!(way(&private), json!(["messenger", ["facebook:7001"], "private"]));
    assert_eq!((&private["quoted_message_id"], &private["inbox"]), (&json!("9_1"), &json!("messenger")));

    // Meta names the same person by another id in Messenger: known to be one, they have one ticket.
    post(&world, Channel::Messenger, &message("m1", "Hello")).await;
    let apart = world.ticket_of("messenger", "messenger", "m1").await;
    assert_ne!(apart["id"], ticket["id"], "nobody knows that it is her");
    let path = format!("/v1/customers/{}/link", ticket["customer_id"].as_str().unwrap());
    world.post(&path, &json!({"customer_id": apart["customer_id"], "because": "she said so"})).await;
    world.post(&format!("/v1/tickets/{}/status", id(&apart)), &json!({"status": "resolved"})).await;
    post(&world, Channel::Messenger, &message("m2", "The hinge broke.")).await;
    let after = world.ticket_of("messenger", "messenger", "m2").await;
    assert_eq!(after["id"], ticket["id"], "{after}");
    let timeline = world.timeline(&ticket).await;
    let came = timeline.iter().rfind(|event| event["kind"] == "message_received").unwrap();
    assert_eq!(came["decision"]["rule"], "gone_private", "{came}");
    assert_eq!(after["visibility"], "private");
    let further = replied(&world, &ticket, &json!({"text": "We send another one."})).await;
    assert_eq!(way(&further), json!(["messenger", ["messenger:8001"], "private"]));
    assert_eq!(count(&world.timeline(&ticket).await, "reply_sent"), 2);
    world.finish().await;
}

#[tokio::test]
async fn who_wrote_in_public_goes_on_where_their_ticket_was_merged_into() {
    let world = World::start().await;
    post(&world, Channel::Facebook, &comment()).await;
    let commented = world.ticket_of("facebook", "facebook", "9_1").await;
    let by_mail = world.ticket_by_mail(&Mail::from("anna@example.org").subject("The lamp")).await;
    post(&world, Channel::Messenger, &message("m1", "Hello")).await;
    let apart = world.ticket_of("messenger", "messenger", "m1").await;
    world.post(&format!("/v1/tickets/{}/status", id(&apart)), &json!({"status": "resolved"})).await;
    for other in [&commented, &by_mail] {
        let path = format!("/v1/customers/{}/link", apart["customer_id"].as_str().unwrap());
        world.post(&path, &json!({"customer_id": other["customer_id"], "because": "she said so"})).await;
    }
    world.post(&format!("/v1/tickets/{}/merge", id(&commented)), &json!({"into": by_mail["id"]})).await;
    post(&world, Channel::Messenger, &message("m2", "Hello")).await;
    assert_eq!(world.ticket_of("messenger", "messenger", "m2").await["id"], by_mail["id"]);
    let timeline = world.timeline(&by_mail).await;
    let came = timeline.iter().rfind(|event| event["kind"] == "message_received").unwrap();
    assert_eq!(came["decision"]["rule"], "gone_private", "{came}");
    world.finish().await;
}

#[tokio::test]
async fn what_came_in_private_is_not_answered_in_public() {
    let world = World::start().await;
    let ticket = world.ticket_by_mail(&Mail::from("anna@example.org")).await;
    assert_eq!((&ticket["visibility"], &ticket["public_channel"]), (&json!("private"), &Value::Null));
    let (pointer, detail) = refused(&world, &ticket, &json!({"text": "x", "visibility": "public"})).await;
    assert_eq!(pointer, "/visibility");
    assert!(detail.contains("did not write in public"), "{detail}");
    let told = json!({"text": "We wrote to you.", "visibility": "private"});
    assert_eq!(way(&replied(&world, &ticket, &told).await), json!(["email", ["email:anna@example.org"], "private"]));
    world.finish().await;
}
