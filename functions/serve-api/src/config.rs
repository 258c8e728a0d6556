//! Configuration: what is in force, and putting another one in force, checked whole and never over somebody else's.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use throughline_domain::config::{
    Config, ConfigKind, Inboxes, InvalidConfig, RoutingRules, SlaRules, TicketingRules, Versioned,
};
use throughline_domain::id::TeamId;
use throughline_domain::moment::Moment;
use throughline_platform::App;
use throughline_platform::http::{RawBody, json};
use throughline_platform::problem::{Fault, Problem};
use throughline_store::{ConfigChange, ConfigInForce, StoreError};

use crate::auth::{Caller, Role};
use crate::etag::{at_version, entity_tag, if_match};
use crate::page::List;

/// Largest configuration of a kind, in bytes of JSON: an item of the table holds 400 KB.
const CONFIG_BYTES_MAX: usize = 300 * 1024;

/// A configuration of one of the kinds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum ConfigBody {
    /// Of `inboxes`.
    Inboxes(Inboxes),
    /// Of `routing`.
    Routing(RoutingRules),
    /// Of `sla`.
    Sla(SlaRules),
    /// Of `ticketing`.
    Ticketing(TicketingRules),
}

/// A kind of configuration, and which version of it is in force.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ConfigVersion {
    kind: ConfigKind,
    /// 0: the built-in default.
    version: u64,
    /// Who put it in force: the subject of their token.
    by: Option<String>,
    /// When they did.
    at: Option<Moment>,
}

/// The configuration of a kind that is in force. What `PUT` takes is the same without the first four: it ignores them.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ConfigView {
    #[serde(flatten)]
    version: ConfigVersion,
    #[serde(flatten)]
    body: ConfigBody,
}

impl ConfigBody {
    fn read(kind: ConfigKind, body: &[u8]) -> Result<Self, Problem> {
        // A list would do for a type whose fields all have defaults, and `[]` would reset everything.
        json::<serde_json::Map<String, serde_json::Value>>(body)?;
        Ok(match kind {
            ConfigKind::Inboxes => Self::Inboxes(json(body)?),
            ConfigKind::Routing => Self::Routing(json(body)?),
            ConfigKind::Sla => Self::Sla(json(body)?),
            ConfigKind::Ticketing => Self::Ticketing(json(body)?),
        })
    }

    /// What is in force, with its version.
    fn of(kind: ConfigKind, config: &Config) -> (u64, Self) {
        match kind {
            ConfigKind::Inboxes => (config.inboxes.version, Self::Inboxes(config.inboxes.body.clone())),
            ConfigKind::Routing => (config.routing.version, Self::Routing(config.routing.body.clone())),
            ConfigKind::Sla => (config.sla.version, Self::Sla(config.sla.body.clone())),
            ConfigKind::Ticketing => (config.ticketing.version, Self::Ticketing(config.ticketing.body.clone())),
        }
    }

    /// The configuration with this part of it at this version.
    fn within(&self, config: &Config, version: u64) -> Config {
        let mut config = config.clone();
        match self.clone() {
            Self::Inboxes(body) => config.inboxes = Versioned { version, body },
            Self::Routing(body) => config.routing = Versioned { version, body },
            Self::Sla(body) => config.sla = Versioned { version, body },
            Self::Ticketing(body) => config.ticketing = Versioned { version, body },
        }
        config
    }
}

fn named(kind: &str) -> Result<ConfigKind, Problem> {
    let known = ConfigKind::ALL.map(ConfigKind::as_str).join(", ");
    kind.parse().map_err(|_| Problem::not_found(format!("there is no such kind of configuration; there are: {known}")))
}

fn version(kind: ConfigKind, version: u64, found: &ConfigInForce) -> ConfigVersion {
    let change = found.changes.get(&kind);
    ConfigVersion { kind, version, by: change.map(|change| change.by.clone()), at: change.map(|change| change.at) }
}

fn answer(kind: ConfigKind, found: &ConfigInForce) -> Response {
    let (number, body) = ConfigBody::of(kind, &found.config);
    let view = ConfigView { version: version(kind, number, found), body };
    ([(header::ETAG, entity_tag(number))], Json(view)).into_response()
}

/// `GET /v1/config`: all kinds, with their versions.
pub(crate) async fn list(State(app): State<App>, caller: Caller) -> Result<Json<List<ConfigVersion>>, Problem> {
    caller.at_least(Role::Agent)?;
    let found = app.store.config_in_force().await?;
    let items = ConfigKind::ALL.map(|kind| version(kind, ConfigBody::of(kind, &found.config).0, &found));
    Ok(Json(List { items: items.into(), next: None }))
}

/// `GET /v1/config/{kind}`.
pub(crate) async fn get(State(app): State<App>, caller: Caller, Path(kind): Path<String>) -> Result<Response, Problem> {
    caller.at_least(Role::Agent)?;
    let kind = named(&kind)?;
    Ok(answer(kind, &app.store.config_in_force().await?))
}

/// `PUT /v1/config/{kind}`: puts the next version in force.
pub(crate) async fn put(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Path(kind): Path<String>,
    RawBody(body): RawBody,
) -> Result<Response, Problem> {
    caller.at_least(Role::Admin)?;
    let kind = named(&kind)?;
    let wanted = ConfigBody::read(kind, &body)?;
    let found = app.store.config_in_force().await?;
    if is_in_force(kind, &wanted, &found.config) {
        // What was asked for is so already: an answer that got lost is given again, whatever If-Match says.
        return Ok(answer(kind, &found));
    }
    let before = ConfigBody::of(kind, &found.config).0;
    let if_match = if_match(&headers);
    at_version(if_match, before, "it")?;
    let next = wanted.within(&found.config, before + 1);
    let teams: Vec<TeamId> = app.store.teams().await?.into_iter().map(|team| team.id).collect();
    fits(kind, &found.config, &next, &teams)?;
    let size = serde_json::to_vec(&wanted).map_or(usize::MAX, |bytes| bytes.len());
    if size > CONFIG_BYTES_MAX {
        let detail = format!("a configuration has at most {CONFIG_BYTES_MAX} bytes, this one {size}");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail));
    }
    let change = ConfigChange { by: caller.id.to_string(), at: app.clock.now() };
    let is_put = store(&app, kind, &next, change).await?;
    app.forget();
    let found = app.store.config_in_force().await?;
    if is_put || is_in_force(kind, &wanted, &found.config) {
        return Ok(answer(kind, &found));
    }
    at_version(if_match, ConfigBody::of(kind, &found.config).0, "it")?;
    Err(Problem::conflict("somebody else changed it at the same moment; read it and decide again"))
}

/// Whether this is what was put in force last. The built-in default was never put: it may be, as version 1.
fn is_in_force(kind: ConfigKind, wanted: &ConfigBody, config: &Config) -> bool {
    let (version, body) = ConfigBody::of(kind, config);
    version > 0 && body == *wanted
}

/// Refuses what is wrong with this kind, and what a change of it breaks elsewhere. What was wrong elsewhere before does
/// not stand in the way: it could never be mended otherwise.
fn fits(kind: ConfigKind, before: &Config, after: &Config, teams: &[TeamId]) -> Result<(), Problem> {
    let Err(InvalidConfig(faults)) = after.validate(teams) else {
        return Ok(());
    };
    let known = before.validate(teams).err().map(|InvalidConfig(known)| known).unwrap_or_default();
    let (here, elsewhere): (Vec<_>, Vec<_>) = faults.into_iter().partition(|fault| fault.kind == kind);
    let elsewhere = elsewhere.into_iter().filter(|fault| !known.contains(fault));
    let here = here.into_iter().map(|fault| Fault { pointer: fault.pointer, detail: fault.detail });
    let elsewhere = elsewhere.map(|fault| Fault { pointer: String::new(), detail: format!("it breaks {fault}") });
    let errors: Vec<Fault> = here.chain(elsewhere).collect();
    if errors.is_empty() { Ok(()) } else { Err(Problem::invalid(errors)) }
}

async fn store(app: &App, kind: ConfigKind, next: &Config, change: ConfigChange) -> Result<bool, StoreError> {
    match kind {
        ConfigKind::Inboxes => app.store.put_config(kind, &next.inboxes, change).await,
        ConfigKind::Routing => app.store.put_config(kind, &next.routing, change).await,
        ConfigKind::Sla => app.store.put_config(kind, &next.sla, change).await,
        ConfigKind::Ticketing => app.store.put_config(kind, &next.ticketing, change).await,
    }
}
