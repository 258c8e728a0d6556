//! Files of messages: stored once for each sender and content, and handed out by links that last for minutes.
//!
//! The place of a file is a function of who sent it and what it says. So storing it again changes nothing, no two people
//! share an object, and what somebody sent can be found and removed by their names.

use std::fmt::Write as _;
use std::time::Duration;

use data_encoding::HEXLOWER;
use futures::stream::{self, StreamExt, TryStreamExt};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use throughline_domain::event::{Commit, EventData};
use throughline_domain::id::digest;
use throughline_domain::message::{Attachment, Sender};
use throughline_domain::moment::Moment;

use crate::blobs::{Blobs, Download};
use crate::error::Failure;

/// Beginning of the object keys of files.
pub const FILES_PREFIX: &str = "attachments/";
/// How long a link to a file lasts.
pub const LINK_LASTS: Duration = Duration::from_secs(300);
/// Files that are stored at the same time.
const AT_ONCE: usize = 8;
/// What a file is served as that could run a program.
const OPAQUE: &str = "application/octet-stream";

/// Object key of a file. `sha256` is the hexadecimal hash of its bytes.
pub fn file_key(sender: &Sender, sha256: &str) -> String {
    sender_prefix(sender) + sha256
}

/// Beginning of the object keys of all files that came by a name.
pub fn sender_prefix(sender: &Sender) -> String {
    let owner = digest(&[sender.kind.as_bytes(), sender.value.as_bytes()]);
    format!("{FILES_PREFIX}{}/", HEXLOWER.encode(&owner[..16]))
}

/// Stores the files of a sender; durable once this returns.
///
/// # Errors
/// [`Failure::Retry`] when the object store does not answer.
pub async fn store(sender: &Sender, files: Vec<(Attachment, Vec<u8>)>, blobs: &Blobs) -> Result<(), Failure> {
    let puts =
        files.into_iter().map(|(file, bytes)| async move { blobs.put(&file_key(sender, &file.sha256), bytes).await });
    stream::iter(puts).buffer_unordered(AT_ONCE).try_collect().await
}

/// Says in the messages of a commit where their files can be had for the next minutes.
///
/// # Errors
/// [`Failure::Retry`] when links cannot be signed.
pub async fn link(commit: &mut Commit, blobs: &Blobs, now: Moment) -> Result<(), Failure> {
    for event in &mut commit.events {
        let (sender, attachments) = match &mut event.data {
            EventData::MessageReceived(received) => (&received.message.sender, &mut received.message.attachments),
            EventData::AttachmentsStored(stored) => (&stored.sender, &mut stored.attachments),
            _ => continue,
        };
        // The hash of what its channel still holds is only told.
        let is_here = |file: &&mut Attachment| !file.sha256.is_empty() && file.held_by_channel.is_none();
        for file in attachments.iter_mut().filter(is_here) {
            let download = Download {
                key: file_key(sender, &file.sha256),
                content_type: if file.dangerous { OPAQUE } else { &file.content_type }.to_owned(),
                disposition: disposition(&file.filename),
            };
            file.url = Some(blobs.link(&download, now, LINK_LASTS).await?);
        }
    }
    Ok(())
}

/// A browser stores the file under its name and never shows it (RFC 6266; the name once in ASCII, once as RFC 8187 has it).
fn disposition(filename: &str) -> String {
    let ascii = |c: char| if c.is_ascii_alphanumeric() || "._- ()".contains(c) { c } else { '_' };
    let plain: String = filename.chars().map(ascii).collect();
    let mut disposition = format!("attachment; filename=\"{plain}\"");
    if plain != filename {
        let exact = utf8_percent_encode(filename, NON_ALPHANUMERIC);
        let _never_fails = write!(disposition, "; filename*=UTF-8''{exact}");
    }
    disposition
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(value: &str) -> Sender {
        Sender { kind: "email".to_owned(), value: value.to_owned(), ..Sender::default() }
    }

    #[test]
    fn a_file_has_one_place_for_each_sender() {
        let key = file_key(&sender("anna@example.org"), "00ff");
        assert_eq!(key, file_key(&Sender { name: Some("Anna".to_owned()), ..sender("anna@example.org") }, "00ff"));
        assert_ne!(key, file_key(&sender("ben@example.org"), "00ff"));
        assert!(key.starts_with("attachments/") && key.ends_with("/00ff") && !key.contains("anna"), "{key}");
    }

    #[test]
    fn a_name_never_leaves_its_header() {
        assert_eq!(disposition("invoice (2).pdf"), "attachment; filename=\"invoice (2).pdf\"");
        assert_eq!(
            disposition("a\"\r\nSet-Cookie: x=größe.pdf"),
            "attachment; filename=\"a___Set-Cookie_ x_gr__e.pdf\"; \
             filename*=UTF-8''a%22%0D%0ASet%2DCookie%3A%20x%3Dgr%C3%B6%C3%9Fe%2Epdf"
        );
    }
}
