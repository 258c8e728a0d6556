//! A visitor's side of the chat: a session, what is written in it, what is seen.

use serde_json::{Value, json};
use throughline_local::client::Client;

use super::desk::Desk;
use super::{items, text};

/// The chat's inbox.
pub(super) const INBOX: &str = "chat";

/// A session of a visitor.
pub(super) struct Chat {
    client: Client,
    /// Its id, which stays when the visitor signs in.
    pub(super) session_id: String,
}

impl Chat {
    /// Opens a session.
    pub(super) async fn open(desk: &Desk, visitor: Value) -> anyhow::Result<Self> {
        Self::session(&desk.outside, visitor).await
    }

    /// The same visitor, who says more about themselves now.
    pub(super) async fn sign_in(&self, visitor: Value) -> anyhow::Result<Self> {
        Self::session(&self.client, visitor).await
    }

    async fn session(client: &Client, visitor: Value) -> anyhow::Result<Self> {
        let page = json!({"url": "https://shop.example.com/orders", "referrer": ""});
        let path = format!("/v1/channels/web_chat/{INBOX}/sessions");
        let opened = client.post(&path, &json!({"visitor": visitor, "page": page})).await?.ok()?;
        let session_id = text(&opened, "/session_id").to_owned();
        Ok(Self { client: client.with_token(text(&opened, "/token")), session_id })
    }

    /// Writes something; returns the message's id.
    pub(super) async fn write(&self, name: &str, said: &str) -> anyhow::Result<String> {
        let body = json!({"type": "message.create", "client_message_id": name, "text": said});
        self.client.post(&format!("/v1/channels/web_chat/{INBOX}"), &body).await?.ok()?;
        Ok(format!("{}:{name}", self.session_id))
    }

    /// Whether the visitor sees this.
    pub(super) async fn sees(&self, said: &str) -> anyhow::Result<bool> {
        let path = format!("/v1/channels/web_chat/{INBOX}/messages");
        let seen = self.client.get(&path).await?.ok()?;
        Ok(items(&seen["items"]).iter().any(|line| line["text"] == said))
    }
}
