//! The server and the client over real sockets.

mod client;
mod server;
#[expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]
mod support;
