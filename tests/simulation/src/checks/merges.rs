//! Merged tickets: each went into one that stands by itself, both say so, and nothing is left to be done on it.

use throughline_domain::check;
use throughline_domain::event::{EventData, TicketMerged};
use throughline_domain::id::TicketId;
use throughline_domain::merging;
use throughline_domain::ticket::{Status, Ticket};

use super::{Findings, Invariant, Kept, Rest};

pub(super) fn check(rest: &Rest, findings: &mut Findings) {
    for (id, kept) in &rest.tickets {
        on_both(*id, kept, rest, findings);
        nothing_comes(*id, kept, findings);
        if kept.stored.ticket.head.merged.is_some() {
            done(*id, kept, rest, findings);
        }
    }
}

fn events(kept: &Kept) -> impl DoubleEndedIterator<Item = &EventData> {
    kept.log.iter().flat_map(|commit| commit.events.iter().map(|event| &event.data))
}

/// What was merged or undone on one ticket stands on the other just the same.
fn on_both(id: TicketId, kept: &Kept, rest: &Rest, findings: &mut Findings) {
    for event in events(kept) {
        let (one, other) = match event {
            EventData::TicketMerged(merged) => (merged.ticket_id, merged.into),
            EventData::TicketUnmerged(unmerged) => (unmerged.ticket_id, unmerged.from),
            _ => continue,
        };
        let there = if one == id { other } else { one };
        let count = |kept: &Kept| events(kept).filter(|known| *known == event).count();
        let (here, there) = (count(kept), rest.tickets.get(&there).map_or(0, count));
        findings.expect(here == there, Invariant::Merges, || {
            format!("{event:?} stands on {id} {here} times, and on the other {there} times")
        });
    }
}

/// While it is merged a ticket takes no messages of people, and none of its clocks runs out.
fn nothing_comes(id: TicketId, kept: &Kept, findings: &mut Findings) {
    let mut merged: Option<&TicketMerged> = None;
    for event in events(kept) {
        match event {
            EventData::TicketMerged(event) if event.ticket_id == id => merged = Some(event),
            EventData::TicketUnmerged(event) if event.ticket_id == id => merged = None,
            // What reports on a reply belongs where the reply is.
            EventData::MessageReceived(received) if received.message.report.is_some() => {}
            EventData::MessageReceived(_) | EventData::ReplySent(_) | EventData::SlaBreached(_) => {
                findings.expect(merged.is_none(), Invariant::Merges, || {
                    format!("{id} has {event:?} after it went elsewhere: {merged:?}")
                });
            }
            _ => {}
        }
    }
}

/// A merged ticket is closed, nobody looks at it any more, and where it went can be followed to a ticket that knows it.
fn done(id: TicketId, kept: &Kept, rest: &Rest, findings: &mut Findings) {
    let ticket: &Ticket = &kept.stored.ticket;
    let head = &ticket.head;
    findings
        .expect(head.status == Status::Closed, Invariant::Merges, || format!("{id} is merged and {:?}", head.status));
    let next = check::next_check(head);
    findings.expect(next.is_none(), Invariant::Merges, || format!("{id} is merged, and is to be looked at {next:?}"));
    let way = merging::chain(ticket, |id| rest.tickets.get(&id).map(|kept| &kept.stored.ticket));
    findings.expect(way.is_some(), Invariant::Merges, || format!("where {id} went leads nowhere: {:?}", head.merged));
    if let Some(last) = way.and_then(|way| way.last().copied()) {
        let knows = last.detail.merged_in.iter().any(|known| known.ticket_id == id);
        findings.expect(knows, Invariant::Merges, || format!("{} does not know that {id} went into it", last.head.id));
    }
}
