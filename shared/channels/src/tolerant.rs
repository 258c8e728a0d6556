//! Reading what providers write in more than one way: times, texts, lists and links.

use serde_json::Value;
use throughline_domain::message::truncated;
use throughline_domain::moment::Moment;

use crate::provider::Said;

/// From here on a number is a time in milliseconds (1973), below it one in seconds (till the year 5138).
const MS_MIN: i64 = 100_000_000_000;
/// Longest custom field that is made of what a provider says, in bytes: longer than the ids, buttons and links that it
/// is made of.
const FIELD_BYTES_MAX: usize = 2048;

/// A time: seconds or milliseconds since 1970, as a number or its digits, or RFC 3339.
pub(crate) fn moment(value: Option<&Value>) -> Option<Moment> {
    let since_1970 = match value? {
        Value::Number(number) => number.as_i64()?,
        Value::String(text) => match text.parse() {
            Ok(number) => number,
            Err(_) => return text.parse().ok(),
        },
        _ => return None,
    };
    let ms = if since_1970 < MS_MIN { since_1970.saturating_mul(1000) } else { since_1970 };
    Some(Moment::from_ms(ms))
}

/// The text at a pointer, if it says something.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
}

/// The items of the list at a pointer; none, if there is no list.
pub(crate) fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A text or a number, as it is read by a person.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Adds a file that the provider holds at a URL. The same URL counts once; what is no `https` URL becomes a warning.
pub(crate) fn file_at(said: &mut Said, url: Option<&str>, content_type: &str) {
    match url.filter(|url| url.starts_with("https://")) {
        Some(url) if said.attachments.iter().any(|file| file.held_by_channel.as_deref() == Some(url)) => (),
        Some(url) => said.file(url, None, content_type, None),
        None => said.warnings.push("a file came without an address to fetch it from".to_owned()),
    }
}

/// Adds a custom field, if there is something to say, at most [`FIELD_BYTES_MAX`] of it.
pub(crate) fn field(said: &mut Said, name: &str, value: Option<&str>) {
    if let Some(value) = value.filter(|value| !value.is_empty()) {
        said.fields.insert(name.to_owned(), truncated(value, FIELD_BYTES_MAX).into());
    }
}

/// Adds a line to the text.
pub(crate) fn add_line(said: &mut Said, line: &str) {
    if !said.text.is_empty() {
        said.text.push('\n');
    }
    said.text.push_str(line);
}

/// Adds something shared as a line of text, `(what: title, url)`, unless its link stands in the text already.
pub(crate) fn add_link(said: &mut Said, what: &str, title: Option<&str>, url: Option<&str>) {
    if url.is_some_and(|url| said.text.contains(url)) {
        return;
    }
    let parts: Vec<&str> = title.into_iter().chain(url).collect();
    if parts.is_empty() {
        said.warnings.push(format!("a {what} is kept without its content"));
    } else {
        add_line(said, &format!("({what}: {})", parts.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_read_in_every_form() {
        let read = |value: Value| moment(Some(&value)).map(|at| at.to_string());
        let expected = Some("2026-11-20T14:00:00.000Z".to_owned());
        for same in [json!(1795183200), json!("1795183200"), json!(1795183200000_i64), json!("1795183200000")] {
            assert_eq!(read(same.clone()), expected, "{same}");
        }
        assert_eq!(read(json!("2026-11-20T14:00:00.000Z")), expected);
        for none in [json!(null), json!("soon"), json!([1]), json!(1e300), json!("")] {
            assert_eq!(read(none.clone()), None, "{none}");
        }
        assert!(moment(Some(&json!(i64::MIN))).is_some() && moment(Some(&json!(i64::MAX))).is_some());
    }

    #[test]
    fn a_file_counts_once_and_needs_an_address() {
        let mut said = Said::default();
        for url in [Some("https://a.example/1"), Some("https://a.example/1"), Some("http://a.example/2"), None] {
            file_at(&mut said, url, "image/jpeg");
        }
        assert_eq!((said.attachments.len(), said.warnings.len()), (1, 2));
    }

    #[test]
    fn a_field_says_something_and_not_too_much() {
        let mut said = Said::default();
        field(&mut said, "none", None);
        field(&mut said, "blank", Some(""));
        field(&mut said, "long", Some(&"ö".repeat(FIELD_BYTES_MAX)));
        assert_eq!(said.fields.len(), 1);
        assert_eq!(said.fields["long"].as_str().unwrap().len(), FIELD_BYTES_MAX);
    }

    #[test]
    fn a_link_counts_once() {
        let mut said = Said { text: "look https://a.example/1".to_owned(), ..Said::default() };
        add_link(&mut said, "link", Some("One"), Some("https://a.example/1"));
        add_link(&mut said, "link", Some("Two"), Some("https://a.example/2"));
        add_link(&mut said, "share", None, None);
        assert_eq!(said.text, "look https://a.example/1\n(link: Two, https://a.example/2)");
        assert_eq!(said.warnings, ["a share is kept without its content"]);
    }
}
