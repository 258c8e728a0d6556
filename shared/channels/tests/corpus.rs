//! The corpus: mails as they come, in `tests/fixtures/mail/<category>/<name>.eml`, and what is read out of each, in
//! `<name>.json` beside it.
//!
//! An expectation is a part of the reading: every key in it must be in the reading with that value; a list must have as
//! many elements, each with what is expected of it. The key `delivery` is not expected but given: what the envelope said
//! (`envelope_from`, `recipients`) and the verdict on the sender (`dmarc`).
#![allow(clippy::unwrap_used, clippy::allow_attributes, reason = "a test")]

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};
use throughline_channels::email::{self, Delivery};
use throughline_channels::secrets::ReplyKey;
use throughline_domain::config::Inboxes;
use throughline_domain::inbound::Inbound;
use throughline_domain::message::{Authentication, TEXT_BYTES_MAX, Verdict};
use throughline_domain::moment::Moment;

/// What the envelope of a mail says, where the mail needs that.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    envelope_from: Option<String>,
    #[serde(default)]
    recipients: Vec<String>,
    dmarc: Option<Verdict>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/mail")
}

/// Every mail of the corpus, in a fixed order.
fn mails() -> Vec<PathBuf> {
    let (mut folders, mut mails) = (vec![folder()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "eml") {
                mails.push(path);
            }
        }
    }
    mails.sort();
    mails
}

fn inboxes() -> Inboxes {
    let inboxes = json!({"inboxes": [
        {"id": "support", "channel": "email", "address": "support@shop.example", "brand": "Shop"},
        {"id": "billing", "channel": "email", "address": "billing@shop.example"},
    ]});
    serde_json::from_value(inboxes).unwrap()
}

fn inbound(raw: &[u8], given: &Given) -> Inbound {
    let support = ["support@shop.example".to_owned()];
    let delivery = Delivery {
        raw,
        object_key: "raw/1",
        received_at: Moment::from_ms(1_763_631_000_000),
        envelope_from: given.envelope_from.as_deref(),
        recipients: if given.recipients.is_empty() { &support } else { &given.recipients },
        authentication: given.dmarc.map(|dmarc| Authentication {
            spf: Verdict::Pass,
            dkim: Verdict::Pass,
            dmarc,
            spam: Verdict::Pass,
            virus: Verdict::Pass,
        }),
    };
    let keys = [ReplyKey { id: 'a', secret: "reply secret".into() }];
    email::read(&delivery, &inboxes(), &keys).unwrap()
}

fn reading(raw: &[u8], given: &Given) -> Value {
    let inbound = inbound(raw, given);
    json!({
        "message": inbound.message,
        "claims": inbound.claims,
        "addressed": inbound.addressed,
        "signed_ticket": inbound.signed_ticket,
        "thread_len": inbound.thread.len(),
    })
}

/// Where the reading lacks what is expected, as paths with what is there instead. What a stored form leaves out because
/// it is empty counts as null, and null is expected of it.
fn differences(expected: &Value, found: &Value, at: &str, differences: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for (key, expected) in expected {
                let found = found.get(key).unwrap_or(&Value::Null);
                self::differences(expected, found, &format!("{at}.{key}"), differences);
            }
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            for (n, (expected, found)) in expected.iter().zip(found).enumerate() {
                self::differences(expected, found, &format!("{at}[{n}]"), differences);
            }
        }
        (expected, found) if expected == found => {}
        (expected, found) => differences.push(format!("{at}: expected {expected}, found {found}")),
    }
}

#[test]
fn every_mail_is_read_as_expected() {
    let mails = mails();
    assert!(!mails.is_empty());
    let mut wrong = Vec::new();
    for path in &mails {
        let name = path.strip_prefix(folder()).unwrap().display().to_string();
        let Ok(expectation) = std::fs::read_to_string(path.with_extension("json")) else {
            wrong.push(format!("{name}: no expectation beside it"));
            continue;
        };
        let mut expected: Value = match serde_json::from_str(&expectation) {
            Ok(expected) => expected,
            Err(error) => {
                wrong.push(format!("{name}: {error}"));
                continue;
            }
        };
        let given = expected.as_object_mut().unwrap().remove("delivery");
        let given = given.map(|given| serde_json::from_value(given).unwrap()).unwrap_or_default();
        let found = reading(&std::fs::read(path).unwrap(), &given);
        if expected.pointer("/message").is_none() {
            wrong.push(format!("{name}: nothing is expected of the message"));
        }
        if found["message"]["text"] == "" && expected["message"]["text"] != "" {
            wrong.push(format!("{name}: no text"));
        }
        let mut differences = Vec::new();
        self::differences(&expected, &found, "", &mut differences);
        if !differences.is_empty() {
            let found = serde_json::to_string_pretty(&found).unwrap();
            wrong.push(format!("{name}: {}\n{found}", differences.join("\n    ")));
        }
    }
    assert!(wrong.is_empty(), "{} of {} mails:\n{}", wrong.len(), mails.len(), wrong.join("\n"));
}

#[test]
fn every_expectation_has_its_mail() {
    let (mut folders, mut alone) = (vec![folder()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "json") && !path.with_extension("eml").exists() {
                alone.push(path);
            }
        }
    }
    assert!(alone.is_empty(), "{alone:?}");
}

#[test]
fn files_are_those_that_are_listed() {
    for path in mails() {
        let raw = std::fs::read(&path).unwrap();
        let (files, message) = (email::files(&raw), inbound(&raw, &Given::default()).message);
        assert!(files.iter().all(|(file, bytes)| file.size == bytes.len() as u64), "{}", path.display());
        let listed: Vec<_> = files.into_iter().map(|(file, _)| file).collect();
        assert_eq!(listed, message.attachments, "{}", path.display());
    }
}

/// A change that mail suffers on its way, or that somebody makes on purpose. Places are shares of the mail's length.
#[derive(Clone, Debug)]
enum Damage {
    Byte(f64, u8),
    Cut(f64, f64),
    Repeat(f64, f64),
    Splice(f64, usize, f64),
}

fn damage() -> impl Strategy<Value = Damage> {
    let place = || 0.0..1.0_f64;
    prop_oneof![
        4 => (place(), any::<u8>()).prop_map(|(at, byte)| Damage::Byte(at, byte)),
        2 => (place(), place()).prop_map(|(from, length)| Damage::Cut(from, length * length)),
        1 => (place(), place()).prop_map(|(from, length)| Damage::Repeat(from, length * length)),
        1 => (place(), any::<usize>(), place()).prop_map(|(at, which, from)| Damage::Splice(at, which, from)),
    ]
}

fn damaged(mut raw: Vec<u8>, damages: &[Damage], others: &[Vec<u8>]) -> Vec<u8> {
    for damage in damages {
        let place = |share: f64, length: usize| ((length as f64 * share) as usize).min(length);
        let range = |from: f64, length: f64| {
            let from = place(from, raw.len());
            from..from + place(length, raw.len() - from)
        };
        match damage {
            Damage::Byte(at, byte) => {
                let at = place(*at, raw.len());
                if let Some(old) = raw.get_mut(at) {
                    *old = *byte;
                }
            }
            Damage::Cut(from, length) => drop(raw.drain(range(*from, *length))),
            Damage::Repeat(from, length) => {
                let range = range(*from, *length);
                let piece = raw[range.clone()].to_vec();
                raw.splice(range.end..range.end, piece);
            }
            Damage::Splice(at, which, from) => {
                let other = &others[which % others.len()];
                raw.truncate(place(*at, raw.len()));
                raw.extend_from_slice(&other[place(*from, other.len())..]);
            }
        }
    }
    raw
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    /// A brief fuzz: mails of the corpus, damaged. `fuzz/` does it for hours.
    #[test]
    fn damaged_mails_are_read(which: usize, damages in prop::collection::vec(damage(), 1..6)) {
        static MAILS: std::sync::LazyLock<Vec<Vec<u8>>> =
            std::sync::LazyLock::new(|| mails().iter().map(|path| std::fs::read(path).unwrap()).collect());
        let raw = damaged(MAILS[which % MAILS.len()].clone(), &damages, &MAILS);
        let once = inbound(&raw, &Given::default());
        prop_assert_eq!(&once, &inbound(&raw, &Given::default()));
        let message = &once.message;
        prop_assert!(message.text.len() <= TEXT_BYTES_MAX && !message.text.contains('\0'));
        prop_assert!(message.text.len() <= 4 * raw.len() + 4_096, "text of {} bytes", message.text.len());
        let html = message.html.as_deref().unwrap_or_default();
        prop_assert!(html.len() <= 12 * raw.len() + 4_096, "HTML of {} bytes", html.len());
        for tag in html.split('<').skip(1).filter_map(|piece| piece.split('>').next()) {
            for never in ["script", "svg", "iframe", "style ", "!--"] {
                prop_assert!(!tag.starts_with(never), "{tag} in {html}");
            }
            prop_assert!(!tag.contains(" src=\"http") && !tag.contains("href=\"javascript"), "{tag} in {html}");
        }
        prop_assert!(message.attachments.len() <= email::ATTACHMENTS_MAX);
        let listed: Vec<_> = email::files(&raw).into_iter().map(|(file, _)| file).collect();
        prop_assert_eq!(&listed, &message.attachments);
        prop_assert_eq!(email::ledger_key(&raw), once.key);
    }
}
