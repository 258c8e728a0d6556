//! The running system with the clients of everybody who uses it, and the memory of what it accepted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use throughline_domain::moment::Moment;
use throughline_local::client::{Answer, Client};
use throughline_local::{Options, Seed, System, token};
use throughline_platform::App;
use throughline_platform::clock::Clock;
use throughline_queues::QUEUE_URL_PREFIX;

use crate::chat::{CHAT, Chat};
use crate::checks;
use crate::deployed::Deployed;
use crate::environment;
use crate::mail::{Mail, Received};

/// A message that the system said it has (SMTP: 250, HTTP: 202).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Accepted {
    /// The channel.
    pub channel: &'static str,
    /// The inbox.
    pub inbox: String,
    /// The provider's id.
    pub id: String,
    /// What it says: the same id with another content is another message.
    pub content: String,
}

/// What the system accepted so far.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Messages that have to be recorded, each once.
    pub messages: BTreeSet<Accepted>,
    /// Those that end in quarantine instead, by id.
    pub quarantined: BTreeSet<String>,
}

/// Where the system runs.
enum Place {
    /// In this process.
    Here(Box<System>),
    /// Deployed.
    Deployed(Box<Deployed>),
}

/// The system and the clients of everybody who uses it: in this process, in memory or on a folder; or a deployed stack of
/// its own, when the environment names who deploys in `THROUGHLINE_STACKS` (`tests/deployment`).
pub struct World {
    /// Tests drive it by HTTP and SMTP only; the checks look inside.
    place: Place,
    /// What it started with.
    pub seed: Seed,
    /// A client without a token.
    pub anyone: Client,
    /// The agent Mia.
    pub agent: Client,
    /// A lead.
    pub lead: Client,
    /// An admin.
    pub admin: Client,
    /// A business system.
    pub integration: Client,
    options: Options,
    memory: Mutex<Memory>,
}

impl World {
    /// A new world in memory, on free ports.
    pub async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    /// A new world whose time stands at this moment until [`World::set_time`].
    pub async fn start_at(at: &str) -> Self {
        let at: Moment = at.parse().expect("an RFC 3339 time");
        Self::start_with(|options| options.clock = Clock::at(at)).await
    }

    /// A world on a folder.
    pub async fn start_in(folder: &Path) -> Self {
        Self::start_with(|options| options.data = Some(folder.to_owned())).await
    }

    /// A new world with other options.
    pub async fn start_with(change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::for_test().expect("the built-in seed");
        change(&mut options);
        Self::run(options, Memory::default()).await
    }

    async fn run(options: Options, memory: Memory) -> Self {
        let mut seed = options.seed.clone();
        let place = match environment::stacks() {
            None => Place::Here(Box::new(System::start(options.clone()).await.expect("the system starts"))),
            Some(desk) => {
                assert!(matches!(options.clock, Clock::System), "the time of a deployed stack cannot be set");
                Place::Deployed(Box::new(Deployed::start(&desk, &mut seed).await))
            }
        };
        let anyone = match &place {
            Place::Here(system) => Client::new(system.http),
            Place::Deployed(stack) => stack.client.clone(),
        };
        let [agent, lead, admin, integration] = clients(&anyone, &seed, options.clock.now());
        Self { place, anyone, agent, lead, admin, integration, seed, options, memory: Mutex::new(memory) }
    }

    /// The system, for tests that need it in this process.
    pub fn system(&self) -> &System {
        match &self.place {
            Place::Here(system) => system,
            Place::Deployed(_) => panic!("this test is not for deployed stacks"),
        }
    }

    /// The stack, for tests that need a deployed one.
    pub fn stack(&self) -> &Deployed {
        match &self.place {
            Place::Deployed(stack) => stack,
            Place::Here(_) => panic!("this test is for deployed stacks"),
        }
    }

    /// What functions hold.
    pub fn app(&self) -> &App {
        match &self.place {
            Place::Here(system) => &system.app,
            Place::Deployed(stack) => &stack.app,
        }
    }

    /// How many messages each queue holds, those under way and dead letters included.
    pub async fn queue_depths(&self) -> BTreeMap<String, u64> {
        match &self.place {
            Place::Here(system) => {
                let depths = system.aws.queues().depths().into_iter();
                depths.map(|(name, depth)| (name, (depth.visible + depth.in_flight + depth.delayed) as u64)).collect()
            }
            Place::Deployed(stack) => stack.depths().await,
        }
    }

    /// Stops the system and starts it again on the same folder.
    pub async fn restart(self) -> Self {
        self.place.stop().await;
        let memory = self.memory.into_inner().unwrap_or_else(PoisonError::into_inner);
        Self::run(self.options, memory).await
    }

    /// Waits until nothing is on its way.
    pub async fn settled(&self) {
        match &self.place {
            Place::Here(system) => system.settled().await,
            Place::Deployed(stack) => stack.settled().await,
        }
    }

    /// The end of every test: waits until nothing is on its way, checks what has to be true always, and stops.
    pub async fn finish(self) {
        self.settled().await;
        checks::all(&self).await;
        self.stop().await;
    }

    /// Stops the system, whatever is under way.
    pub async fn stop(self) {
        self.place.stop().await;
    }

    /// Now, for the system.
    pub fn now(&self) -> Moment {
        self.app().clock.now()
    }

    /// Sets the time of a world that was started at a time. Everybody gets a new token.
    pub fn set_time(&mut self, at: &str) {
        self.app().clock.set(at.parse().expect("an RFC 3339 time"));
        [self.agent, self.lead, self.admin, self.integration] = clients(&self.anyone, &self.seed, self.now());
    }

    /// What the system accepted so far.
    pub fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers an accepted message.
    pub fn took(&self, accepted: Accepted) {
        self.memory().messages.insert(accepted);
    }

    /// Says that a message ends in quarantine.
    pub fn expect_quarantine(&self, id: &str) {
        self.memory().quarantined.insert(id.to_owned());
    }

    /// Puts a body into a queue (`mail`, `inbound-dead.fifo`), as nobody but the functions should.
    pub async fn put_into_queue(&self, queue: &str, body: &str, group: &str, id: &str) {
        let (sqs, url) = match &self.place {
            Place::Here(system) => {
                let sqs = aws_sdk_sqs::Client::new(&system.aws.sdk_config());
                (sqs, format!("{QUEUE_URL_PREFIX}{queue}"))
            }
            Place::Deployed(stack) => (stack.sqs.clone(), stack.queue_url(queue)),
        };
        let send = sqs.send_message().queue_url(url).message_body(body);
        let fifo = queue.ends_with(".fifo");
        let send = if fifo { send.message_group_id(group).message_deduplication_id(id) } else { send };
        send.send().await.expect("the queue takes it");
    }

    /// Gets what a link leads to, as anybody.
    pub async fn download(&self, link: &str) -> Answer {
        let (host, path) = link.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("an HTTP link");
        let client = Client::new(host.parse().expect("an address of this machine"));
        client.get(&format!("/{path}")).await.expect("an answer")
    }

    /// Gets a path as an agent; the answer must be a success.
    pub async fn get(&self, path: &str) -> Value {
        let answer = self.agent.get(path).await.expect("an answer");
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.json());
        answer.json()
    }

    /// Posts JSON to a path as an agent; the answer must be a success.
    pub async fn post(&self, path: &str, body: &Value) -> Value {
        let answer = self.agent.post(path, body).await.expect("an answer");
        assert!((200..300).contains(&answer.status), "POST {path}: {} {}", answer.status, answer.json());
        answer.json()
    }

    /// Sends a mail over a connection of its own; accepted.
    pub async fn mail(&self, mail: &Mail) {
        match &self.place {
            Place::Here(_) => {
                let mut client = self.smtp().await;
                self.mail_over(&mut client, mail).await;
                client.quit().await.expect("the server says goodbye");
            }
            Place::Deployed(stack) => {
                stack.receive(mail).await;
                self.took_mail(mail);
            }
        }
    }

    /// Sends a mail over a connection; accepted.
    pub async fn mail_over(&self, client: &mut throughline_smtp::Client, mail: &Mail) {
        let sent = client.send(Some(&mail.from), &mail.recipients(), &mail.bytes()).await.expect("250");
        assert!(sent.refused.is_empty(), "{:?}", sent.refused);
        self.took_mail(mail);
    }

    fn took_mail(&self, mail: &Mail) {
        let content = format!("{}\n{}\n{}", mail.from, mail.subject, mail.text);
        self.took(Accepted { channel: "email", inbox: "support".to_owned(), id: mail.id.clone(), content });
    }

    /// Lets a mail come with what the receiving service says about who it is from: `PASS`, `FAIL` or `GRAY`. Accepted.
    pub async fn mail_judged(&self, mail: &Mail, dmarc: &str) {
        let blobs = &self.app().blobs;
        // The same mail may come again with another verdict.
        let object_key = format!("mail/{}-{dmarc}", mail.id);
        blobs.put(&object_key, mail.bytes()).await.expect("the object store");
        let notice = json!({
            "notificationType": "Received",
            "mail": {"timestamp": self.now(), "source": mail.from, "messageId": object_key},
            "receipt": {
                "recipients": mail.recipients(),
                "dmarcVerdict": {"status": dmarc},
                "action": {"type": "S3", "bucketName": blobs.bucket(), "objectKey": object_key},
            },
        });
        self.put_into_queue("mail", &notice.to_string(), "", "").await;
        self.took_mail(mail);
    }

    /// A connection to the SMTP port.
    pub async fn smtp(&self) -> throughline_smtp::Client {
        throughline_smtp::Client::connect(self.system().smtp).await.expect("a connection")
    }

    /// Opens a chat session for a visitor.
    pub async fn chat(&self, visitor: &Value) -> Chat {
        let answer = self.open_chat(&self.anyone, visitor).await;
        assert_eq!(answer.status, 201, "{}", answer.json());
        Chat::of(self, &answer.json())
    }

    /// Asks for a chat session, whatever comes of it.
    pub async fn open_chat(&self, client: &Client, visitor: &Value) -> Answer {
        let body = json!({"visitor": visitor, "page": {"url": "https://example.com/help"}});
        client.post(&format!("/v1/channels/web_chat/{CHAT}/sessions"), &body).await.expect("an answer")
    }

    /// Sends a mail, waits until all is done, and gives its ticket.
    pub async fn ticket_by_mail(&self, mail: &Mail) -> Value {
        self.mail(mail).await;
        self.settled().await;
        self.ticket_of_mail(&mail.id).await
    }

    /// The ticket that a mail is on.
    pub async fn ticket_of_mail(&self, id: &str) -> Value {
        self.ticket_of("email", "support", id).await
    }

    /// The ticket that a message is on, by the provider's id.
    pub async fn ticket_of(&self, channel: &str, inbox: &str, id: &str) -> Value {
        let entry = self.ledger(channel, inbox, id).await.json();
        assert_eq!(entry["state"], "recorded", "{id}: {entry}");
        self.ticket(entry["ticket_id"].as_str().expect("a ticket")).await
    }

    /// A ticket, by id or public reference.
    pub async fn ticket(&self, id: &str) -> Value {
        self.get(&format!("/v1/tickets/{id}")).await
    }

    /// What became of a message.
    pub async fn ledger(&self, channel: &str, inbox: &str, id: &str) -> Answer {
        let id = utf8_percent_encode(id, NON_ALPHANUMERIC);
        self.agent.get(&format!("/v1/messages/{channel}/{inbox}/{id}")).await.expect("an answer")
    }

    /// The events of a ticket, oldest first.
    pub async fn timeline(&self, ticket: &Value) -> Vec<Value> {
        let id = ticket["id"].as_str().expect("a ticket");
        let mut events = Vec::new();
        let mut after = String::from("0");
        loop {
            let page = self.get(&format!("/v1/tickets/{id}/timeline?after={after}")).await;
            events.extend(page["items"].as_array().cloned().unwrap_or_default());
            match page["next"].as_str() {
                Some(next) => next.clone_into(&mut after),
                None => return events,
            }
        }
    }

    /// All tickets that a filter (`status=open&team=billing`) admits, page by page.
    pub async fn tickets(&self, filter: &str) -> Vec<Value> {
        let mut tickets = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.get(&format!("/v1/tickets?limit=200&{filter}{cursor}")).await;
            tickets.extend(page["items"].as_array().cloned().unwrap_or_default());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return tickets,
            }
        }
    }

    /// The customer who holds a name, `kind:value`.
    pub async fn customer(&self, identifier: &str) -> Value {
        let identifier = utf8_percent_encode(identifier, NON_ALPHANUMERIC);
        self.get(&format!("/v1/customers/lookup?identifier={identifier}")).await
    }

    /// What a business system tells of the customer with a number, `account/1`; gives the customer.
    pub async fn told(&self, number: &str, body: &Value) -> Value {
        let path = format!("/v1/customers/by-identifier/{number}");
        let answer = self.integration.send(http::Method::PUT, &path, &[], body.to_string()).await.expect("an answer");
        assert!([200, 201].contains(&answer.status), "{}", answer.json());
        answer.json()
    }

    /// The mails that the system sent, the latest last.
    pub async fn sent_mail(&self) -> Vec<Received> {
        if let Place::Deployed(stack) = &self.place {
            return stack.sent_mail().await;
        }
        let list = self.get("/local/mail").await;
        let mut mails = Vec::new();
        for mail in list["items"].as_array().cloned().unwrap_or_default() {
            let id = mail["id"].as_str().expect("an id");
            let raw = self.anyone.get(&format!("/local/mail/{id}")).await.expect("the mail").body;
            let to = mail["to"].as_array().cloned().unwrap_or_default();
            let to = to.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            mails.push(Received::read(to, &raw));
        }
        mails
    }

    /// Fires the breach check as if it were this time.
    pub async fn check_at(&self, at: Moment) -> Value {
        let answer = self.anyone.post(&format!("/local/check?at={at}"), &Value::Null).await.expect("an answer");
        answer.ok().expect("a sweep")
    }

    /// Gives an agent these teams and this capacity, in per cent.
    pub async fn put_agent(&self, id: &str, teams: &[&str], capacity: u32) -> Value {
        let body = json!({"name": id, "teams": teams, "capacity": capacity});
        let path = format!("/v1/agents/{id}");
        let answer = self.admin.send(http::Method::PUT, &path, &[], body.to_string()).await.expect("an answer");
        answer.ok().expect("the agent")
    }

    /// Sets an agent's presence.
    pub async fn presence(&self, id: &str, status: &str) {
        let path = format!("/v1/agents/{id}/presence");
        self.lead.post(&path, &json!({"status": status})).await.and_then(|answer| answer.ok()).expect("the agent");
    }
}

impl Place {
    async fn stop(self) {
        match self {
            Self::Here(system) => system.stop().await,
            Self::Deployed(stack) => stack.remove().await,
        }
    }
}

/// The clients of the agent, the lead, the admin and the business system.
fn clients(anyone: &Client, seed: &Seed, now: Moment) -> [Client; 4] {
    let people = [("mia", "agent"), ("lena", "lead"), ("ada", "admin"), ("crm", "integration")];
    people.map(|(name, role)| anyone.with_token(token::issue(&seed.oidc, name, role, now).expect("a token")))
}

/// An answer must be this problem, as problem+json with a request id; gives it back.
#[track_caller]
pub fn problem(answer: &Answer, status: u16) -> Value {
    let body = answer.json();
    assert_eq!(answer.status, status, "{}", String::from_utf8_lossy(&answer.body));
    let kind = answer.headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    assert_eq!(kind, "application/problem+json", "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(body["status"], status);
    assert!(body["type"].as_str().is_some_and(|kind| kind.starts_with("urn:throughline:problem:")), "{body}");
    assert!(body["request_id"].as_str().is_some_and(|id| id.starts_with("req_")), "{body}");
    assert_eq!(answer.headers.get("x-request-id").and_then(|id| id.to_str().ok()), body["request_id"].as_str());
    body
}

/// The first event of a kind.
#[track_caller]
pub fn event<'a>(timeline: &'a [Value], kind: &str) -> &'a Value {
    let found = timeline.iter().find(|event| event["kind"] == kind);
    found.unwrap_or_else(|| panic!("no {kind} among {:?}", kinds(timeline)))
}

/// The kinds of events, in order.
pub fn kinds(timeline: &[Value]) -> Vec<&str> {
    timeline.iter().filter_map(|event| event["kind"].as_str()).collect()
}

/// How many events there are of a kind.
pub fn count(timeline: &[Value], kind: &str) -> usize {
    timeline.iter().filter(|event| event["kind"] == kind).count()
}
