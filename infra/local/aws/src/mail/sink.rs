//! Where sent mail is kept: a folder of `.eml` files, or memory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::Clock;

/// Extension of the mails.
const MAIL_EXTENSION: &str = "eml";
/// Extension of the files beside them that say who sent it to whom.
const ENVELOPE_EXTENSION: &str = "json";
/// Extension of files that are being written.
const PART_EXTENSION: &str = "part";

/// A mail that was sent.
#[derive(Clone, Debug)]
pub struct SentMail {
    /// What SES answered; in the mail, `Message-ID` is `<id@local.amazonses.com>`.
    pub id: String,
    /// Envelope sender.
    pub source: String,
    /// Envelope recipients.
    pub recipients: Vec<String>,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Memory(Bytes),
    File(PathBuf),
}

impl SentMail {
    /// The mail as the recipients get it.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn raw(&self) -> io::Result<Bytes> {
        match &self.content {
            Content::Memory(raw) => Ok(raw.clone()),
            Content::File(path) => fs::read(path).map(Bytes::from),
        }
    }

    /// Its file, when it is kept in a folder.
    pub fn path(&self) -> Option<&Path> {
        match &self.content {
            Content::Memory(_) => None,
            Content::File(path) => Some(path),
        }
    }
}

/// What the file beside a mail says.
#[derive(Serialize, Deserialize)]
struct Envelope {
    source: String,
    recipients: Vec<String>,
    at_ms: u64,
}

/// The mail that was sent, in order.
pub struct Mailbox {
    folder: Option<PathBuf>,
    clock: Clock,
    sent: Mutex<Sent>,
    /// Told of each mail.
    changed: Notify,
}

#[derive(Default)]
struct Sent {
    mails: Vec<SentMail>,
    /// Number of the last id.
    number: u64,
}

impl std::fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailbox").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Mailbox {
    pub(crate) fn memory(clock: Clock) -> Self {
        Self { folder: None, clock, sent: Mutex::default(), changed: Notify::new() }
    }

    /// Reads what is in the folder; what was being written when the process ended was never acknowledged.
    pub(crate) fn open(folder: &Path, clock: Clock) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut sent = Sent::default();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let envelope = path.with_extension(ENVELOPE_EXTENSION);
            // A mail without an envelope is not ours.
            if path.extension().is_some_and(|extension| extension == MAIL_EXTENSION) && envelope.exists() {
                let envelope = fs::read(envelope)?;
                let Envelope { source, recipients, at_ms } = serde_json::from_slice(&envelope)?;
                let id = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                sent.number = sent.number.max(number_of(&id));
                sent.mails.push(SentMail { id, source, recipients, at_ms, content: Content::File(path) });
            }
        }
        // Clocks can go back; numbers do not.
        sent.mails.sort_by_key(|mail| number_of(&mail.id));
        Ok(Self { folder: Some(folder.to_owned()), clock, sent: Mutex::new(sent), changed: Notify::new() })
    }

    /// All mail.
    pub fn sent(&self) -> Vec<SentMail> {
        self.lock().mails.clone()
    }

    /// The mail after the first `seen`: for readers that remember how far they are.
    pub fn since(&self, seen: usize) -> Vec<SentMail> {
        self.lock().mails.get(seen..).unwrap_or_default().to_vec()
    }

    /// Waits until the mail satisfies `condition`; looks at each change, misses none and never polls.
    pub async fn wait_until(&self, condition: impl Fn(&[SentMail]) -> bool) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if condition(&self.lock().mails) {
                return;
            }
            changed.await;
        }
    }

    /// An id that no other mail has: time and a number that counts on over restarts.
    pub(super) fn next_id(&self) -> String {
        let at_ms = (self.clock)();
        let mut sent = self.lock();
        sent.number += 1;
        format!("{at_ms:016x}-{:012x}-000000", sent.number)
    }

    /// Keeps a mail and returns its id.
    pub(super) fn keep(&self, id: String, source: String, recipients: Vec<String>, raw: Vec<u8>) -> io::Result<String> {
        let at_ms = (self.clock)();
        let content = match &self.folder {
            None => Content::Memory(raw.into()),
            Some(folder) => {
                let path = folder.join(&id).with_extension(MAIL_EXTENSION);
                let envelope = Envelope { source: source.clone(), recipients: recipients.clone(), at_ms };
                // The mail itself last: it makes the two count.
                write(&path.with_extension(ENVELOPE_EXTENSION), &serde_json::to_vec(&envelope)?)?;
                write(&path, &raw)?;
                Content::File(path)
            }
        };
        self.lock().mails.push(SentMail { id: id.clone(), source, recipients, at_ms, content });
        self.changed.notify_waiters();
        Ok(id)
    }

    fn lock(&self) -> MutexGuard<'_, Sent> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whole or not at all, also when the process is killed.
fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let part = path.with_extension(PART_EXTENSION);
    fs::write(&part, content)?;
    fs::rename(part, path)
}

/// The number in an id; nothing in the names of files that others put there.
fn number_of(id: &str) -> u64 {
    id.split('-').nth(1).and_then(|number| u64::from_str_radix(number, 16).ok()).unwrap_or_default()
}
