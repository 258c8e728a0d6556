//! How likely a suggestion to link is right: a score that says what it is made of.

use schemars::JsonSchema;
use serde::Serialize;

use crate::cluster;
use crate::customer::{LinkSuggestion, Profile, SuggestedBy};
use crate::identifier::{Identifier, IdentifierKind};

/// Points of a name that one message proved together with one of theirs.
const PROVEN: i32 = 70;
/// Points of a name to which the answer goes.
const ANSWERABLE: i32 = 50;
/// Points of the same mailbox under another tag.
const SAME_MAILBOX: i32 = 60;
/// Points of a name that somebody typed.
const TYPED: i32 = 40;
/// Points of the same display name.
const SAME_NAME: i32 = 20;
/// Points of the same display name at the same mail domain, besides those of the name.
const SAME_DOMAIN: i32 = 10;
/// Points of different accounts.
const DIFFERENT_ACCOUNTS: i32 = -60;
/// The surest suggestion; certain is only what somebody confirms.
const SCORE_MAX: i32 = 100;

/// How likely two customers are the same person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Likeness {
    /// From 0 to 100: what the reasons say together.
    pub score: u8,
    /// What speaks for it and against it, with its points.
    pub reasons: Vec<String>,
}

/// How likely a suggestion of one customer is right; `other` is whom it names, if anybody.
pub fn likeness(suggestion: &LinkSuggestion, one: &Profile, other: Option<&Profile>) -> Likeness {
    let kind = suggestion.identifier.kind().as_str();
    let mut points: Vec<(i32, String)> = vec![match suggestion.by {
        SuggestedBy::Proven => (PROVEN, format!("one message proved this {kind} and a name of theirs")),
        SuggestedBy::Answerable => (ANSWERABLE, format!("answers go to this {kind}")),
        SuggestedBy::Asserted => (PROVEN, format!("a business system says that this {kind} is theirs")),
        SuggestedBy::SameMailbox => (SAME_MAILBOX, "the same mailbox, with and without a tag".to_owned()),
        SuggestedBy::Typed => (TYPED, format!("this {kind} was typed")),
    }];
    if let Some(other) = other {
        let same_name =
            one.name.as_deref().map(plain).is_some_and(|name| other.name.as_deref().map(plain) == Some(name));
        if same_name {
            points.push((SAME_NAME, "the same name".to_owned()));
            if let Some(domain) = domains(one).find(|domain| domains(other).any(|other| other == *domain)) {
                points.push((SAME_DOMAIN, format!("and mail addresses at {domain}")));
            }
        }
        let durable = |profile: &Profile| profile.durable().cloned().collect::<Vec<Identifier>>();
        if cluster::differ(&durable(one), &durable(other)) {
            points.push((DIFFERENT_ACCOUNTS, "different accounts".to_owned()));
        }
    }
    let sum: i32 = points.iter().map(|(points, _)| points).sum();
    Likeness {
        score: u8::try_from(sum.clamp(0, SCORE_MAX)).unwrap_or_default(),
        reasons: points.into_iter().map(|(points, reason)| format!("{reason} ({points:+})")).collect(),
    }
}

/// A display name without what people write differently.
fn plain(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

fn domains(profile: &Profile) -> impl Iterator<Item = &str> {
    let mails = profile.identifiers.iter().map(|known| &known.identifier);
    mails.filter(|name| name.kind() == IdentifierKind::Email).filter_map(|name| Some(name.value().rsplit_once('@')?.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::customer::KnownIdentifier;
    use crate::testing::{customer, email, noon};
    use proptest::prelude::*;

    fn profile(n: u128, name: Option<&str>, names: &[Identifier]) -> Profile {
        let known = names.iter().map(|identifier| KnownIdentifier {
            identifier: identifier.clone(),
            verified: true,
            first_seen_at: noon(),
            last_seen_at: noon(),
            source: "email/support".to_owned(),
        });
        serde_json::from_value(serde_json::json!({
            "id": customer(n), "version": 1, "name": name, "created_at": noon(), "updated_at": noon(),
            "identifiers": known.collect::<Vec<_>>(),
        }))
        .unwrap()
    }

    fn suggestion(by: SuggestedBy) -> LinkSuggestion {
        let identifier = email("anna@x.example");
        LinkSuggestion { customer_id: Some(customer(2)), identifier, by, why: String::new(), at: noon() }
    }

    fn account(value: &str) -> Identifier {
        Identifier::new(IdentifierKind::Account, value, None).unwrap()
    }

    #[test]
    fn every_reason_has_its_points() {
        let one = profile(1, Some("Anna  Berg"), &[email("a@x.example"), account("1")]);
        let score = |by, other: Option<&Profile>| likeness(&suggestion(by), &one, other).score;
        assert_eq!(score(SuggestedBy::Typed, None), 40);
        assert_eq!(score(SuggestedBy::Answerable, Some(&profile(2, None, &[]))), 50);
        assert_eq!(score(SuggestedBy::SameMailbox, Some(&profile(2, Some("Ben"), &[email("b@x.example")]))), 60);
        assert_eq!(score(SuggestedBy::Typed, Some(&profile(2, Some("anna berg"), &[]))), 60);
        let same = profile(2, Some("Anna Berg"), &[email("b@x.example")]);
        assert_eq!(score(SuggestedBy::Proven, Some(&same)), 100);
        let other = profile(2, Some("Anna Berg"), &[account("2")]);
        let found = likeness(&suggestion(SuggestedBy::Typed), &one, Some(&other));
        assert_eq!(found.score, 0);
        assert_eq!(found.reasons, ["this email was typed (+40)", "the same name (+20)", "different accounts (-60)"]);
        assert_eq!(score(SuggestedBy::Typed, Some(&profile(2, None, &[account("1")]))), 40);
        assert_eq!(
            likeness(&suggestion(SuggestedBy::Typed), &profile(1, None, &[]), Some(&profile(2, None, &[]))).score,
            40
        );
    }

    proptest! {
        #[test]
        fn stronger_evidence_never_scores_less(name in any::<bool>(), domain in any::<bool>(), accounts in any::<bool>()) {
            let names = |n: &str| {
                let domain = if domain { "x.example".to_owned() } else { format!("{n}.example") };
                let account = accounts.then(|| account(n));
                [Some(email(&format!("{n}@{domain}"))), account].into_iter().flatten().collect::<Vec<_>>()
            };
            let (one, other) = (profile(1, Some("A"), &names("a")), profile(2, Some(if name { "A" } else { "B" }), &names("b")));
            let score = |by| likeness(&suggestion(by), &one, Some(&other)).score;
            use SuggestedBy::{Answerable, Asserted, Proven, SameMailbox, Typed};
            prop_assert!(score(Typed) <= score(Answerable) && score(Answerable) <= score(SameMailbox));
            prop_assert!(score(SameMailbox) <= score(Proven) && score(Proven) <= 100);
            prop_assert_eq!(score(Asserted), score(Proven));
        }
    }
}
