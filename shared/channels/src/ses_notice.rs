//! The notice that SES publishes for a received mail
//! (<https://docs.aws.amazon.com/ses/latest/dg/receiving-email-notifications-contents.html>): where the raw mail is, whom
//! the envelope names, and what the checks said.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use throughline_domain::message::{Authentication, Verdict};
use throughline_domain::moment::Moment;

/// The notice, as far as it is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// `Received`.
    pub notification_type: String,
    /// The mail.
    pub mail: Mail,
    /// Its reception.
    pub receipt: Receipt,
    /// Ours: the mail comes out of quarantine.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
    /// Ours: the notice was lost, and this one is rebuilt from the raw mail.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rebuilt: bool,
}

/// The mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mail {
    /// When it was received.
    pub timestamp: Moment,
    /// Envelope sender; empty for the null sender. None: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// SES's id for it.
    pub message_id: String,
}

/// The reception.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// Envelope recipients that matched the receipt rule.
    #[serde(default)]
    pub recipients: Vec<String>,
    /// SPF.
    #[serde(default)]
    pub spf_verdict: Option<Check>,
    /// DKIM.
    #[serde(default)]
    pub dkim_verdict: Option<Check>,
    /// DMARC.
    #[serde(default)]
    pub dmarc_verdict: Option<Check>,
    /// Spam.
    #[serde(default)]
    pub spam_verdict: Option<Check>,
    /// Viruses.
    #[serde(default)]
    pub virus_verdict: Option<Check>,
    /// Where the raw mail is.
    pub action: Action,
}

/// What a check said: `PASS`, `FAIL`, `GRAY`, `PROCESSING_FAILED`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The verdict.
    pub status: String,
}

/// Where the raw mail is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    /// `S3`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Bucket.
    pub bucket_name: String,
    /// Object key.
    pub object_key: String,
}

/// An SNS message around the notice, when the subscription does not deliver it raw.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope {
    message: String,
}

/// The text is no notice of a received mail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a notice of a received mail: {0}")]
pub struct NotANotice(String);

/// What is inside an SNS message, or the text itself.
pub(crate) fn unwrapped(text: &str) -> Cow<'_, str> {
    serde_json::from_str::<Envelope>(text).map_or(Cow::Borrowed(text), |envelope| Cow::Owned(envelope.message))
}

/// Reads a notice, with or without the SNS message around it.
///
/// # Errors
/// When the text is neither.
pub fn read(text: &str) -> Result<Notice, NotANotice> {
    let notice: Notice = serde_json::from_str(&unwrapped(text)).map_err(|error| NotANotice(error.to_string()))?;
    if notice.notification_type != "Received" {
        return Err(NotANotice(format!("it is a {} notice", notice.notification_type)));
    }
    Ok(notice)
}

impl Receipt {
    /// The verdicts of the checks; nothing when none was done.
    pub fn authentication(&self) -> Option<Authentication> {
        let checks =
            [&self.spf_verdict, &self.dkim_verdict, &self.dmarc_verdict, &self.spam_verdict, &self.virus_verdict];
        if checks.iter().all(|check| check.is_none()) {
            return None;
        }
        let [spf, dkim, dmarc, spam, virus] = checks.map(|check| match check.as_ref().map(|c| c.status.as_str()) {
            Some("PASS") => Verdict::Pass,
            Some("FAIL") => Verdict::Fail,
            Some("GRAY") => Verdict::Neutral,
            _ => Verdict::Unknown,
        });
        Some(Authentication { spf, dkim, dmarc, spam, virus })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_notice_with_and_without_the_message_around_it() {
        let wrapped = include_str!("../../../events/ingest-email/notice.json");
        let event: serde_json::Value = serde_json::from_str(wrapped).unwrap();
        let body = event["Records"][0]["body"].as_str().unwrap();
        let notice = read(body).unwrap();
        assert_eq!(notice.receipt.recipients, ["support@example.com"]);
        assert_eq!(notice.receipt.authentication().unwrap().dmarc, Verdict::Pass);
        let bare = serde_json::to_string(&notice).unwrap();
        assert_eq!(read(&bare), Ok(notice));
    }

    #[test]
    fn the_sample_events_are_one_mail_on_its_way() {
        let event = |text: &str| -> serde_json::Value { serde_json::from_str(text).unwrap() };
        let body = |event: serde_json::Value| event["Records"][0]["body"].as_str().unwrap().to_owned();
        let notice = read(&body(event(include_str!("../../../events/ingest-email/notice.json")))).unwrap();
        let inboxes =
            serde_json::from_str(r#"{"inboxes":[{"id":"support","channel":"email","address":"support@example.com"}]}"#);
        let delivery = crate::email::Delivery {
            raw: include_bytes!("../../../events/ingest-email/invoice.eml"),
            object_key: &notice.receipt.action.object_key,
            received_at: notice.mail.timestamp,
            envelope_from: notice.mail.source.as_deref(),
            recipients: &notice.receipt.recipients,
            authentication: notice.receipt.authentication(),
        };
        let inbound = crate::email::read(&delivery, &inboxes.unwrap(), &[]).unwrap();
        let sample = event(&body(event(include_str!("../../../events/resolve-identity/inbound.json"))));
        assert_eq!(serde_json::to_value(&inbound).unwrap(), sample["data"]);
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "{}", r#"{"Message":"hello"}"#, r#"{"notificationType":"Bounce"}"#, "\u{0}"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
