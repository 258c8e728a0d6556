//! The services as the real SDK clients see them.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod bus;
mod connector;
mod counts;
mod feed;
mod mail;
mod objects;
mod support;
mod table;
