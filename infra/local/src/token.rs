//! Development tokens: what an OIDC provider issues in the cloud.

use anyhow::Context;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;
use throughline_domain::moment::Moment;

use crate::seed::Issuer;

/// How long a development token is right, in seconds: a day.
const LIFETIME_SECONDS: i64 = 86_400;

/// A token for somebody with this role (`agent`, `lead`, `admin`, `integration`).
///
/// # Errors
/// When the issuer's key cannot be used.
pub fn issue(issuer: &Issuer, subject: &str, role: &str, now: Moment) -> anyhow::Result<String> {
    let key = EncodingKey::from_ed_pem(issuer.private_key.as_bytes()).context("the issuer's key")?;
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some("development".to_owned());
    let seconds = now.ms() / 1_000;
    let claims = json!({
        "iss": issuer.issuer,
        "aud": issuer.audience,
        "sub": subject,
        "roles": [role],
        "iat": seconds,
        "exp": seconds + LIFETIME_SECONDS,
    });
    encode(&header, &claims, &key).context("the token")
}
