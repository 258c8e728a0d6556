//! Settings: typed, from the environment, read once at start. What is missing or wrong is reported all at once.

use std::fmt;

use throughline_channels::secrets::Secrets;

use crate::issuer::is_allowed;

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
    /// `SECRETS_PATH`: where the secrets of the inboxes stand in the Parameter Store, such as `/throughline/prod/secrets`.
    Secrets,
    /// `OIDC_ISSUER`: who issues the tokens of agents and business systems, exactly as their tokens name them. They tell
    /// their keys themselves (OpenID Connect Discovery 1.0).
    OidcIssuer,
    /// `OIDC_AUDIENCE`: whom they are issued for.
    OidcAudience,
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
            Self::Secrets => "SECRETS_PATH",
            Self::OidcIssuer => "OIDC_ISSUER",
            Self::OidcAudience => "OIDC_AUDIENCE",
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
    /// Where the secrets of the inboxes are.
    pub secrets: SecretSource,
    /// Who issues tokens.
    pub oidc: Oidc,
}

/// Where the secrets of the inboxes are.
#[derive(Clone, Debug)]
pub enum SecretSource {
    /// Here: they do not change.
    Fixed(Secrets),
    /// In the Parameter Store of Systems Manager, under this path (no slash at its end).
    Parameters(String),
}

impl Default for SecretSource {
    fn default() -> Self {
        Self::Fixed(Secrets::default())
    }
}

/// `RUST_LOG`: what is logged.
pub(crate) fn log_filter() -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    std::env::var("RUST_LOG").ok()
}

/// What every Lambda function finds in its environment about AWS
/// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>).
#[derive(Clone)]
pub struct AwsEnvironment {
    /// `AWS_REGION`.
    pub region: String,
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: String,
    /// `AWS_SESSION_TOKEN`; functions always have one, people's keys do not.
    pub session_token: Option<String>,
    /// `AWS_ENDPOINT_URL`: another endpoint for all services, such as an emulator's.
    pub endpoint_url: Option<String>,
}

impl AwsEnvironment {
    /// From the environment of the process.
    ///
    /// # Errors
    /// Names everything that is missing.
    pub fn from_env() -> Result<Self, SettingsError> {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
        Self::load(|name| std::env::var(name).ok())
    }

    fn load(source: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let given = |name: &str| source(name).filter(|value| !value.trim().is_empty());
        let mut faults = Vec::new();
        let mut needed = |name: &str| {
            given(name).unwrap_or_else(|| {
                faults.push(format!("{name} is missing"));
                String::new()
            })
        };
        let environment = Self {
            region: needed("AWS_REGION"),
            access_key_id: needed("AWS_ACCESS_KEY_ID"),
            secret_access_key: needed("AWS_SECRET_ACCESS_KEY"),
            session_token: given("AWS_SESSION_TOKEN"),
            endpoint_url: given("AWS_ENDPOINT_URL"),
        };
        if faults.is_empty() { Ok(environment) } else { Err(SettingsError(faults)) }
    }
}

impl fmt::Debug for AwsEnvironment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AwsEnvironment({})", self.region)
    }
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
    /// The issuer's keys.
    pub keys: Keys,
}

/// Where the keys of who issues tokens come from.
#[derive(Clone, Debug, Default)]
pub enum Keys {
    /// From the issuer: in the cloud.
    #[default]
    Discovered,
    /// These, a JSON Web Key Set (RFC 7517): of a development issuer that nobody can ask.
    Fixed(String),
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
            Setting::Secrets => self.secrets = SecretSource::Parameters(parameter_path(&value)?),
            Setting::OidcIssuer => self.oidc.issuer = issuer_url(value)?,
            Setting::OidcAudience => self.oidc.audience = value,
        }
        Ok(())
    }
}

fn queue_url(value: String) -> Result<String, String> {
    let right = value.starts_with("http://") || value.starts_with("https://");
    if right { Ok(value) } else { Err("is not a URL".to_owned()) }
}

fn parameter_path(value: &str) -> Result<String, String> {
    let path = value.trim_end_matches('/');
    let right = path.len() > 1 && path.starts_with('/');
    if right {
        Ok(path.to_owned())
    } else {
        Err("is not the path of a parameter, such as /throughline/prod".to_owned())
    }
}

fn issuer_url(value: String) -> Result<String, String> {
    let right = is_allowed(&value) && !value.contains(['?', '#']);
    if right { Ok(value) } else { Err("is no https URL without query".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_missing_or_wrong_is_named_at_once() {
        let source = |name: &str| match name {
            "BUCKET_NAME" => Some("bucket".to_owned()),
            "INBOUND_QUEUE_URL" => Some("inbound".to_owned()),
            "OIDC_ISSUER" => Some("http://issuer.example".to_owned()),
            _ => None,
        };
        let needs = [Setting::Table, Setting::Bucket, Setting::InboundQueue, Setting::OidcIssuer];
        let error = Settings::load(&needs, source).unwrap_err().to_string();
        for part in ["TABLE_NAME is missing", "INBOUND_QUEUE_URL is not a URL", "OIDC_ISSUER is no https URL"] {
            assert!(error.contains(part), "{error}");
        }
        assert!(!error.contains("BUCKET_NAME"));
        assert_eq!(Settings::load(&needs[1..2], source).unwrap().bucket, "bucket");
    }

    #[test]
    fn secrets_are_under_a_path() {
        let load = |path: &'static str| Settings::load(&[Setting::Secrets], |_| Some(path.to_owned()));
        let found = load("/throughline/prod/").unwrap().secrets;
        assert!(matches!(found, SecretSource::Parameters(path) if path == "/throughline/prod"));
        assert!(load("throughline").unwrap_err().to_string().contains("SECRETS_PATH is not the path"));
        assert!(load("/").is_err());
    }

    #[test]
    fn the_environment_of_a_function_is_complete() {
        let error = AwsEnvironment::load(|name| (name == "AWS_REGION").then(|| "eu-west-1".to_owned())).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("AWS_ACCESS_KEY_ID") && error.contains("AWS_SECRET_ACCESS_KEY"), "{error}");
        let environment = AwsEnvironment::load(|name| Some(format!("a {name}"))).unwrap();
        assert_eq!(environment.session_token.as_deref(), Some("a AWS_SESSION_TOKEN"));
        assert!(!format!("{environment:?}").contains("SECRET"));
    }
}
