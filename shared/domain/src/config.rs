//! Configuration that admins change: what the decisions read. Every kind has its own version, and decisions name it.

mod faults;
mod ticketing;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

pub use faults::{ConfigFault, InvalidConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
pub use ticketing::{DriftRules, FieldKind, FieldRule, HOUR_MS, ResolvingRules, TicketingRules};

use crate::calendar::{Calendar, CalendarRef};
use crate::channel::Channel;
use crate::clock::{PolicyRef, Target};
use crate::id::{InboxId, TeamId};
use crate::identifier::{Identifier, IdentifierKind};
use crate::message::{Authentication, Verdict};
use crate::ticket::{Priority, Status};

/// A configuration and its version; versions count up from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versioned<T> {
    /// Its version; 0 for the built-in default.
    pub version: u64,
    /// What it says.
    pub body: T,
}

/// A kind of configuration: each has its own version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConfigKind {
    /// Ways in.
    Inboxes,
    /// Where tickets go.
    Routing,
    /// Until when.
    Sla,
    /// Which ticket.
    Ticketing,
}

impl ConfigKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Inboxes, Self::Routing, Self::Sla, Self::Ticketing];

    /// Its name in paths and keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inboxes => "inboxes",
            Self::Routing => "routing",
            Self::Sla => "sla",
            Self::Ticketing => "ticketing",
        }
    }
}

impl fmt::Display for ConfigKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No kind of configuration has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no kind of configuration")]
pub struct UnknownConfigKind;

impl FromStr for ConfigKind {
    type Err = UnknownConfigKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(UnknownConfigKind)
    }
}

/// Everything that the decisions read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Ways in.
    pub inboxes: Versioned<Inboxes>,
    /// Where tickets go.
    pub routing: Versioned<RoutingRules>,
    /// Until when.
    pub sla: Versioned<SlaRules>,
    /// Which ticket.
    pub ticketing: Versioned<TicketingRules>,
}

/// The ways in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Inboxes {
    /// Every business address or account.
    pub inboxes: Vec<Inbox>,
    /// What becomes of mail in which the receiving service found something.
    #[serde(default)]
    pub mail: MailRules,
    /// How much may come in.
    #[serde(default)]
    pub budget: Budget,
}

/// How many messages may come in by webhooks, chat and forms before they go into quarantine. From there they can be sent
/// through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// Of one sender in one inbox, in an hour. 2,000, if nothing is said.
    pub sender_per_hour: u32,
    /// For one inbox, in an hour. 200,000, if nothing is said.
    pub inbox_per_hour: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Self { sender_per_hour: 2_000, inbox_per_hour: 200_000 }
    }
}

/// Which mail goes into quarantine for what the receiving service says of it. From there it can be sent through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MailRules {
    /// Mail with a virus. On, if nothing is said.
    pub quarantine_virus: bool,
    /// Mail that looks like spam. Off, if nothing is said: customers write what looks like spam.
    pub quarantine_spam: bool,
}

impl Default for MailRules {
    fn default() -> Self {
        Self { quarantine_virus: true, quarantine_spam: false }
    }
}

impl MailRules {
    /// Why mail of these verdicts goes into quarantine, if it does.
    pub fn refuses(&self, verdicts: &Authentication) -> Option<&'static str> {
        let found = |wanted: bool, verdict: Verdict| wanted && verdict == Verdict::Fail;
        if found(self.quarantine_virus, verdicts.virus) {
            return Some("the receiving service found a virus in it");
        }
        found(self.quarantine_spam, verdicts.spam).then_some("the receiving service takes it for spam")
    }
}

/// One business address or account on a channel. Its secrets are kept apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Inbox {
    /// Its name in paths.
    pub id: InboxId,
    /// Its channel.
    pub channel: Channel,
    /// Its mail address, for mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The provider's id of the account: phone number id, page id, bot user id, telephone number. One URL may get the
    /// traffic of several accounts; by this they are told apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Name shown to customers.
    #[serde(default)]
    pub brand: String,
    /// Where its tickets go when no rule says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<TeamId>,
    /// Country (ISO 3166) of telephone numbers without country code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Pages that may embed its chat; none: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<String>,
    /// Hosts from which files are fetched that its messages name by `https` URLs: `files.example.com`, or `*.example.com`
    /// for all below. For `webhook` and `bot` only; none: nothing is fetched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media_hosts: Vec<String>,
    /// What a person who opens a ticket by mail is answered at once: plain text, in which `{reference}` stands for the
    /// ticket's name. For `email` only; none: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledgement: Option<String>,
}

impl Inbox {
    /// Whether files of its messages lie with whoever sends them, and not with a provider whose hosts are known.
    pub fn takes_media_hosts(&self) -> bool {
        matches!(self.channel, Channel::Webhook | Channel::Bot)
    }
}

/// Whether a host is one of the list, in which `*.` stands for any name below. Both are in lower case, as URLs have them.
pub fn is_among_hosts<'h>(host: &str, hosts: impl IntoIterator<Item = &'h str>) -> bool {
    hosts.into_iter().any(|known| match known.strip_prefix("*.") {
        Some(domain) => host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.') && rest.len() > 1),
        None => host == known,
    })
}

impl Inboxes {
    /// The inbox of this name, if it is on this channel.
    pub fn find(&self, channel: Channel, id: &InboxId) -> Option<&Inbox> {
        self.inboxes.iter().find(|inbox| inbox.channel == channel && inbox.id == *id)
    }

    /// The mail inbox that this address belongs to, plus-tags ignored.
    pub fn by_address(&self, address: &Identifier) -> Option<&Inbox> {
        let (local, domain) = address.value().rsplit_once('@')?;
        let local = local.split_once('+').map_or(local, |(base, _)| base);
        self.inboxes.iter().find(|inbox| {
            let own = inbox.address.as_deref().unwrap_or_default();
            // As it stands in most configurations: normalized, as the address is.
            if own.strip_prefix(local).and_then(|rest| rest.strip_prefix('@')) == Some(domain) {
                return true;
            }
            // Of what is ASCII, normalizing changes nothing's length but at the ends.
            let length = own.trim().trim_end_matches('.').len();
            let may_be = !own.is_ascii() || length == local.len() + "@".len() + domain.len();
            let own = may_be.then(|| Identifier::email(own).ok()).flatten();
            own.is_some_and(|own| own.value().rsplit_once('@') == Some((local, domain)))
        })
    }

    /// Whether the identifier is one of our own addresses, or a telephone number of ours.
    pub fn is_own(&self, identifier: &Identifier) -> bool {
        match identifier.kind() {
            IdentifierKind::Email => self.by_address(identifier).is_some(),
            // As the provider writes the number, which is in international form.
            IdentifierKind::Phone => self.inboxes.iter().any(|inbox| {
                matches!(inbox.channel, Channel::Sms | Channel::Voice)
                    && inbox.account.as_deref() == Some(identifier.value())
            }),
            _ => false,
        }
    }
}

/// Where tickets go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoutingRules {
    /// What messages are about; the first that matches decides.
    #[serde(default)]
    pub intents: Vec<IntentRule>,
    /// Where tickets go that neither a rule nor their inbox sends anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_team: Option<TeamId>,
    /// Share of an agent's capacity that a ticket of a channel takes, in per cent.
    #[serde(default)]
    pub weights: BTreeMap<Channel, u32>,
    /// Weight of the channels that are not named.
    #[serde(default = "default_weight")]
    pub default_weight: u32,
    /// Segments that come first.
    #[serde(default)]
    pub vip_segments: Vec<String>,
}

fn default_weight() -> u32 {
    10
}

impl Default for RoutingRules {
    fn default() -> Self {
        Self {
            intents: Vec::new(),
            default_team: None,
            weights: BTreeMap::new(),
            default_weight: default_weight(),
            vip_segments: Vec::new(),
        }
    }
}

impl RoutingRules {
    /// The share of an agent's capacity that a ticket of this channel takes, in per cent.
    pub fn weight(&self, channel: Channel) -> u32 {
        self.weights.get(&channel).copied().unwrap_or(self.default_weight)
    }
}

/// What a message is about, by its words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IntentRule {
    /// Name of the intent.
    pub intent: String,
    /// Words or phrases, any of which makes it match; compared without case, at word boundaries.
    pub any: Vec<String>,
    /// Only on these channels; none: on all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<Channel>,
    /// Where it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<TeamId>,
    /// Skills that it asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skills: Vec<String>,
    /// Priority that it gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
}

/// Until when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SlaRules {
    /// Policies. The most specific that matches is taken; the earlier of equally specific ones.
    #[serde(default)]
    pub policies: Vec<SlaPolicy>,
    /// Calendars.
    #[serde(default)]
    pub calendars: Vec<Calendar>,
}

/// Promises for a kind of ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SlaPolicy {
    /// Its name.
    pub id: String,
    /// Calendar of its business time.
    pub calendar: String,
    /// Only tickets of these channels; none: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<Channel>,
    /// Only tickets of these priorities; none: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub priorities: Vec<Priority>,
    /// Only customers of these segments; none: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<String>,
    /// The targets.
    pub targets: Vec<Target>,
    /// Statuses in which the clocks stand still.
    #[serde(default = "default_pause_in")]
    pub pause_in: Vec<Status>,
    /// Share of a target after which it warns, in per cent.
    #[serde(default = "default_warn_at_percent")]
    pub warn_at_percent: u8,
}

fn default_pause_in() -> Vec<Status> {
    vec![Status::Pending, Status::OnHold]
}

fn default_warn_at_percent() -> u8 {
    80
}

/// The calendars of the SLA rules by pinned version: what folding a ticket's log needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendars(BTreeMap<CalendarRef, Calendar>);

impl Calendars {
    /// Adds the calendars of a version of the rules.
    pub fn add(&mut self, rules: &Versioned<SlaRules>) {
        for calendar in &rules.body.calendars {
            let reference = CalendarRef { id: calendar.id.clone(), version: rules.version };
            self.0.insert(reference, calendar.clone());
        }
    }

    /// The calendar that a ticket is pinned to.
    pub fn get(&self, reference: &CalendarRef) -> Option<&Calendar> {
        self.0.get(reference)
    }
}

impl From<&Versioned<SlaRules>> for Calendars {
    fn from(rules: &Versioned<SlaRules>) -> Self {
        let mut calendars = Self::default();
        calendars.add(rules);
        calendars
    }
}

impl Versioned<SlaRules> {
    /// The policy for a ticket: the one with the most conditions among those that match, the first of equals.
    pub fn policy_for(&self, channel: Channel, priority: Priority, segment: Option<&str>) -> Option<&SlaPolicy> {
        let allows = |policy: &&SlaPolicy| {
            (policy.channels.is_empty() || policy.channels.contains(&channel))
                && (policy.priorities.is_empty() || policy.priorities.contains(&priority))
                && (policy.segments.is_empty() || segment.is_some_and(|s| policy.segments.iter().any(|p| p == s)))
        };
        let specificity = |policy: &SlaPolicy| {
            usize::from(!policy.segments.is_empty()) * 4
                + usize::from(!policy.channels.is_empty()) * 2
                + usize::from(!policy.priorities.is_empty())
        };
        // `max_by_key` takes the last of equals, so the order is turned round.
        self.body.policies.iter().filter(allows).rev().max_by_key(|policy| specificity(policy))
    }

    /// The policy's name at this version.
    pub fn policy_ref(&self, policy: &SlaPolicy) -> PolicyRef {
        PolicyRef { id: policy.id.clone(), version: self.version }
    }

    /// The policy's calendar at this version.
    pub fn calendar_ref(&self, policy: &SlaPolicy) -> CalendarRef {
        CalendarRef { id: policy.calendar.clone(), version: self.version }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inboxes() -> Inboxes {
        Inboxes {
            inboxes: vec![Inbox {
                id: "support".parse().unwrap(),
                channel: Channel::Email,
                address: Some("Support@Example.com".into()),
                brand: String::new(),
                team: None,
                country: None,
                origins: vec![],
                media_hosts: vec![],
                acknowledgement: None,
                account: None,
            }],
            mail: MailRules::default(),
            budget: Budget::default(),
        }
    }

    #[test]
    fn what_was_never_configured_is_what_an_empty_configuration_says() {
        let config = Config::default();
        assert_eq!(config.routing.body, serde_json::from_str("{}").unwrap());
        assert_eq!(config.sla.body, serde_json::from_str("{}").unwrap());
        assert_eq!(config.ticketing.body, serde_json::from_str("{}").unwrap());
    }

    #[test]
    fn viruses_and_spam_are_refused_as_configured() {
        let verdicts =
            |virus, spam| Authentication { spf: Verdict::Pass, dkim: Verdict::Pass, dmarc: Verdict::Pass, spam, virus };
        let (virus, spam) = (verdicts(Verdict::Fail, Verdict::Pass), verdicts(Verdict::Pass, Verdict::Fail));
        let refuses = |json: &str| {
            let rules: MailRules = serde_json::from_str(json).unwrap();
            [&virus, &spam].map(|found| rules.refuses(found).is_some())
        };
        assert_eq!(refuses("{}"), [true, false]);
        assert_eq!(refuses(r#"{"quarantine_virus": false}"#), [false, false]);
        assert_eq!(refuses(r#"{"quarantine_spam": true}"#), [true, true]);
        let strict = MailRules { quarantine_spam: true, ..MailRules::default() };
        for other in [Verdict::Pass, Verdict::Neutral, Verdict::Unknown] {
            assert_eq!(strict.refuses(&verdicts(other, other)), None, "{other:?}");
        }
    }

    #[test]
    fn own_addresses_are_known_with_any_plus_tag() {
        let own = inboxes();
        for address in ["support@example.com", "SUPPORT+r.abc@example.com"] {
            assert!(own.is_own(&Identifier::email(address).unwrap()), "{address}");
        }
        for address in ["supporter@example.com", "support@example.org", "a+support@example.com"] {
            assert!(!own.is_own(&Identifier::email(address).unwrap()), "{address}");
        }
    }

    #[test]
    fn own_numbers_are_nobodys() {
        let desk = |channel: &str| -> Inboxes {
            serde_json::from_value(serde_json::json!({"inboxes": [
                {"id": "calls", "channel": channel, "account": "+41446681800"}]}))
            .unwrap()
        };
        let phone = |text: &str| Identifier::new(IdentifierKind::Phone, text, None).unwrap();
        assert!(desk("voice").is_own(&phone("+41446681800")) && desk("sms").is_own(&phone("+41446681800")));
        assert!(!desk("voice").is_own(&phone("+41446681801")));
        assert!(!desk("whatsapp").is_own(&phone("+41446681800")), "there an account is no number");
    }

    #[test]
    fn the_most_specific_policy_wins_and_order_breaks_ties() {
        let policy = |id: &str| SlaPolicy {
            id: id.into(),
            calendar: "c".into(),
            channels: vec![],
            priorities: vec![],
            segments: vec![],
            targets: vec![],
            pause_in: vec![],
            warn_at_percent: 80,
        };
        let mut urgent = policy("urgent");
        urgent.priorities = vec![Priority::Urgent];
        let mut vip = policy("vip");
        vip.segments = vec!["vip".into()];
        let body = SlaRules { policies: vec![policy("all"), policy("all_again"), urgent, vip], calendars: vec![] };
        let rules = Versioned { version: 3, body };
        let chosen =
            |priority, segment| rules.policy_for(Channel::Email, priority, segment).map(|policy| policy.id.as_str());
        assert_eq!(chosen(Priority::Normal, None), Some("all"));
        assert_eq!(chosen(Priority::Urgent, None), Some("urgent"));
        assert_eq!(chosen(Priority::Urgent, Some("vip")), Some("vip"));
    }
}
