//! What is posted to channels against its fixtures (`events/ingest-webhook/{channel}/*.json`): each is read as it says there.
#![allow(clippy::unwrap_used, clippy::allow_attributes, reason = "a test")]

mod fixture;
mod ours;
mod providers;
