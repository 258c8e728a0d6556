//! The help centre's form: anybody may fill it in, and nobody proves who they are.
//!
//! The answer goes to the address in the form, so that may match, unverified. The form is our own client: what breaks
//! the contract is told with JSON pointers (RFC 6901). A field that people do not see is filled only by robots.

use serde_json::Value;
use throughline_domain::config::Inbox;
use throughline_domain::identifier::{Identifier, IdentifierKind};
use throughline_domain::inbound::{Claim, Inbound, Proof};
use throughline_domain::moment::Moment;

use crate::malformed::{Fault, Malformed, json, object_at, require, text_at};
use crate::provider::{Said, cut_id};
use crate::text::{SUBJECT_BYTES_MAX, clean_line};
use crate::upload::files_at;
use crate::web_chat::LOCALE_BYTES_MAX;
use crate::webhook::fields_at;

/// Longest `submission_id`, in characters.
pub const SUBMISSION_ID_CHARS_MAX: usize = 128;
/// The field that people do not see.
const HONEYPOT: &str = "/hp_website";

/// What somebody posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Posted {
    /// A person asks something.
    Message(Box<Inbound>),
    /// A robot filled the field that people do not see. It is to be told that all is well.
    Robot,
}

/// Reads what was posted to the form. Its files are still uploads ([`crate::upload`]).
///
/// # Errors
/// When it is not JSON, or breaks the contract: all faults of it.
pub fn parse(body: &[u8], inbox: &Inbox, received_at: Moment) -> Result<Posted, Malformed> {
    let root = json(body)?;
    if is_filled(root.pointer(HONEYPOT)) {
        return Ok(Posted::Robot);
    }
    let mut faults = Vec::new();
    object_at(&root, "", true, &mut faults);
    object_at(&root, "/requester", true, &mut faults);
    object_at(&root, "/fields", false, &mut faults);
    let mut said = Said::default();
    let submission_id = submission_id(&root, &mut faults);
    let email = email(&root, &mut faults);
    said.subject = required(&root, "/subject", &mut faults).and_then(|text| clean_line(&text, SUBJECT_BYTES_MAX));
    said.text = required(&root, "/description", &mut faults).unwrap_or_default();
    said.name = text_at(&root, "/requester/name", &mut faults).map(|name| name.into_owned());
    said.language = text_at(&root, "/locale", &mut faults).and_then(|locale| clean_line(&locale, LOCALE_BYTES_MAX));
    let phone = text_at(&root, "/requester/phone", &mut faults).map(|phone| phone.into_owned());
    said.attachments = files_at(&root, "/attachments", &mut faults);
    let (Some(submission_id), Some(email), true) = (submission_id, email, faults.is_empty()) else {
        return Err(Malformed::Invalid(faults));
    };
    // Scoped to the address: nobody can name the submission of another.
    said.id = cut_id(&format!("{}:{submission_id}", email.value()));
    said.claims.push(Claim { identifier: email, proof: Proof::Answerable });
    if let Some(phone) = phone {
        said.claim(IdentifierKind::Phone, &phone, inbox.country.as_deref(), Proof::Typed);
    }
    said.fields = fields_at(&root, "/fields", &mut said.warnings);
    Ok(Posted::Message(Box::new(said.into_inbound(inbox, received_at))))
}

fn is_filled(honeypot: Option<&Value>) -> bool {
    match honeypot {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.trim().is_empty(),
        Some(_) => true,
    }
}

fn required(root: &Value, pointer: &str, faults: &mut Vec<Fault>) -> Option<String> {
    let text = text_at(root, pointer, faults).map(|text| text.into_owned());
    // What consists of characters that are not kept says nothing either.
    let text = text.filter(|text| clean_line(text, SUBJECT_BYTES_MAX).is_some());
    if text.is_none() {
        require(pointer, faults);
    }
    text
}

fn submission_id(root: &Value, faults: &mut Vec<Fault>) -> Option<String> {
    let id = required(root, "/submission_id", faults)?;
    if id.chars().count() > SUBMISSION_ID_CHARS_MAX || id.chars().any(char::is_control) {
        let rule = format!("must be 1 to {SUBMISSION_ID_CHARS_MAX} characters without control characters");
        faults.push(Fault::new("/submission_id", &rule));
    }
    Some(id)
}

/// The address that the answer goes to.
fn email(root: &Value, faults: &mut Vec<Fault>) -> Option<Identifier> {
    let given = required(root, "/requester/email", faults)?;
    let email = Identifier::email(&given).ok();
    if email.is_none() {
        faults.push(Fault::new("/requester/email", "must be a mail address"));
    }
    email
}

#[cfg(test)]
mod tests;
