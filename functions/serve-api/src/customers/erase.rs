//! Erasing a customer: content goes, facts stay.
//!
//! Done in steps that may each be done again, so it may end anywhere and is asked for again until it is done. What names
//! something goes after it: objects before the commit that names them, tickets before the profile; the customer's id stays on
//! the tickets, so whatever is left is found.

mod elsewhere;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use throughline_domain::customer::Profile;
use throughline_domain::erasure::{BECAUSE_BYTES_MAX, ERASED, Erasure, ErasureRecord, Names, Others, message_of};
use throughline_domain::event::{Commit, EventData};
use throughline_domain::id::{CustomerId, TicketId};
use throughline_domain::identifier::Identifier;
use throughline_domain::ledger::LedgerKey;
use throughline_domain::message::{Attachment, Message, Sender};
use throughline_domain::moment::Moment;
use throughline_domain::ticket::Ticket;
use throughline_platform::http::{RawBody, json};
use throughline_platform::problem::Problem;
use throughline_platform::recording::{ATTEMPTS_MAX, deciding};
use throughline_platform::{App, Failure, bodies, files};
use throughline_store::{ClaimError, Hint, Naming};

use super::unknown;
use crate::auth::{Caller, Role};

/// Most commits and files that are rewritten or deleted for one request; tickets looked at count, too.
const STEPS_MAX: usize = 150;
/// Commits that are read at once.
const COMMITS_READ: usize = 50;
/// Files that are listed at once.
const FILES_LISTED: usize = 100;

/// `POST /v1/customers/{id}/erase`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(crate) struct EraseCustomer {
    /// Why, without naming anybody: it stays.
    because: String,
    /// The customer's id again: nothing brings back what is erased.
    confirm: String,
}

/// How far an erasure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ErasureState {
    /// There is more: ask again.
    Erasing,
    /// Nothing is left that can be found.
    Erased,
}

/// What a request erased, and whether there is more.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ErasureView {
    customer_id: CustomerId,
    state: ErasureState,
    by: String,
    because: String,
    started_at: Moment,
    /// Commits and files that this request rewrote or deleted.
    steps: usize,
}

/// Erases a customer, as much as one request does.
pub(crate) async fn erase(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    RawBody(body): RawBody,
) -> Result<Response, Problem> {
    caller.at_least(Role::Admin)?;
    let id: CustomerId = id.parse().map_err(|_| unknown())?;
    let wanted: EraseCustomer = json(&body)?;
    if wanted.confirm != id.to_string() {
        return Err(Problem::fault("/confirm", "say the customer's id: nothing brings back what is erased"));
    }
    if !(1..=BECAUSE_BYTES_MAX).contains(&wanted.because.trim().len()) || wanted.because.len() > BECAUSE_BYTES_MAX {
        return Err(Problem::fault("/because", format!("1 to {BECAUSE_BYTES_MAX} bytes")));
    }
    let record = deciding(&app, |_| begin(&app, &caller, id, &wanted.because)).await?.ok_or_else(unknown)?;
    let mut work = Work { app: &app, id, record, names: Vec::new(), left: STEPS_MAX, steps: 0, reads: 0 };
    let done = work.run().await?;
    let (state, status) =
        if done { (ErasureState::Erased, StatusCode::OK) } else { (ErasureState::Erasing, StatusCode::ACCEPTED) };
    let Work { record: ErasureRecord { by, because, started_at, .. }, steps, .. } = work;
    tracing::info!(customer.id = %id, erasure.by = %by, erasure.steps = steps, erasure.done = done, "a customer is erased");
    Ok((status, Json(ErasureView { customer_id: id, state, by, because, started_at, steps })).into_response())
}

/// Notes on the profile that the customer is being erased, or finds it noted.
async fn begin(app: &App, caller: &Caller, id: CustomerId, because: &str) -> Result<Option<ErasureRecord>, Failure> {
    let Some(mut profile) = app.store.profile(id).await? else {
        return Ok(None);
    };
    if let Some(going_on) = profile.erasure.as_ref().filter(|erasure| erasure.done_at.is_none()) {
        return Ok(Some(going_on.clone()));
    }
    let names: Vec<Identifier> = profile.names().cloned().collect();
    let owners = app.store.owners(&names).await?;
    let record = ErasureRecord {
        by: caller.id.to_string(),
        because: because.to_owned(),
        started_at: app.clock.now(),
        done_at: None,
        ticket: None,
        joined: None,
        lost: owners.into_iter().filter(|(_, owner)| owner.customer_id != id).map(|(name, _)| name).collect(),
        salt: app.randomness.uuid().simple().to_string(),
    };
    profile.version += 1;
    profile.erasure = Some(record.clone());
    app.store.claim(&profile, &[], &[]).await?;
    Ok(Some(record))
}

/// One request's part of an erasure.
struct Work<'a> {
    app: &'a App,
    id: CustomerId,
    record: ErasureRecord,
    /// Names of theirs: none that was somebody else's when the erasure began.
    names: Vec<Identifier>,
    left: usize,
    steps: usize,
    /// Reads of logs since the last ticket was done.
    reads: usize,
}

impl Work<'_> {
    /// Whether everything is erased; if not, how far it came is noted.
    async fn run(&mut self) -> Result<bool, Problem> {
        let profile = self.app.store.profile(self.id).await?.ok_or_else(unknown)?;
        let done = self.release(&profile).await?
            && self.tickets().await?
            && self.joined_tickets().await?
            && self.links().await?
            && self.finish().await?;
        if !done {
            self.note_progress().await?;
        }
        Ok(done)
    }

    /// Takes a step, if one is left.
    fn step(&mut self) -> bool {
        let may = self.left > 0;
        if may {
            self.left -= 1;
            self.steps += 1;
        }
        may
    }

    /// A ticket is looked through: that takes as much room of the request as it was read.
    fn charge(&mut self) {
        self.left = self.left.saturating_sub(1 + std::mem::take(&mut self.reads));
    }

    /// Removes what lies under the names that the customer holds, then the names: whoever comes by one is somebody new.
    async fn release(&mut self, profile: &Profile) -> Result<bool, Problem> {
        let names: Vec<Identifier> = profile.names().cloned().collect();
        self.names = names.iter().filter(|name| !self.record.lost.contains(name)).cloned().collect();
        let owners = self.app.store.owners(&names).await?;
        let id = self.id;
        let others = |name: &&Identifier| owners.get(*name).is_some_and(|owner| owner.customer_id != id);
        for name in names.iter().filter(others) {
            if !self.profiles_naming(name, false).await? {
                return Ok(false);
            }
        }
        // A name without an owner was released before.
        let held = |name: &Identifier| owners.get(name).is_some_and(|owner| owner.customer_id == id);
        for name in names.into_iter().filter(held) {
            if !(self.profiles_naming(&name, true).await? && self.tickets_naming(&name).await?) {
                return Ok(false);
            }
            let prefix = files::sender_prefix(&Sender::proven(&name));
            loop {
                let listing = self.app.blobs.list(&prefix, None, FILES_LISTED).await?;
                for object in &listing.objects {
                    if !self.step() {
                        return Ok(false);
                    }
                    self.app.blobs.delete(&object.key).await?;
                }
                if !listing.more {
                    break;
                }
            }
            self.app.store.forget_suppression(&name).await?;
            self.app.store.release(&name, self.id).await?;
        }
        Ok(true)
    }

    /// Every ticket, from the newest; then those that the index does not tell of yet.
    async fn tickets(&mut self) -> Result<bool, Problem> {
        loop {
            let cursor = self.record.ticket.map(|ticket| ticket.to_string());
            let page = self.app.store.tickets_of_customer(self.id, 1, cursor.as_deref()).await?;
            let Some(ticket) = page.items.into_iter().next().map(Hint::to_confirm) else {
                break;
            };
            if self.left == 0 || !self.ticket(ticket).await? {
                return Ok(false);
            }
            self.charge();
            self.record.ticket = Some(ticket);
        }
        let mut head = self.app.store.customer_head(self.id).await?;
        if let Some(root) = head.root.filter(|root| *root != self.id) {
            head = self.app.store.customer_head(root).await?;
        }
        let own = head.open.iter().filter(|open| open.member == self.id);
        let ids: Vec<TicketId> = own.map(|open| open.ticket_id).collect();
        for stored in self.app.store.tickets(&ids).await?.into_iter().flatten() {
            if stored.ticket.head.subject != ERASED && !self.ticket(stored.ticket.head.id).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// One ticket: its commits, then its head. From the beginning again when it changed meanwhile.
    async fn ticket(&mut self, id: TicketId) -> Result<bool, Problem> {
        for _ in 0..ATTEMPTS_MAX {
            let stored = self.app.store.ticket(id).await?;
            let Some(stored) = stored.filter(|stored| stored.ticket.head.customer_id == self.id) else {
                return Ok(true);
            };
            let mut others = self.others(id).await?;
            let names = self.names_with(others.names(), &stored.ticket).await?;
            let mut after = 0;
            while let Some(commits) = self.next_commits(id, &mut after).await? {
                for commit in &commits {
                    others.read(commit, self.id);
                    let erasure = Erasure { customer: self.id, names: &names, others: &others };
                    let erased = erasure.commit(commit.clone());
                    if erased == *commit {
                        continue;
                    }
                    if !self.step() {
                        return Ok(false);
                    }
                    objects(self.app, &erasure, commit).await?;
                    self.app.store.rewrite_commit(&erased).await?;
                }
            }
            let erasure = Erasure { customer: self.id, names: &names, others: &others };
            let erased = erasure.ticket(stored.ticket.clone());
            if erased == stored.ticket || self.app.store.rewrite_ticket(&stored, &erased, self.app.clock.now()).await? {
                return Ok(true);
            }
        }
        Err(Problem::conflict("a ticket of theirs changes at the moment; ask again"))
    }

    /// What others wrote on the ticket.
    async fn others(&mut self, id: TicketId) -> Result<Others, Problem> {
        let mut others = Others::default();
        let mut after = 0;
        while let Some(commits) = self.next_commits(id, &mut after).await? {
            commits.iter().for_each(|commit| others.read(commit, self.id));
        }
        Ok(others)
    }

    /// The next commits of a ticket's log after a place, which moves behind them; nothing at its end.
    async fn next_commits(&mut self, id: TicketId, after: &mut u64) -> Result<Option<Vec<Commit>>, Problem> {
        let commits = self.app.store.timeline(id, *after, COMMITS_READ).await?;
        *after = commits.last().map_or(*after, |last| last.sequence);
        self.reads += 1;
        Ok(Some(commits).filter(|commits| !commits.is_empty()))
    }

    /// The customer's names, and those by which the ticket and its log know them; those that are somebody else's stay.
    async fn names_with(&self, logged: impl Iterator<Item = &Identifier>, ticket: &Ticket) -> Result<Names, Problem> {
        let answered = ticket.head.reply_to.iter().filter(|_| ticket.head.customer_id == self.id);
        let mut seen: Vec<Identifier> = answered.map(|reply_to| reply_to.identifier.clone()).collect();
        let own = ticket.detail.participants.iter().filter(|participant| participant.customer_id == Some(self.id));
        seen.extend(own.map(|participant| participant.identifier.clone()));
        seen.extend(logged.cloned());
        let unknown: Vec<Identifier> = seen.iter().filter(|name| !self.names.contains(name)).cloned().collect();
        let owners = self.app.store.owners(&unknown).await?;
        let others = owners.into_iter().filter(|(_, owner)| owner.customer_id != self.id).map(|(name, _)| name);
        let others = others.chain(self.record.lost.iter().cloned());
        Ok(Names::new(self.names.iter().cloned().chain(seen), others, &self.record.salt))
    }

    /// Leaves of the profile that there was one. Names that came meanwhile are released first.
    async fn finish(&mut self) -> Result<bool, Problem> {
        for _ in 0..ATTEMPTS_MAX {
            let profile = self.app.store.profile(self.id).await?.ok_or_else(unknown)?;
            if !self.release(&profile).await? {
                return Ok(false);
            }
            let suggested = profile.link_suggestions.iter().map(|suggestion| &suggestion.identifier);
            for name in suggested.chain(profile.names()) {
                self.app.store.forget_naming(name, Naming::Customer(self.id)).await?;
            }
            let now = self.app.clock.now();
            let record = ErasureRecord { done_at: Some(now), ..self.record.clone() };
            let done = ErasureRecord { ticket: None, joined: None, lost: Vec::new(), salt: String::new(), ..record };
            match self.app.store.claim(&profile.tombstone(done, now), &[], &[]).await {
                Ok(()) => return Ok(true),
                Err(ClaimError::Lost) => {}
                Err(ClaimError::Store(error)) => return Err(error.into()),
            }
        }
        Err(Problem::conflict("the customer changes at the moment; ask again"))
    }

    /// Notes on the profile which ticket was the last one, so that the next request goes on behind it.
    async fn note_progress(&self) -> Result<(), Problem> {
        deciding(self.app, |_| async {
            let Some(mut profile) = self.app.store.profile(self.id).await? else {
                return Ok(());
            };
            // Another request may have come to the end meanwhile.
            if profile.erasure.as_ref().is_none_or(|erasure| erasure.done_at.is_some()) {
                return Ok(());
            }
            profile.version += 1;
            profile.erasure = Some(self.record.clone());
            Ok(self.app.store.claim(&profile, &[], &[]).await?)
        })
        .await?;
        Ok(())
    }
}

/// Deletes what a commit names: raw mail, long texts, files; and what the ledgers keep in words.
async fn objects(app: &App, erasure: &Erasure<'_>, commit: &Commit) -> Result<(), Failure> {
    for event in &commit.events {
        if erasure.others.took_away(event) {
            continue;
        }
        if let Some(message) = message_of(&event.data) {
            // Raw mail repeats what it answers, whoever wrote it.
            if let Some(raw) = &message.raw_url {
                app.blobs.delete(raw).await?;
            }
            match (&message.body_url, erasure.spares(event)) {
                (Some(body), true) => bodies::cut(body, &app.blobs).await?,
                (Some(body), false) => app.blobs.delete(body).await?,
                (None, _) => {}
            }
            if !erasure.spares(event) {
                delete_files(app, &message.sender, &message.attachments).await?;
                forget_parked(app, message).await?;
            }
        }
        match &event.data {
            EventData::ReplySent(_) => app.store.forget_send(commit.ticket_id, event.id).await?,
            EventData::AttachmentsStored(stored) if !erasure.spares(event) => {
                delete_files(app, &stored.sender, &stored.attachments).await?;
            }
            EventData::MessageDelivered(delivered) => {
                if let Some(id) = &delivered.provider_message_id {
                    app.store.forget_parked(&LedgerKey::mail(&app.mail.message_id(id))).await?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Forgets the changes of a message that came before it.
async fn forget_parked(app: &App, message: &Message) -> Result<(), Failure> {
    if message.provider_message_id.is_empty() {
        return Ok(());
    }
    let key = LedgerKey::new(message.channel, &message.inbox, &message.provider_message_id);
    Ok(app.store.forget_parked(&key).await?)
}

async fn delete_files(app: &App, sender: &Sender, attachments: &[Attachment]) -> Result<(), Failure> {
    for file in attachments.iter().filter(|file| !file.sha256.is_empty()) {
        app.blobs.delete(&files::file_key(sender, &file.sha256)).await?;
    }
    Ok(())
}
