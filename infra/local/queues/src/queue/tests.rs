//! The state machine by itself, and against a model that scans.

use super::*;
use proptest::prelude::*;

const VISIBILITY: Duration = Duration::from_secs(30);

/// A queue with hands on its clock.
struct Bench {
    queue: Queue,
    start: Instant,
    at: Moment,
}

impl Bench {
    fn new(spec: QueueSpec) -> Self {
        let now = Instant::now();
        Self { queue: Queue::new(spec), start: now, at: Moment { now, now_ms: 1_000_000 } }
    }

    fn fifo() -> Self {
        Self::new(QueueSpec::fifo("q.fifo"))
    }

    fn advance(&mut self, by: Duration) {
        self.at.now += by;
        self.at.now_ms += u64::try_from(by.as_millis()).unwrap();
    }

    fn send(&mut self, group: &str, body: &str) -> Sent {
        self.send_as(group, body, body)
    }

    fn send_as(&mut self, group: &str, body: &str, dedup: &str) -> Sent {
        let content = Content {
            body: body.to_owned(),
            group: Some(group.to_owned()),
            dedup: Some(dedup.to_owned()),
            ..Content::default()
        };
        self.queue.send(Arc::new(content), Duration::ZERO, self.at)
    }

    fn receive(&mut self, max: usize) -> Vec<Delivery> {
        self.queue.receive(max, VISIBILITY, None, self.at).messages
    }

    fn bodies(&mut self, max: usize) -> Vec<String> {
        self.receive(max).iter().map(|delivery| delivery.content.body.clone()).collect()
    }

    fn delete(&mut self, delivery: &Delivery) -> Result<bool, HandleError> {
        self.queue.delete(&handle(&self.queue, delivery), self.at.now)
    }

    fn hide(&mut self, delivery: &Delivery, timeout: Duration) -> Result<(), HandleError> {
        self.queue.change_visibility(&handle(&self.queue, delivery), timeout, self.at.now)
    }
}

fn handle(queue: &Queue, delivery: &Delivery) -> Handle {
    Handle { queue: queue.spec.name.clone(), seq: delivery.seq, receive: delivery.envelope.receives }
}

#[test]
fn fifo_gives_the_oldest_group_first_and_as_much_of_it_as_fits() {
    let mut bench = Bench::fifo();
    for (group, body) in [("a", "a1"), ("b", "b1"), ("a", "a2"), ("c", "c1"), ("a", "a3")] {
        bench.send(group, body);
    }
    assert_eq!(bench.bodies(4), ["a1", "a2", "a3", "b1"]);
    assert_eq!(bench.bodies(10), ["c1"]);
}

#[test]
fn fifo_group_stays_locked_until_all_of_a_batch_is_settled() {
    let mut bench = Bench::fifo();
    for body in ["a1", "a2", "a3", "a4"] {
        bench.send("a", body);
    }
    let batch = bench.receive(3);
    bench.hide(&batch[2], Duration::ZERO).unwrap();
    bench.hide(&batch[1], Duration::ZERO).unwrap();
    assert!(bench.bodies(10).is_empty(), "a1 is still in flight");
    bench.delete(&batch[0]).unwrap();
    assert_eq!(bench.bodies(10), ["a2", "a3", "a4"]);
}

#[test]
fn fifo_message_that_times_out_goes_back_to_its_place() {
    let mut bench = Bench::fifo();
    for body in ["a1", "a2", "a3"] {
        bench.send("a", body);
    }
    let batch = bench.receive(2);
    bench.hide(&batch[0], Duration::from_secs(60)).unwrap();
    bench.advance(VISIBILITY);
    assert!(bench.bodies(10).is_empty(), "a2 is back, a1 is not");
    bench.advance(VISIBILITY);
    assert_eq!(bench.bodies(10), ["a1", "a2", "a3"]);
}

#[test]
fn fifo_receipt_expires_with_the_visibility_timeout() {
    let mut bench = Bench::fifo();
    bench.send("a", "a1");
    let first = bench.receive(1).remove(0);
    bench.advance(VISIBILITY);
    assert_eq!(bench.delete(&first), Err(HandleError::Expired));
    let second = bench.receive(1).remove(0);
    assert_eq!(bench.delete(&first), Err(HandleError::Expired));
    assert_eq!(bench.hide(&first, VISIBILITY), Err(HandleError::Gone));
    assert_eq!(bench.delete(&second), Ok(true));
    assert_eq!(bench.delete(&second), Ok(false));
    assert_eq!(bench.hide(&second, VISIBILITY), Err(HandleError::Gone));
}

#[test]
fn standard_receipt_lasts_until_the_next_receive() {
    let mut bench = Bench::new(QueueSpec::standard("q"));
    bench.send("a", "a1");
    let first = bench.receive(1).remove(0);
    bench.advance(VISIBILITY);
    assert_eq!(bench.hide(&first, VISIBILITY), Err(HandleError::NotInFlight));
    let second = bench.receive(1).remove(0);
    assert_eq!(bench.delete(&first), Ok(false), "an old receipt deletes nothing");
    bench.advance(VISIBILITY);
    assert_eq!(bench.delete(&second), Ok(true));
}

#[test]
fn handles_of_nobody_are_refused() {
    let mut bench = Bench::fifo();
    bench.send("a", "a1");
    for text in ["", "x", "q.fifo:1", "q.fifo:x:1", "other.fifo:1:1", "q.fifo:7:1", "q.fifo:1:0", "q.fifo:1:9"] {
        let refused = text.parse::<Handle>().and_then(|handle| bench.queue.delete(&handle, bench.at.now));
        assert_eq!(refused, Err(HandleError::Malformed), "{text}");
    }
}

#[test]
fn receive_without_visibility_timeout_gives_each_message_once() {
    let mut bench = Bench::new(QueueSpec::standard("q"));
    bench.send("a", "a1");
    assert_eq!(bench.queue.receive(10, Duration::ZERO, None, bench.at).messages.len(), 1);
    assert_eq!(bench.queue.receive(10, Duration::ZERO, None, bench.at).messages[0].envelope.receives, 2);
}

#[test]
fn dedup_window_is_five_minutes_and_forgets() {
    let mut bench = Bench::fifo();
    let first = bench.send_as("a", "one", "id");
    bench.advance(Duration::from_secs(299));
    assert_eq!(bench.send_as("b", "two", "id"), Sent { fresh: false, ..first });
    assert_eq!(bench.bodies(10), ["one"]);
    bench.advance(Duration::from_secs(1));
    assert!(bench.send_as("a", "three", "id").fresh, "the second send does not prolong the window");
    bench.advance(Duration::from_secs(300));
    bench.send_as("a", "four", "other");
    assert_eq!(bench.queue.dedup.iter().count(), 1);
}

#[test]
fn delayed_messages_become_visible_in_time() {
    let mut bench = Bench::new(QueueSpec::standard("q"));
    let content = Arc::new(Content { body: "late".to_owned(), ..Content::default() });
    bench.queue.send(content, Duration::from_secs(5), bench.at);
    assert!(bench.bodies(1).is_empty());
    assert_eq!(bench.queue.depth(), Depth { delayed: 1, ..Depth::default() });
    assert_eq!(bench.queue.next_due(), Some(bench.start + Duration::from_secs(5)));
    bench.advance(Duration::from_secs(5));
    assert_eq!(bench.bodies(1), ["late"]);
}

#[test]
fn empty_queue_holds_on_to_nothing() {
    let mut bench = Bench::fifo();
    for n in 0..100 {
        bench.send(&format!("g{n}"), &format!("m{n}"));
    }
    for _ in 0..10 {
        for delivery in bench.receive(10) {
            bench.delete(&delivery).unwrap();
        }
    }
    bench.advance(Duration::from_secs(300));
    bench.queue.dedup.expire(bench.at.now);
    let Queue { entries, ready, due, groups, dedup, .. } = &bench.queue;
    assert!(entries.is_empty() && ready.is_empty() && due.is_empty() && groups.is_empty());
    assert_eq!(dedup.iter().count(), 0);
}

/// The same queue, written down plainly: a list in order of sending, looked through for every operation.
#[derive(Default)]
struct Model {
    messages: Vec<ModelMessage>,
}

struct ModelMessage {
    seq: u64,
    group: u8,
    receives: u32,
    in_flight_until: Option<Instant>,
}

impl Model {
    fn receive(&mut self, max: usize, max_receives: u32, fifo: bool, now: Instant) -> (Vec<u64>, Vec<u64>) {
        self.messages.iter_mut().for_each(|m| m.in_flight_until = m.in_flight_until.filter(|until| *until > now));
        let locked =
            |m: &[ModelMessage], group| fifo && m.iter().any(|m| m.group == group && m.in_flight_until.is_some());
        let (mut given, mut dead) = (Vec::new(), Vec::new());
        while given.len() < max {
            let free = |m: &&ModelMessage| m.in_flight_until.is_none() && !locked(&self.messages, m.group);
            let Some((first, group)) = self.messages.iter().find(free).map(|m| (m.seq, m.group)) else { break };
            let candidates = self
                .messages
                .iter_mut()
                .filter(|m| m.in_flight_until.is_none() && if fifo { m.group == group } else { m.seq == first });
            for message in candidates {
                if message.receives >= max_receives {
                    dead.push(message.seq);
                } else if given.len() < max {
                    message.receives += 1;
                    message.in_flight_until = Some(now + VISIBILITY);
                    given.push(message.seq);
                } else {
                    break;
                }
                if given.len() == max {
                    break;
                }
            }
            self.messages.retain(|m| !dead.contains(&m.seq));
        }
        (given, dead)
    }
}

#[derive(Debug, Clone)]
enum Op {
    Send { group: u8, dedup: u8 },
    Receive { max: usize },
    Delete { nth: usize },
    Return { nth: usize },
    Advance { seconds: u64 },
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..4_u8, 0..30_u8).prop_map(|(group, dedup)| Op::Send { group, dedup }),
        3 => (1..=10_usize).prop_map(|max| Op::Receive { max }),
        4 => any::<usize>().prop_map(|nth| Op::Delete { nth }),
        2 => any::<usize>().prop_map(|nth| Op::Return { nth }),
        1 => (1..200_u64).prop_map(|seconds| Op::Advance { seconds }),
    ]
}

proptest! {
    /// Whatever happens, the queue gives out exactly what the model gives out: order in groups, locks, dead letters,
    /// nothing lost, nothing twice. Old receipts never take anything away.
    #[test]
    fn queue_agrees_with_the_model(fifo: bool, ops in prop::collection::vec(op(), 1..200), max_receives in 1..4_u32) {
        let name = if fifo { "q.fifo" } else { "q" };
        let mut bench = Bench::new(QueueSpec { fifo, ..QueueSpec::standard(name) });
        let mut model = Model::default();
        let mut deliveries: Vec<Delivery> = Vec::new();
        let mut first_sends: HashMap<u8, (Instant, u64)> = HashMap::new();
        for op in ops {
            match op {
                Op::Send { group, dedup } => {
                    let sent = bench.send_as(&group.to_string(), "body", &dedup.to_string());
                    let window = crate::limits::DEDUPLICATION_WINDOW;
                    let seen = first_sends.get(&dedup).filter(|(at, _)| fifo && bench.at.now < *at + window);
                    prop_assert_eq!(sent.fresh, seen.is_none());
                    if let Some((_, seq)) = seen {
                        prop_assert_eq!(sent.seq, *seq);
                    } else {
                        first_sends.insert(dedup, (bench.at.now, sent.seq));
                        let message = ModelMessage { seq: sent.seq, group, receives: 0, in_flight_until: None };
                        model.messages.push(message);
                    }
                }
                Op::Receive { max } => {
                    let (given, dead) = model.receive(max, max_receives, fifo, bench.at.now);
                    let received = bench.queue.receive(max, VISIBILITY, Some(max_receives), bench.at);
                    prop_assert_eq!(received.messages.iter().map(|d| d.seq).collect::<Vec<_>>(), given);
                    prop_assert_eq!(received.dead.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), dead);
                    deliveries.extend(received.messages);
                }
                Op::Delete { nth } if !deliveries.is_empty() => {
                    let delivery = &deliveries[nth % deliveries.len()];
                    let position = model.messages.iter().position(|m| m.seq == delivery.seq);
                    let result = bench.queue.delete(&handle(&bench.queue, delivery), bench.at.now);
                    let Some(position) = position else {
                        prop_assert_eq!(result, Ok(false));
                        continue;
                    };
                    let message = &model.messages[position];
                    let newest = message.receives == delivery.envelope.receives;
                    let in_flight = message.in_flight_until.is_some_and(|until| until > bench.at.now);
                    if newest && (in_flight || !fifo) {
                        prop_assert_eq!(result, Ok(true));
                        model.messages.remove(position);
                    } else {
                        prop_assert_eq!(result, if fifo { Err(HandleError::Expired) } else { Ok(false) });
                    }
                }
                Op::Return { nth } if !deliveries.is_empty() => {
                    let delivery = &deliveries[nth % deliveries.len()];
                    let result = bench.queue.change_visibility(&handle(&bench.queue, delivery), Duration::ZERO, bench.at.now);
                    let now = bench.at.now;
                    let message = model.messages.iter_mut().find(|m| m.seq == delivery.seq);
                    let message = message.filter(|m| m.receives == delivery.envelope.receives);
                    match message {
                        None => prop_assert_eq!(result, Err(HandleError::Gone)),
                        Some(m) if m.in_flight_until.is_some_and(|until| until > now) => {
                            prop_assert_eq!(result, Ok(()));
                            m.in_flight_until = None;
                        }
                        Some(_) => prop_assert_eq!(result, Err(HandleError::NotInFlight)),
                    }
                }
                Op::Delete { .. } | Op::Return { .. } => {}
                Op::Advance { seconds } => bench.advance(Duration::from_secs(seconds)),
            }
            let depth = bench.queue.depth();
            prop_assert_eq!(depth.visible + depth.in_flight, model.messages.len());
        }
    }
}
