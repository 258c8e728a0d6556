//! Names that a business system says are a customer's.
//!
//! It is trusted with its own numbers, which it gives: `account` and `crm`. Of an address or a telephone number it says only
//! what somebody once told it: so it claims what nobody proved, and never takes a proven name from anybody.

use std::collections::BTreeMap;

use crate::customer::{IDENTIFIERS_MAX, KnownIdentifier, LinkSuggestion, Profile, SuggestedBy};
use crate::id::CustomerId;
use crate::identifier::{Identifier, IdentifierKind};
use crate::identity::{NewClaim, Owner};
use crate::moment::Moment;

/// Who holds an asserted name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The holder.
    pub owner: Owner,
    /// They are known by a name that a business gave them: its word stands against another's.
    pub durable: bool,
}

/// What becomes of asserted names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AssertedNames {
    /// Names that the customer is to hold from now on.
    pub claims: Vec<NewClaim>,
    /// Who else it may be.
    pub suggestions: Vec<LinkSuggestion>,
}

/// A name that cannot be asserted: its place in the list, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameRefused {
    /// Index in the list.
    pub index: usize,
    /// Why.
    pub detail: String,
}

/// Decides what becomes of the names that a business system asserts of a customer.
///
/// 1. A name that nobody holds is claimed: its own numbers as proven, addresses and telephone numbers as not proven until a
///    message comes from there.
/// 2. An address or telephone number that somebody holds unproven, who is not known to a business either, is taken over,
///    and the two become a suggestion.
/// 3. What anybody else holds stays theirs and becomes a suggestion.
///
/// # Errors
/// When a name is of another kind, a second number of one kind, or one too many.
pub fn assert_names(
    profile: &Profile,
    names: &[Identifier],
    holders: &BTreeMap<Identifier, Holder>,
    source: &str,
    at: Moment,
) -> Result<AssertedNames, NameRefused> {
    let mut asserted = AssertedNames::default();
    for (index, name) in names.iter().enumerate() {
        let refused = |detail: &str| NameRefused { index, detail: detail.to_owned() };
        let gives = name.kind().is_durable();
        if !gives && !matches!(name.kind(), IdentifierKind::Email | IdentifierKind::Phone) {
            return Err(refused("a business system asserts account, crm, email and phone"));
        }
        let other = |known: &Identifier| known.kind() == name.kind() && known != name;
        let known = profile.identifiers.iter().map(|known| &known.identifier).chain(&names[..index]);
        if gives && known.clone().any(other) {
            return Err(refused("the customer has another one of this kind: two numbers are two customers"));
        }
        if names[..index].contains(name) {
            continue;
        }
        let holder = holders.get(name);
        if holder.is_some_and(|holder| holder.owner.customer_id == profile.id) {
            continue;
        }
        let takes =
            holder.is_none_or(|holder| !gives && !holder.owner.verified && !holder.owner.shared && !holder.durable);
        if let Some(holder) = holder.filter(|holder| !holder.owner.shared) {
            let why = if takes {
                "a business system says that this name is this customer's; the other one held it unproven"
            } else {
                "a business system says that this name is this customer's, and another customer holds it"
            };
            let (customer_id, identifier) = (Some(holder.owner.customer_id), name.clone());
            asserted.suggestions.push(LinkSuggestion {
                customer_id,
                identifier,
                by: SuggestedBy::Asserted,
                why: why.to_owned(),
                at,
            });
        }
        if !takes {
            continue;
        }
        if profile.identifiers.len() + asserted.claims.len() >= IDENTIFIERS_MAX {
            return Err(refused(&format!("a customer has at most {IDENTIFIERS_MAX} names")));
        }
        let known = KnownIdentifier {
            identifier: name.clone(),
            verified: gives,
            first_seen_at: at,
            last_seen_at: at,
            source: source.to_owned(),
        };
        asserted.claims.push(NewClaim { known, displaces: holder.map(|holder| holder.owner.clone()) });
    }
    Ok(asserted)
}

/// The customers among the holders of names whose other names are to be looked at before [`assert_names`] can decide.
pub fn holders_to_check(profile: CustomerId, owners: &BTreeMap<Identifier, Owner>) -> Vec<CustomerId> {
    let others = owners.values().filter(|owner| owner.customer_id != profile && !owner.verified && !owner.shared);
    let mut ids: Vec<CustomerId> = others.map(|owner| owner.customer_id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
