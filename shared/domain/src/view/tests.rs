//! The names of the read models are a contract with clients.

use super::*;
use crate::event::{EventData, StatusChanged};
use crate::testing::{
    Log, MINUTE, applied, colleague, customer, email, message, noon, received, reply, sla_rules, status,
};
use crate::ticket::ReplyTo;
use serde_json::Value;
use std::collections::BTreeSet;

/// The names of an object's fields, those of the objects inside as `outer.inner`.
fn names(prefix: &str, value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                names(&name, value, into);
                into.insert(name);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| names(prefix, item, into)),
        _ => {}
    }
}

fn ticket() -> Ticket {
    let mut asked = received(customer(1), message(Channel::Email, "?"));
    if let EventData::MessageReceived(received) = &mut asked {
        let inbox = "support".parse().unwrap();
        let identifier = email("a@x.example");
        received.reply_to = Some(ReplyTo { channel: Channel::Email, inbox, identifier, anchor: None });
    }
    let related = crate::event::TicketRelated { ticket_id: crate::testing::ticket_id(2), why: "?".to_owned() };
    Log::of(1)
        .then(noon(), [asked, EventData::SlaApplied(applied("always"))])
        .then(noon(), [EventData::ParticipantAdded(colleague(Some(customer(2)), email("b@x.example")))])
        .then(noon(), [EventData::TicketRelated(related), reply(true)])
        .now()
}

#[test]
fn a_ticket_has_the_names_of_the_contract() {
    let view = TicketView::new(&ticket(), &Calendars::from(&sla_rules()), noon().plus_ms(MINUTE));
    let mut found = BTreeSet::new();
    names("", &serde_json::to_value(view).unwrap(), &mut found);
    let contract = "id reference subject status priority channel inbox customer_id participants \
        participants.customer_id participants.identifier participants.identifier.kind participants.identifier.value \
        participants.role assignee team tags intent language segment related related.ticket_id related.why merged_into \
        message_count sla sla.policy sla.policy.id sla.policy.version sla.paused sla.clocks sla.clocks.target \
        sla.clocks.due_at sla.clocks.met_at sla.clocks.breached_at sla.clocks.warned_at \
        sla.clocks.remaining_business_ms last_customer_message_at last_reply_at created_at updated_at resolved_at version";
    // What we tell beyond the contract.
    let more = "waiting_since fields unsent_count references resolution";
    let expected: BTreeSet<String> =
        contract.split_whitespace().chain(more.split_whitespace()).map(str::to_owned).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_ticket_tells_its_requester_and_its_remaining_time() {
    let view = TicketView::new(&ticket(), &Calendars::from(&sla_rules()), noon().plus_ms(MINUTE));
    assert_eq!(view.participants[0].role, Role::Requester);
    assert_eq!((view.participants.len(), view.unsent_count, view.message_count), (2, 1, 2));
    let left: Vec<_> = view.sla.unwrap().clocks.iter().map(|clock| clock.remaining_business_ms).collect();
    assert_eq!(left, [Some(59 * MINUTE), None, Some(479 * MINUTE)]);
    // A calendar that is not at hand costs the remaining time, nothing else.
    let view = TicketView::new(&ticket(), &Calendars::default(), noon());
    assert!(view.sla.unwrap().clocks.iter().all(|clock| clock.remaining_business_ms.is_none()));
}

#[test]
fn the_events_of_a_commit_share_its_sequence() {
    let log = Log::of(1).then(noon(), [status(Status::New, Status::Open), reply(true)]);
    let views: Vec<_> = EventView::of(log.commits[1].clone()).collect();
    assert_eq!(views.iter().map(|view| view.sequence).collect::<Vec<_>>(), [2, 2]);
    let mut found = BTreeSet::new();
    names("", &serde_json::to_value(&views[0]).unwrap(), &mut found);
    let contract = ["id", "ticket_id", "sequence", "at", "recorded_at", "kind", "actor", "actor.type", "data"];
    let data = ["data.from", "data.to"];
    assert_eq!(found, contract.into_iter().chain(data).map(str::to_owned).collect());
    assert_eq!(views[0].event.data, EventData::StatusChanged(StatusChanged::plain(Status::New, Status::Open)));
}
