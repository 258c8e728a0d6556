//! A customer on LINE, who takes some of their messages back; what takes a message back may come before it.

use serde_json::{Value, json};
use throughline_channels::provider::{Request, provider};
use throughline_domain::channel::Channel;

use super::{Customer, post, until_answered};
use crate::memory::Fate;

/// Path of the inbox.
const LINE: &str = "/v1/channels/line/line";

impl Customer {
    /// Writes a message, and perhaps takes it back; each may be posted twice.
    pub(super) async fn write_on_line(&mut self) {
        let id = self.random.name();
        let mark = self.cloud.memory().sends(self.person, None, Vec::new(), Fate::Recorded);
        let said = json!({"type": "message", "message": {"id": id, "type": "text", "text": format!("{mark} by LINE")}});
        let taken_back = json!({"type": "unsend", "unsend": {"messageId": id}});
        let mut posts = vec![said];
        if self.random.chance(400) {
            let place = self.random.place(2);
            posts.insert(place, taken_back);
        }
        if self.random.chance(300) {
            let again = self.random.pick(&posts).clone();
            posts.push(again);
        }
        for event in posts {
            let is_message = event["type"] == "message";
            if self.posts(event, &id).await {
                let mut memory = self.cloud.memory();
                if is_message { memory.accepted(&mark) } else { memory.took_back(&mark) }
            }
        }
    }

    async fn posts(&mut self, mut event: Value, id: &str) -> bool {
        let kind = event["type"].as_str().unwrap_or_default().to_owned();
        event["webhookEventId"] = json!(format!("{kind}-{id}"));
        event["source"] = json!({"type": "user", "userId": format!("U{}", self.person)});
        let body = json!({"destination": "U", "events": [event]}).to_string();
        let secrets = self.cloud.business.secrets.inboxes[&"line".parse().expect("an inbox")].clone();
        let unsigned = Request { url: LINE.into(), headers: Vec::new(), body: body.as_bytes().into() };
        let known = provider(Channel::Line).expect("a provider");
        let signed = known.sign(&unsigned, &secrets, self.cloud.now()).expect("a secret");
        let headers: Vec<(&str, &str)> = signed.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let request = || post(LINE, &headers, &body);
        let answer = until_answered(&self.cloud, &self.random, "ingest-webhook", request).await;
        let accepted = answer.is_some_and(|(status, _)| status.is_success());
        self.cloud.trace.line("line", format_args!("person {} {kind} {id}: {accepted}", self.person));
        accepted
    }
}
