//! The table: DynamoDB's JSON protocol over `dynoxide`, called as a library.

use std::path::Path;
use std::sync::Arc;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use dynoxide::actions::batch_get_item::BatchGetItemRequest;
use dynoxide::actions::batch_write_item::BatchWriteItemRequest;
use dynoxide::actions::delete_item::DeleteItemRequest;
use dynoxide::actions::get_item::GetItemRequest;
use dynoxide::actions::put_item::PutItemRequest;
use dynoxide::actions::query::QueryRequest;
use dynoxide::actions::scan::ScanRequest;
use dynoxide::actions::transact_get_items::TransactGetItemsRequest;
use dynoxide::actions::transact_write_items::{TransactWriteItemsRequest, TransactWriteItemsResponse};
use dynoxide::actions::update_item::UpdateItemRequest;
use dynoxide::types::ConsumedCapacity;
use dynoxide::{Database, DynoxideError, ImportOptions, Item};
use serde::de::DeserializeOwned;
use serde::{Deserialize as _, Serialize};

use crate::Clock;
use crate::counts::Units;
use crate::feed::{Feed, is_commit};
use crate::reply;
use crate::tokens::{self, Once, Tokens};
use crate::writes::Writes as _;

/// Content type of every answer.
const CONTENT_TYPE: &str = "application/x-amz-json-1.0";
/// Capacity mode in which the sum over table and indexes comes back.
const TOTAL: &str = "TOTAL";
/// Longest client token of a transaction, in characters.
const TOKEN_CHARS_MAX: usize = 36;
/// Prefixes with which `dynoxide` marks errors that come out of the decoder, and which its own server takes off.
const VALIDATION_MARKERS: [&str; 3] = ["VALIDATION_REQUEST:", "VALIDATION_AS_READ:", "VALIDATION:"];
const SERIALIZATION_MARKERS: [&str; 2] = ["SERIALIZATION_AS_READ:", "SERIALIZATION:"];

/// The table service.
pub(crate) struct Table {
    database: Database,
    feed: Feed,
    tokens: Tokens,
    clock: Clock,
}

impl Table {
    pub(crate) fn memory(clock: Clock) -> Result<Self, DynoxideError> {
        let database = Database::memory_with_clock(Arc::new(DatabaseClock(Arc::clone(&clock))))?;
        Ok(Self { database, feed: Feed::default(), tokens: Tokens::default(), clock })
    }

    pub(crate) fn open(file: &Path, clock: Clock) -> Result<Self, DynoxideError> {
        let path = file
            .to_str()
            .ok_or_else(|| DynoxideError::InternalServerError(format!("the path {} is not UTF-8", file.display())))?;
        let database = Database::new(path)?;
        // Sets `synchronous = NORMAL` among others, which are SQLite's defaults. With the write-ahead log, which is always
        // on, that is safe when the process is killed; the default FULL syncs each commit against power cuts, too.
        database.disable_bulk_loading()?;
        Ok(Self { database, feed: Feed::default(), tokens: Tokens::default(), clock })
    }

    pub(crate) fn feed(&self) -> &Feed {
        &self.feed
    }

    pub(crate) fn delete_expired(&self) -> Result<usize, DynoxideError> {
        self.database.sweep_ttl()
    }

    pub(crate) fn dump(&self, table: &str) -> Result<Vec<serde_json::Value>, DynoxideError> {
        let mut items = Vec::new();
        let mut start = None;
        loop {
            let request =
                ScanRequest { table_name: table.to_owned(), exclusive_start_key: start, ..Default::default() };
            let page = self.database.scan(request)?;
            items.extend(page.items.unwrap_or_default());
            start = page.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        let json = items.iter().map(serde_json::to_value).collect::<Result<_, _>>();
        json.map_err(|error| DynoxideError::InternalServerError(error.to_string()))
    }

    pub(crate) fn load(&self, table: &str, items: &[serde_json::Value]) -> Result<(), DynoxideError> {
        let items: Result<Vec<Item>, _> = items.iter().map(Item::deserialize).collect();
        let items = items.map_err(|error| DynoxideError::SerializationException(error.to_string()))?;
        self.database.import_items(table, items, ImportOptions::default()).map(drop)
    }

    /// Performs an operation; fills in what it consumed if asked to.
    pub(crate) fn call(&self, operation: &str, body: &[u8], units: Option<&mut Units>) -> HttpResponse {
        let (status, body) = match self.perform(operation, body, units) {
            Ok(body) => (200, body),
            Err(error) => (error.status_code(), error.to_json().into_bytes()),
        };
        let mut response = reply::response(status, body);
        reply::set(&mut response, "content-type", CONTENT_TYPE);
        response
    }

    fn perform(&self, operation: &str, body: &[u8], units: Option<&mut Units>) -> Result<Vec<u8>, DynoxideError> {
        /// An operation on items: asks for the capacity when it is to be measured, and takes it out of the answer
        /// when the client did not ask.
        macro_rules! metered {
            ($request:ty, $access:expr, $run:expr) => {{
                let mut request: $request = decode(body)?;
                let asked = request.return_consumed_capacity.as_deref().is_some_and(|mode| mode != "NONE");
                if units.is_some() && !asked {
                    request.return_consumed_capacity = Some(TOTAL.to_owned());
                }
                let items = if units.is_some() { request.items() } else { Vec::new() };
                let mut answer = $run(request)?;
                if let Some(units) = units {
                    units.items = items;
                    units.add($access, answer.consumed_capacity.each());
                    if !asked {
                        answer.consumed_capacity = None;
                    }
                }
                encode(&answer)
            }};
        }
        let database = &self.database;
        match operation {
            "GetItem" => metered!(GetItemRequest, Access::Read, |request| database.get_item(request)),
            "BatchGetItem" => metered!(BatchGetItemRequest, Access::Read, |request| database.batch_get_item(request)),
            "Query" => metered!(QueryRequest, Access::Read, |request| database.query(request)),
            "Scan" => metered!(ScanRequest, Access::Read, |request| database.scan(request)),
            "TransactGetItems" => {
                metered!(TransactGetItemsRequest, Access::Read, |request| database.transact_get_items(request))
            }
            "PutItem" => metered!(PutItemRequest, Access::Write, |request| self.put(request)),
            "UpdateItem" => metered!(UpdateItemRequest, Access::Write, |request| database.update_item(request)),
            "DeleteItem" => metered!(DeleteItemRequest, Access::Write, |request| database.delete_item(request)),
            "BatchWriteItem" => {
                metered!(BatchWriteItemRequest, Access::Write, |request| database.batch_write_item(request))
            }
            "TransactWriteItems" => {
                metered!(TransactWriteItemsRequest, Access::Write, |request| self.transact_write(request))
            }
            "CreateTable" => encode(&database.create_table(decode(body)?)?),
            "DescribeTable" => encode(&database.describe_table(decode(body)?)?),
            "DeleteTable" => encode(&database.delete_table(decode(body)?)?),
            "ListTables" => encode(&database.list_tables(decode(body)?)?),
            "UpdateTimeToLive" => encode(&database.update_time_to_live(decode(body)?)?),
            "DescribeTimeToLive" => encode(&database.describe_time_to_live(decode(body)?)?),
            other => Err(DynoxideError::ValidationException(format!("the operation {other} is not supported here"))),
        }
    }

    fn put(&self, request: PutItemRequest) -> Result<dynoxide::actions::put_item::PutItemResponse, DynoxideError> {
        let told = self.told([(&request.table_name, &request.item)]);
        self.feed.commit(told, || self.database.put_item(request))
    }

    fn transact_write(
        &self,
        mut request: TransactWriteItemsRequest,
    ) -> Result<TransactWriteItemsResponse, DynoxideError> {
        // Longer tokens than there can be are for the database to refuse.
        let is_token = |token: &String| (1..=TOKEN_CHARS_MAX).contains(&token.len());
        let Some(token) = request.client_request_token.take_if(|token| is_token(token)) else {
            return self.transact_write_now(request);
        };
        let digest = tokens::digest(&request.transact_items);
        match self.tokens.once(&token, digest, (self.clock)(), || self.transact_write_now(request))? {
            Once::Now(answer) => Ok(answer),
            // What it consumes (it counts as a read) is left out.
            Once::Before => Ok(TransactWriteItemsResponse::default()),
            Once::Mismatch => {
                let text = "An error occurred (IdempotentParameterMismatchException)";
                Err(DynoxideError::IdempotentParameterMismatchException(text.to_owned()))
            }
        }
    }

    fn transact_write_now(
        &self,
        request: TransactWriteItemsRequest,
    ) -> Result<TransactWriteItemsResponse, DynoxideError> {
        let puts = request.transact_items.iter().filter_map(|item| item.put.as_ref());
        let told = self.told(puts.map(|put| (&put.table_name, &put.item)));
        self.feed.commit(told, || self.database.transact_write_items(request))
    }

    /// The items that the feed will tell, if anybody listens.
    fn told<'a>(&self, puts: impl IntoIterator<Item = (&'a String, &'a Item)>) -> Vec<(String, Item)> {
        let mut puts = puts.into_iter().filter(|(_, item)| is_commit(item)).peekable();
        if puts.peek().is_none() || !self.feed.is_heard() {
            return vec![];
        }
        puts.map(|(table, item)| (table.clone(), item.clone())).collect()
    }
}

/// Which kind of unit an operation consumes, where the answer does not say.
#[derive(Clone, Copy)]
enum Access {
    Read,
    Write,
}

impl Units {
    fn add(&mut self, access: Access, consumed: &[ConsumedCapacity]) {
        for capacity in consumed {
            let (read, write) = match (capacity.read_capacity_units, capacity.write_capacity_units, access) {
                (None, None, Access::Read) => (capacity.capacity_units, 0.0),
                (None, None, Access::Write) => (0.0, capacity.capacity_units),
                // A repeated transaction is a read.
                (read, write, _) => (read.unwrap_or_default(), write.unwrap_or_default()),
            };
            self.read += read;
            self.write += write;
        }
    }
}

/// What an answer says was consumed: one table for single operations, several for others.
trait Consumed {
    fn each(&self) -> &[ConsumedCapacity];
}

impl Consumed for Option<ConsumedCapacity> {
    fn each(&self) -> &[ConsumedCapacity] {
        self.as_slice()
    }
}

impl Consumed for Option<Vec<ConsumedCapacity>> {
    fn each(&self) -> &[ConsumedCapacity] {
        self.as_deref().unwrap_or_default()
    }
}

fn decode<Q: DeserializeOwned>(body: &[u8]) -> Result<Q, DynoxideError> {
    serde_json::from_slice(body).map_err(|error| {
        let text = error.to_string();
        let marked = |markers: &[&str]| markers.iter().find_map(|marker| text.strip_prefix(marker)).map(str::to_owned);
        match (marked(&VALIDATION_MARKERS), marked(&SERIALIZATION_MARKERS)) {
            (Some(text), _) => DynoxideError::ValidationException(text),
            (None, Some(text)) => DynoxideError::SerializationException(text),
            (None, None) if error.is_data() => DynoxideError::ValidationException(text),
            (None, None) => DynoxideError::SerializationException(text),
        }
    })
}

fn encode(answer: &impl Serialize) -> Result<Vec<u8>, DynoxideError> {
    serde_json::to_vec(answer).map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}

/// Our clock as the database wants it.
struct DatabaseClock(Clock);

impl dynoxide::storage_backend::Clock for DatabaseClock {
    fn now_unix_secs(&self) -> u64 {
        (self.0)() / 1000
    }

    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit a double for ages")]
    fn now_unix_secs_f64(&self) -> f64 {
        (self.0)() as f64 / 1000.0
    }
}
