//! WhatsApp: what its Cloud API posts
//! (<https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages>).

mod content;

use serde::Deserialize;
use serde_json::Value;
use throughline_domain::channel::Channel;
use throughline_domain::config::Inbox;
use throughline_domain::identifier::{Identifier, IdentifierKind};
use throughline_domain::inbound::Proof;
use throughline_domain::message_change::{Changed, DeliveryState};

use super::{MARKETING, each, unknown};
use crate::provider::{ChannelEvent, Context, Said, change, profile};
use crate::text::{NAME_BYTES_MAX, clean_line};
use crate::tolerant::{list, moment, text};

/// Why an entry is kept that is not as it should be.
const OTHER_TYPE: &str = "a field has another type than documented";
/// Why an entry is kept that nobody wrote.
const NOBODY: &str = "nobody is named as its sender";

/// Fields that say something of the account, or of what we wrote ourselves, and nothing of a customer.
const NOTHING_TO_US: [(&str, &str); 6] = [
    ("message_echoes", "it is our own message"),
    ("smb_message_echoes", "it is our own message"),
    ("smb_app_state_sync", "it is the address book of the business's telephone"),
    ("history", "it is what was said before the number was connected"),
    ("standby", "another application has the conversation"),
    ("messaging_handovers", "another application gives or takes the conversation"),
];
/// Beginnings of the names of fields that say something of the account.
const OF_THE_ACCOUNT: [&str; 8] = [
    "account_",
    "business_",
    "message_template_",
    "partner_",
    "payment_configuration_",
    "phone_number_",
    "security",
    "template_",
];

/// Somebody as the list `contacts` has them.
#[derive(Deserialize)]
struct Contact {
    wa_id: Option<String>,
    user_id: Option<String>,
    profile: Option<Profile>,
}

#[derive(Deserialize)]
struct Profile {
    name: Option<String>,
    username: Option<String>,
}

/// One message. What it says stands under the name of its kind.
#[derive(Deserialize)]
struct Incoming {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    from: Option<String>,
    from_user_id: Option<String>,
    group_id: Option<String>,
}

#[derive(Deserialize)]
struct Status {
    id: String,
    status: String,
    recipient_id: Option<String>,
    recipient_user_id: Option<String>,
    recipient_participant_id: Option<String>,
    recipient_participant_user_id: Option<String>,
}

#[derive(Deserialize)]
struct Preference {
    category: Option<String>,
}

/// A change with what it shares: the inbox and the people.
struct Change<'a> {
    inbox: &'a Inbox,
    contacts: Vec<Contact>,
    context: &'a Context<'a>,
}

/// Reads every change of an entry.
pub(super) fn read(entry: &Value, context: &Context<'_>, events: &mut Vec<ChannelEvent>) {
    each(entry, "changes", events, |change, events| read_change(change, context, events));
}

fn read_change(raw: &Value, context: &Context<'_>, events: &mut Vec<ChannelEvent>) {
    let field = text(raw, "/field").unwrap_or_default();
    if let Some((_, why)) = NOTHING_TO_US.iter().find(|(name, _)| *name == field) {
        return events.push(ChannelEvent::Dropped { why });
    }
    if OF_THE_ACCOUNT.iter().any(|beginning| field.starts_with(beginning)) {
        return events.push(ChannelEvent::Dropped { why: "it is about the account" });
    }
    if !matches!(field, "messages" | "user_preferences") {
        return events.push(unknown(raw, None, "its field is not known"));
    }
    let value = &raw["value"];
    let Some(inbox) = context.inbox_of(Channel::Whatsapp, text(value, "/metadata/phone_number_id")) else {
        return events.push(unknown(raw, None, "no inbox is for this telephone number"));
    };
    let contacts = list(value, "/contacts").iter().filter_map(|contact| Contact::deserialize(contact).ok()).collect();
    let change = Change { inbox, contacts, context };
    let before = events.len();
    each(value, "messages", events, |raw, events| events.extend(change.message(raw)));
    each(value, "statuses", events, |raw, events| events.push(change.status(raw)));
    events.extend(change.profiles(value));
    each(value, "user_preferences", events, |raw, events| events.push(change.preference(raw)));
    each(value, "errors", events, |raw, events| events.push(unknown(raw, None, "the account reports an error")));
    if events.len() == before {
        events.push(unknown(raw, None, "there is nothing in it that is known"));
    }
}

impl Change<'_> {
    fn message(&self, raw: &Value) -> Vec<ChannelEvent> {
        let unknown = |reason| vec![unknown(raw, text(raw, "/id"), reason)];
        let dropped = |why| vec![ChannelEvent::Dropped { why }];
        let Ok(message) = Incoming::deserialize(raw) else { return unknown(OTHER_TYPE) };
        if message.kind == "system" {
            return match text(raw, "/system/type") {
                Some("user_changed_number" | "user_changed_user_id" | "customer_identity_changed") => {
                    dropped("somebody is known by another name from now on")
                }
                _ => unknown("its notice is not known"),
            };
        }
        let contact = self.contact(message.from.as_deref(), message.from_user_id.as_deref());
        let Some(by) = person(
            message.from_user_id.as_deref().or_else(|| contact.and_then(|contact| contact.user_id.as_deref())),
            message.from.as_deref().or_else(|| contact.and_then(|contact| contact.wa_id.as_deref())),
        ) else {
            return unknown(NOBODY);
        };
        let read = match message.kind.as_str() {
            "reaction" | "edit" | "revoke" => self.changed(&message, raw, &by).map(|changed| vec![changed]),
            "request_welcome" => Some(dropped("somebody opened the chat and wrote nothing yet")),
            _ => self.said(&message, raw, &by, contact),
        };
        read.unwrap_or_else(|| unknown(OTHER_TYPE))
    }

    fn said(
        &self,
        message: &Incoming,
        raw: &Value,
        by: &Identifier,
        contact: Option<&Contact>,
    ) -> Option<Vec<ChannelEvent>> {
        let country = self.inbox.country.as_deref();
        let mut said = Said::by(IdentifierKind::Whatsapp, by.value(), country, &message.id);
        let number = message.from.as_deref().or_else(|| contact.and_then(|contact| contact.wa_id.as_deref()));
        if let Some(number) = number.filter(|number| number.bytes().all(|byte| byte.is_ascii_digit())) {
            said.claim(IdentifierKind::Phone, &format!("+{number}"), None, Proof::Proven);
        }
        let profile = contact.and_then(|contact| contact.profile.as_ref());
        said.name = profile.and_then(|profile| profile.name.clone().or_else(|| profile.username.clone()));
        said.sent_at = moment(raw.get("timestamp"));
        said.quoted = text(raw, "/context/id").map(str::to_owned);
        // In a group the conversation is the group's.
        said.thread.clone_from(&message.group_id);
        content::fill(&mut said, &message.kind, raw).ok()?;
        Some(said.into_events(raw, self.inbox, self.context.received_at))
    }

    /// A reaction, an edit or a deletion. The latter two come only where the number is also used in the WhatsApp
    /// Business app.
    fn changed(&self, message: &Incoming, raw: &Value, by: &Identifier) -> Option<ChannelEvent> {
        let (of, changed) = match message.kind.as_str() {
            "reaction" => {
                let emoji = text(raw, "/reaction/emoji").unwrap_or_default().to_owned();
                let removed = emoji.is_empty();
                (text(raw, "/reaction/message_id")?, Changed::Reacted { emoji, removed })
            }
            "edit" => {
                let text_of = content::edited(raw.pointer("/edit/message")?)?;
                (text(raw, "/edit/original_message_id")?, Changed::Edited { text: text_of })
            }
            _ => (text(raw, "/revoke/original_message_id")?, Changed::Deleted),
        };
        let at = moment(raw.get("timestamp"));
        let change = change(of, &message.id, by, changed, at, self.inbox, self.context.received_at);
        Some(ChannelEvent::Change(Box::new(change)))
    }

    /// What became of a message of ours. It comes once for each state, in a group once for each member too.
    fn status(&self, raw: &Value) -> ChannelEvent {
        let unknown = |reason| unknown(raw, text(raw, "/id"), reason);
        let Ok(status) = Status::deserialize(raw) else { return unknown(OTHER_TYPE) };
        let state = match status.status.as_str() {
            "sent" => DeliveryState::Sent,
            "delivered" => DeliveryState::Delivered,
            // A voice message is played when it is read.
            "read" | "played" => DeliveryState::Read,
            "failed" => DeliveryState::Failed,
            _ => return unknown("its status is not known"),
        };
        let member = status.recipient_participant_user_id.as_deref().or(status.recipient_participant_id.as_deref());
        let contact = self.contact(status.recipient_id.as_deref(), status.recipient_user_id.as_deref());
        let user_id =
            status.recipient_user_id.as_deref().or_else(|| contact.and_then(|known| known.user_id.as_deref()));
        let Some(to) = person(member.or(user_id), status.recipient_id.as_deref()) else {
            return unknown("nobody is named as its recipient");
        };
        let reason = (state == DeliveryState::Failed).then(|| errors(raw)).flatten();
        let id = member.map_or_else(|| status.status.clone(), |member| format!("{}:{member}", status.status));
        let changed = Changed::Reported { state, suppress: None, reason };
        let at = moment(raw.get("timestamp"));
        let change = change(&status.id, &id, &to, changed, at, self.inbox, self.context.received_at);
        ChannelEvent::Change(Box::new(change))
    }

    /// How those call themselves of whom there is no message: with what became of ours, WhatsApp tells whose it was. Names
    /// come with no time of their own, so they are as old as what they come with.
    fn profiles(&self, value: &Value) -> Vec<ChannelEvent> {
        if !list(value, "/messages").is_empty() {
            return Vec::new();
        }
        let at = list(value, "/statuses").iter().filter_map(|status| moment(status.get("timestamp"))).max();
        let told = self.contacts.iter().filter_map(|contact| {
            let who = person(contact.user_id.as_deref(), contact.wa_id.as_deref())?;
            let known = contact.profile.as_ref()?;
            let (name, handle) = (known.name.as_deref(), known.username.as_deref());
            profile(who, name, handle, at, self.inbox, self.context.received_at)
        });
        told.map(|told| ChannelEvent::Profile(Box::new(told))).collect()
    }

    /// Somebody stops or resumes marketing messages in the app:
    /// <https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/user_preferences>.
    fn preference(&self, raw: &Value) -> ChannelEvent {
        let unknown = |reason| unknown(raw, None, reason);
        let Ok(preference) = Preference::deserialize(raw) else { return unknown(OTHER_TYPE) };
        match preference.category.as_deref() {
            Some("marketing_messages") => unknown(MARKETING),
            _ => unknown("its preference is not known"),
        }
    }

    /// Who of the contacts it is: the one of the same id, or the only one where nothing speaks against it.
    fn contact(&self, number: Option<&str>, user_id: Option<&str>) -> Option<&Contact> {
        let same = |ours: Option<&str>, theirs: &Option<String>| Some(ours? == theirs.as_deref()?);
        let fits = |contact: &&Contact| {
            let known = same(user_id, &contact.user_id).or_else(|| same(number, &contact.wa_id));
            known.unwrap_or(self.contacts.len() == 1)
        };
        self.contacts.iter().find(fits)
    }
}

/// Who it is: by the id that is theirs with this business, else by their number
/// (<https://developers.facebook.com/documentation/business-messaging/whatsapp/business-scoped-user-ids>).
fn person(user_id: Option<&str>, number: Option<&str>) -> Option<Identifier> {
    let name = |value: &str| Identifier::new(IdentifierKind::Whatsapp, value, None).ok();
    user_id.and_then(name).or_else(|| number.and_then(name))
}

/// Numbers and titles of the errors of an entry: WhatsApp's words, not a customer's.
fn errors(raw: &Value) -> Option<String> {
    let one = |error: &Value| {
        let title = text(error, "/title").or_else(|| text(error, "/message")).unwrap_or_default();
        clean_line(&format!("{} {title}", error["code"]), NAME_BYTES_MAX)
    };
    let all: Vec<String> = list(raw, "/errors").iter().filter_map(one).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

#[cfg(test)]
mod tests;
