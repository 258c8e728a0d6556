//! Meta: what WhatsApp, Messenger, Facebook pages and Instagram post. They share one form
//! (<https://developers.facebook.com/docs/graph-api/webhooks/getting-started>), and one URL of an app may get all of
//! them: so one provider reads each entry by what it is, and takes it to the inbox of its channel and account.
//!
//! No time is signed, and what is not answered well comes again for days: it is known again by its ids.

mod comments;
mod instagram;
mod messaging;
mod page;
mod whatsapp;

use serde_json::Value;
use throughline_domain::moment::Moment;

use crate::malformed::{Malformed, json};
use crate::provider::{Answer, ChannelEvent, Context, Provider, Request, Unknown};
use crate::secrets::{InboxSecrets, hmac_sha256};
use crate::signature::{Refused, verify_sha256, verify_shared};

/// Why what somebody wants of marketing messages is kept and changes nothing: answers to what they write are none.
const MARKETING: &str = "it is about marketing messages, which nobody sends from here; answers go on";
/// The header with `sha256=` and the hex HMAC-SHA256 of the body under the app secret. Its older sister with SHA-1 is
/// not looked at.
const SIGNATURE: &str = "x-hub-signature-256";
/// What stands before the digits of the signature.
const SCHEME: &str = "sha256=";
/// What the query of a handshake names its token.
const VERIFY_TOKEN: &str = "hub.verify_token";
/// What the query of a handshake names what is to be repeated.
const CHALLENGE: &str = "hub.challenge";

/// See the module.
pub(crate) struct Meta;

impl Provider for Meta {
    fn verify(&self, request: &Request<'_>, secrets: &InboxSecrets, _now: Moment) -> Result<(), Refused> {
        let given = request.header(SIGNATURE).ok_or(Refused::Missing(SIGNATURE))?;
        let given = given.strip_prefix(SCHEME).ok_or(Refused::Malformed(SIGNATURE))?;
        let given = data_encoding::HEXLOWER.decode(given.as_bytes());
        verify_sha256(&secrets.signing, &[&request.body], &given.map_err(|_| Refused::Malformed(SIGNATURE))?)
    }

    fn handshake(&self, request: &Request<'_>, secrets: &InboxSecrets) -> Result<Option<Answer>, Refused> {
        if !request.body.is_empty() || request.query("hub.mode").as_deref() != Some("subscribe") {
            return Ok(None);
        }
        let token = request.query(VERIFY_TOKEN).ok_or(Refused::Missing(VERIFY_TOKEN))?;
        verify_shared(&secrets.verify_token, &token)?;
        let challenge = request.query(CHALLENGE).ok_or(Refused::Missing(CHALLENGE))?;
        Ok(Some(Answer::text(challenge)))
    }

    fn parse(&self, request: &Request<'_>, context: &Context<'_>) -> Result<Vec<ChannelEvent>, Malformed> {
        let root = json(&request.body)?;
        let object = root.get("object").and_then(Value::as_str).unwrap_or_default();
        let Some(entries) = root.get("entry").and_then(Value::as_array) else {
            return Err(Malformed::NotUnderstood("there is no array `entry`".to_owned()));
        };
        let mut events = Vec::new();
        for entry in entries {
            let before = events.len();
            match object {
                "whatsapp_business_account" => whatsapp::read(entry, context, &mut events),
                "page" => page::read(entry, context, &mut events),
                "instagram" => instagram::read(entry, context, &mut events),
                _ => events.push(unknown(entry, None, "its object is not known")),
            }
            if events.len() == before {
                events.push(unknown(entry, None, "there is nothing in it that is known"));
            }
        }
        Ok(events)
    }

    fn sign(&self, request: &Request<'_>, secrets: &InboxSecrets, _now: Moment) -> Option<Vec<(&'static str, String)>> {
        let secret = secrets.signing.first()?;
        let mac = hmac_sha256(secret.as_bytes(), &[&request.body]);
        Some(vec![(SIGNATURE, format!("{SCHEME}{}", data_encoding::HEXLOWER.encode(&mac)))])
    }
}

/// An entry that is kept.
fn unknown(raw: &Value, id: Option<&str>, reason: &str) -> ChannelEvent {
    ChannelEvent::Unknown(Unknown::of(raw, id, reason))
}

/// The entry's list of this name, item by item. A value of this name that is no list is kept.
fn each(
    entry: &Value,
    name: &str,
    events: &mut Vec<ChannelEvent>,
    mut read: impl FnMut(&Value, &mut Vec<ChannelEvent>),
) {
    match entry.get(name) {
        None | Some(Value::Null) => (),
        Some(Value::Array(items)) => items.iter().for_each(|item| read(item, events)),
        Some(_) => events.push(unknown(entry, None, "a list is none")),
    }
}

#[cfg(test)]
mod tests;
