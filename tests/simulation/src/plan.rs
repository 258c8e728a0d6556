//! What a seed is about: which faults, how many of them, who takes part and how fast. Every seed has another mixture:
//! many faults of one kind show other things than few of all kinds.

use throughline_domain::moment::Moment;

use crate::random::Random;

/// Monday, 5 October 2026: the simulated weeks begin here.
const FIRST_DAY: &str = "2026-10-05T00:00:00Z";
/// In how many weeks' hours a seed may begin.
const FIRST_HOURS: u64 = 7 * 24;
/// Paces of the people, as the longest pause between two of their actions, in milliseconds: bursts, minutes, hours.
const PACES_MS: [u64; 6] = [300, 3_000, 20_000, 60_000, 600_000, 7_200_000];

/// How often each fault happens, in times out of a thousand.
#[derive(Clone, Debug, Default)]
pub struct Rates {
    /// An error before the effect.
    pub error: u64,
    /// The connection breaks before the effect.
    pub reset: u64,
    /// The effect happens, but the answer is lost.
    pub lost: u64,
    /// Throttling.
    pub throttle: u64,
    /// No answer until the client gives up, and no effect.
    pub slow: u64,
    /// The effect happens after the client gave up.
    pub late: u64,
    /// A transaction conflicts with another one, or is still in progress.
    pub conflict: u64,
    /// Batches are done in part: unprocessed keys, entries that failed.
    pub partial: u64,
    /// An index answers as it was some seconds ago.
    pub stale: u64,
    /// The function is gone, between two requests.
    pub crash: u64,
    /// Something is delivered once more: a batch, a commit, a deletion that is lost.
    pub duplicate: u64,
    /// Something waits: a batch, a commit, a group.
    pub delay: u64,
    /// A commit is lost on its way to the relay.
    pub loss: u64,
    /// A service is nearly down for some seconds.
    pub outage: u64,
    /// A request takes long, and is answered in time.
    pub wait: u64,
    /// The caller of an HTTP function does not get its answer.
    pub hang_up: u64,
    /// The schedule does not fire, for a while.
    pub missed: u64,
}

/// What a seed is about.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// When it begins.
    pub begin: Moment,
    /// Customers.
    pub people: usize,
    /// Actions of each customer.
    pub actions: u64,
    /// Everybody writes first at the same moment, from all places where they are.
    pub hasty: bool,
    /// Actions of the agents.
    pub desk_actions: u64,
    /// Longest pause between two actions of somebody, in milliseconds.
    pub pause_ms_max: u64,
    /// Time between two schedules that are not missed, in milliseconds.
    pub schedule_ms: u64,
    /// How far the clock of a function may be off, in milliseconds.
    pub skew_ms_max: u64,
    /// How much of an agent's capacity there is, in per cent.
    pub capacity: u64,
    /// Faults.
    pub rates: Rates,
    /// Actions of the agent who says which tickets are one matter, and which customers one person.
    pub sorting_actions: u64,
}

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Self {
        let random = Random::of(seed, "plan");
        let first: Moment = FIRST_DAY.parse().expect("a time");
        let hours = i64::try_from(random.below(FIRST_HOURS)).unwrap_or_default();
        let pause_ms_max = *random.pick(&PACES_MS);
        // Long pauses are mostly quiet: the schedule of each quiet minute would cost much and show nothing.
        let schedule_ms = match pause_ms_max {
            0..=60_000 => *random.pick(&[15_000, 60_000]),
            other => 60_000 * (1 + other / 600_000 * 3),
        };
        Self {
            seed,
            begin: first.plus_ms(hours * 3_600_000 + i64::try_from(random.below(3_600_000)).unwrap_or_default()),
            people: 2 + random.place(3),
            actions: random.between(2, 5),
            hasty: random.chance(400),
            desk_actions: random.between(2, 9),
            pause_ms_max,
            schedule_ms,
            skew_ms_max: *random.pick(&[0, 50, 800]),
            capacity: *random.pick(&[30, 30, 40, 60, 100]),
            rates: Rates::of(&random),
            sorting_actions: if random.chance(700) { random.between(2, 8) } else { 0 },
        }
    }
}

impl Rates {
    fn of(random: &Random) -> Self {
        // One seed in twelve is calm: what fails there fails without any fault.
        if random.chance(80) {
            return Self::default();
        }
        let some = |most: u64| if random.chance(450) { random.between(1, most) } else { 0 };
        Self {
            error: some(40),
            reset: some(40),
            lost: some(60),
            throttle: some(40),
            slow: some(15),
            late: some(15),
            conflict: some(120),
            partial: some(150),
            stale: some(600),
            crash: some(25),
            duplicate: some(150),
            delay: some(300),
            loss: some(200),
            outage: some(10),
            wait: some(250),
            hang_up: some(150),
            missed: some(300),
        }
    }
}
