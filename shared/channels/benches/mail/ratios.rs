//! The table of ratios: the fastest of several batches, in time on the processor where the system tells it, so that other work
//! on the machine changes little.

use std::time::{Duration, Instant};

use crate::shapes::{HOSTILE, HOSTILE_HEADERS, ORDINARY, Shape};
use crate::{Reader, memory, parse};

/// Batches of one measurement.
const BATCHES: usize = 3;
/// How long a batch takes at least: the system counts time on the processor in steps of some milliseconds.
const BATCH_MIN: Duration = Duration::from_millis(100);

/// Prints how the reading compares with the bare parse and with itself on twice the mail, and what memory it takes.
pub(crate) fn print() {
    let reader = Reader::new();
    println!(
        "{:<26}{:>11}{:>12}{:>12}{:>10}{:>20}{:>10}",
        "mail", "bytes", "reading ms", "bare ms", "reading/", "time(2n)/time(n)", "memory/"
    );
    println!("{:<26}{:>11}{:>12}{:>12}{:>10}{:>10}{:>10}{:>10}", "", "", "", "", "bare", "reading", "bare", "mail");
    let row = |name: &str, shape: Shape, size: usize, has_bare: bool| {
        let bare_parse = |mail: &[u8]| has_bare.then(|| least(|| parse(mail)));
        let mail = &shape(size)[..];
        let reading = least(|| reader.read(mail));
        let bare = bare_parse(mail);
        let growth = (size > 0).then(|| {
            let doubled = shape(2 * size);
            let bare = bare.zip(bare_parse(&doubled)).map(|(once, twice)| twice / once);
            format!("{:>10.2}{:>10}", least(|| reader.read(&doubled)) / reading, shown(bare, 2))
        });
        let growth = growth.unwrap_or_else(|| " ".repeat(20));
        let memory = shown(memory::peak(name, size).map(|peak| peak / mail.len() as f64), 2);
        let (bytes, ratio) = (mail.len(), shown(bare.map(|bare| reading / bare), 2));
        let bare = shown(bare.map(|bare| bare * 1e3), 3);
        println!("{name:<26}{bytes:>11}{:>12.3}{bare:>12}{ratio:>10}{growth}{memory:>10}", reading * 1e3);
    };
    for (name, shape) in ORDINARY {
        row(name, shape, 0, true);
    }
    for (name, shape, size) in HOSTILE {
        row(name, shape, size, true);
    }
    for (name, shape, size) in HOSTILE_HEADERS {
        row(name, shape, size, false);
    }
}

/// A number, where it was measured.
fn shown(number: Option<f64>, places: usize) -> String {
    number.map(|number| format!("{number:.places$}")).unwrap_or_default()
}

/// Seconds of one run, in the fastest batch.
fn least(work: impl Fn()) -> f64 {
    let batch = |_| {
        let clock = Instant::now();
        let started = on_processor();
        let spent = || match (started, on_processor()) {
            (Some(started), Some(now)) => now.saturating_sub(started),
            _ => clock.elapsed(),
        };
        let mut runs = 0_u32;
        while runs == 0 || spent() < BATCH_MIN {
            // Asking for the time must not count beside the work.
            for _ in 0..1 + runs / 8 {
                work();
                runs += 1;
            }
        }
        spent().as_secs_f64() / f64::from(runs)
    };
    (0..BATCHES).map(batch).fold(f64::INFINITY, f64::min)
}

/// How long this thread has run (Linux, `Documentation/scheduler/sched-stats.rst`).
fn on_processor() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(stat.split_whitespace().next()?.parse().ok()?))
}
