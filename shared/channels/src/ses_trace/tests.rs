//! Rebuilt notices: whole blocks of SES are believed, everything that could be somebody else's is not.

use super::*;
use throughline_domain::message::{Authentication, Verdict};

const RECEIPT: &str = "X-SES-RECEIPT: AEFBQUFBQUFBQUE=\r\nX-SES-DKIM-SIGNATURE: a=rsa-sha256; q=dns/txt; b=x\r\n";
const RESULTS: &str = "Authentication-Results: amazonses.com;\r\n spf=pass (spfCheck: domain of _spf.example.org designates \
     203.0.113.7 as permitted sender) client-ip=203.0.113.7; envelope-from=bounce@example.org; helo=mx.example.org;\r\n \
     dkim=pass header.i=@example.org;\r\n dmarc=pass header.from=example.org;\r\n";
const WRITTEN: &str = "Received: by mx.example.org for other@example.net; Fri, 20 Nov 2026 09:29:58 +0000\r\n\
     From: Anna <anna@example.org>\r\nTo: Support <support@example.com>, x@example.net\r\nCc: billing@example.com\r\n\
     Subject: Hello\r\n\r\nHello.\r\n";

/// SES's block up to the virus verdict.
fn head(recipient: &str) -> String {
    format!(
        "Return-Path: <bounce@example.org>\r\nReceived: from mx.example.org (mx.example.org [203.0.113.7])\r\n by \
         inbound-smtp.eu-west-1.amazonaws.com with SMTP id o3vrnil0e2ic\r\n for {recipient};\r\n Fri, 20 Nov 2026 \
         09:30:00 +0000 (UTC)\r\nX-SES-Spam-Verdict: PASS\r\nX-SES-Virus-Verdict: PASS\r\nReceived-SPF: pass (spfCheck: \
         x) client-ip=203.0.113.7;\r\n"
    )
}

fn inboxes() -> Inboxes {
    let inboxes = r#"{"inboxes":[{"id":"support","channel":"email","address":"support@example.com"},
        {"id":"billing","channel":"email","address":"billing@example.com"}]}"#;
    serde_json::from_str(inboxes).unwrap()
}

fn rebuilt(raw: &str) -> Notice {
    let stored = StoredMail {
        bucket: "bucket",
        object_key: "mail/o3vrnil0e2ic",
        stored_at: Moment::from_ms(1_795_167_000_000),
        raw: Some(raw.as_bytes()),
    };
    notice(&stored, &inboxes())
}

fn dmarc(raw: &str) -> Verdict {
    rebuilt(raw).receipt.authentication().map_or(Verdict::Unknown, |verdicts| verdicts.dmarc)
}

#[test]
fn a_whole_block_gives_the_notice_that_was_lost() {
    let notice = rebuilt(&[&head("billing@example.com"), RESULTS, RECEIPT, WRITTEN].concat());
    assert_eq!(notice.mail.source.as_deref(), Some("bounce@example.org"));
    assert_eq!((notice.mail.message_id.as_str(), notice.mail.timestamp.ms()), ("o3vrnil0e2ic", 1_795_167_000_000));
    assert_eq!(notice.receipt.recipients, ["billing@example.com"], "the envelope's, not the first in To");
    assert_eq!(notice.receipt.action.object_key, "mail/o3vrnil0e2ic");
    let pass = Verdict::Pass;
    let all = Authentication { spf: pass, dkim: pass, dmarc: pass, spam: pass, virus: pass };
    assert_eq!(notice.receipt.authentication(), Some(all));
    assert!(notice.rebuilt && !notice.late);
    let text = serde_json::to_string(&notice).unwrap();
    assert_eq!(crate::ses_notice::read(&text), Ok(notice), "it is a notice like any");
}

#[test]
fn recipients_are_inboxes_of_ours_or_nobody() {
    let block = |recipient: &str| [&head(recipient), RESULTS, RECEIPT, WRITTEN].concat();
    for (raw, expected) in [
        (block("<support+r.abc@example.com>"), &["support+r.abc@example.com"][..]),
        (block("other@example.net"), &["support@example.com", "billing@example.com"]),
        (WRITTEN.to_owned(), &["support@example.com", "billing@example.com"]),
        ("To: other@example.net\r\n\r\n".to_owned(), &[]),
        ("no mail at all".to_owned(), &[]),
        (String::new(), &[]),
    ] {
        assert_eq!(rebuilt(&raw).receipt.recipients, expected, "{raw}");
    }
}

#[test]
fn the_null_sender_is_not_an_unknown_one() {
    let source = |raw: &str| rebuilt(raw).mail.source;
    assert_eq!(source("Return-Path: <>\r\nTo: a@b\r\n\r\n").as_deref(), Some(""));
    assert_eq!(source("To: a@b\r\nReturn-Path: <x@y>\r\n\r\n"), None, "it is not at the top");
}

#[test]
fn results_are_read_in_the_words_of_a_notice() {
    let with = |results: &str| {
        let results = format!("Authentication-Results: amazonses.com; spf={results};\r\n");
        rebuilt(&[&head("support@example.com"), &results, RECEIPT, WRITTEN].concat()).receipt.authentication().unwrap()
    };
    let verdicts = with("softfail (x) client-ip=1; dkim=fail header.i=@x; dmarc=fail header.from=x");
    assert_eq!((verdicts.spf, verdicts.dkim, verdicts.dmarc), (Verdict::Neutral, Verdict::Fail, Verdict::Fail));
    let verdicts = with("temperror; dkim=pass header.i=@x; dkim=fail header.i=@y; dmarc=none header.from=x");
    assert_eq!((verdicts.spf, verdicts.dkim, verdicts.dmarc), (Verdict::Unknown, Verdict::Unknown, Verdict::Neutral));
}

#[test]
fn what_others_can_write_proves_nothing() {
    let head = head("support@example.com");
    let whole = [&head, RESULTS, RECEIPT].concat();
    assert_eq!(dmarc(&[&whole, WRITTEN].concat()), Verdict::Pass);
    let forged = |results: &str| format!("Authentication-Results: amazonses.com; {results};\r\n");
    let honest = forged("spf=fail x; dkim=none; dmarc=fail header.from=x");
    for (raw, why) in [
        (["X-First: 1\r\n", &whole, WRITTEN].concat(), "the block is not at the top"),
        ([RESULTS, WRITTEN].concat(), "there is no block"),
        ([&head, RESULTS, WRITTEN].concat(), "the block is not closed"),
        ([&head, "X-Other: 1\r\n", RESULTS, RECEIPT, WRITTEN].concat(), "something stands in the block"),
        ([&head, RECEIPT, RESULTS, WRITTEN].concat(), "the results come after the block"),
        ([&whole.replace("inbound-smtp.eu-west-1.amazonaws.com", "mx.evil.example"), WRITTEN].concat(), "not by SES"),
        ([&whole.replace("eu-west-1.amazonaws.com", "x.evil.example/.amazonaws.com"), WRITTEN].concat(), "no region"),
        ([&whole.replace("amazonses.com;", "evil.example;"), WRITTEN].concat(), "another authority"),
        (
            [&head, &forged("spf=none helo=x; dmarc=pass; dkim=none; dmarc=fail"), RECEIPT, WRITTEN].concat(),
            "two results of DMARC",
        ),
        ([&head, &forged("spf=none helo=x; dmarc=pass; dkim=none"), RECEIPT, WRITTEN].concat(), "DMARC is not last"),
    ] {
        assert_eq!(dmarc(&raw), Verdict::Unknown, "{why}");
    }
    let raw = [&head, &honest, RECEIPT, RESULTS, RECEIPT, WRITTEN].concat();
    assert_eq!(dmarc(&raw), Verdict::Fail, "SES's own block counts, whatever comes below");
}
