//! Prints how many messages go through per second, in memory and with a journal: sent, received and deleted in batches of
//! ten, first one queue at a time and then with a backlog that stays.
//!
//! `cargo run --release -p throughline-queues --example queue_throughput -- [messages] [backlog]`

use serde_json::Value;
use std::time::Instant;
use throughline_queues::{QueueSpec, Queues};

const BATCH: usize = 10;
const GROUPS_PER_MESSAGE: usize = 10;
const BODY_BYTES: usize = 1_000;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse().expect("a number"));
    let messages = arguments.next().unwrap_or(100_000);
    let backlog = arguments.next().unwrap_or(0);
    let dir = tempfile::tempdir().expect("a temporary folder");
    for (mode, queues) in
        [("memory", Queues::memory()), ("journal", Queues::open(dir.path()).expect("a journal in an empty folder"))]
    {
        for spec in [QueueSpec::standard("plain"), QueueSpec::fifo("ordered.fifo")] {
            let url = queues.create(&spec).expect("the settings are right");
            let bench = Bench { queues: &queues, url, fifo: spec.fifo };
            if backlog > 0 {
                let seconds = bench.send("backlog", backlog).await;
                report(mode, &spec.name, "backlog", backlog, seconds);
            }
            let sent = bench.send("timed", messages).await;
            report(mode, &spec.name, "send", messages, sent);
            let (received, deleted) = bench.receive_and_delete(messages).await;
            report(mode, &spec.name, "receive", messages, received);
            report(mode, &spec.name, "delete", messages, deleted);
            report(mode, &spec.name, "all three", 3 * messages, sent + received + deleted);
        }
    }
}

fn report(mode: &str, queue: &str, what: &str, operations: usize, seconds: f64) {
    println!("{mode:8} {queue:13} {what:10} {:>10.0}/s", operations as f64 / seconds);
}

struct Bench<'a> {
    queues: &'a Queues,
    url: String,
    fifo: bool,
}

impl Bench<'_> {
    async fn call(&self, action: &str, fields: &str) -> Value {
        let body = format!(r#"{{"QueueUrl":"{}",{fields}}}"#, self.url);
        let reply = self.queues.call(&format!("AmazonSQS.{action}"), body.as_bytes()).await;
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        serde_json::from_slice(&reply.body).expect("replies are JSON")
    }

    async fn send(&self, run: &str, count: usize) -> f64 {
        let (start, body) = (Instant::now(), "x".repeat(BODY_BYTES));
        for first in (0..count).step_by(BATCH) {
            let entries: Vec<_> = (first..first + BATCH)
                .map(|n| {
                    let fifo = format!(
                        r#","MessageGroupId":"g{}","MessageDeduplicationId":"{run}-{n}""#,
                        n % (count / GROUPS_PER_MESSAGE).max(1)
                    );
                    let fifo = if self.fifo { fifo.as_str() } else { "" };
                    format!(r#"{{"Id":"{n}","MessageBody":"{body}"{fifo}}}"#)
                })
                .collect();
            self.call("SendMessageBatch", &format!(r#""Entries":[{}]"#, entries.join(","))).await;
        }
        start.elapsed().as_secs_f64()
    }

    async fn receive_and_delete(&self, count: usize) -> (f64, f64) {
        let (mut received, mut deleted, mut done) = (0.0, 0.0, 0);
        while done < count {
            let start = Instant::now();
            let got = self.call("ReceiveMessage", r#""MaxNumberOfMessages":10,"AttributeNames":["All"]"#).await;
            received += start.elapsed().as_secs_f64();
            let messages = got["Messages"].as_array().map(Vec::as_slice).unwrap_or_default();
            done += messages.len();
            let entry = |(n, message): (usize, &Value)| {
                format!(r#"{{"Id":"{n}","ReceiptHandle":{}}}"#, message["ReceiptHandle"])
            };
            let entries: Vec<_> = messages.iter().enumerate().map(entry).collect();
            let start = Instant::now();
            self.call("DeleteMessageBatch", &format!(r#""Entries":[{}]"#, entries.join(","))).await;
            deleted += start.elapsed().as_secs_f64();
        }
        (received, deleted)
    }
}
