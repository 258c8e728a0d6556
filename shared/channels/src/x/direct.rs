//! Direct messages.

use serde::Deserialize;
use serde_json::Value;
use throughline_domain::identifier::IdentifierKind;
use throughline_domain::message_change::{Changed, DeliveryState};

use super::{Account, OTHER_TYPE, OUR_OWN, id_at, media_url, readable, unknown};
use crate::provider::{ChannelEvent, Said};
use crate::tolerant::{field, file_at, list, moment, text};

#[derive(Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    message_create: Option<Created>,
}

#[derive(Deserialize)]
struct Created {
    sender_id: String,
    message_data: Data,
}

#[derive(Deserialize)]
struct Data {
    text: Option<String>,
}

/// A message (<https://developer.x.com/en/docs/direct-messages/sending-and-receiving/guides/message-create-object>).
pub(super) fn message(raw: &Value, users: &Value, account: &Account<'_>) -> Vec<ChannelEvent> {
    let unknown = |reason| vec![unknown(raw, text(raw, "/id"), reason)];
    let Ok(event) = Event::deserialize(raw) else { return unknown(OTHER_TYPE) };
    let Some(created) = event.message_create.filter(|_| event.kind == "message_create") else {
        return unknown("its kind is not known");
    };
    if account.is(&created.sender_id) {
        return vec![OUR_OWN];
    }
    let mut said = Said::by(IdentifierKind::X, &created.sender_id, None, &event.id);
    let data = &raw["message_create"]["message_data"];
    let attached = data.pointer("/attachment/media").map_or(&[][..], std::slice::from_ref);
    said.text = readable(&created.message_data.text.unwrap_or_default(), list(data, "/entities/urls"), attached);
    for media in attached {
        let (url, content_type) = media_url(media);
        file_at(&mut said, url, content_type);
    }
    if let Some(kind) = text(data, "/attachment/type").filter(|kind| *kind != "media") {
        said.not_known("an attachment", kind);
    }
    field(&mut said, "button", text(data, "/quick_reply_response/metadata"));
    let user = users.get(&created.sender_id);
    said.name = user.and_then(|user| text(user, "/name").or_else(|| text(user, "/data/name"))).map(str::to_owned);
    said.sent_at = moment(raw.get("created_timestamp"));
    said.into_events(raw, account.inbox, account.context.received_at)
}

/// Somebody read our messages up to this one.
pub(super) fn marked_read(raw: &Value, account: &Account<'_>) -> ChannelEvent {
    let (Some(by), Some(of)) = (id_at(raw, &["sender_id"]), id_at(raw, &["last_read_event_id"])) else {
        return unknown(raw, None, OTHER_TYPE);
    };
    let read = Changed::Reported { state: DeliveryState::Read, suppress: None, reason: None };
    account.changed(&of, &by, read, moment(raw.get("created_timestamp")))
}

/// A message that only the two devices can read (<https://docs.x.com/xchat/real-time-events>).
pub(super) fn encrypted(raw: &Value, account: &Account<'_>) -> Option<ChannelEvent> {
    let (id, sender) = (text(raw, "/id")?, text(raw, "/sender_id")?);
    if account.is(sender) {
        return Some(OUR_OWN);
    }
    let mut said = Said::by(IdentifierKind::X, sender, None, id);
    "(an encrypted message: it can be read on X)".clone_into(&mut said.text);
    said.warnings.push("the message is encrypted and cannot be read here".to_owned());
    said.sent_at = moment(raw.get("created_at_msec"));
    Some(ChannelEvent::Message(Box::new(said.into_inbound(account.inbox, account.context.received_at))))
}
