//! A Facebook page: its Messenger conversations, and what stands on it
//! (<https://developers.facebook.com/docs/graph-api/webhooks/reference/page/#feed>).

use serde_json::Value;
use throughline_domain::channel::Channel;
use throughline_domain::identifier::{Identifier, IdentifierKind};
use throughline_domain::message_change::Changed;

use super::comments::{Comment, Place};
use super::messaging::{self, Platform};
use super::{each, unknown};
use crate::provider::{ChannelEvent, Context};
use crate::tolerant::{list, moment, text};

/// Messenger.
const MESSENGER: Platform = Platform {
    channel: Channel::Messenger,
    kind: IdentifierKind::Messenger,
    no_inbox: "no inbox is for the messages of this page",
};
/// What somebody writes on a page that is no comment.
const POSTS: [&str; 4] = ["photo", "post", "status", "video"];

/// Reads an entry: conversations stand in `messaging`, those that another application has in `standby`, and the page's
/// feed in `changes`.
pub(super) fn read(entry: &Value, context: &Context<'_>, events: &mut Vec<ChannelEvent>) {
    let page = text(entry, "/id");
    each(entry, "messaging", events, |raw, events| messaging::read(raw, page, MESSENGER, context, events));
    each(entry, "standby", events, |_, events| {
        events.push(ChannelEvent::Dropped { why: "another application has the conversation" });
    });
    each(entry, "changes", events, |raw, events| match text(raw, "/field") {
        Some("feed") => events.push(feed(raw, page, context)),
        // So they come from the button that sends a test.
        Some(name) if name.starts_with("mess") && raw.pointer("/value/sender").is_some() => {
            messaging::read(&raw["value"], page, MESSENGER, context, events);
        }
        _ => events.push(unknown(raw, None, "its field is not known")),
    });
}

/// One change of the feed.
fn feed(raw: &Value, page: Option<&str>, context: &Context<'_>) -> ChannelEvent {
    let value = &raw["value"];
    let (item, verb) = (text(value, "/item").unwrap_or_default(), text(value, "/verb").unwrap_or_default());
    let id = match item {
        "comment" => text(value, "/comment_id"),
        _ if POSTS.contains(&item) => text(value, "/post_id"),
        "like" | "reaction" | "share" => return ChannelEvent::Dropped { why: "somebody likes or shares it" },
        "album" | "event" | "milestone" | "note" | "page" => return ChannelEvent::Dropped { why: "the page changed" },
        _ => return unknown(raw, None, "its item is not known"),
    };
    let unknown = |reason| unknown(raw, id, reason);
    let Some(id) = id else { return unknown("it has no id") };
    let Some(inbox) = context.inbox_of(Channel::Facebook, page) else {
        return unknown("no inbox is for the comments of this page");
    };
    if matches!(verb, "hide" | "unhide" | "mute" | "block" | "unblock") {
        return ChannelEvent::Dropped { why: "the page hides or shows it" };
    }
    let from = text(value, "/from/id").or_else(|| text(value, "/sender_id"));
    if from.is_some() && from == page {
        return ChannelEvent::Dropped { why: "it is our own" };
    }
    let Some(by) = from.and_then(|from| Identifier::new(IdentifierKind::Facebook, from, None).ok()) else {
        return unknown("nobody is named as its writer");
    };
    let place = Place { inbox, context, at: moment(value.get("created_time")) };
    let words = text(value, "/message").unwrap_or_default();
    match verb {
        "add" => comment(id, by, words, value).into_event(&place),
        "edited" | "edit" => {
            place.change(id, &Place::edit_id(words, place.at), &by, Changed::Edited { text: words.to_owned() })
        }
        "remove" | "delete" => place.change(id, "remove", &by, Changed::Deleted),
        _ => unknown("its verb is not known"),
    }
}

fn comment<'a>(id: &'a str, by: Identifier, words: &'a str, value: &'a Value) -> Comment<'a> {
    let post = text(value, "/post_id");
    Comment {
        id,
        by: Some(by),
        name: text(value, "/from/name").or_else(|| text(value, "/sender_name")),
        words,
        // The parent of a comment that answers none is the post: everybody's comments have that one in common.
        quoted: text(value, "/parent_id").filter(|parent| Some(*parent) != post),
        files: files(value),
        fields: vec![("post_id", post), ("post_url", text(value, "/post/permalink_url"))],
        warning: None,
    }
}

/// Pictures and films: of a comment under their own names, of a post as its link, or as a list of links.
fn files(value: &Value) -> Vec<(Option<&str>, &'static str)> {
    let of_the_post = match text(value, "/item") {
        Some("photo") => (text(value, "/link"), "image/jpeg"),
        Some("video") => (text(value, "/link"), "video/mp4"),
        _ => (None, ""),
    };
    let several = list(value, "/photos").iter().map(|photo| (photo.as_str(), "image/jpeg"));
    let one = [(text(value, "/photo"), "image/jpeg"), (text(value, "/video"), "video/mp4"), of_the_post];
    one.into_iter().chain(several).collect()
}

#[cfg(test)]
mod tests;
