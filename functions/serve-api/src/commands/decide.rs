//! What commands change, as functions of the ticket, the command and the caller.

use throughline_channels::email::reply_subject;
use throughline_domain::answer::{self, NoWay, Wanted};
use throughline_domain::channel::Channel;
use throughline_domain::clock;
use throughline_domain::config::{Inboxes, TicketingRules};
use throughline_domain::customer::KnownIdentifier;
use throughline_domain::event::{Actor, Change, Changes, EventData, NoteAdded, ReplySent, Tagged, Unassigned};
use throughline_domain::id::{MessageId, uuid_v7};
use throughline_domain::identifier::{Identifier, IdentifierKind};
use throughline_domain::message::{Direction, Message, Sender, TEXT_BYTES_MAX};
use throughline_domain::moment::Moment;
use throughline_domain::ticket::{Participant, Priority, ReplyTo, Role as Part, Status, Ticket, UNSENT_MAX};
use throughline_platform::App;
use throughline_platform::problem::{Fault, Problem};

use super::resolving::{self, Ending};
use super::{Note, Reply, Tags};
use crate::auth::{Caller, Role};

/// Most recipients of a reply, copies included.
const RECIPIENTS_MAX: usize = 50;
/// Most tags of a ticket.
const TAGS_MAX: usize = 50;
/// Longest tag, in bytes.
const TAG_BYTES_MAX: usize = 64;

/// Changes together with what they mean for the clocks: breaches that came before, targets that they meet.
pub(crate) fn with_verdicts(ticket: &Ticket, changes: Changes, at: Moment) -> Changes {
    let Some(sla) = &ticket.head.sla else {
        return changes;
    };
    // What ends by going on elsewhere keeps no promise: its clocks only stand still.
    let goes_on = changes.data().any(|change| matches!(change, EventData::TicketMerged(_)));
    let met: Vec<EventData> =
        changes.data().filter(|_| !goes_on).flat_map(|change| clock::met(sla, change, at)).collect();
    let mut all = Changes::new();
    clock::overdue(sla, at).for_each(|breach| all.push(Actor::System, breach));
    // A target that a change meets is met before the change stops or pauses its clock.
    met.into_iter().for_each(|met| all.push(Actor::System, met));
    all.append(changes);
    all
}

/// Where a reply goes: where the requester wrote from last, or by mail if that is asked for and there is an address.
pub(super) async fn way_out(app: &App, ticket: &Ticket, reply: &Reply) -> Result<ReplyTo, Problem> {
    let config = app.config().await?;
    let inboxes = &config.inboxes.body.inboxes;
    let wanted = Wanted { channel: reply.channel, visibility: reply.visibility };
    let unreachable = || Problem::conflict(NoWay::Unreachable.to_string());
    match answer::way(&ticket.head, wanted, inboxes) {
        Ok(Some(way)) if way.is_public() => {
            tells_nothing(app, ticket, &reply.text).await?;
            return Ok(way);
        }
        Ok(Some(way)) => return Ok(way),
        Err(not @ NoWay::NotPublic) => return Err(Problem::fault("/visibility", not.to_string())),
        Err(NoWay::Unreachable) if reply.to.is_empty() => return Err(unreachable()),
        Err(NoWay::Unreachable) | Ok(None) => {}
    }
    let inbox = inboxes.iter().find(|inbox| inbox.channel == Channel::Email).ok_or_else(unreachable)?.id.clone();
    let named = reply.to.first().and_then(|address| Identifier::email(address).ok());
    let identifier = match named {
        Some(named) => named,
        None => mail_address(app, ticket).await?.ok_or_else(unreachable)?,
    };
    Ok(ReplyTo::new(Channel::Email, inbox, identifier))
}

/// An answer for everybody tells nothing of the customer, nor of whoever is the same person.
async fn tells_nothing(app: &App, ticket: &Ticket, text: &str) -> Result<(), Problem> {
    let names: Vec<Identifier> = names_of(app, ticket).await?.into_iter().map(|known| known.identifier).collect();
    match answer::tells(text, &names, &ticket.detail.references) {
        Some(what) => {
            let detail =
                format!("everybody would read {what:?}: leave it out, or answer with \"visibility\": \"private\"");
            Err(Problem::fault("/text", detail))
        }
        None => Ok(()),
    }
}

/// A mail address of the requester, or of whoever is the same person: a verified one if there is any. One that somebody only
/// typed is nobody's.
async fn mail_address(app: &App, ticket: &Ticket) -> Result<Option<Identifier>, Problem> {
    let names = names_of(app, ticket).await?.into_iter();
    let mail = names.filter(|known| known.identifier.kind() == IdentifierKind::Email);
    Ok(mail.min_by_key(|known| !known.verified).map(|known| known.identifier))
}

/// The names of the requester, then those of whoever is the same person.
async fn names_of(app: &App, ticket: &Ticket) -> Result<Vec<KnownIdentifier>, Problem> {
    let customer = ticket.head.customer_id;
    let (_, head) = app.store.root_head(customer).await?;
    let mut members = head.cluster_of(customer);
    members.sort_by_key(|member| *member != customer);
    let profiles = app.store.profiles(&members).await?;
    Ok(profiles.into_iter().flatten().flat_map(|profile| profile.identifiers).collect())
}

/// The message of a reply.
pub(super) fn reply_message(
    ticket: &Ticket,
    reply: &Reply,
    way: ReplyTo,
    caller: &Caller,
    now: Moment,
    seed: uuid::Uuid,
) -> Result<Message, Problem> {
    check_text(&reply.text)?;
    if ticket.head.unsent.len() >= UNSENT_MAX {
        return Err(Problem::conflict(format!("{UNSENT_MAX} replies of this ticket still wait to be sent; try later")));
    }
    if reply.html.is_some() || reply.template.is_some() || !reply.attachments.is_empty() {
        return Err(Problem::fault("", "replies are plain text without templates and attachments for now"));
    }
    if way.channel != Channel::Email && !(reply.to.is_empty() && reply.cc.is_empty()) {
        return Err(Problem::fault("/to", "only mail has recipients and copies"));
    }
    let to = addresses("/to", &reply.to)?;
    let cc = addresses("/cc", &reply.cc)?;
    if to.len() + cc.len() > RECIPIENTS_MAX {
        return Err(Problem::fault("/to", format!("at most {RECIPIENTS_MAX} recipients")));
    }
    let mut message = outgoing(ticket, caller, Direction::Outbound, &reply.text, now, seed);
    message.to = if to.is_empty() { vec![way.identifier.to_string()] } else { to };
    message.cc = cc;
    if way.channel == Channel::Email {
        message.subject = Some(format!("{} [{}]", reply_subject(&ticket.head.subject), ticket.head.reference));
        message.in_reply_to = way.anchor.into_iter().collect();
    } else {
        message.quoted_message_id = way.anchor;
    }
    message.visibility = way.visibility;
    message.channel = way.channel;
    message.inbox = way.inbox;
    Ok(message)
}

/// The message of a note.
pub(super) fn note_message(
    ticket: &Ticket,
    note: &Note,
    caller: &Caller,
    now: Moment,
    seed: uuid::Uuid,
) -> Result<Message, Problem> {
    check_text(&note.text)?;
    Ok(outgoing(ticket, caller, Direction::Internal, &note.text, now, seed))
}

fn outgoing(
    ticket: &Ticket,
    caller: &Caller,
    direction: Direction,
    text: &str,
    now: Moment,
    seed: uuid::Uuid,
) -> Message {
    let id = MessageId::new(uuid_v7(now, &[b"outgoing", seed.as_bytes()]));
    let sender = written_by(caller);
    let (channel, inbox) = (ticket.head.channel, ticket.head.inbox.clone());
    let mut message = Message::new(id, channel, inbox, direction, sender, now);
    message.text = text.replace('\0', "");
    message
}

/// The caller, as the sender of what they write.
pub(super) fn written_by(caller: &Caller) -> Sender {
    let kind = if caller.role == Role::Integration { "integration" } else { "agent" };
    Sender { kind: kind.to_owned(), value: caller.id.to_string(), name: None, verified: true }
}

pub(super) fn check_text(text: &str) -> Result<(), Problem> {
    if text.trim().is_empty() {
        return Err(Problem::fault("/text", "must not be empty"));
    }
    if text.len() > TEXT_BYTES_MAX {
        return Err(Problem::fault("/text", format!("at most {TEXT_BYTES_MAX} bytes")));
    }
    Ok(())
}

fn addresses(pointer: &str, given: &[String]) -> Result<Vec<String>, Problem> {
    let mut faults = Vec::new();
    let mut found = Vec::new();
    for (i, address) in given.iter().enumerate() {
        match Identifier::email(address) {
            Ok(identifier) => found.push(identifier.to_string()),
            Err(error) => faults.push(Fault { pointer: format!("{pointer}/{i}"), detail: error.to_string() }),
        }
    }
    if faults.is_empty() { Ok(found) } else { Err(Problem::invalid(faults)) }
}

/// A reply never goes to an inbox of ours: it would come back as a message of nobody.
pub(super) fn not_to_ourselves(reply: &Reply, inboxes: &Inboxes) -> Result<(), Problem> {
    let is_own = |address: &String| Identifier::email(address).is_ok_and(|address| inboxes.is_own(&address));
    let fault =
        |list: &str, i: usize| Fault { pointer: format!("/{list}/{i}"), detail: "is an inbox of ours".to_owned() };
    let own = |list: &'static str, given: &[String]| -> Vec<Fault> {
        given.iter().enumerate().filter(|(_, address)| is_own(address)).map(|(i, _)| fault(list, i)).collect()
    };
    let faults: Vec<Fault> = own("to", &reply.to).into_iter().chain(own("cc", &reply.cc)).collect();
    if faults.is_empty() { Ok(()) } else { Err(Problem::invalid(faults)) }
}

/// The change of status after a reply: what is asked for, and otherwise a new ticket is open once somebody answered.
pub(super) fn after_reply(
    ticket: &Ticket,
    reply: &Reply,
    rules: &TicketingRules,
    actor: &Actor,
) -> Result<Changes, Problem> {
    let to = reply.then_status.or((ticket.head.status == Status::New).then_some(Status::Open));
    status(ticket, to.unwrap_or(ticket.head.status), &reply.ending, rules, "/then_status", actor.clone())
}

/// A reply, and what comes `after` it. Whom it addresses may answer on the ticket.
pub(super) fn reply(ticket: &Ticket, message: Message, after: Changes, actor: &Actor) -> Changes {
    let human = matches!(actor, Actor::Agent(_));
    let mut changes = Changes::new();
    let addressed = message.to.iter().chain(&message.cc).filter_map(|recipient| recipient.parse::<Identifier>().ok());
    let joins = addressed.filter(|identifier| identifier.kind() == IdentifierKind::Email && !names(ticket, identifier));
    let joins: Vec<Identifier> = joins.collect();
    changes.push(actor.clone(), EventData::ReplySent(Box::new(ReplySent { message, human })));
    for identifier in joins {
        let participant = Participant { customer_id: None, identifier, role: Part::Colleague };
        changes.push(actor.clone(), EventData::ParticipantAdded(participant));
    }
    changes.append(after);
    changes
}

/// Whether the ticket knows somebody by this name: a participant, or the requester.
fn names(ticket: &Ticket, identifier: &Identifier) -> bool {
    ticket.head.reply_to.as_ref().is_some_and(|reply_to| reply_to.identifier == *identifier)
        || ticket.detail.participants.iter().any(|participant| participant.identifier == *identifier)
}

/// A note.
pub(super) fn note(message: Message, actor: Actor) -> Changes {
    let mut changes = Changes::new();
    changes.push(actor, EventData::NoteAdded(Box::new(NoteAdded { message })));
    changes
}

/// A change of status. What is closed stays closed, and nothing becomes new again. `pointer` is where the request names it.
pub(super) fn status(
    ticket: &Ticket,
    to: Status,
    said: &Ending,
    rules: &TicketingRules,
    pointer: &str,
    actor: Actor,
) -> Result<Changes, Problem> {
    let from = ticket.head.status;
    let change = resolving::ended(ticket, to, said, rules, pointer)?;
    let mut changes = Changes::new();
    if resolving::is_known(ticket, &change) {
        return Ok(changes);
    }
    if from == Status::Closed && from != to {
        return Err(Problem::conflict("the ticket is closed; a further message opens a follow-up"));
    }
    if to == Status::New {
        return Err(Problem::fault(pointer, "a ticket is new only until somebody has it"));
    }
    changes.push(actor.clone(), EventData::StatusChanged(change));
    // A resolved ticket has given its capacity back; whoever had it gets it again if they have room.
    if let (false, true, Some(agent)) = (from.is_live(), to.is_live(), &ticket.head.assignee) {
        let unassigned = Unassigned { agent: agent.clone(), preferred: true, reroute: true };
        changes.push(actor, EventData::Unassigned(unassigned));
    }
    Ok(changes)
}

/// A change of priority.
pub(super) fn priority(ticket: &Ticket, to: Priority, actor: Actor) -> Changes {
    let from = ticket.head.priority;
    let mut changes = Changes::new();
    if from != to {
        changes.push(actor, EventData::PriorityChanged(Change { from, to }));
    }
    changes
}

/// Tags as they are kept, each once; `pointer` is where the request names them.
pub(super) fn clean_tags(given: &[String], pointer: &str) -> Result<Vec<String>, Problem> {
    let mut tags: Vec<String> = given.iter().map(|tag| tag.trim().to_lowercase()).collect();
    tags.sort_unstable();
    tags.dedup();
    if tags.iter().any(|tag| tag.is_empty() || tag.len() > TAG_BYTES_MAX) {
        return Err(Problem::fault(pointer, format!("a tag has 1 to {TAG_BYTES_MAX} bytes")));
    }
    if tags.len() > TAGS_MAX {
        return Err(Problem::fault(pointer, format!("a ticket has at most {TAGS_MAX} tags")));
    }
    Ok(tags)
}

/// A change of tags: only what changes.
pub(super) fn tags(ticket: &Ticket, tags: &Tags, actor: Actor) -> Result<Changes, Problem> {
    let (mut add, mut remove) = (clean_tags(&tags.add, "/add")?, clean_tags(&tags.remove, "/remove")?);
    let known = &ticket.detail.tags;
    add.retain(|tag| !known.contains(tag));
    remove.retain(|tag| known.contains(tag));
    if known.len() + add.len() > TAGS_MAX + remove.len() {
        return Err(Problem::fault("/add", format!("a ticket has at most {TAGS_MAX} tags")));
    }
    let mut changes = Changes::new();
    if !(add.is_empty() && remove.is_empty()) {
        changes.push(actor, EventData::Tagged(Tagged { added: add, removed: remove }));
    }
    Ok(changes)
}
