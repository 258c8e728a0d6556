//! Posts: those that mention or answer the account, for everybody to see.

use serde_json::Value;
use throughline_domain::identifier::IdentifierKind;
use throughline_domain::message::Visibility;
use throughline_domain::message_change::Changed;
use throughline_domain::moment::Moment;

use super::{Account, OTHER_TYPE, OUR_OWN, id_at, media_url, readable, unknown};
use crate::provider::{ChannelEvent, Said};
use crate::tolerant::{file_at, list, moment, text};

/// A post, read of either form.
struct Post<'a> {
    id: String,
    author: String,
    name: Option<&'a str>,
    words: String,
    at: Option<Moment>,
    language: Option<&'a str>,
    /// The post that it answers.
    answered: Option<String>,
    /// URLs and types of files.
    files: Vec<(Option<&'a str>, &'static str)>,
    is_repost: bool,
    /// It mentions, answers or quotes the account.
    to_us: bool,
}

impl Post<'_> {
    fn into_event(self, account: &Account<'_>) -> ChannelEvent {
        if account.is(&self.author) {
            return OUR_OWN;
        }
        if self.is_repost {
            return ChannelEvent::Dropped { why: "it repeats another post" };
        }
        if !self.to_us {
            return ChannelEvent::Dropped { why: "it neither mentions nor answers us" };
        }
        let mut said = Said::by(IdentifierKind::X, &self.author, None, &self.id);
        said.text = self.words;
        said.name = self.name.map(str::to_owned);
        said.visibility = Visibility::Public;
        said.quoted = self.answered;
        said.sent_at = self.at;
        // Longer codes of X say that it cannot tell the language, or that there is none.
        said.language = self.language.filter(|code| code.len() == 2).map(str::to_owned);
        for (url, content_type) in self.files {
            file_at(&mut said, url, content_type);
        }
        ChannelEvent::Message(Box::new(said.into_inbound(account.inbox, account.context.received_at)))
    }
}

/// A post of the account activity
/// (<https://developer.x.com/en/docs/x-api/v1/data-dictionary/object-model/tweet>).
pub(super) fn created(raw: &Value, account: &Account<'_>) -> ChannelEvent {
    let id = id_at(raw, &["id_str", "id"]);
    let Some(post) = tweet(raw, account) else { return unknown(raw, id.as_deref(), OTHER_TYPE) };
    post.into_event(account)
}

fn tweet<'a>(raw: &'a Value, account: &Account<'_>) -> Option<Post<'a>> {
    // A post that does not fit into the first form of a post has the whole of it here.
    let whole = raw.get("extended_tweet").filter(|whole| whole.is_object()).unwrap_or(raw);
    let written = text(whole, "/full_text").or_else(|| text(raw, "/text"));
    let media = [whole, raw]
        .into_iter()
        .flat_map(|part| [list(part, "/extended_entities/media"), list(part, "/entities/media")]);
    let media = media.into_iter().find(|media| !media.is_empty()).unwrap_or_default();
    if written.is_none() && media.is_empty() {
        return None;
    }
    let ours = |id: Option<String>| id.is_some_and(|id| account.is(&id));
    let mentions = list(whole, "/entities/user_mentions").iter().chain(list(raw, "/entities/user_mentions"));
    let quoted = raw.pointer("/quoted_status/user").and_then(|user| id_at(user, &["id_str", "id"]));
    Some(Post {
        id: id_at(raw, &["id_str", "id"])?,
        author: id_at(raw.get("user")?, &["id_str", "id"])?,
        name: text(raw, "/user/name"),
        words: readable(written.unwrap_or_default(), list(whole, "/entities/urls"), media),
        at: moment(raw.get("timestamp_ms")).or_else(|| moment(raw.get("created_at"))),
        language: text(raw, "/lang"),
        answered: id_at(raw, &["in_reply_to_status_id_str", "in_reply_to_status_id"]),
        files: media.iter().map(media_url).collect(),
        is_repost: raw.get("retweeted_status").is_some_and(Value::is_object),
        to_us: ours(id_at(raw, &["in_reply_to_user_id_str", "in_reply_to_user_id"]))
            || ours(quoted)
            || mentions.into_iter().any(|mention| ours(id_at(mention, &["id_str", "id"]))),
    })
}

/// A post of the newer form (<https://docs.x.com/x-api/activity/event-payloads>); what it refers to stands in
/// `includes`. Nothing, if it is not as it should be.
pub(super) fn enveloped(raw: &Value, includes: &Value, to_us: bool, account: &Account<'_>) -> Option<ChannelEvent> {
    let author = id_at(raw, &["author_id"])?;
    let referenced = |kind: &str| {
        let mut all = list(raw, "/referenced_tweets").iter();
        all.find(|post| text(post, "/type") == Some(kind)).and_then(|post| id_at(post, &["id"]))
    };
    let written = text(raw, "/note_tweet/text").or_else(|| text(raw, "/text"));
    let links = [list(raw, "/note_tweet/entities/urls"), list(raw, "/entities/urls")].concat();
    let (pictures, links): (Vec<Value>, Vec<Value>) =
        links.into_iter().partition(|link| link.get("media_key").is_some());
    let keys: Vec<&str> = list(raw, "/attachments/media_keys").iter().filter_map(Value::as_str).collect();
    let media = list(includes, "/media").iter();
    let media = media.filter(|media| text(media, "/media_key").is_some_and(|key| keys.contains(&key)));
    let files: Vec<_> = media.map(included_url).collect();
    if written.is_none() && files.is_empty() {
        return None;
    }
    let ours = |id: Option<String>| id.is_some_and(|id| account.is(&id));
    let mut mentions = list(raw, "/entities/mentions").iter();
    let post = Post {
        id: id_at(raw, &["id"])?,
        name: included_name(includes, &author),
        author,
        words: readable(written.unwrap_or_default(), &links, &pictures),
        at: moment(raw.get("created_at")),
        language: text(raw, "/lang"),
        answered: referenced("replied_to"),
        files,
        is_repost: referenced("retweeted").is_some(),
        to_us: to_us
            || ours(id_at(raw, &["in_reply_to_user_id"]))
            || mentions.any(|mention| ours(id_at(mention, &["id"]))),
    };
    Some(post.into_event(account))
}

fn included_name<'a>(includes: &'a Value, id: &str) -> Option<&'a str> {
    let mut users = list(includes, "/users").iter().map(|user| user.get("data").unwrap_or(user));
    users.find(|user| text(user, "/id") == Some(id)).and_then(|user| text(user, "/name"))
}

/// Where a picture or a film of the newer form is, and its type. Of a film, the best one, else its picture.
fn included_url(media: &Value) -> (Option<&str>, &'static str) {
    let films = list(media, "/variants").iter();
    let films = films.filter(|variant| text(variant, "/content_type") == Some("video/mp4"));
    let best = films.max_by_key(|variant| variant.get("bit_rate").and_then(Value::as_u64).unwrap_or_default());
    match best.and_then(|variant| text(variant, "/url")) {
        Some(url) => (Some(url), "video/mp4"),
        None => (text(media, "/url").or_else(|| text(media, "/preview_image_url")), "image/jpeg"),
    }
}

/// A post that was taken back. `raw` has its id and its author's.
pub(super) fn deleted(raw: &Value, at: Option<Moment>, account: &Account<'_>) -> ChannelEvent {
    let (Some(of), Some(by)) = (id_at(raw, &["id"]), id_at(raw, &["user_id", "author_id"])) else {
        return unknown(raw, None, OTHER_TYPE);
    };
    account.changed(&of, &by, Changed::Deleted, at)
}
