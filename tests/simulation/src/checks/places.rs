//! A message is on the ticket where it belongs: who writes where a conversation of theirs runs, goes on with it. Worked out
//! from the logs, as they were when the table took each commit, not from what the decision says that it read.

use std::collections::BTreeMap;

use throughline_domain::channel::Channel;
use throughline_domain::config::HOUR_MS;
use throughline_domain::event::EventData;
use throughline_domain::id::{CustomerId, InboxId, TicketId};
use throughline_domain::moment::Moment;

use super::{Findings, Invariant, Rest};

/// How long a conversation runs after its last message, in milliseconds: as the simulated business has it, and a minute
/// less for clocks that are off.
const RUNS_MS: i64 = 24 * HOUR_MS - 60_000;

/// A ticket, as far as its commits were taken.
struct Conversation {
    customer: CustomerId,
    channel: Channel,
    inbox: InboxId,
    live: bool,
    last_message: Moment,
}

pub(super) fn check(rest: &Rest, findings: &mut Findings) {
    let mut known: BTreeMap<TicketId, Conversation> = BTreeMap::new();
    for (id, sequence, _) in &rest.commits {
        let commit = rest.tickets.get(id).and_then(|kept| kept.log.iter().find(|commit| commit.sequence == *sequence));
        for event in commit.into_iter().flat_map(|commit| &commit.events) {
            let at = commit.map_or(rest.now, |commit| commit.at);
            if let EventData::TicketCreated(created) = &event.data {
                let opened = Conversation {
                    customer: created.customer_id,
                    channel: created.channel,
                    inbox: created.inbox.clone(),
                    live: true,
                    last_message: at,
                };
                let runs = |other: &&Conversation| {
                    let same = (other.customer, other.channel, &other.inbox)
                        == (opened.customer, opened.channel, &opened.inbox);
                    same && other.live && at.since_ms(other.last_message) <= RUNS_MS
                };
                let running = known.values().find(runs).is_some();
                findings.expect(!running || !opened.channel.is_conversational(), Invariant::Places, || {
                    format!("{id} is opened, though its customer's conversation goes on elsewhere")
                });
                known.insert(*id, opened);
                continue;
            }
            let Some(conversation) = known.get_mut(id) else { continue };
            match &event.data {
                EventData::StatusChanged(change) => conversation.live = change.to.is_live(),
                EventData::MessageReceived(_) | EventData::ReplySent(_) => conversation.last_message = at,
                _ => {}
            }
        }
    }
}
