//! A stack that is deployed for one test, and what SES and an operator would do with it.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use aws_sdk_dynamodb::types::Select;
use aws_sdk_sqs::types::QueueAttributeName;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::Method;
use serde::Deserialize;
use serde_json::Value;
use throughline_channels::ses_notice::{Action, Mail as NoticedMail, Notice, Receipt};
use throughline_local::Seed;
use throughline_local::client::Client;
use throughline_platform::App;
use throughline_platform::blobs::RAW_MAIL_PREFIX;
use throughline_platform::clients::Clients;
use throughline_platform::clock::Clock;
use throughline_platform::config::{AwsEnvironment, QueueUrls, Settings};
use throughline_platform::telemetry::Metrics;
use tokio::time::Instant;

use crate::environment;
use crate::mail::{Mail, Received};

/// Queues, as the outputs of a stack name them.
const QUEUES: [&str; 5] = ["Mail", "Inbound", "Identified", "Routing", "Outbound"];
/// How long all has to be quiet until nothing is on its way any more: longer than the emulator's sources rest.
const QUIET: Duration = Duration::from_millis(1_500);
/// Longest wait for a stack to be removed.
const REMOVED_WITHIN: Duration = Duration::from_secs(30);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(150);

/// A deployed stack.
pub struct Deployed {
    /// The table, queues and objects, as somebody who may do everything.
    pub app: App,
    /// Its HTTP interface.
    pub client: Client,
    /// Queues.
    pub sqs: aws_sdk_sqs::Client,
    sns: aws_sdk_sns::Client,
    dynamodb: aws_sdk_dynamodb::Client,
    desk: Client,
    desk_address: SocketAddr,
    /// How many mails were sent before this stack was there.
    mails_before: usize,
    facts: Facts,
    /// Whether it was asked to go.
    is_removed: bool,
}

impl Drop for Deployed {
    /// Removes the stack when its test fails, too: what is left behind keeps working, and everything else gets slower.
    fn drop(&mut self) {
        if self.is_removed {
            return;
        }
        let removed = TcpStream::connect(self.desk_address).and_then(|mut desk| {
            desk.set_read_timeout(Some(REMOVED_WITHIN))?;
            write!(desk, "DELETE /{} HTTP/1.0\r\n\r\n", self.facts.name)?;
            desk.read_to_string(&mut String::new())
        });
        if let Err(error) = removed {
            eprintln!("the stack {} is left behind: {error}", self.facts.name);
        }
    }
}

/// What the deployment says of the stack.
#[derive(Clone, Debug, Deserialize)]
struct Facts {
    name: String,
    endpoint: String,
    region: String,
    access_key_id: String,
    secret_access_key: String,
    issuer: String,
    /// A queue that gets everything from the event bus.
    listener: String,
    outputs: BTreeMap<String, String>,
}

impl Facts {
    fn output(&self, name: &str) -> String {
        self.outputs.get(name).unwrap_or_else(|| panic!("the stack has no output {name}")).clone()
    }

    fn at(&self) -> SocketAddr {
        self.endpoint.trim_start_matches("http://").parse().expect("an address")
    }
}

impl Deployed {
    /// Deploys a stack and gives it the seed, whose issuer becomes the stack's.
    pub async fn start(desk: &str, seed: &mut Seed) -> Self {
        let desk_address = desk.trim_start_matches("http://").parse().expect("an address");
        let desk = Client::new(desk_address);
        let answer = desk.send(Method::POST, "/", &[], Bytes::new()).await.expect("the desk");
        assert_eq!(answer.status, 201, "the stack is not deployed: {}", answer.json());
        let facts: Facts = serde_json::from_value(answer.json()).expect("the facts of a stack");
        facts.issuer.clone_into(&mut seed.oidc.issuer);
        let environment = AwsEnvironment {
            region: facts.region.clone(),
            access_key_id: facts.access_key_id.clone(),
            secret_access_key: facts.secret_access_key.clone(),
            session_token: None,
            endpoint_url: Some(facts.endpoint.clone()),
        };
        let config = throughline_platform::clients::config(environment);
        let queue = |name: &str| facts.output(&format!("{name}QueueUrl"));
        let settings = Settings {
            table: facts.output("TableName"),
            bucket: facts.output("BucketName"),
            queues: QueueUrls {
                mail: queue("Mail"),
                inbound: queue("Inbound"),
                identified: queue("Identified"),
                routing: queue("Routing"),
                outbound: queue("Outbound"),
            },
            ..Settings::default()
        };
        let app = App::new(settings, Clients::new(&config), Clock::System, Metrics::default());
        seed.plant(&app).await.expect("the table takes the seed");
        let mails_before = desk.get("/mail").await.expect("the desk").json().as_array().map_or(0, Vec::len);
        let host = format!("{}.execute-api.localhost:{}", facts.output("HttpApiId"), facts.at().port());
        Self {
            app,
            client: Client::new(facts.at()).with_host(host),
            sqs: aws_sdk_sqs::Client::new(&config),
            sns: aws_sdk_sns::Client::new(&config),
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            mails_before,
            desk,
            desk_address,
            facts,
            is_removed: false,
        }
    }

    /// Removes the stack. It has to be gone afterwards: a template whose stack cannot be removed is a broken one.
    pub async fn remove(mut self) {
        self.is_removed = true;
        let path = format!("/{}", self.facts.name);
        let answer = self.desk.send(Method::DELETE, &path, &[], Bytes::new()).await.expect("the desk");
        assert_eq!(answer.status, 200, "the stack {} is not removed: {}", self.facts.name, answer.json());
    }

    /// An output of the stack.
    pub fn output(&self, name: &str) -> String {
        self.facts.output(name)
    }

    /// The URL of a queue, by the end of its name: `inbound-dead.fifo`.
    pub fn queue_url(&self, queue: &str) -> String {
        let name = queue.trim_end_matches(".fifo");
        let (name, dead) = name.strip_suffix("-dead").map_or((name, ""), |name| (name, "Dead"));
        let (first, rest) = name.split_at(1);
        self.output(&format!("{}{rest}{dead}QueueUrl", first.to_uppercase()))
    }

    /// What somebody who listens on the event bus was told so far: the details of the events.
    pub async fn told(&self) -> Vec<Value> {
        let mut told = Vec::new();
        loop {
            let receive = self.sqs.receive_message().queue_url(&self.facts.listener).max_number_of_messages(10);
            let messages = receive.send().await.expect("the queue").messages.unwrap_or_default();
            if messages.is_empty() {
                return told;
            }
            let bodies = messages.iter().filter_map(|message| message.body.as_deref());
            told.extend(bodies.filter_map(|body| serde_json::from_str::<Value>(body).ok()?.get("detail").cloned()));
        }
    }

    /// What SES does with a received mail: stores it, then publishes its notice.
    pub async fn receive(&self, mail: &Mail) {
        let object_key = format!("{RAW_MAIL_PREFIX}{}", mail.id);
        self.app.blobs.put(&object_key, mail.bytes()).await.expect("the bucket");
        let notice = Notice {
            notification_type: "Received".to_owned(),
            mail: NoticedMail {
                timestamp: self.app.clock.now(),
                source: Some(mail.from.clone()),
                message_id: mail.id.clone(),
            },
            receipt: Receipt {
                recipients: mail.recipients().iter().map(ToString::to_string).collect(),
                spf_verdict: None,
                dkim_verdict: None,
                dmarc_verdict: None,
                spam_verdict: None,
                virus_verdict: None,
                action: Action { kind: "S3".to_owned(), bucket_name: self.app.blobs.bucket().to_owned(), object_key },
            },
            late: false,
            rebuilt: false,
        };
        let text = serde_json::to_string(&notice).expect("a notice");
        let publish = self.sns.publish().topic_arn(self.output("MailTopicArn")).message(text);
        publish.send().await.expect("the topic takes it");
    }

    /// How many messages each queue holds, the hidden ones and dead letters included, by the name of its output.
    pub async fn depths(&self) -> BTreeMap<String, u64> {
        let mut depths = BTreeMap::new();
        for name in QUEUES.iter().flat_map(|name| [format!("{name}QueueUrl"), format!("{name}DeadQueueUrl")]) {
            let attributes = self.sqs.get_queue_attributes().queue_url(self.output(&name));
            let answer = attributes.attribute_names(QueueAttributeName::All).send().await.expect("the queue");
            let attributes = answer.attributes.unwrap_or_default();
            let counted = [
                QueueAttributeName::ApproximateNumberOfMessages,
                QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
                QueueAttributeName::ApproximateNumberOfMessagesDelayed,
            ];
            let counts = counted.iter().filter_map(|counted| attributes.get(counted)?.parse::<u64>().ok());
            depths.insert(name, counts.sum());
        }
        depths
    }

    /// Waits until nothing is on its way: the queues are empty, and nothing changes for a while.
    pub async fn settled(&self) {
        let started = Instant::now();
        let mut quiet_since = Instant::now();
        let mut before = None;
        loop {
            let depths = self.depths().await;
            let busy = depths.values().any(|depth| *depth > 0);
            let commits = Some(self.items().await);
            if busy || commits != before {
                quiet_since = Instant::now();
            } else if quiet_since.elapsed() >= QUIET {
                return;
            }
            assert!(started.elapsed() < environment::patience(), "work is still under way: {depths:?}");
            before = commits;
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// How many items the table holds: every change of anything makes one more.
    async fn items(&self) -> i32 {
        let count = self.dynamodb.scan().table_name(self.output("TableName")).select(Select::Count);
        count.send().await.expect("the table").count
    }

    /// The mails that SES sent for this stack since it was deployed, the latest last.
    pub async fn sent_mail(&self) -> Vec<Received> {
        let path = format!("/mail?after={}", self.mails_before);
        let list = self.desk.get(&path).await.expect("the desk").json();
        let read = |mail: &Value| {
            let to = mail["to"].as_array().cloned().unwrap_or_default();
            let to = to.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            Received::read(to, &BASE64.decode(mail["raw"].as_str().unwrap_or_default()).expect("base64"))
        };
        list.as_array().map(|list| list.iter().map(read).collect()).unwrap_or_default()
    }
}
