//! The secrets of inboxes, and comparing what they sign.

use std::collections::BTreeMap;

use hmac::{Hmac, Mac};
use serde::Deserialize;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use throughline_domain::id::InboxId;

/// The secrets of one inbox. Several of a kind are all accepted, the first one signs: so they can be rotated.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct InboxSecrets {
    /// Standard Webhooks secrets (`whsec_` and base64).
    pub webhook: Vec<String>,
    /// Secrets with which a provider signs what it posts: app secret (Meta), consumer secret (X), channel secret (LINE),
    /// signing secret (Slack), auth token (Twilio), secret token (Telegram).
    pub signing: Vec<String>,
    /// What Meta repeats when it asks whether the URL is ours (`hub.verify_token`).
    pub verify_token: Vec<String>,
    /// Tokens for the provider's interface: media is fetched with the first one.
    pub access_token: Vec<String>,
    /// Keys of chat session tokens.
    pub session: Vec<String>,
    /// Keys with which the business's own pages prove who is signed in (`user_hash`).
    pub identity: Vec<String>,
}

/// All secrets of a stack. Never printed.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Secrets {
    /// By inbox.
    pub inboxes: BTreeMap<InboxId, InboxSecrets>,
    /// Keys of reply addresses and reference ids; the first one signs, old ones verify for years.
    pub reply: Vec<ReplyKey>,
}

/// A key of reply addresses.
#[derive(Clone, Deserialize)]
pub struct ReplyKey {
    /// One of `a` to `z` or `2` to `7`: names the key in the address.
    pub id: char,
    /// The key.
    pub secret: String,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({} inboxes, {} reply keys)", self.inboxes.len(), self.reply.len())
    }
}

/// HMAC-SHA256 (RFC 2104) over the parts, one after the other.
pub fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Whether two byte strings are equal, in time that depends on their lengths only.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}
