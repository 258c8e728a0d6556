//! Tests: who may change what, and what becomes of it.

use super::*;
use crate::event::ReplySent;
use crate::id::{CustomerId, EventId, TicketId};
use crate::message::{Attachment, Call, Direction};
use crate::testing;

fn at() -> Moment {
    Moment::from_ms(1_795_183_200_000)
}

fn sender(value: &str) -> Sender {
    Sender { kind: "telegram".to_owned(), value: value.to_owned(), name: None, verified: true }
}

fn message(direction: Direction, from: &str) -> Message {
    let id = MessageId::new(uuid::Uuid::from_u128(1));
    let mut message = Message::new(id, Channel::Telegram, "bot".parse().unwrap(), direction, sender(from), at());
    message.text = "the red one".to_owned();
    message.html = Some("<b>the red one</b>".to_owned());
    message
}

fn event(data: EventData) -> Event {
    let ticket = TicketId::new(uuid::Uuid::from_u128(2));
    let actor = Actor::Customer(CustomerId::new(uuid::Uuid::from_u128(3)));
    Event { id: EventId::of(ticket, 1, 0, at()), actor, decision: None, data }
}

fn received() -> Event {
    let customer_id = CustomerId::new(uuid::Uuid::from_u128(3));
    let message = message(Direction::Inbound, "anna");
    event(testing::received(customer_id, message))
}

fn reply() -> Event {
    let mut message = message(Direction::Outbound, "mia");
    message.to = vec!["telegram:anna".to_owned()];
    event(EventData::ReplySent(Box::new(ReplySent { message, human: true })))
}

fn change(by: &str, change: Changed) -> MessageChange {
    let inbox: InboxId = "bot".parse().unwrap();
    let key = |id| LedgerKey::new(Channel::Telegram, &inbox, id);
    MessageChange {
        id: MessageId::new(uuid::Uuid::from_u128(9)),
        key: key("change"),
        of: key("7"),
        channel: Channel::Telegram,
        sender: sender(by),
        change,
        changed_at: None,
        received_at: at(),
        inbox,
    }
}

fn decided(by: &str, what: Changed, original: &Event) -> Result<EventData, NotApplied> {
    let changes = decide(&change(by, what), original, 1)?;
    let data: Vec<_> = changes.data().cloned().collect();
    assert_eq!(data.len(), 1);
    Ok(data.into_iter().next().unwrap())
}

fn reported(state: DeliveryState) -> Changed {
    Changed::Reported { state, suppress: None, reason: Some("550 no such user".to_owned()) }
}

#[test]
fn only_the_writer_edits_and_deletes() {
    let edit = || Changed::Edited { text: "the blue one".to_owned() };
    let Ok(EventData::MessageEdited(edited)) = decided("anna", edit(), &received()) else { panic!("not edited") };
    assert_eq!((edited.event_id, edited.sequence), (received().id, 1));
    assert_eq!((edited.message.text.as_str(), &edited.message.html), ("the blue one", &None));
    assert_eq!(edited.message.id, MessageId::new(uuid::Uuid::from_u128(9)), "its long text has a place of its own");
    assert!(matches!(decided("anna", Changed::Deleted, &received()), Ok(EventData::MessageDeleted(_))));
    assert_eq!(decided("mallory", edit(), &received()), Err(NotApplied::Stranger));
    assert_eq!(decided("mallory", Changed::Deleted, &received()), Err(NotApplied::Stranger));
    assert_eq!(decided("anna", Changed::Deleted, &reply()), Err(NotApplied::WrongSide));
}

#[test]
fn only_a_recording_is_written_down_and_stays_as_it_is() {
    let words = || Changed::Transcribed { text: "where is my parcel".to_owned() };
    let recorded = |stage, files: usize| {
        let mut event = received();
        let EventData::MessageReceived(received) = &mut event.data else { panic!("{event:?}") };
        received.message.text = "(voicemail, 23 s)".to_owned();
        received.message.call = Some(Call { id: "CA1".to_owned(), stage, duration_s: Some(23) });
        received.message.attachments = vec![Attachment::default(); files];
        event
    };
    // Nobody may be named, for the caller can hide: the channel says which recording it is.
    let Ok(EventData::MessageEdited(edited)) = decided("", words(), &recorded(CallStage::Voicemail, 1)) else {
        panic!("not added")
    };
    assert_eq!(edited.message.text, "(voicemail, 23 s)\n\nwhere is my parcel");
    assert_eq!(edited.message.attachments.len(), 1);
    assert!(decided("anna", words(), &recorded(CallStage::Ended, 1)).is_ok());
    for other in [recorded(CallStage::Voicemail, 0), recorded(CallStage::Started, 1), received(), reply()] {
        assert_eq!(decided("anna", words(), &other), Err(NotApplied::WrongSide));
    }
}

#[test]
fn a_reaction_is_to_what_its_writer_can_see() {
    let react = |removed| Changed::Reacted { emoji: "👍".to_owned(), removed };
    for original in [received(), reply()] {
        let Ok(EventData::ReactionAdded(added)) = decided("anna", react(true), &original) else {
            panic!("no reaction")
        };
        assert_eq!((added.emoji.as_str(), added.removed), ("👍", true));
    }
    assert_eq!(decided("mallory", react(false), &reply()), Err(NotApplied::Stranger));
    let long = Changed::Reacted { emoji: "x".repeat(500), removed: false };
    assert!(matches!(decided("anna", long, &reply()), Ok(EventData::ReactionAdded(added)) if added.emoji.len() == 64));
}

#[test]
fn reports_are_about_what_we_sent_to_this_person() {
    let delivered = decided("anna", reported(DeliveryState::Read), &reply());
    assert!(matches!(delivered, Ok(EventData::MessageDelivered(d)) if d.state == Some(DeliveryState::Read)));
    let failed = decided("anna", reported(DeliveryState::Failed), &reply());
    assert!(matches!(failed, Ok(EventData::MessageFailed(f)) if f.reason == "anna: 550 no such user" && !f.ambiguous));
    assert_eq!(decided("anna", reported(DeliveryState::Sent), &reply()), Err(NotApplied::NothingNew));
    assert_eq!(decided("ben", reported(DeliveryState::Failed), &reply()), Err(NotApplied::Stranger));
    assert_eq!(decided("anna", reported(DeliveryState::Failed), &received()), Err(NotApplied::WrongSide));
}
