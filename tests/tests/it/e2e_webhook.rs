//! Signed webhooks of business systems, and everything that is not rightly signed.

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use throughline_tests::webhook::{Delivery, SHOP, message, send};
use throughline_tests::{Accepted, Mail, World, problem};

#[tokio::test]
async fn a_signed_account_is_proved_and_brings_its_mail_address() {
    let world = World::start().await;
    let requester = json!({"account": "user-1", "email": "anna@example.org", "name": "Anna"});
    send(&world, &message("order-1", &requester, "Order 1", "Where is it?")).await;
    world.settled().await;
    let ticket = world.ticket_of("webhook", SHOP, "order-1").await;
    let customer = world.customer("account:user-1").await;
    assert_eq!(customer["id"], ticket["customer_id"]);
    let verified = |kind: &str| -> Value {
        let all = customer["identifiers"].as_array().unwrap();
        all.iter()
            .find(|known| known["identifier"].as_str().unwrap_or_default().starts_with(kind) || known["kind"] == kind)
            .unwrap()["verified"]
            .clone()
    };
    assert_eq!((verified("account"), verified("email")), (true.into(), false.into()));
    // Who has only the address may match by it: the answer goes there.
    send(&world, &message("order-2", &json!({"email": "anna@example.org"}), "Order 2", "And this?")).await;
    let by_mail = world.ticket_by_mail(&Mail::from("anna@example.org").subject("By mail")).await;
    assert_eq!(world.ticket_of("webhook", SHOP, "order-2").await["customer_id"], customer["id"]);
    assert_eq!(by_mail["customer_id"], customer["id"]);
    // A phone number in a form proves nothing.
    send(&world, &message("order-3", &json!({"phone": "+4930123456"}), "Order 3", "Hm")).await;
    world.settled().await;
    assert_ne!(world.ticket_of("webhook", SHOP, "order-3").await["customer_id"], customer["id"]);
    world.finish().await;
}

#[tokio::test]
async fn a_thread_keeps_its_ticket() {
    let world = World::start().await;
    let on_thread = |id: &str, subject: &str| {
        let mut body = message(id, &json!({"account": "user-1"}), subject, "text");
        body["data"]["thread"] = "conversation-7".into();
        body
    };
    send(&world, &on_thread("a", "Green bicycle")).await;
    world.settled().await;
    send(&world, &on_thread("b", "Something else")).await;
    world.settled().await;
    let (a, b) = (world.ticket_of("webhook", SHOP, "a").await, world.ticket_of("webhook", SHOP, "b").await);
    assert_eq!(a["id"], b["id"]);
    world.finish().await;
}

#[tokio::test]
async fn a_replayed_delivery_is_one_message() {
    let world = World::start().await;
    let body = message("order-1", &json!({"account": "user-1"}), "Order 1", "Where is it?");
    for _ in 0..3 {
        send(&world, &body).await;
    }
    world.settled().await;
    send(&world, &body).await;
    world.settled().await;
    assert_eq!(world.ticket_of("webhook", SHOP, "order-1").await["message_count"], 1);
    world.finish().await;
}

#[tokio::test]
async fn what_is_not_rightly_signed_is_refused_and_not_kept() {
    let world = World::start().await;
    let body = message("order-1", &json!({"account": "user-1"}), "Order 1", "Where is it?").to_string();
    let right = Delivery::of(&world, "d-1", body);
    let other_secret = "whsec_b3RoZXI=".to_owned();
    problem(&Delivery { secret: other_secret, ..right.clone() }.post(&world).await, 401);
    problem(&Delivery { at: right.at.plus_ms(-301_000), ..right.clone() }.post(&world).await, 401);
    problem(&Delivery { at: right.at.plus_ms(302_000), ..right.clone() }.post(&world).await, 401);
    for inbox in ["nowhere", "chat", "support", "a%2Fb", "%00"] {
        problem(&Delivery { inbox: inbox.to_owned(), ..right.clone() }.post(&world).await, 404);
    }
    problem(&Delivery { inbox: "%FF".to_owned(), ..right.clone() }.post(&world).await, 400);
    let unsigned = world.anyone.send(Method::POST, "/v1/channels/webhook/shop", &[], right.body.clone()).await.unwrap();
    problem(&unsigned, 401);
    problem(&Delivery { body: Bytes::from("{\"type\": "), ..right.clone() }.post(&world).await, 400);
    problem(&Delivery { body: Bytes::from(vec![0xff, 0, 0x80, 7]), ..right.clone() }.post(&world).await, 400);
    problem(&world.anyone.get("/v1/channels/webhook/shop").await.unwrap(), 405);
    let answer = world.anyone.send(Method::DELETE, "/v1/channels/webhook/shop", &[], "").await.unwrap();
    problem(&answer, 405);
    problem(&world.anyone.post("/v1/channels/fax/shop", &Value::Null).await.unwrap(), 404);
    world.settled().await;
    assert!(world.tickets("").await.is_empty());
    assert!(world.get("/v1/quarantine").await["items"].as_array().unwrap().is_empty());
    assert_eq!(world.ledger("webhook", SHOP, "order-1").await.status, 404);
    world.finish().await;
}

#[tokio::test]
async fn a_body_of_ten_megabytes_is_refused() {
    let world = World::start().await;
    let big = Delivery::of(&world, "d-1", vec![b' '; 10 * 1024 * 1024]);
    problem(&big.post(&world).await, 413);
    let fits = Delivery { body: Bytes::from(vec![b' '; 4 * 1024 * 1024]), ..big };
    problem(&fits.post(&world).await, 400);
    world.finish().await;
}

#[tokio::test]
async fn a_large_message_goes_through_whole() {
    let world = World::start().await;
    let text = "0123456789 ".repeat(90_000);
    send(&world, &message("big", &json!({"account": "user-1"}), "Big", &text)).await;
    world.settled().await;
    let ticket = world.ticket_of("webhook", SHOP, "big").await;
    let timeline = world.timeline(&ticket).await;
    let message = &throughline_tests::event(&timeline, "message_received")["data"]["message"];
    assert_eq!(message["text"].as_str().map(str::trim), Some(text.trim()));
    world.finish().await;
}

#[tokio::test]
async fn what_is_signed_and_not_understood_is_acknowledged_and_quarantined_once() {
    let world = World::start().await;
    let odd = Delivery::of(&world, "d-1", json!({"type": "order.shipped", "data": {}}).to_string());
    for _ in 0..3 {
        assert_eq!(odd.post(&world).await.status, 202);
    }
    world.settled().await;
    let quarantine = world.get("/v1/quarantine").await;
    let items = quarantine["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "{items:#?}");
    assert_eq!((&items[0]["stage"], &items[0]["can_retry"]), (&"ingest-webhook".into(), &false.into()));
    assert!(items[0]["reason"].as_str().unwrap().contains("order.shipped"), "{items:?}");
    let (inbox, id, content) = (SHOP.to_owned(), odd.id.clone(), String::new());
    world.took(Accepted { channel: "webhook", inbox, id, content });
    world.expect_quarantine(&odd.id);
    assert!(world.tickets("").await.is_empty());
    world.finish().await;
}
