//! Tests of what business systems tell.

use proptest::prelude::*;

use super::*;
use crate::identifier::{Identifier, IdentifierKind};
use crate::identity::Owner;
use crate::testing::{customer, email, noon};

fn told(source: &str, ms: i64) -> Told {
    Told {
        stamp: Stamp { at: noon().plus_ms(ms), source: source.to_owned() },
        name: None,
        language: None,
        channel: None,
        attributes: BTreeMap::new(),
        entitlements: None,
        orders: Vec::new(),
    }
}

fn tier(source: &str, ms: i64, value: Option<&str>) -> Told {
    let attributes = BTreeMap::from([("tier".to_owned(), value.map(str::to_owned))]);
    Told { attributes, ..told(source, ms) }
}

fn order(id: &str, placed: i64, status: &str) -> Order {
    let more = BTreeMap::from([("status".to_owned(), Value::from(status))]);
    Order { id: id.to_owned(), at: Some(noon().plus_ms(placed)), more }
}

fn nobody() -> Profile {
    Profile::new(customer(1), noon())
}

#[test]
fn the_last_writer_holds_for_each_field() {
    let profile = merge(nobody(), &tier("crm", 10, Some("gold"))).profile;
    let older = Told { name: Some(Some("Anna".to_owned())), ..tier("shop", 5, Some("silver")) };
    let merged = merge(profile, &older);
    assert_eq!(merged.outdated, ["attributes.tier"]);
    assert_eq!((merged.profile.attributes["tier"].as_str(), merged.profile.name.as_deref()), ("gold", Some("Anna")));
    assert_eq!(merged.profile.told["attributes.tier"].source, "crm");
    assert_eq!(merged.profile.told["name"].source, "shop");
    let removed = merge(merged.profile, &tier("crm", 20, None)).profile;
    assert!(removed.attributes.is_empty());
    let late = merge(removed, &tier("shop", 15, Some("silver")));
    assert_eq!((late.profile.attributes.len(), late.outdated.len()), (0, 1), "what was removed later stays removed");
}

#[test]
fn a_name_that_came_with_a_message_gives_way_to_any_telling() {
    let profile = Profile { name: Some("anna1990".to_owned()), ..nobody() };
    let told = Told { name: Some(Some("Anna Berg".to_owned())), ..told("crm", -1_000) };
    assert_eq!(merge(profile, &told).profile.name.as_deref(), Some("Anna Berg"));
}

#[test]
fn orders_told_last_are_kept_and_the_rest_is_counted() {
    let many: Vec<Order> = (0..ORDERS_MAX as i64 + 7).map(|n| order(&format!("A-{n}"), n, "paid")).collect();
    let merged = merge(nobody(), &Told { orders: many, ..told("shop", 0) });
    assert_eq!((merged.profile.orders.len(), merged.orders_cut), (ORDERS_MAX, 7));
    assert_eq!(merged.profile.orders[0].order.id, format!("A-{}", ORDERS_MAX + 6), "the newest first");
    let again = merge(merged.profile, &Told { orders: vec![order("A-0", 0, "returned")], ..told("shop", 1) });
    assert_eq!((again.profile.orders[0].order.id.as_str(), again.orders_cut), ("A-0", 1));
}

#[test]
fn sizes_and_numbers_are_bounded() {
    let pointers =
        |told: &Told| -> Vec<String> { faults(&nobody(), told).into_iter().map(|(pointer, _)| pointer).collect() };
    let long = "x".repeat(ATTRIBUTE_VALUE_BYTES_MAX + 1);
    assert_eq!(pointers(&tier("crm", 0, Some(&long))), ["/attributes/tier"]);
    assert_eq!(pointers(&tier("crm", 0, Some(""))), ["/attributes/tier"]);
    assert!(pointers(&tier("crm", 0, None)).is_empty());
    let names = (0..=ATTRIBUTES_MAX).map(|n| (format!("a{n}"), Some("v".to_owned()))).collect();
    assert_eq!(pointers(&Told { attributes: names, ..told("crm", 0) }), ["/attributes"]);
    let twice = vec![order("A", 0, "paid"), order("A", 0, "paid")];
    assert_eq!(pointers(&Told { orders: twice, ..told("crm", 0) }), ["/orders/1/id"]);
    let large = vec![order("A", 0, &"x".repeat(RECORD_BYTES_MAX))];
    assert_eq!(pointers(&Told { orders: large, ..told("crm", 0) }), ["/orders/0"]);
    let name = Some(Some("x".repeat(NAME_BYTES_MAX + 1)));
    assert_eq!(pointers(&Told { name, ..told("crm", 0) }), ["/name"]);
}

fn holder(n: u128, verified: bool, durable: bool) -> Holder {
    Holder { owner: Owner { customer_id: customer(n), verified, shared: false }, durable }
}

#[test]
fn a_proven_name_is_never_taken_and_an_unproven_one_only_from_who_is_known_to_no_business() {
    let account: Identifier = "account:42".parse().unwrap();
    let crm: Identifier = "crm:7".parse().unwrap();
    let names = [
        account.clone(),
        email("free@a.example"),
        email("held@a.example"),
        email("loose@a.example"),
        email("business@a.example"),
        crm.clone(),
    ];
    let holders = BTreeMap::from([
        (names[2].clone(), holder(2, true, false)),
        (names[3].clone(), holder(3, false, false)),
        (names[4].clone(), holder(4, false, true)),
        (crm, holder(5, true, true)),
    ]);
    let asserted = assert_names(&nobody(), &names, &holders, "crm", noon()).unwrap();
    let claimed: Vec<_> =
        asserted.claims.iter().map(|claim| (claim.known.identifier.value(), claim.known.verified)).collect();
    assert_eq!(claimed, [("42", true), ("free@a.example", false), ("loose@a.example", false)]);
    assert_eq!(asserted.claims[2].displaces.as_ref().unwrap().customer_id, customer(3));
    let suggested: Vec<_> = asserted.suggestions.iter().filter_map(|suggestion| suggestion.customer_id).collect();
    assert_eq!(suggested, [2, 3, 4, 5].map(customer));
    // Said again once it is theirs, nothing happens.
    let own = BTreeMap::from([(names[1].clone(), holder(1, true, true))]);
    assert_eq!(assert_names(&nobody(), &names[1..2], &own, "crm", noon()), Ok(AssertedNames::default()));
}

#[test]
fn two_numbers_of_a_kind_and_strange_kinds_are_refused() {
    let of = |names: &[&str]| {
        let names: Vec<Identifier> = names.iter().map(|name| name.parse().unwrap()).collect();
        assert_names(&nobody(), &names, &BTreeMap::new(), "crm", noon()).map_err(|refused| refused.index)
    };
    assert_eq!(of(&["account:1", "account:2"]), Err(1));
    assert_eq!(of(&["email:a@b.example", "session:x"]), Err(1));
    assert_eq!(of(&["order:A-1"]), Err(0));
    assert_eq!(of(&["account:1", "account:1", "crm:1"]).map(|asserted| asserted.claims.len()), Ok(2));
    assert!(!IdentifierKind::Order.is_durable());
}

fn tellings() -> impl Strategy<Value = Vec<Told>> {
    let value = || prop::option::of(prop::sample::select(vec!["a", "b"]).prop_map(str::to_owned));
    let telling = (
        (prop::sample::select(vec!["crm", "shop"]), 0_i64..3),
        (prop::option::of(value()), prop::option::of(value())),
        prop::option::of(prop::option::of(prop::sample::select(vec![Channel::Email, Channel::Sms]))),
        prop::collection::btree_map(
            prop::sample::select(vec!["tier", "segment"]).prop_map(str::to_owned),
            value(),
            0..3,
        ),
        prop::option::of(prop::collection::vec(prop::sample::select(vec!["x", "y"]), 0..2)),
        prop::collection::vec((0_u8..60, 0_i64..3, prop::sample::select(vec!["paid", "sent"])), 0..60),
    );
    let telling =
        telling.prop_map(|((source, ms), (name, language), channel, attributes, entitlements, orders)| Told {
            name,
            language,
            channel,
            attributes,
            entitlements: entitlements.map(|ids| {
                let entitlement =
                    |id: &str| Entitlement { id: id.to_owned(), name: None, valid_until: None, more: BTreeMap::new() };
                ids.into_iter().map(entitlement).collect()
            }),
            orders: orders.into_iter().map(|(id, placed, status)| order(&id.to_string(), placed, status)).collect(),
            ..told(source, ms)
        });
    prop::collection::vec(telling, 1..5)
}

fn all<'a>(profile: Profile, tellings: impl IntoIterator<Item = &'a Told>) -> Profile {
    tellings.into_iter().fold(profile, |profile, told| merge(profile, told).profile)
}

proptest! {
    #[test]
    fn any_order_and_any_repetition_gives_the_same(
        tellings in tellings(),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let straight = all(nobody(), &tellings);
        // Every telling comes at least once: in reverse behind an arbitrary repetition.
        let again = order.iter().map(|index| index.get(&tellings)).chain(tellings.iter().rev());
        prop_assert_eq!(&all(nobody(), again), &straight);
        prop_assert_eq!(&all(straight.clone(), &tellings), &straight);
        let stored: Profile = serde_json::from_str(&serde_json::to_string(&straight).unwrap()).unwrap();
        prop_assert_eq!(&stored, &straight);
        prop_assert!(straight.orders.len() <= ORDERS_MAX);
    }
}
