//! What a direct message says
//! (<https://developers.facebook.com/docs/messenger-platform/reference/webhook-events/messages>).

use serde_json::Value;

use crate::provider::Said;
use crate::text::place;
use crate::tolerant::{add_line, add_link, field, file_at, list, text};

/// What a page never says of a file: its type. The usual one of its kind stands in until its bytes are seen.
const FILE_TYPES: [(&str, &str); 5] = [
    ("image", "image/jpeg"),
    ("sticker", "image/png"),
    ("video", "video/mp4"),
    ("audio", "audio/mp4"),
    ("file", "application/octet-stream"),
];

/// Reads what a message has besides its text.
pub(super) fn fill(said: &mut Said, raw: &Value) {
    for attachment in list(raw, "/attachments") {
        attached(said, attachment);
    }
    field(said, "button", text(raw, "/quick_reply/payload"));
    field(said, "story_id", text(raw, "/reply_to/story/id"));
    if let Some(url) = text(raw, "/reply_to/story/url") {
        add_link(said, "answer to our story", None, Some(url));
    }
    referral(said, raw);
}

fn attached(said: &mut Said, attachment: &Value) {
    let kind = text(attachment, "/type").unwrap_or_default();
    let of_kind = |wanted: &str| wanted == kind;
    let url = text(attachment, "/payload/url").or_else(|| text(attachment, "/url"));
    let title = text(attachment, "/payload/title").or_else(|| text(attachment, "/title"));
    if let Some((_, content_type)) = FILE_TYPES.iter().find(|(name, _)| of_kind(name)) {
        return file_at(said, url, content_type);
    }
    match kind {
        "location" => {
            let at = |name| attachment.pointer(name).and_then(Value::as_f64);
            let (latitude, longitude) = (at("/payload/coordinates/lat"), at("/payload/coordinates/long"));
            add_line(said, &place(latitude, longitude, &[title]));
        }
        // A picture or a film, as it may be.
        "story_mention" => {
            add_line(said, "(mentioned us in a story)");
            file_at(said, url, "application/octet-stream");
        }
        "fallback" => add_link(said, "link", title, url),
        "share" | "post" | "ig_post" | "reel" | "ig_reel" | "ig_story" | "story" => {
            add_link(said, "shared", title, url);
        }
        "template" => products(said, attachment),
        other => said.not_known("an attachment", other),
    }
}

/// Articles of the business's own catalogue that somebody asks about.
fn products(said: &mut Said, attachment: &Value) {
    let products = list(attachment, "/payload/product/elements");
    if products.is_empty() {
        said.not_known("an attachment", "template");
    }
    for product in products {
        let parts = ["/title", "/subtitle", "/retailer_id"].into_iter().filter_map(|place| text(product, place));
        let parts: Vec<&str> = parts.collect();
        add_line(said, &format!("(article: {})", parts.join(", ")));
    }
}

/// The link or advertisement that brought somebody here.
pub(super) fn referral(said: &mut Said, raw: &Value) {
    for name in ["ref", "source", "ad_id", "referer_uri"] {
        field(said, &format!("referral_{name}"), text(raw, &format!("/referral/{name}")));
    }
}
