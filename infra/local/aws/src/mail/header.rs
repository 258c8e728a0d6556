//! The header of a mail: giving it another message id, as SES does.

const MESSAGE_ID: &str = "Message-ID";

/// The mail with this message id in place of its own, and everything else as it was.
pub(super) fn with_message_id(raw: &[u8], id: &str) -> Vec<u8> {
    let first_line = raw.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
    let newline: &[u8] = if first_line.ends_with(b"\n") && !first_line.ends_with(b"\r\n") { b"\n" } else { b"\r\n" };
    let field = [MESSAGE_ID.as_bytes(), b": ", id.as_bytes(), newline].concat();

    let mut rewritten = Vec::with_capacity(raw.len() + field.len());
    let (mut rest, mut replaced, mut dropping) = (raw, false, false);
    while !rest.is_empty() {
        let line_end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
        let (line, after) = rest.split_at(line_end);
        if matches!(line, b"\r\n" | b"\n") {
            break;
        }
        let continued = matches!(line, [b' ' | b'\t', ..]);
        dropping = if continued { dropping } else { is_message_id(line) };
        if !dropping {
            rewritten.extend_from_slice(line);
        } else if !replaced {
            rewritten.extend_from_slice(&field);
            replaced = true;
        }
        rest = after;
    }
    if !replaced {
        rewritten.extend_from_slice(&field);
    }
    rewritten.extend_from_slice(rest);
    rewritten
}

fn is_message_id(line: &[u8]) -> bool {
    let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
    name.len() < line.len() && name.trim_ascii_end().eq_ignore_ascii_case(MESSAGE_ID.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::with_message_id;

    fn rewritten(raw: &str) -> String {
        String::from_utf8(with_message_id(raw.as_bytes(), "<new@x>")).unwrap()
    }

    #[test]
    fn the_id_is_replaced_where_it_stands() {
        assert_eq!(
            rewritten("From: a@b\r\nmessage-id:\r\n <old@x>\r\nTo: c@d\r\n\r\nMessage-ID: <body@x>\r\n"),
            "From: a@b\r\nMessage-ID: <new@x>\r\nTo: c@d\r\n\r\nMessage-ID: <body@x>\r\n"
        );
    }

    #[test]
    fn a_missing_id_is_added_at_the_end_of_the_header() {
        assert_eq!(rewritten("From: a@b\n\nbody"), "From: a@b\nMessage-ID: <new@x>\n\nbody");
        assert_eq!(rewritten("From: a@b\r\n"), "From: a@b\r\nMessage-ID: <new@x>\r\n");
    }

    #[test]
    fn of_several_ids_one_is_left() {
        assert_eq!(
            rewritten("Message-ID: <1@x>\r\nMessage-Id : <2@x>\r\nX: y\r\n\r\n"),
            "Message-ID: <new@x>\r\nX: y\r\n\r\n"
        );
    }
}
