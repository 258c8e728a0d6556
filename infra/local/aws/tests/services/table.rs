//! The table: conditions, transactions and indexes, with their errors typed by the SDK.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, KeysAndAttributes, ReturnValuesOnConditionCheckFailure, TimeToLiveSpecification,
};

use crate::support::{INDEX, Rig, TABLE, put_new, text};

#[tokio::test]
async fn what_is_put_is_got() {
    let rig = Rig::memory().await;
    let put = rig.table.put_item().table_name(TABLE).item("pk", text("a")).item("sk", text("b"));
    put.item("count", AttributeValue::N("7".to_owned())).send().await.unwrap();
    let get = rig.table.get_item().table_name(TABLE).key("pk", text("a")).key("sk", text("b")).consistent_read(true);
    let item = get.send().await.unwrap().item.unwrap();
    assert_eq!(item["count"], AttributeValue::N("7".to_owned()));

    let update = rig.table.update_item().table_name(TABLE).key("pk", text("a")).key("sk", text("b"));
    let update = update.update_expression("SET #count = #count + :one").expression_attribute_names("#count", "count");
    update.expression_attribute_values(":one", AttributeValue::N("1".to_owned())).send().await.unwrap();
    let keys = KeysAndAttributes::builder().keys([("pk".to_owned(), text("a")), ("sk".to_owned(), text("b"))].into());
    let found = rig.table.batch_get_item().request_items(TABLE, keys.build().unwrap()).send().await.unwrap();
    assert_eq!(found.responses.unwrap()[TABLE][0]["count"], AttributeValue::N("8".to_owned()));

    rig.table.delete_item().table_name(TABLE).key("pk", text("a")).key("sk", text("b")).send().await.unwrap();
    assert_eq!(rig.table.scan().table_name(TABLE).send().await.unwrap().count, 0);
}

#[tokio::test]
async fn a_failed_condition_shows_the_old_item() {
    let rig = Rig::memory().await;
    let put = || {
        let put = rig.table.put_item().table_name(TABLE).item("pk", text("a")).item("sk", text("b"));
        put.condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    };
    put().item("note", text("first")).send().await.unwrap();
    match put().item("note", text("second")).send().await.unwrap_err().into_service_error() {
        PutItemError::ConditionalCheckFailedException(failed) => {
            assert_eq!(failed.item().unwrap()["note"], text("first"));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_cancelled_transaction_gives_a_reason_for_each_item() {
    let rig = Rig::memory().await;
    let first = rig.table.transact_write_items().transact_items(put_new("b", "x", "first"));
    first.send().await.unwrap();
    let second = rig.table.transact_write_items().transact_items(put_new("a", "x", "second"));
    let second = second.transact_items(put_new("b", "x", "second"));
    match second.send().await.unwrap_err().into_service_error() {
        TransactWriteItemsError::TransactionCanceledException(cancelled) => {
            let reasons = cancelled.cancellation_reasons();
            let codes: Vec<_> = reasons.iter().map(|reason| reason.code().unwrap()).collect();
            assert_eq!(codes, ["None", "ConditionalCheckFailed"]);
            assert_eq!(reasons[1].item().unwrap()["note"], text("first"));
        }
        other => panic!("{other:?}"),
    }
    let get = rig.table.get_item().table_name(TABLE).key("pk", text("a")).key("sk", text("x"));
    assert!(get.send().await.unwrap().item.is_none(), "a cancelled transaction writes nothing");
}

#[tokio::test]
async fn a_transaction_with_a_known_token_is_the_same_transaction() {
    let rig = Rig::memory().await;
    let write = |note: &str| {
        let write = rig.table.transact_write_items().transact_items(put_new("a", "x", note));
        write.client_request_token("token")
    };
    for _ in 0..5 {
        write("first").send().await.expect("the first is done, the others were");
    }
    let other = write("second").send().await.unwrap_err().into_service_error();
    assert!(matches!(other, TransactWriteItemsError::IdempotentParameterMismatchException(_)), "{other:?}");
    let long = write("first").client_request_token("t".repeat(37)).send().await.unwrap_err();
    assert!(format!("{long:?}").contains("clientRequestToken"), "{long:?}");
    assert_eq!(rig.table.scan().table_name(TABLE).send().await.unwrap().count, 1);
}

#[tokio::test]
async fn an_index_holds_what_has_its_key() {
    let rig = Rig::memory().await;
    for (pk, holder) in [("1", Some("AGENT#a")), ("2", None), ("3", Some("AGENT#a"))] {
        let put = rig.table.put_item().table_name(TABLE).item("pk", text(pk)).item("sk", text("HEAD"));
        let put = match holder {
            Some(holder) => put.item("holder_key", text(holder)),
            None => put,
        };
        put.send().await.unwrap();
    }
    let query = rig.table.query().table_name(TABLE).index_name(INDEX);
    let query = query.key_condition_expression("holder_key = :holder");
    let found = query.expression_attribute_values(":holder", text("AGENT#a")).send().await.unwrap();
    let mut found: Vec<_> = found.items().iter().map(|item| item["pk"].as_s().unwrap().as_str()).collect();
    found.sort_unstable();
    assert_eq!(found, ["1", "3"]);
}

#[tokio::test]
async fn expired_items_are_deleted_on_demand() {
    let rig = Rig::memory().await;
    let ttl = TimeToLiveSpecification::builder().attribute_name("ttl").enabled(true).build().unwrap();
    rig.table.update_time_to_live().table_name(TABLE).time_to_live_specification(ttl).send().await.unwrap();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    for (pk, ttl) in [("old", now - 60), ("new", now + 3600)] {
        let put = rig.table.put_item().table_name(TABLE).item("pk", text(pk)).item("sk", text("x"));
        put.item("ttl", AttributeValue::N(ttl.to_string())).send().await.unwrap();
    }
    assert_eq!(rig.aws.delete_expired().unwrap(), 1);
    assert_eq!(rig.table.scan().table_name(TABLE).send().await.unwrap().items()[0]["pk"], text("new"));
}

#[tokio::test]
async fn mistakes_are_validation_errors() {
    let rig = Rig::memory().await;
    let put = rig.table.put_item().table_name(TABLE).item("pk", text("a")).send().await.unwrap_err();
    let error = put.into_service_error();
    assert_eq!(error.meta().code(), Some("ValidationException"));
    let get = rig.table.get_item().table_name("nosuchtable").key("pk", text("a")).key("sk", text("a")).send().await;
    assert!(get.unwrap_err().into_service_error().is_resource_not_found_exception());
    let export = rig.table.describe_limits().send().await.unwrap_err().into_service_error();
    assert!(export.meta().message().unwrap().contains("DescribeLimits"), "{export:?}");
}
