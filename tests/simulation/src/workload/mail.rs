//! Mail: new, answers, copies, machines, forgeries, and mails that nobody can read.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mail_parser::MessageParser;
use throughline_channels::ses_notice::{Action, Check, Mail, Notice, Receipt};
use throughline_platform::blobs::RAW_MAIL_PREFIX;

use super::{AGAIN_MS_MAX, Customer, SUBJECTS, TRIES_MAX, address};
use crate::memory::Fate;

/// Our address.
const SUPPORT: &str = "support@example.com";
/// Length of what makes a mail long: its text goes to the object store.
const LONG_BYTES: usize = 4_000;

/// A mail as it travels.
#[derive(Clone)]
pub(super) struct Raw {
    pub(super) mark: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) dmarc: Option<&'static str>,
    pub(super) bytes: Bytes,
}

/// A mail to be written.
struct Draft {
    id: String,
    from: String,
    to: String,
    subject: String,
    headers: String,
    addressed: Vec<usize>,
    dmarc: Option<&'static str>,
    long: bool,
}

impl Customer {
    /// Does something with mail.
    pub(super) async fn write_mail(&mut self) {
        match self.random.below(16) {
            0 | 1 => self.answer_the_agent().await,
            2 | 3 if !self.mails.is_empty() => self.go_on().await,
            4 if !self.raw.is_empty() => {
                let again = self.random.pick(&self.raw).clone();
                self.hand_in(&again).await;
            }
            5 if !self.mails.is_empty() => self.same_id_other_content().await,
            6 => self.mention_what_comes_later().await,
            7 => self.burst().await,
            8 => self.copy_somebody().await,
            9 => self.forge().await,
            10 => self.machine().await,
            11 => self.nobody_can_read().await,
            12 => self.send_back().await,
            _ => {
                let draft = self.draft();
                self.write(draft).await;
            }
        }
    }

    fn draft(&self) -> Draft {
        Draft {
            id: format!("{}@customer.example", self.random.name()),
            from: address(self.person),
            to: SUPPORT.to_owned(),
            subject: (*self.random.pick(&SUBJECTS)).to_owned(),
            headers: String::new(),
            addressed: Vec::new(),
            dmarc: *self.random.pick(&[None, Some("PASS"), Some("GRAY")]),
            long: self.random.chance(60),
        }
    }

    async fn write(&mut self, draft: Draft) {
        let Draft { id, from, to, subject, headers, addressed, dmarc, long } = draft;
        let fate = if to.contains("example.com") { Fate::Recorded } else { Fate::Quarantined };
        let mark = self.cloud.memory().sends(self.person, None, addressed, fate);
        let padding = if long { "long ".repeat(LONG_BYTES / 5) } else { String::new() };
        let text = format!(
            "From: {from}\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: <{id}>\r\n{headers}\
             Date: Mon, 5 Oct 2026 09:00:00 +0000\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\
             {mark} please help. {padding}\r\n"
        );
        if from == address(self.person) && headers.is_empty() {
            self.mails.push((id, subject));
        }
        let raw = Raw { mark, from, to, dmarc, bytes: Bytes::from(text) };
        self.hand_in(&raw).await;
        self.raw.push(raw);
    }

    /// Hands a mail in until we take it, or the sender gives up.
    pub(super) async fn hand_in(&self, raw: &Raw) {
        for _ in 0..TRIES_MAX {
            let digits: String = raw.mark.chars().filter(char::is_ascii_alphanumeric).collect();
            let id = format!("{}-{digits}", self.random.name());
            let notice = self.notice(raw, &id);
            let (bytes, noticed) = (raw.bytes.clone(), notice.clone());
            let taken = self.cloud.invoke("mail-in", |app| async move {
                app.blobs.put(&noticed.receipt.action.object_key, bytes).await?;
                app.queues.send_notice(&noticed).await
            });
            let taken = matches!(taken.await, Some(Ok(())));
            self.cloud.trace.line("mail", format_args!("{} {}: {taken}", raw.from, raw.mark));
            if taken {
                self.cloud.memory().accepted(&raw.mark);
                if self.random.chance(80) {
                    // The same mail is noticed twice.
                    let again =
                        self.cloud.invoke("mail-in", |app| async move { app.queues.send_notice(&notice).await });
                    let _whatever = again.await;
                }
                return;
            }
            tokio::time::sleep(Duration::from_millis(self.random.below(AGAIN_MS_MAX))).await;
        }
    }

    fn notice(&self, raw: &Raw, id: &str) -> Notice {
        Notice {
            notification_type: "Received".to_owned(),
            mail: Mail {
                timestamp: self.cloud.now(),
                source: Some(raw.from.clone()).filter(|from| !from.is_empty()),
                message_id: id.to_owned(),
            },
            receipt: Receipt {
                recipients: vec![raw.to.clone()],
                spf_verdict: None,
                dkim_verdict: None,
                dmarc_verdict: raw.dmarc.map(|status| Check { status: status.to_owned() }),
                spam_verdict: None,
                virus_verdict: None,
                action: Action {
                    kind: "S3".to_owned(),
                    bucket_name: self.cloud.observer.blobs.bucket().to_owned(),
                    object_key: format!("{RAW_MAIL_PREFIX}{id}"),
                },
            },
            late: false,
            rebuilt: false,
        }
    }

    /// Answers a mail of their own.
    async fn go_on(&mut self) {
        let (id, subject) = self.random.pick(&self.mails).clone();
        let headers = format!("In-Reply-To: <{id}>\r\nReferences: <{id}>\r\n");
        let draft = Draft { subject: format!("Re: {subject}"), headers, ..self.draft() };
        self.write(draft).await;
    }

    /// Answers a mail that we sent them, if there is one.
    async fn answer_the_agent(&mut self) {
        let own = address(self.person);
        let received = self.cloud.aws.sent_mail().sent();
        let mine: Vec<_> = received.iter().filter(|mail| mail.recipients.contains(&own)).collect();
        let draft = self.draft();
        if mine.is_empty() {
            return self.write(draft).await;
        }
        let raw = self.random.pick(&mine).raw().expect("kept in memory");
        let Some(mail) = MessageParser::default().parse(&raw[..]) else { return };
        let id = mail.message_id().unwrap_or_default();
        let headers = format!("In-Reply-To: <{id}>\r\nReferences: <{id}>\r\n");
        let reply_to = mail.reply_to().and_then(|address| address.first()).and_then(|address| address.address());
        // Some programs answer to the plain address: the references alone have to do.
        let to = reply_to.filter(|_| self.random.chance(700)).unwrap_or(SUPPORT).to_owned();
        let subject = mail.subject().unwrap_or_default().to_owned();
        self.write(Draft { to, subject, headers, ..draft }).await;
    }

    async fn same_id_other_content(&mut self) {
        let (id, _) = self.random.pick(&self.mails).clone();
        let draft = Draft { id, ..self.draft() };
        self.write(draft).await;
    }

    /// Mentions a mail that comes later, or sends one that was mentioned.
    async fn mention_what_comes_later(&mut self) {
        if let Some(id) = self.promised.pop() {
            let draft = Draft { id, ..self.draft() };
            return self.write(draft).await;
        }
        let id = format!("{}@customer.example", self.random.name());
        let draft = Draft { headers: format!("References: <{id}>\r\n"), ..self.draft() };
        self.write(draft).await;
        if self.random.chance(500) {
            let draft = Draft { id, ..self.draft() };
            self.write(draft).await;
        } else {
            self.promised.push(id);
        }
    }

    async fn burst(&mut self) {
        for _ in 0..3 {
            let draft = self.draft();
            self.write(draft).await;
        }
    }

    /// Writes with a copy to somebody else, who may answer; or answers as that somebody.
    async fn copy_somebody(&mut self) {
        let other = self.other();
        let headers = format!("Cc: {}\r\n", address(other));
        let draft = Draft { headers, addressed: vec![other], ..self.draft() };
        let id = draft.id.clone();
        self.write(draft).await;
        tokio::time::sleep(Duration::from_millis(self.random.below(AGAIN_MS_MAX))).await;
        let answerer = if self.random.chance(700) { other } else { self.other() };
        let mut them = Customer::new(Arc::clone(&self.cloud), answerer, self.random.draw());
        let headers = format!("In-Reply-To: <{id}>\r\nReferences: <{id}>\r\n");
        let draft = Draft { subject: "Re: as addressed".to_owned(), headers, ..them.draft() };
        Box::pin(them.write(draft)).await;
    }

    /// Writes under somebody else's address, which the receiving side finds out, often into a thread of theirs.
    async fn forge(&mut self) {
        let victim = self.other();
        let known = self.cloud.aws.sent_mail().sent();
        let theirs = known.iter().find(|mail| mail.recipients.contains(&address(victim)));
        let id = theirs.and_then(|mail| {
            let raw = mail.raw().ok()?;
            MessageParser::default().parse(&raw[..])?.message_id().map(str::to_owned)
        });
        let headers = id.map(|id| format!("In-Reply-To: <{id}>\r\nReferences: <{id}>\r\n")).unwrap_or_default();
        let draft = Draft { from: address(victim), dmarc: Some("FAIL"), headers, ..self.draft() };
        self.write(draft).await;
    }

    /// A machine answers.
    pub(super) async fn machine(&mut self) {
        let reference = self.mails.last().map(|(id, _)| format!("In-Reply-To: <{id}>\r\n")).unwrap_or_default();
        let headers = format!("Auto-Submitted: auto-replied\r\n{reference}");
        let draft = Draft { subject: "Out of office".to_owned(), headers, ..self.draft() };
        self.write(draft).await;
    }

    /// A mail for an inbox that does not exist, or a notice without its mail, or what is no notice at all.
    async fn nobody_can_read(&mut self) {
        match self.random.below(3) {
            0 => {
                let draft = Draft { to: "nobody@elsewhere.example".to_owned(), ..self.draft() };
                self.write(draft).await;
            }
            1 => self.notice_comes_first().await,
            _ => {
                let mark = self.cloud.memory().sends(self.person, None, Vec::new(), Fate::Quarantined);
                self.cloud.notify_of_mail(&format!("{{ garbage {mark}")).await;
                self.cloud.memory().accepted(&mark);
            }
        }
    }

    /// The notice is there before its mail: it is quarantined, and somebody may send it through again.
    async fn notice_comes_first(&mut self) {
        let mark = self.cloud.memory().sends(self.person, None, Vec::new(), Fate::Either);
        let digits: String = mark.chars().filter(char::is_ascii_alphanumeric).collect();
        let id = format!("{}-{digits}-", self.random.name());
        let from = address(self.person);
        let text = format!(
            "From: {from}\r\nTo: {SUPPORT}\r\nSubject: Late\r\nMessage-ID: <{id}@customer.example>\r\n\r\n{mark} late\r\n"
        );
        let raw = Raw { mark, from, to: SUPPORT.to_owned(), dmarc: None, bytes: Bytes::new() };
        let notice = self.notice(&raw, &id);
        let key = notice.receipt.action.object_key.clone();
        let taken = self.cloud.invoke("mail-in", |app| async move { app.queues.send_notice(&notice).await });
        if matches!(taken.await, Some(Ok(()))) {
            self.cloud.memory().accepted(&raw.mark);
        }
        tokio::time::sleep(Duration::from_millis(self.random.below(AGAIN_MS_MAX))).await;
        let put = self.cloud.observer.blobs.put(&key, text.into_bytes()).await;
        put.expect("who looks on meets no faults");
    }
}
