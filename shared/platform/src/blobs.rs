//! Objects: raw mail, long bodies, what is in quarantine.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use throughline_domain::id::MessageId;
use throughline_domain::moment::Moment;

use crate::error::Failure;
use crate::upload_form::{Signer, Terms, UploadForm};

/// Largest object that is read into memory, in bytes: a mail of 40 MB.
pub const OBJECT_BYTES_MAX: usize = 42 * 1024 * 1024;

/// The bucket.
#[derive(Clone, Debug)]
pub struct Blobs {
    client: aws_sdk_s3::Client,
    links: aws_sdk_s3::Client,
    bucket: String,
    signer: Signer,
}

/// Object key of the full texts of a message whose commit holds only their beginning.
pub fn body_key(message: MessageId) -> String {
    format!("bodies/{message}.json")
}

/// An object to be downloaded, and what its download says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    /// Its key.
    pub key: String,
    /// `Content-Type` of the answer.
    pub content_type: String,
    /// `Content-Disposition` of the answer.
    pub disposition: String,
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
        Self { links: client.clone(), client, bucket: bucket.into(), signer: Signer::default() }
    }

    /// The same bucket, with what signs forms for it.
    #[must_use]
    pub fn signing_with(mut self, signer: Signer) -> Self {
        self.signer = signer;
        self
    }

    /// The same bucket, with links that lead to `endpoint`: where the objects are served to people, if that is elsewhere
    /// than where functions get them.
    #[must_use]
    pub fn linked_at(mut self, endpoint: &str) -> Self {
        let config = self.client.config().to_builder().endpoint_url(endpoint).force_path_style(true);
        self.links = aws_sdk_s3::Client::from_conf(config.build());
        self
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

    /// Deletes an object, if it is there. A versioned bucket keeps what it was for as long as its rules say.
    ///
    /// # Errors
    /// [`Failure::Retry`] when the object store does not answer.
    pub async fn delete(&self, key: &str) -> Result<(), Failure> {
        let request = self.client.delete_object().bucket(&self.bucket).key(key);
        request
            .send()
            .await
            .map_err(|error| Failure::Retry(format!("delete object: {}", DisplayErrorContext(error))))?;
        Ok(())
    }

    /// How many bytes an object has; nothing when there is none.
    ///
    /// # Errors
    /// [`Failure::Retry`] when the object store does not answer.
    pub async fn size(&self, key: &str) -> Result<Option<u64>, Failure> {
        match self.client.head_object().bucket(&self.bucket).key(key).send().await {
            Ok(answer) => Ok(Some(u64::try_from(answer.content_length().unwrap_or_default()).unwrap_or_default())),
            Err(error) if matches!(error.as_service_error(), Some(HeadObjectError::NotFound(_))) => Ok(None),
            Err(error) => Err(Failure::Retry(format!("head object: {}", DisplayErrorContext(error)))),
        }
    }

    /// A form with which anybody can put one object, of exactly this type and size, from `at` on for as long as it `lasts`.
    /// Nothing is asked of the object store for it.
    ///
    /// # Errors
    /// [`Failure::Retry`] when it cannot be signed.
    pub async fn upload_form(
        &self,
        key: &str,
        content_type: &str,
        size: u64,
        at: Moment,
        lasts: Duration,
    ) -> Result<UploadForm, Failure> {
        let terms = Terms { bucket: &self.bucket, key, content_type, size };
        let signing = self.signer.signing().await?;
        // Where an object is got from, without the object, is where the bucket's forms go.
        let object = Download { key: key.to_owned(), content_type: String::new(), disposition: String::new() };
        let link = self.link(&object, at, lasts).await?;
        let url = link.split('?').next().and_then(|object| object.strip_suffix(key));
        let url = url.ok_or_else(|| Failure::Retry("the object store has no address".to_owned()))?;
        Ok(signing.form(url, &terms, at, lasts))
    }

    /// What a form for this bucket must be signed with: the signature of its policy, in base 64, at a moment.
    ///
    /// # Errors
    /// [`Failure::Retry`] when it cannot be signed.
    pub async fn policy_signature(&self, policy: &str, at: Moment) -> Result<String, Failure> {
        Ok(self.signer.signing().await?.signature(policy, at))
    }

    /// A link with which anybody can download an object from `at` on for as long as it `lasts`. Nothing is asked of the
    /// object store for it.
    ///
    /// # Errors
    /// [`Failure::Retry`] when it cannot be signed.
    pub async fn link(&self, download: &Download, at: Moment, lasts: Duration) -> Result<String, Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure::Retry(format!("sign a link: {error}"));
        let start = SystemTime::UNIX_EPOCH + Duration::from_millis(at.ms().unsigned_abs());
        let signing = PresigningConfig::builder().start_time(start).expires_in(lasts).build();
        let signing = signing.map_err(|error| failed(&error))?;
        let request = self.links.get_object().bucket(&self.bucket).key(&download.key);
        let request = request.response_content_type(&download.content_type);
        let request = request.response_content_disposition(&download.disposition);
        let signed = request.presigned(signing).await.map_err(|error| failed(&DisplayErrorContext(error)))?;
        Ok(signed.uri().to_owned())
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
