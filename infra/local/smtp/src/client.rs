//! Sends mails to a server, many over one connection if need be (RFC 5321 section 3.3).

use std::fmt::Write;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use crate::address;
use crate::answer::{Answer, read_answer};
use crate::data::{Stuffed, stuff};

/// Longest wait for a connection.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Longest wait for one answer, and for the server to take the data. RFC 5321 section 4.5.3.2 asks for minutes, for
/// servers far away; ours are near.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// The server is closing the connection, whatever it was asked (RFC 5321 section 3.8).
const CLOSING: u16 = 421;
/// The server waits for the data.
const GO_AHEAD: u16 = 354;

/// What a server was asked when something went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Nothing yet, it speaks first.
    Greeting,
    /// EHLO or HELO.
    Hello,
    /// RSET, sent after a mail that did not come to its end.
    Reset,
    /// MAIL.
    Sender,
    /// RCPT.
    Recipient,
    /// DATA.
    Data,
    /// The mail itself.
    Content,
    /// QUIT.
    Quit,
}

/// Why a mail was not sent. The messages hold no addresses; the [`Answer`]s inside may.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// An address is none, or `recipients` is empty. Nothing was sent.
    #[error("an address is not valid or there is no recipient")]
    Address,
    /// An address has more than ASCII and the server doesn't offer SMTPUTF8 (RFC 6531). Nothing was sent.
    #[error("the server takes ASCII addresses only")]
    Utf8NotOffered,
    /// The server refused.
    #[error("the server refused at {stage:?} with {}", answer.code)]
    Refused {
        /// What it was asked.
        stage: Stage,
        /// What it said.
        answer: Answer,
    },
    /// The server refused every recipient.
    #[error("the server refused all {} recipients", .0.len())]
    NoRecipient(Vec<RefusedRecipient>),
    /// No answer in time. Whether a mail got through is open when the stage is [`Stage::Content`].
    #[error("the server did not answer in time at {stage:?}")]
    TimedOut {
        /// What it was asked.
        stage: Stage,
    },
    /// The connection broke. Whether a mail got through is open when the stage is [`Stage::Content`].
    #[error("the connection broke at {stage:?}")]
    Broken {
        /// What the server was asked.
        stage: Stage,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An earlier mail ended in the middle of the dialogue: a new connection is needed. Nothing was sent.
    #[error("the connection can't be used any more")]
    Unusable,
}

/// One recipient that did not get the mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRecipient {
    /// The recipient as it was given.
    pub recipient: String,
    /// What the server said.
    pub answer: Answer,
}

/// A mail that the server took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The answer to the mail; servers put their id in the text.
    pub answer: Answer,
    /// The recipients that did not get it, when others did.
    pub refused: Vec<RefusedRecipient>,
}

/// Where the connection stands between two mails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Clean,
    /// The server still holds a sender: RSET before the next mail.
    MailOpen,
    /// In the middle of a dialogue, or closed.
    Unusable,
}

/// What the server offers, of the things that matter here.
#[derive(Debug, Default)]
struct Extensions {
    pipelining: bool,
    size: bool,
    eight_bit: bool,
    utf8: bool,
}

/// A connection to a server, for one mail after the other.
#[derive(Debug)]
pub struct Client {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    extensions: Extensions,
    standing: Standing,
}

/// Sends one mail over a connection of its own.
///
/// # Errors
/// See [`Client::connect`] and [`Client::send`].
pub async fn send(
    addr: SocketAddr,
    mail_from: Option<&str>,
    recipients: &[&str],
    mail: &[u8],
) -> Result<Sent, SendError> {
    let mut client = Client::connect(addr).await?;
    let sent = client.send(mail_from, recipients, mail).await?;
    // The mail is with the server, however the farewell goes.
    let _ = client.quit().await;
    Ok(sent)
}

impl Client {
    /// Connects and says EHLO, or HELO to a server that knows no other.
    ///
    /// # Errors
    /// The server can't be reached, is silent, or doesn't want us.
    pub async fn connect(addr: SocketAddr) -> Result<Self, SendError> {
        let stage = Stage::Greeting;
        let stream = timeout(CONNECT_MAX, TcpStream::connect(addr)).await.map_err(|_| SendError::TimedOut { stage })?;
        let (stream, name) = stream
            .and_then(|stream| {
                stream.set_nodelay(true)?;
                let name = address_literal(stream.local_addr()?.ip());
                Ok((stream, name))
            })
            .map_err(|source| SendError::Broken { stage, source })?;
        let (reader, writer) = stream.into_split();
        let (reader, extensions) = (BufReader::new(reader), Extensions::default());
        let mut client = Client { reader, writer, extensions, standing: Standing::Unusable };
        positive(stage, client.read(stage).await?)?;

        let stage = Stage::Hello;
        let answer = client.ask(stage, format!("EHLO {name}\r\n").as_bytes()).await?;
        if answer.is_positive() {
            client.extensions = Extensions::offered(&answer);
        } else {
            positive(stage, client.ask(stage, format!("HELO {name}\r\n").as_bytes()).await?)?;
        }
        client.standing = Standing::Clean;
        Ok(client)
    }

    /// Sends one mail. Line ends of all kinds are sent as CRLF, dots are stuffed, other bytes go as they are.
    /// `mail_from: None` is the null sender.
    ///
    /// # Errors
    /// Nothing was sent, or the server refused, or the connection broke. After a refusal the connection can take
    /// the next mail.
    pub async fn send(&mut self, mail_from: Option<&str>, recipients: &[&str], mail: &[u8]) -> Result<Sent, SendError> {
        let normal = |address: &&str| address::normal_form(address).ok_or(SendError::Address);
        let sender = mail_from.as_ref().map(normal).transpose()?;
        let paths = recipients.iter().map(normal).collect::<Result<Vec<_>, _>>()?;
        if paths.is_empty() {
            return Err(SendError::Address);
        }
        let utf8 = !sender.iter().chain(&paths).all(|address| address.is_ascii());
        if utf8 && !self.extensions.utf8 {
            return Err(SendError::Utf8NotOffered);
        }
        // Until the dialogue comes to an end, also when this future is dropped on the way, nobody may use the rest.
        let before = std::mem::replace(&mut self.standing, Standing::Unusable);
        let mut commands = match before {
            Standing::Unusable => return Err(SendError::Unusable),
            Standing::MailOpen => vec![(Stage::Reset, "RSET\r\n".to_owned())],
            Standing::Clean => Vec::new(),
        };
        let stuffed = stuff(mail);
        let parameters = self.extensions.parameters(stuffed.mail_bytes, utf8, mail.is_ascii());
        commands.push((Stage::Sender, format!("MAIL FROM:<{}>{parameters}\r\n", sender.as_deref().unwrap_or(""))));
        commands.extend(paths.iter().map(|path| (Stage::Recipient, format!("RCPT TO:<{path}>\r\n"))));
        commands.push((Stage::Data, "DATA\r\n".to_owned()));

        let answers = self.ask_all(&commands).await?;
        self.finish(Opening::of(answers, recipients), &stuffed).await
    }

    /// Says goodbye.
    ///
    /// # Errors
    /// The server didn't answer; there is nothing to be done about it.
    pub async fn quit(mut self) -> Result<(), SendError> {
        positive(Stage::Quit, self.ask(Stage::Quit, b"QUIT\r\n").await?)
    }

    /// Sends the data if the server is ready for it, and sums up.
    async fn finish(&mut self, opening: Opening, stuffed: &Stuffed) -> Result<Sent, SendError> {
        let Opening { refusal, refused, go_ahead } = opening;
        if let Some(refusal) = refusal {
            if go_ahead {
                // It wants data for nobody: give it none (RFC 2920 section 3.1).
                self.ask(Stage::Content, &stuff(b"").wire).await?;
            }
            self.standing = Standing::MailOpen;
            return Err(refusal);
        }
        let answer = self.ask(Stage::Content, &stuffed.wire).await?;
        self.standing = Standing::Clean;
        if !answer.is_positive() {
            return Err(SendError::Refused { stage: Stage::Content, answer });
        }
        Ok(Sent { answer, refused })
    }

    /// Sends all commands, in one go when the server can take that (RFC 2920), and reads all answers. Reading goes
    /// along with writing: a server that can't get rid of its answers would stop to read.
    async fn ask_all(&mut self, commands: &[(Stage, String)]) -> Result<Vec<(Stage, Answer)>, SendError> {
        let mut answers = Vec::with_capacity(commands.len());
        if !self.extensions.pipelining {
            for (stage, command) in commands {
                answers.push((*stage, self.ask(*stage, command.as_bytes()).await?));
            }
            return Ok(answers);
        }
        let batch: String = commands.iter().map(|(_, command)| command.as_str()).collect();
        let Client { reader, writer, .. } = self;
        let reading = async {
            for (stage, _) in commands {
                answers.push((*stage, read(reader, *stage).await?));
            }
            Ok(answers)
        };
        let (written, answers) = tokio::join!(write(writer, Stage::Sender, batch.as_bytes()), reading);
        // What the server said last explains more than that the connection is gone.
        let answers = answers?;
        written?;
        Ok(answers)
    }

    async fn ask(&mut self, stage: Stage, bytes: &[u8]) -> Result<Answer, SendError> {
        match write(&mut self.writer, stage, bytes).await {
            Ok(()) => self.read(stage).await,
            // A server that hangs up says why first, at times.
            Err(broken @ SendError::Broken { .. }) => match self.read(stage).await {
                Err(SendError::Broken { .. } | SendError::TimedOut { .. }) => Err(broken),
                said => said,
            },
            Err(late) => Err(late),
        }
    }

    async fn read(&mut self, stage: Stage) -> Result<Answer, SendError> {
        read(&mut self.reader, stage).await
    }
}

async fn write(writer: &mut OwnedWriteHalf, stage: Stage, bytes: &[u8]) -> Result<(), SendError> {
    let written = timeout(ANSWER_MAX, writer.write_all(bytes)).await.map_err(|_| SendError::TimedOut { stage })?;
    written.map_err(|source| SendError::Broken { stage, source })
}

/// One answer; 421 ends everything and is an error.
async fn read(reader: &mut BufReader<OwnedReadHalf>, stage: Stage) -> Result<Answer, SendError> {
    let answer = timeout(ANSWER_MAX, read_answer(reader)).await.map_err(|_| SendError::TimedOut { stage })?;
    let answer = answer.map_err(|source| SendError::Broken { stage, source })?;
    if answer.code == CLOSING { Err(SendError::Refused { stage, answer }) } else { Ok(answer) }
}

fn positive(stage: Stage, answer: Answer) -> Result<(), SendError> {
    if answer.is_positive() { Ok(()) } else { Err(SendError::Refused { stage, answer }) }
}

/// The own name for EHLO: an address, because a test machine has no name that means anything (RFC 5321 section 4.1.3).
fn address_literal(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => format!("[{ip}]"),
        IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
    }
}

/// What the answers to MAIL, RCPT and DATA say together.
struct Opening {
    /// Why no data may be sent.
    refusal: Option<SendError>,
    refused: Vec<RefusedRecipient>,
    /// DATA got its 354.
    go_ahead: bool,
}

impl Opening {
    fn of(answers: Vec<(Stage, Answer)>, recipients: &[&str]) -> Self {
        let mut opening = Opening { refusal: None, refused: Vec::new(), go_ahead: false };
        let mut unanswered = recipients.iter();
        for (stage, answer) in answers {
            match stage {
                Stage::Recipient => {
                    let recipient = unanswered.next().filter(|_| !answer.is_positive());
                    let refused =
                        recipient.map(|&recipient| RefusedRecipient { recipient: recipient.to_owned(), answer });
                    opening.refused.extend(refused);
                }
                Stage::Data => {
                    opening.go_ahead = answer.code == GO_AHEAD;
                    if opening.refused.len() == recipients.len() {
                        let refused = std::mem::take(&mut opening.refused);
                        opening.refuse(SendError::NoRecipient(refused));
                    }
                    if !opening.go_ahead {
                        opening.refuse(SendError::Refused { stage, answer });
                    }
                }
                _ if answer.is_positive() => {}
                _ => opening.refuse(SendError::Refused { stage, answer }),
            }
        }
        opening
    }

    /// The first refusal is the cause, the later ones follow from it.
    fn refuse(&mut self, refusal: SendError) {
        self.refusal.get_or_insert(refusal);
    }
}

impl Extensions {
    /// Reads the answer to EHLO: the first line is the name of the server (RFC 5321 section 4.1.1.1).
    fn offered(answer: &Answer) -> Self {
        let mut extensions = Extensions::default();
        for line in answer.text.lines().skip(1) {
            match line.split(' ').next().unwrap_or("").to_ascii_uppercase().as_str() {
                "PIPELINING" => extensions.pipelining = true,
                "SIZE" => extensions.size = true,
                "8BITMIME" => extensions.eight_bit = true,
                "SMTPUTF8" => extensions.utf8 = true,
                _ => {}
            }
        }
        extensions
    }

    /// The parameters of MAIL. 8-bit data goes to a server without 8BITMIME too: there is no other way to send it
    /// unchanged, and servers take it.
    fn parameters(&self, mail_bytes: usize, utf8: bool, ascii: bool) -> String {
        let mut parameters = String::new();
        if self.size {
            write!(parameters, " SIZE={mail_bytes}").expect("writing to a string cannot fail");
        }
        if self.eight_bit && !ascii {
            parameters.push_str(" BODY=8BITMIME");
        }
        if utf8 {
            parameters.push_str(" SMTPUTF8");
        }
        parameters
    }
}
