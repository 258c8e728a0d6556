//! Other systems are told of every commit that the stream brings, at least once, and of no other.

use std::collections::BTreeSet;

use throughline_aws::PUBLISHED_KEPT;
use throughline_domain::id::TicketId;
use throughline_domain::ticket_changed::TicketChanged;

use super::{Findings, Invariant, Rest};
use crate::cloud::Cloud;
use crate::memory::Memory;

pub(super) fn check(cloud: &Cloud, rest: &Rest, memory: &Memory, findings: &mut Findings) -> anyhow::Result<()> {
    let published = cloud.aws.published();
    let mut told: BTreeSet<(TicketId, u64)> = BTreeSet::new();
    for entry in &published {
        let change: TicketChanged = serde_json::from_value(entry.detail.clone())?;
        told.insert((change.ticket_id, change.sequence));
    }
    for (ticket, sequence, _) in &rest.commits {
        let here = told.remove(&(*ticket, *sequence));
        // The first of very many are not kept.
        let known = here || published.len() == PUBLISHED_KEPT || memory.lost.contains(&(*ticket, *sequence));
        findings.expect(known, Invariant::Bus, || format!("the bus was not told of {ticket}/{sequence}"));
    }
    findings.expect(told.is_empty(), Invariant::Bus, || format!("the bus was told of what is not there: {told:?}"));
    Ok(())
}
