//! `post FILE.json…`: posts samples of what is posted to channels, signed, to the inbox that the seed has for their channel.

use std::net::SocketAddr;
use std::path::PathBuf;

use throughline_local::Seed;
use throughline_local::client::Client;
use throughline_local::samples::{Sample, Sender};
use throughline_platform::clock::Clock;

/// Posts samples; fails if one was refused.
pub(crate) async fn post(http: SocketAddr, seed: &Seed, files: &[PathBuf]) -> anyhow::Result<()> {
    let client = Client::new(http);
    let mut refused = 0;
    for file in files {
        let (channel, sample) = Sample::read(file)?;
        let (answer, _) = Sender::of(&client, seed, channel)?.post(&sample, Clock::System.now()).await?;
        refused += usize::from(!answer.is_success());
        println!("{}  {}  ({})", file.display(), answer.status, sample.what);
    }
    anyhow::ensure!(refused == 0, "{refused} of {} samples were refused", files.len());
    Ok(())
}
