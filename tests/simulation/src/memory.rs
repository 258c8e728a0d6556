//! What the people of a seed did, and what the system told them: what the checks hold it to.

use std::collections::BTreeSet;

use throughline_aws::Committed;
use throughline_domain::id::{CustomerId, TicketId};
use throughline_domain::moment::Moment;

/// Where a message has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// In one event of one ticket.
    Recorded,
    /// In quarantine.
    Quarantined,
    /// In quarantine, unless somebody sent it through again in time.
    Either,
}

/// A message that somebody sent, however often.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    /// What tells it from all others, in its text.
    pub(crate) mark: String,
    /// Who wrote it.
    pub(crate) person: usize,
    /// Their chat session.
    pub(crate) session: Option<String>,
    /// Whom they addressed besides us.
    pub(crate) addressed: Vec<usize>,
    /// Where it has to end.
    pub(crate) fate: Fate,
    /// Somebody was told that we have it.
    pub(crate) accepted: bool,
    /// Somebody was told that we know that it is taken back.
    pub(crate) taken_back: bool,
}

/// Something that an agent wrote.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    /// What tells it from all others, in its text.
    pub(crate) mark: String,
    /// The agent was told that it is on the ticket.
    pub(crate) accepted: bool,
}

/// A message that its writer wrote anew.
#[derive(Clone, Debug)]
pub(crate) struct Edit {
    /// What tells it from all others, in its text.
    pub(crate) mark: String,
    /// The mark of the message.
    pub(crate) of: String,
    /// Somebody was told that we know it.
    pub(crate) accepted: bool,
}

/// Two customers of whom an agent said that they are one person.
#[derive(Clone, Debug)]
pub(crate) struct Joined {
    /// The two, as they were named.
    pub(crate) pair: [CustomerId; 2],
    /// When the agent began to say so.
    pub(crate) from: Moment,
    /// When they were told that the two are taken apart again.
    pub(crate) until: Option<Moment>,
}

/// What a visitor saw in a chat.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seen {
    /// The session.
    pub(crate) session: String,
    /// The text.
    pub(crate) text: String,
}

/// What happened, as those outside know it.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Messages of customers.
    pub(crate) sent: Vec<Sent>,
    /// Replies and notes of agents.
    pub(crate) written: Vec<Written>,
    /// Messages that were written anew.
    pub(crate) edits: Vec<Edit>,
    /// Customers whom agents linked, or tried to.
    pub(crate) joined: Vec<Joined>,
    /// An agent never heard whether two customers are taken apart: half of it may be done.
    pub(crate) half_parted: bool,
    /// What visitors saw.
    pub(crate) seen: BTreeSet<Seen>,
    /// Every commit, and when the table took it, in this order.
    pub(crate) commits: Vec<(TicketId, u64, Moment)>,
    known: BTreeSet<(TicketId, u64)>,
    /// Tickets, in the order in which they were opened.
    pub(crate) tickets: Vec<TicketId>,
    marks: u64,
}

impl Memory {
    /// A mark that nothing else has.
    fn mark(&mut self, kind: char) -> String {
        self.marks += 1;
        format!("[{kind}{}]", self.marks)
    }

    /// Somebody is about to send a message; returns its mark.
    pub(crate) fn sends(&mut self, person: usize, session: Option<&str>, addressed: Vec<usize>, fate: Fate) -> String {
        let mark = self.mark('m');
        let session = session.map(str::to_owned);
        self.sent.push(Sent {
            mark: mark.clone(),
            person,
            session,
            addressed,
            fate,
            accepted: false,
            taken_back: false,
        });
        mark
    }

    /// Somebody was told that we have their message.
    pub(crate) fn accepted(&mut self, mark: &str) {
        for sent in self.sent.iter_mut().filter(|sent| sent.mark == mark) {
            sent.accepted = true;
        }
    }

    /// Somebody was told that we know that they take their message back.
    pub(crate) fn took_back(&mut self, mark: &str) {
        for sent in self.sent.iter_mut().filter(|sent| sent.mark == mark) {
            sent.taken_back = true;
        }
    }

    /// Somebody is about to write a message anew; returns the mark of what it says then.
    pub(crate) fn edits(&mut self, of: &str) -> String {
        let mark = self.mark('e');
        self.edits.push(Edit { mark: mark.clone(), of: of.to_owned(), accepted: false });
        mark
    }

    /// Somebody was told that we know what they wrote anew.
    pub(crate) fn edited(&mut self, mark: &str) {
        for edit in self.edits.iter_mut().filter(|edit| edit.mark == mark) {
            edit.accepted = true;
        }
    }

    /// An agent is about to link two customers.
    pub(crate) fn joins(&mut self, pair: [CustomerId; 2], now: Moment) {
        self.joined.push(Joined { pair, from: now, until: None });
    }

    /// An agent was told that two customers are taken apart.
    pub(crate) fn parted(&mut self, pair: [CustomerId; 2], now: Moment) {
        for joined in self.joined.iter_mut().filter(|joined| joined.pair == pair && joined.until.is_none()) {
            joined.until = Some(now);
        }
    }

    /// An agent is about to write something; returns its mark.
    pub(crate) fn writes(&mut self) -> String {
        let mark = self.mark('r');
        self.written.push(Written { mark: mark.clone(), accepted: false });
        mark
    }

    /// An agent was told that it is done.
    pub(crate) fn written(&mut self, mark: &str) {
        for written in self.written.iter_mut().filter(|written| written.mark == mark) {
            written.accepted = true;
        }
    }

    /// The table took a commit.
    pub(crate) fn committed(&mut self, commit: &Committed, at: Moment) {
        let key = |name: &str| commit.item[name]["S"].as_str().unwrap_or_default().to_owned();
        let ticket = key("pk").strip_prefix("TICKET#").and_then(|id| id.parse().ok());
        let sequence = key("sk").strip_prefix(throughline_aws::COMMIT_PREFIX).and_then(|digits| digits.parse().ok());
        let (Some(ticket), Some(sequence)) = (ticket, sequence) else { return };
        // A transaction that was repeated is told twice.
        if self.known.insert((ticket, sequence)) {
            self.commits.push((ticket, sequence, at));
        }
        if !self.tickets.contains(&ticket) {
            self.tickets.push(ticket);
        }
    }

    /// The message whose mark is in a text.
    pub(crate) fn of(&self, text: &str) -> Option<&Sent> {
        self.sent.iter().find(|sent| text.contains(&sent.mark))
    }
}
