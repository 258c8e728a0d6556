//! What a business system knows of a customer, told by a name that the business gave them.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use throughline_domain::channel::Channel;
use throughline_domain::crm::{self, AssertedNames, Entitlement, Holder, Merged, Order, Stamp, Told};
use throughline_domain::customer::Profile;
use throughline_domain::id::{CustomerId, uuid_v7};
use throughline_domain::identifier::{Identifier, IdentifierKind};
use throughline_domain::identity::Owner;
use throughline_domain::moment::Moment;
use throughline_domain::view::CustomerView;
use throughline_platform::http::{RawBody, json};
use throughline_platform::problem::{Fault, Problem};
use throughline_platform::recording::deciding;
use throughline_platform::{App, Failure};

use super::shown;
use crate::auth::{Caller, Role};

/// How far the clock of a business system may be ahead of ours, in milliseconds.
const CLOCK_AHEAD_MS_MAX: i64 = 30_000;
/// Most names that are asserted at once, besides the one in the path.
const IDENTIFIERS_TOLD_MAX: usize = 20;

/// `PUT /v1/customers/by-identifier/{kind}/{value}`: absent fields stay as they are, null removes.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct PutCustomer {
    /// Display name.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    name: Option<Option<String>>,
    /// `tier`, `segment`, `company`, … `segment` decides routing and service levels of their next ticket.
    attributes: BTreeMap<String, Option<String>>,
    /// How they want to be served.
    preferences: PutPreferences,
    /// Further names that the business says are theirs: `email`, `phone`, `account`, `crm`.
    identifiers: Vec<PutIdentifier>,
    /// All that they are entitled to: replaces what was told before.
    entitlements: Option<Vec<Entitlement>>,
    /// Orders, each replaced by its id; others stay.
    orders: Vec<Order>,
    /// When it was so, where that is not now: what is known from later stays.
    observed_at: Option<Moment>,
}

/// How they want to be served.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct PutPreferences {
    /// Channel on which they want to be answered.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    channel: Option<Option<Channel>>,
    /// Language (BCP 47).
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    language: Option<Option<String>>,
}

/// A name; a telephone number with its country code.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
struct PutIdentifier {
    kind: IdentifierKind,
    value: String,
}

/// Tells null, which removes, from absent.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// The customer as they are known now, and what of the telling was not taken over.
#[derive(Serialize, JsonSchema)]
pub(crate) struct PutOutcome {
    /// The customer.
    #[serde(flatten)]
    customer: CustomerView,
    /// Fields of which something later was known: they stayed.
    outdated: Vec<String>,
    /// How many orders were cut: fifty are kept, those told last.
    orders_cut: usize,
}

/// A telling, read and checked as far as it can be without the customer.
struct Telling {
    name: Identifier,
    names: Vec<Identifier>,
    told: Told,
}

/// What became of it.
struct Done {
    id: CustomerId,
    created: bool,
    outdated: Vec<String>,
    orders_cut: usize,
}

/// Puts what a business system knows on the customer of a name; nobody has it: a new customer does from now on.
pub(crate) async fn put(
    State(app): State<App>,
    caller: Caller,
    Path((kind, value)): Path<(String, String)>,
    RawBody(body): RawBody,
) -> Result<Response, Problem> {
    if caller.role != Role::Integration {
        caller.at_least(Role::Admin)?;
    }
    let now = app.clock.now();
    let telling = read(&caller, &kind, &value, json(&body)?, now)?;
    not_our_own(&app, &telling).await?;
    let done = deciding(&app, |_| attempt(&app, &telling, now)).await??;
    let Done { id, created, outdated, orders_cut } = done;
    let outcome = PutOutcome { customer: shown(&app, id).await?, outdated, orders_cut };
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(outcome)).into_response())
}

fn read(caller: &Caller, kind: &str, value: &str, body: PutCustomer, now: Moment) -> Result<Telling, Problem> {
    let kind = IdentifierKind::named(kind).filter(|kind| kind.is_durable());
    let kind = kind.ok_or_else(|| {
        Problem::fault(
            "",
            "a customer is told of by `account` or `crm`; order numbers come in `orders`: one person has many",
        )
    })?;
    let name = Identifier::new(kind, value, None).map_err(|error| Problem::fault("", error.to_string()))?;
    if body.identifiers.len() > IDENTIFIERS_TOLD_MAX {
        return Err(Problem::fault("/identifiers", format!("at most {IDENTIFIERS_TOLD_MAX} at once")));
    }
    let mut names = vec![name.clone()];
    for (i, given) in body.identifiers.iter().enumerate() {
        let fault = |error| Problem::fault(&format!("/identifiers/{i}"), format!("{error}"));
        names.push(Identifier::new(given.kind, &given.value, None).map_err(fault)?);
    }
    let at = body.observed_at.unwrap_or(now);
    if at.since_ms(now) > CLOCK_AHEAD_MS_MAX {
        return Err(Problem::fault("/observed_at", "lies in the future"));
    }
    let told = Told {
        stamp: Stamp { at, source: caller.id.to_string() },
        name: body.name,
        language: body.preferences.language,
        channel: body.preferences.channel,
        attributes: body.attributes,
        entitlements: body.entitlements,
        orders: body.orders,
    };
    Ok(Telling { name, names, told })
}

/// Our own addresses are never anybody's name.
async fn not_our_own(app: &App, telling: &Telling) -> Result<(), Problem> {
    let config = app.config().await?;
    match telling.names.iter().position(|name| config.inboxes.body.is_own(name)) {
        Some(i) => Err(Problem::fault(&format!("/identifiers/{}", i.saturating_sub(1)), "is an inbox of ours")),
        None => Ok(()),
    }
}

/// One decision and its write.
async fn attempt(app: &App, telling: &Telling, now: Moment) -> Result<Result<Done, Problem>, Failure> {
    let owners = app.store.owners(&telling.names).await?;
    let before = match owners.get(&telling.name) {
        Some(owner) => {
            let profile = app.store.profile(owner.customer_id).await?;
            Some(profile.ok_or_else(|| Failure::Conflict("the name's holder is being written".to_owned()))?)
        }
        None => None,
    };
    if before.as_ref().is_some_and(|before| before.erasure.is_some()) {
        return Ok(Err(Problem::conflict("this customer is being erased; the name is free once that is done")));
    }
    let created = before.is_none();
    let seed = telling.name.to_string();
    let new = || Profile::new(CustomerId::new(uuid_v7(now, &[b"customer", seed.as_bytes()])), now);
    let before = before.unwrap_or_else(new);
    let faults = crm::faults(&before, &telling.told);
    if !faults.is_empty() {
        let faults = faults.into_iter().map(|(pointer, detail)| Fault { pointer, detail });
        return Ok(Err(Problem::invalid(faults.collect())));
    }
    let holders = holders(app, &before, owners).await?;
    let source = &telling.told.stamp.source;
    let asserted = match crm::assert_names(&before, &telling.names, &holders, source, now) {
        Ok(asserted) => asserted,
        Err(refused) => {
            let pointer = format!("/identifiers/{}", refused.index.saturating_sub(1));
            return Ok(Err(Problem::fault(&pointer, refused.detail)));
        }
    };
    let Merged { profile, outdated, orders_cut } = crm::merge(before.clone(), &telling.told);
    let (profile, suggested) = with_names(profile, &asserted);
    if created || profile != before {
        let (version, updated_at) = (before.version + 1, before.updated_at.max(now));
        app.store.claim(&Profile { version, updated_at, ..profile }, &asserted.claims, &suggested).await?;
    }
    Ok(Ok(Done { id: before.id, created, outdated, orders_cut }))
}

/// The holders of names, with whether a business knows those who hold theirs unproven.
async fn holders(
    app: &App,
    profile: &Profile,
    owners: BTreeMap<Identifier, Owner>,
) -> Result<BTreeMap<Identifier, Holder>, Failure> {
    let mut durable = BTreeMap::new();
    for id in crm::holders_to_check(profile.id, &owners) {
        let known = app.store.profile(id).await?.into_iter().flat_map(|profile| profile.identifiers);
        durable.insert(id, known.into_iter().any(|known| known.identifier.kind().is_durable()));
    }
    let holder = |(name, owner): (Identifier, Owner)| {
        let durable = durable.get(&owner.customer_id).copied().unwrap_or_default();
        (name, Holder { owner, durable })
    };
    Ok(owners.into_iter().map(holder).collect())
}

/// The profile with these names, and the names that are new among its suggestions.
fn with_names(mut profile: Profile, asserted: &AssertedNames) -> (Profile, Vec<Identifier>) {
    for claim in &asserted.claims {
        // Listed still, when somebody else had displaced it meanwhile.
        profile.identifiers.retain(|known| known.identifier != claim.known.identifier);
        profile.identifiers.push(claim.known.clone());
    }
    let new = asserted.suggestions.iter().filter(|suggestion| profile.suggest(suggestion));
    let suggested = new.map(|suggestion| suggestion.identifier.clone()).collect();
    (profile, suggested)
}
