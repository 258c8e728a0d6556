//! AWS clients: made once at start, with time-outs that fit inside a function's own.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_dynamodb::config::retry::RetryPartition;

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
/// Attempts of a request.
const ATTEMPTS_MAX: u32 = 3;

/// The clients of the services that functions use.
#[derive(Clone, Debug)]
pub struct Clients {
    /// The table.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// Queues.
    pub sqs: aws_sdk_sqs::Client,
    /// Objects.
    pub s3: aws_sdk_s3::Client,
    /// Mail.
    pub ses: aws_sdk_ses::Client,
}

impl Clients {
    /// The clients for the environment of the function.
    pub async fn from_env() -> Self {
        let config = aws_config::defaults(BehaviorVersion::latest()).load().await;
        Self::new(&config)
    }

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
        let timeouts = |attempt, operation| {
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_MAX)
                .operation_attempt_timeout(attempt)
                .operation_timeout(operation)
                .build()
        };
        let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX);
        let small = timeouts(ATTEMPT_MAX, OPERATION_MAX);
        let mut dynamodb = aws_sdk_dynamodb::config::Builder::from(config);
        let mut sqs = aws_sdk_sqs::config::Builder::from(config);
        let mut s3 = aws_sdk_s3::config::Builder::from(config);
        let mut ses = aws_sdk_ses::config::Builder::from(config);
        let table = timeouts(TABLE_ATTEMPT_MAX, TABLE_OPERATION_MAX);
        dynamodb.set_retry_config(Some(retries.clone())).set_timeout_config(Some(table));
        sqs.set_retry_config(Some(retries.clone())).set_timeout_config(Some(small.clone()));
        s3.set_retry_config(Some(retries)).set_timeout_config(Some(timeouts(OBJECT_ATTEMPT_MAX, OBJECT_OPERATION_MAX)));
        // A mail that was sent and whose answer was lost must not be sent again: one attempt, and the send ledger.
        ses.set_retry_config(Some(RetryConfig::disabled())).set_timeout_config(Some(small));
        dynamodb.set_retry_partition(partition.clone());
        sqs.set_retry_partition(partition.clone());
        s3.set_retry_partition(partition.clone());
        ses.set_retry_partition(partition);
        Self {
            dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb.build()),
            sqs: aws_sdk_sqs::Client::from_conf(sqs.build()),
            s3: aws_sdk_s3::Client::from_conf(s3.build()),
            ses: aws_sdk_ses::Client::from_conf(ses.build()),
        }
    }
}
