//! Runs seeds of the simulation by hand.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context, bail};
use clap::Parser;
use throughline_simulation::{Defect, Outcome, run};

/// Seeds between two lines that say how far it is.
const PROGRESS_EVERY: u64 = 500;

/// Runs the system with faults, seed by seed, and checks that nothing is lost, doubled or out of order.
#[derive(Parser)]
#[command(name = "simulate")]
struct Arguments {
    /// How many seeds.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Only this seed.
    #[arg(long)]
    seed: Option<u64>,
    /// Print the whole trace of the seed.
    #[arg(long)]
    trace: bool,
    /// Threads; each works on seeds of its own.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// With a deliberate defect, by its name; `list` tells the names.
    #[arg(long)]
    defect: Option<String>,
    /// Folder for the traces of seeds that fail.
    #[arg(long, default_value = "target/simulation")]
    folder: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if arguments.defect.as_deref() == Some("list") {
        for defect in Defect::ALL {
            println!("{}", defect.name());
        }
        return Ok(());
    }
    let defect = match &arguments.defect {
        Some(name) => Some(*Defect::ALL.iter().find(|d| d.name() == name).context("there is no such defect")?),
        None => None,
    };
    if let Some(seed) = arguments.seed {
        let started = Instant::now();
        let outcome = run(seed, defect)?;
        if arguments.trace {
            std::io::stdout().write_all(outcome.trace.as_bytes())?;
        }
        return tell(&arguments, &outcome, started);
    }
    many(&arguments, defect)
}

fn many(arguments: &Arguments, defect: Option<Defect>) -> anyhow::Result<()> {
    let started = Instant::now();
    let (next, failed) = (AtomicU64::new(arguments.from), AtomicBool::new(false));
    let end = arguments.from.saturating_add(arguments.seeds);
    std::thread::scope(|scope| {
        for _ in 0..arguments.threads.max(1) {
            scope.spawn(|| {
                while !failed.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    let told = run(seed, defect).and_then(|outcome| tell(arguments, &outcome, started));
                    if let Err(error) = told {
                        eprintln!("{error:#}");
                        failed.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    if failed.load(Ordering::Relaxed) {
        bail!("a seed failed");
    }
    println!("{} seeds from {} without a violation in {:.1?}", arguments.seeds, arguments.from, started.elapsed());
    Ok(())
}

/// Says how a seed ended; an error when something does not hold.
fn tell(arguments: &Arguments, outcome: &Outcome, started: Instant) -> anyhow::Result<()> {
    if outcome.violations.is_empty() {
        if arguments.seed.is_some() || (outcome.seed + 1).is_multiple_of(PROGRESS_EVERY) {
            let Outcome { seed, messages, commits, .. } = outcome;
            println!("seed {seed} holds ({messages} messages, {commits} commits), after {:.1?}", started.elapsed());
        }
        return Ok(());
    }
    std::fs::create_dir_all(&arguments.folder)?;
    let file = arguments.folder.join(format!("seed-{}.trace", outcome.seed));
    std::fs::write(&file, &outcome.trace)?;
    let violations: Vec<String> = outcome.violations.iter().map(|violation| format!("  {violation}")).collect();
    bail!(
        "seed {} fails:\n{}\nits trace is in {}; to see it again:\n  {}",
        outcome.seed,
        violations.join("\n"),
        file.display(),
        outcome.replay()
    )
}
