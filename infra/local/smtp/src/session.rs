//! One SMTP dialogue without its socket: bytes in, answers and steps out (RFC 5321 sections 3 and 4).
//!
//! Answers gather in [`Session::take_output`] until the input is used up, so what a client sends in one go
//! (PIPELINING, RFC 2920) is answered in one go.

use std::net::SocketAddr;

use bytes::Bytes;

use crate::command::{self, Command, Sender};
use crate::data::{Fed, Unstuffer};
use crate::reply::{self, Reply};
use crate::{Envelope, Limits, Refusal};

/// How many times the largest mail is swallowed to keep the connection usable after a mail that is too big.
const SWALLOWED_MAILS_MAX: usize = 4;

/// What the session needs from outside before it goes on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The input is used up.
    NeedInput,
    /// Ask the receiver and tell [`Session::recipient_checked`].
    CheckRecipient(String),
    /// Give it to the receiver and tell [`Session::delivered`].
    Deliver(Envelope, Bytes),
    /// Send the answers, then close the connection.
    Close,
}

/// The dialogue so far.
#[derive(Debug)]
pub(crate) struct Session {
    peer: SocketAddr,
    limits: Limits,
    helo: Option<String>,
    transaction: Option<Transaction>,
    phase: Phase,
    output: Vec<u8>,
    bad_commands: usize,
    mails: usize,
}

#[derive(Debug)]
enum Phase {
    Command(LineBuffer),
    Data(Incoming),
    Closed,
}

/// From MAIL on.
#[derive(Debug)]
struct Transaction {
    mail_from: Option<String>,
    utf8: bool,
    recipients: Vec<String>,
    recipients_refused: bool,
}

/// The start of a command line whose end has not come.
#[derive(Debug, Default)]
struct LineBuffer {
    start: Vec<u8>,
    /// The line is over its limit already; the rest of it is dropped.
    too_long: bool,
}

/// A mail that is coming in.
#[derive(Debug)]
struct Incoming {
    unstuffer: Unstuffer,
    envelope: Envelope,
    mail: Vec<u8>,
    received_bytes: usize,
}

impl Session {
    /// A new dialogue, with the greeting as its first output.
    pub(crate) fn new(peer: SocketAddr, limits: Limits) -> Self {
        let mut session = Session {
            peer,
            limits,
            helo: None,
            transaction: None,
            phase: Phase::Command(LineBuffer::default()),
            output: Vec::new(),
            bad_commands: 0,
            mails: 0,
        };
        session.answer(&reply::GREETING);
        session
    }

    /// What goes to the client now.
    pub(crate) fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// A mail is coming in, so the client must not be interrupted lightly.
    pub(crate) fn receives_data(&self) -> bool {
        matches!(self.phase, Phase::Data(_))
    }

    /// How many mails the receiver took.
    pub(crate) fn mails(&self) -> usize {
        self.mails
    }

    /// Goes on with the input, which shrinks from the front, until something is needed from outside.
    pub(crate) fn advance(&mut self, input: &mut &[u8]) -> Step {
        loop {
            let step = match &mut self.phase {
                Phase::Closed => return Step::Close,
                _ if input.is_empty() => return Step::NeedInput,
                Phase::Command(buffer) => match buffer.take_line(input, self.limits.command_line_bytes_max) {
                    None => None,
                    Some(line) => self.obey(line.and_then(|line| command::parse(&line))),
                },
                Phase::Data(_) => self.take_data(input),
            };
            if let Some(step) = step {
                return step;
            }
        }
    }

    /// The receiver's word on a recipient.
    pub(crate) fn recipient_checked(&mut self, recipient: String, verdict: Result<(), Refusal>) {
        let Some(transaction) = &mut self.transaction else { return };
        let answer = match verdict {
            Ok(()) => {
                if !transaction.recipients.contains(&recipient) {
                    transaction.recipients.push(recipient);
                }
                reply::RECIPIENT_OK
            }
            Err(refusal) => {
                transaction.recipients_refused = true;
                Reply::recipient_refused(&refusal)
            }
        };
        self.answer(&answer);
    }

    /// The receiver's word on a mail.
    pub(crate) fn delivered(&mut self, verdict: Result<String, Refusal>) {
        match verdict {
            Ok(id) => {
                self.mails += 1;
                self.bad_commands = 0;
                self.answer(&Reply::stored(&id));
            }
            Err(refusal) => self.answer(&Reply::mail_refused(&refusal)),
        }
    }

    /// Ends the dialogue with this answer, a mail that is coming in is dropped.
    pub(crate) fn close(&mut self, answer: &Reply) {
        self.answer(answer);
        self.transaction = None;
        self.phase = Phase::Closed;
    }

    fn answer(&mut self, reply: &Reply) {
        reply.write_to(&mut self.output);
    }

    fn obey(&mut self, command: Result<Command, Reply>) -> Option<Step> {
        match command.and_then(|command| self.obey_command(command)) {
            Ok(step) => step,
            Err(refusal) => {
                self.answer(&refusal);
                self.bad_commands += 1;
                if self.bad_commands > self.limits.bad_commands_max {
                    self.close(&reply::TOO_MANY_BAD_COMMANDS);
                }
                None
            }
        }
    }

    /// Does what the command asks for; what makes no sense now is an error and counted.
    fn obey_command(&mut self, command: Command) -> Result<Option<Step>, Reply> {
        match command {
            Command::Ehlo(name) => {
                self.greet(name);
                reply::write_extensions(self.limits.mail_bytes_max, &mut self.output);
            }
            Command::Helo(name) => {
                self.greet(name);
                self.answer(&reply::HELO);
            }
            Command::Mail(sender) => self.open(sender)?,
            Command::Rcpt(recipient) => return self.add(recipient),
            Command::Data => self.start_data()?,
            Command::Rset => {
                self.transaction = None;
                self.answer(&reply::OK);
            }
            Command::Noop => self.answer(&reply::OK),
            Command::Vrfy => self.answer(&reply::CANNOT_VERIFY),
            Command::Help => self.answer(&reply::HELP),
            Command::Quit => self.close(&reply::BYE),
            Command::Foreign => self.close(&reply::NOT_SMTP),
        }
        Ok(None)
    }

    /// EHLO and HELO drop an open mail like RSET (RFC 5321 section 4.1.4).
    fn greet(&mut self, name: String) {
        self.helo = Some(name);
        self.transaction = None;
    }

    fn open(&mut self, sender: Sender) -> Result<(), Reply> {
        if self.helo.is_none() {
            return Err(reply::HELLO_FIRST);
        }
        if self.transaction.is_some() {
            return Err(reply::MAIL_OPEN);
        }
        // No fault of the client, this is what SIZE is for (RFC 1870 section 6.1): not counted as a bad command.
        if sender.declared_bytes > self.limits.mail_bytes_max as u64 {
            self.answer(&reply::TOO_BIG);
            return Ok(());
        }
        self.transaction = Some(Transaction {
            mail_from: sender.address,
            utf8: sender.utf8,
            recipients: Vec::new(),
            recipients_refused: false,
        });
        self.answer(&reply::SENDER_OK);
        Ok(())
    }

    fn add(&mut self, recipient: String) -> Result<Option<Step>, Reply> {
        let transaction = self.transaction.as_ref().ok_or(reply::MAIL_FIRST)?;
        if !transaction.utf8 && !recipient.is_ascii() {
            return Err(reply::UTF8_ADDRESS);
        }
        if transaction.recipients.len() >= self.limits.recipients_max {
            self.answer(&reply::TOO_MANY_RECIPIENTS);
            return Ok(None);
        }
        Ok(Some(Step::CheckRecipient(recipient)))
    }

    fn start_data(&mut self) -> Result<(), Reply> {
        let transaction = self.transaction.as_ref().ok_or(reply::MAIL_FIRST)?;
        if transaction.recipients.is_empty() {
            if transaction.recipients_refused {
                // A pipelining client could not know it, so it is not counted (RFC 2920 section 3.1).
                self.answer(&reply::NO_VALID_RECIPIENTS);
                return Ok(());
            }
            return Err(reply::RCPT_FIRST);
        }
        let Some(Transaction { mail_from, recipients, .. }) = self.transaction.take() else { return Ok(()) };
        let envelope = Envelope { helo: self.helo.clone().unwrap_or_default(), mail_from, recipients, peer: self.peer };
        let unstuffer = Unstuffer::new();
        self.phase = Phase::Data(Incoming { unstuffer, envelope, mail: Vec::new(), received_bytes: 0 });
        self.answer(&reply::SEND_DATA);
        Ok(())
    }

    fn take_data(&mut self, input: &mut &[u8]) -> Option<Step> {
        let mail_bytes_max = self.limits.mail_bytes_max;
        let Phase::Data(incoming) = &mut self.phase else { return None };
        if !incoming.take(input, mail_bytes_max) {
            if incoming.received_bytes > mail_bytes_max.saturating_mul(SWALLOWED_MAILS_MAX) {
                self.close(&reply::FAR_TOO_BIG);
            }
            return None;
        }
        let Phase::Data(incoming) = std::mem::replace(&mut self.phase, Phase::Command(LineBuffer::default())) else {
            return None;
        };
        if incoming.received_bytes > mail_bytes_max {
            self.answer(&reply::TOO_BIG);
            return None;
        }
        Some(Step::Deliver(incoming.envelope, Bytes::from(incoming.mail)))
    }
}

impl LineBuffer {
    /// The next line without its CRLF, or the answer that refuses it; `None` when its end has not come yet.
    fn take_line(&mut self, input: &mut &[u8], line_bytes_max: usize) -> Option<Result<Vec<u8>, Reply>> {
        let end = input.iter().position(|&byte| byte == b'\n').map(|at| at + 1);
        let (piece, rest) = input.split_at(end.unwrap_or(input.len()));
        *input = rest;
        if self.too_long || self.start.len() + piece.len() > line_bytes_max {
            *self = LineBuffer { start: Vec::new(), too_long: true };
        } else {
            self.start.extend_from_slice(piece);
        }
        end?;
        let LineBuffer { start: mut line, too_long } = std::mem::take(self);
        if too_long {
            return Some(Err(reply::LINE_TOO_LONG));
        }
        if !line.ends_with(b"\r\n") {
            return Some(Err(reply::BARE_LINE_FEED));
        }
        line.truncate(line.len() - 2);
        Some(Ok(line))
    }
}

impl Incoming {
    /// Takes what belongs to the mail off the input and says whether the mail is complete. Bytes past the limit are
    /// counted and dropped, and the ones before them too: nobody will ask for them.
    fn take(&mut self, input: &mut &[u8], mail_bytes_max: usize) -> bool {
        let Incoming { unstuffer, mail, received_bytes, .. } = self;
        let fed = unstuffer.feed(input, |part| {
            *received_bytes = received_bytes.saturating_add(part.len());
            if *received_bytes <= mail_bytes_max {
                mail.extend_from_slice(part);
            } else {
                *mail = Vec::new();
            }
        });
        match fed {
            Fed::More => {
                *input = &[];
                false
            }
            Fed::Ended(taken) => {
                *input = &input[taken..];
                true
            }
        }
    }
}

#[cfg(test)]
mod tests;
