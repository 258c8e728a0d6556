//! What SES writes at the top of a mail before it stores it: enough to rebuild a notice that was lost.
//!
//! SES puts one block in front of whatever the sender wrote, in this order: `Return-Path`, `Received` (by one of its own
//! hosts, `for` a recipient), `X-SES-Spam-Verdict`, `X-SES-Virus-Verdict`, `Received-SPF`, `Authentication-Results` of
//! `amazonses.com`, `X-SES-RECEIPT`. Everybody can write the same headers into their own mail, so verdicts count only
//! where that block is whole and at the very top, and only where they can be read in one way. Where there is any doubt,
//! nothing is proven: the sender then counts as one whom no check spoke for. It rests on SES writing its block before every
//! mail that it stores; where mail is stored without that, as locally, the top of a mail is the sender's own.

use mail_parser::MessageParser;
use throughline_domain::config::Inboxes;
use throughline_domain::identifier::Identifier;
use throughline_domain::moment::Moment;

use crate::email;
use crate::ses_notice::{Action, Check, Mail, Notice, Receipt};

/// How many headers from the top are looked at: the block and what may stand between.
const HEADERS_MAX: usize = 16;
/// The authority that SES names in `Authentication-Results` (RFC 8601, section 2.5).
const AUTHORITY: &str = "amazonses.com";
/// How the hosts are called that take mail for SES, before and after their region
/// (<https://docs.aws.amazon.com/general/latest/gr/ses.html>).
const HOST: [&str; 2] = ["inbound-smtp.", ".amazonaws.com"];

/// A raw mail as it lies in the object store.
#[derive(Clone, Copy, Debug)]
pub struct StoredMail<'a> {
    /// The bucket.
    pub bucket: &'a str,
    /// Its object key, which ends in SES's id for it.
    pub object_key: &'a str,
    /// When it was stored: the best that is known of when it was received.
    pub stored_at: Moment,
    /// The mail; none when it is too large to be read.
    pub raw: Option<&'a [u8]>,
}

/// The notice of a stored mail whose own notice was lost.
///
/// Recipients are the address in the `for` clause of the topmost `Received` if it is one of `inboxes`, else those of To and
/// Cc that are; none if neither knows one.
pub fn notice(stored: &StoredMail<'_>, inboxes: &Inboxes) -> Notice {
    let raw = stored.raw.unwrap_or_default();
    let headers = top(raw);
    let return_path = headers.first().filter(|header| header.is("Return-Path"));
    let mut recipients: Vec<String> = envelope_recipient(&headers, inboxes).into_iter().collect();
    if recipients.is_empty() {
        recipients = email::own_recipients(raw, inboxes);
    }
    let action = Action {
        kind: "S3".to_owned(),
        bucket_name: stored.bucket.to_owned(),
        object_key: stored.object_key.to_owned(),
    };
    Notice {
        notification_type: "Received".to_owned(),
        mail: Mail {
            timestamp: stored.stored_at,
            source: return_path.map(|header| address(&header.value).to_owned()),
            message_id: stored.object_key.rsplit('/').next().unwrap_or_default().to_owned(),
        },
        receipt: Receipt { recipients, action, ..verdicts(&headers).unwrap_or_default() },
        late: false,
        rebuilt: true,
    }
}

/// A header, its value on one line.
struct Header {
    name: String,
    value: String,
}

impl Header {
    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// The headers at the top, in their order.
fn top(raw: &[u8]) -> Vec<Header> {
    let parsed = MessageParser::new().default_header_ignore().parse_headers(raw);
    let headers = parsed.and_then(|mut mail| mail.parts.pop()).map(|part| part.headers).unwrap_or_default();
    // As they are written: what the parser makes of known headers leaves out what is looked for here.
    let header = |header: mail_parser::Header<'_>| {
        let value = raw.get(header.offset_start() as usize..header.offset_end() as usize).unwrap_or_default();
        let words: Vec<String> = String::from_utf8_lossy(value).split_whitespace().map(str::to_owned).collect();
        Header { name: header.name.as_str().to_owned(), value: words.join(" ") }
    };
    headers.into_iter().take(HEADERS_MAX).map(header).collect()
}

/// What stands between angle brackets, or all of it.
fn address(text: &str) -> &str {
    let inner = text.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map_or(text, |(inner, _)| inner).trim()
}

/// The recipient in the topmost `Received`, if it is one of our inboxes.
fn envelope_recipient(headers: &[Header], inboxes: &Inboxes) -> Option<String> {
    let received = headers.iter().find(|header| header.is("Received"))?;
    let (clauses, _date) = received.value.rsplit_once(';')?;
    let (_, recipient) = clauses.rsplit_once(" for ")?;
    let recipient = Identifier::email(address(recipient.split(' ').next()?)).ok()?;
    inboxes.is_own(&recipient).then(|| recipient.value().to_owned())
}

/// The verdicts in SES's block; none unless it is whole and at the very top.
fn verdicts(headers: &[Header]) -> Option<Receipt> {
    let mut headers = headers.iter().peekable();
    let mut next = |name: &str| headers.next_if(|header| header.is(name)).map(|header| header.value.as_str());
    next("Return-Path")?;
    let received = next("Received")?;
    let spam = next("X-SES-Spam-Verdict")?;
    let virus = next("X-SES-Virus-Verdict")?;
    let _in_words = next("Received-SPF");
    let results = next("Authentication-Results")?;
    next("X-SES-RECEIPT")?;
    if !is_by_ses(received) {
        return None;
    }
    let mut statements = results.split(';').map(str::trim).filter(|statement| !statement.is_empty());
    if statements.next() != Some(AUTHORITY) {
        return None;
    }
    let statements: Vec<&str> = statements.collect();
    // Host and sender of the envelope stand between the results and are the sender's to choose. SES writes SPF first and
    // DMARC last, so only there they are read, and only if there is one of each in all of the text.
    let only = |method: &str, statement: Option<&&str>| {
        let result = statement.and_then(|statement| result(statement, method));
        result.filter(|_| results.matches(&format!("{method}=")).count() == 1)
    };
    let dkim: Vec<Check> = statements.iter().filter_map(|statement| result(statement, "dkim")).collect();
    let agreed = dkim.first().filter(|first| dkim.iter().all(|check| check == *first)).cloned();
    Some(Receipt {
        spf_verdict: only("spf", statements.first()),
        dkim_verdict: agreed,
        dmarc_verdict: only("dmarc", statements.last()),
        spam_verdict: Some(Check { status: spam.to_owned() }),
        virus_verdict: Some(Check { status: virus.to_owned() }),
        ..Receipt::default()
    })
}

/// Whether one of SES's hosts says that it received the mail.
fn is_by_ses(received: &str) -> bool {
    let host = received.split_once(" by ").and_then(|(_, rest)| rest.split(' ').next()).unwrap_or_default();
    let region = host.strip_prefix(HOST[0]).and_then(|rest| rest.strip_suffix(HOST[1]));
    region.is_some_and(|region| !region.is_empty() && region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
}

/// A result (RFC 8601, section 2.7) in the words of a notice.
fn result(statement: &str, method: &str) -> Option<Check> {
    let rest = statement.strip_prefix(method)?.strip_prefix('=')?;
    let status = match rest.split(' ').next()? {
        "pass" => "PASS",
        "fail" => "FAIL",
        "none" | "neutral" | "softfail" | "policy" => "GRAY",
        _ => "PROCESSING_FAILED",
    };
    Some(Check { status: status.to_owned() })
}

#[cfg(test)]
mod tests;
