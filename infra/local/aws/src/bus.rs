//! The event bus: EventBridge's JSON protocol, `PutEvents` only. No rule is matched and nothing is delivered; the last
//! entries are kept to be looked at.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::reply;

/// How many entries are kept.
pub const PUBLISHED_KEPT: usize = 1_000;
/// Most entries of a request (EventBridge's limit).
const ENTRIES_MAX: usize = 10;
/// Largest request, in bytes of its entries (EventBridge's limit).
const REQUEST_BYTES_MAX: usize = 256 * 1024;
/// What the time of an entry counts for, in bytes.
const TIME_BYTES: usize = 14;
/// The bus that is meant where none is named.
const DEFAULT_BUS: &str = "default";
/// The operation that exists.
const PUT: &str = "PutEvents";

/// An entry that was published.
#[derive(Clone, Debug, PartialEq)]
pub struct Published {
    /// Its id.
    pub id: String,
    /// Name of the bus.
    pub bus: String,
    /// Who says it.
    pub source: String,
    /// What it is.
    pub detail_type: String,
    /// What it says: a JSON object.
    pub detail: Value,
    /// When it happened, in seconds since 1970, if the entry says so.
    pub time: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Request {
    #[serde(default)]
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    time: Option<f64>,
    source: Option<String>,
    #[serde(default)]
    resources: Vec<String>,
    detail_type: Option<String>,
    detail: Option<String>,
    event_bus_name: Option<String>,
}

/// Why an entry, or a whole request, is not taken: code and message as EventBridge says them.
struct Fault(&'static str, String);

/// The bus.
#[derive(Debug, Default)]
pub(crate) struct Bus {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    number: u64,
    kept: VecDeque<Published>,
}

impl Bus {
    pub(crate) fn published(&self) -> Vec<Published> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).kept.iter().cloned().collect()
    }

    /// Performs an operation.
    pub(crate) fn call(&self, operation: &str, body: &[u8]) -> HttpResponse {
        let (status, body) = match self.perform(operation, body) {
            Ok(answer) => (200, answer),
            Err(Fault(code, message)) => (400, json!({"__type": code, "message": message})),
        };
        let mut response = reply::response(status, body.to_string());
        reply::set(&mut response, "content-type", "application/x-amz-json-1.1");
        response
    }

    fn perform(&self, operation: &str, body: &[u8]) -> Result<Value, Fault> {
        if operation != PUT {
            return Err(Fault("UnknownOperationException", format!("The operation {operation} is not supported here")));
        }
        let request: Request =
            serde_json::from_slice(body).map_err(|error| Fault("SerializationException", error.to_string()))?;
        let count = request.entries.len();
        if !(1..=ENTRIES_MAX).contains(&count) {
            let wrong = if count == 0 { "greater than or equal to 1" } else { "less than or equal to 10" };
            let message = format!(
                "1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length {wrong}"
            );
            return Err(Fault("ValidationException", message));
        }
        if request.entries.iter().map(Entry::bytes).sum::<usize>() > REQUEST_BYTES_MAX {
            let message = "Total size of the entries in the request is over the limit.".to_owned();
            return Err(Fault("ValidationException", message));
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let results: Vec<Value> = request.entries.into_iter().map(|entry| state.take(entry)).collect();
        let failed = results.iter().filter(|result| result["ErrorCode"].is_string()).count();
        Ok(json!({"FailedEntryCount": failed, "Entries": results}))
    }
}

impl State {
    /// Keeps an entry, or says why not.
    fn take(&mut self, entry: Entry) -> Value {
        match entry.checked() {
            Ok(mut published) => {
                self.number += 1;
                published.id = format!("00000000-0000-4000-8000-{:012x}", self.number);
                let id = published.id.clone();
                if self.kept.len() == PUBLISHED_KEPT {
                    self.kept.pop_front();
                }
                self.kept.push_back(published);
                json!({"EventId": id})
            }
            Err(Fault(code, message)) => json!({"ErrorCode": code, "ErrorMessage": message}),
        }
    }
}

impl Entry {
    /// Its size as EventBridge counts it
    /// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html>).
    fn bytes(&self) -> usize {
        let texts = [&self.source, &self.detail_type, &self.detail].into_iter().flatten().chain(&self.resources);
        texts.map(String::len).sum::<usize>() + self.time.map_or(0, |_| TIME_BYTES)
    }

    fn checked(self) -> Result<Published, Fault> {
        let given = |value: Option<String>, name: &str| {
            let message = || format!("Parameter {name} is not valid. Reason: {name} is a required argument.");
            value.filter(|value| !value.is_empty()).ok_or_else(|| Fault("InvalidArgument", message()))
        };
        let source = given(self.source, "Source")?;
        let detail_type = given(self.detail_type, "DetailType")?;
        let detail = given(self.detail, "Detail")?;
        let detail = serde_json::from_str::<Value>(&detail).ok().filter(Value::is_object);
        let detail = detail.ok_or_else(|| Fault("MalformedDetail", "Detail is malformed.".to_owned()))?;
        let bus = self.event_bus_name.unwrap_or_else(|| DEFAULT_BUS.to_owned());
        Ok(Published { id: String::new(), bus, source, detail_type, detail, time: self.time })
    }
}
