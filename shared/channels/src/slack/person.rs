//! What Slack tells of somebody whose profile changed: to the app of a team, of everybody in it
//! (<https://docs.slack.dev/reference/events/user_change/>).

use serde_json::Value;
use throughline_domain::identifier::{Identifier, IdentifierKind};

use super::{Envelope, dropped, inbox, moment as slack_moment};
use crate::provider::{ChannelEvent, Context, profile};
use crate::tolerant::{moment, text};

/// How somebody calls themselves now. What of it is not as documented is dropped: nobody said anything.
pub(super) fn changed(raw: &Value, envelope: &Envelope, context: &Context<'_>) -> ChannelEvent {
    let Some(inbox) = inbox("", envelope, context) else { return dropped("no inbox is for this team") };
    let user = &raw["user"];
    if user["is_bot"].as_bool() == Some(true) {
        return dropped("a bot changed its profile");
    }
    let who = text(user, "/id").and_then(|id| Identifier::new(IdentifierKind::Slack, id, None).ok());
    let name = text(user, "/profile/real_name").or_else(|| text(user, "/real_name"));
    let handle = text(user, "/profile/display_name");
    let at = moment(user.get("updated")).or_else(|| text(raw, "/event_ts").and_then(slack_moment));
    let told = who.and_then(|who| profile(who, name, handle, at, inbox, context.received_at));
    told.map_or_else(
        || dropped("it does not say how who calls themselves"),
        |told| ChannelEvent::Profile(Box::new(told)),
    )
}
