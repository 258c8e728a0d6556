//! Reads the answers of a server (RFC 5321 section 4.2).

use std::fmt;
use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

/// Longest line of an answer that is read, bytes. The limit of RFC 5321 section 4.5.3.1.5 is 512; be generous.
const LINE_BYTES_MAX: u64 = 4_096;
/// Most lines of one answer.
const LINES_MAX: usize = 100;

/// What a server said. The text may repeat addresses: show it, do not log it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The three digits, 200 to 599.
    pub code: u16,
    /// The text without the code, an enhanced status code (RFC 2034) included; lines are separated by a line feed.
    pub text: String,
}

impl Answer {
    /// The server did what it was asked for: 2xx.
    #[must_use]
    pub fn is_positive(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// It may work later: 4xx.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        (400..500).contains(&self.code)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}

/// What came is no SMTP answer.
#[derive(Debug, thiserror::Error)]
#[error("what the server said is no SMTP answer")]
pub struct MalformedAnswer;

/// Reads one answer of one or more lines.
///
/// # Errors
/// The connection ended or broke; [`io::ErrorKind::InvalidData`] with a [`MalformedAnswer`] for what is no answer.
pub(crate) async fn read_answer(reader: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Answer> {
    let (mut code, mut lines) = (None, Vec::new());
    loop {
        let mut line = Vec::new();
        reader.take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await?;
        if line.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let parsed = parse_line(&line).filter(|parsed| code.is_none_or(|code| code == parsed.code));
        let parsed = parsed.filter(|_| lines.len() < LINES_MAX).ok_or_else(malformed)?;
        code = Some(parsed.code);
        lines.push(parsed.text);
        if parsed.last {
            return Ok(Answer { code: parsed.code, text: lines.join("\n") });
        }
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, MalformedAnswer)
}

struct Line {
    code: u16,
    last: bool,
    text: String,
}

fn parse_line(line: &[u8]) -> Option<Line> {
    let line = line.strip_suffix(b"\n")?;
    let (digits, rest) = line.strip_suffix(b"\r").unwrap_or(line).split_at_checked(3)?;
    let code = std::str::from_utf8(digits).ok()?.parse().ok().filter(|code| (200..600).contains(code))?;
    let (last, text) = match rest.split_first() {
        None => (true, rest),
        Some((b' ', text)) => (true, text),
        Some((b'-', text)) => (false, text),
        Some(_) => return None,
    };
    Some(Line { code, last, text: String::from_utf8_lossy(text).into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn answers() {
        for (bytes, expected) in [
            ("250 2.0.0 OK\r\n", Some((250, "2.0.0 OK"))),
            ("250\r\n", Some((250, ""))),
            ("250-a\r\n250-b\r\n250 c\r\n250 next\r\n", Some((250, "a\nb\nc"))),
            ("220 bare\n", Some((220, "bare"))),
            ("250-a\r\n354 c\r\n", None),
            ("250-a\r\n", None),
            ("250 cut", None),
            ("99 x\r\n", None),
            ("600 x\r\n", None),
            ("+25 x\r\n", None),
            ("250x\r\n", None),
            ("\r\n", None),
            ("", None),
        ] {
            let answer = read_answer(&mut bytes.as_bytes()).await.ok();
            let expected = expected.map(|(code, text)| Answer { code, text: text.to_owned() });
            assert_eq!(answer, expected, "{bytes:?}");
        }
    }

    #[tokio::test]
    async fn endless_answers_are_refused() {
        let long = format!("250 {}\r\n", "x".repeat(5_000));
        assert_eq!(read_answer(&mut long.as_bytes()).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
        let many = "250-x\r\n".repeat(LINES_MAX + 1);
        assert_eq!(read_answer(&mut many.as_bytes()).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
