//! One line for every step: who does what, and what it led to; while it lasts, what is waited for.

use std::io::Write;

use crate::commands::table::{Style, cut, on_terminal, printable, terminal_size};

/// Characters for who acts.
const WHO_CHARS: usize = 9;
/// Characters for what they do.
const WHAT_CHARS: usize = 44;
/// Back to the start of the line, which is cleared.
const AGAIN: &str = "\r\x1b[K";

/// The steps so far.
pub(super) struct Progress {
    step: usize,
    who: &'static str,
    what: String,
    terminal: bool,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { step: 0, who: "", what: String::new(), terminal: on_terminal() }
    }

    /// A step begins.
    pub(super) fn begin(&mut self, who: &'static str, what: &str) {
        self.step += 1;
        self.who = who;
        what.clone_into(&mut self.what);
        self.waiting("…");
    }

    /// What is waited for, while it is.
    pub(super) fn waiting(&self, what: &str) {
        if self.terminal {
            let line = format!("{}  {}", self.head(' '), printable(what));
            print!("{AGAIN}{}", Style::Dim.paint(&cut(&line, terminal_size().columns), true));
            // A line that is not shown yet is no reason to stop.
            std::io::stdout().flush().ok();
        }
    }

    /// The step had this effect.
    pub(super) fn done(&self, effect: &str) {
        self.end('✓', Style::Good, effect);
    }

    /// The step did not have its effect.
    pub(super) fn failed(&self) {
        self.end('✗', Style::Bad, "");
    }

    fn end(&self, mark: char, style: Style, effect: &str) {
        let again = if self.terminal { AGAIN } else { "" };
        let head = self.head(mark).replacen(mark, &style.paint(&mark.to_string(), self.terminal), 1);
        println!("{again}{}", format!("{head}  {}", printable(effect)).trim_end());
    }

    fn head(&self, mark: char) -> String {
        let Self { step, who, what, .. } = self;
        format!("{mark} {step:>2}  {who:WHO_CHARS$}{:WHAT_CHARS$}", cut(what, WHAT_CHARS))
    }
}
