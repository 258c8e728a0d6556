//! Signed references to tickets that mail carries back to us: the reply address and our own Message-ID.
//!
//! Both hold a token: the key's id, the ticket's UUID and an 80-bit message authentication code, in lower-case base 32
//! (RFC 4648), because mail systems change the case of addresses and refuse most other characters. A token says which
//! ticket is meant, not who writes: the sender is still checked.

use data_encoding::BASE32_NOPAD;
use throughline_domain::id::TicketId;
use throughline_domain::message::truncated;
use uuid::Uuid;

use crate::secrets::{ReplyKey, equal, hmac_sha256};

/// Longest local part of a mail address, in octets (RFC 5321, section 4.5.3.1.1).
pub const LOCAL_PART_BYTES_MAX: usize = 64;

/// Most bytes of the event's name that our own Message-ID carries.
pub const EVENT_BYTES_MAX: usize = 64;

/// What stands between the inbox's name and the token.
const TAG: &str = "+r.";
/// The 16 bytes of a UUID in base 32.
const TICKET_CHARS: usize = 26;
/// Bytes that are kept of the authentication code: forging one takes 2^79 mails on average.
const MAC_BYTES: usize = 10;
/// The authentication code in base 32.
const MAC_CHARS: usize = 16;
/// Key id, ticket and authentication code.
const TOKEN_CHARS: usize = 1 + TICKET_CHARS + MAC_CHARS;

/// Keeps reply addresses apart from everything else that the keys sign.
const ADDRESS_LABEL: &[u8] = b"throughline reply address 1\0";
/// Keeps Message-IDs apart from everything else that the keys sign.
const MESSAGE_ID_LABEL: &[u8] = b"throughline message id 1\0";

/// The address that brings answers back to this ticket, `support+r.<token>@…`, signed with the first key.
///
/// None without a usable key, when the inbox's address is none, or when its local part is too long to carry a token
/// within [`LOCAL_PART_BYTES_MAX`]: answers then find their ticket by their references.
pub fn address(keys: &[ReplyKey], inbox_address: &str, ticket: TicketId) -> Option<String> {
    let (local, domain) = inbox_address.trim().rsplit_once('@')?;
    let local = local.split_once('+').map_or(local, |(base, _)| base);
    let usable = !local.is_empty() && local.len() + TAG.len() + TOKEN_CHARS <= LOCAL_PART_BYTES_MAX;
    let token = token(keys, ticket, ADDRESS_LABEL, "")?;
    (usable && !domain.is_empty()).then(|| format!("{local}{TAG}{token}@{domain}"))
}

/// The ticket that a reply address of ours names, whichever of the keys signed it and in whatever case it comes back.
pub fn ticket(keys: &[ReplyKey], address: &str) -> Option<TicketId> {
    let (local, _) = address.trim().rsplit_once('@')?;
    let local = local.get(local.len().checked_sub(TAG.len() + TOKEN_CHARS)?..)?.to_ascii_lowercase();
    let (_, token) = local.rsplit_once(TAG)?;
    verified(keys, token, ADDRESS_LABEL, "")
}

/// Our own Message-ID, without angle brackets: `<event>.<token>@<domain>`. Of `event`, letters, digits, `-` and `_` are
/// kept, at most [`EVENT_BYTES_MAX`]; the code covers it, so that it cannot be exchanged. Without a usable key the id
/// carries no token and names no ticket.
pub fn message_id(keys: &[ReplyKey], ticket: TicketId, event: &str, domain: &str) -> String {
    let event: String = event.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
    let event = truncated(&event, EVENT_BYTES_MAX).to_ascii_lowercase();
    let domain: String = domain.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.')).collect();
    match token(keys, ticket, MESSAGE_ID_LABEL, &event) {
        Some(token) => format!("{event}.{token}@{domain}"),
        None => format!("{event}@{domain}"),
    }
}

/// The ticket that a Message-ID (without angle brackets) names, if we made it.
pub fn ticket_of_message_id(keys: &[ReplyKey], id: &str) -> Option<TicketId> {
    let (local, _) = id.trim().rsplit_once('@')?;
    if local.len() <= TOKEN_CHARS {
        return None;
    }
    let local = local.to_ascii_lowercase();
    let (event, token) = local.rsplit_once('.')?;
    verified(keys, token, MESSAGE_ID_LABEL, event)
}

/// The token of a ticket, signed with the first usable key.
fn token(keys: &[ReplyKey], ticket: TicketId, label: &[u8], event: &str) -> Option<String> {
    let key = keys.iter().find(|key| is_usable(key))?;
    let uuid = ticket.uuid();
    let mac = mac(key, uuid.as_bytes(), label, event);
    let text = format!("{}{}{}", key.id, BASE32_NOPAD.encode(uuid.as_bytes()), BASE32_NOPAD.encode(&mac));
    Some(text.to_ascii_lowercase())
}

/// The ticket of a token in lower case, if a known key signed it.
fn verified(keys: &[ReplyKey], token: &str, label: &[u8], event: &str) -> Option<TicketId> {
    if token.len() != TOKEN_CHARS || !token.is_ascii() {
        return None;
    }
    let upper = token.to_ascii_uppercase();
    let (ticket, signed) = upper[1..].split_at(TICKET_CHARS);
    let uuid: [u8; 16] = BASE32_NOPAD.decode(ticket.as_bytes()).ok()?.try_into().ok()?;
    let signed = BASE32_NOPAD.decode(signed.as_bytes()).ok()?;
    let mut named = keys.iter().filter(|key| is_usable(key) && token.starts_with(key.id));
    named.any(|key| equal(&mac(key, &uuid, label, event), &signed)).then(|| TicketId::new(Uuid::from_bytes(uuid)))
}

/// A key without a secret would let anybody sign, and one whose id does not fit would make addresses that do not verify.
fn is_usable(key: &ReplyKey) -> bool {
    !key.secret.is_empty() && matches!(key.id, 'a'..='z' | '2'..='7')
}

fn mac(key: &ReplyKey, ticket: &[u8; 16], label: &[u8], event: &str) -> [u8; MAC_BYTES] {
    // The label ends in NUL and the ticket has a fixed length, so no two lists of parts look alike.
    let full = hmac_sha256(key.secret.as_bytes(), &[label, ticket, event.as_bytes()]);
    let mut kept = [0; MAC_BYTES];
    kept.copy_from_slice(&full[..MAC_BYTES]);
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(id: char, secret: &str) -> ReplyKey {
        ReplyKey { id, secret: secret.to_owned() }
    }

    fn any_ticket() -> impl Strategy<Value = TicketId> {
        any::<u128>().prop_map(|n| TicketId::new(Uuid::from_u128(n)))
    }

    fn sample() -> TicketId {
        TicketId::new(Uuid::from_u128(0x0193_4d6f_0000_7abc_8def_0123_4567_89ab))
    }

    #[test]
    fn old_keys_verify_and_unknown_ones_do_not() {
        let old = [key('a', "one")];
        let new = [key('b', "two"), key('a', "one")];
        let from_old = address(&old, "support@example.com", sample()).unwrap();
        let from_new = address(&new, "support@example.com", sample()).unwrap();
        assert!(from_new.starts_with("support+r.b"), "{from_new}");
        assert_eq!(ticket(&new, &from_old), Some(sample()));
        assert_eq!(ticket(&new, &from_new), Some(sample()));
        assert_eq!(ticket(&old, &from_new), None);
        assert_eq!(ticket(&[key('a', "other")], &from_old), None);
        let id = message_id(&old, sample(), "evt_1", "example.com");
        assert_eq!(ticket_of_message_id(&new, &id), Some(sample()));
        assert_eq!(ticket_of_message_id(&[key('a', "other")], &id), None);
    }

    #[test]
    fn an_address_is_no_message_id() {
        let keys = [key('a', "one")];
        let address = address(&keys, "support@example.com", sample()).unwrap();
        assert_eq!(ticket_of_message_id(&keys, &address), None);
        let id = message_id(&keys, sample(), "support+r", "example.com");
        assert_eq!(ticket(&keys, &id.replace("supportr.", "support+r.")), None);
    }

    #[test]
    fn unusable_keys_and_addresses_are_refused() {
        assert_eq!(address(&[], "support@example.com", sample()), None);
        assert_eq!(address(&[key('a', "")], "support@example.com", sample()), None);
        assert_eq!(address(&[key('A', "x")], "support@example.com", sample()), None);
        assert_eq!(address(&[key('a', "x")], "support", sample()), None);
        assert_eq!(address(&[key('a', "x")], "@example.com", sample()), None);
        assert_eq!(address(&[key('a', "x")], "nineteen-characters@example.com", sample()), None);
        let tagged = address(&[key('a', "x")], "support+de@example.com", sample()).unwrap();
        assert!(tagged.starts_with("support+r.a"), "{tagged}");
        assert_eq!(message_id(&[], sample(), "evt\r\n_1 <", "ex\nample.com"), "evt_1@example.com");
    }

    proptest! {
        #[test]
        fn addresses_come_back(ticket_id in any_ticket(), secret in ".{1,40}", local in "[a-z0-9.-]{1,30}") {
            let keys = [key('k', &secret)];
            let Some(made) = address(&keys, &format!("{local}@example.com"), ticket_id) else {
                prop_assert!(local.len() > 18);
                return Ok(());
            };
            let (made_local, _) = made.split_once('@').unwrap();
            prop_assert!(made_local.len() <= LOCAL_PART_BYTES_MAX);
            prop_assert_eq!(ticket(&keys, &made), Some(ticket_id));
            prop_assert_eq!(ticket(&keys, &made.to_uppercase()), Some(ticket_id));
        }

        #[test]
        fn a_changed_character_is_refused(ticket_id in any_ticket(), place in 0usize..43, to in "[a-z2-7]") {
            let keys = [key('k', "secret")];
            let made = address(&keys, "support@example.com", ticket_id).unwrap();
            let at = "support+r.".len() + place;
            prop_assume!(made[at..=at] != to);
            let changed = format!("{}{to}{}", &made[..at], &made[at + 1..]);
            prop_assert_eq!(ticket(&keys, &changed), None);
        }

        #[test]
        fn message_ids_come_back_and_refuse_changes(ticket_id in any_ticket(), event in "[a-z0-9_-]{1,40}", flip in 0usize..1000) {
            let keys = [key('k', "secret")];
            let id = message_id(&keys, ticket_id, &event, "example.com");
            prop_assert_eq!(ticket_of_message_id(&keys, &id), Some(ticket_id));
            let at = flip % id.find('@').unwrap();
            let to = if id[at..].starts_with('q') { "7" } else { "q" };
            let changed = format!("{}{to}{}", &id[..at], &id[at + 1..]);
            prop_assert_eq!(ticket_of_message_id(&keys, &changed), None);
        }

        #[test]
        fn any_text_is_read_without_panic(text in "\\PC{0,80}") {
            let keys = [key('k', "secret")];
            prop_assert_eq!(ticket(&keys, &text), None);
            prop_assert_eq!(ticket_of_message_id(&keys, &text), None);
        }
    }
}
