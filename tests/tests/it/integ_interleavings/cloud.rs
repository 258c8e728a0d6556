//! The two stages that decide, over a table and queues of their own; and what they left there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_lambda_events::event::sqs::SqsEvent;
use serde_json::json;
use throughline_aws::Aws;
use throughline_channels::email;
use throughline_channels::portal::{self, Posted};
use throughline_channels::provider::{ChannelEvent, Context, Request, provider};
use throughline_channels::web_chat::{self, Session};
use throughline_channels::webhook;
use throughline_domain::channel::Channel;
use throughline_domain::config::{Inbox, Inboxes};
use throughline_domain::event::EventData;
use throughline_domain::fold;
use throughline_domain::id::{CustomerId, TicketId};
use throughline_domain::identifier::{Identifier, IdentifierKind};
use throughline_domain::inbound::Inbound;
use throughline_domain::message::{Authentication, Verdict};
use throughline_domain::moment::Moment;
use throughline_domain::work::Work;
use throughline_local::Seed;
use throughline_platform::App;
use throughline_platform::clients::Clients;
use throughline_platform::clock::Clock;
use throughline_platform::config::{QueueUrls, Settings};
use throughline_platform::telemetry::Metrics;
use throughline_queues::{QUEUE_URL_PREFIX, QueueSpec};
use tokio::time::Instant;

use super::model::{Name, Step, Ticket};
use super::script::{Handle, Sent, TOPICS};
use super::{Found, model};

/// Name of the table and the bucket.
const NAME: &str = "interleavings";
/// When the first message is accepted.
const BEGIN: &str = "2026-11-20T12:00:00Z";
/// Time between two of them, in milliseconds.
const BETWEEN_MS: i64 = 1_000;
/// When the stages run: after all are accepted.
const LATER_MS: i64 = 60_000;
/// How often a step comes again that lost its races.
const RECEIVES_MAX: u32 = 5;
/// Most commits of a ticket that are read.
const COMMITS_MAX: usize = 200;

/// The stages, and what was accepted.
pub(super) struct Cloud {
    aws: Aws,
    app: App,
    /// What was accepted, by its place in the script.
    accepted: Vec<Inbound>,
    /// Bodies on their way to the second stage, and those that it had.
    identified: BTreeMap<usize, String>,
}

impl Cloud {
    /// A new one, in which all of the script is accepted and nothing else happened.
    pub(super) async fn new(script: &[Sent]) -> Self {
        let aws = Aws::memory().unwrap();
        aws.create_bucket(NAME).unwrap();
        let queue = |name: &str| {
            aws.queues().create(&QueueSpec::fifo(name)).unwrap();
            format!("{QUEUE_URL_PREFIX}{name}")
        };
        let settings = Settings {
            table: NAME.to_owned(),
            bucket: NAME.to_owned(),
            queues: QueueUrls { identified: queue("identified.fifo"), ..QueueUrls::default() },
            ..Settings::default()
        };
        let begin: Moment = BEGIN.parse().unwrap();
        let clock = Clock::at(begin.plus_ms(LATER_MS));
        let app = App::new(settings, Clients::new(&aws.sdk_config()), clock, Metrics::default());
        app.store.create_table().await.unwrap();
        let seed = Seed::built_in().unwrap();
        seed.plant(&app).await.unwrap();
        let at = |delivery: usize| begin.plus_ms(BETWEEN_MS * i64::try_from(delivery).unwrap());
        let accepted =
            (0..script.len()).map(|delivery| accept(script, delivery, &seed.inboxes, at(delivery))).collect();
        Self { aws, app, accepted, identified: BTreeMap::new() }
    }

    /// The queue group of a delivery.
    pub(super) fn group(&self, delivery: usize) -> String {
        self.accepted[delivery].group()
    }

    /// Takes steps at once.
    pub(super) async fn take(&mut self, steps: &[Step]) {
        futures::future::join_all(steps.iter().map(|step| self.run(*step))).await;
        self.collect().await;
    }

    /// Runs a step until it is through.
    async fn run(&self, step: Step) {
        for receive in 1..=RECEIVES_MAX {
            let deadline = Instant::now() + Duration::from_secs(60);
            let response = match step {
                Step::Identify(delivery) => {
                    let work = Work::Inbound(Box::new(self.accepted[delivery].clone()));
                    let body = serde_json::to_string(&work).unwrap();
                    resolve_identity::handle(&self.app, self.record("inbound.fifo", delivery, &body, receive), deadline)
                        .await
                }
                Step::Place(delivery) => {
                    let body = &self.identified[&delivery];
                    upsert_ticket::handle(&self.app, self.record("identified.fifo", delivery, body, receive), deadline)
                        .await
                }
            };
            if response.batch_item_failures.is_empty() {
                return;
            }
        }
        panic!("{step:?} does not come through");
    }

    fn record(&self, queue: &str, delivery: usize, body: &str, receive: u32) -> SqsEvent {
        let id = format!("{queue}-{delivery}");
        let record = json!({
            "messageId": id, "receiptHandle": id, "body": body,
            "attributes": {
                "MessageGroupId": self.group(delivery), "ApproximateReceiveCount": receive.to_string(),
                "SentTimestamp": self.accepted[delivery].message.received_at.ms().to_string(),
            },
            "messageAttributes": {}, "eventSource": "aws:sqs", "awsRegion": "local",
            "eventSourceARN": format!("arn:aws:sqs:local:000000000000:{queue}"),
        });
        serde_json::from_value(json!({"Records": [record]})).unwrap()
    }

    /// Takes what the first stage sent out of the queue.
    async fn collect(&mut self) {
        let sqs = aws_sdk_sqs::Client::new(&self.aws.sdk_config());
        let url = format!("{QUEUE_URL_PREFIX}identified.fifo");
        loop {
            let received = sqs.receive_message().queue_url(&url).max_number_of_messages(10).send().await.unwrap();
            let Some(messages) = received.messages.filter(|messages| !messages.is_empty()) else { return };
            for message in messages {
                let receipt = message.receipt_handle.unwrap();
                sqs.delete_message().queue_url(&url).receipt_handle(receipt).send().await.unwrap();
                let body = message.body.unwrap();
                let Work::Identified(identified) = serde_json::from_str(&body).unwrap() else { panic!("{body}") };
                let id = identified.inbound.message.id;
                let delivery = self.accepted.iter().position(|accepted| accepted.message.id == id).unwrap();
                let known = self.identified.insert(delivery, body);
                assert!(known.is_none(), "delivery {delivery} was passed on twice");
            }
        }
    }

    /// What is in the table at the end, named as the model names it; everything that is true of any outcome is checked.
    pub(super) async fn found(&self, script: &[Sent]) -> Found {
        let mut found = Found::default();
        let store = &self.app.store;
        let mut open: BTreeMap<CustomerId, BTreeSet<TicketId>> = BTreeMap::new();
        for id in self.tickets() {
            let stored = store.ticket(id).await.unwrap().unwrap();
            let log = store.timeline(id, 0, COMMITS_MAX).await.unwrap();
            let calendars = self.app.calendars([&stored.ticket.head]).await.unwrap();
            assert_eq!(stored.ticket, fold::fold(&log, &calendars).unwrap(), "the head is the fold of its commits");
            let head = &stored.ticket.head;
            open.entry(head.customer_id).or_default().insert(id);
            let mut messages = Vec::new();
            for event in log.iter().flat_map(|commit| &commit.events) {
                let EventData::MessageReceived(received) = &event.data else { continue };
                let (delivery, key) = self.delivery_of(&received.message.id.to_string());
                assert_eq!(script[delivery].repeats, None, "the first delivery is the one that is recorded");
                let entry = store.message(key).await.unwrap().unwrap();
                assert_eq!((entry.ticket_id, entry.event_id), (Some(id), Some(event.id)), "{delivery}: {entry:?}");
                messages.push(delivery);
            }
            let related = stored.ticket.detail.related.iter().map(|related| self.opener(related.ticket_id)).collect();
            let ticket = Ticket { customer: self.customer(head.customer_id), messages, related };
            found.tickets.insert(self.opener(id), ticket);
        }
        for (customer, open) in open {
            let listed = store.customer_head(customer).await.unwrap().open;
            let listed: BTreeSet<TicketId> = listed.into_iter().map(|open| open.ticket_id).collect();
            assert_eq!(listed, open, "the list of {customer}");
        }
        let names: BTreeSet<Name> = script.iter().flat_map(model::names).map(|(name, _)| name).collect();
        for name in names {
            let identifier = identifier(name);
            let owners = store.owners(std::slice::from_ref(&identifier)).await.unwrap();
            let Some(owner) = owners.get(&identifier) else { continue };
            let profile = store.profile(owner.customer_id).await.unwrap().unwrap();
            let listed = profile.identifiers.iter().find(|known| known.identifier == identifier);
            assert_eq!(listed.map(|known| known.verified), Some(owner.verified), "{identifier} in its owner's profile");
            found.owners.insert(name, (self.customer(owner.customer_id), owner.verified));
        }
        found
    }

    /// Every ticket of the table.
    fn tickets(&self) -> Vec<TicketId> {
        let items = self.aws.dump(NAME).unwrap();
        let heads = items.iter().filter(|item| item["sk"]["S"] == "HEAD");
        let ids = heads.filter_map(|item| item["pk"]["S"].as_str()?.strip_prefix("TICKET#")?.parse().ok());
        ids.collect()
    }

    fn delivery_of(&self, message: &str) -> (usize, &throughline_domain::ledger::LedgerKey) {
        let delivery = self.accepted.iter().position(|accepted| accepted.message.id.to_string() == message).unwrap();
        (delivery, &self.accepted[delivery].key)
    }

    fn opener(&self, ticket: TicketId) -> usize {
        self.accepted.iter().position(|accepted| TicketId::opened_by(accepted.message.id) == ticket).unwrap()
    }

    fn customer(&self, customer: CustomerId) -> usize {
        self.accepted.iter().position(|accepted| CustomerId::opened_by(accepted.message.id) == customer).unwrap()
    }
}

/// The name as the product knows it.
fn identifier((kind, person): Name) -> Identifier {
    let (kind, value) = match kind {
        "email" => (IdentifierKind::Email, address(person)),
        "account" => (IdentifierKind::Account, account(person)),
        "phone" => (IdentifierKind::Phone, number(person)),
        session => (IdentifierKind::Session, format!("{session}-{person}")),
    };
    Identifier::new(kind, &value, None).unwrap()
}

fn address(person: usize) -> String {
    format!("person{person}@customer.example")
}

fn account(person: usize) -> String {
    format!("account-{person}")
}

fn number(person: usize) -> String {
    format!("+4179123456{person}")
}

/// A delivery as its channel reads it.
fn accept(script: &[Sent], delivery: usize, inboxes: &Inboxes, at: Moment) -> Inbound {
    let sent = script[delivery];
    let number_of_message = sent.repeats.unwrap_or(delivery);
    let topic = TOPICS[sent.topic];
    let text = format!("{topic} no {number_of_message}");
    let inbox = |channel: Channel, id: &str| inboxes.find(channel, &id.parse().unwrap()).unwrap();
    match sent.handle {
        Handle::Mail => mail(&sent, number_of_message, &text, inboxes, (delivery, at)),
        Handle::Chat => chat("session", Some(account(sent.person)), &sent, number_of_message, &text, inboxes, at),
        Handle::OtherChat => {
            chat("other-session", Some(account(sent.person)), &sent, number_of_message, &text, inboxes, at)
        }
        Handle::Guest => chat("guest-session", None, &sent, number_of_message, &text, inboxes, at),
        Handle::Shop | Handle::ShopWithAddress => {
            let mut requester = json!({"account": account(sent.person)});
            if sent.handle == Handle::ShopWithAddress {
                requester["email"] = json!(address(sent.person));
            }
            let body = throughline_tests::webhook::message(&number_of_message.to_string(), &requester, topic, &text);
            let id = format!("delivery-{delivery}");
            webhook::parse(body.to_string().as_bytes(), &id, inbox(Channel::Webhook, "shop"), at).unwrap()
        }
        Handle::Form => {
            let form = json!({"submission_id": number_of_message.to_string(), "requester": {"email": address(sent.person)},
                "subject": topic, "description": text});
            let posted = portal::parse(form.to_string().as_bytes(), inbox(Channel::Portal, "portal"), at);
            let Ok(Posted::Message(inbound)) = posted else { panic!("{posted:?}") };
            *inbound
        }
        Handle::Sms => sms(&sent, number_of_message, &text, inboxes, inbox(Channel::Sms, "sms"), at),
    }
}

fn mail_id(number: usize) -> String {
    format!("mail-{number}@customer.example")
}

fn mail(sent: &Sent, number: usize, text: &str, inboxes: &Inboxes, (delivery, at): (usize, Moment)) -> Inbound {
    let from = address(sent.person);
    let answers = sent.answers.map(|answered| format!("In-Reply-To: <{}>\r\n", mail_id(answered))).unwrap_or_default();
    let raw = format!(
        "From: {from}\r\nTo: support@example.com\r\nSubject: {}\r\nMessage-ID: <{}>\r\n{answers}\
         Date: Fri, 20 Nov 2026 12:00:00 +0000\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n",
        TOPICS[sent.topic],
        mail_id(number)
    );
    let delivery = email::Delivery {
        raw: raw.as_bytes(),
        object_key: &format!("mail/{delivery}"),
        received_at: at,
        envelope_from: Some(&from),
        recipients: &["support@example.com".to_owned()],
        authentication: Some(Authentication {
            spf: Verdict::Pass,
            dkim: Verdict::Pass,
            dmarc: Verdict::Pass,
            spam: Verdict::Pass,
            virus: Verdict::Pass,
        }),
    };
    email::read(&delivery, inboxes, &[]).unwrap()
}

fn chat(
    session: &str,
    account: Option<String>,
    sent: &Sent,
    number: usize,
    text: &str,
    inboxes: &Inboxes,
    at: Moment,
) -> Inbound {
    let inbox = inboxes.find(Channel::WebChat, &"chat".parse().unwrap()).unwrap();
    let session = Session {
        inbox: inbox.id.clone(),
        session_id: format!("{session}-{}", sent.person),
        account,
        email: None,
        name: None,
        locale: None,
        expires_at: at.plus_ms(LATER_MS),
    };
    let body = throughline_tests::Chat::message(&number.to_string(), text);
    web_chat::parse(body.to_string().as_bytes(), &session, inbox, at).unwrap()
}

fn sms(sent: &Sent, message: usize, text: &str, inboxes: &Inboxes, inbox: &Inbox, at: Moment) -> Inbound {
    let fields = [
        ("MessageSid", format!("SM{message:032}")),
        ("From", number(sent.person)),
        ("To", "+41435051234".to_owned()),
        ("Body", text.to_owned()),
        ("NumMedia", "0".to_owned()),
    ];
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
    let request = Request { body: body.as_bytes().into(), ..Request::default() };
    let read = provider(Channel::Sms).unwrap().parse(&request, &Context { inboxes, inbox, received_at: at }).unwrap();
    let mut messages = read.into_iter().filter_map(|event| match event {
        ChannelEvent::Message(inbound) => Some(*inbound),
        _ => None,
    });
    messages.next().unwrap()
}
