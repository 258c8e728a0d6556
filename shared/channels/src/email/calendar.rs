//! Invitations (iCalendar, RFC 5545) as text.

use super::clean;

/// Most events that are shown of one calendar.
const EVENTS_MAX: usize = 5;
/// Longest value shown, in bytes.
const VALUE_BYTES_MAX: usize = 500;

/// What a calendar's events say, one block an event: what it is, when, where and who invites. None if it says nothing.
pub(super) fn text(calendar: &str) -> Option<String> {
    let unfolded = calendar.replace("\r\n", "\n").replace("\n ", "").replace("\n\t", "");
    let (mut blocks, mut event): (Vec<String>, Option<Event>) = (Vec::new(), None);
    let mut method = String::new();
    for line in unfolded.lines() {
        let Some((name, parameters, value)) = content_line(line) else { continue };
        match (name.as_str(), &mut event) {
            ("BEGIN", _) if value.eq_ignore_ascii_case("VEVENT") => event = Some(Event::default()),
            ("END", Some(found)) if value.eq_ignore_ascii_case("VEVENT") => {
                blocks.extend(found.text(&method));
                event = None;
            }
            ("METHOD", None) => method = value.trim().to_ascii_uppercase(),
            (_, Some(event)) => event.take(&name, parameters, value),
            _ => {}
        }
        if blocks.len() >= EVENTS_MAX {
            break;
        }
    }
    (!blocks.is_empty()).then(|| blocks.join("\n\n"))
}

#[derive(Default)]
struct Event {
    summary: Option<String>,
    start: Option<String>,
    end: Option<String>,
    place: Option<String>,
    organizer: Option<String>,
}

impl Event {
    fn take(&mut self, name: &str, parameters: &str, value: &str) {
        let field = match name {
            "SUMMARY" => &mut self.summary,
            "DTSTART" => &mut self.start,
            "DTEND" => &mut self.end,
            "LOCATION" => &mut self.place,
            "ORGANIZER" => &mut self.organizer,
            _ => return,
        };
        let shown = match name {
            "DTSTART" | "DTEND" => when(parameters, value),
            "ORGANIZER" => who(parameters, value),
            _ => unescaped(value),
        };
        if field.is_none() {
            *field = clean::line(&shown, VALUE_BYTES_MAX);
        }
    }

    fn text(&self, method: &str) -> Option<String> {
        let title = match method {
            "CANCEL" => "Cancelled",
            "REPLY" => "Answer to an invitation",
            _ => "Invitation",
        };
        let when = match (&self.start, &self.end) {
            (Some(start), Some(end)) => Some(format!("{start} to {end}")),
            (start, _) => start.clone(),
        };
        let said = self.summary.is_some() || when.is_some();
        let rows = [
            (title, self.summary.clone().or_else(|| Some("(no title)".to_owned()))),
            ("When", when),
            ("Where", self.place.clone()),
            ("Organizer", self.organizer.clone()),
        ];
        let rows = rows.into_iter().filter_map(|(name, value)| Some(format!("{name}: {}", value?)));
        said.then(|| rows.collect::<Vec<_>>().join("\n"))
    }
}

/// Name, parameters and value of a content line. A colon in quotes belongs to a parameter.
fn content_line(line: &str) -> Option<(String, &str, &str)> {
    let mut is_quoted = false;
    let colon = line.bytes().position(|byte| {
        is_quoted ^= byte == b'"';
        byte == b':' && !is_quoted
    })?;
    let (left, value) = (&line[..colon], &line[colon + 1..]);
    let (name, parameters) = left.split_once(';').unwrap_or((left, ""));
    Some((name.trim().to_ascii_uppercase(), parameters, value))
}

fn parameter<'a>(parameters: &'a str, name: &str) -> Option<&'a str> {
    let found = parameters.split(';').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        key.eq_ignore_ascii_case(name).then_some(value)
    })?;
    Some(found.trim_matches('"'))
}

/// `20251124T140000Z` as `2025-11-24 14:00 UTC`, with the time zone's name where one is given; as it stands if it is no
/// date.
fn when(parameters: &str, value: &str) -> String {
    let value = value.trim();
    let digits = |from: usize, to: usize| value.get(from..to).filter(|part| part.bytes().all(|b| b.is_ascii_digit()));
    let (Some(year), Some(month), Some(day)) = (digits(0, 4), digits(4, 6), digits(6, 8)) else {
        return value.to_owned();
    };
    let date = format!("{year}-{month}-{day}");
    let (Some(hour), Some(minute)) = (digits(9, 11), digits(11, 13)) else { return date };
    let zone = if value.ends_with('Z') { Some("UTC") } else { parameter(parameters, "TZID") };
    let zone = zone.map(|zone| format!(" {zone}")).unwrap_or_default();
    format!("{date} {hour}:{minute}{zone}")
}

fn who(parameters: &str, value: &str) -> String {
    let is_mail = value.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("mailto:"));
    let address = if is_mail { &value[7..] } else { value }.trim();
    match parameter(parameters, "CN").filter(|name| !name.is_empty() && *name != address) {
        Some(name) => format!("{name} <{address}>"),
        None => address.to_owned(),
    }
}

fn unescaped(value: &str) -> String {
    value.replace("\\n", " ").replace("\\N", " ").replace("\\,", ",").replace("\\;", ";").replace("\\\\", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invitations_say_what_when_and_where() {
        let calendar = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VTIMEZONE\r\nDTSTART:19701025T030000\r\nEND:VTIMEZONE\r\n\
            BEGIN:VEVENT\r\nSUMMARY;LANGUAGE=en:Visit\\, on\r\n  site\r\nDTSTART;TZID=Europe/Berlin:20251124T140000\r\n\
            DTEND;TZID=Europe/Berlin:20251124T150000\r\nLOCATION:Room 1\r\nORGANIZER;CN=\"Berg: Anna\":MAILTO:anna@x.example\r\n\
            BEGIN:VALARM\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
        let expected = "Invitation: Visit, on site\nWhen: 2025-11-24 14:00 Europe/Berlin to 2025-11-24 15:00 Europe/Berlin\n\
            Where: Room 1\nOrganizer: Berg: Anna <anna@x.example>";
        assert_eq!(text(calendar).as_deref(), Some(expected));
        let day = "METHOD:CANCEL\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20251124\nEND:VEVENT\n";
        assert_eq!(text(day).as_deref(), Some("Cancelled: (no title)\nWhen: 2025-11-24"));
        assert_eq!(text("no calendar"), None);
        assert_eq!(text(&"BEGIN:VEVENT\nSUMMARY:x\nEND:VEVENT\n".repeat(50)).unwrap().matches('x').count(), EVENTS_MAX);
    }
}
