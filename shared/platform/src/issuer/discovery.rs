//! Asking an issuer for their keys: OpenID Connect Discovery 1.0, sections 4 and 4.3, then a JSON Web Key Set (RFC 7517).

use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::byte_stream::ByteStream;
use axum::http::Uri;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, JwkSet, PublicKeyUse};
use serde::Deserialize;

/// Longest asking, both requests with their connections included.
const ASKING_MAX: Duration = Duration::from_secs(5);
/// Largest answer, in bytes. The largest issuers' have some twenty thousand.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// Where an issuer describes themselves (section 4).
const DESCRIPTION: &str = "/.well-known/openid-configuration";
/// How we name ourselves: some refuse who does not.
const USER_AGENT: &str = "throughline";

/// Why an issuer's keys are not known.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// Only https, but for this machine.
    #[error("{0} is neither https nor on this machine")]
    NotAllowed(String),
    /// No whole answer came.
    #[error("{url} did not answer: {detail}")]
    Unanswered {
        /// Who was asked.
        url: String,
        /// What happened.
        detail: String,
    },
    /// The answer is too large.
    #[error("{0} answers more than {ANSWER_BYTES_MAX} bytes")]
    TooLarge(String),
    /// It took too long in all.
    #[error("the answers took longer than {ASKING_MAX:?}")]
    TooSlow,
    /// The answer is not what it should be.
    #[error("the answer cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// Whoever describes themselves there is somebody else (section 4.3).
    #[error("the issuer there is {0:?}")]
    AnotherIssuer(String),
    /// No key in the set can verify a token.
    #[error("there is no key that could verify a token")]
    NoKey,
}

/// What is read of an issuer's description.
#[derive(Deserialize)]
struct Description {
    issuer: String,
    jwks_uri: String,
}

/// A key set, its keys not read yet.
#[derive(Deserialize)]
struct KeySet {
    keys: Vec<serde_json::Value>,
}

/// The client that the AWS clients use too, with the machine's trusted roots. Made when it is first needed: reading the
/// roots is nothing for a cold start.
#[derive(Debug, Default)]
pub(super) struct Web(OnceLock<SharedHttpConnector>);

impl Web {
    /// The issuer's keys, as they tell them now.
    pub(super) async fn keys_of(&self, issuer: &str) -> Result<JwkSet, DiscoveryError> {
        let asking = async {
            let url = format!("{}{DESCRIPTION}", issuer.trim_end_matches('/'));
            let description: Description = serde_json::from_slice(&self.get(&url).await?)?;
            if description.issuer != issuer {
                return Err(DiscoveryError::AnotherIssuer(description.issuer));
            }
            read_keys(&self.get(&description.jwks_uri).await?)
        };
        tokio::time::timeout(ASKING_MAX, asking).await.unwrap_or(Err(DiscoveryError::TooSlow))
    }

    /// What is at an address. Redirections are not followed.
    async fn get(&self, url: &str) -> Result<Vec<u8>, DiscoveryError> {
        if !is_allowed(url) {
            return Err(DiscoveryError::NotAllowed(url.to_owned()));
        }
        let unanswered = |detail: String| DiscoveryError::Unanswered { url: url.to_owned(), detail };
        let connector = self.0.get_or_init(connector);
        let mut request = HttpRequest::get(url).map_err(|error| unanswered(error.to_string()))?;
        request.headers_mut().insert("accept", "application/json");
        request.headers_mut().insert("user-agent", USER_AGENT);
        let answer = connector.call(request).await.map_err(|error| unanswered(format!("{error:?}")))?;
        if answer.status().as_u16() != 200 {
            return Err(unanswered(format!("status {}", answer.status().as_u16())));
        }
        let mut body = ByteStream::new(answer.into_body());
        let mut bytes = Vec::new();
        while let Some(part) = body.next().await {
            bytes.extend_from_slice(&part.map_err(|error| unanswered(error.to_string()))?);
            if bytes.len() > ANSWER_BYTES_MAX {
                return Err(DiscoveryError::TooLarge(url.to_owned()));
            }
        }
        Ok(bytes)
    }
}

/// Whether an issuer or their keys may be asked for there: by https, or on this machine.
pub fn is_allowed(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else {
        return false;
    };
    let host = uri.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    match uri.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => host == "localhost" || address.is_ok_and(|address| address.is_loopback()),
        _ => false,
    }
}

/// The keys of a set that can verify tokens. Others are left out (RFC 7517, section 5): those for encryption, shared
/// secrets, and kinds that nobody here knows.
pub(super) fn read_keys(text: &[u8]) -> Result<JwkSet, DiscoveryError> {
    let set: KeySet = serde_json::from_slice(text)?;
    let keys = set.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
    let keys: Vec<Jwk> = keys
        .filter(|key| key.common.public_key_use != Some(PublicKeyUse::Encryption))
        .filter(|key| !matches!(key.algorithm, AlgorithmParameters::OctetKey(_) | AlgorithmParameters::Other(_)))
        .collect();
    if keys.is_empty() { Err(DiscoveryError::NoKey) } else { Ok(JwkSet { keys }) }
}

/// Issuers are anywhere, so the system's roots are trusted; they are read when an issuer is first asked.
fn connector() -> SharedHttpConnector {
    SharedHttpConnector::new(Connector::builder().tls_provider(Provider::Rustls(CryptoMode::Ring)).build())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_https_or_this_machine_is_asked() {
        for right in [
            "https://issuer.example",
            "https://issuer.example/tenant/",
            "http://localhost:8080",
            "http://127.0.0.1:1/keys",
            "http://[::1]:1",
        ] {
            assert!(is_allowed(right), "{right}");
        }
        for wrong in [
            "",
            "issuer.example",
            "http://issuer.example",
            "http://localhost.example",
            "http://127.0.0.1.example",
            "http://localhost@issuer.example",
            "http://10.0.0.1",
            "ftp://localhost",
            "file:///etc/passwd",
            "https://",
        ] {
            assert!(!is_allowed(wrong), "{wrong}");
        }
    }

    #[test]
    fn keys_that_cannot_verify_are_left_out() {
        let right =
            json!({"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "wWB1ondaQq6TFKedC3BJeN3Xk2xhhFTEok2bd-QD_IE"});
        let rsa = json!({"kty": "RSA", "kid": "b", "use": "enc", "n": "AQAB", "e": "AQAB", "alg": "RSA-OAEP-256"});
        let secret = json!({"kty": "oct", "kid": "c", "k": "c2VjcmV0"});
        let unknown = json!({"kty": "AKP", "kid": "d", "pub": "x"});
        let set = json!({"keys": [unknown, rsa, secret, right]}).to_string();
        let names: Vec<_> =
            read_keys(set.as_bytes()).unwrap().keys.into_iter().filter_map(|key| key.common.key_id).collect();
        assert_eq!(names, ["a"]);
        for wrong in ["", "[]", "{}", "{\"keys\": []}", "{\"keys\": [1]}"] {
            assert!(read_keys(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
