//! All queues together with their journal: every operation changes the state, then writes its lines in one go.
//!
//! When the write fails the caller gets an error although the state has changed, which is what a lost answer looks like to
//! a client anyway. The next operation writes the whole journal anew, so memory and file cannot drift apart.

use crate::handle::{Handle, HandleError};
use crate::journal::{Journal, Record, Sink};
use crate::message::Content;
use crate::queue::{Delivery, Depth, Moment, Queue, Sent};
use crate::spec::QueueSpec;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Why an operation on the store failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("The specified queue does not exist.")]
    NoQueue,
    #[error("the journal cannot be written: {0}")]
    Journal(#[from] io::Error),
}

/// One queue and those who wait for its messages.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) queue: Queue,
    pub(crate) wake: Arc<Notify>,
}

/// The state of the service.
#[derive(Debug, Default)]
pub(crate) struct Store {
    queues: BTreeMap<String, Slot>,
    journal: Option<Journal>,
}

impl Store {
    /// Reads the journal in `dir` and compacts it.
    pub(crate) fn open(dir: &Path, at: Moment) -> io::Result<Self> {
        let mut store = Self::default();
        store.journal = Some(Journal::open(dir, |record| store.replay(record, at))?);
        store.compact(at)?;
        Ok(store)
    }

    pub(crate) fn slot(&mut self, name: &str) -> Result<&mut Slot, StoreError> {
        self.queues.get_mut(name).ok_or(StoreError::NoQueue)
    }

    pub(crate) fn spec(&self, name: &str) -> Result<Arc<QueueSpec>, StoreError> {
        self.queues.get(name).map(|slot| Arc::clone(&slot.queue.spec)).ok_or(StoreError::NoQueue)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.queues.keys()
    }

    /// Makes a queue, or changes the settings of one that is there.
    pub(crate) fn put_queue(&mut self, spec: &QueueSpec, at: Moment) -> Result<(), StoreError> {
        self.apply_spec(spec.clone());
        self.record(&Record::Queue(Cow::Borrowed(spec)))?;
        self.commit(at)
    }

    /// Sends messages, each with its delay.
    pub(crate) fn send(
        &mut self,
        name: &str,
        messages: Vec<(Arc<Content>, Duration)>,
        at: Moment,
    ) -> Result<Vec<Sent>, StoreError> {
        let Self { queues, journal } = self;
        let slot = queues.get_mut(name).ok_or(StoreError::NoQueue)?;
        let mut answers = Vec::with_capacity(messages.len());
        for (content, delay) in messages {
            let sent = slot.queue.send(content, delay, at);
            if let Some(journal) = journal.as_mut().filter(|_| sent.fresh) {
                put_message(journal, name, &mut slot.queue, sent.seq, at)?;
            }
            answers.push(sent);
        }
        slot.wake.notify_waiters();
        self.commit(at)?;
        Ok(answers)
    }

    /// Receives messages and moves those away that were received too often. Also tells when to look again if there are
    /// none: when the next message becomes visible by itself.
    pub(crate) fn receive(
        &mut self,
        name: &str,
        max: usize,
        visibility: Option<Duration>,
        at: Moment,
    ) -> Result<(Vec<Delivery>, Option<Instant>), StoreError> {
        let spec = self.spec(name)?;
        let dead_letter = spec.dead_letter.as_ref().filter(|to| self.queues.contains_key(&to.queue));
        let slot = self.slot(name)?;
        let visibility = visibility.unwrap_or(spec.visibility_timeout);
        let max_receives = dead_letter.map(|to| to.max_receive_count);
        let received = slot.queue.receive(max, visibility, max_receives, at);
        let due = slot.queue.next_due();
        if received.messages.is_empty() && received.dead.is_empty() {
            return Ok((Vec::new(), due));
        }
        // A poll that sleeps may have to wake earlier now, for these messages.
        slot.wake.notify_waiters();
        if let Some(to) = dead_letter.map(|to| to.queue.as_str())
            && !received.dead.is_empty()
        {
            let target = self.slot(to)?;
            let seqs = received.dead.into_iter().map(|(seq, dead)| (seq, target.queue.adopt(dead, name))).collect();
            target.wake.notify_waiters();
            self.record(&Record::Dead { q: name.into(), to: to.into(), seqs })?;
        }
        if !received.messages.is_empty() {
            let seqs = received.messages.iter().map(|delivery| delivery.seq).collect();
            self.record(&Record::Receive { q: name.into(), seqs, at: at.now_ms })?;
        }
        self.commit(at)?;
        Ok((received.messages, due))
    }

    /// Deletes messages; one result for each handle.
    pub(crate) fn delete(
        &mut self,
        name: &str,
        handles: &[String],
        at: Moment,
    ) -> Result<Vec<Result<(), HandleError>>, StoreError> {
        let slot = self.slot(name)?;
        let mut seqs = Vec::new();
        let results = handles
            .iter()
            .map(|handle| {
                let handle = handle.parse::<Handle>()?;
                if slot.queue.delete(&handle, at.now)? {
                    seqs.push(handle.seq);
                }
                Ok(())
            })
            .collect();
        if !seqs.is_empty() {
            slot.wake.notify_waiters();
            self.record(&Record::Delete { q: name.into(), seqs })?;
            self.commit(at)?;
        }
        Ok(results)
    }

    /// Changes visibility time-outs; one result for each handle. Not in the journal: a restart makes everything visible.
    pub(crate) fn change_visibility(
        &mut self,
        name: &str,
        changes: &[(String, Duration)],
        now: Instant,
    ) -> Result<Vec<Result<(), HandleError>>, StoreError> {
        let slot = self.slot(name)?;
        let change = |(handle, timeout): &(String, Duration)| {
            slot.queue.change_visibility(&handle.parse::<Handle>()?, *timeout, now)
        };
        let results = changes.iter().map(change).collect();
        slot.wake.notify_waiters();
        Ok(results)
    }

    /// Deletes all messages of a queue.
    pub(crate) fn purge(&mut self, name: &str, at: Moment) -> Result<(), StoreError> {
        self.slot(name)?.queue.purge();
        self.record(&Record::Purge { q: name.into() })?;
        self.commit(at)
    }

    /// The depths of all queues, and when the next message in any becomes visible by itself.
    pub(crate) fn depths(&mut self, now: Instant) -> (BTreeMap<String, Depth>, Option<Instant>) {
        let (mut depths, mut due) = (BTreeMap::new(), None::<Instant>);
        for (name, slot) in &mut self.queues {
            slot.queue.tick(now);
            due = [due, slot.queue.next_due()].into_iter().flatten().min();
            depths.insert(name.clone(), slot.queue.depth());
        }
        (depths, due)
    }

    fn apply_spec(&mut self, spec: QueueSpec) {
        match self.queues.get_mut(&spec.name) {
            Some(slot) => slot.queue.spec = Arc::new(spec),
            None => {
                let name = spec.name.clone();
                self.queues.insert(name, Slot { queue: Queue::new(spec), wake: Arc::default() });
            }
        }
    }

    fn record(&mut self, record: &Record<'_>) -> io::Result<u64> {
        self.journal.as_mut().map_or(Ok(0), |journal| journal.put(record))
    }

    /// Makes the lines of an operation durable: by appending them, or by writing the whole journal anew.
    fn commit(&mut self, at: Moment) -> Result<(), StoreError> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        let live = self.queues.values().map(|slot| slot.queue.journal_bytes()).sum();
        if journal.wants_compaction(live) {
            let must = journal.broken();
            match self.compact(at) {
                Err(error) if must => return Err(error.into()),
                // The old file is still good; the compaction is tried again later.
                Err(_) => {}
                Ok(()) => return Ok(()),
            }
        }
        self.journal.as_mut().map_or(Ok(()), Journal::commit).map_err(StoreError::Journal)
    }

    fn compact(&mut self, at: Moment) -> io::Result<()> {
        let Self { queues, journal } = self;
        let Some(journal) = journal else { return Ok(()) };
        journal.compact(|sink| queues.values_mut().try_for_each(|slot| put_queue(sink, &mut slot.queue, at)))
    }

    /// Does again what a journal tells of. In flight is nothing: whoever had received something is gone.
    fn replay(&mut self, record: Record<'static>, at: Moment) {
        let age_ms = |then: u64| at.now_ms.saturating_sub(then);
        match record {
            Record::Format(_) => {}
            Record::Queue(spec) => self.apply_spec(spec.into_owned()),
            Record::Next { q, seq } => self.with_queue(&q, |queue| queue.reserve(seq)),
            Record::Dedup { q, key, seq, id, at: sent_ms } => self.with_queue(&q, |queue| {
                queue.dedup().insert(&key, seq, id, sent_ms, age_ms(sent_ms), at.now);
            }),
            Record::Send { q, seq, e, c, due } => self.with_queue(&q, |queue| {
                // Dead letters came without a look at the window.
                if let Some(key) = c.dedup.as_deref().filter(|_| queue.spec.fifo && e.source.is_none()) {
                    queue.dedup().insert(key, seq, e.id, e.sent_ms, age_ms(e.sent_ms), at.now);
                }
                let until = due.filter(|due| *due > at.now_ms);
                let until = until.map(|due| at.now + Duration::from_millis(due - at.now_ms));
                queue.insert(seq, Arc::new(c.into_owned()), e.into_owned(), until);
            }),
            Record::Receive { q, seqs, at } => self.with_queue(&q, |queue| {
                seqs.iter().for_each(|seq| queue.count_receive(*seq, at));
            }),
            Record::Delete { q, seqs } => self.with_queue(&q, |queue| {
                seqs.iter().for_each(|seq| drop(queue.remove(*seq)));
            }),
            Record::Dead { q, to, seqs } => {
                for (seq, there) in seqs {
                    let dead = self.queues.get_mut(&*q).and_then(|slot| slot.queue.remove(seq));
                    self.with_queue(&to, |target| {
                        target.reserve(there);
                        dead.map(|dead| target.adopt(dead, &q));
                    });
                }
            }
            Record::Purge { q } => self.with_queue(&q, Queue::purge),
        }
    }

    fn with_queue(&mut self, name: &str, change: impl FnOnce(&mut Queue)) {
        if let Some(slot) = self.queues.get_mut(name) {
            change(&mut slot.queue);
        }
    }
}

/// Writes all that a queue is.
fn put_queue(sink: &mut dyn Sink, queue: &mut Queue, at: Moment) -> io::Result<()> {
    let spec = Arc::clone(&queue.spec);
    let q = spec.name.as_str();
    sink.put(&Record::Queue(Cow::Borrowed(&spec)))?;
    sink.put(&Record::Next { q: q.into(), seq: queue.next_seq() })?;
    queue.dedup().expire(at.now);
    for (key, seen) in queue.dedup().iter() {
        sink.put(&Record::Dedup { q: q.into(), key: key.into(), seq: seen.seq, id: seen.id, at: seen.sent_ms })?;
    }
    let seqs: Vec<u64> = queue.seqs().collect();
    seqs.into_iter().try_for_each(|seq| put_message(sink, q, queue, seq, at))
}

/// Writes one message as it is now.
fn put_message(sink: &mut dyn Sink, q: &str, queue: &mut Queue, seq: u64, at: Moment) -> io::Result<()> {
    let Some(entry) = queue.entry(seq) else { return Ok(()) };
    let left_ms = |until: Instant| u64::try_from(until.saturating_duration_since(at.now).as_millis()).unwrap_or(0);
    let due = entry.delayed_until().map(|until| at.now_ms + left_ms(until));
    let (e, c) = (Cow::Borrowed(&entry.envelope), Cow::Borrowed(&*entry.content));
    let bytes = sink.put(&Record::Send { q: q.into(), seq, e, c, due })?;
    queue.note_journal_bytes(seq, bytes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Envelope;
    use proptest::prelude::*;

    const QUEUES: [&str; 2] = ["q.fifo", "dead.fifo"];
    const VISIBILITY: Duration = Duration::from_secs(30);

    /// All that a restart must keep of a queue.
    #[derive(Debug, PartialEq)]
    struct Kept {
        next_seq: u64,
        messages: Vec<(u64, Envelope, Arc<Content>)>,
        window: Vec<String>,
    }

    fn kept(store: &mut Store, now: Instant) -> [Kept; 2] {
        let kept = |name| {
            let queue = &mut store.slot(name).unwrap().queue;
            queue.dedup().expire(now);
            let window = queue.dedup().iter().map(|(key, _)| key.to_owned()).collect();
            let entry = |seq| queue.entry(seq).map(|e| (seq, e.envelope.clone(), Arc::clone(&e.content)));
            Kept { next_seq: queue.next_seq(), messages: queue.seqs().filter_map(entry).collect(), window }
        };
        QUEUES.map(kept)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever happened, the journal tells all of it, as it was appended and as it is compacted.
        #[test]
        fn restart_finds_what_was_there(ops in prop::collection::vec((0..10_u8, any::<u8>()), 1..100)) {
            let dir = tempfile::tempdir().unwrap();
            let mut at = Moment { now: Instant::now(), now_ms: 1_000_000 };
            let mut store = Store::open(dir.path(), at).unwrap();
            store.put_queue(&QueueSpec::fifo("dead.fifo"), at).unwrap();
            store.put_queue(&QueueSpec::fifo("q.fifo").dead_letter("dead.fifo", 1), at).unwrap();
            let mut handles = Vec::new();
            for (op, value) in ops {
                let name = QUEUES[usize::from(value) % 2];
                match op {
                    0..4 => {
                        let content = |n: u8| Content {
                            body: format!("\"{value}\" {n}"),
                            group: Some((value % 3).to_string()),
                            dedup: Some((value % 32 + n).to_string()),
                            ..Content::default()
                        };
                        let batch = [0, 1].map(|n| (Arc::new(content(n)), Duration::ZERO));
                        store.send(name, batch.into(), at).unwrap();
                    }
                    4..7 => {
                        let (got, _) = store.receive(name, usize::from(value % 10) + 1, Some(VISIBILITY), at).unwrap();
                        handles.extend(got.into_iter().map(|got| (name, got.seq, got.envelope.receives)));
                    }
                    7..9 if !handles.is_empty() => {
                        let (queue, seq, receive) = handles[usize::from(value) % handles.len()];
                        let handle = Handle { queue: queue.to_owned(), seq, receive };
                        drop(store.delete(queue, &[handle.to_string()], at).unwrap());
                    }
                    9 if value < 16 => store.purge(name, at).unwrap(),
                    _ => {
                        at.now += Duration::from_secs(u64::from(value));
                        at.now_ms += 1_000 * u64::from(value);
                    }
                }
            }
            let before = kept(&mut store, at.now);
            for _ in 0..2 {
                drop(store);
                store = Store::open(dir.path(), at).unwrap();
                prop_assert_eq!(&kept(&mut store, at.now), &before);
            }
        }
    }
}
