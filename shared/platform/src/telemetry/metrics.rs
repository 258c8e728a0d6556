//! Every metric there is, in one place.

/// The functions that work on batches of a queue.
const STAGES: &[&str] = &["ingest-email", "resolve-identity", "upsert-ticket", "route-ticket", "send-outbound"];
/// The functions that quarantine.
const KEEPERS: &[&str] =
    &["ingest-email", "ingest-webhook", "resolve-identity", "upsert-ticket", "route-ticket", "send-outbound"];
/// The functions that count what failed.
const FAILING: &[&str] = &[
    "ingest-email",
    "resolve-identity",
    "upsert-ticket",
    "route-ticket",
    "send-outbound",
    "escalate-sla",
    "relay-events",
];
const ACCEPTING: &[&str] = &["ingest-email", "ingest-webhook"];
const INGEST_EMAIL: &[&str] = &["ingest-email"];
const RESOLVE_IDENTITY: &[&str] = &["resolve-identity"];
const UPSERT_TICKET: &[&str] = &["upsert-ticket"];
const ROUTE_TICKET: &[&str] = &["route-ticket"];
const SEND_OUTBOUND: &[&str] = &["send-outbound"];
const RELAY_EVENTS: &[&str] = &["relay-events"];
const ESCALATE_SLA: &[&str] = &["escalate-sla"];

/// What a metric counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number of things.
    Count,
    /// Time, in milliseconds. The names of these end in `_ms`.
    Milliseconds,
}

impl Unit {
    /// The unit of the metric of this name.
    pub fn of(name: &str) -> Self {
        if name.ends_with("_ms") { Self::Milliseconds } else { Self::Count }
    }

    /// As CloudWatch calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Milliseconds => "Milliseconds",
        }
    }
}

/// By what a metric is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// The function that emits it: one of [`Metric::functions`].
    Function,
    /// The channel: [`throughline_domain::channel::Channel::as_str`].
    Channel,
    /// The promise: [`throughline_domain::clock::TargetKind::as_str`].
    Target,
}

impl Dimension {
    /// Its name in CloudWatch.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Channel => "channel",
            Self::Target => "target",
        }
    }
}

/// A metric. Its unit follows from its name: [`Unit::of`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its one dimension.
    pub dimension: Dimension,
    /// Who emits it.
    pub functions: &'static [&'static str],
    /// What it says.
    pub what: &'static str,
}

const fn by_function(name: &'static str, functions: &'static [&'static str], what: &'static str) -> Metric {
    Metric { name, dimension: Dimension::Function, functions, what }
}

const fn by_target(name: &'static str, what: &'static str) -> Metric {
    Metric { name, dimension: Dimension::Target, functions: RELAY_EVENTS, what }
}

/// Every metric there is. What follows from the stream or from a queue comes at least once: a batch that comes again is
/// counted again.
pub const METRICS: &[Metric] = &[
    // Messages: accepted by channel, and the states of the ledger that they reach.
    Metric {
        name: "messages_accepted",
        dimension: Dimension::Channel,
        functions: ACCEPTING,
        what: "messages accepted and passed on",
    },
    by_function("recorded", UPSERT_TICKET, "messages recorded on a ticket: created, appended and reopened together"),
    by_function("duplicate", UPSERT_TICKET, "messages that were recorded before, by another delivery"),
    by_function("quarantined", KEEPERS, "records put into quarantine"),
    by_function(
        "recorded_after_ms",
        UPSERT_TICKET,
        "from acceptance to recording, each message but those of quarantine",
    ),
    // Every stage, a line a batch.
    by_function("oldest_ms", STAGES, "how long the oldest record of a batch was in its queue"),
    by_function("batch_ms", STAGES, "how long a batch took"),
    by_function(
        "failed",
        FAILING,
        "records that come again, for something does not work; tickets and shards that a sweep could not look at; commits \
         that are not relayed or not published",
    ),
    by_function("put_off", STAGES, "records that come again soon, for they lost their races or the time was up"),
    by_function("skipped", STAGES, "records that come again because one before them in their group does"),
    // What came of records, by stage.
    by_function("accepted", INGEST_EMAIL, "mails passed on"),
    by_function("reconciled", INGEST_EMAIL, "pages of stored mail looked through for lost ones; at least one a day"),
    by_function("raw_mail_looked_at", INGEST_EMAIL, "stored mails looked up in the ledger"),
    by_function("raw_mail_sent_again", INGEST_EMAIL, "stored mails that were lost and sent through again"),
    by_function("sent_mail_event", INGEST_EMAIL, "bounces and complaints about mail that was sent"),
    by_function("passed_on", RESOLVE_IDENTITY, "changes of messages, whose sender their message tells"),
    by_function("known_customer", RESOLVE_IDENTITY, "messages of customers who were known"),
    by_function("profile_changed", RESOLVE_IDENTITY, "tellings of how a known customer calls themselves, taken over"),
    by_function("profile_kept", RESOLVE_IDENTITY, "tellings of nobody known, or of nothing new"),
    by_function("new_customer", RESOLVE_IDENTITY, "messages that made a customer known"),
    by_function("created", UPSERT_TICKET, "messages that opened a ticket"),
    by_function("appended", UPSERT_TICKET, "messages added to a ticket"),
    by_function("reopened", UPSERT_TICKET, "messages that changed their ticket's status"),
    by_function("recorded_before", UPSERT_TICKET, "deliveries that had been recorded when they came again"),
    by_function("changed", UPSERT_TICKET, "edits, deletions, reactions and delivery reports put on a ticket"),
    by_function("parked", UPSERT_TICKET, "the same, kept until their message comes"),
    by_function("nothing_new", UPSERT_TICKET, "reports that say nothing that is not known"),
    by_function("assigned", ROUTE_TICKET, "tickets that an agent got"),
    by_function("waiting", ROUTE_TICKET, "tickets that began to wait for somebody"),
    by_function("still_waiting", ROUTE_TICKET, "tickets that wait as before"),
    by_function("settled", ROUTE_TICKET, "tickets that needed nobody any more"),
    by_function("no_team", ROUTE_TICKET, "tickets that the configuration names no team for"),
    by_function("gave_waiting", ROUTE_TICKET, "agents who became free and got of who waits"),
    by_function("nobody_waits", ROUTE_TICKET, "agents who became free while nobody waited for them"),
    by_function("sent", SEND_OUTBOUND, "replies that a channel took"),
    by_function("attachments_stored", SEND_OUTBOUND, "messages whose files were had from their channel"),
    by_function("stored_before", SEND_OUTBOUND, "messages whose files had been had when they were asked for again"),
    by_function("sent_before", SEND_OUTBOUND, "replies that had been sent when they were asked for again"),
    by_function("ambiguous", SEND_OUTBOUND, "replies of which nobody knows whether they went out"),
    by_function("failed_for_good", SEND_OUTBOUND, "replies that no channel takes"),
    // The relay.
    by_function("commits", RELAY_EVENTS, "records of the table's stream"),
    by_function("sends", RELAY_EVENTS, "pieces of work put into queues"),
    by_function("published", RELAY_EVENTS, "commits that the event bus has"),
    // Service levels, from the commits as they are relayed.
    by_target("sla_met", "promises kept in time"),
    by_target("sla_warned", "promises that came near"),
    by_target("sla_breached", "promises missed"),
    // The breach check, a line a run.
    by_function(
        "sweeps",
        ESCALATE_SLA,
        "runs of the breach check that could read every shard, also when nothing was due: one a minute",
    ),
    by_function("looked_at", ESCALATE_SLA, "tickets looked at"),
    by_function("warned", ESCALATE_SLA, "warnings recorded by the check"),
    by_function("breached", ESCALATE_SLA, "breaches recorded by the check"),
    by_function("driven", ESCALATE_SLA, "tickets and replies driven again, which the stream had lost"),
];

/// Whether a function may emit this metric by this dimension.
pub(super) fn is_declared(name: &str, dimension: Dimension, function: &str) -> bool {
    let declared = |metric: &&Metric| metric.name == name && metric.dimension == dimension;
    METRICS.iter().find(declared).is_some_and(|metric| metric.functions.contains(&function))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_name_is_declared_once_and_says_what_it_is() {
        let names: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), METRICS.len());
        for metric in METRICS {
            assert!(!metric.what.is_empty() && !metric.functions.is_empty(), "{metric:?}");
            let plain = metric.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            assert!(plain, "{} is no plain name", metric.name);
        }
        assert_eq!((Unit::of("batch_ms"), Unit::of("sweeps")), (Unit::Milliseconds, Unit::Count));
    }
}
