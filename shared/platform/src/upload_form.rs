//! Forms with which a browser puts a file straight into the object store: what may be put stands in a policy that we sign
//! (POST of S3, AWS Signature Version 4: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>).
//! The SDK signs addresses only, so this is by hand.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use data_encoding::{BASE64, HEXLOWER};
use serde::Serialize;
use serde_json::{Value, json};
use throughline_channels::secrets::hmac_sha256;
use throughline_domain::moment::Moment;

use crate::error::Failure;

/// The only way of signing.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What is to be put.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The bucket.
    pub bucket: &'a str,
    /// The object's key.
    pub key: &'a str,
    /// Its media type.
    pub content_type: &'a str,
    /// Its bytes, exactly.
    pub size: u64,
}

/// A signed form. A page posts its fields as `multipart/form-data` to its address, and after them the file as `file`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UploadForm {
    /// Where to.
    pub url: String,
    /// The fields, before the file.
    pub fields: BTreeMap<String, String>,
    /// Until when.
    pub expires_at: Moment,
}

/// Where the credentials come from that sign.
#[derive(Clone, Debug, Default)]
pub struct Signer {
    credentials: Option<SharedCredentialsProvider>,
    region: String,
}

/// Credentials that sign now.
pub(crate) struct Signing<'a> {
    credentials: Credentials,
    region: &'a str,
}

impl Signer {
    /// Signs for a region with the credentials of the functions' own clients.
    pub fn new(credentials: Option<SharedCredentialsProvider>, region: &str) -> Self {
        Self { credentials, region: region.to_owned() }
    }

    pub(crate) async fn signing(&self) -> Result<Signing<'_>, Failure> {
        let provider = self.credentials.as_ref().ok_or_else(|| Failure::Retry("nothing signs forms".to_owned()))?;
        let credentials = provider.provide_credentials().await;
        let credentials = credentials.map_err(|error| Failure::Retry(format!("credentials: {error}")))?;
        Ok(Signing { credentials, region: &self.region })
    }
}

impl Signing<'_> {
    /// The form for these terms.
    pub(crate) fn form(&self, url: &str, terms: &Terms<'_>, at: Moment, lasts: Duration) -> UploadForm {
        let expires_at = at.plus_ms(i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX));
        let (date, scope) = (date_time(at), scope(at, self.region));
        let credential = format!("{}/{scope}", self.credentials.access_key_id());
        let said = [
            ("key", terms.key),
            ("Content-Type", terms.content_type),
            ("x-amz-algorithm", ALGORITHM),
            ("x-amz-credential", credential.as_str()),
            ("x-amz-date", date.as_str()),
        ];
        // Of a function's credentials the token is part, and has to be in the policy like every field.
        let token = self.credentials.session_token().map(|token| ("x-amz-security-token", token));
        let mut fields: BTreeMap<String, String> =
            said.into_iter().chain(token).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let mut conditions = vec![json!({"bucket": terms.bucket})];
        conditions.extend(fields.iter().map(|(name, value)| json!({name.as_str(): value})));
        conditions.push(json!(["content-length-range", terms.size, terms.size]));
        let policy: Value = json!({"expiration": expires_at, "conditions": conditions});
        let policy = BASE64.encode(policy.to_string().as_bytes());
        fields.insert("x-amz-signature".to_owned(), self.signature(&policy, at));
        fields.insert("policy".to_owned(), policy);
        UploadForm { url: url.to_owned(), fields, expires_at }
    }

    /// The signature of a policy in base 64.
    pub(crate) fn signature(&self, policy: &str, at: Moment) -> String {
        signature(policy, self.credentials.secret_access_key(), &date_time(at)[..8], self.region)
    }
}

/// Signature of a policy in base 64 on a day such as `20151229`.
fn signature(policy: &str, secret: &str, day: &str, region: &str) -> String {
    let first = format!("AWS4{secret}");
    let key = [day, region, "s3", "aws4_request"]
        .into_iter()
        .fold(first.into_bytes(), |key, part| hmac_sha256(&key, &[part.as_bytes()]).to_vec());
    HEXLOWER.encode(&hmac_sha256(&key, &[policy.as_bytes()]))
}

fn scope(at: Moment, region: &str) -> String {
    format!("{}/{region}/s3/aws4_request", &date_time(at)[..8])
}

/// `20151229T000000Z`.
fn date_time(at: Moment) -> String {
    let digits: String = at.to_string().chars().take(19).filter(|c| !matches!(c, '-' | ':')).collect();
    format!("{digits}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The policy of the documentation's example, as it stands there in base 64.
    const EXAMPLE: &str = include_str!("upload_form/example_policy.txt");

    #[test]
    fn the_documented_example_is_signed_as_documented() {
        // https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-post-example.html
        let signed = signature(EXAMPLE.trim(), "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "20151229", "us-east-1");
        assert_eq!(signed, "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e");
    }

    #[test]
    fn a_form_says_in_its_policy_all_that_it_says() {
        let credentials = Credentials::new("AKID", "secret", Some("the token".to_owned()), None, "test");
        let signing = Signing { credentials, region: "eu-west-1" };
        let terms = Terms { bucket: "files", key: "uploads/a/b", content_type: "image/png", size: 7 };
        let at: Moment = "2026-11-20T09:30:00.250Z".parse().unwrap();
        let form = signing.form("https://files.example/", &terms, at, Duration::from_secs(600));
        let policy = BASE64.decode(form.fields["policy"].as_bytes()).unwrap();
        let policy: Value = serde_json::from_slice(&policy).unwrap();
        let expected = json!({
            "expiration": "2026-11-20T09:40:00.250Z",
            "conditions": [
                {"bucket": "files"},
                {"Content-Type": "image/png"},
                {"key": "uploads/a/b"},
                {"x-amz-algorithm": "AWS4-HMAC-SHA256"},
                {"x-amz-credential": "AKID/20261120/eu-west-1/s3/aws4_request"},
                {"x-amz-date": "20261120T093000Z"},
                {"x-amz-security-token": "the token"},
                ["content-length-range", 7, 7],
            ],
        });
        assert_eq!(policy, expected);
        assert_eq!(form.fields["x-amz-signature"], signing.signature(&form.fields["policy"], at));
        assert_eq!(form.fields.len(), 8, "{:?}", form.fields.keys());
        assert!(!form.fields.values().any(|value| value.contains("secret")));
    }
}
