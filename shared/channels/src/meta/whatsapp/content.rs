//! What a WhatsApp message says, kind by kind.

use serde::Deserialize;
use serde_json::Value;

use super::errors;
use crate::provider::Said;
use crate::text::place;
use crate::tolerant::{add_line, field, list, plain, text};

/// Most contacts that are written out of one message.
const CONTACTS_MAX: usize = 50;
/// Most articles that are written out of one order.
const ARTICLES_MAX: usize = 100;

#[derive(Deserialize)]
struct Text {
    body: String,
}

#[derive(Deserialize)]
struct Media {
    id: String,
    caption: Option<String>,
    filename: Option<String>,
    mime_type: Option<String>,
}

#[derive(Deserialize)]
struct Location {
    latitude: Option<f64>,
    longitude: Option<f64>,
    name: Option<String>,
    address: Option<String>,
}

#[derive(Deserialize)]
struct Button {
    text: String,
    payload: Option<String>,
}

#[derive(Deserialize)]
struct Interactive {
    #[serde(rename = "type")]
    kind: String,
    button_reply: Option<Choice>,
    list_reply: Option<Choice>,
    nfm_reply: Option<Form>,
}

#[derive(Deserialize)]
struct Choice {
    id: String,
    title: String,
    description: Option<String>,
}

#[derive(Deserialize)]
struct Form {
    /// JSON as a text: what somebody filled in.
    response_json: String,
}

#[derive(Deserialize)]
struct Order {
    text: Option<String>,
    product_items: Vec<Value>,
}

/// Reads the content of a message of this kind.
pub(super) fn fill(said: &mut Said, kind: &str, raw: &Value) -> Result<(), serde_json::Error> {
    let content = &raw[kind];
    match kind {
        "text" => said.text = Text::deserialize(content)?.body,
        "image" | "video" | "audio" | "document" | "sticker" => media(said, Media::deserialize(content)?),
        "location" => {
            let location = Location::deserialize(content)?;
            let named = [location.name.as_deref(), location.address.as_deref()];
            said.text = place(location.latitude, location.longitude, &named);
        }
        "contacts" => contacts(said, list(raw, "/contacts")),
        "button" => {
            let button = Button::deserialize(content)?;
            said.text = button.text;
            field(said, "button", button.payload.as_deref());
        }
        "interactive" => interactive(said, Interactive::deserialize(content)?),
        "order" => order(said, &Order::deserialize(content)?),
        "unsupported" => said.warnings.push("WhatsApp does not hand over what was written".to_owned()),
        other => said.not_known("a message", other),
    }
    if let Some(errors) = errors(raw) {
        said.warnings.push(format!("WhatsApp reports: {errors}"));
    }
    referral(said, raw);
    Ok(())
}

/// The text of a message after it was edited.
pub(super) fn edited(message: &Value) -> Option<String> {
    let kind = text(message, "/type")?;
    let text = message.get(kind)?;
    let text = text.get("body").or_else(|| text.get("caption")).and_then(Value::as_str);
    Some(text.unwrap_or_default().to_owned())
}

fn media(said: &mut Said, media: Media) {
    said.text = media.caption.unwrap_or_default();
    let content_type = media.mime_type.unwrap_or_default();
    said.file(&media.id, media.filename.as_deref(), &content_type, None);
}

fn contacts(said: &mut Said, contacts: &[Value]) {
    if contacts.len() > CONTACTS_MAX {
        said.warnings.push(format!("only the first {CONTACTS_MAX} contacts are written out"));
    }
    for contact in contacts.iter().take(CONTACTS_MAX) {
        let phones = list(contact, "/phones").iter().filter_map(|phone| text(phone, "/phone"));
        let emails = list(contact, "/emails").iter().filter_map(|email| text(email, "/email"));
        let parts: Vec<&str> = text(contact, "/name/formatted_name").into_iter().chain(phones).chain(emails).collect();
        add_line(said, &format!("(contact: {})", parts.join(", ")));
    }
}

fn interactive(said: &mut Said, interactive: Interactive) {
    match (interactive.button_reply.or(interactive.list_reply), interactive.nfm_reply) {
        (Some(choice), _) => {
            said.text = choice.title;
            if let Some(description) = choice.description.filter(|text| !text.is_empty()) {
                add_line(said, &description);
            }
            field(said, "button", Some(&choice.id));
        }
        (None, Some(form)) => said.text = filled_in(&form.response_json),
        _ => said.not_known("an answer", &interactive.kind),
    }
}

/// What somebody filled in, a line for each field. The token that leads the form back to us is none.
fn filled_in(json: &str) -> String {
    let Ok(Value::Object(fields)) = serde_json::from_str(json) else { return json.to_owned() };
    let lines = fields.iter().filter(|(name, _)| *name != "flow_token");
    lines.map(|(name, value)| format!("{name}: {}", plain(value))).collect::<Vec<_>>().join("\n")
}

fn order(said: &mut Said, order: &Order) {
    said.text = order.text.clone().unwrap_or_default();
    if order.product_items.len() > ARTICLES_MAX {
        said.warnings.push(format!("only the first {ARTICLES_MAX} articles are written out"));
    }
    for item in order.product_items.iter().take(ARTICLES_MAX) {
        let [number, article, price, currency] =
            ["quantity", "product_retailer_id", "item_price", "currency"].map(|name| plain(&item[name]));
        add_line(said, &format!("(order: {number} × {article}, {price} {currency} each)"));
    }
}

/// The advertisement or post that brought somebody here, or the article that they ask about.
fn referral(said: &mut Said, raw: &Value) {
    field(said, "product", text(raw, "/context/referred_product/product_retailer_id"));
    field(said, "product_catalog", text(raw, "/context/referred_product/catalog_id"));
    for name in ["source_url", "source_type", "source_id", "headline"] {
        field(said, &format!("referral_{name}"), text(raw, &format!("/referral/{name}")));
    }
}
