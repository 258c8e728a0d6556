//! How somebody calls themselves on a channel: onto the profile of who holds the name that the channel proves.

use throughline_domain::profile_told::{self, ProfileTold};
use throughline_platform::recording::deciding;
use throughline_platform::{App, Failure};

/// How a telling ends that changes nothing.
const KEPT: &str = "profile_kept";

/// Takes over what is told of a known customer. Of somebody unknown nothing is kept: they have said nothing. Says how it ended.
pub(crate) async fn apply(app: &App, told: &ProfileTold) -> Result<&'static str, Failure> {
    if app.config().await?.inboxes.body.is_own(&told.identifier) {
        return Ok(KEPT);
    }
    deciding(app, |_| attempt(app, told)).await
}

/// One decision and its write, which holds while the profile is as it was read.
async fn attempt(app: &App, told: &ProfileTold) -> Result<&'static str, Failure> {
    let owners = app.store.owners(std::slice::from_ref(&told.identifier)).await?;
    let Some(owner) = owners.get(&told.identifier) else { return Ok(KEPT) };
    let Some(before) = app.store.profile(owner.customer_id).await? else {
        return Err(Failure::Conflict("the name's holder is being written".to_owned()));
    };
    match profile_told::decide(&before, owner, told) {
        Ok(profile) => {
            app.store.claim(&profile, &[], &[]).await?;
            Ok("profile_changed")
        }
        Err(_) => Ok(KEPT),
    }
}
