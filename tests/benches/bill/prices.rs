//! List prices, to make one figure of many: us-east-1, November 2026, in USD a million, free tiers left out. Time of functions
//! is not in it: it is measured in the cloud only.

use crate::Each;

/// DynamoDB, on demand: <https://aws.amazon.com/dynamodb/pricing/on-demand/>.
const WRITE_UNIT: f64 = 0.625;
const READ_UNIT: f64 = 0.125;
/// SQS FIFO; standard queues are 0.40: <https://aws.amazon.com/sqs/pricing/>.
const QUEUE_REQUEST: f64 = 0.50;
/// S3: <https://aws.amazon.com/s3/pricing/>.
const OBJECT_WRITE: f64 = 5.0;
const OBJECT_READ: f64 = 0.40;
/// SES, sent and received alike: <https://aws.amazon.com/ses/pricing/>.
const MAIL: f64 = 100.0;
/// EventBridge, entries of up to 64 KB: <https://aws.amazon.com/eventbridge/pricing/>.
const ENTRY: f64 = 1.0;

/// A million of them, without what the mail service takes for letting mail in.
pub(crate) fn million(each: &Each) -> f64 {
    each.write_units * WRITE_UNIT
        + each.read_units * READ_UNIT
        + each.queue_requests * QUEUE_REQUEST
        + each.objects_written * OBJECT_WRITE
        + each.objects_read * OBJECT_READ
        + each.mails * MAIL
        + each.entries * ENTRY
}
