//! The secrets of inboxes: fixed, or parameters of the Parameter Store that are read when they are first needed.
//!
//! Under the path of `SECRETS_PATH` stand, each a `SecureString` with JSON in it:
//!
//! | name | value |
//! | --- | --- |
//! | `inboxes/<inbox>` | [`InboxSecrets`]: `{"webhook": ["whsec_…"], "session": ["…"], "identity": ["…"]}` |
//! | `reply` | a list of [`ReplyKey`]: `[{"id": "a", "secret": "…"}]` |
//!
//! So who adds an inbox writes one parameter, and who rotates a secret writes the new one in front of the old one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_ssm::error::DisplayErrorContext;
use aws_sdk_ssm::operation::get_parameter::GetParameterError;
use serde::de::DeserializeOwned;
use throughline_channels::secrets::{InboxSecrets, ReplyKey, Secrets};
use throughline_domain::id::InboxId;
use throughline_domain::moment::Moment;

use crate::clients::Clients;
use crate::config::SecretSource;
use crate::error::Failure;

/// How long a parameter is used before it is read again, in milliseconds.
const FRESH_MS: i64 = 300_000;
/// How long a parameter that is not there is not looked for again, in milliseconds.
const MISSING_MS: i64 = 30_000;

/// The secrets of inboxes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SecretStore(Source);

#[derive(Clone, Debug)]
enum Source {
    Fixed(Arc<Secrets>),
    Parameters(Arc<Parameters>),
}

struct Parameters {
    clients: Clients,
    path: String,
    cache: Mutex<BTreeMap<String, Cached>>,
}

impl std::fmt::Debug for Parameters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Parameters({})", self.path)
    }
}

/// A parameter as it was last read; nothing when it was not there.
#[derive(Clone)]
struct Cached {
    read_at: Moment,
    value: Option<Arc<str>>,
}

impl Cached {
    fn is_fresh(&self, now: Moment) -> bool {
        let limit = if self.value.is_some() { FRESH_MS } else { MISSING_MS };
        (0..limit).contains(&now.since_ms(self.read_at))
    }
}

impl SecretStore {
    /// Secrets from this source, with these clients where it needs one.
    pub fn new(clients: Clients, source: SecretSource) -> Self {
        Self(match source {
            SecretSource::Fixed(secrets) => Source::Fixed(Arc::new(secrets)),
            SecretSource::Parameters(path) => {
                Source::Parameters(Arc::new(Parameters { clients, path, cache: Mutex::default() }))
            }
        })
    }

    /// The secrets of an inbox; none of any kind for one that nobody gave any.
    ///
    /// # Errors
    /// [`Failure::Retry`] when they cannot be read.
    pub async fn inbox(&self, inbox: &InboxId, now: Moment) -> Result<InboxSecrets, Failure> {
        match &self.0 {
            Source::Fixed(secrets) => Ok(secrets.inboxes.get(inbox).cloned().unwrap_or_default()),
            Source::Parameters(parameters) => {
                let found = parameters.read(&format!("inboxes/{inbox}"), now).await?;
                Ok(found.unwrap_or_default())
            }
        }
    }

    /// The keys of reply addresses and reference ids.
    ///
    /// # Errors
    /// [`Failure::Retry`] when they cannot be read, or are not there: without them nobody could tell which ticket an answer
    /// belongs to, so mail waits for whoever sets the stack up.
    pub async fn reply(&self, now: Moment) -> Result<Vec<ReplyKey>, Failure> {
        match &self.0 {
            Source::Fixed(secrets) => Ok(secrets.reply.clone()),
            Source::Parameters(parameters) => {
                let found = parameters.read("reply", now).await?;
                found.ok_or_else(|| Failure::Retry(format!("there is no parameter {}/reply", parameters.path)))
            }
        }
    }
}

impl Parameters {
    async fn read<T: DeserializeOwned>(&self, name: &str, now: Moment) -> Result<Option<T>, Failure> {
        let Some(text) = self.text(name, now).await? else {
            return Ok(None);
        };
        let value = serde_json::from_str(&text);
        // What serde says could quote the secret.
        value.map(Some).map_err(|error| {
            Failure::Retry(format!(
                "the parameter {}/{name} is not what it should be (column {})",
                self.path,
                error.column()
            ))
        })
    }

    async fn text(&self, name: &str, now: Moment) -> Result<Option<Arc<str>>, Failure> {
        let cached = self.cache().get(name).cloned();
        if let Some(cached) = cached.as_ref().filter(|cached| cached.is_fresh(now)) {
            return Ok(cached.value.clone());
        }
        let parameter = format!("{}/{name}", self.path);
        let value = match self.clients.ssm().get_parameter().name(&parameter).with_decryption(true).send().await {
            Ok(answer) => answer.parameter.and_then(|parameter| parameter.value).map(Arc::from),
            Err(error) if matches!(error.as_service_error(), Some(GetParameterError::ParameterNotFound(_))) => None,
            Err(error) => {
                // Secrets that are a little old are better than no work.
                if let Some(value) = cached.and_then(|cached| cached.value) {
                    tracing::warn!(parameter, error.detail = %DisplayErrorContext(&error), "an older secret is used");
                    return Ok(Some(value));
                }
                return Err(Failure::Retry(format!("get {parameter}: {}", DisplayErrorContext(error))));
            }
        };
        self.cache().insert(name.to_owned(), Cached { read_at: now, value: value.clone() });
        Ok(value)
    }

    fn cache(&self) -> MutexGuard<'_, BTreeMap<String, Cached>> {
        // A panic while it was held leaves a cache that is still right: entries are only ever replaced whole.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_used_for_a_while() {
        let at = |value: Option<&str>| Cached { read_at: Moment::from_ms(1_000_000), value: value.map(Arc::from) };
        let after = |ms: i64| Moment::from_ms(1_000_000 + ms);
        assert!(at(Some("x")).is_fresh(after(FRESH_MS - 1)) && !at(Some("x")).is_fresh(after(FRESH_MS)));
        assert!(at(None).is_fresh(after(MISSING_MS - 1)) && !at(None).is_fresh(after(MISSING_MS)));
        assert!(!at(Some("x")).is_fresh(after(-1)), "a clock that was set back");
    }
}
