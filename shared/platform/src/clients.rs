//! AWS clients: made once at start, with time-outs that fit inside a function's own.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::retry::RetryPartition;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;

use crate::config::AwsEnvironment;
use crate::upload_form::Signer;

/// Longest wait for a connection.
const CONNECT_MAX: Duration = Duration::from_secs(1);
/// Longest single attempt of a request to the table, and of all its attempts: the breach check relies on a change being
/// in the table within five seconds of the moment that it is stamped with, or not at all.
const TABLE_ATTEMPT_MAX: Duration = Duration::from_millis(1_500);
const TABLE_OPERATION_MAX: Duration = Duration::from_millis(4_500);
/// Longest single attempt of a small request.
const ATTEMPT_MAX: Duration = Duration::from_secs(3);
/// Longest request with all its attempts.
const OPERATION_MAX: Duration = Duration::from_secs(10);
/// Longest single attempt to move an object: 40 MB of mail.
const OBJECT_ATTEMPT_MAX: Duration = Duration::from_secs(20);
/// Longest move of an object with all its attempts.
const OBJECT_OPERATION_MAX: Duration = Duration::from_secs(45);
/// Longest single attempt to publish, and of all its attempts: the relay has sent its work by then, and what the bus does
/// not take in this time comes again.
const BUS_ATTEMPT_MAX: Duration = Duration::from_millis(1_500);
const BUS_OPERATION_MAX: Duration = Duration::from_secs(4);
/// Attempts of a request.
const ATTEMPTS_MAX: u32 = 3;
/// The roots that certificates of AWS lead to, and no others: reading a system's whole store of more than a hundred takes
/// longer than all else at start (`tests/hello-world/benches/cold_start.rs`). Source: <https://www.amazontrust.com/repository/>.
const AMAZON_ROOTS: &str = include_str!("amazon_roots.pem");

/// The clients of the services that functions use. Those that few functions use are made when they are first asked for: a
/// function that never asks does not even contain their code. Cheap to clone.
#[derive(Clone)]
pub struct Clients {
    /// The table.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// Queues.
    pub sqs: aws_sdk_sqs::Client,
    /// Objects.
    pub s3: aws_sdk_s3::Client,
    config: SdkConfig,
    partition: Option<RetryPartition>,
    ses: Arc<OnceLock<aws_sdk_ses::Client>>,
    eventbridge: Arc<OnceLock<aws_sdk_eventbridge::Client>>,
    ssm: Arc<OnceLock<aws_sdk_ssm::Client>>,
}

impl std::fmt::Debug for Clients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clients")
    }
}

impl Clients {
    /// The clients for a configuration.
    pub fn new(config: &SdkConfig) -> Self {
        Self::with_retries(config, None)
    }

    /// The clients for a configuration, with retries that are counted apart from everybody else's in the process: a
    /// simulation is the same whatever ran before it.
    pub fn apart(config: &SdkConfig, partition: RetryPartition) -> Self {
        Self::with_retries(config, Some(partition))
    }

    fn with_retries(config: &SdkConfig, partition: Option<RetryPartition>) -> Self {
        let mut dynamodb = aws_sdk_dynamodb::config::Builder::from(config);
        let mut sqs = aws_sdk_sqs::config::Builder::from(config);
        let mut s3 = aws_sdk_s3::config::Builder::from(config);
        dynamodb
            .set_retry_config(Some(retries()))
            .set_timeout_config(Some(timeouts(TABLE_ATTEMPT_MAX, TABLE_OPERATION_MAX)));
        sqs.set_retry_config(Some(retries())).set_timeout_config(Some(timeouts(ATTEMPT_MAX, OPERATION_MAX)));
        s3.set_retry_config(Some(retries()))
            .set_timeout_config(Some(timeouts(OBJECT_ATTEMPT_MAX, OBJECT_OPERATION_MAX)));
        dynamodb.set_retry_partition(partition.clone());
        sqs.set_retry_partition(partition.clone());
        s3.set_retry_partition(partition.clone());
        Self {
            dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb.build()),
            sqs: aws_sdk_sqs::Client::from_conf(sqs.build()),
            s3: aws_sdk_s3::Client::from_conf(s3.build()),
            config: config.clone(),
            partition,
            ses: Arc::default(),
            eventbridge: Arc::default(),
            ssm: Arc::default(),
        }
    }

    /// Mail.
    pub fn ses(&self) -> &aws_sdk_ses::Client {
        self.ses.get_or_init(|| {
            let mut ses = aws_sdk_ses::config::Builder::from(&self.config);
            // A mail that was sent and whose answer was lost must not be sent again: one attempt, and the send ledger.
            ses.set_retry_config(Some(RetryConfig::disabled()))
                .set_timeout_config(Some(timeouts(ATTEMPT_MAX, OPERATION_MAX)));
            ses.set_retry_partition(self.partition.clone());
            aws_sdk_ses::Client::from_conf(ses.build())
        })
    }

    /// The event bus.
    pub fn eventbridge(&self) -> &aws_sdk_eventbridge::Client {
        self.eventbridge.get_or_init(|| {
            let mut eventbridge = aws_sdk_eventbridge::config::Builder::from(&self.config);
            eventbridge
                .set_retry_config(Some(retries()))
                .set_timeout_config(Some(timeouts(BUS_ATTEMPT_MAX, BUS_OPERATION_MAX)));
            eventbridge.set_retry_partition(self.partition.clone());
            aws_sdk_eventbridge::Client::from_conf(eventbridge.build())
        })
    }

    /// Parameters: the secrets of inboxes.
    pub fn ssm(&self) -> &aws_sdk_ssm::Client {
        self.ssm.get_or_init(|| {
            let mut ssm = aws_sdk_ssm::config::Builder::from(&self.config);
            ssm.set_retry_config(Some(retries())).set_timeout_config(Some(timeouts(ATTEMPT_MAX, OPERATION_MAX)));
            ssm.set_retry_partition(self.partition.clone());
            aws_sdk_ssm::Client::from_conf(ssm.build())
        })
    }

    /// What signs forms for the object store.
    pub fn signer(&self) -> Signer {
        Signer::new(self.config.credentials_provider(), self.region().unwrap_or_default())
    }

    /// The region of all of them.
    pub fn region(&self) -> Option<&str> {
        self.config.region().map(AsRef::as_ref)
    }
}

fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX)
}

fn timeouts(attempt: Duration, operation: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_MAX)
        .operation_attempt_timeout(attempt)
        .operation_timeout(operation)
        .build()
}

/// The configuration for the environment of a function. Nothing is looked up and nobody asked: all that AWS gives a function
/// is in its environment, for as long as the function lives.
pub fn config(environment: AwsEnvironment) -> SdkConfig {
    let AwsEnvironment { region, access_key_id, secret_access_key, session_token, endpoint_url } = environment;
    let credentials = Credentials::new(access_key_id, secret_access_key, session_token, None, "environment");
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http_client());
    config.set_endpoint_url(endpoint_url);
    config.build()
}

/// One HTTP client for all services: they share its connections and its roots.
fn http_client() -> SharedHttpClient {
    let roots = TrustStore::empty().with_pem_certificate(AMAZON_ROOTS);
    let context = TlsContext::builder().with_trust_store(roots).build().unwrap_or_else(|error| {
        tracing::error!(error.detail = %error, "the built-in roots are not taken; the system's are used");
        TlsContext::default()
    });
    aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(context)
        .build_https()
}
