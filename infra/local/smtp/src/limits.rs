//! How much of everything the server takes, with the defaults.

use std::time::Duration;

/// Largest mail, bytes: what SES takes for delivery to S3.
const MAIL_BYTES_MAX: usize = 40 * 1024 * 1024;
/// Most recipients of one mail. RFC 5321 section 4.5.3.1.8 asks for at least 100.
const RECIPIENTS_MAX: usize = 100;
/// Most connections at once.
const CONNECTIONS_MAX: usize = 200;
/// Longest command line with its line end, bytes. RFC 5321 section 4.5.3.1.4 asks for 512, extensions for some more.
const COMMAND_LINE_BYTES_MAX: usize = 2_048;
/// Most commands between two mails that make no sense; after that it is no mail program at the other end.
const BAD_COMMANDS_MAX: usize = 20;
/// Longest silence of a client. RFC 5321 section 4.5.3.2.7 asks for five minutes.
const IDLE_MAX: Duration = Duration::from_secs(300);
/// How long a mail that is half sent at shutdown may go on.
const SHUTDOWN_GRACE_MAX: Duration = Duration::from_secs(10);

/// What the server takes; [`Limits::default`] holds what a local helpdesk needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest mail in bytes, announced with SIZE (RFC 1870). Beyond: 552 5.3.4.
    pub mail_bytes_max: usize,
    /// Most recipients of one mail. Beyond: 452 4.5.3 for each further one.
    pub recipients_max: usize,
    /// Most connections at once. Beyond: 421 instead of a greeting.
    pub connections_max: usize,
    /// Longest command line in bytes, line end included. Beyond: 500 5.5.2.
    pub command_line_bytes_max: usize,
    /// Most bad commands between two accepted mails. Beyond: 421 and the connection is closed.
    pub bad_commands_max: usize,
    /// Longest wait for the client, reading or writing. Beyond: 421 and the connection is closed.
    pub idle_max: Duration,
    /// How long after the shutdown signal a mail in transfer may go on. Beyond: 421, nothing is delivered.
    pub shutdown_grace_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            mail_bytes_max: MAIL_BYTES_MAX,
            recipients_max: RECIPIENTS_MAX,
            connections_max: CONNECTIONS_MAX,
            command_line_bytes_max: COMMAND_LINE_BYTES_MAX,
            bad_commands_max: BAD_COMMANDS_MAX,
            idle_max: IDLE_MAX,
            shutdown_grace_max: SHUTDOWN_GRACE_MAX,
        }
    }
}
