//! Channels: the kinds of way in.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A kind of way in. The names are those of the HTTP contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Mail.
    Email,
    /// Our own chat widget.
    WebChat,
    /// WhatsApp Business.
    Whatsapp,
    /// Facebook Messenger.
    Messenger,
    /// Instagram messages and comments.
    Instagram,
    /// Comments on a Facebook page.
    Facebook,
    /// X: direct messages and posts.
    X,
    /// LINE.
    Line,
    /// Telegram.
    Telegram,
    /// Slack.
    Slack,
    /// Text messages.
    Sms,
    /// Telephone calls.
    Voice,
    /// The help centre's form.
    Portal,
    /// A bot that hands over.
    Bot,
    /// Any business system, by signed webhook.
    Webhook,
}

impl Channel {
    /// Every channel, in the order of the contract.
    pub const ALL: [Self; 15] = [
        Self::Email,
        Self::WebChat,
        Self::Whatsapp,
        Self::Messenger,
        Self::Instagram,
        Self::Facebook,
        Self::X,
        Self::Line,
        Self::Telegram,
        Self::Slack,
        Self::Sms,
        Self::Voice,
        Self::Portal,
        Self::Bot,
        Self::Webhook,
    ];

    /// The name in paths and documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::WebChat => "web_chat",
            Self::Whatsapp => "whatsapp",
            Self::Messenger => "messenger",
            Self::Instagram => "instagram",
            Self::Facebook => "facebook",
            Self::X => "x",
            Self::Line => "line",
            Self::Telegram => "telegram",
            Self::Slack => "slack",
            Self::Sms => "sms",
            Self::Voice => "voice",
            Self::Portal => "portal",
            Self::Bot => "bot",
            Self::Webhook => "webhook",
        }
    }

    /// People write in turns here, without subject or thread: the next message belongs to the running conversation.
    pub fn is_conversational(self) -> bool {
        matches!(
            self,
            Self::WebChat
                | Self::Whatsapp
                | Self::Messenger
                | Self::Instagram
                | Self::Line
                | Self::Telegram
                | Self::Slack
                | Self::Sms
                | Self::X
        )
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no channel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such channel: {0:?}")]
pub struct UnknownChannel(String);

impl FromStr for Channel {
    type Err = UnknownChannel;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|channel| channel.as_str() == text);
        found.ok_or_else(|| UnknownChannel(text.chars().take(40).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_agree_with_the_serialized_form() {
        for channel in Channel::ALL {
            assert_eq!(serde_json::to_value(channel).unwrap(), channel.as_str());
            assert_eq!(channel.as_str().parse(), Ok(channel));
        }
        assert!("carrier_pigeon".parse::<Channel>().is_err());
    }
}
