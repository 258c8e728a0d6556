//! A business system that posts signed webhooks.

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use throughline_channels::webhook::sign;
use throughline_domain::moment::Moment;
use throughline_local::client::Answer;

use crate::{Accepted, World};

/// The inbox of webhooks in the seed.
pub const SHOP: &str = "shop";

/// A delivery, to be signed; rightly, unless a test changes something.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Where to.
    pub inbox: String,
    /// `webhook-id`.
    pub id: String,
    /// `webhook-timestamp`.
    pub at: Moment,
    /// With which secret.
    pub secret: String,
    /// The body.
    pub body: Bytes,
}

impl Delivery {
    /// A right delivery of a body.
    pub fn of(world: &World, id: &str, body: impl Into<Bytes>) -> Self {
        let inbox = SHOP.parse().expect("an inbox");
        let secret = world.seed.secrets.inboxes[&inbox].webhook[0].clone();
        Self { inbox: SHOP.to_owned(), id: id.to_owned(), at: world.now(), secret, body: body.into() }
    }

    /// Posts it.
    pub async fn post(&self, world: &World) -> Answer {
        let at = self.at.ms() / 1_000;
        let signature = sign(&self.id, at, &self.body, &self.secret).expect("a usable secret");
        let at = at.to_string();
        let headers = [("webhook-id", self.id.as_str()), ("webhook-timestamp", &at), ("webhook-signature", &signature)];
        let path = format!("/v1/channels/webhook/{}", self.inbox);
        world.anyone.send(Method::POST, &path, &headers, self.body.clone()).await.expect("an answer")
    }
}

/// The body of a message of somebody.
pub fn message(external_id: &str, requester: &Value, subject: &str, body: &str) -> Value {
    json!({
        "type": "message.create",
        "data": {"external_id": external_id, "requester": requester, "subject": subject, "body": body},
    })
}

/// Posts a message, signed; accepted.
pub async fn send(world: &World, body: &Value) -> Answer {
    let external_id = body["data"]["external_id"].as_str().expect("an external id").to_owned();
    let answer = Delivery::of(world, &format!("delivery-{external_id}"), body.to_string()).post(world).await;
    assert_eq!(answer.status, 202, "{}", answer.json());
    let content = body["data"].to_string();
    world.took(Accepted { channel: "webhook", inbox: SHOP.to_owned(), id: external_id, content });
    answer
}
