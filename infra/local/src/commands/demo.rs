//! `demo`: a short day of a helpdesk, played against the running system, and what became of it.

mod arrivals;
mod cast;
mod chat;
mod desk;
mod mail;
mod parcel;
mod progress;
mod shop;
mod story;
mod time;
mod timeline;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use throughline_local::client::Client;
use throughline_local::{Options, Seed, System};

use cast::Cast;
use desk::Desk;
use time::Time;

/// Longest wait for a system to say that it is there.
const HEALTH_PATIENCE: Duration = Duration::from_secs(3);

/// Plays the day; fails if a step does not have its effect.
pub(crate) async fn demo(http: SocketAddr, smtp: SocketAddr, seed: Seed) -> anyhow::Result<()> {
    if runs(http).await? {
        println!("A short day, played against the system on {http}.\n");
        play(http, smtp, &seed, Time::of_the_machine()).await?;
        println!("\nLook around: http://{http}/ (inbox page), `cargo run -- watch`.");
        return Ok(());
    }
    let time = Time::from_two();
    let system = System::start(Options { seed: seed.clone(), clock: time.clock(), ..Options::for_test()? }).await?;
    println!("Nothing runs on {http}: a short day, played against a system in memory for the time of the demo.");
    println!("Its clock is the demo's: it is two in the afternoon, and hours pass between the steps.\n");
    let played = play(system.http, system.smtp, &seed, time).await;
    system.stop().await;
    played?;
    println!("\nNothing of this is kept. To look around in it: `cargo run` in one terminal, the demo in another.");
    Ok(())
}

async fn play(http: SocketAddr, smtp: SocketAddr, seed: &Seed, time: Time) -> anyhow::Result<()> {
    let mut desk = Desk::new(http, smtp, seed, time)?;
    let cast = Cast::fresh();
    story::play(&mut desk, &cast, seed).await.context("the demo stops here: a step did not have its effect")?;
    timeline::print(&desk, &cast).await?;
    arrivals::play(&desk, seed).await.context("the demo stops here: a sample was not taken")
}

/// Whether Throughline answers there. Something else that answers is an error.
async fn runs(http: SocketAddr) -> anyhow::Result<bool> {
    let client = Client::new(http);
    let asked = tokio::time::timeout(HEALTH_PATIENCE, client.get("/v1/health")).await;
    match asked.with_context(|| format!("what listens on {http} does not answer; choose another with `--http`"))? {
        Err(_nobody) => Ok(false),
        Ok(answer) if answer.json()["status"] == "ok" => Ok(true),
        Ok(answer) => {
            let says = answer.json()["detail"].as_str().map_or_else(String::new, |detail| format!(" ({detail})"));
            anyhow::bail!("what answers on {http} is not a healthy Throughline: status {}{says}", answer.status)
        }
    }
}

/// A text in a JSON document; empty when there is none.
fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The items of a list; none when it is no list.
fn items(list: &Value) -> &[Value] {
    list.as_array().map(Vec::as_slice).unwrap_or_default()
}
