//! Bodies in `aws-chunked` encoding, which clients use for streams: chunks, each after its size in hexadecimal digits,
//! then trailing headers. See "Signature calculations: transferring payload in multiple chunks" in the S3 reference.

use crate::objects::Fault;

/// Name of the encoding.
pub(super) const ENCODING: &str = "aws-chunked";

/// The content, without sizes, signatures and trailing headers; those are not checked, nothing can damage them on the way.
pub(super) fn decode(mut body: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut content = Vec::with_capacity(body.len());
    loop {
        let line_end = body.windows(2).position(|pair| pair == b"\r\n").ok_or_else(incomplete)?;
        let line = std::str::from_utf8(&body[..line_end]).map_err(|_| incomplete())?;
        let size = line.split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(size, 16).map_err(|_| incomplete())?;
        if size == 0 {
            return Ok(content);
        }
        let chunk_start = line_end + 2;
        let chunk_end = chunk_start.checked_add(size).ok_or_else(incomplete)?;
        content.extend_from_slice(body.get(chunk_start..chunk_end).ok_or_else(incomplete)?);
        body = body.get(chunk_end + 2..).ok_or_else(incomplete)?;
    }
}

fn incomplete() -> Fault {
    Fault::new(400, "IncompleteBody", "The chunks of the request body are malformed")
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn chunks_are_joined_and_trailers_dropped() {
        let body = b"5;chunk-signature=ab\r\nhello\r\n7\r\n, world\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n";
        assert_eq!(decode(body).ok(), Some(b"hello, world".to_vec()));
        assert_eq!(decode(b"0\r\n\r\n").ok(), Some(vec![]));
    }

    #[test]
    fn malformed_chunks_are_refused() {
        for body in ["", "5\r\nhell", "zz\r\n", "5\r\nhello", "ffffffffffffffff\r\nhello\r\n", "5\r\nhello\r\n"] {
            assert_eq!(decode(body.as_bytes()).err().map(|fault| fault.code), Some("IncompleteBody"), "{body:?}");
        }
    }
}
