//! What customers write in public, and go on with in private.

use super::merged::{goes_on, merged, own};
use super::*;
use crate::event::TicketCreated;
use crate::message::Visibility;
use crate::ticket::ReplyTo;

/// Ticket `n`, opened by what customer 1 wrote on a channel.
fn written(n: u128, channel: Channel, visibility: Visibility, at: Moment) -> Ticket {
    let opened = TicketCreated { channel, inbox: channel.as_str().parse().unwrap(), ..created(n, customer(1)) };
    let message = Message { visibility, ..message(channel, "the lamp") };
    let identifier = Identifier::new(IdentifierKind::Facebook, "1", None).unwrap();
    let way = ReplyTo { channel, inbox: message.inbox.clone(), identifier, anchor: None, visibility };
    let mut said = received(customer(1), message);
    if let EventData::MessageReceived(received) = &mut said {
        received.reply_to = Some(way);
    }
    Log::opened(n, opened, at).then(at, [said]).now()
}

fn comment(n: u128, at: Moment) -> Ticket {
    written(n, Channel::Facebook, Visibility::Public, at)
}

#[test]
fn who_began_in_public_goes_on_in_private_unless_they_talk_there_already() {
    let mut case = case(sent(1, message(Channel::Messenger, "it is broken")));
    case.open = vec![comment(1, noon()), comment(2, after(1))];
    assert_eq!(case.goes().0, "create", "another account's page");
    case.public_sides = vec!["facebook".parse().unwrap()];
    assert_eq!(case.goes(), ("gone_private".to_owned(), append(2, None)), "the latest of them");
    case.open.insert(0, written(3, Channel::Messenger, Visibility::Private, noon()));
    assert_eq!(case.goes(), ("live_conversation".to_owned(), append(3, None)), "what runs there goes on");
    case.open.remove(0);
    case.identified.inbound.message.visibility = Visibility::Public;
    assert_eq!(case.goes().0, "create", "what everybody sees is not said in private");
}

#[test]
fn who_began_in_public_goes_on_where_that_ticket_went() {
    let mut case = case(sent(1, message(Channel::Messenger, "it is broken")));
    case.public_sides = vec!["facebook".parse().unwrap()];
    case.open = vec![own(2)];
    case.merged = vec![merged(comment(1, noon()), 2)];
    assert_eq!(case.goes(), ("gone_private".to_owned(), goes_on(2, 1, false)));
    case.merged = vec![merged(comment(1, noon()), 3)];
    assert_eq!(case.goes().0, "create", "it went elsewhere");
    let mut of_another = merged(comment(1, noon()), 2);
    of_another.head.customer_id = customer(2);
    case.merged = vec![of_another];
    assert_eq!(case.goes().0, "create", "somebody else wrote it");
    case.merged = vec![merged(written(1, Channel::Facebook, Visibility::Private, noon()), 2)];
    assert_eq!(case.goes().0, "create", "nobody saw it");
}
