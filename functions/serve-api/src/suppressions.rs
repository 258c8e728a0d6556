//! Names to which nothing is sent: why, and sending again.

use axum::Json;
use axum::extract::{Path, State};
use throughline_domain::identifier::Identifier;
use throughline_domain::suppression::{Suppression, SuppressionKind};
use throughline_platform::App;
use throughline_platform::problem::Problem;

use crate::auth::{Caller, Role};

/// The suppression of a name that is written `kind:value`.
async fn find(app: &App, name: &str) -> Result<(Identifier, Suppression), Problem> {
    let name: Identifier = name.parse().map_err(|_| Problem::bad_request("write the identifier as kind:value"))?;
    let found = app.store.suppressions(std::slice::from_ref(&name)).await?.pop().flatten();
    let found = found.ok_or_else(|| Problem::not_found("nothing ever kept messages from this name"))?;
    Ok((name, found))
}

/// `GET /v1/suppressions/{identifier}`.
pub(crate) async fn get(
    State(app): State<App>,
    _: Caller,
    Path(name): Path<String>,
) -> Result<Json<Suppression>, Problem> {
    Ok(Json(find(&app, &name).await?.1))
}

/// `DELETE /v1/suppressions/{identifier}`: messages are sent there again.
pub(crate) async fn lift(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<Suppression>, Problem> {
    caller.at_least(Role::Lead)?;
    let (name, found) = find(&app, &name).await?;
    if !found.holds() {
        return Ok(Json(found));
    }
    let at = app.clock.now().max(found.at);
    let lifted = Suppression::new(SuppressionKind::Lifted, &format!("lifted by {}", caller.id), at);
    app.store.suppress(&name, &lifted).await?;
    Ok(Json(lifted))
}
