//! What every function needs around its decision: settings, clients, queues, objects, batches, HTTP, telemetry.

pub mod app;
pub mod batch;
pub mod blobs;
pub mod bodies;
pub mod budget;
pub mod bus;
pub mod clients;
pub mod clock;
pub mod config;
pub mod error;
pub mod fetch;
pub mod files;
pub mod http;
pub mod issuer;
pub mod linking;
pub mod mail;
pub mod message_changes;
pub mod problem;
pub mod queues;
pub mod randomness;
pub mod recording;
pub mod secrets;
pub mod telemetry;
pub mod upload_form;

pub use app::App;
pub use error::Failure;
