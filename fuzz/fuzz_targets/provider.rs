//! Any bytes as the body of any provider: read twice without a panic, with equal results. The first byte chooses the
//! channel. Start from the samples: `fuzz/seeds` writes them to `fuzz/corpus/provider`.
#![no_main]

use std::borrow::Cow;

use libfuzzer_sys::fuzz_target;
use throughline_channels::provider::{Context, Provider, Request, provider};
use throughline_domain::channel::Channel;
use throughline_domain::config::Inboxes;
use throughline_domain::moment::Moment;

fuzz_target!(|given: &[u8]| {
    let Some((first, body)) = given.split_first() else { return };
    let known: Vec<(Channel, &dyn Provider)> =
        Channel::ALL.into_iter().filter_map(|channel| Some((channel, provider(channel)?))).collect();
    let (channel, provider) = known[usize::from(*first) % known.len()];
    let inboxes = serde_json::json!({"inboxes": [{"id": "main", "channel": channel, "country": "CH"}]});
    let inboxes: Inboxes = serde_json::from_value(inboxes).expect("these inboxes are right");
    let context = Context { inboxes: &inboxes, inbox: &inboxes.inboxes[0], received_at: Moment::from_ms(0) };
    let url = Cow::Owned(format!("https://desk.example/v1/channels/{channel}/main"));
    let request = Request { url, headers: Vec::new(), body: Cow::Borrowed(body) };
    assert_eq!(provider.parse(&request, &context), provider.parse(&request, &context));
    let _any = provider.answer(&request);
});
