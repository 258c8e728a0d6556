//! The keys of who issues tokens. In the cloud they come from the issuer itself (`discovery`), are kept, and are asked for
//! again when it is time; never oftener than what a caller without a right token may cause.

mod discovery;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use discovery::{DiscoveryError, is_allowed};
use discovery::{Web, read_keys};
use jsonwebtoken::jwk::{Jwk, JwkSet};
use throughline_domain::moment::Moment;

use crate::config::{Keys, Oidc};

/// How long keys are used before the issuer is asked again, in milliseconds: an hour.
const FRESH_MS: i64 = 3_600_000;
/// How long keys are used at most while the issuer does not answer, in milliseconds: a day.
const USABLE_MS: i64 = 86_400_000;
/// How long the issuer is left alone after it was asked, in milliseconds: a minute. Anybody can name a key that nobody
/// knows.
const PAUSE_MS: i64 = 60_000;
/// The same while there are no keys to go on with: nobody can call before it answers. Not shorter than one asking takes,
/// so that who waited for one that failed does not start the next.
const PAUSE_WITHOUT_KEYS_MS: i64 = 5_000;

/// Who issues tokens, as far as their keys go. Clones share what they know.
#[derive(Clone, Debug)]
pub enum Issuer {
    /// One whose keys are given.
    Fixed(Arc<JwkSet>),
    /// One who tells their keys.
    Discovered(Arc<Discovered>),
}

/// The issuer never told their keys, or too long ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the issuer of tokens does not tell their keys")]
pub struct NoKeys;

/// An issuer who tells their keys, and what they told last.
#[derive(Debug)]
pub struct Discovered {
    issuer: String,
    web: Web,
    known: Mutex<Known>,
    /// Held while the issuer is asked: who comes meanwhile and needs the answer waits for it.
    asking: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Default)]
struct Known {
    keys: Option<Arc<JwkSet>>,
    times: Times,
}

/// When the issuer was asked last, and when it answered last.
#[derive(Clone, Copy, Debug, Default)]
struct Times {
    asked: Option<Moment>,
    answered: Option<Moment>,
}

/// What to do about the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Use those that are known.
    Use,
    /// Ask the issuer first.
    Ask,
    /// There are none to go on with, and it is not yet time to ask again.
    Refuse,
}

/// What to do when a token comes in that one of the known keys may have signed, or none.
fn step(now: Moment, times: Times, knows_key: bool) -> Step {
    // A clock that was set back makes nothing older.
    let since = |at: Option<Moment>| at.map(|at| now.since_ms(at).max(0));
    let is_within = |at, limit| since(at).is_some_and(|ms| ms < limit);
    let usable = is_within(times.answered, USABLE_MS);
    let pause = if usable { PAUSE_MS } else { PAUSE_WITHOUT_KEYS_MS };
    if is_within(times.answered, FRESH_MS) && knows_key {
        Step::Use
    } else if !is_within(times.asked, pause) {
        Step::Ask
    } else if usable {
        Step::Use
    } else {
        Step::Refuse
    }
}

/// Whether a key may have signed a token that names its key so; who names none may mean any.
pub fn may_have_signed(key: &Jwk, kid: Option<&str>) -> bool {
    let named = key.common.key_id.as_deref();
    kid.is_none() || named.is_none() || named == kid
}

impl Issuer {
    /// The issuer that the settings name. Given keys that cannot be read are no keys: then no token is right.
    pub fn new(oidc: &Oidc) -> Self {
        match &oidc.keys {
            Keys::Fixed(keys) => Self::Fixed(Arc::new(read_keys(keys.as_bytes()).unwrap_or_else(|error| {
                tracing::error!(error.detail = %error, "the keys of the issuer cannot be read: every token will be refused");
                JwkSet { keys: Vec::new() }
            }))),
            Keys::Discovered => Self::Discovered(Arc::new(Discovered {
                issuer: oidc.issuer.clone(),
                web: Web::default(),
                known: Mutex::default(),
                asking: Arc::default(),
            })),
        }
    }

    /// The keys for a token that names its key so. Asks the issuer when there are none yet, when they are an hour old, or
    /// when none of them has this name; all who need that at once share one asking.
    ///
    /// # Errors
    /// When the issuer does not answer, and did not within the last day.
    pub async fn keys(&self, kid: Option<&str>, now: Moment) -> Result<Arc<JwkSet>, NoKeys> {
        let discovered = match self {
            Self::Fixed(keys) => return Ok(Arc::clone(keys)),
            Self::Discovered(discovered) => discovered,
        };
        if discovered.step(kid, now) == Step::Ask {
            let asking = Arc::clone(&discovered.asking).lock_owned().await;
            // Who held it may have been asking.
            if discovered.step(kid, now) == Step::Ask {
                let discovered = Arc::clone(discovered);
                // In a task of its own: it goes on when the caller leaves, and the others have its answer.
                let asked = tokio::spawn(async move {
                    discovered.ask(now).await;
                    drop(asking);
                });
                if let Err(error) = asked.await {
                    tracing::error!(error.detail = %error, "asking the issuer broke off");
                }
            }
        }
        match discovered.step(kid, now) {
            Step::Refuse => Err(NoKeys),
            Step::Use | Step::Ask => discovered.known().keys.clone().ok_or(NoKeys),
        }
    }
}

impl Discovered {
    fn step(&self, kid: Option<&str>, now: Moment) -> Step {
        let known = self.known();
        let knows = known.keys.as_ref().is_some_and(|keys| keys.keys.iter().any(|key| may_have_signed(key, kid)));
        step(now, known.times, knows)
    }

    async fn ask(&self, now: Moment) {
        let found = self.web.keys_of(&self.issuer).await;
        let mut known = self.known();
        known.times.asked = Some(now);
        match found {
            Ok(keys) => {
                tracing::info!(keys = keys.keys.len(), "the issuer told their keys");
                known.times.answered = Some(now);
                known.keys = Some(Arc::new(keys));
            }
            Err(error) => {
                let has_keys = known.keys.is_some();
                tracing::error!(error.detail = %error, issuer = self.issuer, has_keys, "the issuer did not tell their keys");
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // A panic while it was held leaves what is still right: its parts are only ever replaced whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = FRESH_MS;
    const DAY: i64 = USABLE_MS;

    /// The step now, when the issuer was asked and answered so many milliseconds ago.
    fn after(asked: Option<i64>, answered: Option<i64>, knows_key: bool) -> Step {
        let now = Moment::from_ms(1_000_000_000_000);
        let ago = |ms: Option<i64>| ms.map(|ms| now.plus_ms(-ms));
        step(now, Times { asked: ago(asked), answered: ago(answered) }, knows_key)
    }

    #[test]
    fn fresh_keys_are_used_and_an_unknown_one_is_asked_for_once_a_minute() {
        for (asked, answered, knows_key, step) in [
            (None, None, false, Step::Ask),
            (Some(0), Some(0), true, Step::Use),
            (Some(HOUR - 1), Some(HOUR - 1), true, Step::Use),
            (Some(59_999), Some(59_999), false, Step::Use),
            (Some(60_000), Some(60_000), false, Step::Ask),
            (Some(HOUR), Some(HOUR), true, Step::Ask),
        ] {
            assert_eq!(after(asked, answered, knows_key), step, "{asked:?} {answered:?} {knows_key}");
        }
    }

    #[test]
    fn old_keys_are_used_for_a_day_while_the_issuer_does_not_answer() {
        for knows_key in [true, false] {
            assert_eq!(after(Some(59_999), Some(HOUR), knows_key), Step::Use);
            assert_eq!(after(Some(60_000), Some(HOUR), knows_key), Step::Ask);
            assert_eq!(after(Some(59_999), Some(DAY - 1), knows_key), Step::Use);
            assert_eq!(after(Some(4_999), Some(DAY), knows_key), Step::Refuse);
            assert_eq!(after(Some(5_000), Some(DAY), knows_key), Step::Ask);
        }
    }

    #[test]
    fn without_keys_the_issuer_is_asked_again_soon() {
        assert_eq!(after(Some(0), None, false), Step::Refuse);
        assert_eq!(after(Some(4_999), None, false), Step::Refuse);
        assert_eq!(after(Some(5_000), None, false), Step::Ask);
    }

    #[test]
    fn a_clock_set_back_makes_nothing_older() {
        assert_eq!(after(Some(-1), Some(-1), true), Step::Use);
        assert_eq!(after(Some(-1), Some(-1), false), Step::Use);
    }
}
