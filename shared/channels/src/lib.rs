//! Channels: what providers and clients send, read into domain messages, and what we send, written for them.
//!
//! Everything here is a function of bytes, secrets and time. A channel is one module: it verifies who sent the bytes,
//! reads them, and writes what goes back.

mod bot;
pub mod email;
mod line;
pub mod malformed;
pub mod media;
mod meta;
mod named_files;
pub mod portal;
pub mod provider;
pub mod reply_address;
pub mod secrets;
pub mod ses_event;
pub mod ses_notice;
pub mod ses_trace;
pub mod signature;
mod slack;
mod sms;
mod telegram;
pub mod text;
mod tolerant;
mod twilio;
pub mod upload;
mod voice;
pub mod web_chat;
pub mod webhook;
mod x;
