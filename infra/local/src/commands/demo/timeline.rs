//! What became of the day: the tickets, everything that happened in one order, and who the people are.

use std::collections::BTreeMap;

use serde_json::Value;

use super::cast::Cast;
use super::desk::{Desk, placed};
use super::{items, text};
use crate::commands::table::{Cell, Fit, Style, Table, on_terminal, terminal_size};

/// Widest table: beyond that lines get hard to read.
const WIDTH_MAX: usize = 140;
/// Narrowest table that still says something.
const WIDTH_MIN: usize = 72;

/// Names for ids: tickets by number, customers by name.
struct Names {
    tickets: BTreeMap<String, String>,
    customers: BTreeMap<String, String>,
}

impl Names {
    fn ticket(&self, id: &str) -> &str {
        self.tickets.get(id).map_or("", String::as_str)
    }

    fn customer(&self, id: &str) -> &str {
        self.customers.get(id).map_or("customer", String::as_str)
    }

    /// Text with ids of customers and tickets replaced by what they are called here.
    fn told(&self, text: &str) -> String {
        let all = self.customers.iter().chain(&self.tickets);
        all.fold(text.to_owned(), |text, (id, name)| text.replace(id.as_str(), name))
    }
}

/// Prints all of it.
pub(super) async fn print(desk: &Desk, cast: &Cast) -> anyhow::Result<()> {
    let mut tickets = Vec::new();
    let mut events = Vec::new();
    for id in &desk.tickets {
        tickets.push(desk.ticket(id).await?);
        events.extend(desk.timeline(id).await?);
    }
    events.sort_by(|a, b| place_in_time(a).cmp(&place_in_time(b)));
    let people = people(desk, cast, &events).await?;
    let numbers = tickets.iter().enumerate().map(|(i, ticket)| (text(ticket, "/id").to_owned(), format!("#{}", i + 1)));
    let customers = people.iter().map(|person| (text(&person.profile, "/id").to_owned(), person.name.clone()));
    let names = Names { tickets: numbers.collect(), customers: customers.collect() };

    let (styled, width) = (on_terminal(), terminal_size().columns.clamp(WIDTH_MIN, WIDTH_MAX));
    let show = |title: &str, table: &Table| {
        println!("\n{}\n", Style::Bold.paint(title, styled));
        table.lines(width, styled).iter().for_each(|line| println!("{line}"));
    };
    show("Tickets", &ticket_table(&tickets, &names));
    show("What happened, and why (UTC)", &event_table(&events, &names));
    show("Who they are", &people_table(&people, &tickets, &names));
    Ok(())
}

/// Sorts events by time. In one change, what was missed before comes first, then what somebody said, then what followed.
fn place_in_time(event: &Value) -> (&str, &str, u64, u8) {
    let rank = match text(event, "/kind") {
        "sla_breached" => 0,
        "message_received" | "reply_sent" | "note_added" => 1,
        _ => 2,
    };
    (text(event, "/at"), text(event, "/ticket_id"), event["sequence"].as_u64().unwrap_or_default(), rank)
}

/// Somebody who wrote.
struct Person {
    name: String,
    profile: Value,
}

async fn people(desk: &Desk, cast: &Cast, events: &[Value]) -> anyhow::Result<Vec<Person>> {
    let mut people: Vec<Person> = Vec::new();
    for event in events {
        let id = text(event, "/data/customer_id");
        if text(event, "/kind") != "message_received" || people.iter().any(|known| text(&known.profile, "/id") == id) {
            continue;
        }
        let profile = desk.read(&format!("/v1/customers/{id}")).await?;
        let has = |value: &str| items(&profile["identifiers"]).iter().any(|known| known["value"] == value);
        let name = if has(&cast.account) {
            "Anna"
        } else if has(&cast.stranger) {
            "stranger"
        } else if has(&cast.on_x) {
            "Anna on X"
        } else {
            "visitor"
        };
        people.push(Person { name: name.to_owned(), profile });
    }
    Ok(people)
}

fn ticket_table(tickets: &[Value], names: &Names) -> Table {
    let mut table = Table::new(&[
        ("", Fit::Whole),
        ("ticket", Fit::Whole),
        ("channel", Fit::Whole),
        ("customer", Fit::Whole),
        ("status", Fit::Whole),
        ("priority", Fit::Whole),
        ("who has it", Fit::Whole),
        ("subject", Fit::Cut),
    ]);
    for ticket in tickets {
        table.push([
            names.ticket(text(ticket, "/id")).into(),
            Cell::new(text(ticket, "/reference"), Style::Bold),
            text(ticket, "/channel").into(),
            names.customer(text(ticket, "/customer_id")).into(),
            text(ticket, "/status").into(),
            text(ticket, "/priority").into(),
            placed(ticket).into(),
            text(ticket, "/subject").into(),
        ]);
    }
    table
}

fn event_table(events: &[Value], names: &Names) -> Table {
    let mut table = Table::new(&[
        ("time", Fit::Whole),
        ("", Fit::Whole),
        ("channel", Fit::Whole),
        ("who", Fit::Whole),
        ("what", Fit::Wrap),
        ("why", Fit::Wrap),
    ]);
    let mut day = events.first().map(|event| text(event, "/at").get(..10).unwrap_or_default()).unwrap_or_default();
    let channels: BTreeMap<&str, &str> = events
        .iter()
        .filter(|event| event["kind"] == "ticket_created")
        .map(|event| (text(event, "/ticket_id"), text(event, "/data/channel")))
        .collect();
    for (i, event) in events.iter().enumerate() {
        let Some((mut what, style)) = what(event) else {
            continue;
        };
        let mut why = why(event, names);
        // Team and agent of one decision make one line.
        let same = |other: &&Value| ["/ticket_id", "/sequence"].iter().all(|at| other.pointer(at) == event.pointer(at));
        match text(event, "/kind") {
            "team_changed" if events.get(i + 1).filter(same).is_some_and(|next| next["kind"] == "assigned") => continue,
            "assigned" => {
                if let Some(team) = i.checked_sub(1).map(|i| &events[i]).filter(same).filter(is_team_changed) {
                    what = format!("to {}, {}", text(team, "/data/to"), text(event, "/data/agent"));
                    why = format!("{}; {why}", self::why(team, names));
                }
            }
            _ => (),
        }
        let at = text(event, "/at");
        let today = at.get(..10).unwrap_or_default();
        if today != day {
            day = today;
            let mut row: [Cell; 6] = Default::default();
            row[0] = Cell::new(today, Style::Dim);
            table.push(row);
        }
        let channel = match text(event, "/data/message/channel") {
            "" => channels.get(text(event, "/ticket_id")).copied().unwrap_or_default(),
            channel => channel,
        };
        table.push([
            at.get(11..19).unwrap_or_default().into(),
            names.ticket(text(event, "/ticket_id")).into(),
            channel.into(),
            who(event, names).into(),
            Cell::new(what, style),
            Cell::new(why, Style::Dim),
        ]);
    }
    table
}

fn is_team_changed(event: &&Value) -> bool {
    event["kind"] == "team_changed"
}

fn who(event: &Value, names: &Names) -> String {
    match (text(event, "/actor/type"), text(event, "/actor/id")) {
        ("customer", _) if event["data"]["message"]["automatic"].is_object() => "machine".to_owned(),
        ("customer", id) => names.customer(id).to_owned(),
        (kind, "") => kind.to_owned(),
        (_, id) => id.to_owned(),
    }
}

/// What an event says, in words; nothing where another event of the same change says it already.
fn what(event: &Value) -> Option<(String, Style)> {
    let data = |name: &str| event["data"][name].as_str().unwrap_or_default();
    let words = |name: &str| data(name).replace('_', " ");
    let plain = |what: String| Some((what, Style::Plain));
    match text(event, "/kind") {
        "ticket_created" => plain(format!("opens {}", data("reference"))),
        "message_received" | "reply_sent" | "note_added" => {
            let message = &event["data"]["message"];
            let said = message["reply_text"].as_str().unwrap_or(text(message, "/text"));
            Some((format!("“{}”", said.trim()), Style::Bold))
        }
        "message_delivered" => Some(("delivered".to_owned(), Style::Dim)),
        "message_failed" => Some((format!("not delivered: {}", data("reason")), Style::Bad)),
        "status_changed" if data("from") == "new" && text(event, "/actor/type") == "system" && data("to") == "open" => {
            None
        }
        "status_changed" => plain(format!("{} → {}", words("from"), words("to"))),
        "priority_changed" => plain(format!("priority {} → {}", data("from"), data("to"))),
        "team_changed" if event["data"]["waiting"] == true => Some((format!("waits for {}", data("to")), Style::Near)),
        "team_changed" => plain(format!("to {}", data("to"))),
        "assigned" => plain(format!("to {}", data("agent"))),
        "unassigned" => plain(format!("taken from {}", data("agent"))),
        "participant_removed" => {
            plain(format!("{} does not take part any more", text(event, "/data/participant/identifier/value")))
        }
        "caller_verified" => {
            plain(format!("the caller is {}: {}", text(event, "/data/identifier/value"), text(event, "/data/how")))
        }
        "task_created" => plain(format!("somebody should {} it", text(event, "/data/task"))),
        "participant_added" => plain(format!("{} takes part", text(event, "/data/identifier/value"))),
        // The decision that opened the ticket, or its policy, says it.
        "ticket_related" => None,
        "sla_applied" => plain(format!("runs the clocks “{}”", text(event, "/data/policy/id"))),
        "sla_met" if event["data"]["late"] == true => Some((format!("{} met, late", words("target")), Style::Near)),
        "sla_met" => Some((format!("{} met", words("target")), Style::Good)),
        "sla_warned" => Some((format!("{} is due soon", words("target")), Style::Near)),
        "sla_breached" => Some((format!("{} missed", words("target")), Style::Bad)),
        kind => plain(kind.replace('_', " ")),
    }
}

fn why(event: &Value, names: &Names) -> String {
    let clock = |pointer: &str| text(event, pointer).get(..16).unwrap_or_default().replace('T', " ");
    let decided = match (text(event, "/decision/rule"), text(event, "/decision/because")) {
        ("", _) => match text(event, "/kind") {
            "sla_warned" => format!("due {}", clock("/data/due_at")),
            "sla_breached" => format!("was due {}", clock("/data/breached_at")),
            _ => String::new(),
        },
        // It says nothing that the policy's name does not.
        ("most_specific_policy", _) => String::new(),
        (rule, because) => format!("{}: {because}", rule.replace('_', " ")),
    };
    let automatic = event.pointer("/data/message/automatic/because").and_then(Value::as_str);
    let warnings = items(&event["data"]["message"]["warnings"]).iter().filter_map(Value::as_str);
    let parts: Vec<String> = (!decided.is_empty())
        .then_some(decided)
        .into_iter()
        .chain(automatic.map(|because| format!("a machine wrote it ({because})")))
        .chain(warnings.map(|warning| format!("⚠ {warning}")))
        .collect();
    names.told(&parts.join("; "))
}

fn people_table(people: &[Person], tickets: &[Value], names: &Names) -> Table {
    let mut table = Table::new(&[
        ("who", Fit::Whole),
        ("known by", Fit::Cut),
        ("proof", Fit::Whole),
        ("first seen", Fit::Whole),
        ("tickets", Fit::Wrap),
    ]);
    for Person { name, profile } in people {
        let of_theirs = |ticket: &&Value| ticket["customer_id"] == profile["id"];
        let mine: Vec<&str> =
            tickets.iter().filter(of_theirs).map(|ticket| names.ticket(text(ticket, "/id"))).collect();
        let mut who = Cell::new(name, Style::Bold);
        let mut mine: Cell = mine.join(" ").into();
        for known in items(&profile["identifiers"]) {
            let (proof, style) =
                if known["verified"] == true { ("verified", Style::Good) } else { ("not verified", Style::Dim) };
            let known_by = format!("{} {}", text(known, "/kind"), text(known, "/value"));
            let source = text(known, "/source").into();
            let row = [std::mem::take(&mut who), known_by.into(), Cell::new(proof, style), source];
            let [who, known_by, proof, source] = row;
            table.push([who, known_by, proof, source, std::mem::take(&mut mine)]);
        }
        for suggestion in items(&profile["link_suggestions"]) {
            let other = match text(suggestion, "/customer_id") {
                "" => text(suggestion, "/identifier/value"),
                id => names.customer(id),
            };
            let known_by = format!("may be {other}: {}", text(suggestion, "/why"));
            table.push([Cell::default(), known_by.into(), Cell::new("suggestion", Style::Near), "".into(), "".into()]);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_are_told_in_words() {
        let event = |kind: &str, data: Value| json!({"kind": kind, "actor": {"type": "system"}, "data": data});
        let told = [
            (event("status_changed", json!({"from": "on_hold", "to": "open"})), Some("on hold → open")),
            (event("status_changed", json!({"from": "new", "to": "open"})), None),
            (event("sla_breached", json!({"target": "first_response"})), Some("first response missed")),
            (event("team_changed", json!({"to": "billing", "waiting": true})), Some("waits for billing")),
            (event("call_ended", json!({})), Some("call ended")),
        ];
        for (event, expected) in told {
            assert_eq!(what(&event).map(|(what, _)| what).as_deref(), expected, "{event}");
        }
    }

    #[test]
    fn reasons_name_people_instead_of_ids() {
        let names = Names {
            tickets: BTreeMap::from([("tkt_1".to_owned(), "#1".to_owned())]),
            customers: BTreeMap::from([("cus_1".to_owned(), "Anna".to_owned())]),
        };
        let event = json!({
            "kind": "message_received",
            "decision": {"rule": "known_identifier", "because": "the sender's account is held by cus_1"},
            "data": {"message": {"warnings": ["odd"]}},
        });
        assert_eq!(why(&event, &names), "known identifier: the sender's account is held by Anna; ⚠ odd");
    }
}
