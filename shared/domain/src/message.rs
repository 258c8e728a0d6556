//! A message of any channel and direction, as it stands on the timeline.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::id::{InboxId, MessageId};
use crate::identifier::Identifier;
use crate::moment::Moment;

/// Longest readable text kept of one message, in bytes (1 MiB). The raw message keeps all of it.
pub const TEXT_BYTES_MAX: usize = 1_048_576;

/// Which way the message goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the customer.
    #[default]
    Inbound,
    /// To the customer.
    Outbound,
    /// Between agents: never leaves.
    Internal,
}

/// Who can see it on its channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Everybody: a comment, a post.
    Public,
    /// Only the two sides.
    #[default]
    Private,
}

impl Visibility {
    /// Whether only the two sides see it.
    pub fn is_private(&self) -> bool {
        *self == Self::Private
    }
}

/// Who wrote it, as the channel names them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sender {
    /// The identifier's kind (`email`, `session`, …), or `agent`.
    pub kind: String,
    /// The identifier's value.
    pub value: String,
    /// Display name, as given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The channel proved that it is them.
    #[serde(default)]
    pub verified: bool,
}

impl Sender {
    /// Whom the channel proved to be the holder of a name.
    pub fn proven(identifier: &Identifier) -> Self {
        let (kind, value) = (identifier.kind().as_str().to_owned(), identifier.value().to_owned());
        Self { kind, value, name: None, verified: true }
    }
}

/// A file that came with a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attachment {
    /// Its number in the message, from 1.
    pub id: String,
    /// File name as given, without folders.
    pub filename: String,
    /// MIME type that the bytes show; where they show none, as given.
    pub content_type: String,
    /// Bytes, decoded.
    pub size: u64,
    /// Hex SHA-256 of the decoded bytes.
    pub sha256: String,
    /// Shown inside the text.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inline: bool,
    /// Content-ID without angle brackets, by which HTML refers to it (RFC 2392).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_id: Option<String>,
    /// Opening it can run a program: an executable, a script, a document with macros.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dangerous: bool,
    /// Where it can be had, if it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// While the bytes are still with the channel: its name for them, an id or an `https` URL. Size and hash are then
    /// those that it tells, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_by_channel: Option<String>,
}

/// What happened on a telephone call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallStage {
    /// Somebody calls.
    Started,
    /// It is over.
    Ended,
    /// Nobody took it.
    Missed,
    /// The caller spoke after the tone: the recording is the message's file.
    Voicemail,
    /// What was recorded, as text: a message of its own in earlier logs, now added to that of the recording.
    Transcribed,
    /// The caller asks to be called back.
    CallbackRequested,
}

/// A telephone call, as one message about it tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Call {
    /// The provider's id of the call.
    pub id: String,
    /// What happened.
    pub stage: CallStage,
    /// How long it was or the recording is, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<u32>,
}

/// Who said a line of a transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TranscriptRole {
    /// The customer.
    Customer,
    /// The bot.
    Bot,
    /// A person of ours.
    Agent,
    /// Neither: a notice of the bot's platform.
    System,
}

/// One message of what was said before a bot handed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TranscriptLine {
    /// The bot's id of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Who said it.
    pub role: TranscriptRole,
    /// What.
    pub text: String,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Moment>,
}

/// Something that a bot tried before it handed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptedStep {
    /// What it tried.
    pub step: String,
    /// What came of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub outcome: String,
}

/// What a bot knows when it hands a conversation over: nothing of it has to be asked again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Handoff {
    /// The bot.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub bot_id: String,
    /// The bot's name for the conversation, under which an answer finds back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_ref: Option<String>,
    /// The channel on which the customer talks with the bot, as the bot names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// What the customer wants, as the bot took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<String>,
    /// How sure the bot is of the intent, in per cent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent_percent: Option<u8>,
    /// How the customer feels, in the bot's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentiment: Option<String>,
    /// How strongly they feel it: -100 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentiment_percent: Option<i8>,
    /// The conversation in short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Why it hands over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who should take it, by skill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_skill: Option<String>,
    /// What was said, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transcript: Vec<TranscriptLine>,
    /// What was tried, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempted_steps: Vec<AttemptedStep>,
}

/// Why a message counts as sent by a machine (RFC 3834 and practice).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AutomaticKind {
    /// An out-of-office or vacation reply, or any other automatic answer.
    AutoReply,
    /// A newsletter or other mass mail.
    Bulk,
    /// A delivery failure report.
    Bounce,
    /// A report that delivery takes longer.
    Delayed,
    /// Our own mail come back.
    Loop,
    /// Sent through a mailing list.
    List,
}

/// A message sent by a machine, with the evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Automatic {
    /// What kind of machine mail it is.
    pub kind: AutomaticKind,
    /// The header or property that tells.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub because: String,
}

/// What a mail system did with a message for one recipient (RFC 3464, section 2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryAction {
    /// It could not be delivered, and nobody tries any more.
    Failed,
    /// It could not be delivered yet. No failure.
    Delayed,
    /// It was delivered.
    Delivered,
    /// It was handed to a system that does not report.
    Relayed,
    /// It was delivered to several others, such as the members of a list.
    Expanded,
}

/// What became of a message for one recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReportedRecipient {
    /// The address that we wrote to where the report has it (`Original-Recipient`), else the one that was tried at last.
    pub address: String,
    /// What was done.
    pub action: DeliveryAction,
    /// Enhanced status code (RFC 3463): `5.…` is permanent, `4.…` may pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// What the other system said, as one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnostic: Option<String>,
}

/// A mail system's report about a message that we sent (RFC 3464, or what older programs write). Anybody can write one:
/// it says what is claimed, and only ids that we signed show that the message was ours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeliveryReport {
    /// Of whom it speaks, in its order.
    pub recipients: Vec<ReportedRecipient>,
    /// Message-ID of the message that it is about, without angle brackets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_message_id: Option<String>,
    /// References and In-Reply-To of that message, oldest first, without angle brackets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub original_references: Vec<String>,
}

/// A verdict of the receiving mail service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The check passed.
    Pass,
    /// The check failed.
    Fail,
    /// The check could not tell (SES `GRAY`, or the domain publishes no policy).
    Neutral,
    /// The check was not done or did not finish.
    Unknown,
}

/// The receiving mail service's verdicts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Authentication {
    /// SPF (RFC 7208).
    pub spf: Verdict,
    /// DKIM (RFC 6376).
    pub dkim: Verdict,
    /// DMARC (RFC 7489).
    pub dmarc: Verdict,
    /// Spam.
    pub spam: Verdict,
    /// Viruses.
    pub virus: Verdict,
}

/// A message of any channel and direction. Empty fields are left out of the stored form, because every kilobyte of a
/// commit is a write unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Message {
    /// Our id.
    pub id: MessageId,
    /// The channel it came by or leaves by.
    pub channel: Channel,
    /// The inbox it came to or leaves from.
    pub inbox: InboxId,
    /// The provider's id, or the client's, or the Message-ID of a mail.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub provider_message_id: String,
    /// Which way it goes.
    pub direction: Direction,
    /// Who can see it on its channel.
    #[serde(default)]
    pub visibility: Visibility,
    /// Who wrote it.
    pub sender: Sender,
    /// The address on the envelope that brought it here (mail).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope_to: Option<String>,
    /// Recipients: `kind:value` identifiers for what we send, addresses as given for what we got.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// Copies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cc: Vec<String>,
    /// Where the sender wants answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// Subject, where the channel has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The whole readable text.
    #[serde(default)]
    pub text: String,
    /// What the sender newly wrote, where that is less than `text`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_text: Option<String>,
    /// Sanitized HTML. It loads nothing: `<img data-attachment="2">` stands for the message's second file, and
    /// `<img data-blocked-src="https://…">` for an image elsewhere, to be loaded only when somebody asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// Files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// Message-ID of a mail, without angle brackets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// In-Reply-To ids, without angle brackets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_reply_to: Vec<String>,
    /// References ids, oldest first, without angle brackets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
    /// The message that this one quotes, by the provider's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quoted_message_id: Option<String>,
    /// Language (BCP 47), if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Set when a machine sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automatic: Option<Automatic>,
    /// Set when it reports on a message of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<DeliveryReport>,
    /// Set when it tells of a telephone call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Call>,
    /// Set when a bot hands over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handoff: Option<Box<Handoff>>,
    /// The mail service's verdicts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
    /// Its customer was erased: what it said is gone, and the text says so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
    /// What could not be read as it was meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// When the sender says it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Moment>,
    /// When we took it.
    pub received_at: Moment,
    /// Object key of the raw message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_url: Option<String>,
    /// Object key of the full texts, when `text` holds only their beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_url: Option<String>,
}

/// The texts of a message: what moves to the object store when a commit grows too big.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// See [`Message::text`].
    pub text: String,
    /// See [`Message::reply_text`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_text: Option<String>,
    /// See [`Message::html`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
}

impl Message {
    /// An empty message with what every message has.
    pub fn new(
        id: MessageId,
        channel: Channel,
        inbox: InboxId,
        direction: Direction,
        sender: Sender,
        received_at: Moment,
    ) -> Self {
        Self {
            id,
            channel,
            inbox,
            provider_message_id: String::new(),
            direction,
            visibility: Visibility::default(),
            sender,
            envelope_to: None,
            to: Vec::new(),
            cc: Vec::new(),
            reply_to: None,
            subject: None,
            text: String::new(),
            reply_text: None,
            html: None,
            attachments: Vec::new(),
            message_id: None,
            in_reply_to: Vec::new(),
            references: Vec::new(),
            quoted_message_id: None,
            language: None,
            automatic: None,
            report: None,
            call: None,
            handoff: None,
            authentication: None,
            erased: false,
            warnings: Vec::new(),
            sent_at: None,
            received_at,
            raw_url: None,
            body_url: None,
        }
    }

    /// Whether the receiving service says that it is not from whom it names (DMARC, RFC 7489).
    pub fn is_forged(&self) -> bool {
        self.authentication.as_ref().is_some_and(|verdicts| verdicts.dmarc == Verdict::Fail)
    }

    /// What the sender newly wrote: `reply_text` if there is one, else the whole text.
    pub fn new_text(&self) -> &str {
        self.reply_text.as_deref().unwrap_or(&self.text)
    }

    /// Takes the texts out and leaves a preview of at most `preview_bytes` of what was newly written.
    pub fn take_body(&mut self, preview_bytes: usize) -> Body {
        let preview = truncated(self.new_text(), preview_bytes).to_owned();
        Body {
            text: std::mem::replace(&mut self.text, preview),
            reply_text: self.reply_text.take(),
            html: self.html.take(),
        }
    }

    /// Puts the texts back.
    pub fn put_body(&mut self, body: Body) {
        self.text = body.text;
        self.reply_text = body.reply_text;
        self.html = body.html;
    }
}

/// The longest beginning of `text` of at most `bytes` bytes that ends at a character boundary.
pub fn truncated(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        return text;
    }
    let end = (0..=bytes).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_goes_out_and_comes_back() {
        let id = MessageId::new(uuid::Uuid::nil());
        let inbox = "support".parse().unwrap();
        let sender = Sender::default();
        let mut message = Message::new(id, Channel::Email, inbox, Direction::Inbound, sender, Moment::from_ms(0));
        message.text = "größer\n> quoted".into();
        message.reply_text = Some("größer".into());
        let before = message.clone();
        let body = message.take_body(4);
        assert_eq!(message.text, "grö");
        assert_eq!(message.reply_text, None);
        message.put_body(body);
        assert_eq!(message, before);
    }

    #[test]
    fn stored_form_leaves_empty_fields_out() {
        let id = MessageId::new(uuid::Uuid::nil());
        let message = Message::new(
            id,
            Channel::WebChat,
            "chat".parse().unwrap(),
            Direction::Inbound,
            Sender::default(),
            Moment::from_ms(0),
        );
        let json = serde_json::to_string(&message).unwrap();
        assert!(json.len() < 300, "{json}");
        assert_eq!(serde_json::from_str::<Message>(&json).unwrap(), message);
    }
}
