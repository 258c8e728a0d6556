//! Receipt handles: which message, and which of its deliveries.

use std::fmt;
use std::str::FromStr;

/// Names one delivery of one message. The text form is `queue:sequence:receive`; clients must treat it as opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Handle {
    pub(crate) queue: String,
    pub(crate) seq: u64,
    /// The receive count that the message had with this delivery.
    pub(crate) receive: u32,
}

/// Why a receipt handle cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HandleError {
    #[error("the receipt handle is not one of this queue")]
    Malformed,
    #[error("the receipt handle has expired")]
    Expired,
    #[error("the message is not in flight")]
    NotInFlight,
    #[error("the message does not exist or was received again")]
    Gone,
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.queue, self.seq, self.receive)
    }
}

impl FromStr for Handle {
    type Err = HandleError;

    fn from_str(text: &str) -> Result<Self, HandleError> {
        let mut parts = text.splitn(3, ':');
        let (Some(queue), Some(seq), Some(receive)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(HandleError::Malformed);
        };
        let seq = seq.parse().map_err(|_| HandleError::Malformed)?;
        let receive = receive.parse().map_err(|_| HandleError::Malformed)?;
        Ok(Self { queue: queue.to_owned(), seq, receive })
    }
}
