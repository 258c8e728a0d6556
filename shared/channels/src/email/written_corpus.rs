//! Reads the mails of `tests/fixtures/mail/reply` and `automatic` and compares with what stands beside them.
//! Temporary: the harness of the whole corpus takes this over.

use std::path::Path;

use serde_json::Value;
use throughline_domain::config::Inboxes;
use throughline_domain::moment::Moment;

use super::{Delivery, read};

/// Where `found` is not as `wanted` says; null means that nothing may be there.
fn differences(path: &str, wanted: &Value, found: Option<&Value>, differences_found: &mut Vec<String>) {
    match (wanted, found) {
        (Value::Object(fields), Some(Value::Object(given))) => {
            for (name, value) in fields {
                differences(&format!("{path}.{name}"), value, given.get(name), differences_found);
            }
        }
        (Value::Null, None) => {}
        (wanted, Some(found)) if wanted == found => {}
        _ => differences_found.push(format!("{path}: wanted {wanted}, found {found:?}")),
    }
}

#[test]
fn mails_read_as_written_beside_them() {
    let inboxes: Inboxes = serde_json::from_str(
        r#"{"inboxes":[{"id":"support","channel":"email","address":"support@shop.example","brand":"Shop"}]}"#,
    )
    .unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/mail");
    let recipients = ["support@shop.example".to_owned()];
    let (mut count, mut wrong) = (0, Vec::new());
    for folder in ["reply", "automatic"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "eml") {
                continue;
            }
            let raw = std::fs::read(&path).unwrap();
            let wanted: Value = serde_json::from_slice(&std::fs::read(path.with_extension("json")).unwrap()).unwrap();
            let delivery = Delivery {
                raw: &raw,
                object_key: "raw/1",
                received_at: Moment::from_ms(1_763_631_000_000),
                envelope_from: None,
                recipients: &recipients,
                authentication: None,
            };
            let message = serde_json::to_value(&read(&delivery, &inboxes, &[]).unwrap().message).unwrap();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            differences(&name, &wanted["message"], Some(&message), &mut wrong);
            count += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 45, "{count} mails");
}
