//! How fast mail is read, beside the bare parser on the same bytes.
//!
//! `cargo bench -p throughline-channels --bench mail` measures in MB/s. With `-- ratios` it prints a table instead: how
//! many times the bare parse the reading takes, and how the time grows when the mail doubles.

#[path = "mail/memory.rs"]
mod memory;
#[path = "mail/ratios.rs"]
mod ratios;
#[path = "mail/shapes.rs"]
mod shapes;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use mail_parser::MessageParser;
use throughline_channels::email::{Delivery, read};
use throughline_domain::config::Inboxes;
use throughline_domain::moment::Moment;

use self::shapes::{HOSTILE, HOSTILE_HEADERS, ORDINARY, Shape};

/// The configuration that a mail is read with.
struct Reader {
    inboxes: Inboxes,
    recipients: [String; 1],
}

impl Reader {
    fn new() -> Self {
        let inboxes = r#"{"inboxes":[{"id":"support","channel":"email","address":"support@shop.example"}]}"#;
        let inboxes = serde_json::from_str(inboxes).expect("a configuration");
        Self { inboxes, recipients: ["support@shop.example".to_owned()] }
    }

    /// Parsing and reading, as ingestion does it.
    fn read(&self, raw: &[u8]) {
        let delivery = Delivery {
            raw,
            object_key: "raw/1",
            received_at: Moment::from_ms(1_763_631_000_000),
            envelope_from: Some("anna@example.com"),
            recipients: &self.recipients,
            authentication: None,
        };
        black_box(read(&delivery, &self.inboxes, &[]).expect("a mail to an inbox"));
    }
}

fn parse(raw: &[u8]) {
    black_box(MessageParser::default().parse(raw));
}

fn measure(criterion: &mut Criterion, group: &str, shapes: impl Iterator<Item = (&'static str, Shape, usize)>) {
    let reader = Reader::new();
    let mut group = criterion.benchmark_group(group);
    group.sample_size(10);
    for (name, shape, size) in shapes {
        let mail = shape(size);
        group.throughput(Throughput::Bytes(mail.len() as u64));
        group.bench_with_input(BenchmarkId::new("reading", name), &mail, |bencher, mail| {
            bencher.iter(|| reader.read(mail));
        });
        group.bench_with_input(BenchmarkId::new("bare parse", name), &mail, |bencher, mail| {
            bencher.iter(|| parse(mail));
        });
    }
    group.finish();
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "ratios") {
        return ratios::print();
    }
    if let [memory::ARGUMENT, name, size] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        let hostile = HOSTILE.into_iter().chain(HOSTILE_HEADERS).map(|(name, shape, _)| (name, shape));
        let found = ORDINARY.into_iter().chain(hostile).find(|(known, _)| *known == name);
        if let Some(((_, shape), size)) = found.zip(size.parse().ok()) {
            memory::measure(shape, size);
        }
        return;
    }
    // `cargo test` and nextest run benchmarks without this: there is nothing to test here.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    measure(&mut criterion, "ordinary", ORDINARY.into_iter().map(|(name, shape)| (name, shape, 0)));
    measure(&mut criterion, "hostile", HOSTILE.into_iter());
    criterion.final_summary();
}
