//! Files in the text itself (uuencode, POSIX.1-2024), as programs older than MIME send them.

/// A file in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

/// A text and what was in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TakenOut {
    /// The text without the files.
    pub(super) text: String,
    pub(super) files: Vec<Found>,
    /// Whether files were left in the text because there are too many.
    pub(super) has_more: bool,
}

/// Takes at most `files_max` files out of a text. What is not a whole file stays text.
pub(super) fn taken_out(text: &str, files_max: usize) -> TakenOut {
    let mut found = TakenOut { text: String::with_capacity(text.len()), files: Vec::new(), has_more: false };
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    // Behind the last `end` no file can be whole.
    let last_end = lines.iter().rposition(|line| line.trim_end() == "end").unwrap_or_default();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let Some(name) = begin(line).filter(|_| at < last_end) else {
            found.text.push_str(line);
            at += 1;
            continue;
        };
        let (length, bytes) = decoded(&lines[at + 1..]);
        let is_file = bytes.is_some();
        match bytes.filter(|_| found.files.len() < files_max) {
            Some(bytes) => found.files.push(Found { name: name.to_owned(), bytes }),
            None => {
                found.text.push_str(&lines[at..=at + length].concat());
                found.has_more |= is_file;
            }
        }
        at += 1 + length;
    }
    found
}

/// The name in `begin 644 name`.
fn begin(line: &str) -> Option<&str> {
    let (mode, name) = line.strip_prefix("begin ")?.trim_end().split_once(' ')?;
    let is_mode = matches!(mode.len(), 3 | 4) && mode.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
    (is_mode && !name.trim().is_empty()).then(|| name.trim())
}

/// The bytes of the lines up to `end`, with the number of lines read; None where a line is none of a file.
fn decoded(lines: &[&str]) -> (usize, Option<Vec<u8>>) {
    let mut bytes = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let line = line.trim_end_matches(['\r', '\n']).as_bytes();
        if line == b"end" {
            return (at + 1, Some(bytes));
        }
        let value = |byte: u8| byte.wrapping_sub(b' ') & 0x3f;
        let Some((first, data)) = line.split_first().filter(|_| line.iter().all(|byte| matches!(byte, b' '..=b'`')))
        else {
            return (at, None);
        };
        let length = usize::from(value(*first));
        // Blanks at the end of a line are lost on the way; nothing is longer than its length says but a checksum.
        if data.len() > length.div_ceil(3) * 4 + 2 {
            return (at, None);
        }
        let sextet = |at: usize| data.get(at).map_or(0, |byte| value(*byte));
        for group in 0..length.div_ceil(3) {
            let [a, b, c, d] = [0, 1, 2, 3].map(|at| sextet(group * 4 + at));
            let three = [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d];
            bytes.extend_from_slice(&three[..(length - group * 3).min(3)]);
        }
    }
    (lines.len(), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_taken_out_of_the_text() {
        let text = "Hello\n\nbegin 644 cat.txt\n#0V%T\n`\nend\nBye\n";
        let files = vec![Found { name: "cat.txt".into(), bytes: b"Cat".to_vec() }];
        let found = TakenOut { text: "Hello\n\nBye\n".to_owned(), files, has_more: false };
        assert_eq!(taken_out(text, 10), found);
        for plain in
            ["begin 644 x\nno file\n", "begin 644 x\n#0V%T\n", "begin again\nend\n", "begin 644 x\nlower\nend\n"]
        {
            let none = TakenOut { text: plain.to_owned(), files: Vec::new(), has_more: false };
            assert_eq!(taken_out(plain, 10), none);
        }
        assert_eq!(taken_out(text, 0), TakenOut { text: text.to_owned(), files: Vec::new(), has_more: true });
    }
}
