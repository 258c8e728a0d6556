//! Deliberate defects: each makes the system wrong in one way that somebody could really write, and the simulation has to
//! find it. They change requests on their way to the services, so no product code knows of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};
use throughline_aws::{COMMIT_PREFIX, Call, Service};

use crate::answers;
use crate::faults::{body, json_of, with_body};

/// How long an index is behind, in the defect that reads one, in milliseconds.
const LAG_MS: u64 = 20_000;

macro_rules! defects {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
        /// A deliberate defect.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Defect {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Defect {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Its name on the command line.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

defects! {
    /// The ledger item is written after the transaction, not in it.
    LedgerOutsideTransaction = "ledger-outside-transaction",
    /// A channel is answered before its message is in a queue.
    AcknowledgeBeforeStore = "acknowledge-before-store",
    /// After a failed record the later ones of its group are worked on.
    NoGroupSkip = "no-group-skip",
    /// A ticket is written whatever its version is.
    VersionUnchecked = "version-unchecked",
    /// A message that was only mentioned counts as recorded.
    MentionCounts = "mention-counts",
    /// Which tickets a customer has open is decided by as an index has them: some seconds behind.
    OpenTicketsFromIndex = "open-tickets-from-index",
    /// An address that somebody typed counts as theirs.
    TypedAddressJoins = "typed-address-joins",
    /// Who gives a ticket up keeps its load.
    LoadNotReleased = "load-not-released",
    /// The breach check writes on whatever the ticket has become.
    SweepUnconditional = "sweep-unconditional",
    /// Mail is sent without a send ledger.
    SendWithoutLedger = "send-without-ledger",
    /// An identifier is taken from whoever holds it.
    ClaimUnconditional = "claim-unconditional",
    /// A ticket is given to who has no room.
    CapacityUnchecked = "capacity-unchecked",
    /// A mail whose answer was lost is sent again at once.
    MailRetried = "mail-retried",
    /// The idempotency key of a command is not kept.
    CommandForgotten = "command-forgotten",
    /// The breach check does not drive again what was lost.
    SweepDrivesNothing = "sweep-drives-nothing",
    /// What becomes of a message is forgotten when it comes before the message.
    ChangeNotParked = "change-not-parked",
    /// A message is recorded without what waits for it.
    ParkedForgotten = "parked-forgotten",
    /// A ticket that is merged keeps its place in its team's line.
    MergedStaysInLine = "merged-stays-in-line",
    /// A merge is written on the merged ticket alone.
    MergeOnOneSide = "merge-on-one-side",
    /// Unlinking cuts the link, and leaves the root that followed from it.
    UnlinkLeavesRoot = "unlink-leaves-root",
    /// A breach is stamped with the time at which the check found it.
    BreachStampedLate = "breach-stamped-late",
    /// A mail goes to the recipients of the mail before, too.
    RecipientsKept = "recipients-kept",
    /// An agent is found for a ticket without a commit that says so.
    HeadWithoutCommit = "head-without-commit",
    /// A ticket's public reference is not written.
    ReferenceForgotten = "reference-forgotten",
    /// What the bus did not take counts as published.
    BusAnswerUnread = "bus-answer-unread",
    /// What the mail service tells of mail that came back is dropped.
    BounceForgotten = "bounce-forgotten",
}

/// What a defect has to remember between requests.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// By partition key of a customer, the open tickets that the last reader of the list was not told of.
    hidden: Mutex<BTreeMap<String, Vec<Value>>>,
    /// The recipients of the last mail.
    recipients: Mutex<Vec<String>>,
}

/// What becomes of a request.
pub(crate) enum Rewritten {
    /// It goes on as this one.
    Request(HttpRequest),
    /// Two requests, one after the other.
    Then { first: HttpRequest, then: Box<HttpRequest> },
    /// It goes nowhere: this is the answer.
    Answer(HttpResponse),
    /// Its answer is changed.
    Changing { request: HttpRequest, change: Box<dyn FnOnce(HttpResponse) -> HttpResponse + Send> },
    /// When the answer fails, it is sent again.
    Twice(HttpRequest),
    /// It counts as done before it is.
    Unheard(HttpRequest),
}

fn text<'a>(item: &'a Value, name: &str) -> &'a str {
    item[name]["S"].as_str().unwrap_or_default()
}

/// The partition and sort key that a write of a transaction puts.
fn put_key(write: &Value) -> (&str, &str) {
    let item = &write["Put"]["Item"];
    (text(item, "pk"), text(item, "sk"))
}

/// Takes a condition away, with the values that only it uses.
fn unconditional(write: &mut Value, only_here: &[&str]) {
    let Some(write) = write.as_object_mut() else { return };
    write.remove("ConditionExpression");
    for list in ["ExpressionAttributeValues", "ExpressionAttributeNames"] {
        if let Some(values) = write.get_mut(list).and_then(Value::as_object_mut) {
            values.retain(|name, _| !only_here.contains(&name.as_str()));
            if values.is_empty() {
                write.remove(list);
            }
        }
    }
}

fn nothing() -> Rewritten {
    Rewritten::Answer(answers::json_answer(200, &json!({})))
}

impl Defect {
    /// What becomes of a request of a function. `now_ms` is the time since 1970.
    pub(crate) fn rewrite(
        self,
        function: &str,
        call: &Call,
        request: HttpRequest,
        now_ms: u64,
        known: &Arc<Known>,
    ) -> Rewritten {
        let same = |request| Rewritten::Request(request);
        match (self, call.operation.as_str()) {
            (Self::AcknowledgeBeforeStore, "SendMessageBatch") if function == "ingest-webhook" => {
                Rewritten::Unheard(request)
            }
            (Self::MailRetried, _) if call.service == Service::Ses => Rewritten::Twice(request),
            (Self::BounceForgotten, "SendMessageBatch") if function == "ingest-email" => {
                let asked = body(&request).unwrap_or_default();
                let is_report = asked["Entries"].to_string().contains(r#"\"kind\":\"reported\""#);
                if is_report { Rewritten::Answer(answers::messages_taken(&asked)) } else { same(request) }
            }
            (Self::RecipientsKept, _) if call.service == Service::Ses => same(known.with_more_recipients(request)),
            (Self::BusAnswerUnread, "PutEvents") => Rewritten::Changing { request, change: Box::new(all_published) },
            (Self::SweepDrivesNothing, "SendMessageBatch") if function == "escalate-sla" => nothing(),
            (Self::TypedAddressJoins, "SendMessageBatch") => match body(&request) {
                Some(mut asked) => {
                    typed_counts(&mut asked);
                    same(with_body(request, &asked))
                }
                None => same(request),
            },
            (Self::SendWithoutLedger, "PutItem" | "GetItem") => {
                let asked = body(&request).unwrap_or_default();
                let sort = [text(&asked["Item"], "sk"), text(&asked["Key"], "sk")];
                if sort.iter().any(|sort| sort.starts_with("SEND#")) { nothing() } else { same(request) }
            }
            (Self::OpenTicketsFromIndex, "GetItem") if function == "upsert-ticket" => {
                let key = body(&request).unwrap_or_default()["Key"].take();
                if text(&key, "pk").starts_with("CUSTOMER#") && text(&key, "sk") == "HEAD" {
                    let known = Arc::clone(known);
                    Rewritten::Changing {
                        request,
                        change: Box::new(move |answer| without_latest(answer, now_ms, &known)),
                    }
                } else {
                    same(request)
                }
            }
            (Self::ChangeNotParked, "UpdateItem") => {
                let asked = body(&request).unwrap_or_default();
                if asked["UpdateExpression"].to_string().contains("list_append") { nothing() } else { same(request) }
            }
            (Self::SweepUnconditional, "UpdateItem") if function == "escalate-sla" => match body(&request) {
                Some(mut asked) => {
                    unconditional(&mut asked, &[":version", ":before"]);
                    same(with_body(request, &asked))
                }
                None => same(request),
            },
            (_, "TransactWriteItems") => match body(&request) {
                Some(asked) => self.transaction(function, request, asked, known),
                None => same(request),
            },
            _ => same(request),
        }
    }

    fn transaction(self, function: &str, request: HttpRequest, mut asked: Value, known: &Known) -> Rewritten {
        let Some(writes) = asked["TransactItems"].as_array_mut() else { return Rewritten::Request(request) };
        match self {
            Self::LedgerOutsideTransaction => {
                let is_ledger = |write: &Value| {
                    put_key(write).1 == "MESSAGE" && write["Put"]["ConditionExpression"].to_string().contains(":seen")
                };
                let place = writes.iter().position(is_ledger);
                let Some(place) = place.filter(|_| writes.len() > 1 && function == "upsert-ticket") else {
                    return Rewritten::Request(request);
                };
                let mut ledger = writes.remove(place);
                unconditional(&mut ledger["Put"], &[":seen", ":in_flight", ":quarantined", ":parked", "#state"]);
                let token: String = asked["ClientRequestToken"].as_str().unwrap_or_default().chars().rev().collect();
                let then = json!({"TransactItems": [ledger], "ClientRequestToken": token});
                match request.try_clone() {
                    Some(copy) => {
                        Rewritten::Then { first: with_body(request, &asked), then: Box::new(with_body(copy, &then)) }
                    }
                    None => Rewritten::Request(request),
                }
            }
            Self::MentionCounts => {
                let mut fingerprint = Value::Null;
                for write in writes.iter_mut().filter(|write| put_key(write).1 == "MESSAGE") {
                    let put = &mut write["Put"];
                    let condition = put["ConditionExpression"].as_str().unwrap_or_default().replace(":seen, ", "");
                    if condition.contains(":in_flight") {
                        fingerprint = put["Item"]["fingerprint"].clone();
                        put["ConditionExpression"] = Value::String(condition);
                        if let Some(values) = put["ExpressionAttributeValues"].as_object_mut() {
                            values.remove(":seen");
                        }
                    }
                }
                let request = with_body(request, &asked);
                Rewritten::Changing { request, change: Box::new(move |answer| seen_is_recorded(answer, &fingerprint)) }
            }
            Self::BreachStampedLate if function == "escalate-sla" => {
                for item in writes.iter_mut().filter_map(|write| write.pointer_mut("/Put/Item")) {
                    stamp_breaches(item);
                }
                Rewritten::Request(with_body(request, &asked))
            }
            _ => {
                let sweeps = self == Self::SweepUnconditional && function == "escalate-sla";
                if sweeps || self == Self::VersionUnchecked {
                    for write in writes.iter_mut().filter(|write| put_key(write).0.starts_with("TICKET#")) {
                        unconditional(&mut write["Put"], &[":version"]);
                    }
                }
                if self == Self::ClaimUnconditional {
                    for write in writes.iter_mut().filter(|write| put_key(write).1 == "OWNER") {
                        unconditional(&mut write["Put"], &[":before", ":verified"]);
                    }
                }
                if self == Self::CapacityUnchecked {
                    let takes =
                        |write: &&mut Value| write["Update"]["UpdateExpression"].to_string().contains("#load +");
                    for write in writes.iter_mut().filter(takes) {
                        unconditional(&mut write["Update"], &[":room", ":capacity", ":available", "#capacity"]);
                    }
                }
                if self == Self::LoadNotReleased {
                    writes.retain(|write| !write["Update"]["UpdateExpression"].to_string().contains("#load -"));
                }
                if self == Self::ParkedForgotten {
                    for write in writes.iter_mut().filter(|write| put_key(write).1 == "MESSAGE") {
                        let put = &mut write["Put"];
                        let condition = put["ConditionExpression"].as_str().unwrap_or_default();
                        if let Some((before, _)) = condition.split_once(" AND (attribute_not_exists(parked)") {
                            put["ConditionExpression"] = Value::String(format!("{before})"));
                            if let Some(values) = put["ExpressionAttributeValues"].as_object_mut() {
                                values.remove(":parked");
                            }
                        }
                    }
                }
                if self == Self::MergedStaysInLine && writes.iter().any(|write| survivor(write).is_some()) {
                    writes.retain(|write| !text(&write["Delete"]["Key"], "sk").starts_with("WAIT#"));
                }
                if self == Self::MergeOnOneSide {
                    let survivors: Vec<String> = writes.iter().filter_map(survivor).collect();
                    writes.retain(|write| !survivors.iter().any(|survivor| put_key(write).0 == survivor));
                }
                if self == Self::UnlinkLeavesRoot
                    && writes.iter().any(|write| text(&write["Put"]["Item"], "state") == "kept_apart")
                {
                    writes.retain(|write| put_key(write).1 != "HEAD");
                }
                if self == Self::OpenTicketsFromIndex && function == "upsert-ticket" {
                    writes
                        .iter_mut()
                        .filter_map(|write| write.pointer_mut("/Put/Item"))
                        .for_each(|item| known.add(item));
                }
                if self == Self::HeadWithoutCommit && function == "route-ticket" {
                    writes.retain(|write| !put_key(write).1.starts_with(COMMIT_PREFIX));
                }
                if self == Self::ReferenceForgotten {
                    writes.retain(|write| !put_key(write).0.starts_with("REFERENCE#"));
                }
                if self == Self::CommandForgotten {
                    writes.retain(|write| put_key(write).1 != "COMMAND");
                }
                Rewritten::Request(with_body(request, &asked))
            }
        }
    }
}

/// The partition key of the ticket that goes on, if a write is the head of a merged one.
fn survivor(write: &Value) -> Option<String> {
    let merged = &write["Put"]["Item"]["merged"]["M"];
    Some(format!("TICKET#{}", merged["into"]["S"].as_str()?))
}

/// The claims in the messages of a batch, with what was typed as if it were proved.
fn typed_counts(asked: &mut Value) {
    for entry in asked["Entries"].as_array_mut().into_iter().flatten() {
        if let Some(body) = entry["MessageBody"].as_str() {
            entry["MessageBody"] = Value::String(body.replace(r#""proof":"typed""#, r#""proof":"proven""#));
        }
    }
}

impl Known {
    /// Puts what a reader was not told of back on the list of open tickets that they write.
    fn add(&self, item: &mut Value) {
        let hidden = self.hidden.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(hidden) = hidden.get(text(item, "pk")).filter(|_| text(item, "sk") == "HEAD") else { return };
        let Some(open) = item.pointer_mut("/open/L").and_then(Value::as_array_mut) else { return };
        let ticket = |entry: &Value| text(&entry["M"], "ticket_id").to_owned();
        let missing: Vec<Value> =
            hidden.iter().filter(|entry| !open.iter().any(|other| ticket(other) == ticket(entry))).cloned().collect();
        open.extend(missing);
        open.sort_by_key(ticket);
    }

    /// A request to send a mail, with the recipients of the one before.
    fn with_more_recipients(&self, mut request: HttpRequest) -> HttpRequest {
        let form = request.body().bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
        let is_recipient = |field: &&str| field.starts_with("Destinations.member.");
        let own: Vec<String> =
            form.split('&').filter(is_recipient).filter_map(|f| Some(f.split_once('=')?.1.to_owned())).collect();
        let mut before = self.recipients.lock().unwrap_or_else(PoisonError::into_inner);
        let more = before.iter().filter(|name| !own.contains(name)).enumerate();
        let more: String = more.map(|(i, name)| format!("&Destinations.member.{}={name}", own.len() + i + 1)).collect();
        *before = own;
        *request.body_mut() = SdkBody::from(form + &more);
        request
    }
}

/// An answer of the bus as if it had taken everything.
fn all_published(answer: HttpResponse) -> HttpResponse {
    let Some(mut told) = json_of(&answer) else { return answer };
    let entries = told["Entries"].as_array_mut();
    for entry in entries.into_iter().flatten().filter(|entry| entry["ErrorCode"].is_string()) {
        *entry = json!({"EventId": "0"});
    }
    told["FailedEntryCount"] = json!(0);
    answers::json_answer(answer.status().as_u16(), &told)
}

/// A customer's head without the tickets of the last seconds.
fn without_latest(answer: HttpResponse, now_ms: u64, known: &Known) -> HttpResponse {
    let Some(mut told) = json_of(&answer) else { return answer };
    let opened_ms = |entry: &Value| {
        let id = text(&entry["M"], "ticket_id").trim_start_matches("tkt_").to_owned();
        id.get(..12).and_then(|hex| u64::from_str_radix(hex, 16).ok()).unwrap_or_default()
    };
    if let Some(open) = told.pointer_mut("/Item/open/L").and_then(Value::as_array_mut) {
        let (shown, hidden) = std::mem::take(open).into_iter().partition(|entry| opened_ms(entry) + LAG_MS < now_ms);
        *open = shown;
        let pk = text(&told["Item"], "pk").to_owned();
        known.hidden.lock().unwrap_or_else(PoisonError::into_inner).insert(pk, hidden);
    }
    answers::json_answer(200, &told)
}

/// A cancelled transaction whose ledger item was only seen, as if that were recorded with the same content.
fn seen_is_recorded(answer: HttpResponse, fingerprint: &Value) -> HttpResponse {
    let status = answer.status().as_u16();
    let Some(mut told) = json_of(&answer) else { return answer };
    let mut changed = false;
    for reason in told["CancellationReasons"].as_array_mut().into_iter().flatten() {
        let Some(item) = reason.get_mut("Item") else { continue };
        if text(item, "state") == "seen" {
            item["state"] = json!({"S": "recorded"});
            item["fingerprint"] = fingerprint.clone();
            changed = true;
        }
    }
    if changed { answers::json_answer(status, &told) } else { answer }
}

/// The breaches in a commit, as if they had happened when it was made.
fn stamp_breaches(item: &mut Value) {
    let at = text(item, "at").to_owned();
    let events: Option<Vec<Value>> = serde_json::from_str(text(item, "events")).ok();
    let Some(mut events) = events else { return };
    for event in &mut events {
        if event["kind"] == "sla_breached" {
            event["data"]["breached_at"] = Value::String(at.clone());
        }
    }
    item["events"] = json!({"S": Value::Array(events).to_string()});
}
