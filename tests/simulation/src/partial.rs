//! Batches that a service carries out in part: keys that it did not look up, messages and entries that it did not take. All
//! of a batch may be among them, and so may the only one.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use serde_json::{Value, json};

use crate::answers;
use crate::faults::json_of;
use crate::random::Random;

/// A batch, cut in two.
pub(crate) struct Cut {
    operation: String,
    /// The request with what is carried out; nothing when none of it is.
    pub(crate) asked: Option<Value>,
    /// The whole request.
    whole: Value,
    /// What is left undone, by its place in the batch.
    left: Vec<(usize, Value)>,
}

/// The requests that can be carried out in part.
pub(crate) fn is_batch(operation: &str) -> bool {
    matches!(operation, "BatchGetItem" | "SendMessageBatch" | "PutEvents")
}

/// The parts of a batch.
fn parts<'a>(operation: &str, request: &'a mut Value) -> Option<&'a mut Vec<Value>> {
    let parts = match operation {
        "BatchGetItem" => request["RequestItems"].as_object_mut()?.values_mut().next()?.get_mut("Keys")?,
        _ => request.get_mut("Entries")?,
    };
    parts.as_array_mut()
}

impl Cut {
    /// Cuts a batch anywhere; nothing for what is no batch.
    pub(crate) fn of(operation: &str, mut request: Value, random: &Random) -> Option<Self> {
        let whole = request.clone();
        let all = std::mem::take(parts(operation, &mut request)?);
        let (done, left): (Vec<_>, Vec<_>) = all.into_iter().enumerate().partition(|_| random.chance(500));
        let asked = (!done.is_empty()).then(|| {
            if let Some(parts) = parts(operation, &mut request) {
                *parts = done.into_iter().map(|(_, part)| part).collect();
            }
            request
        });
        Some(Self { operation: operation.to_owned(), asked, whole, left })
    }

    /// The answer to the whole batch, with what the service answered to the part that it carried out.
    pub(crate) fn answer(mut self, answer: Option<HttpResponse>) -> HttpResponse {
        let mut told = match answer {
            None => json!({}),
            Some(answer) => match json_of(&answer).filter(|_| answer.status().is_success()) {
                Some(told) => told,
                None => return answer,
            },
        };
        match self.operation.as_str() {
            "BatchGetItem" => {
                if let Some(keys) = parts(&self.operation, &mut self.whole) {
                    *keys = self.left.into_iter().map(|(_, key)| key).collect();
                }
                told["UnprocessedKeys"] = self.whole["RequestItems"].take();
            }
            "SendMessageBatch" => {
                let failed = |(_, part): &(usize, Value)| json!({"Id": part["Id"], "Code": "InternalError", "SenderFault": false});
                told["Failed"] = self.left.iter().map(failed).collect();
                if told["Successful"].is_null() {
                    told["Successful"] = json!([]);
                }
            }
            _ => {
                let mut entries = told["Entries"].as_array().cloned().unwrap_or_default();
                for (place, _) in &self.left {
                    let failed = json!({"ErrorCode": "InternalFailure", "ErrorMessage": "simulated"});
                    entries.insert((*place).min(entries.len()), failed);
                }
                told["FailedEntryCount"] = json!(self.left.len());
                told["Entries"] = Value::Array(entries);
            }
        }
        answers::json_answer(200, &told)
    }
}
