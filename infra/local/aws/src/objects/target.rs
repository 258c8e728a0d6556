//! Which bucket, key and operation an object request is about.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::query;

/// Field of the query in which clients name the operation, where the rest of the request does not say it.
const OPERATION_FIELD: &str = "x-id";
/// What a request that is none of the known ones is called.
const OTHER: &str = "Other";

/// What the address of an object request says.
pub(crate) struct Target<'a> {
    pub(crate) bucket: Cow<'a, str>,
    /// Empty when it is about the bucket.
    pub(crate) key: Cow<'a, str>,
    pub(crate) query: &'a str,
}

impl<'a> Target<'a> {
    /// From the bucket in the host, if it is there and not in the path.
    pub(crate) fn new(host_bucket: Option<&'a str>, path: &'a str, query: &'a str) -> Self {
        let path = path.strip_prefix('/').unwrap_or(path);
        let (bucket, key) = match host_bucket {
            Some(bucket) => (bucket, path),
            None => path.split_once('/').unwrap_or((path, "")),
        };
        let decode = |text: &'a str| percent_decode_str(text).decode_utf8_lossy();
        Self { bucket: decode(bucket), key: decode(key), query }
    }

    /// The operation that a request with this method means.
    pub(crate) fn operation(&self, method: &str) -> &'a str {
        if let Some((_, name)) = query::fields(self.query).find(|(name, _)| *name == OPERATION_FIELD) {
            return name;
        }
        let field = query::fields(self.query).next().map(|(name, _)| name);
        match (method, self.key.is_empty(), field) {
            ("PUT", false, None) => "PutObject",
            ("GET", false, None) => "GetObject",
            ("HEAD", false, None) => "HeadObject",
            ("DELETE", false, None) => "DeleteObject",
            ("PUT", true, None) => "CreateBucket",
            ("HEAD", true, None) => "HeadBucket",
            ("GET", true, Some("list-type")) => "ListObjectsV2",
            _ => OTHER,
        }
    }
}
