//! Twilio: what its webhooks for text messages and for calls share: the signature, the form, and who it is.

use std::borrow::Cow;
use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest, Sha256};
use throughline_domain::channel::Channel;
use throughline_domain::config::Inbox;
use throughline_domain::identifier::{Identifier, IdentifierKind, InvalidIdentifier};

use crate::malformed::{Malformed, json};
use crate::provider::{Context, Request};
use crate::secrets::{InboxSecrets, equal};
use crate::signature::{Refused, fits, hmac_sha1};

/// The header with the signature (<https://www.twilio.com/docs/usage/security#validating-requests>).
pub(crate) const SIGNATURE: &str = "x-twilio-signature";
/// What forms are posted as.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
/// The answer by which Twilio does nothing.
pub(crate) const EMPTY_RESPONSE: &str = "<Response/>";

/// The hash of a body that is no form, in the query.
const BODY_HASH: &str = "bodySHA256";

/// Checks the signature: over the URL and the sorted fields of a form, or over the URL alone, which then holds the
/// hash of the body. Twilio signs the URL with or without its port, so both are tried.
pub(crate) fn verify(request: &Request<'_>, secrets: &InboxSecrets) -> Result<(), Refused> {
    let given = request.header(SIGNATURE).ok_or(Refused::Missing(SIGNATURE))?;
    let given = STANDARD.decode(given).map_err(|_| Refused::Malformed(SIGNATURE))?;
    let hash = request.query(BODY_HASH);
    let fields = signed_fields(request, hash.is_some());
    let urls = urls(&request.url);
    let signs =
        |secret: &str| urls.iter().fold(false, |right, url| right | equal(&given, &signature(secret, url, &fields)));
    fits(&secrets.signing, signs)?;
    match hash {
        Some(hash) if !is_hash_of(&hash, &request.body) => Err(Refused::WrongSignature),
        _ => Ok(()),
    }
}

/// The headers with which Twilio would send this.
pub(crate) fn sign(request: &Request<'_>, secrets: &InboxSecrets) -> Option<Vec<(&'static str, String)>> {
    let fields = signed_fields(request, request.query(BODY_HASH).is_some());
    let mac = signature(secrets.signing.first()?, &request.url, &fields);
    Some(vec![(SIGNATURE, STANDARD.encode(mac))])
}

fn signature(secret: &str, url: &str, fields: &str) -> [u8; 20] {
    hmac_sha1(secret.as_bytes(), &[url.as_bytes(), fields.as_bytes()])
}

/// Names and values of the form one after the other, sorted, each pair once; nothing for a body that is no form.
fn signed_fields(request: &Request<'_>, is_hashed: bool) -> String {
    if is_hashed {
        return String::new();
    }
    let pairs: BTreeSet<(Cow<'_, str>, Cow<'_, str>)> = form_urlencoded::parse(&request.body).collect();
    pairs.iter().flat_map(|(name, value)| [name.as_ref(), value.as_ref()]).collect()
}

fn is_hash_of(hash: &str, body: &[u8]) -> bool {
    let right = data_encoding::HEXLOWER.encode(&Sha256::digest(body));
    equal(hash.to_ascii_lowercase().as_bytes(), right.as_bytes())
}

/// The URL as it is, without its port, and with the port of its scheme.
fn urls(url: &str) -> Vec<String> {
    let mut urls = vec![url.to_owned()];
    let Some((scheme, rest)) = url.split_once("://") else { return urls };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = without_port(authority);
    let port = if scheme == "http" { 80 } else { 443 };
    if host == authority {
        urls.push(format!("{scheme}://{host}:{port}{path}"));
    } else {
        urls.push(format!("{scheme}://{host}{path}"));
    }
    urls
}

/// `user:password@host:port` without `:port`.
fn without_port(authority: &str) -> &str {
    let host_at = authority.rfind('@').map_or(0, |at| at + 1);
    match authority[host_at..].rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => &authority[..host_at + host.len()],
        _ => authority,
    }
}

/// The fields of a request, in their order.
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// The fields of a form, or the texts and numbers of a JSON object.
    pub(crate) fn of(body: &[u8]) -> Result<Self, Malformed> {
        let fields: Vec<(String, String)> = if body.first() == Some(&b'{') {
            fields_of_json(&json(body)?)
        } else {
            form_urlencoded::parse(body).into_owned().collect()
        };
        if fields.is_empty() {
            return Err(Malformed::NotUnderstood("there are no fields".to_owned()));
        }
        Ok(Self(fields))
    }

    /// The first field of this name that says something.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, value)| known == name && !value.trim().is_empty());
        found.map(|(_, value)| value.as_str())
    }

    /// A whole number.
    pub(crate) fn number(&self, name: &str) -> Option<u32> {
        self.get(name)?.trim().parse().ok()
    }

    /// The whole form, to be kept.
    pub(crate) fn raw(&self) -> Value {
        self.0.iter().map(|(name, value)| (name.clone(), Value::from(value.clone()))).collect()
    }
}

fn fields_of_json(root: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let fields = root.as_object().into_iter().flatten();
    fields.filter_map(|(name, value)| Some((name.clone(), text(value)?))).collect()
}

/// The inbox of an address of ours: of `whatsapp:+41…` before that of the bare number.
pub(crate) fn inbox<'a>(channel: Channel, ours: Option<&str>, context: &Context<'a>) -> Option<&'a Inbox> {
    let bare = ours.and_then(|ours| ours.split_once(':')).map(|(_, number)| number);
    context.inbox_of(channel, ours).or_else(|| context.inbox_of(channel, Some(bare?)))
}

/// A telephone number that Twilio names. It exists, also where the numbering plans that we know have it not yet.
pub(crate) fn phone(number: &str, country: Option<&str>) -> Result<Identifier, InvalidIdentifier> {
    let number = number.trim();
    let known = Identifier::new(IdentifierKind::Phone, number, country);
    known.or_else(|error| format!("{}:{number}", IdentifierKind::Phone.as_str()).parse().map_err(|_| error))
}

#[cfg(test)]
mod tests;
