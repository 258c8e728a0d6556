//! What mail systems report about messages that we sent: the standard form (RFC 3464), and what Exim, qmail and older
//! programs write instead.

use std::borrow::Cow;

use throughline_domain::message::{DeliveryAction, DeliveryReport, ReportedRecipient};

use super::fields::HEADERS_BYTES_MAX;
use super::headers::{self, Headers};
use super::{clean, header_text};

/// Most recipients kept of a report.
const RECIPIENTS_MAX: usize = 50;
/// Longest diagnostic kept, in bytes.
const DIAGNOSTIC_BYTES_MAX: usize = 500;
/// Most bytes that are read of a status part.
pub(super) const STATUS_BYTES_MAX: usize = HEADERS_BYTES_MAX;
/// Most ids kept of what the reported message referred to; of more, the nearest.
const REFERENCES_MAX: usize = 20;

/// What a mail has that may be a report.
pub(super) struct Traits<'a> {
    pub(super) headers: &'a Headers<'a>,
    /// The `message/delivery-status` parts, decoded.
    pub(super) statuses: &'a [Cow<'a, [u8]>],
    /// The attached original, or its headers.
    pub(super) originals: &'a dyn Fn() -> Vec<Cow<'a, [u8]>>,
    /// The text.
    pub(super) text: &'a str,
}

/// The report that a mail is; None for every other mail. A person's mail with a report attached is none: only the mail's
/// own type or a header that only mail systems write make one.
pub(super) fn report(traits: &Traits<'_>) -> Option<DeliveryReport> {
    let failed = failed_recipients(traits.headers);
    let is_standard = !traits.statuses.is_empty() && traits.headers.is_report();
    let is_qmail = traits.text.starts_with("Hi. This is the qmail-send program at");
    if !is_standard && !is_qmail && failed.is_empty() {
        return None;
    }
    let mut recipients: Vec<_> = traits.statuses.iter().flat_map(|status| recipients(status)).collect();
    if recipients.is_empty() {
        recipients = failed.into_iter().map(|address| in_text(address, traits.text)).collect();
    }
    if recipients.is_empty() && is_qmail {
        recipients = qmail(traits.text);
    }
    recipients.truncate(RECIPIENTS_MAX);
    let copy = copy_in_text(traits.text).map(str::as_bytes);
    let originals = (traits.originals)();
    let mut originals = originals.iter().map(AsRef::as_ref).chain(copy);
    let mut report = DeliveryReport { recipients, ..DeliveryReport::default() };
    let named = originals.find_map(|original| {
        let fields = header_text::readable(original);
        let headers = Headers::of_mail(&fields);
        let id = headers.ids("message-id").into_iter().next();
        let mut references = headers.ids("references");
        references.extend(headers.ids("in-reply-to").into_iter().rev());
        let references = headers::without_doubles(references);
        (id.is_some() || !references.is_empty()).then_some((id, references))
    });
    if let Some((id, mut references)) = named {
        references.drain(..references.len().saturating_sub(REFERENCES_MAX));
        (report.original_message_id, report.original_references) = (id, references);
    }
    Some(report)
}

/// The `Action` fields, in lower case: what decides whether a report is about a failure.
pub(super) fn actions(statuses: &[Cow<'_, [u8]>]) -> Vec<String> {
    let groups = statuses.iter().flat_map(|status| groups(status));
    groups.filter_map(|group| field(&group, "action").map(|action| action.to_ascii_lowercase())).collect()
}

type Group = Vec<(String, String)>;

/// The groups of fields of a status part: one about the report, then one a recipient (RFC 3464, section 2.1).
fn groups(status: &[u8]) -> Vec<Group> {
    let text = String::from_utf8_lossy(&status[..status.len().min(STATUS_BYTES_MAX)]);
    let mut groups: Vec<Group> = vec![Group::new()];
    for line in text.lines() {
        if line.trim().is_empty() {
            groups.push(Group::new());
        } else if let Some(group) = groups.last_mut() {
            match (line.starts_with([' ', '\t']), line.split_once(':'), group.last_mut()) {
                (true, _, Some((_, value))) => {
                    value.push(' ');
                    value.push_str(line.trim());
                }
                (false, Some((name, value)), _) => {
                    group.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
                }
                _ => {}
            }
        }
    }
    groups.retain(|group| !group.is_empty());
    groups
}

fn field<'a>(group: &'a Group, name: &str) -> Option<&'a str> {
    group.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
}

fn recipients(status: &[u8]) -> Vec<ReportedRecipient> {
    groups(status).iter().filter_map(recipient).take(RECIPIENTS_MAX).collect()
}

fn recipient(group: &Group) -> Option<ReportedRecipient> {
    // The original recipient is encoded where it holds `+` or `=` (RFC 3461, section 4), which few programs do and many
    // undo; if what stands there is no address, the final one counts.
    let addresses = ["original-recipient", "final-recipient"].into_iter().filter_map(|name| field(group, name));
    let address = addresses.filter_map(address).next()?;
    let status = field(group, "status").and_then(status_code);
    let diagnostic = field(group, "diagnostic-code").map(|value| value.split_once(';').map_or(value, |(_, text)| text));
    let action = match field(group, "action").map(str::to_ascii_lowercase).as_deref().unwrap_or_default() {
        given if given.starts_with("failed") => DeliveryAction::Failed,
        given if given.starts_with("delayed") => DeliveryAction::Delayed,
        given if given.starts_with("delivered") => DeliveryAction::Delivered,
        given if given.starts_with("relayed") => DeliveryAction::Relayed,
        given if given.starts_with("expanded") => DeliveryAction::Expanded,
        _ => match status.as_deref().and_then(|status| status.chars().next())? {
            '5' => DeliveryAction::Failed,
            '4' => DeliveryAction::Delayed,
            _ => DeliveryAction::Delivered,
        },
    };
    let diagnostic = diagnostic.and_then(|text| clean::line(text, DIAGNOSTIC_BYTES_MAX));
    Some(ReportedRecipient { address, action, status, diagnostic })
}

/// `rfc822; anna@example.com`, normalized.
fn address(value: &str) -> Option<String> {
    let text = value.split_once(';').map_or(value, |(_, text)| text);
    let text = text.trim().trim_matches(['<', '>']);
    Some(headers::address(text, None)?.identifier.value().to_owned())
}

/// The first enhanced status code in a text.
fn status_code(text: &str) -> Option<String> {
    text.split(|c: char| !c.is_ascii_digit() && c != '.').find_map(|word| {
        let numbers: Vec<&str> = word.trim_end_matches('.').split('.').collect();
        let are_numbers = numbers.iter().all(|number| matches!(number.len(), 1..=3));
        let is_code = numbers.len() == 3 && are_numbers && matches!(numbers[0], "2" | "4" | "5");
        is_code.then(|| numbers.join("."))
    })
}

/// The addresses in X-Failed-Recipients, normalized.
fn failed_recipients(headers: &Headers<'_>) -> Vec<String> {
    let value = headers.text("X-Failed-Recipients").unwrap_or_default();
    value.split(',').filter_map(address).take(RECIPIENTS_MAX).collect()
}

/// What a text says about an address that failed: the lines under the one that names it.
fn in_text(address: String, text: &str) -> ReportedRecipient {
    let named = |line: &&str| {
        let line = line.trim().trim_end_matches(':').trim_matches(['<', '>']);
        line.eq_ignore_ascii_case(&address)
    };
    let under = text.lines().skip_while(|line| !named(line)).skip(1);
    let said: Vec<&str> = under.map(str::trim).take_while(|line| !line.is_empty()).take(10).collect();
    let diagnostic = clean::line(&said.join(" "), DIAGNOSTIC_BYTES_MAX);
    let status = diagnostic.as_deref().and_then(status_code);
    ReportedRecipient { address, action: DeliveryAction::Failed, status, diagnostic }
}

/// Lines of the form `<anna@example.com>:`, each with what was said under it.
fn qmail(text: &str) -> Vec<ReportedRecipient> {
    let before = copy_in_text(text).map_or(text, |copy| &text[..text.len() - copy.len()]);
    let named = before.lines().filter_map(|line| line.trim().strip_prefix('<')?.strip_suffix(">:"));
    named.filter_map(address).take(RECIPIENTS_MAX).map(|address| in_text(address, before)).collect()
}

/// What stands under `--- Below this line is a copy of the message.` and the like.
fn copy_in_text(text: &str) -> Option<&str> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        at += line.len();
        let words = line.to_ascii_lowercase();
        let is_mark = words.trim_start().starts_with("---") && words.contains("copy of");
        if is_mark || words.trim() == "--- original message follows." {
            return Some(text[at..].trim_start());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_codes_are_found_in_words() {
        assert_eq!(status_code("5.1.1 (user unknown)").as_deref(), Some("5.1.1"));
        assert_eq!(status_code("smtp; 550 5.7.26 rejected").as_deref(), Some("5.7.26"));
        assert_eq!(status_code("from 10.0.0.1 said 550"), None);
    }

    #[test]
    fn standard_reports_name_recipients() {
        let status = b"Reporting-MTA: dns; mx.example\r\n\r\nOriginal-Recipient: rfc822;Anna@x.example\r\n\
            Final-Recipient: rfc822; b@y.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\
            Diagnostic-Code: smtp; 550 No such\r\n user\r\n\r\nFinal-Recipient: rfc822; c@y.example\r\nStatus: 4.4.7\r\n";
        let found = recipients(status);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].address.as_str(), found[0].action), ("anna@x.example", DeliveryAction::Failed));
        assert_eq!(found[0].diagnostic.as_deref(), Some("550 No such user"));
        assert_eq!((found[1].address.as_str(), found[1].action), ("c@y.example", DeliveryAction::Delayed));
        assert_eq!(actions(&[status[..].into()]), ["failed"]);
    }
}
