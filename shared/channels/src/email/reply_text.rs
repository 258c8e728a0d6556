//! What a sender newly wrote: the text without what they quote, without their signature and without what their program
//! says of itself.
//!
//! This is a view; the whole text is always kept. Where it is not sure that something is a quote, it stays: an agent who
//! reads a line twice loses a second, one who misses a line loses the customer.
//!
//! Every line is looked at a bounded number of times, so the work grows as the text does.
//!
//! | question | file |
//! | --- | --- |
//! | which words do programs write, in which language? | `words` |
//! | what is one line, what are several? | `line`, `lines` |
//! | is this the announcement of a quote? | `attribution`; `sentence`, where it could be the sender's own |
//! | is this the header of a quoted or forwarded mail? | `block` |
//! | is the mail an answer or a forward? | `subjects` |
//! | is this a signature or a program's last line? | `ending` |
//! | is anything said beside a greeting? | `greeting` |

mod attribution;
mod block;
mod ending;
mod greeting;
mod line;
mod lines;
mod sentence;
mod subjects;
mod words;

use throughline_domain::message::truncated;

use self::block::Block;
use self::lines::Lines;

/// Most lines in which somebody may say that they answer inside the quote.
const HINT_LINES_MAX: usize = 200;
/// Most bytes of each of these lines that are looked at.
const HINT_BYTES_MAX: usize = 4_000;

/// What is known of a mail beside its text.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known<'a> {
    pub(super) subject: Option<&'a str>,
    /// Display name of the sender.
    pub(super) sender_name: Option<&'a str>,
    /// The headers name a mail that this one answers. None: not known.
    pub(super) names_answered: Option<bool>,
}

impl Known<'_> {
    /// Nothing says that the mail answers another one, so what looks like the header of a quoted mail is something that
    /// the sender shows us.
    fn is_no_answer(&self) -> bool {
        self.names_answered == Some(false) && !self.subject.is_some_and(subjects::is_of_answer)
    }
}

/// Lines in a row that are marked as quoted, blank ones between them included.
struct Quote {
    start: usize,
    /// Behind its last line.
    end: usize,
    /// First line of its announcement; None where nothing announces it.
    announced: Option<usize>,
}

/// The text without what is quoted and without the signature; None if that is nothing, only a greeting, or all of it. The
/// result's lines are lines of the text, in order.
///
/// A quote at the end goes when it is announced, a quote at the beginning when it is announced and all that is written
/// stands under it. Quotes between answers stay: they say what is answered. A forwarded mail is what the sender wants
/// us to read, so nothing of such a mail is cut. Who only greets above a quote may have written the rest under it.
pub(super) fn reply_text(text: &str, known: &Known<'_>) -> Option<String> {
    if known.subject.is_some_and(|subject| subjects::is_of_forward(subject, text)) {
        return None;
    }
    let ends = lines::ends(text);
    let lines = Lines::of(text, &ends);
    let end = match first_block(lines) {
        Some((_, Block::Forward)) => return None,
        Some((at, Block::Original)) if !known.is_no_answer() && is_reply_above(lines.before(at)) => at,
        Some((_, Block::Original)) | None => lines.len(),
    };
    let quotes = quotes(lines.before(end));
    let end = cut_end(lines, end, &quotes, known);
    let start = cut_start(lines.before(end), &quotes);
    let last = lines.part(start..end).iter().rposition(|line| !line::is_blank(line))?;
    let is_all = start == 0 && lines.from(end).iter().all(line::is_blank);
    let kept = lines.part(start..start + last + 1);
    (!is_all && !greeting::is_all(kept, known.sender_name)).then(|| kept.joined("\n"))
}

/// The first block, and the line that it begins with.
fn first_block(lines: Lines<'_>) -> Option<(usize, Block)> {
    let begins = |line: &str| !line::is_quoted(line) && !line::is_blank(line);
    let mut candidates = lines.iter().enumerate().filter(|(_, line)| begins(line));
    candidates.find_map(|(at, _)| Some((at, block::at(lines.from(at))?)))
}

/// Something is written above a quoted mail, it does not lead over to it ("I got this:"), and it does not say that the
/// answers stand inside.
fn is_reply_above(above: Lines<'_>) -> bool {
    let written = |line: &&str| !line::is_blank(line) && !line::is_quoted(line) && !line::is_rule(line);
    if !above.iter().any(|line| written(&line)) || is_led_to(above) {
        return false;
    }
    let looked_at = above.iter().filter(written).take(HINT_LINES_MAX);
    let folded: Vec<String> = looked_at.map(|line| truncated(line, HINT_BYTES_MAX).to_lowercase()).collect();
    let says = |hint: &&str| folded.iter().any(|line| has_word(line, hint));
    !words::LANGUAGES.iter().flat_map(|language| language.below).any(says)
}

/// The words stand in the line, not as a part of longer ones. Scripts without spaces have no such ends.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let open = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() || c >= '\u{3000}');
        open(line[..at].chars().next_back()) && open(line[at + word.len()..].chars().next())
    })
}

/// The quotes, in order.
fn quotes(lines: Lines<'_>) -> Vec<Quote> {
    let mut quotes: Vec<Quote> = Vec::new();
    // Behind the last line that says anything.
    let mut said = 0;
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| !line::is_blank(line)) {
        if line::is_quoted(line) {
            match quotes.last_mut().filter(|quote| quote.end == said) {
                Some(quote) => quote.end = at + 1,
                None => quotes.push(Quote { start: at, end: at + 1, announced: announced(lines, said, at) }),
            }
        }
        said = at + 1;
    }
    quotes
}

/// Where the announcement begins of the quote at `quote`: above it, or in its first lines, where Apple's programs write
/// it. `said` is behind the last line above that says anything. Words that lead over to it make it the sender's own:
/// what follows is what they write about.
fn announced(lines: Lines<'_>, said: usize, quote: usize) -> Option<usize> {
    let inside = || attribution::is_in(lines.from(quote)).then_some(quote);
    let start = attribution::start(lines.before(said)).or_else(inside)?;
    (!is_led_to(lines.before(start))).then_some(start)
}

/// The last words of the lines lead over to what comes next.
fn is_led_to(lines: Lines<'_>) -> bool {
    let last = lines.iter().rfind(|line| !line::is_blank(line));
    last.is_some_and(|line| line::ends_with_colon(&line::plain(line)))
}

/// The end without quotes, signatures, and what programs and lists add, in whatever order they come.
fn cut_end(lines: Lines<'_>, end: usize, quotes: &[Quote], known: &Known<'_>) -> usize {
    // Who announces one quote marks all of them so.
    let marks = quotes.iter().any(|quote| quote.announced.is_some());
    let mut quotes = quotes.iter().rev().peekable();
    let first = lines.iter().position(|line| !line::is_blank(line)).unwrap_or(lines.len());
    let (mut end, mut is_signed) = (end, false);
    loop {
        end = lines.before(end).iter().rposition(|line| !line::is_blank(line)).map_or(0, |last| last + 1);
        let quote = quotes.next_if(|quote| quote.end >= end);
        let cut = match quote {
            Some(Quote { announced: Some(start), .. }) => Some(*start),
            Some(Quote { start, .. }) if marks && !is_led_to(lines.before(*start)) => Some(*start),
            _ => None,
        };
        let cut = cut.or_else(|| {
            // People who draw lines with dashes draw several; one of them can be a signature's.
            let start = ending::signature(lines.before(end), known.sender_name).filter(|_| !is_signed)?;
            is_signed = true;
            Some(start)
        });
        let cut = cut.or_else(|| lines.before(end).last().is_some_and(ending::is_footer).then(|| end - 1));
        let cut = cut.or_else(|| ending::list_footer(lines.before(end)));
        match cut {
            // Nothing would be left: then it is no ending.
            Some(cut) if cut > first => end = cut,
            _ => return end,
        }
    }
}

/// The beginning without a quote under which everything is written.
fn cut_start(lines: Lines<'_>, quotes: &[Quote]) -> usize {
    let mut left = quotes.iter().filter(|quote| quote.end <= lines.len());
    let (Some(Quote { announced: Some(announced), end, .. }), None) = (left.next(), left.next()) else { return 0 };
    let is_first = lines.before(*announced).iter().all(line::is_blank);
    let below = lines.from(*end).iter().position(|line| !line::is_blank(line));
    below.filter(|_| is_first).map_or(0, |below| end + below)
}

#[cfg(test)]
mod tests;
