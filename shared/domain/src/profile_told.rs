//! What a channel tells of somebody who says nothing: how they call themselves now. It changes what is known of a known
//! customer as a business system's telling does ([`crate::crm`]), and makes nobody known.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::crm::{self, Stamp, Told};
use crate::customer::Profile;
use crate::id::{InboxId, digest};
use crate::identifier::Identifier;
use crate::identity::Owner;
use crate::inbound::group;
use crate::moment::Moment;

/// How somebody calls themselves on a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileTold {
    /// Who, by the name that the channel proves.
    pub identifier: Identifier,
    /// The channel that tells.
    pub channel: Channel,
    /// The inbox that it came to.
    pub inbox: InboxId,
    /// Display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The name by which others there address them, as it is written there; it may be given away, so it is no identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
    /// When it was so, as the channel says.
    pub at: Moment,
    /// When we took it.
    pub received_at: Moment,
}

/// Why a telling changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// Several people use the name.
    Shared,
    /// Nobody proved that the name is its holder's.
    NotProven,
    /// The customer is erased, or being erased.
    Erased,
    /// The profile has no room for it.
    NoRoom,
    /// It is known, or something later is.
    NothingNew,
}

impl ProfileTold {
    /// The queue group: that of their messages, so that it comes behind the one that made them known.
    pub fn group(&self) -> String {
        group(self.inbox.as_str(), self.identifier.value())
    }

    /// Its name: the same for every delivery of the same telling.
    pub fn id(&self) -> String {
        let at = self.at.ms().to_be_bytes();
        let name = self.name.as_deref().unwrap_or_default();
        let handle = self.handle.as_deref().unwrap_or_default();
        let who = self.identifier.to_string();
        let hash = digest(&[
            b"profile",
            self.inbox.as_str().as_bytes(),
            who.as_bytes(),
            &at,
            name.as_bytes(),
            handle.as_bytes(),
        ]);
        data_encoding::HEXLOWER.encode(&hash[..16])
    }

    /// What is told, as any source tells it.
    fn told(&self) -> Told {
        // A clock ahead of ours would keep out what is told until then.
        let at = self.at.min(self.received_at);
        let handle = self.handle.iter().map(|handle| (format!("{}_handle", self.channel), Some(handle.clone())));
        Told {
            stamp: Stamp { at, source: format!("{}/{}", self.channel, self.inbox) },
            name: self.name.clone().map(Some),
            language: None,
            channel: None,
            attributes: handle.collect::<BTreeMap<_, _>>(),
            entitlements: None,
            orders: Vec::new(),
        }
    }
}

/// The profile of who holds the name, with what is told of them: the later telling holds, field by field, whoever tells.
///
/// # Errors
/// Why it stays as it is.
pub fn decide(before: &Profile, owner: &Owner, told: &ProfileTold) -> Result<Profile, NotTaken> {
    if owner.shared {
        return Err(NotTaken::Shared);
    }
    if !owner.verified {
        return Err(NotTaken::NotProven);
    }
    if before.erasure.is_some() {
        return Err(NotTaken::Erased);
    }
    let news = told.told();
    if !crm::faults(before, &news).is_empty() {
        return Err(NotTaken::NoRoom);
    }
    let profile = crm::merge(before.clone(), &news).profile;
    if profile == *before {
        return Err(NotTaken::NothingNew);
    }
    Ok(Profile { version: before.version + 1, updated_at: before.updated_at.max(told.received_at), ..profile })
}

#[cfg(test)]
mod tests;
