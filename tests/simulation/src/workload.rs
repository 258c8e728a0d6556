//! The people of a seed: customers who write mail, chat, text and buy, agents who answer, merge and
//! link, and trouble of all kinds.

mod bounce;
mod chat;
mod desk;
mod line;
mod mail;
mod shop;
mod sorting;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::Value;

use crate::cloud::Cloud;
use crate::random::Random;

/// How often a client tries before it gives up.
const TRIES_MAX: u32 = 4;
/// Longest wait of a client before it tries again, in milliseconds.
const AGAIN_MS_MAX: u64 = 6_000;
/// What people write about. Some words lead to a team, and some subjects are alike.
const SUBJECTS: [&str; 5] =
    ["Refund for my order", "Where is my parcel", "My parcel is late", "A question about shoes", "Hello"];

/// Lets everybody do what they do; returns when all are done.
pub(crate) async fn run(cloud: &Arc<Cloud>) {
    let mut everybody = Vec::new();
    for person in 0..cloud.plan.people {
        let cloud = Arc::clone(cloud);
        // Some write from two places at once: two names of somebody who is not known yet come together.
        let places = 1 + u64::from(Random::of(cloud.plan.seed, &format!("places {person}")).chance(500));
        for place in 0..places {
            let cloud = Arc::clone(&cloud);
            everybody.push(tokio::spawn(async move { Customer::new(cloud, person, place).live().await }));
        }
    }
    let desk = Arc::clone(cloud);
    everybody.push(tokio::spawn(async move { desk::work(&desk).await }));
    let sorting = Arc::clone(cloud);
    everybody.push(tokio::spawn(async move { sorting::work(&sorting).await }));
    for somebody in everybody {
        somebody.await.expect("nobody panics");
    }
}

/// A customer.
struct Customer {
    cloud: Arc<Cloud>,
    random: Random,
    person: usize,
    place: u64,
    /// Mails that they sent: id and subject.
    mails: Vec<(String, String)>,
    /// Ids of mails that they mentioned and did not send yet.
    promised: Vec<String>,
    /// Raw mails, to be sent again.
    raw: Vec<mail::Raw>,
    chats: Vec<chat::Chat>,
    orders: Vec<shop::Order>,
}

/// The mail address of a person.
fn address(person: usize) -> String {
    format!("person{person}@customer.example")
}

impl Customer {
    fn new(cloud: Arc<Cloud>, person: usize, place: u64) -> Self {
        let random = Random::of(cloud.plan.seed, &format!("person {person} at {place}"));
        Self {
            cloud,
            random,
            person,
            place,
            mails: Vec::new(),
            promised: Vec::new(),
            raw: Vec::new(),
            chats: Vec::new(),
            orders: Vec::new(),
        }
    }

    async fn live(mut self) {
        if self.cloud.plan.hasty {
            self.introduce().await;
        }
        for _ in 0..self.cloud.plan.actions {
            pause(&self.cloud, &self.random).await;
            match self.random.below(12) {
                0..=4 => self.write_mail().await,
                5..=7 => self.chat().await,
                8..=9 => self.write_on_line().await,
                _ => self.order().await,
            }
        }
        for chat in std::mem::take(&mut self.chats) {
            self.look(&chat).await;
        }
    }

    /// Somebody else.
    fn other(&self) -> usize {
        let step = 1 + self.random.place(self.cloud.plan.people - 1);
        (self.person + step) % self.cloud.plan.people
    }
}

async fn pause(cloud: &Cloud, random: &Random) {
    tokio::time::sleep(Duration::from_millis(random.below(cloud.plan.pause_ms_max))).await;
}

/// Sends a request until there is an answer that is final; nothing when there never is.
async fn until_answered(
    cloud: &Cloud,
    random: &Random,
    function: &'static str,
    request: impl Fn() -> Request<Body>,
) -> Option<(StatusCode, Value)> {
    for _ in 0..TRIES_MAX {
        let answer = cloud.http(function, request()).await;
        match &answer {
            Some((status, _)) => cloud.trace.line("client", format_args!("{function} answers {status}")),
            None => cloud.trace.line("client", format_args!("{function} does not answer")),
        }
        match answer {
            Some((status, body)) if !status.is_server_error() => return Some((status, body)),
            _ => tokio::time::sleep(Duration::from_millis(random.below(AGAIN_MS_MAX))).await,
        }
    }
    None
}

/// A POST of JSON.
fn post(path: &str, headers: &[(&str, &str)], body: &str) -> Request<Body> {
    let mut request = Request::post(path).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.to_owned())).expect("a request")
}
