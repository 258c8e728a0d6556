//! From what a provider says to the inbound message and the change: what is alike on every channel.

use std::collections::BTreeMap;

use serde_json::Value;
use throughline_domain::channel::Channel;
use throughline_domain::config::Inbox;
use throughline_domain::id::digest;
use throughline_domain::identifier::{Identifier, IdentifierKind};
use throughline_domain::inbound::{Claim, Inbound, Proof, sender};
use throughline_domain::ledger::{Fingerprint, LedgerKey};
use throughline_domain::message::{Attachment, Call, Direction, Handoff, Message, Sender, Visibility, truncated};
use throughline_domain::message_change::{Changed, MessageChange};
use throughline_domain::moment::Moment;
use throughline_domain::profile_told::ProfileTold;

use super::{ChannelEvent, Unknown};
use crate::named_files::FILES_MAX;
use crate::text::{NAME_BYTES_MAX, SUBJECT_BYTES_MAX, clean, clean_line};

/// Longest id of a provider that is kept as it is, in bytes.
const ID_BYTES_MAX: usize = 512;
/// Longest part of the name of an unknown kind that is repeated, in bytes.
const KIND_BYTES_SHOWN: usize = 40;

/// What a provider says of one message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    /// The provider's id of it, unique in the inbox.
    pub(crate) id: String,
    /// Names of who sent it, the one that answers travel to first.
    pub(crate) claims: Vec<Claim>,
    /// Their display name.
    pub(crate) name: Option<String>,
    /// The subject, where there is one.
    pub(crate) subject: Option<String>,
    /// The text.
    pub(crate) text: String,
    /// The files.
    pub(crate) attachments: Vec<Attachment>,
    /// The provider's id of the message that it answers.
    pub(crate) quoted: Option<String>,
    /// The provider's name of the conversation, if it has one: a Slack thread, a call, a post.
    pub(crate) thread: Option<String>,
    /// Who can see it.
    pub(crate) visibility: Visibility,
    /// Language (BCP 47).
    pub(crate) language: Option<String>,
    /// When it was sent, as the provider says.
    pub(crate) sent_at: Option<Moment>,
    /// A call.
    pub(crate) call: Option<Call>,
    /// A bot's handing over.
    pub(crate) handoff: Option<Box<Handoff>>,
    /// A rating.
    pub(crate) score: Option<u8>,
    /// Custom fields.
    pub(crate) fields: BTreeMap<String, Value>,
    /// What could not be read as it was meant.
    pub(crate) warnings: Vec<String>,
    /// Why what came is kept beside the message: something in it is of a kind that is not known.
    pub(crate) unknown: Option<String>,
}

impl Said {
    /// A message of this id from the person whom the channel knows by this name, which its signature proves.
    pub(crate) fn by(kind: IdentifierKind, value: &str, country: Option<&str>, id: &str) -> Self {
        let mut said = Self { id: cut_id(id), ..Self::default() };
        said.claim(kind, value, country, Proof::Proven);
        said
    }

    /// Adds a name of the sender; one that cannot be a name becomes a warning.
    pub(crate) fn claim(&mut self, kind: IdentifierKind, value: &str, country: Option<&str>, proof: Proof) {
        match Identifier::new(kind, value, country) {
            Ok(identifier) => {
                if !self.claims.iter().any(|claim| claim.identifier == identifier) {
                    self.claims.push(Claim { identifier, proof });
                }
            }
            Err(error) => self.warnings.push(format!("the sender's {} is refused: {error}", kind.as_str())),
        }
    }

    /// Adds a file that the channel still holds under `held` (an id or an `https` URL).
    pub(crate) fn file(&mut self, held: &str, filename: Option<&str>, content_type: &str, size: Option<u64>) {
        if self.attachments.len() >= FILES_MAX {
            let warning = format!("only the first {FILES_MAX} files are kept");
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
            return;
        }
        let id = (self.attachments.len() + 1).to_string();
        let filename = filename.and_then(|name| clean_line(name, NAME_BYTES_MAX));
        self.attachments.push(Attachment {
            filename: filename.unwrap_or_else(|| format!("file-{id}")),
            content_type: clean_line(content_type, NAME_BYTES_MAX).unwrap_or_default(),
            size: size.unwrap_or_default(),
            held_by_channel: Some(held.to_owned()),
            id,
            ..Attachment::default()
        });
    }

    /// Says that a part of the message is of a kind that is not known: it counts without that part.
    pub(crate) fn not_known(&mut self, part: &str, kind: &str) {
        let shown = truncated(kind, KIND_BYTES_SHOWN);
        self.warnings.push(format!("{part} of the kind {shown:?} is kept without its content"));
        self.unknown.get_or_insert(format!("{part} of a kind that is not known: the message counts without it"));
    }

    /// Says that what came is to be kept beside the message, for not all of it is in that.
    pub(crate) fn keep(&mut self, why: &str) {
        self.unknown.get_or_insert(why.to_owned());
    }

    /// The message, and what came once more to be kept, if not all of it is known. `raw` is what came of this message.
    pub(crate) fn into_events(mut self, raw: &Value, inbox: &Inbox, received_at: Moment) -> Vec<ChannelEvent> {
        let unknown = self.unknown.take().map(|reason| Unknown::of(raw, Some(&self.id), reason));
        let message = ChannelEvent::Message(Box::new(self.into_inbound(inbox, received_at)));
        [message].into_iter().chain(unknown.map(ChannelEvent::Unknown)).collect()
    }

    /// The inbound message.
    pub(crate) fn into_inbound(mut self, inbox: &Inbox, received_at: Moment) -> Inbound {
        let channel = inbox.channel;
        let key = LedgerKey::new(channel, &inbox.id, &self.id);
        let name = self.name.and_then(|name| clean_line(&name, NAME_BYTES_MAX));
        let sender = sender(&self.claims, name);
        let text = clean(&self.text, &mut self.warnings);
        let id = Inbound::message_id(received_at, &key, "");
        let mut message = Message::new(id, channel, inbox.id.clone(), Direction::Inbound, sender, received_at);
        message.provider_message_id = self.id;
        message.subject = self.subject.and_then(|subject| clean_line(&subject, SUBJECT_BYTES_MAX));
        message.text = text;
        message.attachments = self.attachments;
        message.visibility = self.visibility;
        message.language = self.language;
        message.sent_at = self.sent_at;
        message.call = self.call;
        message.handoff = self.handoff;
        message.warnings = self.warnings;
        message.quoted_message_id = self.quoted.map(|quoted| cut_id(&quoted));
        let fingerprint = Fingerprint::of(&message);
        message.id = Inbound::message_id(received_at, &key, fingerprint.as_str());
        let quoted = message.quoted_message_id.as_deref().map(|quoted| LedgerKey::new(channel, &inbox.id, quoted));
        let thread = self.thread.map(|thread| LedgerKey::new(channel, &inbox.id, &format!("thread:{thread}")));
        Inbound {
            fingerprint,
            handoff: message.handoff.is_some(),
            message,
            thread: quoted.into_iter().chain(thread).filter(|named| *named != key).collect(),
            key,
            claims: self.claims,
            signed_ticket: None,
            addressed: Vec::new(),
            fields: self.fields,
            score: self.score,
            late: false,
        }
    }
}

/// An id as it is kept: a longer one than any provider makes is replaced by its hash.
pub(crate) fn cut_id(id: &str) -> String {
    if id.len() <= ID_BYTES_MAX && !id.chars().any(char::is_control) {
        return id.to_owned();
    }
    data_encoding::HEXLOWER.encode(&digest(&[id.as_bytes()]))
}

/// A change of the message that the provider calls `of`, done by the person of this name. `id` tells this change from any
/// other of that message: what the provider calls it, or what it consists of.
pub(crate) fn change(
    of: &str,
    id: &str,
    by: &Identifier,
    change: Changed,
    changed_at: Option<Moment>,
    inbox: &Inbox,
    received_at: Moment,
) -> MessageChange {
    change_by(of, id, Sender::proven(by), change, changed_at, inbox, received_at)
}

/// The same by somebody whom the provider may not name.
pub(crate) fn change_by(
    of: &str,
    id: &str,
    sender: Sender,
    change: Changed,
    changed_at: Option<Moment>,
    inbox: &Inbox,
    received_at: Moment,
) -> MessageChange {
    let channel: Channel = inbox.channel;
    let key = LedgerKey::new(channel, &inbox.id, &format!("change:{of}:{id}"));
    let change = match change {
        Changed::Edited { text } => Changed::Edited { text: clean(&text, &mut Vec::new()) },
        Changed::Transcribed { text } => Changed::Transcribed { text: clean(&text, &mut Vec::new()) },
        other => other,
    };
    MessageChange {
        id: Inbound::message_id(received_at, &key, ""),
        of: LedgerKey::new(channel, &inbox.id, &cut_id(of)),
        key,
        channel,
        inbox: inbox.id.clone(),
        sender,
        change,
        changed_at,
        received_at,
    }
}

/// How the person of this name calls themselves, if the provider says when it was so and says anything.
pub(crate) fn profile(
    identifier: Identifier,
    name: Option<&str>,
    handle: Option<&str>,
    at: Option<Moment>,
    inbox: &Inbox,
    received_at: Moment,
) -> Option<ProfileTold> {
    let line = |text: Option<&str>| clean_line(text?, NAME_BYTES_MAX);
    let (name, handle, at) = (line(name), line(handle), at?);
    let (channel, inbox) = (inbox.channel, inbox.id.clone());
    (name.is_some() || handle.is_some()).then_some(ProfileTold {
        identifier,
        channel,
        inbox,
        name,
        handle,
        at,
        received_at,
    })
}
