//! Any bytes as a request of any provider, unsigned: its headers and query never make `verify` or `handshake` panic, and
//! nothing that was not signed is taken. The first byte chooses the channel; lines `name: value` are the headers, `?…` the
//! query, and what follows an empty line is the body.
#![no_main]

use std::borrow::Cow;

use libfuzzer_sys::fuzz_target;
use throughline_channels::provider::{Provider, Request, provider};
use throughline_channels::secrets::InboxSecrets;
use throughline_domain::channel::Channel;
use throughline_domain::moment::Moment;

fuzz_target!(|given: &[u8]| {
    let Some((first, rest)) = given.split_first() else { return };
    let known: Vec<&dyn Provider> = Channel::ALL.into_iter().filter_map(provider).collect();
    let provider = known[usize::from(*first) % known.len()];
    let (head, body) = match rest.windows(2).position(|two| two == b"\n\n") {
        Some(at) => (&rest[..at], &rest[at + 2..]),
        None => (rest, &rest[rest.len()..]),
    };
    let head = String::from_utf8_lossy(head);
    let mut request = Request { url: "https://desk.example/v1/channels/x/main".into(), ..Request::default() };
    for line in head.lines() {
        if line.starts_with('?') {
            request.url = Cow::Owned(format!("https://desk.example/v1/channels/x/main{line}"));
        } else if let Some((name, value)) = line.split_once(": ") {
            request.headers.push((Cow::Owned(name.to_ascii_lowercase()), Cow::Borrowed(value)));
        }
    }
    request.body = Cow::Borrowed(body);
    // Nobody guesses this, so nothing is rightly signed with it.
    let secret = "whsec_ZnV6emVkLXNlY3JldC10aGF0LW5vYm9keS1ndWVzc2Vz".to_owned();
    let secrets = InboxSecrets {
        webhook: vec![secret.clone()],
        signing: vec![secret.clone()],
        verify_token: vec![secret],
        ..InboxSecrets::default()
    };
    let now = Moment::from_ms(1_795_000_000_000);
    assert!(provider.verify(&request, &secrets, now).is_err(), "nobody signed this");
    let _any = provider.handshake(&request, &secrets);
    assert!(provider.verify(&request, &InboxSecrets::default(), now).is_err(), "without a secret nothing is signed");
});
