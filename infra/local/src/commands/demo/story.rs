//! The day, step by step. Every step waits for its effect and says what it was.

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use throughline_domain::moment::Moment;
use throughline_local::Seed;

use super::cast::Cast;
use super::chat::{self, Chat};
use super::desk::{Desk, Recorded, placed};
use super::mail::{self, Mail, Sent};
use super::time::DAY_MS;
use super::{items, parcel, shop, text};

/// How long before a clock is due its warning is looked for, in milliseconds: inside the last fifth of four hours.
const WARNED_BEFORE_DUE_MS: i64 = 1_200_000;
/// How long after it is due its breach is looked for, in milliseconds.
const BREACHED_AFTER_DUE_MS: i64 = 60_000;

/// Plays all of it.
pub(super) async fn play(desk: &mut Desk, cast: &Cast, seed: &Seed) -> anyhow::Result<()> {
    let played = day(desk, cast, seed).await;
    if played.is_err() {
        desk.progress.failed();
    }
    played
}

async fn day(desk: &mut Desk, cast: &Cast, seed: &Seed) -> anyhow::Result<()> {
    parcel::known(desk, cast).await?;
    let order = order(desk, cast, seed).await?;
    let anna = order.customer_id().to_owned();
    let talk = conversation(desk, cast, seed, &anna).await?;
    parcel::play(desk, cast, seed, &anna, &talk).await?;
    let mail = correspondence(desk, cast, &anna).await?;
    end(desk, cast, &mail).await?;
    tomorrow(desk, &order).await
}

/// The shop knows Anna by her account, and says where she can be reached.
async fn order(desk: &mut Desk, cast: &Cast, seed: &Seed) -> anyhow::Result<Recorded> {
    desk.progress.begin("shop", "posts Anna's wish for her order, signed");
    let id = shop::post_order(desk, cast, seed).await?;
    let order = desk.recorded("webhook", shop::INBOX, &id).await?;
    desk.progress.done(&format!("{} → {}", order.reference(), placed(&order.ticket)));
    Ok(order)
}

/// Somebody chats, is answered, and turns out to be Anna.
async fn conversation(desk: &mut Desk, cast: &Cast, seed: &Seed, anna: &str) -> anyhow::Result<Recorded> {
    desk.progress.begin("visitor", "asks something in the chat, nobody knows who");
    let chat = Chat::open(desk, json!({})).await?;
    let id = chat.write("1", &format!("Hello, has my parcel {} left yet?", cast.parcel)).await?;
    let asked = desk.recorded("web_chat", chat::INBOX, &id).await?;
    ensure!(asked.customer_id() != anna, "an anonymous visitor was taken for Anna");
    desk.progress.done(&format!("{} → {}", asked.reference(), placed(&asked.ticket)));

    desk.progress.begin("mia", "answers in the chat");
    let answer = "Good morning! Please sign in, then I can look at your order.";
    desk.reply(asked.ticket_id(), &json!({"text": answer})).await?;
    desk.wait("the visitor to see the answer", async || Ok(chat.sees(answer).await?.then_some(()))).await?;
    desk.progress.done("the visitor sees it");

    desk.progress.begin("Anna", "signs in to the shop, in the same chat");
    let user_hash = shop::vouch(&cast.account, seed)?;
    let signed_in = json!({"external_id": cast.account, "user_hash": user_hash, "name": "Anna Berg"});
    let signed_in = chat.sign_in(signed_in).await?;
    ensure!(signed_in.session_id == chat.session_id, "signing in began another session");
    let id = signed_in.write("2", "Done, here I am. When does it arrive?").await?;
    let told = desk.recorded("web_chat", chat::INBOX, &id).await?;
    ensure!(told.customer_id() == anna, "the shop vouched for Anna's account, but she was not recognized");
    ensure!(told.ticket_id() == asked.ticket_id(), "signing in began another ticket");
    desk.progress.done(&format!("known by her account, same ticket → {}", placed(&told.ticket)));
    Ok(told)
}

/// Anna's mail, twice, and the answer to it; what a machine and a stranger make of the answer.
async fn correspondence(desk: &mut Desk, cast: &Cast, anna: &str) -> anyhow::Result<Recorded> {
    desk.progress.begin("Anna", "writes a mail about an invoice");
    let mail = anna_writes(cast, "1", mail::SUPPORT, "Please correct it: the invoice names my old address.");
    mail.send(desk).await?;
    let asked = desk.recorded("email", mail::INBOX, &mail.id).await?;
    ensure!(asked.customer_id() == anna, "the shop had told Anna's address, but she was not recognized");
    desk.progress.done(&format!("known by her address → {}", placed(&asked.ticket)));
    let ticket = asked.ticket_id();
    let count = received(desk, ticket).await?;

    desk.progress.begin("Anna", "sends the same mail again");
    mail.send(desk).await?;
    desk.quiet("nothing is recorded twice", async || Ok(received(desk, ticket).await? == count)).await?;
    desk.progress.done("taken, and not recorded twice");

    desk.progress.begin("mia", "answers the mail; the customer is to answer");
    let answer = "Dear Anna, I have corrected it. Is everything right now?";
    desk.reply(ticket, &json!({"text": answer, "then_status": "pending"})).await?;
    let sent = Sent::last_to(desk, &cast.address).await?;
    let (reply_to, answer_id) = (sent.header("reply-to")?, sent.header("message-id")?);
    expect_status(desk, ticket, "pending").await?;
    desk.progress.done("mail is out, ticket is pending");

    desk.progress.begin("machine", "says that Anna is on vacation");
    let mut vacation = anna_writes(cast, "2", reply_to, "I am away until Monday.");
    vacation.headers = vec!["Auto-Submitted: auto-replied".to_owned(), format!("In-Reply-To: <{answer_id}>")];
    vacation.send(desk).await?;
    let told = desk.recorded("email", mail::INBOX, &vacation.id).await?;
    ensure!(told.ticket_id() == ticket, "the vacation notice is on another ticket");
    ensure!(
        told.event["data"]["message"]["automatic"].is_object(),
        "the vacation notice was taken for a person's mail"
    );
    expect_status(desk, ticket, "pending").await?;
    desk.progress.done("recorded as automatic, changes nothing");

    desk.progress.begin("Anna", "answers to the mail's reply address");
    let thanks = anna_writes(cast, "3", reply_to, "Nearly: the street is right, the house number is 12.");
    thanks.send(desk).await?;
    let told = desk.recorded("email", mail::INBOX, &thanks.id).await?;
    ensure!(told.ticket_id() == ticket, "the answer is on another ticket");
    expect_status(desk, ticket, "open").await?;
    let (count, expected) = (received(desk, ticket).await?, count + 2);
    ensure!(count == expected, "{expected} messages are expected on the ticket, there are {count}");
    desk.progress.done(&format!("{}, open again", text(&told.event, "/decision/rule").replace('_', " ")));

    desk.progress.begin("stranger", "copies the reference and the reply address");
    let curious = Mail {
        id: format!("copy.{}@example.net", cast.run),
        name: "Max Muster",
        from: &cast.stranger,
        to: reply_to,
        subject: format!("Re: [{}] what did she buy?", asked.reference()),
        headers: vec![format!("In-Reply-To: <{answer_id}>")],
        body: "I would like to know what is going on here.",
    };
    curious.send(desk).await?;
    let curious = desk.recorded("email", mail::INBOX, &curious.id).await?;
    ensure!(curious.ticket_id() != ticket, "a stranger's mail is on Anna's ticket");
    ensure!(curious.customer_id() != anna, "a stranger was taken for Anna");
    ensure!(
        !items(&curious.event["data"]["message"]["warnings"]).is_empty(),
        "nothing warns of the stranger's reference"
    );
    desk.progress.done(&format!("kept out: {} with a warning", curious.reference()));
    Ok(asked)
}

/// Resolved, and not quite.
async fn end(desk: &mut Desk, cast: &Cast, mail: &Recorded) -> anyhow::Result<()> {
    let ticket = mail.ticket_id();
    desk.progress.begin("mia", "resolves Anna's ticket");
    desk.post(&format!("/v1/tickets/{ticket}/status"), &json!({"status": "resolved"})).await?;
    expect_status(desk, ticket, "resolved").await?;
    desk.progress.done(&format!("{} is resolved", mail.reference()));

    desk.progress.begin("Anna", "writes once more");
    let sent = Sent::last_to(desk, &cast.address).await?;
    let again = anna_writes(cast, "4", sent.header("reply-to")?, "Sorry, the invoice still has the old number.");
    again.send(desk).await?;
    let told = desk.recorded("email", mail::INBOX, &again.id).await?;
    ensure!(told.ticket_id() == ticket, "it is on another ticket");
    expect_status(desk, ticket, "open").await?;
    let ticket = desk.wait("somebody to have it", async || {
        let ticket = desk.ticket(ticket).await?;
        Ok((ticket["assignee"].is_string() || ticket["waiting_since"].is_string()).then_some(ticket))
    });
    desk.progress.done(&format!("open again → {}", placed(&ticket.await?)));
    Ok(())
}

/// Nobody answers the shop's ticket: first it warns, then it is too late.
async fn tomorrow(desk: &mut Desk, order: &Recorded) -> anyhow::Result<()> {
    let clock = first_response(&order.ticket).context("the shop's ticket has no clock for the first response")?;
    let due_at: Moment = text(clock, "/due_at").parse().context("the clock is not running")?;
    for (field, what, at) in [
        ("warned_at", "fires shortly before the order is due", due_at.plus_ms(-WARNED_BEFORE_DUE_MS)),
        (
            "breached_at",
            "fires as if it were tomorrow",
            desk.now().plus_ms(DAY_MS).max(due_at.plus_ms(BREACHED_AFTER_DUE_MS)),
        ),
    ] {
        desk.progress.begin("check", what);
        let swept = desk.check(at).await?;
        let ticket = desk.ticket(order.ticket_id()).await?;
        let found = first_response(&ticket).is_some_and(|clock| clock[field].is_string());
        ensure!(found, "the check of {at} did not find that the order's ticket is due at {due_at}");
        let count = |name: &str| swept[name].as_u64().unwrap_or_default();
        desk.progress.done(&format!("{} warned, {} breached", count("warned"), count("breached")));
    }
    Ok(())
}

fn anna_writes<'a>(cast: &'a Cast, name: &str, to: &'a str, body: &'a str) -> Mail<'a> {
    let again = if to == mail::SUPPORT { "" } else { "Re: " };
    Mail {
        id: format!("{name}.{}@example.org", cast.run),
        name: "Anna Berg",
        from: &cast.address,
        to,
        subject: format!("{again}Invoice for order {}", cast.order),
        headers: Vec::new(),
        body,
    }
}

/// How many messages of customers are on a ticket.
async fn received(desk: &Desk, ticket: &str) -> anyhow::Result<usize> {
    let events = desk.timeline(ticket).await?;
    Ok(events.iter().filter(|event| event["kind"] == "message_received").count())
}

async fn expect_status(desk: &Desk, ticket: &str, status: &str) -> anyhow::Result<()> {
    let is = desk.ticket(ticket).await?;
    let is = text(&is, "/status");
    ensure!(is == status, "the ticket is expected to be {status}, it is {is}");
    Ok(())
}

fn first_response(ticket: &Value) -> Option<&Value> {
    items(&ticket["sla"]["clocks"]).iter().find(|clock| clock["target"] == "first_response")
}
