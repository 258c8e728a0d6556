//! Every route of the interface, in one list: what the router serves and the OpenAPI document tells.

use axum::Json;
use axum::extract::State;
use axum::routing::{MethodRouter, get, post, put};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};
use std::time::Duration;
use throughline_domain::agent::{Agent, Team};
use throughline_domain::suppression::Suppression;
use throughline_domain::view::{CustomerView, EventView, TicketView};
use throughline_platform::App;
use throughline_platform::problem::Problem;

use crate::agents::{self, PutAgent, PutTeam, SetPresence, TeamQueue};
use crate::commands::{
    self, Assignment, Fields, Merge, MoveMessage, Note, OpenTicket, Outcome, Relate, Reply, SetPriority, SetStatus,
    SplitOff, Tags, Unmerge, VerifyCaller,
};
use crate::config::{self, ConfigBody, ConfigVersion, ConfigView};
use crate::customers::links::{self, LinkTo, Shared, UnlinkFrom, Unlinked};
use crate::customers::{EraseCustomer, ErasureView, ExportPage, PutCustomer, PutOutcome};
use crate::ledger::{self, LedgerView};
use crate::page::List;
use crate::quarantine::{self, QuarantineView};
use crate::{customers, openapi, suppressions, tickets};

/// Longest wait for the table when health is asked for.
const HEALTH_PATIENCE: Duration = Duration::from_millis(800);

/// What a configuration change means, and in which order a new stack is set up.
const PUT_CONFIG: &str = "Puts the next version of a kind of configuration in force (admins): checked as a whole with \
    the other kinds, refused with 412 when `If-Match` names another version than the current one, and with 409 when \
    somebody else changes it at the same moment. The same again changes nothing. Functions use a version up to 30 s \
    after the next one is in force. Set up a new stack in this order: teams, agents, then `sla`, `routing` and \
    `ticketing` (each optional), `inboxes` last: with them messages come in. What names a team needs the team to be there";

/// What telling of a customer does.
const PUT_CUSTOMER: &str = "Tells what a business system knows of the customer of an `account` or `crm` number \
    (integrations, admins); 201 when nobody had the number. The later telling of a field holds (`observed_at`), so any order \
    of arrival gives the same. Names that another customer holds become link suggestions. The fifty orders told last are kept";

/// What erasing does.
const ERASE_CUSTOMER: &str = "Erases a customer for good (admins): what they said and were called goes, that something \
    happened stays. 202 while there is more: ask again until 200. Who comes by their names later is a new customer";

/// What merging means.
const MERGE: &str = "Merges the ticket into another one (agents): it is closed and names the other, and what is meant for it \
    later goes there. Nothing moves. Refused with 409 for tickets of different people, unless a lead says \
    `across_customers`. Other commands on a merged ticket are refused with 409, which names the ticket to go on with";

/// What undoing a merge means.
const UNMERGE: &str = "Undoes a merge (agents): the ticket stands where it stood before, and its clocks, which stood still, \
    run on. What came to the other one meanwhile stays there; the event `ticket_unmerged` names in `messages` what was \
    meant for this one, to be moved";

/// What splitting means.
const SPLIT: &str = "Makes a new ticket of up to 20 messages that came in (agents). It is of who wrote the first of them; \
    answers to the messages go there from then on. `other` is the new ticket";

/// What moving a message means.
const MOVE: &str = "Moves a message that came in to another ticket (agents); answers to it go there from then on. Refused with \
    409 when its writer has nothing to do with that ticket, unless a lead says `across_customers`";

/// A path with its methods.
pub(crate) struct Endpoint {
    pub(crate) path: &'static str,
    pub(crate) handler: MethodRouter<App>,
    pub(crate) operations: Vec<Operation>,
}

/// A method on a path, as the document tells it.
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) open: bool,
    pub(crate) query: &'static [&'static str],
    pub(crate) request: Option<fn(&mut SchemaGenerator) -> Schema>,
    pub(crate) status: u16,
    pub(crate) response: fn(&mut SchemaGenerator) -> Schema,
}

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

fn reads<T: JsonSchema>(summary: &'static str) -> Operation {
    Operation { method: "get", summary, open: false, query: &[], request: None, status: 200, response: schema::<T> }
}

fn does<T: JsonSchema, R: JsonSchema>(summary: &'static str) -> Operation {
    Operation { method: "post", request: Some(schema::<T>), ..reads::<R>(summary) }
}

fn endpoint(path: &'static str, handler: MethodRouter<App>, operations: impl Into<Vec<Operation>>) -> Endpoint {
    Endpoint { path, handler, operations: operations.into() }
}

/// All of them.
pub(crate) fn all() -> Vec<Endpoint> {
    let open = |operation| Operation { open: true, ..operation };
    vec![
        endpoint("/v1/health", get(health), [open(reads::<Value>("Whether the service works"))]),
        endpoint("/v1/openapi.json", get(openapi::get), [open(reads::<Value>("This document"))]),
        endpoint(
            "/v1/tickets",
            get(tickets::list).post(commands::open),
            [
                Operation {
                    query: &[
                        "status", "team", "assignee", "customer", "channel", "priority", "sort", "limit", "cursor",
                    ],
                    ..reads::<List<TicketView>>(
                        "Tickets, newest activity first; `sort=updated|due|created`. Looks through the newest 1,000 that \
                         the filters' holders have",
                    )
                },
                Operation { status: 201, ..does::<OpenTicket, Outcome>("Opens a ticket for a customer") },
            ],
        ),
        endpoint("/v1/tickets/{id}", get(tickets::get), [reads::<TicketView>("A ticket, by id or public reference")]),
        endpoint(
            "/v1/tickets/{id}/timeline",
            get(tickets::timeline),
            [Operation { query: &["after"], ..reads::<List<EventView>>("What happened to a ticket, oldest first") }],
        ),
        endpoint("/v1/tickets/{id}/replies", post(commands::reply), [does::<Reply, Outcome>("Writes to the customer")]),
        endpoint("/v1/tickets/{id}/notes", post(commands::note), [does::<Note, Outcome>("Notes something for agents")]),
        endpoint(
            "/v1/tickets/{id}/status",
            post(commands::status),
            [does::<SetStatus, Outcome>("Changes the status; what ends has to say how, as `ticketing` asks")],
        ),
        endpoint(
            "/v1/tickets/{id}/priority",
            post(commands::priority),
            [does::<SetPriority, Outcome>("Changes the priority")],
        ),
        endpoint(
            "/v1/tickets/{id}/assignment",
            post(commands::assignment),
            [does::<Assignment, Outcome>("Gives the ticket to an agent, a team, or whoever routing finds next")],
        ),
        endpoint(
            "/v1/tickets/{id}/caller-verified",
            post(commands::caller_verified),
            [does::<VerifyCaller, Outcome>(
                "Records that the requester proved a name in words: they hold it from now on, or are linked with who does \
                 (agents)",
            )],
        ),
        endpoint("/v1/tickets/{id}/tags", post(commands::tags), [does::<Tags, Outcome>("Adds and removes tags")]),
        endpoint("/v1/tickets/{id}/merge", post(commands::merge), [does::<Merge, Outcome>(MERGE)]),
        endpoint("/v1/tickets/{id}/unmerge", post(commands::unmerge), [does::<Unmerge, Outcome>(UNMERGE)]),
        endpoint("/v1/tickets/{id}/split", post(commands::split), [does::<SplitOff, Outcome>(SPLIT)]),
        endpoint("/v1/tickets/{id}/move", post(commands::move_message), [does::<MoveMessage, Outcome>(MOVE)]),
        endpoint(
            "/v1/tickets/{id}/relate",
            post(commands::relate),
            [does::<Relate, Outcome>("Marks two tickets as related, on both (agents)")],
        ),
        endpoint(
            "/v1/tickets/{id}/fields",
            post(commands::fields),
            [does::<Fields, Outcome>("Sets and removes custom fields, as `ticketing` has them")],
        ),
        endpoint(
            "/v1/customers/lookup",
            get(customers::lookup),
            [Operation { query: &["identifier"], ..reads::<CustomerView>("Who is known by a name, `kind:value`") }],
        ),
        endpoint(
            "/v1/customers/by-identifier/{kind}/{*value}",
            put(customers::put),
            [Operation { method: "put", ..does::<PutCustomer, PutOutcome>(PUT_CUSTOMER) }],
        ),
        endpoint("/v1/customers/{id}", get(customers::get), [reads::<CustomerView>("A customer")]),
        endpoint(
            "/v1/customers/{id}/timeline",
            get(customers::timeline),
            [Operation {
                query: &["cursor"],
                ..reads::<List<EventView>>("What happened with a customer, over all tickets and channels")
            }],
        ),
        endpoint(
            "/v1/customers/{id}/link",
            post(links::link),
            [does::<LinkTo, CustomerView>(
                "Says that two customers are the same person (agents). Nothing moves; the same again changes nothing. 409 \
                 when more than 40 would be linked",
            )],
        ),
        endpoint(
            "/v1/customers/{id}/unlink",
            post(links::unlink),
            [does::<UnlinkFrom, Unlinked>(
                "Says that two linked customers are different people (agents): no rule links them again. Answers with open \
                 tickets that hold messages of both. Merges that were made because they were linked are undone",
            )],
        ),
        endpoint(
            "/v1/identifiers/{identifier}/shared",
            post(links::shared),
            [does::<Shared, Shared>(
                "Says whether several people share a name, `kind:value` (leads): then it links and joins nobody, and matches \
                 only where there is no other",
            )],
        ),
        endpoint(
            "/v1/customers/{id}/export",
            get(customers::export),
            [Operation {
                query: &["cursor"],
                ..reads::<ExportPage>("Everything that is known of a customer, page by page (leads)")
            }],
        ),
        endpoint(
            "/v1/customers/{id}/erase",
            post(customers::erase),
            [Operation { status: 202, ..does::<EraseCustomer, ErasureView>(ERASE_CUSTOMER) }],
        ),
        endpoint(
            "/v1/messages/{channel}/{inbox}/{*id}",
            get(ledger::get),
            [reads::<LedgerView>("What became of a message, by the provider's id")],
        ),
        endpoint("/v1/agents", get(agents::list), [reads::<List<Agent>>("All agents")]),
        endpoint(
            "/v1/agents/{id}",
            get(agents::get).put(agents::put),
            [
                reads::<Agent>("An agent"),
                Operation { method: "put", ..does::<PutAgent, Agent>("Creates or changes an agent (admins)") },
            ],
        ),
        endpoint(
            "/v1/agents/{id}/presence",
            post(agents::presence),
            [does::<SetPresence, Agent>("Says whether an agent takes work")],
        ),
        endpoint(
            "/v1/suppressions/{identifier}",
            get(suppressions::get).delete(suppressions::lift),
            [
                reads::<Suppression>("Why nothing is sent to a name, `kind:value`: bounced, complained, opted out"),
                Operation { method: "delete", ..reads::<Suppression>("Sends messages to a name again (leads)") },
            ],
        ),
        endpoint("/v1/teams", get(agents::teams), [reads::<List<Team>>("All teams")]),
        endpoint(
            "/v1/teams/{id}",
            put(agents::put_team),
            [Operation { method: "put", ..does::<PutTeam, Team>("Creates or renames a team (admins)") }],
        ),
        endpoint(
            "/v1/config",
            get(config::list),
            [reads::<List<ConfigVersion>>("The kinds of configuration, with their versions (agents)")],
        ),
        endpoint(
            "/v1/config/{kind}",
            get(config::get).put(config::put),
            [
                reads::<ConfigView>(
                    "The configuration of a kind that is in force (agents): `inboxes`, `routing`, `sla` or `ticketing`",
                ),
                Operation { method: "put", ..does::<ConfigBody, ConfigView>(PUT_CONFIG) },
            ],
        ),
        endpoint("/v1/queues", get(agents::queues), [reads::<List<TeamQueue>>("Who waits, and who works how much")]),
        endpoint(
            "/v1/quarantine",
            get(quarantine::list),
            [Operation {
                query: &["limit", "cursor"],
                ..reads::<List<QuarantineView>>("What could not be processed, newest first")
            }],
        ),
        endpoint(
            "/v1/quarantine/{id}/retry",
            post(quarantine::retry),
            [Operation {
                method: "post",
                status: 202,
                ..reads::<QuarantineView>("Sends a record through again (leads)")
            }],
        ),
    ]
}

async fn health(State(app): State<App>) -> Result<Json<Value>, Problem> {
    app.store.ping(HEALTH_PATIENCE).await?;
    Ok(Json(json!({"status": "ok"})))
}
