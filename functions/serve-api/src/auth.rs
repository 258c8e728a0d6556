//! Who calls: OIDC bearer tokens (RFC 6750, RFC 7519), the same verification in the cloud and locally.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header};
use serde::Deserialize;
use throughline_domain::id::AgentId;
use throughline_domain::moment::Moment;
use throughline_platform::App;
use throughline_platform::config::Oidc;
use throughline_platform::issuer::{Issuer, may_have_signed};
use throughline_platform::problem::Problem;

/// How far clocks may differ, in milliseconds.
const LEEWAY_MS: i64 = 30_000;
/// What may sign a token. Never a shared secret, and never nothing.
const ALGORITHMS: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// A business system.
    Integration,
    /// Works on tickets.
    Agent,
    /// Also distributes work.
    Lead,
    /// Also changes who works how.
    Admin,
}

/// Who calls.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// Their name: the token's subject.
    pub(crate) id: AgentId,
    /// What they may do: the highest of their roles.
    pub(crate) role: Role,
}

impl Caller {
    /// Refuses callers below a role.
    pub(crate) fn at_least(&self, role: Role) -> Result<(), Problem> {
        if self.role >= role { Ok(()) } else { Err(Problem::forbidden("your role does not allow this")) }
    }
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: i64,
    #[serde(default)]
    nbf: Option<i64>,
    #[serde(default)]
    roles: Vec<serde_json::Value>,
}

/// Verifies tokens against the issuer's keys.
#[derive(Clone)]
pub(crate) struct Verifier {
    oidc: Arc<Oidc>,
    issuer: Issuer,
}

impl Verifier {
    /// A verifier for an issuer.
    pub(crate) fn new(oidc: &Arc<Oidc>) -> Self {
        Self { oidc: Arc::clone(oidc), issuer: Issuer::new(oidc) }
    }

    async fn caller(&self, token: &str, now: Moment) -> Result<Caller, Problem> {
        let header = decode_header(token).map_err(|_| wrong())?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(wrong());
        }
        let keys = self.issuer.keys(header.kid.as_deref(), now).await.map_err(|error| {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", format!("{error}; try again"))
        })?;
        verify(token, &header, &keys, &self.oidc, now)
    }
}

fn wrong() -> Problem {
    Problem::unauthorized("the token is not right")
}

/// Who a token says is calling, if one of the keys signed it for us and it is right now.
fn verify(token: &str, header: &Header, keys: &JwkSet, oidc: &Oidc, now: Moment) -> Result<Caller, Problem> {
    let mut candidates = keys.keys.iter().filter(|key| may_have_signed(key, header.kid.as_deref()));
    let mut validation = Validation::new(header.alg);
    validation.set_issuer(&[&oidc.issuer]);
    validation.set_audience(&[&oidc.audience]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // Time is an argument here.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    let claims = candidates
        .find_map(|key| decode::<Claims>(token, &DecodingKey::from_jwk(key).ok()?, &validation).ok())
        .ok_or_else(wrong)?
        .claims;
    let seconds = |at: i64| Moment::from_ms(at.saturating_mul(1_000));
    if now.since_ms(seconds(claims.exp)) > LEEWAY_MS {
        return Err(Problem::unauthorized("the token has expired"));
    }
    if claims.nbf.is_some_and(|nbf| seconds(nbf).since_ms(now) > LEEWAY_MS) {
        return Err(wrong());
    }
    let roles = claims.roles.into_iter().filter_map(|role| serde_json::from_value::<Role>(role).ok());
    let role = roles.max().ok_or_else(|| Problem::forbidden("the token names no role that is known here"))?;
    Ok(Caller { id: claims.sub.parse().map_err(|_| wrong())?, role })
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let value = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = value.and_then(|value| value.strip_prefix("Bearer ").or_else(|| value.strip_prefix("bearer ")));
        let token = token.ok_or_else(|| Problem::unauthorized("a bearer token is missing"))?;
        let verifier = parts.extensions.get::<Verifier>();
        let verifier = verifier.ok_or_else(|| Problem::unauthorized("nothing verifies tokens here"))?;
        verifier.caller(token.trim(), app.clock.now()).await
    }
}
