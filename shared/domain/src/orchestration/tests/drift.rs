//! Mails that answer an old one and are about something else, and those that only look so.

use super::*;
use crate::event::{ReferencesFound, TicketRelated};
use crate::strong_reference::{ReferencePattern, StrongReference};

const BESIDE: &str = "a new topic begun as an answer to it";

fn beside(n: u128) -> Placement {
    Placement::Create { related: vec![(ticket_id(n), BESIDE.to_owned())], follow_up_of: None }
}

/// A mail with this subject and text that answers something on "Printer does not print", which is resolved.
fn answers(subject: &str, text: &str) -> Case {
    let mut case = case(mail(1, text));
    case.identified.inbound.message.subject = Some(subject.to_owned());
    case.thread = vec![ticket(1, Status::Resolved)];
    case
}

fn rule(case: &Case) -> String {
    case.goes().0
}

#[test]
fn a_new_topic_begun_as_an_answer_gets_a_ticket_of_its_own() {
    for subject in ["Invoice november missing", "Re: AW: Invoice november missing", "[shop] Invoice november missing"] {
        let case = answers(subject, "Where can I find it?");
        assert_eq!(case.goes(), ("drifted".to_owned(), beside(1)), "{subject}");
        let because = case.decide().decision.because;
        assert!(
            because.contains("invoice november missing") && because.contains("printer does not print"),
            "{because}"
        );
        assert!(
            because.contains(&case.thread[0].head.reference.to_string()) && because.contains("resolved"),
            "{because}"
        );
    }
    // Also to an address that we signed: the ticket is done.
    let mut signed = answers("Invoice november missing", "Where can I find it?");
    signed.signed = signed.thread.pop();
    assert_eq!(signed.goes(), ("drifted".to_owned(), beside(1)));
}

#[test]
fn what_may_be_about_the_same_stays_where_it_answers() {
    for (subject, text) in [
        ("Re: Printer does not print", "Where is the invoice?"),
        ("", "Where is the invoice?"),
        ("Invoice", "One word says too little"),
        ("Question", "and another"),
        ("Re: does not", "Where is the invoice?"),
        ("Stripes: printer again", "Where is the invoice?"),
        ("Invoice november missing", "The printer is fine now, but this is not"),
        ("Invoice november missing [tl-ref]", "Where can I find it?"),
    ] {
        let mut case = answers(subject, text);
        let reference = case.thread[0].head.reference.to_string();
        let subject = subject.replace("tl-ref", &reference.to_lowercase());
        case.identified.inbound.message.subject = Some(subject.clone());
        assert_eq!(case.goes(), ("known_thread".to_owned(), append(1, Some(Status::Open))), "{subject}: {text}");
    }
    let mut none = answers("x", "Where is the invoice?");
    none.identified.inbound.message.subject = None;
    assert_eq!(rule(&none), "known_thread");
}

#[test]
fn a_shared_number_keeps_it_there() {
    let mut case = answers("Invoice november missing", "for ORD-004711");
    case.rules.body.references = vec![ReferencePattern { name: "order".to_owned(), pattern: "ORD-######".to_owned() }];
    assert_eq!(rule(&case), "drifted");
    let reference = StrongReference { name: "order".to_owned(), value: "ORD-004711".to_owned() };
    let named = EventData::ReferencesFound(ReferencesFound { references: vec![reference] });
    case.thread = vec![Log::of(1).then(after(1), [named, status(Status::New, Status::Resolved)]).now()];
    assert_eq!(rule(&case), "known_thread");
}

#[test]
fn only_what_is_done_or_was_quiet_for_long_is_drifted_off() {
    let goes = |stands, at, signed: bool| {
        let mut case = answers("Invoice november missing", "Where can I find it?");
        case.thread = vec![ticket(1, stands)];
        if signed {
            case.signed = case.thread.pop();
        }
        case.at = at;
        rule(&case)
    };
    let quiet = days(30).plus_ms(1);
    for (stands, at, signed, wanted) in [
        (Status::Open, days(30), false, "known_thread"),
        (Status::Open, quiet, false, "drifted"),
        (Status::Pending, quiet, false, "drifted"),
        (Status::Open, quiet, true, "signed_reference"),
        (Status::Resolved, after(5), false, "drifted"),
        (Status::Resolved, after(5), true, "drifted"),
        (Status::Closed, after(5), false, "follow_up"),
    ] {
        assert_eq!(goes(stands, at, signed), wanted, "{stands:?} at {at}, signed: {signed}");
    }
    // Somebody wrote there lately.
    let mut lively = answers("Invoice november missing", "Where can I find it?");
    lively.thread = vec![Log::of(1).then(days(20), [reply(true)]).now()];
    lively.at = quiet;
    assert_eq!(rule(&lively), "known_thread");
    lively.rules.body.drift.quiet_days = 5;
    assert_eq!(rule(&lively), "drifted");
    lively.rules.body.drift.enabled = false;
    assert_eq!(rule(&lively), "known_thread");
}

#[test]
fn chat_machines_latecomers_and_strangers_do_not_drift() {
    let drifting = || answers("Invoice november missing", "Where can I find it?");
    let mut chat = drifting();
    chat.identified.inbound.message.channel = Channel::Portal;
    assert_eq!(rule(&chat), "known_thread");
    let mut late = drifting();
    late.identified.inbound.late = true;
    assert_eq!(rule(&late), "known_thread");
    let mut machine = drifting();
    machine.identified.inbound.message = automatic(machine.identified.inbound.message, AutomaticKind::AutoReply);
    assert_eq!(machine.goes(), ("known_thread".to_owned(), append(1, None)));
    let mut stranger = drifting();
    stranger.thread = vec![ticket(9, Status::Resolved)];
    assert_eq!(stranger.goes().1, create(&[(9, STRANGER)]));
}

#[test]
fn what_goes_on_with_the_new_topic_finds_its_ticket() {
    let opened = |subject: &str| {
        let mut opened = created(2, customer(1));
        opened.subject = subject.to_owned();
        let related = TicketRelated { ticket_id: ticket_id(1), why: BESIDE.to_owned() };
        Log::opened(2, opened, noon()).then(after(1), [EventData::TicketRelated(related)]).now()
    };
    // Again an answer to the old mail, with the new subject.
    let mut again = answers("Re: Invoice november missing", "Anybody there?");
    again.open = vec![opened("Invoice November missing")];
    assert_eq!(again.goes(), ("drifted".to_owned(), append(2, None)));
    // A third topic is a third ticket.
    again.open = vec![opened("Delivery address wrong")];
    assert_eq!(again.goes(), ("drifted".to_owned(), beside(1)));
    // It may be about an open ticket that did not begin like that.
    let mut other = created(3, customer(1));
    other.subject = "Missing invoice of november".to_owned();
    again.open = vec![Log::opened(3, other, noon()).now()];
    assert_eq!(again.goes(), ("same_problem".to_owned(), append(3, None)));
}

proptest! {
    #[test]
    fn nothing_drifts_that_shares_a_word_or_says_too_little(
        mine in prop::collection::btree_set("[a-z]{5,8}", 0..5),
        shared in prop::option::of(0_usize..5),
        in_text in any::<bool>(),
    ) {
        let subject = "Alpha1 beta22 gamma3 delta4 omega5";
        let mine: Vec<String> = mine.into_iter().collect();
        let borrowed = shared.map(|i| subject.split(' ').nth(i).unwrap().to_lowercase()).unwrap_or_default();
        let (given, text) = if in_text { (mine.join(" "), borrowed.clone()) } else { (format!("{} {borrowed}", mine.join(" ")), String::new()) };
        let mut case = answers(&given, &text);
        case.thread[0].head.subject = subject.to_owned();
        let drifted = rule(&case) == "drifted";
        if drifted {
            prop_assert!(borrowed.is_empty() && mine.len() >= 2);
        }
        if !borrowed.is_empty() {
            prop_assert!(!drifted);
        }
    }
}
