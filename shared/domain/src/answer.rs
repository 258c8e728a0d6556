//! Where an answer goes: on the customer's channel, in public only where they wrote in public, and in private from the
//! moment on at which they did.

use crate::channel::Channel;
use crate::config::Inbox;
use crate::id::InboxId;
use crate::identifier::{Identifier, IdentifierKind};
use crate::message::Visibility;
use crate::strong_reference::StrongReference;
use crate::ticket::{ReplyTo, TicketHead};

/// Digits from which on a telephone number is recognized in a text, from its end.
const PHONE_DIGITS: usize = 7;
/// Shortest name that is looked for in a text: shorter ones stand in many.
const NAME_CHARS_MIN: usize = 4;

/// What whoever answers says of the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The channel.
    pub channel: Option<Channel>,
    /// Who may see it.
    pub visibility: Option<Visibility>,
}

/// Why there is no such way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoWay {
    /// Everybody was to see the answer to what nobody saw.
    #[error("the customer did not write in public there: an answer for everybody would tell that they wrote")]
    NotPublic,
    /// There is none on that channel.
    #[error("the customer cannot be reached on this channel; choose another")]
    Unreachable,
}

/// Where the answers go once the requester wrote from `said`: what was private before stays so.
#[must_use]
pub fn after(before: Option<&ReplyTo>, said: &ReplyTo) -> ReplyTo {
    let stays = before.filter(|before| said.is_public() && !before.is_public());
    stays.unwrap_or(said).clone()
}

/// Where an answer goes on a ticket. Nothing when it goes by mail to an address that is still to be found.
///
/// # Errors
/// When there is no such way.
pub fn way(head: &TicketHead, wanted: Wanted, inboxes: &[Inbox]) -> Result<Option<ReplyTo>, NoWay> {
    let usual = head.reply_to.as_ref();
    let fits = |way: &ReplyTo| wanted.channel.is_none_or(|channel| channel == way.channel);
    let found = match wanted.visibility {
        Some(Visibility::Public) => {
            return head.public_way.clone().filter(|way| fits(way)).map(Some).ok_or(NoWay::NotPublic);
        }
        Some(Visibility::Private) => usual.cloned().and_then(|usual| in_private(usual, inboxes)),
        None => usual.cloned().map(|usual| match in_private(usual.clone(), inboxes) {
            // The channel says that it is to be in private.
            Some(private) if !fits(&usual) => private,
            _ => usual,
        }),
    };
    let by_mail = wanted.channel.or(usual.map(|usual| usual.channel)) == Some(Channel::Email);
    match found.filter(|way| fits(way)) {
        Some(way) => Ok(Some(way)),
        None if by_mail => Ok(None),
        None => Err(NoWay::Unreachable),
    }
}

/// The same person in private: where they wrote in private, or where the provider takes a private answer to what was
/// written in public (the `anchor`).
fn in_private(way: ReplyTo, inboxes: &[Inbox]) -> Option<ReplyTo> {
    if !way.is_public() {
        return Some(way);
    }
    let channel = private_side(way.channel)?;
    let inbox = if channel == way.channel {
        way.inbox.clone()
    } else {
        let public = inboxes.iter().find(|inbox| inbox.id == way.inbox)?;
        private_inbox(public, inboxes)?.id.clone()
    };
    Some(ReplyTo { channel, inbox, visibility: Visibility::Private, ..way })
}

/// The other inbox on which people go on in private who wrote in public on this one: of the same account, or else one of which
/// it is not said.
fn private_inbox<'i>(public: &Inbox, inboxes: &'i [Inbox]) -> Option<&'i Inbox> {
    let channel = private_side(public.channel).filter(|channel| *channel != public.channel)?;
    let mut sides = inboxes.iter().filter(|inbox| inbox.channel == channel);
    let exact = |inbox: &&Inbox| inbox.account.is_some() && inbox.account == public.account;
    let open = |inbox: &&Inbox| inbox.account.is_none() || public.account.is_none();
    sides.clone().find(exact).or_else(|| sides.find(open))
}

/// The inboxes on which people write in public who go on in private on this one, where that is another.
pub fn public_sides(inbox: &InboxId, inboxes: &[Inbox]) -> Vec<InboxId> {
    let leads_here = |public: &&Inbox| private_inbox(public, inboxes).is_some_and(|private| private.id == *inbox);
    inboxes.iter().filter(leads_here).map(|public| public.id.clone()).collect()
}

/// The channel on which people go on in private who wrote in public on this one.
fn private_side(channel: Channel) -> Option<Channel> {
    match channel {
        Channel::Facebook => Some(Channel::Messenger),
        Channel::Instagram | Channel::X => Some(channel),
        _ => None,
    }
}

/// What of the customer an answer for everybody would tell: one of their names, or a number of their matter.
pub fn tells<'t>(text: &str, names: &'t [Identifier], references: &'t [StrongReference]) -> Option<&'t str> {
    let text = text.to_lowercase();
    // As people write numbers: with something between their parts, or nothing.
    let close = |text: &str| -> String {
        text.chars().filter(|c| !matches!(c, ' ' | '-' | '/' | '.' | '_' | '(' | ')' | '\u{a0}')).collect()
    };
    let closed = close(&text);
    let long_enough = |value: &str| value.chars().count() >= NAME_CHARS_MIN;
    let has_name = |value: &str| long_enough(value) && stands_alone(&text, &value.to_lowercase());
    let has_number = |value: &str| long_enough(value) && closed.contains(&close(&value.to_lowercase()));
    let has_phone = |value: &str| {
        let tail = value.len().saturating_sub(PHONE_DIGITS);
        value.get(tail..).is_some_and(|tail| tail.len() == PHONE_DIGITS && closed.contains(tail))
    };
    let named = names.iter().find(|name| match name.kind() {
        IdentifierKind::Phone | IdentifierKind::Whatsapp => has_phone(name.value()),
        IdentifierKind::Session => false,
        _ => has_name(name.value()),
    });
    let of_matter = || references.iter().find(|reference| has_number(&reference.value)).map(|r| r.value.as_str());
    named.map(Identifier::value).or_else(of_matter)
}

/// Whether a text has a name that is no part of a longer word or number.
fn stands_alone(text: &str, name: &str) -> bool {
    let joins = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    text.match_indices(name).any(|(at, _)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text.get(at + name.len()..).and_then(|after| after.chars().next());
        !joins(before) && !joins(after)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Log, email};

    fn head() -> TicketHead {
        Log::of(1).now().head
    }

    fn to(channel: Channel, inbox: &str, visibility: Visibility) -> ReplyTo {
        let identifier = Identifier::new(IdentifierKind::Facebook, "1", None).unwrap();
        let anchor = Some("comment".to_owned());
        ReplyTo { channel, inbox: inbox.parse().unwrap(), identifier, anchor, visibility }
    }

    fn inboxes() -> Vec<Inbox> {
        let all = serde_json::json!([
            {"id": "page", "channel": "facebook", "account": "p1"},
            {"id": "other", "channel": "messenger", "account": "p2"},
            {"id": "messenger", "channel": "messenger", "account": "p1"},
            {"id": "instagram", "channel": "instagram"},
        ]);
        serde_json::from_value(all).unwrap()
    }

    fn asked(
        head: &TicketHead,
        channel: Option<Channel>,
        visibility: Option<Visibility>,
    ) -> Result<Option<ReplyTo>, NoWay> {
        way(head, Wanted { channel, visibility }, &inboxes())
    }

    #[test]
    fn what_is_private_stays_private() {
        let (public, private) = (Visibility::Public, Visibility::Private);
        let [comment, message] = [to(Channel::Facebook, "page", public), to(Channel::Messenger, "messenger", private)];
        let later = to(Channel::X, "x", public);
        assert_eq!(after(None, &comment), comment);
        assert_eq!(after(Some(&comment), &later), later);
        assert_eq!(after(Some(&comment), &message), message);
        assert_eq!(after(Some(&message), &comment), message, "a later comment does not turn answers to the public");
    }

    #[test]
    fn a_comment_is_answered_in_public_or_in_private_and_a_private_message_only_so() {
        let comment = to(Channel::Facebook, "page", Visibility::Public);
        let head = TicketHead { reply_to: Some(comment.clone()), public_way: Some(comment.clone()), ..head() };
        let (public, private) = (Some(Visibility::Public), Some(Visibility::Private));
        assert_eq!(asked(&head, None, None), Ok(Some(comment.clone())), "as they wrote");
        assert_eq!(asked(&head, None, public), Ok(Some(comment.clone())));
        let message = to(Channel::Messenger, "messenger", Visibility::Private);
        assert_eq!(asked(&head, None, private), Ok(Some(message.clone())), "to the same page's inbox");
        assert_eq!(asked(&head, Some(Channel::Messenger), None), Ok(Some(message.clone())));
        assert_eq!(asked(&head, Some(Channel::Messenger), public), Err(NoWay::NotPublic));
        assert_eq!(asked(&head, Some(Channel::Email), None), Ok(None), "to an address, if one is known");
        assert_eq!(asked(&head, Some(Channel::Email), private), Ok(None));
        assert_eq!(asked(&head, Some(Channel::Sms), None), Err(NoWay::Unreachable));

        let went_on = TicketHead { reply_to: Some(message.clone()), ..head };
        assert_eq!(asked(&went_on, None, None), Ok(Some(message.clone())));
        assert_eq!(asked(&went_on, None, public), Ok(Some(comment)), "who asks for it");
        let never = TicketHead { public_way: None, ..went_on };
        assert_eq!(asked(&never, None, public), Err(NoWay::NotPublic));
    }

    #[test]
    fn a_page_leads_to_the_inbox_of_its_account() {
        let sides = |inbox: &str, inboxes: &[Inbox]| -> Vec<String> {
            public_sides(&inbox.parse().unwrap(), inboxes).iter().map(ToString::to_string).collect()
        };
        assert_eq!(sides("messenger", &inboxes()), ["page"]);
        assert!(sides("other", &inboxes()).is_empty() && sides("instagram", &inboxes()).is_empty());
        let mut open = inboxes();
        open.iter_mut().for_each(|inbox| inbox.account = None);
        assert_eq!(sides("other", &open), ["page"], "the first, where nothing says whose it is");
        let two = [r#"{"id": "a", "channel": "instagram"}"#, r#"{"id": "b", "channel": "instagram"}"#];
        let two = two.map(|inbox| serde_json::from_str::<Inbox>(inbox).unwrap());
        assert!(sides("a", &two).is_empty(), "each has its own private side");
    }

    #[test]
    fn who_wrote_on_one_inbox_goes_on_there() {
        let post = to(Channel::Instagram, "instagram", Visibility::Public);
        let head = TicketHead { reply_to: Some(post.clone()), public_way: Some(post.clone()), ..head() };
        let private = Ok(Some(ReplyTo { visibility: Visibility::Private, ..post }));
        assert_eq!(asked(&head, None, Some(Visibility::Private)), private);
        assert_eq!(
            way(&TicketHead { reply_to: None, public_way: None, ..head }, Wanted::default(), &[]),
            Err(NoWay::Unreachable)
        );
    }

    #[test]
    fn an_answer_for_everybody_tells_nothing_of_the_customer() {
        let phone = Identifier::new(IdentifierKind::Phone, "+49 30 901820", None).unwrap();
        let named = |kind, value| Identifier::new(kind, value, None).unwrap();
        let names = [
            email("Anna.Berg@x.example"),
            phone,
            named(IdentifierKind::Crm, "77"),
            named(IdentifierKind::Account, "4711"),
        ];
        let orders = [StrongReference { name: "order".to_owned(), value: "ORD-004711".to_owned() }];
        let told = |text| tells(text, &names, &orders);
        assert_eq!(told("Please write us in private, 24 hours a day, or call 0800 77 77."), None);
        assert_eq!(told("We wrote to ANNA.BERG@x.example"), Some("anna.berg@x.example"));
        assert_eq!(told("We call you at (030) 90 18-20."), Some("+4930901820"));
        assert_eq!(told("Your order ord-004711 left."), Some("ORD-004711"));
        assert_eq!(told("Your order ORD 004711 left."), Some("ORD-004711"), "as people write it");
        assert_eq!(told("You are our customer 4711."), Some("4711"));
        assert_eq!(told("Call 0800 14711 for that."), None, "which is no customer's number");
    }
}
