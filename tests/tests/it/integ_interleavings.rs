//! Whatever is repeated, and in whatever order the stages get to what several people send on several channels, as long as each
//! handle's order is kept: who is who and what is on which ticket is what a reference model says.
//!
//! `script` says what happens, `model` what may come of it, `cloud` lets the real stages do it.

mod cloud;
mod model;
mod script;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use proptest::prelude::*;

use cloud::Cloud;
use model::{Name, State, Step, Ticket};
use script::{Script, Sent, TOPICS, Turn};

/// Cases of each test.
const CASES: u32 = 64;

/// What is in the table at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Found {
    owners: BTreeMap<Name, (usize, bool)>,
    tickets: BTreeMap<usize, Ticket>,
}

impl Found {
    fn of(state: &State) -> Self {
        Self { owners: state.owners.clone(), tickets: state.tickets.clone() }
    }
}

/// What a run did, and what came of it.
struct Run {
    steps: Vec<Vec<Step>>,
    found: Found,
    legal: BTreeSet<State>,
}

/// The steps that are left: each group's in order, each delivery identified before it is placed.
struct Left {
    groups: BTreeMap<String, [Vec<usize>; 2]>,
    done: Vec<Step>,
}

impl Left {
    fn of(script: &[Sent], cloud: &Cloud) -> Self {
        let mut groups: BTreeMap<String, [Vec<usize>; 2]> = BTreeMap::new();
        for delivery in 0..script.len() {
            groups.entry(cloud.group(delivery)).or_default()[0].push(delivery);
        }
        Self { groups, done: Vec::new() }
    }

    /// The steps that can be taken now, by the order of acceptance.
    fn ready(&self) -> Vec<Step> {
        let identify = self.groups.values().filter_map(|[waiting, _]| waiting.first().copied().map(Step::Identify));
        let place = self.groups.values().filter_map(|[_, waiting]| waiting.first().copied().map(Step::Place));
        let mut ready: Vec<Step> = identify.chain(place).collect();
        ready.sort_by_key(|step| match step {
            Step::Identify(delivery) => (*delivery, 0),
            Step::Place(delivery) => (*delivery, 1),
        });
        ready
    }

    fn took(&mut self, step: Step) {
        for [identify, place] in self.groups.values_mut() {
            match step {
                Step::Identify(delivery) if identify.first() == Some(&delivery) => {
                    identify.remove(0);
                    place.push(delivery);
                }
                Step::Place(delivery) if place.first() == Some(&delivery) => {
                    place.remove(0);
                }
                _ => (),
            }
        }
        self.done.push(step);
    }

    /// The steps of a turn.
    fn chosen(&self, turn: Turn) -> Vec<Step> {
        let from = if turn.again { self.done.clone() } else { self.ready() };
        let first = if from.is_empty() { 0 } else { turn.pick % from.len() };
        from.iter().cycle().skip(first).take(turn.at_once.min(from.len())).copied().collect()
    }
}

/// Lets the stages do a script.
async fn run(script: &Script) -> Run {
    let sent = &script.sent;
    let mut cloud = Cloud::new(sent).await;
    let mut left = Left::of(sent, &cloud);
    let mut legal = BTreeSet::from([State::default()]);
    let mut steps = Vec::new();
    let rest = std::iter::repeat(Turn { pick: 0, at_once: 1, again: false });
    for turn in script.turns.iter().copied().chain(rest) {
        if left.ready().is_empty() {
            break;
        }
        let chosen = left.chosen(turn);
        cloud.take(&chosen).await;
        legal = model::after_all(&legal, sent, &chosen);
        chosen.iter().filter(|_| !turn.again).for_each(|step| left.took(*step));
        steps.push(chosen);
    }
    Run { steps, found: cloud.found(sent).await, legal }
}

/// Runs something to its end.
fn wait<T>(what: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(what)
}

/// What happened, for people.
fn story(script: &Script, run: &Run) -> String {
    let mut story = String::from("\nsent, in the order of acceptance:\n");
    for (delivery, sent) in script.sent.iter().enumerate() {
        let Sent { person, handle, topic, answers, repeats } = sent;
        let _ = write!(story, "  {delivery}: person {person} by {handle:?}, \"{}\"", TOPICS[*topic]);
        let _ = answers.map(|of| write!(story, ", answers {of}"));
        let _ = repeats.map(|of| write!(story, ", is {of} once more"));
        story.push('\n');
    }
    story.push_str("steps, those of a line at once:\n");
    for steps in &run.steps {
        let _ = writeln!(story, "  {steps:?}");
    }
    let _ = writeln!(story, "found:\n{}", outcome(&run.found));
    for (number, state) in run.legal.iter().enumerate() {
        let _ = writeln!(story, "legal outcome {number}:\n{}", outcome(&Found::of(state)));
    }
    story
}

fn outcome(found: &Found) -> String {
    let mut text = String::new();
    for ((kind, person), (customer, verified)) in &found.owners {
        let proved = if *verified { "" } else { ", not proved" };
        let _ = writeln!(text, "  {kind} of person {person}: customer {customer}{proved}");
    }
    for (ticket, Ticket { customer, messages, related }) in &found.tickets {
        let _ = writeln!(text, "  ticket {ticket} of customer {customer}: {messages:?}, names {related:?}");
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, ..ProptestConfig::default() })]

    /// Any repetition and any interleaving that keeps each handle's order gives one of the legal outcomes.
    #[test]
    fn any_interleaving_gives_a_legal_outcome(script in script::scripts()) {
        let run = wait(run(&script));
        let legal = run.legal.iter().any(|state| Found::of(state) == run.found);
        prop_assert!(legal, "{}", story(&script, &run));
    }

    /// With one handle a customer the outcome is that of single delivery in order, whatever is repeated and however the
    /// handles are interleaved.
    #[test]
    fn with_one_handle_a_customer_the_outcome_is_that_of_ordered_delivery(script in script::scripts_of_one_handle()) {
        // A repetition that comes last and is not sent at all changes no place in the script.
        let once = Script { sent: script.sent.clone(), turns: Vec::new() };
        let (run, ordered) = wait(async { (run(&script).await, run_once(&once).await) });
        prop_assert!(run.found == ordered, "{}delivered once, in order:\n{}", story(&script, &run), outcome(&ordered));
    }
}

/// Delivers each message once and in order.
async fn run_once(script: &Script) -> Found {
    let mut cloud = Cloud::new(&script.sent).await;
    let firsts =
        script.sent.iter().enumerate().filter(|(_, sent)| sent.repeats.is_none()).map(|(delivery, _)| delivery);
    for delivery in firsts {
        cloud.take(&[Step::Identify(delivery)]).await;
        cloud.take(&[Step::Place(delivery)]).await;
    }
    cloud.found(&script.sent).await
}
