//! What one message costs, counted: requests, capacity units, bytes, by kind of message, stage and item; and how that grows
//! with what is stored. Nothing here is timed, so the figures are the same on every machine.
//!
//! `cargo bench -p throughline-tests --bench bill`; with `-- --write` they go into `BENCHMARKS.md`.

mod growth;
mod kinds;
mod prices;

use throughline_aws::{Counts, Service};
use throughline_tests::bill::counted;
use throughline_tests::report;

/// The allocator of the local binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    if !report::is_asked_for() {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        report::section("bill", &kinds::bill().await)?;
        report::section("growth of the bill", &growth::tables().await?)
    })
}

/// Figures of one message out of what many cost.
#[derive(Clone, Copy, Debug, Default)]
struct Each {
    requests: f64,
    read_units: f64,
    write_units: f64,
    queue_requests: f64,
    objects_read: f64,
    objects_written: f64,
    mails: f64,
    entries: f64,
    kilobytes: f64,
}

impl Each {
    #[expect(clippy::cast_precision_loss, reason = "counts of a short run")]
    fn of(counts: &Counts, messages: usize, stage: Option<&str>) -> Self {
        let messages = messages as f64;
        let sum = |service: Service, operation: &dyn Fn(&str) -> bool| {
            counts.sum(|key| {
                let here = stage.is_none_or(|stage| key.stage == stage);
                here && key.call.service == service && operation(&key.call.operation)
            })
        };
        let all = |service| sum(service, &|_| true);
        let table = all(Service::DynamoDb);
        // Whoever feeds the function receives once for each time that it deletes; empty receives come with time, not with
        // messages.
        let queues = sum(Service::Sqs, &|operation| operation != "ReceiveMessage").requests
            + sum(Service::Sqs, &|operation| operation.starts_with("Delete")).requests;
        let bytes: u64 = [Service::DynamoDb, Service::Sqs, Service::S3, Service::Ses, Service::EventBridge]
            .map(all)
            .iter()
            .map(|t| t.bytes)
            .sum();
        Self {
            requests: table.requests as f64 / messages,
            read_units: table.read_units / messages,
            write_units: table.write_units / messages,
            queue_requests: queues as f64 / messages,
            objects_read: sum(Service::S3, &|operation| operation.starts_with("Get")).requests as f64 / messages,
            objects_written: sum(Service::S3, &|operation| operation.starts_with("Put")).requests as f64 / messages,
            mails: all(Service::Ses).requests as f64 / messages,
            entries: all(Service::EventBridge).requests as f64 / messages,
            kilobytes: bytes as f64 / 1024.0 / messages,
        }
    }
}
