//! Answers of services that are not well, as the services give them.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};
use throughline_aws::Service;

fn answer(status: u16, content_type: &'static str, body: String) -> HttpResponse {
    let status = StatusCode::try_from(status).expect("a status that exists");
    let mut response = HttpResponse::new(status, SdkBody::from(body));
    response.headers_mut().insert("content-type", content_type);
    response
}

/// An answer in JSON.
pub(crate) fn json_answer(status: u16, body: &Value) -> HttpResponse {
    answer(status, "application/x-amz-json-1.0", body.to_string())
}

/// The queues have all messages of a batch.
pub(crate) fn messages_taken(asked: &Value) -> HttpResponse {
    let taken = |entry: &Value| json!({"Id": entry["Id"], "MessageId": "0", "MD5OfMessageBody": "0"});
    let taken: Vec<Value> = asked["Entries"].as_array().into_iter().flatten().map(taken).collect();
    json_answer(200, &json!({"Successful": taken}))
}

fn xml_error(status: u16, code: &str) -> HttpResponse {
    let body = format!("<ErrorResponse><Error><Code>{code}</Code><Message>simulated</Message></Error></ErrorResponse>");
    answer(status, "text/xml", body)
}

fn s3_error(status: u16, code: &str) -> HttpResponse {
    answer(status, "application/xml", format!("<Error><Code>{code}</Code><Message>simulated</Message></Error>"))
}

fn table_error(kind: &str) -> Value {
    json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{kind}"), "message": "simulated"})
}

/// An error of the service's own side.
pub(crate) fn internal(service: Service) -> HttpResponse {
    match service {
        Service::DynamoDb => json_answer(500, &table_error("InternalServerError")),
        Service::Sqs => json_answer(500, &json!({"__type": "com.amazonaws.sqs#InternalError", "message": "simulated"})),
        Service::S3 => s3_error(500, "InternalError"),
        Service::Ses => xml_error(500, "InternalFailure"),
        Service::EventBridge => json_answer(500, &json!({"__type": "InternalException", "message": "simulated"})),
    }
}

/// The client is too fast.
pub(crate) fn throttled(service: Service) -> HttpResponse {
    match service {
        Service::DynamoDb => json_answer(400, &table_error("ProvisionedThroughputExceededException")),
        Service::Sqs => {
            json_answer(403, &json!({"__type": "com.amazonaws.sqs#RequestThrottled", "message": "simulated"}))
        }
        Service::S3 => s3_error(503, "SlowDown"),
        Service::Ses => xml_error(400, "Throttling"),
        Service::EventBridge => json_answer(400, &json!({"__type": "ThrottlingException", "message": "simulated"})),
    }
}

/// Another transaction is at one of the items of this one.
pub(crate) fn transaction_conflict(items: usize, at: usize) -> HttpResponse {
    let code = |place| if place == at { "TransactionConflict" } else { "None" };
    let reasons: Vec<Value> = (0..items).map(|place| json!({"Code": code(place)})).collect();
    let mut body = table_error("TransactionCanceledException");
    body["CancellationReasons"] = Value::Array(reasons);
    json_answer(400, &body)
}

/// A transaction is at the item of a single write.
pub(crate) fn item_conflict() -> HttpResponse {
    json_answer(400, &table_error("TransactionConflictException"))
}

/// The same transaction is still under way.
pub(crate) fn in_progress() -> HttpResponse {
    json_answer(400, &table_error("TransactionInProgressException"))
}

/// The connection is gone.
pub(crate) fn reset() -> ConnectorError {
    ConnectorError::io(std::io::Error::new(std::io::ErrorKind::ConnectionReset, "simulated").into())
}
