//! Every limit of the service in one place. Values are those of Amazon SQS unless the comment says otherwise.

use std::time::Duration;

/// Largest message, in bytes: body plus the names, types and values of its attributes. Also the limit of a whole batch.
pub const MESSAGE_BYTES_MAX: usize = 1_048_576;
/// Most entries of a batch call, and most messages of one receive.
pub const BATCH_ENTRIES_MAX: usize = 10;
/// Longest id of a batch entry, in characters.
pub const BATCH_ID_CHARS_MAX: usize = 80;
/// Longest queue name, in characters, `.fifo` included.
pub const QUEUE_NAME_CHARS_MAX: usize = 80;
/// Longest `MessageGroupId`, in characters.
pub const GROUP_ID_CHARS_MAX: usize = 128;
/// Longest `MessageDeduplicationId`, in characters.
pub const DEDUPLICATION_ID_CHARS_MAX: usize = 128;
/// Most attributes of one message.
pub const ATTRIBUTES_MAX: usize = 10;
/// How long a de-duplication id is remembered after its first send.
pub const DEDUPLICATION_WINDOW: Duration = Duration::from_secs(5 * 60);
/// Visibility time-out of a queue that does not say.
pub const VISIBILITY_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
/// Longest visibility time-out.
pub const VISIBILITY_TIMEOUT_MAX: Duration = Duration::from_secs(12 * 60 * 60);
/// Longest delay of a message.
pub const DELAY_MAX: Duration = Duration::from_secs(15 * 60);
/// Longest long poll.
pub const WAIT_MAX: Duration = Duration::from_secs(20);
/// Highest `maxReceiveCount` of a redrive policy.
pub const RECEIVE_COUNT_MAX: u32 = 1_000;
/// Most queues in one answer of `ListQueues`.
pub const LISTED_QUEUES_MAX: usize = 1_000;
/// Our own: a journal below this size is never compacted while open, so that small stores are not rewritten all the time.
pub const JOURNAL_SLACK_BYTES: u64 = 4 * 1_048_576;
