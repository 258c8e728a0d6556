//! Any bytes as a mail: read twice without a panic, with equal results. Start from the samples in `tests/fixtures/mail`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use throughline_channels::email::{self, Delivery};
use throughline_domain::config::Inboxes;
use throughline_domain::moment::Moment;

fuzz_target!(|raw: &[u8]| {
    let inboxes: Inboxes =
        serde_json::from_str(r#"{"inboxes":[{"id":"support","channel":"email","address":"support@shop.example"}]}"#)
            .expect("these inboxes are right");
    let recipients = ["support@shop.example".to_owned()];
    let delivery = Delivery {
        raw,
        object_key: "raw/1",
        received_at: Moment::from_ms(0),
        envelope_from: None,
        recipients: &recipients,
        authentication: None,
    };
    let once = email::read(&delivery, &inboxes, &[]).expect("the recipient is ours");
    let again = email::read(&delivery, &inboxes, &[]).expect("the recipient is ours");
    assert_eq!(once, again);
    let listed: Vec<_> = email::files(raw).into_iter().map(|(file, _)| file).collect();
    assert_eq!(listed, once.message.attachments);
});
