//! Routing: which team, which agent, and who waits.

use serde_json::{Value, json};
use throughline_tests::{Mail, World, count, event, problem};

/// Tickets of the technical team, whose agents are `liam` and `aiko` in the seed.
fn technical(from: &str) -> Mail {
    Mail::from(from).subject("The app shows an error").text(&format!("An error, says {from}."))
}

async fn waiting(world: &World, team: &str) -> Vec<Value> {
    let queues = world.get("/v1/queues").await;
    let queue = queues["items"].as_array().unwrap().iter().find(|queue| queue["team"] == team).unwrap().clone();
    queue["waiting"].as_array().unwrap().clone()
}

async fn load(world: &World, agent: &str) -> u64 {
    world.get(&format!("/v1/agents/{agent}")).await["load"].as_u64().unwrap()
}

fn path(ticket: &Value, rest: &str) -> String {
    format!("/v1/tickets/{}/{rest}", ticket["id"].as_str().unwrap())
}

#[tokio::test]
async fn the_intent_gives_the_team_and_the_priority() {
    let world = World::start().await;
    for (text, intent, team, priority) in [
        ("I want my money back", "refund", "billing", "high"),
        ("The site is down since noon", "outage", "technical", "urgent"),
        ("I was charged twice", "invoice", "billing", "normal"),
        ("The app crashes", "bug", "technical", "normal"),
    ] {
        let mail = Mail::from(&format!("{intent}@example.org")).subject("Hello").text(text);
        let ticket = world.ticket_by_mail(&mail).await;
        let found = (&ticket["intent"], &ticket["team"], &ticket["priority"]);
        assert_eq!(found, (&intent.into(), &team.into(), &priority.into()), "{text}");
    }
    let plain = world.ticket_by_mail(&Mail::from("anna@example.org").to("billing@example.com").subject("Hello")).await;
    assert_eq!((&plain["intent"], &plain["team"]), (&Value::Null, &"billing".into()), "by its inbox");
    world.finish().await;
}

#[tokio::test]
async fn the_least_loaded_agent_gets_the_ticket() {
    let world = World::start().await;
    for i in 0..6 {
        world.ticket_by_mail(&technical(&format!("person-{i}@example.org"))).await;
    }
    assert_eq!((load(&world, "liam").await, load(&world, "aiko").await), (30, 30));
    world.finish().await;
}

#[tokio::test]
async fn a_burst_never_overbooks_anybody_and_the_rest_waits() {
    let world = World::start().await;
    world.put_agent("liam", &["technical"], 30).await;
    world.put_agent("aiko", &["technical"], 30).await;
    let mails: Vec<Mail> = (0..10).map(|i| technical(&format!("person-{i}@example.org"))).collect();
    futures::future::join_all(mails.iter().map(|mail| world.mail(mail))).await;
    world.settled().await;
    assert_eq!((load(&world, "liam").await, load(&world, "aiko").await), (30, 30));
    assert_eq!(waiting(&world, "technical").await.len(), 4);
    world.finish().await;
}

#[tokio::test]
async fn resolving_one_pulls_the_first_in_line() {
    let world = World::start().await;
    world.put_agent("liam", &["technical"], 10).await;
    world.presence("aiko", "away").await;
    let held = world.ticket_by_mail(&technical("first@example.org")).await;
    assert_eq!(held["assignee"], "liam");
    let second = world.ticket_by_mail(&technical("second@example.org")).await;
    let third = world.ticket_by_mail(&technical("third@example.org")).await;
    assert_eq!((&second["assignee"], &second["status"]), (&Value::Null, &"new".into()));
    assert_eq!(waiting(&world, "technical").await, [second["id"].clone(), third["id"].clone()]);
    let timeline = world.timeline(&second).await;
    assert_eq!(event(&timeline, "team_changed")["decision"]["rule"], "nobody_free");

    world.post(&path(&held, "status"), &json!({"status": "resolved"})).await;
    world.settled().await;
    assert_eq!(world.ticket(second["id"].as_str().unwrap()).await["assignee"], "liam");
    assert_eq!(waiting(&world, "technical").await, [third["id"].clone()]);
    assert_eq!(load(&world, "liam").await, 10);
    world.finish().await;
}

#[tokio::test]
async fn the_urgent_one_is_pulled_before_who_waits_longer() {
    let world = World::start().await;
    world.put_agent("liam", &["technical"], 10).await;
    world.presence("aiko", "away").await;
    let held = world.ticket_by_mail(&technical("first@example.org")).await;
    let normal = world.ticket_by_mail(&technical("second@example.org")).await;
    let urgent = world.ticket_by_mail(&Mail::from("third@example.org").text("Everything is down")).await;
    assert_eq!(waiting(&world, "technical").await, [urgent["id"].clone(), normal["id"].clone()]);
    world.post(&path(&held, "status"), &json!({"status": "resolved"})).await;
    world.settled().await;
    assert_eq!(world.ticket(urgent["id"].as_str().unwrap()).await["assignee"], "liam");
    world.finish().await;
}

#[tokio::test]
async fn who_is_away_gets_nothing_and_who_comes_back_pulls() {
    let world = World::start().await;
    world.presence("liam", "away").await;
    world.presence("aiko", "busy").await;
    let ticket = world.ticket_by_mail(&technical("anna@example.org")).await;
    assert_eq!((&ticket["assignee"], &ticket["team"]), (&Value::Null, &"technical".into()));
    world.presence("aiko", "available").await;
    world.settled().await;
    let ticket = world.ticket(ticket["id"].as_str().unwrap()).await;
    assert_eq!((&ticket["assignee"], &ticket["status"]), (&"aiko".into(), &"open".into()));
    assert!(waiting(&world, "technical").await.is_empty());
    world.finish().await;
}

#[tokio::test]
async fn assignment_by_hand_beyond_capacity_is_refused() {
    let world = World::start().await;
    world.put_agent("liam", &["technical"], 10).await;
    world.presence("aiko", "away").await;
    world.ticket_by_mail(&technical("first@example.org")).await;
    let second = world.ticket_by_mail(&technical("second@example.org")).await;
    let answer = world.lead.post(&path(&second, "assignment"), &json!({"assignee": "liam"})).await.unwrap();
    problem(&answer, 409);
    let unknown = world.lead.post(&path(&second, "assignment"), &json!({"assignee": "nobody"})).await.unwrap();
    assert_eq!(problem(&unknown, 422)["errors"][0]["pointer"], "/assignee");
    // To whom has room, whatever their presence or team: people know what they do.
    let done = world.post(&path(&second, "assignment"), &json!({"assignee": "mia"})).await;
    assert_eq!((&done["ticket"]["assignee"], &done["ticket"]["status"]), (&"mia".into(), &"open".into()));
    assert!(waiting(&world, "technical").await.is_empty());
    world.finish().await;
}

#[tokio::test]
async fn two_at_once_cannot_take_the_last_room() {
    let world = World::start().await;
    world.put_agent("liam", &["technical"], 10).await;
    world.presence("liam", "away").await;
    world.presence("aiko", "away").await;
    let mut tickets = Vec::new();
    for i in 0..6 {
        tickets.push(world.ticket_by_mail(&technical(&format!("person-{i}@example.org"))).await);
    }
    let body = json!({"assignee": "liam"});
    let paths: Vec<String> = tickets.iter().map(|ticket| path(ticket, "assignment")).collect();
    let answers = futures::future::join_all(paths.iter().map(|path| world.lead.post(path, &body))).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.as_ref().unwrap().status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 409].contains(status)), "{statuses:?}");
    world.finish().await;
}

#[tokio::test]
async fn assignment_to_a_team_routes_anew() {
    let world = World::start().await;
    let ticket = world.ticket_by_mail(&technical("anna@example.org")).await;
    let had = ticket["assignee"].as_str().unwrap().to_owned();
    world.post(&path(&ticket, "assignment"), &json!({"team": "billing"})).await;
    world.settled().await;
    let ticket = world.ticket(ticket["id"].as_str().unwrap()).await;
    assert_eq!(ticket["team"], "billing");
    assert!(["jonas", "sofia"].contains(&ticket["assignee"].as_str().unwrap()), "{ticket}");
    assert_eq!(load(&world, &had).await, 0);
    let unknown = world.agent.post(&path(&ticket, "assignment"), &json!({"team": "cooks"})).await.unwrap();
    assert_eq!(problem(&unknown, 422)["errors"][0]["pointer"], "/team");
    world.finish().await;
}

#[tokio::test]
async fn the_next_one_is_asked_for() {
    let world = World::start().await;
    let ticket = world.ticket_by_mail(&technical("anna@example.org")).await;
    let had = ticket["assignee"].clone();
    world.presence(had.as_str().unwrap(), "away").await;
    world.post(&path(&ticket, "assignment"), &json!({"next": true})).await;
    world.settled().await;
    let ticket = world.ticket(ticket["id"].as_str().unwrap()).await;
    assert!(ticket["assignee"].is_string() && ticket["assignee"] != had, "{ticket}");
    assert_eq!(count(&world.timeline(&ticket).await, "assigned"), 2);
    world.finish().await;
}

#[tokio::test]
async fn a_big_ticket_in_line_does_not_keep_small_ones_waiting() {
    let world = World::start().await;
    world.put_agent("liam", &["technical"], 20).await;
    world.presence("aiko", "away").await;
    let first = world.ticket_by_mail(&technical("first@example.org")).await;
    let second = world.ticket_by_mail(&technical("second@example.org")).await;
    assert_eq!((&first["assignee"], &second["assignee"]), (&"liam".into(), &"liam".into()));
    // A chat takes 30 %, more than Liam ever has.
    let chat = world.chat(&json!({})).await;
    chat.say(&world, "1", "The app shows an error").await;
    world.settled().await;
    let small = world.ticket_by_mail(&technical("third@example.org")).await;
    assert!(small["assignee"].is_null());
    world.post(&path(&first, "status"), &json!({"status": "resolved"})).await;
    world.settled().await;
    assert_eq!(world.ticket(small["id"].as_str().unwrap()).await["assignee"], "liam");
    assert_eq!(waiting(&world, "technical").await.len(), 1);
    // With more room, the chat is not forgotten.
    world.put_agent("liam", &["technical"], 100).await;
    world.settled().await;
    assert!(waiting(&world, "technical").await.is_empty());
    world.finish().await;
}

#[tokio::test]
async fn a_large_team_is_filled_to_the_last_place_and_nobody_beyond_theirs() {
    let world = World::start().await;
    for agent in ["mia", "jonas", "chloe"] {
        world.presence(agent, "away").await;
    }
    const AGENTS: usize = 40;
    for number in 0..AGENTS {
        let id = format!("agent-{number}");
        world.put_agent(&id, &["support"], 10).await;
        world.presence(&id, "available").await;
    }
    for number in 0..AGENTS + 5 {
        world.mail(&Mail::from(&format!("customer-{number}@example.org"))).await;
    }
    world.settled().await;
    for number in 0..AGENTS {
        assert_eq!(load(&world, &format!("agent-{number}")).await, 10);
    }
    assert_eq!(waiting(&world, "support").await.len(), 5);
    world.finish().await;
}
