//! A ticket that an agent or a business system opens for a customer: recorded like one that a message opens, but for who
//! did it.

use std::collections::BTreeMap;

use super::commit::promises;
use super::same_problem::named_in;
use crate::channel::Channel;
use crate::config::{Config, Inbox};
use crate::decision::Decision;
use crate::event::{
    Actor, Changes, EventData, MessageReceived, NoteAdded, ReferencesFound, Tagged, TicketCreated, TicketRelated,
};
use crate::id::{CustomerId, TicketId, TicketReference};
use crate::identifier::{Identifier, IdentifierKind};
use crate::message::{Direction, Message, truncated};
use crate::signals;
use crate::ticket::{Priority, ReplyTo, SUBJECT_BYTES_MAX};

/// What a ticket is opened with.
#[derive(Clone, Debug)]
pub struct Opening<'a> {
    /// Who opens it.
    pub by: Actor,
    /// For whom.
    pub customer_id: CustomerId,
    /// Why it is them.
    pub who: Decision,
    /// Its public name.
    pub reference: TicketReference,
    /// What it is about: inbound, it is what the customer said by other means; internal, a note of whoever opens it.
    pub message: Message,
    /// Where answers go, if there is a way to the customer.
    pub reply_to: Option<ReplyTo>,
    /// How much it presses; nothing: what the words of the message say.
    pub priority: Option<Priority>,
    /// Custom fields.
    pub fields: BTreeMap<String, serde_json::Value>,
    /// Tags.
    pub tags: Vec<String>,
    /// Tickets that the customer has open.
    pub also_open: Vec<TicketId>,
    /// Segment of the customer.
    pub segment: Option<String>,
    /// Rules.
    pub config: &'a Config,
}

/// The changes that open the ticket.
pub fn open(opening: Opening<'_>) -> Changes {
    let Opening { by, customer_id, message, config, fields, .. } = opening;
    let signals = signals::read(&message, &config.routing.body);
    let priority = opening.priority.unwrap_or(signals.priority);
    let references = named_in(&config.ticketing.body.references, &message, &fields);
    let is_said = message.direction == Direction::Inbound;
    let created = TicketCreated {
        reference: opening.reference,
        subject: truncated(message.subject.as_deref().unwrap_or_default(), SUBJECT_BYTES_MAX).to_owned(),
        channel: message.channel,
        inbox: message.inbox.clone(),
        customer_id,
        priority,
        intent: signals.intent,
        language: message.language.clone(),
        segment: opening.segment.clone(),
        follow_up_of: None,
        fields,
        reply_to: opening.reply_to.clone(),
    };
    let channel = message.channel;
    let how = if is_said { "what the customer said is written down in their name" } else { "it begins with a note" };
    let decision = Decision::new("opened_for_customer", format!("somebody opened it for the customer; {how}"));
    let mut changes = Changes::new();
    changes.push_because(by.clone(), EventData::TicketCreated(Box::new(created)), decision);
    let first = if is_said {
        let reply_to = opening.reply_to;
        EventData::MessageReceived(Box::new(MessageReceived {
            customer_id,
            reply_to,
            message,
            late: false,
            by_way_of: None,
            moved_from: None,
        }))
    } else {
        EventData::NoteAdded(Box::new(NoteAdded { message }))
    };
    changes.push_because(by.clone(), first, opening.who);
    if !references.is_empty() {
        changes.push(Actor::System, EventData::ReferencesFound(ReferencesFound { references }));
    }
    if !opening.tags.is_empty() {
        changes.push(by, EventData::Tagged(Tagged { added: opening.tags, removed: Vec::new() }));
    }
    for ticket_id in opening.also_open {
        let related = TicketRelated { ticket_id, why: super::ALSO_OPEN.to_owned() };
        changes.push(Actor::System, EventData::TicketRelated(related));
    }
    if let Some((applied, decision)) = promises(config, channel, priority, opening.segment.as_deref()) {
        changes.push_because(Actor::System, applied, decision);
    }
    changes
}

/// How somebody who is known by these names is written to, from a ticket on this inbox: on its channel, or else by mail. The
/// first name that fits is taken. A chat session ends with its window, so nobody is written to there.
pub fn way_to(inbox: &Inbox, inboxes: &[Inbox], names: &[Identifier]) -> Option<ReplyTo> {
    let named = |kind| names.iter().find(|name| name.kind() == kind).cloned();
    let wanted = match inbox.channel {
        Channel::Sms => Some(IdentifierKind::Phone),
        Channel::WebChat | Channel::Voice | Channel::Portal | Channel::Bot | Channel::Webhook => None,
        channel => IdentifierKind::named(channel.as_str()),
    };
    let to = |inbox: &Inbox, identifier| ReplyTo::new(inbox.channel, inbox.id.clone(), identifier);
    if let Some(identifier) = wanted.and_then(named) {
        return Some(to(inbox, identifier));
    }
    let mail = inboxes.iter().find(|inbox| inbox.channel == Channel::Email)?;
    Some(to(mail, named(IdentifierKind::Email)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold;
    use crate::testing::{customer, email, message, noon, sla_rules, ticket_id};
    use crate::ticket::Ticket;

    fn config() -> Config {
        let mut config = Config { sla: sla_rules(), ..Config::default() };
        config.sla.body.policies = serde_json::from_value(serde_json::json!([
            {"id": "all", "calendar": "always", "targets": [{"target": "first_response", "business_ms": 3_600_000}]},
        ]))
        .unwrap();
        config.routing.body =
            serde_json::from_str(r#"{"intents": [{"intent": "outage", "any": ["is down"], "priority": "urgent"}]}"#)
                .unwrap();
        config.ticketing.body.references =
            serde_json::from_str(r#"[{"name": "order", "pattern": "ORD-######"}]"#).unwrap();
        config
    }

    fn opening(config: &Config, direction: Direction) -> Opening<'_> {
        let mut message = message(Channel::Voice, "The shop is down since ord 004711");
        message.subject = Some("Shop".to_owned());
        message.direction = direction;
        let inbox: Inbox = serde_json::from_str(r#"{"id": "support", "channel": "email"}"#).unwrap();
        Opening {
            by: Actor::Agent("mia".parse().unwrap()),
            customer_id: customer(1),
            who: Decision::new("known_identifier", "test"),
            reference: TicketReference::candidate(ticket_id(50), 0),
            message,
            reply_to: way_to(&inbox, std::slice::from_ref(&inbox), &[email("ann@x.example")]),
            priority: None,
            fields: BTreeMap::from([("size".to_owned(), "l".into())]),
            tags: vec!["vip".to_owned()],
            also_open: vec![ticket_id(2)],
            segment: Some("gold".to_owned()),
            config,
        }
    }

    fn folded(changes: Changes) -> Ticket {
        fold::apply(None, &changes.into_commit(ticket_id(50), 1, noon(), noon()), &(&sla_rules()).into()).unwrap()
    }

    #[test]
    fn a_note_opens_a_ticket_with_all_that_a_message_would() {
        let config = config();
        let changes = open(opening(&config, Direction::Internal));
        let kinds: Vec<_> = changes.data().map(EventData::kind).collect();
        assert_eq!(
            kinds,
            ["ticket_created", "note_added", "references_found", "tagged", "ticket_related", "sla_applied"]
        );
        let ticket = folded(changes);
        assert_eq!((ticket.head.subject.as_str(), ticket.head.priority), ("Shop", Priority::Urgent));
        assert_eq!((ticket.head.intent.as_deref(), ticket.head.message_count), (Some("outage"), 0));
        assert_eq!(ticket.head.reply_to.unwrap().identifier, email("ann@x.example"));
        assert!(ticket.head.sla.is_some() && ticket.head.last_customer_message_at.is_none());
        assert_eq!(ticket.detail.references[0].to_string(), "order ORD-004711");
        assert_eq!((ticket.detail.tags.len(), ticket.detail.related.len(), ticket.detail.fields.len()), (1, 1, 1));
    }

    #[test]
    fn what_the_customer_said_counts_as_their_message_and_names_who_wrote_it_down() {
        let config = config();
        let mut said = opening(&config, Direction::Inbound);
        said.priority = Some(Priority::Low);
        let changes = open(said);
        let commit = changes.clone().into_commit(ticket_id(50), 1, noon(), noon());
        assert_eq!(commit.events[1].data.kind(), "message_received");
        assert_eq!(commit.events[1].actor, Actor::Agent("mia".parse().unwrap()));
        let rules: Vec<_> =
            commit.events.iter().filter_map(|event| event.decision.as_ref().map(|d| d.rule.as_str())).collect();
        assert_eq!(rules, ["opened_for_customer", "known_identifier", "most_specific_policy"]);
        let ticket = folded(changes);
        assert_eq!((ticket.head.priority, ticket.head.message_count), (Priority::Low, 1));
        assert_eq!(ticket.head.last_customer_message_at, Some(noon()));
    }

    #[test]
    fn somebody_is_written_to_on_the_inbox_of_the_ticket_or_by_mail() {
        let inboxes: Vec<Inbox> = serde_json::from_value(serde_json::json!([
            {"id": "phone", "channel": "voice"}, {"id": "sms", "channel": "sms"}, {"id": "wa", "channel": "whatsapp"},
            {"id": "chat", "channel": "web_chat"}, {"id": "support", "channel": "email"}, {"id": "two", "channel": "email"},
        ]))
        .unwrap();
        let names =
            ["session:s1", "phone:+41791234567", "email:ann@x.example", "whatsapp:1"].map(|name| name.parse().unwrap());
        let way = |id: &str, names: &[Identifier]| {
            let inbox = inboxes.iter().find(|inbox| inbox.id.as_str() == id).unwrap();
            way_to(inbox, &inboxes, names).map(|way| format!("{} {} {}", way.channel, way.inbox, way.identifier))
        };
        for (inbox, wanted) in [
            ("sms", "sms sms phone:+41791234567"),
            ("wa", "whatsapp wa whatsapp:1"),
            ("two", "email two email:ann@x.example"),
            ("phone", "email support email:ann@x.example"),
            ("chat", "email support email:ann@x.example"),
        ] {
            assert_eq!(way(inbox, &names).as_deref(), Some(wanted), "{inbox}");
        }
        assert_eq!(way("sms", &names[2..]).as_deref(), Some("email support email:ann@x.example"), "no number is known");
        assert_eq!(way("wa", &names[..2]), None, "and no address");
    }
}
