//! The one way a ticket changes: one transaction of the commit, the head on the condition of its version, and whatever
//! the change claims. What changes two tickets at once, as a merge does, is one transaction too: [`Store::commit_all`].
//!
//! What follows from the ticket before and after is derived here, so that no caller can forget it: the load of agents,
//! the place in a team's line, the public reference, the index attributes and the next check.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    CancellationReason, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use data_encoding::HEXLOWER;
use throughline_domain::check;
use throughline_domain::customer::CustomerHead;
use throughline_domain::event::{Commit, EventData};
use throughline_domain::id::{AgentId, CustomerId, EventId, TicketId, digest};
use throughline_domain::identifier::Identifier;
use throughline_domain::ledger::{LedgerEntry, LedgerKey};
use throughline_domain::moment::Moment;
use throughline_domain::ticket::{Ticket, TicketHead};

use crate::Store;
use crate::agents::Claim;
use crate::commands::CommandKey;
use crate::error::StoreError;
use crate::item::{self, number, string};
use crate::keys::{self, PK};
use crate::naming::Naming;
use crate::tickets::{StoredTicket, as_read, decode_commit, encode_commit, encode_head};

/// A change of a ticket, decided and ready to be written.
#[derive(Clone, Debug)]
pub struct TicketChange {
    /// The ticket as it was read; nothing for a new one.
    pub before: Option<StoredTicket>,
    /// What happened.
    pub commit: Commit,
    /// The ticket after it.
    pub after: Ticket,
    /// The ledger item of the message that it records.
    pub ledger: Option<LedgerWrite>,
    /// Ledger items of messages that it takes over from another ticket.
    pub moved: Vec<LedgerMove>,
    /// Messages that it mentions and that the ledger did not know when they were looked up.
    pub mentions: Vec<LedgerKey>,
    /// The customer's list of open tickets.
    pub customer: Option<CustomerWrite>,
    /// The capacity that it takes of an agent.
    pub claim: Option<Claim>,
    /// The idempotency key of the command that it carries out.
    pub command: Option<CommandKey>,
    /// Set when the breach check looks at the ticket, to when it does: the next check then moves later, too.
    pub looked_at: Option<Moment>,
}

impl TicketChange {
    /// A change with nothing but the commit and what follows from it.
    pub fn new(before: Option<StoredTicket>, commit: Commit, after: Ticket) -> Self {
        Self {
            before,
            commit,
            after,
            ledger: None,
            moved: Vec::new(),
            mentions: Vec::new(),
            customer: None,
            claim: None,
            command: None,
            looked_at: None,
        }
    }
}

/// A ledger item to be written if its message is not recorded yet.
#[derive(Clone, Debug)]
pub struct LedgerWrite {
    /// Its key.
    pub key: LedgerKey,
    /// What it says.
    pub entry: LedgerEntry,
    /// What it means that other messages mentioned this one.
    pub mention: Mention,
}

/// What it means for a write of a message's ledger item that other messages mentioned it before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mention {
    /// Nothing.
    Ignored,
    /// It was decided knowing that it is mentioned on this ticket, or nowhere: mentioned elsewhere, the write loses its race.
    Known(Option<TicketId>),
}

/// A ledger item that says from now on that its message is elsewhere, if it still says where it was.
#[derive(Clone, Debug)]
pub struct LedgerMove {
    /// Its key.
    pub key: LedgerKey,
    /// The event that recorded the message where it was.
    pub from: EventId,
    /// The event that has the message now, in the commit of this change.
    pub to: EventId,
}

/// A customer head to be written if it is still as it was read.
#[derive(Clone, Debug)]
pub struct CustomerWrite {
    /// Whose.
    pub id: CustomerId,
    /// The head after the change; its version is one more than what was read.
    pub head: CustomerHead,
}

/// Which part of a change lost its race: what to read again before deciding again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The ticket changed.
    Ticket,
    /// The message is recorded already, or mentioned where the decision did not know, as this item says.
    Ledger(Option<Box<LedgerEntry>>),
    /// The customer's open tickets changed.
    Customer,
    /// The agent has no room any more, or is gone.
    Agent(AgentId),
    /// The public reference is taken.
    Reference,
    /// A mentioned message came to be known meanwhile, or a moved one is elsewhere.
    Mention,
    /// The same command was carried out already.
    Command,
    /// Another transaction was at the same items.
    Contention,
    /// The decision grew too old before it was written.
    Time,
}

/// Why a change was not written.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Somebody was faster: nothing was written; read and decide again.
    #[error("lost a race: {0:?}")]
    Lost(Lost),
    /// Something else.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The writes of a transaction and, for each, what its failed condition means.
#[derive(Default)]
struct Writes {
    items: Vec<TransactWriteItem>,
    lost: Vec<Lost>,
}

impl Writes {
    fn put(&mut self, put: aws_sdk_dynamodb::types::builders::PutBuilder, lost: Lost) -> Result<(), StoreError> {
        let put = put.build().map_err(StoreError::build)?;
        self.items.push(TransactWriteItem::builder().put(put).build());
        self.lost.push(lost);
        Ok(())
    }

    fn update(
        &mut self,
        update: aws_sdk_dynamodb::types::builders::UpdateBuilder,
        lost: Lost,
    ) -> Result<(), StoreError> {
        let update = update.build().map_err(StoreError::build)?;
        self.items.push(TransactWriteItem::builder().update(update).build());
        self.lost.push(lost);
        Ok(())
    }
}

impl Store {
    /// Writes a change, whole or not at all.
    ///
    /// # Errors
    /// [`CommitError::Lost`] when something that the decision rests on changed meanwhile.
    pub async fn commit(&self, change: &TicketChange) -> Result<(), CommitError> {
        self.commit_all(std::slice::from_ref(change)).await
    }

    /// Writes changes of different tickets, all of them or none. Only one of them may touch the same customer's head, or
    /// the same agent's load.
    ///
    /// # Errors
    /// [`CommitError::Lost`] when something that the decision rests on changed meanwhile.
    pub async fn commit_all(&self, changes: &[TicketChange]) -> Result<(), CommitError> {
        let mut writes = Writes::default();
        for change in changes {
            debug_assert!(reads_back(change), "what is written of {} is not what is read again", change.after.head.id);
            self.write_ticket(change, &mut writes)?;
            self.write_claims(change, &mut writes)?;
        }
        let request = self.client.transact_write_items().set_transact_items(Some(writes.items));
        // The same change sent twice is one change, also when the first answer was lost. While the first is under way the
        // client asks again, until its time is up; then nobody knows, and the same change may be sent again later.
        let sent = request.client_request_token(token(changes)).send().await;
        sent.map(drop).map_err(|error| lost(&error, &writes.lost))
    }

    fn write_ticket(&self, change: &TicketChange, writes: &mut Writes) -> Result<(), StoreError> {
        let head = &change.after.head;
        let put = Put::builder().table_name(&self.table);
        let commit =
            put.set_item(Some(encode_commit(&change.commit)?)).condition_expression("attribute_not_exists(pk)");
        writes.put(commit, Lost::Ticket)?;

        let stored = change.before.as_ref().and_then(|before| before.check_at);
        let check_at = match (change.looked_at, stored, check::next_check(head)) {
            (Some(now), _, _) => check::after_look(head, now),
            // Moved only when it moves earlier: a look that comes too early costs less than an index write each time.
            (None, Some(stored), Some(next)) => Some(stored.min(next)),
            (None, stored, next) => next.or(stored),
        };
        let rewritten_at = change.before.as_ref().and_then(|before| before.rewritten_at);
        let item = encode_head(head, check_at, rewritten_at)?;
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        let put = match &change.before {
            None => put.condition_expression("attribute_not_exists(pk)"),
            Some(before) => as_read(put, before),
        };
        writes.put(put, Lost::Ticket)?;

        let detail_before = change.before.as_ref().map(|before| &before.ticket.detail);
        let detail = &change.after.detail;
        if !detail.is_empty() && detail_before != Some(detail) {
            let item = item::encode(&keys::ticket_detail(head.id), detail)?;
            writes.put(Put::builder().table_name(&self.table).set_item(Some(item)), Lost::Ticket)?;
        }
        if change.before.is_none() {
            let mut item = item::key(&keys::reference(head.reference));
            item.insert("ticket_id".to_owned(), string(head.id.to_string()));
            let put = Put::builder().table_name(&self.table).set_item(Some(item));
            writes.put(put.condition_expression("attribute_not_exists(pk)"), Lost::Reference)?;
        }
        Ok(())
    }

    fn write_claims(&self, change: &TicketChange, writes: &mut Writes) -> Result<(), StoreError> {
        let before = change.before.as_ref().map(|before| &before.ticket.head);
        let after = &change.after.head;
        if let Some(ledger) = &change.ledger {
            let item = item::encode(&keys::message(&ledger.key), &ledger.entry)?;
            let mention = match ledger.mention {
                Mention::Ignored => "",
                Mention::Known(None) => " AND attribute_not_exists(ticket_id)",
                Mention::Known(Some(_)) => " AND (attribute_not_exists(ticket_id) OR ticket_id = :ticket)",
            };
            let mut put = Put::builder()
                .table_name(&self.table)
                .set_item(Some(item))
                .condition_expression(format!(
                    "attribute_not_exists(pk) OR (#state IN (:seen, :in_flight, :quarantined) \
                     AND (attribute_not_exists(parked) OR size(parked) = :parked){mention})"
                ))
                .expression_attribute_names("#state", "state")
                .expression_attribute_values(":parked", number(ledger.entry.parked.len() as u64))
                .expression_attribute_values(":seen", string("seen"))
                .expression_attribute_values(":in_flight", string("in_flight"))
                .expression_attribute_values(":quarantined", string("quarantined"))
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
            if let Mention::Known(Some(ticket)) = ledger.mention {
                put = put.expression_attribute_values(":ticket", string(ticket.to_string()));
            }
            writes.put(put, Lost::Ledger(None))?;
        }
        for moved in &change.moved {
            let update = Update::builder()
                .table_name(&self.table)
                .set_key(Some(item::key(&keys::message(&moved.key))))
                .update_expression("SET ticket_id = :ticket, #sequence = :sequence, event_id = :to, #at = :at")
                .condition_expression("event_id = :from")
                .expression_attribute_names("#sequence", "sequence")
                .expression_attribute_names("#at", "at")
                .expression_attribute_values(":ticket", string(after.id.to_string()))
                .expression_attribute_values(":sequence", number(change.commit.sequence))
                .expression_attribute_values(":from", string(moved.from.to_string()))
                .expression_attribute_values(":to", string(moved.to.to_string()))
                .expression_attribute_values(":at", string(change.commit.at.to_string()));
            writes.update(update, Lost::Mention)?;
        }
        for mention in &change.mentions {
            let mut entry = LedgerEntry::new(throughline_domain::ledger::LedgerState::Seen, change.commit.at);
            entry.ticket_id = Some(after.id);
            let put =
                Put::builder().table_name(&self.table).set_item(Some(item::encode(&keys::message(mention), &entry)?));
            writes.put(put.condition_expression("attribute_not_exists(pk)"), Lost::Mention)?;
        }
        if let Some(customer) = &change.customer {
            let put = Put::builder()
                .table_name(&self.table)
                .set_item(Some(item::encode(&keys::customer_head(customer.id), &customer.head)?));
            let put = match customer.head.version {
                1 => put.condition_expression("attribute_not_exists(pk)"),
                version => put
                    .condition_expression("version = :version")
                    .expression_attribute_values(":version", number(version - 1)),
            };
            writes.put(put, Lost::Customer)?;
        }
        for joined in joined(change) {
            let item = item::key(&keys::joined(joined, after.id));
            writes.put(Put::builder().table_name(&self.table).set_item(Some(item)), Lost::Contention)?;
        }
        for name in addressed(change) {
            let item = item::key(&keys::naming(name, Naming::Ticket(after.id)));
            writes.put(Put::builder().table_name(&self.table).set_item(Some(item)), Lost::Contention)?;
        }
        if let Some(command) = &change.command {
            let put = Put::builder().table_name(&self.table).set_item(Some(command.item(&change.commit)?));
            writes.put(put.condition_expression("attribute_not_exists(pk)"), Lost::Command)?;
        }
        self.write_load(before, after, change, writes)?;
        self.write_line(before, after, writes)
    }

    /// The load of the agent who gives the ticket up, and of the one who takes it.
    fn write_load(
        &self,
        before: Option<&TicketHead>,
        after: &TicketHead,
        change: &TicketChange,
        writes: &mut Writes,
    ) -> Result<(), StoreError> {
        let (gives, takes) = (before.and_then(holds), holds(after));
        if gives == takes {
            return Ok(());
        }
        if let Some((agent, weight)) = gives {
            let update = Update::builder()
                .table_name(&self.table)
                .set_key(Some(item::key(&keys::agent(agent))))
                .update_expression("SET #load = #load - :weight")
                .condition_expression("attribute_exists(pk)")
                .expression_attribute_names("#load", "load")
                .expression_attribute_values(":weight", number(weight));
            writes.update(update, Lost::Agent(agent.clone()))?;
        }
        if let Some((agent, weight)) = takes {
            let claim = change.claim.as_ref().filter(|claim| claim.agent_id == *agent);
            let claim = claim.ok_or_else(|| StoreError::Build("a ticket is assigned without a claim".to_owned()))?;
            writes.update(claim.update(&self.table, weight, change.commit.at), Lost::Agent(agent.clone()))?;
        }
        Ok(())
    }

    /// The ticket's place in its team's line.
    fn write_line(
        &self,
        before: Option<&TicketHead>,
        after: &TicketHead,
        writes: &mut Writes,
    ) -> Result<(), StoreError> {
        let (was, is) = (before.and_then(waits), waits(after));
        if was == is {
            return Ok(());
        }
        if let Some(place) = was {
            let delete = Delete::builder().table_name(&self.table).set_key(Some(item::key(&place)));
            let delete = delete.build().map_err(StoreError::build)?;
            writes.items.push(TransactWriteItem::builder().delete(delete).build());
            writes.lost.push(Lost::Contention);
        }
        if let Some(place) = is {
            let put = Put::builder().table_name(&self.table).set_item(Some(item::key(&place)));
            writes.put(put, Lost::Contention)?;
        }
        Ok(())
    }
}

/// Who writes on the ticket of somebody else for the first time, or comes to it with a ticket that is merged: their own
/// messages are found by that, and that they are there.
fn joined(change: &TicketChange) -> BTreeSet<CustomerId> {
    let owner = change.after.head.customer_id;
    let before = change.before.iter().flat_map(|before| &before.ticket.detail.participants);
    let known: BTreeSet<CustomerId> = before.filter_map(|participant| participant.customer_id).collect();
    let came = change.commit.events.iter().filter_map(|event| match &event.data {
        EventData::MessageReceived(received) => Some(received.customer_id),
        EventData::ParticipantAdded(participant) => participant.customer_id,
        EventData::TicketMerged(merged) => merged.linked_customer,
        _ => None,
    });
    came.filter(|customer| *customer != owner && !known.contains(customer)).collect()
}

/// The names that the ticket knows from now on without knowing whose they are, or that were verified on it: it is found by
/// them.
fn addressed(change: &TicketChange) -> BTreeSet<&Identifier> {
    let before = change.before.iter().flat_map(|before| &before.ticket.detail.participants);
    let known: BTreeSet<&Identifier> = before.map(|participant| &participant.identifier).collect();
    let named = change.commit.events.iter().filter_map(|event| match &event.data {
        EventData::ParticipantAdded(added) if added.customer_id.is_none() => Some(&added.identifier),
        EventData::CallerVerified(verified) => Some(&verified.identifier),
        _ => None,
    });
    named.filter(|name| !known.contains(name)).collect()
}

/// Whether commit and head are the same once they are stored: or the head would not be the fold of its log.
fn reads_back(change: &TicketChange) -> bool {
    let head = encode_head(&change.after.head, None, None).and_then(item::decode::<TicketHead>);
    let commit = encode_commit(&change.commit).and_then(decode_commit);
    change.after.head.version == change.commit.sequence
        && head.is_ok_and(|head| head == change.after.head)
        && commit.is_ok_and(|commit| commit == change.commit)
}

/// Whose capacity a ticket takes, and how much.
pub(crate) fn holds(head: &TicketHead) -> Option<(&AgentId, u32)> {
    let agent = head.assignee.as_ref().filter(|_| head.status.is_live())?;
    Some((agent, head.weight))
}

/// Where a ticket waits.
pub(crate) fn waits(head: &TicketHead) -> Option<keys::ItemKey> {
    let team = head.team.as_ref().filter(|_| head.status.is_live() && head.waiting_since.is_some())?;
    Some(keys::wait(team, head))
}

/// The same for the same changes only.
fn token(changes: &[TicketChange]) -> String {
    let hashes: Vec<[u8; 32]> = changes.iter().map(hash).collect();
    let parts: Vec<&[u8]> = hashes.iter().map(<[u8; 32]>::as_slice).collect();
    HEXLOWER.encode(&digest(&parts)[..16])
}

fn hash(change: &TicketChange) -> [u8; 32] {
    let commit = &change.commit;
    let versions = [
        commit.sequence,
        commit.recorded_at.ms().unsigned_abs(),
        change.customer.as_ref().map_or(0, |customer| customer.head.version),
        change.mentions.len() as u64,
        change.ledger.as_ref().map_or(0, |ledger| ledger.entry.parked.len() as u64),
    ];
    let versions: Vec<u8> = versions.iter().flat_map(|number| number.to_be_bytes()).collect();
    let first = commit.events.first().map(|event| event.id.uuid()).unwrap_or_default();
    let list = change.customer.as_ref().map(|customer| customer.id.uuid()).unwrap_or_default();
    let agent = change.claim.as_ref().map(|claim| claim.agent_id.to_string()).unwrap_or_default();
    digest(&[
        commit.ticket_id.uuid().as_bytes(),
        first.as_bytes(),
        &versions,
        agent.as_bytes(),
        list.as_bytes(),
        change.after.head.reference.to_string().as_bytes(),
    ])
}

fn lost(error: &SdkError<TransactWriteItemsError>, meanings: &[Lost]) -> CommitError {
    let service = error.as_service_error();
    if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = service {
        let reasons = cancelled.cancellation_reasons();
        if let Some(lost) = first_lost(reasons, meanings) {
            return CommitError::Lost(lost);
        }
    }
    // Another change of the same place in the log has this change's token.
    if let Some(TransactWriteItemsError::IdempotentParameterMismatchException(_)) = service {
        return CommitError::Lost(Lost::Contention);
    }
    CommitError::Store(StoreError::unavailable("transact_write_items", error))
}

/// What was lost: a recorded message before anything else, for then there is nothing to decide again.
fn first_lost(reasons: &[CancellationReason], meanings: &[Lost]) -> Option<Lost> {
    let mut failed: Vec<Lost> = Vec::new();
    let mut contention = false;
    for (reason, meaning) in reasons.iter().zip(meanings) {
        match reason.code() {
            Some("ConditionalCheckFailed") => failed.push(match meaning {
                Lost::Ledger(_) => Lost::Ledger(reason.item().cloned().and_then(|found| {
                    debug_assert!(found.contains_key(PK));
                    item::decode(found).ok().map(Box::new)
                })),
                other => other.clone(),
            }),
            Some("TransactionConflict") => contention = true,
            _ => {}
        }
    }
    let rank = |lost: &Lost| match lost {
        Lost::Command => 0,
        Lost::Ledger(_) => 1,
        _ => 2,
    };
    failed.into_iter().min_by_key(rank).or(contention.then_some(Lost::Contention))
}
