//! Table tests of what is refused and taken over, and that no merging and unmerging ever makes a circle.

use super::*;
use crate::channel::Channel;
use crate::clock::TargetKind;
use crate::event::{Assigned, SlaBreached, TicketMerged};
use crate::fold;
use crate::testing::{
    Log, MINUTE, applied, colleague, customer, email, message, noon, received, sla_rules, status, ticket_id,
};
use crate::ticket::Merged;
use proptest::prelude::*;
use std::collections::BTreeMap;

const MIA: &str = "mia";

fn mia() -> Actor {
    Actor::Agent(MIA.parse().unwrap())
}

fn after(minutes: i64) -> crate::moment::Moment {
    noon().plus_ms(minutes * MINUTE)
}

/// Open tickets of one person, by their numbers.
#[derive(Clone)]
struct Desk(BTreeMap<u128, Log>);

impl Desk {
    fn of(numbers: impl IntoIterator<Item = u128>) -> Self {
        Self(numbers.into_iter().map(|n| (n, Log::of(n).then(after(1), [status(Status::New, Status::Open)]))).collect())
    }

    fn ticket(&self, n: u128) -> Ticket {
        self.0[&n].clone().now()
    }

    fn all(&self) -> Vec<Ticket> {
        self.0.values().cloned().map(Log::now).collect()
    }

    /// Where a ticket went in the end.
    fn survivor(&self, n: u128) -> Option<u128> {
        let all = self.all();
        let find = |id| all.iter().find(|ticket| ticket.head.id == id);
        let end = chain(find(ticket_id(n))?, find)?.last()?.head.id;
        self.0.keys().copied().find(|n| ticket_id(*n) == end)
    }

    /// The decision to merge `n`, whose person these customers are.
    fn decide(
        &self,
        n: u128,
        into: u128,
        people: &[u128],
        change: impl FnOnce(&mut Merge<'_>),
    ) -> Result<Both, Refused> {
        let (ticket, all) = (self.ticket(n), self.all());
        let find = |id| all.iter().find(|ticket| ticket.head.id == id);
        let way = chain(find(ticket_id(into)).unwrap(), find).ok_or(Refused::NoEnd)?;
        let people: Vec<CustomerId> = people.iter().copied().map(customer).collect();
        let mut wanted = Merge {
            ticket: &ticket,
            into: &way,
            people: &people,
            across_customers: false,
            add_requester: false,
            actor: mia(),
            because: "it is the same parcel",
        };
        change(&mut wanted);
        merge(&wanted)
    }

    /// Both changes, as the table writes them: together.
    fn write(&mut self, n: u128, other: u128, both: Both) {
        let at = self.all().iter().map(|ticket| ticket.head.updated_at).max().unwrap();
        for (n, changes) in [(n, both.ticket), (other, both.other)] {
            let log = self.0.get_mut(&n).unwrap();
            let commit = changes.into_commit(ticket_id(n), log.ticket.as_ref().unwrap().head.version + 1, at, at);
            assert!(
                commit.events.iter().all(|event| event.decision.is_some() || event.data.kind() == "ticket_related")
            );
            log.apply(commit).unwrap();
        }
    }

    fn merge(&mut self, n: u128, into: u128) -> Result<(), Refused> {
        let everybody: Vec<u128> = self.0.keys().copied().collect();
        let both = self.decide(n, into, &everybody, |_| ())?;
        let survivor = self.survivor(into).unwrap();
        if !both.ticket.is_empty() {
            self.write(n, survivor, both);
        }
        Ok(())
    }

    fn unmerge(&mut self, n: u128) -> Result<(), Refused> {
        let ticket = self.ticket(n);
        let into = ticket.head.merged.ok_or(Refused::NotMerged)?.into;
        let from = self.0.keys().copied().find(|n| ticket_id(*n) == into).unwrap();
        let both = unmerge(&ticket, &self.ticket(from), vec![], &mia(), "another parcel after all")?;
        self.write(n, from, both);
        Ok(())
    }
}

#[test]
fn a_merged_ticket_is_closed_and_named_on_both() {
    let mut desk = Desk::of([1, 2]);
    let assigned = EventData::Assigned(Assigned { agent: "ann".parse().unwrap(), weight: 10 });
    let sla = EventData::SlaApplied(applied("always"));
    let joined = EventData::ParticipantAdded(colleague(None, email("ben@x.example")));
    desk.0.insert(1, desk.0[&1].clone().then(after(2), [assigned, sla, joined]));
    let due_at = |desk: &Desk| desk.ticket(1).head.sla.unwrap().clocks[0].due_at;
    assert!(due_at(&desk).is_some());
    desk.merge(1, 2).unwrap();
    let (merged, survivor) = (desk.ticket(1), desk.ticket(2));
    assert_eq!(merged.head.merged, Some(Merged { into: ticket_id(2), status_before: Status::Open, linked: true }));
    assert_eq!((merged.head.status, merged.head.unrouted_since, due_at(&desk)), (Status::Closed, None, None));
    assert_eq!(crate::check::next_check(&merged.head), None, "nobody looks at it any more");
    assert_eq!(survivor.head.status, Status::Open);
    assert_eq!(survivor.detail.participants, [colleague(None, email("ben@x.example"))]);
    assert_eq!((survivor.detail.related[0].ticket_id, &*survivor.detail.related[0].why), (ticket_id(1), WENT_INTO_IT));
    assert_eq!(survivor.detail.merged_in[0].ticket_id, ticket_id(1));

    desk.unmerge(1).unwrap();
    let (ticket, other) = (desk.ticket(1), desk.ticket(2));
    assert_eq!((ticket.head.merged, ticket.head.status, ticket.head.resolved_at), (None, Status::Open, None));
    assert_eq!(ticket.head.preferred_agent.as_ref().map(crate::id::AgentId::as_str), Some("ann"));
    assert!(ticket.head.unrouted_since.is_some() && ticket.head.assignee.is_none());
    assert_eq!(due_at(&desk), Some(after(62)), "no time passed while it was merged, and none is lost");
    assert!(other.detail.merged_in.is_empty() && other.detail.related.is_empty());
}

#[test]
fn what_stood_still_or_was_done_stands_as_before_once_it_is_unmerged() {
    for stands in [Status::New, Status::Open, Status::Pending, Status::OnHold, Status::Resolved, Status::Closed] {
        let mut desk = Desk::of([1, 2]);
        let log = Log::of(1).then(after(1), [EventData::SlaApplied(applied("always")), status(Status::New, stands)]);
        desk.0.insert(1, log);
        let before = desk.ticket(1);
        desk.merge(1, 2).unwrap();
        desk.unmerge(1).unwrap();
        let after = desk.ticket(1);
        assert_eq!((after.head.status, after.head.merged), (stands, None));
        assert_eq!(after.head.resolved_at, before.head.resolved_at, "{stands:?}");
        assert_eq!(after.head.sla, before.head.sla, "{stands:?}");
        assert_eq!(after.head.unrouted_since.is_some(), stands.is_live(), "{stands:?}");
    }
}

#[test]
fn what_cannot_be_merged() {
    let mut desk = Desk::of(1..=4);
    let name = |desk: &Desk, n| desk.ticket(n).head.reference.to_string();
    assert_eq!(desk.merge(1, 1), Err(Refused::Itself));
    assert_eq!(desk.unmerge(1), Err(Refused::NotMerged));
    assert_eq!(desk.decide(1, 2, &[1], |_| ()), Err(Refused::OtherCustomer));
    desk.merge(1, 2).unwrap();
    assert_eq!(desk.merge(1, 2), Ok(()), "the same again");
    assert_eq!(desk.0[&1].commits.len(), 3, "changes nothing");
    assert!(matches!(desk.merge(1, 3), Err(Refused::Merged(_))));
    assert_eq!(desk.merge(2, 1), Err(Refused::Cycle(name(&desk, 1))));
    // By way of another one the same.
    desk.merge(2, 3).unwrap();
    assert_eq!(desk.merge(3, 1), Err(Refused::Cycle(name(&desk, 1))));
    let done = desk.0[&4].clone().then(after(5), [status(Status::Open, Status::Resolved)]);
    desk.0.insert(4, done);
    assert_eq!(desk.merge(3, 4), Err(Refused::Done(name(&desk, 4))));
    assert_eq!(desk.merge(4, 3), Ok(()), "what is done may go into what is not");
}

#[test]
fn merging_into_a_merged_ticket_goes_to_where_that_went_and_says_so() {
    let mut desk = Desk::of(1..=3);
    desk.merge(2, 3).unwrap();
    desk.merge(1, 2).unwrap();
    assert_eq!(desk.ticket(1).head.merged.unwrap().into, ticket_id(3));
    let event = &desk.0[&1].commits[2].events[0];
    let because = &event.decision.as_ref().unwrap().because;
    assert!(because.contains("it is the same parcel") && because.contains("was itself merged into"), "{because}");
    assert!(matches!(&event.data, EventData::TicketMerged(merged) if **merged == TicketMerged {
        ticket_id: ticket_id(1), into: ticket_id(3), status_before: Status::Open, conversations: merged.conversations.clone(), linked_customer: Some(customer(1)),
    }));
}

#[test]
fn somebody_else_takes_part_only_if_that_is_asked_for() {
    let mut desk = Desk::of([1, 2]);
    let reply_to = crate::ticket::ReplyTo {
        channel: crate::channel::Channel::Email,
        inbox: "support".parse().unwrap(),
        identifier: email("anna@x.example"),
        anchor: None,
        visibility: crate::message::Visibility::Private,
    };
    let mut asked = crate::testing::received(customer(1), crate::testing::message(reply_to.channel, "?"));
    if let EventData::MessageReceived(received) = &mut asked {
        received.reply_to = Some(reply_to);
    }
    let joined = EventData::ParticipantAdded(colleague(None, email("ben@x.example")));
    desk.0.insert(1, desk.0[&1].clone().then(after(2), [asked, joined]));
    let joins = |add: bool, same: bool| {
        let people: &[u128] = if same { &[1, 2] } else { &[1] };
        let both = desk.decide(1, 2, people, |wanted| {
            (wanted.across_customers, wanted.add_requester) = (true, add);
        });
        let added = |data: &EventData| match data {
            EventData::ParticipantAdded(added) => Some(added.identifier.value().to_owned()),
            _ => None,
        };
        both.unwrap().other.data().filter_map(added).collect::<Vec<_>>()
    };
    assert_eq!(joins(false, false), Vec::<String>::new());
    assert_eq!(joins(true, false), ["ben@x.example", "anna@x.example"]);
    assert_eq!(joins(false, true), ["ben@x.example"]);
}

/// Who is the same person as the one requester is not the same as the other.
#[test]
fn who_is_linked_with_one_requester_is_a_colleague_to_another() {
    let mut desk = Desk::of([1, 2]);
    let linked = Participant { role: Role::SamePerson, ..colleague(Some(customer(3)), email("carl@x.example")) };
    desk.0.insert(1, desk.0[&1].clone().then(after(2), [EventData::ParticipantAdded(linked)]));
    let role = |people: &[u128]| {
        let both = desk.decide(1, 2, people, |wanted| {
            (wanted.across_customers, wanted.add_requester) = (true, true);
        });
        both.unwrap().other.data().find_map(|data| match data {
            EventData::ParticipantAdded(added) if added.customer_id == Some(customer(3)) => Some(added.role),
            _ => None,
        })
    };
    assert_eq!((role(&[1, 2, 3]), role(&[1, 3])), (Some(Role::SamePerson), Some(Role::Colleague)));
    assert_eq!((role(&[1, 2]), role(&[1])), (None, None), "who was linked with the one, and is not any more");
}

#[test]
fn who_came_with_a_ticket_leaves_with_it() {
    let mut desk = Desk::of([1, 2]);
    let joined = |name: &str| EventData::ParticipantAdded(colleague(None, email(name)));
    desk.0.insert(1, desk.0[&1].clone().then(after(2), [joined("kim@x.example")]));
    desk.0.insert(2, desk.0[&2].clone().then(after(2), [joined("own@x.example")]));
    desk.merge(1, 2).unwrap();
    let mut meant = received(customer(3), message(Channel::Email, "about the first"));
    if let EventData::MessageReceived(received) = &mut meant {
        received.by_way_of = Some(ticket_id(1));
    }
    let own = received(customer(2), message(Channel::Email, "about the second"));
    desk.0.insert(2, desk.0[&2].clone().then(after(3), [meant, own]));
    let (ticket, from) = (desk.ticket(1), desk.ticket(2));
    let both = part(&ticket, &from, &desk.0[&2].commits, &mia()).unwrap();
    let named = both.other.data().find_map(|data| match data {
        EventData::TicketUnmerged(unmerged) => Some(unmerged.messages.clone()),
        _ => None,
    });
    assert_eq!(named, Some(vec![desk.0[&2].commits.last().unwrap().events[0].id]));
    desk.write(1, 2, both);
    assert_eq!(desk.ticket(2).detail.participants, [colleague(None, email("own@x.example"))]);
    assert_eq!(desk.ticket(2).head.reply_to, from.head.reply_to, "answers go where they went");
    assert_eq!((desk.ticket(1).head.merged, desk.ticket(1).head.status), (None, Status::Open));
}

#[test]
fn no_ticket_takes_in_more_than_a_way_may_be_long() {
    let last = MERGED_IN_MAX as u128 + 2;
    let mut desk = Desk::of(1..=last);
    // The longest way: each goes into the next.
    for n in 1..=MERGED_IN_MAX as u128 {
        desk.merge(n, n + 1).unwrap();
    }
    assert_eq!(desk.survivor(1), Some(last - 1));
    assert_eq!(desk.merge(last - 1, last), Err(Refused::TooMany));
    assert_eq!(desk.merge(last, last - 1), Err(Refused::TooMany));
}

#[test]
fn a_circle_or_an_unknown_ticket_is_no_way() {
    let merged = |n: u128, into: u128| {
        let mut ticket = Log::of(n).now();
        ticket.head.merged = Some(Merged { into: ticket_id(into), status_before: Status::Open, linked: false });
        ticket
    };
    let all = [merged(1, 2), merged(2, 1), merged(3, 9)];
    let find = |id| all.iter().find(|ticket| ticket.head.id == id);
    assert_eq!(chain(&all[0], find), None);
    assert_eq!(chain(&all[2], find), None);
}

#[test]
fn tickets_are_related_once_on_both() {
    let mut desk = Desk::of([1, 2]);
    let both = relate(&desk.ticket(1), &desk.ticket(2), "the same delivery", &mia()).unwrap();
    desk.write(1, 2, both);
    let related = |desk: &Desk, n| desk.ticket(n).detail.related;
    assert_eq!(related(&desk, 1)[0].ticket_id, ticket_id(2));
    assert_eq!((related(&desk, 2)[0].ticket_id, &*related(&desk, 2)[0].why), (ticket_id(1), "the same delivery"));
    assert_eq!(relate(&desk.ticket(2), &desk.ticket(1), "again", &mia()), Ok(Both::default()));
    assert_eq!(relate(&desk.ticket(1), &desk.ticket(1), "?", &mia()), Err(Refused::Itself));
    let many = (10..10 + RELATED_MAX as u128)
        .map(|n| EventData::TicketRelated(TicketRelated { ticket_id: ticket_id(n), why: "?".to_owned() }));
    let full = Log::of(3).then(after(1), many).now();
    assert_eq!(relate(&desk.ticket(1), &full, "?", &mia()), Err(Refused::TooManyRelated));
}

#[test]
fn a_breach_that_was_recorded_before_stays_one() {
    let mut desk = Desk::of([1, 2]);
    let breached = SlaBreached { target: TargetKind::FirstResponse, breached_at: after(62) };
    let events = [EventData::SlaApplied(applied("always"))];
    let log = desk.0[&1].clone().then(after(2), events).then(after(70), [EventData::SlaBreached(breached)]);
    desk.0.insert(1, log);
    desk.merge(1, 2).unwrap();
    desk.unmerge(1).unwrap();
    assert_eq!(desk.ticket(1).head.sla.unwrap().clocks[0].breached_at, Some(after(62)));
}

proptest! {
    /// Whatever is merged and unmerged: no circle, every ticket leads to exactly one that stands by itself, a ticket that is
    /// not merged stands as it did, and every head is the fold of its log.
    #[test]
    fn every_ticket_leads_to_one_that_stands_by_itself(
        stands in prop::collection::vec(0_usize..6, 6),
        steps in prop::collection::vec((any::<bool>(), 0_u128..6, 0_u128..6), 0..40),
    ) {
        let statuses = [Status::New, Status::Open, Status::Pending, Status::OnHold, Status::Resolved, Status::Closed];
        let mut desk = Desk::of([]);
        for (n, stands) in (0_u128..).zip(&stands) {
            let log = Log::of(n).then(after(1), [status(Status::New, statuses[*stands])]);
            desk.0.insert(n, log);
        }
        for (merges, n, other) in steps {
            let before = desk.survivor(n);
            let outcome = if merges { desk.merge(n, other) } else { desk.unmerge(n) };
            match outcome {
                Ok(()) if merges => prop_assert_eq!(desk.survivor(n), desk.survivor(other)),
                Ok(()) => prop_assert_eq!(desk.survivor(n), Some(n)),
                Err(_) => prop_assert_eq!(desk.survivor(n), before, "what is refused changes nothing"),
            }
            for (n, stood) in (0_u128..).zip(&stands) {
                let survivor = desk.survivor(n);
                prop_assert!(survivor.is_some(), "ticket {n} leads nowhere");
                let end = desk.ticket(survivor.unwrap());
                prop_assert_eq!(end.head.merged, None);
                let ticket = desk.ticket(n);
                match ticket.head.merged {
                    Some(merged) => {
                        prop_assert_eq!((ticket.head.status, merged.status_before), (Status::Closed, statuses[*stood]));
                        let known = end.detail.merged_in.iter().any(|other| other.ticket_id == ticket.head.id);
                        prop_assert!(known, "ticket {n} is not named where it leads");
                    }
                    None => prop_assert_eq!(ticket.head.status, statuses[*stood]),
                }
            }
        }
        for log in desk.0.values() {
            let folded = fold::fold(&log.commits, &crate::config::Calendars::from(&sla_rules())).unwrap();
            prop_assert_eq!(Some(folded), log.ticket.clone());
        }
    }
}
