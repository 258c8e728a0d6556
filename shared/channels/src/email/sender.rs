//! Who sent a mail, and what proves it.

use throughline_domain::config::Inboxes;
use throughline_domain::inbound::{Claim, Proof};
use throughline_domain::message::{Authentication, Sender, Verdict};

use super::clean::{self, Warnings};
use super::headers::{Address, Headers, address};

/// Longest display name kept, in bytes.
pub const NAME_BYTES_MAX: usize = 200;

/// The sender of a mail.
pub(super) struct Found {
    /// As the message names them. The value is empty when no address is usable.
    pub(super) sender: Sender,
    /// What they are known by.
    pub(super) claims: Vec<Claim>,
    /// Where they want answers, when that is another address and they are who they say.
    pub(super) reply_to: Option<String>,
    /// The From header is one of our own addresses.
    pub(super) from_us: bool,
}

/// Finds the sender: the first usable address of From, Reply-To, Sender and the envelope that is not our own.
///
/// An address in Reply-To is taken at its word only from a proven sender. Otherwise anybody could write under another's
/// name and have the answers, which speak of that other's affairs, sent to themselves.
pub(super) fn find(
    headers: &Headers<'_>,
    envelope_from: Option<&str>,
    authentication: Option<&Authentication>,
    inboxes: &Inboxes,
    warnings: &mut Warnings,
) -> Found {
    let from = headers.addresses("from");
    let reply_to = headers.addresses("reply-to");
    let from_us = from.iter().any(|address| inboxes.is_own(&address.identifier));
    let is_other = |address: &Address<'_>| !inboxes.is_own(&address.identifier);
    let others = || headers.addresses("sender").into_iter().chain(envelope_from.and_then(|text| address(text, None)));
    let chosen = from.iter().chain(&reply_to).find(|address| is_other(address)).cloned();
    let chosen = chosen.or_else(|| others().find(is_other));

    let mut sender = Sender { kind: "email".to_owned(), ..Sender::default() };
    let Some(Address { identifier, name, .. }) = chosen else {
        warnings.add("No header names a sender who could be answered.");
        return Found { sender, claims: Vec::new(), reply_to: None, from_us };
    };
    // DMARC speaks of the From header, and of one address only (RFC 7489, section 6.6.1). Of whom another header names, or
    // one of several addresses, it says nothing, whatever their own domain asks for; where headers are left out there may be
    // more than is seen here. What our own address sends for somebody, as forms do, is ours to vouch for.
    let is_from =
        !headers.are_cut() && headers.names_one("from") && from.iter().any(|from| from.identifier == identifier);
    let proof = match authentication.map_or(Verdict::Unknown, |verdicts| verdicts.dmarc) {
        Verdict::Fail => Proof::Typed,
        Verdict::Pass if is_from => Proof::Proven,
        Verdict::Pass | Verdict::Neutral if !is_from && !from_us => Proof::Typed,
        Verdict::Pass | Verdict::Neutral | Verdict::Unknown => Proof::Answerable,
    };
    if from.is_empty() {
        warnings.add("The From header names nobody: the sender is taken from another header.");
    }
    let wanted =
        reply_to.into_iter().find(|wanted| !inboxes.is_own(&wanted.identifier) && wanted.identifier != identifier);
    if proof != Proof::Proven && wanted.is_some() {
        warnings
            .add("The sender wants answers at another address, which is not heeded because nothing proves who it is.");
    }
    sender.value = identifier.value().to_owned();
    sender.name = name.and_then(|name| clean::name(name, NAME_BYTES_MAX)).filter(|name| *name != sender.value);
    sender.verified = proof == Proof::Proven;
    Found {
        sender,
        claims: vec![Claim { identifier, proof }],
        reply_to: wanted.filter(|_| proof == Proof::Proven).map(|wanted| wanted.identifier.value().to_owned()),
        from_us,
    }
}
