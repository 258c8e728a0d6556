//! The SMTP side of the local default: a small receiving server and a small sending client.
//!
//! In the cloud SES does this work. Here [`serve`] takes mail on a port and hands it to a [`Receiver`], which makes it
//! durable before the sender gets its 250; [`Client`] and [`send`] bring mail files to such a port.
//!
//! One file for each thing: `address`, `command`, `data` and `reply` are pure and speak the grammar of RFC 5321;
//! `session` is the state machine of one dialogue, bytes in and answers out, without a socket; `connection` drives one
//! session over one stream; `server` accepts connections; `client` with `answer` is the other end.
//!
//! # What ends a mail
//! Only `<CR><LF>.<CR><LF>` (RFC 5321 section 4.1.1.4). A bare LF or CR inside the mail is kept as it came and never
//! counts as a line end, and a command line that ends with a bare LF is refused. So two servers can't disagree about
//! where a mail ends when this one is the reader (SMTP smuggling); the client writes every line end as CRLF, so they
//! can't when it is the writer.
//!
//! # Personal data
//! Nothing here logs an address or a byte of a mail; traces hold counts only.

mod address;
mod answer;
mod client;
mod command;
mod connection;
mod data;
mod limits;
mod receiver;
mod reply;
mod server;
mod session;

pub use answer::{Answer, MalformedAnswer};
pub use client::{Client, RefusedRecipient, SendError, Sent, Stage, send};
pub use limits::Limits;
pub use receiver::{Envelope, Receiver, Refusal};
pub use server::serve;
