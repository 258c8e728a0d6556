//! Numbers of the business that lead a message to the customer's ticket about the same order, and never to another's.

use super::*;
use crate::config::Config;
use crate::event::{Changes, ReferencesFound};
use crate::id::TicketReference;
use crate::strong_reference::{REFERENCES_MAX, ReferencePattern, StrongReference};

fn order(value: &str) -> StrongReference {
    StrongReference { name: "order".to_owned(), value: value.to_owned() }
}

fn with_pattern(mut case: Case) -> Case {
    let pattern = ReferencePattern { name: "order".to_owned(), pattern: "ORD-######".to_owned() };
    case.rules.body.references = vec![pattern];
    case
}

/// Ticket `n` of customer `owner` on which this order was named, last written on at `at`.
fn about(n: u128, owner: u128, value: &str, at: Moment) -> Ticket {
    let named = EventData::ReferencesFound(ReferencesFound { references: vec![order(value)] });
    let wrote = received(customer(owner), message(Channel::Email, "?"));
    Log::opened(n, created(n, customer(owner)), noon()).then(at, [wrote, named]).now()
}

fn recorded(case: &Case, ticket: Option<&Ticket>) -> Changes {
    super::super::record(&Recording {
        identified: &case.identified,
        cluster: &case.cluster,
        orchestration: &case.decide(),
        ticket,
        reference: TicketReference::candidate(ticket_id(50), 0),
        segment: None,
        open_today: 0,
        reported: None,
        config: &Config::default(),
        at: case.at,
    })
}

fn found(changes: &Changes) -> Vec<String> {
    let found = changes.data().filter_map(|data| match data {
        EventData::ReferencesFound(found) => Some(found.references.iter().map(|found| found.value.clone())),
        _ => None,
    });
    found.flatten().collect()
}

#[test]
fn the_same_order_number_is_the_same_problem_on_any_channel_and_however_old() {
    for channel in [Channel::Email, Channel::WebChat, Channel::Voice, Channel::Webhook, Channel::Facebook] {
        let mut case = with_pattern(case(sent(1, message(channel, "where is ord 004711?"))));
        case.at = days(300);
        case.open = vec![about(2, 1, "ORD-004711", after(1)), about(3, 1, "ORD-009999", after(2))];
        assert_eq!(case.goes(), ("shared_reference".to_owned(), append(2, None)), "{channel}");
        let decision = case.decide().decision;
        assert!(decision.because.contains("order ORD-004711"), "{decision:?}");
        assert!(decision.because.contains(&case.open[0].head.reference.to_string()), "{decision:?}");
        assert_eq!(decision.candidates.len(), 1);
    }
}

#[test]
fn without_the_number_or_without_a_pattern_it_is_another_matter() {
    let mut case = with_pattern(case(mail(1, "where is my parcel? ORD-004711")));
    case.open = vec![about(2, 1, "ORD-004712", after(1))];
    assert_eq!(case.goes(), ("create".to_owned(), create(&[(2, OTHER)])));
    case.open = vec![about(2, 1, "ORD-004711", after(1))];
    assert_eq!(case.goes().0, "shared_reference");
    case.rules.body.references.clear();
    assert_eq!(case.goes().0, "create", "none by default");
}

#[test]
fn of_several_tickets_the_one_active_last_is_taken_and_a_waiting_one_opens() {
    let mut case = with_pattern(case(mail(1, "ORD-004711")));
    let waiting = Log { ticket: Some(about(3, 1, "ORD-004711", after(5))), commits: vec![] };
    let waiting = waiting.then(after(6), [status(Status::New, Status::Pending)]).now();
    case.open = vec![about(2, 1, "ORD-004711", after(1)), waiting, about(4, 1, "ORD-004711", after(3))];
    assert_eq!(case.goes().1, append(3, Some(Status::Open)));
    assert_eq!(case.decide().decision.candidates.len(), 3);
}

#[test]
fn an_answer_and_a_running_conversation_go_before_a_number() {
    let mut case = with_pattern(case(mail(1, "and ORD-004711?")));
    case.open = vec![about(2, 1, "ORD-004711", after(1))];
    case.thread = vec![ticket(1, Status::Open)];
    assert_eq!(case.goes(), ("known_thread".to_owned(), append(1, None)));
    let mut chatting = with_pattern(super::case(sent(1, message(Channel::WebChat, "and ORD-004711?"))));
    chatting.open = vec![about(2, 1, "ORD-004711", after(1)), chat(3, after(1))];
    assert_eq!(chatting.goes(), ("live_conversation".to_owned(), append(3, None)));
}

#[test]
fn numbers_are_read_from_subject_text_fields_and_what_a_bot_says() {
    let placed = |change: &dyn Fn(&mut Inbound)| {
        let mut case = with_pattern(case(mail(1, "hello")));
        change(&mut case.identified.inbound);
        case.open = vec![about(2, 1, "ORD-004711", after(1))];
        case.goes().0
    };
    assert_eq!(placed(&|_| ()), "create");
    assert_eq!(placed(&|inbound| inbound.message.subject = Some("Order ord-004711".to_owned())), "shared_reference");
    let entity = |value: serde_json::Value| {
        move |inbound: &mut Inbound| drop(inbound.fields.insert("order".to_owned(), value.clone()))
    };
    assert_eq!(placed(&entity("ORD-004711".into())), "shared_reference");
    assert_eq!(placed(&entity(serde_json::json!({"orders": [{"id": "ORD-004711"}]}))), "shared_reference");
    let handoff = crate::message::Handoff { summary: Some("wants ORD-004711".to_owned()), ..Default::default() };
    assert_eq!(placed(&|inbound| inbound.message.handoff = Some(Box::new(handoff.clone()))), "shared_reference");
    // What was only quoted is not said by the sender.
    assert_eq!(
        placed(&|inbound| {
            inbound.message.text = "hello\n> ORD-004711".to_owned();
            inbound.message.reply_text = Some("hello".to_owned());
        }),
        "create"
    );
    let machine = automatic(message(Channel::Email, "ORD-004711"), AutomaticKind::Bulk).automatic;
    assert_eq!(
        placed(&|inbound| {
            inbound.message.text = "ORD-004711".to_owned();
            inbound.message.automatic.clone_from(&machine);
        }),
        "create"
    );
}

#[test]
fn a_number_is_noted_once_and_costs_nothing_more() {
    let case = with_pattern(case(mail(1, "ORD-004711 and ORD-004712")));
    assert_eq!(found(&recorded(&case, None)), ["ORD-004711", "ORD-004712"]);
    let mut again = case.clone();
    again.open = vec![about(2, 1, "ORD-004711", after(1))];
    assert_eq!(found(&recorded(&again, Some(&again.open[0]))), ["ORD-004712"]);
    let known = Log { ticket: Some(again.open[0].clone()), commits: vec![] };
    let known =
        known.then(after(2), [EventData::ReferencesFound(ReferencesFound { references: vec![order("ORD-004712")] })]);
    again.open = vec![known.now()];
    let changes = recorded(&again, Some(&again.open[0]));
    assert_eq!(changes.data().count(), 1, "a message of which everything is known is one event");
    let full = (0..REFERENCES_MAX).map(|n| order(&format!("ORD-1{n:05}"))).collect();
    let full = Log::of(1).then(after(1), [EventData::ReferencesFound(ReferencesFound { references: full })]).now();
    again.thread = vec![full.clone()];
    assert_eq!(recorded(&again, Some(&full)).data().count(), 1, "a full ticket takes no more");
}

proptest! {
    #[test]
    fn a_number_never_leads_to_another_customers_ticket(
        owners in prop::collection::vec((1_u128..4, 0_u32..3, 0_i64..50), 0..6),
        more in prop::collection::vec(1_u128..4, 0..2),
        n in 0_u32..3,
    ) {
        let mut case = with_pattern(case(mail(1, &format!("about ORD-{n:06}"))));
        case.cluster.extend(more.into_iter().map(customer));
        // As if the list could name a stranger's ticket.
        case.open = owners
            .iter()
            .enumerate()
            .map(|(i, (owner, n, at))| about(100 + i as u128, *owner, &format!("ORD-{n:06}"), after(*at)))
            .collect();
        let decided = case.decide();
        let wanted = order(&format!("ORD-{n:06}"));
        let fits = |ticket: &&Ticket| {
            case.cluster.contains(&ticket.head.customer_id) && ticket.detail.references.contains(&wanted)
        };
        let fitting: Vec<_> = case.open.iter().filter(fits).collect();
        match decided.placement {
            Placement::Append { ticket_id, .. } => {
                let chosen = fitting.iter().find(|ticket| ticket.head.id == ticket_id);
                prop_assert!(chosen.is_some(), "{:?}", decided.decision);
                let latest = fitting.iter().map(|ticket| last_message_at(&ticket.head)).max();
                prop_assert_eq!(chosen.map(|ticket| last_message_at(&ticket.head)), latest);
            }
            _ => prop_assert!(fitting.is_empty()),
        }
        prop_assert_eq!(decided.references, [wanted]);
    }
}
