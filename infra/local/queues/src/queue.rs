//! The state machine of one queue: a function of its state, the operation and the time. No I/O, no clock, no locks.
//!
//! A message has a sequence number for life and a place: delayed, ready or in flight. `ready` holds the messages that may
//! be given out next. In a standard queue that is every visible message; in a FIFO queue it is the oldest visible message
//! of each group that has nothing in flight. So a receive takes from the front and never scans: every operation is
//! O(log n) in the number of messages.

use crate::dedup::Dedup;
use crate::digest;
use crate::handle::{Handle, HandleError};
use crate::message::{Content, Envelope};
use crate::spec::QueueSpec;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// When an operation happens: monotonic time for what expires, wall time for what clients see.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: Instant,
    /// Milliseconds since 1970.
    pub(crate) now_ms: u64,
}

/// How many messages a queue holds, by what a receive would find.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    /// Neither delayed nor in flight. As in SQS that includes those whose group is locked.
    pub visible: usize,
    /// Received, not deleted, visibility time-out still running.
    pub in_flight: usize,
    /// Sent with a delay that is still running.
    pub delayed: usize,
}

impl Depth {
    /// Whether the queue holds nothing at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Where a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Delayed(Instant),
    Ready,
    InFlight(Instant),
}

/// A message in a queue.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) content: Arc<Content>,
    pub(crate) envelope: Envelope,
    place: Place,
    /// Bytes of its journal line; 0 without a journal.
    journal_bytes: u64,
}

impl Entry {
    /// When its delay ends, if it has one.
    pub(crate) fn delayed_until(&self) -> Option<Instant> {
        match self.place {
            Place::Delayed(until) => Some(until),
            Place::Ready | Place::InFlight(_) => None,
        }
    }
}

/// A FIFO message group that has messages which are ready or in flight.
#[derive(Debug, Default)]
struct Group {
    waiting: BTreeSet<u64>,
    in_flight: usize,
    /// The message that stands for the group in `Queue::ready`.
    head: Option<u64>,
}

/// The answer to a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) seq: u64,
    pub(crate) id: Uuid,
    /// False when the de-duplication window had it already: nothing was added.
    pub(crate) fresh: bool,
}

/// One delivered message.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) seq: u64,
    pub(crate) content: Arc<Content>,
    pub(crate) envelope: Envelope,
}

/// The answer to a receive.
#[derive(Debug, Default)]
pub(crate) struct Received {
    pub(crate) messages: Vec<Delivery>,
    /// Messages that were received too often: taken out, to be put into the dead-letter queue.
    pub(crate) dead: Vec<(u64, Entry)>,
}

/// One queue.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) spec: Arc<QueueSpec>,
    next_seq: u64,
    entries: BTreeMap<u64, Entry>,
    ready: BTreeSet<u64>,
    /// Ends of delays and visibility time-outs.
    due: BTreeSet<(Instant, u64)>,
    groups: HashMap<String, Group>,
    dedup: Dedup,
    in_flight: usize,
    delayed: usize,
    journal_bytes: u64,
}

impl Queue {
    pub(crate) fn new(spec: QueueSpec) -> Self {
        Self {
            spec: Arc::new(spec),
            next_seq: 1,
            entries: BTreeMap::new(),
            ready: BTreeSet::new(),
            due: BTreeSet::new(),
            groups: HashMap::new(),
            dedup: Dedup::default(),
            in_flight: 0,
            delayed: 0,
            journal_bytes: 0,
        }
    }

    /// Adds a message, unless its de-duplication id was sent within the window.
    pub(crate) fn send(&mut self, content: Arc<Content>, delay: Duration, at: Moment) -> Sent {
        self.dedup.expire(at.now);
        let key = content.dedup.as_deref().filter(|_| self.spec.fifo);
        if let Some(seen) = key.and_then(|key| self.dedup.get(key, at.now)) {
            return Sent { seq: seen.seq, id: seen.id, fresh: false };
        }
        let seq = self.next_seq;
        let id = digest::message_id(&self.spec.name, seq, at.now_ms);
        if let Some(key) = key {
            self.dedup.insert(key, seq, id, at.now_ms, 0, at.now);
        }
        let envelope =
            Envelope { id, sent_ms: at.now_ms, first_received_ms: None, receives: 0, receives_before: 0, source: None };
        let until = (!delay.is_zero()).then(|| at.now + delay);
        self.insert(seq, content, envelope, until);
        Sent { seq, id, fresh: true }
    }

    /// Adds a dead letter of the queue `source`, at the end of its group. Returns its new sequence number.
    pub(crate) fn adopt(&mut self, dead: Entry, source: &str) -> u64 {
        let seq = self.next_seq;
        let envelope =
            Envelope { receives_before: dead.envelope.receives, source: Some(source.to_owned()), ..dead.envelope };
        self.insert(seq, dead.content, envelope, None);
        self.note_journal_bytes(seq, dead.journal_bytes);
        seq
    }

    /// Puts a message in as it is, delayed or ready.
    pub(crate) fn insert(&mut self, seq: u64, content: Arc<Content>, envelope: Envelope, until: Option<Instant>) {
        self.reserve(seq + 1);
        let place = until.map_or(Place::Ready, Place::Delayed);
        self.index(seq, place, &content);
        self.lead(&content);
        self.entries.insert(seq, Entry { content, envelope, place, journal_bytes: 0 });
    }

    /// Gives out up to `max` messages: the oldest group first, as many of it as there are, then the next.
    ///
    /// With `max_receives`, messages that were received that often come back as dead instead.
    pub(crate) fn receive(
        &mut self,
        max: usize,
        visibility: Duration,
        max_receives: Option<u32>,
        at: Moment,
    ) -> Received {
        self.tick(at.now);
        let mut received = Received::default();
        while received.messages.len() < max
            && let Some(&head) = self.ready.first()
        {
            let mut next = Some(head);
            while let Some(seq) = next.take()
                && let Some(entry) = self.entries.get(&seq)
            {
                let content = Arc::clone(&entry.content);
                let here = entry.envelope.receives - entry.envelope.receives_before;
                if max_receives.is_some_and(|max| here >= max) {
                    received.dead.extend(self.remove(seq).map(|entry| (seq, entry)));
                } else {
                    received.messages.extend(self.deliver(seq, visibility, at));
                }
                if received.messages.len() < max {
                    next = self.next_of_group(&content);
                }
            }
        }
        received
    }

    /// Takes a message out for good. `Ok(true)` when this call did it; a message that is gone already is no error.
    ///
    /// In a FIFO queue only the current delivery may delete, and only while it is in flight: afterwards the message may
    /// be with somebody else. A standard queue takes the newest receipt at any time and ignores older ones, as SQS does.
    pub(crate) fn delete(&mut self, handle: &Handle, now: Instant) -> Result<bool, HandleError> {
        self.tick(now);
        self.check(handle)?;
        let Some(entry) = self.entries.get(&handle.seq) else { return Ok(false) };
        let newest = handle.receive == entry.envelope.receives;
        let in_flight = matches!(entry.place, Place::InFlight(_));
        match (self.spec.fifo, newest, in_flight) {
            (true, true, true) | (false, true, _) => Ok(self.remove(handle.seq).is_some()),
            (true, ..) => Err(HandleError::Expired),
            (false, false, _) => Ok(false),
        }
    }

    /// Lets the visibility time-out of a delivery end `timeout` from now; zero returns the message to its place in order.
    pub(crate) fn change_visibility(
        &mut self,
        handle: &Handle,
        timeout: Duration,
        now: Instant,
    ) -> Result<(), HandleError> {
        self.tick(now);
        self.check(handle)?;
        let entry = self.entries.get(&handle.seq).ok_or(HandleError::Gone)?;
        if entry.envelope.receives != handle.receive {
            return Err(HandleError::Gone);
        }
        if !matches!(entry.place, Place::InFlight(_)) {
            return Err(HandleError::NotInFlight);
        }
        let place = if timeout.is_zero() { Place::Ready } else { Place::InFlight(now + timeout) };
        self.put(handle.seq, place);
        Ok(())
    }

    /// Removes every message, in flight or not. The de-duplication window stays.
    pub(crate) fn purge(&mut self) {
        self.entries.clear();
        self.ready.clear();
        self.due.clear();
        self.groups.clear();
        (self.in_flight, self.delayed, self.journal_bytes) = (0, 0, 0);
    }

    /// Makes visible what is due.
    pub(crate) fn tick(&mut self, now: Instant) {
        while let Some(&(due, seq)) = self.due.first()
            && due <= now
        {
            self.put(seq, Place::Ready);
        }
    }

    /// When the next message becomes visible by itself.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    /// The counts as of the last `tick`.
    pub(crate) fn depth(&self) -> Depth {
        let visible = self.entries.len() - self.in_flight - self.delayed;
        Depth { visible, in_flight: self.in_flight, delayed: self.delayed }
    }

    /// Takes a message out of the queue and of everything that points to it.
    pub(crate) fn remove(&mut self, seq: u64) -> Option<Entry> {
        let entry = self.entries.remove(&seq)?;
        self.journal_bytes -= entry.journal_bytes;
        self.unindex(seq, entry.place, &entry.content);
        self.lead(&entry.content);
        Some(entry)
    }

    /// Counts a receive that a journal tells of, without giving the message out.
    pub(crate) fn count_receive(&mut self, seq: u64, now_ms: u64) {
        if let Some(entry) = self.entries.get_mut(&seq) {
            entry.envelope.receives += 1;
            entry.envelope.first_received_ms.get_or_insert(now_ms);
        }
    }

    /// Makes sure that the next message gets `next_seq` or more.
    pub(crate) fn reserve(&mut self, next_seq: u64) {
        self.next_seq = self.next_seq.max(next_seq);
    }

    /// Remembers how much of the journal a message takes.
    pub(crate) fn note_journal_bytes(&mut self, seq: u64, bytes: u64) {
        if let Some(entry) = self.entries.get_mut(&seq) {
            self.journal_bytes = self.journal_bytes - entry.journal_bytes + bytes;
            entry.journal_bytes = bytes;
        }
    }

    /// How much of the journal this queue would take if it were written anew, in bytes.
    pub(crate) fn journal_bytes(&self) -> u64 {
        self.journal_bytes + self.dedup.bytes()
    }

    pub(crate) fn next_seq(&self) -> u64 {
        self.next_seq
    }

    pub(crate) fn dedup(&mut self) -> &mut Dedup {
        &mut self.dedup
    }

    /// The sequence numbers of all messages, in order.
    pub(crate) fn seqs(&self) -> impl Iterator<Item = u64> {
        self.entries.keys().copied()
    }

    pub(crate) fn entry(&self, seq: u64) -> Option<&Entry> {
        self.entries.get(&seq)
    }

    fn check(&self, handle: &Handle) -> Result<(), HandleError> {
        let issued = self.entries.get(&handle.seq).map_or(u32::MAX, |entry| entry.envelope.receives);
        let known =
            handle.queue == self.spec.name && handle.seq < self.next_seq && (1..=issued).contains(&handle.receive);
        if known { Ok(()) } else { Err(HandleError::Malformed) }
    }

    fn deliver(&mut self, seq: u64, visibility: Duration, at: Moment) -> Option<Delivery> {
        self.count_receive(seq, at.now_ms);
        // In flight even for no time at all: visible again at the next operation, not twice in this one.
        self.put(seq, Place::InFlight(at.now + visibility));
        let entry = self.entries.get(&seq)?;
        Some(Delivery { seq, content: Arc::clone(&entry.content), envelope: entry.envelope.clone() })
    }

    /// The group of a message, in a queue that has groups.
    fn group_of<'a>(&self, content: &'a Content) -> Option<&'a str> {
        content.group.as_deref().filter(|_| self.spec.fifo)
    }

    fn next_of_group(&self, content: &Content) -> Option<u64> {
        self.groups.get(self.group_of(content)?)?.waiting.first().copied()
    }

    /// Moves a message to another place.
    fn put(&mut self, seq: u64, place: Place) {
        let Some(entry) = self.entries.get_mut(&seq) else { return };
        let content = Arc::clone(&entry.content);
        let before = std::mem::replace(&mut entry.place, place);
        self.unindex(seq, before, &content);
        self.index(seq, place, &content);
        self.lead(&content);
    }

    fn index(&mut self, seq: u64, place: Place, content: &Content) {
        match place {
            Place::Delayed(until) => {
                self.due.insert((until, seq));
                self.delayed += 1;
            }
            Place::InFlight(until) => {
                self.due.insert((until, seq));
                self.in_flight += 1;
                if let Some(group) = self.group_of(content) {
                    self.groups.entry(group.to_owned()).or_default().in_flight += 1;
                }
            }
            Place::Ready => {
                if let Some(group) = self.group_of(content) {
                    self.groups.entry(group.to_owned()).or_default().waiting.insert(seq);
                } else {
                    self.ready.insert(seq);
                }
            }
        }
    }

    fn unindex(&mut self, seq: u64, place: Place, content: &Content) {
        let group = self.group_of(content).and_then(|group| self.groups.get_mut(group));
        match place {
            Place::Delayed(until) => {
                self.due.remove(&(until, seq));
                self.delayed -= 1;
            }
            Place::InFlight(until) => {
                self.due.remove(&(until, seq));
                self.in_flight -= 1;
                if let Some(group) = group {
                    group.in_flight -= 1;
                }
            }
            Place::Ready => match group {
                Some(group) => {
                    group.waiting.remove(&seq);
                }
                None => {
                    self.ready.remove(&seq);
                }
            },
        }
    }

    /// Puts the right message of a group at its head, and forgets a group that has nothing left.
    fn lead(&mut self, content: &Content) {
        let Some(name) = self.group_of(content) else { return };
        let Some(group) = self.groups.get_mut(name) else { return };
        let head = if group.in_flight == 0 { group.waiting.first().copied() } else { None };
        if head != group.head {
            if let Some(old) = group.head {
                self.ready.remove(&old);
            }
            self.ready.extend(head);
            group.head = head;
        }
        if group.in_flight == 0 && group.waiting.is_empty() {
            self.groups.remove(name);
        }
    }
}

#[cfg(test)]
mod tests;
