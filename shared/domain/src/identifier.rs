//! Identifiers: the names that a sender is known by, normalized so that one name has one spelling.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use idna::AsciiDenyList;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// Longest value of an identifier, in bytes: an e-mail address has at most 254 (RFC 5321, section 4.5.3.1).
pub const IDENTIFIER_BYTES_MAX: usize = 320;

/// What kind of name it is, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IdentifierKind {
    /// The business's own account id, asserted by a trusted caller.
    Account,
    /// A CRM record id.
    Crm,
    /// An order number.
    Order,
    /// A mail address.
    Email,
    /// A telephone number in E.164.
    Phone,
    /// A WhatsApp person.
    Whatsapp,
    /// A Messenger person (page-scoped id).
    Messenger,
    /// An Instagram person.
    Instagram,
    /// A Facebook person.
    Facebook,
    /// A LINE user.
    Line,
    /// A Telegram user.
    Telegram,
    /// A Slack user.
    Slack,
    /// An X user.
    X,
    /// A chat session of our own.
    Session,
}

impl IdentifierKind {
    const ALL: [Self; 14] = [
        Self::Account,
        Self::Crm,
        Self::Order,
        Self::Email,
        Self::Phone,
        Self::Whatsapp,
        Self::Messenger,
        Self::Instagram,
        Self::Facebook,
        Self::Line,
        Self::Telegram,
        Self::Slack,
        Self::X,
        Self::Session,
    ];

    /// The name in documents and keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Crm => "crm",
            Self::Order => "order",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Whatsapp => "whatsapp",
            Self::Messenger => "messenger",
            Self::Instagram => "instagram",
            Self::Facebook => "facebook",
            Self::Line => "line",
            Self::Telegram => "telegram",
            Self::Slack => "slack",
            Self::X => "x",
            Self::Session => "session",
        }
    }

    /// The kind of this name, if it is one.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Names that a business gives a person for good. Two different ones of a kind are two people.
    pub fn is_durable(self) -> bool {
        matches!(self, Self::Account | Self::Crm)
    }
}

/// Kind and normalized value. Built only through [`Identifier::new`], so two equal names are equal values. What is read from
/// JSON was built before: there, a telephone number has to be in its normal form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "RawIdentifier")]
pub struct Identifier {
    kind: IdentifierKind,
    value: String,
}

/// An identifier as it stands in JSON.
#[derive(Deserialize, JsonSchema)]
struct RawIdentifier {
    kind: IdentifierKind,
    value: String,
}

impl TryFrom<RawIdentifier> for Identifier {
    type Error = InvalidIdentifier;

    fn try_from(raw: RawIdentifier) -> Result<Self, Self::Error> {
        match raw.kind {
            // Numbering plans are looked at once, where the number comes in: their rules are larger than all else here.
            IdentifierKind::Phone if is_e164(&raw.value) => Ok(Self { kind: raw.kind, value: raw.value }),
            IdentifierKind::Phone => Err(InvalidIdentifier::Phone),
            kind => Self::of(kind, &raw.value),
        }
    }
}

/// Why a text is no identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIdentifier {
    /// Empty, too long, or with control characters.
    #[error("an identifier is 1 to {IDENTIFIER_BYTES_MAX} bytes without control characters")]
    Shape,
    /// Not `local@domain`.
    #[error("not a mail address")]
    Email,
    /// Not a telephone number that can exist, or one without country code where no country is known.
    #[error("not a telephone number")]
    Phone,
    /// The form is not `kind:value` with a known kind.
    #[error("an identifier is written kind:value with one of the known kinds")]
    Kind,
}

impl Identifier {
    /// The normalized identifier. `country` (ISO 3166, two letters) is where a telephone number without country code
    /// belongs, the inbox's country.
    ///
    /// E-mail: NFC, lower case, internationalized domains as ASCII (RFC 5890); plus-tags are kept. Phone: E.164.
    /// Others: trimmed, as the provider gives them.
    pub fn new(kind: IdentifierKind, value: &str, country: Option<&str>) -> Result<Self, InvalidIdentifier> {
        if kind != IdentifierKind::Phone {
            return Self::of(kind, value);
        }
        let value = normal_phone(shaped(value)?, country).ok_or(InvalidIdentifier::Phone)?;
        Ok(Self { kind, value })
    }

    /// Any but a telephone number.
    fn of(kind: IdentifierKind, value: &str) -> Result<Self, InvalidIdentifier> {
        let value = shaped(value)?;
        let value = match kind {
            IdentifierKind::Email => normal_email(value).ok_or(InvalidIdentifier::Email)?,
            _ => value.to_owned(),
        };
        Ok(Self { kind, value })
    }

    /// A mail address.
    pub fn email(value: &str) -> Result<Self, InvalidIdentifier> {
        Self::of(IdentifierKind::Email, value)
    }

    /// The mailbox of a mail address with a tag: `anna@` of `anna+shop@` (RFC 5233).
    pub fn untagged(&self) -> Option<Self> {
        let (local, domain) = self.value.rsplit_once('@').filter(|_| self.kind == IdentifierKind::Email)?;
        let (mailbox, _) = local.split_once('+').filter(|(mailbox, _)| !mailbox.is_empty())?;
        Some(Self { kind: self.kind, value: format!("{mailbox}@{domain}") })
    }

    /// What kind of name it is.
    pub fn kind(&self) -> IdentifierKind {
        self.kind
    }

    /// The normalized value.
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.as_str(), self.value)
    }
}

impl FromStr for Identifier {
    type Err = InvalidIdentifier;

    /// Reads `kind:value`; a telephone number in its normal form.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, value) = text.split_once(':').ok_or(InvalidIdentifier::Kind)?;
        let kind = IdentifierKind::named(kind).ok_or(InvalidIdentifier::Kind)?;
        Self::try_from(RawIdentifier { kind, value: value.to_owned() })
    }
}

/// The value without space around it.
fn shaped(value: &str) -> Result<&str, InvalidIdentifier> {
    let value = value.trim();
    let right = !value.is_empty() && value.len() <= IDENTIFIER_BYTES_MAX && !value.chars().any(char::is_control);
    right.then_some(value).ok_or(InvalidIdentifier::Shape)
}

/// Whether a text has the form of a number in E.164: a plus sign and at most fifteen digits, the first of them no zero.
fn is_e164(value: &str) -> bool {
    let digits = value.strip_prefix('+').unwrap_or_default();
    (2..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0')
}

fn normal_email(value: &str) -> Option<String> {
    // Of what is ASCII, the normal form is the same.
    let value: Cow<'_, str> = if value.is_ascii() { value.into() } else { value.nfc().collect() };
    let (local, domain) = value.rsplit_once('@')?;
    if local.is_empty() || local.contains(char::is_whitespace) || local.contains(['<', '>']) {
        return None;
    }
    let domain = idna::domain_to_ascii_cow(domain.trim_end_matches('.').as_bytes(), AsciiDenyList::EMPTY).ok()?;
    let right = !domain.is_empty()
        && domain.split('.').all(|label| !label.is_empty())
        && domain.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    right.then(|| {
        let local = if local.is_ascii() { local.to_ascii_lowercase() } else { local.to_lowercase() };
        local + "@" + &domain
    })
}

fn normal_phone(value: &str, country: Option<&str>) -> Option<String> {
    let country = country.and_then(|code| code.to_ascii_uppercase().parse().ok());
    let number = phonenumber::parse(country, value).ok()?;
    phonenumber::is_valid(&number).then(|| number.format().mode(phonenumber::Mode::E164).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email(text: &str) -> Option<String> {
        Identifier::email(text).ok().map(|id| id.value().to_owned())
    }

    #[test]
    fn one_mail_address_has_one_spelling() {
        assert_eq!(email(" Anna.Berg@Example.COM "), Some("anna.berg@example.com".into()));
        assert_eq!(email("anna+shop@bücher.example"), Some("anna+shop@xn--bcher-kva.example".into()));
        assert_eq!(email("anna@example.com."), Some("anna@example.com".into()));
        for wrong in ["anna", "@example.com", "anna@", "a b@example.com", "anna@exa mple.com", "a@b..c", "<a@b.c>"] {
            assert_eq!(email(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_tag_hides_no_mailbox() {
        let untagged = |text: &str| Identifier::email(text).unwrap().untagged().map(|id| id.value);
        assert_eq!(untagged("anna+shop+2@example.com"), Some("anna@example.com".into()));
        assert_eq!((untagged("anna@example.com"), untagged("+x@example.com")), (None, None));
        assert_eq!(Identifier::of(IdentifierKind::Line, "a+b@c").unwrap().untagged(), None);
    }

    #[test]
    fn telephone_numbers_become_e164() {
        let phone = |text, country| Identifier::new(IdentifierKind::Phone, text, country).map(|id| id.value);
        assert_eq!(phone("030 901820", Some("DE")), Ok("+4930901820".into()));
        assert_eq!(phone("+1 (415) 555-2671", None), Ok("+14155552671".into()));
        assert_eq!(phone("0049 30 901820", Some("DE")), Ok("+4930901820".into()));
        assert_eq!(phone("12", Some("DE")), Err(InvalidIdentifier::Phone));
        assert_eq!(phone("030 901820", None), Err(InvalidIdentifier::Phone));
        let read =
            |value: &str| serde_json::from_str::<Identifier>(&format!(r#"{{"kind":"phone","value":"{value}"}}"#));
        assert_eq!(read("+4930901820").unwrap().value(), "+4930901820");
        for wrong in ["030 901820", "+49 30 901820", "+", "+0301", "+1234567890123456", ""] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn stored_identifiers_are_normalized_again() {
        let read: Identifier = serde_json::from_str(r#"{"kind":"email","value":"A@B.example"}"#).unwrap();
        assert_eq!(read.to_string(), "email:a@b.example");
        assert_eq!("email:A@b.example".parse(), Ok(read));
        assert_eq!("mail:a@b.example".parse::<Identifier>(), Err(InvalidIdentifier::Kind));
        assert!(Identifier::new(IdentifierKind::Session, "a\u{0}b", None).is_err());
    }
}
