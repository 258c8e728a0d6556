//! Any text as the body of a mail: what counts as newly written is lines of the text, in order.
#![no_main]

use libfuzzer_sys::fuzz_target;
use throughline_channels::email::{self, Delivery};
use throughline_domain::config::Inboxes;
use throughline_domain::moment::Moment;

fuzz_target!(|text: &str| {
    let inboxes: Inboxes =
        serde_json::from_str(r#"{"inboxes":[{"id":"support","channel":"email","address":"support@shop.example"}]}"#)
            .expect("these inboxes are right");
    let recipients = ["support@shop.example".to_owned()];
    let raw = format!("From: anna@example.com\nContent-Type: text/plain; charset=utf-8\n\n{text}");
    let delivery = Delivery {
        raw: raw.as_bytes(),
        object_key: "raw/1",
        received_at: Moment::from_ms(0),
        envelope_from: None,
        recipients: &recipients,
        authentication: None,
    };
    let message = email::read(&delivery, &inboxes, &[]).expect("the recipient is ours").message;
    if let Some(reply) = message.reply_text {
        let mut lines = message.text.lines().map(str::trim_end);
        for line in reply.lines().map(str::trim_end) {
            assert!(lines.any(|given| given == line), "{line:?} is not in the text, or not there");
        }
    }
});
