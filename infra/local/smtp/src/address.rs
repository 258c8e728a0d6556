//! Paths of MAIL and RCPT: `<local@domain>` (RFC 5321 section 4.1.2, RFC 6531 section 3.3).
//!
//! More is taken than the grammar allows where real senders write it (dots anywhere in the local part, underscores in
//! host names, long local parts of bounce addresses), and nothing that could end a path or a line.

/// Longest address, bytes: local part 64, `@`, domain 255 (RFC 5321 section 4.5.3.1). Real local parts are longer
/// at times, so only the whole is limited.
const ADDRESS_BYTES_MAX: usize = 64 + 1 + 255;

/// Splits `<path>rest` into the address and the rest, the address in its one form; empty for the null path `<>`.
/// A source route is dropped (RFC 5321 appendix C). `None`: no path.
pub(crate) fn take_path(text: &str) -> Option<(String, &str)> {
    let inner = text.strip_prefix('<')?;
    if let Some(rest) = inner.strip_prefix('>') {
        return Some((String::new(), rest));
    }
    let mailbox = if inner.starts_with('@') { inner.split_once(':')?.1 } else { inner };
    let (local, rest) = take_local_part(mailbox)?;
    let (address, rest) = match rest.strip_prefix('@') {
        Some(domain) => {
            let (domain, rest) = take_domain(domain)?;
            (format!("{local}@{domain}"), rest)
        }
        // The one mailbox that every server has, whatever its domain (RFC 5321 section 4.1.1.3).
        None if local.eq_ignore_ascii_case("postmaster") => (local, rest),
        None => return None,
    };
    let rest = rest.strip_prefix('>')?;
    (address.len() <= ADDRESS_BYTES_MAX).then_some((address, rest))
}

/// The one form of an address that stands alone, or `None` when it is none.
pub(crate) fn normal_form(address: &str) -> Option<String> {
    let path = format!("<{address}>");
    let (normal, rest) = take_path(&path)?;
    (rest.is_empty() && !normal.is_empty()).then_some(normal)
}

fn take_local_part(text: &str) -> Option<(String, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (content, rest) = take_quoted(quoted)?;
        return Some((written(&content), rest));
    }
    let end = text.find(|c: char| !is_atom(c)).unwrap_or(text.len());
    let (local, rest) = text.split_at(end);
    (!local.is_empty()).then(|| (local.to_owned(), rest))
}

/// The content up to the closing quote, without backslashes, and what follows the quote.
fn take_quoted(text: &str) -> Option<(String, &str)> {
    let mut content = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((content, &text[at + 1..])),
            '\\' => content.push(chars.next().map(|(_, escaped)| escaped).filter(|c| !c.is_control())?),
            c if c.is_control() => return None,
            c => content.push(c),
        }
    }
    None
}

/// `"support"` and `support` are the same mailbox (RFC 5321 section 4.1.2): quotes only where they are needed.
fn written(content: &str) -> String {
    if !content.is_empty() && content.chars().all(is_atom) {
        return content.to_owned();
    }
    format!("\"{}\"", content.replace('\\', "\\\\").replace('"', "\\\""))
}

fn take_domain(text: &str) -> Option<(&str, &str)> {
    let end = if text.starts_with('[') {
        let close = text.find(']')?;
        let literal = &text[1..close];
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-');
        (!literal.is_empty() && literal.chars().all(fits)).then_some(close + 1)?
    } else {
        text.find(|c: char| !(is_letter(c) || matches!(c, '.' | '-' | '_'))).unwrap_or(text.len())
    };
    (end > 0).then(|| text.split_at(end))
}

fn is_letter(c: char) -> bool {
    c.is_ascii_alphanumeric() || !(c.is_ascii() || c.is_control() || c.is_whitespace())
}

fn is_atom(c: char) -> bool {
    is_letter(c) || "!#$%&'*+-/=?^_`{|}~.".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for (text, expected) in [
            ("<>", Some(("", ""))),
            ("<> SIZE=1", Some(("", " SIZE=1"))),
            ("<a@example.com>", Some(("a@example.com", ""))),
            ("<a@example.com> BODY=7BIT", Some(("a@example.com", " BODY=7BIT"))),
            ("<support+INV-1.2=x@example.com>", Some(("support+INV-1.2=x@example.com", ""))),
            ("<@a.example,@b.example:c@example.com>", Some(("c@example.com", ""))),
            ("<..dots..@example.com>", Some(("..dots..@example.com", ""))),
            ("<\"john doe\"@example.com>", Some(("\"john doe\"@example.com", ""))),
            ("<\"a@b>c\"@example.com>x", Some(("\"a@b>c\"@example.com", "x"))),
            ("<\"a\\\"b\\\\\"@example.com>", Some(("\"a\\\"b\\\\\"@example.com", ""))),
            ("<\"support\"@example.com>", Some(("support@example.com", ""))),
            ("<\"\\s\\u\"@example.com>", Some(("su@example.com", ""))),
            ("<\"\"@example.com>", Some(("\"\"@example.com", ""))),
            ("<a@[192.0.2.1]>", Some(("a@[192.0.2.1]", ""))),
            ("<a@[IPv6:2001:db8::1]>", Some(("a@[IPv6:2001:db8::1]", ""))),
            ("<jos\u{e9}@ex\u{e4}mple.com>", Some(("jos\u{e9}@ex\u{e4}mple.com", ""))),
            ("<Postmaster>", Some(("Postmaster", ""))),
            ("<someone>", None),
            ("", None),
            ("<", None),
            ("a@example.com", None),
            ("<a@example.com", None),
            ("<a@>", None),
            ("<@example.com>", None),
            ("<a@b@example.com>", None),
            ("<a b@example.com>", None),
            ("<a@exam ple.com>", None),
            ("<\"a@example.com>", None),
            ("<\"a\\", None),
            ("<\"a\rb\"@example.com>", None),
            ("<\"a\\\nb\"@example.com>", None),
            ("<a\0@example.com>", None),
            ("<a\u{85}@example.com>", None),
            ("<a@[]>", None),
            ("<a@[1.2.3.4>", None),
        ] {
            let path = take_path(text);
            assert_eq!(path.as_ref().map(|(address, rest)| (address.as_str(), *rest)), expected, "{text:?}");
        }
    }

    #[test]
    fn the_length_is_limited() {
        let address = |length: usize| format!("{}@example.com", "a".repeat(length - "@example.com".len()));
        assert!(normal_form(&address(ADDRESS_BYTES_MAX)).is_some());
        assert!(normal_form(&address(ADDRESS_BYTES_MAX + 1)).is_none());
    }

    #[test]
    fn a_lone_address_holds_nothing_else() {
        assert_eq!(normal_form("\"a\"@example.com").as_deref(), Some("a@example.com"));
        for bad in ["", "a@example.com>", "a@example.com> SIZE=1", "a@example.com\r\nRSET", "a"] {
            assert_eq!(normal_form(bad), None, "{bad:?}");
        }
    }
}
