//! Invariant 1 as the ledger itself has it: each item says where its message is, and there it is; and every message that is
//! on a ticket has one item that says so. What somebody wrote to the logs alone would be recorded again by the next copy.

use std::collections::BTreeMap;

use serde_json::Value;
use throughline_domain::event::{Event, EventData};

use super::{Findings, Invariant, Rest};
use crate::cloud::{Cloud, NAME};

/// Beginning of the partition keys of ledger items.
const MESSAGE: &str = "MESSAGE#";
/// Scope of the items of mail that could not be read.
const RAW_MAIL: &str = "raw_mail";

pub(super) fn check(cloud: &Cloud, rest: &Rest, findings: &mut Findings) -> anyhow::Result<()> {
    let mut named: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for item in cloud.aws.dump(NAME)? {
        let text = |name: &str| item[name]["S"].as_str().unwrap_or_default();
        let key = text("pk");
        if !key.starts_with(MESSAGE) {
            continue;
        }
        let right = match text("state") {
            "recorded" => {
                named.entry(text("event_id").to_owned()).or_default().push(key.to_owned());
                event_of(rest, &item).is_some_and(|event| is_recorded_as(event, text("message_id")))
            }
            // Ours, which somebody may answer; or what nobody has seen yet.
            "seen" => {
                let ours = |event: &Event| matches!(event.data, EventData::ReplySent(_));
                text("event_id").is_empty() || event_of(rest, &item).is_some_and(ours)
            }
            // What could not even be read has the name of its object, and when it can be, that of its message.
            "quarantined" => rest.quarantined.iter().any(|(record, _)| {
                let here = record.message.as_ref().filter(|message| key == of(message));
                here.is_some_and(|message| record.retried_at.is_none() || message.scope == RAW_MAIL)
            }),
            // Nothing is on its way any more.
            _ => false,
        };
        findings.expect(right, Invariant::Ledger, || format!("the ledger says what is not so: {item}"));
    }
    for (_, commit, event) in rest.events() {
        if matches!(
            event.data,
            EventData::MessageReceived(_) | EventData::MessageEdited(_) | EventData::MessageDeleted(_)
        ) {
            let items = named.get(&event.id.to_string()).map(Vec::as_slice).unwrap_or_default();
            findings.expect(items.len() == 1, Invariant::Ledger, || {
                format!("{}/{} is recorded, and in the ledger as {items:?}", commit.ticket_id, commit.sequence)
            });
        }
    }
    Ok(())
}

fn of(message: &throughline_domain::ledger::LedgerKey) -> String {
    format!("{MESSAGE}{}#{}", message.scope, message.hash)
}

/// The event that an item names, where it says that it is.
fn event_of<'a>(rest: &'a Rest, item: &Value) -> Option<&'a Event> {
    let ticket = rest.tickets.get(&item["ticket_id"]["S"].as_str()?.parse().ok()?)?;
    let sequence: u64 = item["sequence"]["N"].as_str()?.parse().ok()?;
    let id = item["event_id"]["S"].as_str()?;
    let commit = ticket.log.iter().find(|commit| commit.sequence == sequence)?;
    commit.events.iter().find(|event| event.id.to_string() == id)
}

/// Whether an event is what a message, or a change of one, became.
fn is_recorded_as(event: &Event, message: &str) -> bool {
    match &event.data {
        EventData::MessageReceived(received) => received.message.id.to_string() == message,
        other => matches!(
            other,
            EventData::MessageEdited(_)
                | EventData::MessageDeleted(_)
                | EventData::MessageFailed(_)
                | EventData::CsatReceived(_)
        ),
    }
}
