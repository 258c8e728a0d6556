//! The bill by kind of message.

use std::fmt::Write as _;

use serde_json::json;
use throughline_aws::Counts;
use throughline_tests::report::Table;
use throughline_tests::{Mail, World};

use crate::{Each, counted, prices};

/// Messages of each kind, one after the other: batches of one, the dearest way.
const MESSAGES: usize = 20;
/// So much capacity that every ticket finds an agent.
const ROOM: u32 = 1_000_000;

/// A kind of message, and what makes one.
const KINDS: [(&str, Kind); 8] = [
    ("a new customer's mail, routed to an agent", Kind::NewCustomer),
    ("a known customer's mail about something new, routed", Kind::NewTicket),
    ("a known customer's mail on an open ticket", Kind::AppendedMail),
    ("a known customer's chat message on an open ticket", Kind::AppendedChat),
    ("an agent's reply, delivered by mail", Kind::Reply),
    ("an automatic answer to a reply", Kind::Automatic),
    ("a mail that came before", Kind::Duplicate),
    ("an agent's change of status", Kind::Status),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    NewCustomer,
    NewTicket,
    AppendedMail,
    AppendedChat,
    Reply,
    Automatic,
    Duplicate,
    Status,
}

/// All tables.
pub(crate) async fn bill() -> String {
    let mut summary = Table::new(&[
        "one message",
        "requests of the table",
        "read units",
        "write units",
        "queue requests",
        "objects read, written",
        "mails sent",
        "bus entries",
        "KB moved",
        "USD a million",
    ]);
    let mut details = String::new();
    for (name, kind) in KINDS {
        let counts = count(kind).await;
        let each = Each::of(&counts, MESSAGES, None);
        let mut cells = vec![name.to_owned()];
        cells
            .extend([each.requests, each.read_units, each.write_units, each.queue_requests].map(|n| format!("{n:.1}")));
        cells.push(format!("{:.1}, {:.1}", each.objects_read, each.objects_written));
        cells.extend([each.mails, each.entries, each.kilobytes].map(|n| format!("{n:.1}")));
        cells.push(format!("{:.2}", prices::million(&each)));
        summary.row(&cells);
        let _infallible = write!(details, "\n**{}**\n\n{}", capital(name), stages(&counts));
    }
    format!("{}{details}", summary.into_text())
}

/// One kind, stage by stage, with the items that each writes.
fn stages(counts: &Counts) -> String {
    let mut table =
        Table::new(&["stage", "requests", "read units", "write units", "queue requests", "KB", "written items"]);
    let mut names: Vec<&str> = counts.calls.keys().map(|key| key.stage).collect();
    names.dedup();
    for stage in names {
        let each = Each::of(counts, MESSAGES, Some(stage));
        #[expect(clippy::cast_precision_loss, reason = "a small number of messages")]
        let items = counts
            .items
            .iter()
            .filter(|((at, _), _)| *at == stage)
            .map(|((_, kind), units)| format!("{} {:.1}", kind.to_lowercase(), units / MESSAGES as f64));
        let items: Vec<String> = items.collect();
        let name = if stage.is_empty() { "taking it in" } else { stage };
        let mut cells = vec![name.to_owned()];
        let figures = [each.requests, each.read_units, each.write_units, each.queue_requests, each.kilobytes];
        cells.extend(figures.map(|n| format!("{n:.1}")));
        cells.push(items.join(", "));
        table.row(&cells);
    }
    table.into_text()
}

async fn count(kind: Kind) -> Counts {
    let world = World::start().await;
    for agent in ["mia", "jonas", "chloe"] {
        world.put_agent(agent, &["support"], ROOM).await;
        world.presence(agent, "available").await;
    }
    let chat = world.chat(&json!({"name": "Anna"})).await;
    chat.say(&world, "first", "Where is my parcel? It should have come on Monday.").await;
    let first = mail(0);
    let ticket = world.ticket_by_mail(&first).await;
    let path = format!("/v1/tickets/{}", ticket["id"].as_str().unwrap_or_default());
    reply(&world, &path, "first").await;
    world.settled().await;
    let sent = world.sent_mail().await.pop().map(|mail| mail.id).unwrap_or_default();
    // What every function does once: settings, the roster.
    world.mail(&mail(1_000)).await;
    let counts = counted(&world, async {
        for number in 1..=MESSAGES {
            match kind {
                Kind::NewCustomer => world.mail(&mail(number)).await,
                Kind::NewTicket => world.mail(&mail_from(&first.from, number)).await,
                Kind::AppendedMail => {
                    let answer = mail_from(&first.from, number);
                    world.mail(&answer.in_reply_to(&first.id)).await;
                }
                Kind::AppendedChat => drop(chat.say(&world, &number.to_string(), TEXT).await),
                Kind::Reply => reply(&world, &path, &number.to_string()).await,
                Kind::Automatic => {
                    let away = mail_from(&first.from, number);
                    world.mail(&away.in_reply_to(&sent).header("Auto-Submitted", "auto-replied")).await;
                }
                Kind::Duplicate => world.mail(&first).await,
                Kind::Status => {
                    let status = if number % 2 == 0 { "open" } else { "pending" };
                    world.post(&format!("{path}/status"), &json!({"status": status})).await;
                }
            }
            world.settled().await;
        }
    });
    let counts = counts.await;
    world.stop().await;
    counts
}

const TEXT: &str = "Is there anything new about my order? It should have come on Monday, and nobody knows anything.";

fn mail(number: usize) -> Mail {
    mail_from(&format!("customer-{number}@example.org"), number)
}

fn mail_from(address: &str, number: usize) -> Mail {
    Mail::from(address).subject(&format!("Question {number}")).text(TEXT)
}

async fn reply(world: &World, path: &str, number: &str) {
    let text = format!("Your parcel left this morning; this is the link to follow it: https://example.com/{number}");
    world.post(&format!("{path}/replies"), &json!({"text": text, "then_status": "pending"})).await;
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
