//! Services, clients, and a table like the one of the system.

use std::path::Path;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, Put, ReturnValuesOnConditionCheckFailure, ScalarAttributeType, TransactWriteItem,
};
use throughline_aws::Aws;

pub(crate) const TABLE: &str = "throughline";
pub(crate) const INDEX: &str = "by_holder";
pub(crate) const BUCKET: &str = "raw";

/// Services and a client of each.
pub(crate) struct Rig {
    pub(crate) aws: Aws,
    pub(crate) table: aws_sdk_dynamodb::Client,
    pub(crate) queues: aws_sdk_sqs::Client,
    pub(crate) objects: aws_sdk_s3::Client,
    pub(crate) mail: aws_sdk_ses::Client,
    pub(crate) bus: aws_sdk_eventbridge::Client,
}

impl Rig {
    /// With a table and a bucket.
    pub(crate) async fn memory() -> Self {
        let rig = Self::on(Aws::memory().unwrap());
        rig.create().await;
        rig
    }

    pub(crate) fn open(dir: &Path) -> Self {
        Self::on(Aws::open(dir).unwrap())
    }

    pub(crate) fn on(aws: Aws) -> Self {
        let config = aws.sdk_config();
        Self {
            table: aws_sdk_dynamodb::Client::new(&config),
            queues: aws_sdk_sqs::Client::new(&config),
            objects: aws_sdk_s3::Client::new(&config),
            mail: aws_sdk_ses::Client::new(&config),
            bus: aws_sdk_eventbridge::Client::new(&config),
            aws,
        }
    }

    pub(crate) async fn create(&self) {
        let text = |name: &str| {
            let kind = ScalarAttributeType::S;
            AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build().unwrap()
        };
        let index = GlobalSecondaryIndex::builder()
            .index_name(INDEX)
            .key_schema(key("holder_key", KeyType::Hash))
            .key_schema(key("sk", KeyType::Range))
            .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build());
        let call = self.table.create_table().table_name(TABLE).billing_mode(BillingMode::PayPerRequest);
        let call = call.attribute_definitions(text("pk")).attribute_definitions(text("sk"));
        let call = call.attribute_definitions(text("holder_key")).global_secondary_indexes(index.build().unwrap());
        let call = call.key_schema(key("pk", KeyType::Hash)).key_schema(key("sk", KeyType::Range));
        call.send().await.unwrap();
        self.aws.create_bucket(BUCKET).unwrap();
    }
}

fn key(name: &str, kind: KeyType) -> KeySchemaElement {
    KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap()
}

pub(crate) fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

/// A put of an item that must not exist yet.
pub(crate) fn put_new(pk: &str, sk: &str, note: &str) -> TransactWriteItem {
    let put = Put::builder().table_name(TABLE).item("pk", text(pk)).item("sk", text(sk)).item("note", text(note));
    let put = put
        .condition_expression("attribute_not_exists(pk)")
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    TransactWriteItem::builder().put(put.build().unwrap()).build()
}
