//! Instagram: direct messages, comments and mentions
//! (<https://developers.facebook.com/documentation/instagram-platform/webhooks/examples>).

use serde_json::Value;
use throughline_domain::channel::Channel;
use throughline_domain::identifier::{Identifier, IdentifierKind};

use super::comments::{Comment, Place};
use super::messaging::{self, Platform};
use super::{each, unknown};
use crate::provider::{ChannelEvent, Context};
use crate::tolerant::{moment, text};

/// Why an entry is kept that is for nobody.
const NO_INBOX: &str = "no inbox is for this Instagram account";
/// Direct messages.
const INSTAGRAM: Platform =
    Platform { channel: Channel::Instagram, kind: IdentifierKind::Instagram, no_inbox: NO_INBOX };

/// Reads an entry. With a business login, a change stands in the entry itself, not in the list `changes`.
pub(super) fn read(entry: &Value, context: &Context<'_>, events: &mut Vec<ChannelEvent>) {
    let account = text(entry, "/id");
    each(entry, "messaging", events, |raw, events| messaging::read(raw, account, INSTAGRAM, context, events));
    each(entry, "standby", events, |_, events| {
        events.push(ChannelEvent::Dropped { why: "another application has the conversation" });
    });
    let mut change = |raw: &Value, events: &mut Vec<ChannelEvent>| read_change(raw, entry, context, events);
    each(entry, "changes", events, &mut change);
    if entry.get("field").is_some() {
        change(entry, events);
    }
}

fn read_change(raw: &Value, entry: &Value, context: &Context<'_>, events: &mut Vec<ChannelEvent>) {
    let account = text(entry, "/id");
    let event = match text(raw, "/field") {
        Some("comments" | "live_comments") => comment(raw, entry, context),
        Some("mentions") => mention(raw, entry, context),
        Some("story_insights") => ChannelEvent::Dropped { why: "it counts who saw a story" },
        Some("messaging_handover" | "standby") => {
            ChannelEvent::Dropped { why: "another application has the conversation" }
        }
        // So they come from the button that sends a test.
        Some(name) if name.starts_with("mess") && raw.pointer("/value/sender").is_some() => {
            return messaging::read(&raw["value"], account, INSTAGRAM, context, events);
        }
        _ => unknown(raw, None, "its field is not known"),
    };
    events.push(event);
}

/// A comment on a post, a reel, an advertisement or a live video of ours. Edits and deletions are not told.
fn comment(raw: &Value, entry: &Value, context: &Context<'_>) -> ChannelEvent {
    let value = &raw["value"];
    let id = text(value, "/id").or_else(|| text(value, "/comment_id"));
    let unknown = |reason| unknown(raw, id, reason);
    let account = text(entry, "/id");
    let Some(inbox) = context.inbox_of(Channel::Instagram, account) else { return unknown(NO_INBOX) };
    let from = text(value, "/from/id");
    if text(value, "/from/self_ig_scoped_id").is_some() || (from.is_some() && from == account) {
        return ChannelEvent::Dropped { why: "it is our own" };
    }
    let Some(id) = id else { return unknown("it has no id") };
    let Some(by) = from.and_then(|from| Identifier::new(IdentifierKind::Instagram, from, None).ok()) else {
        return unknown("nobody is named as its writer");
    };
    let comment = Comment {
        id,
        by: Some(by),
        name: text(value, "/from/username"),
        words: text(value, "/text").unwrap_or_default(),
        quoted: text(value, "/parent_id"),
        files: Vec::new(),
        fields: vec![("post_id", text(value, "/media/id")), ("post_kind", text(value, "/media/media_product_type"))],
        warning: None,
    };
    comment.into_event(&Place { inbox, context, at: moment(entry.get("time")) })
}

/// Somebody names us in a comment or under a picture of theirs. Instagram tells where, and neither who nor what they
/// wrote: that has to be fetched (<https://developers.facebook.com/docs/instagram-platform/webhooks>).
fn mention(raw: &Value, entry: &Value, context: &Context<'_>) -> ChannelEvent {
    let value = &raw["value"];
    let (media, comment) = (text(value, "/media_id"), text(value, "/comment_id"));
    let Some(id) = comment.or(media) else { return unknown(raw, None, "it has no id") };
    let Some(inbox) = context.inbox_of(Channel::Instagram, text(entry, "/id")) else {
        return unknown(raw, Some(id), NO_INBOX);
    };
    let words = if comment.is_some() { "(mentioned us in a comment)" } else { "(mentioned us under a picture)" };
    let comment = Comment {
        id,
        by: None,
        name: None,
        words,
        quoted: None,
        files: Vec::new(),
        fields: vec![("post_id", media)],
        warning: Some("Instagram names neither the writer nor the words"),
    };
    comment.into_event(&Place { inbox, context, at: moment(entry.get("time")) })
}
