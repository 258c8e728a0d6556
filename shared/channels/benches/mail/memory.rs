//! How much memory a reading takes beside the mail: measured in a process of its own, which has no memory left over from
//! other mails (Linux, `proc(5)`).

use std::process::Command;

use crate::Reader;
use crate::shapes::Shape;

/// The argument that makes a process measure one mail: its name and its size follow.
pub(crate) const ARGUMENT: &str = "memory";

/// The most memory at once, in bytes, of reading the mail of this name; None where the system does not tell.
pub(crate) fn peak(name: &str, size: usize) -> Option<f64> {
    let program = std::env::current_exe().ok()?;
    let output = Command::new(program).args([ARGUMENT, name, &size.to_string()]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// What the process of one measurement does.
pub(crate) fn measure(shape: Shape, size: usize) {
    let mail = shape(size);
    let reader = Reader::new();
    reader.read(b"Subject: x\n\nwarm");
    // 5 resets the peak to what is in use now.
    let before = std::fs::write("/proc/self/clear_refs", "5").ok().and_then(|()| status("VmRSS:"));
    reader.read(&mail);
    if let Some((before, peak)) = before.zip(status("VmHWM:")) {
        println!("{}", peak.saturating_sub(before));
    }
}

fn status(field: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? * 1024)
}
