//! The agents' side of the demo: the interface, and waiting for what is expected there.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use throughline_domain::moment::Moment;
use throughline_local::client::Client;
use throughline_local::{Seed, token};
use tokio::time::Instant;

use super::progress::Progress;
use super::time::{HOUR_MS, Time};
use super::{items, text};

/// Longest wait for the effect of a step.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often is looked.
const LOOK_EVERY: Duration = Duration::from_millis(60);
/// After this long the waiting is shown with its seconds.
const SHOWN_AFTER: Duration = Duration::from_secs(1);
/// How long nothing must happen where nothing is expected to.
const QUIET: Duration = Duration::from_secs(1);

/// A recorded message: the ticket that it is on, and its event there.
pub(super) struct Recorded {
    pub(super) ticket: Value,
    pub(super) event: Value,
}

impl Recorded {
    /// Id of the ticket.
    pub(super) fn ticket_id(&self) -> &str {
        text(&self.ticket, "/id")
    }

    /// Public name of the ticket.
    pub(super) fn reference(&self) -> &str {
        text(&self.ticket, "/reference")
    }

    /// Who wrote it.
    pub(super) fn customer_id(&self) -> &str {
        text(&self.event, "/data/customer_id")
    }
}

/// The agents' desk.
pub(super) struct Desk {
    /// Without a token: what visitors and shops use.
    pub(super) outside: Client,
    /// With an agent's token.
    pub(super) inside: Client,
    /// Where mail goes in.
    pub(super) smtp: SocketAddr,
    /// What is shown.
    pub(super) progress: Progress,
    /// Tickets that the day made, in their order.
    pub(super) tickets: Vec<String>,
    /// What time it is.
    pub(super) time: Time,
    seed: Seed,
}

impl Desk {
    pub(super) fn new(http: SocketAddr, smtp: SocketAddr, seed: &Seed, time: Time) -> anyhow::Result<Self> {
        let outside = Client::new(http);
        let inside = signed_in(&outside, seed, &time)?;
        let (progress, tickets, seed) = (Progress::new(), Vec::new(), seed.clone());
        Ok(Self { outside, inside, smtp, progress, tickets, time, seed })
    }

    /// Now.
    pub(super) fn now(&self) -> Moment {
        self.time.now()
    }

    /// Hours pass, where the demo keeps the time, and it says so; the agent signs in anew.
    pub(super) fn later(&mut self, hours: i64, what: &str) -> anyhow::Result<()> {
        if self.time.pass(hours * HOUR_MS) {
            println!("     {what}");
            self.inside = signed_in(&self.outside, &self.seed, &self.time)?;
        }
        Ok(())
    }

    /// Looks until there is what is expected, for as long as the patience lasts.
    pub(super) async fn wait<T>(
        &self,
        what: &str,
        mut look: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        let began = Instant::now();
        let mut shown = 0;
        loop {
            if let Some(found) = look().await? {
                return Ok(found);
            }
            let waited = began.elapsed();
            if waited > PATIENCE {
                bail!("waited {} s for {what}", PATIENCE.as_secs());
            }
            if waited > SHOWN_AFTER && waited.as_secs() > shown {
                shown = waited.as_secs();
                self.progress.waiting(&format!("waiting for {what} ({shown} s)"));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Looks for a while that nothing happens.
    pub(super) async fn quiet(
        &self,
        what: &str,
        mut look: impl AsyncFnMut() -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        self.progress.waiting(&format!("watching that {what}"));
        let began = Instant::now();
        while began.elapsed() < QUIET {
            ensure!(look().await?, "it was expected that {what}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Reads something; an error when it is refused.
    pub(super) async fn read(&self, path: &str) -> anyhow::Result<Value> {
        self.inside.get(path).await?.ok().with_context(|| format!("GET {path}"))
    }

    /// Does something; an error when it is refused.
    pub(super) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.inside.post(path, body).await?.ok().with_context(|| format!("POST {path}"))
    }

    /// A ticket.
    pub(super) async fn ticket(&self, id: &str) -> anyhow::Result<Value> {
        self.read(&format!("/v1/tickets/{id}")).await
    }

    /// All events of a ticket.
    pub(super) async fn timeline(&self, ticket_id: &str) -> anyhow::Result<Vec<Value>> {
        let mut events = Vec::new();
        let mut after = String::new();
        loop {
            let page = self.read(&format!("/v1/tickets/{ticket_id}/timeline{after}")).await?;
            events.extend(items(&page["items"]).iter().cloned());
            match page["next"].as_str() {
                Some(next) => after = format!("?after={next}"),
                None => return Ok(events),
            }
        }
    }

    /// Waits until a message is recorded and its ticket has somebody, or waits for somebody.
    pub(super) async fn recorded(&mut self, channel: &str, inbox: &str, id: &str) -> anyhow::Result<Recorded> {
        let path = format!("/v1/messages/{channel}/{inbox}/{id}");
        let ledger = self
            .wait("the message to be recorded", async || {
                let answer = self.inside.get(&path).await?;
                if answer.status == 404 {
                    return Ok(None);
                }
                let entry = answer.ok()?;
                ensure!(entry["state"] != "quarantined", "the message is in quarantine: {}", text(&entry, "/reason"));
                Ok((entry["state"] == "recorded").then_some(entry))
            })
            .await?;
        let ticket_id = text(&ledger, "/ticket_id").to_owned();
        let ticket = self
            .wait("the ticket to be routed", async || {
                let ticket = self.ticket(&ticket_id).await?;
                let placed = ticket["assignee"].is_string() || ticket["waiting_since"].is_string();
                let done = matches!(text(&ticket, "/status"), "resolved" | "closed");
                Ok((placed || done).then_some(ticket))
            })
            .await?;
        let events = self.timeline(&ticket_id).await?;
        let event = events.into_iter().find(|event| event["id"] == ledger["event_id"]);
        let event = event.context("the ledger names an event that is not on the timeline")?;
        if !self.tickets.contains(&ticket_id) {
            self.tickets.push(ticket_id);
        }
        Ok(Recorded { ticket, event })
    }

    /// Writes to the customer, and waits until the channel took it.
    pub(super) async fn reply(&self, ticket_id: &str, body: &Value) -> anyhow::Result<Value> {
        let outcome = self.post(&format!("/v1/tickets/{ticket_id}/replies"), body).await?;
        let reply = items(&outcome["events"]).iter().find(|event| event["kind"] == "reply_sent");
        let reply = reply.context("the answer tells of no reply")?["id"].clone();
        self.wait("the reply to be delivered", async || {
            let events = self.timeline(ticket_id).await?;
            let told = events.into_iter().find(|event| event["data"]["event_id"] == reply);
            let told = told.map(|event| match text(&event, "/kind") {
                "message_failed" => bail!("the reply was not sent: {}", text(&event, "/data/reason")),
                _ => Ok(event),
            });
            told.transpose()
        })
        .await?;
        Ok(outcome)
    }

    /// Fires the breach check as if it were this time.
    pub(super) async fn check(&self, at: Moment) -> anyhow::Result<Value> {
        self.post(&format!("/local/check?at={at}"), &Value::Null).await
    }
}

fn signed_in(outside: &Client, seed: &Seed, time: &Time) -> anyhow::Result<Client> {
    Ok(outside.with_token(token::issue(&seed.oidc, "mia", "admin", time.now())?))
}

/// Who has a ticket, in words.
pub(super) fn placed(ticket: &Value) -> String {
    match (text(ticket, "/team"), text(ticket, "/assignee")) {
        (team, "") => format!("{team}, waiting"),
        (team, agent) => format!("{team}, {agent}"),
    }
}
