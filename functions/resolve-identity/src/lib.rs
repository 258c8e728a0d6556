//! Finds out who sent a message, and lets them hold the names that the message proves.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use throughline_domain::customer::{IDENTIFIERS_MAX, LinkSuggestion, Profile, SUGGESTIONS_MAX};
use throughline_domain::id::CustomerId;
use throughline_domain::identity::{self, Resolution, Sender};
use throughline_domain::inbound::{Identified, Inbound};
use throughline_domain::work::Work;
use throughline_platform::batch::{self, Done, Record, Stage};
use throughline_platform::config::Setting;
use throughline_platform::queues::{Queue, Send};
use throughline_platform::recording::deciding;
use throughline_platform::{App, Failure};
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
    let mut durable = std::collections::BTreeMap::new();
    for id in identity::owners_to_check(&inbound.claims, &owners) {
        let profile = app.store.profile(id).await?;
        let known = profile.into_iter().flat_map(|profile| profile.identifiers).map(|known| known.identifier);
        durable.insert(id, known.filter(|name| name.kind().is_durable()).collect());
    }
    let message = &inbound.message;
    let resolution = identity::resolve(&Sender {
        claims: &inbound.claims,
        owners: &owners,
        durable: &durable,
        new_customer: CustomerId::opened_by(message.id),
        source: &format!("{}/{}", message.channel, message.inbox),
        at: message.received_at,
    });
    write(app, inbound, &resolution).await?;
    Ok(resolution)
}

/// Writes what the resolution changes: names held, and for a new customer the profile. Most messages change nothing.
async fn write(app: &App, inbound: &Inbound, resolution: &Resolution) -> Result<(), Failure> {
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
    if let Some(known) = &known
        && resolution.claims.is_empty()
        && !resolution.suggestions.iter().any(|suggestion| is_news(known, suggestion))
    {
        return Ok(());
    }
    let profile = profile(known, inbound, resolution);
    app.store.claim(&profile, &resolution.claims).await?;
    Ok(())
}

/// The profile after the resolution.
fn profile(known: Option<Profile>, inbound: &Inbound, resolution: &Resolution) -> Profile {
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
    for claim in &resolution.claims {
        if let Some(known) = profile.identifiers.iter_mut().find(|known| known.identifier == claim.known.identifier) {
            known.verified |= claim.known.verified;
            known.last_seen_at = claim.known.last_seen_at;
        } else if profile.identifiers.len() < IDENTIFIERS_MAX {
            // Beyond that the name is held all the same; the list shows the first hundred.
            profile.identifiers.push(claim.known.clone());
        }
    }
    for suggestion in &resolution.suggestions {
        if is_news(&profile, suggestion) {
            profile.link_suggestions.push(suggestion.clone());
        }
    }
    profile
}

/// Whether a suggestion is to be added to what the profile keeps.
fn is_news(profile: &Profile, suggestion: &LinkSuggestion) -> bool {
    let same = |known: &LinkSuggestion| {
        known.identifier == suggestion.identifier && known.customer_id == suggestion.customer_id
    };
    profile.link_suggestions.len() < SUGGESTIONS_MAX && !profile.link_suggestions.iter().any(same)
}
