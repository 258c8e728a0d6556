//! Any bytes as what our own channels get: messages of the chat, its sessions and their tokens, the form, business
//! systems, uploads. The first byte chooses. Read twice without a panic, with equal results; no token is taken.
#![no_main]

use libfuzzer_sys::fuzz_target;
use throughline_channels::secrets::InboxSecrets;
use throughline_channels::web_chat::{self, Session};
use throughline_channels::{portal, upload, webhook};
use throughline_domain::channel::Channel;
use throughline_domain::config::Inbox;
use throughline_domain::moment::Moment;

fn inbox(channel: Channel) -> Inbox {
    serde_json::from_value(serde_json::json!({"id": "main", "channel": channel, "country": "CH"}))
        .expect("this inbox is right")
}

fuzz_target!(|given: &[u8]| {
    let Some((first, body)) = given.split_first() else { return };
    let now = Moment::from_ms(1_795_000_000_000);
    let chat = inbox(Channel::WebChat);
    let secret = vec!["fuzzed secret that nobody guesses".to_owned()];
    let secrets = InboxSecrets { session: secret.clone(), identity: secret, ..InboxSecrets::default() };
    match first % 6 {
        0 => {
            let session = Session {
                inbox: chat.id.clone(),
                session_id: "s1".to_owned(),
                account: None,
                email: None,
                name: None,
                locale: None,
                expires_at: now.plus_ms(1),
            };
            let read = || web_chat::parse(body, &session, &chat, now);
            assert_eq!(read(), read());
        }
        1 => {
            let open = || web_chat::open(body, &chat, &secrets, "s1", None, now);
            assert_eq!(open(), open());
        }
        2 => {
            let token = String::from_utf8_lossy(body);
            assert!(web_chat::verify(&token, &chat.id, &secrets, now).is_err(), "nobody signed this");
        }
        3 => {
            let form = inbox(Channel::Portal);
            assert_eq!(portal::parse(body, &form, now), portal::parse(body, &form, now));
        }
        4 => {
            let shop = inbox(Channel::Webhook);
            assert_eq!(webhook::parse(body, "id", &shop, now), webhook::parse(body, "id", &shop, now));
        }
        _ => assert_eq!(upload::wanted(body), upload::wanted(body)),
    }
});
