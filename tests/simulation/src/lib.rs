//! A seeded simulation of the whole: the real functions behind the real SDK clients, over the embedded services, in
//! virtual time on one thread. All that happens by chance comes from one number, the seed: who writes what and when, what
//! fails, what is lost, late, twice or out of order, which function is gone between which two requests. When all has come
//! to rest, the invariants of ARCHITECTURE.md are checked against what the people outside did and were told.
//!
//! The same seed gives the same trace, byte for byte, so what failed once can be looked at as often as need be:
//! `cargo run --package throughline-simulation -- --seed 17 --trace`.

mod answers;
mod checks;
mod cloud;
mod defects;
mod faults;
mod index;
mod instance;
mod memory;
mod partial;
mod plan;
mod random;
mod sources;
mod trace;
mod workload;

use std::time::Duration;

pub use checks::{Invariant, Violation};
pub use defects::Defect;
pub use plan::{Plan, Rates};

use crate::checks::Findings;
use crate::cloud::Cloud;
use crate::sources::Sources;

/// Longest time until everything has come to rest after the faults end.
const REST_MAX: Duration = Duration::from_secs(4 * 3_600);
/// Checks that run at the end: the first finds what was lost, the second what the first led to. One more where there
/// still was something to be driven; who waits for an agent is looked at for ever.
const CHECKS: (u32, u32) = (2, 3);
/// Time between them: what is not done is driven again after five minutes at most.
const CHECK_AFTER: Duration = Duration::from_secs(330);

/// What a seed showed.
#[derive(Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// The deliberate defect that it ran with.
    pub defect: Option<Defect>,
    /// What does not hold.
    pub violations: Vec<Violation>,
    /// Line by line.
    pub trace: String,
    /// Messages that somebody sent.
    pub messages: usize,
    /// Commits that were made.
    pub commits: usize,
}

impl Outcome {
    /// The command that shows it again.
    pub fn replay(&self) -> String {
        let defect = self.defect.map(|defect| format!(" --defect {}", defect.name())).unwrap_or_default();
        format!("cargo run --package throughline-simulation -- --seed {}{defect} --trace", self.seed)
    }
}

/// Runs a seed, with a deliberate defect if one is given.
///
/// # Errors
/// When the simulation itself fails: the embedded services do not start, or cannot be read at the end.
pub fn run(seed: u64, defect: Option<Defect>) -> anyhow::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    runtime.block_on(live(Plan::of(seed), defect))
}

async fn live(plan: Plan, defect: Option<Defect>) -> anyhow::Result<Outcome> {
    let seed = plan.seed;
    let cloud = Cloud::new(plan, defect).await?;
    let sources = Sources::start(&cloud);
    cloud.faults.switch(true);
    workload::run(&cloud).await;
    cloud.faults.switch(false);
    sources.end_schedule();
    cloud.trace.line("end", format_args!("no more faults"));

    let mut findings = Findings::default();
    let mut swept_at = cloud.now();
    for number in 1..=CHECKS.1 {
        let settled = sources.settled(REST_MAX).await;
        findings.expect(settled, Invariant::Rest, || {
            format!("after {REST_MAX:?} without faults the queues hold {:?}", cloud.aws.queues().depths())
        });
        if !settled {
            break;
        }
        tokio::time::sleep(CHECK_AFTER).await;
        swept_at = cloud.now().plus_ms(-escalate_sla::SETTLE_MS);
        let swept = sources.check().await;
        findings.expect(swept.is_some_and(|swept| swept.failed == 0), Invariant::Rest, || {
            format!("without faults the breach check does not get through: {swept:?}")
        });
        if number >= CHECKS.0 && swept.is_some_and(|swept| swept.driven == 0) {
            break;
        }
    }
    let _settled = sources.settled(REST_MAX).await;
    let memory = std::mem::take(&mut *cloud.memory());
    // The clocks of functions may be ahead or behind.
    let skew = i64::try_from(cloud.plan.skew_ms_max).unwrap_or_default();
    checks::all(&cloud, &memory, swept_at.plus_ms(-skew), &mut findings).await?;
    Ok(Outcome {
        seed,
        defect,
        violations: findings.into_list(),
        trace: cloud.trace.text(),
        messages: memory.sent.len(),
        commits: memory.commits.len(),
    })
}
