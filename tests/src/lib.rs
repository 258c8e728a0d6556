//! Helpers of the tests and benchmarks of the whole: a world that runs the system in memory, or deployed, and drives it as its users do, by
//! HTTP and mail, and what has to be true of it at the end of every test.

pub mod bill;
pub mod chat;
pub mod checks;
mod deployed;
pub mod environment;
pub mod mail;
pub mod provider;
pub mod report;
pub mod stock;
pub mod webhook;
mod world;

pub use chat::Chat;
pub use deployed::Deployed;
pub use mail::Mail;
pub use world::{Accepted, Memory, World, count, event, kinds, problem};
