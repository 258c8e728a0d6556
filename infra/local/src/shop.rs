//! The example shop: a page of a business that embeds the chat and vouches for its signed-in customers.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use throughline_channels::web_chat::user_hash;
use throughline_platform::http::{RawBody, json};
use throughline_platform::problem::Problem;

use crate::front;
use crate::seed::Seed;

/// The page.
const PAGE: &str = include_str!("../demo.html");
/// The chat that it embeds.
const INBOX: &str = "chat";

/// The routes of the shop.
pub(crate) fn router(seed: Arc<Seed>) -> Router {
    Router::new().route("/demo", get(page)).route("/local/identify", post(identify)).with_state(seed)
}

async fn page() -> Response {
    front::html(PAGE)
}

#[derive(Deserialize)]
struct SignIn {
    external_id: String,
}

/// What the shop's server tells its page about who signed in.
#[derive(Serialize)]
struct SignedIn {
    external_id: String,
    user_hash: String,
}

/// Signs somebody in, whoever they say they are: this is an example. The secret stays here, as on a business's server.
async fn identify(State(seed): State<Arc<Seed>>, RawBody(body): RawBody) -> Result<Json<SignedIn>, Problem> {
    let SignIn { external_id } = json(&body)?;
    let inbox = seed.secrets.inboxes.iter().find(|(id, _)| id.as_str() == INBOX);
    let secret = inbox.and_then(|(_, secrets)| secrets.identity.first());
    let secret = secret.ok_or_else(|| Problem::not_found("the chat has no identity secret"))?;
    Ok(Json(SignedIn { user_hash: user_hash(&external_id, secret), external_id }))
}
