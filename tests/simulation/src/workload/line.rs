//! A customer on LINE, who writes some of their messages anew and takes some back; either may come before the message.

use serde_json::{Value, json};
use throughline_channels::provider::{Request, provider};
use throughline_domain::channel::Channel;

use super::{Customer, post, until_answered};
use crate::memory::Fate;

/// Path of the inbox.
const LINE: &str = "/v1/channels/line/line";

/// What one post tells.
#[derive(Clone)]
enum Told {
    Said,
    Edited { mark: String },
    TakenBack,
}

impl Customer {
    /// Writes a message, and perhaps writes it anew or takes it back, which may come before it; each may be posted twice, or with
    /// the others as one.
    pub(super) async fn write_on_line(&mut self) {
        let id = self.random.name();
        let mark = self.cloud.memory().sends(self.person, None, Vec::new(), Fate::Recorded);
        let text = |mark: &str| json!({"id": id, "type": "text", "text": format!("{mark} by LINE")});
        let said = json!({"type": "message", "webhookEventId": format!("message-{id}"), "message": text(&mark)});
        let mut posts = vec![(Told::Said, said)];
        if self.random.chance(400) {
            let event = format!("unsend-{id}");
            let taken_back = json!({"type": "unsend", "webhookEventId": event, "unsend": {"messageId": id}});
            posts.insert(self.random.place(2), (Told::TakenBack, taken_back));
        }
        for _ in 0..self.random.below(3) {
            let new = self.cloud.memory().edits(&mark);
            let event = format!("edit-{}", self.random.name());
            let edited = json!({"type": "messageEdited", "webhookEventId": event, "message": text(&new)});
            let place = self.random.place(posts.len() + 1);
            posts.insert(place, (Told::Edited { mark: new }, edited));
        }
        if self.random.chance(300) {
            let again = self.random.pick(&posts).clone();
            posts.push(again);
        }
        // LINE may save up what happens and post it as one.
        let at_once = if self.random.chance(300) { posts.len() } else { 1 };
        for posts in posts.chunks(at_once) {
            let (told, events): (Vec<_>, Vec<_>) = posts.iter().cloned().unzip();
            let accepted = self.posts(events).await;
            for told in told.into_iter().filter(|_| accepted) {
                let mut memory = self.cloud.memory();
                match told {
                    Told::Said => memory.accepted(&mark),
                    Told::Edited { mark } => memory.edited(&mark),
                    Told::TakenBack => memory.took_back(&mark),
                }
            }
        }
    }

    async fn posts(&mut self, mut events: Vec<Value>) -> bool {
        for event in &mut events {
            event["source"] = json!({"type": "user", "userId": format!("U{}", self.person)});
        }
        let names: Vec<&str> = events.iter().filter_map(|event| event["webhookEventId"].as_str()).collect();
        let names = names.join(" ");
        let body = json!({"destination": "U", "events": events}).to_string();
        let secrets = self.cloud.business.secrets.inboxes[&"line".parse().expect("an inbox")].clone();
        let unsigned = Request { url: LINE.into(), headers: Vec::new(), body: body.as_bytes().into() };
        let known = provider(Channel::Line).expect("a provider");
        let signed = known.sign(&unsigned, &secrets, self.cloud.now()).expect("a secret");
        let headers: Vec<(&str, &str)> = signed.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let request = || post(LINE, &headers, &body);
        let answer = until_answered(&self.cloud, &self.random, "ingest-webhook", request).await;
        let accepted = answer.is_some_and(|(status, _)| status.is_success());
        self.cloud.trace.line("line", format_args!("person {} {names}: {accepted}", self.person));
        accepted
    }
}
