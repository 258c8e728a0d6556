//! Tables for the terminal: columns that share a width, cells that are cut or broken into lines.

use std::io::IsTerminal;
use std::process::{Command, Stdio};

/// What separates columns.
const GAP: &str = "  ";
/// What stands for cut text.
const CUT: char = '…';
/// Size of a terminal that does not tell, in characters.
const SIZE_DEFAULT: Size = Size { columns: 100, rows: 40 };

/// How a cell stands out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Style {
    #[default]
    Plain,
    Dim,
    Bold,
    Good,
    Near,
    Bad,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Dim => "2",
            Self::Bold => "1",
            Self::Good => "32",
            Self::Near => "33",
            Self::Bad => "1;31",
        }
    }

    /// The text in this style, if the terminal has styles.
    pub(crate) fn paint(self, text: &str, styled: bool) -> String {
        if styled && self != Self::Plain { format!("\x1b[{}m{text}\x1b[0m", self.code()) } else { text.to_owned() }
    }
}

/// What happens to text that is longer than its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// The column is as wide as its longest cell.
    Whole,
    /// The column gives way; its cells are cut.
    Cut,
    /// The column gives way; its cells go on in the next line.
    Wrap,
}

/// A cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// A cell in a style. Control characters, which could do things to the terminal, become blanks.
    pub(crate) fn new(text: impl AsRef<str>, style: Style) -> Self {
        Self { text: printable(text.as_ref()), style }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, Style::Plain)
    }
}

/// Text in one line that does nothing to a terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A table.
pub(crate) struct Table {
    columns: Vec<(&'static str, Fit)>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table with these columns.
    pub(crate) fn new(columns: &[(&'static str, Fit)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row: a cell for every column.
    pub(crate) fn push<const N: usize>(&mut self, cells: [Cell; N]) {
        self.rows.push(cells.into());
    }

    /// The lines of the table, its head first, each at most `width` characters if the columns can give way that far.
    pub(crate) fn lines(&self, width: usize, styled: bool) -> Vec<String> {
        let widths = self.widths(width);
        let head = self.columns.iter().map(|(title, _)| Cell::new(title, Style::Dim));
        let mut lines = self.line(&head.collect::<Vec<_>>(), &widths, styled);
        for row in &self.rows {
            lines.extend(self.line(row, &widths, styled));
        }
        lines
    }

    /// The longest cell of every column, then taken from the widest of those that give way.
    fn widths(&self, width: usize) -> Vec<usize> {
        let longest = |i: usize| self.rows.iter().filter_map(|row| row.get(i)).map(|cell| length(&cell.text)).max();
        let titles: Vec<usize> = self.columns.iter().map(|(title, _)| length(title)).collect();
        let mut widths: Vec<usize> =
            titles.iter().enumerate().map(|(i, title)| longest(i).unwrap_or(0).max(*title)).collect();
        let gaps = GAP.len() * widths.len().saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > width {
            let gives = |i: &usize| self.columns[*i].1 != Fit::Whole && widths[*i] > titles[*i];
            let Some(widest) = (0..widths.len()).filter(gives).max_by_key(|i| widths[*i]) else {
                break;
            };
            widths[widest] -= 1;
        }
        widths
    }

    /// The lines of a row.
    fn line(&self, row: &[Cell], widths: &[usize], styled: bool) -> Vec<String> {
        let parts: Vec<Vec<String>> = row
            .iter()
            .zip(widths.iter().zip(&self.columns))
            .map(|(cell, (width, (_, fit)))| match fit {
                Fit::Wrap => wrapped(&cell.text, *width),
                Fit::Whole | Fit::Cut => vec![cut(&cell.text, *width)],
            })
            .collect();
        let height = parts.iter().map(Vec::len).max().unwrap_or(0);
        let line = |n: usize| {
            let cells = row.iter().zip(&parts).zip(widths).map(|((cell, parts), width)| {
                let text = parts.get(n).map(String::as_str).unwrap_or_default();
                let blanks = " ".repeat(width.saturating_sub(length(text)));
                // Blanks are outside of the style, so that the end of the line can be cut clean.
                if text.is_empty() { blanks } else { format!("{}{blanks}", cell.style.paint(text, styled)) }
            });
            cells.collect::<Vec<_>>().join(GAP).trim_end().to_owned()
        };
        (0..height).map(line).collect()
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// The text in at most `width` characters; a mark shows that something is missing.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if length(text) <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{}{CUT}", kept.trim_end())
}

/// The text in lines of at most `width` characters, broken between words where that is possible.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        if !line.is_empty() && length(&line) + 1 + word.len() > width {
            lines.push(std::mem::take(&mut line));
        }
        while word.len() > width {
            let rest = word.split_off(width);
            lines.push(word.into_iter().collect());
            word = rest;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word);
    }
    lines.push(line);
    lines
}

/// The size of a terminal, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
}

/// Whether what is printed goes to a terminal.
pub(crate) fn on_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// The size of the terminal. It is asked by `stty`, because asking it ourselves would need unsafe code.
pub(crate) fn terminal_size() -> Size {
    if !on_terminal() {
        return SIZE_DEFAULT;
    }
    let asked = Command::new("stty").arg("size").stdin(Stdio::inherit()).stderr(Stdio::null()).output();
    let answer = asked.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    size_of(&answer).unwrap_or(SIZE_DEFAULT)
}

/// What `stty size` says: rows, then columns; zeros where nobody knows.
fn size_of(answer: &str) -> Option<Size> {
    let (rows, columns) = answer.trim().split_once(' ')?;
    let size = Size { columns: columns.parse().ok()?, rows: rows.parse().ok()? };
    (size.columns > 0 && size.rows > 0).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&[("id", Fit::Whole), ("subject", Fit::Cut), ("why", Fit::Wrap)]);
        table.push(["TL-1".into(), "Größe passt nicht".into(), "the sender takes part in it".into()]);
        table.push(["TL-22".into(), "short".into(), "new".into()]);
        table
    }

    #[test]
    fn columns_are_as_wide_as_their_cells_where_there_is_room() {
        let expected = [
            "id     subject            why",
            "TL-1   Größe passt nicht  the sender takes part in it",
            "TL-22  short              new",
        ];
        assert_eq!(table().lines(80, false), expected);
    }

    #[test]
    fn columns_give_way_by_cutting_and_wrapping() {
        let expected = [
            "id     subject      why",
            "TL-1   Größe pass…  the sender",
            "                    takes part",
            "                    in it",
            "TL-22  short        new",
        ];
        assert_eq!(table().lines(30, false), expected);
    }

    #[test]
    fn no_line_is_longer_than_asked_unless_the_columns_cannot_give_way() {
        for width in 22..60 {
            let lines = table().lines(width, false);
            assert!(lines.iter().all(|line| length(line) <= width), "{width}: {lines:#?}");
        }
        assert_eq!(table().lines(1, false)[0], "id     subject  why");
    }

    #[test]
    fn styles_do_not_count_as_width() {
        let mut table = Table::new(&[("a", Fit::Whole), ("b", Fit::Whole)]);
        table.push([Cell::new("late", Style::Bad), "x".into()]);
        table.push(["on time".into(), "y".into()]);
        assert_eq!(table.lines(80, true)[1], "\x1b[1;31mlate\x1b[0m     x");
        assert_eq!(table.lines(80, false)[1..], ["late     x", "on time  y"]);
    }

    #[test]
    fn words_that_are_too_long_are_broken_and_control_characters_are_blanks() {
        assert_eq!(wrapped("a abcdefgh ij", 4), ["a", "abcd", "efgh", "ij"]);
        assert_eq!(wrapped("", 4), [""]);
        assert_eq!(Cell::from("a\x1b[2J\nb").text, "a [2J b");
    }

    #[test]
    fn the_size_of_a_terminal_is_read() {
        assert_eq!(size_of("40 132\n"), Some(Size { columns: 132, rows: 40 }));
        assert_eq!(size_of("0 0\n"), None);
        assert_eq!(size_of(""), None);
    }
}
