//! Text messages by Twilio: SMS, MMS, RCS and WhatsApp
//! (<https://www.twilio.com/docs/messaging/guides/webhook-request>), and what becomes of ours
//! (<https://www.twilio.com/docs/messaging/guides/track-outbound-message-status>).

use throughline_domain::channel::Channel;
use throughline_domain::config::Inbox;
use throughline_domain::identifier::{Identifier, IdentifierKind, InvalidIdentifier};
use throughline_domain::inbound::{Claim, Proof};
use throughline_domain::message_change::{Changed, DeliveryState};
use throughline_domain::moment::Moment;
use throughline_domain::suppression::SuppressionKind;

use crate::malformed::Malformed;
use crate::provider::{Answer, ChannelEvent, Consent, Context, Provider, Request, Said, Unknown, change, cut_id};
use crate::secrets::InboxSecrets;
use crate::signature::Refused;
use crate::text::{NAME_BYTES_MAX, clean_line, place};
use crate::twilio::{self, EMPTY_RESPONSE, FORM, Form};

/// Words that stop messages when they are the whole text
/// (<https://help.twilio.com/articles/223134027-Twilio-support-for-opt-out-keywords-SMS-STOP-filtering->).
const STOP: [&str; 8] = ["STOP", "STOPALL", "UNSUBSCRIBE", "END", "QUIT", "CANCEL", "REVOKE", "OPTOUT"];
/// Words that allow them again. `YES` answers questions too: it counts only where Twilio says so.
const START: [&str; 2] = ["START", "UNSTOP"];
/// Before the number of somebody on WhatsApp.
const WHATSAPP: &str = "whatsapp:";
/// Before a number that is reached by RCS.
const RCS: &str = "rcs:";

/// See the module.
pub(crate) struct Sms;

impl Provider for Sms {
    fn content_type(&self) -> &'static str {
        FORM
    }

    fn verify(&self, request: &Request<'_>, secrets: &InboxSecrets, _now: Moment) -> Result<(), Refused> {
        twilio::verify(request, secrets)
    }

    fn parse(&self, request: &Request<'_>, context: &Context<'_>) -> Result<Vec<ChannelEvent>, Malformed> {
        let form = Form::of(&request.body)?;
        Ok(match form.get("MessageStatus").or(form.get("SmsStatus")).unwrap_or("received") {
            "received" | "receiving" => message(&form, context),
            status => vec![report(status, &form, context)],
        })
    }

    /// Answers nothing by itself.
    fn answer(&self, _request: &Request<'_>) -> Answer {
        Answer::xml(EMPTY_RESPONSE)
    }

    fn sign(&self, request: &Request<'_>, secrets: &InboxSecrets, _now: Moment) -> Option<Vec<(&'static str, String)>> {
        twilio::sign(request, secrets)
    }
}

fn id(form: &Form) -> Option<&str> {
    form.get("MessageSid").or(form.get("SmsMessageSid")).or(form.get("SmsSid"))
}

fn unknown(form: &Form, reason: &str) -> ChannelEvent {
    ChannelEvent::Unknown(Unknown::of(&form.raw(), id(form), reason))
}

fn message(form: &Form, context: &Context<'_>) -> Vec<ChannelEvent> {
    let Some(id) = id(form) else { return vec![unknown(form, "it has no id")] };
    let Some(from) = form.get("From") else { return vec![unknown(form, "nobody is named as its sender")] };
    let Some(inbox) = twilio::inbox(Channel::Sms, form.get("To"), context) else {
        return vec![unknown(form, "no inbox is for this number")];
    };
    let mut said = Said { id: cut_id(id), ..Said::default() };
    claim(from, form, inbox, &mut said);
    said.name = form.get("ProfileName").map(str::to_owned);
    said.quoted = form.get("OriginalRepliedMessageSid").map(str::to_owned);
    said.text = text(form);
    put_media(form, &mut said);
    let consent = said.claims.first().and_then(|claim| consent(form, &claim.identifier));
    let message = ChannelEvent::Message(Box::new(said.into_inbound(inbox, context.received_at)));
    [message].into_iter().chain(consent.map(ChannelEvent::Consent)).collect()
}

/// Names the sender. On WhatsApp they are known as Meta knows them, by the digits of their number, so that they are the
/// same person there; and by the id that Meta gives them for this business.
fn claim(from: &str, form: &Form, inbox: &Inbox, said: &mut Said) {
    let country = form.get("FromCountry").or(inbox.country.as_deref());
    let whatsapp =
        |address: Option<&str>| address.and_then(|address| address.strip_prefix(WHATSAPP)).map(str::to_owned);
    let number = from.strip_prefix(WHATSAPP).or(from.strip_prefix(RCS)).unwrap_or(from);
    let mut found = Vec::new();
    if from.starts_with(WHATSAPP) {
        found.push(person(from, country));
    }
    // Somebody on WhatsApp may hide their number.
    if !from.starts_with(WHATSAPP) || number.starts_with('+') {
        found.push(twilio::phone(number, country));
    }
    if let Some(id) = whatsapp(form.get("ExternalUserId")) {
        found.push(Identifier::new(IdentifierKind::Whatsapp, &id, None));
    }
    for one in found {
        match one {
            Ok(identifier) => said.claims.push(Claim { identifier, proof: Proof::Proven }),
            Err(error) => said.warnings.push(format!("a name of the sender is refused: {error}")),
        }
    }
}

/// The name under which answers travel.
fn person(address: &str, country: Option<&str>) -> Result<Identifier, InvalidIdentifier> {
    match address.strip_prefix(WHATSAPP) {
        Some(name) => Identifier::new(IdentifierKind::Whatsapp, name.trim_start_matches('+'), None),
        None => twilio::phone(address.strip_prefix(RCS).unwrap_or(address), country),
    }
}

/// What they wrote, the button that they pressed, or the place that they share.
fn text(form: &Form) -> String {
    let written = ["Body", "ButtonText", "ListTitle", "ButtonPayload", "ListId"];
    let written = written.into_iter().find_map(|name| form.get(name));
    let degrees = |name: &str| form.get(name).and_then(|given| given.parse::<f64>().ok());
    let (latitude, longitude) = (degrees("Latitude"), degrees("Longitude"));
    let shared = latitude.zip(longitude).map(|_| place(latitude, longitude, &[form.get("Label"), form.get("Address")]));
    let lines: Vec<&str> = written.into_iter().chain(shared.as_deref()).collect();
    lines.join("\n")
}

fn put_media(form: &Form, said: &mut Said) {
    let urls = (0_u32..).map_while(|index| Some((index, form.get(&format!("MediaUrl{index}"))?)));
    let mut count = 0;
    for (index, url) in urls {
        let kind = form.get(&format!("MediaContentType{index}")).unwrap_or("application/octet-stream");
        said.file(url, None, kind, None);
        count = index + 1;
    }
    let announced = form.number("NumMedia").unwrap_or_default();
    if announced > count {
        said.warnings.push(format!("{} of {announced} files are not named", announced - count));
    }
}

/// Whether they want messages: what Twilio says, else what the whole text says.
fn consent(form: &Form, identifier: &Identifier) -> Option<Consent> {
    let word = form.get("Body").unwrap_or_default().trim().to_ascii_uppercase();
    let wanted = match form.get("OptOutType") {
        Some(said) if said.eq_ignore_ascii_case("STOP") => false,
        Some(said) if said.eq_ignore_ascii_case("START") => true,
        // `HELP` asks for information: nothing changes.
        Some(_) => return None,
        None if STOP.contains(&word.as_str()) => false,
        None if START.contains(&word.as_str()) => true,
        None => return None,
    };
    let because = if wanted { "asked for messages again" } else { "asked for no more messages" };
    Some(Consent { identifier: identifier.clone(), wanted, because, at: None })
}

/// The error of a message to somebody who opted out (<https://www.twilio.com/docs/api/errors/21610>).
const OPTED_OUT: &str = "21610";
/// The errors of numbers that no text message reaches: no number, no mobile one, a landline.
const NO_SUCH_NUMBER: [&str; 3] = ["21211", "21614", "30006"];

/// What became of a message of ours.
fn report(status: &str, form: &Form, context: &Context<'_>) -> ChannelEvent {
    let state = match status {
        "accepted" | "scheduled" | "queued" | "sending" => {
            return ChannelEvent::Dropped { why: "a message of ours is on its way" };
        }
        "sent" => DeliveryState::Sent,
        "delivered" => DeliveryState::Delivered,
        "read" => DeliveryState::Read,
        "undelivered" | "failed" | "canceled" => DeliveryState::Failed,
        _ => return unknown(form, "its status is not known"),
    };
    let Some(id) = id(form) else { return unknown(form, "it does not say which message it is about") };
    let Some(inbox) = twilio::inbox(Channel::Sms, form.get("From"), context) else {
        return unknown(form, "no inbox is for this number");
    };
    let Some(to) = form.get("To").and_then(|to| person(to, inbox.country.as_deref()).ok()) else {
        return unknown(form, "it does not say to whom the message was sent");
    };
    let reason = (state == DeliveryState::Failed).then(|| failure(status, form));
    let suppress = match form.get("ErrorCode").filter(|_| state == DeliveryState::Failed) {
        Some(OPTED_OUT) => Some(SuppressionKind::OptedOut),
        Some(number) if NO_SUCH_NUMBER.contains(&number) => Some(SuppressionKind::Unreachable),
        _ => None,
    };
    let changed = Changed::Reported { state, suppress, reason };
    ChannelEvent::Change(Box::new(change(id, status, &to, changed, None, inbox, context.received_at)))
}

/// The number of the error, and what there is of words.
fn failure(status: &str, form: &Form) -> String {
    let number = form.get("ErrorCode").filter(|number| number.bytes().all(|b| b.is_ascii_digit()));
    let words = form.get("ErrorMessage").or(form.get("ChannelStatusMessage"));
    let words = words.and_then(|words| clean_line(words, NAME_BYTES_MAX));
    let parts: Vec<&str> = [number, Some(words.as_deref().unwrap_or(status))].into_iter().flatten().collect();
    parts.join(" ")
}

#[cfg(test)]
mod tests;
