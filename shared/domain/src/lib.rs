//! The words and the pure decisions of Throughline.
//!
//! Nothing here does I/O, reads a clock or draws a random number: time and ids come in as arguments, and every
//! decision returns a value that says what it did and why. The stages in `functions/` read, call one decision, and
//! write its outcome.
//!
//! | question | module | decision |
//! | --- | --- | --- |
//! | who is it? | [`identity`] | [`identity::resolve`] |
//! | who is the same person? | [`cluster`] | [`cluster::link`], [`cluster::unlink`] |
//! | which ticket? | [`orchestration`] | [`orchestration::orchestrate`] |
//! | same matter, another matter? | [`merging`], [`moving`] | [`merging::merge`], [`merging::unmerge`], [`moving::split`] |
//! | who works on it? | [`routing`] | [`routing::route`] |
//! | until when? | [`clock`], [`calendar`] | [`clock::start`], [`clock::step`], [`clock::overdue`] |
//! | what is the ticket now? | [`fold`] | [`fold::apply`] |
//! | what stays of a customer who is erased? | [`erasure`] | [`erasure::Erasure`] |
//! | what does a business system know of them? | [`crm`] | [`crm::merge`], [`crm::assert_names`] |

pub mod agent;
pub mod answer;
pub mod calendar;
pub mod channel;
pub mod check;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod crm;
pub mod customer;
pub mod decision;
pub mod erasure;
pub mod event;
pub mod fold;
pub mod id;
pub mod identifier;
pub mod identity;
pub mod inbound;
pub mod ledger;
pub mod likeness;
pub mod merging;
pub mod message;
pub mod message_change;
pub mod moment;
pub mod moving;
pub mod orchestration;
pub mod profile_told;
pub mod replay;
pub mod routing;
pub mod signals;
pub mod strong_reference;
pub mod suppression;
#[cfg(test)]
mod testing;
pub mod ticket;
pub mod ticket_changed;
pub mod view;
pub mod work;
