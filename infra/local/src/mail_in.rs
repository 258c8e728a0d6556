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
