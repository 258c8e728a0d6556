//! How long each decision takes by itself, without any I/O: on a real mail, its ticket and its commits.
//!
//! `cargo bench -p throughline-tests --bench stages`. Reading mail has a benchmark of its own: `cargo bench -p
//! throughline-channels --bench mail`.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use anyhow::Context;
use criterion::{BatchSize, BenchmarkId, Criterion};
use throughline_channels::email;
use throughline_domain::agent::{Agent, Presence};
use throughline_domain::config::{Config, IntentRule};
use throughline_domain::decision::Decision;
use throughline_domain::event::Commit;
use throughline_domain::id::{CustomerId, TicketId, TicketReference};
use throughline_domain::inbound::{Identified, Inbound};
use throughline_domain::orchestration::{self, Recording, Situation};
use throughline_domain::routing::{self, Question};
use throughline_domain::ticket::{Status, Ticket};
use throughline_domain::{fold, identity, signals};
use throughline_tests::{Mail, World, report};

fn main() -> anyhow::Result<()> {
    if !report::is_asked_for() {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let sample = runtime.block_on(Sample::take())?;
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    decisions(&mut criterion, &sample);
    routing(&mut criterion, &sample);
    rules(&mut criterion, &sample);
    folds(&mut criterion, &sample)?;
    criterion.final_summary();
    Ok(())
}

/// What the system made of a mail.
struct Sample {
    inbound: Inbound,
    ticket: Ticket,
    commits: Vec<Commit>,
    config: Config,
    agent: Agent,
    calendars: throughline_domain::config::Calendars,
}

impl Sample {
    async fn take() -> anyhow::Result<Self> {
        let world = World::start().await;
        let mail = Mail::from("anna@example.org").subject("Where is my order?").text(
            "Hello,\n\nis there anything new about my order? It should have come on Monday, and nobody knows \
             anything.\n\nRegards\nAnna",
        );
        let ticket = world.ticket_by_mail(&mail).await;
        let id: TicketId = ticket["id"].as_str().context("an id")?.parse()?;
        let app = world.app();
        let ticket = app.store.ticket(id).await?.context("the ticket")?.ticket;
        let commits = app.store.timeline(id, 0, 10).await?;
        let config = Config::clone(&*app.config().await?);
        let agents: Vec<_> = app.roster().await?.iter().map(|(id, _)| id.clone()).take(1).collect();
        let agent = app.store.agents(&agents).await?.pop().context("an agent")?;
        let calendars = throughline_domain::config::Calendars::clone(&*app.calendars([&ticket.head]).await?);
        let delivery = email::Delivery {
            raw: &mail.bytes(),
            object_key: "mail/1",
            received_at: ticket.head.created_at,
            envelope_from: Some(&mail.from),
            recipients: &["support@example.com".to_owned()],
            authentication: None,
        };
        let inbound = email::read(&delivery, &config.inboxes.body, &[])?;
        world.stop().await;
        Ok(Self { inbound, ticket, commits, config, agent, calendars })
    }

    fn identified(&self) -> Identified {
        Identified {
            inbound: self.inbound.clone(),
            customer_id: self.ticket.head.customer_id,
            is_new: false,
            decision: Decision::new("proven_name", "a benchmark"),
        }
    }
}

fn decisions(criterion: &mut Criterion, sample: &Sample) {
    let (owners, holders, mailboxes) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    criterion.bench_function("identity of somebody new", |bencher| {
        let sender = identity::Sender {
            claims: &sample.inbound.claims,
            owners: &owners,
            holders: &holders,
            mailboxes: &mailboxes,
            new_customer: sample.ticket.head.customer_id,
            source: "email/support",
            at: sample.ticket.head.created_at,
        };
        bencher.iter(|| identity::resolve(black_box(&sender)));
    });
    criterion.bench_function("signals of a message", |bencher| {
        bencher.iter(|| signals::read(black_box(&sample.inbound.message), &sample.config.routing.body));
    });
    let identified = sample.identified();
    let cluster: Vec<CustomerId> = vec![identified.customer_id];
    let mut group = criterion.benchmark_group("placement, by open tickets of the customer");
    for open in [0, 1, 10] {
        let open: Vec<Ticket> = vec![sample.ticket.clone(); open];
        let situation = Situation {
            identified: &identified,
            cluster: &cluster,
            own: None,
            own_ticket: None,
            signed: None,
            thread: &[],
            ours: &[],
            open: &open,
            merged: &[],
            public_sides: &[],
            rules: &sample.config.ticketing,
            at: sample.ticket.head.created_at,
        };
        group.bench_function(BenchmarkId::from_parameter(open.len()), |bencher| {
            bencher.iter(|| orchestration::orchestrate(black_box(&situation)));
        });
        if open.is_empty() {
            let orchestration = orchestration::orchestrate(&situation);
            let recording = Recording {
                identified: &identified,
                orchestration: &orchestration,
                ticket: None,
                cluster: &[],
                reference: TicketReference::candidate(sample.ticket.head.id, 0),
                segment: None,
                open_today: 0,
                reported: None,
                config: &sample.config,
                at: sample.ticket.head.created_at,
            };
            group.bench_function("recording of a new ticket", |bencher| {
                bencher.iter(|| orchestration::record(black_box(&recording)));
            });
        }
    }
    group.finish();
}

fn routing(criterion: &mut Criterion, sample: &Sample) {
    let mut head = sample.ticket.head.clone();
    (head.assignee, head.status) = (None, Status::New);
    let mut group = criterion.benchmark_group("agent, by agents in the team");
    for count in [3_u32, 30, 300, 3_000] {
        let agent = |number: u32| Agent { load: number % 90, presence: Presence::Available, ..sample.agent.clone() };
        let agents: Vec<Agent> = (0..count).map(agent).collect();
        let question = Question { head: &head, inbox_team: None, rules: &sample.config.routing, agents: &agents };
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| routing::route(black_box(&question)));
        });
    }
    group.finish();
}

fn rules(criterion: &mut Criterion, sample: &Sample) {
    let mut group = criterion.benchmark_group("signals, by rules");
    let Some(rule) = sample.config.routing.body.intents.last() else { return };
    for count in [1, 10, 100, 1_000] {
        let mut rules = sample.config.routing.body.clone();
        rules.intents = vec![IntentRule::clone(rule); count];
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| signals::read(black_box(&sample.inbound.message), &rules));
        });
    }
    group.finish();
}

fn folds(criterion: &mut Criterion, sample: &Sample) -> anyhow::Result<()> {
    let (last, first) = sample.commits.split_last().context("commits")?;
    let before = fold::fold(first, &sample.calendars)?;
    criterion.bench_function("fold of one more commit", |bencher| {
        let next = || Some(before.clone());
        bencher.iter_batched(next, |ticket| fold::apply(ticket, last, &sample.calendars), BatchSize::SmallInput);
    });
    Ok(())
}
