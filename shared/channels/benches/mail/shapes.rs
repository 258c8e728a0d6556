//! The mails that are measured: such as people send, and such as break readers.

/// The limit of what is taken in.
pub(crate) const MAIL_BYTES_MAX: usize = 40_000_000;

const HEADERS: &str = "From: Anna Berg <anna@example.com>\r\nTo: Shop support <support@shop.example>\r\n\
    Subject: Re: Your order 4711\r\nDate: Mon, 03 Nov 2025 10:15:00 +0100\r\nMessage-ID: <1@example.com>\r\n\
    In-Reply-To: <sent-1@shop.example>\r\nReferences: <first@example.com> <sent-1@shop.example>\r\n\
    Received: from mx.example.com by inbound.shop.example with ESMTPS id a1 for <support@shop.example>;\r\n \
    Mon, 03 Nov 2025 09:15:01 +0000\r\nMIME-Version: 1.0\r\n";

/// What stands before a mail's own headers when it comes: those of SES
/// (<https://docs.aws.amazon.com/ses/latest/DeveloperGuide/receiving-email-action-lambda-event.html>), and the signature of
/// who sent it. The base64 in them is written as `%`, 64 characters of it.
const BY_SES: &str = "Return-Path: <anna@example.com>\r\nReceived: from mx.example.com (mx.example.com [203.0.113.7])\r\n by \
    inbound-smtp.eu-west-1.amazonaws.com with SMTP id o3vrnil0e2ic28trm7dfhrc2v0clambda4nbp0g1\r\n for \
    support@shop.example;\r\n Mon, 03 Nov 2025 09:15:02 +0000 (UTC)\r\nX-SES-Spam-Verdict: PASS\r\nX-SES-Virus-Verdict: PASS\r\n\
    Received-SPF: pass (spfCheck: domain of example.com designates 203.0.113.7 as permitted sender) client-ip=203.0.113.7; \
    envelope-from=anna@example.com; helo=mx.example.com;\r\nAuthentication-Results: amazonses.com;\r\n spf=pass (spfCheck: \
    domain of example.com designates 203.0.113.7 as permitted sender) client-ip=203.0.113.7; \
    envelope-from=anna@example.com; helo=mx.example.com;\r\n dkim=pass header.i=@example.com;\r\n dmarc=pass \
    header.from=example.com;\r\nX-SES-RECEIPT: %%%%%%\r\nX-SES-DKIM-SIGNATURE: a=rsa-sha256; q=dns/txt; b=%%%; c=relaxed/simple; \
    s=6gbrjpgwjskckoa6a5zn6fwqkn67xbtw; d=amazonses.com; t=1762161302; v=1; bh=%; h=From:To:Cc:Bcc:Subject:Date:Message-ID;\r\n\
    DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=20230601; t=1762161301; x=1762766101;\r\n \
    h=to:subject:message-id:date:from:in-reply-to:references:mime-version; bh=%;\r\n b=%%%%%%\r\n";

/// A mail of about so many bytes.
pub(crate) type Shape = fn(usize) -> Vec<u8>;

/// What people send; the size is their own.
pub(crate) const ORDINARY: [(&str, Shape); 6] = [
    ("small", |_| small()),
    ("small, by SES", |_| by_ses(small())),
    ("conversation", |_| conversation()),
    ("conversation, by SES", |_| by_ses(conversation())),
    ("html", |_| html()),
    ("5 MB", |_| file(5_000_000)),
];

/// What is made to keep a reader busy, and the size from which it is doubled.
pub(crate) const HOSTILE: [(&str, Shape, usize); 12] = [
    ("nested multiparts", nested, 100_000),
    ("thousands of parts", parts, 500_000),
    ("quote levels", levels, 500_000),
    ("quoted lines", |size| repeated(">\r\n", size), 500_000),
    ("announcements", |size| repeated("On 3 Nov 2025, Anna\r\n> wrote:\r\n", size), 500_000),
    ("announcements folded", |size| repeated("On 3 Nov 2025, Anna <a@example.com>\r\n", size), 500_000),
    ("headers of quoted mails", |size| repeated("From: Anna\r\nSent: Monday\r\nTo: Bo\r\n", size), 500_000),
    ("signatures", |size| repeated("-- \r\nSent from my iPhone\r\n\r\n", size), 500_000),
    ("blank lines", |size| repeated("\r\n \r\n> a\r\n", size), 500_000),
    ("one line", |size| plain(&"x".repeat(size)), MAIL_BYTES_MAX / 2),
    ("nested elements", |size| html_of("<div><b><table><td>", size), 500_000),
    ("attributes without end", |size| html_of(" style=\"color: red; x: url(y)\" href=x", size), 500_000),
];

/// The same in headers, which the bare parser takes hours for.
pub(crate) const HOSTILE_HEADERS: [(&str, Shape, usize); 5] = [
    ("words without an end", |size| headed("Subject: ", "=?aa?q?x\r\n ", size), MAIL_BYTES_MAX / 8),
    ("the same in a part", |size| in_part("Content-Description: ", "=?aa?q?x\r\n ", size), MAIL_BYTES_MAX / 8),
    ("parameters with blanks", |size| in_part("Content-Type: a/b; ", "a1* =x'y'z; ", size), MAIL_BYTES_MAX / 8),
    ("long continuations", |size| in_part("Content-Type: a/b; ", &continuation(), size), MAIL_BYTES_MAX / 8),
    ("headers without end", |size| headed("To: ", "a@b.example\r\nTo: ", size), MAIL_BYTES_MAX / 8),
];

fn plain(text: &str) -> Vec<u8> {
    format!("{HEADERS}Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{text}").into()
}

fn small() -> Vec<u8> {
    plain("Hello,\r\n\r\nmy order 4711 came without the charger. Could you send one, please?\r\n\r\nAnna Berg\r\n")
}

/// The mail as it is stored in the cloud.
fn by_ses(mail: Vec<u8>) -> Vec<u8> {
    let mut stored = BY_SES.replace('%', &"Qm9+".repeat(16)).into_bytes();
    stored.extend(mail);
    stored
}

/// An answer over a history of some length, signed.
fn conversation() -> Vec<u8> {
    let mut text =
        "Yes, the white one, 65 W. The parcel can go to the office.\r\n\r\n-- \r\nAnna Berg\r\nExample Ltd\r\n"
            .to_owned();
    for level in 1..6 {
        let mark = ">".repeat(level - 1);
        text.push_str(&format!(
            "\r\n{mark} On Mon, Nov 3, 2025 at 10:1{level} AM Shop <support@shop.example> wrote:\r\n"
        ));
        for line in 0..40 {
            text.push_str(&format!(
                "{mark}> This is line {line} of what was said about the order before, at some length.\r\n"
            ));
        }
    }
    plain(&text)
}

/// Text and HTML of a mail program, in quoted-printable.
fn html() -> Vec<u8> {
    let text = "The charger is missing, and the cable is too short.=20\r\n".repeat(200);
    let html = "<tr style=3D\"color: #333\"><td><p>The charger is <b>missing</b>, and the cable&nbsp;is too short.<br></p>=\r\n</td></tr>\r\n".repeat(400);
    format!(
        "{HEADERS}Content-Type: multipart/alternative; boundary=\"alt\"\r\n\r\n--alt\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\n{text}\r\n--alt\r\nContent-Type: text/html; charset=utf-8\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\n<html><body><table>{html}</table></body></html>\r\n--alt--\r\n"
    )
    .into()
}

/// A text and one file in base 64.
fn file(size: usize) -> Vec<u8> {
    let line = format!("{}\r\n", "QUJD".repeat(19));
    let content = line.repeat(size / line.len());
    format!(
        "{HEADERS}Content-Type: multipart/mixed; boundary=\"mix\"\r\n\r\n--mix\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\
         Here is the photo.\r\n--mix\r\nContent-Type: image/jpeg; name=\"photo.jpg\"\r\nContent-Disposition: attachment; \
         filename=\"photo.jpg\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{content}\r\n--mix--\r\n"
    )
    .into()
}

fn nested(size: usize) -> Vec<u8> {
    let mut mail = HEADERS.to_owned();
    let mut level = 0;
    while mail.len() < size {
        mail.push_str(&format!("Content-Type: multipart/mixed; boundary=\"b{level}\"\r\n\r\n--b{level}\r\n"));
        level += 1;
    }
    mail.push_str("\r\ntext\r\n");
    mail.into()
}

fn parts(size: usize) -> Vec<u8> {
    let part = "--b\r\nContent-Type: text/plain\r\n\r\ntext\r\n";
    format!("{HEADERS}Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n{}--b--\r\n", part.repeat(size / part.len()))
        .into()
}

/// Each line is quoted once more than the one before.
fn levels(size: usize) -> Vec<u8> {
    let count = (2 * size).isqrt();
    let lines: String = (1..count).map(|level| format!("{}\r\n", ">".repeat(level))).collect();
    plain(&format!("Yes.\r\n\r\nOn 3 Nov 2025, Anna wrote:\r\n{lines}"))
}

/// A mail with a header in which something is repeated.
fn headed(field: &str, value: &str, size: usize) -> Vec<u8> {
    format!("{HEADERS}{field}{}\r\n\r\nYes.\r\n", value.repeat(size / value.len())).into()
}

/// A mail with such a header in a part.
fn in_part(field: &str, value: &str, size: usize) -> Vec<u8> {
    let value = value.repeat(size / value.len());
    format!(
        "{HEADERS}Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n--b\r\n\r\nYes.\r\n--b\r\n{field}{value}\r\n\r\nx\r\n--b--\r\n"
    )
    .into()
}

fn continuation() -> String {
    format!("a*1={};\r\n ", "x".repeat(2_000))
}

fn html_of(piece: &str, size: usize) -> Vec<u8> {
    let html = piece.repeat(size / piece.len());
    format!("{HEADERS}Content-Type: text/html; charset=utf-8\r\n\r\n<p {html}>Yes.</p>\r\n").into()
}

fn repeated(lines: &str, size: usize) -> Vec<u8> {
    plain(&format!("Yes.\r\n\r\n{}", lines.repeat(size / lines.len())))
}
