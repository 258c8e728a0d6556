//! Providers: what they post, signed as they sign.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use throughline_channels::portal::{self, Posted};
use throughline_channels::provider::{ChannelEvent, Context, Provider, Request, provider};
use throughline_channels::{web_chat, webhook};
use throughline_domain::channel::Channel;
use throughline_domain::config::Inbox;
use throughline_domain::id::InboxId;
use throughline_domain::inbound::Inbound;
use throughline_local::client::Answer;
use throughline_local::samples::{self, Sample, Sender};

use crate::{Accepted, World};

/// Everything of a channel, in a fixed order.
pub fn fixtures(channel: Channel) -> Vec<(PathBuf, Sample)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(samples::FOLDER);
    Sample::all(&folder, channel).unwrap_or_else(|error| panic!("{error:#}"))
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

/// Who posts to the inbox that the seed has for a channel.
pub fn sender(world: &World, channel: Channel) -> Sender {
    Sender::of(&world.anyone, &world.seed, channel).expect("an inbox")
}

/// Posts a body to the inbox that the seed has for a channel, signed as its provider signs.
pub async fn post(world: &World, channel: Channel, body: Bytes) -> Answer {
    post_by(world, &sender(world, channel), &Sample::of(channel, body)).await
}

/// Posts a sample by a sender. What is taken is remembered as accepted.
pub async fn post_by(world: &World, sender: &Sender, sample: &Sample) -> Answer {
    let (answer, headers) = sender.post(sample, world.now()).await.expect("an answer");
    if answer.is_success() {
        let (url, channel) = (world.anyone.url(&sender.path()).into(), sender.channel);
        let headers = headers.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let request = Request { url, headers, body: (&sample.raw[..]).into() };
        for inbound in messages(world, channel, &sender.inbox, &request).await {
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

/// The messages that a request brings to an inbox.
async fn messages(world: &World, channel: Channel, inbox: &InboxId, request: &Request<'_>) -> Vec<Inbound> {
    let config = world.app().config().await.expect("a configuration");
    let inboxes = &config.inboxes.body;
    let inbox = inboxes.find(channel, inbox).expect("an inbox of the seed");
    let context = Context { inboxes, inbox, received_at: world.now() };
    let Some(provider) = provider(channel) else { return ours(world, request, inbox).into_iter().collect() };
    let events = provider.parse(request, &context).ok();
    let said = |event| match event {
        ChannelEvent::Message(inbound) => Some(*inbound),
        _ => None,
    };
    events.into_iter().flatten().filter_map(said).collect()
}

/// The message that one of our own clients posts.
fn ours(world: &World, request: &Request<'_>, inbox: &Inbox) -> Option<Inbound> {
    let (body, now) = (&request.body, world.now());
    match inbox.channel {
        Channel::Webhook => webhook::parse(body, request.header(webhook::ID)?, inbox, now).ok(),
        Channel::Portal => match portal::parse(body, inbox, now).ok()? {
            Posted::Message(inbound) => Some(*inbound),
            Posted::Robot => None,
        },
        Channel::WebChat => {
            let token = request.header("authorization")?.strip_prefix("Bearer ")?;
            let session = web_chat::verify(token, &inbox.id, world.seed.secrets.inboxes.get(&inbox.id)?, now).ok()?;
            web_chat::parse(body, &session, inbox, now).ok()
        }
        _ => None,
    }
}
