//! The simulated cloud: the embedded services, the functions as instances that come and go, virtual time.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::config::retry::RetryPartition;
use axum::Router;
use axum::body::Body;
use futures::FutureExt;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use throughline_aws::Aws;
use throughline_domain::moment::Moment;
use throughline_local::Seed;
use throughline_platform::App;
use throughline_platform::clients::Clients;
use throughline_platform::clock::Clock;
use throughline_platform::config::{QueueUrls, SecretSource, Settings};
use throughline_platform::randomness::Randomness;
use throughline_platform::telemetry::Metrics;
use throughline_queues::{QUEUE_URL_PREFIX, QueueSpec};
use tokio::sync::Notify;
use tokio::time::Instant;
use tower::ServiceExt;

use crate::defects::Defect;
use crate::faults::Faults;
use crate::instance::{self, Ended, Instance};
use crate::memory::Memory;
use crate::plan::Plan;
use crate::random::Random;
use crate::trace::Trace;

/// The business that is simulated.
const BUSINESS: &str = include_str!("../business.toml");
/// Name of table and bucket.
pub(crate) const NAME: &str = "throughline";
/// A function's own time-out.
pub(crate) const FUNCTION_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a message that a function has stays hidden from others.
const VISIBILITY: Duration = Duration::from_secs(180);
/// Receives after which a message becomes a dead letter.
const RECEIVES_MAX: u32 = 1_000;
/// The queues, each with a dead-letter queue.
pub(crate) const QUEUES: [&str; 5] = ["mail", "inbound.fifo", "identified.fifo", "routing.fifo", "outbound.fifo"];
/// How often an instance is replaced after it did its work, in times out of a thousand: deployments, scaling in.
const REPLACED_PER_MILLE: u64 = 60;
/// Largest answer of a function that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// An instance of a function that waits for its next event.
struct Warm {
    name: String,
    app: App,
    router: Option<Router>,
}

/// The simulated cloud.
pub(crate) struct Cloud {
    /// What the seed is about.
    pub(crate) plan: Plan,
    /// The business.
    pub(crate) business: Seed,
    /// The services, without faults.
    pub(crate) aws: Aws,
    /// What happened.
    pub(crate) trace: Arc<Trace>,
    /// What goes wrong.
    pub(crate) faults: Faults,
    /// For what the cloud does by itself.
    pub(crate) random: Random,
    /// An app that looks on from outside: no faults, right time.
    pub(crate) observer: App,
    /// Told when the breach check begins.
    pub(crate) checks: Notify,
    clients: Clients,
    begin: Instant,
    number: AtomicU64,
    warm: Mutex<BTreeMap<&'static str, Vec<Warm>>>,
    memory: Mutex<Memory>,
}

/// `inbound-dead.fifo` for `inbound.fifo`.
pub(crate) fn dead_letters_of(name: &str) -> String {
    match name.strip_suffix(".fifo") {
        Some(base) => format!("{base}-dead.fifo"),
        None => format!("{name}-dead"),
    }
}

fn settings(business: &Seed) -> Settings {
    let url = |name: &str| format!("{QUEUE_URL_PREFIX}{name}");
    Settings {
        table: NAME.to_owned(),
        bucket: NAME.to_owned(),
        queues: QueueUrls {
            mail: url("mail"),
            inbound: url("inbound.fifo"),
            identified: url("identified.fifo"),
            routing: url("routing.fifo"),
            outbound: url("outbound.fifo"),
        },
        event_bus: NAME.to_owned(),
        secrets: SecretSource::Fixed(business.secrets.clone()),
        oidc: business.oidc(),
    }
}

impl Cloud {
    /// A new cloud with the business planted and nobody at work.
    pub(crate) async fn new(plan: Plan, defect: Option<Defect>) -> anyhow::Result<Arc<Self>> {
        // The SDK's waits between attempts come from here.
        fastrand::seed(plan.seed);
        let begin = Instant::now();
        let at = plan.begin;
        let wall =
            move || at.plus_ms(i64::try_from(Instant::now().duration_since(begin).as_millis()).unwrap_or(i64::MAX));
        let aws = Aws::memory_with_clock(Arc::new(move || u64::try_from(wall().ms()).unwrap_or_default()))?;
        aws.create_bucket(NAME)?;
        for name in QUEUES {
            let dead = dead_letters_of(name);
            let spec = |name: &str| match name.ends_with(".fifo") {
                true => QueueSpec::fifo(name),
                false => QueueSpec::standard(name),
            };
            aws.queues().create(&spec(&dead).visibility_timeout(VISIBILITY))?;
            aws.queues().create(&spec(name).visibility_timeout(VISIBILITY).dead_letter(&dead, RECEIVES_MAX))?;
        }
        let trace = Arc::new(Trace::begin());
        let faults = Faults::new(&plan, Arc::clone(&trace), defect);
        let partition = RetryPartition::custom("simulation").build();
        let clients = Clients::apart(&aws.with_interceptor(Arc::new(faults.clone())).sdk_config(), partition);
        let business = Seed::read(&BUSINESS.replace("CAPACITY", &plan.capacity.to_string()))?;
        let clock = Clock::Given(Arc::new(wall));
        let observer = App::new(settings(&business), clients.clone(), clock, Metrics::default());
        observer.store.create_table().await?;
        business.plant(&observer).await?;
        trace.line("plan", format_args!("{plan:?}"));
        Ok(Arc::new(Self {
            random: Random::of(plan.seed, "cloud"),
            business,
            aws,
            trace,
            faults,
            observer,
            checks: Notify::new(),
            clients,
            begin,
            number: AtomicU64::new(0),
            warm: Mutex::default(),
            memory: Mutex::default(),
            plan,
        }))
    }

    /// The right time.
    pub(crate) fn now(&self) -> Moment {
        self.observer.clock.now()
    }

    /// What was sent and accepted.
    pub(crate) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The mail service, or somebody else, puts something into the queue of mail.
    pub(crate) async fn notify_of_mail(&self, body: &str) {
        let body = json!({"QueueUrl": format!("{QUEUE_URL_PREFIX}mail"), "MessageBody": body});
        self.aws.queues().call("AmazonSQS.SendMessage", body.to_string().as_bytes()).await;
        self.faults.poke();
    }

    /// An instance that just started: nothing in its caches, its clock a little off.
    fn cold(&self, function: &'static str) -> Warm {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let name = format!("{function}/{number}");
        let skew_max = i64::try_from(self.plan.skew_ms_max).unwrap_or_default();
        let skew = i64::try_from(self.random.below(2 * self.plan.skew_ms_max + 1)).unwrap_or_default() - skew_max;
        let (begin, at) = (self.begin, self.plan.begin.plus_ms(skew));
        let clock = Clock::Given(Arc::new(move || {
            at.plus_ms(i64::try_from(Instant::now().duration_since(begin).as_millis()).unwrap_or(i64::MAX))
        }));
        let draws = Random::of(self.plan.seed, &name);
        let mut app = App::new(settings(&self.business), self.clients.clone(), clock, Metrics::default());
        app.randomness = Randomness::Given(Arc::new(move || draws.draw()));
        self.trace.line(&name, format_args!("starts, {skew} ms off"));
        Warm { name, app, router: None }
    }

    fn take(&self, function: &'static str) -> Warm {
        let warm = self.warm.lock().unwrap_or_else(PoisonError::into_inner).get_mut(function).and_then(Vec::pop);
        warm.unwrap_or_else(|| self.cold(function))
    }

    fn give_back(&self, function: &'static str, warm: Warm) {
        if !self.random.chance(REPLACED_PER_MILLE) {
            self.warm.lock().unwrap_or_else(PoisonError::into_inner).entry(function).or_default().push(warm);
        }
    }

    /// Lets an instance of a function do something; nothing when it crashed or took too long.
    pub(crate) async fn invoke<T, F: Future<Output = T>>(
        &self,
        function: &'static str,
        event: impl FnOnce(App) -> F,
    ) -> Option<T> {
        let warm = self.take(function);
        let at = Instance::new(function, warm.name.clone());
        match instance::work(at, FUNCTION_TIMEOUT, event(warm.app.clone())).await {
            Ended::Done(done) => {
                self.give_back(function, warm);
                Some(done)
            }
            Ended::Crashed => None,
            Ended::TimedOut => {
                self.trace.line(&warm.name, format_args!("is stopped: its time is over"));
                None
            }
        }
    }

    /// A request to an HTTP function; nothing when no answer comes back.
    pub(crate) async fn http(&self, function: &'static str, request: Request<Body>) -> Option<(StatusCode, Value)> {
        let mut warm = self.take(function);
        let router = warm.router.take().unwrap_or_else(|| match function {
            "serve-api" => serve_api::router(warm.app.clone()),
            _ => ingest_webhook::router(warm.app.clone()),
        });
        warm.router = Some(router.clone());
        let at = Instance::new(function, warm.name.clone());
        let answer = async {
            let Ok(answer) = router.oneshot(request).await;
            let (parts, body) = answer.into_parts();
            let body = axum::body::to_bytes(body, ANSWER_BYTES_MAX).await.unwrap_or_default();
            (parts.status, serde_json::from_slice(&body).unwrap_or_default())
        };
        let Ended::Done(answer) = instance::work(at, FUNCTION_TIMEOUT, answer.boxed()).await else { return None };
        self.give_back(function, warm);
        (!self.random.chance(self.faults.rates().hang_up)).then_some(answer)
    }
}
