//! Every key of the table, and nothing else builds one.

use throughline_domain::id::{AgentId, CustomerId, EventId, TeamId, TicketId, TicketReference, digest};
use throughline_domain::identifier::Identifier;
use throughline_domain::ledger::LedgerKey;
use throughline_domain::moment::Moment;
use throughline_domain::ticket::TicketHead;

use crate::naming::Naming;

/// Partition key attribute.
pub const PK: &str = "pk";
/// Sort key attribute.
pub const SK: &str = "sk";
/// Attribute with the second after which an item may be cleaned up (time to live).
pub const TTL: &str = "ttl";
/// Index of tickets by customer, in order of creation.
pub const BY_CUSTOMER: &str = "by_customer";
/// Its partition key attribute.
pub const CUSTOMER: &str = "customer_key";
/// Index of tickets by who holds them, in order of creation.
pub const BY_HOLDER: &str = "by_holder";
/// Its partition key attribute.
pub const HOLDER: &str = "holder_key";
/// Index of tickets by when they need looking at.
pub const BY_CHECK: &str = "by_check";
/// Its partition key attribute.
pub const CHECK_SHARD: &str = "check_shard";
/// Its sort key attribute.
pub const CHECK_AT: &str = "check_at";

/// Over how many partitions the tickets to look at are spread, and each day's quarantine.
pub const SHARDS: u8 = 16;

/// A partition and a sort key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ItemKey {
    /// Partition key.
    pub pk: String,
    /// Sort key.
    pub sk: String,
}

fn key(pk: String, sk: impl Into<String>) -> ItemKey {
    ItemKey { pk, sk: sk.into() }
}

/// Partition of a ticket.
pub fn ticket(id: TicketId) -> String {
    format!("TICKET#{id}")
}

/// The partition after those of all tickets: a list from its beginning starts before it.
pub const AFTER_TICKETS: &str = "TICKET#~";

/// The ticket that a partition key of [`ticket`] names.
pub fn ticket_of(pk: &str) -> Option<TicketId> {
    pk.strip_prefix("TICKET#")?.parse().ok()
}

/// A ticket's head.
pub fn ticket_head(id: TicketId) -> ItemKey {
    key(ticket(id), "HEAD")
}

/// A ticket's detail.
pub fn ticket_detail(id: TicketId) -> ItemKey {
    key(ticket(id), "DETAIL")
}

/// Beginning of the sort keys of commits.
pub const COMMIT_PREFIX: &str = "EVENT#";

/// Above every sequence: what ten digits hold.
pub const SEQUENCE_MAX: u64 = 9_999_999_999;

/// A commit.
pub fn commit(id: TicketId, sequence: u64) -> ItemKey {
    key(ticket(id), commit_sort(sequence))
}

/// Sort key of a commit: ten digits, so that text order is log order.
pub fn commit_sort(sequence: u64) -> String {
    format!("{COMMIT_PREFIX}{sequence:010}")
}

/// The send ledger of a reply.
pub fn send(id: TicketId, event: EventId) -> ItemKey {
    key(ticket(id), format!("SEND#{event}"))
}

/// A customer's profile.
pub fn customer_profile(id: CustomerId) -> ItemKey {
    key(customer(id), "PROFILE")
}

/// A customer's head.
pub fn customer_head(id: CustomerId) -> ItemKey {
    key(customer(id), "HEAD")
}

/// Beginning of the sort keys of a customer's links with younger ones.
pub const LINK_PREFIX: &str = "LINK#";

/// What two customers are to each other: in the partition of the older one, whoever is the root.
pub fn link([older, younger]: [CustomerId; 2]) -> ItemKey {
    key(customer(older), format!("{LINK_PREFIX}{younger}"))
}

/// Beginning of the sort keys of the tickets of others on which a customer wrote.
pub const JOINED_PREFIX: &str = "TICKET#";

/// That a customer wrote on a ticket of somebody else.
pub fn joined(id: CustomerId, ticket_id: TicketId) -> ItemKey {
    key(customer(id), ticket(ticket_id))
}

/// Partition of a customer, in the table and in [`BY_CUSTOMER`].
pub fn customer(id: CustomerId) -> String {
    format!("CUSTOMER#{id}")
}

/// Who holds an identifier.
pub fn identifier(identifier: &Identifier) -> ItemKey {
    key(format!("IDENTIFIER#{}#{}", identifier.kind().as_str(), identifier.value()), "OWNER")
}

/// Beginning of the sort keys of the customers whose profile has a name that another holds, or may be another's.
pub const NAMED_BY_CUSTOMERS: &str = "CUSTOMER#";
/// Beginning of the sort keys of the tickets on which a name was addressed.
pub const NAMED_BY_TICKETS: &str = "TICKET#";

/// That a customer's profile, or a ticket, has a name that is not the customer's or the requester's own.
pub fn naming(name: &Identifier, by: Naming) -> ItemKey {
    let by = match by {
        Naming::Customer(id) => customer(id),
        Naming::Ticket(id) => ticket(id),
    };
    key(identifier(name).pk, by)
}

/// A ledger item.
pub fn message(ledger: &LedgerKey) -> ItemKey {
    key(format!("MESSAGE#{}#{}", ledger.scope, ledger.hash), "MESSAGE")
}

/// A name to which nothing is sent.
pub fn suppressed(identifier: &Identifier) -> ItemKey {
    key(format!("SUPPRESSED#{}#{}", identifier.kind().as_str(), identifier.value()), "SUPPRESSED")
}

/// What came under a name in a window of time.
pub fn budget(name: &str, window: i64) -> ItemKey {
    key(format!("BUDGET#{name}"), format!("WINDOW#{window:010}"))
}

/// A public reference.
pub fn reference(reference: TicketReference) -> ItemKey {
    key(format!("REFERENCE#{reference}"), "TICKET")
}

/// A team.
pub fn team(id: &TeamId) -> ItemKey {
    key(format!("TEAM#{id}"), "TEAM")
}

/// Beginning of the sort keys of a team's waiting tickets.
pub const WAIT_PREFIX: &str = "WAIT#";

/// A waiting ticket of a team. The order is priority, then age: ticket ids sort by creation.
pub fn wait(team: &TeamId, head: &TicketHead) -> ItemKey {
    key(format!("TEAM#{team}"), format!("{WAIT_PREFIX}{}#{}", head.priority.rank(), head.id))
}

/// The ticket that a sort key of [`wait`] names.
pub fn waiting_ticket(sk: &str) -> Option<TicketId> {
    sk.strip_prefix(WAIT_PREFIX)?.split_once('#')?.1.parse().ok()
}

/// An agent.
pub fn agent(id: &AgentId) -> ItemKey {
    key(format!("AGENT#{id}"), "AGENT")
}

/// Partition of the list of all teams and agents.
pub const ROSTER: &str = "ROSTER";

/// Beginning of the sort keys of the agents in it.
pub const ROSTER_AGENTS: &str = "AGENT#";
/// Beginning of the sort keys of the teams in it.
pub const ROSTER_TEAMS: &str = "TEAM#";

/// An agent in the list of all.
pub fn roster_agent(id: &AgentId) -> ItemKey {
    key(ROSTER.to_owned(), format!("{ROSTER_AGENTS}{id}"))
}

/// A team in the list of all.
pub fn roster_team(id: &TeamId) -> ItemKey {
    key(ROSTER.to_owned(), format!("{ROSTER_TEAMS}{id}"))
}

/// The configuration of a kind in force.
pub fn config_current(kind: &str) -> ItemKey {
    key(format!("CONFIG#{kind}"), "CURRENT")
}

/// A version of the configuration of a kind.
pub fn config_version(kind: &str, version: u64) -> ItemKey {
    key(format!("CONFIG#{kind}"), format!("VERSION#{version:010}"))
}

/// Partition of a shard of a day's quarantine.
pub fn quarantine(day: i64, shard: u8) -> String {
    format!("QUARANTINE#{day}#{shard:x}")
}

/// The mark of a record's last try.
pub fn last_try(hash: &str) -> ItemKey {
    key(format!("TRY#{hash}"), "TRY")
}

/// The outcome of a command that carried an idempotency key.
pub fn command(hash: &str) -> ItemKey {
    key(format!("COMMAND#{hash}"), "COMMAND")
}

/// Partition of the tickets that an agent holds, in [`BY_HOLDER`].
pub fn held_by_agent(id: &AgentId, live: bool) -> String {
    format!("AGENT#{id}#{}", liveness(live))
}

/// Partition of the tickets that a team holds and none of its agents, in [`BY_HOLDER`].
pub fn held_by_team(id: Option<&TeamId>, live: bool) -> String {
    match id {
        Some(id) => format!("TEAM#{id}#{}", liveness(live)),
        None => format!("NOBODY#{}", liveness(live)),
    }
}

fn liveness(live: bool) -> &'static str {
    if live { "open" } else { "done" }
}

/// Partition of a ticket in [`BY_HOLDER`].
pub fn holder(head: &TicketHead) -> String {
    let live = head.status.is_live();
    match &head.assignee {
        Some(agent) => held_by_agent(agent, live),
        None => held_by_team(head.team.as_ref(), live),
    }
}

/// Partition of a ticket in [`BY_CHECK`].
pub fn check_shard(id: TicketId) -> String {
    check_partition(digest(&[id.uuid().as_bytes()])[0] % SHARDS)
}

/// A partition of [`BY_CHECK`].
pub fn check_partition(shard: u8) -> String {
    format!("CHECK#{shard:x}")
}

/// Sort key of [`BY_CHECK`]: text order is time order.
pub fn check_sort(at: Moment) -> String {
    at.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sort_keys_sort_as_what_they_name() {
        assert!(commit_sort(9) < commit_sort(10));
        assert!(check_sort(Moment::from_ms(999)) < check_sort(Moment::from_ms(1_000)));
    }

    #[test]
    fn keys_name_what_they_were_made_of() {
        let id = "tkt_0192f0c1a2b37c8d9e0f112233445566".parse().unwrap();
        assert_eq!(ticket_of(&ticket(id)), Some(id));
        assert_eq!(waiting_ticket(&format!("WAIT#2#{id}")), Some(id));
        assert_eq!(waiting_ticket("EVENT#1"), None);
    }
}
