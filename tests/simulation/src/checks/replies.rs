//! Invariant 6, and that commands are carried out once: what agents wrote, against the mail that went out.

use std::collections::BTreeMap;

use mail_parser::MessageParser;
use throughline_domain::channel::Channel;
use throughline_domain::event::EventData;

use super::{Findings, Invariant, Rest};
use crate::cloud::Cloud;
use crate::memory::Memory;

pub(super) fn check(cloud: &Cloud, rest: &Rest, memory: &Memory, findings: &mut Findings) {
    let mut mails: BTreeMap<String, usize> = BTreeMap::new();
    for mail in cloud.aws.sent_mail().sent() {
        let raw = mail.raw().expect("kept in memory");
        let parsed = MessageParser::default().parse(&raw[..]);
        let references = parsed.as_ref().and_then(|mail| mail.references().as_text_list()).unwrap_or_default();
        // Our own signed id comes last, and begins with our id of the event.
        let event = references.last().and_then(|id| id.split('.').next()).unwrap_or_default();
        *mails.entry(event.to_owned()).or_default() += 1;
    }
    for (_, commit, event) in rest.events() {
        let EventData::ReplySent(reply) = &event.data else { continue };
        if reply.message.channel != Channel::Email {
            continue;
        }
        let sent = mails.remove(&event.id.uuid().simple().to_string()).unwrap_or_default();
        let place = format!("the reply {}/{}", commit.ticket_id, commit.sequence);
        let outcomes: Vec<(bool, bool)> = rest
            .events()
            .filter_map(|(_, _, other)| match &other.data {
                EventData::MessageDelivered(delivered) if delivered.event_id == event.id => Some((true, false)),
                EventData::MessageFailed(failed) if failed.event_id == event.id => Some((false, failed.ambiguous)),
                _ => None,
            })
            .collect();
        let right = match outcomes.as_slice() {
            [(true, _)] => sent == 1,
            [(false, true)] => sent <= 1,
            [(false, false)] => sent == 0,
            _ => false,
        };
        findings.expect(right, Invariant::Sends, || {
            format!("{place} was sent {sent} times; (delivered, ambiguous): {outcomes:?}")
        });
    }
    findings.expect(mails.is_empty(), Invariant::Sends, || format!("mail of no reply was sent: {mails:?}"));
    written(rest, memory, findings);
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
