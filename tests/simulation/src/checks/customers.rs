//! Invariant 2 and who is one person: names and their owners, links and the clusters that follow from them, and that each
//! customer has what came by their own names, however they were linked and taken apart meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;

use throughline_domain::customer::Profile;
use throughline_domain::event::EventData;
use throughline_domain::id::CustomerId;
use throughline_domain::identifier::{Identifier, IdentifierKind};
use throughline_domain::identity::Owner;
use throughline_domain::moment::Moment;
use throughline_domain::ticket::Role;

use super::{Findings, Invariant, Rest, received};
use crate::cloud::Cloud;
use crate::memory::{MAIL_SYSTEM_ADDRESS, Memory};

/// How long what was decided before two customers were taken apart may be written after it, in milliseconds.
const PARTED_MS: i64 = 10_000;

/// Who the customers are.
pub(super) struct Customers {
    owners: BTreeMap<Identifier, Owner>,
    profiles: BTreeMap<CustomerId, Option<Profile>>,
    people: BTreeMap<CustomerId, BTreeSet<usize>>,
    joined: Vec<(BTreeSet<usize>, Moment, Option<Moment>)>,
}

/// The name by which a person writes mail.
pub(super) fn address(person: usize) -> String {
    format!("email:person{person}@customer.example")
}

/// The person who has a name.
fn person(name: &Identifier, memory: &Memory) -> Option<usize> {
    let number = |before: &str, after: &str| name.value().strip_prefix(before)?.strip_suffix(after)?.parse().ok();
    match name.kind() {
        IdentifierKind::Email => number("person", "@customer.example"),
        IdentifierKind::Account => number("account-", ""),
        IdentifierKind::Line => number("U", ""),
        IdentifierKind::Session => {
            let session = Some(name.value());
            memory.sent.iter().find(|sent| sent.session.as_deref() == session).map(|sent| sent.person)
        }
        _ => None,
    }
}

impl fmt::Display for Customers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, of {:?}", self.joined, self.people)
    }
}

impl Customers {
    /// Reads every customer who wrote, or has a name of somebody who did.
    pub(super) async fn read(cloud: &Cloud, rest: &Rest, memory: &Memory) -> anyhow::Result<Self> {
        let store = &cloud.observer.store;
        let mut names: BTreeSet<Identifier> = BTreeSet::from([format!("email:{MAIL_SYSTEM_ADDRESS}").parse()?]);
        for person in 0..cloud.plan.people {
            names.insert(address(person).parse()?);
            names.insert(format!("account:account-{person}").parse()?);
            names.insert(format!("line:U{person}").parse()?);
        }
        for session in memory.sent.iter().filter_map(|sent| sent.session.as_deref()).collect::<BTreeSet<_>>() {
            names.insert(format!("session:{session}").parse()?);
        }
        let names: Vec<Identifier> = names.into_iter().collect();
        let owners: BTreeMap<Identifier, Owner> = store.owners(&names).await?.into_iter().collect();
        let mut ids: BTreeSet<CustomerId> = owners.values().map(|owner| owner.customer_id).collect();
        ids.extend(rest.events().filter_map(|(_, _, event)| match &event.data {
            EventData::MessageReceived(received) => Some(received.customer_id),
            _ => None,
        }));
        let mut profiles = BTreeMap::new();
        for id in ids {
            profiles.insert(id, store.profile(id).await?);
        }
        let of = |profile: &Profile| profile.identifiers.iter().filter_map(|k| person(&k.identifier, memory)).collect();
        let mut people: BTreeMap<CustomerId, BTreeSet<usize>> =
            profiles.iter().filter_map(|(id, profile)| Some((*id, of(profile.as_ref()?)))).collect();
        // Names change hands; who wrote stays.
        for (.., event) in rest.events() {
            let EventData::MessageReceived(message) = &event.data else { continue };
            let sent = received(event).and_then(|(text, _)| memory.of(text));
            people.entry(message.customer_id).or_default().extend(sent.map(|sent| sent.person));
        }
        let both = |pair: &[CustomerId]| pair.iter().filter_map(|id| people.get(id)).flatten().copied().collect();
        let joined = memory.joined.iter().map(|joined| (both(&joined.pair), joined.from, joined.until)).collect();
        Ok(Self { owners, profiles, people, joined })
    }

    /// Everybody who counted as one of these people at some time in between, because somebody linked customers of theirs.
    pub(super) fn as_one(&self, people: &BTreeSet<usize>, during: RangeInclusive<Moment>) -> BTreeSet<usize> {
        let mut all = people.clone();
        let linked = |from: &Moment, until: &Option<Moment>| {
            *during.end() >= from.plus_ms(-PARTED_MS)
                && until.is_none_or(|until| *during.start() <= until.plus_ms(PARTED_MS))
        };
        // As many rounds as there may be links in a row.
        for _ in &self.joined {
            for (both, from, until) in &self.joined {
                if linked(from, until) && !both.is_disjoint(&all) {
                    all.extend(both);
                }
            }
        }
        all
    }

    pub(super) async fn check(
        &self,
        cloud: &Cloud,
        rest: &Rest,
        memory: &Memory,
        findings: &mut Findings,
    ) -> anyhow::Result<()> {
        self.names(findings);
        self.own(rest, memory, findings);
        self.clusters(cloud, findings).await?;
        if !memory.half_parted {
            parted(cloud, rest, findings).await?;
        }
        Ok(())
    }

    /// Every name has one owner, whose profile says so, and a name stands in one profile; so all that somebody proved is
    /// one customer's, and nobody else's is theirs.
    fn names(&self, findings: &mut Findings) {
        let mut listed: BTreeMap<&Identifier, BTreeSet<CustomerId>> = BTreeMap::new();
        for (customer, profile) in &self.profiles {
            findings.expect(profile.is_some(), Invariant::OneOwner, || format!("{customer} has no profile"));
            for known in profile.iter().flat_map(|profile| &profile.identifiers) {
                listed.entry(&known.identifier).or_default().insert(*customer);
            }
        }
        for (name, owner) in &self.owners {
            let lists = listed.get(name).is_some_and(|customers| customers.contains(&owner.customer_id));
            findings.expect(lists, Invariant::OneOwner, || {
                format!("{name} is owned by {}, whose profile does not list it", owner.customer_id)
            });
        }
        for (name, customers) in &listed {
            let owned = self.owners.contains_key(*name);
            findings.expect(owned && customers.len() == 1, Invariant::OneOwner, || {
                format!("{name} stands in the profiles of {customers:?}, and its owner is {:?}", self.owners.get(*name))
            });
        }
    }

    /// Whoever was linked with whom: every message is of a customer who has no names but its writer's.
    fn own(&self, rest: &Rest, memory: &Memory, findings: &mut Findings) {
        for (_, commit, event) in rest.events() {
            let EventData::MessageReceived(message) = &event.data else { continue };
            let Some(sent) = received(event).and_then(|(text, _)| memory.of(text)) else { continue };
            let people = self.people.get(&message.customer_id);
            let own = people.is_some_and(|people| people.iter().all(|person| *person == sent.person));
            findings.expect(own, Invariant::Links, || {
                let (customer, place) = (message.customer_id, format!("{}/{}", commit.ticket_id, commit.sequence));
                format!("{} of person {} at {place} is of {customer}, who is {people:?}", sent.mark, sent.person)
            });
        }
    }

    /// Roots and members are what follows from the links.
    async fn clusters(&self, cloud: &Cloud, findings: &mut Findings) -> anyhow::Result<()> {
        let store = &cloud.observer.store;
        for id in self.profiles.keys() {
            let cluster = store.cluster(*id).await?;
            let members: BTreeSet<CustomerId> = cluster.heads.keys().copied().collect();
            let linked = cluster.links_from(*id).into_iter().map(|(other, _)| other);
            let linked: BTreeSet<CustomerId> = linked.chain([*id]).collect();
            findings.expect(members == linked, Invariant::Links, || {
                format!("{id} is one person with {members:?}, but is linked with {linked:?}")
            });
            for (member, head) in &cluster.heads {
                let root = head.root.unwrap_or(*member);
                findings.expect(root == cluster.root, Invariant::Links, || {
                    format!("{member} names {root}, but {} speaks for them", cluster.root)
                });
            }
        }
        Ok(())
    }
}

/// Nobody takes part in a ticket as the same person as its customer who is not, any more.
async fn parted(cloud: &Cloud, rest: &Rest, findings: &mut Findings) -> anyhow::Result<()> {
    for (id, kept) in &rest.tickets {
        let owner = kept.stored.ticket.head.customer_id;
        let cluster = cloud.observer.store.root_head(owner).await?.1.cluster_of(owner);
        for participant in &kept.stored.ticket.detail.participants {
            let right = participant.role != Role::SamePerson
                || participant.customer_id.is_none_or(|customer| cluster.contains(&customer));
            findings.expect(right, Invariant::Links, || {
                format!("{participant:?} takes part in {id} as the same person as {owner}, who is {cluster:?}")
            });
        }
    }
    Ok(())
}
