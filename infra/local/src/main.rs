//! `cargo run`: the whole system on this machine, and the commands that try it.

mod commands;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use throughline_domain::moment::Moment;
use throughline_local::seed::Seed;
use throughline_platform::telemetry;
use tracing::Level;
use tracing_subscriber::Layer as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// A sixth of the processor time of a message went into the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// An omnichannel helpdesk on your machine.
#[derive(Parser)]
#[command(name = "throughline", version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Where HTTP listens: channels, interface, inbox page.
    #[arg(long, global = true, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    http: SocketAddr,
    /// Where SMTP listens: incoming mail.
    #[arg(long, global = true, value_name = "ADDR", default_value = "127.0.0.1:2525")]
    smtp: SocketAddr,
    /// Where the data is kept.
    #[arg(long, global = true, value_name = "DIR", default_value = ".local")]
    data: PathBuf,
    /// Keep nothing: all data is in memory.
    #[arg(long, global = true, conflicts_with = "data")]
    memory: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Starts the system (what happens without a command).
    Run,
    /// Plays a short day against the running system, or starts one for it, and prints the timeline.
    Demo,
    /// Delivers mails to the running system's SMTP port.
    Send {
        /// Envelope sender; by default what From says.
        #[arg(long)]
        from: Option<String>,
        /// Envelope recipients; by default the inboxes among To and Cc.
        #[arg(long)]
        to: Vec<String>,
        /// Mails, as `.eml` files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Posts samples of what comes in by channels, signed: `events/ingest-webhook/{channel}/*.json`.
    Post {
        /// Samples.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Shows the running system's tickets, and what changes.
    Watch,
    /// Fires the running system's breach check.
    Sweep {
        /// As if it were this time (RFC 3339); by default now.
        #[arg(long, value_name = "TIME")]
        at: Option<Moment>,
    },
    /// Folds every ticket again from its log and compares it with what is stored; fails when something differs.
    Replay,
    /// Prints a development token.
    Token {
        /// What its bearer may do: agent, lead, admin or integration.
        #[arg(long, default_value = "agent", value_parser = ["agent", "lead", "admin", "integration"])]
        role: String,
        /// Whose it is.
        #[arg(long = "as", value_name = "NAME", default_value = "mia")]
        subject: String,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let format = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    // The demo brings about what is warned of.
    let level = if matches!(arguments.command, Some(Command::Demo)) { Level::ERROR } else { Level::WARN };
    tracing_subscriber::registry().with(format.with_filter(telemetry::filter(level))).init();
    let seed = Seed::built_in()?;
    let data = (!arguments.memory).then_some(arguments.data);
    let (http, smtp) = (arguments.http, arguments.smtp);
    match arguments.command.unwrap_or(Command::Run) {
        Command::Run => commands::run(http, smtp, data, seed).await,
        Command::Demo => commands::demo(http, smtp, seed).await,
        Command::Send { from, to, files } => commands::send(smtp, &seed, from.as_deref(), &to, &files).await,
        Command::Post { files } => commands::post(http, &seed, &files).await,
        Command::Watch => commands::watch(http, &seed).await,
        Command::Sweep { at } => commands::sweep(http, at).await,
        Command::Replay => commands::replay(http, data.as_deref()).await,
        Command::Token { role, subject } => commands::token(&seed, &role, &subject),
    }
}
