//! What the server hands over, and to whom.

use std::future::Future;
use std::net::SocketAddr;

use bytes::Bytes;

/// What was said about a mail outside of it (RFC 5321 section 2.3.1). Debug output holds personal data: do not log it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The name that the client gave with EHLO or HELO, as it came.
    pub helo: String,
    /// The return path; `None` is the null sender `<>` of bounces and other automatic mail.
    pub mail_from: Option<String>,
    /// The accepted recipients, each once, in the order they came. Quotes that are not needed are taken off, so
    /// `"support"@example.com` arrives as `support@example.com`. `postmaster` may come without a domain.
    pub recipients: Vec<String>,
    /// The other end of the connection.
    pub peer: SocketAddr,
}

/// Why a recipient or a mail is not taken. The text is shown to the client, printable ASCII of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The client should try again later: 451 4.3.0.
    Temporary(String),
    /// Trying again is useless: 550 5.1.1 for a recipient, 554 5.6.0 for a mail.
    Permanent(String),
}

/// The one who takes the mail. Both calls should limit their own time: a session waits for them, at shutdown too.
pub trait Receiver: Send + Sync + 'static {
    /// Is this recipient one of ours? Asked at RCPT.
    ///
    /// # Errors
    /// A [`Refusal`] that the client gets as the answer to its RCPT.
    fn accepts(&self, recipient: &str) -> impl Future<Output = Result<(), Refusal>> + Send;

    /// Makes the mail durable. 250 is answered only after `Ok`; its string, an id, is shown in the answer.
    ///
    /// `mail` is what came between DATA and the final dot, without the stuffed dots, otherwise byte for byte: no
    /// `Received` or `Return-Path` line is added.
    ///
    /// # Errors
    /// A [`Refusal`] that the client gets as the answer to its mail.
    fn deliver(&self, envelope: Envelope, mail: Bytes) -> impl Future<Output = Result<String, Refusal>> + Send;
}
