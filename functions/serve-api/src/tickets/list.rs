//! Lists of tickets: read from the indexes of who holds them, merged, confirmed on the tickets themselves.

use std::cmp::Reverse;

use axum::Json;
use axum::extract::{Query, State};
use serde::Deserialize;
use throughline_domain::channel::Channel;
use throughline_domain::clock;
use throughline_domain::id::{AgentId, CustomerId, TeamId, TicketId};
use throughline_domain::moment::Moment;
use throughline_domain::ticket::{Priority, Status, TicketHead};
use throughline_domain::view::TicketView;
use throughline_platform::App;
use throughline_platform::problem::Problem;
use throughline_store::{Hint, Holder};

use crate::auth::Caller;
use crate::page::{List, Paging, wrong_cursor};

/// Most tickets that are read for one list; the newest of each holder. A list that could be longer is narrowed by its
/// filters.
const READ_MAX: usize = 1_000;

/// What is wanted.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Filter {
    status: Option<Status>,
    team: Option<TeamId>,
    assignee: Option<AgentId>,
    customer: Option<CustomerId>,
    channel: Option<Channel>,
    priority: Option<Priority>,
    #[serde(default)]
    sort: Sort,
    // `flatten` would turn numbers into text for this format.
    limit: Option<usize>,
    cursor: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Sort {
    /// Newest activity first.
    #[default]
    Updated,
    /// Most urgent clock first.
    Due,
    /// Newest first.
    Created,
}

impl Filter {
    fn admits(&self, head: &TicketHead) -> bool {
        self.status.is_none_or(|status| status == head.status)
            && self.team.as_ref().is_none_or(|team| Some(team) == head.team.as_ref())
            && self.assignee.as_ref().is_none_or(|agent| Some(agent) == head.assignee.as_ref())
            && self.customer.is_none_or(|customer| customer == head.customer_id)
            && self.channel.is_none_or(|channel| channel == head.channel)
            && self.priority.is_none_or(|priority| priority == head.priority)
    }

    /// The place of a ticket in the list: sorted ascending.
    fn place(&self, head: &TicketHead) -> Place {
        let newest = |at: Moment| -at.ms();
        let rank = match self.sort {
            Sort::Updated => newest(head.updated_at),
            Sort::Due => head.sla.as_ref().and_then(clock::next_due).map_or(i64::MAX, Moment::ms),
            Sort::Created => newest(head.created_at),
        };
        (rank, Reverse(head.id))
    }
}

type Place = (i64, Reverse<TicketId>);

/// `GET /v1/tickets`.
pub(crate) async fn list(
    State(app): State<App>,
    _: Caller,
    Query(filter): Query<Filter>,
) -> Result<Json<List<TicketView>>, Problem> {
    let paging = Paging::new(filter.limit, filter.cursor.clone());
    let limit = paging.limit()?;
    let after = paging.cursor.as_deref().map(place_of).transpose()?;
    let mut ids = ids(&app, &filter).await?;
    ids.sort_unstable_by_key(|id| Reverse(*id));
    ids.dedup();
    ids.truncate(READ_MAX);
    let stored = app.store.tickets(&ids).await?;
    let mut tickets: Vec<_> = stored.into_iter().flatten().map(|stored| stored.ticket).collect();
    tickets.retain(|ticket| filter.admits(&ticket.head));
    tickets.sort_by_cached_key(|ticket| filter.place(&ticket.head));
    tickets.retain(|ticket| after.is_none_or(|after| filter.place(&ticket.head) > after));
    let more = tickets.len() > limit;
    tickets.truncate(limit);
    let next = tickets.last().filter(|_| more).map(|last| {
        let (rank, Reverse(id)) = filter.place(&last.head);
        format!("{rank}.{id}")
    });
    let calendars = app.calendars(tickets.iter().map(|ticket| &ticket.head)).await?;
    let now = app.clock.now();
    Ok(Json(List { items: tickets.iter().map(|ticket| TicketView::new(ticket, &calendars, now)).collect(), next }))
}

fn place_of(cursor: &str) -> Result<Place, Problem> {
    let (rank, id) = cursor.split_once('.').ok_or_else(wrong_cursor)?;
    Ok((rank.parse().map_err(|_| wrong_cursor())?, Reverse(id.parse().map_err(|_| wrong_cursor())?)))
}

/// The tickets that may be on the list, from the narrowest index.
async fn ids(app: &App, filter: &Filter) -> Result<Vec<TicketId>, Problem> {
    if let Some(customer) = filter.customer {
        let page = app.store.tickets_of_customer(customer, READ_MAX, None).await?;
        return Ok(page.items.into_iter().map(Hint::to_confirm).collect());
    }
    let holders = match (&filter.assignee, &filter.team) {
        (Some(agent), _) => vec![Holder::Agent(agent.clone())],
        (None, team) => {
            // An agent who left a team may still have tickets of it: all agents are asked, and the filter decides.
            let agents = app.store.roster().await?.into_iter().map(|(id, _)| Holder::Agent(id));
            let teams: Vec<Holder> = match team {
                Some(team) => vec![Holder::Team(Some(team.clone()))],
                None => {
                    let known = app.store.teams().await?.into_iter().map(|team| Holder::Team(Some(team.id)));
                    known.chain([Holder::Team(None)]).collect()
                }
            };
            teams.into_iter().chain(agents).collect()
        }
    };
    let live: &[bool] = match filter.status {
        Some(status) if status.is_live() => &[true],
        Some(_) => &[false],
        None => &[true, false],
    };
    let mut ids = Vec::new();
    for holder in &holders {
        for live in live {
            let page = app.store.tickets_of_holder(holder, *live, READ_MAX, None).await?;
            ids.extend(page.items.into_iter().map(Hint::to_confirm));
        }
    }
    Ok(ids)
}
