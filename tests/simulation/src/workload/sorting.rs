//! The agent who says which tickets are one matter and which customers are one person, and sometimes that they are not
//! after all, while messages of all of them are under way.

use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use throughline_domain::cluster::pair;
use throughline_domain::id::{CustomerId, TicketId};

use super::desk::{AGENTS, FUNCTION, bearer};
use super::{AGAIN_MS_MAX, pause, post, until_answered};
use crate::cloud::Cloud;
use crate::random::Random;

/// Does their work.
pub(crate) async fn work(cloud: &Cloud) {
    let sorter = Sorter { cloud, random: Random::of(cloud.plan.seed, "sorting") };
    for _ in 0..cloud.plan.sorting_actions {
        pause(cloud, &sorter.random).await;
        let tickets = cloud.memory().tickets.clone();
        if tickets.is_empty() {
            continue;
        }
        let ticket = *sorter.random.pick(&tickets);
        let other = *sorter.random.pick(&tickets);
        match sorter.random.below(10) {
            0..=4 => sorter.merge(ticket, other).await,
            5 => sorter.unmerge(ticket).await,
            6 | 7 => sorter.link(ticket, other).await,
            _ => sorter.unlink(None).await,
        }
    }
}

struct Sorter<'a> {
    cloud: &'a Cloud,
    random: Random,
}

impl Sorter<'_> {
    /// Merges a ticket into another open one of its customer, or else into that other one; perhaps undoes it.
    async fn merge(&self, ticket: TicketId, other: TicketId) {
        let Some(customer) = self.customer_of(ticket).await else { return };
        let view = self.get(&format!("/v1/customers/{customer}")).await.unwrap_or_default();
        let open = view["open_tickets"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let own: Vec<&str> = open.filter(|open| *open != ticket.to_string()).collect();
        let (role, body) = if !own.is_empty() {
            ("agent", json!({"into": *self.random.pick(&own), "because": "one matter"}))
        } else if self.random.chance(300) {
            ("lead", json!({"into": other, "across_customers": true, "add_requester": self.random.chance(500)}))
        } else {
            // Mostly somebody else's, or done, or merged: it is refused.
            ("agent", json!({"into": other}))
        };
        let merged = self.command(role, &format!("/v1/tickets/{ticket}/merge"), &body).await;
        if merged.is_none_or(|status| status.is_success()) && self.random.chance(500) {
            self.wait().await;
            self.unmerge(ticket).await;
        }
    }

    async fn unmerge(&self, ticket: TicketId) {
        self.command("agent", &format!("/v1/tickets/{ticket}/unmerge"), &json!({"because": "not one"})).await;
    }

    /// Links the customers of two tickets, who may be one person or not; perhaps takes them apart.
    async fn link(&self, ticket: TicketId, other: TicketId) {
        let (Some(one), Some(other)) = (self.customer_of(ticket).await, self.customer_of(other).await) else { return };
        if one == other {
            return;
        }
        let since = self.cloud.now();
        self.cloud.memory().joins(pair(one, other), since);
        let body = json!({"customer_id": other, "because": "they said so"});
        let answer = self.command("agent", &format!("/v1/customers/{one}/link"), &body).await;
        if answer.is_some_and(|status| status.is_client_error()) {
            self.cloud.memory().not_joined(pair(one, other), since);
        }
        if self.random.chance(500) {
            self.wait().await;
            self.unlink(Some([one, other])).await;
        }
    }

    /// Takes two customers apart: these, or any whom somebody linked.
    async fn unlink(&self, wanted: Option<[CustomerId; 2]>) {
        let joined: Vec<[CustomerId; 2]> = self.cloud.memory().joined.iter().map(|joined| joined.pair).collect();
        if joined.is_empty() {
            return;
        }
        let [one, other] = wanted.unwrap_or_else(|| *self.random.pick(&joined));
        let path = format!("/v1/customers/{one}/unlink");
        let answer = self.command("agent", &path, &json!({"customer_id": other})).await;
        let now = self.cloud.now();
        let mut memory = self.cloud.memory();
        match answer {
            Some(status) if status.is_success() => memory.parted(pair(one, other), now),
            Some(status) if status.is_client_error() => {}
            _ => memory.half_parted = true,
        }
    }

    async fn wait(&self) {
        tokio::time::sleep(Duration::from_millis(self.random.below(AGAIN_MS_MAX))).await;
    }

    async fn customer_of(&self, ticket: TicketId) -> Option<CustomerId> {
        self.get(&format!("/v1/tickets/{ticket}")).await?["customer_id"].as_str()?.parse().ok()
    }

    async fn get(&self, path: &str) -> Option<Value> {
        let authorization = bearer(self.cloud, AGENTS[0], "agent");
        let request = || {
            let request = Request::get(path).header("authorization", &authorization);
            request.body(Body::empty()).expect("a request")
        };
        let answer = until_answered(self.cloud, &self.random, FUNCTION, request).await;
        answer.filter(|(status, _)| status.is_success()).map(|(_, body)| body)
    }

    /// What a command is answered; nothing when it never is.
    async fn command(&self, role: &str, path: &str, body: &Value) -> Option<StatusCode> {
        let name = if role == "lead" { "lena" } else { *self.random.pick(&AGENTS) };
        let authorization = bearer(self.cloud, name, role);
        let (body, key) = (body.to_string(), self.random.name());
        let headers = [("authorization", authorization.as_str()), ("idempotency-key", key.as_str())];
        self.cloud.trace.line("sorting", format_args!("{path} {body}"));
        let answer = until_answered(self.cloud, &self.random, FUNCTION, || post(path, &headers, &body)).await;
        answer.map(|(status, _)| status)
    }
}
