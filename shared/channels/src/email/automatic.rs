//! Which mails a machine sent, and of what kind (RFC 3834 and practice).

use throughline_domain::message::{Automatic, AutomaticKind};

use super::headers::Headers;

/// What tells people from machines.
pub(super) struct Traits<'a> {
    pub(super) headers: &'a Headers<'a>,
    /// None: not known; empty or `<>`: the null sender (RFC 5321, section 4.5.5).
    pub(super) envelope_from: Option<&'a str>,
    /// The `Action` fields of a report about a delivery, in lower case.
    pub(super) report_actions: &'a [String],
    /// The From header is one of our own addresses.
    pub(super) from_us: bool,
    /// The Message-ID is one that we made.
    pub(super) own_message_id: bool,
}

/// Headers that nothing but an automatic answer carries.
const ANSWER_HEADERS: [&str; 3] = ["X-Autoreply", "X-Autorespond", "X-Autoresponder"];
/// Programs that write of deliveries.
const DAEMONS: [&str; 2] = ["mailer-daemon", "postmaster"];
/// Longest evidence kept of a header, in characters.
const EVIDENCE_CHARS_MAX: usize = 80;

/// Whether a machine sent the mail, with the first evidence found. The order matters: a newsletter may call itself
/// auto-generated, and a failure report is also an automatic answer.
///
/// X-Auto-Response-Suppress alone says nothing, because Outlook puts it on what people write; it is named as further
/// evidence. Nor does a no-reply address: contact forms write from them.
pub(super) fn automatic(traits: &Traits<'_>) -> Option<Automatic> {
    let rules = [delivery_report, our_own, answer, list_or_bulk, other_machine];
    let (kind, mut because) = rules.iter().find_map(|rule| rule(traits))?;
    if let Some(value) = traits.headers.text("X-Auto-Response-Suppress") {
        because = format!("{because}; {}", shown("X-Auto-Response-Suppress", &value));
    }
    Some(Automatic { kind, because })
}

type Evidence = Option<(AutomaticKind, String)>;

fn delivery_report(traits: &Traits<'_>) -> Evidence {
    let reported = |action: &str| traits.report_actions.iter().any(|given| given.starts_with(action));
    if reported("failed") {
        return Some((AutomaticKind::Bounce, "Action: failed".to_owned()));
    }
    if reported("delayed") {
        return Some((AutomaticKind::Delayed, "Action: delayed".to_owned()));
    }
    if let Some(action) = traits.report_actions.first() {
        return Some((AutomaticKind::AutoReply, shown("Action", action)));
    }
    if let Some(failed) = traits.headers.text("X-Failed-Recipients") {
        return Some((AutomaticKind::Bounce, shown("X-Failed-Recipients", &failed)));
    }
    let from = traits.headers.addresses("from");
    let daemon = from.iter().find(|from| {
        let local = from.identifier.value().rsplit_once('@').map_or("", |(local, _)| local);
        DAEMONS.contains(&local)
    });
    daemon.map(|daemon| (AutomaticKind::Bounce, shown("From", daemon.identifier.value())))
}

fn our_own(traits: &Traits<'_>) -> Evidence {
    if traits.own_message_id {
        return Some((AutomaticKind::Loop, "Message-ID is our own".to_owned()));
    }
    traits.from_us.then(|| (AutomaticKind::Loop, "From is our own address".to_owned()))
}

fn answer(traits: &Traits<'_>) -> Evidence {
    let submitted = auto_submitted(traits).filter(|value| value == "auto-replied");
    let precedence = traits.headers.text("Precedence").filter(|value| is(value, &["auto_reply", "auto-reply"]));
    let found = submitted.map(|value| shown("Auto-Submitted", &value));
    let found = found.or_else(|| precedence.map(|value| shown("Precedence", &value)));
    let found = found.or_else(|| {
        let name =
            ANSWER_HEADERS.into_iter().find(|name| traits.headers.text(name).is_some_and(|v| !is(&v, &["no"])))?;
        Some(name.to_owned())
    });
    found.map(|because| (AutomaticKind::AutoReply, because))
}

fn list_or_bulk(traits: &Traits<'_>) -> Evidence {
    let headers = traits.headers;
    if let Some(value) = headers.text("Precedence") {
        if is(&value, &["list"]) {
            return Some((AutomaticKind::List, shown("Precedence", &value)));
        }
        if is(&value, &["bulk", "junk"]) {
            return Some((AutomaticKind::Bulk, shown("Precedence", &value)));
        }
    }
    // Whoever can be written to is a list; whoever can be left with one click is a mass mailing (RFC 8058), which has a
    // List-Id too.
    let order = [
        ("List-Post", AutomaticKind::List),
        ("List-Unsubscribe-Post", AutomaticKind::Bulk),
        ("List-Id", AutomaticKind::List),
        ("List-Unsubscribe", AutomaticKind::Bulk),
    ];
    order.into_iter().find(|(name, _)| headers.has(name)).map(|(name, kind)| (kind, name.to_owned()))
}

fn other_machine(traits: &Traits<'_>) -> Evidence {
    let because = if let Some(value) = auto_submitted(traits) {
        shown("Auto-Submitted", &value)
    } else if traits.headers.is_report() {
        "Content-Type: multipart/report".to_owned()
    } else if traits.envelope_from.is_some_and(|from| matches!(from.trim(), "" | "<>")) {
        "null envelope sender".to_owned()
    } else {
        return None;
    };
    Some((AutomaticKind::AutoReply, because))
}

/// The keyword of Auto-Submitted (RFC 3834, section 5) when it does not say that a person sent the mail.
fn auto_submitted(traits: &Traits<'_>) -> Option<String> {
    let value = traits.headers.text("Auto-Submitted")?;
    let keyword = value.split([';', '(', ' ']).next().unwrap_or_default().to_ascii_lowercase();
    (!keyword.is_empty() && keyword != "no").then_some(keyword)
}

fn is(value: &str, words: &[&str]) -> bool {
    let first = value.split([';', '(', ' ', ',']).next().unwrap_or_default();
    words.iter().any(|word| word.eq_ignore_ascii_case(first))
}

fn shown(name: &str, value: &str) -> String {
    let value: String = value.chars().take(EVIDENCE_CHARS_MAX).collect();
    format!("{name}: {value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(headers: &str) -> Option<(AutomaticKind, String)> {
        let mail = format!("{headers}\nSubject: x\n\n");
        let headers = Headers::of(mail.as_bytes());
        let traits = Traits {
            headers: &headers,
            envelope_from: None,
            report_actions: &[],
            from_us: false,
            own_message_id: false,
        };
        automatic(&traits).map(|found| (found.kind, found.because))
    }

    #[test]
    fn headers_tell_the_kind() {
        use AutomaticKind::{AutoReply, Bounce, Bulk, List};
        let cases = [
            ("Auto-Submitted: auto-replied", Some(AutoReply)),
            ("Auto-Submitted:  AUTO-GENERATED ; x=y", Some(AutoReply)),
            ("Auto-Submitted:   No  ", None),
            ("Auto-Submitted: no (a person)", None),
            ("Auto-Submitted:", None),
            ("Precedence: bulk", Some(Bulk)),
            ("Precedence: Junk", Some(Bulk)),
            ("Precedence: list", Some(List)),
            ("Precedence: auto_reply", Some(AutoReply)),
            ("Precedence: first-class", None),
            ("X-Auto-Response-Suppress: All", None),
            ("X-Autoreply: yes", Some(AutoReply)),
            ("X-Autorespond: out of office", Some(AutoReply)),
            ("X-Autoresponder: no", None),
            ("List-Id: <news.example.com>", Some(List)),
            (
                "List-Id: <n.example.com>\nList-Unsubscribe: <mailto:u@example.com>\nList-Unsubscribe-Post: a=b",
                Some(Bulk),
            ),
            ("List-Unsubscribe: <https://example.com/u>", Some(Bulk)),
            ("List-Unsubscribe: <https://example.com/u>\nAuto-Submitted: auto-generated", Some(Bulk)),
            ("List-Id: <l.example.com>\nAuto-Submitted: auto-replied", Some(AutoReply)),
            ("X-Failed-Recipients: anna@example.com\nAuto-Submitted: auto-replied", Some(Bounce)),
            ("From: Mail Delivery System <MAILER-DAEMON@mx.example.com>", Some(Bounce)),
            ("From: postmaster@example.com", Some(Bounce)),
            ("From: noreply@example.com", None),
            ("From: anna@example.com", None),
        ];
        for (headers, expected) in cases {
            assert_eq!(kind(headers).map(|(kind, _)| kind), expected, "{headers}");
        }
    }

    #[test]
    fn evidence_is_named() {
        let (_, because) = kind("Auto-Submitted: Auto-Replied\nX-Auto-Response-Suppress: OOF").unwrap();
        assert_eq!(because, "Auto-Submitted: auto-replied; X-Auto-Response-Suppress: OOF");
    }

    #[test]
    fn reports_envelopes_and_loops_tell_the_kind() {
        use AutomaticKind::{AutoReply, Bounce, Delayed, Loop};
        let headers = Headers::of(b"Auto-Submitted: auto-replied\n\n");
        let plain = Headers::of(b"Subject: x\n\n");
        let (failed, delayed) = ("failed".to_owned(), "delayed (since 4 hours)".to_owned());
        type Case<'a> = (&'a Headers<'a>, Option<&'a str>, &'a [String], bool, bool, Option<AutomaticKind>);
        let cases: [Case<'_>; 10] = [
            (&headers, Some(""), std::slice::from_ref(&failed), false, false, Some(Bounce)),
            (&headers, Some("<>"), std::slice::from_ref(&delayed), false, false, Some(Delayed)),
            (&plain, None, &[delayed.clone(), failed.clone()], true, false, Some(Bounce)),
            (&plain, None, &["delivered".to_owned()], false, false, Some(AutoReply)),
            (&plain, Some(""), &[], false, false, Some(AutoReply)),
            (&plain, Some(" <> "), &[], false, false, Some(AutoReply)),
            (&plain, None, &[], false, false, None),
            (&plain, Some("a@example.com"), &[], false, false, None),
            (&headers, None, &[], true, false, Some(Loop)),
            (&plain, None, &[], false, true, Some(Loop)),
        ];
        for (at, (headers, envelope_from, report_actions, from_us, own_message_id, expected)) in
            cases.into_iter().enumerate()
        {
            let traits = Traits { headers, envelope_from, report_actions, from_us, own_message_id };
            assert_eq!(automatic(&traits).map(|found| found.kind), expected, "case {at}");
        }
    }
}
