//! Mails as people and machines write them.

use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mail_parser::MessageParser;

/// Numbers the mails of this process.
static NUMBER: AtomicU64 = AtomicU64::new(1);

/// A mail to be sent, with an id of its own.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Its Message-ID, without angle brackets.
    pub id: String,
    /// Who writes.
    pub from: String,
    /// The subject.
    pub subject: String,
    /// The text.
    pub text: String,
    to: String,
    headers: Vec<(String, String)>,
    recipients: Vec<String>,
    files: Vec<(String, String, Vec<u8>)>,
}

impl Mail {
    /// A mail from this address to `support@example.com`.
    pub fn from(address: &str) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self {
            id: format!("mail-{number}@mail.example.org"),
            from: address.to_owned(),
            subject: format!("Question {number}"),
            text: format!("Hello, this is question {number}."),
            to: "support@example.com".to_owned(),
            headers: Vec::new(),
            recipients: vec!["support@example.com".to_owned()],
            files: Vec::new(),
        }
    }

    /// With this Message-ID, given without angle brackets.
    #[must_use]
    pub fn id(mut self, id: &str) -> Self {
        id.clone_into(&mut self.id);
        self
    }

    /// With this subject.
    #[must_use]
    pub fn subject(mut self, subject: &str) -> Self {
        subject.clone_into(&mut self.subject);
        self
    }

    /// With this text.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        text.clone_into(&mut self.text);
        self
    }

    /// To this address, on the envelope too.
    #[must_use]
    pub fn to(mut self, address: &str) -> Self {
        address.clone_into(&mut self.to);
        self.recipients = vec![address.to_owned()];
        self
    }

    /// To these addresses on the envelope, whatever the headers say.
    #[must_use]
    pub fn envelope_to(mut self, addresses: &[&str]) -> Self {
        self.recipients = addresses.iter().map(|&address| address.to_owned()).collect();
        self
    }

    /// With a further header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// As the answer to a mail, by In-Reply-To.
    #[must_use]
    pub fn in_reply_to(self, id: &str) -> Self {
        self.header("In-Reply-To", &format!("<{id}>"))
    }

    /// With these ids in References, the oldest first.
    #[must_use]
    pub fn references(self, ids: &[&str]) -> Self {
        let ids: Vec<String> = ids.iter().map(|id| format!("<{id}>")).collect();
        self.header("References", &ids.join(" "))
    }

    /// With a file.
    #[must_use]
    pub fn file(mut self, name: &str, content_type: &str, bytes: &[u8]) -> Self {
        self.files.push((name.to_owned(), content_type.to_owned(), bytes.to_vec()));
        self
    }

    /// The recipients on the envelope.
    pub fn recipients(&self) -> Vec<&str> {
        self.recipients.iter().map(String::as_str).collect()
    }

    /// The mail on the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let Self { id, from, subject, text, to, .. } = self;
        let headers: String = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!(
            "From: {from}\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: <{id}>\r\n{headers}\
             Date: Fri, 20 Nov 2026 09:00:00 +0000\r\nMIME-Version: 1.0\r\n"
        );
        let text = format!("Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n");
        if self.files.is_empty() {
            return (head + &text).into_bytes();
        }
        let mut mail = format!("{head}Content-Type: multipart/mixed; boundary=between\r\n\r\n--between\r\n{text}");
        for (name, content_type, bytes) in &self.files {
            mail.push_str(&format!(
                "--between\r\nContent-Type: {content_type}\r\nContent-Transfer-Encoding: base64\r\n\
                 Content-Disposition: attachment; filename=\"{name}\"\r\n\r\n"
            ));
            for line in STANDARD.encode(bytes).as_bytes().chunks(76) {
                mail.push_str(&String::from_utf8_lossy(line));
                mail.push_str("\r\n");
            }
        }
        (mail + "--between--\r\n").into_bytes()
    }
}

/// A mail that the system sent, as its recipients read it.
#[derive(Clone, Debug)]
pub struct Received {
    /// Envelope recipients.
    pub to: Vec<String>,
    /// Message-ID, without angle brackets.
    pub id: String,
    /// The address in Reply-To.
    pub reply_to: String,
    /// The ids in References, without angle brackets.
    pub references: Vec<String>,
    /// The subject.
    pub subject: String,
    /// The text.
    pub text: String,
    /// What it says of who sent it (RFC 3834); nothing for a person.
    pub auto_submitted: Option<String>,
}

impl Received {
    /// Reads a mail that was sent to these recipients.
    pub fn read(to: Vec<String>, raw: &[u8]) -> Self {
        let mail = MessageParser::default().parse(raw).expect("what the system sends is mail");
        let reply_to = mail.reply_to().and_then(|address| address.first()).and_then(|address| address.address());
        let references = mail.references().as_text_list().unwrap_or_default();
        Self {
            id: mail.message_id().unwrap_or_default().to_owned(),
            reply_to: reply_to.unwrap_or_default().to_owned(),
            references: references.iter().map(ToString::to_string).collect(),
            subject: mail.subject().unwrap_or_default().to_owned(),
            text: mail.body_text(0).unwrap_or_default().into_owned(),
            auto_submitted: mail.header("Auto-Submitted").and_then(|value| value.as_text()).map(str::to_owned),
            to,
        }
    }
}
