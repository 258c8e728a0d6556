//! What the command line does.

mod demo;
mod post;
mod replay;
mod send;
mod table;
mod watch;

use std::net::SocketAddr;
use std::path::PathBuf;

pub(crate) use demo::demo;
pub(crate) use post::post;
pub(crate) use replay::replay;
pub(crate) use send::send;
use throughline_domain::moment::Moment;
use throughline_local::client::Client;
use throughline_local::{Options, Seed, System, token as tokens};
use throughline_platform::clock::Clock;
use throughline_platform::telemetry::Metrics;
pub(crate) use watch::watch;

/// Starts the system and keeps it up until Ctrl-C.
pub(crate) async fn run(http: SocketAddr, smtp: SocketAddr, data: Option<PathBuf>, seed: Seed) -> anyhow::Result<()> {
    let token = tokens::issue(&seed.oidc, "mia", "admin", Clock::System.now())?;
    let place = data.as_ref().map_or_else(|| "memory (nothing is kept)".to_owned(), |dir| dir.display().to_string());
    let addresses = seed.addresses().collect::<Vec<_>>().join(", ");
    let metrics = Metrics::default();
    let clock = Clock::System;
    let fetcher = seed.fetcher();
    let options = Options { http, smtp, data, seed, plant: true, clock, schedule: true, relay: true, fetcher, metrics };
    let system = System::start(options).await?;
    let (http, smtp) = (system.http, system.smtp);
    println!(
        "\
Throughline is running.

  Inbox page   http://{http}/
  Example shop http://{http}/demo  (chat with the inbox from there)
  Interface    http://{http}/v1/openapi.json
  Mail in      smtp://{smtp}  for {addresses}
  Mail out     http://{http}/local/mail
  Data         {place}

A development token (an admin's, for a day; public key and all: for this machine only):

  TOKEN={token}

Try, in another terminal:

  cargo run -- send events/ingest-email/invoice.eml
  curl -s http://{http}/v1/tickets -H \"Authorization: Bearer $TOKEN\"
  cargo run -- demo

Ctrl-C stops it."
    );
    stopped().await?;
    println!("\nStopping: what was begun is finished.");
    system.stop().await;
    Ok(())
}

/// Waits until somebody stops the process: by Ctrl-C, or as service managers do.
async fn stopped() -> anyhow::Result<()> {
    #[cfg(unix)]
    {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            pressed = tokio::signal::ctrl_c() => pressed?,
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await?;
    Ok(())
}

/// Fires the breach check of the running system.
pub(crate) async fn sweep(http: SocketAddr, at: Option<Moment>) -> anyhow::Result<()> {
    let path = at.map_or_else(|| "/local/check".to_owned(), |at| format!("/local/check?at={at}"));
    let swept = Client::new(http).post(&path, &serde_json::Value::Null).await?.ok()?;
    let count = |name: &str| swept[name].as_u64().unwrap_or_default();
    println!(
        "looked at {} tickets: {} warned, {} breached, {} driven again, {} failed",
        count("looked_at"),
        count("warned"),
        count("breached"),
        count("driven"),
        count("failed")
    );
    Ok(())
}

/// Prints a development token.
pub(crate) fn token(seed: &Seed, role: &str, subject: &str) -> anyhow::Result<()> {
    println!("{}", tokens::issue(&seed.oidc, subject, role, Clock::System.now())?);
    Ok(())
}
