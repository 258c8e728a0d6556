//! Tickets: heads, details, logs and lists.

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_dynamodb::types::builders::PutBuilder;
use serde::{Deserialize, Serialize};
use throughline_domain::event::{COMMIT_FORMAT, Commit, Event};
use throughline_domain::id::{AgentId, CustomerId, TeamId, TicketId, TicketReference};
use throughline_domain::moment::Moment;
use throughline_domain::ticket::{Ticket, TicketDetail, TicketHead};

use crate::error::StoreError;
use crate::item::{self, Item, string, text};
use crate::keys::{self, BY_CHECK, BY_CUSTOMER, BY_HOLDER, CHECK_AT, CHECK_SHARD, CUSTOMER, HOLDER, PK, SK};
use crate::{Hint, Store, packed};

/// When a head was written anew: on the heads of erased customers' tickets.
const REWRITTEN_AT: &str = "rewritten_at";

/// The condition that a head is as it was read.
pub(crate) fn as_read(put: PutBuilder, before: &StoredTicket) -> PutBuilder {
    let put = put.expression_attribute_values(":version", item::number(before.ticket.head.version));
    match before.rewritten_at {
        None => put.condition_expression(format!("version = :version AND attribute_not_exists({REWRITTEN_AT})")),
        Some(at) => put
            .condition_expression(format!("version = :version AND {REWRITTEN_AT} = :rewritten_at"))
            .expression_attribute_values(":rewritten_at", string(at.to_string())),
    }
}

/// A ticket with what the table knows besides its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTicket {
    /// The fold of its commits.
    pub ticket: Ticket,
    /// When the breach check looks at it next: never later than it needs looking at.
    pub check_at: Option<Moment>,
    /// When the erasure began that wrote it anew; a change that was decided before that is not written over it.
    pub rewritten_at: Option<Moment>,
}

/// Who holds tickets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// An agent.
    Agent(AgentId),
    /// A team, for none of its agents; nothing: nobody yet.
    Team(Option<TeamId>),
}

/// Part of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next page starts; nothing on the last.
    pub next: Option<String>,
}

/// A commit as it is stored: its events as JSON, so that older layouts can be read by their number. Long JSON is packed.
#[derive(Serialize, Deserialize)]
struct CommitItem {
    format: u8,
    at: Moment,
    recorded_at: Moment,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    events: Option<String>,
}

/// Attribute with the events of a commit when they are packed.
const PACKED_EVENTS: &str = "packed_events";

/// How serde says that a word is not among those that a type knows (`serde::de::Error::unknown_variant`): a kind of event,
/// a status or a channel that a newer version has. Only we write commits, so nothing else is a reason for it.
const UNKNOWN_VARIANT: &str = "unknown variant";

pub(crate) fn encode_commit(commit: &Commit) -> Result<Item, StoreError> {
    let events = serde_json::to_string(&commit.events).map_err(StoreError::build)?;
    let packed = packed::pack(&events);
    let events = packed.is_none().then_some(events);
    let stored = CommitItem { format: COMMIT_FORMAT, at: commit.at, recorded_at: commit.recorded_at, events };
    let mut item = item::encode(&keys::commit(commit.ticket_id, commit.sequence), &stored)?;
    item.extend(packed.map(|packed| (PACKED_EVENTS.to_owned(), AttributeValue::B(packed.into()))));
    Ok(item)
}

pub(crate) fn decode_commit(item: Item) -> Result<Commit, StoreError> {
    let (pk, sk) = (text(&item, PK).unwrap_or_default().to_owned(), text(&item, SK).unwrap_or_default().to_owned());
    let corrupt = |detail: String| StoreError::Corrupt { key: format!("{pk}/{sk}"), detail };
    let ticket_id = keys::ticket_of(&pk).ok_or_else(|| corrupt("no ticket in its key".to_owned()))?;
    let sequence = sk.strip_prefix(keys::COMMIT_PREFIX).and_then(|digits| digits.parse().ok());
    let sequence = sequence.ok_or_else(|| corrupt("no sequence in its key".to_owned()))?;
    let newer = |detail: String| StoreError::Newer { key: format!("{pk}/{sk}"), detail };
    let format = item.get("format").and_then(|format| format.as_n().ok()?.parse::<u64>().ok()).unwrap_or_default();
    if format > u64::from(COMMIT_FORMAT) {
        return Err(newer(format!("format {format}")));
    }
    let packed = item.get(PACKED_EVENTS).and_then(|packed| packed.as_b().ok());
    let unpacked = packed.map(|packed| packed::unpack(packed.as_ref())).transpose();
    let unpacked = unpacked.map_err(|error| corrupt(error.to_string()))?;
    let stored: CommitItem = item::decode(item)?;
    let events = unpacked.or(stored.events).ok_or_else(|| corrupt("no events in it".to_owned()))?;
    let events: Vec<Event> = serde_json::from_str(&events).map_err(|error| {
        let detail = error.to_string();
        if detail.starts_with(UNKNOWN_VARIANT) { newer(detail) } else { corrupt(detail) }
    })?;
    Ok(Commit { ticket_id, sequence, at: stored.at, recorded_at: stored.recorded_at, events })
}

/// The commit in an item of the table's stream; nothing when it is an item of another kind.
///
/// # Errors
/// [`StoreError::Corrupt`] when it is a commit that cannot be read.
pub fn commit_of_image(image: serde_dynamo::Item) -> Result<Option<Commit>, StoreError> {
    let item: Item = image.into();
    let is_commit = text(&item, SK).is_some_and(|sk| sk.starts_with(keys::COMMIT_PREFIX));
    if is_commit { decode_commit(item).map(Some) } else { Ok(None) }
}

pub(crate) fn encode_head(
    head: &TicketHead,
    check_at: Option<Moment>,
    rewritten_at: Option<Moment>,
) -> Result<Item, StoreError> {
    let mut item = item::encode(&keys::ticket_head(head.id), head)?;
    item.insert(CUSTOMER.to_owned(), string(keys::customer(head.customer_id)));
    item.insert(HOLDER.to_owned(), string(keys::holder(head)));
    if let Some(at) = check_at {
        item.insert(CHECK_SHARD.to_owned(), string(keys::check_shard(head.id)));
        item.insert(CHECK_AT.to_owned(), string(keys::check_sort(at)));
    }
    if let Some(at) = rewritten_at {
        item.insert(REWRITTEN_AT.to_owned(), string(at.to_string()));
    }
    Ok(item)
}

impl Store {
    /// A ticket as it is now, read strongly.
    ///
    /// # Errors
    /// When the table does not answer or the items cannot be read.
    pub async fn ticket(&self, id: TicketId) -> Result<Option<StoredTicket>, StoreError> {
        Ok(self.tickets(&[id]).await?.pop().flatten())
    }

    /// Many tickets as they are now, read strongly, in the order of the ids, which must differ.
    ///
    /// # Errors
    /// When the table does not answer or the items cannot be read.
    pub async fn tickets(&self, ids: &[TicketId]) -> Result<Vec<Option<StoredTicket>>, StoreError> {
        let heads: Vec<_> = ids.iter().map(|id| keys::ticket_head(*id)).collect();
        let mut found = Vec::with_capacity(ids.len());
        for item in self.get_many(&heads).await? {
            let Some(item) = item else {
                found.push(None);
                continue;
            };
            let check_at = text(&item, CHECK_AT).and_then(|at| at.parse().ok());
            let rewritten_at = text(&item, REWRITTEN_AT).and_then(|at| at.parse().ok());
            let head: TicketHead = item::decode(item)?;
            let ticket = Ticket { head, detail: TicketDetail::default() };
            found.push(Some(StoredTicket { ticket, check_at, rewritten_at }));
        }
        let with_detail: Vec<usize> = (0..found.len())
            .filter(|i| found[*i].as_ref().is_some_and(|stored: &StoredTicket| stored.ticket.head.has_detail))
            .collect();
        let details: Vec<_> = with_detail.iter().map(|i| keys::ticket_detail(ids[*i])).collect();
        for (i, item) in with_detail.into_iter().zip(self.get_many(&details).await?) {
            if let (Some(stored), Some(item)) = (&mut found[i], item) {
                stored.ticket.detail = item::decode(item)?;
            }
        }
        Ok(found)
    }

    /// The ticket that has this public name.
    ///
    /// # Errors
    /// When the table does not answer or the item cannot be read.
    pub async fn ticket_by_reference(&self, reference: TicketReference) -> Result<Option<TicketId>, StoreError> {
        let item = self.get(&keys::reference(reference)).await?;
        Ok(item.and_then(|item| text(&item, "ticket_id")?.parse().ok()))
    }

    /// Commits of a ticket after a sequence, oldest first, at most `limit`.
    ///
    /// # Errors
    /// When the table does not answer or an item cannot be read.
    pub async fn timeline(&self, id: TicketId, after: u64, limit: usize) -> Result<Vec<Commit>, StoreError> {
        // Cursors of clients come here, too: bounds the wrong way round would be an error of the table.
        if after >= keys::SEQUENCE_MAX {
            return Ok(Vec::new());
        }
        let last = keys::commit_sort(keys::SEQUENCE_MAX);
        let mut commits = Vec::new();
        let mut start = None;
        loop {
            let answer = self
                .client
                .query()
                .table_name(&self.table)
                .consistent_read(true)
                .key_condition_expression("pk = :pk AND sk BETWEEN :first AND :last")
                .expression_attribute_values(":pk", string(keys::ticket(id)))
                .expression_attribute_values(":first", string(keys::commit_sort(after + 1)))
                .expression_attribute_values(":last", string(&last))
                .limit(i32::try_from(limit - commits.len()).unwrap_or(i32::MAX))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| StoreError::unavailable("query timeline", &error))?;
            for item in answer.items.unwrap_or_default() {
                commits.push(decode_commit(item)?);
            }
            start = answer.last_evaluated_key;
            if start.is_none() || commits.len() >= limit {
                return Ok(commits);
            }
        }
    }

    /// One commit.
    ///
    /// # Errors
    /// When the table does not answer or the item cannot be read.
    pub async fn read_commit(&self, id: TicketId, sequence: u64) -> Result<Option<Commit>, StoreError> {
        self.get(&keys::commit(id, sequence)).await?.map(decode_commit).transpose()
    }

    /// The tickets that a customer opened, newest first: from an index.
    ///
    /// # Errors
    /// When the table does not answer, or the cursor is not one of ours.
    pub async fn tickets_of_customer(
        &self,
        id: CustomerId,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<Hint<TicketId>>, StoreError> {
        self.listed(BY_CUSTOMER, CUSTOMER, keys::customer(id), limit, cursor).await
    }

    /// The tickets that somebody holds, newest first: from an index.
    ///
    /// # Errors
    /// When the table does not answer, or the cursor is not one of ours.
    pub async fn tickets_of_holder(
        &self,
        holder: &Holder,
        live: bool,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<Hint<TicketId>>, StoreError> {
        let partition = match holder {
            Holder::Agent(id) => keys::held_by_agent(id, live),
            Holder::Team(id) => keys::held_by_team(id.as_ref(), live),
        };
        self.listed(BY_HOLDER, HOLDER, partition, limit, cursor).await
    }

    async fn listed(
        &self,
        index: &str,
        attribute: &str,
        partition: String,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<Hint<TicketId>>, StoreError> {
        // The ids sort by creation: a cursor is the last id of the page before.
        let before = cursor.map_or_else(|| keys::AFTER_TICKETS.to_owned(), |id| format!("TICKET#{id}"));
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(index)
            .key_condition_expression("#partition = :partition AND pk < :before")
            .expression_attribute_names("#partition", attribute)
            .expression_attribute_values(":partition", string(partition))
            .expression_attribute_values(":before", string(before))
            .scan_index_forward(false)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(|error| StoreError::unavailable("query list", &error))?;
        let more = answer.last_evaluated_key.is_some();
        let ids = answer.items.unwrap_or_default();
        let ids: Vec<TicketId> = ids.iter().filter_map(|item| keys::ticket_of(text(item, PK)?)).collect();
        let next = ids.last().filter(|_| more).map(ToString::to_string);
        Ok(Page { items: ids.into_iter().map(Hint).collect(), next })
    }

    /// Tickets of a shard that need looking at by `until`, the most overdue first: from an index.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn tickets_to_check(
        &self,
        shard: u8,
        until: Moment,
        limit: usize,
    ) -> Result<Vec<Hint<TicketId>>, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(BY_CHECK)
            .key_condition_expression("check_shard = :shard AND check_at <= :until")
            .expression_attribute_values(":shard", string(keys::check_partition(shard)))
            .expression_attribute_values(":until", string(keys::check_sort(until)))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(|error| StoreError::unavailable("query check", &error))?;
        let items = answer.items.unwrap_or_default();
        Ok(items.iter().filter_map(|item| keys::ticket_of(text(item, PK)?)).map(Hint).collect())
    }

    /// Moves the next look at a ticket, if the ticket is still as it was read: a look that finds it changed leaves the
    /// moment to who changed it.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn move_check(&self, stored: &StoredTicket, to: Option<Moment>) -> Result<bool, StoreError> {
        let head = &stored.ticket.head;
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(item::key(&keys::ticket_head(head.id))))
            .condition_expression("version = :version AND check_at = :before")
            .expression_attribute_values(":version", item::number(head.version))
            .expression_attribute_values(":before", string(stored.check_at.map(keys::check_sort).unwrap_or_default()));
        let request = match to {
            Some(at) => request
                .update_expression("SET check_at = :at")
                .expression_attribute_values(":at", string(keys::check_sort(at))),
            None => request.update_expression("REMOVE check_at, check_shard"),
        };
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {
                Ok(false)
            }
            Err(error) => Err(StoreError::unavailable("move_check", &error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::number;

    const GOLDEN: &str = include_str!("../../domain/src/event/golden_v1.json");

    fn golden() -> Commit {
        serde_json::from_str(GOLDEN).unwrap()
    }

    /// The golden commit as it is stored, with its events as this change leaves them.
    fn stored(change: impl Fn(&str) -> String) -> Item {
        let mut item = encode_commit(&golden()).unwrap();
        item.remove(PACKED_EVENTS).unwrap();
        item.insert("events".to_owned(), string(change(&serde_json::to_string(&golden().events).unwrap())));
        item
    }

    #[test]
    fn a_stored_commit_is_read_packed_or_not() {
        assert_eq!(decode_commit(encode_commit(&golden()).unwrap()).unwrap(), golden());
        assert_eq!(decode_commit(stored(str::to_owned)).unwrap(), golden());
    }

    #[test]
    fn what_a_newer_version_added_beside_is_left_alone() {
        let mut item = stored(|events| events.replacen("{\"id\"", "{\"unheard_of\":1,\"id\"", 1));
        item.insert("unheard_of".to_owned(), string("later"));
        assert_eq!(decode_commit(item).unwrap(), golden());
    }

    #[test]
    fn what_only_a_newer_version_can_read_waits_for_it() {
        let mut item = stored(str::to_owned);
        item.insert("format".to_owned(), number(u32::from(COMMIT_FORMAT) + 1));
        let newer = [
            item,
            stored(|events| events.replace("\"ticket_created\"", "\"ticket_beamed_away\"")),
            stored(|events| events.replace("\"email\"", "\"hologram\"")),
        ];
        for item in newer {
            let error = decode_commit(item).unwrap_err();
            assert!(matches!(error, StoreError::Newer { .. }), "{error}");
        }
        for broken in ["", "[", "[{}]", "[1]"] {
            let error = decode_commit(stored(|_| broken.to_owned())).unwrap_err();
            assert!(matches!(error, StoreError::Corrupt { .. }), "{broken}: {error}");
        }
    }
}
