//! The configuration that the SDK clients take.

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::{SharedHttpClient, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

use crate::Aws;
use crate::connector::Connector;

/// Region of everything.
pub const REGION: &str = "local";
/// Where the connector finds DynamoDB.
pub const DYNAMODB_ENDPOINT: &str = "http://dynamodb.local";
/// Where the connector finds SQS.
pub const SQS_ENDPOINT: &str = "http://sqs.local";
/// Where the connector finds S3; buckets may be in the path or in the host.
pub const S3_ENDPOINT: &str = "http://s3.local";
/// Where the connector finds SES.
pub const SES_ENDPOINT: &str = "http://ses.local";

/// Where the connector finds EventBridge.
pub const EVENTBRIDGE_ENDPOINT: &str = "http://events.local";

/// Access key and secret; nobody checks them.
const KEY: &str = "test";

/// Gives each client the endpoint of its service, as `AWS_ENDPOINT_URL_*` does.
#[derive(Debug)]
struct Endpoints;

impl LoadServiceConfig for Endpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let endpoint = match (key.profile(), key.service_id()) {
            ("endpoint_url", "DynamoDB") => DYNAMODB_ENDPOINT,
            ("endpoint_url", "SQS") => SQS_ENDPOINT,
            ("endpoint_url", "S3") => S3_ENDPOINT,
            ("endpoint_url", "SES") => SES_ENDPOINT,
            ("endpoint_url", "EventBridge") => EVENTBRIDGE_ENDPOINT,
            _ => return None,
        };
        Some(endpoint.to_owned())
    }
}

impl Aws {
    /// Configuration of clients: `aws_sdk_…::Client::new(&aws.sdk_config())`. Endpoints, region, credentials and the HTTP
    /// client are set; retries and time-outs are the defaults of the SDK.
    pub fn sdk_config(&self) -> SdkConfig {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static(REGION))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::from_keys(KEY, KEY, None)))
            .service_config(Endpoints)
            .http_client(self.http_client())
            // Bodies are complete from the start; there is nothing to watch.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build()
    }

    /// The HTTP client in [`Aws::sdk_config`], for clients that are configured otherwise.
    pub fn http_client(&self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(Connector::of(self));
        http_client_fn(move |_, _| connector.clone())
    }
}
