//! Mail of ours that comes back: the mail service tells of it, or the recipient's mail system writes a report (RFC 3464).

use bytes::Bytes;
use serde_json::json;
use throughline_aws::SentMail;

use super::mail::Raw;
use super::{Customer, address};
use crate::memory::{Fate, MAIL_SYSTEM, MAIL_SYSTEM_ADDRESS};

/// Why a mail comes back: as the mail service names it, and as a status (RFC 3463). Only with the last one the address is no
/// good, and nothing more is sent there.
const REASONS: [(&str, &str, &str); 5] = [
    ("Transient", "MailboxFull", "5.2.2"),
    ("Transient", "General", "5.4.4"),
    ("Permanent", "ContentRejected", "5.6.0"),
    ("Permanent", "MessageTooLarge", "5.3.4"),
    ("Permanent", "NoEmail", "5.1.1"),
];

impl Customer {
    /// A mail that we sent them, and that did not come back yet, comes back; often at once, before we noted that it is sent.
    pub(super) async fn send_back(&mut self) {
        let own = address(self.person);
        let sent = self.cloud.aws.sent_mail().sent();
        let mine = sent.iter().rev().find(|mail| mail.recipients.contains(&own));
        let Some(mail) = mine else { return self.machine().await };
        let Some(mark) = self.cloud.memory().comes_back(&mail.id) else { return };
        if self.random.chance(500) {
            self.told_by_the_service(mail, &mark).await;
        } else {
            self.told_by_mail(mail, &mark).await;
        }
    }

    async fn told_by_the_service(&self, mail: &SentMail, mark: &str) {
        let (kind, sub_kind, status) = *self.random.pick(&REASONS);
        let recipient = json!({
            "emailAddress": address(self.person), "action": "failed", "status": status,
            "diagnosticCode": format!("smtp; 550 {status} {mark} not here"),
        });
        let at = self.cloud.now();
        let event = json!({
            "eventType": "Bounce",
            "bounce": {
                "bounceType": kind, "bounceSubType": sub_kind, "bouncedRecipients": [recipient],
                "timestamp": at, "feedbackId": self.random.name(),
            },
            "mail": {"timestamp": at, "source": mail.source, "messageId": mail.id, "destination": mail.recipients},
        });
        self.cloud.trace.line("mail", format_args!("the service tells that {} came back {mark}", mail.id));
        // What tells us of it may do so twice.
        for _ in 0..1 + u32::from(self.random.chance(200)) {
            self.cloud.notify_of_mail(&event.to_string()).await;
        }
        self.cloud.memory().came_back(mark);
    }

    async fn told_by_mail(&mut self, mail: &SentMail, mark: &str) {
        let (_, _, status) = *self.random.pick(&REASONS);
        let (to, own) = (mail.source.clone(), address(self.person));
        let text_mark = self.cloud.memory().sends(MAIL_SYSTEM, None, vec![self.person], Fate::Recorded);
        let id = format!("{}@mail.customer.example", self.random.name());
        let travels_as = self.cloud.observer.mail.message_id(&mail.id);
        let text = format!(
            "From: Mail Delivery System <{MAIL_SYSTEM_ADDRESS}>\r\nTo: {to}\r\nSubject: Undelivered Mail Returned to Sender\r\n\
             Message-ID: <{id}>\r\nDate: Mon, 5 Oct 2026 09:00:00 +0000\r\nAuto-Submitted: auto-replied\r\n\
             MIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n\r\n\
             --b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text_mark} your mail came back\r\n\
             --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mail.customer.example\r\n\r\n\
             Final-Recipient: rfc822; {own}\r\nAction: failed\r\nStatus: {status}\r\n\
             Diagnostic-Code: smtp; 550 {status} {mark} not here\r\n\r\n\
             --b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <{travels_as}>\r\n\
             From: {to}\r\nTo: {own}\r\nSubject: as answered\r\n\r\n--b--\r\n"
        );
        let raw = Raw { mark: text_mark, from: String::new(), to, dmarc: None, bytes: Bytes::from(text) };
        self.hand_in(&raw).await;
    }
}
