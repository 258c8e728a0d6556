//! The lines of a text.

use std::ops::Range;

use memchr::memchr_iter;

/// Where each line of a text ends, with its line end. Four bytes a line: texts of short lines have many.
pub(super) fn ends(text: &str) -> Vec<u32> {
    // Counted first: a list that grows takes twice the room.
    let mut ends = Vec::with_capacity(1 + memchr_iter(b'\n', text.as_bytes()).count());
    // Texts are far shorter than what mail can hold at most.
    ends.extend(memchr_iter(b'\n', text.as_bytes()).map(|at| at as u32 + 1));
    if !text.is_empty() && !text.ends_with('\n') {
        ends.push(text.len() as u32);
    }
    ends
}

/// Some lines of a text, in a row.
#[derive(Clone, Copy)]
pub(super) struct Lines<'a> {
    text: &'a str,
    /// Where the first one starts.
    start: u32,
    ends: &'a [u32],
}

impl<'a> Lines<'a> {
    /// All lines of a text that has these [`ends`].
    pub(super) fn of(text: &'a str, ends: &'a [u32]) -> Self {
        Self { text, start: 0, ends }
    }

    pub(super) fn len(self) -> usize {
        self.ends.len()
    }

    /// The line with this number, without its end.
    pub(super) fn get(self, at: usize) -> Option<&'a str> {
        let end = *self.ends.get(at)?;
        let start = if at == 0 { self.start } else { self.ends[at - 1] };
        let line = &self.text[start as usize..end as usize];
        Some(match line.as_bytes() {
            [.., b'\r', b'\n'] => &line[..line.len() - 2],
            [.., b'\n'] => &line[..line.len() - 1],
            _ => line,
        })
    }

    pub(super) fn first(self) -> Option<&'a str> {
        self.get(0)
    }

    pub(super) fn last(self) -> Option<&'a str> {
        self.get(self.len().checked_sub(1)?)
    }

    pub(super) fn iter(self) -> impl DoubleEndedIterator<Item = &'a str> + ExactSizeIterator {
        (0..self.len()).map(move |at| self.get(at).unwrap_or_default())
    }

    /// The lines with these numbers.
    pub(super) fn part(self, range: Range<usize>) -> Self {
        let start = if range.start == 0 { self.start } else { self.ends[range.start - 1] };
        Self { start, ends: &self.ends[range], ..self }
    }

    /// The lines before this one.
    pub(super) fn before(self, at: usize) -> Self {
        self.part(0..at)
    }

    /// The lines from this one on.
    pub(super) fn from(self, at: usize) -> Self {
        self.part(at..self.len())
    }

    pub(super) fn joined(self, between: &str) -> String {
        let mut joined = String::new();
        for (at, line) in self.iter().enumerate() {
            joined.push_str(if at > 0 { between } else { "" });
            joined.push_str(line);
        }
        joined
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lines_are_those_of_the_text(text in "[a \r\nä]{0,30}", from in 0..5_usize) {
            let expected: Vec<&str> = text.lines().collect();
            let ends = ends(&text);
            let lines = Lines::of(&text, &ends);
            prop_assert_eq!(lines.iter().collect::<Vec<_>>(), &expected[..]);
            let from = from.min(expected.len());
            prop_assert_eq!(lines.from(from).iter().collect::<Vec<_>>(), &expected[from..]);
            prop_assert_eq!(lines.before(from).last(), expected[..from].last().copied());
            prop_assert_eq!(lines.from(from).first(), expected.get(from).copied());
            prop_assert_eq!(lines.before(from).joined("|"), expected[..from].join("|"));
        }
    }
}
