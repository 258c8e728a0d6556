//! The agents: they come and go, answer, note, resolve, hand over, and send through again what is in quarantine.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};
use throughline_domain::id::TicketId;
use throughline_local::token;

use super::{pause, post, until_answered};
use crate::cloud::Cloud;
use crate::random::Random;

pub(super) const FUNCTION: &str = "serve-api";
/// How long after the beginning of a check somebody acts at the same time, in milliseconds.
const WITH_CHECK_MS_MAX: u64 = 150;
/// The agents of the business.
pub(super) const AGENTS: [&str; 3] = ["mia", "jonas", "sofia"];
/// Presences; mostly they work.
const PRESENCES: [&str; 4] = ["available", "available", "busy", "away"];

/// Does the agents' work.
pub(crate) async fn work(cloud: &Cloud) {
    let random = Random::of(cloud.plan.seed, "desk");
    for _ in 0..cloud.plan.desk_actions {
        // Often just when the breach check looks at the tickets, too.
        let checks = cloud.checks.notified();
        tokio::select! {
            biased;
            () = checks => tokio::time::sleep(Duration::from_millis(random.below(WITH_CHECK_MS_MAX))).await,
            () = pause(cloud, &random) => {}
        }
        let tickets = cloud.memory().tickets.clone();
        match random.below(10) {
            0 | 1 => presence(cloud, &random, random.pick::<&str>(&AGENTS), random.pick::<&str>(&PRESENCES)).await,
            2 => retry_quarantined(cloud, &random).await,
            _ if tickets.is_empty() => {}
            _ => command(cloud, &random, *random.pick(&tickets)).await,
        }
    }
}

pub(super) fn bearer(cloud: &Cloud, name: &str, role: &str) -> String {
    let token = token::issue(&cloud.business.oidc, name, role, cloud.now()).expect("the issuer's key");
    format!("Bearer {token}")
}

async fn presence(cloud: &Cloud, random: &Random, agent: &str, status: &str) {
    let authorization = bearer(cloud, "lena", "lead");
    let path = format!("/v1/agents/{agent}/presence");
    let body = json!({"status": status}).to_string();
    cloud.trace.line("desk", format_args!("{agent} is {status}"));
    let headers = [("authorization", authorization.as_str())];
    let _whatever = until_answered(cloud, random, FUNCTION, || post(&path, &headers, &body)).await;
}

async fn command(cloud: &Cloud, random: &Random, ticket: TicketId) {
    let statuses = ["open", "pending", "on_hold", "resolved", "closed"];
    let status = *random.pick(&statuses);
    let (verb, body, mark): (_, Value, _) = match random.below(9) {
        0..=3 => {
            let mark = cloud.memory().writes();
            let text = format!("{mark} we look into it");
            let then = if random.chance(400) { json!(status) } else { json!(null) };
            ("replies", json!({"text": text, "then_status": then}), Some(mark))
        }
        4 => {
            let mark = cloud.memory().writes();
            ("notes", json!({"text": format!("{mark} a note")}), Some(mark))
        }
        5 | 6 => ("status", json!({"status": status}), None),
        7 => ("priority", json!({"priority": *random.pick(&["urgent", "high", "low"])}), None),
        _ => match random.below(3) {
            0 => ("assignment", json!({"assignee": *random.pick(&AGENTS)}), None),
            1 => ("assignment", json!({"team": *random.pick(&["support", "billing"])}), None),
            _ => ("assignment", json!({"next": true}), None),
        },
    };
    let authorization = bearer(cloud, random.pick::<&str>(&AGENTS), "agent");
    let (path, body, key) = (format!("/v1/tickets/{ticket}/{verb}"), body.to_string(), random.name());
    let headers = [("authorization", authorization.as_str()), ("idempotency-key", key.as_str())];
    cloud.trace.line("desk", format_args!("{ticket} {verb} {body}"));
    let answer = until_answered(cloud, random, FUNCTION, || post(&path, &headers, &body)).await;
    if let (Some(mark), Some((status, _))) = (mark, answer)
        && status.is_success()
    {
        cloud.memory().written(&mark);
    }
}

async fn retry_quarantined(cloud: &Cloud, random: &Random) {
    let authorization = bearer(cloud, "lena", "lead");
    let list = || {
        let request = Request::get("/v1/quarantine").header("authorization", &authorization);
        request.body(Body::empty()).expect("a request")
    };
    let Some((_, list)) = until_answered(cloud, random, FUNCTION, list).await else { return };
    let records = list["items"].as_array().cloned().unwrap_or_default();
    let Some(id) = records.iter().find(|record| record["can_retry"] == true).and_then(|record| record["id"].as_str())
    else {
        return;
    };
    cloud.trace.line("desk", format_args!("sends {id} through again"));
    let path = format!("/v1/quarantine/{id}/retry");
    let headers = [("authorization", authorization.as_str())];
    let _whatever = until_answered(cloud, random, FUNCTION, || post(&path, &headers, "")).await;
}
