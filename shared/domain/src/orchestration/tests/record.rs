//! The changes that put a message on its ticket.

use super::*;
use crate::clock::TargetKind;
use crate::config::Config;
use crate::event::{Changes, SlaApplied, TicketCreated};
use crate::fold;
use crate::id::TicketReference;
use crate::testing::{applied, sla_rules};
use crate::ticket::{FIELDS_BYTES_MAX, FIELDS_MAX, Participant, Priority, ReplyTo};

/// Two inboxes, an intent for refunds, and the policies `all` and `urgent`.
fn config() -> Config {
    let mut config = Config::default();
    let inboxes = r#"{"inboxes": [{"id": "chat", "channel": "web_chat"},
        {"id": "support", "channel": "email", "address": "support@example.com"}]}"#;
    config.inboxes.body = serde_json::from_str(inboxes).unwrap();
    let routing = r#"{"intents": [{"intent": "outage", "any": ["everything is down"], "priority": "urgent"}]}"#;
    config.routing.body = serde_json::from_str(routing).unwrap();
    config.sla = sla_rules();
    let targets = r#"[{"target": "first_response", "business_ms": 3600000}]"#;
    config.sla.body.policies = serde_json::from_str(&format!(
        r#"[{{"id": "all", "calendar": "office", "targets": {targets}}},
            {{"id": "urgent", "calendar": "always", "priorities": ["urgent"], "targets": {targets}}}]"#
    ))
    .unwrap();
    config
}

/// What is recorded for a case, on this ticket or on a new one.
fn recorded(case: &Case, ticket: Option<&Ticket>) -> Changes {
    super::record(&Recording {
        identified: &case.identified,
        orchestration: &case.decide(),
        ticket,
        cluster: &case.cluster,
        reference: TicketReference::candidate(ticket_id(50), 0),
        segment: Some("gold"),
        open_today: 0,
        reported: None,
        config: &config(),
        at: case.at,
    })
}

fn kinds(changes: &Changes) -> Vec<String> {
    let kind = |data| serde_json::to_value(data).unwrap()["kind"].as_str().unwrap().to_owned();
    changes.data().map(kind).collect()
}

fn opened(changes: &Changes) -> TicketCreated {
    match changes.data().next() {
        Some(EventData::TicketCreated(created)) => (**created).clone(),
        other => panic!("{other:?}"),
    }
}

fn message_in(changes: &Changes) -> crate::event::MessageReceived {
    let found = changes.data().find_map(|data| match data {
        EventData::MessageReceived(received) => Some((**received).clone()),
        _ => None,
    });
    found.unwrap()
}

fn added(changes: &Changes) -> Vec<Participant> {
    let added = changes.data().filter_map(|data| match data {
        EventData::ParticipantAdded(participant) => Some(participant.clone()),
        _ => None,
    });
    added.collect()
}

fn policy(changes: &Changes) -> Option<SlaApplied> {
    changes.data().find_map(|data| match data {
        EventData::SlaApplied(applied) => Some(applied.clone()),
        _ => None,
    })
}

/// The changes must make a ticket; this is it.
fn folded(changes: Changes, before: Option<Ticket>, at: Moment) -> Ticket {
    let sequence = before.as_ref().map_or(0, |ticket| ticket.head.version) + 1;
    let id = before.as_ref().map_or(ticket_id(50), |ticket| ticket.head.id);
    let commit = changes.into_commit(id, sequence, at, at);
    fold::apply(before, &commit, &(&sla_rules()).into()).unwrap()
}

#[test]
fn a_new_ticket_is_opened_with_everything_that_is_known() {
    let mut case = case(mail(1, "nothing works"));
    case.identified.inbound.message.subject = Some("  Everything is DOWN ".to_owned());
    case.identified.inbound.message.language = Some("en".to_owned());
    case.identified.inbound.fields.insert("order".to_owned(), 4711.into());
    case.identified.inbound.addressed = vec![email("boss@x.example")];
    case.identified.inbound.handoff = true;
    case.open = vec![ticket(2, Status::Open)];
    let changes = recorded(&case, None);
    let in_order =
        ["ticket_created", "message_received", "participant_added", "ticket_related", "handed_off", "sla_applied"];
    assert_eq!(kinds(&changes), in_order);
    let created = opened(&changes);
    assert_eq!((created.subject.as_str(), created.priority), ("Everything is DOWN", Priority::Urgent));
    assert_eq!((created.intent.as_deref(), created.segment.as_deref()), (Some("outage"), Some("gold")));
    assert_eq!((created.language.as_deref(), created.fields.len()), (Some("en"), 1));
    let applied = policy(&changes).unwrap();
    assert_eq!((applied.policy.id.as_str(), applied.calendar.id.as_str()), ("urgent", "always"));
    assert_eq!((applied.policy.version, applied.calendar.version), (1, 1));

    let commit = changes.clone().into_commit(ticket_id(50), 1, case.at, case.at);
    let decisions: Vec<_> = commit.events.iter().map(|e| e.decision.as_ref().map(|d| d.rule.as_str())).collect();
    assert_eq!(decisions[..2], [Some("create"), Some("known_identifier")], "which ticket, and who");
    let ticket = folded(changes, None, case.at);
    assert_eq!((ticket.head.status, ticket.head.message_count), (Status::New, 1));
    assert_eq!(ticket.head.sla.unwrap().clocks[0].due_at, Some(case.at.plus_ms(60 * MINUTE)));
}

#[test]
fn the_policy_is_the_most_specific_one() {
    let changes = recorded(&case(mail(1, "a question")), None);
    assert_eq!(policy(&changes).unwrap().policy.id, "all");
    assert_eq!(policy(&changes).unwrap().pause_in, [Status::Pending, Status::OnHold]);
}

#[test]
fn the_subject_is_the_first_line_that_says_something() {
    let subject = |subject: Option<&str>, text: &str| {
        let mut case = case(sent(1, message(Channel::WebChat, text)));
        case.identified.inbound.message.subject = subject.map(str::to_owned);
        opened(&recorded(&case, None)).subject
    };
    assert_eq!(subject(None, "\n \n my printer \nis broken"), "my printer");
    assert_eq!(subject(Some(" "), "my printer"), "my printer");
    assert_eq!(subject(Some("Printer"), "is broken"), "Printer");
    assert_eq!(subject(None, ""), "(no subject)");
    assert_eq!(subject(None, &"ü".repeat(300)).len(), crate::ticket::SUBJECT_BYTES_MAX);
}

#[test]
fn a_machine_s_answer_is_resolved_at_once_and_no_machine_starts_a_clock() {
    for (kind, resolved) in [
        (AutomaticKind::AutoReply, true),
        (AutomaticKind::Bounce, true),
        (AutomaticKind::Delayed, true),
        (AutomaticKind::Loop, true),
        (AutomaticKind::Bulk, false),
        (AutomaticKind::List, false),
    ] {
        let changes = recorded(&case(sent(1, automatic(message(Channel::Email, "I am away"), kind))), None);
        assert_eq!(policy(&changes), None, "{kind:?}");
        assert_eq!(message_in(&changes).reply_to, None, "{kind:?} is never answered");
        assert_eq!(kinds(&changes).contains(&"status_changed".to_owned()), resolved, "{kind:?}");
        let head = folded(changes, None, noon()).head;
        assert_eq!((head.status == Status::Resolved, head.unrouted_since.is_none()), (resolved, resolved), "{kind:?}");
    }
}

#[test]
fn a_message_on_a_ticket_records_breaches_first_and_opens_it() {
    let sla = EventData::SlaApplied(applied("always"));
    let held = Log::of(1).then(noon(), [sla]).then(after(1), [status(Status::New, Status::Open)]).now();
    let mut case = case(mail(1, "any news?"));
    case.identified.inbound.handoff = true;
    case.identified.inbound.addressed = vec![email("boss@x.example")];
    case.thread = vec![held.clone()];
    case.at = after(60);
    let changes = recorded(&case, Some(&held));
    assert_eq!(kinds(&changes), ["message_received", "participant_added", "handed_off"], "exactly due is in time");
    case.at = after(61);
    let changes = recorded(&case, Some(&held));
    assert_eq!(kinds(&changes), ["sla_breached", "message_received", "participant_added", "handed_off"]);
    let clocks = folded(changes, Some(held), after(61)).head.sla.unwrap().clocks;
    let first = clocks.iter().find(|clock| clock.target == TargetKind::FirstResponse).unwrap();
    assert_eq!(first.breached_at, Some(after(60)));

    let pending = ticket(1, Status::Pending);
    case.thread = vec![pending.clone()];
    case.identified.inbound.addressed.clear();
    let changes = recorded(&case, Some(&pending));
    assert_eq!(kinds(&changes), ["message_received", "handed_off", "status_changed"]);
    assert_eq!(folded(changes, Some(pending), after(61)).head.status, Status::Open);
}

#[test]
fn reopening_gives_the_agent_s_capacity_a_second_thought() {
    let agent = crate::event::Assigned { agent: "ann".parse().unwrap(), weight: 10 };
    let log = Log::of(1).then(after(1), [EventData::Assigned(agent), status(Status::New, Status::Open)]);
    let resolved = log.clone().then(after(2), [status(Status::Open, Status::Resolved)]).now();
    let mut case = case(mail(1, "still broken"));
    case.thread = vec![resolved.clone()];
    let changes = recorded(&case, Some(&resolved));
    assert_eq!(kinds(&changes), ["message_received", "status_changed", "unassigned"]);
    let head = folded(changes, Some(resolved), after(60)).head;
    assert_eq!((head.status, head.assignee, head.unrouted_since), (Status::Open, None, Some(after(60))));
    assert!(head.preferred_agent.is_some());
    // A pending ticket kept its place with the agent.
    let pending = log.then(after(2), [status(Status::Open, Status::Pending)]).now();
    case.thread = vec![pending.clone()];
    assert_eq!(kinds(&recorded(&case, Some(&pending))), ["message_received", "status_changed"]);
}

#[test]
fn warnings_go_onto_the_message() {
    let mut case = case(mail(9, "hello"));
    case.identified.inbound.message.warnings = vec!["odd header".to_owned()];
    case.thread = vec![ticket(1, Status::Open)];
    case.identified.inbound.late = true;
    let changes = recorded(&case, None);
    let received = message_in(&changes);
    assert_eq!(received.message.warnings.len(), 2);
    assert!(received.late);
    assert_eq!(kinds(&changes), ["ticket_created", "message_received", "ticket_related", "sla_applied"]);
}

fn claim(kind: IdentifierKind, value: &str, proof: Proof) -> Claim {
    Claim { identifier: Identifier::new(kind, value, None).unwrap(), proof }
}

#[test]
fn answers_go_back_where_the_sender_is_reached() {
    use IdentifierKind::{Account, Email, Session};
    use Proof::{Answerable, Proven, Typed};
    let to = |channel: Channel, claims: Vec<Claim>| -> Option<(Channel, String, String)> {
        let mut case = case(sent(1, message(channel, "hello")));
        case.identified.inbound.message.sender.value = "a@x.example".to_owned();
        case.identified.inbound.claims = claims;
        let ReplyTo { channel, inbox, identifier, .. } = message_in(&recorded(&case, None)).reply_to?;
        Some((channel, inbox.to_string(), identifier.to_string()))
    };
    let found = |channel, inbox: &str, identifier: &str| Some((channel, inbox.to_owned(), identifier.to_owned()));
    let mail = found(Channel::Email, "email", "email:a@x.example");
    for proof in [Proven, Answerable, Typed] {
        assert_eq!(
            to(Channel::Email, vec![claim(Email, "a@x.example", proof)]),
            mail,
            "the answer goes to the address"
        );
    }
    let typed = vec![claim(Email, "victim@x.example", Typed), claim(Email, "a@x.example", Answerable)];
    assert_eq!(to(Channel::Email, typed), mail, "not to an address that is not the sender's");

    let chat = vec![claim(Session, "s1", Proven), claim(Email, "a@x.example", Typed)];
    assert_eq!(to(Channel::WebChat, chat), found(Channel::WebChat, "web_chat", "session:s1"));

    let both = vec![claim(Account, "42", Proven), claim(Email, "a@x.example", Answerable)];
    assert_eq!(to(Channel::Webhook, both), found(Channel::Email, "support", "email:a@x.example"));
    assert_eq!(to(Channel::Webhook, vec![claim(Email, "a@x.example", Typed)]), None, "a typed address is no way back");
    assert_eq!(to(Channel::Webhook, vec![claim(Account, "42", Proven)]), None);
}

#[test]
fn a_proven_sender_of_mail_may_want_the_answers_elsewhere() {
    let to = |proof, wanted: &str| {
        let mut case = case(mail(1, "hello"));
        case.identified.inbound.claims[0].proof = proof;
        case.identified.inbound.message.reply_to = Some(wanted.to_owned());
        message_in(&recorded(&case, None)).reply_to.unwrap().identifier
    };
    assert_eq!(to(Proof::Proven, "Office@x.example"), email("office@x.example"));
    assert_eq!(to(Proof::Answerable, "attacker@x.example"), email("c1@x.example"));
    assert_eq!(to(Proof::Typed, "attacker@x.example"), email("c1@x.example"));
    assert_eq!(to(Proof::Proven, "no address"), email("c1@x.example"));
}

#[test]
fn who_is_addressed_takes_part_once() {
    let mut case = case(mail(1, "dear all"));
    let (boss, clerk) = (email("boss@x.example"), email("clerk@x.example"));
    case.identified.inbound.addressed = vec![boss.clone(), clerk.clone(), boss.clone(), email("c1@x.example")];
    let changes = recorded(&case, None);
    assert_eq!(added(&changes), [colleague(None, boss.clone()), colleague(None, clerk)], "not the sender, none twice");

    // A colleague answers to all: the requester, who gets the answers, is no colleague of their own.
    let open = folded(changes, None, case.at);
    assert_eq!(open.head.reply_to.as_ref().map(|to| &to.identifier), Some(&email("c1@x.example")));
    let mut answer = super::case(mail(2, "me too"));
    answer.identified.inbound.claims = vec![claim(IdentifierKind::Email, "boss@x.example", Proof::Proven)];
    answer.identified.inbound.addressed = vec![email("c1@x.example"), email("clerk@x.example"), email("new@x.example")];
    answer.thread = vec![open.clone()];
    let changes = recorded(&answer, Some(&open));
    assert_eq!(added(&changes), [colleague(Some(customer(2)), boss), colleague(None, email("new@x.example"))]);
    assert_eq!(kinds(&changes)[..2], ["participant_added", "message_received"], "they join before they speak");
}

#[test]
fn machines_let_nobody_in() {
    let kinds_of = |kind: AutomaticKind| {
        let mut case = case(mail(1, "I am away"));
        case.identified.inbound.message = automatic(case.identified.inbound.message, kind);
        case.identified.inbound.addressed = vec![email("boss@x.example")];
        kinds(&recorded(&case, None))
    };
    for kind in [AutomaticKind::AutoReply, AutomaticKind::Bounce, AutomaticKind::Bulk, AutomaticKind::Loop] {
        assert!(!kinds_of(kind).contains(&"participant_added".to_owned()), "{kind:?}");
    }
    assert!(kinds_of(AutomaticKind::List).contains(&"participant_added".to_owned()), "people write by lists");
}

#[test]
fn a_colleague_joins_once_by_the_name_that_was_addressed() {
    let (boss, account) = (email("boss@x.example"), claim(IdentifierKind::Account, "42", Proof::Proven));
    let open = Log::of(1).then(after(1), [EventData::ParticipantAdded(colleague(None, boss.clone()))]).now();
    let mut case = case(sent(2, message(Channel::Webhook, "me too")));
    case.identified.inbound.claims = vec![account, claim(IdentifierKind::Email, "boss@x.example", Proof::Answerable)];
    case.thread = vec![open.clone()];
    let changes = recorded(&case, Some(&open));
    let joined = colleague(Some(customer(2)), boss);
    assert_eq!(added(&changes), std::slice::from_ref(&joined));
    let open = folded(changes, Some(open), case.at);
    assert_eq!(open.detail.participants, [joined]);
    case.thread = vec![open.clone()];
    assert_eq!(added(&recorded(&case, Some(&open))), [], "the second message adds nobody");
}

#[test]
fn two_first_messages_of_one_person_are_one_ticket_or_two_related_ones() {
    let first = folded(recorded(&case(mail(1, "printer does not print")), None), None, noon());
    let mut second = case(sent(1, message(Channel::WebChat, "my printer does not print")));
    second.open = vec![first.clone()];
    assert_eq!(second.goes().1, append(50, None));
    second.identified.inbound.message.text = "when do you open on sundays?".to_owned();
    let changes = recorded(&second, None);
    assert_eq!(folded(changes, None, noon()).detail.related[0].ticket_id, first.head.id);
}

#[test]
fn a_follow_up_names_what_it_follows() {
    let closed = ticket(1, Status::Closed);
    let mut case = case(mail(1, "again"));
    case.thread = vec![closed.clone()];
    let changes = recorded(&case, None);
    assert_eq!(opened(&changes).follow_up_of, Some(closed.head.id));
    let ticket = folded(changes, None, case.at);
    assert_eq!(ticket.detail.related[0].why, FOLLOWS_UP);
}

#[test]
fn a_further_message_adds_the_fields_that_are_not_there_and_changes_none() {
    let mut opened = created(1, customer(1));
    opened.fields.insert("order".to_owned(), 4711.into());
    let ticket = Log::opened(1, opened, noon()).now();
    let mut case = case(mail(1, "more"));
    case.thread = vec![ticket.clone()];
    case.identified.inbound.fields =
        [("order".to_owned(), 1.into()), ("size".to_owned(), "l".into())].into_iter().collect();
    let after = folded(recorded(&case, Some(&ticket)), Some(ticket.clone()), case.at);
    assert_eq!(serde_json::to_value(&after.detail.fields).unwrap(), serde_json::json!({"order": 4711, "size": "l"}));
    // Nothing new is no event.
    case.identified.inbound.fields.remove("size");
    assert_eq!(kinds(&recorded(&case, Some(&ticket))), ["message_received"]);
    // There is room only for so many, and for so much.
    let many = (0..100).map(|n| (format!("f{n:03}"), n.into())).collect();
    case.identified.inbound.fields = many;
    let full = folded(recorded(&case, Some(&ticket)), Some(ticket.clone()), case.at);
    assert_eq!(full.detail.fields.len(), FIELDS_MAX);
    case.identified.inbound.fields =
        [("long".to_owned(), "x".repeat(FIELDS_BYTES_MAX).into()), ("short".to_owned(), 1.into())]
            .into_iter()
            .collect();
    let tight = folded(recorded(&case, Some(&ticket)), Some(ticket), case.at);
    assert!(tight.detail.fields.contains_key("short") && !tight.detail.fields.contains_key("long"));
}
