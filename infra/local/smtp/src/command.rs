//! One command line in, a command or the answer that refuses it out (RFC 5321 section 4.1).
//!
//! Not done with the crate `smtp-proto` (0.2.5): its paths lose the quotes of a local part and turn `<postmaster>` into
//! the null path, it takes a bare LF as a line end, and its data reader ends a mail at `.<CR><CR><LF>` too and misses
//! the end of an empty mail.

use crate::address;
use crate::reply::{self, Reply};

/// Longest name in EHLO or HELO, bytes (RFC 5321 section 4.5.3.1.2).
const NAME_BYTES_MAX: usize = 255;

/// What a client can ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    Ehlo(String),
    Helo(String),
    Mail(Sender),
    /// The recipient.
    Rcpt(String),
    Data,
    Rset,
    Noop,
    Vrfy,
    Help,
    Quit,
    /// The client speaks another protocol, or one that was not offered and whose payload would be read as commands.
    Foreign,
}

/// What MAIL says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sender {
    /// `None`: the null sender.
    pub(crate) address: Option<String>,
    /// Size of the mail in bytes as the client declares it, 0 for unknown (RFC 1870).
    pub(crate) declared_bytes: u64,
    /// SMTPUTF8 was asked for, so that addresses may hold more than ASCII (RFC 6531).
    pub(crate) utf8: bool,
}

/// Reads one line, without its line end.
///
/// # Errors
/// The answer that refuses the line.
pub(crate) fn parse(line: &[u8]) -> Result<Command, Reply> {
    let line = std::str::from_utf8(line).map_err(|_| reply::NOT_UTF8)?.trim_end_matches(' ');
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let rest = rest.trim_start_matches(' ');
    match verb.to_ascii_uppercase().as_str() {
        "EHLO" => host_name(rest).map(Command::Ehlo),
        "HELO" => host_name(rest).map(Command::Helo),
        "MAIL" => sender(rest).map(Command::Mail),
        "RCPT" => recipient(rest).map(Command::Rcpt),
        "DATA" => alone(rest, Command::Data),
        "RSET" => alone(rest, Command::Rset),
        "QUIT" => alone(rest, Command::Quit),
        "NOOP" => Ok(Command::Noop),
        "HELP" => Ok(Command::Help),
        "VRFY" if rest.is_empty() => Err(reply::PARAMETER_NEEDED),
        "VRFY" => Ok(Command::Vrfy),
        "EXPN" | "STARTTLS" | "AUTH" | "ETRN" | "TURN" | "SEND" | "SOML" | "SAML" => Err(reply::NOT_IMPLEMENTED),
        // A web page can make a browser post to a local port; the body would then hold our commands.
        "GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "PATCH" | "OPTIONS" | "CONNECT" | "TRACE" | "PRI" | "BDAT" => {
            Ok(Command::Foreign)
        }
        _ => Err(reply::UNKNOWN_COMMAND),
    }
}

fn alone(rest: &str, command: Command) -> Result<Command, Reply> {
    if rest.is_empty() { Ok(command) } else { Err(reply::NO_PARAMETERS) }
}

/// Not checked against the grammar of host names: clients say all sorts of things here and it decides nothing.
fn host_name(rest: &str) -> Result<String, Reply> {
    let fits = (1..=NAME_BYTES_MAX).contains(&rest.len()) && !rest.contains(|c: char| c.is_control() || c == ' ');
    if fits { Ok(rest.to_owned()) } else { Err(reply::NAME_NEEDED) }
}

fn sender(rest: &str) -> Result<Sender, Reply> {
    let path = after_keyword(rest, "FROM:").ok_or(reply::MAIL_SYNTAX)?;
    let (address, parameters) = address::take_path(path).ok_or(reply::BAD_SENDER)?;
    let mut sender =
        Sender { address: Some(address).filter(|address| !address.is_empty()), declared_bytes: 0, utf8: false };
    for parameter in split_parameters(parameters).ok_or(reply::BAD_SENDER)? {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match name.to_ascii_uppercase().as_str() {
            "SIZE" => sender.declared_bytes = size(value)?,
            "BODY" if value.eq_ignore_ascii_case("7BIT") || value.eq_ignore_ascii_case("8BITMIME") => {}
            "BODY" => return Err(reply::BAD_BODY),
            "SMTPUTF8" if parameter.len() == name.len() => sender.utf8 = true,
            _ => return Err(reply::UNKNOWN_PARAMETER),
        }
    }
    if sender.utf8 || sender.address.as_deref().is_none_or(str::is_ascii) {
        Ok(sender)
    } else {
        Err(reply::UTF8_ADDRESS)
    }
}

/// Up to twenty digits (RFC 1870 section 3); what no u64 can hold is too big for everyone.
fn size(value: &str) -> Result<u64, Reply> {
    if value.is_empty() || value.len() > 20 || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(reply::BAD_SIZE);
    }
    Ok(value.parse().unwrap_or(u64::MAX))
}

fn recipient(rest: &str) -> Result<String, Reply> {
    let path = after_keyword(rest, "TO:").ok_or(reply::RCPT_SYNTAX)?;
    let (address, parameters) = address::take_path(path).ok_or(reply::BAD_RECIPIENT)?;
    let mut parameters = split_parameters(parameters).ok_or(reply::BAD_RECIPIENT)?;
    match parameters.next() {
        Some(_) => Err(reply::UNKNOWN_PARAMETER),
        None if address.is_empty() => Err(reply::BAD_RECIPIENT),
        None => Ok(address),
    }
}

/// What follows `FROM:` or `TO:`. Blanks after the colon are against the grammar and common.
fn after_keyword<'a>(rest: &'a str, keyword: &str) -> Option<&'a str> {
    let (head, path) = rest.split_at_checked(keyword.len())?;
    head.eq_ignore_ascii_case(keyword).then(|| path.trim_start_matches(' '))
}

/// The parameters behind a path; `None` when something sticks to the path.
fn split_parameters(text: &str) -> Option<impl Iterator<Item = &str>> {
    (text.is_empty() || text.starts_with(' ')).then(|| text.split(' ').filter(|parameter| !parameter.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(address: Option<&str>, declared_bytes: u64, utf8: bool) -> Result<Command, Reply> {
        Ok(Command::Mail(Sender { address: address.map(str::to_owned), declared_bytes, utf8 }))
    }

    fn rcpt(address: &str) -> Result<Command, Reply> {
        Ok(Command::Rcpt(address.to_owned()))
    }

    #[test]
    fn lines() {
        for (line, expected) in [
            ("EHLO client.example", Ok(Command::Ehlo("client.example".to_owned()))),
            ("helo  [127.0.0.1] ", Ok(Command::Helo("[127.0.0.1]".to_owned()))),
            ("EHLO", Err(reply::NAME_NEEDED)),
            ("EHLO a b", Err(reply::NAME_NEEDED)),
            ("MAIL FROM:<a@example.com>", mail(Some("a@example.com"), 0, false)),
            ("mail from: <a@example.com> size=12 body=8bitmime", mail(Some("a@example.com"), 12, false)),
            ("MAIL FROM:<>", mail(None, 0, false)),
            ("MAIL FROM:<> SMTPUTF8", mail(None, 0, true)),
            ("MAIL FROM:<\u{e9}@example.com> SMTPUTF8", mail(Some("\u{e9}@example.com"), 0, true)),
            ("MAIL FROM:<\u{e9}@example.com>", Err(reply::UTF8_ADDRESS)),
            ("MAIL FROM:<> SIZE=99999999999999999999", mail(None, u64::MAX, false)),
            ("MAIL FROM:<> SIZE=", Err(reply::BAD_SIZE)),
            ("MAIL FROM:<> SIZE=-1", Err(reply::BAD_SIZE)),
            ("MAIL FROM:<> SIZE=999999999999999999999", Err(reply::BAD_SIZE)),
            ("MAIL FROM:<> BODY=BINARYMIME", Err(reply::BAD_BODY)),
            ("MAIL FROM:<> BODY", Err(reply::BAD_BODY)),
            ("MAIL FROM:<> SMTPUTF8=1", Err(reply::UNKNOWN_PARAMETER)),
            ("MAIL FROM:<> AUTH=<>", Err(reply::UNKNOWN_PARAMETER)),
            ("MAIL FROM:<a@example.com>SIZE=1", Err(reply::BAD_SENDER)),
            ("MAIL FROM:a@example.com", Err(reply::BAD_SENDER)),
            ("MAIL", Err(reply::MAIL_SYNTAX)),
            ("MAIL TO:<a@example.com>", Err(reply::MAIL_SYNTAX)),
            ("MAIL FRO\u{e9}<a@example.com>", Err(reply::MAIL_SYNTAX)),
            ("RCPT TO:<s+1@example.com>", rcpt("s+1@example.com")),
            ("rcpt to:<\"a b\"@example.com>", rcpt("\"a b\"@example.com")),
            ("RCPT TO:<postmaster>", rcpt("postmaster")),
            ("RCPT TO:<>", Err(reply::BAD_RECIPIENT)),
            ("RCPT TO:<a@example.com> NOTIFY=NEVER", Err(reply::UNKNOWN_PARAMETER)),
            ("RCPT", Err(reply::RCPT_SYNTAX)),
            ("DATA", Ok(Command::Data)),
            ("data ", Ok(Command::Data)),
            ("DATA now", Err(reply::NO_PARAMETERS)),
            ("RSET", Ok(Command::Rset)),
            ("NOOP whatever", Ok(Command::Noop)),
            ("VRFY someone", Ok(Command::Vrfy)),
            ("VRFY", Err(reply::PARAMETER_NEEDED)),
            ("HELP", Ok(Command::Help)),
            ("QUIT", Ok(Command::Quit)),
            ("STARTTLS", Err(reply::NOT_IMPLEMENTED)),
            ("BDAT 100 LAST", Ok(Command::Foreign)),
            ("POST / HTTP/1.1", Ok(Command::Foreign)),
            ("", Err(reply::UNKNOWN_COMMAND)),
            ("  QUIT", Err(reply::UNKNOWN_COMMAND)),
            ("EHLO\tx", Err(reply::UNKNOWN_COMMAND)),
        ] {
            assert_eq!(parse(line.as_bytes()), expected, "{line:?}");
        }
        assert_eq!(parse(b"MAIL FROM:<\xff@example.com> SMTPUTF8"), Err(reply::NOT_UTF8));
    }
}
