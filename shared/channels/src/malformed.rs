//! Bodies that cannot be taken, and reading JSON so that the reason never repeats what a customer wrote.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

/// Longest part of an unknown `type` that is repeated in a reason, in characters.
const KIND_CHARS_SHOWN: usize = 64;

/// Why a body is no message. The texts hold places and rules, not what somebody wrote, so they may be logged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not JSON (HTTP 400). What serde_json refuses counts: lone surrogates, depth over 128, numbers out of range.
    #[error("not JSON: {0}")]
    NotJson(String),
    /// Our own client broke the contract (HTTP 422).
    #[error("{} field(s) break the contract", .0.len())]
    Invalid(Vec<Fault>),
    /// JSON from a sender who proved itself, but nothing that we know: to be acknowledged and quarantined.
    #[error("not understood: {0}")]
    NotUnderstood(String),
}

/// One field that breaks the contract, as problem details list it (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Where: a JSON pointer (RFC 6901); empty for the whole body.
    pub pointer: String,
    /// The rule that it breaks.
    pub detail: String,
}

impl Fault {
    pub(crate) fn new(pointer: &str, detail: &str) -> Self {
        Self { pointer: pointer.to_owned(), detail: detail.to_owned() }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.pointer, self.detail)
    }
}

impl Malformed {
    /// A `type` that we do not know.
    pub(crate) fn unknown_kind(kind: &str) -> Self {
        let shown: String = kind.chars().take(KIND_CHARS_SHOWN).collect();
        Self::NotUnderstood(format!("unknown type {shown:?}"))
    }
}

/// Reads any JSON. Of a name that stands twice in an object the last one counts.
pub(crate) fn json(body: &[u8]) -> Result<Value, Malformed> {
    serde_json::from_slice(body).map_err(|error| Malformed::NotJson(error.to_string()))
}

/// The text at a pointer. Missing, null and blank are the same; a whole number counts as its digits, because senders
/// write ids both ways (a larger one than 64 bits would lose digits, so it does not). Anything else is a fault.
pub(crate) fn text_at<'a>(root: &'a Value, pointer: &str, faults: &mut Vec<Fault>) -> Option<Cow<'a, str>> {
    match root.pointer(pointer)? {
        Value::Null => None,
        Value::String(text) => (!text.trim().is_empty()).then_some(Cow::Borrowed(text)),
        Value::Number(number) if !number.is_f64() => Some(Cow::Owned(number.to_string())),
        _ => {
            faults.push(Fault::new(pointer, "must be a text"));
            None
        }
    }
}

/// Says that the pointer must be filled, unless another fault is named there already.
pub(crate) fn require(pointer: &str, faults: &mut Vec<Fault>) {
    if !faults.iter().any(|fault| fault.pointer == pointer) {
        faults.push(Fault::new(pointer, "is required"));
    }
}

/// Checks that an object stands at the pointer. Missing and null will do unless it is `required`.
pub(crate) fn object_at(root: &Value, pointer: &str, required: bool, faults: &mut Vec<Fault>) {
    match root.pointer(pointer) {
        Some(Value::Object(_)) => (),
        None | Some(Value::Null) if !required => (),
        _ => faults.push(Fault::new(pointer, "must be an object")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_ids_only_while_they_keep_their_digits() {
        let root = json(br#"{"a": 4711, "b": 18446744073709551616, "c": " ", "d": null, "e": [1], "f": "x"}"#).unwrap();
        let mut faults = Vec::new();
        let found: Vec<_> = ["/a", "/b", "/c", "/d", "/e", "/f", "/g"]
            .into_iter()
            .filter_map(|pointer| text_at(&root, pointer, &mut faults))
            .collect();
        assert_eq!(found, ["4711", "x"]);
        assert_eq!(faults.iter().map(|fault| fault.pointer.as_str()).collect::<Vec<_>>(), ["/b", "/e"]);
    }

    #[test]
    fn json_is_what_serde_json_takes() {
        let deep = "[".repeat(200) + &"]".repeat(200);
        for wrong in ["", "{", "\"\\ud800\"", "1e999", "{} {}", deep.as_str(), "\u{feff}{}"] {
            assert!(matches!(json(wrong.as_bytes()), Err(Malformed::NotJson(_))), "{wrong:.20}");
        }
        assert!(matches!(json(b"\"\xff\""), Err(Malformed::NotJson(_))));
        assert_eq!(json(br#"{"a": 1, "a": 2}"#).unwrap()["a"], 2);
    }
}
