//! What the people of a seed did, and what the system told them: what the checks hold it to.

use std::collections::BTreeSet;

use throughline_aws::Committed;
use throughline_domain::id::{CustomerId, TicketId};
use throughline_domain::moment::Moment;

/// Who writes reports on mail that came back: nobody of the people.
pub(crate) const MAIL_SYSTEM: usize = usize::MAX;
/// Where they are from.
pub(crate) const MAIL_SYSTEM_ADDRESS: &str = "mailer-daemon@mail.customer.example";

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

/// A mail of ours that came back.
#[derive(Clone, Debug)]
pub(crate) struct Back {
    /// What tells it from all others, in the reason.
    pub(crate) mark: String,
    /// The mail service's id of the mail.
    pub(crate) of: String,
    /// The mail service told of it. If not, a report was written by mail, and is a message of its own.
    pub(crate) told: bool,
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
    /// Mails of ours that came back.
    pub(crate) back: Vec<Back>,
    /// Customers whom agents linked, or tried to.
    pub(crate) joined: Vec<Joined>,
    /// An agent never heard whether two customers are taken apart: half of it may be done.
    pub(crate) half_parted: bool,
    /// What visitors saw.
    pub(crate) seen: BTreeSet<Seen>,
    /// Every commit, and when the table took it, in this order.
    pub(crate) commits: Vec<(TicketId, u64, Moment)>,
    /// Commits that were lost on their way to the relay.
    pub(crate) lost: BTreeSet<(TicketId, u64)>,
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

    /// A mail of ours comes back; returns its mark, or nothing when it came back before.
    pub(crate) fn comes_back(&mut self, of: &str) -> Option<String> {
        if self.back.iter().any(|back| back.of == of) {
            return None;
        }
        let mark = self.mark('b');
        self.back.push(Back { mark: mark.clone(), of: of.to_owned(), told: false });
        Some(mark)
    }

    /// The mail service told of a mail that came back.
    pub(crate) fn came_back(&mut self, mark: &str) {
        for back in self.back.iter_mut().filter(|back| back.mark == mark) {
            back.told = true;
        }
    }

    /// An agent is about to link two customers.
    pub(crate) fn joins(&mut self, pair: [CustomerId; 2], now: Moment) {
        self.joined.push(Joined { pair, from: now, until: None });
    }

    /// An agent was told that two customers cannot be linked.
    pub(crate) fn not_joined(&mut self, pair: [CustomerId; 2], since: Moment) {
        self.joined.retain(|joined| joined.pair != pair || joined.from != since);
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
        let Some((ticket, sequence)) = place(commit) else { return };
        // A transaction that was repeated is told twice.
        if self.known.insert((ticket, sequence)) {
            self.commits.push((ticket, sequence, at));
        }
        if !self.tickets.contains(&ticket) {
            self.tickets.push(ticket);
        }
    }

    /// The table's stream lost a commit.
    pub(crate) fn lost(&mut self, commit: &Committed) {
        self.lost.extend(place(commit));
    }

    /// The message whose mark is in a text.
    pub(crate) fn of(&self, text: &str) -> Option<&Sent> {
        self.sent.iter().find(|sent| text.contains(&sent.mark))
    }
}

/// The ticket and the number of a commit.
fn place(commit: &Committed) -> Option<(TicketId, u64)> {
    let key = |name: &str| commit.item[name]["S"].as_str();
    let ticket = key("pk")?.strip_prefix("TICKET#")?.parse().ok()?;
    let sequence = key("sk")?.strip_prefix(throughline_aws::COMMIT_PREFIX)?.parse().ok()?;
    Some((ticket, sequence))
}
