//! Where messages go that lead to a merged ticket.

use super::*;
use crate::ticket::Merged;

/// A ticket that went into ticket `into`.
pub(super) fn merged(mut ticket: Ticket, into: u128) -> Ticket {
    ticket.head.merged = Some(Merged { into: ticket_id(into), status_before: ticket.head.status, linked: false });
    ticket.head.status = Status::Closed;
    ticket
}

pub(super) fn goes_on(n: u128, found: u128, joins: bool) -> Placement {
    Placement::Append { ticket_id: ticket_id(n), status: None, joins, by_way_of: Some(ticket_id(found)) }
}

/// Ticket `n`, of customer 1 whatever its number.
pub(super) fn own(n: u128) -> Ticket {
    Log::opened(n, created(n, customer(1)), noon()).then(after(1), [status(Status::New, Status::Open)]).now()
}

#[test]
fn references_and_threads_lead_to_where_a_ticket_went() {
    let mut case = case(mail(1, "again"));
    case.signed = Some(merged(own(1), 2));
    case.merged = vec![merged(own(2), 3), own(3)];
    let decided = case.decide();
    assert_eq!((&*decided.decision.rule, decided.placement), ("signed_reference", goes_on(3, 1, false)));
    let (before, there) = (own(1).head.reference.to_string(), own(3).head.reference.to_string());
    let because = decided.decision.because;
    assert!(because.contains(&format!("{before} was merged into {there}")), "{because}");
    (case.signed, case.thread) = (None, vec![merged(own(1), 2)]);
    assert_eq!(case.goes(), ("known_thread".to_owned(), goes_on(3, 1, false)));
    // Unmerged, it is its own again.
    case.thread = vec![own(1)];
    assert_eq!(case.goes(), ("known_thread".to_owned(), append(1, None)));
}

#[test]
fn the_survivor_stands_as_any_ticket_does() {
    let mut case = case(mail(1, "again"));
    case.thread = vec![merged(own(1), 2)];
    case.merged = vec![ticket(2, Status::Pending)];
    let Placement::Append { ticket_id: on, status, .. } = case.decide().placement else { panic!("a new ticket") };
    assert_eq!((on, status), (ticket_id(2), Some(Status::Open)));
    case.merged = vec![ticket(2, Status::Closed)];
    assert_eq!(case.goes().1, follow_up(2));
}

#[test]
fn who_had_to_do_with_either_ticket_is_let_in_and_a_stranger_with_neither() {
    let mut case = case(mail(1, "again"));
    // Merged across people: ticket 2 is of customer 2.
    case.thread = vec![merged(own(1), 2)];
    case.merged = vec![ticket(2, Status::Open)];
    assert_eq!(case.goes().1, goes_on(2, 1, true), "who wrote to the merged one takes part from now on");
    // Who has to do only with where it went.
    let case2 = Case { identified: mail(2, "?"), cluster: vec![customer(2)], ..case.clone() };
    assert_eq!(case2.goes().1, goes_on(2, 1, false));
    let stranger = Case { identified: mail(3, "?"), cluster: vec![customer(3)], ..case };
    assert_eq!(stranger.goes().1, create(&[(1, STRANGER)]));
}

#[test]
fn a_merge_of_linked_people_leads_on_only_while_they_are() {
    let mut case = case(mail(1, "again"));
    let mut before = merged(own(1), 2);
    before.head.merged.as_mut().unwrap().linked = true;
    let wrote = Participant { role: Role::SamePerson, ..colleague(Some(customer(1)), email("c1@x.example")) };
    let survivor = Log::of(2).then(after(2), [EventData::ParticipantAdded(wrote)]).now();
    (case.thread, case.merged) = (vec![before], vec![survivor]);
    case.cluster = vec![customer(1), customer(2)];
    assert_eq!(case.goes().1, goes_on(2, 1, false));
    case.cluster = vec![customer(1)];
    let decided = case.decide();
    assert_eq!(decided.placement, follow_up(1), "it is theirs, and done");
    assert!(decided.decision.because.contains("not the same person any more"), "{}", decided.decision.because);
    // A link that holds leads on, whatever became of where it leads.
    let across = merged(ticket(2, Status::Open), 3);
    let through =
        Case { cluster: vec![customer(1), customer(2)], merged: vec![across, ticket(3, Status::Open)], ..case.clone() };
    assert_eq!(through.goes().1, goes_on(3, 1, true));
    // The other one goes on as ever.
    let other = Case { identified: mail(2, "?"), cluster: vec![customer(2)], ..case };
    assert_eq!(other.goes().1, goes_on(2, 1, false));
}

#[test]
fn a_rating_and_a_report_stay_on_the_ticket_that_they_are_about() {
    let mut case = case(mail(1, "thanks"));
    case.thread = vec![merged(own(1), 2)];
    case.merged = vec![own(2)];
    case.identified.inbound.score = Some(5);
    assert_eq!(case.goes().1, append(1, None));
    case.identified.inbound.score = None;
    case.identified.inbound.message = automatic(case.identified.inbound.message, AutomaticKind::Bounce);
    assert_eq!(case.goes().1, append(1, None));
    let away = message(Channel::Email, "away");
    case.identified.inbound.message = automatic(away, AutomaticKind::AutoReply);
    assert_eq!(case.goes().1, goes_on(2, 1, false), "what answers goes on where the ticket does");
}

#[test]
fn chat_goes_on_where_its_ticket_went() {
    let mut case = case(sent(1, message(Channel::WebChat, "hello?")));
    let survivor = own(2);
    case.open = vec![survivor.clone()];
    case.merged = vec![merged(chat(1, after(30)), 2)];
    assert_eq!(case.goes(), ("live_conversation".to_owned(), goes_on(2, 1, false)));
    // Not once it is unmerged, nor by way of a ticket that is quiet.
    case.merged = vec![chat(1, after(30))];
    assert_eq!(case.goes().0, "create");
    case.merged = vec![merged(chat(1, after(30)), 2)];
    case.at = days(30);
    assert_eq!(case.goes().0, "create");
    // A conversation of its own comes first.
    case.at = after(60);
    case.open = vec![chat(3, after(40)), survivor];
    assert_eq!(case.goes().1, append(3, None));
}

#[test]
fn a_circle_loses_no_message() {
    let mut case = case(mail(1, "again"));
    case.thread = vec![merged(own(1), 2)];
    case.merged = vec![merged(own(2), 1)];
    assert_eq!(case.goes().1, follow_up(1));
    case.merged = vec![];
    assert_eq!(case.goes().1, follow_up(1));
}
