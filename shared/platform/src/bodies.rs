//! Long texts: out of the commit into the object store, and back for who reads.

use throughline_domain::erasure::newly_written;
use throughline_domain::event::{Commit, EventData};
use throughline_domain::message::{Body, Message};

use crate::blobs::{Blobs, body_key};
use crate::error::Failure;

/// Largest text of a message that stays in its commit, in bytes. With what else a commit says, the item stays near
/// 4 KiB.
pub const INLINE_BYTES_MAX: usize = 3_072;
/// How much of a longer text stays in the commit as a preview, in bytes. Rules over words read this much of it.
const PREVIEW_BYTES: usize = 2_048;

/// Moves the texts of a long message into the object store. Done before the commit, under a name that the message
/// gives, so that doing it again changes nothing.
///
/// # Errors
/// [`Failure::Retry`] when the object store does not answer.
pub async fn store(message: &mut Message, blobs: &Blobs) -> Result<(), Failure> {
    let long = message.text.len()
        + message.reply_text.as_ref().map_or(0, String::len)
        + message.html.as_ref().map_or(0, String::len);
    if long <= INLINE_BYTES_MAX || message.body_url.is_some() {
        return Ok(());
    }
    let key = body_key(message.id);
    let body = message.take_body(PREVIEW_BYTES);
    let bytes = serde_json::to_vec(&body).map_err(|error| Failure::Quarantine(error.to_string()))?;
    blobs.put(&key, bytes).await?;
    message.body_url = Some(key);
    Ok(())
}

/// Leaves of stored texts only what was newly written.
///
/// # Errors
/// [`Failure::Retry`] when the object store does not answer.
pub async fn cut(key: &str, blobs: &Blobs) -> Result<(), Failure> {
    let Some(bytes) = blobs.get(key).await? else {
        return Ok(());
    };
    let Ok(body) = serde_json::from_slice::<Body>(&bytes) else {
        return blobs.delete(key).await;
    };
    let text = newly_written(&body.text, body.reply_text.as_deref());
    let body = Body { text, reply_text: None, html: None };
    blobs.put(key, serde_json::to_vec(&body).map_err(|error| Failure::Quarantine(error.to_string()))?).await
}

/// Puts the texts back into the messages of a commit.
///
/// # Errors
/// [`Failure::Retry`] when the object store does not answer.
pub async fn restore(commit: &mut Commit, blobs: &Blobs) -> Result<(), Failure> {
    for event in &mut commit.events {
        let message = match &mut event.data {
            EventData::MessageReceived(received) => &mut received.message,
            EventData::ReplySent(reply) => &mut reply.message,
            EventData::NoteAdded(note) => &mut note.message,
            EventData::MessageEdited(edited) => &mut edited.message,
            _ => continue,
        };
        let Some(key) = message.body_url.clone() else {
            continue;
        };
        let bytes = blobs.get(&key).await?;
        match bytes.and_then(|bytes| serde_json::from_slice::<Body>(&bytes).ok()) {
            Some(body) => {
                message.put_body(body);
                message.body_url = None;
            }
            None => message.warnings.push("the full text cannot be read; this is its beginning".to_owned()),
        }
    }
    Ok(())
}
