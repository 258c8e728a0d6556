//! What the tests of this crate share: small builders of events, tickets and calendars.

use crate::calendar::{Calendar, CalendarRef};
use crate::channel::Channel;
use crate::clock::{PolicyRef, Target, TargetKind};
use crate::config::{Calendars, HOUR_MS, SlaRules, Versioned};
use crate::event::{
    Actor, Changes, Commit, EventData, MessageReceived, ReplySent, SlaApplied, StatusChanged, TicketCreated,
};
use crate::fold::{self, FoldError};
use crate::id::{CustomerId, MessageId, TicketId, TicketReference};
use crate::identifier::Identifier;
use crate::message::{Automatic, AutomaticKind, Direction, Message, Sender};
use crate::moment::Moment;
use crate::ticket::{Participant, Priority, Role, Status, Ticket};
use uuid::Uuid;

/// One minute in milliseconds.
pub(crate) const MINUTE: i64 = 60_000;

/// The moment of an RFC 3339 text.
pub(crate) fn at(text: &str) -> Moment {
    text.parse().unwrap()
}

/// A Friday noon.
pub(crate) fn noon() -> Moment {
    at("2026-11-20T12:00:00Z")
}

pub(crate) fn customer(n: u128) -> CustomerId {
    CustomerId::new(Uuid::from_u128(n))
}

pub(crate) fn ticket_id(n: u128) -> TicketId {
    TicketId::new(Uuid::from_u128(n))
}

pub(crate) fn email(address: &str) -> Identifier {
    Identifier::email(address).unwrap()
}

pub(crate) fn colleague(customer_id: Option<CustomerId>, identifier: Identifier) -> Participant {
    Participant { customer_id, identifier, role: Role::Colleague }
}

/// An inbound message that says `text`, with the channel's name as its inbox.
pub(crate) fn message(channel: Channel, text: &str) -> Message {
    let id = MessageId::new(Uuid::from_u128(500));
    let inbox = channel.as_str().parse().unwrap();
    let mut message = Message::new(id, channel, inbox, Direction::Inbound, Sender::default(), noon());
    message.text = text.to_owned();
    message
}

/// The same message, sent by a machine.
pub(crate) fn automatic(mut message: Message, kind: AutomaticKind) -> Message {
    message.automatic = Some(Automatic { kind, because: String::new() });
    message
}

/// A message of this customer on a ticket.
pub(crate) fn received(customer_id: CustomerId, message: Message) -> EventData {
    EventData::MessageReceived(Box::new(MessageReceived {
        customer_id,
        reply_to: None,
        message,
        late: false,
        by_way_of: None,
        moved_from: None,
    }))
}

/// A reply by a person, or by the system.
pub(crate) fn reply(human: bool) -> EventData {
    let message = Message { direction: Direction::Outbound, ..message(Channel::Email, "we look into it") };
    EventData::ReplySent(Box::new(ReplySent { message, human }))
}

pub(crate) fn status(from: Status, to: Status) -> EventData {
    EventData::StatusChanged(StatusChanged::plain(from, to))
}

/// Version 1 of the SLA rules: the calendars `always` (UTC) and `office` (Berlin, 09–12 and 13–17, closed on 2026-12-25).
pub(crate) fn sla_rules() -> Versioned<SlaRules> {
    let body = r#"{"calendars": [
        {"id": "always", "time_zone": "UTC",
         "hours": [{"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "00:00", "to": "24:00"}]},
        {"id": "office", "time_zone": "Europe/Berlin", "holidays": ["2026-12-25"],
         "hours": [{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "12:00"},
                   {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "13:00", "to": "17:00"}]}]}"#;
    Versioned { version: 1, body: serde_json::from_str(body).unwrap() }
}

/// One of the calendars of [`sla_rules`].
pub(crate) fn calendar(id: &str) -> Calendar {
    sla_rules().body.calendars.into_iter().find(|calendar| calendar.id == id).unwrap()
}

/// A policy of this calendar: first response within one hour, next within two, resolution within eight.
pub(crate) fn applied(calendar: &str) -> SlaApplied {
    let target = |target, hours: i64| Target { target, business_ms: hours * HOUR_MS };
    SlaApplied {
        policy: PolicyRef { id: "standard".to_owned(), version: 1 },
        calendar: CalendarRef { id: calendar.to_owned(), version: 1 },
        targets: vec![
            target(TargetKind::FirstResponse, 1),
            target(TargetKind::NextResponse, 2),
            target(TargetKind::Resolution, 8),
        ],
        pause_in: vec![Status::Pending, Status::OnHold],
        warn_at_percent: 80,
    }
}

/// The first event of ticket `n`, a mail ticket of this customer.
pub(crate) fn created(n: u128, customer_id: CustomerId) -> TicketCreated {
    TicketCreated {
        reference: TicketReference::candidate(ticket_id(n), 0),
        subject: "Printer does not print".to_owned(),
        channel: Channel::Email,
        inbox: Channel::Email.as_str().parse().unwrap(),
        customer_id,
        priority: Priority::Normal,
        intent: None,
        language: None,
        segment: None,
        follow_up_of: None,
        fields: std::collections::BTreeMap::new(),
        reply_to: None,
    }
}

/// A ticket that grows by commits, and its log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    pub(crate) ticket: Option<Ticket>,
    pub(crate) commits: Vec<Commit>,
}

impl Log {
    /// Ticket `n` of customer `n`, opened at [`noon`].
    pub(crate) fn of(n: u128) -> Self {
        Self::opened(n, created(n, customer(n)), noon())
    }

    /// Ticket `n`, opened like this.
    pub(crate) fn opened(n: u128, created: TicketCreated, at: Moment) -> Self {
        let mut changes = Changes::new();
        changes.push(Actor::System, EventData::TicketCreated(Box::new(created)));
        let mut log = Self::default();
        log.apply(changes.into_commit(ticket_id(n), 1, at, at)).unwrap();
        log
    }

    /// With one more commit.
    pub(crate) fn then(mut self, at: Moment, events: impl IntoIterator<Item = EventData>) -> Self {
        let mut changes = Changes::new();
        events.into_iter().for_each(|event| changes.push(Actor::System, event));
        let head = &self.ticket.as_ref().unwrap().head;
        let commit = changes.into_commit(head.id, head.version + 1, at, at);
        self.apply(commit).unwrap();
        self
    }

    /// Applies a commit to the ticket and keeps it.
    pub(crate) fn apply(&mut self, commit: Commit) -> Result<(), FoldError> {
        self.ticket = Some(fold::apply(self.ticket.take(), &commit, &Calendars::from(&sla_rules()))?);
        self.commits.push(commit);
        Ok(())
    }

    /// The ticket as it is now.
    pub(crate) fn now(self) -> Ticket {
        self.ticket.unwrap()
    }
}
