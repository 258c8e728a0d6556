//! Files that a signed body names by their URLs: `[{"url", "filename", "content_type", "size", "sha256"}]`.
//!
//! Whoever signs may name any URL, so nothing is fetched here, and later only from hosts that the inbox allows. What is
//! wrong with a file becomes a warning: the message counts.

use serde_json::Value;
use throughline_domain::config::Inbox;
use throughline_domain::message::Attachment;

use crate::email::{FILE_NAME_BYTES_MAX, file_name};
use crate::malformed::{Fault, text_at};
use crate::media::{Holder, URL_BYTES_MAX};
use crate::upload::content_type;

/// Most files of one message.
pub(crate) const FILES_MAX: usize = 50;
/// Hexadecimal digits of a SHA-256.
const SHA256_HEX_LEN: usize = 64;

/// The files that the list at a pointer names, to be fetched from where they are if that is allowed. The same URL counts
/// once.
pub(crate) fn named_files(
    root: &Value,
    pointer: &str,
    inbox: &Inbox,
    warnings: &mut Vec<String>,
    minor: &mut Vec<Fault>,
) -> Vec<Attachment> {
    let items = match root.pointer(pointer) {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Array(items)) => items,
        Some(_) => {
            minor.push(Fault::new(pointer, "must be an array"));
            return Vec::new();
        }
    };
    let holder = Holder::of(inbox.channel, Some(inbox));
    let (mut files, mut wrong, mut over, mut elsewhere) = (Vec::<Attachment>::new(), 0, 0, 0);
    for (index, item) in items.iter().enumerate() {
        let Some(url) = item["url"].as_str().filter(|url| is_fit(url)) else {
            wrong += 1;
            continue;
        };
        if files.iter().any(|file| file.held_by_channel.as_deref() == Some(url)) {
            continue;
        }
        if files.len() == FILES_MAX {
            over += 1;
            continue;
        }
        elsewhere += usize::from(!holder.has(url));
        files.push(named_file(root, &format!("{pointer}/{index}"), files.len() + 1, url, minor));
    }
    for (count, what) in [
        (wrong, "without an https URL are left out".to_owned()),
        (over, format!("over the first {FILES_MAX} are left out")),
        (elsewhere, "are on hosts from which the inbox fetches nothing".to_owned()),
    ] {
        if count > 0 {
            warnings.push(format!("{count} attachment(s) {what}"));
        }
    }
    files
}

fn named_file(root: &Value, at: &str, number: usize, url: &str, minor: &mut Vec<Fault>) -> Attachment {
    let name = text_at(root, &format!("{at}/filename"), minor);
    let name = name.and_then(|name| file_name(&name, FILE_NAME_BYTES_MAX));
    let hash_at = format!("{at}/sha256");
    let hash = text_at(root, &hash_at, minor).map(|hash| hash.to_ascii_lowercase());
    let right = hash.as_deref().is_none_or(is_sha256);
    if !right {
        minor.push(Fault::new(&hash_at, "must be a hexadecimal SHA-256"));
    }
    Attachment {
        id: number.to_string(),
        filename: name.unwrap_or_else(|| format!("file-{number}")),
        content_type: content_type(root, &format!("{at}/content_type"), minor),
        size: size(root, &format!("{at}/size"), minor),
        sha256: hash.filter(|_| right).unwrap_or_default(),
        held_by_channel: Some(url.to_owned()),
        ..Attachment::default()
    }
}

fn is_fit(url: &str) -> bool {
    url.starts_with("https://") && url.len() <= URL_BYTES_MAX && !url.chars().any(char::is_control)
}

fn is_sha256(hash: &str) -> bool {
    hash.len() == SHA256_HEX_LEN && hash.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Its bytes, as told; 0 if nothing is told.
fn size(root: &Value, at: &str, minor: &mut Vec<Fault>) -> u64 {
    match root.pointer(at) {
        None | Some(Value::Null) => 0,
        Some(given) => given.as_u64().unwrap_or_else(|| {
            minor.push(Fault::new(at, "must be a whole number of bytes"));
            0
        }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn inbox() -> Inbox {
        serde_json::from_value(json!({"id": "shop", "channel": "webhook", "media_hosts": ["files.example.com"]}))
            .unwrap()
    }

    /// The files, and the warnings and faults.
    fn read(list: &Value) -> (Vec<Attachment>, Vec<String>) {
        let (mut warnings, mut minor) = (Vec::new(), Vec::new());
        let files = named_files(&json!({"files": list}), "/files", &inbox(), &mut warnings, &mut minor);
        warnings.extend(minor.iter().map(Fault::to_string));
        (files, warnings)
    }

    #[test]
    fn a_file_is_listed_as_it_is_told_and_stays_where_it_is() {
        let (files, warnings) = read(&json!([
            {"url": "https://files.example.com/a", "filename": "../a b.png", "content_type": "IMAGE/PNG; q=1", "size": 5,
             "sha256": "AB".repeat(32)},
            {"url": "https://files.example.com/b"},
        ]));
        assert_eq!(warnings, [""; 0]);
        let [full, least] = &files[..] else { panic!("{files:?}") };
        assert_eq!((full.id.as_str(), full.filename.as_str(), full.size), ("1", "a b.png", 5));
        assert_eq!((full.content_type.as_str(), full.sha256.as_str()), ("image/png", &*"ab".repeat(32)));
        assert_eq!(full.held_by_channel.as_deref(), Some("https://files.example.com/a"));
        assert_eq!((least.filename.as_str(), least.size, least.sha256.as_str()), ("file-2", 0, ""));
        assert_eq!(least.content_type, "application/octet-stream");
    }

    #[test]
    fn what_is_wrong_with_a_file_is_a_warning() {
        let url = "https://files.example.com/a";
        let long = format!("https://files.example.com/{}", "a".repeat(URL_BYTES_MAX));
        for (list, files, warning) in [
            (json!({"url": url}), 0, "/files must be an array"),
            (
                json!([7, {"url": 7}, {"url": "http://files.example.com/a"}, {"url": "file:///etc/passwd"}, {"url": long},
                {"url": "https://files.example.com/a\nb"}]),
                0,
                "6 attachment(s) without an https URL are left out",
            ),
            (
                json!([{"url": "https://169.254.169.254/latest"}, {"url": "https://files.example.com.evil.example/"}]),
                2,
                "2 attachment(s) are on hosts from which the inbox fetches nothing",
            ),
            (json!([{"url": url, "size": -1}]), 1, "/files/0/size must be a whole number of bytes"),
            (json!([{"url": url, "sha256": "abc"}]), 1, "/files/0/sha256 must be a hexadecimal SHA-256"),
            (json!([{"url": url, "filename": ["a"]}]), 1, "/files/0/filename must be a text"),
        ] {
            let (found, warnings) = read(&list);
            assert_eq!((found.len(), &warnings[..]), (files, &[warning.to_owned()][..]), "{list}");
        }
    }

    #[test]
    fn the_same_url_counts_once_and_files_have_a_limit() {
        let url = |n: usize| json!({"url": format!("https://files.example.com/{n}")});
        assert_eq!(read(&json!([url(1), url(1), url(2)])).0.len(), 2);
        let (files, warnings) = read(&json!((0..FILES_MAX + 3).map(url).collect::<Vec<_>>()));
        assert_eq!(
            (files.len(), &warnings[..]),
            (FILES_MAX, &["3 attachment(s) over the first 50 are left out".to_owned()][..])
        );
    }

    proptest! {
        #[test]
        fn whatever_is_listed_is_fit_to_be_asked_for(
            urls in prop::collection::vec("(https://|http://|)[a-z.:@/\\\\?#\u{0}-\u{20}é]{0,40}", 0..60),
            name in ".*", hash in "([0-9a-fA-F]{64}|.*)", size: i64,
        ) {
            let list: Vec<_> = urls.iter()
                .map(|url| json!({"url": url, "filename": name, "sha256": hash, "size": size, "content_type": name}))
                .collect();
            for file in read(&json!(list)).0 {
                prop_assert!(file.held_by_channel.as_deref().is_some_and(is_fit));
                prop_assert!(file.sha256.is_empty() || is_sha256(&file.sha256));
                prop_assert!(file.filename.len() <= FILE_NAME_BYTES_MAX && !file.filename.contains(['/', '\\', '\0']));
            }
        }
    }
}
