//! Providers: services that post what happens on a channel. Each is one module with the same shape, and one line in
//! [`provider`].

mod said;
#[cfg(test)]
pub(crate) mod testing;

use std::borrow::Cow;

use serde_json::Value;
use throughline_domain::channel::Channel;
use throughline_domain::config::{Inbox, Inboxes};
use throughline_domain::identifier::Identifier;
use throughline_domain::inbound::Inbound;
use throughline_domain::message_change::MessageChange;
use throughline_domain::moment::Moment;
use throughline_domain::profile_told::ProfileTold;

use crate::malformed::Malformed;
use crate::secrets::InboxSecrets;
use crate::signature::Refused;

pub(crate) use said::{Said, change, change_by, cut_id, profile};

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub struct Request<'a> {
    /// The URL that the provider called, with its query: some sign it.
    pub url: Cow<'a, str>,
    /// Names and values; names in lower case.
    pub headers: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// The raw body; empty for `GET`.
    pub body: Cow<'a, [u8]>,
}

impl Request<'_> {
    /// The first header of this name (lower case) that says something.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, value)| known == name && !value.trim().is_empty());
        found.map(|(_, value)| value.trim())
    }

    /// The first value of this name in the query, decoded.
    pub fn query(&self, name: &str) -> Option<Cow<'_, str>> {
        let (_, query) = self.url.split_once('?')?;
        form_urlencoded::parse(query.as_bytes()).find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status: 200, unless the contract names another.
    pub status: u16,
    /// Media type of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

impl Answer {
    /// Text as it is.
    pub fn text(body: impl Into<String>) -> Self {
        Self { status: 200, content_type: "text/plain; charset=utf-8", body: body.into() }
    }

    /// JSON.
    pub fn json(body: &Value) -> Self {
        Self { status: 200, content_type: "application/json", body: body.to_string() }
    }

    /// XML.
    pub fn xml(body: impl Into<String>) -> Self {
        Self { status: 200, content_type: "text/xml; charset=utf-8", body: body.into() }
    }
}

/// Where a body came in.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// All ways in: one URL may get the traffic of several accounts.
    pub inboxes: &'a Inboxes,
    /// The inbox that the URL names.
    pub inbox: &'a Inbox,
    /// When it came.
    pub received_at: Moment,
}

impl<'a> Context<'a> {
    /// The inbox of an account on a channel: the one that the URL names, if it is for that account or for no certain one.
    pub fn inbox_of(&self, channel: Channel, account: Option<&str>) -> Option<&'a Inbox> {
        let is_for = |inbox: &Inbox| match (account, inbox.account.as_deref()) {
            (Some(account), Some(own)) => account == own,
            _ => true,
        };
        if self.inbox.channel == channel && is_for(self.inbox) {
            return Some(self.inbox);
        }
        let account = account?;
        self.inboxes.inboxes.iter().find(|inbox| inbox.channel == channel && inbox.account.as_deref() == Some(account))
    }
}

/// What one entry of a body says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelEvent {
    /// Somebody says something: text, files, a place, a call, a rating.
    Message(Box<Inbound>),
    /// Something becomes of a message: edited, deleted, reacted to, delivered, read.
    Change(Box<MessageChange>),
    /// The provider tells how somebody calls themselves now, and nobody said anything.
    Profile(Box<ProfileTold>),
    /// Somebody wants no more messages, or wants them again.
    Consent(Consent),
    /// It is nothing for a ticket: our own message come back, a page's like, somebody typing.
    Dropped {
        /// Why, in words.
        why: &'static str,
    },
    /// It is rightly signed and not understood: to be kept.
    Unknown(Unknown),
}

/// Somebody wants no more messages, or wants them again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// Who.
    pub identifier: Identifier,
    /// Whether they want messages.
    pub wanted: bool,
    /// What they did.
    pub because: &'static str,
    /// When, as the channel says.
    pub at: Option<Moment>,
}

/// An entry that is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// The provider's id of it, or what makes one of it: the same for every delivery.
    pub name: String,
    /// Why, without what a customer wrote.
    pub reason: String,
    /// The entry.
    pub raw: Value,
}

impl Unknown {
    /// An entry that is kept. Without an id of its own, its content names it.
    pub(crate) fn of(raw: &Value, id: Option<&str>, reason: impl Into<String>) -> Self {
        let id = id.filter(|id| !id.is_empty()).map_or_else(
            || {
                let hash = throughline_domain::id::digest(&[raw.to_string().as_bytes()]);
                data_encoding::HEXLOWER.encode(&hash[..16])
            },
            cut_id,
        );
        Self { name: id, reason: reason.into(), raw: raw.clone() }
    }
}

/// A provider: verifies, reads and answers what one service posts.
pub trait Provider: Sync {
    /// Media type of what it posts.
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    /// Checks over the raw bytes that the provider sent this, and lately where it signs a time.
    ///
    /// # Errors
    /// Why it is not taken.
    fn verify(&self, request: &Request<'_>, secrets: &InboxSecrets, now: Moment) -> Result<(), Refused>;

    /// The answer to a request by which the provider only asks whether we are there: a `GET`, or a verified `POST`. Nothing
    /// for any other request.
    ///
    /// # Errors
    /// Why it is not answered.
    fn handshake(&self, _request: &Request<'_>, _secrets: &InboxSecrets) -> Result<Option<Answer>, Refused> {
        Ok(None)
    }

    /// Reads a verified body: every entry of it, in its order. Unknown entries are events too.
    ///
    /// # Errors
    /// When the body as a whole cannot be read.
    fn parse(&self, request: &Request<'_>, context: &Context<'_>) -> Result<Vec<ChannelEvent>, Malformed>;

    /// What a body that was taken is answered.
    fn answer(&self, _request: &Request<'_>) -> Answer {
        Answer::json(&Value::Object(serde_json::Map::new()))
    }

    /// The headers with which the provider would send this: for the demo, the tests and tools. Nothing without a secret.
    fn sign(&self, request: &Request<'_>, secrets: &InboxSecrets, now: Moment) -> Option<Vec<(&'static str, String)>>;
}

/// The provider behind a channel, where one posts. Mail, the widget, the portal and business systems have ways of their
/// own.
pub fn provider(channel: Channel) -> Option<&'static dyn Provider> {
    match channel {
        Channel::Bot => Some(&crate::bot::Bot),
        Channel::Line => Some(&crate::line::Line),
        Channel::Whatsapp | Channel::Messenger | Channel::Facebook | Channel::Instagram => Some(&crate::meta::Meta),
        Channel::X => Some(&crate::x::X),
        Channel::Slack => Some(&crate::slack::Slack),
        Channel::Sms => Some(&crate::sms::Sms),
        Channel::Telegram => Some(&crate::telegram::Telegram),
        Channel::Voice => Some(&crate::voice::Voice),
        _ => None,
    }
}
