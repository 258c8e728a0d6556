//! A caller verified by an agent: what they proved in words counts as proof.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;
use throughline_domain::cluster::{self, Link, LinkState};
use throughline_domain::config::Inboxes;
use throughline_domain::customer::{IDENTIFIERS_MAX, KnownIdentifier, Profile};
use throughline_domain::decision::{BECAUSE_BYTES_MAX, Decision};
use throughline_domain::event::{Actor, CallerVerified, Changes, EventData};
use throughline_domain::id::CustomerId;
use throughline_domain::identifier::{Identifier, IdentifierKind};
use throughline_domain::identity::{NewClaim, Owner};
use throughline_domain::moment::Moment;
use throughline_platform::http::{RawBody, json};
use throughline_platform::problem::Problem;
use throughline_platform::recording::deciding;
use throughline_platform::{App, Failure};

use super::{Command, carry_out};
use crate::auth::{Caller, Role};
use crate::customers::links::linked;
use crate::tickets::find;

/// Where a name comes from that an agent verified.
const SOURCE: &str = "agent";

/// `POST …/caller-verified`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(crate) struct VerifyCaller {
    /// The name that the requester proved to have, `kind:value`.
    pub(crate) identifier: String,
    /// How they proved it, in words.
    pub(crate) how: String,
}

impl VerifyCaller {
    fn name(&self) -> Result<Identifier, Problem> {
        let name: Result<Identifier, _> = self.identifier.parse();
        let name = name.map_err(|error| Problem::fault("/identifier", error.to_string()))?;
        if matches!(name.kind(), IdentifierKind::Session | IdentifierKind::Order) {
            return Err(Problem::fault(
                "/identifier",
                "chat sessions and orders are no names that a person proves in words",
            ));
        }
        Ok(name)
    }
}

/// The event of a verification.
pub(super) fn verified(wanted: &VerifyCaller, inboxes: &Inboxes, actor: Actor) -> Result<Changes, Problem> {
    let identifier = wanted.name()?;
    if inboxes.is_own(&identifier) {
        return Err(Problem::fault("/identifier", "is an inbox of ours"));
    }
    let how = wanted.how.trim();
    if !(1..=BECAUSE_BYTES_MAX).contains(&how.len()) {
        return Err(Problem::fault("/how", format!("1 to {BECAUSE_BYTES_MAX} bytes")));
    }
    let decision = Decision::new("caller_verified", format!("an agent made sure of it: {how}"));
    let mut changes = Changes::new();
    let verified = CallerVerified { identifier, how: how.to_owned() };
    changes.push_because(actor, EventData::CallerVerified(verified), decision);
    Ok(changes)
}

/// `POST /v1/tickets/{id}/caller-verified`. The event comes first, so that nothing follows from what nobody recorded; the
/// same again does what an earlier call left undone.
pub(crate) async fn caller_verified(
    State(app): State<App>,
    caller: Caller,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    Path(id): Path<String>,
    RawBody(body): RawBody,
) -> Result<Response, Problem> {
    caller.at_least(Role::Agent)?;
    let wanted: VerifyCaller = json(&body)?;
    let name = wanted.name()?;
    let held = owner(&app, &name).await?;
    if held.as_ref().is_some_and(|owner| owner.shared) {
        return Err(Problem::conflict("several people share this name: it proves nobody"));
    }
    let customer = find(&app, &id).await?.ticket.head.customer_id;
    if let Some(profile) = app.store.profile(customer).await? {
        may_hold(&profile, &name)?;
        // Who holds it is linked, which takes no room.
        if !held.is_some_and(|owner| owner.verified) && !profile.has_room_for(&name) {
            return Err(Problem::conflict(format!("the customer has {IDENTIFIERS_MAX} names, and that is the most")));
        }
    }
    let request: &[&[u8]] = &[method.as_str().as_bytes(), uri.path().as_bytes(), &body];
    let answer = carry_out(&app, &caller, &headers, &id, Command::CallerVerified(wanted.clone()), request).await?;
    let at = app.clock.now();
    let other = deciding(&app, |_| claim(&app, customer, &name, at)).await?;
    if let Some(other) = other {
        let link = Link {
            pair: cluster::pair(customer, other),
            state: LinkState::Linked,
            rule: "caller_verified".to_owned(),
            evidence: wanted.how.trim().to_owned(),
            by: Actor::Agent(caller.id),
            at,
        };
        linked(&app, &link).await?;
    }
    Ok(answer)
}

/// A business's number of somebody is for good, and who is erased has no names any more.
fn may_hold(profile: &Profile, name: &Identifier) -> Result<(), Problem> {
    if profile.erasure.is_some() {
        return Err(Problem::conflict("the customer is erased"));
    }
    let numbers: Vec<Identifier> = profile.durable().cloned().collect();
    if cluster::differ(std::slice::from_ref(name), &numbers) {
        return Err(Problem::conflict("the customer has another one of this kind: two numbers are two customers"));
    }
    Ok(())
}

async fn owner(app: &App, name: &Identifier) -> Result<Option<Owner>, Failure> {
    Ok(app.store.owners(std::slice::from_ref(name)).await?.remove(name))
}

/// Lets a customer hold a verified name, unless somebody else does already: then says who.
async fn claim(app: &App, customer: CustomerId, name: &Identifier, at: Moment) -> Result<Option<CustomerId>, Failure> {
    let displaces = match owner(app, name).await? {
        Some(owner) if owner.verified && owner.customer_id == customer => return Ok(None),
        Some(owner) if owner.verified => return Ok(Some(owner.customer_id)),
        owner => owner,
    };
    let Some(mut profile) = app.store.profile(customer).await? else {
        return Ok(None);
    };
    let known = KnownIdentifier {
        identifier: name.clone(),
        verified: true,
        first_seen_at: at,
        last_seen_at: at,
        source: SOURCE.to_owned(),
    };
    // Looked at before, too; who is erased, or writes meanwhile with one more name was faster.
    if profile.erasure.is_some() || !profile.knows(&known) {
        return Err(Failure::Conflict("the customer takes no further name".to_owned()));
    }
    profile.version += 1;
    profile.updated_at = profile.updated_at.max(at);
    app.store.claim(&profile, &[NewClaim { known, displaces }], &[]).await?;
    Ok(None)
}
