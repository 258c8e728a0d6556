//! The search for lost mail: raw mail that is stored and of which no notice ever came, for one because the receiving
//! service failed between the two. What has no final state in the ledger is sent through again, with a notice rebuilt
//! from the mail itself.
//!
//! One record looks at one page of objects and sends the order for the next page. Each step may run again: a mail that
//! is sent through twice is recorded once.
//!
//! A mail is found in the ledger by its Message-ID, as it would be recorded, or by its object key, which is how mail that
//! `ingest-email` could not read is quarantined. Its content is not compared: what a text is made of changes with each
//! version of the reading, and a difference there would send known mail through a second time. So one kind of lost mail
//! stays lost: one that also has the Message-ID of another, different mail.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use throughline_channels::email;
use throughline_channels::ses_notice::Notice;
use throughline_channels::ses_trace::{self, StoredMail};
use throughline_domain::config::Inboxes;
use throughline_domain::ledger::LedgerKey;
use throughline_domain::work::{Reconcile, ReconcileFrom};
use throughline_platform::batch::Done;
use throughline_platform::blobs::{Listed, OBJECT_BYTES_MAX, RAW_MAIL_PREFIX};
use throughline_platform::{App, Failure};

/// Most object keys that one record looks at.
pub const PAGE_KEYS: usize = 100;
/// How long a mail is left to its own notice, in milliseconds.
pub const IN_FLIGHT_MS: i64 = 60 * 60 * 1000;
/// How far back lost mail is looked for, in milliseconds: three nights, so that one or two that fail lose nothing. Older
/// objects cost their place in the list.
pub const LOOKED_BACK_MS: i64 = 3 * 24 * 60 * 60 * 1000;
/// After this many bytes of mail a record leaves the rest of its page to the next.
const READ_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What SES writes into a bucket when a rule is made
/// (<https://docs.aws.amazon.com/ses/latest/dg/receiving-email-action-s3.html>): no mail.
const SETUP_NOTE: &str = "AMAZON_SES_SETUP_NOTIFICATION";

/// A stored mail.
struct Found {
    /// Its possible names in the ledger.
    keys: Vec<LedgerKey>,
    /// The notice that sends it through again.
    notice: Notice,
}

/// Looks at one page, and orders the next.
pub(crate) async fn page(app: &App, from: ReconcileFrom) -> Result<Done, Failure> {
    let until = from.until.unwrap_or_else(|| app.clock.now().plus_ms(-IN_FLIGHT_MS));
    let since = until.plus_ms(IN_FLIGHT_MS - LOOKED_BACK_MS);
    let listing = app.blobs.list(RAW_MAIL_PREFIX, from.after.as_deref(), PAGE_KEYS).await?;
    let config = app.config().await?;
    let mut more = listing.more;
    let mut last = None;
    let mut found = Vec::new();
    let mut read_bytes = 0_usize;
    for object in listing.objects {
        if (since..until).contains(&object.stored_at) && !object.key.ends_with(SETUP_NOTE) {
            if read_bytes > 0 && read_bytes.saturating_add(object.size) > READ_BYTES_MAX {
                more = true;
                break;
            }
            read_bytes = read_bytes.saturating_add(object.size);
            found.extend(look_at(app, &object, &config.inboxes.body).await?);
        }
        last = Some(object.key);
    }
    let lost = lost(app, &found).await?;
    for notice in &lost {
        app.queues.send_notice(notice).await?;
    }
    if let Some(after) = last.filter(|_| more) {
        let next = ReconcileFrom { after: Some(after), until: Some(until) };
        app.queues.send_reconcile(&Reconcile { reconcile: next }).await?;
    }
    tracing::info!(function = "ingest-email", looked_at = found.len(), sent_again = lost.len(), "reconcile");
    #[expect(clippy::cast_precision_loss, reason = "a page is far below 2^52")]
    let counts = [("raw_mail_looked_at", found.len() as f64), ("raw_mail_sent_again", lost.len() as f64)];
    app.metrics.put("ingest-email", app.clock.now(), &counts);
    Ok(Done::quietly("reconciled"))
}

/// Reads a stored mail; none when it is gone. One that cannot be read here is known by its object key only: what is wrong
/// with it is found out where mail is read.
async fn look_at(app: &App, object: &Listed, inboxes: &Inboxes) -> Result<Option<Found>, Failure> {
    let raw = if object.size > OBJECT_BYTES_MAX {
        None
    } else {
        match app.blobs.get(&object.key).await? {
            Some(raw) => Some(raw),
            None => return Ok(None),
        }
    };
    let found = |raw: Option<&[u8]>| {
        let stored =
            StoredMail { bucket: app.blobs.bucket(), object_key: &object.key, stored_at: object.stored_at, raw };
        let by_object = LedgerKey::raw_mail(&object.key);
        let keys = raw.map(email::ledger_key).into_iter().chain([by_object]).collect();
        Found { keys, notice: ses_trace::notice(&stored, inboxes) }
    };
    // One mail that the reading stumbles over must not end the search for all others.
    Ok(Some(catch_unwind(AssertUnwindSafe(|| found(raw.as_deref()))).unwrap_or_else(|_| found(None))))
}

/// The notices of the mails that have no final state in the ledger.
async fn lost<'a>(app: &App, found: &'a [Found]) -> Result<Vec<&'a Notice>, Failure> {
    let keys: BTreeSet<&LedgerKey> = found.iter().flat_map(|found| &found.keys).collect();
    let keys: Vec<LedgerKey> = keys.into_iter().cloned().collect();
    let entries = app.store.messages(&keys).await?;
    let settled = keys.iter().zip(&entries).filter(|(_, entry)| entry.as_ref().is_some_and(|entry| entry.is_final()));
    let settled: BTreeSet<&LedgerKey> = settled.map(|(key, _)| key).collect();
    let lost = found.iter().filter(|found| !found.keys.iter().any(|key| settled.contains(key)));
    Ok(lost.map(|found| &found.notice).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lambda_events::event::sqs::SqsEvent;

    #[test]
    fn the_order_of_the_nightly_rule_begins_a_pass_and_a_notice_is_no_order() {
        let body = |event: &str| {
            let event: SqsEvent = serde_json::from_str(event).unwrap();
            event.records.into_iter().next().unwrap().body.unwrap()
        };
        let nightly = body(include_str!("../../../events/ingest-email/reconcile.json"));
        assert_eq!(serde_json::from_str::<Reconcile>(&nightly).unwrap(), Reconcile::default());
        let notice = body(include_str!("../../../events/ingest-email/notice.json"));
        assert!(serde_json::from_str::<Reconcile>(&notice).is_err());
    }
}
