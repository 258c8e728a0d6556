//! Puts a message on the ticket where it belongs: create, append, reopen, follow up; in one commit.

use std::collections::BTreeMap;
use std::sync::Mutex;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use throughline_domain::answer;
use throughline_domain::config::{Config, TicketingRules};
use throughline_domain::customer::CustomerHead;
use throughline_domain::event::{Commit, EventData};
use throughline_domain::id::{CustomerId, InboxId, TicketId, TicketReference};
use throughline_domain::inbound::Identified;
use throughline_domain::ledger::{LedgerEntry, LedgerKey, LedgerState};
use throughline_domain::message_change::MessageChange;
use throughline_domain::moment::Moment;
use throughline_domain::orchestration::{self, Orchestration, Placement, Recording, ReportedReply, Situation};
use throughline_domain::suppression::{Suppression, SuppressionKind};
use throughline_domain::ticket::{MERGED_IN_MAX, MergedIn, Role, Ticket};
use throughline_domain::work::Work;
use throughline_platform::batch::{self, Done, Record, Stage};
use throughline_platform::config::Setting;
use throughline_platform::queues::Queue;
use throughline_platform::recording::{self, Draft, deciding, open_ticket};
use throughline_platform::{App, Failure, bodies, message_changes};
use throughline_store::{CommitError, CustomerWrite, Hint, LedgerWrite, Lost, Mention, StoredTicket, TicketChange};
use tokio::time::Instant;

/// The settings that it needs.
pub const NEEDS: &[Setting] = &[Setting::Table, Setting::Bucket];

/// Most of a customer's open tickets that are looked at for one message: the latest.
const OPEN_READ_MAX: usize = 10;

/// How many of a customer's latest tickets are looked at for the one that a rating is about.
const RATED_MAX: usize = 5;

const STAGE: Stage = Stage { function: "upsert-ticket", queue: Some(Queue::Identified) };

/// Processes a batch of the `identified` queue or of its dead letters.
pub async fn handle(app: &App, event: SqsEvent, deadline: Instant) -> SqsBatchResponse {
    batch::run(app, STAGE, event, deadline, |record| upsert(app, record)).await
}

async fn upsert(app: &App, record: Record) -> Result<Done, Failure> {
    let mut identified = match batch::decode(app, &record.body).await? {
        Work::Identified(identified) => identified,
        Work::Change(change) => return Ok(Done::quietly(message_changes::apply(app, &change).await?)),
        _ => return Err(Failure::Quarantine("it is work for another queue".to_owned())),
    };
    bodies::store(&mut identified.inbound.message, &app.blobs).await?;
    let own = Mutex::new(None);
    let outcome = deciding(app, |number| attempt(app, &identified, number, &own)).await?;
    let parked = lock(&own).take().map(|own| own.parked).unwrap_or_default();
    message_changes::apply_parked(app, STAGE.function, &parked).await?;
    let mut done = Done::quietly(outcome);
    if matches!(outcome, "created" | "appended" | "reopened") {
        done.measured.push(("recorded", 1.0));
        if !identified.inbound.late {
            let after_ms = app.clock.now().since_ms(identified.inbound.message.received_at);
            #[expect(
                clippy::cast_precision_loss,
                reason = "a message is on its way for far less than 2^52 milliseconds"
            )]
            done.measured.push(("recorded_after_ms", after_ms as f64));
        }
    }
    Ok(done)
}

/// One decision and its write. `own` carries the ledger item that an earlier attempt ran into.
async fn attempt(
    app: &App,
    identified: &Identified,
    number: u32,
    own: &Mutex<Option<LedgerEntry>>,
) -> Result<&'static str, Failure> {
    let config = app.config().await?;
    let seen_own = lock(own).clone();
    let at = accepted_at(app, identified);
    let public_sides = answer::public_sides(&identified.inbound.message.inbox, &config.inboxes.body.inboxes);
    let own_ticket = seen_own.as_ref().and_then(|own| own.ticket_id);
    let mut read = read(app, identified, own_ticket, &public_sides, &config.ticketing.body, at).await?;
    let orchestration = orchestration::orchestrate(&Situation {
        identified,
        public_sides: &public_sides,
        cluster: &read.cluster,
        own: seen_own.as_ref(),
        own_ticket: own_ticket.and_then(|id| read.tickets.get(&id)).map(|stored| &stored.ticket),
        signed: read.signed(),
        thread: &read.thread(),
        ours: &read.ours,
        open: &read.open(),
        merged: &read.merged(),
        rules: &config.ticketing,
        at,
    });
    let before = match orchestration.placement {
        Placement::Duplicate { same_delivery: true, .. } => return Ok("recorded_before"),
        Placement::Duplicate { .. } => return Ok("duplicate"),
        Placement::Append { ticket_id, .. } => read.tickets.get(&ticket_id).cloned(),
        Placement::Create { .. } => None,
    };
    let outcome = match (&orchestration.placement, &before) {
        (Placement::Append { status: Some(_), .. }, _) => "reopened",
        (Placement::Append { .. }, _) => "appended",
        _ => "created",
    };
    if let (Some((reported_on, _)), Some(before)) = (&read.reported, &before)
        && *reported_on == before.ticket.head.id
    {
        for (name, reason) in orchestration::unreachable(identified, &before.ticket) {
            let suppression = Suppression::new(SuppressionKind::Unreachable, &reason, accepted_at(app, identified));
            app.store.suppress(&name, &suppression).await?;
        }
    }
    read.parked = seen_own.filter(|_| !orchestration.beside).map(|own| own.parked).unwrap_or_default();
    match write(app, identified, &orchestration, before, &read, &config, number).await {
        Ok(()) => Ok(outcome),
        Err(CommitError::Lost(Lost::Ledger(entry))) => {
            let entry = match entry {
                Some(entry) => Some(*entry),
                None => app.store.message(&identified.inbound.key).await?,
            };
            *lock(own) = entry;
            Err(Failure::Conflict("the message is in the ledger already".to_owned()))
        }
        Err(error) => Err(error.into()),
    }
}

/// When it happened for the clocks: when it was accepted, or now for what comes out of quarantine.
fn accepted_at(app: &App, identified: &Identified) -> Moment {
    if identified.inbound.late { app.clock.now() } else { identified.inbound.message.received_at }
}

fn lock(own: &Mutex<Option<LedgerEntry>>) -> std::sync::MutexGuard<'_, Option<LedgerEntry>> {
    own.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// What a decision reads.
struct Read {
    root: CustomerId,
    list: CustomerHead,
    cluster: Vec<CustomerId>,
    signed: Option<TicketId>,
    thread: Vec<TicketId>,
    /// Where mails of ours are that it refers to.
    ours: Vec<TicketId>,
    open: Vec<TicketId>,
    /// Merged tickets whose conversations may go on on open ones, and the tickets where merged ones went.
    merged: Vec<TicketId>,
    unknown: Vec<LedgerKey>,
    /// What waits on the message's own ledger item.
    parked: Vec<MessageChange>,
    /// The ticket that the message's own ledger item names.
    own_ticket: Option<TicketId>,
    /// The reply that the message reports on, with its ticket.
    reported: Option<(TicketId, ReportedReply)>,
    tickets: BTreeMap<TicketId, StoredTicket>,
}

impl Read {
    fn signed(&self) -> Option<&Ticket> {
        self.signed.and_then(|id| self.tickets.get(&id)).map(|stored| &stored.ticket)
    }

    fn thread(&self) -> Vec<Ticket> {
        self.thread.iter().filter_map(|id| self.tickets.get(id)).map(|stored| stored.ticket.clone()).collect()
    }

    fn open(&self) -> Vec<Ticket> {
        self.open.iter().filter_map(|id| self.tickets.get(id)).map(|stored| stored.ticket.clone()).collect()
    }

    fn merged(&self) -> Vec<Ticket> {
        self.merged.iter().filter_map(|id| self.tickets.get(id)).map(|stored| stored.ticket.clone()).collect()
    }
}

/// Reads strongly: the customer's head, the referenced ledger items in one batch, then the tickets that they name. The
/// customer's open tickets are not needed when every reference leads to a live ticket on which somebody wrote lately.
async fn read(
    app: &App,
    identified: &Identified,
    own_ticket: Option<TicketId>,
    public_sides: &[InboxId],
    rules: &TicketingRules,
    at: Moment,
) -> Result<Read, Failure> {
    let customer = identified.customer_id;
    let (root, list) = app.store.root_head(customer).await?;
    let cluster = list.cluster_of(customer);
    let keys = &identified.inbound.thread;
    let entries = if keys.is_empty() { Vec::new() } else { app.store.messages(keys).await? };
    let unknown = keys.iter().zip(&entries).filter(|(_, entry)| entry.is_none()).map(|(key, _)| key.clone()).collect();
    let reported = reported(identified, keys, &entries);
    let ours = entries.iter().flatten().filter(|entry| entry.is_of_reply());
    let ours = ours.filter_map(|entry| entry.ticket_id).collect();
    let mut thread: Vec<TicketId> = Vec::new();
    for id in entries.into_iter().flatten().filter_map(|entry| entry.ticket_id) {
        if !thread.contains(&id) {
            thread.push(id);
        }
    }
    if identified.inbound.score.is_some() && thread.is_empty() {
        thread.extend(rated(app, identified, &cluster).await?);
    }
    let mut tickets = BTreeMap::new();
    let mut wanted: Vec<TicketId> =
        identified.inbound.signed_ticket.into_iter().chain(thread.iter().copied()).collect();
    fetch(app, &mut wanted, &mut tickets).await?;
    // Those of the message's own inbox first, for there its conversation runs; oldest first, as they were opened.
    let mut open: Vec<_> = list.open.iter().rev().collect();
    open.sort_by_key(|open| open.inbox != identified.inbound.message.inbox);
    let mut open: Vec<TicketId> = open.into_iter().take(OPEN_READ_MAX).map(|open| open.ticket_id).collect();
    open.sort_unstable();
    let running = |stored: &StoredTicket| {
        let head = &stored.ticket.head;
        head.status.is_live() && !orchestration::is_quiet(head, rules, at)
    };
    if tickets.is_empty() || !tickets.values().all(running) {
        fetch(app, &mut open.clone(), &mut tickets).await?;
    }
    fetch(app, &mut own_ticket.filter(|id| !tickets.contains_key(id)).into_iter().collect(), &mut tickets).await?;
    let merged = follow_merged(app, identified, public_sides, &mut tickets).await?;
    let signed = identified.inbound.signed_ticket;
    let parked = Vec::new();
    Ok(Read { root, list, cluster, signed, thread, ours, open, merged, unknown, parked, own_ticket, reported, tickets })
}

/// Reads where the merged ones among the tickets went, and on a chat-like channel the merged ones whose conversation the
/// message may go on with. Nothing is read where no ticket was merged.
async fn follow_merged(
    app: &App,
    identified: &Identified,
    public_sides: &[InboxId],
    tickets: &mut BTreeMap<TicketId, StoredTicket>,
) -> Result<Vec<TicketId>, Failure> {
    let message = &identified.inbound.message;
    let mut merged: Vec<TicketId> = Vec::new();
    if message.channel.is_conversational() {
        let all = tickets.values().flat_map(|stored| &stored.ticket.detail.merged_in);
        // Where somebody wrote in public is not told by where the ticket was opened.
        let may_lead_here = |other: &&MergedIn| {
            !public_sides.is_empty() || (other.inbox == message.inbox && other.channel == message.channel)
        };
        merged.extend(all.filter(may_lead_here).map(|other| other.ticket_id));
    }
    let mut wanted = merged.clone();
    // No way from a merged ticket is longer.
    for _ in 0..=MERGED_IN_MAX {
        let went = tickets.values().filter_map(|stored| stored.ticket.head.merged).map(|merged| merged.into);
        wanted.extend(went);
        wanted.retain(|id| !tickets.contains_key(id));
        if wanted.is_empty() {
            break;
        }
        merged.extend(&wanted);
        fetch(app, &mut wanted, tickets).await?;
        wanted.clear();
    }
    merged.sort_unstable();
    merged.dedup();
    Ok(merged)
}

/// The ticket that a rating without a reference is about: the latest of the customer, or whoever is the same person, on that
/// inbox. The index names it, and it is read like any other that a message refers to.
async fn rated(app: &App, identified: &Identified, cluster: &[CustomerId]) -> Result<Option<TicketId>, Failure> {
    let mut ids: Vec<TicketId> = Vec::new();
    for member in cluster {
        let page = app.store.tickets_of_customer(*member, RATED_MAX, None).await?;
        ids.extend(page.items.into_iter().map(Hint::to_confirm));
    }
    ids.sort_unstable_by(|one, other| other.cmp(one));
    let tickets = app.store.tickets(&ids).await?;
    let same = |stored: &StoredTicket| stored.ticket.head.inbox == identified.inbound.message.inbox;
    Ok(tickets.into_iter().flatten().find(same).map(|stored| stored.ticket.head.id))
}

/// The reply that a mail system's report is about, if the ledger knows the id that it left under.
fn reported(
    identified: &Identified,
    keys: &[LedgerKey],
    entries: &[Option<LedgerEntry>],
) -> Option<(TicketId, ReportedReply)> {
    let message = &identified.inbound.message;
    let report = message.report.as_ref().filter(|_| !message.is_forged())?;
    let original = LedgerKey::mail(report.original_message_id.as_deref()?);
    let entry = keys.iter().zip(entries).find(|(key, _)| **key == original)?.1.as_ref()?;
    let entry = Some(entry).filter(|entry| entry.is_of_reply())?;
    let reply = ReportedReply { event_id: entry.event_id?, sequence: entry.sequence? };
    Some((entry.ticket_id?, reply))
}

async fn fetch(
    app: &App,
    wanted: &mut Vec<TicketId>,
    tickets: &mut BTreeMap<TicketId, StoredTicket>,
) -> Result<(), Failure> {
    wanted.sort_unstable();
    wanted.dedup();
    if wanted.is_empty() {
        return Ok(());
    }
    let found = app.store.tickets(wanted).await?;
    tickets.extend(found.into_iter().flatten().map(|stored| (stored.ticket.head.id, stored)));
    Ok(())
}

/// Puts the decision on the ticket's log, together with the ledger and the customer's list.
async fn write(
    app: &App,
    identified: &Identified,
    orchestration: &Orchestration,
    before: Option<StoredTicket>,
    read: &Read,
    config: &Config,
    number: u32,
) -> Result<(), CommitError> {
    let inbound = &identified.inbound;
    let new_id = TicketId::opened_by(inbound.message.id);
    let profile = match &before {
        None if !identified.is_new => app.store.profile(identified.customer_id).await?,
        _ => None,
    };
    let segment = profile.and_then(|mut profile| profile.attributes.remove("segment"));
    let at = accepted_at(app, identified);
    let ticket_id = before.as_ref().map_or(new_id, |before| before.ticket.head.id);
    let changes = orchestration::record(&Recording {
        identified,
        orchestration,
        ticket: before.as_ref().map(|before| &before.ticket),
        cluster: &read.cluster,
        reference: TicketReference::candidate(new_id, number),
        segment: segment.as_deref(),
        reported: read.reported.filter(|(reported_on, _)| *reported_on == ticket_id).map(|(_, reply)| reply),
        config,
        open_today: read.list.open.iter().filter(|open| open.day == at.day()).count(),
        at: before.as_ref().map_or(at, |before| at.max(before.ticket.head.updated_at)),
    });
    let key = if orchestration.beside { inbound.key.beside(&inbound.fingerprint) } else { inbound.key.clone() };
    let complete = |change: &mut TicketChange| {
        let entry = LedgerEntry { parked: read.parked.clone(), ..recorded(identified, change) };
        change.ledger = Some(LedgerWrite { entry, key, mention: Mention::Known(read.own_ticket) });
        // What a forged mail refers to is not led to its ticket: the true answer would follow it there.
        if !inbound.message.is_forged() {
            change.mentions.clone_from(&read.unknown);
        }
        // Whether there is a running ticket was read from this list: if it changed, the decision is made again.
        let is_live = change.after.head.status.is_live();
        if (change.before.is_none() && is_live) || joins_as_same_person(&change.commit) {
            let head = &change.after.head;
            let head = if is_live { read.list.with_open(open_ticket(head)) } else { read.list.touched() };
            change.customer = Some(CustomerWrite { id: read.root, head });
        }
    };
    recording::commit(app, Draft { ticket_id, before, changes, at, decided_now: false }, complete).await.map(drop)
}

/// Whether somebody writes for the first time on a ticket of whom they are linked with. The change then holds only while they
/// are: whoever unlinks them afterwards finds it.
fn joins_as_same_person(commit: &Commit) -> bool {
    let joins = |data: &EventData| matches!(data, EventData::ParticipantAdded(other) if other.role == Role::SamePerson);
    commit.events.iter().any(|event| joins(&event.data))
}

/// The ledger item of the message that a change records.
fn recorded(identified: &Identified, change: &TicketChange) -> LedgerEntry {
    let received = |event: &&throughline_domain::event::Event| {
        matches!(event.data, EventData::MessageReceived(_) | EventData::CsatReceived(_))
    };
    let mut entry = LedgerEntry::new(LedgerState::Recorded, change.commit.at);
    entry.ticket_id = Some(change.commit.ticket_id);
    entry.sequence = Some(change.commit.sequence);
    entry.event_id = change.commit.events.iter().find(received).map(|event| event.id);
    entry.message_id = Some(identified.inbound.message.id);
    entry.fingerprint = Some(identified.inbound.fingerprint.clone());
    entry.forged = identified.inbound.message.is_forged();
    entry
}
