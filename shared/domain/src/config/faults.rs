//! What is wrong with a configuration: every fault, each with its place.

mod ticketing;

use std::collections::BTreeSet;
use std::fmt;

use super::{Config, ConfigKind};
use crate::channel::Channel;
use crate::id::TeamId;
use crate::identifier::Identifier;

/// Most load that one ticket may be, in per cent of an agent's full plate.
const WEIGHT_PERCENT_MAX: u32 = 100;
/// Longest acknowledgement, in bytes.
const ACKNOWLEDGEMENT_BYTES_MAX: usize = 4_000;

/// A fault at a place of a kind of configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFault {
    /// Whose.
    pub kind: ConfigKind,
    /// Where in it: a JSON pointer (RFC 6901).
    pub pointer: String,
    /// What.
    pub detail: String,
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}: {}", self.kind, self.pointer, self.detail)
    }
}

/// What is wrong with a configuration, all of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct InvalidConfig(pub Vec<ConfigFault>);

impl Config {
    /// Checks that each part is right, that the parts fit together, and that every team that they name is one of `teams`.
    ///
    /// # Errors
    /// Every fault, with its place.
    pub fn validate(&self, teams: &[TeamId]) -> Result<(), InvalidConfig> {
        let mut faults = Faults { teams, found: Vec::new() };
        inboxes(self, &mut faults);
        routing(self, &mut faults);
        sla(self, &mut faults);
        ticketing::check(self, &mut faults);
        if faults.found.is_empty() { Ok(()) } else { Err(InvalidConfig(faults.found)) }
    }
}

struct Faults<'a> {
    teams: &'a [TeamId],
    found: Vec<ConfigFault>,
}

impl Faults<'_> {
    fn add(&mut self, kind: ConfigKind, pointer: impl Into<String>, detail: impl Into<String>) {
        self.found.push(ConfigFault { kind, pointer: pointer.into(), detail: detail.into() });
    }

    fn team(&mut self, kind: ConfigKind, pointer: impl Into<String>, team: Option<&TeamId>) {
        if let Some(team) = team.filter(|team| !self.teams.contains(team)) {
            self.add(kind, pointer, format!("team {team} does not exist; create it first"));
        }
    }

    /// A name that is empty or stood before.
    fn name<'n>(&mut self, kind: ConfigKind, pointer: String, name: &'n str, before: &mut BTreeSet<&'n str>) {
        if name.trim().is_empty() {
            self.add(kind, pointer, "must not be empty");
        } else if !before.insert(name) {
            self.add(kind, pointer, format!("{name} stands here twice"));
        }
    }
}

fn inboxes(config: &Config, faults: &mut Faults<'_>) {
    let kind = ConfigKind::Inboxes;
    let mut names = BTreeSet::new();
    let mut addresses = BTreeSet::new();
    for (i, inbox) in config.inboxes.body.inboxes.iter().enumerate() {
        let at = |field: &str| format!("/inboxes/{i}/{field}");
        if !names.insert((inbox.channel, &inbox.id)) {
            faults.add(kind, at("id"), format!("inbox {} stands here twice on this channel", inbox.id));
        }
        let address = inbox.address.as_deref().map(Identifier::email);
        match address {
            None if inbox.channel == Channel::Email => {
                faults.add(
                    kind,
                    at("address"),
                    format!("inbox {} is on the mail channel and needs a mail address", inbox.id),
                );
            }
            Some(Err(_)) => faults.add(kind, at("address"), "no mail address"),
            Some(Ok(address)) if address.value().contains('+') => {
                faults.add(kind, at("address"), "an own address has no plus-tag: ours go there");
            }
            Some(Ok(address)) if !addresses.insert(address.value().to_owned()) => {
                faults.add(kind, at("address"), format!("{} is another inbox's too", address.value()));
            }
            _ => {}
        }
        let country = inbox.country.as_deref();
        if country.is_some_and(|code| code.len() != 2 || !code.bytes().all(|b| b.is_ascii_uppercase())) {
            faults.add(kind, at("country"), "two capital letters (ISO 3166): `DE`");
        }
        faults.team(kind, at("team"), inbox.team.as_ref());
        if let Some(text) = &inbox.acknowledgement {
            if inbox.channel != Channel::Email {
                faults.add(kind, at("acknowledgement"), "only mail is acknowledged");
            } else if text.trim().is_empty() || text.len() > ACKNOWLEDGEMENT_BYTES_MAX {
                faults.add(kind, at("acknowledgement"), format!("1 to {ACKNOWLEDGEMENT_BYTES_MAX} bytes of text"));
            }
        }
        for (j, origin) in inbox.origins.iter().enumerate() {
            if !is_origin(origin) {
                let detail = "no origin as browsers send it, so no page would ever match: scheme and host in small letters, \
                     a port only if it is not the usual one, no path, no slash at the end: `https://www.example.com`";
                faults.add(kind, at(&format!("origins/{j}")), detail);
            }
        }
        for (j, host) in inbox.media_hosts.iter().enumerate() {
            if !inbox.takes_media_hosts() {
                faults.add(kind, at("media_hosts"), "only webhooks and bots name files by URL");
                break;
            }
            if !is_media_host(host) {
                let detail = "a host name in small letters, without scheme, port and path, and no address of a machine: \
                     `files.example.com`, or `*.example.com` for all below";
                faults.add(kind, at(&format!("media_hosts/{j}")), detail);
            }
        }
    }
}

/// Whether a text names a host of the internet, or by `*.` all below one, as URLs have it.
fn is_media_host(text: &str) -> bool {
    let labels: Vec<&str> = text.strip_prefix("*.").unwrap_or(text).split('.').collect();
    let is_label = |label: &&str| {
        let signs = label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        (1..=63).contains(&label.len()) && signs && !label.starts_with('-') && !label.ends_with('-')
    };
    // A last part with a digit in front is a number, and the whole an address (URL standard, "ends in a number").
    let is_name = labels.last().is_some_and(|last| !last.starts_with(|c: char| c.is_ascii_digit()));
    labels.len() > 1 && is_name && labels.iter().all(is_label)
}

/// Whether a text is an origin as browsers write it (HTML standard, "serialization of an origin").
fn is_origin(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    // In front of a port, and not inside of an IPv6 address.
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (rest, None),
    };
    let usual = match scheme {
        "https" => Some(443),
        "http" => Some(80),
        _ => None,
    };
    let small = |text: &str, signs: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || signs.contains(c))
    };
    let is_address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).is_some_and(|ip| small(ip, ":."));
    let is_port = |port: &str| {
        let number = port.parse::<u16>().ok().filter(|number| number.to_string() == port);
        number.is_some_and(|number| number != 0 && Some(number) != usual)
    };
    small(scheme, "+-.") && (small(host, "-._") || is_address) && port.is_none_or(is_port)
}

fn routing(config: &Config, faults: &mut Faults<'_>) {
    let kind = ConfigKind::Routing;
    let rules = &config.routing.body;
    faults.team(kind, "/default_team", rules.default_team.as_ref());
    let weights = rules.weights.iter().map(|(channel, weight)| (format!("/weights/{}", channel.as_str()), *weight));
    for (pointer, weight) in weights.chain([("/default_weight".to_owned(), rules.default_weight)]) {
        if weight > WEIGHT_PERCENT_MAX {
            faults.add(kind, pointer, format!("0 to {WEIGHT_PERCENT_MAX} per cent: nobody could take more"));
        }
    }
    for (i, rule) in rules.intents.iter().enumerate() {
        if rule.intent.trim().is_empty() {
            faults.add(kind, format!("/intents/{i}/intent"), "must not be empty");
        }
        if rule.any.iter().all(|words| words.trim().is_empty()) {
            faults.add(kind, format!("/intents/{i}/any"), "needs a word or phrase to match");
        }
        faults.team(kind, format!("/intents/{i}/team"), rule.team.as_ref());
    }
}

fn sla(config: &Config, faults: &mut Faults<'_>) {
    let kind = ConfigKind::Sla;
    let rules = &config.sla.body;
    let mut calendars = BTreeSet::new();
    for (i, calendar) in rules.calendars.iter().enumerate() {
        faults.name(kind, format!("/calendars/{i}/id"), &calendar.id, &mut calendars);
        if let Err(fault) = calendar.validate() {
            faults.add(kind, format!("/calendars/{i}"), format!("calendar {}: {fault}", calendar.id));
        }
    }
    let mut policies = BTreeSet::new();
    for (i, policy) in rules.policies.iter().enumerate() {
        let at = |field: &str| format!("/policies/{i}/{field}");
        faults.name(kind, at("id"), &policy.id, &mut policies);
        if !calendars.contains(policy.calendar.as_str()) {
            let detail = format!("policy {} names calendar {}, which does not exist", policy.id, policy.calendar);
            faults.add(kind, at("calendar"), detail);
        }
        if policy.targets.is_empty() || policy.targets.iter().any(|target| target.business_ms <= 0) {
            faults.add(kind, at("targets"), format!("policy {} needs targets of more than zero time", policy.id));
        }
        if !(1..=100).contains(&policy.warn_at_percent) {
            faults.add(kind, at("warn_at_percent"), format!("policy {} warns at 1 to 100 per cent", policy.id));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(inboxes: serde_json::Value, routing: serde_json::Value, sla: serde_json::Value) -> Config {
        let mut config = Config::default();
        config.inboxes.body = serde_json::from_value(inboxes).unwrap();
        config.routing.body = serde_json::from_value(routing).unwrap();
        config.sla.body = serde_json::from_value(sla).unwrap();
        config
    }

    #[test]
    fn all_faults_are_named_at_once_with_their_places() {
        let mut config = config(
            json!({"inboxes": [
                {"id": "a", "channel": "email"},
                {"id": "b", "channel": "email", "address": "b@example.com", "team": "support", "country": "de"},
                {"id": "b", "channel": "email", "address": "B@Example.com", "team": "none"},
            ]}),
            json!({"default_team": "none", "weights": {"voice": 101}, "intents": [{"intent": "", "any": [" "]}]}),
            json!({"policies": [{"id": "p", "calendar": "none", "targets": [], "warn_at_percent": 0}]}),
        );
        config.ticketing.body.reopen_window_hours = -1;
        config.ticketing.body.same_problem_percent = 101;
        let faults = config.validate(&["support".parse().unwrap()]).unwrap_err().0;
        let places: Vec<String> = faults.iter().map(|fault| format!("{}{}", fault.kind, fault.pointer)).collect();
        assert_eq!(
            places,
            [
                "inboxes/inboxes/0/address",
                "inboxes/inboxes/1/country",
                "inboxes/inboxes/2/id",
                "inboxes/inboxes/2/address",
                "inboxes/inboxes/2/team",
                "routing/default_team",
                "routing/weights/voice",
                "routing/intents/0/intent",
                "routing/intents/0/any",
                "sla/policies/0/calendar",
                "sla/policies/0/targets",
                "sla/policies/0/warn_at_percent",
                "ticketing/reopen_window_hours",
                "ticketing/same_problem_percent",
            ]
        );
        assert!(faults[4].detail.contains("team none does not exist"));
    }

    #[test]
    fn origins_are_as_browsers_send_them() {
        for right in [
            "https://www.example.com",
            "http://localhost:8080",
            "https://xn--bcher-kva.example:8443",
            "http://127.0.0.1",
            "http://[::1]:3000",
            "https://[2001:db8::1]",
            "capacitor://localhost",
        ] {
            assert!(is_origin(right), "{right}");
        }
        for wrong in [
            "https://www.example.com/",
            "https://www.example.com/shop",
            "https://WWW.example.com",
            "https://bücher.example",
            "https://www.example.com:443",
            "http://www.example.com:80",
            "https://www.example.com:",
            "https://www.example.com:0",
            "https://www.example.com:08443",
            "https://www.example.com:99999",
            "https://user@www.example.com",
            "https://*.example.com",
            "https://",
            "www.example.com",
            "*",
            "null",
            "",
        ] {
            assert!(!is_origin(wrong), "{wrong}");
        }
        let chat = json!({"inboxes": [{"id": "a", "channel": "web_chat",
            "origins": ["https://a.example", "https://b.example/"]}]});
        let faults = config(chat, json!({}), json!({})).validate(&[]).unwrap_err().0;
        assert_eq!((faults.len(), faults[0].pointer.as_str()), (1, "/inboxes/0/origins/1"));
    }

    #[test]
    fn only_mail_is_acknowledged_with_some_words() {
        let inboxes = json!({"inboxes": [
            {"id": "a", "channel": "email", "address": "a@x.example", "acknowledgement": "It came."},
            {"id": "b", "channel": "email", "address": "b@x.example", "acknowledgement": " "},
            {"id": "c", "channel": "email", "address": "c@x.example", "acknowledgement": "x".repeat(4_001)},
            {"id": "d", "channel": "web_chat", "acknowledgement": "It came."}]});
        let mut config = Config::default();
        config.inboxes.body = serde_json::from_value(inboxes).unwrap();
        let found = config.validate(&[]).unwrap_err().0;
        let pointers: Vec<&str> = found.iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(pointers, [1, 2, 3].map(|i| format!("/inboxes/{i}/acknowledgement")));
    }

    #[test]
    fn media_hosts_are_names_of_the_internet() {
        for right in ["files.example.com", "*.example.com", "xn--bcher-kva.example", "a-1.b2.co", "1.example.com"] {
            assert!(is_media_host(right), "{right}");
        }
        for wrong in [
            "https://files.example.com",
            "files.example.com/a",
            "files.example.com:8443",
            "Files.example.com",
            "files.example.com.",
            "*.com",
            "*",
            "*.*.example.com",
            "localhost",
            "127.0.0.1",
            "169.254.169.254",
            "*.169.254",
            "0x7f.0x1",
            "[::1]",
            "bücher.example",
            "a..b",
            "-a.example",
            "",
        ] {
            assert!(!is_media_host(wrong), "{wrong}");
        }
        let shop = json!({"inboxes": [{"id": "a", "channel": "webhook", "media_hosts": ["a.example", "10.0.0.1"]},
            {"id": "b", "channel": "line", "media_hosts": ["a.example"]}]});
        let faults = config(shop, json!({}), json!({})).validate(&[]).unwrap_err().0;
        let pointers: Vec<_> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(pointers, ["/inboxes/0/media_hosts/1", "/inboxes/1/media_hosts"]);
    }

    #[test]
    fn nothing_configured_is_right() {
        assert_eq!(Config::default().validate(&[]), Ok(()));
    }
}
