//! How long functions take from the start of their process to the first request for work, beside a function that does
//! nothing and is built the same way.
//!
//! `tests/deployment/functions && cargo bench -p hello-world`. Machines are noisy: compare ratios of
//! one run. The functions take turns, so that whatever else the machine does meets all of them.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

/// Starts of each function.
const STARTS: usize = 40;
/// Longest wait for a start.
const START_MAX: Duration = Duration::from_secs(5);
/// What the others are compared with.
const HELLO_WORLD: &str = "hello-world";
/// How many times hello world's start a function may take.
const RATIO_MAX: f64 = 2.5;
/// The environment of all functions; nobody listens at the addresses.
const ENVIRONMENT: [(&str, &str); 18] = [
    ("AWS_REGION", "eu-west-1"),
    ("AWS_ACCESS_KEY_ID", "key"),
    ("AWS_SECRET_ACCESS_KEY", "secret"),
    ("AWS_SESSION_TOKEN", "token"),
    ("AWS_LAMBDA_FUNCTION_NAME", "function"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
    ("TABLE_NAME", "table"),
    ("BUCKET_NAME", "bucket"),
    ("MAIL_QUEUE_URL", "http://127.0.0.1/mail"),
    ("INBOUND_QUEUE_URL", "http://127.0.0.1/inbound"),
    ("IDENTIFIED_QUEUE_URL", "http://127.0.0.1/identified"),
    ("ROUTING_QUEUE_URL", "http://127.0.0.1/routing"),
    ("OUTBOUND_QUEUE_URL", "http://127.0.0.1/outbound"),
    ("EVENT_BUS_NAME", "bus"),
    ("SECRETS_PATH", "/throughline/test/secrets"),
    ("OIDC_ISSUER", "https://login.example.com/"),
    ("OIDC_AUDIENCE", "throughline"),
];

fn main() -> anyhow::Result<()> {
    // `cargo test` and nextest run benchmarks with `--test` or `--list`: there is nothing to test here.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let functions = functions()?;
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); functions.len()];
    for _ in 0..STARTS {
        for (place, (name, binary)) in functions.iter().enumerate() {
            times[place].push(start(binary, &listener).with_context(|| format!("{name} does not start"))?);
        }
    }
    let mut rows: Vec<(&str, u64, Duration, Duration)> = Vec::new();
    for ((name, binary), mut times) in functions.iter().zip(times) {
        times.sort();
        rows.push((name, binary.metadata()?.len(), times[times.len() / 2], times[times.len() * 9 / 10]));
    }
    let hello = rows.iter().find(|row| row.0 == HELLO_WORLD).map(|row| row.2).context("no hello world")?;
    println!("{:<18} {:>10} {:>12} {:>12} {:>8}", "", "bytes", "median ms", "9 of 10 ms", "ratio");
    let milliseconds = |time: Duration| time.as_secs_f64() * 1_000.0;
    let mut slow = Vec::new();
    for (name, bytes, median, most) in rows {
        let ratio = median.as_secs_f64() / hello.as_secs_f64();
        println!("{name:<18} {bytes:>10} {:>12.2} {:>12.2} {ratio:>8.2}", milliseconds(median), milliseconds(most));
        if ratio > RATIO_MAX {
            slow.push(name);
        }
    }
    ensure!(slow.is_empty(), "more than {RATIO_MAX} times hello world: {slow:?}");
    Ok(())
}

/// The functions as they are deployed, by name.
fn functions() -> anyhow::Result<Vec<(String, PathBuf)>> {
    let here = std::env::current_exe()?;
    let target = here.ancestors().nth(3).context("a target folder")?;
    let folder = target.join("lambda");
    let entries = std::fs::read_dir(&folder).with_context(|| {
        format!("there is no {}; build the functions first: tests/deployment/functions", folder.display())
    })?;
    let mut functions = Vec::new();
    for entry in entries {
        let entry = entry?;
        let binary = entry.path().join("bootstrap");
        if binary.is_file() {
            functions.push((entry.file_name().to_string_lossy().into_owned(), binary));
        }
    }
    functions.sort();
    Ok(functions)
}

/// Starts a function and stops it when it asks for work; how long that took.
fn start(binary: &Path, listener: &TcpListener) -> anyhow::Result<Duration> {
    let at: SocketAddr = listener.local_addr()?;
    let mut command = Command::new(binary);
    command.env_clear().envs(ENVIRONMENT).env("AWS_LAMBDA_RUNTIME_API", at.to_string());
    let started = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let asked = asked_for_work(listener, &mut child, started);
    child.kill()?;
    child.wait()?;
    asked
}

fn asked_for_work(
    listener: &TcpListener,
    child: &mut std::process::Child,
    started: Instant,
) -> anyhow::Result<Duration> {
    listener.set_nonblocking(true)?;
    let connection = loop {
        match listener.accept() {
            Ok((connection, _)) => break connection,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                if let Some(status) = child.try_wait()? {
                    bail!("it ended with {status}");
                }
                ensure!(started.elapsed() < START_MAX, "it does not ask for work");
                std::hint::spin_loop();
            }
            Err(error) => return Err(error.into()),
        }
    };
    connection.set_nonblocking(false)?;
    connection.set_read_timeout(Some(START_MAX))?;
    let mut line = String::new();
    BufReader::new(connection).read_line(&mut line)?;
    let elapsed = started.elapsed();
    ensure!(line.starts_with("GET /2018-06-01/runtime/invocation/next"), "it asks for {line}");
    Ok(elapsed)
}
