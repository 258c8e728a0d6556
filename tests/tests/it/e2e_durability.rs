//! What was accepted survives a stop, and a kill in the middle.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use throughline_local::client::Client;
use throughline_local::{Options, Seed, System, token};
use throughline_platform::clock::Clock;
use throughline_tests::{Accepted, Mail, World};
use tokio::time::Instant;

/// Mails before the stop.
const MAILS: usize = 100;
/// How often the process is killed.
const KILLS: usize = 2;
/// Accepted mails after which it is.
const KILLED_AFTER: usize = 100;
/// Connections at once.
const CONNECTIONS: usize = 4;
/// Between two looks at a process that cannot be asked whether it is done.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Longest wait for it.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_stop_loses_nothing_and_the_start_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start_in(folder.path()).await;
    let mut client = world.smtp().await;
    for i in 0..MAILS {
        world.mail_over(&mut client, &Mail::from(&format!("person-{}@example.org", i % 40))).await;
    }
    drop(client);
    // In the middle of the work: most of it is still in the queues.
    let world = world.restart().await;
    world.settled().await;
    assert_eq!(world.tickets("").await.len(), MAILS);
    assert!(world.tickets("").await.iter().all(|ticket| ticket["team"] == "support"), "all are routed");
    let first = world.memory().messages.iter().next().unwrap().id.clone();
    let ticket = world.ticket_of_mail(&first).await;
    let path = format!("/v1/tickets/{}/replies", ticket["id"].as_str().unwrap());
    world.post(&path, &json!({"text": "Still here."})).await;
    world.settled().await;
    let world = world.restart().await;
    assert_eq!(world.sent_mail().await.len(), 1);
    world.ticket_by_mail(&Mail::from("person-1@example.org").in_reply_to(&first)).await;
    world.finish().await;
}

#[tokio::test]
async fn a_folder_in_use_and_a_taken_port_are_said_clearly() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start_in(folder.path()).await;
    let other = Options { data: Some(folder.path().to_owned()), ..Options::for_test().unwrap() };
    let error = format!("{:#}", System::start(other).await.err().unwrap());
    assert!(error.contains("another process"), "{error}");
    let other = Options { http: world.system().http, ..Options::for_test().unwrap() };
    let error = format!("{:#}", System::start(other).await.err().unwrap());
    assert!(error.contains("--http"), "{error}");
    let other = Options { smtp: world.system().smtp, ..Options::for_test().unwrap() };
    let error = format!("{:#}", System::start(other).await.err().unwrap());
    assert!(error.contains("--smtp"), "{error}");
    world.finish().await;
}

/// The program, built if need be: tests of this crate do not build other crates' programs.
pub(super) fn program() -> PathBuf {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--package", "throughline-local", "--bin", "throughline"]);
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    assert!(build.status().expect("cargo runs").success(), "the program builds");
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("throughline")
}

/// The program as a process of its own; killed when dropped.
struct Process {
    child: Child,
    http: SocketAddr,
    smtp: SocketAddr,
}

impl Process {
    async fn start(program: &Path, folder: &Path) -> Self {
        let program = program.to_owned();
        let folder = folder.to_owned();
        let started = tokio::task::spawn_blocking(move || {
            let mut child = Command::new(program)
                .args(["--http", "127.0.0.1:0", "--smtp", "127.0.0.1:0", "--data"])
                .arg(folder)
                .stdout(Stdio::piped())
                .spawn()
                .expect("the program starts");
            let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
            let mut address = |scheme: &str| -> SocketAddr {
                let line = lines.find_map(|line| Some(line.ok()?.split_once(scheme)?.1.to_owned()));
                let line = line.expect("it says where it listens");
                line.split(|c: char| c == '/' || c.is_whitespace()).next().unwrap().parse().unwrap()
            };
            let (http, smtp) = (address("http://"), address("smtp://"));
            // Nobody may stop reading what it prints.
            std::thread::spawn(move || lines.for_each(drop));
            Self { child, http, smtp }
        });
        started.await.unwrap()
    }

    /// `kill -9`.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _dead_already = self.child.kill();
        let _reaped_already = self.child.wait();
    }
}

/// The ids of the mails that were sent, by what the sender knows of them.
#[derive(Debug, Default)]
struct Sent {
    /// Answered with 250: they have to be recorded.
    accepted: BTreeSet<String>,
    /// The server was gone before the answer came: they may be recorded, each at most once.
    unanswered: BTreeSet<String>,
}

/// Sends mails until the server is gone.
async fn send_until_gone(smtp: SocketAddr, connection: usize, sent: &Mutex<Sent>, count: &AtomicUsize) {
    let Ok(mut client) = throughline_smtp::Client::connect(smtp).await else { return };
    for number in 0.. {
        let mail = Mail::from(&format!("person-{connection}-{}@example.org", number % 7));
        if client.send(Some(&mail.from), &mail.recipients(), &mail.bytes()).await.is_err() {
            sent.lock().unwrap().unanswered.insert(mail.id);
            return;
        }
        sent.lock().unwrap().accepted.insert(mail.id);
        count.fetch_add(1, Ordering::SeqCst);
    }
}

/// How often each mail is on a ticket, by its id.
async fn recorded(client: &Client) -> BTreeMap<String, usize> {
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for ticket in tickets(client).await {
        let path = format!("/v1/tickets/{}/timeline", ticket["id"].as_str().unwrap());
        let timeline = client.get(&path).await.unwrap().ok().unwrap();
        for event in timeline["items"].as_array().unwrap().iter().filter(|event| event["kind"] == "message_received") {
            let id = event["data"]["message"]["provider_message_id"].as_str().unwrap();
            *found.entry(id.to_owned()).or_default() += 1;
        }
    }
    found
}

async fn tickets(client: &Client) -> Vec<Value> {
    let (mut tickets, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("/v1/tickets?limit=200{cursor}")).await.unwrap().ok().unwrap();
        tickets.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return tickets,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_in_the_middle_lose_nothing_and_double_nothing() {
    let program = tokio::task::spawn_blocking(program).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let sent: Mutex<Sent> = Mutex::default();
    for _ in 0..KILLS {
        // It also has to go on with what the last kill left.
        let mut process = Process::start(&program, folder.path()).await;
        let count = AtomicUsize::new(0);
        let senders = (0..CONNECTIONS).map(|i| send_until_gone(process.smtp, i, &sent, &count));
        let senders = futures::future::join_all(senders);
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        let enough = async {
            while count.load(Ordering::SeqCst) < KILLED_AFTER {
                ticks.tick().await;
            }
            process.kill();
        };
        futures::join!(senders, enough);
    }
    let Sent { accepted, unanswered } = sent.into_inner().unwrap();
    assert!(accepted.len() >= KILLS * KILLED_AFTER);

    let process = Process::start(&program, folder.path()).await;
    let seed = Seed::built_in().unwrap();
    let client =
        Client::new(process.http).with_token(token::issue(&seed.oidc, "mia", "agent", Clock::System.now()).unwrap());
    let (started, mut ticks) = (Instant::now(), tokio::time::interval(LOOK_EVERY));
    let mut found = BTreeMap::new();
    while !accepted.iter().all(|id| found.contains_key(id)) {
        assert!(started.elapsed() < PATIENCE, "{} of {} are there", found.len(), accepted.len());
        ticks.tick().await;
        found = recorded(&client).await;
    }
    assert!(found.values().all(|count| *count == 1), "each once: {found:?}");
    for id in &accepted {
        let entry = client.get(&format!("/v1/messages/email/support/{id}")).await.unwrap().ok().unwrap();
        assert_eq!(entry["state"], "recorded", "{id}: {entry}");
    }
    // What was committed and not relayed before the kill is driven by the check.
    loop {
        let at = Clock::System.now().plus_ms(120_000);
        client.post(&format!("/local/check?at={at}"), &Value::Null).await.unwrap().ok().unwrap();
        if tickets(&client).await.iter().all(|ticket| ticket["team"] == "support") {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "not all are routed");
        ticks.tick().await;
    }
    // One kill more; what is left then is looked through as at the end of every test.
    drop(process);
    let world = World::start_in(folder.path()).await;
    world.settled().await;
    let mut recorded = accepted;
    for id in unanswered {
        if world.ledger("email", "support", &id).await.status == 200 {
            recorded.insert(id);
        }
    }
    for id in recorded {
        let inbox = "support".to_owned();
        world.took(Accepted { channel: "email", inbox, content: id.clone(), id });
    }
    world.finish().await;
}
