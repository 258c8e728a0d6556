//! What a message of Telegram holds (<https://core.telegram.org/bots/api#message>): the kind is told by which field is
//! there.

use serde::Deserialize;
use serde_json::Value;

use crate::provider::Said;
use crate::text::place;

/// Fields of a message by which the service tells what happened in the chat: nobody says anything there.
const SERVICE: [&str; 37] = [
    "new_chat_members",
    "left_chat_member",
    "chat_owner_left",
    "chat_owner_changed",
    "new_chat_title",
    "new_chat_photo",
    "delete_chat_photo",
    "group_chat_created",
    "supergroup_chat_created",
    "channel_chat_created",
    "message_auto_delete_timer_changed",
    "migrate_to_chat_id",
    "migrate_from_chat_id",
    "pinned_message",
    "successful_payment",
    "refunded_payment",
    "users_shared",
    "chat_shared",
    "connected_website",
    "write_access_allowed",
    "proximity_alert_triggered",
    "boost_added",
    "chat_background_set",
    "forum_topic_created",
    "forum_topic_edited",
    "forum_topic_closed",
    "forum_topic_reopened",
    "general_forum_topic_hidden",
    "general_forum_topic_unhidden",
    "giveaway_created",
    "giveaway",
    "giveaway_winners",
    "giveaway_completed",
    "video_chat_scheduled",
    "video_chat_started",
    "video_chat_ended",
    "video_chat_participants_invited",
];

/// Whether a message only tells what happened in the chat.
pub(super) fn is_service(entry: &Value) -> bool {
    SERVICE.iter().any(|name| entry.get(name).is_some())
}

/// What a message can hold.
#[derive(Deserialize)]
pub(super) struct Content {
    text: Option<String>,
    caption: Option<String>,
    #[serde(default)]
    photo: Vec<Held>,
    document: Option<Held>,
    animation: Option<Held>,
    video: Option<Held>,
    video_note: Option<Held>,
    voice: Option<Held>,
    audio: Option<Held>,
    sticker: Option<Sticker>,
    location: Option<Location>,
    venue: Option<Venue>,
    contact: Option<Contact>,
    poll: Option<Poll>,
    dice: Option<Dice>,
    story: Option<Value>,
    forward_origin: Option<Origin>,
}

/// A file that Telegram holds.
#[derive(Deserialize)]
struct Held {
    file_id: String,
    file_name: Option<String>,
    mime_type: Option<String>,
    file_size: Option<u64>,
    width: Option<u64>,
    height: Option<u64>,
}

#[derive(Deserialize)]
struct Sticker {
    emoji: Option<String>,
}

#[derive(Deserialize)]
struct Location {
    latitude: Option<f64>,
    longitude: Option<f64>,
}

#[derive(Deserialize)]
struct Venue {
    location: Option<Location>,
    title: Option<String>,
    address: Option<String>,
}

#[derive(Deserialize)]
struct Contact {
    phone_number: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    user_id: Option<i64>,
}

#[derive(Deserialize)]
struct Poll {
    question: String,
    #[serde(default)]
    options: Vec<PollOption>,
}

#[derive(Deserialize)]
struct PollOption {
    text: String,
}

#[derive(Deserialize)]
struct Dice {
    emoji: String,
    value: i64,
}

/// Where a forwarded message comes from.
#[derive(Deserialize)]
struct Origin {
    sender_user: Option<OriginUser>,
    sender_user_name: Option<String>,
    sender_chat: Option<OriginChat>,
    chat: Option<OriginChat>,
}

#[derive(Deserialize)]
struct OriginUser {
    first_name: Option<String>,
    last_name: Option<String>,
}

#[derive(Deserialize)]
struct OriginChat {
    title: Option<String>,
}

impl Content {
    /// A live place sends an edit for every step.
    pub(super) fn is_moving(&self) -> bool {
        self.location.is_some() && self.venue.is_none()
    }

    /// The telephone number that the sender shares as their own.
    pub(super) fn own_number(&self, sender: i64) -> Option<String> {
        let contact = self.contact.as_ref().filter(|contact| contact.user_id == Some(sender))?;
        contact.phone_number.as_deref().map(international)
    }

    /// Puts what it holds into a message. Nothing is known of it when this is false.
    pub(super) fn put_into(&self, said: &mut Said) -> bool {
        let files = said.attachments.len();
        self.put_files(said);
        let written = self.text.as_deref().or(self.caption.as_deref());
        let mut lines: Vec<String> = self.forwarded().into_iter().collect();
        lines.extend(written.map(str::to_owned));
        lines.extend(self.in_words());
        said.text = lines.join("\n");
        let known = written.is_some() || said.attachments.len() > files || self.in_words().is_some();
        if self.story.is_some() {
            said.warnings.push("a story is kept without its content".to_owned());
        }
        known || self.story.is_some()
    }

    fn put_files(&self, said: &mut Said) {
        let largest = self
            .photo
            .iter()
            .max_by_key(|size| size.width.unwrap_or_default().saturating_mul(size.height.unwrap_or_default()));
        // With an animation, `document` holds the same file once more, for older programs.
        let document = self.document.as_ref().filter(|_| self.animation.is_none());
        let files = [
            (largest, "image/jpeg"),
            (document, "application/octet-stream"),
            (self.animation.as_ref(), "video/mp4"),
            (self.video.as_ref(), "video/mp4"),
            (self.video_note.as_ref(), "video/mp4"),
            (self.voice.as_ref(), "audio/ogg"),
            (self.audio.as_ref(), "audio/mpeg"),
        ];
        for (held, usual) in files {
            if let Some(held) = held {
                let kind = held.mime_type.as_deref().unwrap_or(usual);
                said.file(&held.file_id, held.file_name.as_deref(), kind, held.file_size);
            }
        }
    }

    fn forwarded(&self) -> Option<String> {
        let origin = self.forward_origin.as_ref()?;
        let user = origin.sender_user.as_ref().map(|user| full_name(&user.first_name, &user.last_name));
        let chat = origin.chat.as_ref().or(origin.sender_chat.as_ref()).and_then(|chat| chat.title.clone());
        let name = user.or_else(|| origin.sender_user_name.clone()).or(chat).filter(|name| !name.is_empty());
        Some(name.map_or_else(|| "(forwarded)".to_owned(), |name| format!("(forwarded from {name})")))
    }

    /// What is neither text nor file, in words.
    fn in_words(&self) -> Option<String> {
        if let Some(venue) = &self.venue {
            let at = venue.location.as_ref();
            let named = [venue.title.as_deref(), venue.address.as_deref()];
            return Some(place(at.and_then(|at| at.latitude), at.and_then(|at| at.longitude), &named));
        }
        if let Some(at) = &self.location {
            return Some(place(at.latitude, at.longitude, &[]));
        }
        if let Some(sticker) = &self.sticker {
            return Some(format!("(sticker: {})", sticker.emoji.as_deref().unwrap_or("?")));
        }
        if let Some(contact) = &self.contact {
            let number = contact.phone_number.as_deref().map(international).unwrap_or_default();
            return Some(format!("(contact: {}, {number})", full_name(&contact.first_name, &contact.last_name)));
        }
        if let Some(poll) = &self.poll {
            let options: Vec<&str> = poll.options.iter().map(|option| option.text.as_str()).collect();
            return Some(format!("(poll: {} {})", poll.question, options.join(" / ")));
        }
        self.dice.as_ref().map(|dice| format!("({}: {})", dice.emoji, dice.value))
    }
}

/// Telegram writes international numbers without the plus sign.
fn international(number: &str) -> String {
    if number.starts_with('+') { number.to_owned() } else { format!("+{number}") }
}

fn full_name(first: &Option<String>, last: &Option<String>) -> String {
    let names: Vec<&str> = [first, last].into_iter().flatten().map(String::as_str).collect();
    names.join(" ")
}
