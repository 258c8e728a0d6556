//! Reading URL-encoded fields: the query of an object request, the body of a mail request.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The fields of a query or a form, in order, still encoded.
pub(crate) fn fields(encoded: &str) -> impl Iterator<Item = (&str, &str)> {
    encoded.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// The first field of a name that needs no encoding.
pub(crate) fn field<'a>(encoded: &'a str, name: &str) -> Option<Cow<'a, str>> {
    fields(encoded).find(|(found, _)| *found == name).map(|(_, value)| decode(value))
}

/// A decoded value.
pub(crate) fn decode(value: &str) -> Cow<'_, str> {
    if !value.contains('+') {
        return percent_decode_str(value).decode_utf8_lossy();
    }
    let spaced = value.replace('+', " ");
    Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}
