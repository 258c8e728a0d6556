//! Comments: what somebody writes for everybody to see, on a page or on Instagram.

use throughline_domain::config::Inbox;
use throughline_domain::id::digest;
use throughline_domain::identifier::Identifier;
use throughline_domain::inbound::{Claim, Proof};
use throughline_domain::message::Visibility;
use throughline_domain::message_change::Changed;
use throughline_domain::moment::Moment;

use crate::provider::{ChannelEvent, Context, Said, change, cut_id};
use crate::tolerant::{field, file_at};

/// Where a comment came in, and when it was written.
pub(super) struct Place<'a> {
    pub(super) inbox: &'a Inbox,
    pub(super) context: &'a Context<'a>,
    pub(super) at: Option<Moment>,
}

/// A comment. Its post is no thread: strangers who comment the same post have nothing in common.
pub(super) struct Comment<'a> {
    pub(super) id: &'a str,
    pub(super) by: Option<Identifier>,
    pub(super) name: Option<&'a str>,
    pub(super) words: &'a str,
    /// The comment that it answers.
    pub(super) quoted: Option<&'a str>,
    /// URLs and types of files.
    pub(super) files: Vec<(Option<&'a str>, &'static str)>,
    /// Custom fields.
    pub(super) fields: Vec<(&'static str, Option<&'a str>)>,
    /// What is missing in it.
    pub(super) warning: Option<&'static str>,
}

impl Comment<'_> {
    /// The message.
    pub(super) fn into_event(self, place: &Place<'_>) -> ChannelEvent {
        let claims = self.by.map(|identifier| Claim { identifier, proof: Proof::Proven });
        let mut said = Said {
            id: cut_id(self.id),
            claims: claims.into_iter().collect(),
            name: self.name.map(str::to_owned),
            text: self.words.to_owned(),
            quoted: self.quoted.map(str::to_owned),
            visibility: Visibility::Public,
            sent_at: place.at,
            warnings: self.warning.map(str::to_owned).into_iter().collect(),
            ..Said::default()
        };
        for (url, content_type) in self.files.into_iter().filter(|(url, _)| url.is_some()) {
            file_at(&mut said, url, content_type);
        }
        for (name, value) in self.fields {
            field(&mut said, name, value);
        }
        ChannelEvent::Message(Box::new(said.into_inbound(place.inbox, place.context.received_at)))
    }
}

impl Place<'_> {
    /// A change of a comment.
    pub(super) fn change(&self, of: &str, id: &str, by: &Identifier, changed: Changed) -> ChannelEvent {
        let change = change(of, id, by, changed, self.at, self.inbox, self.context.received_at);
        ChannelEvent::Change(Box::new(change))
    }

    /// What tells one edit of a comment from the next, for it has no number: its time and its words.
    pub(super) fn edit_id(words: &str, at: Option<Moment>) -> String {
        let hash = data_encoding::HEXLOWER.encode(&digest(&[words.as_bytes()])[..16]);
        format!("edited:{}:{hash}", at.map_or(0, Moment::ms))
    }
}
