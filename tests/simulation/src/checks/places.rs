//! A message is on the ticket where it belongs: who writes where a conversation of theirs runs, goes on with it. Worked out
//! from the logs, as they were when the table took each commit, not from what the decision says that it read.

use std::collections::BTreeMap;

use throughline_domain::channel::Channel;
use throughline_domain::config::HOUR_MS;
use throughline_domain::event::{EventData, TicketCreated};
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
    for (commit, _) in rest.taken() {
        for event in &commit.events {
            match (&event.data, known.get_mut(&commit.ticket_id)) {
                (EventData::TicketCreated(created), _) => {
                    let opened = Conversation::of(created, commit.at);
                    let goes_on =
                        created.channel.is_conversational() && known.values().any(|other| other.runs_where(&opened));
                    findings.expect(!goes_on, Invariant::Places, || {
                        format!("{} is opened, though its customer's conversation goes on elsewhere", commit.ticket_id)
                    });
                    known.insert(commit.ticket_id, opened);
                }
                (EventData::StatusChanged(change), Some(conversation)) => conversation.live = change.to.is_live(),
                (EventData::MessageReceived(_) | EventData::ReplySent(_), Some(conversation)) => {
                    conversation.last_message = commit.at;
                }
                _ => {}
            }
        }
    }
}

impl Conversation {
    fn of(created: &TicketCreated, at: Moment) -> Self {
        Self {
            customer: created.customer_id,
            channel: created.channel,
            inbox: created.inbox.clone(),
            live: true,
            last_message: at,
        }
    }

    /// Whether it runs where, and when, the other one begins.
    fn runs_where(&self, begun: &Self) -> bool {
        let place = |at: &Self| (at.customer, at.channel, at.inbox.clone());
        self.live && place(self) == place(begun) && begun.last_message.since_ms(self.last_message) <= RUNS_MS
    }
}
