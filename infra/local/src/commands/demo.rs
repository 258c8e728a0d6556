//! `demo`.

use std::net::SocketAddr;

use throughline_local::Seed;

pub(crate) async fn demo(_http: SocketAddr, _smtp: SocketAddr, _seed: Seed) -> anyhow::Result<()> {
    anyhow::bail!("not written yet")
}
