//! Table tests of every step, of what a stranger can reach, and of the changes that are recorded.

mod automatic;
mod drift;
mod merged;
mod public;
mod record;
mod shared_reference;

use super::*;
use crate::channel::Channel;
use crate::event::EventData;
use crate::id::MessageId;
use crate::identifier::IdentifierKind;
use crate::inbound::{Claim, Inbound};
use crate::ledger::{Fingerprint, LedgerKey};
use crate::message::{Authentication, Call, CallStage, Message, Verdict};
use crate::testing::{
    Log, MINUTE, automatic, colleague, created, customer, email, message, noon, received, reply, status, ticket_id,
};
use proptest::prelude::*;
use uuid::Uuid;

/// A mail of customer `n`, proved by the channel.
fn mail(n: u128, text: &str) -> Identified {
    sent(n, message(Channel::Email, text))
}

/// A message of customer `n`, who is known by a proven mail address, or on chat by a session.
fn sent(n: u128, mut message: Message) -> Identified {
    let identifier = match message.channel {
        Channel::WebChat => Identifier::new(IdentifierKind::Session, &format!("session{n}"), None).unwrap(),
        _ => email(&format!("c{n}@x.example")),
    };
    message.sender.value = identifier.value().to_owned();
    let key = LedgerKey::new(message.channel, &message.inbox, "id");
    Identified {
        inbound: Inbound {
            fingerprint: Fingerprint::of(&message),
            message,
            key,
            claims: vec![Claim { identifier, proof: Proof::Proven }],
            signed_ticket: None,
            thread: vec![],
            addressed: vec![],
            fields: std::collections::BTreeMap::new(),
            score: None,
            handoff: false,
            late: false,
        },
        is_new: false,
        customer_id: customer(n),
        decision: Decision::new("known_identifier", "test"),
    }
}

/// What a decision reads; the sender stands alone and nothing is known.
#[derive(Clone)]
struct Case {
    identified: Identified,
    cluster: Vec<CustomerId>,
    own: Option<LedgerEntry>,
    own_ticket: Option<Ticket>,
    signed: Option<Ticket>,
    thread: Vec<Ticket>,
    ours: Vec<TicketId>,
    open: Vec<Ticket>,
    merged: Vec<Ticket>,
    public_sides: Vec<InboxId>,
    rules: Versioned<TicketingRules>,
    at: Moment,
}

fn case(identified: Identified) -> Case {
    Case {
        cluster: vec![identified.customer_id],
        identified,
        own: None,
        own_ticket: None,
        signed: None,
        thread: vec![],
        ours: vec![],
        open: vec![],
        merged: vec![],
        public_sides: vec![],
        rules: Versioned { version: 7, body: TicketingRules::default() },
        at: after(60),
    }
}

impl Case {
    fn decide(&self) -> Orchestration {
        orchestrate(&Situation {
            identified: &self.identified,
            cluster: &self.cluster,
            own: self.own.as_ref(),
            own_ticket: self.own_ticket.as_ref(),
            signed: self.signed.as_ref(),
            thread: &self.thread,
            ours: &self.ours,
            open: &self.open,
            merged: &self.merged,
            public_sides: &self.public_sides,
            rules: &self.rules,
            at: self.at,
        })
    }

    /// The rule that decides, and where the message goes.
    fn goes(&self) -> (String, Placement) {
        let decided = self.decide();
        assert_eq!(decided.decision.config_version.is_none(), decided.decision.rule == "duplicate");
        (decided.decision.rule, decided.placement)
    }
}

fn after(minutes: i64) -> Moment {
    noon().plus_ms(minutes * MINUTE)
}

fn days(days: i64) -> Moment {
    after(days * 24 * 60)
}

/// Ticket `n` of customer `n` that came to stand like this one minute after it was opened.
fn ticket(n: u128, stands: Status) -> Ticket {
    Log::of(n).then(after(1), [status(Status::New, stands)]).now()
}

/// Chat ticket `n` of customer 1 with a message at `asked`.
fn chat(n: u128, asked: Moment) -> Ticket {
    let mut opened = created(n, customer(1));
    (opened.channel, opened.inbox) = (Channel::WebChat, "web_chat".parse().unwrap());
    Log::opened(n, opened, noon()).then(asked, [received(customer(1), message(Channel::WebChat, "hello"))]).now()
}

fn append(n: u128, status: Option<Status>) -> Placement {
    Placement::Append { ticket_id: ticket_id(n), status, joins: false, by_way_of: None }
}

fn joins(n: u128) -> Placement {
    Placement::Append { ticket_id: ticket_id(n), status: None, joins: true, by_way_of: None }
}

fn create(related: &[(u128, &str)]) -> Placement {
    let related = related.iter().map(|(n, why)| (ticket_id(*n), (*why).to_owned())).collect();
    Placement::Create { related, follow_up_of: None }
}

fn follow_up(n: u128) -> Placement {
    Placement::Create { related: vec![(ticket_id(n), FOLLOWS_UP.to_owned())], follow_up_of: Some(ticket_id(n)) }
}

const OTHER: &str = "open ticket of the same customer";
const STRANGER: &str = "referred to by a stranger";

#[test]
fn the_same_id_is_the_same_message_only_with_the_same_content() {
    let mut case = case(mail(1, "hello"));
    let mut first = LedgerEntry::new(LedgerState::Recorded, noon());
    first.event_id = Some(EventId::new(Uuid::from_u128(3)));
    first.fingerprint = Some(case.identified.inbound.fingerprint.clone());
    case.own = Some(first.clone());
    let of = first.event_id;
    assert_eq!(case.goes(), ("duplicate".to_owned(), Placement::Duplicate { of, same_delivery: false }));
    // A duplicate points to the first, also by way of another duplicate.
    let second = LedgerEntry { state: LedgerState::Duplicate, event_id: None, duplicate_of: of, ..first.clone() };
    case.own = Some(second);
    assert_eq!(case.goes().1, Placement::Duplicate { of, same_delivery: false });
    // The stage runs again over the delivery that it recorded, though its text reads differently now.
    first.message_id = Some(case.identified.inbound.message.id);
    first.fingerprint = Some(Fingerprint::of(&message(Channel::Email, "parsed by an older version")));
    case.own = Some(first.clone());
    assert_eq!(case.goes().1, Placement::Duplicate { of, same_delivery: true });
    // Somebody else's message under the same id is recorded beside it.
    first.message_id = Some(MessageId::new(Uuid::from_u128(4)));
    case.own = Some(first);
    let decided = case.decide();
    assert_eq!((decided.placement, decided.beside), (create(&[]), true));
    assert_eq!(decided.warnings, ["another message with other content came before under the same id"]);
    // By a list, what came by itself comes again: beside it, for who has to do with that ticket.
    case.own_ticket = Some(ticket(1, Status::Open));
    assert_eq!(case.goes().0, "create");
    let by_list = automatic(case.identified.inbound.message.clone(), AutomaticKind::List);
    case.identified.inbound.message = by_list;
    assert_eq!(case.goes(), ("known_thread".to_owned(), append(1, None)));
    case.own_ticket = Some(ticket(2, Status::Open));
    assert_eq!(case.goes(), ("create".to_owned(), create(&[])));
}

#[test]
fn what_comes_after_its_answer_goes_where_that_opened_a_ticket() {
    let mut case = case(mail(1, "hello"));
    let mut seen = LedgerEntry::new(LedgerState::Seen, noon());
    (case.own, case.own_ticket) = (Some(seen.clone()), Some(ticket(1, Status::Open)));
    assert_eq!(case.goes(), ("known_thread".to_owned(), append(1, None)));
    // Only the same person's: others could have named it beforehand.
    case.own_ticket = Some(ticket(2, Status::Open));
    let decided = case.decide();
    assert_eq!((decided.placement, decided.beside, decided.warnings), (create(&[]), false, vec![]));
    case.cluster.push(customer(2));
    assert_eq!(case.goes().1, append(2, None));
    // Where a reply of ours left under that name, it stays the reply's.
    seen.event_id = Some(EventId::new(Uuid::from_u128(3)));
    case.own = Some(seen);
    let decided = case.decide();
    assert_eq!((decided.placement, decided.beside), (create(&[]), true));
    assert_eq!(decided.warnings, ["a reply of ours left under the same id"]);
}

#[test]
fn what_is_forged_word_by_word_hides_nothing() {
    let forged = |mut case: Case| {
        let (yes, no) = (Verdict::Pass, Verdict::Fail);
        let verdicts = Authentication { spf: no, dkim: no, dmarc: no, spam: yes, virus: yes };
        case.identified.inbound.message.authentication = Some(verdicts);
        case
    };
    let case = case(mail(1, "hello"));
    let mut first = LedgerEntry::new(LedgerState::Recorded, noon());
    first.fingerprint = Some(case.identified.inbound.fingerprint.clone());
    for (first_is_forged, second, is_duplicate) in [
        (false, case.clone(), true),
        (false, forged(case.clone()), true),
        (true, forged(case.clone()), true),
        (true, case.clone(), false),
    ] {
        let own = LedgerEntry { forged: first_is_forged, ..first.clone() };
        let decided = Case { own: Some(own), ..second }.decide();
        assert_eq!(matches!(decided.placement, Placement::Duplicate { .. }), is_duplicate);
        assert_eq!(decided.beside, !is_duplicate);
    }
}

#[test]
fn what_was_only_mentioned_or_is_in_flight_again_is_no_duplicate() {
    for state in [LedgerState::Seen, LedgerState::InFlight] {
        let mut case = case(mail(1, "hello"));
        case.own = Some(LedgerEntry::new(state, noon()));
        let decided = case.decide();
        assert_eq!((decided.placement, decided.beside, decided.warnings.len()), (create(&[]), false, 0), "{state:?}");
    }
}

#[test]
fn what_is_quarantined_can_come_again() {
    let mut case = case(mail(1, "hello"));
    let mut kept = LedgerEntry::new(LedgerState::Quarantined, noon());
    kept.message_id = Some(MessageId::new(Uuid::from_u128(4)));
    // The same by another delivery takes the place of what is kept.
    kept.fingerprint = Some(case.identified.inbound.fingerprint.clone());
    case.own = Some(kept.clone());
    let decided = case.decide();
    assert_eq!((decided.placement, decided.beside, decided.warnings.len()), (create(&[]), false, 0));
    // Whatever is not known to be the same stays beside it, so that neither hides the other.
    for fingerprint in [None, Some(Fingerprint::of(&message(Channel::Email, "other")))] {
        case.own = Some(LedgerEntry { fingerprint, ..kept.clone() });
        let decided = case.decide();
        assert_eq!((decided.placement, decided.beside, decided.warnings.len()), (create(&[]), true, 1));
    }
    // The delivery itself is dealt with: it is for the retry.
    kept.message_id = Some(case.identified.inbound.message.id);
    case.own = Some(kept);
    assert_eq!(case.goes().1, Placement::Duplicate { of: None, same_delivery: true });
}

#[test]
fn a_signed_reference_leads_who_has_to_do_with_the_ticket_there() {
    let known = Log::of(1).then(
        after(1),
        [
            EventData::ParticipantAdded(colleague(None, email("c2@x.example"))),
            EventData::ParticipantAdded(colleague(Some(customer(3)), email("c3@x.example"))),
        ],
    );
    let case = |n, cluster: &[u128]| {
        let mut case = case(mail(n, "about my order"));
        case.signed = Some(known.clone().now());
        case.cluster = cluster.iter().map(|n| customer(*n)).collect();
        case.goes()
    };
    let rule = "signed_reference".to_owned();
    assert_eq!(case(1, &[1]), (rule.clone(), append(1, None)), "the requester");
    assert_eq!(case(8, &[8, 1]), (rule.clone(), append(1, None)), "the requester under another name");
    assert_eq!(case(2, &[2]), (rule.clone(), joins(1)), "somebody who was addressed");
    assert_eq!(case(3, &[3]), (rule.clone(), append(1, None)), "somebody who takes part already");
    assert_eq!(case(8, &[8, 3]), (rule, append(1, None)), "the same under another name");
    assert_eq!(case(9, &[9]), ("stranger_with_reference".to_owned(), create(&[(1, STRANGER)])));
}

#[test]
fn a_stranger_gets_a_ticket_of_their_own_and_a_warning() {
    let mut case = case(mail(9, "about my order"));
    case.thread = vec![ticket(1, Status::Open), ticket(2, Status::Open)];
    let decided = case.decide();
    assert_eq!(decided.placement, create(&[(1, STRANGER)]));
    assert_eq!(decided.warnings, ["it refers to a ticket that its sender has nothing to do with"]);
    assert!(decided.decision.because.contains(&case.thread[0].head.reference.to_string()));
    // A name that nobody proved opens no door.
    let addressed = EventData::ParticipantAdded(colleague(None, email("c9@x.example")));
    case.thread = vec![Log::of(1).then(after(1), [addressed]).now()];
    case.identified.inbound.claims[0].proof = Proof::Typed;
    assert_eq!(case.goes().1, create(&[(1, STRANGER)]));
    case.identified.inbound.claims[0].proof = Proof::Answerable;
    assert_eq!(case.goes().1, joins(1));
}

#[test]
fn who_gets_the_answers_may_answer() {
    let mut reply_to = received(customer(1), message(Channel::Email, "?"));
    if let EventData::MessageReceived(received) = &mut reply_to {
        let inbox = "support".parse().unwrap();
        let identifier = email("c2@x.example");
        received.reply_to = Some(crate::ticket::ReplyTo::new(Channel::Email, inbox, identifier));
    }
    let mut case = case(mail(2, "thanks"));
    case.signed = Some(Log::of(1).then(after(1), [reply_to]).now());
    assert_eq!(case.goes().1, joins(1));
    case.identified.inbound.claims[0].proof = Proof::Typed;
    assert_eq!(case.goes().1, create(&[(1, STRANGER)]));
}

/// Until unlinking has reached the ticket, and where it never does.
#[test]
fn who_was_the_same_person_is_no_way_in_by_having_been_answered_last() {
    let inbox = "support".parse().unwrap();
    let identifier = email("c2@x.example");
    let mut wrote = received(customer(2), message(Channel::Email, "?"));
    if let EventData::MessageReceived(received) = &mut wrote {
        received.reply_to = Some(crate::ticket::ReplyTo::new(Channel::Email, inbox, identifier.clone()));
    }
    let joined = Participant { role: Role::SamePerson, ..colleague(Some(customer(2)), identifier) };
    let mut case = case(mail(2, "thanks"));
    case.signed = Some(Log::of(1).then(after(1), [EventData::ParticipantAdded(joined), wrote]).now());
    assert_eq!(case.goes().1, create(&[(1, STRANGER)]));
    case.cluster = vec![customer(1), customer(2)];
    assert_eq!(case.goes().1, append(1, None), "while they are linked it is their ticket");
}

#[test]
fn of_a_thread_the_nearest_ticket_that_admits_the_sender_counts() {
    let mut case = case(mail(1, "more"));
    case.cluster = vec![customer(1), customer(2), customer(3)];
    case.thread = vec![ticket(9, Status::Open), ticket(2, Status::Open), ticket(3, Status::Open)];
    let decided = case.decide();
    assert_eq!((decided.decision.rule.as_str(), decided.placement), ("known_thread", append(2, None)));
    assert_eq!(decided.decision.candidates.len(), 3);
    assert_eq!(decided.warnings.len(), 0);
    // What we signed goes before what the mail merely mentions.
    case.signed = Some(ticket(3, Status::Open));
    assert_eq!(case.goes(), ("signed_reference".to_owned(), append(3, None)));
    // Two messages of one person that share an ancestor nobody knew: the second finds the ticket of the first.
    case.signed = None;
    case.thread = vec![ticket(2, Status::New)];
    assert_eq!(case.goes().1, append(2, None));
}

#[test]
fn a_reply_opens_reopens_or_follows_up() {
    let open = Some(Status::Open);
    let window = TicketingRules::default().reopen_window_hours / 24;
    let exactly = days(window).plus_ms(MINUTE);
    let table = [
        (Status::New, after(60), "known_thread", append(1, None)),
        (Status::Open, days(400), "known_thread", append(1, None)),
        (Status::Pending, days(400), "known_thread", append(1, open)),
        (Status::OnHold, after(60), "known_thread", append(1, open)),
        (Status::Resolved, after(60), "known_thread", append(1, open)),
        (Status::Resolved, exactly, "known_thread", append(1, open)),
        (Status::Resolved, exactly.plus_ms(1), "follow_up", follow_up(1)),
        (Status::Closed, after(2), "follow_up", follow_up(1)),
    ];
    for (stands, at, rule, goes) in table {
        let mut case = case(mail(1, "still broken"));
        case.thread = vec![ticket(1, stands)];
        case.at = at;
        assert_eq!(case.goes(), (rule.to_owned(), goes), "{stands:?} at {at}");
    }
    // The window is the channel's own where it has one.
    let mut case = case(mail(1, "still broken"));
    case.thread = vec![ticket(1, Status::Resolved)];
    case.rules.body.reopen_window_hours_by_channel.insert(Channel::Email, 0);
    assert_eq!(case.goes().0, "follow_up");
}

#[test]
fn a_second_reply_to_a_closed_ticket_finds_the_follow_up_of_the_first() {
    let follows = |why: &str| {
        let related = crate::event::TicketRelated { ticket_id: ticket_id(1), why: why.to_owned() };
        Log::opened(2, created(2, customer(1)), noon()).then(after(1), [EventData::TicketRelated(related)]).now()
    };
    let mut case = case(mail(1, "still broken"));
    case.signed = Some(ticket(1, Status::Closed));
    case.open = vec![follows(FOLLOWS_UP)];
    assert_eq!(case.goes(), ("signed_reference".to_owned(), append(2, None)));
    case.open = vec![follows(OTHER)];
    assert_eq!(case.goes(), ("follow_up".to_owned(), follow_up(1)));
}

#[test]
fn chat_goes_on_in_its_running_conversation() {
    let mut case = case(sent(1, message(Channel::WebChat, "one more thing")));
    let goes = |case: &Case| case.goes();
    case.open = vec![chat(2, noon()), chat(3, after(1)), ticket(1, Status::Open)];
    assert_eq!(goes(&case), ("live_conversation".to_owned(), append(3, None)), "the latest of them");
    case.at = days(1).plus_ms(MINUTE);
    assert_eq!(goes(&case).1, append(3, None), "exactly inside the window");
    case.at = days(1).plus_ms(MINUTE + 1);
    let apart = create(&[(2, OTHER), (3, OTHER), (1, OTHER)]);
    assert_eq!(goes(&case), ("create".to_owned(), apart));
    case.rules.body.conversation_window_hours_by_channel.insert(Channel::WebChat, 25);
    assert_eq!(goes(&case).1, append(3, None), "the channel's own window");
    case.rules.body.conversation_window_hours_by_channel.clear();
    // Another inbox, another channel, or a channel where people write letters.
    case.at = after(60);
    case.open = vec![chat(3, after(1))];
    case.identified.inbound.message.inbox = "sales".parse().unwrap();
    assert_eq!(goes(&case).1, create(&[(3, OTHER)]));
    case.identified.inbound.message = Message { inbox: "web_chat".parse().unwrap(), ..message(Channel::Sms, "more") };
    assert_eq!(goes(&case).1, create(&[(3, OTHER)]));
    case.identified.inbound.message = message(Channel::Email, "one more thing");
    case.open = vec![ticket(1, Status::Open)];
    assert_eq!(goes(&case).1, create(&[(1, OTHER)]));
}

#[test]
fn only_people_keep_a_conversation_alive() {
    let mut case = case(sent(1, message(Channel::WebChat, "one more thing")));
    let quiet = |log: Ticket| Log { ticket: Some(log), commits: vec![] };
    case.at = days(2);
    // A commit by the system a moment ago: a breach recorded, somebody assigned.
    case.open = vec![quiet(chat(3, noon())).then(days(2), [status(Status::New, Status::Open)]).now()];
    assert_eq!(case.goes().0, "create");
    case.open = vec![quiet(chat(3, noon())).then(days(2), [reply(true)]).now()];
    assert_eq!(case.goes().0, "live_conversation");
}

#[test]
fn the_same_problem_on_another_channel_joins_when_enough_words_are_shared() {
    let case = |text: &str| {
        let mut case = case(sent(1, message(Channel::WebChat, text)));
        // "Printer does not print": `printer` and `print` count.
        case.open = vec![ticket(1, Status::Pending)];
        case
    };
    let alike = case("hello, my printer still does not print");
    assert_eq!(alike.goes(), ("same_problem".to_owned(), append(1, Some(Status::Open))));
    let mut part = case("the PRINTER will not print");
    part.open = vec![Ticket {
        head: TicketHead { subject: "Printer prints: print stripes".to_owned(), ..part.open[0].head.clone() },
        ..part.open[0].clone()
    }];
    assert_eq!(part.goes().0, "create", "two of four words are 50 %");
    assert_eq!(part.decide().decision.candidates[0].why, "50 % alike: print, printer");
    part.rules.body.same_problem_percent_by_channel.insert(Channel::WebChat, 50);
    assert_eq!(part.goes().0, "same_problem");
    assert!(part.decide().decision.because.contains("50 % of the words of its subject"), "{:?}", part.decide());
    part.rules.body.same_problem_window_hours_by_channel.insert(Channel::WebChat, 0);
    assert_eq!(part.goes(), ("create".to_owned(), create(&[(1, OTHER)])));
    let mut nothing = case("refund");
    nothing.rules.body.same_problem_percent = 0;
    assert_eq!(nothing.goes().0, "create", "nothing in common is never the same");
    assert_eq!(case("printer").goes().1, create(&[(1, OTHER)]), "one shared word is chance");
    let mut old = case("hello, my printer still does not print");
    old.at = days(3);
    assert_eq!(old.goes().1, create(&[(1, OTHER)]));
    let mut robot = case("hello, my printer still does not print");
    robot.identified.inbound.message.automatic = automatic(message(Channel::Email, ""), AutomaticKind::Bulk).automatic;
    assert_eq!(robot.goes().1, create(&[(1, OTHER)]));
    let mut done = case("hello, my printer still does not print");
    done.open = vec![ticket(1, Status::Resolved)];
    assert_eq!(done.goes().1, create(&[]), "what is resolved is not open, whatever the list says");
}

#[test]
fn the_most_alike_ticket_wins_and_the_newer_of_equals() {
    let about = |n, subject: &str| {
        let mut opened = created(n, customer(1));
        opened.subject = subject.to_owned();
        Log::opened(n, opened, noon()).now()
    };
    let mut case = case(mail(1, "the invoice for november was charged twice"));
    case.open = vec![about(2, "invoice charged"), about(3, "invoice charged"), about(4, "invoice missing november")];
    assert_eq!(case.goes().1, append(3, None));
    assert_eq!(case.decide().decision.candidates.len(), 3);
    case.open = vec![about(2, "Invoice")];
    assert_eq!(case.goes().1, create(&[(2, OTHER)]), "a subject of one word says too little");
}

/// A ticket of customer 1, 2 or 3 with participants among 2 to 4, by number or by name only.
fn referenced() -> impl Strategy<Value = (u128, Vec<(u128, bool)>, u8)> {
    (1_u128..4, prop::collection::vec((2_u128..5, any::<bool>()), 0..3), 0_u8..6)
}

proptest! {
    #[test]
    fn no_stranger_gets_onto_a_ticket_by_reference(
        sender in 1_u128..6,
        more in prop::collection::vec(1_u128..6, 0..2),
        proof in prop::sample::select(vec![Proof::Proven, Proof::Answerable, Proof::Typed]),
        signed in prop::option::of(referenced()),
        thread in prop::collection::vec(referenced(), 0..4),
        (chat_like, late, bounce) in (any::<bool>(), any::<bool>(), any::<bool>()),
    ) {
        let statuses = [Status::New, Status::Open, Status::Pending, Status::OnHold, Status::Resolved, Status::Closed];
        let build = |n: u128, (owner, participants, stands): &(u128, Vec<(u128, bool)>, u8)| {
            let added = participants.iter().map(|(n, known)| {
                EventData::ParticipantAdded(colleague(known.then(|| customer(*n)), email(&format!("c{n}@x.example"))))
            });
            let stands = status(Status::New, statuses[usize::from(*stands)]);
            Log::opened(n, created(n, customer(*owner)), noon()).then(after(1), added.chain([stands])).now()
        };
        let channel = if chat_like { Channel::WebChat } else { Channel::Email };
        let mut case = case(sent(sender, message(channel, "printer does not print")));
        case.identified.inbound.claims[0].proof = proof;
        case.identified.inbound.late = late;
        if bounce {
            case.identified.inbound.message = automatic(case.identified.inbound.message, AutomaticKind::Bounce);
        }
        case.cluster.extend(more.into_iter().map(customer));
        case.signed = signed.map(|it| build(100, &it));
        case.thread = thread.iter().enumerate().map(|(i, it)| build(101 + i as u128, it)).collect();

        let decided = case.decide();
        let claim = &case.identified.inbound.claims[0];
        let admitted = |ticket: &Ticket| {
            case.cluster.contains(&ticket.head.customer_id) || ticket.detail.participants.iter().any(|participant| {
                participant.customer_id.is_some_and(|id| case.cluster.contains(&id))
                    || (proof != Proof::Typed && participant.identifier == claim.identifier)
            })
        };
        let referenced: Vec<_> = case.signed.iter().chain(&case.thread).collect();
        let home = referenced.iter().find(|ticket| admitted(ticket));
        match &decided.placement {
            Placement::Append { ticket_id, .. } => prop_assert_eq!(Some(*ticket_id), home.map(|ticket| ticket.head.id)),
            Placement::Create { follow_up_of: Some(before), .. } => {
                prop_assert_eq!(Some(*before), home.map(|ticket| ticket.head.id));
            }
            Placement::Create { related, .. } => {
                prop_assert!(home.is_none());
                prop_assert_eq!(related.first().map(|(id, _)| *id), referenced.first().map(|ticket| ticket.head.id));
                prop_assert_eq!(decided.warnings.len(), usize::from(!referenced.is_empty()));
            }
            Placement::Duplicate { .. } => prop_assert!(false, "nothing came before"),
        }
    }
}

#[test]
fn a_call_goes_on_with_what_was_active_last() {
    let call = |stage| {
        let mut called = message(Channel::Voice, "(asks to be called back)");
        called.call = Some(Call { id: "CA1".to_owned(), stage, duration_s: None });
        case(sent(1, called))
    };
    let mut case = call(CallStage::CallbackRequested);
    assert_eq!(case.goes().0, "create");
    case.open = vec![chat(1, after(20)), chat(2, after(10))];
    assert_eq!(case.goes(), ("call_goes_on".to_owned(), append(1, None)));
    // Of nobody else, and not of long ago.
    case.cluster = vec![customer(7)];
    assert_eq!(case.goes().0, "create");
    case.cluster = vec![customer(1)];
    case.at = days(40);
    assert_eq!(case.goes().0, "create");
    // What was recorded has words of its own.
    let mut recorded = call(CallStage::Transcribed);
    recorded.open = vec![chat(1, after(20))];
    assert_eq!(recorded.goes().0, "create");
}

#[test]
fn a_call_stays_on_its_ticket_although_nobody_is_named_again() {
    let mut recorded = message(Channel::Voice, "(voicemail)");
    recorded.call = Some(Call { id: "CA1".to_owned(), stage: CallStage::Voicemail, duration_s: None });
    let mut case = case(sent(7, recorded));
    case.thread = vec![chat(1, noon())];
    // Another number in the same call is somebody else.
    assert_eq!(case.goes().0, "stranger_with_reference");
    case.identified.inbound.claims.clear();
    assert_eq!(case.goes(), ("known_thread".to_owned(), append(1, None)));
    // Only calls are named so: whoever names a message's thread elsewhere can be anybody.
    case.identified.inbound.message.call = None;
    assert_eq!(case.goes().0, "stranger_with_reference");
}

#[test]
fn a_form_that_nobody_signs_is_not_put_on_a_ticket_by_a_guess() {
    let mut case = case(sent(1, message(Channel::Portal, "where is the lamp of my order")));
    let mut opened = created(1, customer(1));
    opened.subject = "Where is the lamp of my order".to_owned();
    case.open = vec![Log::opened(1, opened, noon()).now()];
    assert_eq!(case.goes().0, "same_problem");
    case.identified.inbound.claims[0].proof = Proof::Answerable;
    assert_eq!(case.goes().0, "create");
}
