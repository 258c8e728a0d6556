//! How fast the whole local system is: messages a second, processor time and memory, for mail and chat, one sender and
//! sixteen, an empty table and one that holds many tickets already.
//!
//! `cargo bench -p throughline-tests --bench pipeline`; with `-- --write` the table goes into `BENCHMARKS.md`, with
//! `-- --stored 1000000` it measures a table with so many tickets instead, with `-- --bursts` only how long a provider waits that
//! posts much at once. Machines are noisy: compare figures of one run. The
//! senders run in the same process, so their work is in the figures. What a message costs in requests and capacity units
//! is counted by the benchmark `bill`.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use futures::future::try_join_all;
use serde_json::{Value, json};
use throughline_domain::channel::Channel;
use throughline_local::client::Client;
use throughline_local::samples::{Sample, Sender};
use throughline_local::seed::Seed;
use throughline_local::{Options, System};
use throughline_tests::report::{self, Table, cpu_ms, memory_mb, spread};
use throughline_tests::stock::Stock;

/// The allocator of the local binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Where mail goes.
const INBOX: &str = "support@example.com";
/// Messages of a run: as many as one sender may bring in an hour.
const MESSAGES: usize = 2_000;
/// Messages of a burst: what a provider saved up and posts as one.
const BURST: usize = 1_000;
/// Runs of each kind: the median is shown, with the least and the most.
const RUNS: usize = 3;

fn main() -> anyhow::Result<()> {
    if !report::is_asked_for() {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut table = Table::new(&["", "messages a second", "CPU ms a message", "memory, MB"]);
        let folder = Folder(std::env::temp_dir().join(format!("throughline-bench-{}", std::process::id())));
        let stored = stored()?;
        if stored.is_none() {
            bursts().await?;
        }
        if std::env::args().any(|argument| argument == "--bursts") {
            return Ok(());
        }
        let places = match stored {
            None => vec![("in memory", 0, false), ("on disk", 0, true)],
            Some(stored) => vec![("on disk", stored, true)],
        };
        for (place, stored, on_disk) in places {
            let system = start(on_disk.then_some(folder.0.as_path())).await?;
            if stored > 0 {
                fill(&system, stored).await?;
            }
            for kind in [Kind::Mail, Kind::Thread, Kind::Chat] {
                for senders in [1, 16] {
                    let name = format!("{kind}, {place}, {senders} at once, {stored} tickets stored");
                    table.row(&speed(&system, &name, kind, senders).await?);
                }
            }
            system.stop().await;
        }
        let name = if stored.is_some() { "pipeline with many tickets" } else { "pipeline" };
        report::section(name, &table.into_text())
    })
}

/// A folder that goes with it.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed stays in the folder for temporary files.
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// How many tickets the table holds before anything is measured; nothing: only empty tables are measured.
fn stored() -> anyhow::Result<Option<usize>> {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--stored").skip(1);
    arguments.next().map(|number| number.parse().context("--stored")).transpose()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Mail: every fourth from somebody new, the others from them again, each about something else.
    Mail,
    /// Mail: every fourth from somebody new, the others go on with it.
    Thread,
    /// Chat: every sender one conversation.
    Chat,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mail => "mail",
            Self::Thread => "mail in threads",
            Self::Chat => "chat",
        })
    }
}

async fn start(dir: Option<&std::path::Path>) -> anyhow::Result<System> {
    System::start(Options { data: dir.map(Into::into), ..Options::for_test()? }).await
}

async fn fill(system: &System, stored: usize) -> anyhow::Result<()> {
    let address = "stock@example.org";
    let mut client = throughline_smtp::Client::connect(system.smtp).await?;
    let mail = mail_of(address, "stock");
    let stock =
        Stock::of(system, address, async { drop(client.send(Some(address), &[INBOX], mail.as_bytes()).await) }).await?;
    stock.fill(&system.aws, 1..stored)
}

async fn speed(system: &System, name: &str, kind: Kind, senders: usize) -> anyhow::Result<[String; 4]> {
    // Warm: connections, caches, the first pages of the table.
    play(system, kind, &visitors(system, senders).await?, 10 * senders, &format!("{name} warm")).await?;
    system.settled().await;
    let (mut rates, mut costs) = (Vec::new(), Vec::new());
    for run in 0..RUNS {
        // Others each time: what somebody brings beyond an hour's budget is only put aside.
        let visitors = visitors(system, senders).await?;
        let (started, cpu) = (Instant::now(), cpu_ms()?);
        play(system, kind, &visitors, MESSAGES, &format!("{name} {run}")).await?;
        system.settled().await;
        let all = (MESSAGES / senders * senders) as f64;
        rates.push(all / started.elapsed().as_secs_f64());
        costs.push((cpu_ms()? - cpu) / all);
    }
    Ok([name.to_owned(), spread(&mut rates, 0), spread(&mut costs, 2), format!("{:.0}", memory_mb()?)])
}

/// How long a provider waits for the answer to a body of many messages.
async fn bursts() -> anyhow::Result<()> {
    let mut table = Table::new(&["1,000 WhatsApp messages in one body", "ms until it is answered"]);
    let system = start(None).await?;
    for senders in [1, BURST] {
        let waited = burst(&system, senders).await?;
        table.row(&[format!("of {senders} sender{}", if senders == 1 { "" } else { "s" }), waited]);
    }
    system.stop().await;
    report::section("bursts", &table.into_text())
}

async fn burst(system: &System, senders: usize) -> anyhow::Result<String> {
    let sender = Sender::of(&Client::new(system.http), &Seed::built_in()?, Channel::Whatsapp)?;
    let mut times = Vec::new();
    for run in 0..RUNS {
        let message = |number: usize| {
            let (from, id) = (format!("49151{run}{:07}", number % senders), format!("{senders} {run} {number}"));
            json!({"from": from, "id": id, "timestamp": "1795183200", "type": "text", "text": {"body": "Where is it?"}})
        };
        let messages: Vec<Value> = (0..BURST).map(message).collect();
        let value = json!({"messaging_product": "whatsapp", "messages": messages,
            "metadata": {"phone_number_id": "1", "display_phone_number": "1"}});
        let body = json!({"object": "whatsapp_business_account",
            "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]});
        let sample = Sample::of(Channel::Whatsapp, body.to_string());
        let started = Instant::now();
        let (answer, _) = sender.post(&sample, system.app.clock.now()).await?;
        times.push(started.elapsed().as_secs_f64() * 1_000.0);
        answer.ok()?;
        system.settled().await;
    }
    Ok(spread(&mut times, 0))
}

async fn play(system: &System, kind: Kind, visitors: &[Client], count: usize, run: &str) -> anyhow::Result<()> {
    let each = count / visitors.len();
    let senders = visitors.iter().enumerate().map(|(sender, visitor)| async move {
        match kind {
            Kind::Mail | Kind::Thread => mails(system, kind, sender, each, &run.replace([' ', ','], "-")).await,
            Kind::Chat => chat(visitor, each, run).await,
        }
    });
    try_join_all(senders).await.map(drop)
}

async fn mails(system: &System, kind: Kind, sender: usize, count: usize, run: &str) -> anyhow::Result<()> {
    let mut client = throughline_smtp::Client::connect(system.smtp).await?;
    for number in 0..count {
        let (first, name) = (number / 4 * 4, |number: usize| format!("{run}.{sender}.{number}"));
        let from = format!("{run}-{sender}-{}@example.org", number / 4);
        let mut mail = mail_of(&from, &name(number));
        if kind == Kind::Thread && number > first {
            let ids = (first..number).map(|number| format!("<{}@mail.example.org>", name(number)));
            mail.insert_str(0, &format!("References: {}\r\n", ids.collect::<Vec<_>>().join(" ")));
        }
        client.send(Some(&from), &[INBOX], mail.as_bytes()).await?;
    }
    client.quit().await?;
    Ok(())
}

fn mail_of(from: &str, name: &str) -> String {
    format!(
        "From: A Sender <{from}>\r\nTo: {INBOX}\r\nSubject: {}\r\n\
         Message-ID: <{name}@mail.example.org>\r\nDate: Fri, 20 Nov 2026 09:00:00 +0000\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\r\nHello,\r\n\r\n{}.\r\n\r\nRegards\r\nA Sender\r\n",
        words(name, 0..3),
        words(name, 3..20),
    )
}

/// Words that no other name gives: similar words would bring mails of one person together.
fn words(name: &str, numbers: Range<usize>) -> String {
    let word = |number| {
        let mut hasher = DefaultHasher::new();
        (name, number).hash(&mut hasher);
        let letter = |at: u32| char::from(b'a' + (hasher.finish() / 26_u64.pow(at) % 26) as u8);
        (0..6).map(letter).collect::<String>()
    };
    numbers.map(word).collect::<Vec<_>>().join(" ")
}

/// Visitors of the chat, each with a session.
async fn visitors(system: &System, count: usize) -> anyhow::Result<Vec<Client>> {
    let open = Client::new(system.http);
    let mut visitors = Vec::new();
    for sender in 0..count {
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
