//! `post FILE.json…`: posts samples of what providers post, signed, to the inbox that the seed has for their channel.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use throughline_local::Seed;
use throughline_local::client::Client;
use throughline_local::samples::{self, Sample};
use throughline_platform::clock::Clock;

/// Posts samples; fails if one was refused.
pub(crate) async fn post(http: SocketAddr, seed: &Seed, files: &[PathBuf]) -> anyhow::Result<()> {
    let client = Client::new(http);
    let mut refused = 0;
    for file in files {
        let (channel, sample) = Sample::read(file)?;
        let inbox = seed.inboxes.inboxes.iter().find(|inbox| inbox.channel == channel);
        let inbox = inbox.with_context(|| format!("there is no inbox on {channel}"))?;
        let secrets = seed.secrets.inboxes.get(&inbox.id).cloned().unwrap_or_default();
        let (id, now) = (inbox.id.as_str(), Clock::System.now());
        let (answer, _) = samples::post(&client, channel, id, &secrets, now, sample.raw()).await?;
        refused += usize::from(!matches!(answer.status, 200 | 202));
        println!("{}  {}  ({})", file.display(), answer.status, sample.what);
    }
    anyhow::ensure!(refused == 0, "{refused} of {} samples were refused", files.len());
    Ok(())
}
