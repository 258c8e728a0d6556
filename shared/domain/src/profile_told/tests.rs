//! Tests: what a channel's telling makes of a profile.

use proptest::prelude::*;

use super::*;
use crate::id::CustomerId;
use crate::identifier::IdentifierKind;

fn id() -> CustomerId {
    CustomerId::new(uuid::Uuid::from_u128(1))
}

fn owner() -> Owner {
    Owner { customer_id: id(), verified: true, shared: false }
}

fn known() -> Profile {
    Profile::new(id(), Moment::from_ms(0))
}

fn told(at: i64, name: &str) -> ProfileTold {
    ProfileTold {
        identifier: Identifier::new(IdentifierKind::Telegram, "987654321", None).unwrap(),
        channel: Channel::Telegram,
        inbox: "telegram".parse().unwrap(),
        name: Some(name.to_owned()),
        handle: Some(format!("@{name}")),
        at: Moment::from_ms(at),
        received_at: Moment::from_ms(1_000),
    }
}

#[test]
fn name_and_handle_are_taken_with_who_told_and_when() {
    let profile = decide(&known(), &owner(), &told(10, "anna")).unwrap();
    assert_eq!((profile.name.as_deref(), profile.attributes["telegram_handle"].as_str()), (Some("anna"), "@anna"));
    let stamp = Stamp { at: Moment::from_ms(10), source: "telegram/telegram".to_owned() };
    assert_eq!((&profile.told["name"], &profile.told["attributes.telegram_handle"]), (&stamp, &stamp));
    assert_eq!(profile.version, known().version + 1);
    assert_eq!(decide(&profile, &owner(), &told(10, "anna")), Err(NotTaken::NothingNew), "told again");
    assert_eq!(decide(&profile, &owner(), &told(9, "ann")), Err(NotTaken::NothingNew), "something later is known");
    let nameless = ProfileTold { name: None, handle: None, ..told(20, "") };
    assert_eq!(decide(&profile, &owner(), &nameless), Err(NotTaken::NothingNew), "what is not told stays");
}

#[test]
fn the_later_telling_holds_whoever_tells() {
    let business = |at| Told {
        stamp: Stamp { at: Moment::from_ms(at), source: "crm".to_owned() },
        attributes: BTreeMap::new(),
        ..told(at, "Anna Berg").told()
    };
    let earlier = crm::merge(known(), &business(5)).profile;
    assert_eq!(decide(&earlier, &owner(), &told(10, "anna")).unwrap().name.as_deref(), Some("anna"));
    let later = crm::merge(known(), &business(15)).profile;
    assert_eq!(decide(&later, &owner(), &told(10, "anna")).unwrap().name.as_deref(), Some("Anna Berg"));
}

#[test]
fn a_clock_ahead_of_ours_keeps_nothing_out() {
    let ahead = decide(&known(), &owner(), &told(5_000, "anna")).unwrap();
    assert_eq!(ahead.told["name"].at, Moment::from_ms(1_000));
}

#[test]
fn what_is_not_the_holders_own_word_is_left_alone() {
    let shared = Owner { shared: true, ..owner() };
    assert_eq!(decide(&known(), &shared, &told(10, "anna")), Err(NotTaken::Shared));
    let unproven = Owner { verified: false, ..owner() };
    assert_eq!(decide(&known(), &unproven, &told(10, "anna")), Err(NotTaken::NotProven));
    assert_eq!(decide(&known(), &owner(), &told(10, &"x".repeat(1_000))), Err(NotTaken::NoRoom));
    let erasure = serde_json::json!({"by": "mia", "because": "asked for", "started_at": Moment::from_ms(1)});
    let erased = Profile { erasure: serde_json::from_value(erasure).unwrap(), ..known() };
    assert_eq!(decide(&erased, &owner(), &told(10, "anna")), Err(NotTaken::Erased));
}

#[test]
fn deliveries_of_one_telling_have_one_name() {
    let later = ProfileTold { received_at: Moment::from_ms(2_000), ..told(10, "anna") };
    assert_eq!(told(10, "anna").id(), later.id());
    assert_ne!(told(10, "anna").id(), told(11, "anna").id());
    assert_ne!(told(10, "anna").id(), told(10, "anne").id());
}

proptest! {
    #[test]
    fn any_order_and_repetition_give_the_same(tellings in proptest::collection::vec((0..5_i64, "[ab]{1,2}"), 1..6), seed in any::<u64>()) {
        let all = |order: &[(i64, String)]| {
            let mut profile = known();
            for (at, name) in order {
                profile = decide(&profile, &owner(), &told(*at, name)).unwrap_or(profile);
            }
            (profile.name, profile.attributes, profile.told)
        };
        let mut other: Vec<_> = tellings.iter().chain(&tellings).cloned().collect();
        let turn = usize::try_from(seed % 7).unwrap() % other.len();
        other.reverse();
        other.rotate_left(turn);
        prop_assert_eq!(all(&tellings), all(&other));
    }
}
