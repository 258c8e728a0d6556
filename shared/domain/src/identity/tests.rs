//! Table and property tests of the proof rule.

use super::*;
use crate::identifier::IdentifierKind;
use proptest::prelude::*;
use uuid::Uuid;

fn customer(n: u128) -> CustomerId {
    CustomerId::new(Uuid::from_u128(n))
}

fn claim(kind: IdentifierKind, value: &str, proof: Proof) -> Claim {
    Claim { identifier: Identifier::new(kind, value, None).unwrap(), proof }
}

fn owner(n: u128, verified: bool) -> Owner {
    Owner { customer_id: customer(n), verified, shared: false }
}

fn decide(claims: &[Claim], owners: &[(&Claim, Owner)], durable: &[(u128, &Claim)]) -> Resolution {
    let holders: Vec<_> = durable.iter().map(|(n, claim)| (*n, holder(*n, &[claim], false))).collect();
    decide_with(claims, owners, &holders, &[])
}

fn holder(root: u128, durable: &[&Claim], anonymous: bool) -> Holder {
    let durable = durable.iter().map(|claim| claim.identifier.clone()).collect();
    Holder { durable, anonymous, root: customer(root) }
}

fn decide_with(
    claims: &[Claim],
    owners: &[(&Claim, Owner)],
    holders: &[(u128, Holder)],
    mailboxes: &[(Identifier, Owner)],
) -> Resolution {
    let owners = owners.iter().map(|(claim, owner)| (claim.identifier.clone(), owner.clone())).collect();
    let holders = holders.iter().map(|(n, holder)| (customer(*n), holder.clone())).collect();
    let mailboxes = mailboxes.iter().cloned().collect();
    resolve(&Sender {
        claims,
        owners: &owners,
        holders: &holders,
        mailboxes: &mailboxes,
        new_customer: customer(99),
        source: "web_chat/chat",
        at: Moment::from_ms(5),
    })
}

use IdentifierKind::{Account, Email, Phone, Session};
use Proof::{Answerable, Proven, Typed};

#[test]
fn nobody_known_claims_what_is_proved_or_answerable() {
    let claims = [claim(Email, "a@x.example", Answerable), claim(Phone, "+4930901820", Typed)];
    let decided = decide(&claims, &[], &[]);
    assert!(decided.is_new);
    assert_eq!(decided.decision.rule, "new_customer");
    assert_eq!(decided.claims.len(), 1);
    assert!(!decided.claims[0].known.verified);
    assert_eq!(decided.suggestions.len(), 1, "the typed number is a suggestion");
}

#[test]
fn a_typed_address_matches_nobody() {
    let claims = [claim(Session, "s1", Proven), claim(Email, "victim@x.example", Typed)];
    let decided = decide(&claims, &[(&claims[1], owner(1, true))], &[]);
    assert_eq!((decided.customer_id, decided.is_new), (customer(99), true));
    assert!(decided.claims.iter().all(|claim| claim.known.identifier.kind() == Session));
    assert_eq!(decided.suggestions[0].customer_id, Some(customer(1)));
}

#[test]
fn the_strongest_holder_wins_and_new_proven_names_join() {
    let account = claim(Account, "42", Proven);
    let email = claim(Email, "a@x.example", Proven);
    let session = claim(Session, "s1", Proven);
    let claims = [session.clone(), email.clone(), account.clone()];
    let decided = decide(&claims, &[(&email, owner(1, true)), (&account, owner(2, true))], &[]);
    assert_eq!(decided.customer_id, customer(2));
    assert_eq!(decided.suggestions.len(), 1);
    assert_eq!(decided.claims.len(), 1, "the session joins; the address stays with its holder");

    let decided = decide(&claims, &[(&email, owner(1, true))], &[]);
    assert_eq!((decided.customer_id, decided.claims.len()), (customer(1), 2));
}

/// What a business gave for good, before what a channel proved to be reachable, before a channel's own names, before a
/// session; and what nobody proved before comes after all that is proven.
#[test]
fn of_two_names_the_stronger_one_decides() {
    use IdentifierKind::{Crm, Facebook, Instagram, Line, Messenger, Slack, Telegram, Whatsapp, X};
    let kinds =
        [Account, Crm, Email, Phone, Whatsapp, Messenger, Instagram, Facebook, Line, Telegram, Slack, X, Session];
    let value = |kind| match kind {
        Email => "a@x.example",
        Phone => "+4930901820",
        _ => "4711",
    };
    let held = |kind, n, verified| (claim(kind, value(kind), Proven), owner(n, verified));
    let decides = |first: &(Claim, Owner), second: &(Claim, Owner)| {
        let both = [first.0.clone(), second.0.clone()];
        let owners = [(&first.0, first.1.clone()), (&second.0, second.1.clone())];
        let [one, other] = [decide(&both, &owners, &[]), decide(&[both[1].clone(), both[0].clone()], &owners, &[])];
        assert_eq!(one.customer_id, other.customer_id, "in whatever order they come");
        one.customer_id
    };
    for (i, stronger) in kinds.into_iter().enumerate() {
        for weaker in &kinds[i + 1..] {
            let found = decides(&held(stronger, 1, true), &held(*weaker, 2, true));
            assert_eq!(found, customer(1), "{stronger:?} before {weaker:?}");
        }
        if !stronger.is_durable() && stronger != Email {
            let found = decides(&held(stronger, 1, true), &held(Email, 2, false));
            assert_eq!(found, customer(1), "{stronger:?} before an address that nobody proved");
        }
    }
}

#[test]
fn two_accounts_behind_one_address_are_two_people() {
    let (other, account) = (claim(Account, "7", Proven), claim(Account, "42", Proven));
    let email = claim(Email, "family@x.example", Proven);
    let claims = [account, email.clone()];
    let owners = BTreeMap::from([(email.identifier.clone(), owner(1, true))]);
    assert_eq!(holders_to_check(&claims, &owners), vec![customer(1)]);
    let decided = decide(&claims, &[(&email, owner(1, true))], &[(1, &other)]);
    assert!(decided.is_new);
    assert_eq!(decided.decision.rule, "other_durable_name");
    assert_eq!(decided.claims.len(), 1, "the account is claimed, the address stays");
}

#[test]
fn proof_displaces_an_unproven_claim() {
    let email = claim(Email, "a@x.example", Proven);
    let account = claim(Account, "42", Proven);
    let decided =
        decide(&[email.clone(), account.clone()], &[(&email, owner(1, false)), (&account, owner(2, true))], &[]);
    assert_eq!(decided.customer_id, customer(2));
    assert_eq!(decided.claims[0].displaces, Some(owner(1, false)));
    // Alone, the proof makes the claim of the customer who has it a verified one.
    let decided = decide(std::slice::from_ref(&email), &[(&email, owner(1, false))], &[]);
    assert_eq!(decided.customer_id, customer(1));
    assert!(decided.claims[0].known.verified);
}

#[test]
fn an_unproven_sender_may_match_but_takes_nothing() {
    let email = claim(Email, "a@x.example", Answerable);
    let decided = decide(std::slice::from_ref(&email), &[(&email, owner(1, true))], &[]);
    assert_eq!((decided.customer_id, decided.claims.len()), (customer(1), 0));
    let session = claim(Session, "s", Proven);
    let decided = decide(&[session.clone(), email], &[(&session, owner(2, true))], &[]);
    assert_eq!((decided.customer_id, decided.claims.len()), (customer(2), 0), "it does not join either");
    assert_eq!(decided.suggestions.len(), 1, "but somebody may look at it");
}

#[test]
fn one_message_that_proves_names_of_two_links_them() {
    let (account, session) = (claim(Account, "42", Proven), claim(Session, "s1", Proven));
    let (email, other) = (claim(Email, "a@x.example", Proven), claim(Account, "7", Proven));
    let two = |first: &Claim, second: &Claim, holders: &[(u128, Holder)]| {
        let owners = [(first, owner(1, true)), (second, owner(2, true))];
        decide_with(&[first.clone(), second.clone()], &owners, holders, &[])
    };
    // Who was anonymous is absorbed.
    let decided = two(&account, &session, &[(1, holder(1, &[&account], false)), (2, holder(2, &[], true))]);
    assert_eq!((decided.customer_id, decided.suggestions.len()), (customer(1), 0));
    assert_eq!((decided.links[0].with, decided.links[0].rule), (customer(2), "signed_in"));
    let decided = two(&account, &email, &[(1, holder(1, &[&account], false)), (2, holder(2, &[], false))]);
    assert_eq!((decided.links[0].with, decided.links[0].rule), (customer(2), "proved_together"));
    // Two accounts are two people, whatever they share.
    let decided = two(&account, &email, &[(1, holder(1, &[&account], false)), (2, holder(2, &[&other], false))]);
    assert_eq!((decided.links.len(), decided.suggestions[0].by), (0, SuggestedBy::Proven));
    // Who is linked already is neither linked nor suggested again.
    let decided = two(&account, &email, &[(1, holder(1, &[], false)), (2, holder(1, &[], false))]);
    assert_eq!((decided.links.len(), decided.suggestions.len()), (0, 0));
}

#[test]
fn only_what_both_sides_proved_links() {
    let account = claim(Account, "42", Proven);
    let holders = [(1, holder(1, &[&account], false)), (2, holder(2, &[], false))];
    for (proof, verified) in [(Answerable, true), (Typed, true), (Proven, false)] {
        let email = claim(Email, "a@x.example", proof);
        let owners = [(&account, owner(1, true)), (&email, owner(2, verified))];
        let decided = decide_with(&[account.clone(), email.clone()], &owners, &holders, &[]);
        assert_eq!((decided.customer_id, decided.links.len()), (customer(1), 0), "{proof:?}");
        assert_eq!(decided.suggestions.len(), 1, "{proof:?}");
    }
}

#[test]
fn a_shared_name_neither_links_nor_joins_and_matches_only_alone() {
    let (office, account) = (claim(Email, "info@x.example", Proven), claim(Account, "42", Proven));
    let shared = Owner { shared: true, ..owner(2, true) };
    let holders = [(1, holder(1, &[&account], false)), (2, holder(2, &[], false))];
    let both = [account.clone(), office.clone()];
    let decided = decide_with(&both, &[(&account, owner(1, true)), (&office, shared.clone())], &holders, &[]);
    assert_eq!((decided.customer_id, decided.links.len(), decided.suggestions.len()), (customer(1), 0, 0));
    // A new name beside it is somebody new, not one more name of whoever holds the shared one.
    let decided = decide_with(&both, &[(&office, shared.clone())], &holders, &[]);
    assert_eq!((decided.is_new, decided.claims.len()), (true, 1));
    let decided = decide_with(std::slice::from_ref(&office), &[(&office, shared)], &[], &[]);
    assert_eq!((decided.customer_id, decided.claims.len()), (customer(2), 0));
}

#[test]
fn who_holds_the_mailbox_of_a_tagged_address_is_suggested() {
    let tagged = claim(Email, "anna+shop@x.example", Proven);
    let claims = std::slice::from_ref(&tagged);
    let mailbox = Identifier::email("anna@x.example").unwrap();
    assert_eq!(mailboxes(claims, &BTreeMap::new()), vec![mailbox.clone()]);
    let held = BTreeMap::from([(tagged.identifier.clone(), owner(1, true))]);
    assert!(mailboxes(claims, &held).is_empty(), "nothing more is read for who is known");
    let decided = decide_with(claims, &[], &[], &[(mailbox, owner(1, true))]);
    assert!(decided.is_new);
    assert_eq!(
        (decided.suggestions[0].customer_id, decided.suggestions[0].by),
        (Some(customer(1)), SuggestedBy::SameMailbox)
    );
}

#[test]
fn a_proven_name_does_not_come_to_whoever_has_an_address_that_was_given() {
    let (account, email) = (claim(Account, "42", Proven), claim(Email, "a@x.example", Answerable));
    let claims = [account.clone(), email.clone()];
    for verified in [true, false] {
        let decided = decide(&claims, &[(&email, owner(1, verified))], &[]);
        assert!(decided.is_new);
        assert_eq!(decided.decision.rule, "proven_name_is_new");
        let claimed: Vec<_> = decided.claims.iter().map(|claim| &claim.known.identifier).collect();
        assert_eq!(claimed, [&account.identifier], "the address stays with its holder");
        assert_eq!(decided.suggestions[0].customer_id, Some(customer(1)));
    }
    // An address that nobody has may come with it.
    assert_eq!(decide(&claims, &[], &[]).claims.len(), 2);
}

proptest! {
    #[test]
    fn typed_names_never_decide(
        proofs in prop::collection::vec((0_usize..4, 0_usize..3, 0_usize..3), 1..5),
        held in prop::collection::vec((0_u128..3, any::<bool>()), 5),
    ) {
        let claims: Vec<Claim> = proofs.iter().enumerate().map(|(i, (kind, _, proof))| {
            let kind = [Account, Email, Session, IdentifierKind::Whatsapp][*kind];
            let value = if kind == Email { format!("n{i}@x.example") } else { format!("n{i}") };
            claim(kind, &value, [Proven, Answerable, Typed][*proof])
        }).collect();
        let owners: Vec<(&Claim, Owner)> = claims.iter().zip(&held)
            .filter(|(_, (n, _))| *n > 0).map(|(claim, (n, verified))| (claim, owner(*n, *verified))).collect();
        let holders: Vec<_> = (0..3).map(|n| (n, holder(n, &[], false))).collect();
        let decided = decide_with(&claims, &owners, &holders, &[]);
        for link in &decided.links {
            let proves = |n: CustomerId| owners.iter().any(|(c, o)| o.customer_id == n && o.verified && c.proof == Proven);
            prop_assert!(link.with != decided.customer_id && proves(link.with) && proves(decided.customer_id));
        }
        let may_match = |n: CustomerId| owners.iter().any(|(c, o)| o.customer_id == n && c.proof != Typed);
        prop_assert!(decided.is_new == (decided.customer_id == customer(99)));
        prop_assert!(decided.is_new || may_match(decided.customer_id));
        for new in &decided.claims {
            let origin = claims.iter().find(|claim| claim.identifier == new.known.identifier).unwrap();
            prop_assert_ne!(origin.proof, Typed);
            prop_assert_eq!(new.known.verified, origin.proof == Proven);
        }
    }
}
