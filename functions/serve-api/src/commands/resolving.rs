//! What agents say of a ticket besides writing: how it ended, and its custom fields. Both by the rules of the
//! configuration.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use throughline_domain::config::TicketingRules;
use throughline_domain::event::{Actor, Changes, EventData, FieldsChanged, StatusChanged};
use throughline_domain::ticket::{
    FIELDS_BYTES_MAX, FIELDS_MAX, RESOLUTION_BYTES_MAX, Resolution, Status, Ticket, field_bytes,
};
use throughline_platform::problem::{Fault, Problem};

/// How a ticket ends: only with a status of `resolved` or `closed`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Ending {
    /// In one of the words that `ticketing` names: `solved`, `duplicate`.
    pub(crate) disposition: Option<String>,
    /// What was done about it, for whoever reads the ticket later. At most 2,000 bytes.
    pub(crate) resolution: Option<String>,
}

/// `POST …/fields`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Fields {
    /// Values by field. `ticketing` names the fields and what they hold.
    pub(crate) set: BTreeMap<String, Value>,
    /// Fields to remove, also those that a form or a business system sent.
    pub(crate) remove: Vec<String>,
}

fn fault(pointer: impl Into<String>, detail: impl Into<String>) -> Fault {
    Fault { pointer: pointer.into(), detail: detail.into() }
}

/// A change of status with what is said of the end. `pointer` is where the request names the status.
///
/// Who resolves or closes a live ticket has to say what the configuration asks for. Who says it again of one that is done
/// puts the earlier words right.
pub(super) fn ended(
    ticket: &Ticket,
    to: Status,
    said: &Ending,
    rules: &TicketingRules,
    pointer: &str,
) -> Result<StatusChanged, Problem> {
    let from = ticket.head.status;
    let wanted = &rules.resolving;
    let clean = |text: &Option<String>| text.as_deref().map(|text| text.trim().replace('\0', ""));
    let disposition = clean(&said.disposition).filter(|text| !text.is_empty());
    let resolution = clean(&said.resolution).filter(|text| !text.is_empty());
    let mut faults = Vec::new();
    if to.is_live() && (disposition.is_some() || resolution.is_some()) {
        let place = if disposition.is_some() { "/disposition" } else { "/resolution" };
        faults.push(fault(place, "only a ticket that is resolved or closed has an end to speak of"));
    }
    let choices = || wanted.dispositions.join(", ");
    match &disposition {
        Some(word) if !wanted.dispositions.contains(word) => {
            faults.push(fault("/disposition", format!("must be one of: {}", choices())));
        }
        None if wanted.require_disposition && from.is_live() && !to.is_live() => {
            faults.push(fault("/disposition", format!("has to be said, one of: {}", choices())));
        }
        _ => {}
    }
    match &resolution {
        Some(note) if note.len() > RESOLUTION_BYTES_MAX => {
            faults.push(fault("/resolution", format!("at most {RESOLUTION_BYTES_MAX} bytes")));
        }
        None if wanted.require_note && from.is_live() && !to.is_live() => {
            faults.push(fault("/resolution", "has to be said: what was done about it"));
        }
        _ => {}
    }
    if from.is_live() && !to.is_live() {
        let missing = |key: &&str| !ticket.detail.fields.contains_key(*key);
        let required = rules.fields.iter().filter(|field| field.required_to_resolve).map(|field| field.key.as_str());
        let missing = required.filter(missing);
        faults.extend(missing.map(|key| fault(pointer, format!("the field {key} has to be set before"))));
    }
    if faults.is_empty() {
        Ok(StatusChanged { from, to, disposition, resolution })
    } else {
        Err(Problem::invalid(faults))
    }
}

/// Whether a change says nothing that the ticket does not say already.
pub(super) fn is_known(ticket: &Ticket, change: &StatusChanged) -> bool {
    let silent = change.disposition.is_none() && change.resolution.is_none();
    let said = Resolution { disposition: change.disposition.clone(), note: change.resolution.clone() };
    change.from == change.to && (silent || ticket.detail.resolution.as_ref() == Some(&said))
}

/// Checks values of custom fields; `pointer` is where the request names them.
pub(super) fn check_fields(set: &BTreeMap<String, Value>, rules: &TicketingRules, pointer: &str) -> Vec<Fault> {
    let place = |key: &str| format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
    let mut faults = Vec::new();
    for (key, value) in set {
        let refused = match rules.field(key) {
            Some(rule) => rule.refuses(value),
            None => {
                let known: Vec<&str> = rules.fields.iter().map(|field| field.key.as_str()).collect();
                Some(match known.is_empty() {
                    true => "no field is configured".to_owned(),
                    false => format!("there is no such field; there are: {}", known.join(", ")),
                })
            }
        };
        faults.extend(refused.map(|detail| fault(place(key), detail)));
    }
    faults
}

/// A change of custom fields: only what changes.
pub(super) fn fields(
    ticket: &Ticket,
    wanted: &Fields,
    rules: &TicketingRules,
    actor: Actor,
) -> Result<Changes, Problem> {
    let mut faults = check_fields(&wanted.set, rules, "/set");
    for (i, key) in wanted.remove.iter().enumerate() {
        if wanted.set.contains_key(key) {
            faults.push(fault(format!("/remove/{i}"), "it is set by the same request"));
        }
    }
    let known = &ticket.detail.fields;
    let mut removed: Vec<String> = wanted.remove.iter().filter(|key| known.contains_key(*key)).cloned().collect();
    removed.sort_unstable();
    removed.dedup();
    let set: BTreeMap<String, Value> =
        wanted.set.clone().into_iter().filter(|(key, value)| known.get(key) != Some(value)).collect();
    let new = set.keys().filter(|key| !known.contains_key(*key)).count();
    if known.len() + new > FIELDS_MAX + removed.len() {
        faults.push(fault("/set", format!("a ticket has at most {FIELDS_MAX} fields")));
    }
    let kept = known.iter().filter(|(key, _)| !removed.contains(*key) && !set.contains_key(*key));
    let bytes: usize = kept.chain(&set).map(|(key, value)| field_bytes(key, value)).sum();
    if !set.is_empty() && bytes > FIELDS_BYTES_MAX {
        faults.push(fault("/set", format!("the fields of a ticket have at most {FIELDS_BYTES_MAX} bytes together")));
    }
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    let mut changes = Changes::new();
    if !(set.is_empty() && removed.is_empty()) {
        changes.push(actor, EventData::FieldsChanged(FieldsChanged { set, removed }));
    }
    Ok(changes)
}
