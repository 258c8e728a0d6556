//! What a new data folder starts with, and the development secrets: `seed.toml`.

use anyhow::Context;
use serde::Deserialize;
use throughline_channels::secrets::Secrets;
use throughline_domain::agent::{Agent, Team};
use throughline_domain::config::{Config, ConfigKind, Inboxes, RoutingRules, SlaRules, TicketingRules, Versioned};
use throughline_platform::App;
use throughline_platform::config::{Keys, Oidc};
use throughline_platform::fetch::Fetcher;
use throughline_store::ConfigChange;

/// The file as it is built in.
const SEED: &str = include_str!("../seed.toml");

/// What a new data folder starts with.
#[derive(Clone, Debug, Deserialize)]
pub struct Seed {
    teams: Vec<Team>,
    agents: Vec<Agent>,
    /// Ways in.
    pub inboxes: Inboxes,
    routing: RoutingRules,
    sla: SlaRules,
    ticketing: TicketingRules,
    /// Secrets of the inboxes.
    pub secrets: Secrets,
    /// Who issues tokens, and with which key.
    pub oidc: Issuer,
}

/// The local issuer of tokens.
#[derive(Clone, Deserialize)]
pub struct Issuer {
    /// Its name.
    pub issuer: String,
    /// Whom tokens are for.
    pub audience: String,
    /// Its private key (PKCS #8, PEM).
    pub private_key: String,
    /// Its public keys: a JSON Web Key Set. Without, the issuer is asked for them as in the cloud.
    pub keys: Option<String>,
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Issuer({})", self.issuer)
    }
}

impl Seed {
    /// The seed that is built in.
    ///
    /// # Errors
    /// When the file does not fit together.
    pub fn built_in() -> anyhow::Result<Self> {
        Self::read(SEED)
    }

    /// A seed from the text of a file.
    ///
    /// # Errors
    /// When the text is no seed, or its parts do not fit together.
    pub fn read(text: &str) -> anyhow::Result<Self> {
        let seed: Self = toml::from_str(text).context("the seed file cannot be read")?;
        let teams: Vec<_> = seed.teams.iter().map(|team| team.id.clone()).collect();
        seed.config().validate(&teams).context("the seed file does not fit together")?;
        Ok(seed)
    }

    /// What functions know of the issuer.
    pub fn oidc(&self) -> Oidc {
        let Issuer { issuer, audience, keys, .. } = self.oidc.clone();
        Oidc { issuer, audience, keys: keys.map_or(Keys::Discovered, Keys::Fixed) }
    }

    /// Whether a mail address belongs to one of the inboxes.
    pub fn takes(&self, address: &str) -> bool {
        let address = throughline_domain::identifier::Identifier::email(address);
        address.is_ok_and(|address| self.inboxes.by_address(&address).is_some())
    }

    /// Files are had only where an inbox has a token for its provider or allows hosts: what the samples name is not there.
    pub fn fetcher(&self) -> Fetcher {
        let with_token = self.secrets.inboxes.values().any(|secrets| !secrets.access_token.is_empty());
        let with_hosts = self.inboxes.inboxes.iter().any(|inbox| !inbox.media_hosts.is_empty());
        if with_token || with_hosts { Fetcher::default() } else { Fetcher::nobody() }
    }

    /// The mail addresses of the inboxes.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        self.inboxes.inboxes.iter().filter_map(|inbox| inbox.address.as_deref())
    }

    fn config(&self) -> Config {
        Config {
            inboxes: Versioned { version: 1, body: self.inboxes.clone() },
            routing: Versioned { version: 1, body: self.routing.clone() },
            sla: Versioned { version: 1, body: self.sla.clone() },
            ticketing: Versioned { version: 1, body: self.ticketing.clone() },
        }
    }

    /// Writes it into a table that has no configuration yet; others are left as they are.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn plant(&self, app: &App) -> anyhow::Result<()> {
        if app.store.config().await?.inboxes.version > 0 {
            return Ok(());
        }
        for team in &self.teams {
            app.store.put_team(team).await?;
        }
        for agent in &self.agents {
            app.store.put_agent(agent).await?;
        }
        let config = self.config();
        let change = ConfigChange { by: "seed.toml".to_owned(), at: app.clock.now() };
        app.store.put_config(ConfigKind::Routing, &config.routing, change.clone()).await?;
        app.store.put_config(ConfigKind::Sla, &config.sla, change.clone()).await?;
        app.store.put_config(ConfigKind::Ticketing, &config.ticketing, change.clone()).await?;
        // Last: its version says that all of it is there.
        app.store.put_config(ConfigKind::Inboxes, &config.inboxes, change).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_seed_fits_together() {
        let seed = Seed::built_in().unwrap();
        assert_eq!((seed.teams.len(), seed.agents.len(), seed.sla.calendars.len()), (3, 6, 2));
        assert!(seed.takes("Support+r.x@example.com") && !seed.takes("nobody@example.com"));
        let known = |team| seed.teams.iter().any(|known| known.id == team);
        assert!(seed.agents.iter().flat_map(|agent| agent.teams.clone()).all(known));
    }
}
