//! The whole table held against its logs: every ticket is folded again from its commits, and what is stored of it, and
//! what follows from it elsewhere, has to be just that.
//!
//! Each thing is compared by itself while the table is read page by page, so that memory does not grow with the table;
//! only the sums of agents are kept to the end.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use throughline_domain::agent::Agent;
use throughline_domain::cluster;
use throughline_domain::config::Calendars;
use throughline_domain::customer::{CustomerHead, OPEN_TICKETS_MAX, OpenTicket};
use throughline_domain::event::{Commit, EventData};
use throughline_domain::fold;
use throughline_domain::id::{AgentId, CustomerId, TeamId, TicketId, TicketReference};
use throughline_domain::moment::Moment;
use throughline_domain::replay::{self, Derived, Difference};
use throughline_domain::ticket::{Ticket, TicketDetail, TicketHead};

use crate::Store;
use crate::commit::{holds, waits};
use crate::error::StoreError;
use crate::item::{self, Item, text};
use crate::keys::{self, CHECK_AT, CHECK_SHARD, CUSTOMER, HOLDER, PK, SK};

/// Most items that are read of the table at once.
const PAGE_ITEMS: i32 = 500;
/// Most commits of a ticket that are read at once.
const PAGE_COMMITS: usize = 200;
/// How often a ticket is compared anew that changes while it is compared.
const ATTEMPTS_MAX: usize = 5;

/// What was gone through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replayed {
    /// Tickets.
    pub tickets: u64,
    /// Their commits.
    pub commits: u64,
    /// Differences that were found.
    pub differences: u64,
}

/// A replay under way.
struct Replay<'a> {
    store: &'a Store,
    now: Moment,
    calendars: Calendars,
    /// Per agent, what is stored and what follows from the logs.
    loads: BTreeMap<AgentId, (Option<u32>, u32)>,
    replayed: Replayed,
    found: &'a mut (dyn FnMut(Difference) + Send + Sync),
}

/// A ticket as its log says, and what its items say otherwise.
struct Compared {
    folded: Option<Ticket>,
    commits: u64,
    differences: Vec<Difference>,
}

impl Store {
    /// Holds everything that is derived against the logs of all tickets, and tells each difference as it is found. `now`
    /// is when: a look at a ticket that was put off before counts as in time.
    ///
    /// Reads the whole table. A ticket that changes meanwhile is compared anew; loads are right only while nobody works.
    ///
    /// # Errors
    /// When the table does not answer, or an item cannot be read.
    pub async fn replay(
        &self,
        now: Moment,
        found: &mut (dyn FnMut(Difference) + Send + Sync),
    ) -> Result<Replayed, StoreError> {
        let calendars = Calendars::from(&self.config().await?.sla);
        let (loads, replayed) = (BTreeMap::new(), Replayed::default());
        let mut replay = Replay { store: self, now, calendars, loads, replayed, found };
        let mut start = None;
        let mut last = String::new();
        loop {
            let (items, next) = self.page(start).await?;
            for item in items {
                replay.item(item, &mut last).await?;
            }
            start = next;
            if start.is_none() {
                break;
            }
        }
        replay.compare_loads();
        Ok(replay.replayed)
    }

    /// A page of the table, read strongly, and where the next one starts.
    async fn page(&self, start: Option<Item>) -> Result<(Vec<Item>, Option<Item>), StoreError> {
        let request = self.client.scan().table_name(&self.table).consistent_read(true).limit(PAGE_ITEMS);
        let answer = request.set_exclusive_start_key(start).send().await;
        let answer = answer.map_err(|error| StoreError::unavailable("scan", &error))?;
        Ok((answer.items.unwrap_or_default(), answer.last_evaluated_key))
    }
}

impl Replay<'_> {
    fn tell(&mut self, difference: Difference) {
        self.replayed.differences += 1;
        (self.found)(difference);
    }

    /// Compares what an item stands for. `last` is the partition of the item before: those of one ticket come together.
    async fn item(&mut self, item: Item, last: &mut String) -> Result<(), StoreError> {
        let part = |name| text(&item, name).unwrap_or_default().to_owned();
        let (pk, sk) = (part(PK), part(SK));
        if let Some(ticket) = keys::ticket_of(&pk) {
            if *last != pk {
                *last = pk;
                self.ticket(ticket).await?;
            }
            return Ok(());
        }
        let (kind, name) = pk.split_once('#').unwrap_or((&pk, ""));
        match (kind, sk.as_str()) {
            ("AGENT", _) => {
                let agent: Agent = item::decode(item)?;
                self.loads.entry(agent.id).or_default().0 = Some(agent.load);
            }
            ("CUSTOMER", "HEAD") => {
                if let Ok(customer) = name.parse() {
                    let head: CustomerHead = item::decode(item)?;
                    self.list(customer, &head).await?;
                }
            }
            ("TEAM", sk) => {
                if let (Some(ticket), Ok(team)) = (keys::waiting_ticket(sk), name.parse::<TeamId>()) {
                    self.place_in_line(team, ticket, sk).await?;
                }
            }
            ("REFERENCE", _) => {
                let ticket = text(&item, "ticket_id").and_then(|id| id.parse().ok());
                if let (Some(ticket), Ok(reference)) = (ticket, name.parse()) {
                    self.reference(reference, ticket).await?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    async fn ticket(&mut self, id: TicketId) -> Result<(), StoreError> {
        let mut compared = self.compare(id).await?;
        for _ in 1..ATTEMPTS_MAX {
            if compared.differences.is_empty() {
                break;
            }
            let again = self.compare(id).await?;
            let still = again.differences == compared.differences && again.commits == compared.commits;
            compared = again;
            if still {
                break;
            }
        }
        self.replayed.tickets += 1;
        self.replayed.commits += compared.commits;
        for difference in compared.differences {
            self.tell(difference);
        }
        if let Some((agent, weight)) = compared.folded.as_ref().and_then(|folded| holds(&folded.head)) {
            self.loads.entry(agent.clone()).or_default().1 += weight;
        }
        Ok(())
    }

    async fn compare(&mut self, id: TicketId) -> Result<Compared, StoreError> {
        let of = Derived::Ticket(id);
        let head = self.store.get(&keys::ticket_head(id)).await?;
        let (folded, commits, fault) = self.fold(id).await?;
        let mut differences: Vec<Difference> = fault.into_iter().collect();
        match (head, &folded) {
            (Some(item), Some(folded)) => {
                differences.extend(self.items(id, item, folded).await?);
                differences.extend(self.elsewhere(&folded.head).await?);
            }
            (None, Some(folded)) => {
                let version = format!("version {}", folded.head.version);
                differences.push(Difference::new(of, "head", "nothing", version));
            }
            (Some(_), None) if differences.is_empty() => {
                differences.push(Difference::new(of, "log", "nothing", "a ticket begins with ticket_created"));
            }
            (_, None) => {}
        }
        Ok(Compared { folded, commits, differences })
    }

    /// The ticket as its log says, and where the log itself is broken.
    async fn fold(&mut self, id: TicketId) -> Result<(Option<Ticket>, u64, Option<Difference>), StoreError> {
        let (mut ticket, mut sequence, mut commits) = (None, 0, 0);
        loop {
            let page = self.store.timeline(id, sequence, PAGE_COMMITS).await?;
            for commit in &page {
                self.know_calendars(commit).await?;
                ticket = match fold::apply(ticket, commit, &self.calendars) {
                    Ok(ticket) => Some(ticket),
                    Err(error) => {
                        let field = format!("commit {}", commit.sequence);
                        let difference = Difference::new(Derived::Ticket(id), field, "there", error.to_string());
                        return Ok((None, commits, Some(difference)));
                    }
                };
                sequence = commit.sequence;
                commits += 1;
            }
            if page.len() < PAGE_COMMITS {
                return Ok((ticket, commits, None));
            }
        }
    }

    /// Reads the versions of calendars that a commit pins its ticket to.
    async fn know_calendars(&mut self, commit: &Commit) -> Result<(), StoreError> {
        for event in &commit.events {
            if let EventData::SlaApplied(applied) = &event.data
                && self.calendars.get(&applied.calendar).is_none()
                && let Some(rules) = self.store.sla_rules(applied.calendar.version).await?
            {
                self.calendars.add(&rules);
            }
        }
        Ok(())
    }

    /// What the ticket's own items say otherwise than its log.
    async fn items(&self, id: TicketId, item: Item, folded: &Ticket) -> Result<Vec<Difference>, StoreError> {
        let check_at: Option<Moment> = text(&item, CHECK_AT).and_then(|at| at.parse().ok());
        let mut attributes =
            vec![(CUSTOMER, keys::customer(folded.head.customer_id)), (HOLDER, keys::holder(&folded.head))];
        attributes.extend(check_at.map(|_| (CHECK_SHARD, keys::check_shard(id))));
        let mut differences: Vec<Difference> = Vec::new();
        for (attribute, log) in attributes {
            let stored = text(&item, attribute).unwrap_or("nothing");
            if stored != log {
                differences.push(Difference::new(Derived::Ticket(id), attribute, stored, log));
            }
        }
        let head: TicketHead = item::decode(item)?;
        let detail = if head.has_detail { self.store.get(&keys::ticket_detail(id)).await? } else { None };
        let detail: TicketDetail = detail.map(item::decode).transpose()?.unwrap_or_default();
        differences.extend(replay::ticket(&Ticket { head, detail }, folded));
        differences.extend(replay::next_look(&folded.head, check_at, self.now));
        Ok(differences)
    }

    /// What is stored elsewhere because of this ticket.
    async fn elsewhere(&self, head: &TicketHead) -> Result<Vec<Difference>, StoreError> {
        let mut differences = Vec::new();
        let named = self.store.ticket_by_reference(head.reference).await?;
        if named != Some(head.id) {
            let named = named.map_or_else(|| "nothing".to_owned(), |id| id.to_string());
            differences.push(Difference::new(
                Derived::Reference(head.reference),
                "ticket_id",
                named,
                head.id.to_string(),
            ));
        }
        if let Some(place) = waits(head)
            && self.store.get(&place).await?.is_none()
            && let Some(team) = &head.team
        {
            differences.push(Difference::new(Derived::Line(team.clone()), head.id.to_string(), "nothing", place.sk));
        }
        // As it is written, whether or not the root knows of it: that is looked at by itself.
        let own = self.store.customer_head(head.customer_id).await?;
        let (root, list) = match own.root {
            Some(root) => (root, self.store.customer_head(root).await?),
            None => (head.customer_id, own),
        };
        // A list that was full once has dropped the quietest.
        let may_lack = list.overflowed || list.open.len() >= OPEN_TICKETS_MAX;
        if head.status.is_live() && !list.lists(head.id) && !may_lack {
            let of = Derived::Customer(root);
            differences.push(Difference::new(of, head.id.to_string(), "nothing", "open"));
        }
        Ok(differences)
    }

    /// The other way round: what a customer's list names is open, and theirs.
    async fn list(&mut self, customer: CustomerId, list: &CustomerHead) -> Result<(), StoreError> {
        self.cluster(customer, list).await?;
        for OpenTicket { ticket_id, member, .. } in &list.open {
            let head = self.head(*ticket_id).await?;
            let log = match head {
                Some(head) if !head.status.is_live() => "done",
                Some(head) if head.customer_id != *member => "somebody else's",
                Some(_) => continue,
                None => "nothing",
            };
            // It may have changed since the list was read.
            if self.store.customer_head(customer).await?.lists(*ticket_id) {
                self.tell(Difference::new(Derived::Customer(customer), ticket_id.to_string(), "open", log));
            }
        }
        Ok(())
    }

    /// A cluster is whoever the links connect: its root lists just these, and each of them names the root.
    async fn cluster(&mut self, customer: CustomerId, list: &CustomerHead) -> Result<(), StoreError> {
        if let Some(root) = list.root
            && !self.store.customer_head(root).await?.members.contains(&customer)
            && self.store.customer_head(customer).await?.root == Some(root)
        {
            self.tell(Difference::new(Derived::Customer(customer), "root", root.to_string(), "nothing"));
        }
        if list.members.is_empty() {
            return Ok(());
        }
        for member in list.members.iter().filter(|member| **member != customer) {
            let root = self.store.customer_head(*member).await?.root;
            if root != Some(customer) && self.store.customer_head(customer).await?.members.contains(member) {
                let stored = root.map_or_else(|| "nothing".to_owned(), |root| root.to_string());
                self.tell(Difference::new(Derived::Customer(*member), "root", stored, customer.to_string()));
            }
        }
        let mut links = Vec::new();
        for member in &list.members {
            links.extend(self.store.links_of(*member).await?);
        }
        let connected = cluster::connected(customer, &links);
        let listed: BTreeSet<CustomerId> = list.members.iter().copied().collect();
        // It may have changed since the list was read.
        if connected != listed && self.store.customer_head(customer).await?.members == list.members {
            let (listed, connected) = (shown(&listed), shown(&connected));
            self.tell(Difference::new(Derived::Customer(customer), "members", listed, connected));
        }
        Ok(())
    }

    /// The other way round: who stands in a line waits, and just there.
    async fn place_in_line(&mut self, team: TeamId, ticket: TicketId, sk: &str) -> Result<(), StoreError> {
        let waits_at = self.head(ticket).await?.as_ref().and_then(waits);
        let here = keys::ItemKey { pk: keys::team(&team).pk, sk: sk.to_owned() };
        if waits_at.as_ref() != Some(&here) && self.store.get(&here).await?.is_some() {
            let log = waits_at.map_or_else(|| "nothing".to_owned(), |place| format!("{} in {}", place.sk, place.pk));
            self.tell(Difference::new(Derived::Line(team), ticket.to_string(), sk, log));
        }
        Ok(())
    }

    /// The other way round: the ticket that a reference names has it.
    async fn reference(&mut self, reference: TicketReference, ticket: TicketId) -> Result<(), StoreError> {
        let has = self.head(ticket).await?.map(|head| head.reference);
        if has != Some(reference) {
            let log = has.map_or_else(|| "nothing".to_owned(), |other| format!("{ticket} is {other}"));
            self.tell(Difference::new(Derived::Reference(reference), "ticket_id", ticket.to_string(), log));
        }
        Ok(())
    }

    async fn head(&self, id: TicketId) -> Result<Option<TicketHead>, StoreError> {
        self.store.get(&keys::ticket_head(id)).await?.map(item::decode).transpose()
    }

    fn compare_loads(&mut self) {
        for (agent, (stored, sum)) in std::mem::take(&mut self.loads) {
            if stored.unwrap_or_default() != sum {
                let stored = stored.map_or_else(|| "nothing".to_owned(), |load| load.to_string());
                self.tell(Difference::new(Derived::Agent(agent), "load", stored, sum.to_string()));
            }
        }
    }
}

/// Customers, as a difference shows them.
fn shown(customers: &BTreeSet<CustomerId>) -> String {
    let names: Vec<String> = customers.iter().map(CustomerId::to_string).collect();
    names.join(" ")
}
