//! The digests that SQS defines: of bodies, of attributes, and ids made from them.

use crate::message::Attribute;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use data_encoding::HEXLOWER;
use md5::{Digest as _, Md5};
use sha2::Sha256;
use uuid::Uuid;

/// Marks of the transport type in the attribute digest.
const STRING_VALUE: u8 = 1;
const BINARY_VALUE: u8 = 2;

/// MD5 of a body, lower-case hexadecimal.
pub(crate) fn md5_of_body(body: &str) -> String {
    HEXLOWER.encode(&Md5::digest(body.as_bytes()))
}

/// MD5 of message attributes, which must come sorted by name; `None` for none.
///
/// Each name, data type and value goes in with its length before it, see "Calculating the MD5 message digest for message
/// attributes" in the SQS developer guide.
pub(crate) fn md5_of_attributes<'a>(attributes: impl Iterator<Item = (&'a String, &'a Attribute)>) -> Option<String> {
    let mut digest = Md5::new();
    let mut empty = true;
    for (name, attribute) in attributes {
        empty = false;
        put(&mut digest, name.as_bytes());
        put(&mut digest, attribute.data_type.as_bytes());
        if let Some(value) = &attribute.binary_value {
            digest.update([BINARY_VALUE]);
            put(&mut digest, &STANDARD.decode(value).unwrap_or_default());
        } else {
            digest.update([STRING_VALUE]);
            put(&mut digest, attribute.string_value.as_deref().unwrap_or_default().as_bytes());
        }
    }
    (!empty).then(|| HEXLOWER.encode(&digest.finalize()))
}

fn put(digest: &mut Md5, bytes: &[u8]) {
    // Values are below the limit of a message, far from what u32 holds.
    digest.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    digest.update(bytes);
}

/// The de-duplication id of a body in a queue with content-based de-duplication.
pub(crate) fn sha256_of_body(body: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(body.as_bytes()))
}

/// Message id: a version 7 UUID whose random part is worked out from queue and sequence number. They never recur in one
/// store, and the same run with the same clock gives the same ids, which seeded simulations need.
pub(crate) fn message_id(queue: &str, seq: u64, sent_ms: u64) -> Uuid {
    let mut digest = Md5::new();
    digest.update(seq.to_be_bytes());
    digest.update(queue.as_bytes());
    let digest = digest.finalize();
    let mut tail = [0; 10];
    tail.copy_from_slice(&digest[..10]);
    uuid::Builder::from_unix_timestamp_millis(sent_ms, &tail).into_uuid()
}
