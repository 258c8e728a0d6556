//! Mails that are one plain text, as people write most of them.
//!
//! Nothing in them has to be searched or decoded, so they are taken apart without the parser, which looks at every byte of a
//! body by itself.

use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::{Header, HeaderName, HeaderValue, Message, MessagePart, PartType};

use super::charset;
use super::headers::Headers;

/// Encodings of a body that stands in the mail as it is.
const AS_IT_IS: [&str; 3] = ["7bit", "8bit", "binary"];

/// The mail as the parser takes it apart; None where that is for the parser to do.
pub(super) fn mail<'a>(mail: &'a [u8], headers: &Headers<'a>) -> Option<Message<'a>> {
    // Fields that had to be made readable first may tell the parser something else.
    let body = mail.strip_prefix(headers.whole()?).filter(|body| !body.is_empty())?;
    if headers.has("Content-Disposition") || !is_as_it_is(headers) {
        return None;
    }
    let content_type = headers.content_type();
    let text = content(body, content_type.as_ref())?;
    let part = MessagePart {
        headers: content_type.map(header).into_iter().collect(),
        body: PartType::Text(text.into()),
        offset_body: u32::try_from(mail.len() - body.len()).ok()?,
        offset_end: u32::try_from(mail.len()).ok()?,
        ..MessagePart::default()
    };
    Some(Message {
        html_body: vec![0],
        text_body: vec![0],
        attachments: Vec::new(),
        parts: vec![part],
        raw_message: mail.into(),
    })
}

fn is_as_it_is(headers: &Headers<'_>) -> bool {
    let mut given = headers.values("Content-Transfer-Encoding").filter_map(HeaderValue::as_text);
    given.all(|given| AS_IT_IS.iter().any(|known| known.eq_ignore_ascii_case(given)))
}

fn header(content_type: HeaderValue<'_>) -> Header<'_> {
    Header { name: HeaderName::ContentType, value: content_type, offset_field: 0, offset_start: 0, offset_end: 0 }
}

/// The body, if it is plain text whose bytes are its characters.
fn content<'a>(body: &'a [u8], content_type: Option<&HeaderValue<'_>>) -> Option<&'a str> {
    let text = std::str::from_utf8(body).ok()?;
    let Some(content_type) = content_type else { return Some(text) };
    let kind = content_type.as_content_type()?;
    let label = kind.attribute("charset").unwrap_or("utf-8");
    let is_unicode = charset::is_unicode(label) && (charset_decoder(label.as_bytes()).is_none() || text.is_ascii());
    (is_unicode && kind.ctype() == "text" && kind.subtype() == Some("plain")).then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::email::bounds::PARSER;
    use crate::email::header_text;

    /// What is read of parts.
    fn read<'a>(mail: &'a Message<'_>) -> impl PartialEq + std::fmt::Debug + use<'a> {
        let part = &mail.parts[0];
        let content_type = part.headers.iter().rfind(|header| header.name.as_str() == "Content-Type");
        let content_type = content_type.and_then(|header| header.value.as_content_type());
        let lists = (&mail.html_body, &mail.text_body, &mail.attachments, mail.parts.len());
        let place = (part.offset_header, part.offset_body, part.offset_end);
        (lists, place, part.encoding, part.is_encoding_problem, content_type, &part.body)
    }

    fn both(raw: &[u8], check: impl FnOnce(&Message<'_>, &Message<'_>)) -> bool {
        let fields = header_text::readable(raw);
        let headers = Headers::of(&fields.bytes);
        let Some(own) = mail(raw, &headers) else { return false };
        check(&own, &PARSER.parse(raw).expect("a mail"));
        true
    }

    #[test]
    fn plain_mails_need_no_parser() {
        for fields in [
            "Subject: x\n",
            "Subject: x\nContent-Type: text/plain\n",
            "Content-Type: Text/Plain; charset=\"UTF-8\"; format=flowed\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
        ] {
            let mail = format!("{fields}\ngrün\n");
            assert!(both(mail.as_bytes(), |own, parsers| assert_eq!(read(own), read(parsers))), "{mail:?}");
        }
        for other in [
            "Subject: x\n\n",
            "Subject: x\n",
            "Subject: x",
            "Subject: =?utf-8?Q?gr=C3=BCn?=\n\nx",
            "Content-Type: text/html\n\nx",
            "Content-Type: text/plain; charset=us-ascii\n\ngrün",
            "Content-Transfer-Encoding: base64\n\nZ3I=",
            "Content-Disposition: attachment\n\nx",
        ] {
            assert!(!both(other.as_bytes(), |_, _| ()), "{other:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn plain_mails_are_taken_apart_as_the_parser_does(pieces in prop::collection::vec(prop::sample::select(vec![
            "Subject: x\n", "Content-Type: text/plain", "Content-Type: text/html\n", "; charset=utf-8", "; charset=us-ascii",
            "; charset=\"latin1\"", "; name=\"=?utf-8?Q?gr=C3=BCn?=\"", "\n", "\r\n", "\n\n", " ", "Content-Type:\n", "x", "ü",
            "Content-Transfer-Encoding: 7BIT\n", "Content-Transfer-Encoding: base64\n", "Content-Type: multipart/mixed\n",
            "; boundary=a\n", "--a\n", "no header\n", ": x\n", "Content-Disposition: attachment\n", "\0", "=?utf-8?B?Z3I=?=",
        ]), 0..12)) {
            both(pieces.concat().as_bytes(), |own, parsers| assert_eq!(read(own), read(parsers)));
        }
    }
}
