//! Linking and unlinking against a model: sets of people, and a graph.

use super::*;
use crate::channel::Channel;
use crate::customer::OPEN_TICKETS_MAX;
use crate::event::{EventData, MessageDeleted, MessageMoved};
use crate::id::{AgentId, TicketId};
use crate::identifier::{Identifier, IdentifierKind};
use crate::testing::{Log, MINUTE, colleague, created, customer, email, message, noon, received, ticket_id};
use crate::ticket::{Participant, ReplyTo, Role, Status};
use proptest::prelude::*;

const PEOPLE: u128 = 8;

fn mia() -> Actor {
    Actor::Agent("mia".parse::<AgentId>().unwrap())
}

fn edge(one: u128, other: u128, by: Actor) -> Link {
    Link {
        pair: pair(customer(one), customer(other)),
        state: LinkState::Linked,
        rule: "by_agent".to_owned(),
        evidence: "they said so".to_owned(),
        by,
        at: noon(),
    }
}

/// A table of heads and links, as the store keeps it.
#[derive(Default)]
struct Table {
    heads: BTreeMap<CustomerId, CustomerHead>,
    links: BTreeMap<[CustomerId; 2], Link>,
}

impl Table {
    fn head(&self, id: CustomerId) -> CustomerHead {
        self.heads.get(&id).cloned().unwrap_or_default()
    }

    fn root(&self, n: u128) -> CustomerId {
        self.head(customer(n)).root.unwrap_or(customer(n))
    }

    fn cluster(&self, n: u128) -> Cluster {
        let root = self.root(n);
        let members = self.head(root).cluster_of(root);
        let links = self.links.values().filter(|link| members.contains(&link.pair[0])).cloned().collect();
        Cluster { root, heads: members.into_iter().map(|id| (id, self.head(id))).collect(), links }
    }

    fn write(&mut self, rewrite: Rewrite) {
        for (id, head) in rewrite.heads {
            assert_eq!(head.version, self.head(id).version + 1);
            self.heads.insert(id, head);
        }
        self.links.extend(rewrite.links.into_iter().map(|link| (link.pair, link)));
    }

    fn link(&mut self, one: u128, other: u128, by: Actor) -> Result<(), NotLinked> {
        let rewrite = link(&self.cluster(one), &self.cluster(other), edge(one, other, by))?;
        self.write(rewrite);
        Ok(())
    }

    fn unlink(&mut self, of: u128, from: u128) -> bool {
        let rewrite = unlink(&self.cluster(of), customer(of), customer(from), &mia(), noon());
        rewrite.map(|rewrite| self.write(rewrite)).is_some()
    }

    /// A ticket of this customer, open or not, as everybody else writes it: on the root's head.
    fn open(&mut self, n: u128, ticket: TicketId, open: bool) {
        let root = self.root(n);
        let entry = OpenTicket { ticket_id: ticket, member: customer(n), inbox: "chat".parse().unwrap(), day: 1 };
        let head = self.head(root);
        let head = if open { head.with_open(entry) } else { head.without(ticket) };
        self.heads.insert(root, head);
    }
}

#[test]
fn the_larger_part_keeps_its_root_and_of_two_equal_ones_the_older() {
    let mut table = Table::default();
    table.link(5, 3, mia()).unwrap();
    assert_eq!((table.root(5), table.root(3)), (customer(3), customer(3)));
    table.link(1, 5, mia()).unwrap();
    assert_eq!(table.root(1), customer(3), "two are more than one, however old");
    assert_eq!(table.head(customer(3)).members, [1, 3, 5].map(customer));
    assert_eq!(table.link(1, 3, Actor::System), Err(NotLinked::Already), "by way of 5");
    assert_eq!(table.link(1, 1, mia()), Err(NotLinked::Itself));
    let cluster = table.cluster(1);
    let ways: Vec<_> = cluster.links_from(customer(1)).into_iter().map(|(id, link)| (id, link.pair)).collect();
    assert_eq!(ways, [(customer(5), [customer(1), customer(5)]), (customer(3), [customer(3), customer(5)])]);
}

#[test]
fn who_was_unlinked_is_linked_again_by_people_only() {
    let mut table = Table::default();
    table.link(1, 2, Actor::System).unwrap();
    table.link(2, 3, Actor::System).unwrap();
    // 1 leaves whomever leads to 3.
    assert!(table.unlink(1, 3));
    assert_eq!((table.root(1), table.root(2), table.root(3)), (customer(1), customer(2), customer(2)));
    assert_eq!(table.link(1, 2, Actor::System), Err(NotLinked::KeptApart));
    assert_eq!(table.link(1, 3, Actor::System), Err(NotLinked::KeptApart));
    table.link(4, 1, Actor::System).unwrap();
    assert_eq!(table.link(4, 2, Actor::System), Err(NotLinked::KeptApart), "nor by way of somebody else");
    table.link(4, 2, mia()).unwrap();
    assert_eq!(table.root(1), table.root(3));
    assert!(!table.unlink(1, 7));
}

#[test]
fn what_a_person_says_of_two_who_are_linked_by_a_third_stays_when_the_third_leaves() {
    let mut table = Table::default();
    table.link(1, 2, mia()).unwrap();
    table.link(2, 3, mia()).unwrap();
    table.link(1, 3, mia()).unwrap();
    assert_eq!(table.link(3, 1, mia()), Err(NotLinked::Already));
    assert!(table.unlink(2, 1));
    assert_eq!((table.root(1), table.root(3), table.root(2)), (customer(1), customer(1), customer(2)));
}

#[test]
fn a_list_that_dropped_tickets_says_so_whoever_it_goes_on_with() {
    let mut table = Table::default();
    (0..=OPEN_TICKETS_MAX as u128).for_each(|n| table.open(2, ticket_id(100 + n), true));
    (0..=OPEN_TICKETS_MAX as u128).for_each(|n| table.open(2, ticket_id(100 + n), false));
    assert_eq!((table.head(customer(2)).open.len(), table.head(customer(2)).overflowed), (0, true));
    table.link(1, 2, mia()).unwrap();
    assert_eq!((table.root(2), table.head(customer(1)).overflowed), (customer(1), true));
    assert!(table.unlink(1, 2));
    assert!(table.head(customer(1)).overflowed && table.head(customer(2)).overflowed);
    table.open(3, ticket_id(1), true);
    assert!(!table.head(customer(3)).overflowed);
}

#[test]
fn a_cluster_has_a_limit() {
    let mut table = Table::default();
    let full = MEMBERS_MAX as u128;
    (2..=full).for_each(|n| table.link(1, n, mia()).unwrap());
    assert_eq!(table.link(1, full + 1, mia()), Err(NotLinked::TooMany));
    assert_eq!(table.head(customer(1)).members.len(), MEMBERS_MAX);
}

fn said(by: u128, name: &Identifier) -> EventData {
    let inbox = "chat".parse().unwrap();
    let reply_to = ReplyTo::new(Channel::Email, inbox, name.clone());
    let message = message(Channel::Email, "hello");
    let mut said = received(customer(by), message);
    if let EventData::MessageReceived(received) = &mut said {
        received.reply_to = Some(reply_to);
    }
    said
}

#[test]
fn unlinking_gives_a_ticket_back_to_its_requester() {
    let (anna, ben, carl) = (email("anna@x.example"), email("ben@x.example"), email("carl@x.example"));
    let same =
        |n, name: &Identifier| Participant { role: Role::SamePerson, ..colleague(Some(customer(n)), name.clone()) };
    let joined = |participant| EventData::ParticipantAdded(participant);
    let log = Log::opened(1, created(1, customer(1)), noon())
        .then(noon(), [said(1, &anna)])
        .then(noon(), [joined(same(2, &ben)), said(2, &ben)])
        .then(noon(), [joined(colleague(Some(customer(3)), carl.clone())), said(3, &carl)]);
    let ticket = log.ticket.clone().unwrap();
    assert_eq!(ticket.head.reply_to.as_ref().unwrap().identifier, ben, "answers went where the person wrote last");
    let people = BTreeSet::from([customer(1), customer(2)]);
    let (changes, proposals) = part(&ticket, &log.commits, &people, &mia());
    assert!(changes.is_empty() && proposals.is_empty(), "they are still the same person");

    let (changes, proposals) = part(&ticket, &log.commits, &BTreeSet::from([customer(1)]), &mia());
    let bens = log.commits[2].events[1].id;
    let proposal = Proposal { ticket_id: ticket_id(1), customer_id: customer(2), event_ids: vec![bens] };
    assert_eq!(proposals, [proposal]);
    let after = log.clone().then(noon(), changes.data().cloned()).now();
    assert_eq!(after.head.reply_to.unwrap().identifier, anna);
    assert_eq!(after.detail.participants, [colleague(Some(customer(3)), carl)], "a colleague stays one");

    // What is there no more is not proposed.
    let gone = |data| log.clone().then(noon(), [data]);
    let sequence = log.commits[2].sequence;
    for log in [
        gone(EventData::MessageMoved(MessageMoved { event_id: bens, sequence, to: ticket_id(2) })),
        gone(EventData::MessageDeleted(MessageDeleted { event_id: bens, sequence })),
    ] {
        let (_, proposals) = part(&log.clone().now(), &log.commits, &BTreeSet::from([customer(1)]), &mia());
        assert!(proposals.is_empty());
    }

    // What is done is not to be split, but nothing more of it goes to somebody else.
    let done = crate::testing::status(Status::Open, Status::Resolved);
    let log = log.then(noon().plus_ms(MINUTE), [done]);
    let (changes, proposals) = part(&log.clone().now(), &log.commits, &BTreeSet::from([customer(1)]), &mia());
    assert_eq!((changes.data().count(), proposals.len()), (1, 0));
}

#[test]
fn a_ticket_that_was_opened_for_somebody_is_answered_to_them_again() {
    let (anna, ben) = (email("anna@x.example"), email("ben@x.example"));
    let inbox = "support".parse().unwrap();
    let reply_to = ReplyTo::new(Channel::Email, inbox, anna.clone());
    let opened = crate::event::TicketCreated { reply_to: Some(reply_to), ..created(1, customer(1)) };
    let joins = Participant { role: Role::SamePerson, ..colleague(Some(customer(2)), ben.clone()) };
    let log = Log::opened(1, opened, noon()).then(noon(), [EventData::ParticipantAdded(joins), said(2, &ben)]);
    let (changes, _) = part(&log.clone().now(), &log.commits, &BTreeSet::from([customer(1)]), &mia());
    let after = log.then(noon(), changes.data().cloned()).now();
    assert_eq!(after.head.reply_to.unwrap().identifier, anna);
}

#[test]
fn names_of_different_kinds_do_not_differ() {
    let name = |kind, value: &str| Identifier::new(kind, value, None).unwrap();
    let (account, crm) = (name(IdentifierKind::Account, "1"), name(IdentifierKind::Crm, "2"));
    let (other, order) = (name(IdentifierKind::Account, "2"), name(IdentifierKind::Order, "7"));
    assert!(differ(std::slice::from_ref(&account), &[crm.clone(), other.clone()]));
    assert!(!differ(std::slice::from_ref(&account), &[crm, account.clone()]));
    assert!(!differ(&[order], &[name(IdentifierKind::Order, "8"), other]), "one person has many orders");
}

#[derive(Clone, Debug)]
enum Step {
    Link(u128, u128, bool),
    Unlink(u128, u128),
    Open(u128, u128, bool),
}

fn step() -> impl Strategy<Value = Step> {
    let person = || 1..=PEOPLE;
    prop_oneof![
        4 => (person(), person(), any::<bool>()).prop_map(|(a, b, agent)| Step::Link(a, b, agent)),
        2 => (person(), person()).prop_map(|(a, b)| Step::Unlink(a, b)),
        3 => (person(), 0_u128..3, any::<bool>()).prop_map(|(n, ticket, open)| Step::Open(n, n * 10 + ticket, open)),
    ]
}

/// Everybody whom the model's edges connect with `start`.
fn connected(edges: &BTreeSet<(u128, u128)>, start: u128) -> BTreeSet<u128> {
    let mut found = BTreeSet::from([start]);
    loop {
        let more: Vec<u128> = edges
            .iter()
            .flat_map(|(a, b)| [(*a, *b), (*b, *a)])
            .filter(|(from, to)| found.contains(from) && !found.contains(to))
            .map(|(_, to)| to)
            .collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

proptest! {
    #[test]
    fn clusters_are_the_connected_parts_and_their_lists_what_is_open(steps in prop::collection::vec(step(), 1..60)) {
        let mut table = Table::default();
        let mut edges: BTreeSet<(u128, u128)> = BTreeSet::new();
        let mut open: BTreeMap<u128, u128> = BTreeMap::new();
        let ordered = |a: u128, b: u128| (a.min(b), a.max(b));
        for step in steps {
            match step {
                Step::Link(a, b, agent) => {
                    let separate = !connected(&edges, a).contains(&b);
                    let linked = table.link(a, b, if agent { mia() } else { Actor::System });
                    match linked {
                        Ok(()) => {
                            let is_new = edges.insert(ordered(a, b));
                            prop_assert!(separate || (agent && is_new));
                        }
                        Err(NotLinked::Itself) => prop_assert_eq!(a, b),
                        Err(NotLinked::Already) => prop_assert!(!separate),
                        Err(error) => prop_assert!(error == NotLinked::KeptApart && !agent),
                    }
                }
                Step::Unlink(a, b) => {
                    let together = a != b && connected(&edges, a).contains(&b);
                    prop_assert_eq!(table.unlink(a, b), together);
                    if together {
                        let without: BTreeSet<_> = edges.iter().copied().filter(|(x, y)| *x != a && *y != a).collect();
                        let side = connected(&without, b);
                        edges.retain(|(x, y)| !((*x == a && side.contains(y)) || (*y == a && side.contains(x))));
                        prop_assert!(!connected(&edges, a).contains(&b));
                    }
                }
                Step::Open(n, ticket, is_open) => {
                    table.open(n, ticket_id(ticket), is_open);
                    if is_open { open.insert(ticket, n); } else { open.remove(&ticket); }
                }
            }
        }
        for n in 1..=PEOPLE {
            let people = connected(&edges, n);
            let root = table.root(n);
            prop_assert!(people.iter().all(|other| table.root(*other) == root), "one root, no chains");
            let head = table.head(root);
            let members: BTreeSet<CustomerId> = head.cluster_of(root).into_iter().collect();
            prop_assert_eq!(members, people.iter().copied().map(customer).collect::<BTreeSet<_>>());
            let listed: BTreeSet<TicketId> = head.open.iter().map(|open| open.ticket_id).collect();
            let wanted = open.iter().filter(|(_, owner)| people.contains(owner)).map(|(ticket, _)| ticket_id(*ticket));
            prop_assert_eq!(listed, wanted.collect::<BTreeSet<_>>());
            if root != customer(n) {
                prop_assert!(table.head(customer(n)).open.is_empty());
            }
        }
    }
}
