//! What a message costs on its way through the whole local system: messages a second, processor time, requests and
//! capacity units of the table by stage.
//!
//! `cargo bench -p throughline-tests --bench pipeline`. Machines are noisy: compare figures of one run. The senders run
//! in the same process, so their work is in the figures.

use std::time::Instant;

use anyhow::Context;
use futures::future::try_join_all;
use serde_json::json;
use throughline_aws::{Counts, Service};
use throughline_local::client::Client;
use throughline_local::{Options, System};

/// The allocator of the local binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Messages of a run.
const MESSAGES: usize = 2_000;
/// Messages of the run that counts the bill.
const COUNTED: usize = 200;
/// Senders at once.
const SENDERS: usize = 8;

fn main() -> anyhow::Result<()> {
    // `cargo test` and nextest run benchmarks with `--test` or `--list`: there is nothing to test here.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        println!("{MESSAGES} messages by {SENDERS} senders at once, mail from somebody new for every fourth message");
        println!("{:<44} {:>10} {:>12} {:>12}", "", "messages/s", "accepted/s", "CPU ms each");
        for (name, on_disk) in [("in memory", false), ("on disk", true)] {
            speed(&format!("mail, {name}"), on_disk, Kind::Mail).await?;
            speed(&format!("chat, {name}"), on_disk, Kind::Chat).await?;
        }
        println!();
        bill("a mail of a new customer, routed,", Kind::NewMail).await?;
        bill("a further chat message of a known customer", Kind::Chat).await
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Mail: every fourth from somebody new, the others from them again, each about something else.
    Mail,
    /// Chat: every sender one conversation.
    Chat,
    /// Mail of new customers only.
    NewMail,
}

async fn start(dir: Option<&std::path::Path>) -> anyhow::Result<System> {
    System::start(Options { data: dir.map(Into::into), ..Options::for_test()? }).await
}

async fn speed(name: &str, on_disk: bool, kind: Kind) -> anyhow::Result<()> {
    let folder = format!("throughline-bench-{}-{name}", std::process::id()).replace([' ', ','], "-");
    let folder = std::env::temp_dir().join(folder);
    let system = start(on_disk.then_some(folder.as_path())).await?;
    let visitors = visitors(&system).await?;
    // Warm: connections, caches, the first pages of the table.
    play(&system, kind, &visitors, 80, "warm").await?;
    system.settled().await;
    let (started, cpu) = (Instant::now(), cpu_ms()?);
    play(&system, kind, &visitors, MESSAGES, "run").await?;
    let accepted = started.elapsed();
    system.settled().await;
    let (all, cpu) = (started.elapsed(), cpu_ms()? - cpu);
    let rate = |time: std::time::Duration| MESSAGES as f64 / time.as_secs_f64();
    println!("{name:<44} {:>10.0} {:>12.0} {:>12.2}", rate(all), rate(accepted), cpu / MESSAGES as f64);
    system.stop().await;
    if on_disk {
        std::fs::remove_dir_all(&folder).ok();
    }
    Ok(())
}

async fn bill(what: &str, kind: Kind) -> anyhow::Result<()> {
    let system = start(None).await?;
    let visitors = visitors(&system).await?;
    if kind == Kind::Chat {
        play(&system, kind, &visitors, SENDERS, "first").await?;
        system.settled().await;
    }
    system.aws.count(true);
    play(&system, kind, &visitors, COUNTED, "counted").await?;
    system.settled().await;
    let counts = system.aws.counts();
    println!("What {what} costs, each of {COUNTED}:");
    print_bill(&counts);
    system.stop().await;
    Ok(())
}

fn print_bill(counts: &Counts) {
    let each = |number: f64| number / COUNTED as f64;
    println!("{:<20} {:<30} {:>9} {:>11} {:>12}", "stage", "request", "requests", "read units", "write units");
    for (key, tally) in &counts.calls {
        let name = format!("{} {}", key.call.service, key.call.operation);
        let (requests, read, write) = (tally.requests as f64, tally.read_units, tally.write_units);
        println!("{:<20} {name:<30} {:>9.2} {:>11.2} {:>12.2}", key.stage, each(requests), each(read), each(write));
    }
    let table = counts.sum(|key| key.call.service == Service::DynamoDb);
    let queues = counts.sum(|key| key.call.service == Service::Sqs);
    println!(
        "in all: {:.1} requests and {:.1} read, {:.1} write units of the table, {:.1} of the queues\n",
        each(table.requests as f64),
        each(table.read_units),
        each(table.write_units),
        each(queues.requests as f64)
    );
}

async fn play(system: &System, kind: Kind, visitors: &[Client], count: usize, run: &str) -> anyhow::Result<()> {
    let senders = visitors.iter().enumerate().map(|(sender, visitor)| async move {
        match kind {
            Kind::Mail | Kind::NewMail => mails(system, kind, sender, count / SENDERS, run).await,
            Kind::Chat => chat(visitor, count / SENDERS, run).await,
        }
    });
    try_join_all(senders).await.map(drop)
}

async fn mails(system: &System, kind: Kind, sender: usize, count: usize, run: &str) -> anyhow::Result<()> {
    let mut client = throughline_smtp::Client::connect(system.smtp).await?;
    for number in 0..count {
        let person = if kind == Kind::NewMail { number } else { number / 4 };
        let from = format!("{run}-{sender}-{person}@example.org");
        let mail = format!(
            "From: Sender {person} <{from}>\r\nTo: support@example.com\r\nSubject: Question {run} {sender} {number}\r\n\
             Message-ID: <{run}.{sender}.{number}@mail.example.org>\r\nDate: Fri, 20 Nov 2026 09:00:00 +0000\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\r\nHello,\r\n\r\nabout order {sender}{number}: where is it? \
             It should have come on Monday, and nobody knows anything.\r\n\r\nRegards\r\nSender {person}\r\n"
        );
        client.send(Some(&from), &["support@example.com"], mail.as_bytes()).await?;
    }
    client.quit().await?;
    Ok(())
}

/// Visitors of the chat, each with a session.
async fn visitors(system: &System) -> anyhow::Result<Vec<Client>> {
    let open = Client::new(system.http);
    let mut visitors = Vec::new();
    for sender in 0..SENDERS {
        let body = json!({"visitor": {"name": format!("Visitor {sender}")}});
        let session = open.post("/v1/channels/web_chat/chat/sessions", &body).await?.ok()?;
        visitors.push(open.with_token(session["token"].as_str().context("a token")?));
    }
    Ok(visitors)
}

async fn chat(visitor: &Client, count: usize, run: &str) -> anyhow::Result<()> {
    for number in 0..count {
        let text = format!("message {number}: is there anything new about my order? It should have come on Monday.");
        let body = json!({"type": "message.create", "client_message_id": format!("{run}-{number}"), "text": text});
        visitor.post("/v1/channels/web_chat/chat", &body).await?.ok()?;
    }
    Ok(())
}

/// Processor time of this process so far, in milliseconds (Linux: `/proc/self/stat`, in hundredths of a second).
fn cpu_ms() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").context("processor time is read from /proc (Linux)")?;
    let fields: Vec<&str> = stat.rsplit_once(')').context("stat")?.1.split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    Ok((ticks(11) + ticks(12)) * 10.0)
}
