//! The whole system in one process.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures::FutureExt;
use throughline_aws::Aws;
use throughline_platform::App;
use throughline_platform::clients::Clients;
use throughline_platform::clock::Clock;
use throughline_platform::config::{QueueUrls, SecretSource, Settings};
use throughline_platform::fetch::Fetcher;
use throughline_platform::telemetry::Metrics;
use throughline_queues::{Depth, QUEUE_ARN_PREFIX, QUEUE_URL_PREFIX, QueueSpec};
use throughline_smtp::Limits;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::front;
use crate::mail_in::MailIn;
use crate::objects::OBJECTS;
use crate::seed::Seed;
use crate::sources::{self, Handler, QueueSource};

/// Name of the table.
pub const TABLE: &str = "throughline";
/// Name of the bucket.
const BUCKET: &str = "throughline";
/// Name of the event bus.
const BUS: &str = "throughline";
/// How long a message that a function has stays hidden from others.
const VISIBILITY: Duration = Duration::from_secs(180);
/// Receives after which a message becomes a dead letter: many, for a message behind a failing one of its group is
/// received with it.
const RECEIVES_MAX: u32 = 1_000;
/// How many batches of a queue are worked on at once.
const CONCURRENCY: usize = 2;
/// How long stopping waits for what is under way.
const STOP_PATIENCE: Duration = Duration::from_secs(35);

/// Where the system listens and keeps its data.
#[derive(Clone, Debug)]
pub struct Options {
    /// HTTP: channels, interface, inbox page.
    pub http: SocketAddr,
    /// SMTP: incoming mail.
    pub smtp: SocketAddr,
    /// Folder of the data; nothing: in memory, gone at the end.
    pub data: Option<PathBuf>,
    /// What a new data folder starts with, and the development secrets.
    pub seed: Seed,
    /// Whether a new data folder starts with the seed's teams, agents and rules. Without, its table is empty: as that of
    /// a stack that was just deployed.
    pub plant: bool,
    /// Time.
    pub clock: Clock,
    /// Whether the breach check runs each minute.
    pub schedule: bool,
    /// Whether commits are relayed as they are made. Without it only the breach check drives what they make necessary:
    /// as if the table's stream lost everything.
    pub relay: bool,
    /// From whom files are had that providers hold.
    pub fetcher: Fetcher,
    /// Where measurements go.
    pub metrics: Metrics,
}

impl Options {
    /// In memory, on free ports: for tests.
    ///
    /// # Errors
    /// When the built-in seed is broken.
    pub fn for_test() -> anyhow::Result<Self> {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Ok(Self {
            http: any,
            smtp: any,
            data: None,
            seed: Seed::built_in()?,
            plant: true,
            clock: Clock::System,
            schedule: false,
            relay: true,
            fetcher: Fetcher::nobody(),
            metrics: Metrics::default(),
        })
    }
}

/// The running system.
pub struct System {
    /// The embedded services.
    pub aws: Aws,
    /// What the functions hold.
    pub app: App,
    /// Where HTTP listens.
    pub http: SocketAddr,
    /// Where SMTP listens.
    pub smtp: SocketAddr,
    /// Sequence of the last commit that the relay is through with; nothing without a relay.
    relayed: Option<watch::Receiver<u64>>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    stop_relay: watch::Sender<bool>,
    relay: JoinSet<()>,
}

/// The queues with the functions that they feed, in the order of a message's way.
const QUEUES: [(&str, &str, Handler); 5] = [
    ("mail", "ingest-email", |app, event, deadline| ingest_email::handle(app, event, deadline).boxed()),
    ("inbound.fifo", "resolve-identity", |app, event, deadline| resolve_identity::handle(app, event, deadline).boxed()),
    ("identified.fifo", "upsert-ticket", |app, event, deadline| upsert_ticket::handle(app, event, deadline).boxed()),
    ("routing.fifo", "route-ticket", |app, event, deadline| route_ticket::handle(app, event, deadline).boxed()),
    ("outbound.fifo", "send-outbound", |app, event, deadline| send_outbound::handle(app, event, deadline).boxed()),
];

impl System {
    /// Starts everything.
    ///
    /// # Errors
    /// When a port is taken, or the data folder is used by another process or cannot be read.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let http = listen(options.http, "HTTP", "--http").await?;
        let smtp = listen(options.smtp, "SMTP", "--smtp").await?;
        let aws = match &options.data {
            None => Aws::memory()?,
            Some(dir) => Aws::open(dir).with_context(|| {
                format!("the data folder {} cannot be used; is another process running on it?", dir.display())
            })?,
        };
        aws.create_bucket(BUCKET)?;
        let mut sources = Vec::new();
        for (name, function, handler) in QUEUES {
            let dead = dead_letters_of(name);
            create_queues(&aws, name, &dead)?;
            sources.extend([name, &dead].map(|name| QueueSource {
                function,
                url: format!("{QUEUE_URL_PREFIX}{name}"),
                arn: format!("{QUEUE_ARN_PREFIX}{name}"),
                handler,
            }));
        }
        let clients = Clients::new(&aws.sdk_config());
        let sqs = clients.sqs.clone();
        let settings = settings(&options.seed);
        let mut app = App::new(settings, clients, options.clock.clone(), options.metrics.clone());
        app.fetcher = options.fetcher.clone();
        app.blobs = app.blobs.linked_at(&format!("http://{}{OBJECTS}", http.local_addr()?));
        app.store.create_table().await?;
        if options.plant {
            options.seed.plant(&app).await?;
        }

        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let (stop_relay, relay_stopped) = watch::channel(false);
        let mut relay = JoinSet::new();
        let relayed = options.relay.then(|| {
            let (tell, relayed) = watch::channel(aws.last_commit());
            relay.spawn(sources::feed_relay(app.clone(), aws.commits(), tell, relay_stopped));
            relayed
        });
        for source in sources {
            for _ in 0..CONCURRENCY {
                tasks.spawn(sources::feed_queue(app.clone(), sqs.clone(), source.clone(), stopped.clone()));
            }
        }
        if options.schedule {
            tasks.spawn(sources::schedule(app.clone(), aws.clone(), stopped.clone()));
        }
        let (http_at, smtp_at) = (http.local_addr()?, smtp.local_addr()?);
        let seed = Arc::new(options.seed);
        let mail_in = Arc::new(MailIn { app: app.clone() });
        tasks.spawn(throughline_smtp::serve(smtp, mail_in, Limits::default(), stopping(stopped.clone())));
        let router = front::router(&app, &aws, seed);
        tasks.spawn(async move {
            let served = axum::serve(http, router).with_graceful_shutdown(stopping(stopped)).await;
            if let Err(error) = served {
                tracing::error!(error.detail = %error, "the HTTP front stopped");
            }
        });
        Ok(Self { aws, app, http: http_at, smtp: smtp_at, relayed, stop, tasks, stop_relay, relay })
    }

    /// Waits until nothing is on its way: every queue is empty, and the relay is through with every commit.
    ///
    /// Work is in a queue, received included, until its commits are made, and a commit counts as relayed only when its
    /// work is in a queue. So queues that are empty while every commit is relayed stay empty: nothing is left that could
    /// make a commit. A commit made between the two looks is one more than what was counted, and all is looked at again.
    pub async fn settled(&self) {
        loop {
            self.aws.queues().wait_until(all_empty).await;
            let made = self.aws.last_commit();
            if let Some(relayed) = &self.relayed {
                let mut relayed = relayed.clone();
                // An error says that the relay is gone, with the system.
                let _gone = relayed.wait_for(|relayed| *relayed >= made).await;
            }
            if all_empty(&self.aws.queues().depths()) && self.aws.last_commit() == made {
                return;
            }
        }
    }

    /// Stops: nothing new is taken, what was begun is finished and relayed; what is in the queues stays there.
    pub async fn stop(mut self) {
        let _nobody_listens = self.stop.send(true);
        let all = async {
            while self.tasks.join_next().await.is_some() {}
            // Only now: what was begun may have made commits to the end.
            let _nobody_listens = self.stop_relay.send(true);
            while self.relay.join_next().await.is_some() {}
        };
        if tokio::time::timeout(STOP_PATIENCE, all).await.is_err() {
            tracing::warn!("some work did not end in time; it is done again at the next start");
        }
    }
}

fn all_empty(depths: &BTreeMap<String, Depth>) -> bool {
    depths.values().all(Depth::is_empty)
}

async fn stopping(mut stopped: watch::Receiver<bool>) {
    let _gone = stopped.wait_for(|stop| *stop).await;
}

async fn listen(at: SocketAddr, what: &str, option: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(at).await.with_context(|| {
        format!("{what} cannot listen on {at}: the port may be taken; choose another with `{option} 127.0.0.1:PORT`")
    })
}

/// `inbound-dead.fifo` for `inbound.fifo`.
fn dead_letters_of(name: &str) -> String {
    match name.strip_suffix(".fifo") {
        Some(base) => format!("{base}-dead.fifo"),
        None => format!("{name}-dead"),
    }
}

fn create_queues(aws: &Aws, name: &str, dead: &str) -> anyhow::Result<()> {
    let spec = |name: &str| if name.ends_with(".fifo") { QueueSpec::fifo(name) } else { QueueSpec::standard(name) };
    aws.queues().create(&spec(dead).visibility_timeout(VISIBILITY))?;
    aws.queues().create(&spec(name).visibility_timeout(VISIBILITY).dead_letter(dead, RECEIVES_MAX))?;
    Ok(())
}

fn settings(seed: &Seed) -> Settings {
    let url = |name: &str| format!("{QUEUE_URL_PREFIX}{name}.fifo");
    Settings {
        table: TABLE.to_owned(),
        bucket: BUCKET.to_owned(),
        queues: QueueUrls {
            mail: format!("{QUEUE_URL_PREFIX}mail"),
            inbound: url("inbound"),
            identified: url("identified"),
            routing: url("routing"),
            outbound: url("outbound"),
        },
        event_bus: BUS.to_owned(),
        secrets: SecretSource::Fixed(seed.secrets.clone()),
        oidc: seed.oidc(),
    }
}
