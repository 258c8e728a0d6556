//! Mail in both directions: writing it as a mail client does, and finding what the system sent.

use std::collections::BTreeMap;

use anyhow::Context;
use serde_json::Value;
use throughline_domain::moment::Moment;
use throughline_smtp::Client;

use super::desk::Desk;
use super::{items, text};

/// The address that customers write to.
pub(super) const SUPPORT: &str = "support@example.com";
/// The inbox behind it.
pub(super) const INBOX: &str = "support";

/// A mail to be written.
pub(super) struct Mail<'a> {
    /// Message-ID, without its brackets.
    pub(super) id: String,
    pub(super) name: &'a str,
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) subject: String,
    /// Further header lines.
    pub(super) headers: Vec<String>,
    pub(super) body: &'a str,
}

impl Mail<'_> {
    /// The mail as it goes over the wire (RFC 5322).
    fn raw(&self, at: Moment) -> String {
        let Mail { id, name, from, to, subject, headers, body } = self;
        let date = at.timestamp().strftime("%a, %d %b %Y %H:%M:%S +0000").to_string();
        let mut lines = vec![
            format!("From: {name} <{from}>"),
            format!("To: {to}"),
            format!("Subject: {subject}"),
            format!("Date: {date}"),
            format!("Message-ID: <{id}>"),
            "MIME-Version: 1.0".to_owned(),
            "Content-Type: text/plain; charset=utf-8".to_owned(),
        ];
        lines.extend(headers.iter().cloned());
        lines.extend([String::new(), (*body).to_owned(), String::new()]);
        lines.join("\r\n")
    }

    /// Delivers it to the SMTP port.
    pub(super) async fn send(&self, desk: &Desk) -> anyhow::Result<()> {
        let no_answer = || format!("nothing takes mail on {}; choose the place with `--smtp`", desk.smtp);
        let mut client = Client::connect(desk.smtp).await.with_context(no_answer)?;
        client
            .send(Some(self.from), &[self.to], self.raw(desk.now()).as_bytes())
            .await
            .context("the mail was not taken")?;
        // The mail is taken; how the connection ends does not matter.
        client.quit().await.ok();
        Ok(())
    }
}

/// A mail that the system sent: its headers.
pub(super) struct Sent(BTreeMap<String, String>);

impl Sent {
    /// The last mail that went to this address.
    pub(super) async fn last_to(desk: &Desk, address: &str) -> anyhow::Result<Self> {
        let id = desk
            .wait("the mail to go out", async || {
                let sent = desk.read("/local/mail").await?;
                let to_them = |mail: &&Value| items(&mail["to"]).iter().any(|to| to == address);
                Ok(items(&sent["items"]).iter().rfind(to_them).map(|mail| text(mail, "/id").to_owned()))
            })
            .await?;
        let raw = desk.inside.get(&format!("/local/mail/{id}")).await?;
        anyhow::ensure!(raw.status == 200, "the mail that was sent cannot be read: {}", raw.status);
        Ok(Self(headers(&String::from_utf8_lossy(&raw.body))))
    }

    /// The address or id in a header.
    pub(super) fn header(&self, name: &str) -> anyhow::Result<&str> {
        let value = self.0.get(name).with_context(|| format!("the mail that was sent has no {name}"))?;
        let inside = value.rsplit_once('<').map_or(value.as_str(), |(_, inside)| inside);
        Ok(inside.trim_end_matches('>').trim())
    }
}

/// The headers of a mail by their names in lower case, unfolded (RFC 5322 section 2.2.3).
fn headers(raw: &str) -> BTreeMap<String, String> {
    let raw = raw.replace("\r\n", "\n");
    let head = raw.split("\n\n").next().unwrap_or_default();
    let unfolded = head.replace("\n ", " ").replace("\n\t", " ");
    let named = unfolded.lines().filter_map(|line| line.split_once(':'));
    named.map(|(name, value)| (name.trim().to_lowercase(), value.trim().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_unfolded_and_their_brackets_left_out() {
        let raw = "Reply-To:\r\n <support+r.abc@example.com>\r\nMessage-ID: <1@x>\r\nTo: a@b\r\n\r\nX-Not: this";
        let sent = Sent(headers(raw));
        assert_eq!(sent.header("reply-to").unwrap(), "support+r.abc@example.com");
        assert_eq!(sent.header("message-id").unwrap(), "1@x");
        assert_eq!(sent.header("to").unwrap(), "a@b");
        assert!(sent.header("x-not").is_err());
    }

    #[test]
    fn a_mail_has_its_headers_and_an_empty_line_before_its_body() {
        let mail = Mail {
            id: "1@example.org".into(),
            name: "Anna",
            from: "a@example.org",
            to: SUPPORT,
            subject: "Hello".into(),
            headers: vec!["Auto-Submitted: auto-replied".into()],
            body: "Hi.",
        };
        let raw = mail.raw("2026-11-20T14:00:00Z".parse().unwrap());
        assert!(raw.starts_with("From: Anna <a@example.org>\r\nTo: support@example.com\r\n"), "{raw}");
        assert!(raw.ends_with("\r\nAuto-Submitted: auto-replied\r\n\r\nHi.\r\n"), "{raw}");
    }
}
