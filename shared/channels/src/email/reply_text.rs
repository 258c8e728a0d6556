//! What a sender newly wrote: the text without what they quote and without their signature.
//!
//! This is a view; the whole text is always kept. Where it is not sure that something is a quote, it stays: an agent who
//! reads a line twice loses a second, one who misses a line loses the customer.

/// How lines begin and end that announce a quote.
const ATTRIBUTIONS: [(&str, &str); 4] = [("On ", " wrote:"), ("Am ", ":"), ("Le ", " a écrit :"), ("Le ", " a écrit:")];
/// What German programs write between the date and the end of an attribution.
const GERMAN_VERB: &str = " schrieb";
/// Programs fold long attributions into at most this many lines.
const ATTRIBUTION_LINES_MAX: usize = 3;
/// Titles of Outlook's blocks, in lower case.
const BLOCK_TITLES: [&str; 4] =
    ["original message", "ursprüngliche nachricht", "message d'origine", "mensaje original"];
/// What the first line of Outlook's block starts with.
const BLOCK_FIELDS: [&str; 4] = ["From:", "Von:", "De :", "De:"];
/// What stands before a signature (RFC 3676, section 4.3).
const SIGNATURE_MARK: &str = "-- ";
/// Longer ends are no signatures.
const SIGNATURE_LINES_MAX: usize = 15;

/// The text without what is quoted at its end and without the signature; None if that is nothing or all of it. The
/// result's lines are lines of the text, in order.
pub(super) fn reply_text(text: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let block = (0..lines.len()).find(|at| is_block(&lines[*at..])).unwrap_or(lines.len());
    let quote = (0..block).find(|at| is_quote(&lines[*at..block])).unwrap_or(block);
    let end = (0..quote).rfind(|at| is_signature(&lines[*at..quote])).unwrap_or(quote);
    let kept = lines[..end].iter().rposition(|line| !line.trim().is_empty())? + 1;
    (end < lines.len()).then(|| lines[..kept].join("\n"))
}

/// An attribution and then nothing but quoted lines.
fn is_quote(lines: &[&str]) -> bool {
    (1..=ATTRIBUTION_LINES_MAX.min(lines.len())).any(|length| {
        let (announced, quoted) = lines.split_at(length);
        let mut quoted = quoted.iter().filter(|line| !line.trim().is_empty()).peekable();
        is_attribution(announced) && quoted.peek().is_some() && quoted.all(|line| line.trim_start().starts_with('>'))
    })
}

fn is_attribution(lines: &[&str]) -> bool {
    let whole = lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ").replace(['\u{a0}', '\u{202f}'], " ");
    let is_dated = whole.contains(|c: char| c.is_ascii_digit());
    is_dated
        && ATTRIBUTIONS.iter().any(|(start, end)| {
            whole.starts_with(start) && whole.ends_with(end) && (*start != "Am " || whole.contains(GERMAN_VERB))
        })
}

/// Outlook's line of dashes with a title, and the header of the quoted mail under it.
fn is_block(lines: &[&str]) -> bool {
    let Some((title, rest)) = lines.split_first() else { return false };
    let title = title.trim();
    let name = title.trim_matches('-').trim().to_lowercase();
    if !title.starts_with("----") || !title.ends_with("----") || !BLOCK_TITLES.contains(&name.as_str()) {
        return false;
    }
    let next = rest.iter().map(|line| line.trim()).find(|line| !line.is_empty());
    next.is_some_and(|line| BLOCK_FIELDS.iter().any(|field| line.starts_with(field)))
}

fn is_signature(lines: &[&str]) -> bool {
    lines.first() == Some(&SIGNATURE_MARK)
        && lines.len() <= SIGNATURE_LINES_MAX
        && !lines.iter().any(|line| line.starts_with('>'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotes_and_signatures_are_cut() {
        let cases = [
            ("Yes.\n\nOn Mon, 3 Nov 2025 at 10:00, Anna <a@x.example> wrote:\n> Really?\n>\n> Anna", "Yes."),
            ("Yes.\n\nOn Mon, 3 Nov 2025 at 10:00, Anna Berg\n<anna@x.example> wrote:\n\n> Really?", "Yes."),
            ("Ja.\n\nAm 03.11.2025 um 10:00 schrieb Anna Berg:\n> Wirklich?", "Ja."),
            ("Oui.\n\nLe lun. 3 nov. 2025 à 10:00, Anna a écrit\u{a0}:\n> Vraiment ?", "Oui."),
            ("Yes.\n\n-----Original Message-----\nFrom: Anna\nSent: Monday\n\nReally?", "Yes."),
            ("Ja.\n\n-----Ursprüngliche Nachricht-----\nVon: Anna\n\nWirklich?", "Ja."),
            ("Yes.\n-- \nAnna Berg\nExample Ltd", "Yes."),
            ("Yes.\n-- \nAnna\n\nOn 3 Nov 2025, Bo wrote:\n> Really?", "Yes."),
            ("a\n\n b\n\nOn 3 Nov 2025, Bo wrote:\n> Really?", "a\n\n b"),
        ];
        for (text, expected) in cases {
            assert_eq!(reply_text(text).as_deref(), Some(expected), "{text:?}");
        }
    }

    #[test]
    fn what_is_not_surely_a_quote_stays() {
        let cases = [
            "Just a question.",
            "",
            "On Monday she wrote:\nThe parcel is late.",
            "On 3 Nov 2025, Anna wrote:\n> Really?\nYes, really.",
            "On 3 Nov 2025, Anna wrote:\n> Really?",
            "> Really?\nYes.",
            "Am 3. Mai kam das Paket, darin:\n> nichts",
            "I got this:\n-----Original Message-----\nbut what does it mean?",
            "a\n--\nb",
            "-- \nAnna",
        ];
        for text in cases {
            assert_eq!(reply_text(text), None, "{text:?}");
        }
        let long = format!("a\n-- \n{}", "line\n".repeat(SIGNATURE_LINES_MAX));
        assert_eq!(reply_text(&long), None);
    }

    proptest! {
        #[test]
        fn what_remains_was_written(
            lines in prop::collection::vec(
                prop::sample::select(vec![
                    "Yes.", "", " ", "> q", ">", "-- ", "--", "On 3 Nov 2025, Anna", "wrote:", "On 3 Nov, A wrote:",
                    "Am 3. schrieb A:", "-----Original Message-----", "From: Anna", "text\r",
                ]),
                0..14,
            )
        ) {
            let text = lines.join("\n");
            if let Some(reply) = reply_text(&text) {
                prop_assert!(!reply.trim().is_empty());
                let mut rest = text.lines();
                for line in reply.lines() {
                    prop_assert!(rest.any(|given| given == line), "{line:?} of {reply:?} is not in {text:?}");
                }
            }
        }
    }
}
