//! One problem on every channel: a bot, a mail, a call and a public post about the parcel of the chat, on one ticket.

use anyhow::{Context, ensure};
use serde_json::json;
use throughline_domain::channel::Channel;
use throughline_domain::moment::Moment;
use throughline_local::Seed;
use throughline_local::samples::{Sample, Sender};

use super::cast::Cast;
use super::desk::{Desk, Recorded, placed};
use super::mail::{self, Mail, Sent};
use super::text;

/// The business tells who Anna is.
pub(super) async fn known(desk: &mut Desk, cast: &Cast) -> anyhow::Result<()> {
    desk.progress.begin("CRM", "tells who Anna is");
    let names = [("email", &cast.address), ("phone", &cast.phone)];
    let body = json!({
        "name": "Anna Berg",
        "attributes": {"tier": "gold"},
        "identifiers": names.map(|(kind, value)| json!({"kind": kind, "value": value})),
        "orders": [{"id": cast.parcel, "at": desk.now(), "status": "shipped"}],
    });
    let path = format!("/v1/customers/by-identifier/account/{}", cast.account);
    desk.inside.send(http::Method::PUT, &path, &[], body.to_string()).await?.ok().context("PUT of the customer")?;
    desk.progress.done("account, address, telephone, an order");
    Ok(())
}

/// Everything about the parcel after the chat `talk`.
pub(super) async fn play(desk: &mut Desk, cast: &Cast, seed: &Seed, anna: &str, talk: &Recorded) -> anyhow::Result<()> {
    desk.progress.begin("bot", "hands over what it could not solve");
    post(desk, seed, Channel::Bot, handoff(cast, desk.now())).await?;
    let told = desk.recorded("bot", "bot", &format!("handoff-{}", cast.run)).await?;
    same(&told, talk, "the hand-over")?;
    desk.progress.done(&decided(&told));

    desk.later(1, "at three")?;
    desk.progress.begin("Anna", "mails, and names the parcel");
    let asked = Mail {
        id: format!("parcel.{}@example.org", cast.run),
        name: "Anna Berg",
        from: &cast.address,
        to: mail::SUPPORT,
        subject: "Nothing came".to_owned(),
        headers: Vec::new(),
        body: &format!("{} did not arrive. Where is it?", cast.parcel),
    };
    asked.send(desk).await?;
    let told = desk.recorded("email", mail::INBOX, &asked.id).await?;
    same(&told, talk, "the mail")?;
    desk.progress.done(&decided(&told));

    desk.later(2, "at five")?;
    desk.progress.begin("Anna", "calls, and wants to be called back");
    let call = format!("CA{:0>32}", cast.run);
    post(desk, seed, Channel::Voice, callback(cast, &call)).await?;
    let told = desk.recorded("voice", "voice", &format!("{call}:callback")).await?;
    same(&told, talk, "the call")?;
    ensure!(told.customer_id() == anna, "the caller's number is known, but she was not recognized");
    desk.progress.done(&decided(&told));

    let public = complaint(desk, cast, seed, talk).await?;
    merged(desk, anna, &public, talk).await?;
    answered(desk, cast, talk).await
}

/// Somebody complains where everybody reads it; nothing proves that it is Anna.
async fn complaint(desk: &mut Desk, cast: &Cast, seed: &Seed, talk: &Recorded) -> anyhow::Result<Recorded> {
    desk.later(3, "in the evening")?;
    desk.progress.begin("somebody", "complains in public");
    // Ids of X are numbers.
    let id = format!("2{}", cast.on_x);
    let body = json!({"data": {
        "event_uuid": id, "filter": {"user_id": "1"}, "event_type": "post.mention.create", "tag": "desk",
        "payload": {"id": id, "author_id": cast.on_x, "conversation_id": id, "created_at": desk.now(),
            "text": format!("@theshop {} is still lost, and nobody calls back", cast.parcel), "lang": "en"},
        "includes": {"users": [{"id": cast.on_x, "name": "A. B.", "username": "ab"}]},
    }});
    post(desk, seed, Channel::X, body.to_string()).await?;
    let told = desk.recorded("x", "x", &id).await?;
    ensure!(told.ticket_id() != talk.ticket_id(), "a stranger's post is on Anna's ticket");
    desk.progress.done(&format!("a ticket of its own: {} → {}", told.reference(), placed(&told.ticket)));
    Ok(told)
}

/// An agent knows that it is she, and that it is the same.
async fn merged(desk: &mut Desk, anna: &str, public: &Recorded, talk: &Recorded) -> anyhow::Result<()> {
    desk.progress.begin("mia", "links the two customers, merges the tickets");
    let because = "the post names her order, and she said so on the telephone";
    let link = json!({"customer_id": public.customer_id(), "because": because});
    desk.post(&format!("/v1/customers/{anna}/link"), &link).await?;
    let into = json!({"into": talk.ticket_id(), "because": "the same parcel"});
    desk.post(&format!("/v1/tickets/{}/merge", public.ticket_id()), &into).await?;
    let merged = desk.ticket(public.ticket_id()).await?;
    ensure!(merged["merged_into"] == talk.ticket["id"], "the public post's ticket was not merged");
    desk.progress.done(&format!("{} goes on on {}", public.reference(), talk.reference()));
    Ok(())
}

/// The answer goes by mail; the ticket is resolved, and not quite.
async fn answered(desk: &mut Desk, cast: &Cast, talk: &Recorded) -> anyhow::Result<()> {
    let ticket = talk.ticket_id();
    desk.progress.begin("mia", "answers by mail and resolves");
    let answer = json!({"text": "Your parcel is found, and comes tomorrow.", "channel": "email"});
    desk.reply(ticket, &answer).await?;
    let sent = Sent::last_to(desk, &cast.address).await?;
    let resolved = json!({"status": "resolved", "disposition": "solved", "resolution": "The parcel was found."});
    desk.post(&format!("/v1/tickets/{ticket}/status"), &resolved).await?;
    desk.progress.done(&format!("{} is resolved: solved", talk.reference()));

    desk.later(24, "the next day")?;
    desk.progress.begin("Anna", "writes again when it is there");
    let again = Mail {
        id: format!("broken.{}@example.org", cast.run),
        name: "Anna Berg",
        from: &cast.address,
        to: sent.header("reply-to")?,
        subject: sent.header("subject")?.to_owned(),
        headers: Vec::new(),
        body: "It came, thank you, but the lamp is broken.",
    };
    again.send(desk).await?;
    let told = desk.recorded("email", mail::INBOX, &again.id).await?;
    same(&told, talk, "the answer")?;
    ensure!(desk.ticket(ticket).await?["status"] == "open", "the ticket is not open again");
    desk.progress.done(&decided(&told));
    Ok(())
}

async fn post(desk: &Desk, seed: &Seed, channel: Channel, body: String) -> anyhow::Result<()> {
    let sender = Sender::of(&desk.outside, seed, channel)?;
    let (answer, _) = sender.post(&Sample::of(channel, body), desk.now()).await?;
    answer.ok().with_context(|| format!("what {channel} posted was not taken")).map(drop)
}

fn handoff(cast: &Cast, at: Moment) -> String {
    let data = json!({
        "handoff_id": format!("handoff-{}", cast.run), "bot_id": "shop-assistant", "channel": "web_chat",
        "conversation_ref": cast.run, "customer": {"id": cast.account}, "language": "en",
        "intent": {"name": "order_status", "confidence": 0.93}, "sentiment": {"label": "frustrated", "score": -0.6},
        "summary": format!("{} had no scan for nine days.", cast.parcel), "entities": {"order": cast.parcel},
        "transcript": [{"id": "1", "role": "customer", "text": "Where is it?", "at": at}],
        "attempted_steps": [{"step": "track the parcel", "outcome": "no scan for nine days"}],
        "reason": "the customer asks for a person",
    });
    json!({"type": "bot.handoff", "timestamp": at, "data": data}).to_string()
}

fn callback(cast: &Cast, call: &str) -> String {
    let form = [
        ("AccountSid", "AC1"),
        ("CallSid", call),
        ("CallStatus", "in-progress"),
        ("Direction", "inbound"),
        ("From", &cast.phone),
        ("To", "+4930901820"),
        ("Digits", "1"),
        ("FinishedOnKey", ""),
        ("msg", "Gather End"),
    ];
    form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish()
}

fn same(told: &Recorded, talk: &Recorded, what: &str) -> anyhow::Result<()> {
    ensure!(told.ticket_id() == talk.ticket_id(), "{what} is on another ticket: {}", told.reference());
    Ok(())
}

/// The rule that decided, in words.
fn decided(told: &Recorded) -> String {
    let rule = text(&told.event, "/decision/rule").replace('_', " ");
    format!("{rule} → {}", told.reference())
}
