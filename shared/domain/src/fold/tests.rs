//! Tests of the fold.

use super::*;
use crate::channel::Channel;
use crate::clock::TargetKind;
use crate::config::HOUR_MS;
use crate::event::{
    Actor, Assigned, Change, Changes, FieldsChanged, MessageDelivered, MessageFailed, MessageMoved, MessageReceived,
    MovedFrom, ReferencesFound, SlaBreached, Tagged, TeamChanged, TicketCreated, TicketRelated, Unassigned,
};
use crate::id::{AgentId, EventId};
use crate::message::AutomaticKind;
use crate::testing::{
    Log, MINUTE, applied, at, automatic, colleague, created, customer, email, message, noon, received, reply,
    sla_rules, status, ticket_id,
};
use crate::ticket::{MergedIn, Priority, ReplyTo};
use proptest::prelude::*;
use uuid::Uuid;

fn calendars() -> Calendars {
    Calendars::from(&sla_rules())
}

/// A commit of ticket 1.
fn commit(sequence: u64, at: Moment, events: impl IntoIterator<Item = EventData>) -> Commit {
    let mut changes = Changes::new();
    events.into_iter().for_each(|event| changes.push(Actor::System, event));
    changes.into_commit(ticket_id(1), sequence, at, at)
}

fn after(minutes: i64) -> Moment {
    noon().plus_ms(minutes * MINUTE)
}

fn assigned(agent: &str) -> EventData {
    EventData::Assigned(Assigned { agent: agent.parse().unwrap(), weight: 10 })
}

fn team(to: &str, waiting: bool) -> EventData {
    EventData::TeamChanged(TeamChanged { from: None, to: to.parse().unwrap(), waiting })
}

fn delivered(sequence: u64) -> EventData {
    let event_id = EventId::new(Uuid::from_u128(9));
    EventData::MessageDelivered(MessageDelivered {
        event_id,
        sequence,
        channel: Channel::Email,
        provider_message_id: None,
        state: None,
    })
}

fn failed(sequence: u64) -> EventData {
    let event_id = EventId::new(Uuid::from_u128(9));
    let reason = "mailbox full".to_owned();
    EventData::MessageFailed(MessageFailed { event_id, sequence, channel: Channel::Email, reason, ambiguous: false })
}

#[test]
fn what_does_not_follow_is_refused() {
    let open = Log::of(1).now();
    let next =
        |sequence, at| apply(Some(open.clone()), &commit(sequence, at, []), &calendars()).map(|t| t.head.version);
    assert_eq!(next(2, after(1)), Ok(2));
    assert_eq!(next(2, noon()), Ok(2), "two changes may share a millisecond");
    assert_eq!(next(1, after(1)), Err(FoldError::Sequence { version: 1, found: 1 }));
    assert_eq!(next(3, after(1)), Err(FoldError::Sequence { version: 1, found: 3 }));
    assert_eq!(next(2, noon().plus_ms(-1)), Err(FoldError::Time));

    let first = |sequence, events: Vec<EventData>| apply(None, &commit(sequence, noon(), events), &calendars());
    let opens = || EventData::TicketCreated(Box::new(created(1, customer(1))));
    assert_eq!(first(1, vec![]), Err(FoldError::NotCreated));
    assert_eq!(first(1, vec![status(Status::New, Status::Open), opens()]), Err(FoldError::NotCreated));
    assert_eq!(first(2, vec![opens()]), Err(FoldError::Sequence { version: 0, found: 2 }));
    assert_eq!(fold([], &calendars()), Err(FoldError::NotCreated));

    let mut unknown = applied("always");
    unknown.calendar.version = 2;
    let reference = unknown.calendar.clone();
    let events = vec![opens(), EventData::SlaApplied(unknown)];
    assert_eq!(first(1, events), Err(FoldError::Calendar(reference)));
}

#[test]
fn a_new_ticket_needs_somebody_and_has_no_detail() {
    let mut opened = created(1, customer(1));
    opened.subject = "ü".repeat(SUBJECT_BYTES_MAX);
    let ticket = Log::opened(1, opened, noon()).now();
    assert_eq!((ticket.head.status, ticket.head.version), (Status::New, 1));
    assert_eq!(ticket.head.unrouted_since, Some(noon()));
    assert_eq!(ticket.head.subject.len(), SUBJECT_BYTES_MAX);
    assert!(!ticket.head.has_detail);
    let mut opened = created(1, customer(1));
    opened.fields.insert("order".to_owned(), 4711.into());
    assert!(Log::opened(1, opened, noon()).now().head.has_detail);
}

#[test]
fn replies_stay_unsent_until_a_channel_says_something() {
    let log = Log::of(1).then(after(1), [reply(true)]).then(after(2), [reply(true)]).then(after(3), [reply(false)]);
    let unsent =
        |log: &Log| -> Vec<u64> { log.ticket.iter().flat_map(|t| &t.head.unsent).map(|u| u.sequence).collect() };
    assert_eq!(unsent(&log), [2, 3, 4]);
    let log = log.then(after(4), [delivered(3)]);
    assert_eq!(unsent(&log), [2, 4]);
    let log = log.then(after(5), [delivered(3), failed(2), delivered(99)]);
    assert_eq!(unsent(&log), [4]);
    let many = (0..2 * UNSENT_MAX as i64).fold(log, |log, i| log.then(after(10 + i), [reply(true)]));
    let head = many.now().head;
    assert_eq!((head.unsent.len(), head.message_count), (UNSENT_MAX, 3 + 2 * UNSENT_MAX as u32));
    assert_eq!(head.last_reply_at, Some(after(9 + 2 * UNSENT_MAX as i64)));
}

#[test]
fn answers_go_to_the_requester_s_last_message() {
    let reply_to = |address: &str| {
        let inbox = "support".parse().unwrap();
        Some(ReplyTo::new(Channel::Email, inbox, email(address)))
    };
    let from = |n, to: Option<ReplyTo>, message| {
        let customer_id = customer(n);
        EventData::MessageReceived(Box::new(MessageReceived {
            customer_id,
            reply_to: to,
            message,
            late: false,
            by_way_of: None,
            moved_from: None,
        }))
    };
    let text = || message(Channel::Email, "?");
    let log = Log::of(1).then(after(1), [from(1, reply_to("a@x.example"), text())]);
    let log = log.then(after(2), [from(1, reply_to("b@x.example"), text())]);
    let log = log.then(after(3), [from(2, reply_to("colleague@x.example"), text())]);
    let log = log.then(after(4), [from(1, None, text())]);
    let away = automatic(text(), AutomaticKind::AutoReply);
    let head = log.then(after(5), [from(1, reply_to("robot@x.example"), away)]).now().head;
    assert_eq!(head.reply_to, reply_to("b@x.example"));
    assert_eq!(head.last_customer_message_at, Some(after(4)), "an automatic reply is not the customer");
    assert_eq!(head.message_count, 5);
}

#[test]
fn participants_are_listed_once_and_not_without_end() {
    let add = |customer_id, address: &str| EventData::ParticipantAdded(colleague(customer_id, email(address)));
    let log = Log::of(1).then(after(1), [add(None, "c@x.example"), add(None, "c@x.example")]);
    let log = log.then(after(2), [add(Some(customer(3)), "c@x.example"), add(Some(customer(4)), "c@x.example")]);
    let known = log.clone().now().detail.participants;
    assert_eq!(known, [colleague(Some(customer(3)), email("c@x.example"))]);
    let many = (0..2 * PARTICIPANTS_MAX).map(|i| add(None, &format!("p{i}@x.example")));
    let log = log.then(after(3), many);
    assert_eq!(log.clone().now().detail.participants.len(), PARTICIPANTS_MAX);
    // Who is the same person as the requester is listed however many colleagues there are: unlinking looks for them.
    let linked =
        |n| Participant { role: Role::SamePerson, ..colleague(Some(customer(n)), email(&format!("l{n}@x.example"))) };
    let ticket = log.then(after(4), (10..60).map(|n| EventData::ParticipantAdded(linked(n)))).now();
    assert_eq!(ticket.detail.participants.len(), PARTICIPANTS_MAX + MEMBERS_MAX);
    assert!(ticket.head.has_detail);
}

#[test]
fn related_tickets_are_listed_once_and_not_without_end() {
    let relate = |n: u128| EventData::TicketRelated(TicketRelated { ticket_id: ticket_id(n), why: format!("{n}") });
    let many = [7, 7].into_iter().chain(10..100).map(relate);
    let related = Log::of(1).then(after(1), many).now().detail.related;
    assert_eq!(related.len(), RELATED_MAX);
    assert_eq!(related.iter().filter(|other| other.ticket_id == ticket_id(7)).count(), 1);
}

#[test]
fn tags_come_and_go_and_the_detail_with_them() {
    let tagged = |added: &[&str], removed: &[&str]| {
        let own = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect();
        EventData::Tagged(Tagged { added: own(added), removed: own(removed) })
    };
    let log = Log::of(1).then(after(1), [tagged(&["a", "b"], &[]), tagged(&["b", "c"], &["a"])]);
    assert_eq!(log.clone().now().detail.tags, ["b", "c"]);
    assert!(!log.then(after(2), [tagged(&[], &["b", "c"])]).now().head.has_detail);
}

#[test]
fn a_ticket_waits_or_needs_routing_until_somebody_has_it() {
    let log = Log::of(1).then(after(1), [team("a", true)]);
    let head = |log: &Log| log.clone().now().head;
    assert_eq!((head(&log).unrouted_since, head(&log).waiting_since), (None, Some(after(1))));
    let taken = log.clone().then(after(2), [assigned("ann"), status(Status::New, Status::Open)]);
    assert_eq!((head(&taken).unrouted_since, head(&taken).waiting_since), (None, None));
    assert_eq!((head(&taken).weight, head(&taken).status), (10, Status::Open));
    // Moved to another team it waits in no line, and needs an agent there.
    let moved = head(&log.then(after(3), [team("b", false)]));
    assert_eq!((moved.unrouted_since, moved.waiting_since), (Some(after(3)), None));
    // With an agent it needs nobody, whatever team it has.
    assert_eq!(head(&taken.then(after(4), [team("b", false)])).unrouted_since, None);
}

#[test]
fn resolving_and_reopening() {
    let given = Log::of(1).then(after(1), [assigned("ann"), status(Status::New, Status::Open)]);
    let resolved = given.then(after(2), [status(Status::Open, Status::Resolved)]);
    let closed = resolved.clone().then(after(3), [status(Status::Resolved, Status::Closed)]);
    assert_eq!(closed.now().head.resolved_at, Some(after(2)), "closing does not put the resolution off");
    let back = EventData::Unassigned(Unassigned { agent: "ann".parse().unwrap(), preferred: true, reroute: true });
    let reopened = resolved.then(after(4), [status(Status::Resolved, Status::Open), back]).now().head;
    assert_eq!((reopened.resolved_at, reopened.unrouted_since), (None, Some(after(4))));
    assert_eq!(reopened.preferred_agent.as_ref().map(AgentId::as_str), Some("ann"));
    assert_eq!((reopened.assignee, reopened.weight), (None, 0));
    // What nobody had needs somebody as soon as it is live again.
    let nobody_s = Log::of(1).then(after(1), [status(Status::New, Status::Resolved)]);
    assert_eq!(nobody_s.clone().now().head.unrouted_since, None);
    let head = nobody_s.then(after(2), [status(Status::Resolved, Status::Open)]).now().head;
    assert_eq!(head.unrouted_since, Some(after(2)));
}

#[test]
fn clocks_go_with_the_commits() {
    let log = Log::of(1).then(after(0), [EventData::SlaApplied(applied("always"))]);
    let log = log.then(after(20), [status(Status::New, Status::Pending)]);
    let log = log.then(after(50), [status(Status::Pending, Status::Open)]);
    let breached = SlaBreached { target: TargetKind::FirstResponse, breached_at: after(90) };
    let sla = log.then(after(95), [EventData::SlaBreached(breached)]).now().head.sla.unwrap();
    assert_eq!((sla.clocks[0].due_at, sla.clocks[0].breached_at), (Some(after(90)), Some(after(90))));
    assert_eq!(sla.clocks[2].due_at, Some(after(510)));
}

/// A head as big as they get in practice: everything set that can be set at once.
fn full_head() -> TicketHead {
    let mut opened: TicketCreated = created(1, customer(1));
    opened.subject =
        "Re: Re: Fwd: invoice 2026-11/4711 was charged twice and the refund that was promised has not come".to_owned();
    opened.intent = Some("billing_refund".to_owned());
    opened.language = Some("de-AT".to_owned());
    opened.segment = Some("enterprise".to_owned());
    let reply_to = ReplyTo {
        channel: Channel::Email,
        inbox: "support".parse().unwrap(),
        identifier: email("maximiliane.musterfrau@customer.example"),
        anchor: Some("CAF6x0k3v8GxB2Qm4R7wZ1p9sT5yU-nE+dL6hJ@mail.customer.example".to_owned()),
        visibility: crate::message::Visibility::Private,
    };
    let message = message(Channel::Email, "?");
    let asked = MessageReceived {
        customer_id: customer(1),
        reply_to: Some(reply_to),
        message,
        late: false,
        by_way_of: None,
        moved_from: None,
    };
    let asked = EventData::MessageReceived(Box::new(asked));
    let agent = "9b2f6c1e-7d1c-4e0f-9a37-5f6c2b1d8e90";
    let log = Log::opened(1, opened, noon()).then(noon(), [asked.clone(), EventData::SlaApplied(applied("always"))]);
    let log = log.then(after(1), [team("billing_support", false), assigned(agent), status(Status::New, Status::Open)]);
    let log = log.then(after(30), [reply(true)]).then(after(31), [asked]);
    let mut head = log.now().head;
    // More than can be set at once: every clock was warned and missed, one was met late, the others run.
    let sla = head.sla.as_mut().unwrap();
    for clock in &mut sla.clocks {
        (clock.due_at, clock.warn_at) = (Some(after(180)), Some(after(160)));
        (clock.warned_at, clock.breached_at) = (Some(after(150)), Some(after(170)));
    }
    (sla.clocks[0].met_at, sla.clocks[0].due_at, sla.clocks[0].warn_at) = (Some(after(171)), None, None);
    head
}

#[test]
fn a_full_head_stays_small() {
    let head = full_head();
    let json = serde_json::to_value(&head).unwrap();
    let size = json.to_string().len();
    let fields = json.as_object().unwrap();
    let mut by_size: Vec<_> =
        fields.iter().map(|(name, value)| (name.len() + value.to_string().len() + 4, name)).collect();
    by_size.sort();
    by_size.reverse();
    println!("a full head takes {size} bytes: {by_size:?}");
    assert!(size < 1_800, "a full head takes {size} bytes: {by_size:?}");
    assert_eq!(serde_json::from_value::<TicketHead>(json).unwrap(), head);
}

/// Ticket `n` went into ticket 1, or ticket 1 into another one.
fn merged(n: u128, status_before: Status) -> EventData {
    let inbox = "chat".parse().unwrap();
    EventData::TicketMerged(Box::new(TicketMerged {
        ticket_id: ticket_id(n),
        into: ticket_id(if n == 1 { 2 } else { 1 }),
        status_before,
        conversations: vec![MergedIn { ticket_id: ticket_id(n), channel: Channel::WebChat, inbox }],
        linked_customer: None,
    }))
}

fn unmerged(n: u128) -> EventData {
    let from = ticket_id(if n == 1 { 2 } else { 1 });
    let unmerged = TicketUnmerged { ticket_id: ticket_id(n), from, messages: vec![] };
    EventData::TicketUnmerged(Box::new(unmerged))
}

/// A message that was written then and moved here.
fn moved_here(written_at: Moment) -> EventData {
    let mut moved = received(customer(1), message(Channel::Email, "elsewhere"));
    if let EventData::MessageReceived(received) = &mut moved {
        received.message.received_at = written_at;
        let event_id = EventId::new(Uuid::from_u128(9));
        received.moved_from = Some(MovedFrom { ticket_id: ticket_id(2), event_id, sequence: 1 });
    }
    moved
}

#[test]
fn a_message_that_is_moved_here_is_not_the_last_word() {
    let log = Log::of(1).then(after(10), [received(customer(1), message(Channel::Email, "?"))]);
    let log = log.then(after(20), [moved_here(after(5))]);
    assert_eq!(log.clone().now().head.last_customer_message_at, Some(after(10)));
    assert_eq!(
        log.clone().then(after(30), [moved_here(after(25))]).now().head.last_customer_message_at,
        Some(after(25))
    );
    let gone = EventData::MessageMoved(MessageMoved {
        event_id: EventId::new(Uuid::from_u128(9)),
        sequence: 2,
        to: ticket_id(2),
    });
    assert_eq!((log.clone().now().head.message_count, log.then(after(40), [gone]).now().head.message_count), (2, 1));
}

#[test]
fn merged_tickets_are_listed_once_and_not_without_end() {
    let log = Log::of(1).then(after(1), (2..100).chain(2..4).map(|n| merged(n, Status::Open)));
    let ticket = log.clone().now();
    assert_eq!((ticket.detail.merged_in.len(), ticket.head.merged), (MERGED_IN_MAX, None));
    let ticket = log.then(after(2), [unmerged(2), unmerged(50), merged(1, Status::Open)]).now();
    assert_eq!(ticket.detail.merged_in.len(), MERGED_IN_MAX - 1);
    assert_eq!(ticket.head.merged.map(|merged| merged.into), Some(ticket_id(2)));
}

fn fields(set: &[(&str, &str)], removed: &[&str]) -> EventData {
    let set = set.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect();
    EventData::FieldsChanged(FieldsChanged { set, removed: removed.iter().map(|key| (*key).to_owned()).collect() })
}

fn named(value: &str) -> EventData {
    let reference = StrongReference { name: "order".to_owned(), value: value.to_owned() };
    EventData::ReferencesFound(ReferencesFound { references: vec![reference] })
}

fn resolved(from: Status, to: Status, disposition: Option<&str>) -> EventData {
    let disposition = disposition.map(str::to_owned);
    EventData::StatusChanged(StatusChanged { disposition, ..StatusChanged::plain(from, to) })
}

#[test]
fn fields_are_set_and_removed_in_their_order() {
    let mut opened = created(1, customer(1));
    opened.fields.insert("from_form".to_owned(), 1.into());
    let log = Log::opened(1, opened, noon()).then(after(1), [fields(&[("size", "s"), ("color", "red")], &[])]);
    let log = log.then(after(2), [fields(&[("size", "l")], &["color", "unknown"])]);
    let kept = serde_json::to_value(&log.clone().now().detail.fields).unwrap();
    assert_eq!(kept, serde_json::json!({"from_form": 1, "size": "l"}));
    // What is removed and set in one change is set.
    let both = log.then(after(3), [fields(&[("size", "m")], &["size", "from_form"])]).now();
    assert_eq!(serde_json::to_value(&both.detail.fields).unwrap(), serde_json::json!({"size": "m"}));
}

#[test]
fn strong_references_are_kept_once_and_only_so_many() {
    let mut log = Log::of(1).then(after(1), [named("ORD-1"), named("ORD-2"), named("ORD-1")]);
    let values = |log: &Log| -> Vec<String> {
        log.ticket.iter().flat_map(|ticket| &ticket.detail.references).map(|found| found.value.clone()).collect()
    };
    assert_eq!(values(&log), ["ORD-1", "ORD-2"]);
    assert!(log.ticket.as_ref().unwrap().head.has_detail);
    for n in 3..40 {
        log = log.then(after(n), [named(&format!("ORD-{n}"))]);
    }
    assert_eq!(values(&log).len(), REFERENCES_MAX);
}

#[test]
fn how_it_ended_stands_until_it_is_live_again() {
    use Status::{Closed, Open, Resolved};
    let log = Log::of(1).then(after(1), [resolved(Open, Resolved, Some("solved"))]);
    let disposition = |log: &Log| log.ticket.clone().unwrap().detail.resolution.and_then(|said| said.disposition);
    assert_eq!(disposition(&log).as_deref(), Some("solved"));
    let closed = log.clone().then(after(2), [resolved(Resolved, Closed, None)]);
    assert_eq!(disposition(&closed).as_deref(), Some("solved"), "closing says nothing new");
    let reopened = log.then(after(2), [status(Resolved, Open)]);
    assert_eq!(disposition(&reopened), None);
    assert!(!reopened.ticket.as_ref().unwrap().head.has_detail, "nothing is left to store");
    let again = reopened.then(after(3), [resolved(Open, Resolved, Some("spam"))]);
    assert_eq!(disposition(&again).as_deref(), Some("spam"));
}

#[test]
fn a_ticket_opened_for_a_customer_answers_where_it_says_until_they_write() {
    let to = |address: &str| ReplyTo::new(Channel::Email, "support".parse().unwrap(), email(address));
    let mut opened = created(1, customer(1));
    opened.reply_to = Some(to("ann@x.example"));
    let log = Log::opened(1, opened, noon());
    assert_eq!(log.ticket.as_ref().unwrap().head.reply_to, Some(to("ann@x.example")));
    let mut wrote = received(customer(1), message(Channel::Email, "yes"));
    if let EventData::MessageReceived(received) = &mut wrote {
        received.reply_to = Some(to("ann@home.example"));
    }
    assert_eq!(log.then(after(1), [wrote]).now().head.reply_to, Some(to("ann@home.example")));
}

/// Events that may follow on a ticket that stands like this.
fn event(head: &TicketHead, at: Moment, what: u8, n: u8) -> Vec<EventData> {
    let agent = || head.assignee.clone().unwrap_or_else(|| "ann".parse().unwrap());
    let statuses = [Status::New, Status::Open, Status::Pending, Status::OnHold, Status::Resolved, Status::Closed];
    match what {
        0 => vec![received(customer(1 + u128::from(n % 2)), message(Channel::WebChat, "größer"))],
        1 => vec![received(customer(1), automatic(message(Channel::Email, ""), AutomaticKind::Bulk))],
        2 => vec![reply(n.is_multiple_of(2))],
        3 => vec![delivered(u64::from(n))],
        4 => vec![failed(u64::from(n))],
        5 => vec![status(head.status, statuses[usize::from(n % 6)])],
        6 => vec![EventData::PriorityChanged(Change { from: head.priority, to: Priority::Urgent })],
        7 if head.status.is_live() => vec![assigned(if n.is_multiple_of(2) { "ann" } else { "bob" })],
        8 if head.assignee.is_some() => {
            vec![EventData::Unassigned(Unassigned { agent: agent(), preferred: n.is_multiple_of(2), reroute: true })]
        }
        9 => vec![team(if n.is_multiple_of(2) { "a" } else { "b" }, head.assignee.is_none() && n.is_multiple_of(3))],
        10 => {
            vec![EventData::Tagged(Tagged { added: vec![format!("t{}", n % 4)], removed: vec![format!("t{}", n % 3)] })]
        }
        11 => vec![EventData::ParticipantAdded(colleague(None, email(&format!("p{n}@x.example"))))],
        12 => vec![EventData::TicketRelated(TicketRelated { ticket_id: ticket_id(n.into()), why: "?".to_owned() })],
        14 => vec![fields(&[(&format!("f{}", n % 4), &n.to_string())], &[&format!("f{}", n % 3)])],
        15 => vec![named(&format!("ORD-{:04}", n % 30))],
        16 => vec![resolved(head.status, Status::Resolved, Some(&n.to_string()))],
        13 => vec![EventData::SlaApplied(applied(if n.is_multiple_of(2) { "always" } else { "office" }))],
        17 => vec![EventData::MessageMoved(MessageMoved {
            event_id: EventId::new(Uuid::from_u128(9)),
            sequence: 1,
            to: ticket_id(2),
        })],
        18 => vec![merged(1 + u128::from(n % 4), head.status)],
        19 => vec![unmerged(1 + u128::from(n % 4))],
        20 => vec![moved_here(noon().plus_ms(i64::from(n) * HOUR_MS))],
        _ => head.sla.iter().flat_map(|sla| clock::overdue(sla, at).chain(clock::warnings(sla, at))).collect(),
    }
}

fn json<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

proptest! {
    #[test]
    fn the_fold_is_its_steps_and_storage_loses_nothing(
        steps in prop::collection::vec((0_i64..20 * HOUR_MS, prop::collection::vec((0_u8..22, any::<u8>()), 1..4)), 0..25),
    ) {
        let mut log = Log::of(1);
        let mut now = noon();
        // What a stage has in hand: read back from the table before each change.
        let mut stored = log.ticket.clone().unwrap();
        for (gap, whats) in steps {
            now = now.plus_ms(gap);
            let before = log.ticket.clone().unwrap();
            let mut scratch = Log { ticket: Some(before.clone()), commits: vec![] };
            let mut events = Vec::new();
            for (what, n) in whats {
                let more = event(&scratch.ticket.as_ref().unwrap().head, now, what, n);
                scratch = scratch.then(now, more.clone());
                events.extend(more);
            }
            let commit = commit(before.head.version + 1, now, events);
            prop_assert_eq!(&json(&commit), &commit);
            log.apply(commit.clone()).unwrap();
            stored = apply(Some(Ticket { head: json(&stored.head), detail: json(&stored.detail) }), &commit, &calendars()).unwrap();

            let head = &stored.head;
            let routed = head.assignee.is_some() || head.unrouted_since.is_some() || head.waiting_since.is_some();
            prop_assert!(routed || !head.status.is_live(), "a live ticket is lost: {head:?}");
            let wanting = head.unrouted_since.is_some() || head.waiting_since.is_some();
            prop_assert!(!wanting || head.status.is_live(), "a done ticket asks for an agent: {head:?}");
            prop_assert!(head.unsent.len() <= UNSENT_MAX && head.weight.min(1) == u32::from(head.assignee.is_some()));
            prop_assert_eq!(head.resolved_at.is_none(), head.status.is_live());
            prop_assert_eq!(head.has_detail, !stored.detail.is_empty());
        }
        let folded = fold(&log.commits, &calendars()).unwrap();
        prop_assert_eq!(&folded, &stored);
        prop_assert_eq!(Some(folded), log.ticket);
    }
}

#[test]
fn the_log_of_a_follow_up_starts_like_any_other() {
    let mut opened = created(2, customer(1));
    opened.follow_up_of = Some(ticket_id(1));
    assert_eq!(Log::opened(2, opened, at("2026-12-01T00:00:00Z")).now().head.version, 1);
}
