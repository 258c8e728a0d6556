//! What has to be true once everything has come to rest: the invariants of ARCHITECTURE.md, held against what the people
//! outside did and were told, not against what the system says of itself.

mod agents;
mod bus;
mod clocks;
mod customers;
mod ledger;
mod ledger_items;
mod merges;
mod people;
mod places;
mod replies;
mod strangers;

use std::collections::BTreeMap;
use std::fmt;

use throughline_domain::agent::{Agent, Team};
use throughline_domain::config::Calendars;
use throughline_domain::event::{Commit, Event, EventData};
use throughline_domain::fold;
use throughline_domain::id::{AgentId, TicketId};
use throughline_domain::moment::Moment;
use throughline_local::replay::ReplayReport;
use throughline_store::{Quarantined, StoredTicket};

use crate::cloud::Cloud;
use crate::memory::Memory;

/// Most commits of a ticket that are read at once.
const COMMITS_MAX: usize = 500;
/// Most quarantined records of a day that are read.
const QUARANTINED_MAX: usize = 1_000;

/// What is always true. The numbers are those of ARCHITECTURE.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invariant {
    /// 1: every accepted message is recorded in exactly one event, or in quarantine; nothing else is recorded.
    Ledger,
    /// 2: an identifier has one owner.
    OneOwner,
    /// 3: every head is the fold of its commits.
    Fold,
    /// 4: load is the sum of what somebody holds, and never above capacity.
    Load,
    /// 5: verdicts do not depend on when the breach check ran.
    Verdicts,
    /// 6: no reply is sent twice without a recorded ambiguity.
    Sends,
    /// 7: no stranger's message is on a ticket.
    Strangers,
    /// 8: messages of one handle are recorded in the order of acceptance.
    Order,
    /// 9: a visitor sees only what is theirs, and mail goes to whom it is for.
    Privacy,
    /// A line holds who waits; a customer's list what is open.
    Lists,
    /// Who writes where a conversation of theirs runs goes on with it.
    Places,
    /// The bus is told of every commit.
    Bus,
    /// Links say who is one person, and each customer has what came by their own names.
    Links,
    /// What was merged is done there and goes on elsewhere.
    Merges,
    /// What is stored beside the logs follows from them.
    Replay,
    /// What an agent was told is done, is done once.
    Commands,
    /// Everything comes to rest: no queue keeps anything, nothing waits for what never comes.
    Rest,
}

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// How.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.invariant, self.detail)
    }
}

/// What was found so far.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Violation>);

impl Findings {
    /// Notes a violation unless this is right.
    pub(crate) fn expect(&mut self, right: bool, invariant: Invariant, detail: impl FnOnce() -> String) {
        if !right {
            self.0.push(Violation { invariant, detail: detail() });
        }
    }

    pub(crate) fn into_list(self) -> Vec<Violation> {
        self.0
    }
}

/// Everything at rest, read without faults.
struct Rest {
    tickets: BTreeMap<TicketId, Kept>,
    /// Every commit by ticket and number, and when the table took it, in this order.
    commits: Vec<(TicketId, u64, Moment)>,
    calendars: Calendars,
    agents: Vec<Agent>,
    teams: Vec<Team>,
    quarantined: Vec<(Quarantined, String)>,
    now: Moment,
}

/// A ticket with its whole log.
struct Kept {
    stored: StoredTicket,
    log: Vec<Commit>,
}

impl Rest {
    /// Every commit in the order in which the table took them, and when it did.
    fn taken(&self) -> impl Iterator<Item = (&Commit, Moment)> {
        self.commits.iter().filter_map(|(ticket, sequence, at)| {
            let log = &self.tickets.get(ticket)?.log;
            Some((log.iter().find(|commit| commit.sequence == *sequence)?, *at))
        })
    }

    /// Every event, ticket by ticket, in order.
    fn events(&self) -> impl Iterator<Item = (&Kept, &Commit, &Event)> {
        self.tickets.values().flat_map(|kept| {
            kept.log.iter().flat_map(move |commit| commit.events.iter().map(move |event| (kept, commit, event)))
        })
    }
}

async fn read(cloud: &Cloud, memory: &Memory) -> anyhow::Result<Rest> {
    let store = &cloud.observer.store;
    let mut tickets = BTreeMap::new();
    for id in &memory.tickets {
        let Some(stored) = store.ticket(*id).await? else { continue };
        let log = store.timeline(*id, 0, COMMITS_MAX).await?;
        tickets.insert(*id, Kept { stored, log });
    }
    let heads = tickets.values().map(|kept: &Kept| &kept.stored.ticket.head);
    let calendars = Calendars::clone(&*cloud.observer.calendars(heads).await?);
    let ids: Vec<AgentId> = store.roster().await?.into_iter().map(|(id, _)| id).collect();
    let (first, last) = (cloud.plan.begin.day() - 1, cloud.now().day() + 1);
    let mut quarantined = Vec::new();
    for day in first..=last {
        for record in store.quarantined_on(day, None, QUARANTINED_MAX).await? {
            let raw = cloud.observer.blobs.get(&record.raw_key).await?.unwrap_or_default();
            quarantined.push((record, String::from_utf8_lossy(&raw).into_owned()));
        }
    }
    Ok(Rest {
        agents: store.agents(&ids).await?,
        teams: store.teams().await?,
        commits: memory.commits.clone(),
        now: cloud.now(),
        tickets,
        calendars,
        quarantined,
    })
}

/// All of them.
pub(crate) async fn all(
    cloud: &Cloud,
    memory: &Memory,
    swept_at: Moment,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let rest = read(cloud, memory).await?;
    for (name, depth) in cloud.aws.queues().depths() {
        findings.expect(depth.is_empty(), Invariant::Rest, || format!("{name} keeps {depth:?}"));
    }
    folds(&rest, findings);
    ledger::check(cloud, &rest, memory, findings);
    ledger_items::check(cloud, &rest, findings)?;
    places::check(&rest, findings);
    agents::check(cloud, &rest, findings).await?;
    clocks::check(&rest, swept_at, findings);
    replies::check(cloud, &rest, memory, findings).await?;
    people::check(cloud, &rest, memory, findings).await?;
    let customers = customers::Customers::read(cloud, &rest, memory).await?;
    customers.check(cloud, &rest, memory, findings).await?;
    strangers::check(&rest, memory, &customers, findings);
    merges::check(&rest, findings);
    bus::check(cloud, &rest, memory, findings)?;
    replay(cloud, findings).await
}

/// All that is derived follows from the logs, as the product's own replay has it.
async fn replay(cloud: &Cloud, findings: &mut Findings) -> anyhow::Result<()> {
    // Who looked last may have had a clock that is ahead.
    let skew = i64::try_from(cloud.plan.skew_ms_max).unwrap_or_default();
    let differences = ReplayReport::of(&cloud.observer.store, cloud.now().plus_ms(skew)).await?.differences;
    for difference in differences {
        findings.expect(false, Invariant::Replay, || difference.to_string());
    }
    Ok(())
}

/// Every head is the fold of its commits, and its log is whole.
fn folds(rest: &Rest, findings: &mut Findings) {
    for (id, kept) in &rest.tickets {
        match fold::fold(&kept.log, &rest.calendars) {
            Ok(folded) => findings.expect(folded == kept.stored.ticket, Invariant::Fold, || {
                format!("{id} is {:?}, but its log says {folded:?}", kept.stored.ticket)
            }),
            Err(error) => findings.expect(false, Invariant::Fold, || format!("the log of {id} does not fold: {error}")),
        }
        let told = rest.commits.iter().filter(|(ticket, ..)| ticket == id).count();
        findings.expect(told == kept.log.len(), Invariant::Fold, || {
            format!("{told} commits of {id} were made, and {} are in its log", kept.log.len())
        });
        let head = &kept.stored.ticket.head;
        findings
            .expect(head.unsent.is_empty(), Invariant::Rest, || format!("{id} has unsent replies: {:?}", head.unsent));
        findings.expect(head.unrouted_since.is_none(), Invariant::Rest, || format!("{id} is still not routed"));
    }
}

/// The text of a message that came in, if this is one.
fn received(event: &Event) -> Option<(&str, bool)> {
    match &event.data {
        EventData::MessageReceived(received) => Some((&received.message.text, received.late)),
        _ => None,
    }
}
