//! Files that the pages of our own channels upload: first asked for one by one, put straight into the object store, then
//! named by a message.
//!
//! Where an upload lies says whose it is: whoever names another's upload names a place where nothing is.

use data_encoding::HEXLOWER;
use serde_json::Value;
use throughline_domain::channel::Channel;
use throughline_domain::id::{InboxId, digest};
use throughline_domain::message::Attachment;

use crate::email::{FILE_NAME_BYTES_MAX, file_name, file_type};
use crate::malformed::{Fault, Malformed, json, object_at, require, text_at};

/// Largest file that may be uploaded, in bytes (20 MiB): it is read through before the answer.
pub const UPLOAD_BYTES_MAX: u64 = 20 * 1024 * 1024;
/// Most files of one message.
pub const FILES_MAX: usize = 10;
/// Most bytes of all files of one message (40 MiB): what a mail may bring, too.
pub const MESSAGE_FILES_BYTES_MAX: u64 = 40 * 1024 * 1024;
/// Beginning of the object keys of uploads.
pub const UPLOADS_PREFIX: &str = "uploads/";
/// Beginning of the id of an upload; 32 hexadecimal digits follow, drawn by chance.
const ID_PREFIX: &str = "upl_";
/// The digits of an id.
const ID_DIGITS: usize = 32;
/// Longest media type kept, in bytes (RFC 6838, section 4.2: 127 each for type and subtype).
const CONTENT_TYPE_BYTES_MAX: usize = 255;
/// What a file is whose type nobody gave.
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// A file that a page wants to upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its media type, as given.
    pub content_type: String,
    /// Its bytes.
    pub size: u64,
}

/// Reads what a page wants to upload: `{"filename", "content_type", "size"}`.
///
/// # Errors
/// When it is not JSON, or breaks the contract: all faults of it.
pub fn wanted(body: &[u8]) -> Result<Wanted, Malformed> {
    let root = json(body)?;
    let mut faults = Vec::new();
    object_at(&root, "", true, &mut faults);
    if filename(&root, "/filename", &mut faults).is_none() {
        require("/filename", &mut faults);
    }
    let content_type = content_type(&root, "/content_type", &mut faults);
    let size = size(&root, "/size", &mut faults);
    if size.is_none() {
        require("/size", &mut faults);
    }
    match size.filter(|_| faults.is_empty()) {
        Some(size) => Ok(Wanted { content_type, size }),
        None => Err(Malformed::Invalid(faults)),
    }
}

/// The id of a new upload. `digits` are 32 hexadecimal ones that nobody can guess.
pub fn id(digits: &str) -> String {
    format!("{ID_PREFIX}{digits}")
}

/// Object key of an upload. `owner` is who may name it: the session of a chat; nobody in particular for a form, where the
/// id alone is the secret.
pub fn key(channel: Channel, inbox: &InboxId, owner: &str, id: &str) -> String {
    let whose = digest(&[channel.as_str().as_bytes(), inbox.as_str().as_bytes(), owner.as_bytes()]);
    format!("{UPLOADS_PREFIX}{}/{id}", HEXLOWER.encode(&whose[..16]))
}

/// The files that a message names, as the channel still holds them: by the id of their upload.
pub(crate) fn files_at(root: &Value, pointer: &str, faults: &mut Vec<Fault>) -> Vec<Attachment> {
    let items = match root.pointer(pointer) {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Array(items)) => items,
        Some(_) => {
            faults.push(Fault::new(pointer, "must be an array"));
            return Vec::new();
        }
    };
    if items.len() > FILES_MAX {
        faults.push(Fault::new(pointer, &format!("must be at most {FILES_MAX} files")));
        return Vec::new();
    }
    (0..items.len()).filter_map(|index| file_at(root, &format!("{pointer}/{index}"), index + 1, faults)).collect()
}

fn file_at(root: &Value, at: &str, number: usize, faults: &mut Vec<Fault>) -> Option<Attachment> {
    object_at(root, at, true, faults);
    let id_at = format!("{at}/upload_id");
    let id = text_at(root, &id_at, faults).filter(|id| is_id(id)).map(|id| id.into_owned());
    if id.is_none() {
        require(&id_at, faults);
    }
    let name = filename(root, &format!("{at}/filename"), faults);
    let content_type = content_type(root, &format!("{at}/content_type"), faults);
    // Nothing is the size that was uploaded.
    let size = size(root, &format!("{at}/size"), faults).unwrap_or_default();
    Some(Attachment {
        id: number.to_string(),
        filename: name.unwrap_or_else(|| format!("attachment-{number}")),
        content_type,
        size,
        held_by_channel: Some(id?),
        ..Attachment::default()
    })
}

fn is_id(text: &str) -> bool {
    let digits = text.strip_prefix(ID_PREFIX).unwrap_or_default();
    digits.len() == ID_DIGITS && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn filename(root: &Value, pointer: &str, faults: &mut Vec<Fault>) -> Option<String> {
    text_at(root, pointer, faults).and_then(|name| file_name(&name, FILE_NAME_BYTES_MAX))
}

/// The media type; one that is none counts as not given.
pub(crate) fn content_type(root: &Value, pointer: &str, faults: &mut Vec<Fault>) -> String {
    let given = text_at(root, pointer, faults);
    let given = given.as_deref().map(|given| given.split(';').next().unwrap_or_default());
    given.and_then(|given| file_type::name(given, CONTENT_TYPE_BYTES_MAX)).unwrap_or_else(|| UNKNOWN_TYPE.to_owned())
}

fn size(root: &Value, pointer: &str, faults: &mut Vec<Fault>) -> Option<u64> {
    let given = root.pointer(pointer).filter(|given| !given.is_null())?;
    let size = given.as_u64().filter(|size| (1..=UPLOAD_BYTES_MAX).contains(size));
    if size.is_none() {
        faults.push(Fault::new(pointer, &format!("must be a whole number from 1 to {UPLOAD_BYTES_MAX}")));
    }
    size
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const ID: &str = "upl_0123456789abcdef0123456789abcdef";

    fn files(attachments: &Value) -> Result<Vec<Attachment>, Vec<String>> {
        let mut faults = Vec::new();
        let files = files_at(&json!({"attachments": attachments}), "/attachments", &mut faults);
        if faults.is_empty() { Ok(files) } else { Err(faults.into_iter().map(|fault| fault.pointer).collect()) }
    }

    #[test]
    fn a_file_is_asked_for_with_its_name_and_size() {
        let ask = |body: Value| wanted(body.to_string().as_bytes());
        let right = ask(json!({"filename": "a.png", "content_type": "IMAGE/PNG; q=1", "size": 3})).unwrap();
        assert_eq!(right, Wanted { content_type: "image/png".to_owned(), size: 3 });
        let odd = ask(json!({"filename": "a", "content_type": "x\r\ny", "size": UPLOAD_BYTES_MAX})).unwrap();
        assert_eq!(odd.content_type, UNKNOWN_TYPE);
        for (wrong, pointer) in [
            (json!({"filename": "a", "size": 0}), "/size"),
            (json!({"filename": "a", "size": UPLOAD_BYTES_MAX + 1}), "/size"),
            (json!({"filename": "a", "size": "3"}), "/size"),
            (json!({"filename": "a", "size": 1.5}), "/size"),
            (json!({"filename": "a"}), "/size"),
            (json!({"filename": "../..", "size": 3}), "/filename"),
            (json!({"filename": {}, "size": 3}), "/filename"),
            (json!([]), ""),
        ] {
            let Err(Malformed::Invalid(faults)) = ask(wrong.clone()) else { panic!("{wrong} is taken") };
            assert!(faults.iter().any(|fault| fault.pointer == pointer), "{wrong}: {faults:?}");
        }
        assert!(matches!(wanted(b"{"), Err(Malformed::NotJson(_))));
    }

    #[test]
    fn a_message_names_uploads() {
        let found = files(&json!([
            {"upload_id": ID, "filename": "C:\\x\\photo.jpg", "content_type": "image/jpeg", "size": 7},
            {"upload_id": ID},
        ]));
        let found = found.unwrap();
        let said: Vec<_> = found.iter().map(|file| (file.id.as_str(), file.filename.as_str(), file.size)).collect();
        assert_eq!(said, [("1", "photo.jpg", 7), ("2", "attachment-2", 0)]);
        assert!(found.iter().all(|file| file.held_by_channel.as_deref() == Some(ID)));
        assert_eq!(files(&Value::Null), Ok(vec![]));
        assert_eq!(files(&json!("x")), Err(vec!["/attachments".to_owned()]));
        assert_eq!(files(&json!(vec![json!({"upload_id": ID}); FILES_MAX + 1])), Err(vec!["/attachments".to_owned()]));
        for wrong in ["", "upl_", "upl_../../mail/x", "upl_0123456789ABCDEF0123456789ABCDEF", "0123456789abcdef"] {
            assert_eq!(
                files(&json!([{"upload_id": wrong}])),
                Err(vec!["/attachments/0/upload_id".to_owned()]),
                "{wrong}"
            );
        }
    }

    #[test]
    fn the_place_says_whose_it_is() {
        let (a, b): (InboxId, InboxId) = ("a".parse().unwrap(), "b".parse().unwrap());
        let place = key(Channel::WebChat, &a, "s1", ID);
        assert!(place.starts_with(UPLOADS_PREFIX) && place.ends_with(ID) && !place.contains("s1"), "{place}");
        let others = [
            key(Channel::WebChat, &a, "s2", ID),
            key(Channel::WebChat, &b, "s1", ID),
            key(Channel::Portal, &a, "s1", ID),
        ];
        assert!(!others.contains(&place));
    }

    proptest! {
        #[test]
        fn anything_is_read(body in proptest::collection::vec(any::<u8>(), 0..200), text in ".{0,80}") {
            let _any = wanted(&body);
            if let Ok(found) = files(&json!([{"upload_id": text, "filename": text, "content_type": text}])) {
                prop_assert!(found.iter().all(|file| file.held_by_channel.as_deref().is_some_and(is_id)));
            }
        }
    }
}
