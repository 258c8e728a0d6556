//! Objects: the part of the S3 protocol that the functions use, over a store in SQLite.
//!
//! `s3s-fs` would be the ready-made choice. It writes three files an object through a pool of threads, which is slow and
//! makes a simulation nondeterministic, and cannot hold both the keys `x` and `x/y`.

mod chunked;
mod list;
mod store;
mod target;

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use data_encoding::HEXLOWER;
use md5::{Digest as _, Md5};

use crate::Clock;
use crate::connector::object_target;
use crate::objects::store::{Head, Store};
use crate::reply;

pub(crate) use target::Target;

/// File of the store in its folder.
const FILE: &str = "objects.sqlite";
/// Longest key, in bytes (S3's limit).
const KEY_BYTES_MAX: usize = 1024;
/// Largest object, in bytes: far above any mail, and well below what SQLite can hold.
const OBJECT_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Beginning of the headers with a client's own metadata.
const METADATA_PREFIX: &str = "x-amz-meta-";
/// Headers of a put that come back with the object.
const KEPT_HEADERS: [&str; 4] = ["content-type", "content-disposition", "content-language", "cache-control"];
/// Headers that would change what a request means, and are not understood here.
const UNKNOWN_CONDITIONS: [&str; 4] = ["if-match", "if-modified-since", "if-unmodified-since", "range"];

/// The object service.
pub(crate) struct Objects {
    store: Store,
    clock: Clock,
}

/// An error as S3 tells it.
pub(crate) struct Fault {
    status: u16,
    code: &'static str,
    message: String,
}

impl Fault {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    fn no_bucket(bucket: &str) -> Self {
        Self::new(404, "NoSuchBucket", format!("The bucket {bucket} does not exist"))
    }

    fn no_key() -> Self {
        Self::new(404, "NoSuchKey", "The specified key does not exist.")
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::new(500, "InternalError", error.to_string())
    }
}

impl Objects {
    pub(crate) fn memory(clock: Clock) -> rusqlite::Result<Self> {
        Ok(Self { store: Store::memory()?, clock })
    }

    pub(crate) fn open(dir: &Path, clock: Clock) -> rusqlite::Result<Self> {
        Ok(Self { store: Store::open(&dir.join(FILE))?, clock })
    }

    pub(crate) fn create_bucket(&self, name: &str) -> rusqlite::Result<()> {
        self.store.create_bucket(name)
    }

    /// Deletes what is older than `age` under a prefix, as a rule of a bucket's life cycle does.
    pub(crate) fn expire(&self, bucket: &str, prefix: &str, age: Duration) -> rusqlite::Result<usize> {
        let age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        self.store.expire(bucket, prefix, (self.clock)().saturating_sub(age_ms))
    }

    /// Performs an operation.
    pub(crate) fn call(&self, operation: &str, request: &HttpRequest, body: &[u8]) -> HttpResponse {
        self.perform(operation, request, body).unwrap_or_else(|fault| {
            if request.method() == "HEAD" {
                return reply::response(fault.status, "");
            }
            let message = reply::xml(&fault.message);
            let body = format!("<Error><Code>{}</Code><Message>{message}</Message></Error>", fault.code);
            xml_response(fault.status, body)
        })
    }

    fn perform(&self, operation: &str, request: &HttpRequest, body: &[u8]) -> Result<HttpResponse, Fault> {
        let target = object_target(request);
        if let Some(header) = UNKNOWN_CONDITIONS.into_iter().find(|header| request.headers().contains_key(*header)) {
            return Err(Fault::new(501, "NotImplemented", format!("the header {header} is not supported here")));
        }
        let (bucket, key) = (target.bucket.as_ref(), target.key.as_ref());
        if operation == "CreateBucket" {
            self.store.create_bucket(bucket)?;
            return Ok(reply::response(200, ""));
        }
        if !self.store.has_bucket(bucket)? {
            return Err(Fault::no_bucket(bucket));
        }
        match operation {
            "HeadBucket" => Ok(reply::response(200, "")),
            "PutObject" => self.put(bucket, key, request, body),
            "GetObject" => {
                let (head, body) = self.store.get(bucket, key)?.ok_or_else(Fault::no_key)?;
                Ok(object_response(head, body))
            }
            "HeadObject" => {
                let head = self.store.head(bucket, key)?.ok_or_else(Fault::no_key)?;
                Ok(object_response(head, vec![]))
            }
            "DeleteObject" => {
                self.store.delete(bucket, key)?;
                Ok(reply::response(204, ""))
            }
            "ListObjectsV2" => Ok(xml_response(200, list::objects(&self.store, bucket, target.query)?)),
            other => Err(Fault::new(501, "NotImplemented", format!("the operation {other} is not supported here"))),
        }
    }

    fn put(&self, bucket: &str, key: &str, request: &HttpRequest, body: &[u8]) -> Result<HttpResponse, Fault> {
        if key.len() > KEY_BYTES_MAX {
            return Err(Fault::new(400, "KeyTooLongError", "Your key is too long"));
        }
        let headers = request.headers();
        let encoding = headers.get("content-encoding").unwrap_or_default();
        let body = match headers.get("x-amz-content-sha256") {
            Some(hash) if hash.starts_with("STREAMING-") => Cow::Owned(chunked::decode(body)?),
            _ => Cow::Borrowed(body),
        };
        if body.len() > OBJECT_BYTES_MAX {
            return Err(Fault::new(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size"));
        }
        let mut kept: Vec<(String, String)> = Vec::new();
        let mut encodings: Vec<&str> = encoding.split(',').map(str::trim).collect();
        encodings.retain(|encoding| !encoding.is_empty() && *encoding != chunked::ENCODING);
        if !encodings.is_empty() {
            kept.push(("content-encoding".to_owned(), encodings.join(",")));
        }
        for (name, value) in headers {
            if KEPT_HEADERS.contains(&name) || name.starts_with(METADATA_PREFIX) {
                kept.push((name.to_owned(), value.to_owned()));
            }
        }
        let head = Head {
            etag: format!("\"{}\"", HEXLOWER.encode(&Md5::digest(&body))),
            modified_ms: (self.clock)(),
            size: body.len() as u64,
            headers: kept,
        };
        let written = match headers.get("if-none-match") {
            None => self.store.put(bucket, key, &head, &body).map(|()| true)?,
            Some("*") => self.store.put_new(bucket, key, &head, &body)?,
            Some(_) => return Err(Fault::new(501, "NotImplemented", "If-None-Match takes only * here")),
        };
        if !written {
            let message = "At least one of the pre-conditions you specified did not hold";
            return Err(Fault::new(412, "PreconditionFailed", message));
        }
        let mut response = reply::response(200, "");
        reply::set(&mut response, "etag", head.etag);
        Ok(response)
    }
}

fn object_response(head: Head, body: Vec<u8>) -> HttpResponse {
    let mut response = reply::response(200, body);
    let modified = date(head.modified_ms, Format::HttpDate);
    reply::set(&mut response, "content-length", head.size.to_string());
    reply::set(&mut response, "etag", head.etag);
    reply::set(&mut response, "last-modified", modified);
    for (name, value) in head.headers {
        reply::set(&mut response, name, value);
    }
    response
}

fn xml_response(status: u16, body: String) -> HttpResponse {
    let mut response = reply::response(status, body);
    reply::set(&mut response, "content-type", "application/xml");
    response
}

/// A moment in the form that S3 wants at a place; the epoch for a moment that has no such form.
fn date(ms: u64, format: Format) -> String {
    let moment = DateTime::from_millis(i64::try_from(ms).unwrap_or_default());
    moment.fmt(format).unwrap_or_default()
}
