//! Mails as they come, and what is read out of them.

use proptest::prelude::*;
use throughline_domain::inbound::Proof;
use throughline_domain::message::{AutomaticKind, TEXT_BYTES_MAX, Verdict};
use uuid::Uuid;

use super::*;

const PLAIN: &str = "From: Anna Berg <Anna@Example.com>\r\nTo: support@shop.example\r\nSubject: Broken\r\n\
    Message-ID: <1@example.com>\r\nDate: Thu, 20 Nov 2025 10:30:00 +0100\r\n\r\nIt is broken.\r\n";

fn inboxes() -> Inboxes {
    serde_json::from_str(
        r#"{"inboxes":[{"id":"support","channel":"email","address":"support@shop.example","brand":"Shop"},
            {"id":"billing","channel":"email","address":"Billing@Shop.example"}]}"#,
    )
    .unwrap()
}

fn keys() -> Vec<ReplyKey> {
    vec![ReplyKey { id: 'a', secret: "reply secret".into() }]
}

fn ticket(n: u128) -> TicketId {
    TicketId::new(Uuid::from_u128(n))
}

fn verdicts(dmarc: Verdict) -> Authentication {
    Authentication { spf: Verdict::Pass, dkim: Verdict::Pass, dmarc, spam: Verdict::Pass, virus: Verdict::Pass }
}

fn delivery<'a>(raw: &'a [u8], recipients: &'a [String]) -> Delivery<'a> {
    Delivery {
        raw,
        object_key: "raw/1",
        received_at: Moment::from_ms(1_763_631_000_000),
        envelope_from: None,
        recipients,
        authentication: None,
    }
}

fn read_with(raw: &str, dmarc: Verdict) -> Inbound {
    let recipients = ["support@shop.example".to_owned()];
    let mut delivery = delivery(raw.as_bytes(), &recipients);
    delivery.authentication = Some(verdicts(dmarc));
    read(&delivery, &inboxes(), &keys()).unwrap()
}

fn read_one(raw: &str) -> Inbound {
    read_with(raw, Verdict::Unknown)
}

#[test]
fn a_plain_mail_is_read_whole() {
    let inbound = read_with(PLAIN, Verdict::Pass);
    let message = &inbound.message;
    assert_eq!(message.inbox.as_str(), "support");
    assert_eq!(
        (message.sender.value.as_str(), message.sender.name.as_deref()),
        ("anna@example.com", Some("Anna Berg"))
    );
    assert!(message.sender.verified);
    assert_eq!(message.subject.as_deref(), Some("Broken"));
    assert_eq!((message.text.as_str(), message.reply_text.as_deref()), ("It is broken.", None));
    assert_eq!(
        (message.message_id.as_deref(), message.provider_message_id.as_str()),
        (Some("1@example.com"), "1@example.com")
    );
    assert_eq!(message.sent_at.unwrap().to_string(), "2025-11-20T09:30:00.000Z");
    assert_eq!(message.raw_url.as_deref(), Some("raw/1"));
    assert_eq!(message.envelope_to.as_deref(), Some("support@shop.example"));
    assert_eq!(message.warnings, [] as [&str; 0]);
    assert_eq!((message.automatic.clone(), inbound.signed_ticket), (None, None));
    assert_eq!(inbound.key, LedgerKey::mail("1@example.com"));
    assert_eq!(inbound.fingerprint, Fingerprint::of(message));
}

#[test]
fn the_first_of_our_recipients_is_the_inbox() {
    type Case<'a> = (&'a [&'a str], Result<(&'a str, &'a str), NoInbox>);
    let cases: [Case<'_>; 5] = [
        (&["x@example.com", "billing@shop.example", "support@shop.example"], Ok(("billing", "billing@shop.example"))),
        (&["Support+News@SHOP.example"], Ok(("support", "support+news@shop.example"))),
        (&[], Ok(("support", "support@shop.example"))),
        (&["sales@shop.example"], Err(NoInbox)),
        (&["nonsense"], Err(NoInbox)),
    ];
    for (recipients, expected) in cases {
        let recipients: Vec<String> = recipients.iter().map(|&address| address.to_owned()).collect();
        let result = read(&delivery(PLAIN.as_bytes(), &recipients), &inboxes(), &keys());
        let found = result.map(|inbound| (inbound.message.inbox.to_string(), inbound.message.envelope_to.unwrap()));
        assert_eq!(found, expected.map(|(id, to)| (id.to_owned(), to.to_owned())), "{recipients:?}");
    }
}

#[test]
fn senders_and_what_proves_them() {
    use Verdict::{Fail, Neutral, Pass, Unknown};
    type Case<'a> = (&'a str, Verdict, &'a str, Option<Proof>, Option<&'a str>);
    let cases: [Case<'_>; 16] = [
        ("From: a@x.example", Pass, "a@x.example", Some(Proof::Proven), None),
        ("From: a@x.example", Fail, "a@x.example", Some(Proof::Typed), None),
        ("From: a@x.example", Neutral, "a@x.example", Some(Proof::Answerable), None),
        ("From: a@x.example", Unknown, "a@x.example", Some(Proof::Answerable), None),
        ("From: a@x.example, b@x.example", Pass, "a@x.example", Some(Proof::Typed), None),
        ("From: a@x.example, b@x.example", Unknown, "a@x.example", Some(Proof::Answerable), None),
        ("From: c@d@y.example, a@x.example", Pass, "a@x.example", Some(Proof::Typed), None),
        ("From: a@x.example\nFrom: <b@y.example>", Pass, "a@x.example", Some(Proof::Typed), None),
        ("From: <c@d@y.example>\nReply-To: a@x.example", Neutral, "a@x.example", Some(Proof::Typed), None),
        ("From: Anna\nReply-To: a@x.example", Pass, "a@x.example", Some(Proof::Typed), None),
        ("From: Anna\nReply-To: a@x.example", Fail, "a@x.example", Some(Proof::Typed), None),
        ("Sender: a@x.example", Pass, "a@x.example", Some(Proof::Typed), None),
        ("From: Support@shop.example\nReply-To: a@x.example", Pass, "a@x.example", Some(Proof::Answerable), None),
        ("From: a@x.example\nReply-To: b@y.example", Pass, "a@x.example", Some(Proof::Proven), Some("b@y.example")),
        ("From: a@x.example\nReply-To: b@y.example", Unknown, "a@x.example", Some(Proof::Answerable), None),
        ("From: support@shop.example", Pass, "", None, None),
    ];
    for (headers, dmarc, value, proof, reply_to) in cases {
        let inbound = read_with(&format!("{headers}\nSubject: x\n\ntext"), dmarc);
        let message = inbound.message;
        assert_eq!(message.sender.value, value, "{headers} {dmarc:?}");
        assert_eq!(inbound.claims.first().map(|claim| claim.proof), proof, "{headers} {dmarc:?}");
        assert_eq!(message.sender.verified, proof == Some(Proof::Proven), "{headers} {dmarc:?}");
        assert_eq!(message.reply_to.as_deref(), reply_to, "{headers} {dmarc:?}");
    }
}

#[test]
fn the_envelope_names_the_sender_as_a_last_resort() {
    let recipients = ["support@shop.example".to_owned()];
    let mut given = delivery(b"Subject: x\n\ntext", &recipients);
    given.envelope_from = Some("A@x.example");
    let inbound = read(&given, &inboxes(), &keys()).unwrap();
    assert_eq!(inbound.message.sender.value, "a@x.example");
    given.envelope_from = Some("");
    let inbound = read(&given, &inboxes(), &keys()).unwrap();
    assert_eq!((inbound.message.sender.value.as_str(), inbound.claims.len()), ("", 0));
    assert!(!inbound.message.warnings.is_empty());
}

#[test]
fn mail_from_ourselves_is_a_loop() {
    let from_us = read_one("From: support@shop.example\nTo: support@shop.example\n\ntext");
    assert_eq!(from_us.message.automatic.unwrap().kind, AutomaticKind::Loop);
    let id = reply_address::message_id(&keys(), ticket(7), "evt_1", "shop.example");
    let our_id = read_one(&format!("From: list@x.example\nMessage-ID: <{id}>\n\ntext"));
    assert_eq!(our_id.message.automatic.unwrap().kind, AutomaticKind::Loop);
    let colleague = read_one("From: anna@shop.example\nMessage-ID: <1@shop.example>\n\ntext");
    assert_eq!(colleague.message.automatic, None);
}

#[test]
fn reports_tell_whether_delivery_failed() {
    let report = |action: &str| {
        format!(
            "From: MAILER-DAEMON@mx.example\nAuto-Submitted: auto-replied\n\
             Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n\
             --b\n\nSorry.\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n\
             Final-Recipient: rfc822; x/y global@example.com\nAction: {action}\nStatus: 5.1.1\n\
             --b\nContent-Type: message/rfc822\n\nMessage-ID: <1@shop.example>\n\nHello\n--b--\n"
        )
    };
    let kind = |mail: &str| read_one(mail).message.automatic.map(|found| found.kind);
    assert_eq!(kind(&report("failed")), Some(AutomaticKind::Bounce));
    assert_eq!(kind(&report("Delayed")), Some(AutomaticKind::Delayed));
    assert_eq!(kind(&report("relayed")), Some(AutomaticKind::AutoReply));
    let forwarded = report("failed").replace("MAILER-DAEMON@", "anna@").replace("multipart/report", "multipart/mixed");
    assert_eq!(kind(&forwarded.replace("Auto-Submitted", "X")), None);
}

#[test]
fn reports_lead_to_the_message_that_they_are_about() {
    let ours = reply_address::message_id(&keys(), ticket(4), "evt_1", "shop.example");
    let report = |headers: &str, original: &str| {
        read_one(&format!(
            "From: MAILER-DAEMON@mx.example\n{headers}Content-Type: multipart/report; boundary=b\n\n--b\n\nSorry.\n\
             --b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n\
             Final-Recipient: rfc822; bo@gone.example\nAction: failed\nStatus: 5.1.1\n\
             --b\nContent-Type: text/rfc822-headers\n\n{original}\n--b--\n"
        ))
    };
    let inbound = report("", &format!("Message-ID: <ses-1@mx.example>\nReferences: <a@x.example> <{ours}>\n"));
    assert_eq!(inbound.signed_ticket, Some(ticket(4)));
    assert_eq!(inbound.thread, ["ses-1@mx.example", ours.as_str(), "a@x.example"].map(LedgerKey::mail));
    let inbound = report("References: <own@x.example>\n", "Message-ID: <b@x.example>\n");
    assert_eq!(inbound.thread, ["own@x.example", "b@x.example"].map(LedgerKey::mail));
    let found = inbound.message.report.unwrap();
    assert_eq!((found.recipients.len(), found.original_message_id.as_deref()), (1, Some("b@x.example")));
}

#[test]
fn mail_without_an_id_is_named_by_its_bytes() {
    for header in ["", "Message-ID: <>\n", "Message-ID:\n", "Message-ID: not an id\n"] {
        let mail = format!("{header}From: a@x.example\nSubject: x\n\ntext");
        let (one, two) = (read_one(&mail), read_one(&mail));
        assert!(one.message.provider_message_id.starts_with("sha256-"), "{header}");
        assert_eq!((one.message.message_id.as_ref(), one.key.clone()), (None, two.key));
        assert_ne!(one.key, read_one(&format!("{mail}!")).key);
    }
    let again = Delivery { object_key: "raw/2", ..delivery(PLAIN.as_bytes(), &[]) };
    let again = read(&again, &inboxes(), &keys()).unwrap();
    let once = read(&delivery(PLAIN.as_bytes(), &[]), &inboxes(), &keys()).unwrap();
    assert_eq!((&again.key, &again.fingerprint), (&once.key, &once.fingerprint));
    assert_ne!(again.message.id, once.message.id);
}

#[test]
fn threads_are_nearest_first_and_never_name_the_mail_itself() {
    let inbound = read_one(
        "From: a@x.example\nMessage-ID: <own@x>\nIn-Reply-To: <c@x> <b@x>\nReferences: <a@x> <b@x>\n <own@x> <d@x>\n\ntext",
    );
    assert_eq!(inbound.thread, ["c@x", "b@x", "d@x", "a@x"].map(LedgerKey::mail));
    let many: String = (0..200).map(|n| format!("<{n}@x>\n ")).collect();
    let inbound = read_one(&format!("From: a@x.example\nReferences: {many}\n\ntext"));
    assert_eq!(inbound.thread.len(), THREAD_KEYS_MAX);
    assert_eq!(inbound.thread[0], LedgerKey::mail("199@x"));
    assert_eq!(inbound.message.references.len(), REFERENCES_MAX);
}

#[test]
fn signed_references_name_the_ticket() {
    let address = reply_address::address(&keys(), "support@shop.example", ticket(1)).unwrap();
    let foreign = reply_address::address(&keys(), "support@other.example", ticket(1)).unwrap();
    let id = reply_address::message_id(&keys(), ticket(2), "evt_1", "shop.example");
    let old = reply_address::message_id(&keys(), ticket(3), "evt_0", "shop.example");
    let cases = [
        (format!("To: {address}"), Some(ticket(1))),
        (format!("Cc: {}\nIn-Reply-To: <{id}>", address.to_uppercase()), Some(ticket(1))),
        (format!("To: {foreign}"), None),
        (format!("References: <{old}> <x@y> <{id}>"), Some(ticket(2))),
        (format!("In-Reply-To: <{old}>\nReferences: <{id}>"), Some(ticket(3))),
        (format!("References: <{}>", id.replace("evt_1", "evt_2")), None),
    ];
    for (header, expected) in cases {
        assert_eq!(read_one(&format!("From: a@x.example\n{header}\n\ntext")).signed_ticket, expected, "{header}");
    }
    let recipients = [address];
    let inbound = read(&delivery(PLAIN.as_bytes(), &recipients), &inboxes(), &keys()).unwrap();
    assert_eq!((inbound.signed_ticket, inbound.message.inbox.as_str()), (Some(ticket(1)), "support"));
}

#[test]
fn others_who_are_addressed_are_known() {
    let inbound = read_one(
        "From: a@x.example\nTo: Support@shop.example, B@x.example, a@x.example\nCc: b@x.example, Cem <c@x.example>\n\ntext",
    );
    let others: Vec<_> = inbound.addressed.iter().map(Identifier::value).collect();
    assert_eq!(others, ["b@x.example", "c@x.example"]);
    assert_eq!(inbound.message.to, ["Support@shop.example", "B@x.example", "a@x.example"]);
    let many: String = (0..100).map(|n| format!("p{n}@x.example, ")).collect();
    let inbound = read_one(&format!("From: a@x.example\nTo: {many}\n\ntext"));
    assert_eq!((inbound.addressed.len(), inbound.message.to.len()), (ADDRESSED_MAX, RECIPIENTS_MAX));
}

#[test]
fn texts_are_read_from_any_form() {
    let cases = [
        ("\u{feff}\r\nFrom: a@x.example\n\ntext", "text"),
        ("From: a@x.example\n\na\0b\r\n\r\n", "ab"),
        (
            "From: a@x.example\nContent-Type: text/html\n\n<style>x{}</style><p>Hi&nbsp;<b>there</b></p><script>1</script>",
            "Hi\u{a0}there",
        ),
        (
            "From: a@x.example\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\ngr=FCn",
            "grün",
        ),
        (
            "From: a@x.example\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\nplain\n--b\nContent-Type: text/html\n\n<p>rich</p>\n--b--",
            "plain",
        ),
        (
            "From: a@x.example\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\n \n--b\nContent-Type: text/html\n\n<p>rich</p>\n--b--",
            "rich",
        ),
        ("From: a@x.example\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n\ntwo\n--b--", "one\n\ntwo"),
        ("From: a@x.example\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\ncut off", "cut off"),
        (
            "From: a@x.example\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n\n<p>cut</p> o",
            "cut\no",
        ),
        ("From: a@x.example\nContent-Type: multipart/mixed\n\nno boundary", "no boundary"),
        ("From: a@x.example\n\nsee http://x/y message/rfc822 Global", "see http://x/y message/rfc822 Global"),
        ("no mail at all", "no mail at all"),
        ("Hello: no mail\neither", "Hello: no mail\neither"),
        ("", ""),
    ];
    for (mail, expected) in cases {
        assert_eq!(read_one(mail).message.text, expected, "{mail:?}");
    }
    let long = format!("From: a@x.example\n\n{}", "ä".repeat(TEXT_BYTES_MAX));
    let message = read_one(&long).message;
    assert_eq!((message.text.len(), message.warnings.len()), (TEXT_BYTES_MAX, 1));
}

#[test]
fn subjects_and_names_are_decoded_and_bounded() {
    let message = read_one(
        "From: =?utf-8?Q?J=C3=BCrgen_=E2=80=AEx?= <a@x.example>\nSubject: =?utf-8?B?R3LDvMOfZQ0KQmNjOiB4?=\n  again\n\ntext",
    )
    .message;
    assert_eq!(message.sender.name.as_deref(), Some("Jürgen x"));
    assert_eq!(message.subject.as_deref(), Some("Grüße Bcc: x again"));
    let long = format!("From: {} <a@x.example>\nSubject: {}\n\ntext", "n".repeat(5000), "s".repeat(5000));
    let message = read_one(&long).message;
    assert!(message.sender.name.unwrap().len() <= NAME_BYTES_MAX);
    assert!(message.subject.unwrap().len() <= SUBJECT_BYTES_MAX);
}

#[test]
fn files_are_listed_with_the_hash_of_their_bytes() {
    let hash = |bytes: &[u8]| HEXLOWER.encode(&Sha256::digest(bytes));
    let message = read_one(
        "From: a@x.example\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\ntext\n\
         --b\nContent-Type: application/pdf; name=\"../a.pdf\"\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment\n\naGVsbG8=\n\
         --b\nContent-Type: text/csv; charset=iso-8859-1\nContent-Disposition: attachment; filename*=utf-8''gr%C3%BCn.csv\nContent-Transfer-Encoding: quoted-printable\n\n=FC\n\
         --b\nContent-Type: image/png\nContent-ID: <i@x>\nContent-Transfer-Encoding: base64\n\naGVsbG8=\n\
         --b\nContent-Type: Message/RFC822\n\nSubject: inner\n\nsee a/b global\n--b--\n",
    )
    .message;
    let inner = b"Subject: inner\n\nsee a/b global";
    let files: Vec<_> = message
        .attachments
        .iter()
        .map(|file| {
            (
                file.id.as_str(),
                file.filename.as_str(),
                file.content_type.as_str(),
                file.size,
                file.inline,
                file.sha256.clone(),
            )
        })
        .collect();
    assert_eq!(
        files,
        [
            ("1", "a.pdf", "application/pdf", 5, false, hash(b"hello")),
            ("2", "grün.csv", "text/csv", 1, false, hash(b"\xfc")),
            ("3", "attachment-3", "image/png", 5, true, hash(b"hello")),
            ("4", "attachment-4", "message/rfc822", inner.len() as u64, false, hash(inner)),
        ]
    );
    assert_eq!(message.text, "text");
}

#[test]
fn hostile_mails_are_read_in_time_and_space() {
    let nested = format!("From: a@x.example\n{}", "Content-Type: message/rfc822\n\n".repeat(100_000));
    assert_eq!(read_one(&nested).message.attachments.len(), 1);
    let inner = data_encoding::BASE64.encode("Content-Type: message/rfc822\n\n".repeat(50_000).as_bytes());
    let encoded =
        format!("From: a@x.example\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n{inner}");
    assert_eq!(read_one(&encoded).message.attachments.len(), 1);
    let part = "--b\nContent-Type: multipart/x; boundary=never\n\n";
    let tangled = format!("From: a@x.example\nContent-Type: multipart/mixed; boundary=b\n\n{}", part.repeat(20_000));
    let warnings = read_one(&tangled).message.warnings;
    assert!(warnings.iter().any(|warning| warning.contains("too many parts")), "{warnings:?}");
    let parts = format!(
        "From: a@x.example\nContent-Type: multipart/mixed; boundary=b\n\n{}",
        "--b\nContent-Type: a/b\n\nx\n".repeat(5_000)
    );
    assert_eq!(read_one(&parts).message.attachments.len(), ATTACHMENTS_MAX);
}

/// Headers that would keep the parser busy for minutes, of a mail and of its parts.
#[test]
fn hostile_headers_are_read_in_time() {
    const SIZE: usize = 1_200_000;
    let much = |text: &str| text.repeat(SIZE / text.len());
    let numbered = |name: &str, value: &str| -> String {
        (0..SIZE / (name.len() + value.len() + 10)).map(|n| format!("{name}{n}{value}; ")).collect()
    };
    let value = "x".repeat(2_000);
    for (name, values) in [
        ("Subject", vec![much("=?aa?q?x"), much("=?aa?q?x\r\n "), much("=?aa?b?x"), much("=?"), much("=?aa?q?=zz ")]),
        ("From", vec![much("=?aa?q?x "), much("a:"), much("(a"), much("<a"), much("a@b,"), much("a b "), much("\"\\")]),
        ("References", vec![much("<a>"), much("<"), much("=?aa?q?x ")]),
        ("Date", vec![much("("), much("1 ")]),
        (
            "Content-Type",
            vec![
                format!("text/plain; {}", numbered("a", "* =x'y'z")),
                format!("text/plain; {}", numbered("a", "(c)*1=x")),
                format!("text/plain; {}", much(&format!("a*1={value}; "))),
                format!("text/plain; a*=x{}", much("'y")),
                format!("text/plain; name=\"{}\"", much("=?aa?q?x ")),
                format!("multipart/mixed; boundary=\"{}\"", much("-")),
            ],
        ),
        ("Content-Disposition", vec![format!("attachment; {}", numbered("a", "* =x'y'z"))]),
        ("Content-Description", vec![much("=?aa?q?x ")]),
        (
            "X",
            [
                "X: y".to_owned(),
                "Content-Type: text/plain; b* =x'y'z; c* =x'y'z".to_owned(),
                format!("Content-Disposition: attachment; filename=\"{}\"", "=?aa?q?x ".repeat(440)),
                format!("Content-Type: text/plain; {}{}", "a=b; ".repeat(400), "a*=x'y'y'y'y'y; ".repeat(120)),
                format!("Subject: {}", "=?aa?q?x ".repeat(7_000)),
                "a".to_owned(),
            ]
            .map(|line| format!("y{}", much(&format!("\n{line}"))))
            .to_vec(),
        ),
    ] {
        for value in values {
            let own = format!("Message-ID: <1@x.example>\nFrom: a@x.example\n{name}: {value}\n\ntext");
            let part = format!(
                "Message-ID: <1@x.example>\nFrom: a@x.example\nContent-Type: multipart/mixed; boundary=b\n\n\
                 --b\n\ntext\n--b\nContent-Type: message/rfc822\n\n{name}: {value}\n\ntext\n--b\n{name}: {value}\n\n--b--\n"
            );
            let report = part.replacen("multipart/mixed", "multipart/report", 1).replacen(
                "--b\n\n",
                "--b\nContent-Type: message/delivery-status\n\nAction: failed\nFinal-Recipient: rfc822; a@x.example\n--b\n\n",
                1,
            );
            for mail in [own, part, report] {
                let inbound = read_one(&mail);
                assert_eq!(inbound.key, ledger_key(mail.as_bytes()));
                assert_eq!(inbound.key, LedgerKey::mail("1@x.example"));
                assert!(
                    inbound.message.text.ends_with("text"),
                    "{}",
                    &mail[mail.find(name).unwrap_or_default()..][..80]
                );
                assert_eq!(own_recipients(mail.as_bytes(), &inboxes()), [] as [&str; 0]);
            }
        }
    }
}

/// What is not read of headers could say who else sent the mail.
#[test]
fn nothing_is_proven_where_headers_are_cut() {
    let mail = |size: usize| format!("From: a@x.example\nX: y {}\n\ntext", "z".repeat(size));
    let whole = read_with(&mail(1_000), Verdict::Pass);
    assert!(whole.message.sender.verified && whole.message.warnings.is_empty());
    let cut = read_with(&mail(FIELD_BYTES_MAX), Verdict::Pass).message;
    assert_eq!((cut.sender.value.as_str(), cut.sender.verified), ("a@x.example", false));
    assert_eq!(cut.warnings, [fields::warning()]);
}

#[test]
fn limits_are_told() {
    let warned = |mail: &str, words: &str| {
        let warnings = read_one(mail).message.warnings;
        assert!(warnings.iter().any(|warning| warning.contains(words)), "{words}: {warnings:?}");
    };
    let html = format!("From: a@x.example\nContent-Type: text/html\n\n<p>{}", "word ".repeat(220_000));
    warned(&html, "only its text is kept");
    assert_eq!(read_one(&html).message.html, None);
    let large = format!("From: a@x.example\nContent-Type: a/b\n\n{}", "x".repeat(MAIL_BYTES_MAX));
    warned(&large, "the start of its raw form");
    let part = "--b\nContent-Type: a/b\n\nx\n";
    let files = |count: usize| {
        format!("From: a@x.example\nContent-Type: multipart/mixed; boundary=b\n\n{}--b--\n", part.repeat(count))
    };
    assert_eq!(read_one(&files(ATTACHMENTS_MAX)).message.warnings, [] as [&str; 0]);
    warned(&files(ATTACHMENTS_MAX + 1), "more than 200 files");
    warned(&files(PARTS_MAX), "the first 1000 are read");
    let encoded = format!("From: a@x.example\n\n{}", "begin 644 a\n#0V%T\n`\nend\n".repeat(ATTACHMENTS_MAX + 1));
    warned(&encoded, "more than 200 files");
    let envelope = |count| {
        let file = [tnef_attribute(0x0002_9002, &[0; 14]), tnef_attribute(0x0006_800f, b"x")].concat();
        let bytes = [&[0x78, 0x9f, 0x3e, 0x22, 1, 0][..], &file.repeat(count)].concat();
        let bytes = data_encoding::BASE64.encode(&bytes);
        format!("From: a@x.example\nContent-Type: application/ms-tnef\nContent-Transfer-Encoding: base64\n\n{bytes}")
    };
    let all = read_one(&envelope(ATTACHMENTS_MAX)).message;
    assert_eq!((all.attachments.len(), all.warnings), (ATTACHMENTS_MAX, Vec::new()));
    assert_eq!(read_one(&envelope(300)).message.attachments.len(), ATTACHMENTS_MAX);
    warned(&envelope(300), "more than 200 files");
    let unknown: String = (0..30).map(|n| format!("--b\nContent-Type: text/plain; charset=x{n}\n\nx\n")).collect();
    let kinds = files(ATTACHMENTS_MAX + 1).replacen("--b\n", &format!("{unknown}--b\n"), 1);
    warned(&kinds, "\"x9\" is not known");
    warned(&kinds, "more than 200 files");
    let status = format!("Action: failed\n{}", "X: y\n".repeat(HEADERS_BYTES_MAX / 5));
    warned(
        &format!(
            "From: a@x.example\nContent-Type: multipart/report; boundary=b\n\n--b\n\nx\n\
             --b\nContent-Type: message/delivery-status\n\n{status}\n--b--\n"
        ),
        "Of a report",
    );
}

/// A part of a `winmail.dat`.
fn tnef_attribute(id: u32, data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap().to_le_bytes();
    [&[2][..], &id.to_le_bytes(), &length, data, &[0, 0]].concat()
}

/// Bytes that look like mail: headers and structure that matter to the reader, in any order, with anything between.
fn mail_like() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        3 => prop::sample::select(vec![
            "From: ", "To: ", "Subject: ", "Message-ID: <", "References: ", "Date: ", "Auto-Submitted: ",
            "Content-Type: multipart/mixed; boundary=b", "Content-Type: message/rfc822", "Content-Type: text/html",
            "Content-Type: multipart/digest; boundary=\"b\"", "Content-Transfer-Encoding: base64", "charset=utf-7",
            "Content-Type: multipart/report; boundary=b; report-type=x", "Content-Type: message/delivery-status",
            "Content-Transfer-Encoding: quoted-printable", "Content-Disposition: attachment; filename*0*=a''%ff",
            "\n--b\n", "\n--b--\n", "--b", "\r\n", "\n", "\n\n", " ", "\"", "(", "<", ">", "@", ",", ";", ":", "=?utf-8?Q?",
            "?=", "=?x?B?", "a@x.example", "Action: failed", "begin 644 a\n", "&#x110000;", "<!--", "</p>", "> ", "-- \n",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_are_read_and_always_the_same(
        raw in prop_oneof![mail_like(), prop::collection::vec(any::<u8>(), 0..200)],
        envelope_from in prop::option::of("[ -~]{0,20}"),
    ) {
        let recipients = ["support@shop.example".to_owned()];
        let given = Delivery { envelope_from: envelope_from.as_deref(), ..delivery(&raw, &recipients) };
        let one = read(&given, &inboxes(), &keys()).unwrap();
        prop_assert_eq!(&one, &read(&given, &inboxes(), &keys()).unwrap());
        prop_assert!(!one.message.text.contains('\0'));
        prop_assert!(!one.thread.contains(&one.key));
        let stored = serde_json::to_string(&one).unwrap();
        prop_assert_eq!(serde_json::from_str::<Inbound>(&stored).unwrap(), one);
    }
}
