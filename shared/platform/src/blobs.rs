//! Objects: raw mail, long bodies, what is in quarantine.

use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::primitives::ByteStream;
use throughline_domain::id::MessageId;
use throughline_domain::moment::Moment;

use crate::error::Failure;

/// Largest object that is read into memory, in bytes: a mail of 40 MB.
pub const OBJECT_BYTES_MAX: usize = 42 * 1024 * 1024;

/// The bucket.
#[derive(Clone, Debug)]
pub struct Blobs {
    client: aws_sdk_s3::Client,
    bucket: String,
}

/// Object key of the full texts of a message whose commit holds only their beginning.
pub fn body_key(message: MessageId) -> String {
    format!("bodies/{message}.json")
}

/// An object in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// Bytes.
    pub size: usize,
    /// When it was stored.
    pub stored_at: Moment,
}

/// A page of a list of objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The objects, in the order of their keys.
    pub objects: Vec<Listed>,
    /// Whether there are more after them.
    pub more: bool,
}

/// Beginning of the object keys of raw mail.
pub const RAW_MAIL_PREFIX: &str = "mail/";

impl Blobs {
    /// The bucket of this name behind this client.
    pub fn new(client: aws_sdk_s3::Client, bucket: impl Into<String>) -> Self {
        Self { client, bucket: bucket.into() }
    }

    /// The bucket's name.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Stores an object; durable once this returns.
    ///
    /// # Errors
    /// [`Failure::Retry`] when the object store does not answer.
    pub async fn put(&self, key: &str, bytes: impl Into<ByteStream>) -> Result<(), Failure> {
        let request = self.client.put_object().bucket(&self.bucket).key(key).body(bytes.into());
        request.send().await.map_err(|error| Failure::Retry(format!("put object: {}", DisplayErrorContext(error))))?;
        Ok(())
    }

    /// An object's bytes; nothing when there is none.
    ///
    /// # Errors
    /// [`Failure::Retry`] when the object store does not answer, [`Failure::Quarantine`] when the object is larger than
    /// [`OBJECT_BYTES_MAX`].
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Failure> {
        let answer = match self.client.get_object().bucket(&self.bucket).key(key).send().await {
            Ok(answer) => answer,
            Err(error) if matches!(error.as_service_error(), Some(GetObjectError::NoSuchKey(_))) => return Ok(None),
            Err(error) => return Err(Failure::Retry(format!("get object: {}", DisplayErrorContext(error)))),
        };
        let size = usize::try_from(answer.content_length().unwrap_or_default()).unwrap_or(usize::MAX);
        if size > OBJECT_BYTES_MAX {
            return Err(Failure::Quarantine(format!("the object has {size} bytes, more than {OBJECT_BYTES_MAX}")));
        }
        let bytes = answer.body.collect().await.map_err(|error| Failure::Retry(format!("read object: {error}")))?;
        Ok(Some(bytes.to_vec()))
    }
    /// The objects whose keys begin with `prefix` and come after `after`, at most `limit`.
    ///
    /// # Errors
    /// [`Failure::Retry`] when the object store does not answer.
    pub async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Listing, Failure> {
        let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix);
        let request = request.set_start_after(after.map(str::to_owned));
        let answer = request.max_keys(i32::try_from(limit).unwrap_or(i32::MAX)).send().await;
        let answer = answer.map_err(|error| Failure::Retry(format!("list objects: {}", DisplayErrorContext(error))))?;
        let more = answer.is_truncated().unwrap_or_default();
        let listed = answer.contents.unwrap_or_default().into_iter().filter_map(|object| {
            let stored_at = object.last_modified.and_then(|at| at.to_millis().ok()).map(Moment::from_ms)?;
            let size = usize::try_from(object.size.unwrap_or_default()).unwrap_or(usize::MAX);
            Some(Listed { key: object.key?, size, stored_at })
        });
        Ok(Listing { objects: listed.collect(), more })
    }
}
