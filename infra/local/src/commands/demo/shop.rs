//! The shop: posts what happens there, signed, and vouches for who is signed in.

use anyhow::Context;
use serde_json::json;
use throughline_channels::secrets::InboxSecrets;
use throughline_channels::{web_chat, webhook};
use throughline_domain::id::InboxId;
use throughline_local::Seed;
use throughline_platform::clock::Clock;

use super::cast::Cast;
use super::desk::Desk;

/// The shop's inbox.
pub(super) const INBOX: &str = "shop";

/// Posts that Anna has a wish for her order; returns the message's id.
pub(super) async fn post_order(desk: &Desk, cast: &Cast, seed: &Seed) -> anyhow::Result<String> {
    let now = Clock::System.now();
    let id = format!("order-{}", cast.run);
    let body = json!({
        "type": "ticket.create",
        "timestamp": now,
        "data": {
            "external_id": id,
            "subject": format!("Gift wrap for order {}", cast.order),
            "body": "Please wrap it as a gift; it is for my sister.",
            "requester": {"account": cast.account, "email": cast.address, "name": "Anna Berg"},
            "fields": {"order": cast.order},
        },
    });
    let body = body.to_string();
    let seconds = now.ms() / 1_000;
    let secrets = secrets(seed, INBOX)?;
    let secret = secrets.webhook.first().context("the shop's inbox has no webhook secret")?;
    let signature = webhook::sign(&id, seconds, body.as_bytes(), secret).context("the webhook secret cannot sign")?;
    let seconds = seconds.to_string();
    let headers = [("webhook-id", id.as_str()), ("webhook-timestamp", &seconds), ("webhook-signature", &signature)];
    let path = format!("/v1/channels/webhook/{INBOX}");
    desk.outside.send(http::Method::POST, &path, &headers, body.clone()).await?.ok()?;
    Ok(id)
}

/// The proof of who is signed in that the shop's page gives to the chat.
pub(super) fn vouch(account: &str, seed: &Seed) -> anyhow::Result<String> {
    let secrets = secrets(seed, super::chat::INBOX)?;
    let secret = secrets.identity.first().context("the chat's inbox has no identity secret")?;
    Ok(web_chat::user_hash(account, secret))
}

fn secrets<'a>(seed: &'a Seed, inbox: &str) -> anyhow::Result<&'a InboxSecrets> {
    let id: InboxId = inbox.parse().context("the inbox's name")?;
    seed.secrets.inboxes.get(&id).with_context(|| format!("the seed has no secrets of the inbox {inbox}"))
}
