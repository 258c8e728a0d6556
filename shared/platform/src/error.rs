//! What a failure of a stage leads to.

use throughline_store::{ClaimError, CommitError, StoreError};

/// Why a record was not processed. Every error of a stage becomes one of these, and each has one disposition.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// Infrastructure: this record and the later ones of its group come again. Never quarantined.
    #[error("to be retried: {0}")]
    Retry(String),
    /// Races were lost again and again: comes again shortly.
    #[error("lost races: {0}")]
    Conflict(String),
    /// It will never work: kept raw with this reason, and acknowledged.
    #[error("to be quarantined: {0}")]
    Quarantine(String),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            // Rolled back, or not yet replaced: what a newer version wrote is right, and is worked on once it can be read.
            StoreError::Unavailable { .. } | StoreError::Newer { .. } => Self::Retry(error.to_string()),
            StoreError::Corrupt { .. } | StoreError::Build(_) => Self::Quarantine(error.to_string()),
        }
    }
}

impl From<ClaimError> for Failure {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::Lost => Self::Conflict(error.to_string()),
            ClaimError::Store(error) => error.into(),
        }
    }
}

impl From<CommitError> for Failure {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Lost(lost) => Self::Conflict(format!("{lost:?}")),
            CommitError::Store(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_newer_version_wrote_waits_and_what_is_broken_does_not() {
        let (key, detail) = ("TICKET#1/EVENT#0000000001".to_owned(), "unknown".to_owned());
        let newer = StoreError::Newer { key: key.clone(), detail: detail.clone() };
        assert!(matches!(Failure::from(newer), Failure::Retry(_)));
        assert!(matches!(Failure::from(StoreError::Corrupt { key, detail }), Failure::Quarantine(_)));
    }
}
