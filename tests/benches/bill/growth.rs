//! How the bill, and the processor time, grow with what is stored.

use std::cell::Cell;
use std::fmt::Write as _;

use anyhow::ensure;
use http::Method;
use serde_json::json;
use throughline_aws::Counts;
use throughline_domain::config::Budget;
use throughline_tests::report::{Table, cpu_ms, spread};
use throughline_tests::stock::Stock;
use throughline_tests::{Mail, World};

use crate::{Each, counted};

/// Messages that are counted at each size.
const COUNTED: usize = 5;
/// Messages whose processor time is measured at each size, in each of the runs.
const TIMED: usize = 50;
/// Runs of these.
const RUNS: usize = 3;
/// Sizes that are reached through the system itself.
const SIZES: [usize; 5] = [1, 10, 100, 1_000, 10_000];
/// Sizes of the table, reached by copies of one ticket.
const STORED: [usize; 4] = [2, 1_000, 100_000, 1_000_000];
/// Most messages on one ticket.
const LONGEST: usize = 50_000;

pub(crate) async fn tables() -> anyhow::Result<String> {
    let mut text = String::new();
    let mut add = |title: &str, table: String| {
        let _infallible = write!(text, "\n**{title}**\n\n{table}");
    };
    add("A chat message on a ticket, by messages on it", messages().await?);
    add("A mail about something new, by the tickets that the customer has open", tickets().await?);
    add("A mail on an open ticket, by the known messages that it refers to", thread().await?);
    add("A new customer's mail, routed, by agents in the team", agents().await?);
    add("A new customer's mail, routed, by rules that read what it is about", rules().await?);
    add("A mail on an open ticket, by tickets in the table", stored().await?);
    Ok(text)
}

/// A table of it.
struct Growth {
    table: Table,
    /// Processor time of the smallest size that was timed, in milliseconds.
    first_ms: Option<f64>,
}

impl Growth {
    fn new(of: &str) -> Self {
        let counted = [of, "requests of the table", "read units", "write units", "queue requests", "KB moved"];
        let columns = [&counted[..], &["CPU ms", "times the first"]].concat();
        Self { table: Table::new(&columns), first_ms: None }
    }

    /// Lets a message come as often as it takes, and adds a line; what one cost of the table's units comes back: read and
    /// written. Where `message` itself makes the size, it is timed only where it hardly changes it.
    async fn add(
        &mut self,
        size: usize,
        grows: bool,
        world: &World,
        mut message: impl AsyncFnMut(),
    ) -> anyhow::Result<(f64, f64)> {
        let counts = counted(world, async {
            for _ in 0..COUNTED {
                message().await;
                world.settled().await;
            }
        });
        let counts = counts.await;
        let mut times = Vec::new();
        while (!grows || size > TIMED) && times.len() < RUNS {
            let before = cpu_ms()?;
            for _ in 0..TIMED {
                message().await;
                world.settled().await;
            }
            times.push((cpu_ms()? - before) / TIMED as f64);
        }
        Ok(self.line(size, &counts, &mut times))
    }

    /// Mails of somebody new each time.
    async fn add_newcomers(&mut self, size: usize, world: &World) -> anyhow::Result<()> {
        let mut there = 0;
        let mut write = async || {
            world.mail(&Mail::from(&format!("customer-{there}@example.org"))).await;
            there += 1;
        };
        // The roster and the settings are read once in a while, not for every message.
        write().await;
        self.add(size, false, world, write).await.map(drop)
    }

    fn line(&mut self, size: usize, counts: &Counts, times: &mut [f64]) -> (f64, f64) {
        let each = Each::of(counts, COUNTED, None);
        let mut cells = vec![size.to_string()];
        let figures = [each.requests, each.read_units, each.write_units, each.queue_requests, each.kilobytes];
        cells.extend(figures.map(|n| format!("{n:.1}")));
        if times.is_empty() {
            cells.extend(["", ""].map(str::to_owned));
        } else {
            cells.push(spread(times, 2));
            let median = times[times.len() / 2];
            cells.push(format!("{:.2}", median / *self.first_ms.get_or_insert(median)));
        }
        self.table.row(&cells);
        (each.read_units, each.write_units)
    }
}

async fn messages() -> anyhow::Result<String> {
    let mut growth = Growth::new("messages");
    // So many are more than one sender's share of an hour.
    let all = Budget { sender_per_hour: u32::MAX, inbox_per_hour: u32::MAX };
    let world = World::start_with(|options| options.seed.inboxes.budget = all).await;
    let chat = world.chat(&json!({"name": "Anna"})).await;
    let there = Cell::new(0);
    let say = async || {
        drop(chat.say(&world, &there.get().to_string(), "Is there anything new about my order?").await);
        there.set(there.get() + 1);
    };
    for size in SIZES.into_iter().chain([LONGEST]) {
        while there.get() < size {
            say().await;
        }
        growth.add(size, true, &world, &say).await?;
    }
    Ok(growth.table.into_text())
}

async fn tickets() -> anyhow::Result<String> {
    let mut growth = Growth::new("open tickets");
    let world = World::start().await;
    let there = Cell::new(0);
    let ask = async || {
        world.mail(&Mail::from("anna@example.org").subject(&format!("Order {}", there.get()))).await;
        there.set(there.get() + 1);
    };
    for size in SIZES {
        while there.get() < size {
            ask().await;
        }
        growth.add(size, true, &world, &ask).await?;
    }
    world.stop().await;
    Ok(growth.table.into_text())
}

async fn thread() -> anyhow::Result<String> {
    let mut growth = Growth::new("messages referred to");
    for size in [1, 3, 10, 30, 100] {
        let world = World::start().await;
        let first = Mail::from("anna@example.org");
        world.mail(&first).await;
        let mut ids = vec![first.id.clone()];
        while ids.len() < size {
            let next = Mail::from("anna@example.org").in_reply_to(&ids[0]);
            world.mail(&next).await;
            ids.push(next.id);
        }
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let answer = async || world.mail(&Mail::from("anna@example.org").references(&ids)).await;
        growth.add(size, false, &world, answer).await?;
        world.stop().await;
    }
    Ok(growth.table.into_text())
}

async fn agents() -> anyhow::Result<String> {
    let mut growth = Growth::new("agents");
    for size in [3, 30, 300, 1_000] {
        let world = World::start().await;
        for agent in 0..size {
            let name = format!("agent-{agent}");
            world.put_agent(&name, &["support"], 1_000_000).await;
            world.presence(&name, "available").await;
        }
        growth.add_newcomers(size, &world).await?;
        world.stop().await;
    }
    Ok(growth.table.into_text())
}

async fn rules() -> anyhow::Result<String> {
    let mut growth = Growth::new("rules");
    for size in [1, 10, 100, 1_000] {
        let world = World::start().await;
        let intents = (0..size).map(|i| json!({"intent": format!("matter-{i}"), "any": [format!("word{i} other{i}")]}));
        let mut routing = world.get("/v1/config/routing").await;
        routing["intents"] = intents.collect();
        let answer = world.admin.send(Method::PUT, "/v1/config/routing", &[], routing.to_string()).await?;
        ensure!(answer.status == 200, "the rules are refused: {}", answer.json());
        growth.add_newcomers(size, &world).await?;
        world.stop().await;
    }
    Ok(growth.table.into_text())
}

async fn stored() -> anyhow::Result<String> {
    let mut growth = Growth::new("tickets");
    // A million tickets are more than memory should hold.
    let folder = tempfile::tempdir()?;
    let world = World::start_in(folder.path()).await;
    let system = world.system();
    let first = Mail::from("anna@example.org");
    let copied = Mail::from("stock@example.org");
    let stock = Stock::of(system, &copied.from, world.mail(&copied)).await?;
    world.mail(&first).await;
    let (mut there, mut units) = (2, Vec::new());
    let answer = async || world.mail(&Mail::from("anna@example.org").in_reply_to(&first.id)).await;
    for size in STORED {
        stock.fill(&system.aws, there..size.max(there))?;
        there = size.max(there);
        // The copies took minutes: settings are read again.
        answer().await;
        units.push(growth.add(size, false, &world, &answer).await?);
    }
    world.stop().await;
    ensure!(units.iter().all(|each| *each == units[0]), "a message costs more with more tickets: {units:?}");
    Ok(growth.table.into_text())
}
