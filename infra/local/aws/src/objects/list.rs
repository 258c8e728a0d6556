//! Lists of objects: `ListObjectsV2`.

use std::fmt::Write as _;

use aws_smithy_types::date_time::Format;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::objects::store::{Listed, Store};
use crate::objects::{Fault, date};
use crate::{query, reply};

/// Most entries of a page (S3's limit and default).
const KEYS_MAX: usize = 1000;

/// An entry of a page.
enum Entry {
    Object(Listed),
    /// What several keys have in common up to the delimiter.
    Prefix(String),
}

impl Entry {
    /// What the next page comes after.
    fn last_key(&self) -> String {
        match self {
            Self::Object(object) => object.key.clone(),
            // After every key that begins with the prefix: no character is greater.
            Self::Prefix(prefix) => format!("{prefix}{}", char::MAX),
        }
    }
}

/// The page that a query asks for, as XML. The continuation token is the last key of the page before.
pub(super) fn objects(store: &Store, bucket: &str, query: &str) -> Result<String, Fault> {
    let text = |name| query::field(query, name).unwrap_or_default();
    let (prefix, delimiter) = (text("prefix"), text("delimiter"));
    let token = query::field(query, "continuation-token");
    let after = token.clone().unwrap_or_else(|| text("start-after"));
    let keys_max = match query::field(query, "max-keys") {
        None => KEYS_MAX,
        Some(keys_max) => {
            let parsed = keys_max.parse::<usize>();
            parsed.map_err(|_| Fault::new(400, "InvalidArgument", "max-keys is no number"))?.min(KEYS_MAX)
        }
    };

    let mut entries: Vec<Entry> = Vec::new();
    let mut truncated = false;
    store.list(bucket, &prefix, &after, |object| {
        let rest = &object.key[prefix.len()..];
        let common = (!delimiter.is_empty()).then(|| rest.find(delimiter.as_ref())).flatten();
        let common = common.map(|at| &object.key[..prefix.len() + at + delimiter.len()]);
        if let (Some(common), Some(Entry::Prefix(last))) = (common, entries.last())
            && common == last
        {
            return true;
        }
        if entries.len() == keys_max {
            truncated = keys_max > 0;
            return false;
        }
        entries.push(match common {
            Some(common) => Entry::Prefix(common.to_owned()),
            None => Entry::Object(object),
        });
        true
    })?;

    let url_encoded = text("encoding-type") == "url";
    let key = |key: &str| match url_encoded {
        true => utf8_percent_encode(key, NON_ALPHANUMERIC).to_string(),
        false => reply::xml(key),
    };
    let mut page = String::from("<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    element(&mut page, "Name", &reply::xml(bucket));
    element(&mut page, "Prefix", &key(&prefix));
    element(&mut page, "KeyCount", &entries.len().to_string());
    element(&mut page, "MaxKeys", &keys_max.to_string());
    element(&mut page, "IsTruncated", &truncated.to_string());
    if url_encoded {
        element(&mut page, "EncodingType", "url");
    }
    if !delimiter.is_empty() {
        element(&mut page, "Delimiter", &key(&delimiter));
    }
    if let Some(token) = token {
        element(&mut page, "ContinuationToken", &reply::xml(&token));
    }
    if let Some(last) = entries.last().filter(|_| truncated) {
        element(&mut page, "NextContinuationToken", &reply::xml(&last.last_key()));
    }
    for entry in &entries {
        match entry {
            Entry::Object(object) => {
                page.push_str("<Contents>");
                element(&mut page, "Key", &key(&object.key));
                element(&mut page, "LastModified", &date(object.modified_ms, Format::DateTime));
                element(&mut page, "ETag", &reply::xml(&object.etag));
                element(&mut page, "Size", &object.size.to_string());
                page.push_str("<StorageClass>STANDARD</StorageClass></Contents>");
            }
            Entry::Prefix(prefix) => {
                page.push_str("<CommonPrefixes>");
                element(&mut page, "Prefix", &key(prefix));
                page.push_str("</CommonPrefixes>");
            }
        }
    }
    page.push_str("</ListBucketResult>");
    Ok(page)
}

/// An element whose text is escaped already.
fn element(page: &mut String, name: &str, text: &str) {
    write!(page, "<{name}>{text}</{name}>").expect("writing to a string never fails");
}
