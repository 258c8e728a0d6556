//! The event bus: what other systems are told of commits.

use aws_sdk_eventbridge::error::DisplayErrorContext;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use throughline_domain::ticket_changed::{DETAIL_TYPE, SOURCE, TicketChanged};

use crate::clients::Clients;
use crate::error::Failure;

/// Most entries of a request
/// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>).
const ENTRIES_MAX: usize = 10;
/// Largest request, in bytes of its entries as the bus counts them
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html>).
const REQUEST_BYTES_MAX: usize = 256 * 1024;
/// What the time of an entry counts for, in bytes.
const TIME_BYTES: usize = 14;

/// The event bus.
#[derive(Clone, Debug)]
pub struct Bus {
    clients: Clients,
    name: String,
}

impl Bus {
    /// The bus of this name.
    pub fn new(clients: Clients, name: impl Into<String>) -> Self {
        Self { clients, name: name.into() }
    }

    /// Publishes changes in their order, each as one entry, and says of each whether the bus has it. It ends with the
    /// first request of which the bus did not take everything: what comes after it has not been tried and failed, too.
    ///
    /// The failures are [`Failure::Retry`], but for what can never be published, which is [`Failure::Quarantine`] and
    /// stops nothing.
    pub async fn publish(&self, changes: &[TicketChanged]) -> Vec<Result<(), Failure>> {
        let mut results: Vec<Result<(), Failure>> =
            changes.iter().map(|_| Err(Failure::Retry("the bus was not tried".to_owned()))).collect();
        let mut entries: Vec<(usize, PutEventsRequestEntry)> = Vec::new();
        let mut bytes = 0;
        for (i, change) in changes.iter().enumerate() {
            let (entry, size) = match self.entry(change) {
                Ok(entry) => entry,
                Err(failure) => {
                    results[i] = Err(failure);
                    continue;
                }
            };
            if entries.len() == ENTRIES_MAX || bytes + size > REQUEST_BYTES_MAX {
                if !self.put(std::mem::take(&mut entries), &mut results).await {
                    return results;
                }
                bytes = 0;
            }
            bytes += size;
            entries.push((i, entry));
        }
        if !entries.is_empty() {
            self.put(entries, &mut results).await;
        }
        results
    }

    /// One request; says whether the bus took all of it.
    async fn put(&self, entries: Vec<(usize, PutEventsRequestEntry)>, results: &mut [Result<(), Failure>]) -> bool {
        let (places, entries): (Vec<usize>, Vec<_>) = entries.into_iter().unzip();
        let answer = match self.clients.eventbridge().put_events().set_entries(Some(entries)).send().await {
            Ok(answer) => answer,
            Err(error) => {
                let detail = format!("publish: {}", DisplayErrorContext(error));
                for place in places {
                    results[place] = Err(Failure::Retry(detail.clone()));
                }
                return false;
            }
        };
        // What the answer does not speak of stays a failure.
        for (place, entry) in places.into_iter().zip(answer.entries()) {
            results[place] = match entry.error_code() {
                None => Ok(()),
                Some(code) => {
                    let message = entry.error_message().unwrap_or_default();
                    Err(Failure::Retry(format!("publish: {code}: {message}")))
                }
            };
        }
        answer.failed_entry_count() == 0
    }

    /// The entry of a change, and its size as the bus counts it.
    fn entry(&self, change: &TicketChanged) -> Result<(PutEventsRequestEntry, usize), Failure> {
        let detail = serde_json::to_string(change).map_err(|error| Failure::Quarantine(error.to_string()))?;
        let size = TIME_BYTES + SOURCE.len() + DETAIL_TYPE.len() + detail.len();
        if size > REQUEST_BYTES_MAX {
            return Err(Failure::Quarantine(format!("publish: the entry has {size} bytes")));
        }
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(SOURCE)
            .detail_type(DETAIL_TYPE)
            .time(DateTime::from_millis(change.at.ms()))
            .detail(detail)
            .build();
        Ok((entry, size))
    }
}
