//! A visitor in the web chat.

use http::Method;
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

    /// Asks for a form for a file of this size.
    pub async fn ask_upload(&self, filename: &str, content_type: &str, size: usize) -> Answer {
        let wanted = json!({"filename": filename, "content_type": content_type, "size": size});
        self.client.post(&format!("/v1/channels/web_chat/{CHAT}/uploads"), &wanted).await.expect("an answer")
    }

    /// Uploads a file; gives it as a message names it.
    pub async fn upload(&self, filename: &str, content_type: &str, bytes: &[u8]) -> Value {
        let form = self.ask_upload(filename, content_type, bytes.len()).await;
        assert_eq!(form.status, 201, "{}", form.json());
        let form = form.json();
        let put = post_form(&form["url"], &form["fields"], bytes).await;
        assert_eq!(put.status, 204, "{}", String::from_utf8_lossy(&put.body));
        json!({"upload_id": form["upload_id"], "filename": filename, "content_type": content_type, "size": bytes.len()})
    }

    /// The body of a message with files.
    pub fn with_files(client_message_id: &str, text: &str, files: &[Value]) -> Value {
        let mut message = Self::message(client_message_id, text);
        message["attachments"] = json!(files);
        message
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

/// Posts a form as a browser does (RFC 7578): its fields, and after them the file.
pub async fn post_form(url: &Value, fields: &Value, file: &[u8]) -> Answer {
    const BOUNDARY: &str = "----WebKitFormBoundary7MA4YWxkTrZu0gW";
    let mut body = Vec::with_capacity(file.len() + 4_096);
    for (name, value) in fields.as_object().expect("fields") {
        let value = value.as_str().expect("a text");
        let part = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    let part = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    body.extend_from_slice(part.as_bytes());
    body.extend_from_slice(file);
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    let url = url.as_str().expect("an address");
    let (host, path) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("an HTTP address");
    let client = Client::new(host.parse().expect("an address of this machine"));
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let headers = [("content-type", content_type.as_str()), ("origin", "https://shop.example")];
    client.send(Method::POST, &format!("/{path}"), &headers, body).await.expect("an answer")
}
