//! What `tests/deployment` tells the tests that it runs.

use std::path::PathBuf;
use std::time::Duration;

/// Who deploys stacks for tests: an address. Nobody in most runs, and then tests run the system in their own process.
pub fn stacks() -> Option<String> {
    read("THROUGHLINE_STACKS")
}

/// The template that is compared with the code, if it is another one than that of the project.
pub fn template() -> Option<PathBuf> {
    read("THROUGHLINE_TEMPLATE").map(PathBuf::from)
}

/// How long a test waits until nothing is on its way in a deployed stack.
pub fn patience() -> Duration {
    let asked = read("THROUGHLINE_PATIENCE_SECONDS").and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(asked.unwrap_or(90))
}

fn read(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "nextest hands on nothing else")]
    std::env::var(name).ok()
}
