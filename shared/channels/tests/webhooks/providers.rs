//! Every provider: its fixtures are read as they say, signed and verified, and no damage makes a reader panic.

use std::collections::BTreeSet;
use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::Value;
use throughline_channels::malformed::Malformed;
use throughline_channels::provider::{ChannelEvent, Context, Provider, Request, provider};
use throughline_channels::secrets::InboxSecrets;
use throughline_domain::channel::Channel;

use crate::fixture::{Fixture, fixtures, is_read_as_it_says, now, request, secrets};

/// A provider with its fixtures.
type Known = (Channel, &'static dyn Provider, Vec<(PathBuf, Fixture)>);

/// The providers with their fixtures.
fn all() -> Vec<Known> {
    let known = Channel::ALL.into_iter().filter_map(|channel| Some((channel, provider(channel)?, fixtures(channel))));
    known.collect()
}

fn parse(
    provider: &dyn Provider,
    channel: Channel,
    fixture: &Fixture,
    body: &[u8],
) -> Result<Vec<ChannelEvent>, Malformed> {
    let inboxes = fixture.inboxes(channel);
    let context = Context { inboxes: &inboxes, inbox: &inboxes.inboxes[0], received_at: now() };
    provider.parse(&fixture.request(channel, body), &context)
}

#[test]
fn every_fixture_is_read_as_it_says() {
    for (channel, provider, fixtures) in all() {
        is_read_as_it_says(channel, &fixtures, |fixture| parse(provider, channel, fixture, &fixture.raw()));
    }
}

#[test]
fn every_fixture_is_verified_signed_and_refused_unsigned() {
    for (channel, provider, fixtures) in all() {
        for (path, fixture) in fixtures {
            let raw = fixture.raw();
            let unsigned = fixture.request(channel, &raw);
            assert!(provider.verify(&unsigned, &secrets(), now()).is_err(), "{}", path.display());
            let signed = provider.sign(&unsigned, &secrets(), now()).expect("there is a secret");
            let signed = signed.into_iter().map(|(name, value)| (name.into(), value.into()));
            let headers = unsigned.headers.iter().cloned().chain(signed).collect();
            let signed = Request { headers, ..unsigned };
            assert_eq!(provider.verify(&signed, &secrets(), now()), Ok(()), "{}", path.display());
        }
    }
}

#[test]
fn reading_twice_gives_the_same() {
    for (channel, provider, fixtures) in all() {
        for (path, fixture) in fixtures {
            let raw = fixture.raw();
            let read = || parse(provider, channel, &fixture, &raw);
            assert_eq!(read(), read(), "{}", path.display());
        }
    }
}

/// Every value of the JSON in turn becomes another: parsers take whatever there is.
#[test]
fn a_value_of_another_type_never_makes_a_reader_panic() {
    let others =
        [Value::Null, Value::from(-1), Value::from("\u{0}\n💥"), serde_json::json!([[]]), serde_json::json!({})];
    for (channel, provider, fixtures) in all() {
        for (_, fixture) in fixtures {
            let Some(body) = fixture.body.as_ref().filter(|body| !body.is_string()) else { continue };
            let mut pointers = Vec::new();
            pointers_of(body, String::new(), &mut pointers);
            for pointer in pointers {
                for other in &others {
                    let mut body = body.clone();
                    if let Some(place) = body.pointer_mut(&pointer) {
                        place.clone_from(other);
                    }
                    let _ = parse(provider, channel, &fixture, body.to_string().as_bytes());
                }
            }
        }
    }
}

fn pointers_of(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| pointers_of(item, format!("{at}/{index}"), found));
        }
        Value::Object(fields) => fields.iter().for_each(|(name, field)| {
            pointers_of(field, format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found);
        }),
        _ => (),
    }
    found.push(at);
}

/// The names and texts in all fixtures: what a reader looks for.
fn words() -> (Vec<String>, Vec<String>) {
    fn gather(value: &Value, names: &mut BTreeSet<String>, texts: &mut BTreeSet<String>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| gather(item, names, texts)),
            Value::Object(fields) => fields.iter().for_each(|(name, field)| {
                names.insert(name.clone());
                gather(field, names, texts);
            }),
            Value::String(text) => {
                texts.insert(text.clone());
            }
            _ => (),
        }
    }
    let (mut names, mut texts) = (BTreeSet::new(), BTreeSet::new());
    for (_, _, fixtures) in all() {
        fixtures
            .iter()
            .filter_map(|(_, fixture)| fixture.body.as_ref())
            .for_each(|b| gather(b, &mut names, &mut texts));
    }
    (names.into_iter().collect(), texts.into_iter().collect())
}

/// Any JSON, of the names and texts that providers use.
fn any_json() -> impl Strategy<Value = Value> {
    let (names, texts) = words();
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
        prop::sample::select(texts).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(names.clone()), inner), 0..6)
                .prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for (channel, provider, fixtures) in all() {
            let _ = parse(provider, channel, &fixtures[0].1, &bytes);
            let unsigned = request(channel, &bytes);
            prop_assert!(provider.verify(&unsigned, &InboxSecrets::default(), now()).is_err());
        }
    }

    /// By itself, and in the place of any value that a reader looks at.
    #[test]
    fn any_json_is_read_or_refused(other in any_json(), at in any::<prop::sample::Index>()) {
        for (channel, provider, fixtures) in all() {
            let _ = parse(provider, channel, &fixtures[0].1, other.to_string().as_bytes());
            for (_, fixture) in &fixtures {
                let Some(mut body) = fixture.body.clone().filter(|body| !body.is_string()) else { continue };
                let mut pointers = Vec::new();
                pointers_of(&body, String::new(), &mut pointers);
                if let Some(place) = body.pointer_mut(&pointers[at.index(pointers.len())]) {
                    place.clone_from(&other);
                }
                let _ = parse(provider, channel, fixture, body.to_string().as_bytes());
            }
        }
    }

    #[test]
    fn a_damaged_body_is_read_or_refused(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        for (channel, provider, fixtures) in all() {
            for (_, fixture) in fixtures {
                let mut raw = fixture.raw();
                let at = at.index(raw.len());
                raw[at] = byte;
                if cut {
                    raw.truncate(at);
                }
                let _ = parse(provider, channel, &fixture, &raw);
            }
        }
    }
}
