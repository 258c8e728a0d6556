//! Long texts of items, compressed: a kilobyte that is not written is a write unit less, two in a transaction.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

/// Shorter texts stay as they are: their items are below the next kilobyte anyway, and readable.
const PACKED_FROM_BYTES: usize = 700;
/// Longest text that is unpacked: more than an item of 400 KB can hold of what we write.
const UNPACKED_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The text as raw DEFLATE (RFC 1951); nothing when it is short.
pub(crate) fn pack(text: &str) -> Option<Vec<u8>> {
    if text.len() < PACKED_FROM_BYTES {
        return None;
    }
    let mut encoder = DeflateEncoder::new(Vec::with_capacity(text.len() / 2), Compression::default());
    encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()).ok()
}

/// The text again.
///
/// # Errors
/// When the bytes are no DEFLATE of UTF-8 text, or of too much.
pub(crate) fn unpack(bytes: &[u8]) -> std::io::Result<String> {
    let mut text = String::new();
    let read = DeflateDecoder::new(bytes).take(UNPACKED_BYTES_MAX + 1).read_to_string(&mut text)?;
    if read as u64 > UNPACKED_BYTES_MAX {
        return Err(std::io::Error::other("the text is too long"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_become_short_and_come_back() {
        assert_eq!(pack("short"), None);
        let text = r#"{"kind":"message_received","data":{"text":"größer"}}"#.repeat(50);
        let packed = pack(&text).unwrap();
        assert!(packed.len() < text.len() / 10, "{}", packed.len());
        assert_eq!(unpack(&packed).unwrap(), text);
        assert!(unpack(b"no deflate").is_err());
        assert!(unpack(&packed[..packed.len() / 2]).is_err(), "half of it is not all of it");
    }

    #[test]
    fn what_would_fill_the_memory_is_refused() {
        let bomb = pack(&"0".repeat(17 * 1024 * 1024)).unwrap();
        assert!(unpack(&bomb).is_err());
    }
}
