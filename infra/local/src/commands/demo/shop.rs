//! The shop: posts what happens there, signed, and vouches for who is signed in.

use anyhow::Context;
use serde_json::json;
use throughline_channels::web_chat;
use throughline_domain::channel::Channel;
use throughline_domain::id::InboxId;
use throughline_local::Seed;
use throughline_local::samples::{Sample, Sender};

use super::cast::Cast;
use super::desk::Desk;

/// The shop's inbox.
pub(super) const INBOX: &str = "shop";

/// Posts that Anna has a wish for her order; returns the message's id.
pub(super) async fn post_order(desk: &Desk, cast: &Cast, seed: &Seed) -> anyhow::Result<String> {
    let now = desk.now();
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
    let sample = Sample::of(Channel::Webhook, body.to_string());
    let (answer, _) = Sender::of(&desk.outside, seed, Channel::Webhook)?.post(&sample, now).await?;
    answer.ok()?;
    Ok(id)
}

/// The proof of who is signed in that the shop's page gives to the chat.
pub(super) fn vouch(account: &str, seed: &Seed) -> anyhow::Result<String> {
    let id: InboxId = super::chat::INBOX.parse().context("the inbox's name")?;
    let secrets = seed.secrets.inboxes.get(&id).context("the seed has no secrets of the chat's inbox")?;
    let secret = secrets.identity.first().context("the chat's inbox has no identity secret")?;
    Ok(web_chat::user_hash(account, secret))
}
