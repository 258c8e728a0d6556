//! The whole system from outside: started in memory on free ports, driven by HTTP and SMTP, checked at the end of every
//! test by `throughline_tests::checks`.

#![expect(
    clippy::unwrap_used,
    reason = "this is tests only; clippy knows that of test functions, not of their helpers"
)]

mod access_patterns;
mod architecture;
mod deployed;
mod e2e_acknowledgement;
mod e2e_api;
mod e2e_at_once;
mod e2e_attachments;
mod e2e_attacks;
mod e2e_bill;
mod e2e_bus;
mod e2e_channels;
mod e2e_chat;
mod e2e_commands;
mod e2e_config;
mod e2e_crm;
mod e2e_day;
mod e2e_delivery;
mod e2e_durability;
mod e2e_erasure;
mod e2e_garbage;
mod e2e_issuer;
mod e2e_links;
mod e2e_load;
mod e2e_mail;
mod e2e_mail_corpus;
mod e2e_media;
mod e2e_merge;
mod e2e_metrics;
mod e2e_orchestration;
mod e2e_portal;
mod e2e_profiles;
mod e2e_public;
mod e2e_quarantine;
mod e2e_races;
mod e2e_reconcile;
mod e2e_replay;
mod e2e_reply;
mod e2e_resolving;
mod e2e_routing;
mod e2e_sla;
mod e2e_suppression;
mod e2e_uploads;
mod e2e_voice;
mod e2e_webhook;
mod e2e_widget;
mod golden_table;
mod integ_batch;
mod integ_interleavings;
mod integ_queues;
mod template;
