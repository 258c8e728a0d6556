//! Tests of erasing on the tickets of others.

use proptest::prelude::*;

use super::*;
use crate::channel::Channel;
use crate::config::Calendars;
use crate::decision::Decision;
use crate::event::{
    AttachmentsStored, CallbackRequested, CallerVerified, Changes, CsatReceived, FieldsChanged, MessageEdited,
    MessageFailed, NoteAdded, ParticipantRemoved, ReactionAdded, ReferencesFound, ReplySent,
};
use crate::fold;
use crate::message::{Attachment, Sender};
use crate::strong_reference::StrongReference;
use crate::testing::{applied, colleague, created, customer, email, message, noon, sla_rules, ticket_id};
use crate::ticket::Role;

/// Stands in everything that is the erased customer's, who is customer 2 on the ticket of customer 1.
const SECRET: &str = "xyzzy";

/// The names of their profile; they want to be answered at another one.
fn names() -> Names {
    Names::new(
        [email("xyzzy@a.example"), email("xyzzy@b.example"), email("anna@c.example")],
        [email("anna@c.example")],
        "salt",
    )
}

/// What is erased of a log, and whose names it knows.
struct Erasing {
    names: Names,
    left: Left,
}

impl Erasing {
    fn of(log: &[Commit]) -> Self {
        let (mut names, mut left) = (names(), Left::default());
        log.iter().for_each(|commit| left.read(commit, customer(2)));
        left.names().cloned().for_each(|name| names.add(name));
        Self { names, left }
    }

    fn elsewhere(&self) -> Elsewhere<'_> {
        Elsewhere { customer: customer(2), names: &self.names, left: &self.left }
    }

    fn log(&self, log: &[Commit]) -> Vec<Commit> {
        log.iter().cloned().map(|commit| self.elsewhere().commit(commit)).collect()
    }

    fn ticket(&self, ticket: &Ticket, erased: &[Commit]) -> Ticket {
        let mut answered = Answered::default();
        erased.iter().for_each(|commit| answered.read(commit).unwrap());
        self.elsewhere().ticket(ticket.clone(), &answered)
    }
}

fn said(n: u128, text: &str) -> EventData {
    let mut message = message(Channel::Email, text);
    let address = if n == 2 { "xyzzy@a.example" } else { "anna@c.example" };
    let answered = if n == 2 { "xyzzy-at-home@d.example" } else { "anna@c.example" };
    message.sender = Sender { kind: "email".to_owned(), value: address.to_owned(), ..Sender::default() };
    if n == 2 {
        (message.subject, message.html, message.raw_url) =
            (Some(text.to_owned()), Some(text.to_owned()), Some(text.to_owned()));
        message.attachments = vec![file()];
    }
    let inbox = message.inbox.clone();
    let mut said = crate::testing::received(customer(n), message);
    if let EventData::MessageReceived(received) = &mut said {
        let anchor = Some(text.to_owned());
        received.reply_to = Some(ReplyTo {
            channel: Channel::Email,
            inbox,
            identifier: email(answered),
            anchor,
            visibility: crate::message::Visibility::Private,
        });
    }
    said
}

fn file() -> Attachment {
    Attachment { filename: SECRET.to_owned(), sha256: SECRET.to_owned(), size: 7, ..Attachment::default() }
}

fn reference(value: &str) -> EventData {
    let references = vec![StrongReference { name: "order".to_owned(), value: value.to_owned() }];
    EventData::ReferencesFound(ReferencesFound { references })
}

fn to_them() -> Message {
    let mut message = message(Channel::Email, "We look into it");
    message.to = vec!["email:anna@c.example".to_owned(), "email:xyzzy@b.example".to_owned()];
    message.cc = vec!["xyzzy@a.example".to_owned(), "xyzzy-at-home@d.example".to_owned()];
    message
}

/// What may happen on the ticket: who does it, and events that go into one commit.
fn happens(what: u8, of_message: EventId, of_reply: EventId) -> (u128, Vec<EventData>) {
    let secret = SECRET.to_owned();
    let sequence = 1;
    match what % 14 {
        0 => (2, vec![said(2, SECRET), reference("0815")]),
        1 => (1, vec![said(1, "my own words"), reference("4711")]),
        2 => (
            2,
            vec![EventData::ReactionAdded(ReactionAdded {
                event_id: of_message,
                sequence,
                emoji: secret,
                removed: false,
            })],
        ),
        3 => (1, vec![EventData::ReplySent(Box::new(ReplySent { message: to_them(), human: true }))]),
        4 => (
            1,
            vec![EventData::MessageFailed(MessageFailed {
                event_id: of_reply,
                sequence,
                channel: Channel::Email,
                reason: secret,
                ambiguous: false,
            })],
        ),
        5 => (1, vec![EventData::ParticipantAdded(colleague(Some(customer(2)), email("xyzzy@a.example")))]),
        6 => (1, vec![EventData::ParticipantAdded(colleague(None, email("xyzzy@b.example")))]),
        7 => (
            1,
            vec![EventData::ParticipantRemoved(Box::new(ParticipantRemoved {
                participant: colleague(Some(customer(2)), email("xyzzy@a.example")),
                reply_to: None,
                public_way: None,
            }))],
        ),
        8 => (
            2,
            vec![EventData::FieldsChanged(FieldsChanged {
                set: BTreeMap::from([("size".to_owned(), Value::from(SECRET))]),
                removed: vec![],
            })],
        ),
        9 => (
            1,
            vec![EventData::FieldsChanged(FieldsChanged {
                set: BTreeMap::from([("size".to_owned(), Value::from("large"))]),
                removed: vec![],
            })],
        ),
        10 => {
            (1, vec![EventData::CallerVerified(CallerVerified { identifier: email("xyzzy@a.example"), how: secret })])
        }
        11 => (
            1,
            vec![EventData::AttachmentsStored(Box::new(AttachmentsStored {
                event_id: of_message,
                sequence,
                sender: Sender { kind: "email".to_owned(), value: secret, ..Sender::default() },
                attachments: vec![file()],
                failed: vec![],
            }))],
        ),
        12 => (
            2,
            vec![
                EventData::CsatReceived(CsatReceived { score: 2, comment: secret.clone() }),
                EventData::CallbackRequested(CallbackRequested {
                    inbox: "voice".parse().unwrap(),
                    number: Some(secret),
                }),
            ],
        ),
        _ => (
            2,
            vec![EventData::MessageEdited(Box::new(MessageEdited {
                event_id: of_message,
                sequence,
                message: message(Channel::Email, SECRET),
            }))],
        ),
    }
}

/// A log of Anna's ticket on which the other one wrote and was written to; then what else happens.
fn log(whats: &[u8]) -> Vec<Commit> {
    let same = colleague(Some(customer(2)), email("xyzzy@a.example"));
    let commit = |i: usize, by: Actor, events: Vec<EventData>| {
        let mut changes = Changes::new();
        for data in events {
            let theirs = by == Actor::Customer(customer(2)) || matches!(data, EventData::ParticipantAdded(_));
            let because = if theirs { SECRET } else { "said so" };
            changes.push_because(by.clone(), data, Decision::new("rule", because));
        }
        let at = noon().plus_ms(i64::try_from(i).unwrap());
        changes.into_commit(ticket_id(1), i as u64 + 1, at, at)
    };
    let mut opening = created(1, customer(1));
    opening.subject = "My bicycle".to_owned();
    let mut log = vec![
        commit(
            0,
            Actor::System,
            vec![EventData::TicketCreated(Box::new(opening)), EventData::SlaApplied(applied("office"))],
        ),
        commit(1, Actor::System, vec![EventData::ParticipantAdded(Participant { role: Role::SamePerson, ..same })]),
        commit(2, Actor::Customer(customer(2)), vec![said(2, SECRET), reference("0815")]),
        commit(3, Actor::System, vec![EventData::ReplySent(Box::new(ReplySent { message: to_them(), human: true }))]),
        commit(
            4,
            Actor::System,
            vec![EventData::NoteAdded(Box::new(NoteAdded { message: message(Channel::Email, "a note") }))],
        ),
    ];
    let (of_message, of_reply) = (log[2].events[0].id, log[3].events[0].id);
    for what in whats {
        let (by, events) = happens(*what, of_message, of_reply);
        // What fails was sent by us, what is stored we stored.
        let by = if events
            .iter()
            .any(|data| matches!(data, EventData::AttachmentsStored(_) | EventData::MessageFailed(_)))
        {
            Actor::System
        } else {
            Actor::Customer(customer(by))
        };
        log.push(commit(log.len(), by, events));
    }
    log
}

#[test]
fn what_others_wrote_stays_as_it_is() {
    let log = log(&[1]);
    let gone = Erasing::of(&log).log(&log);
    assert_eq!([&gone[0], &gone[4], &gone[5]], [&log[0], &log[4], &log[5]]);
    let EventData::MessageReceived(theirs) = &gone[2].events[0].data else { panic!("another event") };
    assert_eq!((theirs.message.text.as_str(), theirs.message.erased, theirs.customer_id), (ERASED, true, customer(2)));
    let EventData::ReplySent(reply) = &gone[3].events[0].data else { panic!("another event") };
    assert_eq!(
        (reply.message.text.as_str(), reply.message.to[0].as_str()),
        ("We look into it", "email:anna@c.example")
    );
    let erased = reply.message.to[1].parse::<Identifier>().unwrap();
    assert!(crate::erasure::is_erased(&erased) && reply.message.cc.len() == 2, "{reply:?}");
    let ticket = fold::fold(&gone, &Calendars::from(&sla_rules())).unwrap();
    assert_eq!(ticket.head.subject, "My bicycle");
    assert_eq!(ticket.detail.references.len(), 2, "what the ticket is about");
    assert_eq!(ticket.head.reply_to.unwrap().identifier, email("anna@c.example"), "who asked is answered");
}

proptest! {
    #[test]
    fn the_erased_log_folds_to_the_erased_ticket(whats in prop::collection::vec(any::<u8>(), 0..24), broken_off in 0_usize..40) {
        let calendars = Calendars::from(&sla_rules());
        let log = log(&whats);
        let erasing = Erasing::of(&log);
        let gone = erasing.log(&log);
        let before = fold::fold(&log, &calendars).unwrap();
        let after = fold::fold(&gone, &calendars).unwrap();
        prop_assert_eq!(&after, &erasing.ticket(&before, &gone));
        let written = serde_json::to_string(&(&gone, &after.head, &after.detail)).unwrap();
        prop_assert!(!written.contains(SECRET), "{}", written);
        prop_assert_eq!(
            (after.head.message_count, &after.head.unsent, after.detail.participants.len(), after.detail.references.len()),
            (before.head.message_count, &before.head.unsent, before.detail.participants.len(), before.detail.references.len())
        );
        // Broken off anywhere and done again, it comes to the same.
        let half: Vec<Commit> = gone.iter().take(broken_off).chain(log.iter().skip(broken_off)).cloned().collect();
        let again = Erasing::of(&half);
        prop_assert_eq!(&again.log(&half), &gone);
        prop_assert_eq!(&again.ticket(&before, &gone), &after);
        let done = Erasing::of(&gone);
        prop_assert_eq!(&done.log(&gone), &gone);
        prop_assert_eq!(&done.ticket(&after, &gone), &after);
    }
}
