//! The SMTP port's other side: stores the raw mail and gives the notice that SES would give; everything after that is the
//! same as in the cloud.

use bytes::Bytes;
use throughline_channels::ses_notice::{Action, Mail, Notice, Receipt};
use throughline_domain::identifier::Identifier;
use throughline_platform::App;
use throughline_platform::blobs::RAW_MAIL_PREFIX;
use throughline_smtp::{Envelope, Receiver, Refusal};

/// Takes mail for the inboxes.
pub(crate) struct MailIn {
    pub(crate) app: App,
}

impl Receiver for MailIn {
    async fn accepts(&self, recipient: &str) -> Result<(), Refusal> {
        let config = self.app.config().await;
        let config = config.map_err(|_| Refusal::Temporary("the store does not answer; try again later".to_owned()))?;
        let address = Identifier::email(recipient).ok();
        if address.is_some_and(|address| config.inboxes.body.by_address(&address).is_some()) {
            Ok(())
        } else {
            Err(Refusal::Permanent("there is no such inbox here".to_owned()))
        }
    }

    async fn deliver(&self, envelope: Envelope, mail: Bytes) -> Result<String, Refusal> {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let object_key = format!("{RAW_MAIL_PREFIX}{id}");
        let down = |what: &str| Refusal::Temporary(format!("the {what} does not answer; try again later"));
        self.app.blobs.put(&object_key, mail).await.map_err(|_| down("store"))?;
        let notice = Notice {
            notification_type: "Received".to_owned(),
            mail: Mail {
                timestamp: self.app.clock.now(),
                source: Some(envelope.mail_from.unwrap_or_default()),
                message_id: id.clone(),
            },
            receipt: Receipt {
                recipients: envelope.recipients,
                // Nothing here checks senders: their mail counts as not proven, as it should.
                spf_verdict: None,
                dkim_verdict: None,
                dmarc_verdict: None,
                spam_verdict: None,
                virus_verdict: None,
                action: Action { kind: "S3".to_owned(), bucket_name: self.app.blobs.bucket().to_owned(), object_key },
            },
            late: false,
            rebuilt: false,
        };
        self.app.queues.send_notice(&notice).await.map_err(|_| down("queue"))?;
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use throughline_aws::Aws;
    use throughline_platform::clients::Clients;
    use throughline_platform::clock::Clock;
    use throughline_platform::config::{QueueUrls, Settings};
    use throughline_platform::telemetry::Metrics;
    use throughline_queues::{QUEUE_URL_PREFIX, QueueSpec};

    use super::*;

    #[tokio::test]
    async fn nothing_is_taken_that_is_not_kept() {
        let aws = Aws::memory().unwrap();
        let settings = Settings {
            table: "table".to_owned(),
            bucket: "bucket".to_owned(),
            queues: QueueUrls { mail: format!("{QUEUE_URL_PREFIX}mail"), ..QueueUrls::default() },
            ..Settings::default()
        };
        let clients = Clients::new(&aws.sdk_config());
        let mail_in = MailIn { app: App::new(settings, clients, Clock::System, Metrics::default()) };
        let deliver = || {
            let envelope = Envelope {
                helo: "mx.example.org".to_owned(),
                mail_from: None,
                recipients: vec!["support@example.com".to_owned()],
                peer: ([127, 0, 0, 1], 25).into(),
            };
            mail_in.deliver(envelope, Bytes::from_static(b"Subject: x\r\n\r\nx\r\n"))
        };
        let not_now = |what: &str| Refusal::Temporary(format!("the {what} does not answer; try again later"));
        assert_eq!(mail_in.accepts("support@example.com").await, Err(not_now("store")), "nobody knows the inboxes");
        assert_eq!(deliver().await, Err(not_now("store")));
        aws.create_bucket("bucket").unwrap();
        assert_eq!(deliver().await, Err(not_now("queue")));
        assert!(aws.queues().depths().is_empty());
        aws.queues().create(&QueueSpec::standard("mail")).unwrap();
        deliver().await.unwrap();
        assert_eq!(aws.queues().depths()["mail"].visible, 1);
    }
}
