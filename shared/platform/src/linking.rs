//! Linking and unlinking customers: read, decide, write.

use throughline_domain::cluster::{self, Cluster, Link, NotLinked};
use throughline_domain::event::Actor;
use throughline_domain::id::CustomerId;
use throughline_domain::identifier::Identifier;
use throughline_domain::moment::Moment;

use crate::app::App;
use crate::error::Failure;

/// Links the two customers of a link, once; who loses a race decides again. Only people may link who are kept apart, or
/// have different names of a kind.
///
/// # Errors
/// When the race was lost or the table does not answer. Inside: when they are not to be linked.
pub async fn link(app: &App, link: Link) -> Result<Result<(), NotLinked>, Failure> {
    let [older, younger] = link.pair;
    if older == younger {
        return Ok(Err(NotLinked::Itself));
    }
    let (one, other) = (app.store.cluster(older).await?, app.store.cluster(younger).await?);
    let by_rule = !matches!(link.by, Actor::Agent(_));
    let rewrite = match cluster::link(&one, &other, link) {
        Ok(rewrite) => rewrite,
        Err(not) => return Ok(Err(not)),
    };
    if by_rule && cluster::differ(&durable(app, &one).await?, &durable(app, &other).await?) {
        return Ok(Err(NotLinked::DifferentNames));
    }
    app.store.relink(&rewrite).await?;
    Ok(Ok(()))
}

/// Takes two customers apart, once; who loses a race decides again. Says whether they were linked.
///
/// # Errors
/// When the race was lost or the table does not answer.
pub async fn unlink(app: &App, of: CustomerId, from: CustomerId, by: &Actor, at: Moment) -> Result<bool, Failure> {
    let cluster = app.store.cluster(of).await?;
    let Some(rewrite) = cluster::unlink(&cluster, of, from, by, at) else {
        return Ok(false);
    };
    app.store.relink(&rewrite).await?;
    Ok(true)
}

/// The durable names of all members.
async fn durable(app: &App, cluster: &Cluster) -> Result<Vec<Identifier>, Failure> {
    let members: Vec<CustomerId> = cluster.heads.keys().copied().collect();
    let profiles = app.store.profiles(&members).await?;
    Ok(profiles.iter().flatten().flat_map(|profile| profile.durable().cloned()).collect())
}
