//! Strong references: order, invoice, product and case numbers of the business, found in what people write by patterns
//! that an admin configures. Two messages of one customer that name the same number are about the same problem.
//!
//! A pattern is read from left to right, once, without going back:
//!
//! | written | matches |
//! | --- | --- |
//! | `#` | a digit |
//! | `@` | a letter |
//! | `*` | a letter or a digit |
//! | `+` behind one of these | it may come again, as often as it does |
//! | a letter, a digit, `-` `_` `/` `.` `:` | itself, without case |
//!
//! `ORD-######` finds `ORD-004711`. A hyphen right behind a letter or digit of the pattern may be left out or be a blank:
//! `ord 004711` is the same number. What is found stands alone: no further letter or digit may touch it. Full-width
//! letters and digits count as ordinary ones, long dashes as hyphens.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest pattern, in characters.
pub const PATTERN_CHARS_MAX: usize = 64;
/// Fewest places of a pattern that are not fixed: with fewer it would find prices and house numbers.
pub const FREE_PLACES_MIN: usize = 4;
/// Longest number that is found, in bytes.
pub const VALUE_BYTES_MAX: usize = 64;
/// Most strong references that are taken from one message.
pub const FOUND_MAX: usize = 10;
/// Most strong references that a ticket keeps: the first ones.
pub const REFERENCES_MAX: usize = 20;
/// How much of a text is searched, in bytes.
const SEARCHED_BYTES_MAX: usize = 16_384;

/// A number of the business that a message names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct StrongReference {
    /// What it numbers: the name of its pattern, `order`.
    pub name: String,
    /// The number as its pattern writes it, in capitals.
    pub value: String,
}

impl fmt::Display for StrongReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.value)
    }
}

/// How a kind of number looks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReferencePattern {
    /// What it numbers: `order`, `invoice`, `product`.
    pub name: String,
    /// `#` a digit, `@` a letter, `*` either, `+` behind one of these: again; all else stands for itself. `ORD-######`.
    pub pattern: String,
}

/// What is wrong with a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternFault {
    /// Nothing, or too much.
    #[error("a pattern has 1 to {PATTERN_CHARS_MAX} characters")]
    Length,
    /// It says nothing here.
    #[error("{0:?} stands for nothing: use # @ * + letters, digits and - _ / . :")]
    Character(char),
    /// `+` at the start, behind itself, or behind what stands for itself.
    #[error("+ repeats a # @ or * right before it")]
    NothingToRepeat,
    /// What repeats takes all that fits, so nothing of it is left for what follows.
    #[error("what is repeated by + takes everything that {0:?} behind it could match")]
    Swallowed(char),
    /// It would find what is no number of the business.
    #[error("a pattern needs at least {FREE_PLACES_MIN} places of # @ or *, or it finds too much")]
    TooFree,
}

/// A place of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// This byte, a capital where it is a letter.
    Fixed(u8),
    /// A hyphen that may be a blank or missing.
    Hyphen,
    /// A byte of a class: `#`, `@` or `*`.
    Free(u8),
    /// One or more of them.
    Run(u8),
}

fn is_in(class: u8, byte: u8) -> bool {
    match class {
        b'#' => byte.is_ascii_digit(),
        b'@' => byte.is_ascii_alphabetic(),
        _ => byte.is_ascii_alphanumeric(),
    }
}

impl ReferencePattern {
    /// Checks that the pattern can be read.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check(&self) -> Result<(), PatternFault> {
        self.places().map(drop)
    }

    fn places(&self) -> Result<Vec<Place>, PatternFault> {
        if !(1..=PATTERN_CHARS_MAX).contains(&self.pattern.chars().count()) {
            return Err(PatternFault::Length);
        }
        let mut places: Vec<Place> = Vec::new();
        for c in self.pattern.chars() {
            let last = places.last().copied();
            let place = match c {
                '+' => {
                    let Some(Place::Free(class)) = places.pop() else { return Err(PatternFault::NothingToRepeat) };
                    Place::Run(class)
                }
                '#' | '@' | '*' => Place::Free(c as u8),
                '-' if matches!(last, Some(Place::Fixed(byte)) if byte.is_ascii_alphanumeric()) => Place::Hyphen,
                '-' | '_' | '/' | '.' | ':' => Place::Fixed(c as u8),
                c if c.is_ascii_alphanumeric() => Place::Fixed(c.to_ascii_uppercase() as u8),
                c => return Err(PatternFault::Character(c)),
            };
            if let Some(Place::Run(class)) = last.filter(|_| c != '+') {
                let swallowed = match place {
                    Place::Fixed(byte) => is_in(class, byte),
                    Place::Free(next) | Place::Run(next) => class == next || class == b'*' || next == b'*',
                    Place::Hyphen => false,
                };
                if swallowed {
                    return Err(PatternFault::Swallowed(c));
                }
            }
            places.push(place);
        }
        let free = places.iter().filter(|place| matches!(place, Place::Free(_) | Place::Run(_))).count();
        if free < FREE_PLACES_MIN { Err(PatternFault::TooFree) } else { Ok(places) }
    }
}

/// The strong references in the texts, in the order of the patterns and of the texts, each once, at most [`FOUND_MAX`].
/// Patterns that are wrong find nothing.
pub fn find<'a>(patterns: &[ReferencePattern], texts: impl IntoIterator<Item = &'a str>) -> Vec<StrongReference> {
    if patterns.is_empty() {
        return Vec::new();
    }
    let texts: Vec<Vec<u8>> = texts.into_iter().map(plain).collect();
    let mut found: Vec<StrongReference> = Vec::new();
    for pattern in patterns {
        let Ok(places) = pattern.places() else { continue };
        for value in texts.iter().flat_map(|text| matches(&places, text)) {
            let reference = StrongReference { name: pattern.name.clone(), value };
            if !found.contains(&reference) {
                found.push(reference);
            }
            if found.len() >= FOUND_MAX {
                return found;
            }
        }
    }
    found
}

/// The text as patterns see it: one byte a character, in capitals; what is not ASCII separates.
fn plain(text: &str) -> Vec<u8> {
    let searched = crate::message::truncated(text, SEARCHED_BYTES_MAX);
    let byte = |c: char| match c {
        // Full-width forms have the order of ASCII.
        '\u{ff01}'..='\u{ff5e}' => u8::try_from(u32::from(c) - 0xff01 + 0x21).unwrap_or(0),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => b'-',
        '\u{a0}' | '\u{3000}' => b' ',
        c => u8::try_from(c).ok().filter(u8::is_ascii).unwrap_or(0),
    };
    searched.chars().map(|c| byte(c).to_ascii_uppercase()).collect()
}

/// What the places match in a text. Each start is tried once, and no trial reads more than the longest number.
fn matches(places: &[Place], text: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut start = 0;
    while start < text.len() && found.len() < FOUND_MAX {
        let touched = start > 0 && text[start - 1].is_ascii_alphanumeric();
        match match_at(places, &text[start..]).filter(|_| !touched) {
            Some((value, length)) => {
                found.push(value);
                start += length;
            }
            None => start += 1,
        }
    }
    found
}

/// The number at the start of the text, and how many bytes of it that is.
fn match_at(places: &[Place], text: &[u8]) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut at = 0;
    for place in places {
        let next = text.get(at).copied();
        match *place {
            Place::Hyphen => {
                at += usize::from(matches!(next, Some(b'-' | b' ')));
                value.push('-');
            }
            Place::Fixed(byte) => {
                next.filter(|next| *next == byte)?;
                value.push(char::from(byte));
                at += 1;
            }
            Place::Free(class) => {
                value.push(char::from(next.filter(|next| is_in(class, *next))?));
                at += 1;
            }
            Place::Run(class) => {
                let run = text[at..].iter().take(VALUE_BYTES_MAX).take_while(|byte| is_in(class, **byte));
                let before = value.len();
                value.extend(run.map(|byte| char::from(*byte)));
                at += value.len() - before;
                if value.len() == before {
                    return None;
                }
            }
        }
    }
    let stands_alone = !text.get(at).is_some_and(u8::is_ascii_alphanumeric);
    (stands_alone && value.len() <= VALUE_BYTES_MAX).then_some((value, at))
}

#[cfg(test)]
mod tests;
