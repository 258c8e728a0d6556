//! Providers: what they post, signed as they sign.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use throughline_channels::provider::{ChannelEvent, Context, Provider, Request, provider};
use throughline_channels::secrets::InboxSecrets;
use throughline_domain::channel::Channel;
use throughline_domain::inbound::Inbound;
use throughline_local::client::Answer;
use throughline_local::samples::{self, Sample};

use crate::{Accepted, World};

/// Everything of a channel, in a fixed order.
pub fn fixtures(channel: Channel) -> Vec<(PathBuf, Sample)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events/ingest-webhook").join(channel.as_str());
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|file| file.expect("a file").path())
        .collect();
    files.sort();
    let read = |path: PathBuf| {
        let (_, sample) = Sample::read(&path).expect("a sample");
        (path, sample)
    };
    files.into_iter().map(read).collect()
}

/// The account that most of a channel's fixtures are for; none, if most are for any.
pub fn account(channel: Channel) -> Option<String> {
    provider(channel)?;
    let mut accounts: Vec<Option<String>> = fixtures(channel).into_iter().map(|(_, posted)| posted.account).collect();
    accounts.sort();
    accounts.chunk_by(|a, b| a == b).max_by_key(|same| same.len())?.first().cloned().flatten()
}

/// The channels on which providers post, each with its provider.
pub fn all() -> impl Iterator<Item = (Channel, &'static dyn Provider)> {
    Channel::ALL.into_iter().filter_map(|channel| Some((channel, provider(channel)?)))
}

/// The secrets of the inbox that the seed has for a channel.
pub fn secrets(world: &World, channel: Channel) -> InboxSecrets {
    world.seed.secrets.inboxes[&channel.as_str().parse().expect("an inbox")].clone()
}

/// Posts a body to the inbox that the seed has for a channel, signed as its provider signs.
pub async fn post(world: &World, channel: Channel, body: Bytes) -> Answer {
    post_signed_by(world, channel, body, &secrets(world, channel)).await
}

/// The same, signed with other secrets. What is taken is remembered as accepted.
pub async fn post_signed_by(world: &World, channel: Channel, body: Bytes, secrets: &InboxSecrets) -> Answer {
    let sent = samples::post(&world.anyone, channel, channel.as_str(), secrets, world.now(), body.clone()).await;
    let (answer, headers) = sent.expect("an answer");
    if matches!(answer.status, 200 | 202) {
        let url = world.anyone.url(&format!("/v1/channels/{channel}/{channel}")).into();
        let headers = headers.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let request = Request { url, headers, body: (&body[..]).into() };
        for inbound in messages(world, channel, &request).await {
            world.took(Accepted {
                channel: inbound.message.channel.as_str(),
                inbox: inbound.message.inbox.to_string(),
                id: inbound.message.provider_message_id,
                content: inbound.fingerprint.as_str().to_owned(),
            });
        }
    }
    answer
}

/// The messages that a request brings to the inbox that the seed has for its channel.
async fn messages(world: &World, channel: Channel, request: &Request<'_>) -> Vec<Inbound> {
    let config = world.app().config().await.expect("a configuration");
    let inboxes = &config.inboxes.body;
    let inbox = inboxes.find(channel, &channel.as_str().parse().expect("an inbox")).expect("an inbox of the seed");
    let context = Context { inboxes, inbox, received_at: world.now() };
    let events = provider(channel).and_then(|provider| provider.parse(request, &context).ok());
    let said = |event| match event {
        ChannelEvent::Message(inbound) => Some(*inbound),
        _ => None,
    };
    events.into_iter().flatten().filter_map(said).collect()
}
