//! Outgoing mail: raw mails to SES, and what a refusal means.

use aws_sdk_ses::error::{DisplayErrorContext, SdkError};
use aws_sdk_ses::operation::send_raw_email::SendRawEmailError;
use aws_sdk_ses::primitives::Blob;
use aws_sdk_ses::types::RawMessage;

use crate::clients::Clients;

/// The region whose Message-IDs carry no region.
const FIRST_REGION: &str = "us-east-1";

/// The mail service. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Mailer {
    clients: Clients,
}

/// Why the mail service did not take a mail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// Surely not taken: may be tried again.
    #[error("{0}")]
    NotTaken(String),
    /// Never will be.
    #[error("{0}")]
    Permanent(String),
    /// Nobody knows: it may have been taken.
    #[error("{0}")]
    Unknown(String),
}

impl Mailer {
    /// The service behind these clients.
    pub fn new(clients: Clients) -> Self {
        Self { clients }
    }

    /// Sends a raw mail from an address to these, once; returns the service's id for it.
    ///
    /// # Errors
    /// [`NotSent`] says whether the mail may be sent again.
    pub async fn send(&self, source: &str, destinations: Vec<String>, raw: Vec<u8>) -> Result<String, NotSent> {
        let raw = RawMessage::builder().data(Blob::new(raw)).build();
        let raw = raw.map_err(|error| NotSent::Permanent(error.to_string()))?;
        let request =
            self.clients.ses().send_raw_email().source(source).set_destinations(Some(destinations)).raw_message(raw);
        let answer = request.send().await.map_err(|error| not_sent(&error))?;
        Ok(answer.message_id)
    }

    /// The Message-ID under which a mail that the service calls `id` travels, without angle brackets:
    /// <https://docs.aws.amazon.com/ses/latest/dg/header-fields.html>.
    pub fn message_id(&self, id: &str) -> String {
        match self.clients.region() {
            Some(FIRST_REGION) | None => format!("{id}@email.amazonses.com"),
            Some(region) => format!("{id}@{region}.amazonses.com"),
        }
    }
}

fn not_sent(error: &SdkError<SendRawEmailError>) -> NotSent {
    let reason = DisplayErrorContext(error).to_string();
    match error {
        // An answer of the service. What it says about the mail or the account is for good; that something broke on its
        // side does not say that the mail did not go out.
        SdkError::ServiceError(service) => match service.err() {
            SendRawEmailError::MessageRejected(_)
            | SendRawEmailError::MailFromDomainNotVerifiedException(_)
            | SendRawEmailError::ConfigurationSetDoesNotExistException(_) => NotSent::Permanent(reason),
            _ if service.raw().status().is_server_error() => NotSent::Unknown(reason),
            _ => NotSent::NotTaken(reason),
        },
        SdkError::ConstructionFailure(_) => NotSent::Permanent(reason),
        // No answer, or half of one: it may have gone out.
        _ => NotSent::Unknown(reason),
    }
}
