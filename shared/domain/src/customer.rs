//! Customers: the people behind identifiers.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::crm::{Entitlement, KnownOrder, Stamp};
use crate::erasure::ErasureRecord;
use crate::id::{CustomerId, InboxId, TicketId};
use crate::identifier::{Identifier, IdentifierKind};
use crate::moment::Moment;

/// Most open tickets that a customer head lists; a further one drops the one that was quiet for longest from the list
/// (the ticket itself stays open and is found by its thread).
pub const OPEN_TICKETS_MAX: usize = 40;
/// Most identifiers that a customer holds: all are listed on the profile, and so found when they are erased. A message that
/// comes with a further one is theirs by the others; the further one is left to whoever comes by it alone.
pub const IDENTIFIERS_MAX: usize = 100;
/// Most sessions of a chat among them: visits do not take the room of names that last.
pub const SESSIONS_MAX: usize = 50;
/// Most link suggestions that a profile keeps.
pub const SUGGESTIONS_MAX: usize = 20;

/// An identifier of a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KnownIdentifier {
    /// The identifier: `kind` and `value`.
    #[serde(flatten)]
    pub identifier: Identifier,
    /// The channel proved it.
    pub verified: bool,
    /// First message that came with it.
    pub first_seen_at: Moment,
    /// Last message that changed what is known of it.
    pub last_seen_at: Moment,
    /// Channel and inbox where it was first seen.
    pub source: String,
}

/// What a link suggestion rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SuggestedBy {
    /// Somebody typed the name.
    #[default]
    Typed,
    /// The name is the same mailbox under another tag (`anna+shop@`, `anna@`).
    SameMailbox,
    /// The answer goes to the name.
    Answerable,
    /// A business system says that the name is the customer's.
    Asserted,
    /// One message proved the name together with one of the customer's.
    Proven,
}

/// Somebody who may be the same person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LinkSuggestion {
    /// The other customer, or nobody when the name belongs to nobody yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<CustomerId>,
    /// The name that suggests it.
    pub identifier: Identifier,
    /// What it rests on.
    #[serde(default)]
    pub by: SuggestedBy,
    /// Why it is only a suggestion.
    pub why: String,
    /// When it came up.
    pub at: Moment,
}

/// What is known of a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The customer.
    pub id: CustomerId,
    /// Changes by one with every write.
    pub version: u64,
    /// Display name, as given by them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `tier`, `segment`, `company` and whatever a business system says; `telegram_handle` and the like, as channels tell.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// Language that they prefer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The names that they are known by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifiers: Vec<KnownIdentifier>,
    /// Who may be the same person.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub link_suggestions: Vec<LinkSuggestion>,
    /// Channel on which they want to be answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_channel: Option<Channel>,
    /// What they are entitled to, as a business system says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entitlements: Vec<Entitlement>,
    /// Their orders, those told last first, at most [`crate::crm::ORDERS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub orders: Vec<KnownOrder>,
    /// Who told each field last, and when: `name`, `language`, `channel`, `entitlements`, `attributes.tier`, …; fields that
    /// were removed included. What came with messages is not in it, and anybody's word counts more.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub told: BTreeMap<String, Stamp>,
    /// They are erased, or are being erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erasure: Option<ErasureRecord>,
    /// First message.
    pub created_at: Moment,
    /// Last change.
    pub updated_at: Moment,
}

impl Profile {
    /// Takes a name into the list, or what is new about one that is there. Says whether it is listed: not when there is no
    /// room, and then it is not to be held either.
    #[must_use]
    pub fn knows(&mut self, name: &KnownIdentifier) -> bool {
        if let Some(known) = self.identifiers.iter_mut().find(|known| known.identifier == name.identifier) {
            known.verified |= name.verified;
            known.last_seen_at = name.last_seen_at;
            return true;
        }
        let has_room = self.has_room_for(&name.identifier);
        if has_room {
            self.identifiers.push(name.clone());
        }
        has_room
    }

    /// Whether a further name can be listed, or is already.
    pub fn has_room_for(&self, name: &Identifier) -> bool {
        let is_session = |name: &Identifier| name.kind() == IdentifierKind::Session;
        let sessions = self.identifiers.iter().filter(|known| is_session(&known.identifier)).count();
        let fits = self.identifiers.len() < IDENTIFIERS_MAX && !(is_session(name) && sessions >= SESSIONS_MAX);
        fits || self.identifiers.iter().any(|known| known.identifier == *name)
    }

    /// The names that a business gave them for good.
    pub fn durable(&self) -> impl Iterator<Item = &Identifier> {
        self.names().filter(|name| name.kind().is_durable())
    }

    /// Whether nothing says who they are: no name but sessions and what nobody proved.
    pub fn is_anonymous(&self) -> bool {
        let says = |known: &KnownIdentifier| known.verified && known.identifier.kind() != IdentifierKind::Session;
        !self.identifiers.iter().any(says)
    }

    /// A customer of whom nothing is known yet: version 0, not written.
    pub fn new(id: CustomerId, at: Moment) -> Self {
        Self {
            id,
            version: 0,
            name: None,
            attributes: BTreeMap::new(),
            language: None,
            identifiers: Vec::new(),
            link_suggestions: Vec::new(),
            preferred_channel: None,
            entitlements: Vec::new(),
            orders: Vec::new(),
            told: BTreeMap::new(),
            erasure: None,
            created_at: at,
            updated_at: at,
        }
    }

    /// What stays once all else is erased.
    #[must_use]
    pub fn tombstone(&self, erasure: ErasureRecord, at: Moment) -> Self {
        let erasure = Some(erasure);
        Self { version: self.version + 1, updated_at: at, erasure, ..Self::new(self.id, self.created_at) }
    }

    /// Adds a suggestion, unless it is there already or [`SUGGESTIONS_MAX`] are kept. Says whether it is new.
    pub fn suggest(&mut self, suggestion: &LinkSuggestion) -> bool {
        let is_new = self.would_learn(suggestion);
        if is_new {
            self.link_suggestions.push(suggestion.clone());
        }
        is_new
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &Identifier> {
        self.identifiers.iter().map(|known| &known.identifier)
    }

    /// Whether the name stands anywhere on it: a name of theirs, or one that suggests somebody.
    pub fn has(&self, name: &Identifier) -> bool {
        self.names().any(|known| known == name)
            || self.link_suggestions.iter().any(|suggestion| suggestion.identifier == *name)
    }

    /// Forgets what it has of another customer who had these names: suggestions of them, and names that it lost to them.
    pub fn forget(&mut self, other: CustomerId, names: &BTreeSet<Identifier>) {
        self.link_suggestions
            .retain(|suggestion| suggestion.customer_id != Some(other) && !names.contains(&suggestion.identifier));
        self.identifiers.retain(|known| !names.contains(&known.identifier));
    }

    /// Whether [`Profile::suggest`] would add it.
    pub fn would_learn(&self, suggestion: &LinkSuggestion) -> bool {
        let same = |known: &LinkSuggestion| {
            known.identifier == suggestion.identifier && known.customer_id == suggestion.customer_id
        };
        self.link_suggestions.len() < SUGGESTIONS_MAX && !self.link_suggestions.iter().any(same)
    }
}

/// An open ticket of a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenTicket {
    /// The ticket.
    pub ticket_id: TicketId,
    /// Whose of the cluster it is.
    pub member: CustomerId,
    /// Inbox of its first message.
    pub inbox: InboxId,
    /// Day of the last activity that was written here, in days since 1970.
    pub day: i64,
}

/// A customer's open tickets: what "has this person a running ticket?" is decided on, with a strong read and a
/// conditional write. Of a cluster, the root lists everybody's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerHead {
    /// Changes by one with every write; 0 before the first.
    pub version: u64,
    /// The customer that speaks for the cluster; nobody when that is this customer, or they stand alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<CustomerId>,
    /// All customers of the cluster, at a root only, itself included; nobody when it stands alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<CustomerId>,
    /// Open tickets, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<OpenTicket>,
    /// There were more than [`OPEN_TICKETS_MAX`] at some time: some that are open may not be listed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overflowed: bool,
}

impl CustomerHead {
    /// The head after a ticket was opened or reopened.
    #[must_use]
    pub fn with_open(&self, ticket: OpenTicket) -> Self {
        let mut next = self.without(ticket.ticket_id);
        next.leave_room_for(1);
        next.open.push(ticket);
        next
    }

    /// The head after a ticket was resolved.
    #[must_use]
    pub fn without(&self, ticket: TicketId) -> Self {
        let open = self.open.iter().filter(|open| open.ticket_id != ticket).cloned().collect();
        Self { open, ..self.touched() }
    }

    /// Drops the tickets that were quiet for longest until `more` have room on the list.
    pub fn leave_room_for(&mut self, more: usize) {
        while self.open.len() + more > OPEN_TICKETS_MAX
            && let Some(quietest) = (0..self.open.len()).min_by_key(|i| self.open[*i].day)
        {
            self.open.remove(quietest);
            self.overflowed = true;
        }
    }

    /// The same head, written anew: who read the one before decides again.
    #[must_use]
    pub fn touched(&self) -> Self {
        Self { version: self.version + 1, ..self.clone() }
    }

    /// All customers that are the same person as `id`, whose root's head this is.
    pub fn cluster_of(&self, id: CustomerId) -> Vec<CustomerId> {
        if self.members.is_empty() { vec![id] } else { self.members.clone() }
    }

    /// Whether the ticket is listed.
    pub fn lists(&self, ticket: TicketId) -> bool {
        self.open.iter().any(|open| open.ticket_id == ticket)
    }
}
