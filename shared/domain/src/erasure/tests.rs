//! Tests of erasing.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::channel::Channel;
use crate::config::Calendars;
use crate::event::{
    Assigned, AttachmentFailed, AttachmentsStored, CallbackRequested, CallerVerified, Changes, CsatReceived,
    FieldsChanged, MessageEdited, MessageFailed, MessageMoved, NoteAdded, ParticipantRemoved, ReactionAdded,
    ReferencesFound, ReplySent, StatusChanged, Tagged, TicketRelated, TicketUnmerged,
};
use crate::fold;
use crate::id::EventId;
use crate::message::{Automatic, AutomaticKind, Handoff};
use crate::strong_reference::StrongReference;
use crate::testing::{applied, colleague, created, customer, email, message, noon, sla_rules, ticket_id};
use crate::ticket::{ReplyTo, Role, Status};

/// Stands in everything that is content.
const SECRET: &str = "xyzzy";

fn names() -> Names {
    Names::new([email("xyzzy@a.example"), email("xyzzy@b.example")], [], "salt")
}

fn erased<'a>(names: &'a Names, others: &'a Others) -> Erasure<'a> {
    Erasure { customer: customer(1), names, others }
}

fn secret(text: &str) -> Message {
    let mut message = message(Channel::Email, text);
    let name = || SECRET.to_owned();
    message.sender = Sender { kind: "email".to_owned(), value: name(), name: Some(name()), verified: true };
    (message.subject, message.html, message.message_id) = (Some(name()), Some(name()), Some(name()));
    (message.envelope_to, message.reply_to, message.quoted_message_id) = (Some(name()), Some(name()), Some(name()));
    (message.to, message.cc, message.references) = (vec![name()], vec![name()], vec![name()]);
    (message.in_reply_to, message.warnings) = (vec![name()], vec![name()]);
    (message.raw_url, message.body_url, message.provider_message_id) = (Some(name()), Some(name()), name());
    message.handoff = Some(Box::new(Handoff { summary: Some(name()), ..Handoff::default() }));
    message.attachments = vec![file()];
    message
}

fn by_agent() -> Message {
    let sender = Sender { kind: "agent".to_owned(), value: "mia".to_owned(), ..Sender::default() };
    Message { sender, ..secret(SECRET) }
}

fn file() -> Attachment {
    let name = || SECRET.to_owned();
    Attachment { filename: name(), sha256: name(), content_id: Some(name()), size: 7, ..Attachment::default() }
}

fn received(n: u128, message: Message) -> EventData {
    let reply_to = ReplyTo {
        channel: Channel::Email,
        inbox: message.inbox.clone(),
        visibility: crate::message::Visibility::Private,
        identifier: if n == 1 { email("xyzzy@a.example") } else { email("ben@c.example") },
        anchor: Some(SECRET.to_owned()).filter(|_| n == 1),
    };
    let mut said = crate::testing::received(customer(n), message);
    if let EventData::MessageReceived(received) = &mut said {
        received.reply_to = Some(reply_to);
    }
    said
}

/// One of many events; those of others say nothing secret but what they quote.
fn event(what: u8) -> EventData {
    let (event_id, sequence, secret_text) = (EventId::new(uuid::Uuid::nil()), 1, SECRET.to_owned());
    match what % 25 {
        0 => received(1, secret(SECRET)),
        1 => {
            let mut quoting = secret(&format!("I agree\n> {SECRET}"));
            quoting.reply_text = Some("I agree".to_owned());
            quoting.sender =
                Sender { kind: "email".to_owned(), value: "ben@c.example".to_owned(), ..Sender::default() };
            (quoting.envelope_to, quoting.reply_to, quoting.message_id, quoting.body_url) = (None, None, None, None);
            quoting.provider_message_id.clear();
            quoting.attachments.clear();
            received(2, quoting)
        }
        2 => EventData::ReplySent(Box::new(ReplySent { message: by_agent(), human: true })),
        3 => EventData::NoteAdded(Box::new(NoteAdded { message: by_agent() })),
        4 => EventData::MessageEdited(Box::new(MessageEdited { event_id, sequence, message: secret(SECRET) })),
        5 => EventData::MessageFailed(MessageFailed {
            event_id,
            sequence,
            channel: Channel::Email,
            reason: secret_text,
            ambiguous: false,
        }),
        6 => EventData::ReactionAdded(ReactionAdded { event_id, sequence, emoji: secret_text, removed: false }),
        7 => EventData::ParticipantAdded(colleague(None, email("xyzzy@a.example"))),
        8 => EventData::ParticipantAdded(colleague(Some(customer(1)), email("xyzzy@b.example"))),
        9 => EventData::ParticipantAdded(colleague(Some(customer(2)), email("ben@c.example"))),
        10 => EventData::TicketRelated(TicketRelated { ticket_id: ticket_id(9), why: secret_text }),
        11 => EventData::CsatReceived(CsatReceived { score: 2, comment: secret_text }),
        12 => EventData::CallbackRequested(CallbackRequested {
            inbox: "voice".parse().unwrap(),
            number: Some(secret_text),
        }),
        13 => EventData::AttachmentsStored(Box::new(AttachmentsStored {
            event_id,
            sequence,
            sender: Sender { kind: "email".to_owned(), value: secret_text, ..Sender::default() },
            attachments: vec![file()],
            failed: vec![AttachmentFailed { id: "2".to_owned(), reason: SECRET.to_owned() }],
        })),
        14 => EventData::StatusChanged(StatusChanged {
            resolution: Some(secret_text),
            disposition: Some("solved".to_owned()),
            ..StatusChanged::plain(Status::New, Status::Resolved)
        }),
        16 => EventData::StatusChanged(StatusChanged::plain(Status::Resolved, Status::Open)),
        17 => EventData::FieldsChanged(FieldsChanged {
            set: BTreeMap::from([("xyzzy".to_owned(), Value::from(SECRET))]),
            removed: vec![secret_text],
        }),
        18 => EventData::ReferencesFound(ReferencesFound {
            references: vec![StrongReference { name: "order".to_owned(), value: secret_text }],
        }),
        19 => EventData::ParticipantRemoved(Box::new(ParticipantRemoved {
            participant: colleague(None, email("xyzzy@a.example")),
            reply_to: None,
            public_way: None,
        })),
        20 => EventData::CallerVerified(CallerVerified { identifier: email("xyzzy@a.example"), how: secret_text }),
        21 => EventData::TicketRelated(TicketRelated { ticket_id: ticket_id(8), why: WENT_INTO_IT.to_owned() }),
        22 => EventData::TicketUnmerged(Box::new(TicketUnmerged {
            ticket_id: ticket_id(8),
            from: ticket_id(1),
            messages: vec![],
        })),
        23 => EventData::ParticipantAdded(Participant {
            role: Role::SamePerson,
            ..colleague(Some(customer(2)), email("ben@c.example"))
        }),
        15 => EventData::Assigned(Assigned { agent: "mia".parse().unwrap(), weight: 10 }),
        _ => EventData::Tagged(Tagged { added: vec!["vip".to_owned()], removed: vec![] }),
    }
}

/// A log whose every event has a decision that repeats content, where decisions do.
fn log(whats: &[Vec<u8>]) -> Vec<Commit> {
    let mut opening = created(1, customer(1));
    opening.subject = SECRET.to_owned();
    opening.fields = BTreeMap::from([("order".to_owned(), Value::from(SECRET))]);
    let commit = |(i, events): (usize, Vec<EventData>)| {
        let mut changes = Changes::new();
        for data in events {
            let because =
                if matches!(data, EventData::Assigned(_) | EventData::SlaApplied(_)) { "idle" } else { SECRET };
            changes.push_because(Actor::System, data, Decision::new("rule", because));
        }
        let at = noon().plus_ms(i as i64);
        changes.into_commit(ticket_id(1), i as u64 + 1, at, at)
    };
    let first = vec![EventData::TicketCreated(Box::new(opening)), EventData::SlaApplied(applied("office"))];
    let rest = whats.iter().map(|whats| whats.iter().copied().map(event).collect());
    std::iter::once(first).chain(rest).enumerate().map(commit).collect()
}

#[test]
fn a_message_says_that_it_is_erased_and_its_facts_stay() {
    let names = names();
    let log = log(&[vec![0, 1]]);
    let after = erased(&names, &Others::default()).commit(log[1].clone());
    assert_eq!((after.events[0].id, after.at), (log[1].events[0].id, log[1].at));
    let EventData::MessageReceived(theirs) = &after.events[0].data else { panic!("another event") };
    assert_eq!((theirs.message.text.as_str(), theirs.message.erased), (ERASED, true));
    assert_eq!((theirs.message.id, theirs.message.received_at), (message(Channel::Email, "").id, noon()));
    assert_eq!((theirs.message.attachments[0].size, theirs.message.sender.verified), (7, true));
    let EventData::MessageReceived(others) = &after.events[1].data else { panic!("another event") };
    assert_eq!((others.message.text.as_str(), others.message.erased), ("I agree", false));
    assert_eq!(others.message.sender.value, "ben@c.example");
    assert_eq!(after.events[0].decision.as_ref().map(|decision| decision.rule.as_str()), Some("rule"));
}

#[test]
fn files_and_long_texts_of_others_stay_where_they_live_now() {
    let (names, mut others) = (names(), Others::default());
    let mut long = message(Channel::Email, "I agree");
    (long.body_url, long.attachments) = (Some("bodies/1".to_owned()), vec![file()]);
    let mut changes = Changes::new();
    changes.push(Actor::Customer(customer(2)), received(2, long.clone()));
    changes.push(Actor::Customer(customer(2)), received(2, long));
    let mut log = vec![changes.into_commit(ticket_id(1), 2, noon(), noon())];
    let [stays, goes] = [log[0].events[0].id, log[0].events[1].id];
    let mut changes = Changes::new();
    for event_id in [stays, goes] {
        let sender = Sender { kind: "email".to_owned(), value: "ben@c.example".to_owned(), ..Sender::default() };
        let stored = AttachmentsStored { event_id, sequence: 2, sender, attachments: vec![file()], failed: vec![] };
        changes.push(Actor::System, EventData::AttachmentsStored(Box::new(stored)));
    }
    let moved = MessageMoved { event_id: goes, sequence: 2, to: ticket_id(2) };
    changes.push(Actor::System, EventData::MessageMoved(moved));
    log.push(changes.into_commit(ticket_id(1), 3, noon(), noon()));
    log.iter().for_each(|commit| others.read(commit, customer(1)));

    let erasure = erased(&names, &others);
    let gone: Vec<Commit> = log.iter().cloned().map(|commit| erasure.commit(commit)).collect();
    assert_eq!(gone[1].events[0].data, log[1].events[0].data, "whose files they are is not erased");
    let body = |event: &Event| message_of(&event.data).unwrap().body_url.clone();
    assert_eq!((body(&gone[0].events[0]), body(&gone[0].events[1])), (Some("bodies/1".to_owned()), None));
    let took_away = |event: &Event| others.took_away(event);
    assert_eq!(log[0].events.iter().map(took_away).collect::<Vec<_>>(), [false, true]);
    assert_eq!(log[1].events.iter().map(took_away).collect::<Vec<_>>(), [false, true, false]);
    let mut again = Others::default();
    gone.iter().for_each(|commit| again.read(commit, customer(1)));
    assert_eq!(again, others, "asked again, it is known still");
}

#[test]
fn every_kind_of_event_keeps_its_kind_and_its_place() {
    let golden: Commit = serde_json::from_str(include_str!("../event/golden_v1.json")).unwrap();
    let names = names();
    let gone = erased(&names, &Others::default()).commit(golden.clone());
    let places = |commit: &Commit| -> Vec<_> {
        commit.events.iter().map(|event| (event.id, event.actor.clone(), event.data.kind())).collect()
    };
    assert_eq!(places(&gone), places(&golden));
    assert_eq!(erased(&names, &Others::default()).commit(gone.clone()), gone);
}

#[test]
fn quoted_lines_go_even_where_nobody_is_sure_of_them() {
    assert_eq!(newly_written("Yes\n> xyzzy\n >> xyzzy\nAnna", None), "Yes\nAnna");
    assert_eq!(newly_written("Yes\n\nxyzzy", Some("Yes")), "Yes");
}

#[test]
fn machine_mail_stays_machine_mail() {
    let names = names();
    let mut automatic = message(Channel::Email, SECRET);
    automatic.automatic = Some(Automatic { kind: AutomaticKind::AutoReply, because: SECRET.to_owned() });
    let mut changes = Changes::new();
    changes.push(Actor::System, received(1, automatic));
    let after = erased(&names, &Others::default()).commit(changes.into_commit(ticket_id(1), 2, noon(), noon()));
    let message = message_of(&after.events[0].data).unwrap();
    assert_eq!(message.automatic, Some(Automatic { kind: AutomaticKind::AutoReply, because: String::new() }));
}

proptest! {
    #[test]
    fn the_erased_log_folds_to_the_erased_ticket(
        whats in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..4), 0..20),
    ) {
        let names = names();
        let others = Others::default();
        let erasure = erased(&names, &others);
        let calendars = Calendars::from(&sla_rules());
        let log = log(&whats);
        let gone: Vec<Commit> = log.iter().cloned().map(|commit| erasure.commit(commit)).collect();
        let before = fold::fold(&log, &calendars).unwrap();
        let after = fold::fold(&gone, &calendars).unwrap();
        prop_assert_eq!(&after, &erasure.ticket(before.clone()));
        let again: Vec<Commit> = gone.iter().cloned().map(|commit| erasure.commit(commit)).collect();
        prop_assert_eq!(&again, &gone);
        prop_assert_eq!(&erasure.ticket(after.clone()), &after);
        // Nothing of the content is left anywhere.
        let written = serde_json::to_string(&(&gone, &after.head, &after.detail)).unwrap();
        prop_assert!(!written.contains(SECRET), "{}", written);
        // Facts are as they were.
        prop_assert_eq!(
            (after.head.status, after.head.message_count, &after.head.sla, &after.head.unsent, after.detail.participants.len()),
            (before.head.status, before.head.message_count, &before.head.sla, &before.head.unsent, before.detail.participants.len())
        );
        // A ticket that goes on from its erased head is the fold of its log, too.
        let next = Commit { sequence: log.len() as u64 + 1, at: noon().plus_ms(100), ..self::log(&[vec![0, 9]]).pop().unwrap() };
        let going_on = fold::apply(Some(after), &next, &calendars).unwrap();
        let whole: Vec<Commit> = gone.into_iter().chain([next]).collect();
        prop_assert_eq!(going_on, fold::fold(&whole, &calendars).unwrap());
    }
}
