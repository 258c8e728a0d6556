//! What a bot knows of the conversation that it hands over, within limits: it is kept with the ticket's events.

use serde_json::Value;
use throughline_domain::message::{AttemptedStep, Handoff, TranscriptLine, TranscriptRole, truncated};

use super::line_at;
use crate::malformed::{Fault, text_at};
use crate::text::clean;
use crate::webhook::name_at;

/// Most lines kept of a transcript: the last ones.
pub(super) const TRANSCRIPT_LINES_MAX: usize = 200;
/// Most bytes kept of a transcript's texts (64 KiB).
pub(super) const TRANSCRIPT_BYTES_MAX: usize = 65_536;
/// Longest text kept of one line, of the summary, the reason or a step, in bytes.
pub(super) const TEXT_BYTES_MAX: usize = 4096;
/// Most attempted steps kept: the first ones.
pub(super) const STEPS_MAX: usize = 50;

/// Reads it; what is wrong in it is left out.
pub(super) fn handoff(root: &Value, warnings: &mut Vec<String>, minor: &mut Vec<Fault>) -> Handoff {
    Handoff {
        bot_id: line_at(root, "/data/bot_id", minor).unwrap_or_default(),
        conversation_ref: name_at(root, "/data/conversation_ref", minor),
        channel: line_at(root, "/data/channel", minor),
        intent: line_at(root, "/data/intent/name", minor),
        intent_percent: share_at(root, "/data/intent/confidence", 0.0, minor)
            .and_then(|percent| u8::try_from(percent).ok()),
        sentiment: line_at(root, "/data/sentiment/label", minor),
        sentiment_percent: share_at(root, "/data/sentiment/score", -1.0, minor)
            .and_then(|percent| i8::try_from(percent).ok()),
        summary: short_at(root, "/data/summary", warnings, minor),
        reason: short_at(root, "/data/reason", warnings, minor),
        requested_skill: line_at(root, "/data/requested_skill", minor),
        transcript: transcript(root, warnings, minor),
        attempted_steps: steps(root, warnings, minor),
    }
}

/// A share of one between `least` and 1, in per cent.
fn share_at(root: &Value, pointer: &str, least: f64, minor: &mut Vec<Fault>) -> Option<i64> {
    let given = root.pointer(pointer).filter(|given| !given.is_null())?;
    match given.as_f64().filter(|share| (least..=1.0).contains(share)) {
        // At most a hundred: nothing is lost.
        Some(share) => Some((share * 100.0).round() as i64),
        None => {
            minor.push(Fault::new(pointer, &format!("must be a number from {least} to 1")));
            None
        }
    }
}

fn short_at(root: &Value, pointer: &str, warnings: &mut Vec<String>, minor: &mut Vec<Fault>) -> Option<String> {
    let text = text_at(root, pointer, minor)?;
    Some(short(&text, pointer, warnings))
}

/// The text without NUL, and at most [`TEXT_BYTES_MAX`] of it.
fn short(text: &str, pointer: &str, warnings: &mut Vec<String>) -> String {
    let kept = truncated(text, TEXT_BYTES_MAX);
    if kept.len() < text.len() {
        warnings.push(format!("{pointer} is cut at {TEXT_BYTES_MAX} bytes"));
    }
    clean(kept, &mut Vec::new())
}

/// The array at a pointer; anything else is none.
fn items<'a>(root: &'a Value, pointer: &str, minor: &mut Vec<Fault>) -> &'a [Value] {
    match root.pointer(pointer) {
        None | Some(Value::Null) => &[],
        Some(Value::Array(items)) => items,
        Some(_) => {
            minor.push(Fault::new(pointer, "must be an array"));
            &[]
        }
    }
}

/// What was said. The last lines are kept: they are what the customer waits for an answer to.
fn transcript(root: &Value, warnings: &mut Vec<String>, minor: &mut Vec<Fault>) -> Vec<TranscriptLine> {
    let pointer = "/data/transcript";
    let items = items(root, pointer, minor);
    let mut kept = Vec::new();
    let mut bytes = 0;
    let (mut cut, mut wrong) = (0, 0);
    for item in items.iter().rev() {
        let Some(line) = line(item) else {
            wrong += 1;
            continue;
        };
        if kept.len() == TRANSCRIPT_LINES_MAX || bytes + line.text.len() > TRANSCRIPT_BYTES_MAX {
            break;
        }
        cut += usize::from(item["text"].as_str().is_some_and(|text| text.len() > TEXT_BYTES_MAX));
        bytes += line.text.len();
        kept.push(line);
    }
    kept.reverse();
    let old = items.len() - kept.len() - wrong;
    if old > 0 {
        warnings.push(format!("the first {old} of {} lines of the transcript are left out", items.len()));
    }
    if wrong > 0 {
        warnings.push(format!("{wrong} line(s) of the transcript without text are left out"));
    }
    if cut > 0 {
        warnings.push(format!("{cut} line(s) of the transcript are cut at {TEXT_BYTES_MAX} bytes"));
    }
    kept
}

fn line(item: &Value) -> Option<TranscriptLine> {
    let mut ignored = Vec::new();
    let text = item["text"].as_str()?;
    Some(TranscriptLine {
        id: line_at(item, "/id", &mut ignored).unwrap_or_default(),
        role: role(item["role"].as_str().unwrap_or_default()),
        text: clean(truncated(text, TEXT_BYTES_MAX), &mut Vec::new()),
        at: item["at"].as_str().and_then(|at| at.parse().ok()),
    })
}

/// Who said it, in the words that bots use.
fn role(name: &str) -> TranscriptRole {
    match name.to_ascii_lowercase().as_str() {
        "customer" | "user" | "visitor" => TranscriptRole::Customer,
        "bot" | "assistant" => TranscriptRole::Bot,
        "agent" | "human" => TranscriptRole::Agent,
        _ => TranscriptRole::System,
    }
}

/// What was tried: steps with their outcomes, or their names alone.
fn steps(root: &Value, warnings: &mut Vec<String>, minor: &mut Vec<Fault>) -> Vec<AttemptedStep> {
    let pointer = "/data/attempted_steps";
    let items = items(root, pointer, minor);
    let step = |item: &Value| {
        let step = item.as_str().or_else(|| item["step"].as_str())?;
        let outcome = item["outcome"].as_str().unwrap_or_default();
        let text = |text: &str| clean(truncated(text, TEXT_BYTES_MAX), &mut Vec::new());
        Some(AttemptedStep { step: text(step), outcome: text(outcome) })
    };
    let kept: Vec<AttemptedStep> = items.iter().filter_map(step).take(STEPS_MAX).collect();
    if kept.len() < items.len() {
        warnings.push(format!("{} of {} attempted steps are left out", items.len() - kept.len(), items.len()));
    }
    kept
}
