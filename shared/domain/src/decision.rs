//! Why the system did something.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::message::truncated;

/// How many candidates a decision names at most; the count says how many there were.
pub const CANDIDATES_MAX: usize = 10;
/// Longest explanation, in bytes.
pub const BECAUSE_BYTES_MAX: usize = 400;

/// Why the system did something: stored on the event that it led to. At most about 1 KB.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// The rule that decided, a stable name: `known_thread`, `least_loaded`, …
    pub rule: String,
    /// The evidence in words that a person can read.
    pub because: String,
    /// What was considered: the best ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Candidate>,
    /// How many were considered, when more than are named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub considered: Option<usize>,
    /// Version of the configuration that the rule read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_version: Option<u64>,
}

/// One thing that a decision considered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Candidate {
    /// Its id.
    pub id: String,
    /// What spoke for or against it.
    pub why: String,
}

impl Decision {
    /// A decision by `rule`, explained; overlong explanations are cut.
    pub fn new(rule: &str, because: impl AsRef<str>) -> Self {
        Self {
            rule: rule.to_owned(),
            because: truncated(because.as_ref(), BECAUSE_BYTES_MAX).to_owned(),
            ..Self::default()
        }
    }

    /// Adds to the evidence; what is overlong is cut.
    pub fn add(&mut self, because: &str) {
        let all = format!("{}{because}", self.because);
        truncated(&all, BECAUSE_BYTES_MAX).clone_into(&mut self.because);
    }

    /// With what was considered, best first; only the first ten are kept, and the count.
    #[must_use]
    pub fn considering(mut self, candidates: impl IntoIterator<Item = Candidate>) -> Self {
        let mut all: Vec<Candidate> = candidates.into_iter().collect();
        self.considered = (all.len() > CANDIDATES_MAX).then_some(all.len());
        all.truncate(CANDIDATES_MAX);
        self.candidates = all;
        self
    }

    /// With the version of the configuration that the rule read.
    #[must_use]
    pub fn under(mut self, config_version: u64) -> Self {
        self.config_version = Some(config_version);
        self
    }
}

impl Candidate {
    /// A candidate and what spoke for or against it.
    #[expect(clippy::needless_pass_by_value, reason = "ids are small, and callers pass them and references alike")]
    pub fn new(id: impl ToString, why: impl AsRef<str>) -> Self {
        Self { id: id.to_string(), why: truncated(why.as_ref(), 60).to_owned() }
    }
}
