//! The answer that who opens a ticket by mail has at once: that it came, and under which name.

use crate::channel::Channel;
use crate::decision::Decision;
use crate::event::{EventData, ReplySent};
use crate::id::{MessageId, TicketId, uuid_v7};
use crate::inbound::Proof;
use crate::message::{Direction, Message, Sender};
use crate::orchestration::Recording;
use crate::ticket::ReplyTo;

/// Most open tickets of a person with something new today beside which one more is acknowledged. Who opens more is a machine
/// that answers our answers without saying so, or a person who knows by then.
pub const ACKNOWLEDGED_BESIDE_MAX: usize = 4;

/// What stands for the ticket's name in the text of an acknowledgement.
const REFERENCE: &str = "{reference}";

/// The acknowledgement of a new ticket, if its inbox has one and a person wrote who is answered by mail (RFC 3834: machines
/// are not answered). It travels as every reply does, says that no person wrote it, and meets no promise.
pub(super) fn acknowledge(recording: &Recording<'_>, reply_to: Option<ReplyTo>) -> Option<(EventData, Decision)> {
    let inbound = &recording.identified.inbound;
    let is_late_or_automatic = inbound.late || inbound.message.automatic.is_some();
    // What the receiving service found to be forged would be answered to whom it names.
    let is_theirs = inbound.claims.first().is_some_and(|claim| claim.proof != Proof::Typed);
    if inbound.message.channel != Channel::Email || is_late_or_automatic || !is_theirs {
        return None;
    }
    if recording.open_today > ACKNOWLEDGED_BESIDE_MAX {
        return None;
    }
    let inbox = recording.config.inboxes.body.find(Channel::Email, &inbound.message.inbox)?;
    let text = inbox.acknowledgement.as_ref()?;
    let way = reply_to.filter(|way| way.channel == Channel::Email)?;
    let ticket = TicketId::opened_by(inbound.message.id);
    let id = MessageId::new(uuid_v7(recording.at, &[b"acknowledgement", ticket.uuid().as_bytes()]));
    let sender = Sender { kind: "system".to_owned(), verified: true, ..Sender::default() };
    let mut message = Message::new(id, way.channel, way.inbox, Direction::Outbound, sender, recording.at);
    message.to = vec![way.identifier.to_string()];
    message.in_reply_to = way.anchor.into_iter().collect();
    message.text = text.replace(REFERENCE, &recording.reference.to_string());
    let because = format!("inbox {} tells who opens a ticket that their mail came", inbox.id);
    let reply = EventData::ReplySent(Box::new(ReplySent { message, human: false }));
    Some((reply, Decision::new("acknowledgement", because).under(recording.config.inboxes.version)))
}
