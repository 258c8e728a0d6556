//! What was said before a bot handed over, as entries of the timeline: each with its author, where it happened.
//!
//! They are made of the handoff's transcript when somebody reads the timeline, and are no events: nothing is in the log
//! that a clock, a count or the delivery of replies could take for a message of this ticket.

use schemars::JsonSchema;
use serde::Serialize;

use crate::decision::Decision;
use crate::event::{Actor, Event, EventData};
use crate::id::{EventId, MessageId, uuid_v7};
use crate::message::{Direction, Handoff, Message, Sender, TranscriptLine, TranscriptRole};
use crate::moment::Moment;

/// A line of a transcript, in the shape of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Relayed {
    /// Its id: the same whenever it is read.
    pub id: EventId,
    /// What it is.
    pub kind: RelayedKind,
    /// Who said it. Whoever is neither the customer nor the bot is the bot's platform's business.
    pub actor: Actor,
    /// Nothing was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// What was said.
    pub data: RelayedMessage,
}

/// The kind of [`Relayed`], beside those of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RelayedKind {
    /// Said before, elsewhere.
    MessageRelayed,
}

/// What was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RelayedMessage {
    /// The line as a message.
    pub message: Message,
    /// The event whose handoff tells it.
    pub handed_over_by: EventId,
}

/// The lines that an event's handoff tells, in their order, with their moments: `at` where the bot tells none.
pub(super) fn lines(event: &Event, at: Moment) -> Vec<(Moment, Relayed)> {
    let EventData::MessageReceived(received) = &event.data else { return Vec::new() };
    let Some(handoff) = &received.message.handoff else { return Vec::new() };
    let lines = handoff.transcript.iter().enumerate();
    lines.map(|(index, said)| line(event, &received.message, handoff, said, index, at)).collect()
}

fn line(
    event: &Event,
    by: &Message,
    handoff: &Handoff,
    said: &TranscriptLine,
    index: usize,
    at: Moment,
) -> (Moment, Relayed) {
    let (actor, direction, sender) = author(event, by, handoff, said.role);
    let at = said.at.unwrap_or(at);
    let name = (event.id.to_string(), index.to_string());
    let seed = [b"relayed".as_slice(), name.0.as_bytes(), name.1.as_bytes()];
    let id = uuid_v7(at, &seed);
    let mut message = Message::new(MessageId::new(id), by.channel, by.inbox.clone(), direction, sender, by.received_at);
    message.provider_message_id.clone_from(&said.id);
    message.text.clone_from(&said.text);
    message.sent_at = said.at;
    let data = RelayedMessage { message, handed_over_by: event.id };
    (at, Relayed { id: EventId::new(id), kind: RelayedKind::MessageRelayed, actor, decision: None, data })
}

fn author(event: &Event, by: &Message, handoff: &Handoff, role: TranscriptRole) -> (Actor, Direction, Sender) {
    let bot = || handoff.bot_id.clone();
    let other = |kind: &str| Sender { kind: kind.to_owned(), value: bot(), ..Sender::default() };
    match role {
        TranscriptRole::Customer => (event.actor.clone(), Direction::Inbound, by.sender.clone()),
        TranscriptRole::Bot => (Actor::Bot(bot()), Direction::Outbound, other("bot")),
        TranscriptRole::Agent => (Actor::Integration(bot()), Direction::Outbound, other("agent")),
        TranscriptRole::System => (Actor::Integration(bot()), Direction::Internal, other("system")),
    }
}
