//! What has to be true at the end of every test: the invariants of the design, as far as they can be seen at rest.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use throughline_domain::event::{Commit, EventData};
use throughline_domain::id::TicketId;
use throughline_domain::ticket::TicketHead;
use throughline_local::replay::ReplayReport;
use throughline_store::StoredTicket;

use crate::World;

/// Most commits of a ticket that are read at once.
const COMMITS_MAX: usize = 500;
/// Most waiting tickets of a team that the interface shows.
const WAITING_SHOWN_MAX: usize = 100;
/// Later than any test looks at a ticket, in milliseconds: a hundred years.
const LONG_AFTER_MS: i64 = 100 * 365 * 86_400_000;

/// A ticket with its whole log.
struct Kept {
    stored: StoredTicket,
    log: Vec<Commit>,
}

/// All of them.
pub async fn all(world: &World) {
    queues_are_empty(world).await;
    let kept = kept(world).await;
    ledger_is_complete(world, &kept).await;
    logs_explain_the_table(world).await;
    loads_are_sums(world, &kept).await;
    lines_are_who_waits(world, &kept).await;
}

/// Nothing is on its way, and nothing became a dead letter.
pub async fn queues_are_empty(world: &World) {
    for (name, depth) in world.queue_depths().await {
        assert_eq!(depth, 0, "{name} holds messages");
    }
}

/// Every ticket of the interface, as the table has it.
async fn kept(world: &World) -> Vec<Kept> {
    let store = &world.app().store;
    let listed = world.tickets("").await;
    let ids: Vec<TicketId> = listed.iter().filter_map(|ticket| ticket["id"].as_str()?.parse().ok()).collect();
    let different: BTreeSet<_> = ids.iter().collect();
    assert_eq!((ids.len(), different.len()), (listed.len(), ids.len()), "the list names each ticket once");
    let mut kept = Vec::new();
    if ids.is_empty() {
        return kept;
    }
    for stored in store.tickets(&ids).await.expect("the table") {
        let stored = stored.expect("a listed ticket is there");
        let mut log = Vec::new();
        loop {
            let id = stored.ticket.head.id;
            let more = store.timeline(id, log.len() as u64, COMMITS_MAX).await.expect("the table");
            let done = more.len() < COMMITS_MAX;
            log.extend(more);
            if done {
                break;
            }
        }
        kept.push(Kept { stored, log });
    }
    kept
}

/// Everything that was accepted is recorded in exactly one event, or quarantined where the test says so.
async fn ledger_is_complete(world: &World, kept: &[Kept]) {
    let memory = world.memory().clone();
    let mut recorded: BTreeMap<String, String> = BTreeMap::new();
    let mut messages: BTreeMap<String, usize> = BTreeMap::new();
    // What is erased has no name of its provider any more: only the ledger tells that it is there.
    let mut erased: BTreeSet<String> = BTreeSet::new();
    for commit in kept.iter().flat_map(|kept| &kept.log) {
        for event in &commit.events {
            if let EventData::MessageReceived(received) = &event.data {
                recorded.insert(event.id.to_string(), commit.ticket_id.to_string());
                if received.message.erased {
                    erased.insert(event.id.to_string());
                    continue;
                }
                // What was moved is one message, on the log where it was first and on the one where it is.
                if received.moved_from.is_none() {
                    *messages.entry(received.message.provider_message_id.clone()).or_default() += 1;
                }
            }
        }
    }
    let mut wanted: BTreeMap<String, usize> = BTreeMap::new();
    for accepted in &memory.messages {
        let answer = world.ledger(accepted.channel, &accepted.inbox, &accepted.id).await;
        assert_eq!(answer.status, 200, "{} is not in the ledger", accepted.id);
        let entry = answer.json();
        if memory.quarantined.contains(&accepted.id) {
            assert_eq!(entry["state"], "quarantined", "{}: {entry}", accepted.id);
            assert!(entry["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{entry}");
            continue;
        }
        if !entry["event_id"].as_str().is_some_and(|event| erased.contains(event)) {
            *wanted.entry(accepted.id.clone()).or_default() += 1;
        }
        match entry["state"].as_str() {
            Some("recorded") => {
                let ticket = recorded.get(entry["event_id"].as_str().unwrap_or_default());
                assert_eq!(ticket.map(String::as_str), entry["ticket_id"].as_str(), "{}: {entry}", accepted.id);
            }
            Some("duplicate") => {
                assert!(recorded.contains_key(entry["duplicate_of"].as_str().unwrap_or_default()), "{entry}");
            }
            // It claims the name that a reply of ours left under, and is beside it.
            Some("seen") if entry["event_id"].is_string() => (),
            _ => panic!("{} is neither recorded nor a duplicate: {entry}", accepted.id),
        }
    }
    let ids: BTreeSet<&String> = messages.keys().chain(wanted.keys()).collect();
    let differences: Vec<_> = ids
        .into_iter()
        .map(|id| (id, messages.get(id).copied().unwrap_or_default(), wanted.get(id).copied().unwrap_or_default()))
        .filter(|(_, messages, wanted)| messages != wanted)
        .collect();
    assert!(differences.is_empty(), "(id, messages on tickets, accepted messages): {differences:?}");
}

/// What is stored follows from the logs: heads, details, lists, lines, loads and references.
async fn logs_explain_the_table(world: &World) {
    // Tests look at tickets as if it were later, which puts the next look off.
    let long_after = world.now().plus_ms(LONG_AFTER_MS);
    let report = ReplayReport::of(&world.app().store, long_after).await.expect("the table");
    assert!(report.differences.is_empty(), "stored otherwise than the logs say: {:#?}", report.differences);
}

/// Every agent's load is the sum of the weights of their live tickets, and within capacity.
async fn loads_are_sums(world: &World, kept: &[Kept]) {
    let agents = world.get("/v1/agents").await;
    for agent in agents["items"].as_array().expect("agents") {
        let id = agent["id"].as_str().expect("an id");
        let held = kept.iter().map(head).filter(|head| head.status.is_live());
        let held = held.filter(|head| head.assignee.as_ref().is_some_and(|assignee| assignee.as_str() == id));
        let sum: u32 = held.map(|head| head.weight).sum();
        assert_eq!(agent["load"], sum, "the load of {id} is not the sum of their tickets");
        assert!(agent["load"].as_u64() <= agent["capacity"].as_u64(), "{id} is overbooked: {agent}");
    }
}

/// A team's line is exactly who waits for it.
async fn lines_are_who_waits(world: &World, kept: &[Kept]) {
    let queues = world.get("/v1/queues").await;
    for queue in queues["items"].as_array().expect("queues") {
        let shown: BTreeSet<String> =
            queue["waiting"].as_array().expect("a line").iter().filter_map(Value::as_str).map(str::to_owned).collect();
        let waits = |head: &&TicketHead| {
            head.status.is_live()
                && head.waiting_since.is_some()
                && head.team.as_ref().is_some_and(|team| queue["team"] == team.as_str())
        };
        let waiting: BTreeSet<String> = kept.iter().map(head).filter(waits).map(|head| head.id.to_string()).collect();
        if waiting.len() <= WAITING_SHOWN_MAX {
            assert_eq!(shown, waiting, "the line of {}", queue["team"]);
        }
    }
}

fn head(kept: &Kept) -> &TicketHead {
    &kept.stored.ticket.head
}
