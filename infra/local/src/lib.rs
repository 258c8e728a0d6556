//! The functions wired on one machine: the embedded services, an event source for every function, the HTTP front, the
//! SMTP port, and the schedule. The functions are the ones that are deployed, behind the same SDK clients.

pub mod client;
mod front;
mod mail_in;
mod objects;
pub mod replay;
pub mod samples;
pub mod seed;
mod shop;
mod sources;
pub mod system;
pub mod token;

pub use seed::Seed;
pub use system::{Options, System, TABLE};
