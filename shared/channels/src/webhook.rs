//! Signed webhooks: any business system that posts messages of its customers.
//!
//! Signed by Standard Webhooks (<https://www.standardwebhooks.com>): HMAC-SHA256 over `id.timestamp.body`. The signer
//! is trusted to say which account a customer has; what address or number somebody has is only repeated by them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use data_encoding::HEXLOWER;
use mail_parser::decoders::html::html_to_text;
use serde_json::Value;
use throughline_domain::channel::Channel;
use throughline_domain::config::Inbox;
use throughline_domain::id::digest;
use throughline_domain::identifier::{Identifier, IdentifierKind};
use throughline_domain::inbound::{Claim, Inbound, Proof, sender};
use throughline_domain::ledger::{Fingerprint, LedgerKey};
use throughline_domain::message::{Direction, Message};
use throughline_domain::moment::Moment;
use throughline_domain::ticket::{FIELDS_BYTES_MAX, FIELDS_MAX, field_bytes};

use crate::malformed::{Fault, Malformed, json, object_at, text_at};
use crate::named_files::named_files;
use crate::secrets::{equal, hmac_sha256};
use crate::signature::Refused;
use crate::text::{NAME_BYTES_MAX, SUBJECT_BYTES_MAX, clean, clean_line};

/// How far the signed time may be from ours either way, in milliseconds: against replay (Standard Webhooks).
pub const SIGNED_TIME_TOLERANCE_MS: i64 = 300_000;
/// Longest `webhook-id`, `external_id` and `thread`, in bytes.
pub const ID_BYTES_MAX: usize = 256;
/// Deepest nesting of a custom field: it must fit into the JSON of the later stages, which is read to a depth of 128.
pub const FIELD_DEPTH_MAX: usize = 8;

/// The header that names the delivery.
pub const ID: &str = "webhook-id";
/// The header with the signed time.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// The header with the signatures.
pub const SIGNATURE: &str = "webhook-signature";

/// Where a body lists its files.
pub(crate) const FILES_AT: &str = "/data/attachments";
/// Before the base64 of a secret.
const SECRET_PREFIX: &str = "whsec_";
/// Before the base64 of a symmetric signature.
const SIGNATURE_PREFIX: &str = "v1,";

/// What the headers of a delivery say, each as given.
#[derive(Clone, Copy, Debug, Default)]
pub struct Signed<'a> {
    /// `webhook-id`: the same for every attempt of one delivery.
    pub id: Option<&'a str>,
    /// `webhook-timestamp`: seconds since 1970.
    pub timestamp: Option<&'a str>,
    /// `webhook-signature`: one or more, separated by blanks.
    pub signature: Option<&'a str>,
}

/// Checks that one of the secrets signed the body, and lately.
pub fn verify(headers: &Signed<'_>, body: &[u8], secrets: &[String], now: Moment) -> Result<(), Refused> {
    let id = filled(ID, headers.id)?;
    let timestamp = filled(TIMESTAMP, headers.timestamp)?;
    let signature = filled(SIGNATURE, headers.signature)?;
    if id.len() > ID_BYTES_MAX {
        return Err(Refused::Malformed(ID));
    }
    let keys: Vec<Vec<u8>> = secrets.iter().filter_map(|secret| key_of(secret)).collect();
    if keys.is_empty() {
        return Err(Refused::NoSecret);
    }
    let signed_s: i64 = timestamp.parse().map_err(|_| Refused::Malformed(TIMESTAMP))?;
    let signed_at = Moment::from_ms(signed_s.saturating_mul(1000));
    if now.since_ms(signed_at).abs() > SIGNED_TIME_TOLERANCE_MS {
        return Err(Refused::Stale);
    }
    // Signatures of other versions (`v1a` is Ed25519) are for other receivers.
    let given = signature.split_ascii_whitespace().filter_map(|one| one.strip_prefix(SIGNATURE_PREFIX));
    let given: Vec<Vec<u8>> = given.filter_map(|one| STANDARD.decode(one).ok()).collect();
    if given.is_empty() {
        return Err(Refused::Malformed(SIGNATURE));
    }
    // Every pair is compared, so that the time does not tell which secret fits.
    let mut fits = false;
    for key in &keys {
        let right = hmac_of(key, id, timestamp, body);
        for one in &given {
            fits |= equal(one, &right);
        }
    }
    if fits { Ok(()) } else { Err(Refused::WrongSignature) }
}

fn filled<'a>(name: &'static str, value: Option<&'a str>) -> Result<&'a str, Refused> {
    value.filter(|value| !value.is_empty()).ok_or(Refused::Missing(name))
}

/// The `webhook-signature` of a delivery; nothing when the secret is not base64 or is empty.
/// `timestamp_s` are seconds since 1970.
pub fn sign(id: &str, timestamp_s: i64, body: &[u8], secret: &str) -> Option<String> {
    let mac = hmac_of(&key_of(secret)?, id, &timestamp_s.to_string(), body);
    Some(format!("{SIGNATURE_PREFIX}{}", STANDARD.encode(mac)))
}

/// The headers that sign a delivery now, with the first secret: nothing when there is none that can. The same body is the
/// same delivery.
pub fn signed(body: &[u8], secrets: &[String], now: Moment) -> Option<Vec<(&'static str, String)>> {
    let id = format!("msg_{}", HEXLOWER.encode(&digest(&[body])[..16]));
    let timestamp_s = now.ms().div_euclid(1000);
    let signature = sign(&id, timestamp_s, body, secrets.first()?)?;
    Some(vec![(ID, id), (TIMESTAMP, timestamp_s.to_string()), (SIGNATURE, signature)])
}

fn key_of(secret: &str) -> Option<Vec<u8>> {
    // Written with or without padding at its end.
    let digits = secret.strip_prefix(SECRET_PREFIX).unwrap_or(secret).trim_end_matches('=');
    let key = STANDARD_NO_PAD.decode(digits).ok()?;
    (!key.is_empty()).then_some(key)
}

fn hmac_of(key: &[u8], id: &str, timestamp: &str, body: &[u8]) -> [u8; 32] {
    hmac_sha256(key, &[id.as_bytes(), b".", timestamp.as_bytes(), b".", body])
}

/// Reads a verified body. `webhook_id` is the verified header: it names the message where the body does not.
///
/// `message.create` and `ticket.create` read alike; which ticket it is, is decided later. What only adds to a message
/// and is wrong becomes a warning; what it says or who sent it must be readable.
pub fn parse(body: &[u8], webhook_id: &str, inbox: &Inbox, received_at: Moment) -> Result<Inbound, Malformed> {
    let root = json(body)?;
    let mut faults = Vec::new();
    object_at(&root, "/data", true, &mut faults);
    object_at(&root, "/data/requester", false, &mut faults);
    let kind = text_at(&root, "/type", &mut faults).unwrap_or_default();
    let mut warnings = Vec::new();
    let subject = text_at(&root, "/data/subject", &mut faults);
    let subject = subject.and_then(|subject| clean_line(&subject, SUBJECT_BYTES_MAX));
    let text = text(&root, &mut faults, &mut warnings);
    let mut minor = Vec::new();
    let files = named_files(&root, FILES_AT, inbox, &mut warnings, &mut minor);
    let names_files = root.pointer(FILES_AT).and_then(Value::as_array).is_some_and(|files| !files.is_empty());
    match kind.as_ref() {
        _ if !faults.is_empty() => return Err(not_understood(&faults)),
        "message.create" | "ticket.create" => (),
        other => return Err(Malformed::unknown_kind(other)),
    }
    if text.is_empty() && subject.is_none() && !names_files {
        return Err(Malformed::NotUnderstood("neither subject nor body nor html says anything".to_owned()));
    }

    let provider_id = name_at(&root, "/data/external_id", &mut minor).unwrap_or_else(|| webhook_id.to_owned());
    let key = LedgerKey::new(Channel::Webhook, &inbox.id, &provider_id);
    let thread = name_at(&root, "/data/thread", &mut minor)
        .map(|thread| LedgerKey::new(Channel::Webhook, &inbox.id, &format!("thread:{thread}")))
        .filter(|thread| *thread != key);
    let claims = claims(&root, inbox, &mut minor);
    let name = text_at(&root, "/data/requester/name", &mut minor).and_then(|name| clean_line(&name, NAME_BYTES_MAX));
    let sender = sender(&claims, name);
    if claims.is_empty() {
        warnings.push("nothing says who sent it".to_owned());
    }
    let sent_at = sent_at(&root, &mut minor);
    let fields = fields_at(&root, "/data/fields", &mut warnings);
    warnings.extend(minor.iter().map(|fault| format!("{fault}: left out")));

    let id = Inbound::message_id(received_at, &key, webhook_id);
    let mut message = Message::new(id, Channel::Webhook, inbox.id.clone(), Direction::Inbound, sender, received_at);
    message.provider_message_id = provider_id;
    message.subject = subject;
    message.text = text;
    message.sent_at = sent_at;
    message.attachments = files;
    message.warnings = warnings;
    let fingerprint = Fingerprint::of(&message);
    message.id = Inbound::message_id(received_at, &key, &format!("{webhook_id} {}", fingerprint.as_str()));
    Ok(Inbound {
        fingerprint,
        message,
        key,
        claims,
        signed_ticket: None,
        thread: thread.into_iter().collect(),
        addressed: Vec::new(),
        fields,
        score: None,
        handoff: false,
        late: false,
    })
}

fn not_understood(faults: &[Fault]) -> Malformed {
    let all: Vec<_> = faults.iter().map(Fault::to_string).collect();
    Malformed::NotUnderstood(all.join("; "))
}

/// The body, or the readable text of the HTML where there is nothing else.
fn text(root: &Value, faults: &mut Vec<Fault>, warnings: &mut Vec<String>) -> String {
    let plain = text_at(root, "/data/body", faults).map(|plain| clean(&plain, warnings)).unwrap_or_default();
    let html = text_at(root, "/data/html", faults);
    let text = match html {
        Some(html) if plain.trim().is_empty() => clean(html_to_text(&html).trim(), warnings),
        _ => plain,
    };
    if text.trim().is_empty() { String::new() } else { text }
}

/// An id that the sender chose. One that could not be kept as it is counts as missing: changed, it could be another's.
pub(crate) fn name_at(root: &Value, pointer: &str, minor: &mut Vec<Fault>) -> Option<String> {
    let name = text_at(root, pointer, minor)?;
    let name = name.trim();
    if name.len() > ID_BYTES_MAX || name.chars().any(char::is_control) {
        let rule = format!("must be at most {ID_BYTES_MAX} bytes without control characters");
        minor.push(Fault::new(pointer, &rule));
        return None;
    }
    Some(name.to_owned())
}

/// What the sender is known by, strongest first.
fn claims(root: &Value, inbox: &Inbox, minor: &mut Vec<Fault>) -> Vec<Claim> {
    let mut claims = Vec::new();
    for (kind, proof) in [
        (IdentifierKind::Account, Proof::Proven),
        (IdentifierKind::Email, Proof::Answerable),
        (IdentifierKind::Phone, Proof::Typed),
    ] {
        let pointer = format!("/data/requester/{}", kind.as_str());
        let Some(value) = text_at(root, &pointer, minor) else { continue };
        match Identifier::new(kind, &value, inbox.country.as_deref()) {
            Ok(identifier) => claims.push(Claim { identifier, proof }),
            Err(error) => minor.push(Fault::new(&pointer, &format!("is refused ({error})"))),
        }
    }
    claims
}

/// When it was sent, as the sender says at `/timestamp`.
pub(crate) fn sent_at(root: &Value, minor: &mut Vec<Fault>) -> Option<Moment> {
    let given = text_at(root, "/timestamp", minor)?;
    let parsed = given.parse().ok();
    if parsed.is_none() {
        minor.push(Fault::new("/timestamp", "must be an RFC 3339 time"));
    }
    parsed
}

/// The custom fields at a pointer that fit into the limits, by the order of their names.
pub(crate) fn fields_at(root: &Value, pointer: &str, warnings: &mut Vec<String>) -> BTreeMap<String, Value> {
    let given = match root.pointer(pointer) {
        None | Some(Value::Null) => return BTreeMap::new(),
        Some(Value::Object(given)) => given,
        Some(_) => {
            warnings.push(format!("{pointer} must be an object: left out"));
            return BTreeMap::new();
        }
    };
    let mut kept = BTreeMap::new();
    let mut bytes = 0;
    for (name, value) in given {
        let name = name.replace('\0', "");
        let size = field_bytes(&name, value);
        let fits = kept.len() < FIELDS_MAX && bytes + size <= FIELDS_BYTES_MAX && depth(value) <= FIELD_DEPTH_MAX;
        if fits && !name.trim().is_empty() {
            bytes += size;
            kept.insert(name, without_nul(value));
        }
    }
    if kept.len() < given.len() {
        warnings.push(format!("{} of {} custom fields are left out", given.len() - kept.len(), given.len()));
    }
    kept
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn without_nul(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace('\0', "")),
        Value::Array(items) => items.iter().map(without_nul).collect(),
        Value::Object(fields) => {
            let clean = fields.iter().map(|(name, value)| (name.replace('\0', ""), without_nul(value)));
            Value::Object(clean.collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests;
