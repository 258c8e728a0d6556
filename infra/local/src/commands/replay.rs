//! `replay`: folds every ticket again from its log, and compares what is stored with it.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;
use serde_json::Value;
use throughline_aws::{Aws, AwsError};
use throughline_domain::replay::Difference;
use throughline_local::TABLE;
use throughline_local::client::Client;
use throughline_local::replay::ReplayReport;
use throughline_platform::clients::Clients;
use throughline_platform::clock::Clock;
use throughline_store::{Replayed, Store};

/// Replays the data folder, or asks the system that runs on it; fails when something differs.
pub(crate) async fn replay(http: SocketAddr, data: Option<&Path>) -> anyhow::Result<()> {
    let replayed = match data {
        None => ask(http).await?,
        Some(dir) => {
            anyhow::ensure!(dir.is_dir(), "there is no data folder {}: nothing was ever kept there", dir.display());
            match Aws::open(dir) {
                Ok(aws) => read(&aws).await?,
                Err(AwsError::Folder { source, .. }) if source.kind() == ErrorKind::WouldBlock => ask(http).await?,
                Err(error) => return Err(error).with_context(|| format!("the data folder {}", dir.display())),
            }
        }
    };
    let Replayed { tickets, commits, differences } = replayed;
    println!("{tickets} tickets folded from {commits} commits: {differences} differences");
    anyhow::ensure!(differences == 0, "what is stored is not what the logs say");
    Ok(())
}

/// Nothing runs on the folder: its table is read here.
async fn read(aws: &Aws) -> anyhow::Result<Replayed> {
    let store = Store::new(Clients::new(&aws.sdk_config()).dynamodb, TABLE);
    store.replay(Clock::System.now(), &mut |difference| print(&difference)).await.context("the table")
}

/// The system runs: it alone may read its folder.
async fn ask(http: SocketAddr) -> anyhow::Result<Replayed> {
    let report = Client::new(http).post("/local/replay", &Value::Null).await?.ok()?;
    let report: ReplayReport = serde_json::from_value(report).context("the answer")?;
    report.differences.iter().for_each(print);
    if report.replayed.differences > report.differences.len() as u64 {
        println!("… and more");
    }
    Ok(report.replayed)
}

fn print(difference: &Difference) {
    println!("{difference}");
}
