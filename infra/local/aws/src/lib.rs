//! The AWS services that the functions use (DynamoDB, SQS, S3, SES, EventBridge), in this process and behind the real SDK clients.
//!
//! [`Aws::sdk_config`] is a configuration whose HTTP client gives each request to the service in place of a socket. The
//! local default and the tests run on it, and a simulation puts an [`Interceptor`] between.
//!
//! | service | what it is |
//! | --- | --- |
//! | DynamoDB | `dynoxide` on SQLite; what it commits under `EVENT#` sort keys is told to [`Aws::commits`] |
//! | SQS | [`throughline_queues`] |
//! | S3 | objects in SQLite: put, get, head, delete, list |
//! | SES | `SendRawEmail`, which keeps the mail: [`Aws::sent_mail`] |
//! | EventBridge | `PutEvents`, whose last entries are kept in memory: [`Aws::published`] |
//!
//! What [`Aws::open`] keeps survives the end of the process in any way. It is not synced to disk with each request: a
//! power cut can lose the last operations.
//!
//! Nothing runs in the background and nothing is handed to other threads. Calls to the table and the object store take
//! tens to hundreds of microseconds on the calling thread, less than handing them to another one would be worth, and a
//! simulation on one thread stays deterministic.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let aws = throughline_aws::Aws::memory()?;
//! aws.create_bucket("raw")?;
//! let s3 = aws_sdk_s3::Client::new(&aws.sdk_config());
//! s3.put_object().bucket("raw").key("a/b").body(b"hello".to_vec().into()).send().await?;
//! let object = s3.get_object().bucket("raw").key("a/b").send().await?;
//! assert_eq!(object.body.collect().await?.to_vec(), b"hello");
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod bus;
mod connector;
mod counts;
mod feed;
mod intercept;
mod mail;
mod objects;
mod query;
mod reply;
mod sdk;
mod table;
mod tokens;
mod writes;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use throughline_queues::Queues;
use tokio::sync::mpsc;

use crate::bus::Bus;
use crate::counts::Counter;
use crate::objects::Objects;
use crate::table::Table;

pub use crate::bus::{PUBLISHED_KEPT, Published};
pub use crate::connector::{Call, Service};
pub use crate::counts::{CallKey, Counts, INDEXES, STAGE, Tally};
pub use crate::feed::{COMMIT_PREFIX, Committed};
pub use crate::intercept::{Answer, Interceptor, Next};
pub use crate::mail::{Mailbox, SentMail};
pub use crate::sdk::{DYNAMODB_ENDPOINT, EVENTBRIDGE_ENDPOINT, REGION, S3_ENDPOINT, SES_ENDPOINT, SQS_ENDPOINT};
pub use throughline_queues::Clock;

/// File of the table in the folder of [`Aws::open`].
const TABLE_FILE: &str = "table.sqlite";
/// Folder of the queues.
const QUEUES_FOLDER: &str = "queues";
/// Folder of the objects.
const OBJECTS_FOLDER: &str = "objects";
/// Folder of the mail that was sent.
const MAIL_FOLDER: &str = "mail";

/// The services. Clones share them.
#[derive(Clone)]
pub struct Aws {
    services: Arc<Services>,
    interceptor: Option<Arc<dyn Interceptor>>,
}

pub(crate) struct Services {
    table: Table,
    queues: Queues,
    objects: Objects,
    mail: Mailbox,
    bus: Bus,
    counter: Counter,
}

/// Why the services could not be opened, or one of their stores not be used.
#[derive(Debug, thiserror::Error)]
pub enum AwsError {
    /// A folder or file cannot be used. `WouldBlock` when another process uses it.
    #[error("cannot use {what}: {source}")]
    Folder {
        /// Which.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// The table failed.
    #[error("the table: {0}")]
    Table(#[from] dynoxide::DynoxideError),
    /// The object store failed.
    #[error("the objects: {0}")]
    Objects(#[from] rusqlite::Error),
}

impl std::fmt::Debug for Aws {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Aws").finish_non_exhaustive()
    }
}

impl Aws {
    /// Services that forget everything with their last clone.
    ///
    /// # Errors
    /// When SQLite cannot be started.
    pub fn memory() -> Result<Self, AwsError> {
        Self::memory_with_clock(system_clock())
    }

    /// As [`Aws::memory`], with wall time from `clock`.
    ///
    /// # Errors
    /// As [`Aws::memory`].
    pub fn memory_with_clock(clock: Clock) -> Result<Self, AwsError> {
        Ok(Self::of(Services {
            table: Table::memory(Arc::clone(&clock))?,
            queues: Queues::memory_with_clock(Arc::clone(&clock)),
            objects: Objects::memory(Arc::clone(&clock))?,
            mail: Mailbox::memory(clock),
            bus: Bus::default(),
            counter: Counter::default(),
        }))
    }

    /// Services that keep everything in the folder `dir`, which is made if need be.
    ///
    /// # Errors
    /// When the folder cannot be used, for one because another process does.
    pub fn open(dir: &Path) -> Result<Self, AwsError> {
        let failed = |path: &Path| {
            let what = path.display().to_string();
            move |source| AwsError::Folder { what, source }
        };
        std::fs::create_dir_all(dir).map_err(failed(dir))?;
        let clock = system_clock();
        // First, because it locks its folder and with that the others.
        let queues = dir.join(QUEUES_FOLDER);
        let queues = Queues::open_with_clock(&queues, Arc::clone(&clock)).map_err(failed(&queues))?;
        let objects = dir.join(OBJECTS_FOLDER);
        std::fs::create_dir_all(&objects).map_err(failed(&objects))?;
        let mail = dir.join(MAIL_FOLDER);
        Ok(Self::of(Services {
            table: Table::open(&dir.join(TABLE_FILE), Arc::clone(&clock))?,
            queues,
            objects: Objects::open(&objects, Arc::clone(&clock))?,
            mail: Mailbox::open(&mail, clock).map_err(failed(&mail))?,
            bus: Bus::default(),
            counter: Counter::default(),
        }))
    }

    fn of(services: Services) -> Self {
        Self { services: Arc::new(services), interceptor: None }
    }

    /// The same services behind an interceptor, which sees every request of clients made from the result; clients made
    /// before are left alone.
    #[must_use]
    pub fn with_interceptor(&self, interceptor: Arc<dyn Interceptor>) -> Self {
        Self { services: Arc::clone(&self.services), interceptor: Some(interceptor) }
    }

    /// The queues.
    pub fn queues(&self) -> &Queues {
        &self.services.queues
    }

    /// Makes a bucket; one that is there already is left alone.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create_bucket(&self, name: &str) -> Result<(), AwsError> {
        Ok(self.services.objects.create_bucket(name)?)
    }

    /// What is committed to the table from now on: the items that a `TransactWriteItems` or `PutItem` put under sort keys
    /// that begin with [`COMMIT_PREFIX`], in the order of the commits. Each call gives a receiver of its own, which keeps
    /// everything until it is read or dropped.
    ///
    /// This is a stream without memory: what was not read when the process ends is lost, and has to be found in the table.
    pub fn commits(&self) -> mpsc::UnboundedReceiver<Committed> {
        self.services.table.feed().subscribe()
    }

    /// The sequence of the last commit that [`Aws::commits`] told; 0 before the first.
    pub fn last_commit(&self) -> u64 {
        self.services.table.feed().told()
    }

    /// Deletes items whose time to live is over, as DynamoDB does now and then; returns how many.
    ///
    /// # Errors
    /// When the table fails.
    pub fn delete_expired(&self) -> Result<usize, AwsError> {
        Ok(self.services.table.delete_expired()?)
    }

    /// Deletes the objects of a bucket that are under a prefix and older than `age`, as S3 does for a rule of the bucket's
    /// life cycle; returns how many.
    ///
    /// # Errors
    /// When they cannot be deleted.
    pub fn expire_objects(&self, bucket: &str, prefix: &str, age: Duration) -> Result<usize, AwsError> {
        Ok(self.services.objects.expire(bucket, prefix, age)?)
    }

    /// The mail that was sent.
    pub fn sent_mail(&self) -> &Mailbox {
        &self.services.mail
    }

    /// The last entries that were published, at most [`PUBLISHED_KEPT`], in their order.
    pub fn published(&self) -> Vec<Published> {
        self.services.bus.published()
    }

    /// Everything in a table, in DynamoDB JSON: for small tables.
    ///
    /// # Errors
    /// When there is no such table.
    pub fn dump(&self, table: &str) -> Result<Vec<serde_json::Value>, AwsError> {
        Ok(self.services.table.dump(table)?)
    }

    /// Puts items, in DynamoDB JSON, into a table without telling anybody: to fill a table quickly before something is
    /// measured on it.
    ///
    /// # Errors
    /// When one is not an item of the table.
    pub fn load(&self, table: &str, items: &[serde_json::Value]) -> Result<(), AwsError> {
        Ok(self.services.table.load(table, items)?)
    }

    /// Switches counting on or off. It is off at first, and then costs nothing.
    pub fn count(&self, on: bool) {
        self.services.counter.switch(on);
    }

    /// What was counted since the last reset. Requests that an interceptor kept from the services are not in it.
    pub fn counts(&self) -> Counts {
        self.services.counter.counts()
    }

    /// Starts counting from zero; returns what was counted before.
    pub fn reset_counts(&self) -> Counts {
        self.services.counter.reset()
    }
}

/// The wall clock of the system.
#[expect(clippy::disallowed_methods, reason = "this is where the wall clock comes from")]
fn system_clock() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
