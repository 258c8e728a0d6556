//! X: direct messages and posts, in both forms in which they come: the account activity
//! (<https://developer.x.com/en/docs/x-api/enterprise/account-activity-api/guides/account-activity-data-objects>) and
//! the newer envelope (<https://docs.x.com/x-api/activity/event-payloads>).
//!
//! No time is signed: what comes again is known by its ids, which both forms have in common.

mod direct;
mod post;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use throughline_domain::channel::Channel;
use throughline_domain::config::Inbox;
use throughline_domain::identifier::{Identifier, IdentifierKind};
use throughline_domain::message_change::Changed;
use throughline_domain::moment::Moment;

use crate::malformed::{Malformed, json};
use crate::provider::{Answer, ChannelEvent, Context, Provider, Request, Unknown, change};
use crate::secrets::{InboxSecrets, hmac_sha256};
use crate::signature::{Refused, verify_sha256};
use crate::tolerant::{list, moment, plain, text};

/// The header with `sha256=` and the base64 HMAC-SHA256 of the body under the consumer secret.
const SIGNATURE: &str = "x-twitter-webhooks-signature";
/// What stands before the signature.
const SCHEME: &str = "sha256=";
/// What the query of a handshake names what is to be signed.
const CRC_TOKEN: &str = "crc_token";
/// Longest token that is signed, in bytes. X gives no limit; its tokens are shorter than 100.
const CRC_TOKEN_BYTES_MAX: usize = 512;

/// Why an entry is kept that is not as it should be.
const OTHER_TYPE: &str = "a field has another type than documented";
/// Why it is kept that an account took our right away.
const REVOKED: &str = "the account took back our access";
/// Why an entry is kept that is for nobody.
const NO_INBOX: &str = "no inbox is for this account";
/// Why an entry is dropped that comes from the account itself.
const OUR_OWN: ChannelEvent = ChannelEvent::Dropped { why: "it is our own" };
/// Why an entry is dropped that nobody has to answer.
const NOTHING_TO_US: ChannelEvent = ChannelEvent::Dropped { why: "it says nothing to us" };

/// Lists of the account activity that say nothing to us.
const LISTS_DROPPED: [&str; 8] = [
    "block_events",
    "direct_message_indicate_typing_events",
    "favorite_events",
    "follow_events",
    "mute_events",
    "unblock_events",
    "unfollow_events",
    "unmute_events",
];
/// How the names of lists end.
const LIST_ENDING: &str = "_events";
/// What stands in the place of a list when an account took our right away: somebody has to see to it.
const REVOCATION: &str = "user_event";
/// Beginnings of the types of the newer form that say nothing to us.
const TYPES_DROPPED: [&str; 8] =
    ["block.", "chat.conversation_", "dm.indicate_", "follow.", "like.", "mute.", "profile.", "spaces."];

/// See the module.
pub(crate) struct X;

impl Provider for X {
    fn verify(&self, request: &Request<'_>, secrets: &InboxSecrets, _now: Moment) -> Result<(), Refused> {
        let given = request.header(SIGNATURE).ok_or(Refused::Missing(SIGNATURE))?;
        let given = given.strip_prefix(SCHEME).and_then(|given| STANDARD.decode(given).ok());
        verify_sha256(&secrets.signing, &[&request.body], &given.ok_or(Refused::Malformed(SIGNATURE))?)
    }

    /// X wants its token signed (<https://docs.x.com/x-api/webhooks/quickstart>), with the very key and in the very
    /// form of the signature of a body. So that nobody gets a body signed this way, what is JSON is no token.
    fn handshake(&self, request: &Request<'_>, secrets: &InboxSecrets) -> Result<Option<Answer>, Refused> {
        let Some(token) = request.query(CRC_TOKEN).filter(|_| request.body.is_empty()) else { return Ok(None) };
        if token.is_empty() || token.len() > CRC_TOKEN_BYTES_MAX || json(token.as_bytes()).is_ok() {
            return Err(Refused::Malformed(CRC_TOKEN));
        }
        let response = signed(secrets, token.as_bytes()).ok_or(Refused::NoSecret)?;
        Ok(Some(Answer::json(&json!({"response_token": response}))))
    }

    fn parse(&self, request: &Request<'_>, context: &Context<'_>) -> Result<Vec<ChannelEvent>, Malformed> {
        let root = json(&request.body)?;
        let mut events = Vec::new();
        match (root.get("data"), root.as_object()) {
            (Some(data), _) if data.get("event_type").is_some() => envelope(data, context, &mut events),
            (_, Some(lists)) if lists.contains_key("for_user_id") || lists.contains_key(REVOCATION) => {
                activity(&root, text(&root, "/for_user_id"), context, &mut events);
            }
            _ => {
                return Err(Malformed::NotUnderstood(
                    "there is neither `for_user_id` nor `data.event_type`".to_owned(),
                ));
            }
        }
        Ok(events)
    }

    fn sign(&self, request: &Request<'_>, secrets: &InboxSecrets, _now: Moment) -> Option<Vec<(&'static str, String)>> {
        Some(vec![(SIGNATURE, signed(secrets, &request.body)?)])
    }
}

/// Signs as X does, with the first secret that there is.
fn signed(secrets: &InboxSecrets, what: &[u8]) -> Option<String> {
    let secret = secrets.signing.iter().find(|secret| !secret.is_empty())?;
    Some(format!("{SCHEME}{}", STANDARD.encode(hmac_sha256(secret.as_bytes(), &[what]))))
}

/// The account that something is for, and where its messages come in.
struct Account<'a> {
    id: Option<&'a str>,
    inbox: &'a Inbox,
    context: &'a Context<'a>,
}

impl<'a> Account<'a> {
    fn of(id: Option<&'a str>, context: &'a Context<'a>) -> Option<Self> {
        let inbox = context.inbox_of(Channel::X, id)?;
        Some(Self { id: id.or(inbox.account.as_deref()), inbox, context })
    }

    fn is(&self, id: &str) -> bool {
        self.id == Some(id)
    }

    /// What somebody else did to a message; nothing to tell of what the account itself did.
    fn changed(&self, of: &str, by: &str, changed: Changed, at: Option<Moment>) -> ChannelEvent {
        let Ok(identifier) = Identifier::new(IdentifierKind::X, by, None) else { return NOTHING_TO_US };
        if self.is(by) {
            return OUR_OWN;
        }
        let id = match changed {
            Changed::Deleted => "deleted",
            _ => "read",
        };
        let change = change(of, id, &identifier, changed, at, self.inbox, self.context.received_at);
        ChannelEvent::Change(Box::new(change))
    }
}

/// The account activity: lists by what happened.
fn activity(body: &Value, id: Option<&str>, context: &Context<'_>, events: &mut Vec<ChannelEvent>) {
    let Some(account) = Account::of(id, context) else { return events.push(unknown(body, None, NO_INBOX)) };
    let before = events.len();
    let users = &body["users"];
    for (name, value) in body.as_object().into_iter().flatten() {
        let read = |raw: &Value| match name.as_str() {
            "direct_message_events" => direct::message(raw, users, &account),
            "direct_message_mark_read_events" => vec![direct::marked_read(raw, &account)],
            "tweet_create_events" => vec![post::created(raw, &account)],
            "tweet_delete_events" => vec![post::deleted(&raw["status"], moment(raw.get("timestamp_ms")), &account)],
            known if LISTS_DROPPED.contains(&known) => vec![NOTHING_TO_US],
            _ => vec![unknown(raw, None, "its list is not known")],
        };
        match value {
            Value::Array(items) if name.ends_with(LIST_ENDING) => events.extend(items.iter().flat_map(read)),
            _ if name.ends_with(LIST_ENDING) => events.push(unknown(value, None, OTHER_TYPE)),
            _ if name == REVOCATION => events.push(unknown(value, None, REVOKED)),
            _ => (),
        }
    }
    if events.len() == before {
        events.push(unknown(body, None, "there is nothing in it that is known"));
    }
}

/// The newer form: one event.
fn envelope(data: &Value, context: &Context<'_>, events: &mut Vec<ChannelEvent>) {
    let kind = text(data, "/event_type").unwrap_or_default();
    let (id, payload) = (text(data, "/event_uuid"), &data["payload"]);
    let unknown = |reason| unknown(data, id, reason);
    let user = text(data, "/filter/user_id");
    if TYPES_DROPPED.iter().any(|beginning| kind.starts_with(beginning)) || kind == "news.new" {
        return events.push(NOTHING_TO_US);
    }
    let Some(account) = Account::of(user, context) else { return events.push(unknown(NO_INBOX)) };
    match kind {
        "dm.received" | "dm.sent" | "dm.read" => activity(payload, user, context, events),
        "chat.received" => events.push(direct::encrypted(payload, &account).unwrap_or_else(|| unknown(OTHER_TYPE))),
        "chat.sent" => events.push(OUR_OWN),
        "post.create" | "post.mention.create" | "post.reply.create" | "post.quote.create" => {
            let to_us = kind != "post.create";
            let read = post::enveloped(payload, &data["includes"], to_us, &account);
            events.push(read.unwrap_or_else(|| unknown(OTHER_TYPE)));
        }
        "post.delete" => events.push(post::deleted(payload, None, &account)),
        "oauth.revoke" => events.push(unknown(REVOKED)),
        _ => events.push(unknown("its type is not known")),
    }
}

/// An entry that is kept.
fn unknown(raw: &Value, id: Option<&str>, reason: &str) -> ChannelEvent {
    ChannelEvent::Unknown(Unknown::of(raw, id, reason))
}

/// An id as text: the older form gives it as a number too, which other languages cannot hold.
fn id_at(value: &Value, names: &[&str]) -> Option<String> {
    let found = names.iter().filter_map(|name| value.get(name)).map(plain);
    found.into_iter().find(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A text as its writer meant it: with the links that they wrote instead of those of X, without the links to what is
/// attached anyway, and without the signs that stand for `&`, `<` and `>`.
fn readable(written: &str, links: &[Value], attached: &[Value]) -> String {
    let mut read = written.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    for link in attached.iter().filter_map(|media| text(media, "/url")) {
        read = read.replace(link, "");
    }
    for link in links {
        if let (Some(short), Some(long)) = (text(link, "/url"), text(link, "/expanded_url")) {
            read = read.replace(short, long);
        }
    }
    read.trim_end().to_owned()
}

/// Where a picture or a film of the older form is, and its type. Of a film, the best one.
fn media_url(media: &Value) -> (Option<&str>, &'static str) {
    let films = list(media, "/video_info/variants").iter();
    let films = films.filter(|variant| text(variant, "/content_type") == Some("video/mp4"));
    let best = films.max_by_key(|variant| variant.get("bitrate").and_then(Value::as_u64).unwrap_or_default());
    match best.and_then(|variant| text(variant, "/url")) {
        Some(url) => (Some(url), "video/mp4"),
        None => (text(media, "/media_url_https"), "image/jpeg"),
    }
}

#[cfg(test)]
mod tests;
