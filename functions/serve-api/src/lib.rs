//! The HTTP interface of agents and business systems. Every route stands in one list (`routes.rs`), from which the router
//! and the OpenAPI document are made.

mod agents;
mod auth;
mod commands;
mod config;
mod customers;
mod etag;
mod ledger;
mod openapi;
mod page;
mod quarantine;
mod routes;
mod suppressions;
mod tickets;

use axum::{Extension, Router};
use throughline_platform::App;
use throughline_platform::config::Setting;
use throughline_platform::http::finish;

/// The settings that it needs.
pub const NEEDS: &[Setting] = &[
    Setting::Table,
    Setting::Bucket,
    Setting::MailQueue,
    Setting::InboundQueue,
    Setting::IdentifiedQueue,
    Setting::RoutingQueue,
    Setting::OutboundQueue,
    Setting::OidcIssuer,
    Setting::OidcAudience,
];

/// The routes of the interface.
pub fn router(app: App) -> Router {
    let verifier = auth::Verifier::new(&app.oidc);
    let mut router = Router::new();
    for endpoint in routes::all() {
        router = router.route(endpoint.path, endpoint.handler);
    }
    let routes = router.layer(Extension(verifier)).with_state(app);
    finish(routes, "serve-api")
}
