//! `shared/store/ACCESS_PATTERNS.md` held against the code: each row names one method of `Store`, each method has one
//! row, and the operation, consistency and units of a row are what the method really uses.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use throughline_aws::{STAGE, Service};
use throughline_domain::channel::Channel;
use throughline_domain::customer::{KnownIdentifier, Profile};
use throughline_domain::id::{AgentId, CustomerId, EventId, MessageId, TeamId, TicketId, uuid_v7};
use throughline_domain::identifier::Identifier;
use throughline_domain::identity::NewClaim;
use throughline_domain::ledger::{LedgerEntry, LedgerKey, LedgerState};
use throughline_domain::message::Sender;
use throughline_domain::message_change::{Changed, MessageChange};
use throughline_domain::moment::Moment;
use throughline_domain::suppression::{Suppression, SuppressionKind};
use throughline_store::{CommandKey, Holder, QuarantineId, Quarantined, SendRecord, SendState, Store};
use throughline_tests::{Mail, World};

/// On whose account the methods are counted here.
const ACCOUNT: &str = "access patterns";
/// Methods that people use now and then, or that are measured by what they are part of (`e2e_bill`).
const NOT_MEASURED: [&str; 18] = [
    "commit",
    "commit_all",
    "put_agent",
    "put_team",
    "put_config",
    "replay",
    "create_table",
    "relink",
    "links",
    "set_shared",
    "rewrite_commit",
    "rewrite_link",
    "forget_naming",
    "rewrite_ticket",
    "release",
    "forget_suppression",
    "forget_parked",
    "forget_send",
];

/// A row of the tables of questions and changes.
struct Row {
    method: String,
    request: String,
    consistency: String,
    units: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("shared/store")
}

fn rows() -> Vec<Row> {
    let text = std::fs::read_to_string(folder().join("ACCESS_PATTERNS.md")).unwrap();
    let mut rows = Vec::new();
    let mut reads = None;
    for line in text.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        match cells.as_slice() {
            ["question", "method", ..] => reads = Some(true),
            ["change", "method", ..] => reads = Some(false),
            [_, method, request, middle, units] if reads.is_some() && method.starts_with('`') => rows.push(Row {
                method: method.trim_matches('`').to_owned(),
                request: (*request).to_owned(),
                consistency: if reads == Some(true) { (*middle).to_owned() } else { String::new() },
                units: (*units).to_owned(),
            }),
            _ if !line.starts_with('|') => reads = None,
            _ => {}
        }
    }
    rows
}

/// The methods of `Store` that ask the table something, with their bodies.
fn methods() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder().join("src")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let source = std::fs::read_to_string(path).unwrap();
        for method in source.split("\n    pub async fn ").skip(1) {
            let name = method.split(['(', '<']).next().unwrap();
            let body = method.split("\n    }\n").next().unwrap();
            found.insert(name.to_owned(), body.to_owned());
        }
    }
    found
}

#[test]
fn each_row_is_one_method_and_each_method_one_row() {
    let (rows, methods) = (rows(), methods());
    let named: Vec<&String> = rows.iter().map(|row| &row.method).collect();
    let different: BTreeSet<&String> = named.iter().copied().collect();
    assert_eq!(named.len(), different.len(), "a method has two rows: {named:?}");
    let missing: Vec<_> = methods.keys().filter(|method| !different.contains(method)).collect();
    assert!(missing.is_empty(), "give {missing:?} a row in ACCESS_PATTERNS.md");
    let unknown: Vec<_> = different.into_iter().filter(|row| !methods.contains_key(*row)).collect();
    assert!(unknown.is_empty(), "a row names one public method of Store, which {unknown:?} are not");
}

#[test]
fn consistency_is_as_the_code_asks_for_it() {
    let methods = methods();
    for row in rows().iter().filter(|row| !row.consistency.is_empty()) {
        let body = &methods[&row.method];
        let index = body.contains(".index_name(") || body.contains(".listed(");
        let own = ["config", "message", "replay", "ticket", "root_head", "cluster", "profiles"]
            .contains(&row.method.as_str());
        let strong = [".get(", ".get_many(", ".sorted(", ".in_partition(", "consistent_read(true)"]
            .iter()
            .any(|call| body.contains(call));
        let said = match (index, strong || own) {
            (true, _) => "index",
            (false, true) => "strong",
            (false, false) => "eventual",
        };
        assert!(row.consistency.starts_with(said), "{} is {said}, its row says {}", row.method, row.consistency);
    }
}

/// What a method used: its operations, and its units.
#[derive(Debug)]
struct Used {
    operations: BTreeSet<String>,
    units: f64,
    /// How many things were asked for.
    things: f64,
}

/// Whether the figure of a row is what was used: `2`, `2 each` (thing), `up to 2`, `2 and more`.
fn agrees(units: &str, used: &Used) -> bool {
    let figure = |text: &str| text.split([' ', ',']).next().and_then(|figure| figure.parse::<f64>().ok());
    if let Some(most) = units.strip_prefix("up to ").and_then(figure) {
        return used.units <= most;
    }
    let Some(figure) = figure(units) else { return false };
    let each = if units.split(',').next().is_some_and(|first| first.ends_with(" each")) { used.things } else { 1.0 };
    if units.contains(" and more") { used.units >= figure } else { used.units == figure * each }
}

/// Runs methods and keeps what each used.
struct Meter<'a> {
    world: &'a World,
    used: BTreeMap<&'static str, Used>,
}

impl Meter<'_> {
    async fn of<T>(&mut self, method: &'static str, things: u8, call: impl Future<Output = T>) -> T {
        let aws = &self.world.system().aws;
        aws.reset_counts();
        aws.count(true);
        let value = STAGE.scope(ACCOUNT, call).await;
        aws.count(false);
        let counts = aws.reset_counts();
        let ours = |key: &&throughline_aws::CallKey| key.stage == ACCOUNT && key.call.service == Service::DynamoDb;
        let operations = counts.calls.keys().filter(ours).map(|key| key.call.operation.to_string()).collect();
        let tally = counts.sum(|key| ours(&key));
        let units = tally.read_units + tally.write_units;
        self.used.insert(method, Used { operations, units, things: f64::from(things) });
        value
    }
}

async fn reads(meter: &mut Meter<'_>, store: &Store, tickets: [TicketId; 2], mails: &[Mail; 2]) {
    let ticket = meter.of("ticket", 1, store.ticket(tickets[0])).await.unwrap().unwrap().ticket.head;
    assert!(!ticket.has_detail);
    meter.of("tickets", 2, store.tickets(&tickets)).await.unwrap();
    meter.of("ticket_by_reference", 1, store.ticket_by_reference(ticket.reference)).await.unwrap().unwrap();
    let log = meter.of("timeline", 1, store.timeline(tickets[0], 0, 50)).await.unwrap();
    meter.of("read_commit", 1, store.read_commit(tickets[0], 1)).await.unwrap().unwrap();
    let customer: CustomerId = ticket.customer_id;
    meter.of("tickets_of_customer", 1, store.tickets_of_customer(customer, 30, None)).await.unwrap();
    let holder = Holder::Agent(ticket.assignee.clone().unwrap());
    meter.of("tickets_of_holder", 1, store.tickets_of_holder(&holder, true, 30, None)).await.unwrap();
    let later = Moment::from_ms(ticket.updated_at.ms() + 86_400_000);
    meter.of("tickets_to_check", 1, store.tickets_to_check(0, later, 30)).await.unwrap();
    let senders = mails.each_ref().map(|mail| Identifier::email(&mail.from).unwrap());
    assert_eq!(meter.of("owners", 2, store.owners(&senders)).await.unwrap().len(), 2);
    meter.of("profile", 1, store.profile(customer)).await.unwrap().unwrap();
    meter.of("customer_head", 1, store.customer_head(customer)).await.unwrap();
    meter.of("root_head", 1, store.root_head(customer)).await.unwrap();
    meter.of("cluster", 1, store.cluster(customer)).await.unwrap();
    meter.of("joined_tickets", 1, store.joined_tickets(customer, None, 40)).await.unwrap();
    meter.of("customers_naming", 1, store.customers_naming(&senders[0], None, 40)).await.unwrap();
    meter.of("tickets_naming", 1, store.tickets_naming(&senders[0], None, 40)).await.unwrap();
    meter.of("profiles", 1, store.profiles(&[customer])).await.unwrap();
    let keys = mails.each_ref().map(|mail| LedgerKey::mail(&mail.id));
    meter.of("message", 1, store.message(&keys[0])).await.unwrap().unwrap();
    meter.of("messages", 2, store.messages(&keys)).await.unwrap();
    let people: Vec<AgentId> = ["mia", "liam"].iter().map(|id| id.parse().unwrap()).collect();
    assert_eq!(meter.of("agents", 2, store.agents(&people)).await.unwrap().len(), 2);
    meter.of("roster", 1, store.roster()).await.unwrap();
    meter.of("teams", 1, store.teams()).await.unwrap();
    let team: TeamId = "technical".parse().unwrap();
    meter.of("waiting_tickets", 1, store.waiting_tickets(&team, 40)).await.unwrap();
    let config = meter.of("config", 1, store.config()).await.unwrap();
    meter.of("config_in_force", 1, store.config_in_force()).await.unwrap();
    meter.of("sla_rules", 1, store.sla_rules(config.sla.version)).await.unwrap().unwrap();
    let event: EventId = log[0].events[0].id;
    meter.of("send_record", 1, store.send_record(tickets[0], event)).await.unwrap();
    let command = CommandKey::new("mia", "key", &[b"POST"]);
    meter.of("command", 1, store.command(&command)).await.unwrap();
    meter.of("ping", 1, store.ping(Duration::from_secs(5))).await.unwrap();
}

/// What the stages write of a customer, of a ticket's clock, and of a change that comes before its message.
async fn stages_write(meter: &mut Meter<'_>, store: &Store, ticket: TicketId, now: Moment) {
    let stored = store.ticket(ticket).await.unwrap().unwrap();
    let later = stored.check_at.map(|at| Moment::from_ms(at.ms() + 60_000));
    assert!(later.is_some(), "an open ticket has a clock");
    assert!(meter.of("move_check", 1, store.move_check(&stored, later)).await.unwrap());
    let profile = store.profile(stored.ticket.head.customer_id).await.unwrap().unwrap();
    let mut profile = Profile { version: profile.version + 1, ..profile };
    let known = KnownIdentifier {
        identifier: Identifier::email("ann-at-work@example.org").unwrap(),
        verified: true,
        first_seen_at: now,
        last_seen_at: now,
        source: "email".to_owned(),
    };
    profile.identifiers.push(known.clone());
    meter.of("claim", 1, store.claim(&profile, &[NewClaim { known, displaces: None }], &[])).await.unwrap();
    let inbox = "telegram".parse().unwrap();
    let sender = Sender { kind: "telegram".to_owned(), value: "1".to_owned(), name: None, verified: true };
    let change = MessageChange {
        id: MessageId::new(uuid_v7(now, &[b"edit"])),
        key: LedgerKey::new(Channel::Telegram, &inbox, "edit-1"),
        of: LedgerKey::new(Channel::Telegram, &inbox, "not-here-yet"),
        channel: Channel::Telegram,
        inbox,
        sender,
        change: Changed::Edited { text: "the red one".to_owned() },
        changed_at: None,
        received_at: now,
    };
    assert!(meter.of("park", 1, store.park(&change)).await.unwrap());
}

async fn writes(meter: &mut Meter<'_>, store: &Store, ticket: TicketId, now: Moment) {
    let event = store.read_commit(ticket, 1).await.unwrap().unwrap().events[0].id;
    let record = SendRecord {
        state: SendState::Attempting,
        attempts: 1,
        attempt: "one".to_owned(),
        lease_until: now,
        provider_message_id: None,
        reason: None,
    };
    meter.of("put_send_record", 1, store.put_send_record(ticket, event, None, &record)).await.unwrap();
    let agent: AgentId = "mia".parse().unwrap();
    let presence = throughline_domain::agent::Presence::Busy;
    assert!(meter.of("set_presence", 1, store.set_presence(&agent, presence)).await.unwrap());
    let id = QuarantineId::new(now, "upsert-ticket", "record");
    let message = LedgerKey::mail("nobody-knows@example.org");
    let record = Quarantined {
        id: id.to_string(),
        at: now,
        stage: "upsert-ticket".to_owned(),
        reason: "it is broken".to_owned(),
        raw_key: "quarantine/1".to_owned(),
        queue: None,
        group: None,
        message: Some(message.clone()),
        retried_at: None,
    };
    meter.of("quarantine", 1, store.quarantine(&id, &record)).await.unwrap();
    meter.of("quarantined", 1, store.quarantined(&id)).await.unwrap().unwrap();
    assert_eq!(meter.of("quarantined_on", 1, store.quarantined_on(id.day(), None, 10)).await.unwrap().len(), 1);
    assert!(meter.of("release_message", 1, store.release_message(&message, now)).await.unwrap());
    assert!(meter.of("mark_retried", 1, store.mark_retried(&id, &record, now)).await.unwrap());
    meter.of("begin_last_try", 1, store.begin_last_try("upsert-ticket", "record", "one", now)).await.unwrap();
    meter.of("end_last_try", 1, store.end_last_try("upsert-ticket", "record")).await.unwrap();
    let names = ["a@example.org", "b@example.org"].map(|address| Identifier::email(address).unwrap());
    let suppression = Suppression::new(SuppressionKind::OptedOut, "they said so", now);
    for name in &names {
        meter.of("suppress", 1, store.suppress(name, &suppression)).await.unwrap();
    }
    meter.of("suppressions", 2, store.suppressions(&names)).await.unwrap();
    meter.of("add_to_budget", 1, store.add_to_budget("support", 1, 50)).await.unwrap();
    assert_eq!(store.message(&message).await.unwrap().unwrap(), LedgerEntry::new(LedgerState::InFlight, now));
}

#[tokio::test]
async fn operations_and_units_are_those_of_the_rows() {
    let world = World::start().await;
    let mails = ["ann@example.org", "bob@example.org"].map(Mail::from);
    let mut tickets: Vec<TicketId> = Vec::new();
    for mail in &mails {
        tickets.push(world.ticket_by_mail(mail).await["id"].as_str().unwrap().parse().unwrap());
    }
    world.settled().await;
    let store = world.app().store.clone();
    let mut meter = Meter { world: &world, used: BTreeMap::new() };
    reads(&mut meter, &store, [tickets[0], tickets[1]], &mails).await;
    writes(&mut meter, &store, tickets[0], world.now()).await;
    stages_write(&mut meter, &store, tickets[1], world.now()).await;
    let mut wrong = Vec::new();
    for row in rows().iter().filter(|row| !NOT_MEASURED.contains(&row.method.as_str())) {
        match meter.used.get(row.method.as_str()) {
            None => wrong.push(format!("{}: measure it here, or say in NOT_MEASURED why not", row.method)),
            Some(used) => {
                if !used.operations.iter().all(|operation| row.request.contains(operation.as_str())) {
                    wrong.push(format!("{}: its row says {}, it is {:?}", row.method, row.request, used.operations));
                }
                if !agrees(&row.units, used) {
                    wrong.push(format!("{}: its row says {} units, it is {used:?}", row.method, row.units));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "ACCESS_PATTERNS.md is wrong:\n{}", wrong.join("\n"));
    world.stop().await;
}
