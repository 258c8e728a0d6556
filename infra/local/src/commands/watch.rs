//! `watch`.

use std::net::SocketAddr;

use throughline_local::Seed;

pub(crate) async fn watch(_http: SocketAddr, _seed: &Seed) -> anyhow::Result<()> {
    anyhow::bail!("not written yet")
}
