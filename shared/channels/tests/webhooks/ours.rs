//! Our own ways in, for which no provider stands: the chat, the form, business systems.

use throughline_channels::malformed::Malformed;
use throughline_channels::portal::{self, Posted};
use throughline_channels::provider::ChannelEvent;
use throughline_channels::web_chat::{self, Session, user_hash};
use throughline_channels::webhook::{self, Signed};
use throughline_domain::channel::Channel;
use throughline_domain::inbound::Inbound;

use crate::fixture::{Fixture, fixtures, is_read_as_it_says, now, secrets};

/// The session of every visitor.
const SESSION: &str = "visit";
/// The name of every delivery.
const DELIVERY: &str = "msg_1";

fn message(inbound: Inbound) -> Vec<ChannelEvent> {
    vec![ChannelEvent::Message(Box::new(inbound))]
}

/// The session that a fixture opens. The page vouches for whom it names by an account.
fn session(fixture: &Fixture) -> Session {
    let mut opening = fixture.session.clone().expect("a session");
    if let Some(account) = opening.pointer("/visitor/external_id").map(|account| account.as_str().unwrap().to_owned()) {
        opening["visitor"]["user_hash"] = user_hash(&account, &secrets().identity[0]).into();
    }
    let inbox = &fixture.inboxes(Channel::WebChat).inboxes[0];
    let opened = web_chat::open(opening.to_string().as_bytes(), inbox, &secrets(), SESSION, None, now()).unwrap();
    web_chat::verify(&opened.token, &inbox.id, &secrets(), now()).unwrap()
}

#[test]
fn every_fixture_of_the_chat_is_read_as_it_says() {
    is_read_as_it_says(Channel::WebChat, &fixtures(Channel::WebChat), |fixture| {
        let inbox = &fixture.inboxes(Channel::WebChat).inboxes[0];
        web_chat::parse(&fixture.raw(), &session(fixture), inbox, now()).map(message)
    });
}

#[test]
fn every_fixture_of_business_systems_is_read_as_it_says() {
    is_read_as_it_says(Channel::Webhook, &fixtures(Channel::Webhook), |fixture| {
        webhook::parse(&fixture.raw(), DELIVERY, &fixture.inboxes(Channel::Webhook).inboxes[0], now()).map(message)
    });
}

#[test]
fn every_fixture_of_the_form_is_read_as_it_says() {
    is_read_as_it_says(Channel::Portal, &fixtures(Channel::Portal), |fixture| {
        match portal::parse(&fixture.raw(), &fixture.inboxes(Channel::Portal).inboxes[0], now())? {
            Posted::Message(inbound) => Ok(message(*inbound)),
            Posted::Robot => Err(Malformed::NotUnderstood("a robot wrote it".to_owned())),
        }
    });
}

#[test]
fn every_fixture_of_business_systems_is_verified_signed_and_refused_altered() {
    for (path, fixture) in fixtures(Channel::Webhook) {
        let mut raw = fixture.raw();
        let headers = webhook::signed(&raw, &secrets().webhook, now()).unwrap();
        let header = |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
        let [id, timestamp, signature] = [webhook::ID, webhook::TIMESTAMP, webhook::SIGNATURE].map(header);
        let signed = Signed { id, timestamp, signature };
        assert_eq!(webhook::verify(&signed, &raw, &secrets().webhook, now()), Ok(()), "{}", path.display());
        raw.push(b' ');
        assert!(webhook::verify(&signed, &raw, &secrets().webhook, now()).is_err(), "{}", path.display());
    }
}
