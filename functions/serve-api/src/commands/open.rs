//! `POST /v1/tickets`: an agent or a business system opens a ticket for a customer.
//!
//! The name that they give for the customer counts as one to which the answer goes: it may match who holds it, and makes a
//! customer known who is not yet, unproven. It never proves anything, so it joins nobody and displaces nobody.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use throughline_channels::text::{NAME_BYTES_MAX, SUBJECT_BYTES_MAX};
use throughline_domain::channel::Channel;
use throughline_domain::config::{Config, Inbox};
use throughline_domain::customer::Profile;
use throughline_domain::decision::Decision;
use throughline_domain::event::{Commit, EventData};
use throughline_domain::id::{CustomerId, InboxId, MessageId, TicketId, TicketReference, uuid_v7};
use throughline_domain::identifier::{Identifier, IdentifierKind};
use throughline_domain::identity::{self, Resolution};
use throughline_domain::inbound::{Claim, Proof};
use throughline_domain::ledger::{Fingerprint, LedgerEntry, LedgerKey, LedgerState};
use throughline_domain::message::{Direction, Message, Sender};
use throughline_domain::moment::Moment;
use throughline_domain::orchestration::{self, Opening, way_to};
use throughline_domain::ticket::{FIELDS_BYTES_MAX, FIELDS_MAX, Priority, field_bytes};
use throughline_platform::http::{RawBody, json};
use throughline_platform::problem::{Fault, Problem};
use throughline_platform::recording::{self, Draft, deciding, open_ticket};
use throughline_platform::{App, Failure, bodies};
use throughline_store::{
    CommandKey, CommitError, CustomerWrite, LedgerWrite, Lost, Mention, StoredTicket, TicketChange,
};

use super::{actor, answer, decide, earlier, idempotency_key, resolving};
use crate::auth::Caller;

/// Most open tickets of the customer that a new one is related to: the latest.
const ALSO_OPEN_MAX: usize = 10;

/// `POST /v1/tickets`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(crate) struct OpenTicket {
    /// For this customer; or else `requester`.
    #[serde(default)]
    pub(crate) customer_id: Option<CustomerId>,
    /// For whoever holds this name, a new customer if nobody does.
    #[serde(default)]
    pub(crate) requester: Option<Requester>,
    /// What it is about, in a line.
    pub(crate) subject: String,
    /// What it is about.
    pub(crate) text: String,
    /// The inbox that it belongs to.
    pub(crate) inbox: InboxId,
    /// The inbox's channel, where inboxes of several channels have this name.
    #[serde(default)]
    pub(crate) channel: Option<Channel>,
    /// How much it presses; by default what the words say.
    #[serde(default)]
    pub(crate) priority: Option<Priority>,
    /// Custom fields.
    #[serde(default)]
    pub(crate) fields: BTreeMap<String, Value>,
    /// Tags.
    #[serde(default)]
    pub(crate) tags: Vec<String>,
    /// What the text is.
    #[serde(default)]
    pub(crate) on_behalf: OnBehalf,
}

/// Who a ticket is opened for, by a name.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(crate) struct Requester {
    /// The name: `kind:value`.
    pub(crate) identifier: String,
    /// How they are called.
    #[serde(default)]
    pub(crate) name: Option<String>,
}

/// What the text of a ticket is that is opened for a customer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnBehalf {
    /// A note for agents: the customer never sees it.
    #[default]
    Note,
    /// What the customer said by other means, written down in their name.
    Message,
}

/// Opens a ticket.
pub(crate) async fn open(
    State(app): State<App>,
    caller: Caller,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<Response, Problem> {
    let wanted: OpenTicket = json(&body)?;
    let request: &[&[u8]] = &[method.as_str().as_bytes(), uri.path().as_bytes(), &body];
    let key = idempotency_key(&caller, &headers, request)?;
    if let Some(answer) = earlier(&app, key.as_ref()).await? {
        return Ok(created(answer));
    }
    let config = app.config().await?;
    let checked = Checked::of(&config, &wanted)?;
    if let Some(id) = wanted.customer_id {
        let unknown = || Problem::fault("/customer_id", "there is no such customer");
        if app.store.profile(id).await?.ok_or_else(unknown)?.erasure.is_some() {
            return Err(Problem::conflict("the customer is erased"));
        }
    }
    // The ticket, its first message and a new customer keep their ids over attempts.
    let seed = MessageId::new(uuid_v7(app.clock.now(), &[b"opened", app.randomness.uuid().as_bytes()]));
    let opening =
        Request { app: &app, caller: &caller, config: &config, wanted: &wanted, checked, key: key.as_ref(), seed };
    match deciding(&app, |number| opening.attempt(number)).await? {
        Some((stored, commit)) => answer(&app, &stored, Some(commit)).await.map(created),
        None => match earlier(&app, key.as_ref()).await? {
            Some(answer) => Ok(created(answer)),
            None => Err(Problem::conflict("it was carried out at the same moment")),
        },
    }
}

/// The answer, as one that tells of a new ticket.
fn created(mut answer: Response) -> Response {
    *answer.status_mut() = StatusCode::CREATED;
    answer
}

/// A request in which everything that can be wrong was looked at.
struct Checked {
    inbox: Inbox,
    names: Vec<Identifier>,
    tags: Vec<String>,
}

impl Checked {
    fn of(config: &Config, wanted: &OpenTicket) -> Result<Self, Problem> {
        let fault = |pointer: &str, detail: &str| Fault { pointer: pointer.to_owned(), detail: detail.to_owned() };
        let mut faults = resolving::check_fields(&wanted.fields, &config.ticketing.body, "/fields");
        let subject = wanted.subject.trim();
        if subject.is_empty() || subject.len() > SUBJECT_BYTES_MAX || subject.chars().any(char::is_control) {
            faults.push(fault("/subject", &format!("1 to {SUBJECT_BYTES_MAX} bytes in one line")));
        }
        if wanted.fields.len() > FIELDS_MAX {
            faults.push(fault("/fields", &format!("a ticket has at most {FIELDS_MAX} fields")));
        }
        let bytes: usize = wanted.fields.iter().map(|(key, value)| field_bytes(key, value)).sum();
        if bytes > FIELDS_BYTES_MAX {
            faults.push(fault("/fields", &format!("at most {FIELDS_BYTES_MAX} bytes together")));
        }
        let inboxes = &config.inboxes.body;
        let named =
            |inbox: &&Inbox| inbox.id == wanted.inbox && wanted.channel.is_none_or(|channel| inbox.channel == channel);
        let found: Vec<&Inbox> = inboxes.inboxes.iter().filter(named).collect();
        match found.len() {
            0 => faults.push(fault("/inbox", "there is no such inbox")),
            1 => {}
            _ => faults.push(fault("/channel", "inboxes of several channels have this name; say which")),
        }
        let mut names = Vec::new();
        match (&wanted.requester, wanted.customer_id) {
            (Some(requester), None) => match requester.identifier.parse::<Identifier>() {
                Ok(name) if inboxes.is_own(&name) => faults.push(fault("/requester/identifier", "is an inbox of ours")),
                Ok(name) if name.kind() == IdentifierKind::Session => {
                    faults.push(fault("/requester/identifier", "a chat session names nobody who could be found again"));
                }
                Ok(name) => names.push(name),
                Err(error) => faults.push(fault("/requester/identifier", &error.to_string())),
            },
            (None, Some(_)) => {}
            _ => faults.push(fault("/requester", "either a requester or a customer_id")),
        }
        let name = wanted.requester.as_ref().and_then(|requester| requester.name.as_deref()).unwrap_or_default();
        if name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
            faults.push(fault("/requester/name", &format!("at most {NAME_BYTES_MAX} bytes in one line")));
        }
        let tags = decide::clean_tags(&wanted.tags, "/tags").map_err(|problem| faults.extend(problem.errors));
        decide::check_text(&wanted.text).unwrap_or_else(|problem| faults.extend(problem.errors));
        match (found.first(), tags) {
            (Some(inbox), Ok(tags)) if faults.is_empty() => Ok(Self { inbox: (*inbox).clone(), names, tags }),
            _ => Err(Problem::invalid(faults)),
        }
    }
}

/// Whom a ticket is for.
struct Customer {
    id: CustomerId,
    names: Vec<Identifier>,
    name: Option<String>,
    segment: Option<String>,
    who: Decision,
}

/// A ticket to be opened.
struct Request<'a> {
    app: &'a App,
    caller: &'a Caller,
    config: &'a Config,
    wanted: &'a OpenTicket,
    checked: Checked,
    key: Option<&'a CommandKey>,
    seed: MessageId,
}

impl Request<'_> {
    /// One decision and its write; nothing when the same command was carried out at the same moment.
    async fn attempt(&self, number: u32) -> Result<Option<(StoredTicket, Commit)>, Failure> {
        let app = self.app;
        let now = app.clock.now();
        let customer = self.customer(now).await?;
        let (root, list) = app.store.root_head(customer.id).await?;
        let way = way_to(&self.checked.inbox, &self.config.inboxes.body.inboxes, &customer.names);
        let ticket_id = TicketId::opened_by(self.seed);
        let mut message = self.message(&customer, now);
        let entry = (self.wanted.on_behalf == OnBehalf::Message).then(|| entry(&message));
        bodies::store(&mut message, &app.blobs).await?;
        let changes = orchestration::open(Opening {
            by: actor(self.caller),
            customer_id: customer.id,
            who: customer.who,
            reference: TicketReference::candidate(ticket_id, number),
            message,
            reply_to: way,
            priority: self.wanted.priority,
            fields: self.wanted.fields.clone(),
            tags: self.checked.tags.clone(),
            also_open: list.open.iter().rev().take(ALSO_OPEN_MAX).map(|open| open.ticket_id).collect(),
            segment: customer.segment,
            config: self.config,
        });
        let complete = |change: &mut TicketChange| {
            let head = list.with_open(open_ticket(&change.after.head));
            change.customer = Some(CustomerWrite { id: root, head });
            change.command = self.key.cloned();
            change.ledger = entry.map(|(key, entry)| LedgerWrite {
                key,
                entry: recorded(entry, &change.commit),
                mention: Mention::Ignored,
            });
        };
        // Stamped once all that takes time is done.
        let draft = Draft { ticket_id, before: None, changes, at: app.clock.now(), decided_now: true };
        match recording::commit(app, draft, complete).await {
            Ok(recorded) => {
                Ok(Some((StoredTicket { ticket: recorded.after, check_at: None, rewritten_at: None }, recorded.commit)))
            }
            Err(CommitError::Lost(Lost::Command)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whom it is for, made known if nobody holds the name.
    async fn customer(&self, now: Moment) -> Result<Customer, Failure> {
        let store = &self.app.store;
        let given = self.wanted.requester.as_ref().and_then(|requester| requester.name.clone());
        let Some(name) = self.checked.names.first() else {
            let id = self.wanted.customer_id.unwrap_or_else(|| CustomerId::opened_by(self.seed));
            let who = Decision::new("named_customer", "whoever opened the ticket named the customer");
            return Ok(Customer::of(id, store.profile(id).await?, who));
        };
        let claim = Claim { identifier: name.clone(), proof: Proof::Answerable };
        let owners = store.owners(std::slice::from_ref(name)).await?;
        let resolution = identity::resolve(&identity::Sender {
            claims: std::slice::from_ref(&claim),
            owners: &owners,
            holders: &BTreeMap::new(),
            mailboxes: &BTreeMap::new(),
            new_customer: CustomerId::opened_by(self.seed),
            source: &format!("{}/{}", self.checked.inbox.channel, self.checked.inbox.id),
            at: now,
        });
        let Resolution { customer_id, is_new, claims, decision, .. } = resolution;
        if !is_new {
            let known = Customer::of(customer_id, store.profile(customer_id).await?, decision);
            // The name by which they were asked for is the one to answer to.
            let names = std::iter::once(name.clone()).chain(known.names).collect();
            return Ok(Customer { names, ..known });
        }
        let profile = Profile {
            version: 1,
            name: given.clone(),
            identifiers: claims.iter().map(|claim| claim.known.clone()).collect(),
            ..Profile::new(customer_id, now)
        };
        store.claim(&profile, &claims, &[]).await?;
        Ok(Customer::of(customer_id, Some(profile), decision))
    }

    /// What the ticket begins with.
    fn message(&self, customer: &Customer, now: Moment) -> Message {
        let (inbox, caller) = (&self.checked.inbox, self.caller);
        let (direction, sender) = match self.wanted.on_behalf {
            OnBehalf::Note => (Direction::Internal, decide::written_by(caller)),
            OnBehalf::Message => {
                let sender = customer.names.first().map(Sender::proven).unwrap_or_default();
                (Direction::Inbound, Sender { name: customer.name.clone(), verified: false, ..sender })
            }
        };
        let mut message = Message::new(self.seed, inbox.channel, inbox.id.clone(), direction, sender, now);
        message.subject = Some(self.wanted.subject.trim().to_owned());
        message.text = self.wanted.text.replace('\0', "");
        if direction == Direction::Inbound {
            message.provider_message_id = self.seed.to_string();
            message.warnings.push(format!("written down by {} in the name of the customer", caller.id));
        }
        message
    }
}

impl Customer {
    /// A customer by their profile: verified names first.
    fn of(id: CustomerId, profile: Option<Profile>, who: Decision) -> Self {
        let (mut known, name, segment) = match profile {
            Some(mut profile) => (profile.identifiers, profile.name, profile.attributes.remove("segment")),
            None => Default::default(),
        };
        known.sort_by_key(|known| !known.verified);
        Self { id, names: known.into_iter().map(|known| known.identifier).collect(), name, segment, who }
    }
}

/// The ledger item of what was written down in the customer's name: it can be found like every message.
fn entry(message: &Message) -> (LedgerKey, LedgerEntry) {
    let key = LedgerKey::new(message.channel, &message.inbox, &message.provider_message_id);
    let mut entry = LedgerEntry::new(LedgerState::Recorded, message.received_at);
    entry.message_id = Some(message.id);
    entry.fingerprint = Some(Fingerprint::of(message));
    (key, entry)
}

fn recorded(entry: LedgerEntry, commit: &Commit) -> LedgerEntry {
    let said = commit.events.iter().find(|event| matches!(event.data, EventData::MessageReceived(_)));
    LedgerEntry {
        ticket_id: Some(commit.ticket_id),
        sequence: Some(commit.sequence),
        event_id: said.map(|event| event.id),
        ..entry
    }
}
