//! Seeds in the test command: as many as two minutes allow, at most 300. `simulate` runs more of them by hand.

use std::fmt::Write as _;
use std::num::NonZero;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use throughline_simulation::{Outcome, run};

/// Most seeds.
const SEEDS_MAX: u64 = 300;
/// Fewest: with less the test says nothing, and fails.
const SEEDS_MIN: u64 = 20;
/// How long seeds are begun.
const TIME_MAX: Duration = Duration::from_secs(120);
/// How long it may take where the machine is so slow that two minutes are not enough for the fewest.
const TIME_MAX_FOR_FEWEST: Duration = Duration::from_secs(600);

/// Runs seeds on all cores until there are enough or time is over; gives how many, and those that failed.
fn many() -> (u64, Vec<Outcome>) {
    let started = Instant::now();
    let (next, done) = (AtomicU64::new(0), AtomicU64::new(0));
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let time = if seed < SEEDS_MIN { TIME_MAX_FOR_FEWEST } else { TIME_MAX };
                    if seed >= SEEDS_MAX || started.elapsed() > time || !failed.lock().expect("no panic").is_empty() {
                        return;
                    }
                    let outcome = run(seed, None).expect("the simulation runs");
                    done.fetch_add(1, Ordering::Relaxed);
                    if !outcome.violations.is_empty() {
                        failed.lock().expect("no panic").push(outcome);
                    }
                }
            });
        }
    });
    (done.into_inner(), failed.into_inner().expect("no panic"))
}

#[test]
fn seeds_hold() {
    let started = Instant::now();
    let (done, failed) = many();
    println!("{done} seeds of the simulation in {:.1?}", started.elapsed());
    let mut report = String::new();
    for outcome in &failed {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("seed-{}.trace", outcome.seed));
        std::fs::write(&file, &outcome.trace).unwrap();
        writeln!(report, "seed {}:", outcome.seed).unwrap();
        for violation in &outcome.violations {
            writeln!(report, "  {violation}").unwrap();
        }
        writeln!(report, "its trace is in {}; to see it again:\n  {}", file.display(), outcome.replay()).unwrap();
    }
    assert!(failed.is_empty(), "{report}");
    assert!(done >= SEEDS_MIN, "only {done} seeds were run: too few to say anything");
}
