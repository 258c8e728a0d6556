//! Our own chat: sessions of visitors, and what they write.
//!
//! A visitor opens a session and gets a token that lasts for some hours. Nobody proves who they are in a chat, unless
//! the business's own page vouches for its signed-in user with a `user_hash`; an address that is typed stays typed.

mod session;

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use serde_json::Value;
use throughline_domain::channel::Channel;
use throughline_domain::config::Inbox;
use throughline_domain::id::digest;
use throughline_domain::identifier::{Identifier, IdentifierKind};
use throughline_domain::inbound::{Claim, Inbound, Proof};
use throughline_domain::ledger::{Fingerprint, LedgerKey};
use throughline_domain::message::{Attachment, Direction, Message, Sender};
use throughline_domain::moment::Moment;

use crate::malformed::{Fault, Malformed, json, object_at, require, text_at};
use crate::text::clean;
use crate::upload::files_at;

pub use session::{
    LOCALE_BYTES_MAX, NotOpened, Opened, Refused, SESSION_MS, Session, TOKEN_BYTES_MAX, open, user_hash, verify,
};

/// Longest `client_message_id`, in characters.
pub const CLIENT_MESSAGE_ID_CHARS_MAX: usize = 128;
/// How long a request for a person without an id is the same one when it comes again, in milliseconds.
const HANDOFF_AGAIN_MS: i64 = 600_000;
/// What a rating can be.
pub const SCORES: std::ops::RangeInclusive<u8> = 1..=5;
/// What a request for a person says on the timeline.
pub const HANDOFF_TEXT: &str = "(asked for a person)";

/// What a visitor said, read.
struct Said {
    client_message_id: String,
    text: String,
    sent_at: Option<Moment>,
    files: Vec<Attachment>,
    handoff: bool,
    score: Option<u8>,
    warnings: Vec<String>,
}

/// Reads what the holder of a verified session posts. Its files are still uploads ([`crate::upload`]).
pub fn parse(body: &[u8], session: &Session, inbox: &Inbox, received_at: Moment) -> Result<Inbound, Malformed> {
    let root = json(body)?;
    let mut faults = Vec::new();
    object_at(&root, "", true, &mut faults);
    let Some(kind) = text_at(&root, "/type", &mut faults) else {
        require("/type", &mut faults);
        return Err(Malformed::Invalid(faults));
    };
    let said = match kind.as_ref() {
        "message.create" => message_create(&root, &mut faults),
        "handoff.request" => handoff_request(&root, received_at, &mut faults),
        "csat.submit" => csat_submit(&root, &mut faults),
        other => return Err(Malformed::unknown_kind(other)),
    };
    if !faults.is_empty() {
        return Err(Malformed::Invalid(faults));
    }
    Ok(inbound(said, session, inbox, received_at))
}

fn message_create(root: &Value, faults: &mut Vec<Fault>) -> Said {
    let mut warnings = Vec::new();
    let client_message_id = client_message_id(root, faults).unwrap_or_else(|| {
        require("/client_message_id", faults);
        String::new()
    });
    let text = text_at(root, "/text", faults).map(|text| clean(&text, &mut warnings)).unwrap_or_default();
    let files = files_at(root, "/attachments", faults);
    if text.trim().is_empty() && files.is_empty() {
        require("/text", faults);
    }
    let sent_at = text_at(root, "/sent_at", faults).and_then(|given| {
        given.parse().map_err(|_| faults.push(Fault::new("/sent_at", "must be an RFC 3339 time"))).ok()
    });
    Said { client_message_id, text, sent_at, files, handoff: false, score: None, warnings }
}

fn handoff_request(root: &Value, received_at: Moment, faults: &mut Vec<Fault>) -> Said {
    // Asked again at once it is the same, asked again later it is not.
    let spell = received_at.ms() / HANDOFF_AGAIN_MS;
    let client_message_id = client_message_id(root, faults).unwrap_or_else(|| format!("handoff:{spell}"));
    let (text, warnings) = (HANDOFF_TEXT.to_owned(), Vec::new());
    Said { client_message_id, text, sent_at: None, files: Vec::new(), handoff: true, score: None, warnings }
}

fn csat_submit(root: &Value, faults: &mut Vec<Fault>) -> Said {
    let given = client_message_id(root, faults);
    let score = root.pointer("/score").and_then(Value::as_u64).and_then(|score| u8::try_from(score).ok());
    let score = score.filter(|score| SCORES.contains(score));
    if score.is_none() {
        let rule = format!("must be a whole number from {} to {}", SCORES.start(), SCORES.end());
        faults.push(Fault::new("/score", &rule));
    }
    let mut warnings = Vec::new();
    let text = text_at(root, "/comment", faults).map(|text| clean(&text, &mut warnings)).unwrap_or_default();
    // The same rating in the same words is the same.
    let said = digest(&[&[score.unwrap_or_default()], text.as_bytes()]);
    let client_message_id = given.unwrap_or_else(|| format!("csat:{}", HEXLOWER.encode(&said[..16])));
    Said { client_message_id, text, sent_at: None, files: Vec::new(), handoff: false, score, warnings }
}

fn client_message_id(root: &Value, faults: &mut Vec<Fault>) -> Option<String> {
    let id = text_at(root, "/client_message_id", faults)?;
    if id.chars().count() > CLIENT_MESSAGE_ID_CHARS_MAX || id.chars().any(char::is_control) {
        let rule = format!("must be 1 to {CLIENT_MESSAGE_ID_CHARS_MAX} characters without control characters");
        faults.push(Fault::new("/client_message_id", &rule));
    }
    Some(id.into_owned())
}

fn inbound(said: Said, session: &Session, inbox: &Inbox, received_at: Moment) -> Inbound {
    let mut warnings = said.warnings;
    let claims = claims(session, &mut warnings);
    // Scoped to the session: no visitor can name another's message.
    let provider_message_id = format!("{}:{}", session.session_id, said.client_message_id);
    let key = LedgerKey::new(Channel::WebChat, &inbox.id, &provider_message_id);
    let sender = Sender {
        kind: IdentifierKind::Session.as_str().to_owned(),
        value: session.session_id.clone(),
        name: session.name.clone(),
        verified: session.account.is_some(),
    };
    let id = Inbound::message_id(received_at, &key, "");
    let mut message = Message::new(id, Channel::WebChat, inbox.id.clone(), Direction::Inbound, sender, received_at);
    message.provider_message_id = provider_message_id;
    message.text = said.text;
    message.attachments = said.files;
    message.language = session.locale.clone();
    message.sent_at = said.sent_at;
    message.warnings = warnings;
    let fingerprint = Fingerprint::of(&message);
    message.id = Inbound::message_id(received_at, &key, fingerprint.as_str());
    Inbound {
        fingerprint,
        message,
        key,
        claims,
        signed_ticket: None,
        thread: Vec::new(),
        addressed: Vec::new(),
        fields: BTreeMap::new(),
        score: said.score,
        handoff: said.handoff,
        late: false,
    }
}

fn claims(session: &Session, warnings: &mut Vec<String>) -> Vec<Claim> {
    let given = [
        (IdentifierKind::Session, Proof::Proven, Some(&session.session_id)),
        (IdentifierKind::Account, Proof::Proven, session.account.as_ref()),
        (IdentifierKind::Email, Proof::Typed, session.email.as_ref()),
    ];
    let mut claims = Vec::new();
    for (kind, proof, value) in given {
        match value.map(|value| Identifier::new(kind, value, None)) {
            Some(Ok(identifier)) => claims.push(Claim { identifier, proof }),
            Some(Err(error)) => warnings.push(format!("the session's {} is refused: {error}", kind.as_str())),
            None => (),
        }
    }
    claims
}

#[cfg(test)]
mod tests;
