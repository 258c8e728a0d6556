//! Telephone calls by Twilio: what its voice webhooks say
//! (<https://www.twilio.com/docs/voice/twiml#request-parameters>), and what a caller hears.
//!
//! One URL takes everything of a call: its beginning, which is answered with what the caller hears, the key that they
//! press, the recording, its text, and the end. Each becomes a message that tells of the call, but for the text, which is
//! added to the message of its recording; the call's id is their thread, so that they come to one ticket. What happens once
//! in a call has the id `{call}:{what}`, and a recording its own: either is one message although the call itself and the
//! status callback tell of it, the one with the caller's number and the other without. Twilio chooses these ids and signs.
//!
//! A caller can show any number. It is taken as proved only where the telephone companies vouch for it; else it is
//! where a call back would go.

use mail_parser::DateTime;
use throughline_domain::channel::Channel;
use throughline_domain::config::Inbox;
use throughline_domain::inbound::{Claim, Proof, sender};
use throughline_domain::message::{Call, CallStage};
use throughline_domain::message_change::Changed;
use throughline_domain::moment::Moment;

use crate::malformed::Malformed;
use crate::provider::{Answer, ChannelEvent, Context, Provider, Request, Said, Unknown, change_by, cut_id};
use crate::secrets::InboxSecrets;
use crate::signature::Refused;
use crate::text::{NAME_BYTES_MAX, clean_line};
use crate::twilio::{self, EMPTY_RESPONSE, FORM, Form};

/// The key by which a caller asks to be called back.
const CALLBACK_KEY: &str = "1";
/// How long a caller may think before the tone, in seconds.
const KEY_TIMEOUT_S: u32 = 5;
/// Longest recording, in seconds: Twilio transcribes nothing longer
/// (<https://www.twilio.com/docs/voice/twiml/record#transcribe>).
const RECORDING_S_MAX: u32 = 120;
/// What a caller hears first.
const GREETING: &str = "Thank you for calling. To be called back, press 1.";
/// What a caller hears before the tone.
const BEFORE_TONE: &str = "Please leave a message after the tone. It is recorded.";

/// What Twilio gives as the number of somebody who hides it: words, and the same words typed on a keypad.
const HIDDEN: [&str; 11] = [
    "anonymous",
    "blocked",
    "private",
    "restricted",
    "unavailable",
    "unknown",
    "+266696687",
    "+2562533",
    "+7378742833",
    "+86282452253",
    "+8656696",
];
/// The companies vouch for the caller and for their number
/// (<https://www.twilio.com/docs/voice/trusted-calling-with-shakenstir>).
const VOUCHED_FOR: &str = "TN-Validation-Passed-A";
/// Why something is dropped.
const NOTHING_TO_US: &str = "it says nothing to us";
/// Recordings of what a caller says after the tone; others are of the whole call.
const VOICEMAIL_SOURCE: &str = "RecordVerb";

/// See the module.
pub(crate) struct Voice;

impl Provider for Voice {
    fn content_type(&self) -> &'static str {
        FORM
    }

    fn verify(&self, request: &Request<'_>, secrets: &InboxSecrets, _now: Moment) -> Result<(), Refused> {
        twilio::verify(request, secrets)
    }

    fn parse(&self, request: &Request<'_>, context: &Context<'_>) -> Result<Vec<ChannelEvent>, Malformed> {
        let form = Form::of(&request.body)?;
        let event = event(&form, context).unwrap_or_else(|reason| unknown(&form, reason));
        Ok(vec![event])
    }

    /// What the caller hears, where one waits for it.
    fn answer(&self, request: &Request<'_>) -> Answer {
        let Ok(form) = Form::of(&request.body) else { return Answer::xml(EMPTY_RESPONSE) };
        let action = escaped(&here(&request.url));
        if is_beginning(&form) {
            return Answer::xml(format!("<Response>{}{}</Response>", menu(&action), tone(&action)));
        }
        if is_choice(&form) && form.get("Digits") != Some(CALLBACK_KEY) {
            return Answer::xml(format!("<Response>{}</Response>", tone(&action)));
        }
        Answer::xml(EMPTY_RESPONSE)
    }

    fn sign(&self, request: &Request<'_>, secrets: &InboxSecrets, _now: Moment) -> Option<Vec<(&'static str, String)>> {
        twilio::sign(request, secrets)
    }
}

/// Somebody calls, and Twilio asks what they are to hear.
fn is_beginning(form: &Form) -> bool {
    let told_later = ["CallbackSource", "SequenceNumber", "Digits", "RecordingUrl", "RecordingSid", "TranscriptionSid"];
    form.get("CallStatus") == Some("ringing")
        && form.get("Direction") == Some("inbound")
        && told_later.iter().all(|name| form.get(name).is_none())
}

/// The caller pressed a key of the menu. The key that ends a recording comes with the recording.
fn is_choice(form: &Form) -> bool {
    form.get("Digits").is_some() && form.get("RecordingUrl").is_none() && form.get("Direction") == Some("inbound")
}

fn menu(action: &str) -> String {
    let gather = format!(r#"numDigits="1" timeout="{KEY_TIMEOUT_S}" method="POST" action="{action}""#);
    format!("<Gather {gather}><Say>{GREETING}</Say></Gather>")
}

fn tone(action: &str) -> String {
    let limits = format!(r#"maxLength="{RECORDING_S_MAX}" playBeep="true" method="POST" action="{action}""#);
    let transcript = format!(r#"transcribe="true" transcribeCallback="{action}""#);
    format!("<Say>{BEFORE_TONE}</Say><Record {limits} {transcript}/>")
}

/// The URL that was called, relative to itself: right behind any host and stage.
fn here(url: &str) -> String {
    let (path, query) = url.split_at(url.find('?').unwrap_or(url.len()));
    format!("./{}{query}", path.rsplit('/').next().unwrap_or_default())
}

/// Text as the value of an attribute.
fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&apos;")
}

fn unknown(form: &Form, reason: &str) -> ChannelEvent {
    let id = ["TranscriptionSid", "RecordingSid", "CallSid"].into_iter().find_map(|name| form.get(name));
    let id = id.map(|id| [Some(id), form.get("SequenceNumber")].into_iter().flatten().collect::<Vec<_>>().join(":"));
    ChannelEvent::Unknown(Unknown::of(&form.raw(), id.as_deref(), reason))
}

/// What happened in a call: told once under `id`.
struct Happened {
    id: String,
    stage: CallStage,
    text: String,
    duration_s: Option<u32>,
}

/// What a request tells, or why it is not understood.
fn event(form: &Form, context: &Context<'_>) -> Result<ChannelEvent, &'static str> {
    let call = form.get("CallSid").ok_or("it does not say which call it is about")?;
    let inbox = twilio::inbox(Channel::Voice, form.get("To"), context).ok_or("no inbox is for this number")?;
    if form.get("Direction").is_some_and(|direction| direction != "inbound") {
        return Ok(ChannelEvent::Dropped { why: "a call of ours" });
    }
    if let Some(id) = form.get("TranscriptionSid") {
        return transcribed(id, form, inbox, context.received_at);
    }
    let Some(happened) = happened(call, form)? else {
        return Ok(ChannelEvent::Dropped { why: NOTHING_TO_US });
    };
    let mut said = Said { id: cut_id(&happened.id), text: happened.text, ..Said::default() };
    name_caller(form, inbox, &mut said);
    match happened.stage {
        CallStage::Voicemail => put_recording(form, "voicemail.wav", &mut said),
        CallStage::Ended if form.get("RecordingSid").is_some() => put_recording(form, "call.wav", &mut said),
        _ => (),
    }
    said.thread = Some(call.to_owned());
    said.sent_at = form.get("Timestamp").and_then(moment);
    said.call = Some(Call { id: cut_id(call), stage: happened.stage, duration_s: happened.duration_s });
    Ok(ChannelEvent::Message(Box::new(said.into_inbound(inbox, context.received_at).known_by_id())))
}

fn happened(call: &str, form: &Form) -> Result<Option<Happened>, &'static str> {
    if form.get("RecordingSid").is_some() || form.get("RecordingUrl").is_some() {
        return recorded(call, form);
    }
    if form.get("Digits").is_some() {
        let asks = form.get("Digits") == Some(CALLBACK_KEY);
        let (stage, text) = (CallStage::CallbackRequested, "(asks to be called back)".to_owned());
        return Ok(asks.then(|| Happened { id: format!("{call}:callback"), stage, text, duration_s: None }));
    }
    let status = form.get("CallStatus").ok_or("it does not say what happened")?;
    let duration_s = form.number("CallDuration");
    let (name, stage, text) = match status {
        "queued" | "initiated" => return Ok(None),
        "ringing" | "in-progress" | "answered" => ("started", CallStage::Started, call_text(form)),
        "completed" => ("ended", CallStage::Ended, lasting("call ended", duration_s)),
        "busy" | "no-answer" | "failed" | "canceled" => ("missed", CallStage::Missed, "(missed call)".to_owned()),
        _ => return Err("its status is not known"),
    };
    Ok(Some(Happened { id: format!("{call}:{name}"), stage, text, duration_s }))
}

/// What is said in a recording: added to its message, whichever comes first.
fn transcribed(id: &str, form: &Form, inbox: &Inbox, received_at: Moment) -> Result<ChannelEvent, &'static str> {
    if form.get("TranscriptionStatus") == Some("failed") {
        return Ok(ChannelEvent::Dropped { why: NOTHING_TO_US });
    }
    let text = form.get("TranscriptionText").ok_or("there is no text of the recording")?.to_owned();
    let of = form.get("RecordingSid").ok_or("it does not say which recording it is of")?;
    let mut said = Said::default();
    name_caller(form, inbox, &mut said);
    let by = sender(&said.claims, None);
    let changed = Changed::Transcribed { text };
    Ok(ChannelEvent::Change(Box::new(change_by(of, id, by, changed, None, inbox, received_at))))
}

fn recorded(call: &str, form: &Form) -> Result<Option<Happened>, &'static str> {
    if form.get("RecordingStatus").is_some_and(|status| status != "completed") {
        return Ok(None);
    }
    form.get("RecordingUrl").ok_or("it does not say where the recording is")?;
    let id = form.get("RecordingSid").map_or_else(|| format!("{call}:recording"), str::to_owned);
    let duration_s = form.number("RecordingDuration");
    let is_voicemail = form.get("RecordingSource").is_none_or(|source| source == VOICEMAIL_SOURCE);
    let (stage, what) =
        if is_voicemail { (CallStage::Voicemail, "voicemail") } else { (CallStage::Ended, "recording of the call") };
    Ok(Some(Happened { id, stage, text: lasting(what, duration_s), duration_s }))
}

fn lasting(what: &str, duration_s: Option<u32>) -> String {
    duration_s.map_or_else(|| format!("({what})"), |duration_s| format!("({what}, {duration_s} s)"))
}

fn call_text(form: &Form) -> String {
    match shown_number(form) {
        Some(number) => format!("(call from {})", clean_line(number, NAME_BYTES_MAX).unwrap_or_default()),
        None => "(call from a hidden number)".to_owned(),
    }
}

/// The caller's number, if they show one.
fn shown_number(form: &Form) -> Option<&str> {
    let from = form.get("From")?.trim();
    (!HIDDEN.iter().any(|hidden| hidden.eq_ignore_ascii_case(from))).then_some(from)
}

fn name_caller(form: &Form, inbox: &Inbox, said: &mut Said) {
    said.name = form.get("CallerName").map(str::to_owned);
    let Some(number) = shown_number(form) else {
        let is_named = form.get("From").is_some();
        let why = if is_named { "the caller shows no number" } else { "it does not say who called" };
        said.warnings.push(why.to_owned());
        return;
    };
    let vouched_for = form.get("StirVerstat") == Some(VOUCHED_FOR);
    let proof = if vouched_for { Proof::Proven } else { Proof::Answerable };
    match twilio::phone(number, form.get("FromCountry").or(inbox.country.as_deref())) {
        Ok(identifier) => said.claims.push(Claim { identifier, proof }),
        Err(error) => said.warnings.push(format!("the caller's number is refused: {error}")),
    }
}

fn put_recording(form: &Form, name: &str, said: &mut Said) {
    if let Some(url) = form.get("RecordingUrl") {
        said.file(url, Some(name), "audio/x-wav", None);
    }
}

/// A time of RFC 2822.
fn moment(text: &str) -> Option<Moment> {
    let at = DateTime::parse_rfc822(text).filter(DateTime::is_valid)?;
    Some(Moment::from_ms(at.to_timestamp().saturating_mul(1000)))
}

#[cfg(test)]
mod tests;
