//! What the server answers: code, enhanced code (RFC 2034, RFC 3463) and text.

use std::borrow::Cow;

use crate::Refusal;

/// The name in greeting and EHLO answer. The server is for one machine, so it needs no other.
const SERVER_NAME: &str = "localhost";
/// Longest text of the receiver in an answer: with the codes below the 512 bytes of RFC 5321 section 4.5.3.1.5.
const TEXT_BYTES_MAX: usize = 400;

/// One answer of one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    code: u16,
    /// Empty where RFC 2034 allows none: the greeting, HELO and 354.
    enhanced: &'static str,
    text: Cow<'static, str>,
}

const fn fixed(code: u16, enhanced: &'static str, text: &'static str) -> Reply {
    Reply { code, enhanced, text: Cow::Borrowed(text) }
}

pub(crate) const GREETING: Reply = fixed(220, "", "localhost ESMTP Throughline ready");
pub(crate) const HELO: Reply = fixed(250, "", SERVER_NAME);
pub(crate) const HELP: Reply = fixed(214, "2.0.0", "EHLO HELO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT");
pub(crate) const BYE: Reply = fixed(221, "2.0.0", "Bye");
pub(crate) const OK: Reply = fixed(250, "2.0.0", "OK");
pub(crate) const SENDER_OK: Reply = fixed(250, "2.1.0", "Sender OK");
pub(crate) const RECIPIENT_OK: Reply = fixed(250, "2.1.5", "Recipient OK");
pub(crate) const CANNOT_VERIFY: Reply = fixed(252, "2.0.0", "Cannot verify, but will take mail and try");
pub(crate) const SEND_DATA: Reply = fixed(354, "", "End data with <CR><LF>.<CR><LF>");

pub(crate) const SHUTTING_DOWN: Reply = fixed(421, "4.3.2", "The server is shutting down");
pub(crate) const TOO_MANY_CONNECTIONS: Reply = fixed(421, "4.3.2", "Too many connections, try again later");
pub(crate) const IDLE: Reply = fixed(421, "4.4.2", "Waited too long for you");
pub(crate) const TOO_MANY_BAD_COMMANDS: Reply = fixed(421, "4.7.0", "Too many bad commands");
pub(crate) const NOT_SMTP: Reply = fixed(421, "4.7.0", "This is not SMTP");
pub(crate) const FAR_TOO_BIG: Reply = fixed(421, "4.3.4", "Far more data than a mail may have");
pub(crate) const TOO_MANY_RECIPIENTS: Reply = fixed(452, "4.5.3", "Too many recipients");

pub(crate) const UNKNOWN_COMMAND: Reply = fixed(500, "5.5.1", "Unknown command");
pub(crate) const LINE_TOO_LONG: Reply = fixed(500, "5.5.2", "Line too long");
pub(crate) const BARE_LINE_FEED: Reply = fixed(500, "5.5.2", "Lines end with <CR><LF>");
pub(crate) const NOT_UTF8: Reply = fixed(500, "5.5.2", "The line is not UTF-8");
pub(crate) const NAME_NEEDED: Reply = fixed(501, "5.5.4", "Say your host name");
pub(crate) const NO_PARAMETERS: Reply = fixed(501, "5.5.4", "This command takes no parameters");
pub(crate) const PARAMETER_NEEDED: Reply = fixed(501, "5.5.4", "This command needs a parameter");
pub(crate) const MAIL_SYNTAX: Reply = fixed(501, "5.5.4", "Say MAIL FROM:<address>");
pub(crate) const RCPT_SYNTAX: Reply = fixed(501, "5.5.4", "Say RCPT TO:<address>");
pub(crate) const BAD_SENDER: Reply = fixed(501, "5.1.7", "Bad sender address syntax");
pub(crate) const BAD_RECIPIENT: Reply = fixed(501, "5.1.3", "Bad recipient address syntax");
pub(crate) const BAD_SIZE: Reply = fixed(501, "5.5.4", "SIZE is a number of bytes");
pub(crate) const BAD_BODY: Reply = fixed(501, "5.5.4", "BODY is 7BIT or 8BITMIME");
pub(crate) const NOT_IMPLEMENTED: Reply = fixed(502, "5.5.1", "Command not implemented");
pub(crate) const HELLO_FIRST: Reply = fixed(503, "5.5.1", "Say EHLO first");
pub(crate) const MAIL_FIRST: Reply = fixed(503, "5.5.1", "Say MAIL first");
pub(crate) const MAIL_OPEN: Reply = fixed(503, "5.5.1", "A mail is open already");
pub(crate) const RCPT_FIRST: Reply = fixed(503, "5.5.1", "Say RCPT first");
pub(crate) const TOO_BIG: Reply = fixed(552, "5.3.4", "The mail is too big");
pub(crate) const UTF8_ADDRESS: Reply = fixed(553, "5.6.7", "A non-ASCII address needs SMTPUTF8");
pub(crate) const NO_VALID_RECIPIENTS: Reply = fixed(554, "5.5.1", "No valid recipients");
pub(crate) const UNKNOWN_PARAMETER: Reply = fixed(555, "5.5.4", "Unknown parameter");

impl Reply {
    /// The refusal of a recipient.
    pub(crate) fn recipient_refused(refusal: &Refusal) -> Reply {
        match refusal {
            Refusal::Temporary(text) => Reply { code: 451, enhanced: "4.3.0", text: printable(text) },
            Refusal::Permanent(text) => Reply { code: 550, enhanced: "5.1.1", text: printable(text) },
        }
    }

    /// The refusal of a mail.
    pub(crate) fn mail_refused(refusal: &Refusal) -> Reply {
        match refusal {
            Refusal::Temporary(text) => Reply { code: 451, enhanced: "4.3.0", text: printable(text) },
            Refusal::Permanent(text) => Reply { code: 554, enhanced: "5.6.0", text: printable(text) },
        }
    }

    /// The mail is durable under this id.
    pub(crate) fn stored(id: &str) -> Reply {
        Reply { code: 250, enhanced: "2.0.0", text: Cow::Owned(format!("Stored as {}", printable(id))) }
    }

    /// Appends the line to what goes to the client.
    pub(crate) fn write_to(&self, output: &mut Vec<u8>) {
        output.extend_from_slice(self.code.to_string().as_bytes());
        for part in [self.enhanced, &self.text] {
            if !part.is_empty() {
                output.push(b' ');
                output.extend_from_slice(part.as_bytes());
            }
        }
        output.extend_from_slice(b"\r\n");
    }
}

/// Appends the answer to EHLO: the name and the extensions PIPELINING (RFC 2920), SIZE (RFC 1870), 8BITMIME
/// (RFC 6152), SMTPUTF8 (RFC 6531) and ENHANCEDSTATUSCODES (RFC 2034).
pub(crate) fn write_extensions(mail_bytes_max: usize, output: &mut Vec<u8>) {
    let answer = format!(
        "250-{SERVER_NAME}\r\n250-PIPELINING\r\n250-SIZE {mail_bytes_max}\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n\
         250-ENHANCEDSTATUSCODES\r\n250 HELP\r\n"
    );
    output.extend_from_slice(answer.as_bytes());
}

/// A text of the receiver may hold anything; a line end in it would be read as a second answer.
fn printable(text: &str) -> Cow<'static, str> {
    let fits = |c: char| if c == ' ' || c.is_ascii_graphic() { c } else { '?' };
    Cow::Owned(text.chars().take(TEXT_BYTES_MAX).map(fits).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(reply: &Reply) -> String {
        let mut output = Vec::new();
        reply.write_to(&mut output);
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn writes_codes_and_text() {
        assert_eq!(line(&OK), "250 2.0.0 OK\r\n");
        assert_eq!(line(&SEND_DATA), "354 End data with <CR><LF>.<CR><LF>\r\n");
        assert_eq!(line(&Reply::stored("a1")), "250 2.0.0 Stored as a1\r\n");
        assert_eq!(line(&Reply::recipient_refused(&Refusal::Permanent(String::new()))), "550 5.1.1\r\n");
    }

    #[test]
    fn a_refusal_stays_one_short_line() {
        let text = format!("no\r\n250 OK \u{e4}{}", "x".repeat(2_000));
        let line = line(&Reply::mail_refused(&Refusal::Temporary(text)));
        assert!(line.starts_with("451 4.3.0 no??250 OK ?xx"), "{line}");
        assert!(line.len() <= 512);
        assert_eq!(line.matches('\n').count(), 1);
    }

    #[test]
    fn the_extensions_end_with_a_last_line() {
        let mut output = Vec::new();
        write_extensions(41_943_040, &mut output);
        let text = String::from_utf8(output).unwrap();
        assert!(text.contains("250-SIZE 41943040\r\n"));
        assert!(text.lines().rev().skip(1).all(|line| line.starts_with("250-")));
        assert!(text.lines().last().unwrap().starts_with("250 "));
    }
}
