//! What proves that a request comes from whom it says: what all signed channels share.

use hmac::{Hmac, Mac};
use sha1::Sha1;

use crate::secrets::{equal, hmac_sha256};

/// Why a delivery is not taken (HTTP 401).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// This header is missing or empty.
    #[error("the header {0} is missing")]
    Missing(&'static str),
    /// This header does not have its form.
    #[error("the header {0} is malformed")]
    Malformed(&'static str),
    /// The signed time is too far from ours.
    #[error("the signed time is outside the window")]
    Stale,
    /// No signature fits.
    #[error("no signature fits")]
    WrongSignature,
    /// The inbox has no secret that could be used.
    #[error("the inbox has no secret for this")]
    NoSecret,
}

/// HMAC-SHA1 (RFC 2104) over the parts, one after the other: only for who offers nothing better.
pub(crate) fn hmac_sha1(key: &[u8], parts: &[&[u8]]) -> [u8; 20] {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Checks that one of the secrets signed the parts with HMAC-SHA256. `given` is the signature, decoded. Every secret is
/// tried, so that the time does not tell which one fits; empty ones count as none.
pub(crate) fn verify_sha256(secrets: &[String], parts: &[&[u8]], given: &[u8]) -> Result<(), Refused> {
    fits(secrets, |secret| equal(given, &hmac_sha256(secret.as_bytes(), parts)))
}

/// Checks that one of the secrets is the one given.
pub(crate) fn verify_shared(secrets: &[String], given: &str) -> Result<(), Refused> {
    fits(secrets, |secret| equal(given.as_bytes(), secret.as_bytes()))
}

/// Whether one of the secrets passes the test, all of them tried.
pub(crate) fn fits(secrets: &[String], test: impl Fn(&str) -> bool) -> Result<(), Refused> {
    let mut usable = secrets.iter().filter(|secret| !secret.is_empty()).peekable();
    if usable.peek().is_none() {
        return Err(Refused::NoSecret);
    }
    if usable.fold(false, |fits, secret| fits | test(secret)) { Ok(()) } else { Err(Refused::WrongSignature) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2202, section 3, test case 2.
    #[test]
    fn hmac_sha1_is_that_of_the_rfc() {
        let mac = hmac_sha1(b"Jefe", &[b"what do ya want ", b"for nothing?"]);
        assert_eq!(data_encoding::HEXLOWER.encode(&mac), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    }

    #[test]
    fn any_of_several_secrets_fits_and_none_is_told_apart() {
        let secrets = ["old".to_owned(), "new".to_owned(), String::new()];
        assert_eq!(verify_shared(&secrets, "old"), Ok(()));
        assert_eq!(verify_shared(&secrets, "new"), Ok(()));
        assert_eq!(verify_shared(&secrets, ""), Err(Refused::WrongSignature));
        assert_eq!(verify_shared(&secrets[2..], ""), Err(Refused::NoSecret));
        assert_eq!(verify_sha256(&[], &[b"x"], b""), Err(Refused::NoSecret));
    }
}
