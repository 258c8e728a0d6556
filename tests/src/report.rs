//! What benchmarks say: Markdown on the standard output, and with `--write` also in a section of its own in `BENCHMARKS.md`.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context;

/// The file, beside the workspace's manifest.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../BENCHMARKS.md");

/// A table in Markdown: numbers to the right.
#[derive(Debug)]
pub struct Table {
    text: String,
}

impl Table {
    /// With these columns; all but the first are numbers.
    pub fn new(columns: &[&str]) -> Self {
        let mut text = format!("| {} |\n|", columns.join(" | "));
        for column in 0..columns.len() {
            text.push_str(if column == 0 { " --- |" } else { " ---: |" });
        }
        text.push('\n');
        Self { text }
    }

    /// A line of it.
    pub fn row(&mut self, cells: &[String]) {
        let _infallible = writeln!(self.text, "| {} |", cells.join(" | "));
    }

    /// All of it.
    pub fn into_text(self) -> String {
        self.text
    }
}

/// Says a section, and writes it into the file if that was asked for: in place of what stands between its marks.
///
/// # Errors
/// When the file cannot be written or has no such section.
pub fn section(name: &str, text: &str) -> anyhow::Result<()> {
    println!("{text}");
    if !std::env::args().any(|argument| argument == "--write") {
        return Ok(());
    }
    let file = Path::new(FILE);
    let before = std::fs::read_to_string(file).context("BENCHMARKS.md")?;
    let (from, to) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let place = before.find(&from).zip(before.find(&to));
    let (start, end) = place.with_context(|| format!("BENCHMARKS.md has no section {name}"))?;
    let after = format!("{}\n{}\n\n", &before[..start + from.len()], text.trim_end());
    std::fs::write(file, format!("{after}{}", &before[end..])).context("BENCHMARKS.md")
}

/// Whether this process is a benchmark that was asked to run: `cargo test` and nextest start benchmarks, too.
pub fn is_asked_for() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

/// The median of some figures, the least and the most. They are sorted then.
pub fn spread(figures: &mut [f64], digits: usize) -> String {
    figures.sort_by(f64::total_cmp);
    let [least, most] = [0, figures.len() - 1].map(|i| figures[i]);
    format!("{:.digits$} ({least:.digits$}–{most:.digits$})", figures[figures.len() / 2])
}

/// Processor time of this process so far, in milliseconds (Linux: `/proc/self/stat`, in hundredths of a second).
///
/// # Errors
/// Where there is no `/proc`.
pub fn cpu_ms() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").context("processor time is read from /proc (Linux)")?;
    let fields: Vec<&str> = stat.rsplit_once(')').context("stat")?.1.split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    Ok((ticks(11) + ticks(12)) * 10.0)
}

/// Memory of this process, in megabytes (resident set, `/proc/self/status`).
///
/// # Errors
/// Where there is no `/proc`.
pub fn memory_mb() -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status").context("memory is read from /proc (Linux)")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().context("VmRSS")?;
    Ok(kilobytes / 1024.0)
}
