//! That what was put into a queue before a deployment is still understood after it.

use serde_json::Value;

use super::*;

/// Bodies of every type that was ever put into a queue; what is in it stays as it is.
const GOLDEN: &str = include_str!("golden_v1.json");

/// The type of a body. Who adds one adds a body of it to the golden file, and here its place there.
fn place(work: &Work) -> usize {
    match work {
        Work::Inbound(_) => 0,
        Work::Identified(_) => 1,
        Work::Change(_) => 2,
        Work::Route(_) => 3,
        Work::Pull(_) => 4,
        Work::Send(_) => 5,
        Work::StoreAttachments(_) => 6,
        Work::ByReference(_) => 7,
        Work::Profile(_) => 8,
    }
}

#[test]
fn every_type_of_work_that_was_ever_queued_is_understood() {
    let golden: Vec<Value> = serde_json::from_str(GOLDEN).unwrap();
    for (index, body) in golden.iter().enumerate() {
        let work: Work =
            serde_json::from_value(body.clone()).unwrap_or_else(|error| panic!("{}: {error}", body["type"]));
        assert_eq!(place(&work), index, "{}", body["type"]);
        assert_eq!(&serde_json::to_value(&work).unwrap(), body);
    }
    assert_eq!(golden.len(), 9, "as many as there are places");
}

#[test]
fn several_pieces_of_work_are_understood_in_their_order() {
    let golden: Vec<&RawValue> = serde_json::from_str(GOLDEN).unwrap();
    let texts = |bodies: &[&RawValue]| bodies.iter().map(|body| body.get().to_owned()).collect::<Vec<_>>();
    for body in [
        format!(r#"{{"type":"several.v1","data":{GOLDEN}}}"#),
        format!(r#"{{"data":{GOLDEN},"type":"several.v1"}}"#),
        serde_json::to_string(&Several { kind: SeveralKind::V1, bodies: golden.clone() }).unwrap(),
    ] {
        let several: Several<'_> = serde_json::from_str(&body).unwrap();
        assert_eq!(texts(&several.bodies), texts(&golden));
    }
    for work in golden {
        assert!(serde_json::from_str::<Several<'_>>(work.get()).is_err(), "{work} is one");
    }
}

#[test]
fn what_a_newer_version_added_beside_is_left_alone() {
    for mut body in serde_json::from_str::<Vec<Value>>(GOLDEN).unwrap() {
        let before: Work = serde_json::from_value(body.clone()).unwrap();
        body["unheard_of"] = 1.into();
        body["data"]["unheard_of"] = 1.into();
        assert_eq!(serde_json::from_value::<Work>(body).unwrap(), before);
    }
}
