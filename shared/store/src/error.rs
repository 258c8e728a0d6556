//! What can go wrong at the table.

use aws_sdk_dynamodb::error::{DisplayErrorContext, SdkError};

/// Something went wrong at the table, other than losing a race.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The table service did not answer, or not with success: try again later.
    #[error("the table did not answer {operation}: {detail}")]
    Unavailable {
        /// What was asked.
        operation: &'static str,
        /// What the client says, for the log.
        detail: String,
    },
    /// An item cannot be read: nothing helps but a look at it.
    #[error("item {key} cannot be read: {detail}")]
    Corrupt {
        /// Its keys.
        key: String,
        /// What is wrong with it.
        detail: String,
    },
    /// An item was written by a newer version than this one: that one can read it, so it has to wait for it.
    #[error("item {key} is of a newer version: {detail}")]
    Newer {
        /// Its keys.
        key: String,
        /// What this version does not know.
        detail: String,
    },
    /// A request could not be put together: a fault in the code.
    #[error("the request could not be built: {0}")]
    Build(String),
}

impl StoreError {
    pub(crate) fn unavailable<E, R>(operation: &'static str, error: &SdkError<E, R>) -> Self
    where
        E: std::error::Error + 'static,
        R: std::fmt::Debug,
    {
        Self::Unavailable { operation, detail: DisplayErrorContext(error).to_string() }
    }

    pub(crate) fn build(error: impl std::fmt::Display) -> Self {
        Self::Build(error.to_string())
    }
}
