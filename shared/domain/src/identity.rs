//! Who is it? From what a sender is known by, and who holds those names, to one customer.
//!
//! What proves a sender is the channel itself or a signature; weaker, that the answer will travel to that very
//! identifier ([`Proof`]). A typed name matches nobody and claims nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::cluster;
use crate::customer::{KnownIdentifier, LinkSuggestion, SuggestedBy};
use crate::decision::{Candidate, Decision};
use crate::id::CustomerId;
use crate::identifier::Identifier;
use crate::inbound::{Claim, Proof};
use crate::moment::Moment;

/// Who holds an identifier.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Owner {
    /// The customer.
    pub customer_id: CustomerId,
    /// The channel proved it when it was claimed.
    pub verified: bool,
    /// Several people use it: it never joins or links.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shared: bool,
}

/// What the decision reads.
#[derive(Clone, Debug)]
pub struct Sender<'a> {
    /// What the sender is known by; our own addresses are already left out.
    pub claims: &'a [Claim],
    /// Who holds those names, read strongly.
    pub owners: &'a BTreeMap<Identifier, Owner>,
    /// What else is known of the customers that [`holders_to_check`] names.
    pub holders: &'a BTreeMap<CustomerId, Holder>,
    /// Who holds the mailboxes of [`mailboxes`].
    pub mailboxes: &'a BTreeMap<Identifier, Owner>,
    /// The customer to be, if it is nobody known.
    pub new_customer: CustomerId,
    /// Where the message came in: `channel/inbox`.
    pub source: &'a str,
    /// Now.
    pub at: Moment,
}

/// What else is known of a customer who holds a name of the sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The durable names of all who are the same person.
    pub durable: Vec<Identifier>,
    /// They have no name but sessions and what nobody proved.
    pub anonymous: bool,
    /// Who speaks for their cluster.
    pub root: CustomerId,
}

/// Two customers that one message proves to be the same person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedLink {
    /// Whom the sender is to be linked with.
    pub with: CustomerId,
    /// The rule.
    pub rule: &'static str,
    /// What proves it.
    pub evidence: String,
    /// What is kept instead if they cannot be linked.
    pub otherwise: LinkSuggestion,
}

/// An identifier to be claimed: written only if its owner is still who was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewClaim {
    /// The identifier as the profile lists it.
    pub known: KnownIdentifier,
    /// Who held it when it was read.
    pub displaces: Option<Owner>,
}

/// Who it is, and what is to be written for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// The customer.
    pub customer_id: CustomerId,
    /// Nobody known: the customer is to be created.
    pub is_new: bool,
    /// Names that the customer is to hold from now on.
    pub claims: Vec<NewClaim>,
    /// Who else it is, as the message proves.
    pub links: Vec<WantedLink>,
    /// Who else it may be.
    pub suggestions: Vec<LinkSuggestion>,
    /// Why.
    pub decision: Decision,
}

/// The customers of whom more has to be known before [`resolve`] can decide: all of several who may be the sender, and those who could be joined by a durable name that nobody holds yet.
pub fn holders_to_check(claims: &[Claim], owners: &BTreeMap<Identifier, Owner>) -> Vec<CustomerId> {
    let brings_new_durable = claims
        .iter()
        .any(|claim| claim.proof == Proof::Proven && is_durable(claim) && !owners.contains_key(&claim.identifier));
    let found: BTreeSet<_> = matching(claims, owners).map(|(_, owner)| owner.customer_id).collect();
    if found.len() > 1 || brings_new_durable { found.into_iter().collect() } else { Vec::new() }
}

/// The mailboxes behind tagged addresses (`anna@` of `anna+shop@`) of a sender of whom no name is held: who holds them may
/// be the sender.
pub fn mailboxes(claims: &[Claim], owners: &BTreeMap<Identifier, Owner>) -> Vec<Identifier> {
    if matching(claims, owners).next().is_some() {
        return Vec::new();
    }
    claims.iter().filter_map(|claim| claim.identifier.untagged()).collect()
}

/// Decides who a sender is.
///
/// 1. No held name among those that may match: a new customer claims them.
/// 2. Otherwise the holder of the strongest name. Whom the message proves to be the same person by a name of theirs is
///    linked ([`WantedLink`]), unless a business gave the two different names of a kind; other holders become suggestions.
///    An answerable name decides only for who proves nothing: a proven name must not come to whoever has an address that
///    its owner gave.
/// 3. A new proven name joins that customer, unless it is durable and the customer has another of its kind: then it is
///    somebody else who shares a weaker name.
/// 4. A proven name displaces an unproven claim.
/// 5. A shared name links and joins nobody, and matches only when there is no other.
pub fn resolve(sender: &Sender<'_>) -> Resolution {
    let mut found: Vec<(&Claim, &Owner)> = matching(sender.claims, sender.owners).collect();
    found.sort_by_key(|(claim, owner)| (strength(claim, Some(owner)), owner.customer_id));
    let strongest_new = sender
        .claims
        .iter()
        .filter(|claim| claim.proof == Proof::Proven && !sender.owners.contains_key(&claim.identifier))
        .filter(|claim| is_durable(claim))
        .min_by_key(|claim| claim.identifier.kind());
    // A durable name that nobody holds cannot be the one of a customer who has another of its kind.
    let somebody_else = |customer: CustomerId| {
        strongest_new.is_some_and(|claim| {
            let names = sender.holders.get(&customer).map(|holder| holder.durable.as_slice()).unwrap_or_default();
            cluster::differ(std::slice::from_ref(&claim.identifier), names)
        })
    };
    let proves = sender.claims.iter().any(|claim| claim.proof == Proof::Proven);
    let decides = |claim: &Claim| claim.proof == Proof::Proven || !proves;
    let known = found.iter().find(|(claim, _)| decides(claim));
    let known = known.filter(|(_, owner)| !somebody_else(owner.customer_id));
    let customer_id = known.map_or(sender.new_customer, |(_, owner)| owner.customer_id);
    let claims = sender.claims.iter().filter_map(|claim| to_claim(claim, customer_id, known.is_some(), sender));
    let claims: Vec<NewClaim> = claims.collect();
    let links = known.map(|known| links(*known, &found, sender)).unwrap_or_default();
    let mut suggestions = suggestions(customer_id, known.is_some(), &found, sender);
    suggestions.retain(|suggestion| !links.iter().any(|link| Some(link.with) == suggestion.customer_id));
    Resolution {
        customer_id,
        is_new: known.is_none(),
        decision: explain(customer_id, known.copied(), &found, &claims, sender),
        links,
        suggestions,
        claims,
    }
}

/// Whom the message proves to be the same person as the holder of its strongest name: who holds another name that it
/// proves. Each with the strongest such name.
fn links(known: (&Claim, &Owner), found: &[(&Claim, &Owner)], sender: &Sender<'_>) -> Vec<WantedLink> {
    let (strongest, owner) = known;
    if !proves(strongest, owner) {
        return Vec::new();
    }
    let holder = |id: CustomerId| sender.holders.get(&id);
    let mut links: Vec<WantedLink> = Vec::new();
    for (claim, other) in found.iter().filter(|(claim, other)| proves(claim, other)) {
        let with = other.customer_id;
        let (Some(one), Some(two)) = (holder(owner.customer_id), holder(with)) else { continue };
        let seen = links.iter().any(|link| link.with == with);
        if one.root == two.root || seen || cluster::differ(&one.durable, &two.durable) {
            continue;
        }
        let (kind, strongest_kind) = (claim.identifier.kind().as_str(), strongest.identifier.kind().as_str());
        let rule = if two.anonymous || one.anonymous { "signed_in" } else { "proved_together" };
        let evidence = format!("one message proved the {strongest_kind} of the one and the {kind} of the other");
        links.push(WantedLink { with, rule, evidence, otherwise: by_name(claim, other, sender) });
    }
    links
}

/// Whether the message proves that its sender is who holds the name.
fn proves(claim: &Claim, owner: &Owner) -> bool {
    claim.proof == Proof::Proven && owner.verified && !owner.shared
}

/// Whether the two are known to be the same person.
fn are_linked(one: CustomerId, other: CustomerId, sender: &Sender<'_>) -> bool {
    let root = |id: CustomerId| sender.holders.get(&id).map(|holder| holder.root);
    one == other || root(one).is_some_and(|one| root(other) == Some(one))
}

/// The held names that may match the sender with their holder: proven ones, and answerable ones. Shared names match only
/// when they are all there is.
fn matching<'a>(
    claims: &'a [Claim],
    owners: &'a BTreeMap<Identifier, Owner>,
) -> impl Iterator<Item = (&'a Claim, &'a Owner)> {
    let is_shared = |claim: &Claim| owners.get(&claim.identifier).is_some_and(|owner| owner.shared);
    let counts = |claim: &&Claim| claim.proof != Proof::Typed;
    let only_shared = claims.iter().filter(counts).all(is_shared);
    claims
        .iter()
        .filter(counts)
        .filter_map(|claim| Some((claim, owners.get(&claim.identifier)?)))
        .filter(move |(_, owner)| only_shared || !owner.shared)
}

/// Order among names, strongest first: not shared, durable, proven by both sides, proven, the rest; then by kind.
fn strength(claim: &Claim, owner: Option<&Owner>) -> (bool, bool, bool, Proof, crate::identifier::IdentifierKind) {
    let shared = owner.is_some_and(|owner| owner.shared);
    let unverified = owner.is_some_and(|owner| !owner.verified);
    (shared, !is_durable(claim), unverified, claim.proof, claim.identifier.kind())
}

fn is_durable(claim: &Claim) -> bool {
    claim.identifier.kind().is_durable()
}

fn to_claim(claim: &Claim, customer_id: CustomerId, known: bool, sender: &Sender<'_>) -> Option<NewClaim> {
    let owner = sender.owners.get(&claim.identifier);
    let takes = match (claim.proof, owner) {
        (Proof::Typed, _) => false,
        (Proof::Proven, None) => true,
        // An unproven name makes a new customer known, but does not join a known one.
        (Proof::Answerable, None) => !known,
        (Proof::Proven, Some(owner)) => !owner.verified && !owner.shared,
        (Proof::Answerable, Some(_)) => false,
    };
    takes.then(|| NewClaim {
        known: KnownIdentifier {
            identifier: claim.identifier.clone(),
            verified: claim.proof == Proof::Proven,
            first_seen_at: sender.at,
            last_seen_at: sender.at,
            source: sender.source.to_owned(),
        },
        displaces: owner.filter(|owner| owner.customer_id != customer_id || !owner.verified).cloned(),
    })
}

fn suggestions(
    customer_id: CustomerId,
    known: bool,
    found: &[(&Claim, &Owner)],
    sender: &Sender<'_>,
) -> Vec<LinkSuggestion> {
    let others = found.iter().filter(|(_, owner)| owner.customer_id != customer_id && !owner.shared);
    let others = others.map(|(claim, owner)| by_name(claim, owner, sender));
    let holder = |name: &Identifier| sender.owners.get(name).map(|owner| owner.customer_id);
    let typed = sender.claims.iter().filter(|claim| claim.proof == Proof::Typed);
    let typed = typed.filter(|claim| !sender.owners.get(&claim.identifier).is_some_and(|owner| owner.shared));
    let typed = typed.map(|claim| {
        let why = "the sender gave this name, and nothing proved it";
        suggestion(holder(&claim.identifier), &claim.identifier, SuggestedBy::Typed, why, sender)
    });
    // The answer goes there, but nothing proves that the customer who was found by another name has it.
    let loose = sender.claims.iter().filter(|claim| claim.proof == Proof::Answerable && known);
    let loose = loose.filter(|claim| !sender.owners.contains_key(&claim.identifier)).map(|claim| {
        let why = "the sender wants answers there, and nothing proved that it is theirs";
        suggestion(None, &claim.identifier, SuggestedBy::Answerable, why, sender)
    });
    let mailboxes = sender.mailboxes.iter().filter(|(_, owner)| !owner.shared).map(|(name, owner)| {
        let why = "the sender's address is this mailbox with a tag";
        suggestion(Some(owner.customer_id), name, SuggestedBy::SameMailbox, why, sender)
    });
    let all = others.chain(typed).chain(loose).chain(mailboxes);
    all.filter(|suggestion| !suggestion.customer_id.is_some_and(|other| are_linked(customer_id, other, sender)))
        .collect()
}

/// That the holder of a name which the message came with may be the sender.
fn by_name(claim: &Claim, owner: &Owner, sender: &Sender<'_>) -> LinkSuggestion {
    let by = if proves(claim, owner) { SuggestedBy::Proven } else { SuggestedBy::Answerable };
    let why = "the same sender also goes by this name, which another customer holds";
    suggestion(Some(owner.customer_id), &claim.identifier, by, why, sender)
}

fn suggestion(
    customer_id: Option<CustomerId>,
    name: &Identifier,
    by: SuggestedBy,
    why: &str,
    sender: &Sender<'_>,
) -> LinkSuggestion {
    LinkSuggestion { customer_id, identifier: name.clone(), by, why: why.to_owned(), at: sender.at }
}

fn explain(
    customer_id: CustomerId,
    known: Option<(&Claim, &Owner)>,
    found: &[(&Claim, &Owner)],
    claims: &[NewClaim],
    sender: &Sender<'_>,
) -> Decision {
    let proof = |claim: &Claim| match claim.proof {
        Proof::Proven => "proved by the channel",
        Proof::Answerable => "not proved, but the answer goes there",
        Proof::Typed => "typed, not proved",
    };
    let (rule, because) = match known {
        Some((claim, owner)) => {
            let kind = claim.identifier.kind().as_str();
            let joined = claims.iter().filter(|claim| claim.displaces.is_none()).count();
            let joined =
                if joined > 0 { format!("; {joined} further proven name(s) join them") } else { String::new() };
            let rule = if owner.verified { "known_identifier" } else { "known_unverified_identifier" };
            (rule, format!("the sender's {kind} ({}) is held by {customer_id}{joined}", proof(claim)))
        }
        None if !found.is_empty() && found.iter().all(|(claim, _)| claim.proof == Proof::Answerable) => (
            "proven_name_is_new",
            "what the sender proves, nobody holds; whoever has the address that they gave need not be them".to_owned(),
        ),
        None if !found.is_empty() => (
            "other_durable_name",
            "the sender has a durable name of their own, so the shared weaker name is not enough to be the same person"
                .to_owned(),
        ),
        None if claims.is_empty() => (
            "nothing_proved",
            "no name of the sender is proved or answerable: a customer of their own, with no name claimed".to_owned(),
        ),
        None => ("new_customer", format!("nobody holds any of the sender's names; {} claimed", claims.len())),
    };
    let candidates = sender.claims.iter().map(|claim| {
        let holder = sender.owners.get(&claim.identifier);
        let id = holder.map_or_else(|| "nobody".to_owned(), |owner| owner.customer_id.to_string());
        Candidate::new(id, format!("{}, {}", claim.identifier.kind().as_str(), proof(claim)))
    });
    Decision::new(rule, because).considering(candidates)
}

#[cfg(test)]
mod tests;
