//! An embedded queue service with the semantics and the protocol of Amazon SQS, for one process.
//!
//! [`Queues::call`] takes what a client would send over HTTP (AWS JSON 1.0: the value of `X-Amz-Target` and the body) and
//! gives what it would get back. A custom connector puts it behind the real `aws-sdk-sqs`, with no socket between; see
//! `tests/semantics.rs`. FIFO queues keep order within groups, lock a group while any of its messages is in flight, and
//! de-duplicate for five minutes; dead letters, visibility time-outs and long polls are as in SQS.
//!
//! What differs from SQS: messages are kept until they are deleted (no retention period), there is no limit on how many
//! are in flight, permissions, tags and encryption settings are not known, and `PurgeQueue` may be called at any time.
//!
//! A service opened with [`Queues::open`] writes a journal. It survives the end of the process in any way, but is not
//! synced to disk: a power cut can lose the last operations. After a restart everything that was in flight is visible
//! again, with its receive count.
//!
//! # Time
//! Time-outs follow `tokio::time`, so a test or simulation with paused time decides when they end. Nothing runs in the
//! background: what is due is worked out by the next operation. Wall time is only for what clients see, and can be given
//! with [`Queues::memory_with_clock`] and [`Queues::open_with_clock`].
//!
//! ```
//! use throughline_queues::{QueueSpec, Queues};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let queues = Queues::memory();
//! let url = queues.create(&QueueSpec::fifo("inbound.fifo"))?;
//! let body = format!(
//!     r#"{{"QueueUrl":"{url}","MessageBody":"hello","MessageGroupId":"a","MessageDeduplicationId":"1"}}"#
//! );
//! let reply = queues.call("AmazonSQS.SendMessage", body.as_bytes()).await;
//! assert_eq!(reply.status, 200);
//! assert_eq!(queues.depth("inbound.fifo").visible, 1);
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod actions;
mod attributes;
mod dedup;
mod digest;
mod fault;
mod handle;
mod journal;
pub mod limits;
mod message;
mod protocol;
mod queue;
mod spec;
mod store;
mod validate;

use crate::queue::Moment;
use crate::store::Store;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;
use tokio::time::Instant;

pub use crate::queue::Depth;
pub use crate::spec::{DeadLetter, QueueSpec};

/// A queue's URL is this and its name.
pub const QUEUE_URL_PREFIX: &str = "http://sqs.local/000000000000/";
/// A queue's ARN is this and its name.
pub const QUEUE_ARN_PREFIX: &str = "arn:aws:sqs:local:000000000000:";
/// Value of the `Content-Type` header of every reply.
pub const CONTENT_TYPE: &str = "application/x-amz-json-1.0";
/// Name of the header in which clients find the code of an error.
pub const QUERY_ERROR_HEADER: &str = "x-amzn-query-error";

/// Wall time in milliseconds since 1970.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The answer to a call, to be turned into an HTTP response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status: 200, or what the error has.
    pub status: u16,
    /// Value of the header [`QUERY_ERROR_HEADER`], on errors.
    pub query_error: Option<String>,
    /// JSON, with the content type [`CONTENT_TYPE`].
    pub body: Vec<u8>,
}

/// Why [`Queues::create`] failed.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// A setting is out of its range, or does not fit the others.
    #[error("{0}")]
    Invalid(String),
    /// The journal cannot be written.
    #[error("the journal cannot be written: {0}")]
    Journal(#[source] io::Error),
}

/// The queue service. Clones share the same queues.
#[derive(Clone)]
pub struct Queues {
    shared: Arc<Shared>,
}

struct Shared {
    store: Mutex<Store>,
    /// Told of every operation.
    changed: Notify,
    clock: Clock,
}

impl std::fmt::Debug for Queues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queues").finish_non_exhaustive()
    }
}

impl Queues {
    /// A service that forgets everything with its last clone.
    pub fn memory() -> Self {
        Self::memory_with_clock(system_clock())
    }

    /// As [`Queues::memory`], with wall time from `clock`.
    pub fn memory_with_clock(clock: Clock) -> Self {
        Self::of(Store::default(), clock)
    }

    /// A service that keeps its queues in the folder `dir`, which is made if need be. Reads the journal there and rewrites
    /// it without what is deleted.
    ///
    /// # Errors
    /// Any I/O error; `WouldBlock` when the folder is in use by another process or by another instance in this one;
    /// `InvalidData` when the journal was changed by somebody else.
    pub fn open(dir: &Path) -> io::Result<Self> {
        Self::open_with_clock(dir, system_clock())
    }

    /// As [`Queues::open`], with wall time from `clock`.
    ///
    /// # Errors
    /// As [`Queues::open`].
    pub fn open_with_clock(dir: &Path, clock: Clock) -> io::Result<Self> {
        let store = Store::open(dir, Moment { now: Instant::now(), now_ms: clock() })?;
        Ok(Self::of(store, clock))
    }

    fn of(store: Store, clock: Clock) -> Self {
        Self { shared: Arc::new(Shared { store: Mutex::new(store), changed: Notify::new(), clock }) }
    }

    /// Makes a queue and returns its URL. A queue that is there already keeps its messages and gets the new settings.
    ///
    /// # Errors
    /// When a setting is out of range, the dead-letter queue does not exist or is of another kind, or the journal cannot
    /// be written.
    pub fn create(&self, spec: &QueueSpec) -> Result<String, CreateError> {
        self.change(|store, at| validate::spec(store, spec).map(|()| store.put_queue(spec, at)))
            .map_err(|fault| CreateError::Invalid(fault.message))?
            .map_err(|error| match error {
                store::StoreError::Journal(error) => CreateError::Journal(error),
                store::StoreError::NoQueue => CreateError::Invalid(error.to_string()),
            })?;
        Ok(spec::url(&spec.name))
    }

    /// Performs one action of the SQS protocol. `target` is the value of the header `X-Amz-Target`, such as
    /// `AmazonSQS.SendMessage`.
    ///
    /// Only a receive with a wait time takes long. Dropping the future at any point loses nothing: a receive takes
    /// messages only in the same step in which it returns them, and every other action is done in one step. With a journal
    /// the calling thread writes to the file, and now and then, in proportion to what was written, rewrites it.
    pub async fn call(&self, target: &str, body: &[u8]) -> Reply {
        // Nothing here waits for anything outside, so a loop of calls would never let other tasks run.
        tokio::task::coop::consume_budget().await;
        match actions::perform(self, target, body).await {
            Ok(body) => Reply { status: 200, query_error: None, body },
            Err(fault) => protocol::error_reply(&fault),
        }
    }

    /// How many messages a queue holds; nothing for a queue that does not exist.
    pub fn depth(&self, name: &str) -> Depth {
        self.with(|store, at| {
            store.slot(name).map_or_else(
                |_| Depth::default(),
                |slot| {
                    slot.queue.tick(at.now);
                    slot.queue.depth()
                },
            )
        })
    }

    /// How many messages each queue holds, by name.
    pub fn depths(&self) -> BTreeMap<String, Depth> {
        self.with(|store, at| store.depths(at.now).0)
    }

    /// Waits until the depths of the queues satisfy `condition`. Looks after every operation and whenever a message
    /// becomes visible by itself, and so misses nothing and never polls. Meant for tests: each look costs O(queues).
    pub async fn wait_until(&self, condition: impl Fn(&BTreeMap<String, Depth>) -> bool) {
        loop {
            let mut changed = std::pin::pin!(self.shared.changed.notified());
            changed.as_mut().enable();
            let (depths, due) = self.with(|store, at| store.depths(at.now));
            if condition(&depths) {
                return;
            }
            match due {
                Some(due) => drop(tokio::time::timeout_at(due, changed).await),
                None => changed.await,
            }
        }
    }

    /// Runs one operation. The lock is never held across an await.
    fn with<R>(&self, operation: impl FnOnce(&mut Store, Moment) -> R) -> R {
        // A panic in an operation is a bug here, but no reason to take everybody else down.
        let mut store = self.shared.store.lock().unwrap_or_else(PoisonError::into_inner);
        operation(&mut store, Moment { now: Instant::now(), now_ms: (self.shared.clock)() })
    }

    /// As `with`, for operations that change something.
    fn change<R>(&self, operation: impl FnOnce(&mut Store, Moment) -> R) -> R {
        let result = self.with(operation);
        self.shared.changed.notify_waiters();
        result
    }
}

/// The wall clock of the system.
fn system_clock() -> Clock {
    #[expect(clippy::disallowed_methods, reason = "the default source of time of a service of its own")]
    Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
