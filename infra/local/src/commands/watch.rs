//! `watch`: the running system's tickets as a table that keeps itself up to date.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use throughline_domain::moment::Moment;
use throughline_local::client::Client;
use throughline_local::{Seed, token};
use throughline_platform::clock::Clock;

use super::table::{Cell, Fit, Style, Table, cut, on_terminal, terminal_size};

/// How often the table is drawn again.
const EVERY: Duration = Duration::from_secs(1);
/// How many tickets are asked for.
const TICKETS_MAX: usize = 200;
/// Lines beside the tickets: title, head, and the one that says how many are left out.
const LINES_BESIDE: usize = 4;
/// A clock with less time than this is near, in milliseconds: half an hour.
const NEAR_MS: i64 = 1_800_000;
/// To the other screen of the terminal, with the cursor hidden.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
/// Back to the screen as it was.
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
/// To the first line.
const HOME: &str = "\x1b[H";
/// Clears what an earlier drawing left in the line, and below.
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

/// Shows the tickets until Ctrl-C; prints them once when the output is no terminal.
pub(crate) async fn watch(http: SocketAddr, seed: &Seed) -> anyhow::Result<()> {
    let token = token::issue(&seed.oidc, "watch", "agent", Clock::System.now())?;
    let client = Client::new(http).with_token(token);
    let first = tickets(&client).await.with_context(|| {
        format!("nothing to watch on {http}: start the system with `cargo run`, or choose it with `--http`")
    })?;
    if !on_terminal() {
        let size = terminal_size();
        drawn(&first, Clock::System.now(), size.columns, usize::MAX, false).iter().for_each(|line| println!("{line}"));
        return Ok(());
    }
    print!("{ENTER}");
    let watched = tokio::select! {
        watched = draw_again_and_again(&client, http, Ok(first)) => watched,
        stop = tokio::signal::ctrl_c() => stop.context("Ctrl-C cannot be heard"),
    };
    print!("{LEAVE}");
    std::io::stdout().flush()?;
    watched
}

async fn draw_again_and_again(
    client: &Client,
    http: SocketAddr,
    mut answer: anyhow::Result<Vec<Value>>,
) -> anyhow::Result<()> {
    let mut ticks = tokio::time::interval(EVERY);
    let mut known = Vec::new();
    loop {
        ticks.tick().await;
        let trouble = match answer {
            Ok(tickets) => {
                known = tickets;
                None
            }
            Err(error) => Some(format!("{error:#}")),
        };
        let size = terminal_size();
        let now = Clock::System.now();
        let title =
            format!("Throughline on {http}  {} UTC  Ctrl-C ends", now.to_string().get(11..19).unwrap_or_default());
        let title = match trouble {
            None => Style::Bold.paint(&cut(&title, size.columns), true),
            Some(trouble) => Style::Bad.paint(&cut(&trouble, size.columns), true),
        };
        let rows = size.rows.saturating_sub(LINES_BESIDE).max(1);
        let mut screen = format!("{HOME}{title}{CLEAR_LINE}\r\n{CLEAR_LINE}");
        for line in drawn(&known, now, size.columns, rows, true) {
            screen.push_str(&format!("\r\n{line}{CLEAR_LINE}"));
        }
        screen.push_str(CLEAR_BELOW);
        let mut out = std::io::stdout();
        out.write_all(screen.as_bytes())?;
        out.flush()?;
        answer = tickets(client).await;
    }
}

async fn tickets(client: &Client) -> anyhow::Result<Vec<Value>> {
    let list = client.get(&format!("/v1/tickets?limit={TICKETS_MAX}")).await?.ok()?;
    Ok(list["items"].as_array().cloned().unwrap_or_default())
}

/// The table of the first `rows` tickets, and how many there are besides.
fn drawn(tickets: &[Value], now: Moment, width: usize, rows: usize, styled: bool) -> Vec<String> {
    if tickets.is_empty() {
        return vec!["No tickets yet: send a mail, or try `cargo run -- demo`.".to_owned()];
    }
    let mut table = Table::new(&[
        ("ticket", Fit::Whole),
        ("status", Fit::Whole),
        ("priority", Fit::Whole),
        ("channel", Fit::Whole),
        ("team", Fit::Cut),
        ("agent", Fit::Cut),
        ("next due", Fit::Whole),
        ("messages", Fit::Whole),
        ("subject", Fit::Cut),
    ]);
    for ticket in tickets.iter().take(rows) {
        table.push(row(ticket, now));
    }
    let mut lines = table.lines(width, styled);
    if tickets.len() > rows {
        lines.push(Style::Dim.paint(&format!("and {} more", tickets.len() - rows), styled));
    }
    lines
}

fn row(ticket: &Value, now: Moment) -> [Cell; 9] {
    let text = |name: &str| ticket[name].as_str().unwrap_or_default();
    let status = match text("status") {
        status @ ("resolved" | "closed") => Cell::new(status, Style::Dim),
        status @ "new" => Cell::new(status, Style::Bold),
        status => status.into(),
    };
    let priority = match text("priority") {
        priority @ "urgent" => Cell::new(priority, Style::Bad),
        priority @ "high" => Cell::new(priority, Style::Near),
        priority => priority.into(),
    };
    let agent = match text("assignee") {
        "" if ticket["waiting_since"].is_string() => Cell::new("waiting", Style::Near),
        agent => agent.into(),
    };
    let messages = format!("{:>8}", ticket["message_count"].as_u64().unwrap_or_default());
    [
        text("reference").into(),
        status,
        priority,
        text("channel").into(),
        text("team").into(),
        agent,
        next_due(ticket, now),
        messages.into(),
        text("subject").into(),
    ]
}

/// The clock that is due next, or was missed: how far it is.
fn next_due(ticket: &Value, now: Moment) -> Cell {
    if ticket["sla"]["paused"] == true {
        return Cell::new("paused", Style::Dim);
    }
    if matches!(ticket["status"].as_str(), Some("resolved" | "closed")) {
        return Cell::default();
    }
    let clocks = ticket["sla"]["clocks"].as_array().map(Vec::as_slice).unwrap_or_default();
    let running = clocks.iter().filter(|clock| clock["met_at"].is_null());
    let next = running.filter_map(|clock| clock["due_at"].as_str()?.parse::<Moment>().ok()).min();
    let Some(due_at) = next else {
        return Cell::default();
    };
    let left_ms = due_at.since_ms(now);
    let style = match left_ms {
        ..0 => Style::Bad,
        0..NEAR_MS => Style::Near,
        _ => Style::Plain,
    };
    Cell::new(relative(left_ms), style)
}

/// A span of time in its two largest units: `in 3 h 59 min`, `5 min ago`.
pub(crate) fn relative(ms: i64) -> String {
    let seconds = ms.unsigned_abs() / 1_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let span = match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {} min", minutes % 60),
        (days, hours, _) => format!("{days} d {} h", hours % 24),
    };
    if ms < 0 { format!("{span} ago") } else { format!("in {span}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn spans_of_time_are_told_in_two_units() {
        let told = [(0, "in 0 s"), (59_999, "in 59 s"), (3_540_000, "in 59 min"), (14_340_000, "in 3 h 59 min")];
        let ago = [(-300_000, "5 min ago"), (-90_000_000, "1 d 1 h ago")];
        for (ms, expected) in told.into_iter().chain(ago) {
            assert_eq!(relative(ms), expected);
        }
    }

    #[test]
    fn a_table_shows_the_first_tickets_and_counts_the_others() {
        let due_at = Moment::from_ms(0).to_string();
        let clocks = json!([{"due_at": due_at, "met_at": null}, {"due_at": null, "met_at": due_at}]);
        let ticket = json!({
            "reference": "TL-7F3K-9QX2", "status": "open", "priority": "high", "channel": "email", "team": "billing",
            "assignee": null, "waiting_since": due_at, "message_count": 3, "subject": "Invoice 4711 is wrong",
            "sla": {"paused": false, "clocks": clocks},
        });
        let now = Moment::from_ms(60_000);
        let cells = row(&ticket, now);
        assert_eq!(cells[5], Cell::new("waiting", Style::Near));
        assert_eq!(cells[6], Cell::new("1 min ago", Style::Bad));
        let lines = drawn(&[ticket.clone(), ticket], now, 110, 1, false);
        assert_eq!(lines.len(), 3, "{lines:#?}");
        assert!(lines[1].starts_with("TL-7F3K-9QX2  open    high      email    billing  waiting"), "{lines:#?}");
        assert_eq!(lines[2], "and 1 more");
        assert_eq!(drawn(&[], now, 80, 9, false).len(), 1);
    }
}
