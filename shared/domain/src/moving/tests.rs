//! Table tests of what can be moved, as what, and of the two logs after it.

use super::*;
use crate::channel::Channel;
use crate::config::Calendars;
use crate::event::{AttachmentsStored, MessageDeleted, MessageEdited};
use crate::fold;
use crate::id::MessageId;
use crate::message::{Attachment, Sender};
use crate::moment::Moment;
use crate::testing::{
    Log, MINUTE, colleague, created, customer, email, message, noon, received as said_by, reply, sla_rules, ticket_id,
};
use crate::ticket::ReplyTo;
use uuid::Uuid;

fn after(minutes: i64) -> Moment {
    noon().plus_ms(minutes * MINUTE)
}

fn config() -> Config {
    Config { sla: sla_rules(), ..Config::default() }
}

fn mia() -> Actor {
    Actor::Agent("mia".parse().unwrap())
}

/// A mail of customer `n` that came so many minutes after noon.
fn mail(n: u128, minutes: i64, text: &str) -> EventData {
    let mut received = said_by(customer(n), message(Channel::Email, text));
    if let EventData::MessageReceived(received) = &mut received {
        let identifier = email(&format!("c{n}@x.example"));
        received.message.received_at = after(minutes);
        received.message.sender =
            Sender { kind: "email".to_owned(), value: identifier.value().to_owned(), ..Sender::default() };
        let inbox = "email".parse().unwrap();
        received.reply_to = Some(ReplyTo::new(Channel::Email, inbox, identifier));
    }
    received
}

fn last_event(log: &Log) -> EventId {
    log.commits.last().unwrap().events[0].id
}

fn attachment(url: bool) -> Attachment {
    let mut file: Attachment = serde_json::from_str(
        r#"{"id": "1", "filename": "bill.pdf", "content_type": "application/pdf", "size": 3, "sha256": ""}"#,
    )
    .unwrap();
    if url {
        file.sha256 = "00ff".to_owned();
    }
    file
}

#[test]
fn a_message_is_found_as_it_reads_now() {
    let mut first = mail(1, 1, "the red one");
    if let EventData::MessageReceived(received) = &mut first {
        received.message.attachments = vec![attachment(false)];
    }
    let log = Log::of(1).then(after(1), [first]);
    let (event_id, sequence) = (last_event(&log), 2);
    let stored = AttachmentsStored {
        event_id,
        sequence,
        sender: Sender::default(),
        attachments: vec![attachment(true)],
        failed: vec![],
    };
    let mut anew = message(Channel::Email, "the blue one");
    anew.id = MessageId::new(Uuid::from_u128(501));
    let edited = EventData::MessageEdited(Box::new(MessageEdited { event_id, sequence, message: anew }));
    let log =
        log.then(after(2), [EventData::AttachmentsStored(Box::new(stored))]).then(after(3), [edited, reply(true)]);
    let found = find(&log.commits, event_id).unwrap();
    assert_eq!(found.received.message.text, "the blue one");
    assert_eq!(found.received.message.attachments, [attachment(true)]);
    let from = MovedFrom { ticket_id: ticket_id(1), event_id, sequence };
    assert_eq!((found.from, found.received.moved_from), (from, Some(from)));

    assert_eq!(
        find(&log.commits, EventId::new(Uuid::from_u128(9))),
        Err(NotMoved::Unknown(EventId::new(Uuid::from_u128(9))))
    );
    let no_message = log.commits[3].events[1].id;
    assert_eq!(find(&log.commits, no_message), Err(NotMoved::NotReceived(no_message)));
    let deleted = log.clone().then(after(4), [EventData::MessageDeleted(MessageDeleted { event_id, sequence })]);
    assert_eq!(find(&deleted.commits, event_id), Err(NotMoved::Deleted(event_id)));
    let moved = log.then(after(4), [EventData::MessageMoved(MessageMoved { event_id, sequence, to: ticket_id(2) })]);
    assert_eq!(find(&moved.commits, event_id), Err(NotMoved::MovedBefore(event_id, ticket_id(2))));
}

fn write(log: Log, changes: Changes, at: Moment) -> Log {
    let mut log = log;
    let (id, version) = log.ticket.as_ref().map_or((ticket_id(9), 0), |t| (t.head.id, t.head.version));
    log.apply(changes.into_commit(id, version + 1, at, at)).unwrap();
    let folded = fold::fold(&log.commits, &Calendars::from(&sla_rules())).unwrap();
    assert_eq!(Some(folded), log.ticket);
    log
}

#[test]
fn a_moved_message_counts_where_it_is_and_when_it_was_written() {
    let from = Log::of(1).then(after(1), [mail(1, 1, "the parcel")]).then(after(5), [mail(1, 5, "and the bill")]);
    let to = Log::of(2).then(after(9), [mail(1, 9, "the bill again")]);
    let moving = find(&from.commits, last_event(&from)).unwrap();
    let rules = config();
    let wanted = |same_person, across_customers, to| Move {
        moving: &moving,
        to,
        same_person,
        across_customers,
        config: &rules,
        actor: mia(),
        because: "it is about the bill",
    };
    let (source, target) = (from.clone().now(), to.clone().now());
    let both = move_message(&wanted(true, false, &target)).unwrap();
    let (from_after, to_after) = (write(from.clone(), both.ticket, after(20)), write(to, both.other, after(20)));
    assert_eq!((from_after.clone().now().head.message_count, to_after.clone().now().head.message_count), (1, 2));
    assert_eq!(to_after.now().head.last_customer_message_at, Some(after(9)), "the later one is still the last");
    assert_eq!(
        find(&from_after.commits, moving.from.event_id),
        Err(NotMoved::MovedBefore(moving.from.event_id, ticket_id(2)))
    );

    assert_eq!(move_message(&wanted(true, false, &source)), Err(NotMoved::SameTicket));
    assert_eq!(move_message(&wanted(false, false, &target)), Err(NotMoved::OtherCustomer));
    // Somebody else joins the ticket where their message goes; who takes part there is let in without a word.
    let joins = |both: &Both| both.other.data().filter(|data| matches!(data, EventData::ParticipantAdded(_))).count();
    assert_eq!(joins(&move_message(&wanted(false, true, &target)).unwrap()), 1);
    let joined = EventData::ParticipantAdded(colleague(None, email("c1@x.example")));
    let with_them = Log::of(2).then(after(2), [joined]).now();
    assert_eq!(joins(&move_message(&wanted(false, false, &with_them)).unwrap()), 0);
    // Who is linked with its customer joins as long as they are: unlinking looks for that.
    let role = |both: &Both| {
        both.other.data().find_map(|data| match data {
            EventData::ParticipantAdded(added) => Some((added.customer_id, added.role)),
            _ => None,
        })
    };
    let linked = move_message(&wanted(true, false, &target)).unwrap();
    assert_eq!(role(&linked), Some((Some(customer(1)), Role::SamePerson)));
    let own = Log::opened(3, created(3, customer(1)), noon()).now();
    assert_eq!(role(&move_message(&wanted(true, false, &own)).unwrap()), None, "it is theirs");
}

#[test]
fn split_messages_are_a_ticket_of_who_wrote_the_first() {
    let log = Log::of(1).then(after(1), [mail(1, 1, "the parcel")]).then(after(2), [mail(1, 2, "the bill")]);
    let log = log.then(after(3), [mail(2, 3, "the bill, says a colleague")]);
    let messages: Vec<Moving> =
        log.commits[2..].iter().map(|commit| find(&log.commits, commit.events[0].id).unwrap()).collect();
    let ticket = log.clone().now();
    let id = ticket_id(9);
    let rules = config();
    let wanted = Split {
        ticket: &ticket,
        messages: &messages,
        same_person: &[],
        id,
        reference: TicketReference::candidate(id, 0),
        subject: Some("The bill"),
        config: &rules,
        actor: mia(),
        because: "",
    };
    let both = split(&wanted).unwrap();
    let (old, new) = (write(log, both.ticket, after(30)), write(Log::default(), both.other, after(30)));
    let (old, new) = (old.now(), new.now());
    assert_eq!((old.head.message_count, new.head.message_count), (1, 2));
    assert_eq!((&*new.head.subject, new.head.customer_id), ("The bill", customer(1)));
    assert_eq!(new.head.reply_to.map(|to| to.identifier), Some(email("c1@x.example")));
    assert_eq!(new.detail.participants, [colleague(Some(customer(2)), email("c2@x.example"))]);
    let linked = split(&Split { same_person: &[customer(1), customer(2)], ..wanted.clone() }).unwrap();
    let roles: Vec<Role> = linked
        .other
        .data()
        .filter_map(|data| match data {
            EventData::ParticipantAdded(added) => Some(added.role),
            _ => None,
        })
        .collect();
    assert_eq!(roles, [Role::SamePerson]);
    assert_eq!((old.detail.related[0].ticket_id, new.detail.related[0].ticket_id), (id, ticket_id(1)));
    assert_eq!(split(&Split { messages: &[], ..wanted }), None);
}
