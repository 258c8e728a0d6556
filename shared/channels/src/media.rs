//! Files that a channel still holds: where to get them, with which token, and from which hosts at most.
//!
//! A body may name any URL. Only those of the provider's own hosts are ever fetched, and a token goes to no other. A
//! channel without a provider, whose files lie with whoever signs, has the hosts that its inbox allows.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use data_encoding::HEXLOWER;
use serde_json::Value;
use sha2::{Digest, Sha256};
use throughline_domain::channel::Channel;
use throughline_domain::config::{Inbox, is_among_hosts};
use throughline_domain::message::Attachment;
use url::Url;

use crate::email::file_type;
use crate::secrets::InboxSecrets;

/// Largest file that is fetched, in bytes (40 MiB): what a mail may bring, too.
pub const FILE_BYTES_MAX: usize = 40 * 1024 * 1024;
/// Version of Meta's Graph API that is asked for media.
const GRAPH: &str = "https://graph.facebook.com/v23.0";
/// Longest URL of a file, or id in place of one, in bytes.
pub(crate) const URL_BYTES_MAX: usize = 2_048;

/// Who holds a file: a channel, with the hosts from which its files are had.
#[derive(Clone, Copy, Debug)]
pub struct Holder<'a> {
    channel: Channel,
    /// Hosts that the inbox allows.
    allowed: &'a [String],
}

impl<'a> Holder<'a> {
    /// Who holds the files of a channel's inbox; without an inbox only the provider's own hosts count.
    pub fn of(channel: Channel, inbox: Option<&'a Inbox>) -> Self {
        let allowed = inbox.filter(|inbox| inbox.takes_media_hosts()).map_or(&[][..], |inbox| &inbox.media_hosts);
        Self { channel, allowed }
    }

    /// Whether a file at this URL may be fetched.
    pub(crate) fn has(&self, url: &str) -> bool {
        self.get(url, None).is_ok()
    }

    fn get(&self, url: &str, authorization: Option<String>) -> Result<Get, NotFetched> {
        let url = Url::parse(url).map_err(|_| NotFetched::Elsewhere)?;
        let plain =
            url.scheme() == "https" && url.port().is_none() && url.username().is_empty() && url.password().is_none();
        let host = url.host_str().unwrap_or_default();
        let known = is_among_hosts(host, hosts(self.channel).iter().copied())
            || is_among_hosts(host, self.allowed.iter().map(String::as_str));
        if plain && known { Ok(Get { url, authorization }) } else { Err(NotFetched::Elsewhere) }
    }
}

/// A request for a file, or for where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Get {
    /// The URL.
    pub url: Url,
    /// The value of `Authorization`, if one is needed.
    pub authorization: Option<String>,
}

/// How to get a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The answer is the file.
    File(Get),
    /// The answer, JSON, says where it is: [`found`].
    LookUp(Get),
}

/// Why a file is not fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFetched {
    /// The channel's files need a token.
    #[error("the inbox has no access token for the channel's files")]
    NoToken,
    /// The body named a place that is neither the provider's nor allowed by the inbox.
    #[error("the file is on no host from which its inbox fetches")]
    Elsewhere,
    /// What is there is not what the message spoke of.
    #[error("the file has another SHA-256 than the message says")]
    OtherContent,
    /// The provider does not say where it is.
    #[error("the channel does not say where the file is")]
    NotSaid,
}

/// The first request for a file that a channel holds under this name.
///
/// # Errors
/// Why there is none.
pub fn start(holder: Holder<'_>, held: &str, secrets: &InboxSecrets) -> Result<Step, NotFetched> {
    let token = || secrets.access_token.first().filter(|token| !token.is_empty()).ok_or(NotFetched::NoToken);
    let bearer = || Ok(Some(format!("Bearer {}", token()?)));
    if held.len() > URL_BYTES_MAX {
        return Err(NotFetched::Elsewhere);
    }
    Ok(match holder.channel {
        // https://developers.facebook.com/docs/whatsapp/cloud-api/reference/media
        Channel::Whatsapp => Step::LookUp(holder.get(&format!("{GRAPH}/{}", segment(held)?), bearer()?)?),
        // https://developers.line.biz/en/reference/messaging-api/#get-content
        Channel::Line => {
            let url = format!("https://api-data.line.me/v2/bot/message/{}/content", segment(held)?);
            Step::File(holder.get(&url, bearer()?)?)
        }
        // https://core.telegram.org/bots/api#getfile
        Channel::Telegram => {
            let url = format!("https://api.telegram.org/bot{}/getFile?file_id={}", token()?, segment(held)?);
            Step::LookUp(holder.get(&url, None)?)
        }
        // https://www.twilio.com/docs/usage/security#http-authentication: the token is `account sid:auth token`.
        Channel::Sms | Channel::Voice => {
            let basic = Some(format!("Basic {}", STANDARD.encode(token()?)));
            Step::File(holder.get(held, basic)?)
        }
        Channel::Slack | Channel::X => Step::File(holder.get(held, bearer()?)?),
        _ => Step::File(holder.get(held, None)?),
    })
}

/// The request for the file, by what the look-up answered.
///
/// # Errors
/// Why there is none.
pub fn found(holder: Holder<'_>, answer: &Value, secrets: &InboxSecrets) -> Result<Get, NotFetched> {
    let token = secrets.access_token.first().ok_or(NotFetched::NoToken)?;
    match holder.channel {
        Channel::Whatsapp => {
            let url = answer["url"].as_str().ok_or(NotFetched::NotSaid)?;
            holder.get(url, Some(format!("Bearer {token}")))
        }
        Channel::Telegram => {
            let path = answer["result"]["file_path"].as_str().ok_or(NotFetched::NotSaid)?;
            holder.get(&format!("https://api.telegram.org/file/bot{token}/{path}"), None)
        }
        _ => Err(NotFetched::NotSaid),
    }
}

/// Where a redirect of such a request leads, if it may. The token stays with the host that it was for.
///
/// # Errors
/// [`NotFetched::Elsewhere`] when it leads to a host that is not the channel's.
pub fn redirected(holder: Holder<'_>, from: &Get, location: &str) -> Result<Get, NotFetched> {
    let url = from.url.join(location).map_err(|_| NotFetched::Elsewhere)?;
    let same_host = url.host_str() == from.url.host_str();
    holder.get(url.as_str(), from.authorization.clone().filter(|_| same_host))
}

/// The file as it is listed now that its bytes are here. `content_type` is what the answer said.
pub fn described(file: &Attachment, content_type: Option<&str>, bytes: &[u8]) -> Attachment {
    let declared = content_type.map_or(file.content_type.as_str(), |given| given.split(';').next().unwrap_or_default());
    let content_type = file_type::content_type(declared.trim().to_ascii_lowercase(), bytes);
    Attachment {
        dangerous: file_type::is_dangerous(&file.filename, &content_type, bytes),
        content_type,
        size: bytes.len() as u64,
        sha256: HEXLOWER.encode(&Sha256::digest(bytes)),
        held_by_channel: None,
        ..file.clone()
    }
}

/// Checks that a file is the one that the message spoke of, as far as it told a hash.
///
/// # Errors
/// [`NotFetched::OtherContent`] when it is not: the page of an error, or changed since.
pub fn check_content(told: &Attachment, had: &Attachment) -> Result<(), NotFetched> {
    let same = told.sha256.is_empty() || told.sha256 == had.sha256;
    if same { Ok(()) } else { Err(NotFetched::OtherContent) }
}

/// An id as one segment of a path: anything else could lead to another resource.
fn segment(id: &str) -> Result<&str, NotFetched> {
    let right =
        !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'));
    if right && !id.bytes().all(|b| b == b'.') { Ok(id) } else { Err(NotFetched::Elsewhere) }
}

/// Hosts of a channel's files, as [`is_among_hosts`] reads them.
fn hosts(channel: Channel) -> &'static [&'static str] {
    match channel {
        Channel::Whatsapp => &["graph.facebook.com", "lookaside.fbsbx.com"],
        Channel::Messenger | Channel::Facebook | Channel::Instagram => {
            &["*.fbcdn.net", "*.fbsbx.com", "*.cdninstagram.com"]
        }
        Channel::X => &["ton.twitter.com", "ton.x.com", "pbs.twimg.com", "video.twimg.com"],
        Channel::Line => &["api-data.line.me"],
        Channel::Telegram => &["api.telegram.org"],
        Channel::Slack => &["files.slack.com"],
        Channel::Sms | Channel::Voice => &["api.twilio.com", "media.twiliocdn.com", "mms.twiliocdn.com"],
        Channel::Email | Channel::WebChat | Channel::Portal | Channel::Bot | Channel::Webhook => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn secrets() -> InboxSecrets {
        InboxSecrets { access_token: vec!["tok".to_owned()], ..InboxSecrets::default() }
    }

    fn of(channel: Channel) -> Holder<'static> {
        Holder::of(channel, None)
    }

    fn url(step: Result<Step, NotFetched>) -> Result<String, NotFetched> {
        step.map(|step| match step {
            Step::File(get) | Step::LookUp(get) => get.url.to_string(),
        })
    }

    #[test]
    fn only_hosts_of_the_channel_are_asked() {
        for wrong in [
            "https://evil.example/a.jpg",
            "https://scontent.fbcdn.net.evil.example/a.jpg",
            "https://fbcdn.net/a.jpg",
            "https://evilfbcdn.net/a.jpg",
            "http://scontent.fbcdn.net/a.jpg",
            "https://scontent.fbcdn.net:8443/a.jpg",
            "https://user@scontent.fbcdn.net/a.jpg",
            "https://169.254.169.254/latest/meta-data",
            "file:///etc/passwd",
            "//scontent.fbcdn.net/a",
            "",
        ] {
            assert_eq!(start(of(Channel::Messenger), wrong, &secrets()), Err(NotFetched::Elsewhere), "{wrong}");
        }
        let right =
            start(of(Channel::Messenger), "https://scontent.xx.fbcdn.net/v/a.jpg?x=1", &InboxSecrets::default());
        assert_eq!(url(right).as_deref(), Ok("https://scontent.xx.fbcdn.net/v/a.jpg?x=1"));
        assert_eq!(start(of(Channel::Bot), "https://bot.example/a", &secrets()), Err(NotFetched::Elsewhere));
    }

    #[test]
    fn an_inbox_allows_hosts_of_those_who_sign_and_gives_them_no_token() {
        let inbox = |channel: &str| -> Inbox {
            let hosts = ["files.example.com", "*.cdn.example.com"];
            serde_json::from_value(json!({"id": "main", "channel": channel, "media_hosts": hosts})).unwrap()
        };
        let (shop, line) = (inbox("webhook"), inbox("line"));
        let holder = Holder::of(Channel::Webhook, Some(&shop));
        for right in
            ["https://files.example.com/a?x=1", "https://FILES.example.com:443/a", "https://b.cdn.example.com/a"]
        {
            let Ok(Step::File(get)) = start(holder, right, &secrets()) else { panic!("{right}") };
            assert_eq!(get.authorization, None);
        }
        for wrong in [
            "http://files.example.com/a",
            "https://files.example.com:8443/a",
            "https://files.example.com@evil.example/a",
            "https://cdn.example.com/a",
            "https://evilcdn.example.com/a",
            "https://files.example.com.evil.example/a",
            "https://169.254.169.254/latest",
        ] {
            assert_eq!(start(holder, wrong, &secrets()), Err(NotFetched::Elsewhere), "{wrong}");
        }
        let Ok(Step::File(first)) = start(holder, "https://files.example.com/a", &secrets()) else {
            panic!("no request")
        };
        assert!(redirected(holder, &first, "https://b.cdn.example.com/a").is_ok());
        assert_eq!(redirected(holder, &first, "https://evil.example/a"), Err(NotFetched::Elsewhere));
        // A token of a provider goes to no other host, whatever the inbox says.
        assert!(!Holder::of(Channel::Line, Some(&line)).has("https://files.example.com/a"));
    }

    #[test]
    fn a_file_is_the_one_that_was_told() {
        let told = |sha256: &str| Attachment { sha256: sha256.to_owned(), ..Attachment::default() };
        let had = described(&told(""), None, b"abc");
        assert_eq!(check_content(&told(""), &had), Ok(()));
        assert_eq!(check_content(&told(&had.sha256), &had), Ok(()));
        assert_eq!(check_content(&told(&"0".repeat(64)), &had), Err(NotFetched::OtherContent));
    }

    #[test]
    fn an_id_is_one_segment_of_a_path() {
        let line = |id: &str| url(start(of(Channel::Line), id, &secrets()));
        assert_eq!(line("4711").as_deref(), Ok("https://api-data.line.me/v2/bot/message/4711/content"));
        for wrong in ["../../../admin", "a/b", "..", "", "a?b", "a#b", "a%2Fb", "https://evil.example/"] {
            assert_eq!(line(wrong), Err(NotFetched::Elsewhere), "{wrong}");
        }
        assert_eq!(start(of(Channel::Line), "1", &InboxSecrets::default()), Err(NotFetched::NoToken));
    }

    #[test]
    fn what_is_looked_up_is_held_to_the_same_hosts() {
        let whatsapp = |answer| found(of(Channel::Whatsapp), &answer, &secrets());
        let right =
            whatsapp(json!({"url": "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1"})).unwrap();
        assert_eq!(right.authorization.as_deref(), Some("Bearer tok"));
        assert_eq!(whatsapp(json!({"url": "https://evil.example/"})), Err(NotFetched::Elsewhere));
        assert_eq!(whatsapp(json!({})), Err(NotFetched::NotSaid));
        let file = found(of(Channel::Telegram), &json!({"result": {"file_path": "photos/1.jpg"}}), &secrets()).unwrap();
        assert_eq!(file.url.as_str(), "https://api.telegram.org/file/bottok/photos/1.jpg");
    }

    #[test]
    fn a_redirect_takes_the_token_nowhere_else() {
        let Ok(Step::File(first)) = start(of(Channel::Sms), "https://api.twilio.com/2010-04-01/Media/ME1", &secrets())
        else {
            panic!("no request");
        };
        assert!(first.authorization.is_some());
        let there = redirected(of(Channel::Sms), &first, "https://media.twiliocdn.com/ME1").unwrap();
        assert!(redirected(of(Channel::Sms), &first, "https://mms.twiliocdn.com/AC1/ME1").is_ok());
        assert_eq!(there.authorization, None);
        assert!(redirected(of(Channel::Sms), &first, "/other").unwrap().authorization.is_some());
        assert_eq!(redirected(of(Channel::Sms), &first, "https://evil.example/"), Err(NotFetched::Elsewhere));
        assert_eq!(redirected(of(Channel::Sms), &first, "http://api.twilio.com/"), Err(NotFetched::Elsewhere));
    }

    #[test]
    fn a_file_is_what_its_bytes_show() {
        let file = Attachment {
            filename: "photo.jpg".to_owned(),
            content_type: "image/jpeg".to_owned(),
            ..Attachment::default()
        };
        let page =
            described(&file, Some("image/jpeg; x=y"), b"MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff\x00\x00");
        assert!(page.dangerous, "{page:?}");
        let png = described(&file, None, b"\x89PNG\r\n\x1a\n0000IHDR");
        assert_eq!((png.content_type.as_str(), png.dangerous, png.held_by_channel), ("image/png", false, None));
    }
}
