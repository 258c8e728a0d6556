//! How the bill grows with what is stored.

use std::fmt::Write as _;

use serde_json::json;
use throughline_aws::Counts;
use throughline_tests::report::Table;
use throughline_tests::stock::Stock;
use throughline_tests::{Mail, World};

use crate::{Each, counted};

/// Messages that are counted at each size.
const COUNTED: usize = 5;
/// Sizes that are reached through the system itself.
const SIZES: [usize; 5] = [1, 10, 100, 1_000, 10_000];
/// Sizes of the table, reached by copies of one ticket.
const STORED: [usize; 4] = [2, 1_000, 100_000, 300_000];
/// Most messages on one ticket.
const LONGEST: usize = 50_000;

pub(crate) async fn tables() -> anyhow::Result<String> {
    let mut text = String::new();
    let mut add = |title: &str, table: String| {
        let _infallible = write!(text, "\n**{title}**\n\n{table}");
    };
    add("A chat message on a ticket, by messages on it", messages().await);
    add("A mail about something new, by the tickets that the customer has open", tickets().await);
    add("A mail on an open ticket, by the known messages that it refers to", thread().await);
    add("A new customer's mail, routed, by agents in the team", agents().await);
    add("A mail on an open ticket, by tickets in the table", stored().await?);
    Ok(text)
}

struct Growth(Table);

impl Growth {
    fn new(of: &str) -> Self {
        Self(Table::new(&[of, "requests of the table", "read units", "write units", "queue requests", "KB moved"]))
    }

    /// A line of the table; what one message cost of the table's units comes back: read and written.
    fn add(&mut self, size: usize, counts: &Counts) -> (f64, f64) {
        let each = Each::of(counts, COUNTED, None);
        let mut cells = vec![size.to_string()];
        let figures = [each.requests, each.read_units, each.write_units, each.queue_requests, each.kilobytes];
        cells.extend(figures.map(|n| format!("{n:.1}")));
        self.0.row(&cells);
        (each.read_units, each.write_units)
    }
}

async fn messages() -> String {
    let mut growth = Growth::new("messages");
    let world = World::start().await;
    let chat = world.chat(&json!({"name": "Anna"})).await;
    let (chat, world) = (&chat, &world);
    let mut there = 0;
    let say = |number: usize| async move {
        drop(chat.say(world, &number.to_string(), "Is there anything new about my order?").await);
    };
    for size in SIZES.into_iter().chain([LONGEST]) {
        while there < size {
            say(there).await;
            there += 1;
        }
        let counts = counted(world, async {
            for _ in 0..COUNTED {
                say(there).await;
                there += 1;
                world.settled().await;
            }
        });
        growth.add(size, &counts.await);
    }
    growth.0.into_text()
}

async fn tickets() -> String {
    let mut growth = Growth::new("open tickets");
    let world = World::start().await;
    let mut there = 0;
    let mail = |number: usize| Mail::from("anna@example.org").subject(&format!("Order {number}"));
    for size in &SIZES[..4] {
        while there < *size {
            world.mail(&mail(there)).await;
            there += 1;
        }
        let counts = counted(&world, async {
            for _ in 0..COUNTED {
                world.mail(&mail(there)).await;
                there += 1;
                world.settled().await;
            }
        });
        growth.add(*size, &counts.await);
    }
    world.stop().await;
    growth.0.into_text()
}

async fn thread() -> String {
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
        let counts = counted(&world, async {
            for _ in 0..COUNTED {
                world.mail(&Mail::from("anna@example.org").references(&ids)).await;
                world.settled().await;
            }
        });
        growth.add(size, &counts.await);
        world.stop().await;
    }
    growth.0.into_text()
}

async fn agents() -> String {
    let mut growth = Growth::new("agents");
    for size in [3, 30, 300, 1_000] {
        let world = World::start().await;
        for agent in 0..size {
            let name = format!("agent-{agent}");
            world.put_agent(&name, &["support"], 1_000_000).await;
            world.presence(&name, "available").await;
        }
        // The roster is read once in a while, not for every message.
        world.mail(&Mail::from("first@example.org")).await;
        let counts = counted(&world, async {
            for customer in 0..COUNTED {
                world.mail(&Mail::from(&format!("customer-{customer}@example.org"))).await;
                world.settled().await;
            }
        });
        growth.add(size, &counts.await);
        world.stop().await;
    }
    growth.0.into_text()
}

async fn stored() -> anyhow::Result<String> {
    let mut growth = Growth::new("tickets");
    let world = World::start().await;
    let first = Mail::from("anna@example.org");
    let system = world.system();
    let copied = Mail::from("stock@example.org");
    let stock = Stock::of(system, &copied.from, world.mail(&copied)).await?;
    world.mail(&first).await;
    let (mut there, mut units) = (2, Vec::new());
    for size in STORED {
        stock.fill(&system.aws, there..size.max(there))?;
        there = size.max(there);
        let answer = async || {
            world.mail(&Mail::from("anna@example.org").in_reply_to(&first.id)).await;
            world.settled().await;
        };
        // The copies took minutes: settings are read again.
        answer().await;
        let counts = counted(&world, async {
            for _ in 0..COUNTED {
                answer().await;
            }
        });
        units.push(growth.add(size, &counts.await));
    }
    world.stop().await;
    anyhow::ensure!(units.iter().all(|each| *each == units[0]), "a message costs more with more tickets: {units:?}");
    Ok(growth.0.into_text())
}
