//! How many requests a second the services take from one client: `cargo run -p throughline-aws --example services_throughput`.

use std::time::Instant;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, Put, ScalarAttributeType,
    TransactWriteItem,
};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_ses::primitives::Blob;
use aws_sdk_ses::types::RawMessage;
use throughline_aws::Aws;

const TABLE: &str = "throughline";
const BUCKET: &str = "raw";
const ROUNDS: usize = 2000;
const OBJECT_BYTES: usize = 5000;
const ATTRIBUTE_BYTES: usize = 500;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let dir = tempfile::tempdir()?;
    runtime.block_on(measure("memory", &Aws::memory()?))?;
    runtime.block_on(measure("folder", &Aws::open(dir.path())?))
}

async fn measure(name: &str, aws: &Aws) -> Result<(), Failure> {
    let config = aws.sdk_config();
    let table = aws_sdk_dynamodb::Client::new(&config);
    create(&table).await?;
    aws.create_bucket(BUCKET)?;

    let started = report(name, "", Instant::now());
    for round in 0..ROUNDS {
        table.put_item().table_name(TABLE).set_item(Some(item("put", round).into())).send().await?;
    }
    let started = report(name, "put item", started);
    for round in 0..ROUNDS {
        let [pk, sk, _] = item("put", round);
        table.get_item().table_name(TABLE).key(pk.0, pk.1).key(sk.0, sk.1).send().await?;
    }
    let started = report(name, "get item", started);
    for round in 0..ROUNDS {
        let mut call = table.transact_write_items();
        for kind in ["a", "b", "c", "d"] {
            let put = Put::builder().table_name(TABLE).set_item(Some(item(kind, round).into()));
            let put = put.condition_expression("attribute_not_exists(pk)").build()?;
            call = call.transact_items(TransactWriteItem::builder().put(put).build());
        }
        call.send().await?;
    }
    let started = report(name, "transaction of 4", started);

    let objects = aws_sdk_s3::Client::new(&config);
    let body = vec![b'x'; OBJECT_BYTES];
    for round in 0..ROUNDS {
        let call = objects.put_object().bucket(BUCKET).key(format!("in/{round:06}"));
        call.body(ByteStream::from(body.clone())).send().await?;
    }
    let started = report(name, "put object", started);
    for round in 0..ROUNDS {
        let object = objects.get_object().bucket(BUCKET).key(format!("in/{round:06}")).send().await?;
        object.body.collect().await?;
    }
    let started = report(name, "get object", started);

    let mail = aws_sdk_ses::Client::new(&config);
    let raw = [b"From: a@example.com\r\nTo: b@example.com\r\n\r\n", body.as_slice()].concat();
    for _ in 0..ROUNDS {
        let raw = RawMessage::builder().data(Blob::new(raw.clone())).build()?;
        mail.send_raw_email().source("a@example.com").destinations("b@example.com").raw_message(raw).send().await?;
    }
    report(name, "send mail", started);
    Ok(())
}

async fn create(table: &aws_sdk_dynamodb::Client) -> Result<(), Failure> {
    let call = table.create_table().table_name(TABLE).billing_mode(BillingMode::PayPerRequest);
    let mut call = call;
    for (name, kind) in [("pk", KeyType::Hash), ("sk", KeyType::Range)] {
        let text = ScalarAttributeType::S;
        call = call
            .attribute_definitions(AttributeDefinition::builder().attribute_name(name).attribute_type(text).build()?)
            .key_schema(KeySchemaElement::builder().attribute_name(name).key_type(kind).build()?);
    }
    call.send().await?;
    Ok(())
}

fn item(kind: &str, round: usize) -> [(String, AttributeValue); 3] {
    [
        ("pk".to_owned(), AttributeValue::S(format!("{kind}#{round}"))),
        ("sk".to_owned(), AttributeValue::S("HEAD".to_owned())),
        ("note".to_owned(), AttributeValue::S("x".repeat(ATTRIBUTE_BYTES))),
    ]
}

/// Prints the rate since `started` and gives the moment from which to measure on.
fn report(name: &str, what: &str, started: Instant) -> Instant {
    if !what.is_empty() {
        let rate = ROUNDS as f64 / started.elapsed().as_secs_f64();
        println!("{name}: {what} {rate:.0}/s");
    }
    Instant::now()
}
