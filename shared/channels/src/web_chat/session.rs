//! Sessions of chat visitors, and the tokens that stand for them (JWT, RFC 7519).

use std::borrow::Cow;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use throughline_domain::channel::Channel;
use throughline_domain::config::Inbox;
use throughline_domain::id::InboxId;
use throughline_domain::identifier::{Identifier, IdentifierKind};
use throughline_domain::moment::Moment;

use crate::malformed::{Fault, Malformed, json, object_at, text_at};
use crate::secrets::{InboxSecrets, equal, hmac_sha256};
use crate::text::{NAME_BYTES_MAX, clean_line};

/// How long a session token lasts, in milliseconds: 8 hours.
pub const SESSION_MS: i64 = 8 * 3_600_000;
/// Longest session token that is looked at, in bytes; ours stay below 4 KiB.
pub const TOKEN_BYTES_MAX: usize = 8_192;
/// Longest language tag, in bytes (RFC 5646, section 4.4.1).
pub const LOCALE_BYTES_MAX: usize = 35;

/// Who holds a session token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The inbox that it is for.
    pub inbox: InboxId,
    /// Our id of the session, which is also the conversation's.
    pub session_id: String,
    /// The business's account id of the visitor, proved by a `user_hash`.
    pub account: Option<String>,
    /// The mail address that the visitor typed, normalized.
    pub email: Option<String>,
    /// The name that the visitor gave.
    pub name: Option<String>,
    /// The language of the page (BCP 47).
    pub locale: Option<String>,
    /// Until when the token lasts.
    pub expires_at: Moment,
}

/// The answer to a session call.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Opened {
    /// The bearer token for what follows.
    pub token: String,
    /// The session.
    pub session_id: String,
    /// The conversation: the same id.
    pub conversation_id: String,
    /// Until when the token lasts.
    pub expires_at: Moment,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Opened({} until {})", self.session_id, self.expires_at)
    }
}

/// Why somebody is not let in (HTTP 401).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not a session token.
    #[error("the token is malformed")]
    MalformedToken,
    /// A token that we did not sign, not with the pinned algorithm, or for another inbox.
    #[error("the token is not for this inbox")]
    WrongToken,
    /// The token has run out: a new session call gets another one.
    #[error("the token has expired")]
    Expired,
    /// `external_id` came without `user_hash` or with a wrong one.
    #[error("user_hash does not prove external_id")]
    WrongUserHash,
    /// The inbox has no secret for this.
    #[error("the inbox has no secret for this")]
    NoSecret,
}

/// Why no session was opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOpened {
    /// The body breaks the contract.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The visitor is not who the body says.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// What a session token says (RFC 7519).
#[derive(Serialize, Deserialize)]
struct TokenClaims {
    aud: String,
    /// Seconds since 1970.
    exp: i64,
    sid: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    locale: Option<String>,
}

/// Opens a session. `session_id` is its id if it is a new one: drawn by the caller, not to be guessed, without colons.
///
/// `previous` is the verified session of the token that the call carried. It goes on under its id when the visitor signs
/// in or stays who they are; whoever signs out, or in as somebody else, gets a new one, so that nobody reads on in
/// another's conversation on a shared computer.
pub fn open(
    body: &[u8],
    inbox: &Inbox,
    secrets: &InboxSecrets,
    session_id: &str,
    previous: Option<&Session>,
    now: Moment,
) -> Result<Opened, NotOpened> {
    let visitor = visitor(&json(body)?)?;
    if let Some(account) = &visitor.account {
        check_user_hash(account, visitor.user_hash.as_deref(), &secrets.identity)?;
    }
    let previous = previous
        .filter(|previous| previous.inbox == inbox.id)
        .filter(|previous| previous.account.is_none() || previous.account == visitor.account);
    let expires_s = now.plus_ms(SESSION_MS).ms().div_euclid(1000);
    let claims = TokenClaims {
        aud: audience(&inbox.id),
        exp: expires_s,
        sid: previous.map_or(session_id, |previous| &previous.session_id).to_owned(),
        account: visitor.account,
        email: visitor.email.or_else(|| previous?.email.clone()),
        name: visitor.name.or_else(|| previous?.name.clone()),
        locale: visitor.locale.or_else(|| previous?.locale.clone()),
    };
    let secret = usable(&secrets.session).next().ok_or(Refused::NoSecret)?;
    let key = EncodingKey::from_secret(secret.as_bytes());
    let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)
        .expect("claims are JSON and HMAC takes keys of any length");
    Ok(Opened {
        token,
        conversation_id: claims.sid.clone(),
        session_id: claims.sid,
        expires_at: Moment::from_ms(expires_s * 1000),
    })
}

/// The `user_hash` of an account: what the business's page sends along. Hex HMAC-SHA256 with an identity secret.
pub fn user_hash(account: &str, identity_secret: &str) -> String {
    HEXLOWER.encode(&hmac_sha256(identity_secret.as_bytes(), &[account.as_bytes()]))
}

/// Checks a session token (without `Bearer `): signed with any active secret, by HS256 only, for this inbox, not run out.
pub fn verify(token: &str, inbox: &InboxId, secrets: &InboxSecrets, now: Moment) -> Result<Session, Refused> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Refused::MalformedToken);
    }
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_audience(&[audience(inbox)]);
    validation.set_required_spec_claims(&["aud", "exp"]);
    // The library would ask the system clock; time is an argument here.
    validation.validate_exp = false;
    let mut refused = Refused::NoSecret;
    for secret in usable(&secrets.session) {
        let key = DecodingKey::from_secret(secret.as_bytes());
        match jsonwebtoken::decode::<TokenClaims>(token, &key, &validation) {
            Ok(data) => return session(data.claims, inbox, now),
            Err(error) if *error.kind() == ErrorKind::InvalidSignature => refused = Refused::WrongToken,
            // This secret fits, or none can.
            Err(error) => return Err(refusal(error.kind())),
        }
    }
    Err(refused)
}

fn refusal(error: &ErrorKind) -> Refused {
    match error {
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAudience => Refused::WrongToken,
        _ => Refused::MalformedToken,
    }
}

fn session(claims: TokenClaims, inbox: &InboxId, now: Moment) -> Result<Session, Refused> {
    let expires_at = Moment::from_ms(claims.exp.saturating_mul(1000));
    if now >= expires_at {
        return Err(Refused::Expired);
    }
    Ok(Session {
        inbox: inbox.clone(),
        session_id: claims.sid,
        account: claims.account,
        email: claims.email,
        name: claims.name,
        locale: claims.locale,
        expires_at,
    })
}

fn audience(inbox: &InboxId) -> String {
    format!("{}/{inbox}", Channel::WebChat)
}

/// The secrets that protect anything: with an empty one everybody could sign.
fn usable(secrets: &[String]) -> impl Iterator<Item = &str> {
    secrets.iter().map(String::as_str).filter(|secret| !secret.is_empty())
}

fn check_user_hash(account: &str, given: Option<&str>, secrets: &[String]) -> Result<(), Refused> {
    let given = given.ok_or(Refused::WrongUserHash)?;
    let given = HEXLOWER_PERMISSIVE.decode(given.as_bytes()).map_err(|_| Refused::WrongUserHash)?;
    let (mut any, mut fits) = (false, false);
    for secret in usable(secrets) {
        any = true;
        fits |= equal(&given, &hmac_sha256(secret.as_bytes(), &[account.as_bytes()]));
    }
    match (any, fits) {
        (false, _) => Err(Refused::NoSecret),
        (true, false) => Err(Refused::WrongUserHash),
        (true, true) => Ok(()),
    }
}

/// What a session call says about the visitor; `account` is not proved yet.
struct Visitor {
    account: Option<String>,
    user_hash: Option<String>,
    email: Option<String>,
    name: Option<String>,
    locale: Option<String>,
}

fn visitor(root: &Value) -> Result<Visitor, Malformed> {
    let mut faults = Vec::new();
    object_at(root, "", true, &mut faults);
    object_at(root, "/visitor", false, &mut faults);
    let mut text = |name: &str| text_at(root, &format!("/visitor/{name}"), &mut faults);
    let (account, user_hash) = (text("external_id"), text("user_hash"));
    let (email, name, locale) = (text("email"), text("name"), text("locale"));
    // Blanks at the ends would be lost in the identifier: then a proof of " a" would be one of "a".
    let exact =
        |id: &str| Identifier::new(IdentifierKind::Account, id, None).is_ok_and(|account| account.value() == id);
    if account.as_deref().is_some_and(|account| !exact(account)) {
        faults.push(Fault::new("/visitor/external_id", "must be an account id without blanks at its ends"));
    }
    let email = email.and_then(|email| {
        let normal = Identifier::email(&email).map(|email| email.value().to_owned());
        normal.map_err(|error| faults.push(Fault::new("/visitor/email", &error.to_string()))).ok()
    });
    if !faults.is_empty() {
        return Err(Malformed::Invalid(faults));
    }
    Ok(Visitor {
        account: account.map(Cow::into_owned),
        user_hash: user_hash.map(|hash| hash.trim().to_owned()),
        email,
        name: name.and_then(|name| clean_line(&name, NAME_BYTES_MAX)),
        locale: locale.and_then(|locale| language_tag(&locale)),
    })
}

/// The language tag (BCP 47) in a page's locale; a hint, so anything else is nothing.
fn language_tag(locale: &str) -> Option<String> {
    let tag = locale.trim().replace('_', "-");
    let right = tag.len() <= LOCALE_BYTES_MAX
        && tag.starts_with(|c: char| c.is_ascii_alphabetic())
        && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    right.then_some(tag)
}
