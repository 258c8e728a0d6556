//! Bots that hand a conversation over: `bot.handoff`, signed by Standard Webhooks (<https://www.standardwebhooks.com>).
//!
//! The bot is trusted to say which account a customer has; what address or number they have is only repeated by it.
//! What only adds to a hand-over and is wrong becomes a warning: the customer waits for a person.

mod context;

use serde_json::Value;
use throughline_domain::channel::Channel;
use throughline_domain::identifier::IdentifierKind;
use throughline_domain::inbound::Proof;
use throughline_domain::message::Handoff;
use throughline_domain::moment::Moment;

use crate::malformed::{Fault, Malformed, json, text_at};
use crate::named_files::named_files;
use crate::provider::{Answer, ChannelEvent, Context, Provider, Request, Said, Unknown, cut_id};
use crate::secrets::InboxSecrets;
use crate::signature::Refused;
use crate::text::{NAME_BYTES_MAX, clean_line};
use crate::web_chat::LOCALE_BYTES_MAX;
use crate::webhook::{self, FILES_AT, ID, SIGNATURE, Signed, TIMESTAMP, fields_at, name_at, sent_at};

/// What the timeline says when the bot says nothing.
const SILENT_TEXT: &str = "(handed over by a bot)";

/// See the module.
pub(crate) struct Bot;

impl Provider for Bot {
    fn verify(&self, request: &Request<'_>, secrets: &InboxSecrets, now: Moment) -> Result<(), Refused> {
        let [id, timestamp, signature] = [ID, TIMESTAMP, SIGNATURE].map(|name| request.header(name));
        webhook::verify(&Signed { id, timestamp, signature }, &request.body, &secrets.webhook, now)
    }

    fn parse(&self, request: &Request<'_>, context: &Context<'_>) -> Result<Vec<ChannelEvent>, Malformed> {
        let root = json(&request.body)?;
        let id = name_at(&root, "/data/handoff_id", &mut Vec::new());
        let id = id.or_else(|| request.header(ID).map(str::to_owned));
        let unknown = |reason: &str| ChannelEvent::Unknown(Unknown::of(&root, id.as_deref(), reason));
        let one = |event| vec![event];
        let events = match (root.get("type").and_then(Value::as_str), &id) {
            (Some("bot.handoff"), _) if !root["data"].is_object() => one(unknown("/data must be an object")),
            (Some("bot.handoff"), None) => one(unknown("/data/handoff_id is required")),
            (Some("bot.handoff"), Some(id)) => {
                handed_over(id, &root, context).unwrap_or_else(|reason| one(unknown(reason)))
            }
            (Some(_), _) => one(unknown("its type is not known")),
            (None, _) => return Err(Malformed::NotUnderstood("there is no text `type`".to_owned())),
        };
        Ok(events)
    }

    fn answer(&self, _request: &Request<'_>) -> Answer {
        Answer { status: 202, ..Answer::json(&serde_json::json!({})) }
    }

    fn sign(&self, request: &Request<'_>, secrets: &InboxSecrets, now: Moment) -> Option<Vec<(&'static str, String)>> {
        webhook::signed(&request.body, &secrets.webhook, now)
    }
}

fn handed_over(id: &str, root: &Value, context: &Context<'_>) -> Result<Vec<ChannelEvent>, &'static str> {
    let inbox = context.inbox_of(Channel::Bot, None).ok_or("the inbox is not on this channel")?;
    let mut minor = Vec::new();
    let mut said = Said { id: cut_id(id), ..Said::default() };
    claim_customer(root, inbox.country.as_deref(), &mut said, &mut minor);
    let warned = said.warnings.len();
    let handoff = context::handoff(root, &mut said.warnings, &mut minor);
    if said.warnings.len() > warned {
        said.keep("more was handed over than a timeline shows");
    }
    said.text = text(&handoff);
    said.thread.clone_from(&handoff.conversation_ref);
    said.handoff = Some(Box::new(handoff));
    said.language = language(root, &mut minor);
    said.sent_at = sent_at(root, &mut minor);
    said.fields = fields_at(root, "/data/entities", &mut said.warnings);
    said.attachments = named_files(root, FILES_AT, inbox, &mut said.warnings, &mut minor);
    said.warnings.extend(minor.iter().map(|fault| format!("{fault}: left out")));
    Ok(said.into_events(root, inbox, context.received_at))
}

fn claim_customer(root: &Value, country: Option<&str>, said: &mut Said, minor: &mut Vec<Fault>) {
    for (name, kind, proof) in [
        ("id", IdentifierKind::Account, Proof::Proven),
        ("email", IdentifierKind::Email, Proof::Answerable),
        ("phone", IdentifierKind::Phone, Proof::Typed),
    ] {
        if let Some(value) = text_at(root, &format!("/data/customer/{name}"), minor) {
            said.claim(kind, &value, country, proof);
        }
    }
    said.name = text_at(root, "/data/customer/name", minor).map(|name| name.into_owned());
    if said.claims.is_empty() {
        said.warnings.push("nothing says who the customer is".to_owned());
    }
}

/// What an agent reads first: the conversation in short, and why it comes to them.
fn text(handoff: &Handoff) -> String {
    let reason = handoff.reason.as_ref().map(|reason| format!("Handed over: {reason}"));
    let lines: Vec<&str> = [handoff.summary.as_deref(), reason.as_deref()].into_iter().flatten().collect();
    if lines.is_empty() { SILENT_TEXT.to_owned() } else { lines.join("\n\n") }
}

/// The language of the conversation, else that of the customer's device.
fn language(root: &Value, minor: &mut Vec<Fault>) -> Option<String> {
    let pointers = ["/data/language", "/data/customer/locale"];
    let given = pointers.into_iter().find_map(|pointer| text_at(root, pointer, minor));
    given.and_then(|given| clean_line(&given, LOCALE_BYTES_MAX))
}

/// One line of text at a pointer, as the names in a hand-over are.
fn line_at(root: &Value, pointer: &str, minor: &mut Vec<Fault>) -> Option<String> {
    text_at(root, pointer, minor).and_then(|text| clean_line(&text, NAME_BYTES_MAX))
}

#[cfg(test)]
mod tests;
