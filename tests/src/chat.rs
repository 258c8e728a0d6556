//! A visitor in the web chat.

use serde_json::{Value, json};
use throughline_local::client::{Answer, Client};

use crate::World;

/// The inbox of the chat in the seed.
pub const CHAT: &str = "chat";

/// An open chat session.
#[derive(Clone, Debug)]
pub struct Chat {
    /// The session's id.
    pub session_id: String,
    /// The bearer token.
    pub token: String,
    client: Client,
}

impl Chat {
    /// The session that an answer to a session call opened.
    pub fn of(world: &World, opened: &Value) -> Self {
        let text = |name: &str| opened[name].as_str().expect("a session").to_owned();
        let token = text("token");
        Self { session_id: text("session_id"), client: world.anyone.with_token(&token), token }
    }

    /// Writes a message under the client's own id for it; accepted.
    pub async fn say(&self, world: &World, client_message_id: &str, text: &str) -> Value {
        let answer = self.post(&Self::message(client_message_id, text)).await;
        assert_eq!(answer.status, 202, "{}", answer.json());
        world.took(crate::Accepted {
            channel: "web_chat",
            inbox: CHAT.to_owned(),
            id: format!("{}:{client_message_id}", self.session_id),
            content: text.to_owned(),
        });
        answer.json()
    }

    /// The body of a message.
    pub fn message(client_message_id: &str, text: &str) -> Value {
        json!({"type": "message.create", "client_message_id": client_message_id, "text": text})
    }

    /// Posts anything with the session's token.
    pub async fn post(&self, body: &Value) -> Answer {
        self.client.post(&format!("/v1/channels/web_chat/{CHAT}"), body).await.expect("an answer")
    }

    /// What the visitor sees after a cursor: the texts with their direction, and the next cursor.
    pub async fn see(&self, after: Option<&str>) -> (Vec<(String, String)>, Option<String>) {
        let after = after.map(|after| format!("?after={after}")).unwrap_or_default();
        let path = format!("/v1/channels/web_chat/{CHAT}/messages{after}");
        let seen = self.client.get(&path).await.and_then(|answer| answer.ok()).expect("the conversation");
        let text = |line: &Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
        let lines = seen["items"].as_array().cloned().unwrap_or_default();
        let lines = lines.iter().map(|line| (text(line, "direction"), text(line, "text"))).collect();
        (lines, seen["next"].as_str().map(str::to_owned))
    }
}
