//! The web chat: visitors who are nobody, type an address, or are signed in; messages twice; looks at the conversation.

use axum::body::Body;
use futures::FutureExt;
use http::Request;
use serde_json::{Value, json};
use throughline_channels::web_chat::user_hash;

use super::{Customer, SUBJECTS, address, post, until_answered};
use crate::memory::{Fate, Seen};

const FUNCTION: &str = "ingest-webhook";
/// Path of the chat.
const CHAT: &str = "/v1/channels/web_chat/chat";

/// An open session.
#[derive(Clone, Debug)]
pub(super) struct Chat {
    session: String,
    token: String,
    /// Messages: the client's id, mark and text.
    said: Vec<(String, String, String)>,
}

impl Customer {
    /// Opens a session, or goes on in one.
    pub(super) async fn chat(&mut self) {
        if self.chats.is_empty() || self.random.chance(300) {
            let visitor = self.visitor();
            let token = self.chats.last().map(|chat| chat.token.clone()).filter(|_| self.random.chance(300));
            let Some(chat) = self.open(&visitor, token.as_deref()).await else { return };
            self.chats.push(chat);
        }
        let place = self.random.place(self.chats.len());
        if self.random.chance(250) {
            let chat = self.chats[place].clone();
            let all = (0..3).map(|_| {
                let (this, mut chat) = (&*self, chat.clone());
                async move { this.say(&mut chat).await }.boxed()
            });
            futures::future::join_all(all).await;
        }
        for _ in 0..self.random.between(1, 3) {
            let mut chat = self.chats[place].clone();
            self.say(&mut chat).await;
            if self.random.chance(400) {
                self.look(&chat).await;
            }
            self.chats[place] = chat;
        }
    }

    fn visitor(&self) -> Value {
        let identity = &self.cloud.business.secrets.inboxes[&"chat".parse().expect("an inbox")].identity[0];
        let account = format!("account-{}", self.person);
        match self.random.below(5) {
            0 => json!({"email": address(self.person)}),
            // Somebody else's address, typed.
            1 => json!({"email": address(self.other())}),
            2 | 3 => json!({"external_id": account, "user_hash": user_hash(&account, identity)}),
            _ => json!({"name": "Somebody"}),
        }
    }

    async fn open(&self, visitor: &Value, token: Option<&str>) -> Option<Chat> {
        let body = json!({"visitor": visitor, "page": {"url": "https://example.com"}}).to_string();
        let bearer = token.map(|token| format!("Bearer {token}")).unwrap_or_default();
        let headers = [("authorization", bearer.as_str())];
        let headers = if token.is_some() { &headers[..] } else { &[] };
        let path = format!("{CHAT}/sessions");
        let opened = until_answered(&self.cloud, &self.random, FUNCTION, || post(&path, headers, &body)).await;
        let (_, opened) = opened.filter(|(status, _)| status.is_success())?;
        let text = |name: &str| opened[name].as_str().unwrap_or_default().to_owned();
        let chat = Chat { session: text("session_id"), token: text("token"), said: Vec::new() };
        self.cloud.trace.line("chat", format_args!("person {} opens {}", self.person, chat.session));
        // A session that goes on keeps what was said in it.
        let before = self.chats.iter().find(|before| before.session == chat.session);
        Some(Chat { said: before.map(|before| before.said.clone()).unwrap_or_default(), ..chat })
    }

    async fn say(&self, chat: &mut Chat) {
        let (client_id, mark, text) = match self.random.below(8) {
            0 if !chat.said.is_empty() => self.random.pick(&chat.said).clone(),
            1 if !chat.said.is_empty() => {
                let (client_id, ..) = self.random.pick(&chat.said).clone();
                let (mark, text) = self.text(chat);
                (client_id, mark, text)
            }
            _ => {
                let (mark, text) = self.text(chat);
                (self.random.name(), mark, text)
            }
        };
        let body = json!({"type": "message.create", "client_message_id": client_id, "text": text}).to_string();
        let bearer = format!("Bearer {}", chat.token);
        let headers = [("authorization", bearer.as_str())];
        let answer = until_answered(&self.cloud, &self.random, FUNCTION, || post(CHAT, &headers, &body)).await;
        let accepted = answer.is_some_and(|(status, _)| status.is_success());
        self.cloud.trace.line("chat", format_args!("person {} says {mark}: {accepted}", self.person));
        if accepted {
            self.cloud.memory().accepted(&mark);
        }
        chat.said.push((client_id, mark, text));
    }

    fn text(&self, chat: &Chat) -> (String, String) {
        let mark = self.cloud.memory().sends(self.person, Some(&chat.session), Vec::new(), Fate::Recorded);
        let text = format!("{mark} {}", self.random.pick(&SUBJECTS));
        (mark, text)
    }

    /// Looks at the conversation.
    pub(super) async fn look(&self, chat: &Chat) {
        let request = || {
            Request::get(format!("{CHAT}/messages"))
                .header("authorization", format!("Bearer {}", chat.token))
                .body(Body::empty())
                .expect("a request")
        };
        let Some((_, seen)) = until_answered(&self.cloud, &self.random, FUNCTION, request).await else { return };
        for line in seen["items"].as_array().into_iter().flatten() {
            let text = line["text"].as_str().unwrap_or_default().to_owned();
            self.cloud.memory().seen.insert(Seen { session: chat.session.clone(), text });
        }
    }
}
