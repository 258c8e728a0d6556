//! What SES tells of mail that we sent: bounces and complaints
//! (<https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html>; the older notifications of
//! identities have the same content under `notificationType`).

use serde::Deserialize;
use throughline_domain::identifier::Identifier;
use throughline_domain::message_change::{Changed, DeliveryState};
use throughline_domain::moment::Moment;
use throughline_domain::suppression::SuppressionKind;

use crate::ses_notice::unwrapped;
use crate::text::clean_line;

/// Longest reason that is kept of a recipient, in bytes.
const REASON_BYTES_MAX: usize = 400;
/// Most recipients that are read of one event: SES sends to at most 50.
const RECIPIENTS_MAX: usize = 50;

/// What became of a mail that we sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentMailEvent {
    /// SES's id of the mail.
    pub ses_id: String,
    /// The address that it was sent from.
    pub source: String,
    /// What became of it, for each recipient that the event names.
    pub recipients: Vec<(Identifier, Changed)>,
    /// What tells this event from others about the same mail.
    pub event: String,
    /// When it happened.
    pub at: Option<Moment>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    #[serde(alias = "notificationType")]
    event_type: String,
    mail: Mail,
    bounce: Option<Bounce>,
    complaint: Option<Complaint>,
    reject: Option<Reject>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mail {
    message_id: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    destination: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bounce {
    #[serde(default)]
    bounce_type: String,
    #[serde(default)]
    bounce_sub_type: String,
    #[serde(default)]
    bounced_recipients: Vec<Recipient>,
    timestamp: Option<Moment>,
    feedback_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Complaint {
    #[serde(default)]
    complained_recipients: Vec<Recipient>,
    complaint_feedback_type: Option<String>,
    timestamp: Option<Moment>,
    feedback_id: Option<String>,
}

#[derive(Deserialize)]
struct Reject {
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recipient {
    email_address: String,
    diagnostic_code: Option<String>,
    status: Option<String>,
}

/// Reads an event about a mail that we sent, with or without the SNS message around it. Nothing for any other text, and for
/// events that say nothing new: that SES took the mail, that it was delivered, that it takes longer.
pub fn read(text: &str) -> Option<SentMailEvent> {
    let event: Event = serde_json::from_str(&unwrapped(text)).ok()?;
    let (named, at, id): (Vec<(&str, Changed)>, _, _) = match (event.event_type.as_str(), &event) {
        ("Bounce", Event { bounce: Some(bounce), .. }) => {
            let recipients = bounce.bounced_recipients.iter();
            let named = recipients.map(|recipient| (recipient.email_address.as_str(), bounced(bounce, recipient)));
            (named.collect(), bounce.timestamp, bounce.feedback_id.as_deref())
        }
        ("Complaint", Event { complaint: Some(complaint), .. }) => {
            let why = complaint.complaint_feedback_type.as_deref().unwrap_or("no type given");
            let reason = format!("the recipient complained about it ({why})");
            let change = failed(&reason, Some(SuppressionKind::Complained));
            let recipients = complaint.complained_recipients.iter();
            let named = recipients.map(|recipient| (recipient.email_address.as_str(), change.clone()));
            (named.collect(), complaint.timestamp, complaint.feedback_id.as_deref())
        }
        ("Reject", Event { reject: Some(reject), mail, .. }) => {
            let change = failed(reject.reason.as_deref().unwrap_or("SES rejected it"), None);
            (mail.destination.iter().map(|address| (address.as_str(), change.clone())).collect(), None, None)
        }
        _ => return None,
    };
    let recipients = named.into_iter().take(RECIPIENTS_MAX);
    let recipients = recipients.filter_map(|(address, change)| Some((Identifier::email(address).ok()?, change)));
    Some(SentMailEvent {
        recipients: recipients.collect(),
        event: id.map_or_else(|| event.event_type.clone(), str::to_owned),
        source: event.mail.source,
        ses_id: event.mail.message_id,
        at,
    })
}

/// Only a permanent bounce says that the address is no good; one for the mail's content or size does not.
fn bounced(bounce: &Bounce, recipient: &Recipient) -> Changed {
    let address_is_bad = bounce.bounce_type == "Permanent"
        && matches!(
            bounce.bounce_sub_type.as_str(),
            "General" | "NoEmail" | "Suppressed" | "OnAccountSuppressionList" | ""
        );
    let said = [recipient.status.as_deref(), recipient.diagnostic_code.as_deref()];
    let said: Vec<&str> = said.into_iter().flatten().collect();
    let reason = if said.is_empty() {
        format!("bounced ({} {})", bounce.bounce_type, bounce.bounce_sub_type)
    } else {
        said.join(" ")
    };
    failed(&reason, address_is_bad.then_some(SuppressionKind::Unreachable))
}

fn failed(reason: &str, suppress: Option<SuppressionKind>) -> Changed {
    let reason = clean_line(reason, REASON_BYTES_MAX);
    Changed::Reported { state: DeliveryState::Failed, suppress, reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn mail() -> serde_json::Value {
        json!({"messageId": "0102-abc", "source": "support@example.com", "destination": ["anna@example.org"]})
    }

    fn of(event: &serde_json::Value) -> SentMailEvent {
        read(&event.to_string()).unwrap()
    }

    #[test]
    fn a_permanent_bounce_suppresses_and_a_passing_one_does_not() {
        for (kind, sub, suppress) in [
            ("Permanent", "General", Some(SuppressionKind::Unreachable)),
            ("Permanent", "MessageTooLarge", None),
            ("Transient", "MailboxFull", None),
            ("Undetermined", "Undetermined", None),
        ] {
            let event = of(&json!({"eventType": "Bounce", "mail": mail(), "bounce": {
                "bounceType": kind, "bounceSubType": sub, "feedbackId": "f-1", "timestamp": "2026-11-20T14:00:00.000Z",
                "bouncedRecipients": [{"emailAddress": "Anna@Example.org", "action": "failed", "status": "5.1.1",
                    "diagnosticCode": "smtp; 550 5.1.1 user unknown"}, {"emailAddress": "no address"}]}}));
            assert_eq!((event.ses_id.as_str(), event.event.as_str()), ("0102-abc", "f-1"));
            let reason = Some("5.1.1 smtp; 550 5.1.1 user unknown".to_owned());
            let change = Changed::Reported { state: DeliveryState::Failed, suppress, reason };
            assert_eq!(event.recipients, [(Identifier::email("anna@example.org").unwrap(), change)], "{kind} {sub}");
        }
    }

    #[test]
    fn a_complaint_suppresses_and_may_come_inside_an_sns_message() {
        let event = json!({"notificationType": "Complaint", "mail": mail(), "complaint": {
            "complainedRecipients": [{"emailAddress": "anna@example.org"}], "complaintFeedbackType": "abuse"}});
        let wrapped = json!({"Type": "Notification", "Message": event.to_string()});
        let [(_, Changed::Reported { suppress, reason, .. })] = &of(&wrapped).recipients[..] else { panic!() };
        assert_eq!(*suppress, Some(SuppressionKind::Complained));
        assert!(reason.as_ref().unwrap().contains("abuse"));
    }

    #[test]
    fn everything_else_is_none() {
        for other in [
            json!({"eventType": "Delivery", "mail": mail(), "delivery": {}}),
            json!({"eventType": "DeliveryDelay", "mail": mail()}),
            json!({"eventType": "Bounce", "mail": mail()}),
            json!({"notificationType": "Received", "mail": mail(), "receipt": {}}),
            json!([1]),
        ] {
            assert_eq!(read(&other.to_string()), None, "{other}");
        }
        assert_eq!(read("no json"), None);
    }
}
