//! What a customer left elsewhere: on profiles and tickets of others, and in the words by which they were linked.

use std::collections::BTreeSet;

use throughline_domain::cluster::Link;
use throughline_domain::erasure::{Answered, ERASED, Elsewhere, Left, message_of};
use throughline_domain::event::EventData;
use throughline_domain::id::TicketId;
use throughline_domain::identifier::Identifier;
use throughline_platform::problem::Problem;
use throughline_platform::recording::{ATTEMPTS_MAX, deciding};
use throughline_platform::{App, Failure};
use throughline_store::Naming;

use super::{Work, delete_files, forget_parked};

/// Profiles, or tickets, with a name that are listed at once.
const NAMINGS_LISTED: usize = 50;

impl Work<'_> {
    /// Takes the customer out of what other profiles have of a name: suggestions of them, and the name, if they `hold` it and
    /// the others lost it to them.
    pub(super) async fn profiles_naming(&mut self, name: &Identifier, hold: bool) -> Result<bool, Problem> {
        let id = self.id;
        let names: BTreeSet<Identifier> = hold.then(|| name.clone()).into_iter().collect();
        let mut last = None;
        loop {
            let others = self.app.store.customers_naming(name, last, NAMINGS_LISTED).await?;
            last = others.last().copied();
            if last.is_none() {
                return Ok(true);
            }
            for other in others.into_iter().filter(|other| *other != id) {
                if self.left == 0 {
                    return Ok(false);
                }
                let decided = deciding(self.app, |_| async {
                    let Some(before) = self.app.store.profile(other).await? else {
                        return Ok((false, false));
                    };
                    let mut after = before.clone();
                    after.forget(id, &names);
                    let still = after.has(name);
                    if after != before {
                        after.version += 1;
                        self.app.store.claim(&after, &[], &[]).await?;
                    }
                    Ok((still, after != before))
                });
                let (still, changed) = decided.await?;
                // What does not concern them is looked at, and takes no step.
                if changed || !still {
                    self.step();
                }
                if !still {
                    self.app.store.forget_naming(name, Naming::Customer(other)).await?;
                }
            }
        }
    }

    /// Takes a name off the tickets of others on which it was addressed.
    pub(super) async fn tickets_naming(&mut self, name: &Identifier) -> Result<bool, Problem> {
        loop {
            let tickets = self.app.store.tickets_naming(name, None, NAMINGS_LISTED).await?;
            if tickets.is_empty() {
                return Ok(true);
            }
            for ticket in tickets {
                if !self.step() || !self.elsewhere(ticket).await? {
                    return Ok(false);
                }
                self.app.store.forget_naming(name, Naming::Ticket(ticket)).await?;
            }
        }
    }

    /// Every ticket of others on which they wrote, from the newest.
    pub(super) async fn joined_tickets(&mut self) -> Result<bool, Problem> {
        loop {
            let page = self.app.store.joined_tickets(self.id, self.record.joined, 1).await?;
            let Some(ticket) = page.first().copied() else {
                return Ok(true);
            };
            if self.left == 0 || !self.elsewhere(ticket).await? {
                return Ok(false);
            }
            self.charge();
            self.record.joined = Some(ticket);
        }
    }

    /// A ticket of somebody else: their commits, then its head. From the beginning again when it changed meanwhile.
    async fn elsewhere(&mut self, id: TicketId) -> Result<bool, Problem> {
        for _ in 0..ATTEMPTS_MAX {
            let stored = self.app.store.ticket(id).await?;
            let Some(stored) = stored.filter(|stored| stored.ticket.head.customer_id != self.id) else {
                return Ok(true);
            };
            let mut left = Left::default();
            let mut after = 0;
            while let Some(commits) = self.next_commits(id, &mut after).await? {
                commits.iter().for_each(|commit| left.read(commit, self.id));
            }
            let names = self.names_with(left.names(), &stored.ticket).await?;
            let elsewhere = Elsewhere { customer: self.id, names: &names, left: &left };
            let mut answered = Answered::default();
            after = 0;
            while let Some(commits) = self.next_commits(id, &mut after).await? {
                for commit in &commits {
                    let erased = elsewhere.commit(commit.clone());
                    answered
                        .read(&erased)
                        .map_err(|error| Failure::Quarantine(format!("a log does not fold: {error}")))?;
                    if erased == *commit {
                        continue;
                    }
                    if !self.step() {
                        return Ok(false);
                    }
                    for event in &commit.events {
                        if elsewhere.is_theirs(event) {
                            objects_of(self.app, &event.data).await?;
                        } else if elsewhere.is_for_them(event) {
                            self.app.store.forget_send(id, event.id).await?;
                        }
                    }
                    self.app.store.rewrite_commit(&erased).await?;
                }
            }
            let erased = elsewhere.ticket(stored.ticket.clone(), &answered);
            if erased == stored.ticket || self.app.store.rewrite_ticket(&stored, &erased, self.app.clock.now()).await? {
                return Ok(true);
            }
        }
        Err(Problem::conflict("a ticket on which they wrote changes at the moment; ask again"))
    }

    /// What was said as evidence when they were linked.
    pub(super) async fn links(&mut self) -> Result<bool, Problem> {
        let cluster = self.app.store.cluster(self.id).await?;
        let id = self.id;
        let theirs = cluster.links.into_iter().filter(|link| link.pair.contains(&id) && link.evidence != ERASED);
        for link in theirs {
            if !self.step() {
                return Ok(false);
            }
            if !self.app.store.rewrite_link(&Link { evidence: ERASED.to_owned(), ..link }).await? {
                return Err(Problem::conflict("their links change at the moment; ask again"));
            }
        }
        Ok(true)
    }
}

/// Deletes what an event of theirs names.
async fn objects_of(app: &App, event: &EventData) -> Result<(), Failure> {
    if let Some(message) = message_of(event) {
        for object in message.raw_url.iter().chain(&message.body_url) {
            app.blobs.delete(object).await?;
        }
        delete_files(app, &message.sender, &message.attachments).await?;
        forget_parked(app, message).await?;
    }
    if let EventData::AttachmentsStored(stored) = event {
        delete_files(app, &stored.sender, &stored.attachments).await?;
    }
    Ok(())
}
