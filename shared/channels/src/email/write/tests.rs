//! Mails as they go out: read back with the parser that reads what comes in.

use mail_parser::MessageParser;
use proptest::prelude::*;

use super::*;

fn mail<'a>(to: &'a [String], references: &'a [String]) -> OutgoingMail<'a> {
    OutgoingMail {
        brand: "Shop",
        from: "support@shop.example",
        to,
        cc: &[],
        subject: "Re: Broken",
        date: Moment::from_ms(1_763_631_000_000),
        message_id: "evt_1.token@shop.example",
        in_reply_to: Some("1@example.com"),
        references,
        reply_to: Some("support+r.token@shop.example"),
        text: "Hello,\n\nwe send a new one.\n",
        html: None,
        automatic: false,
    }
}

fn text(mail: &OutgoingMail<'_>) -> String {
    String::from_utf8(write(mail)).unwrap()
}

#[test]
fn a_mail_looks_like_this() {
    let (to, references) = (["anna@example.com".to_owned()], ["0@example.com".to_owned(), "1@example.com".to_owned()]);
    insta::assert_snapshot!(text(&mail(&to, &references)).replace("\r\n", "\n"), @r#"
    From: "Shop" <support@shop.example>
    To: <anna@example.com>
    Reply-To: <support+r.token@shop.example>
    Subject: Re: Broken
    Date: Thu, 20 Nov 2025 09:30:00 +0000
    Message-ID: <evt_1.token@shop.example>
    In-Reply-To: <1@example.com>
    References: <0@example.com> <1@example.com>
    MIME-Version: 1.0
    Content-Type: text/plain; charset="utf-8"
    Content-Transfer-Encoding: 7bit

    Hello,

    we send a new one.
    "#);
}

#[test]
fn automatic_mail_says_so_and_html_comes_beside_the_text() {
    let given = OutgoingMail { automatic: true, html: Some("<p>grün</p>"), text: "grün", ..mail(&[], &[]) };
    let written = write(&given);
    assert_eq!(written, write(&given), "no clock and no chance");
    let read = MessageParser::new().parse(&written).unwrap();
    assert_eq!(read.header("Auto-Submitted").and_then(|value| value.as_text()), Some("auto-replied"));
    assert_eq!(read.body_text(0).as_deref().map(str::trim), Some("grün"));
    assert_eq!(read.body_html(0).as_deref().map(str::trim), Some("<p>grün</p>"));
    assert!(!text(&mail(&[], &[])).contains("Auto-Submitted"));
}

#[test]
fn what_is_no_plain_address_is_left_out() {
    let to =
        ["a@x.example>, <evil@y.example", "a,b@x.example", "b@x.example", "c@x.example\r\nBcc: d@x.example", "nobody"];
    let to = to.map(str::to_owned);
    let written = text(&mail(&to, &[]));
    assert!(written.contains("To: <b@x.example>\r\n"), "{written}");
    assert!(!written.contains("evil") && !written.contains("Bcc"), "{written}");
}

#[test]
fn long_threads_keep_their_first_and_newest_ids() {
    let ids: Vec<String> = (0..100).map(|n| format!("{n}@example.com")).collect();
    let written = write(&mail(&[], &ids));
    let read = MessageParser::new().parse(&written).unwrap();
    let kept = read.references().as_text_list().unwrap();
    assert_eq!(kept.len(), REFERENCES_WRITTEN_MAX);
    assert_eq!(
        (kept[0].as_ref(), kept[1].as_ref(), kept[19].as_ref()),
        ("0@example.com", "81@example.com", "99@example.com")
    );
}

#[test]
fn answers_say_re_once() {
    let cases = [
        ("Broken", "Re: Broken"),
        ("Re: Broken", "Re: Broken"),
        ("RE: AW: re[2]: SV : Broken", "Re: Broken"),
        ("Fwd: Re: Broken", "Re: Fwd: Re: Broken"),
        ("Question: where?", "Re: Question: where?"),
        (" Re:\r\n Broken", "Re: Broken"),
        ("Report: x", "Re: Report: x"),
        ("", "Re:"),
        ("Re:", "Re:"),
    ];
    for (subject, expected) in cases {
        assert_eq!(reply_subject(subject), expected, "{subject:?}");
    }
}

proptest! {
    #[test]
    fn no_value_adds_a_header(value in "(\\PC|\r|\n|\r\nBcc: x@y.example\r\n|\0|\"|=\\?){0,40}") {
        let list = [value.clone(), format!("{value}@x.example")];
        let given = OutgoingMail {
            brand: &value,
            from: "support@shop.example",
            to: &list,
            cc: &list,
            subject: &value,
            message_id: &value,
            in_reply_to: Some(&value),
            references: &list,
            reply_to: Some(&list[1]),
            ..mail(&[], &[])
        };
        let written = text(&given);
        let (headers, _) = written.split_once("\r\n\r\n").unwrap();
        prop_assert!(!headers.contains('\0') && !headers.replace("\r\n", "").contains(['\r', '\n']));
        const KNOWN: [&str; 11] = [
            "From", "To", "Cc", "Reply-To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "MIME-Version",
            "Content-Type",
        ];
        let mut last = 0;
        for line in headers.split("\r\n").filter(|line| !line.starts_with(' ')) {
            let name = line.split_once(':').unwrap().0;
            if name != "Content-Transfer-Encoding" {
                let at = KNOWN.iter().position(|known| *known == name);
                prop_assert!(at.is_some_and(|at| at >= last), "{}", line);
                last = at.unwrap() + 1;
            }
        }
    }

    #[test]
    fn subjects_brands_and_texts_come_back(value in "[a-zäß€😀 =?\"\\\\]{1,120}", body in "([a-z ä=.]|\n){0,300}") {
        let given = OutgoingMail { brand: &value, subject: &value, text: &body, ..mail(&[], &[]) };
        let written = write(&given);
        prop_assert!(written.split(|byte| *byte == b'\n').all(|line| line.len() <= 200));
        let read = MessageParser::new().parse(&written).unwrap();
        let expected = clean::line(&value, SUBJECT_BYTES_MAX).unwrap_or_default();
        prop_assert_eq!(read.subject().unwrap_or_default(), &expected);
        let from = read.from().and_then(|from| from.first()).unwrap();
        prop_assert_eq!(from.address(), Some("support@shop.example"));
        let name = clean::name(&value, 200).unwrap_or_default();
        prop_assert_eq!(from.name().unwrap_or_default(), &name);
        prop_assert_eq!(clean::text(&read.body_text(0).unwrap()), clean::text(&body));
    }
}
