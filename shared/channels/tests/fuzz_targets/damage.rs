//! What is made of samples: bytes set, added, taken out, said twice, mixed with those of another sample; and bytes out of
//! nothing. The same with each run.

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// How many inputs a target gets besides the samples.
const INPUTS: u32 = 3_000;
/// The generator starts from this.
const SEED: [u8; 32] = [11; 32];
/// Most changes of one sample.
const CHANGES_MAX: usize = 6;
/// Most bytes that a change touches.
const TOUCHED_MAX: usize = 24;
/// What parsers look at more closely than at other bytes.
const TOKENS: [&str; 16] =
    ["\"", "\\u0000", "{", "}", "[", "]", ":", ",", "null", "1e308", "-1", "\r\n", "\n\n", "--", "=?utf-8?q?", "%00"];

/// One change.
#[derive(Clone, Debug)]
enum Change {
    Set(Index, u8),
    Add(Index, Vec<u8>),
    TakeOut(Index, usize),
    Repeat(Index, usize),
    /// Goes on as another sample does from its place on.
    GoOnAs(Index, Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    let token = prop::sample::select(&TOKENS[..]).prop_map(|token| token.as_bytes().to_vec());
    let bytes = prop::collection::vec(any::<u8>(), 1..TOUCHED_MAX);
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (at(), prop_oneof![token, bytes]).prop_map(|(at, more)| Change::Add(at, more)),
        (at(), 1..TOUCHED_MAX).prop_map(|(at, count)| Change::TakeOut(at, count)),
        (at(), 1..TOUCHED_MAX).prop_map(|(at, count)| Change::Repeat(at, count)),
        (at(), at(), at()).prop_map(|(at, other, there)| Change::GoOnAs(at, other, there)),
    ]
}

/// An input: a sample with changes, or anything.
#[derive(Clone, Debug)]
enum Input {
    Sample(Index, Vec<Change>),
    Bytes(Vec<u8>),
}

impl Input {
    fn bytes(self, samples: &[Vec<u8>]) -> Vec<u8> {
        let (sample, changes) = match self {
            Self::Bytes(bytes) => return bytes,
            Self::Sample(sample, changes) => (sample, changes),
        };
        let mut bytes = sample.get(samples).clone();
        for change in changes {
            // There is always a place: that behind the last byte.
            let place = |at: Index| at.index(bytes.len() + 1);
            let until = |at: usize, count: usize| bytes.len().min(at + count);
            match change {
                Change::Set(at, byte) => {
                    let at = place(at);
                    bytes.get_mut(at).into_iter().for_each(|set| *set = byte);
                }
                Change::Add(at, more) => {
                    let at = place(at);
                    bytes.splice(at..at, more);
                }
                Change::TakeOut(at, count) => {
                    let at = place(at);
                    bytes.drain(at..until(at, count));
                }
                Change::Repeat(at, count) => {
                    let at = place(at);
                    let part = bytes[at..until(at, count)].to_vec();
                    bytes.splice(at..at, part);
                }
                Change::GoOnAs(at, other, there) => {
                    let at = place(at);
                    bytes.truncate(at);
                    let other = other.get(samples);
                    bytes.extend_from_slice(&other[there.index(other.len() + 1)..]);
                }
            }
        }
        bytes
    }
}

/// Runs a target on the samples and on what is made of them; fails with the smallest input on which it panics.
pub(crate) fn run_on(samples: &[Vec<u8>], target: fn(&[u8])) {
    assert!(samples.len() > 9, "only {} samples", samples.len());
    samples.iter().for_each(|sample| target(sample));
    let changed = (any::<Index>(), prop::collection::vec(change(), 1..=CHANGES_MAX));
    let changed = changed.prop_map(|(sample, changes)| Input::Sample(sample, changes));
    let anything = prop::collection::vec(any::<u8>(), 0..300).prop_map(Input::Bytes);
    let input = prop_oneof![9 => changed, 1 => anything];
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &SEED);
    let config = Config { cases: INPUTS, failure_persistence: None, ..Config::default() };
    let ran = TestRunner::new_with_rng(config, rng).run(&input, |input| {
        target(&input.bytes(samples));
        Ok(())
    });
    ran.unwrap_or_else(|failure| panic!("{failure}"));
}
