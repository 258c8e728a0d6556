//! What goes wrong between the functions and the services. Sees every request of every function; who looks on from
//! outside, the checks, is left alone.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use serde_json::Value;
use throughline_aws::{Answer, Call, Interceptor, Next, Service};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::answers;
use crate::defects::{Defect, Known, Rewritten};
use crate::index::Index;
use crate::instance::{self, Instance};
use crate::partial::{self, Cut};
use crate::plan::{Plan, Rates};
use crate::random::Random;
use crate::trace::Trace;

/// Longest time that a request takes when nothing is wrong, in milliseconds.
const LATENCY_MS_MAX: u64 = 12;
/// An effect that comes after the client gave up comes this long after the request, in milliseconds. The breach check
/// rests on five seconds for a change and looks at what was due ten seconds ago; this stays within.
const LATE_MS: (u64, u64) = (1_600, 3_200);
/// Longest time that a request takes when it has to wait, in milliseconds: less than any client waits.
const WAIT_MS_MAX: u64 = 400;
/// How long a service is nearly down, in milliseconds, and how often it fails then, in times out of a thousand.
const OUTAGE_MS: (u64, u64) = (500, 20_000);
const OUTAGE_PER_MILLE: u64 = 500;
/// How much more often what goes wrong does so for mail going out: there is little of it.
const MAIL_TIMES: u64 = 4;
/// How old the answer of an index may be, in milliseconds.
const STALE_MS_MAX: u64 = 4_000;

/// The faults of a seed. Clones share them.
#[derive(Clone)]
pub(crate) struct Faults(Arc<State>);

struct State {
    on: AtomicBool,
    rates: Rates,
    random: Random,
    trace: Arc<Trace>,
    defect: Option<Defect>,
    begin: Instant,
    wall_begin_ms: u64,
    /// Until when services are nearly down, in milliseconds.
    outages: Mutex<BTreeMap<Service, u64>>,
    index: Mutex<Index>,
    order: Mutex<Vec<Queued>>,
    known: Arc<Known>,
    /// Told of every request to the queues.
    poke: Notify,
}

/// A message that came into the inbound queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Queued {
    /// Its sender's group.
    pub(crate) group: String,
    /// Our id of it.
    pub(crate) message: String,
}

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Error,
    Reset,
    Lost,
    Throttle,
    Slow,
    Late,
    Conflict,
    Partial,
    Stale,
}

impl Faults {
    /// Faults that are off until [`Faults::switch`].
    pub(crate) fn new(plan: &Plan, trace: Arc<Trace>, defect: Option<Defect>) -> Self {
        Self(Arc::new(State {
            on: AtomicBool::new(false),
            rates: plan.rates.clone(),
            random: Random::of(plan.seed, "faults"),
            trace,
            defect,
            begin: Instant::now(),
            wall_begin_ms: u64::try_from(plan.begin.ms()).unwrap_or_default(),
            outages: Mutex::default(),
            index: Mutex::default(),
            order: Mutex::default(),
            known: Arc::default(),
            poke: Notify::new(),
        }))
    }

    /// Switches the faults on or off. A defect stays.
    pub(crate) fn switch(&self, on: bool) {
        self.0.on.store(on, Ordering::Relaxed);
    }

    /// The rates in force: none while the faults are off.
    pub(crate) fn rates(&self) -> Rates {
        if self.0.on.load(Ordering::Relaxed) { self.0.rates.clone() } else { Rates::default() }
    }

    /// The defect that is being shown.
    pub(crate) fn defect(&self) -> Option<Defect> {
        self.0.defect
    }

    /// Waits for a request to the queues.
    pub(crate) async fn poked(&self) {
        self.0.poke.notified().await;
    }

    /// Says that there may be something in the queues.
    pub(crate) fn poke(&self) {
        self.0.poke.notify_one();
    }

    /// The messages that came into the inbound queue, in order.
    pub(crate) fn order(&self) -> Vec<Queued> {
        lock(&self.0.order).clone()
    }

    fn draw(&self, call: &Call) -> Option<Fault> {
        let rates = self.rates();
        let writes = matches!(call.operation.as_str(), "TransactWriteItems" | "PutItem" | "UpdateItem" | "DeleteItem");
        if self.is_down(call.service, &rates) {
            return Some(Fault::Error);
        }
        let possible = [
            (Fault::Error, rates.error, true),
            (Fault::Reset, rates.reset, true),
            (Fault::Lost, rates.lost, true),
            (Fault::Throttle, rates.throttle, true),
            (Fault::Slow, rates.slow, true),
            (Fault::Late, rates.late, call.service != Service::S3),
            (Fault::Conflict, rates.conflict, writes && call.service == Service::DynamoDb),
            (Fault::Partial, rates.partial, partial::is_batch(&call.operation)),
            (Fault::Stale, rates.stale, call.operation == "Query"),
        ];
        let times = if call.service == Service::Ses { MAIL_TIMES } else { 1 };
        possible
            .into_iter()
            .find(|(_, rate, fits)| *fits && self.0.random.chance(*rate * times))
            .map(|(fault, ..)| fault)
    }

    /// Whether the service is nearly down and fails this request.
    fn is_down(&self, service: Service, rates: &Rates) -> bool {
        let now = self.now_ms();
        let mut outages = lock(&self.0.outages);
        if self.0.random.chance(rates.outage) {
            outages.insert(service, now + self.0.random.between(OUTAGE_MS.0, OUTAGE_MS.1));
            self.0.trace.line("outage", format_args!("{service} is nearly down"));
        }
        let down = rates.outage > 0 && outages.get(&service).is_some_and(|until| now < *until);
        down && self.0.random.chance(OUTAGE_PER_MILLE)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(Instant::now().duration_since(self.0.begin).as_millis()).unwrap_or(u64::MAX)
    }

    /// The time since 1970.
    fn wall_ms(&self) -> u64 {
        self.0.wall_begin_ms + self.now_ms()
    }

    /// Carries a request out and takes note of it.
    async fn effect(&self, call: &Call, request: HttpRequest, next: &Next) -> Answer {
        let noted = match call.operation.as_str() {
            "TransactWriteItems" | "UpdateItem" | "SendMessageBatch" => body(&request),
            _ => None,
        };
        let answer = next.run(request).await;
        let done = answer.as_ref().is_ok_and(|answer| answer.status().is_success());
        if let Some(noted) = noted.filter(|_| done) {
            match call.operation.as_str() {
                "TransactWriteItems" => lock(&self.0.index).transaction(&noted, self.now_ms()),
                "UpdateItem" => lock(&self.0.index).update(&noted, self.now_ms()),
                _ => self.note_order(&noted),
            }
        }
        if call.service == Service::Sqs {
            self.0.poke.notify_one();
        }
        answer
    }

    fn note_order(&self, request: &Value) {
        if !request["QueueUrl"].as_str().is_some_and(|url| url.ends_with("/inbound.fifo")) {
            return;
        }
        for entry in request["Entries"].as_array().into_iter().flatten() {
            let body: Option<Value> = entry["MessageBody"].as_str().and_then(|body| serde_json::from_str(body).ok());
            let (Some(body), Some(group)) = (body, entry["MessageGroupId"].as_str()) else { continue };
            let pieces = body["data"].as_array().map_or(std::slice::from_ref(&body), Vec::as_slice);
            for message in pieces.iter().filter_map(|work| work["data"]["message"]["id"].as_str()) {
                let queued = Queued { group: group.to_owned(), message: message.to_owned() };
                let mut order = lock(&self.0.order);
                if !order.contains(&queued) {
                    order.push(queued);
                }
            }
        }
    }

    async fn fail(&self, fault: Fault, call: &Call, request: HttpRequest, next: &Next) -> Answer {
        match fault {
            Fault::Error => Ok(answers::internal(call.service)),
            Fault::Throttle => Ok(answers::throttled(call.service)),
            Fault::Reset => Err(answers::reset()),
            Fault::Lost => {
                let _lost = self.effect(call, request, next).await;
                Err(answers::reset())
            }
            Fault::Slow => std::future::pending().await,
            Fault::Late => {
                let (faults, call, next) = (self.clone(), call.clone(), next.clone());
                let after = Duration::from_millis(self.0.random.between(LATE_MS.0, LATE_MS.1));
                tokio::spawn(async move {
                    tokio::time::sleep(after).await;
                    faults.0.trace.line("late", format_args!("{} {}", call.service, call.operation));
                    let _nobody_waits = faults.effect(&call, request, &next).await;
                });
                std::future::pending().await
            }
            Fault::Conflict => self.conflict(call, &request),
            Fault::Partial => self.in_part(call, request, next).await,
            Fault::Stale => self.stale(call, request, next).await,
        }
    }

    fn conflict(&self, call: &Call, request: &HttpRequest) -> Answer {
        if call.operation != "TransactWriteItems" {
            return Ok(answers::item_conflict());
        }
        if self.0.random.chance(100) {
            return Ok(answers::in_progress());
        }
        let items = body(request).and_then(|body| Some(body["TransactItems"].as_array()?.len())).unwrap_or(1);
        Ok(answers::transaction_conflict(items, self.0.random.place(items)))
    }

    /// Carries out a part of a batch and says which.
    async fn in_part(&self, call: &Call, request: HttpRequest, next: &Next) -> Answer {
        let cut = body(&request).and_then(|asked| Cut::of(&call.operation, asked, &self.0.random));
        let Some(cut) = cut else { return self.effect(call, request, next).await };
        let answer = match &cut.asked {
            Some(asked) => Some(self.effect(call, with_body(request, asked), next).await?),
            None => None,
        };
        Ok(cut.answer(answer))
    }

    async fn stale(&self, call: &Call, request: HttpRequest, next: &Next) -> Answer {
        let asked = body(&request).filter(|asked| asked["IndexName"].is_string());
        let Some(asked) = asked else { return self.effect(call, request, next).await };
        let then = self.now_ms().saturating_sub(self.0.random.between(1, STALE_MS_MAX));
        let known = lock(&self.0.index).answer(&asked, then);
        match known {
            Some(answer) => Ok(answers::json_answer(200, &answer)),
            None => self.effect(call, request, next).await,
        }
    }

    /// The way of a request: a defect may change it, a fault may stop it.
    async fn pass(&self, at: &Instance, call: &Call, request: HttpRequest, next: &Next) -> Answer {
        let fault = self.draw(call);
        if let Some(fault) = fault {
            self.0.trace.line(&at.name, format_args!("{} {} meets {fault:?}", call.service, call.operation));
        }
        let request = match self.0.defect {
            None => request,
            Some(defect) => match defect.rewrite(at.function, call, request, self.wall_ms(), &self.0.known) {
                Rewritten::Request(request) => request,
                Rewritten::Then { first, then } => {
                    let answer = match fault {
                        None => self.effect(call, first, next).await?,
                        Some(fault) => self.fail(fault, call, first, next).await?,
                    };
                    if answer.status().is_success() && !self.crashes() {
                        self.effect(call, *then, next).await?;
                    }
                    return Ok(answer);
                }
                Rewritten::Answer(answer) => return Ok(answer),
                Rewritten::Changing { request, change } => {
                    let answer = match fault {
                        None => self.effect(call, request, next).await?,
                        Some(fault) => self.fail(fault, call, request, next).await?,
                    };
                    return Ok(change(answer));
                }
                Rewritten::Twice(request) => {
                    if let Some(copy) = request.try_clone() {
                        let first = self.effect(call, request, next).await;
                        return if fault.is_some() { self.effect(call, copy, next).await } else { first };
                    }
                    return self.effect(call, request, next).await;
                }
                Rewritten::Unheard(request) => {
                    // The answer does not wait for the effect, and does not tell of it.
                    let told = answers::messages_taken(&body(&request).unwrap_or_default());
                    if fault.is_none() {
                        self.effect(call, request, next).await?;
                    }
                    return Ok(told);
                }
            },
        };
        match fault {
            None => self.effect(call, request, next).await,
            Some(fault) => self.fail(fault, call, request, next).await,
        }
    }

    fn crashes(&self) -> bool {
        self.0.random.chance(self.rates().crash)
    }
}

#[async_trait::async_trait]
impl Interceptor for Faults {
    async fn call(&self, call: &Call, request: HttpRequest, next: &Next) -> Answer {
        let Some(at) = instance::here() else {
            return self.effect(call, request, next).await;
        };
        let number = at.request();
        let waits = self.0.random.chance(self.rates().wait);
        let latency_ms = self.0.random.between(1, if waits { WAIT_MS_MAX } else { LATENCY_MS_MAX });
        tokio::time::sleep(Duration::from_millis(latency_ms)).await;
        let sent = request.body().bytes().map_or(0, <[u8]>::len);
        if self.crashes() {
            let before = self.0.random.chance(500);
            let when = if before { "before" } else { "after" };
            self.0.trace.line(&at.name, format_args!("#{number} {} crashes {when} it", call.operation));
            if !before {
                let _nobody_left = self.effect(call, request, next).await;
            }
            match at.crash().await {}
        }
        let answer = self.pass(&at, call, request, next).await;
        match &answer {
            Ok(answer) => {
                let told = answer.body().bytes().map_or(0, <[u8]>::len);
                let status = answer.status().as_u16();
                let operation = &call.operation;
                self.0.trace.line(&at.name, format_args!("#{number} {operation} {sent} B: {status}, {told} B"));
            }
            Err(_) => self.0.trace.line(&at.name, format_args!("#{number} {} {sent} B: no answer", call.operation)),
        }
        answer
    }
}

/// The JSON body of a request.
pub(crate) fn body(request: &HttpRequest) -> Option<Value> {
    serde_json::from_slice(request.body().bytes()?).ok()
}

/// The JSON body of an answer.
pub(crate) fn json_of(answer: &HttpResponse) -> Option<Value> {
    serde_json::from_slice(answer.body().bytes()?).ok()
}

/// A request with another body.
pub(crate) fn with_body(mut request: HttpRequest, body: &Value) -> HttpRequest {
    *request.body_mut() = SdkBody::from(body.to_string());
    request
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
