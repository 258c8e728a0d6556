//! How a file of a mail is listed.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use throughline_domain::message::Attachment;

use super::{clean, file_type};

/// Longest file name kept, in bytes.
pub const FILE_NAME_BYTES_MAX: usize = 200;
/// Longest MIME type kept, in bytes (RFC 6838, section 4.2: 127 each for type and subtype).
pub(super) const CONTENT_TYPE_BYTES_MAX: usize = 255;
/// Longest Content-ID kept, in bytes.
const CONTENT_ID_BYTES_MAX: usize = 250;

/// What a mail says about a file.
#[derive(Default)]
pub(super) struct Given {
    pub(super) name: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) content_id: Option<String>,
    pub(super) inline: bool,
}

/// The entry of the file with this number.
pub(super) fn attachment(number: usize, given: Given, bytes: &[u8]) -> Attachment {
    let name = given.name.and_then(|name| clean::file_name(&name, FILE_NAME_BYTES_MAX));
    let declared = given.content_type.unwrap_or_else(|| "application/octet-stream".to_owned());
    let filename = name.unwrap_or_else(|| format!("attachment-{number}"));
    let content_type = file_type::content_type(declared, bytes);
    Attachment {
        id: number.to_string(),
        dangerous: file_type::is_dangerous(&filename, &content_type, bytes),
        filename,
        content_type,
        size: bytes.len() as u64,
        sha256: HEXLOWER.encode(&Sha256::digest(bytes)),
        inline: given.inline,
        content_id: given.content_id,
        url: None,
        held_by_channel: None,
    }
}

/// A Content-ID without its angle brackets.
pub(super) fn content_id(given: &str) -> Option<String> {
    clean::line(given.trim().trim_matches(['<', '>']), CONTENT_ID_BYTES_MAX)
}
