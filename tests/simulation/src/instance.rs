//! Running instances of functions: each has a name in the trace and can be gone between any two of its requests, with
//! everything that it had in memory.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

tokio::task_local! {
    static HERE: Arc<Instance>;
}

/// An instance of a function at work on one event.
#[derive(Debug)]
pub(crate) struct Instance {
    /// The function.
    pub(crate) function: &'static str,
    /// Function and number.
    pub(crate) name: String,
    requests: AtomicU32,
    gone: Notify,
}

/// How the work on an event ended.
#[derive(Debug)]
pub(crate) enum Ended<T> {
    /// It was done.
    Done(T),
    /// The instance crashed.
    Crashed,
    /// Its time was over.
    TimedOut,
}

impl Instance {
    /// An instance.
    pub(crate) fn new(function: &'static str, name: String) -> Arc<Self> {
        Arc::new(Self { function, name, requests: AtomicU32::new(0), gone: Notify::new() })
    }

    /// Counts a request; returns its number.
    pub(crate) fn request(&self) -> u32 {
        self.requests.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The end of this instance: never returns.
    pub(crate) async fn crash(&self) -> std::convert::Infallible {
        self.gone.notify_one();
        std::future::pending().await
    }
}

/// The instance that makes the request; nothing for who looks on from outside.
pub(crate) fn here() -> Option<Arc<Instance>> {
    HERE.try_with(Arc::clone).ok()
}

/// Lets an instance work until it is done, crashes, or its time is over.
pub(crate) async fn work<T>(at: Arc<Instance>, patience: Duration, work: impl Future<Output = T>) -> Ended<T> {
    let gone = Arc::clone(&at);
    tokio::select! {
        biased;
        () = gone.gone.notified() => Ended::Crashed,
        done = HERE.scope(at, work) => Ended::Done(done),
        () = tokio::time::sleep(patience) => Ended::TimedOut,
    }
}
