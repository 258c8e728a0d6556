//! What a chat visitor may see: what they wrote in their session, and what was sent to it. Nothing else of the tickets
//! that these messages are on.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use throughline_channels::web_chat::Session;
use throughline_domain::customer::OpenTicket;
use throughline_domain::event::{Commit, EventData};
use throughline_domain::id::{CustomerId, EventId, MessageId, TicketId};
use throughline_domain::identifier::{Identifier, IdentifierKind};
use throughline_domain::message::{Attachment, Direction, Message};
use throughline_domain::moment::Moment;
use throughline_platform::problem::Problem;
use throughline_platform::{App, bodies};
use throughline_store::Hint;

/// How many of a customer's tickets are looked through in any case, the latest first.
const TICKETS_MAX: usize = 5;
/// Most tickets that a cursor may name.
const CURSOR_TICKETS_MAX: usize = 20;
/// How many commits of a ticket are read for one answer.
const COMMITS_MAX: usize = 200;

/// Part of a conversation.
#[derive(Serialize)]
pub(crate) struct Conversation {
    items: Vec<Line>,
    /// To be sent as `after` next time.
    next: Option<String>,
    /// Whether anything of the visitor's is not resolved yet. Once it is, a page may ask how the help was.
    open: bool,
}

/// A message as the visitor sees it.
#[derive(Serialize)]
pub(crate) struct Line {
    id: MessageId,
    event_id: EventId,
    /// The visitor's own id of what they wrote: by it a page knows the message that it shows already.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_message_id: Option<String>,
    direction: Direction,
    text: String,
    /// The files that the visitor sent with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<File>,
    at: Moment,
}

/// A file as who sent it sees it.
#[derive(Serialize)]
struct File {
    filename: String,
    size: u64,
}

/// Where a conversation may be.
struct Candidates {
    tickets: BTreeSet<TicketId>,
    open: bool,
}

/// Reads what came after `after`.
pub(crate) async fn read(app: &App, session: &Session, after: Option<&str>) -> Result<Conversation, Problem> {
    let mut read_to = positions(after)?;
    let name = Identifier::new(IdentifierKind::Session, &session.session_id, None)
        .map_err(|error| Problem::unauthorized(error.to_string()))?;
    // Who signs in later may be known by their account already: then the session's messages are on tickets of two.
    let account = session.account.as_deref().and_then(|id| Identifier::new(IdentifierKind::Account, id, None).ok());
    let names: Vec<Identifier> = [name.clone()].into_iter().chain(account).collect();
    let owners = app.store.owners(&names).await?;
    let customers: BTreeSet<CustomerId> = owners.values().map(|owner| owner.customer_id).collect();
    let mut items: Vec<Line> = Vec::new();
    // Those on which the visitor read before, too; what is not this session's is not shown from them either.
    let mut found = Candidates { tickets: read_to.keys().copied().collect(), open: false };
    for customer in customers {
        candidates(app, customer, session, &mut found).await?;
    }
    for id in found.tickets {
        let from = read_to.get(&id).copied().unwrap_or_default();
        for mut commit in app.store.timeline(id, from, COMMITS_MAX).await? {
            read_to.insert(id, commit.sequence);
            if lines(&commit, &name).next().is_some() {
                bodies::restore(&mut commit, &app.blobs).await?;
                items.extend(lines(&commit, &name));
            }
        }
    }
    items.sort_by_key(|line| (line.at, line.id));
    Ok(Conversation { items, next: cursor(&read_to), open: found.open })
}

/// The tickets on which a conversation with the customer may be: the latest, the open ones of this inbox however many came
/// since, and those of whom they are linked with on which they wrote. The others of those people are not looked at.
async fn candidates(app: &App, customer: CustomerId, session: &Session, found: &mut Candidates) -> Result<(), Problem> {
    let latest = app.store.tickets_of_customer(customer, TICKETS_MAX, None).await?.items;
    let (_, list) = app.store.root_head(customer).await?;
    let stands_alone = list.members.is_empty();
    let joined = if stands_alone { Vec::new() } else { app.store.joined_tickets(customer, None, TICKETS_MAX).await? };
    let is_theirs = |open: &&OpenTicket| open.member == customer || joined.contains(&open.ticket_id);
    let open: Vec<&OpenTicket> = list.open.iter().filter(is_theirs).collect();
    found.open |= !open.is_empty();
    let open = open.into_iter().filter(|open| open.inbox == session.inbox).map(|open| open.ticket_id);
    found.tickets.extend(latest.into_iter().map(Hint::to_confirm).chain(open).chain(joined.iter().copied()));
    Ok(())
}

/// The messages of a commit that the holder of this session may see.
fn lines<'a>(commit: &'a Commit, session: &'a Identifier) -> impl Iterator<Item = Line> + 'a {
    commit.events.iter().filter_map(move |event| {
        let message: &Message = match &event.data {
            // What was moved to another ticket is shown where it was first.
            EventData::MessageReceived(received)
                if received.moved_from.is_none() && is_of(&received.message, session) =>
            {
                &received.message
            }
            EventData::ReplySent(reply) if reply.message.to.contains(&session.to_string()) => &reply.message,
            _ => return None,
        };
        let (id, direction, text) = (message.id, message.direction, message.text.clone());
        let client_message_id = client_message_id(message, session);
        let file = |file: &Attachment| File { filename: file.filename.clone(), size: file.size };
        let files = message.attachments.iter().map(file).collect();
        Some(Line { id, event_id: event.id, client_message_id, direction, text, files, at: commit.at })
    })
}

fn client_message_id(message: &Message, session: &Identifier) -> Option<String> {
    if message.direction != Direction::Inbound {
        return None;
    }
    let id = message.provider_message_id.strip_prefix(session.value())?.strip_prefix(':')?;
    Some(id.to_owned())
}

fn is_of(message: &Message, session: &Identifier) -> bool {
    message.sender.kind == IdentifierKind::Session.as_str() && message.sender.value == session.value()
}

/// A cursor: how far each ticket was read, `ticket.sequence` joined by commas.
fn cursor(read_to: &BTreeMap<TicketId, u64>) -> Option<String> {
    let parts: Vec<String> = read_to.iter().map(|(id, sequence)| format!("{id}.{sequence}")).collect();
    (!parts.is_empty()).then(|| parts.join(","))
}

fn positions(cursor: Option<&str>) -> Result<BTreeMap<TicketId, u64>, Problem> {
    let position = |part: &str| {
        let (id, sequence) = part.split_once('.')?;
        Some((id.parse().ok()?, sequence.parse().ok()?))
    };
    let parts = cursor.unwrap_or_default().split(',').filter(|part| !part.is_empty());
    let read: Option<BTreeMap<TicketId, u64>> = parts.take(CURSOR_TICKETS_MAX).map(position).collect();
    read.ok_or_else(|| Problem::bad_request("`after` is not what an earlier answer said as `next`"))
}
