//! What a function holds for its lifetime: clients, settings and caches, made once at start.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use throughline_domain::agent::Agent;
use throughline_domain::config::{Calendars, Config};
use throughline_domain::id::{AgentId, TeamId};
use throughline_domain::moment::Moment;
use throughline_domain::ticket::TicketHead;
use throughline_store::{Store, StoreError};

use crate::blobs::Blobs;
use crate::budget::Budgets;
use crate::bus::Bus;
use crate::clients::{self, Clients};
use crate::clock::Clock;
use crate::config::{AwsEnvironment, Oidc, Setting, Settings, SettingsError};
use crate::fetch::Fetcher;
use crate::mail::Mailer;
use crate::queues::Queues;
use crate::randomness::Randomness;
use crate::secrets::SecretStore;
use crate::telemetry::Metrics;

/// How long a configuration is used before it is read again, in milliseconds.
const CONFIG_FRESH_MS: i64 = 30_000;

/// How long what was read of a team's agents says whom to read first, in milliseconds.
const AGENTS_FRESH_MS: i64 = 5_000;

/// What a function holds for its lifetime. Cheap to clone.
#[derive(Clone, Debug)]
pub struct App {
    /// The table.
    pub store: Store,
    /// The queues.
    pub queues: Queues,
    /// The objects.
    pub blobs: Blobs,
    /// Outgoing mail.
    pub mail: Mailer,
    /// The event bus.
    pub bus: Bus,
    /// What senders and inboxes may bring.
    pub budgets: Budgets,
    /// Files that providers hold.
    pub fetcher: Fetcher,
    /// Time.
    pub clock: Clock,
    /// Random numbers.
    pub randomness: Randomness,
    /// Secrets of the inboxes.
    pub secrets: SecretStore,
    /// Who issues tokens.
    pub oidc: Arc<Oidc>,
    /// Where measurements go.
    pub metrics: Metrics,
    configs: Arc<Mutex<Cache>>,
}

/// Everybody's name and teams.
pub type Roster = Vec<(AgentId, Vec<TeamId>)>;

/// The configuration as it was last read, and every calendar that was ever needed.
#[derive(Debug, Default)]
struct Cache {
    config: Option<(Moment, Arc<Config>)>,
    roster: Option<(Moment, Arc<Roster>)>,
    agents: BTreeMap<TeamId, (Moment, Vec<Agent>)>,
    calendars: Arc<Calendars>,
}

impl App {
    /// The app of a function with these needs, from its environment.
    ///
    /// # Errors
    /// Names every setting that is missing or wrong.
    pub fn from_env(needs: &[Setting]) -> Result<Self, SettingsError> {
        let settings = Settings::from_env(needs)?;
        let clients = Clients::new(&clients::config(AwsEnvironment::from_env()?));
        Ok(Self::new(settings, clients, Clock::System, Metrics::to_stdout()))
    }

    /// An app with these settings and clients.
    pub fn new(settings: Settings, clients: Clients, clock: Clock, metrics: Metrics) -> Self {
        Self {
            store: Store::new(clients.dynamodb.clone(), settings.table),
            queues: Queues::new(clients.sqs.clone(), settings.queues),
            blobs: Blobs::new(clients.s3.clone(), settings.bucket).signing_with(clients.signer()),
            mail: Mailer::new(clients.clone()),
            bus: Bus::new(clients.clone(), settings.event_bus),
            budgets: Budgets::default(),
            fetcher: Fetcher::default(),
            clock,
            randomness: Randomness::System,
            secrets: SecretStore::new(clients, settings.secrets),
            oidc: Arc::new(settings.oidc),
            metrics,
            configs: Arc::default(),
        }
    }

    /// The configuration in force, at most half a minute old.
    ///
    /// # Errors
    /// When the table does not answer and there is none to go on with.
    pub async fn config(&self) -> Result<Arc<Config>, StoreError> {
        let now = self.clock.now();
        let cached = self.cache().config.clone();
        if let Some((read_at, config)) = &cached
            && (0..CONFIG_FRESH_MS).contains(&now.since_ms(*read_at))
        {
            return Ok(Arc::clone(config));
        }
        match self.store.config().await {
            Ok(config) => {
                let config = Arc::new(config);
                let mut cache = self.cache();
                cache.config = Some((now, Arc::clone(&config)));
                Arc::make_mut(&mut cache.calendars).add(&config.sla);
                Ok(config)
            }
            // A configuration that is a little old is better than no work.
            Err(error) => cached.map(|(_, config)| config).ok_or(error),
        }
    }

    /// The calendars that the tickets are pinned to, and those in force.
    ///
    /// # Errors
    /// When a pinned version is not cached and the table does not answer.
    pub async fn calendars(&self, heads: impl IntoIterator<Item = &TicketHead>) -> Result<Arc<Calendars>, StoreError> {
        self.config().await?;
        let pinned = heads.into_iter().filter_map(|head| head.sla.as_ref()).map(|sla| &sla.calendar);
        let missing: Vec<u64> = {
            let cache = self.cache();
            pinned.filter(|calendar| cache.calendars.get(calendar).is_none()).map(|calendar| calendar.version).collect()
        };
        for version in missing {
            if let Some(rules) = self.store.sla_rules(version).await? {
                Arc::make_mut(&mut self.cache().calendars).add(&rules);
            }
        }
        Ok(Arc::clone(&self.cache().calendars))
    }

    /// Everybody's name and teams, at most half a minute old: who is considered. Their load is always read strongly.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn roster(&self) -> Result<Arc<Roster>, StoreError> {
        let now = self.clock.now();
        let cached = self.cache().roster.clone();
        if let Some((read_at, roster)) = cached
            && (0..CONFIG_FRESH_MS).contains(&now.since_ms(read_at))
        {
            return Ok(roster);
        }
        let roster = Arc::new(self.store.roster().await?);
        self.cache().roster = Some((now, Arc::clone(&roster)));
        Ok(roster)
    }

    /// The agents of a team as they were at most five seconds ago: a hint whom to read.
    pub fn remembered_agents(&self, team: &TeamId) -> Option<Vec<Agent>> {
        let now = self.clock.now();
        let cache = self.cache();
        let (read_at, agents) = cache.agents.get(team)?;
        (0..AGENTS_FRESH_MS).contains(&now.since_ms(*read_at)).then(|| agents.clone())
    }

    /// Keeps what was read of a team's agents. What is known stays as old as it was when all of them were read.
    pub fn remember_agents(&self, team: &TeamId, agents: &[Agent]) {
        let now = self.clock.now();
        let mut cache = self.cache();
        let known = cache.agents.get(team).map(|(read_at, _)| *read_at);
        let read_at = known.filter(|at| (0..AGENTS_FRESH_MS).contains(&now.since_ms(*at))).unwrap_or(now);
        cache.agents.insert(team.clone(), (read_at, agents.to_vec()));
    }

    /// Forgets the cached configuration and roster: the next use reads them again.
    pub fn forget(&self) {
        let mut cache = self.cache();
        cache.config = None;
        cache.roster = None;
        cache.agents.clear();
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, Cache> {
        // A panic while it was held leaves a cache that is still right: it is only ever replaced whole.
        self.configs.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
