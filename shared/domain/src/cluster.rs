//! Customers that are the same person: linking, unlinking, and what either writes.
//!
//! Links are edges of a graph; a cluster is a connected part of it. Linking and unlinking move nothing but the list of
//! open tickets, which a cluster's root keeps for all its members.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::customer::{CustomerHead, OpenTicket};
use crate::event::Actor;
use crate::id::CustomerId;
use crate::identifier::Identifier;
use crate::moment::Moment;

mod parting;

pub use parting::{Proposal, part};

/// Most customers of a cluster: what one transaction writes at once, and one item lists.
pub const MEMBERS_MAX: usize = 40;

/// What two customers are to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// The same person.
    Linked,
    /// Somebody said that they are not: no rule links them again.
    KeptApart,
}

/// What is known of two customers together: an edge between them, or that there is to be none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Link {
    /// The two, the older first.
    pub pair: [CustomerId; 2],
    /// What they are to each other.
    pub state: LinkState,
    /// The rule that said so: `signed_in`, `proved_together`, `caller_verified`, `by_agent`.
    pub rule: String,
    /// The evidence, in words.
    pub evidence: String,
    /// Who said so.
    pub by: Actor,
    /// When.
    pub at: Moment,
}

impl Link {
    /// The other one of the two.
    pub fn other(&self, id: CustomerId) -> Option<CustomerId> {
        match self.pair {
            [a, b] if a == id => Some(b),
            [a, b] if b == id => Some(a),
            _ => None,
        }
    }

    fn is_linked(&self) -> bool {
        self.state == LinkState::Linked
    }
}

/// Two customers, the older first.
pub fn pair(one: CustomerId, other: CustomerId) -> [CustomerId; 2] {
    [one.min(other), one.max(other)]
}

/// A cluster as it was read: its members' heads, and every link in which one of them is the older.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Who speaks for it.
    pub root: CustomerId,
    /// The heads of all members.
    pub heads: BTreeMap<CustomerId, CustomerHead>,
    /// Its links, and who is kept apart.
    pub links: Vec<Link>,
}

impl Cluster {
    /// Whether the customer is a member.
    pub fn has(&self, id: CustomerId) -> bool {
        self.heads.contains_key(&id)
    }

    /// How every other member is linked with `id`: the link that attaches them, on the shortest way.
    pub fn links_from(&self, id: CustomerId) -> Vec<(CustomerId, &Link)> {
        let mut found: Vec<(CustomerId, &Link)> = Vec::new();
        let mut reached = BTreeSet::from([id]);
        let mut edge = VecDeque::from([id]);
        while let Some(from) = edge.pop_front() {
            for link in self.links.iter().filter(|link| link.is_linked()) {
                if let Some(to) = link.other(from).filter(|to| reached.insert(*to)) {
                    found.push((to, link));
                    edge.push_back(to);
                }
            }
        }
        found
    }

    fn overflowed(&self) -> bool {
        self.heads.get(&self.root).is_some_and(|head| head.overflowed)
    }

    fn open(&self) -> Vec<OpenTicket> {
        self.heads.get(&self.root).map(|head| head.open.clone()).unwrap_or_default()
    }
}

/// What linking or unlinking writes, in one transaction: heads on the condition of their version, and links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrite {
    /// Heads that change; the version of each is one more than what was read.
    pub heads: BTreeMap<CustomerId, CustomerHead>,
    /// Links that change.
    pub links: Vec<Link>,
}

/// Why two customers are not linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotLinked {
    /// They are one customer.
    #[error("a customer cannot be linked with themselves")]
    Itself,
    /// They are linked already, perhaps by way of others.
    #[error("they are linked already")]
    Already,
    /// The cluster would have too many members.
    #[error("at most {MEMBERS_MAX} customers can be linked as one person")]
    TooMany,
    /// Somebody unlinked the one's people from the other's, and it is a rule that would link them.
    #[error("somebody said that they are different people")]
    KeptApart,
    /// The business gave them different names of a kind, and it is a rule that would link them.
    #[error("they have different accounts")]
    DifferentNames,
}

/// Whether a business gave the holders of these names different ones of a kind: then they are two people.
pub fn differ(one: &[Identifier], other: &[Identifier]) -> bool {
    let differs = |a: &Identifier, b: &Identifier| a.kind().is_durable() && a.kind() == b.kind() && a != b;
    one.iter().any(|a| other.iter().any(|b| differs(a, b)))
}

/// Links two customers. Only people link who were unlinked before: for everybody else that is [`NotLinked::KeptApart`].
///
/// The larger cluster's root stays the root, of two equal ones the older.
///
/// # Errors
/// When they are not to be linked.
pub fn link(one: &Cluster, other: &Cluster, link: Link) -> Result<Rewrite, NotLinked> {
    let [older, younger] = link.pair;
    if older == younger {
        return Err(NotLinked::Itself);
    }
    if one.root == other.root {
        return linked_again(one, link);
    }
    if one.heads.len() + other.heads.len() > MEMBERS_MAX {
        return Err(NotLinked::TooMany);
    }
    let between = |link: &&Link| {
        let [a, b] = link.pair;
        (one.has(a) && other.has(b)) || (one.has(b) && other.has(a))
    };
    let apart = one.links.iter().chain(&other.links).filter(|link| !link.is_linked()).any(|link| between(&link));
    if apart && !matches!(link.by, Actor::Agent(_)) {
        return Err(NotLinked::KeptApart);
    }
    let size = |cluster: &Cluster| (std::cmp::Reverse(cluster.heads.len()), cluster.root);
    let root = if size(one) <= size(other) { one.root } else { other.root };
    let before: BTreeMap<_, _> = one.heads.iter().chain(&other.heads).map(|(id, head)| (*id, head)).collect();
    let members: BTreeSet<CustomerId> = before.keys().copied().collect();
    let open = one.open().into_iter().chain(other.open()).collect();
    let overflowed = one.overflowed() || other.overflowed();
    Ok(Rewrite { heads: heads(root, &members, open, overflowed, &before), links: vec![link] })
}

/// Two who are linked by way of others: that a person says it of these two is noted, and stays when the others leave.
fn linked_again(cluster: &Cluster, link: Link) -> Result<Rewrite, NotLinked> {
    let known = cluster.links.iter().any(|known| known.pair == link.pair && known.is_linked());
    if known || !matches!(link.by, Actor::Agent(_)) {
        return Err(NotLinked::Already);
    }
    // Noted only if they still are one cluster.
    let root = cluster.heads.get(&cluster.root).map(CustomerHead::touched);
    let heads = root.into_iter().map(|head| (cluster.root, head)).collect();
    Ok(Rewrite { heads, links: vec![link] })
}

/// Takes two customers of a cluster apart: every link of `of` that leads to `from` is cut, whomever it goes through, and
/// all these pairs are kept apart. Everything else stays linked. Nothing when they are not linked.
pub fn unlink(cluster: &Cluster, of: CustomerId, from: CustomerId, by: &Actor, at: Moment) -> Option<Rewrite> {
    if of == from || !cluster.has(of) || !cluster.has(from) {
        return None;
    }
    let without_of: Vec<&Link> =
        cluster.links.iter().filter(|link| link.is_linked() && link.other(of).is_none()).collect();
    let side = reachable(from, &without_of);
    let cut: BTreeSet<CustomerId> = cluster
        .links
        .iter()
        .filter(|link| link.is_linked())
        .filter_map(|link| link.other(of))
        .filter(|neighbour| side.contains(neighbour))
        .chain([from])
        .collect();
    let kept: Vec<&Link> = cluster
        .links
        .iter()
        .filter(|link| link.is_linked() && !link.other(of).is_some_and(|other| cut.contains(&other)))
        .collect();
    let before: BTreeMap<_, _> = cluster.heads.iter().map(|(id, head)| (*id, head)).collect();
    let mut written = BTreeMap::new();
    for start in [of, from] {
        let members = reachable(start, &kept);
        // Whose root leaves gets the oldest of those who are left.
        let oldest = members.first().copied().unwrap_or(start);
        let root = if members.contains(&cluster.root) { cluster.root } else { oldest };
        let open = cluster.open().into_iter().filter(|open| members.contains(&open.member)).collect();
        written.extend(heads(root, &members, open, cluster.overflowed(), &before));
    }
    let links = cut.into_iter().map(|other| Link {
        pair: pair(of, other),
        state: LinkState::KeptApart,
        rule: "unlinked".to_owned(),
        evidence: "somebody said that they are different people".to_owned(),
        by: by.clone(),
        at,
    });
    Some(Rewrite { heads: written, links: links.collect() })
}

/// Everybody whom links connect with a customer, themselves included.
pub fn connected(start: CustomerId, links: &[Link]) -> BTreeSet<CustomerId> {
    let linked: Vec<&Link> = links.iter().filter(|link| link.is_linked()).collect();
    reachable(start, &linked)
}

/// Everybody who is linked with `start`, by way of whomever.
fn reachable(start: CustomerId, links: &[&Link]) -> BTreeSet<CustomerId> {
    let mut reached = BTreeSet::from([start]);
    let mut edge = vec![start];
    while let Some(from) = edge.pop() {
        edge.extend(links.iter().filter_map(|link| link.other(from)).filter(|to| reached.insert(*to)));
    }
    reached
}

/// The heads of a cluster with this root and these members, as far as they are other than before.
fn heads(
    root: CustomerId,
    members: &BTreeSet<CustomerId>,
    mut open: Vec<OpenTicket>,
    overflowed: bool,
    before: &BTreeMap<CustomerId, &CustomerHead>,
) -> BTreeMap<CustomerId, CustomerHead> {
    open.sort_by_key(|open| open.ticket_id);
    let mut list = CustomerHead { open, overflowed, ..CustomerHead::default() };
    list.leave_room_for(0);
    let after = |id: CustomerId| {
        let before = before.get(&id).copied().cloned().unwrap_or_default();
        let next = before.touched();
        let next = if id == root {
            let members = if members.len() > 1 { members.iter().copied().collect() } else { Vec::new() };
            CustomerHead { root: None, members, version: next.version, ..list.clone() }
        } else {
            CustomerHead { root: Some(root), version: next.version, ..CustomerHead::default() }
        };
        let same = CustomerHead { version: before.version, ..next.clone() } == before;
        (!same).then_some((id, next))
    };
    members.iter().filter_map(|id| after(*id)).collect()
}

#[cfg(test)]
mod tests;
