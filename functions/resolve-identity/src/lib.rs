//! Finds out who sent a message, lets them hold the names that the message proves, and links them with whom it proves to be
//! the same person.

mod profile;

use std::collections::BTreeMap;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use throughline_domain::cluster::{self, Link, LinkState, NotLinked};
use throughline_domain::customer::Profile;
use throughline_domain::event::Actor;
use throughline_domain::id::CustomerId;
use throughline_domain::identifier::Identifier;
use throughline_domain::identity::{self, Holder, Resolution, Sender};
use throughline_domain::inbound::{Identified, Inbound};
use throughline_domain::work::Work;
use throughline_platform::batch::{self, Done, Record, Stage};
use throughline_platform::config::Setting;
use throughline_platform::queues::{Queue, Send};
use throughline_platform::recording::deciding;
use throughline_platform::{App, Failure, linking};
use tokio::time::Instant;

/// The settings that it needs.
pub const NEEDS: &[Setting] = &[Setting::Table, Setting::Bucket, Setting::IdentifiedQueue];

const STAGE: Stage = Stage { function: "resolve-identity", queue: Some(Queue::Inbound) };

/// Processes a batch of the `inbound` queue or of its dead letters.
pub async fn handle(app: &App, event: SqsEvent, deadline: Instant) -> SqsBatchResponse {
    batch::run(app, STAGE, event, deadline, |record| resolve(app, record)).await
}

async fn resolve(app: &App, record: Record) -> Result<Done, Failure> {
    let mut inbound = match batch::decode(app, &record.body).await? {
        Work::Inbound(inbound) => inbound,
        // Whose it is, its message tells.
        Work::Change(change) => {
            return Ok(Done { sends: vec![Send::change(Queue::Identified, *change)], ..Done::quietly("passed_on") });
        }
        Work::Profile(told) => return Ok(Done::quietly(profile::apply(app, &told).await?)),
        _ => return Err(Failure::Quarantine("it is work for another queue".to_owned())),
    };
    // Our own addresses are never anybody's name.
    let config = app.config().await?;
    inbound.claims.retain(|claim| !config.inboxes.body.is_own(&claim.identifier));
    let resolution = deciding(app, |_| decide(app, &inbound)).await?;
    let outcome = if resolution.is_new { "new_customer" } else { "known_customer" };
    let identified = Identified {
        inbound: *inbound,
        customer_id: resolution.customer_id,
        is_new: resolution.is_new,
        decision: resolution.decision,
    };
    Ok(Done { sends: vec![Send::identified(identified, record.group)], ..Done::quietly(outcome) })
}

async fn decide(app: &App, inbound: &Inbound) -> Result<Resolution, Failure> {
    let names: Vec<_> = inbound.claims.iter().map(|claim| claim.identifier.clone()).collect();
    let owners = app.store.owners(&names).await?;
    let holders = holders(app, &identity::holders_to_check(&inbound.claims, &owners)).await?;
    let mailboxes = app.store.owners(&identity::mailboxes(&inbound.claims, &owners)).await?;
    let message = &inbound.message;
    let mut resolution = identity::resolve(&Sender {
        claims: &inbound.claims,
        owners: &owners,
        holders: &holders,
        mailboxes: &mailboxes,
        new_customer: CustomerId::opened_by(message.id),
        source: &format!("{}/{}", message.channel, message.inbox),
        at: message.received_at,
    });
    link(app, inbound, &mut resolution).await?;
    write(app, inbound, &mut resolution).await?;
    Ok(resolution)
}

/// What else is known of these customers.
async fn holders(app: &App, ids: &[CustomerId]) -> Result<BTreeMap<CustomerId, Holder>, Failure> {
    let mut holders = BTreeMap::new();
    for (id, profile) in ids.iter().zip(app.store.profiles(ids).await?) {
        let (root, head) = app.store.root_head(*id).await?;
        let mut durable: Vec<_> = profile.iter().flat_map(|profile| profile.durable().cloned()).collect();
        // Two numbers are two people, whichever of a person's customers has the first.
        let others: Vec<_> = head.cluster_of(root).into_iter().filter(|member| member != id).collect();
        let others = app.store.profiles(&others).await?;
        durable.extend(others.iter().flatten().flat_map(|other| other.durable().cloned()));
        let anonymous = profile.is_some_and(|profile| profile.is_anonymous());
        holders.insert(*id, Holder { durable, anonymous, root });
    }
    Ok(holders)
}

/// Links whom the message proves to be the same person. Who cannot be linked is suggested, but for who was unlinked before.
async fn link(app: &App, inbound: &Inbound, resolution: &mut Resolution) -> Result<(), Failure> {
    for wanted in std::mem::take(&mut resolution.links) {
        let link = Link {
            pair: cluster::pair(resolution.customer_id, wanted.with),
            state: LinkState::Linked,
            rule: wanted.rule.to_owned(),
            evidence: wanted.evidence,
            by: Actor::System,
            at: inbound.message.received_at,
        };
        let (rule, evidence) = (link.rule.clone(), link.evidence.clone());
        match linking::link(app, link).await? {
            Ok(()) => resolution.decision.add(&format!("; linked with {} ({rule}: {evidence})", wanted.with)),
            Err(NotLinked::Already | NotLinked::Itself | NotLinked::KeptApart) => {}
            Err(NotLinked::TooMany | NotLinked::DifferentNames) => resolution.suggestions.push(wanted.otherwise),
        }
    }
    Ok(())
}

/// Writes what the resolution changes: names held, and for a new customer the profile. Most messages change nothing.
async fn write(app: &App, inbound: &Inbound, resolution: &mut Resolution) -> Result<(), Failure> {
    if resolution.claims.is_empty() && resolution.suggestions.is_empty() && !resolution.is_new {
        return Ok(());
    }
    // A new customer who claims something has no profile yet: had an earlier run of this message written it, the names
    // would be held. One without names may have it, from such a run.
    let known = match (resolution.is_new, resolution.claims.is_empty()) {
        (true, false) => None,
        _ => app.store.profile(resolution.customer_id).await?,
    };
    if resolution.is_new && known.is_some() {
        return Ok(());
    }
    // Who is erased holds no name any more: somebody new wrote. Until then, what comes is erased with the rest.
    if known.as_ref().and_then(|known| known.erasure.as_ref()).is_some_and(|erasure| erasure.done_at.is_some()) {
        return Err(Failure::Conflict("the customer was erased meanwhile".to_owned()));
    }
    let learns = |known: &Profile| resolution.suggestions.iter().any(|suggestion| known.would_learn(suggestion));
    let learns = known.as_ref().is_none_or(learns);
    let (profile, suggested) = resolved(known, inbound, resolution);
    if learns || !resolution.claims.is_empty() {
        app.store.claim(&profile, &resolution.claims, &suggested).await?;
    }
    Ok(())
}

/// The profile after the resolution, of which what the profile has no room for is taken out; and the names that are new among
/// its suggestions.
fn resolved(known: Option<Profile>, inbound: &Inbound, resolution: &mut Resolution) -> (Profile, Vec<Identifier>) {
    let at = inbound.message.received_at;
    let mut profile = known.unwrap_or_else(|| Profile {
        language: inbound.message.language.clone(),
        ..Profile::new(resolution.customer_id, at)
    });
    profile.version += 1;
    profile.updated_at = profile.updated_at.max(at);
    if profile.name.is_none() {
        profile.name.clone_from(&inbound.message.sender.name);
    }
    let claims = resolution.claims.len();
    resolution.claims.retain(|claim| profile.knows(&claim.known));
    if resolution.claims.len() < claims {
        resolution.decision.add("; a further name is not theirs for good: they have as many as a customer can have");
    }
    let new = resolution.suggestions.iter().filter(|suggestion| profile.suggest(suggestion));
    let suggested = new.map(|suggestion| suggestion.identifier.clone()).collect();
    (profile, suggested)
}
