//! Invariants 6 and 9, and that commands are carried out once: what agents wrote, against the mail that went out, to whom, and
//! what came back of it.

use std::collections::{BTreeMap, BTreeSet};

use mail_parser::MessageParser;
use throughline_aws::SentMail;
use throughline_domain::channel::Channel;
use throughline_domain::event::{Event, EventData, MessageFailed, MessageReceived, ReplySent};
use throughline_domain::identifier::Identifier;

use super::{Findings, Invariant, Rest};
use crate::cloud::Cloud;
use crate::memory::{Back, Memory};

/// Beginning of the reason for which a reply was not sent to names to which nothing is sent.
const NOT_SENT: &str = "nothing is sent there";

/// What the ticket says of a reply, without what came back of it.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Delivered,
    Failed { ambiguous: bool },
}

pub(super) async fn check(cloud: &Cloud, rest: &Rest, memory: &Memory, findings: &mut Findings) -> anyhow::Result<()> {
    let mut mails: BTreeMap<String, Vec<SentMail>> = BTreeMap::new();
    for mail in cloud.aws.sent_mail().sent() {
        let raw = mail.raw().expect("kept in memory");
        let parsed = MessageParser::default().parse(&raw[..]);
        let references = parsed.as_ref().and_then(|mail| mail.references().as_text_list()).unwrap_or_default();
        // Our own signed id comes last, and begins with our id of the event.
        let event = references.last().and_then(|id| id.split('.').next()).unwrap_or_default();
        mails.entry(event.to_owned()).or_default().push(mail);
    }
    for (_, commit, event) in rest.events() {
        let EventData::ReplySent(reply) = &event.data else { continue };
        if reply.message.channel != Channel::Email {
            continue;
        }
        let sent = mails.remove(&event.id.uuid().simple().to_string()).unwrap_or_default();
        let place = format!("the reply {}/{}", commit.ticket_id, commit.sequence);
        let outcomes: Vec<Outcome> = rest.events().filter_map(|(.., other)| outcome(event, other, memory)).collect();
        let right = match outcomes.as_slice() {
            [Outcome::Delivered] => sent.len() == 1,
            [Outcome::Failed { ambiguous: true }] => sent.len() <= 1,
            [Outcome::Failed { ambiguous: false }] => sent.is_empty(),
            _ => false,
        };
        findings.expect(right, Invariant::Sends, || format!("{place} was sent {} times: {outcomes:?}", sent.len()));
        for mail in &sent {
            recipients(cloud, &place, reply, mail, findings).await?;
            let delivered = outcomes == [Outcome::Delivered];
            for back in memory.back.iter().filter(|back| back.of == mail.id) {
                came_back(rest, event, back, delivered, findings);
            }
        }
    }
    findings.expect(mails.is_empty(), Invariant::Sends, || format!("mail of no reply was sent: {mails:?}"));
    written(rest, memory, findings);
    Ok(())
}

/// What an event says that became of a reply, unless it only says that it came back.
fn outcome(reply: &Event, event: &Event, memory: &Memory) -> Option<Outcome> {
    match &event.data {
        EventData::MessageDelivered(delivered) if delivered.event_id == reply.id => Some(Outcome::Delivered),
        EventData::MessageFailed(failed) if failed.event_id == reply.id => {
            let came_back = memory.back.iter().any(|back| says(failed, back));
            (!came_back).then_some(Outcome::Failed { ambiguous: failed.ambiguous })
        }
        _ => None,
    }
}

/// A mail goes to whom the agent addressed, and to all of them to whom anything may be sent.
async fn recipients(
    cloud: &Cloud,
    place: &str,
    reply: &ReplySent,
    mail: &SentMail,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let addressed = reply.message.to.iter().chain(&reply.message.cc);
    let addressed: Vec<Identifier> = addressed.filter_map(|name| name.parse().ok()).collect();
    let got: BTreeSet<&str> = mail.recipients.iter().map(String::as_str).collect();
    let named: BTreeSet<&str> = addressed.iter().map(Identifier::value).collect();
    findings.expect(got.is_subset(&named), Invariant::Privacy, || format!("{place} to {named:?} went to {got:?}"));
    let suppressed = cloud.observer.store.suppressions(&addressed).await?;
    for (name, suppressed) in addressed.iter().zip(suppressed) {
        let right = got.contains(name.value()) || suppressed.is_some_and(|why| why.holds());
        findings.expect(right, Invariant::Sends, || format!("{place} did not go to {name}, but to {got:?}"));
    }
    Ok(())
}

/// What came back is said of the reply once.
fn came_back(rest: &Rest, reply: &Event, back: &Back, delivered: bool, findings: &mut Findings) {
    let (mut said, mut known, mut reported) = (0, false, None);
    for event in rest.taken().flat_map(|(commit, _)| &commit.events) {
        match &event.data {
            EventData::MessageDelivered(delivered) if delivered.event_id == reply.id => known = true,
            EventData::MessageFailed(failed) if says(failed, back) => {
                said += 1;
                findings.expect(failed.event_id == reply.id, Invariant::Ledger, || {
                    format!("{} came back, and {} is said to", reply.id, failed.event_id)
                });
            }
            // A report that came before we knew what the mail is called is a message, and no more.
            EventData::MessageReceived(received) if reports(received, back) => reported = Some(known),
            _ => {}
        }
    }
    let needed = if back.told { delivered } else { reported == Some(true) };
    findings.expect(said <= 1 && (said == 1 || !needed), Invariant::Ledger, || {
        format!("{} of {} came back, and its ticket says so {said} times", back.mark, reply.id)
    });
}

/// Whether an event says that a mail came back; a later reply that was not even sent for that says so, too.
fn says(failed: &MessageFailed, back: &Back) -> bool {
    failed.reason.contains(&back.mark) && !failed.reason.starts_with(NOT_SENT)
}

/// Whether a message is a mail system's report on a mail that came back.
fn reports(received: &MessageReceived, back: &Back) -> bool {
    let recipients = received.message.report.iter().flat_map(|report| &report.recipients);
    recipients.filter_map(|recipient| recipient.diagnostic.as_deref()).any(|why| why.contains(&back.mark))
}

/// What an agent was told is on a ticket is there once.
fn written(rest: &Rest, memory: &Memory, findings: &mut Findings) {
    for written in &memory.written {
        let count = rest.events().filter(|(_, _, event)| match &event.data {
            EventData::ReplySent(reply) => reply.message.text.contains(&written.mark),
            EventData::NoteAdded(note) => note.message.text.contains(&written.mark),
            _ => false,
        });
        let count = count.count();
        let right = if written.accepted { count == 1 } else { count <= 1 };
        findings.expect(right, Invariant::Commands, || {
            format!("{} is on tickets {count} times; accepted: {}", written.mark, written.accepted)
        });
    }
}
