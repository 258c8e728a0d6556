//! Idempotency keys of commands: the same command carried out twice is carried out once.

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use throughline_domain::event::Commit;
use throughline_domain::id::{TicketId, digest};
use throughline_domain::moment::Moment;

use crate::Store;
use crate::error::StoreError;
use crate::item::{self, Item, number};
use crate::keys::{self, TTL};

/// How long a key is remembered, in milliseconds: a day.
const REMEMBERED_MS: i64 = 86_400_000;

/// A caller's idempotency key with what it was sent with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandKey {
    hash: String,
    request: String,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandRecord {
    /// Hash of what it was sent with: the same key with something else is refused.
    pub request: String,
    /// The ticket that it changed.
    pub ticket_id: TicketId,
    /// The commit.
    pub sequence: u64,
    /// When.
    pub at: Moment,
}

impl CommandKey {
    /// The key that `caller` sent with a request of these parts (method, path, body).
    pub fn new(caller: &str, key: &str, request: &[&[u8]]) -> Self {
        let hash = digest(&[caller.as_bytes(), key.as_bytes()]);
        Self { hash: HEXLOWER.encode(&hash[..16]), request: HEXLOWER.encode(&digest(request)[..16]) }
    }

    /// Whether a record is of the same request.
    pub fn is_of(&self, record: &CommandRecord) -> bool {
        record.request == self.request
    }

    pub(crate) fn item(&self, commit: &Commit) -> Result<Item, StoreError> {
        let record = CommandRecord {
            request: self.request.clone(),
            ticket_id: commit.ticket_id,
            sequence: commit.sequence,
            at: commit.recorded_at,
        };
        let mut item = item::encode(&keys::command(&self.hash), &record)?;
        item.insert(TTL.to_owned(), number(commit.recorded_at.plus_ms(REMEMBERED_MS).ms() / 1_000));
        Ok(item)
    }
}

impl Store {
    /// What became of the command with this key.
    ///
    /// # Errors
    /// When the table does not answer or the item cannot be read.
    pub async fn command(&self, key: &CommandKey) -> Result<Option<CommandRecord>, StoreError> {
        self.get(&keys::command(&key.hash)).await?.map(item::decode).transpose()
    }
}
