//! Tests of the team, the funnel and the choice.

use super::*;
use crate::agent::Presence;
use crate::channel::Channel;
use crate::testing::{Log, MINUTE, created, customer, noon};
use crate::ticket::Ticket;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn rules() -> Versioned<RoutingRules> {
    let body = r#"{"intents": [{"intent": "refund", "any": ["refund"], "team": "billing", "skills": ["refunds", "sap"]},
            {"intent": "praise", "any": ["thanks"]}],
        "default_team": "general", "weights": {"web_chat": 30}, "vip_segments": ["gold"]}"#;
    Versioned { version: 4, body: serde_json::from_str(body).unwrap() }
}

fn head(n: u128) -> TicketHead {
    Log::opened(n, created(n, customer(1)), noon()).now().head
}

fn name(text: &str) -> TeamId {
    text.parse().unwrap()
}

/// An available agent with this much load of 100 and these skills.
fn agent(id: &str, load: u32, skills: &[&str]) -> Agent {
    Agent {
        id: id.parse().unwrap(),
        name: id.to_owned(),
        teams: vec![name("general")],
        skills: skills.iter().map(|skill| (*skill).to_owned()).collect(),
        presence: Presence::Available,
        capacity: 100,
        load,
        last_assigned_at: None,
    }
}

fn decide(head: &TicketHead, agents: &[Agent]) -> Route {
    route(&Question { head, inbox_team: None, rules: &rules(), agents })
}

fn chosen(head: &TicketHead, agents: &[Agent]) -> Option<String> {
    decide(head, agents).agent.map(|agent| agent.to_string())
}

#[test]
fn the_team_is_the_ticket_s_the_intent_s_the_inbox_s_or_the_default() {
    let found = |held: Option<&str>, intent: Option<&str>, inbox: Option<&str>| {
        let mut head = head(1);
        (head.team, head.intent) = (held.map(name), intent.map(str::to_owned));
        let (team, decision) = team(&head, inbox.map(name).as_ref(), &rules()).unwrap();
        assert_eq!(decision.config_version, Some(4));
        (team.to_string(), decision.rule)
    };
    let expect = |team: &str, rule: &str| (team.to_owned(), rule.to_owned());
    assert_eq!(found(Some("own"), Some("refund"), Some("mail")), expect("own", "team_kept"));
    assert_eq!(found(None, Some("refund"), Some("mail")), expect("billing", "intent"));
    assert_eq!(found(None, Some("praise"), Some("mail")), expect("mail", "inbox_team"), "an intent without a team");
    assert_eq!(found(None, Some("unheard of"), None), expect("general", "default_team"));
    let mut nowhere = rules();
    nowhere.body.default_team = None;
    assert_eq!(team(&head(1), None, &nowhere), None);
}

#[test]
fn the_layers_narrow_in_their_order() {
    let mut head = head(1);
    head.segment = Some("gold".to_owned());
    head.priority = Priority::Urgent;
    head.intent = Some("refund".to_owned());
    head.language = Some("DE-at".to_owned());
    let all = ["vip", "urgent", "refunds", "sap", "lang:de"];
    // Each has one layer more than the one before, and more load.
    let mut agents: Vec<Agent> =
        (0..=5).map(|n| agent(&format!("a{n}"), 10 * n, &all[..[0, 1, 2, 4, 4, 5][n as usize]])).collect();
    agents[4].skills[3] = "cobol".to_owned();
    let route = decide(&head, &agents);
    assert_eq!(route.agent, Some("a5".parse().unwrap()));
    let because = route.decision.because;
    assert_eq!(
        because,
        "6 in the team, 6 present with room for 10 %, 5 with vip, 4 with urgent, 2 with skills refunds and sap, \
         1 with lang:de, a5 is the least loaded"
    );
    // The earlier layer wins: who serves VIP without the language goes before who only speaks it.
    let agents = [agent("speaks", 0, &["lang:de", "urgent", "refunds", "sap"]), agent("serves", 50, &["vip"])];
    assert_eq!(chosen(&head, &agents).as_deref(), Some("serves"));
}

#[test]
fn a_layer_that_would_leave_nobody_is_skipped_and_says_so() {
    let mut head = head(1);
    head.segment = Some("gold".to_owned());
    head.language = Some("de".to_owned());
    let route = decide(&head, &[agent("ann", 0, &[]), agent("bob", 0, &["lang:de"])]);
    assert_eq!(route.agent, Some("bob".parse().unwrap()));
    assert!(route.decision.because.contains("vip would leave nobody and is skipped, 1 with lang:de"), "{route:?}");
    // Nothing is asked for that the ticket does not ask for.
    head.segment = Some("silver".to_owned());
    head.language = None;
    let because = decide(&head, &[agent("ann", 0, &[])]).decision.because;
    assert_eq!(because, "1 in the team, 1 present with room for 10 %, ann is the least loaded");
}

#[test]
fn capacity_and_presence_are_never_stretched() {
    let mut head = head(1);
    assert_eq!(chosen(&head, &[agent("ann", 90, &[])]).as_deref(), Some("ann"), "exactly full afterwards");
    assert_eq!(chosen(&head, &[agent("ann", 91, &[])]), None);
    head.channel = Channel::WebChat;
    assert_eq!(chosen(&head, &[agent("ann", 71, &[])]), None, "a chat takes 30 %");
    assert_eq!(decide(&head, &[]).weight, 30);
    for presence in [Presence::Busy, Presence::Away] {
        assert_eq!(chosen(&head, &[Agent { presence, ..agent("ann", 0, &[]) }]), None);
    }
    let huge = Agent { load: u32::MAX - 40, capacity: u32::MAX, ..agent("ann", 0, &[]) };
    assert_eq!(chosen(&head, &[huge]).as_deref(), Some("ann"));
}

#[test]
fn whom_it_should_go_back_to_goes_before_the_least_loaded() {
    let mut head = head(1);
    head.preferred_agent = Some("bob".parse().unwrap());
    let agents = [agent("ann", 0, &[]), agent("bob", 80, &[])];
    assert_eq!(decide(&head, &agents).decision.rule, "preferred_agent");
    assert_eq!(chosen(&head, &agents).as_deref(), Some("bob"));
    assert_eq!(chosen(&head, &[agent("ann", 0, &[]), agent("bob", 95, &[])]).as_deref(), Some("ann"), "no room");
    // Not past the layers.
    head.language = Some("de".to_owned());
    assert_eq!(chosen(&head, &[agent("ann", 0, &["lang:de"]), agent("bob", 0, &[])]).as_deref(), Some("ann"));
}

#[test]
fn the_least_loaded_and_among_near_equals_who_waits_longest() {
    let worked = |id: &str, load, minutes: i64| Agent {
        last_assigned_at: Some(noon().plus_ms(minutes * MINUTE)),
        ..agent(id, load, &[])
    };
    let head = head(1);
    assert_eq!(chosen(&head, &[worked("ann", 40, 0), worked("bob", 30, 9)]).as_deref(), Some("bob"));
    assert_eq!(chosen(&head, &[worked("ann", 33, 0), worked("bob", 30, 9)]).as_deref(), Some("ann"));
    assert_eq!(chosen(&head, &[worked("ann", 33, 0), agent("bob", 34, &[])]).as_deref(), Some("bob"), "never had any");
    // Load counts as a share of what somebody takes.
    let half = Agent { capacity: 50, ..worked("ann", 20, 0) };
    assert_eq!(chosen(&head, &[half, worked("bob", 30, 9)]).as_deref(), Some("bob"));
}

#[test]
fn a_burst_is_spread_and_each_ticket_is_decided_alike() {
    let agents: Vec<Agent> = (0..4).map(|n| agent(&format!("a{n}"), 0, &[])).collect();
    let mut turned = agents.clone();
    turned.reverse();
    let mut hit = BTreeSet::new();
    for n in 0..40 {
        let chosen = chosen(&head(n), &agents).unwrap();
        assert_eq!(self::chosen(&head(n), &turned).as_ref(), Some(&chosen), "the order of reading does not matter");
        hit.insert(chosen);
    }
    assert_eq!(hit.len(), 4);
}

#[test]
fn the_best_candidates_are_named_first() {
    let agents: Vec<Agent> = (0..15).map(|n| agent(&format!("a{n}"), 80 - 5 * n, &[])).collect();
    let decision = decide(&head(1), &agents).decision;
    assert_eq!((decision.candidates.len(), decision.considered), (10, Some(15)));
    assert_eq!((decision.candidates[0].id.as_str(), decision.candidates[0].why.as_str()), ("a14", "10 of 100 % taken"));
}

/// What a route of a ticket to the team `general` changes.
fn changed(head: &TicketHead, agents: &[Agent]) -> Vec<EventData> {
    let because = Decision::new("default_team", "test");
    changes(head, &name("general"), because, &decide(head, agents)).data().cloned().collect()
}

#[test]
fn a_ticket_that_nobody_can_take_waits_and_is_told_so_once() {
    let ticket = head(1);
    let waits = changed(&ticket, &[]);
    let expected = TeamChanged { from: None, to: name("general"), waiting: true };
    assert_eq!(waits, [EventData::TeamChanged(expected)]);
    assert_eq!(decide(&ticket, &[agent("ann", 100, &[])]).decision.rule, "nobody_free");

    let log = Log::opened(1, created(1, customer(1)), noon()).then(noon(), waits);
    let Ticket { head, .. } = log.clone().now();
    assert_eq!(changed(&head, &[agent("ann", 100, &[])]), [], "it waits already");
    assert!(is_wanted(&head));
    let Ticket { head, .. } = log.then(noon(), changed(&head, &[agent("ann", 0, &[])])).now();
    assert_eq!((head.assignee.map(|agent| agent.to_string()), head.waiting_since), (Some("ann".to_owned()), None));
}

#[test]
fn an_assignment_opens_a_new_ticket_and_only_that() {
    let ann = [agent("ann", 0, &[])];
    let mut head = head(1);
    let kinds = |head: &TicketHead| -> Vec<String> {
        let kind = |data| serde_json::to_value(data).unwrap()["kind"].as_str().unwrap().to_owned();
        changed(head, &ann).iter().map(kind).collect()
    };
    assert_eq!(kinds(&head), ["team_changed", "assigned", "status_changed"]);
    head.team = Some(name("general"));
    head.status = Status::Open;
    assert_eq!(kinds(&head), ["assigned"]);
    head.team = Some(name("billing"));
    assert_eq!(kinds(&head), ["team_changed", "assigned"]);
}

#[test]
fn only_a_live_ticket_without_agent_is_wanted() {
    let ticket = head(1);
    assert!(is_wanted(&ticket));
    assert!(!is_wanted(&TicketHead { status: Status::Resolved, ..ticket.clone() }));
    assert!(!is_wanted(&TicketHead { assignee: Some("ann".parse().unwrap()), ..ticket.clone() }));
    assert!(!is_wanted(&TicketHead { unrouted_since: None, ..ticket.clone() }));
    assert!(is_wanted(&TicketHead { unrouted_since: None, waiting_since: Some(noon()), ..ticket }));
}

fn any_agent() -> impl Strategy<Value = Agent> {
    let skills = prop::sample::subsequence(vec!["vip", "urgent", "refunds", "sap", "lang:de"], 0..=5);
    let presence = prop::sample::select(vec![Presence::Available, Presence::Busy, Presence::Away]);
    let load = prop_oneof![0_u32..120, any::<u32>()];
    (0_u8..20, load, prop_oneof![0_u32..120, any::<u32>()], skills, presence, prop::option::of(0_i64..9)).prop_map(
        |(n, load, capacity, skills, presence, last)| Agent {
            presence,
            capacity,
            last_assigned_at: last.map(|last| noon().plus_ms(last)),
            ..agent(&format!("a{n}"), load, &skills)
        },
    )
}

proptest! {
    #[test]
    fn who_is_chosen_has_room_and_somebody_is_chosen_if_anybody_has(
        agents in prop::collection::vec(any_agent(), 0..15),
        (vip, urgent, refund, german, chat) in any::<(bool, bool, bool, bool, bool)>(),
        preferred in prop::option::of(0_u8..20),
    ) {
        let mut head = head(1);
        head.segment = vip.then(|| "gold".to_owned());
        head.priority = if urgent { Priority::Urgent } else { Priority::Low };
        head.intent = refund.then(|| "refund".to_owned());
        head.language = german.then(|| "de".to_owned());
        head.channel = if chat { Channel::WebChat } else { Channel::Email };
        head.preferred_agent = preferred.map(|n| format!("a{n}").parse().unwrap());
        let route = decide(&head, &agents);
        let able = |agent: &&Agent| agent.has_room(route.weight);
        prop_assert_eq!(route.agent.is_some(), agents.iter().any(|agent| able(&agent)));
        if let Some(id) = &route.agent {
            prop_assert!(agents.iter().filter(able).any(|agent| agent.id == *id));
            let named = route.decision.candidates.first().map(|candidate| candidate.id.clone());
            prop_assert_eq!(named, Some(id.to_string()));
        }
        prop_assert!(serde_json::to_string(&route.decision).unwrap().len() <= 1_800);
    }
}

#[test]
fn whom_a_large_team_chooses_is_on_its_shortlist() {
    let mut head = head(1);
    let skills = ["vip", "lang:de", "refunds"];
    let agents: Vec<Agent> = (0..40u32)
        .map(|number| agent(&format!("a{number}"), number * 7 % 100, &skills[..(number % 4).min(3) as usize]))
        .collect();
    for preferred in [None, Some("a3"), Some("gone")] {
        head.preferred_agent = preferred.map(|id| id.parse().unwrap());
        let question = Question { head: &head, inbox_team: None, rules: &rules(), agents: &agents };
        let list = shortlist(&question, 5);
        assert_eq!(list.len(), 5);
        assert!(list.contains(&route(&question).agent.unwrap()), "{list:?}");
        assert!(preferred.is_none_or(|id| list[0].as_str() == id), "who had it before is looked at, too");
    }
}
