//! The names of the read models are a contract with clients.

use super::*;
use crate::event::{Actor, EventData, StatusChanged};
use crate::message::{Handoff, TranscriptLine, TranscriptRole};
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
        received.reply_to = Some(ReplyTo::new(Channel::Email, inbox, identifier));
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
    let more = "waiting_since fields unsent_count references resolution visibility public_channel";
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
    let Told::Event(event) = &views[0].event else { panic!("no event") };
    assert_eq!(event.data, EventData::StatusChanged(StatusChanged::plain(Status::New, Status::Open)));
}

#[test]
fn what_was_said_before_a_bot_handed_over_stands_before_it() {
    let roles = [TranscriptRole::Customer, TranscriptRole::Bot, TranscriptRole::Agent, TranscriptRole::System];
    let line = |(index, role): (usize, TranscriptRole)| TranscriptLine {
        id: format!("line-{index}"),
        role,
        text: format!("said {index}"),
        at: (index > 0).then(|| noon().plus_ms(-MINUTE * (5 - i64::try_from(index).unwrap()))),
    };
    let mut handed = message(Channel::Bot, "The parcel is lost.");
    let transcript = roles.into_iter().enumerate().map(line).collect();
    handed.handoff = Some(Box::new(Handoff { bot_id: "shop-bot".to_owned(), transcript, ..Handoff::default() }));
    let log = Log::of(1).then(noon(), [received(customer(1), handed)]);
    let mut commit = log.commits[1].clone();
    commit.events[0].actor = Actor::Customer(customer(1));
    let shown: Vec<Value> = EventView::of(commit.clone()).map(|view| serde_json::to_value(&view).unwrap()).collect();
    let told: Vec<_> = shown
        .iter()
        .map(|view| {
            let said = &view["data"]["message"];
            (view["kind"].as_str().unwrap(), view["actor"]["type"].as_str().unwrap(), said["text"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        told,
        [
            ("message_relayed", "customer", "said 0"),
            ("message_relayed", "bot", "said 1"),
            ("message_relayed", "integration", "said 2"),
            ("message_relayed", "integration", "said 3"),
            ("message_received", "customer", "The parcel is lost."),
        ]
    );
    let of =
        |pointer: &str| -> Vec<Value> { shown.iter().map(|view| view.pointer(pointer).unwrap().clone()).collect() };
    assert!(of("/sequence").iter().all(|sequence| *sequence == 2));
    // Where the bot tells no time, it is that of the handoff.
    assert_eq!(
        (&of("/at")[0], &of("/at")[1]),
        (&of("/at")[4], &serde_json::to_value(noon().plus_ms(-4 * MINUTE)).unwrap())
    );
    assert_eq!(of("/data/message/direction")[..4], ["inbound", "outbound", "outbound", "internal"]);
    assert_eq!(of("/actor/id")[1], "shop-bot");
    let ids: BTreeSet<String> = of("/id").iter().map(Value::to_string).collect();
    assert_eq!(ids.len(), 5);
    let again: Vec<Value> = EventView::of(commit).map(|view| serde_json::to_value(&view).unwrap()).collect();
    assert_eq!(shown, again, "read again, it is the same");
    assert!(shown[..4].iter().all(|view| view["data"]["handed_over_by"] == shown[4]["id"]));
    // Nothing of it counts.
    let plain = Log::of(1).then(noon(), [received(customer(1), message(Channel::Bot, "The parcel is lost."))]);
    assert_eq!(log.now().head, plain.now().head);
}
