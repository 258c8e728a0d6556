//! Settings: typed, from the environment, read once at start. What is missing or wrong is reported all at once.

use std::fmt;
use std::path::Path;

use throughline_channels::secrets::Secrets;

/// A setting of the environment that a function needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// `TABLE_NAME`: the table.
    Table,
    /// `BUCKET_NAME`: raw mail, long bodies, quarantine.
    Bucket,
    /// `MAIL_QUEUE_URL`: notices of received mail.
    MailQueue,
    /// `INBOUND_QUEUE_URL`.
    InboundQueue,
    /// `IDENTIFIED_QUEUE_URL`.
    IdentifiedQueue,
    /// `ROUTING_QUEUE_URL`.
    RoutingQueue,
    /// `OUTBOUND_QUEUE_URL`.
    OutboundQueue,
    /// `EVENT_BUS_NAME`: the bus that other systems learn of commits from.
    EventBus,
    /// `SECRETS_FILE`: a JSON file with the secrets of the inboxes.
    Secrets,
    /// `OIDC_ISSUER`: who issues the tokens of agents and business systems.
    OidcIssuer,
    /// `OIDC_AUDIENCE`: whom they are issued for.
    OidcAudience,
    /// `OIDC_KEYS`: the issuer's keys, a JSON Web Key Set (RFC 7517).
    OidcKeys,
}

impl Setting {
    /// The name in the environment.
    pub fn name(self) -> &'static str {
        match self {
            Self::Table => "TABLE_NAME",
            Self::Bucket => "BUCKET_NAME",
            Self::MailQueue => "MAIL_QUEUE_URL",
            Self::InboundQueue => "INBOUND_QUEUE_URL",
            Self::IdentifiedQueue => "IDENTIFIED_QUEUE_URL",
            Self::RoutingQueue => "ROUTING_QUEUE_URL",
            Self::OutboundQueue => "OUTBOUND_QUEUE_URL",
            Self::EventBus => "EVENT_BUS_NAME",
            Self::Secrets => "SECRETS_FILE",
            Self::OidcIssuer => "OIDC_ISSUER",
            Self::OidcAudience => "OIDC_AUDIENCE",
            Self::OidcKeys => "OIDC_KEYS",
        }
    }
}

/// The settings of a function. What it did not ask for is empty.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The table.
    pub table: String,
    /// The bucket.
    pub bucket: String,
    /// URLs of the queues that it sends to.
    pub queues: QueueUrls,
    /// Name of the event bus.
    pub event_bus: String,
    /// Secrets of the inboxes.
    pub secrets: Secrets,
    /// Who issues tokens.
    pub oidc: Oidc,
}

/// URLs of the queues.
#[derive(Clone, Debug, Default)]
pub struct QueueUrls {
    /// Notices of received mail.
    pub mail: String,
    /// Normalized messages.
    pub inbound: String,
    /// Messages whose sender is known.
    pub identified: String,
    /// Tickets to be routed.
    pub routing: String,
    /// Replies to be sent.
    pub outbound: String,
}

/// Who issues the tokens of agents and business systems.
#[derive(Clone, Debug, Default)]
pub struct Oidc {
    /// Issuer.
    pub issuer: String,
    /// Audience.
    pub audience: String,
    /// The issuer's keys: a JSON Web Key Set.
    pub keys: String,
}

/// All that is missing or wrong in the environment.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub struct SettingsError(Vec<String>);

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the environment is not complete: {}", self.0.join("; "))
    }
}

impl Settings {
    /// The settings that a function needs, from the environment of the process.
    ///
    /// # Errors
    /// Names everything that is missing or wrong.
    pub fn from_env(needs: &[Setting]) -> Result<Self, SettingsError> {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
        Self::load(needs, |name| std::env::var(name).ok())
    }

    /// The settings that a function needs, from any source.
    ///
    /// # Errors
    /// Names everything that is missing or wrong.
    pub fn load(needs: &[Setting], source: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let mut faults = Vec::new();
        let mut settings = Self::default();
        for need in needs {
            let value = source(need.name()).filter(|value| !value.trim().is_empty());
            let Some(value) = value else {
                faults.push(format!("{} is missing", need.name()));
                continue;
            };
            if let Err(fault) = settings.set(*need, value) {
                faults.push(format!("{} {fault}", need.name()));
            }
        }
        if faults.is_empty() { Ok(settings) } else { Err(SettingsError(faults)) }
    }

    fn set(&mut self, setting: Setting, value: String) -> Result<(), String> {
        match setting {
            Setting::Table => self.table = value,
            Setting::Bucket => self.bucket = value,
            Setting::MailQueue => self.queues.mail = queue_url(value)?,
            Setting::InboundQueue => self.queues.inbound = queue_url(value)?,
            Setting::IdentifiedQueue => self.queues.identified = queue_url(value)?,
            Setting::RoutingQueue => self.queues.routing = queue_url(value)?,
            Setting::OutboundQueue => self.queues.outbound = queue_url(value)?,
            Setting::EventBus => self.event_bus = value,
            Setting::Secrets => self.secrets = secrets(Path::new(&value))?,
            Setting::OidcIssuer => self.oidc.issuer = value,
            Setting::OidcAudience => self.oidc.audience = value,
            Setting::OidcKeys => {
                let keys: serde_json::Value =
                    serde_json::from_str(&value).map_err(|error| format!("is not JSON: {error}"))?;
                if keys["keys"].as_array().is_none_or(Vec::is_empty) {
                    return Err("is no JSON Web Key Set with a key in it".to_owned());
                }
                self.oidc.keys = value;
            }
        }
        Ok(())
    }
}

fn queue_url(value: String) -> Result<String, String> {
    let right = value.starts_with("http://") || value.starts_with("https://");
    if right { Ok(value) } else { Err("is not a URL".to_owned()) }
}

fn secrets(path: &Path) -> Result<Secrets, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))?;
    // What serde says of a secret's file could quote the secret.
    serde_json::from_str(&text).map_err(|error| format!("is not a secrets file (line {})", error.line()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_missing_or_wrong_is_named_at_once() {
        let source = |name: &str| match name {
            "BUCKET_NAME" => Some("bucket".to_owned()),
            "INBOUND_QUEUE_URL" => Some("inbound".to_owned()),
            "OIDC_KEYS" => Some("{".to_owned()),
            _ => None,
        };
        let needs = [Setting::Table, Setting::Bucket, Setting::InboundQueue, Setting::OidcKeys];
        let error = Settings::load(&needs, source).unwrap_err().to_string();
        for part in ["TABLE_NAME is missing", "INBOUND_QUEUE_URL is not a URL", "OIDC_KEYS is not JSON"] {
            assert!(error.contains(part), "{error}");
        }
        assert!(!error.contains("BUCKET_NAME"));
        assert_eq!(Settings::load(&needs[1..2], source).unwrap().bucket, "bucket");
    }
}
