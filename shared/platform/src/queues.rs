//! Sending work: in order per group, in batches, several of a group as one, bodies over the limit by reference.

mod pack;

use std::fmt::Display;

use aws_sdk_sqs::error::DisplayErrorContext;
use serde::Serialize;
use throughline_channels::ses_notice::Notice;
use throughline_domain::id::{AgentId, EventId, TicketId};
use throughline_domain::inbound::{Identified, Inbound};
use throughline_domain::message_change::MessageChange;
use throughline_domain::profile_told::ProfileTold;
use throughline_domain::work::{PullWaiting, Reconcile, RouteTicket, SendReply, StoreAttachments, Work};

use crate::blobs::Blobs;
use crate::config::QueueUrls;
use crate::error::Failure;
pub use pack::{BODY_BYTES_MAX, LONG_WORK_PREFIX};
use pack::{Pack, pack};

/// Most entries of a batch.
const ENTRIES_MAX: usize = 10;

/// A queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// Notices of received mail, and orders to look for lost ones: the only one without groups, and with bodies that are not [`Work`].
    Mail,
    /// Normalized messages whose sender is to be resolved.
    Inbound,
    /// Messages whose sender is known.
    Identified,
    /// Tickets to be routed.
    Routing,
    /// Replies to be sent.
    Outbound,
}

impl Queue {
    /// The queue that a name in a quarantine record means.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Mail, Self::Inbound, Self::Identified, Self::Routing, Self::Outbound]
            .into_iter()
            .find(|queue| queue.as_str() == name)
    }

    /// Its name in quarantine records and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Inbound => "inbound",
            Self::Identified => "identified",
            Self::Routing => "routing",
            Self::Outbound => "outbound",
        }
    }
}

/// Work to be sent.
#[derive(Clone, Debug)]
pub struct Send {
    /// Where to.
    pub queue: Queue,
    /// What.
    pub work: Work,
    /// Group: what must stay in order.
    pub group: String,
    /// The same work within five minutes is sent once, if it goes alone or with the same work.
    pub deduplication_id: String,
}

impl Send {
    /// A message whose sender is to be resolved, in its sender's group.
    pub fn inbound(inbound: Inbound) -> Self {
        Self {
            queue: Queue::Inbound,
            group: inbound.group(),
            deduplication_id: inbound.message.id.to_string(),
            work: Work::Inbound(Box::new(inbound)),
        }
    }

    /// A message whose sender is known, in the group that it came in.
    pub fn identified(identified: Identified, group: String) -> Self {
        Self {
            queue: Queue::Identified,
            group,
            deduplication_id: identified.inbound.message.id.to_string(),
            work: Work::Identified(Box::new(identified)),
        }
    }

    /// What becomes of a message, in the group of who did it: to `inbound`, and on to `identified`.
    pub fn change(queue: Queue, change: MessageChange) -> Self {
        Self {
            queue,
            group: change.group(),
            deduplication_id: change.id.to_string(),
            work: Work::Change(Box::new(change)),
        }
    }

    /// How somebody calls themselves, in the group of their messages.
    pub fn profile(told: ProfileTold) -> Self {
        Self {
            queue: Queue::Inbound,
            group: told.group(),
            deduplication_id: told.id(),
            work: Work::Profile(Box::new(told)),
        }
    }

    /// A ticket to be routed because of a commit; `cause` tells one asking from another.
    pub fn route(ticket_id: TicketId, sequence: u64, cause: impl Display) -> Self {
        Self {
            queue: Queue::Routing,
            group: ticket_id.to_string(),
            deduplication_id: format!("{ticket_id}-{sequence}-{cause}"),
            work: Work::Route(RouteTicket { ticket_id, sequence }),
        }
    }

    /// A reply to be sent; `cause` tells one asking from another.
    pub fn reply(ticket_id: TicketId, sequence: u64, event_id: EventId, cause: impl Display) -> Self {
        Self {
            queue: Queue::Outbound,
            group: ticket_id.to_string(),
            deduplication_id: format!("{ticket_id}-{sequence}-{cause}"),
            work: Work::Send(SendReply { ticket_id, sequence, event_id }),
        }
    }

    /// Files to be had from a message's channel: in a group of their own, for they take long.
    pub fn store_attachments(ticket_id: TicketId, sequence: u64, event_id: EventId) -> Self {
        Self {
            queue: Queue::Outbound,
            group: format!("{ticket_id}-attachments"),
            deduplication_id: format!("{ticket_id}-{sequence}-{event_id}"),
            work: Work::StoreAttachments(StoreAttachments { ticket_id, sequence, event_id }),
        }
    }

    /// An agent to be given the best of who waits; `cause` tells one asking from another.
    pub fn pull(agent_id: &AgentId, cause: impl Display) -> Self {
        Self {
            queue: Queue::Routing,
            group: agent_id.to_string(),
            deduplication_id: format!("{agent_id}-{cause}"),
            work: Work::Pull(PullWaiting { agent_id: agent_id.clone() }),
        }
    }
}

/// The queues.
#[derive(Clone, Debug)]
pub struct Queues {
    client: aws_sdk_sqs::Client,
    urls: QueueUrls,
}

impl Queues {
    /// The queues at these URLs behind this client.
    pub fn new(client: aws_sdk_sqs::Client, urls: QueueUrls) -> Self {
        Self { client, urls }
    }

    fn url(&self, queue: Queue) -> &str {
        match queue {
            Queue::Mail => &self.urls.mail,
            Queue::Inbound => &self.urls.inbound,
            Queue::Identified => &self.urls.identified,
            Queue::Routing => &self.urls.routing,
            Queue::Outbound => &self.urls.outbound,
        }
    }

    /// Sends work in the given order, what follows in the same group as one; durable where the answer at its place is `Ok`.
    /// After a failed one nothing more of its group is sent.
    pub async fn send(&self, sends: &[Send], blobs: &Blobs) -> Vec<Result<(), Failure>> {
        // Nothing that is not tried counts as sent: notices have no groups and go by `send_notice`.
        let untried = |send: &Send| match send.queue {
            Queue::Mail => Err(Failure::Quarantine("a notice is no work".to_owned())),
            _ => Ok(()),
        };
        let mut results: Vec<Result<(), Failure>> = sends.iter().map(untried).collect();
        for queue in [Queue::Inbound, Queue::Identified, Queue::Routing, Queue::Outbound] {
            let mut waiting = pack(sends, queue);
            while !waiting.is_empty() {
                // One of a group at a time: of two in one request the second could be taken and the first not.
                let mut round: Vec<Pack<'_>> = Vec::new();
                let mut later: Vec<Pack<'_>> = Vec::new();
                for pack in waiting {
                    if round.len() < ENTRIES_MAX && round.iter().all(|other| other.group != pack.group) {
                        round.push(pack);
                    } else {
                        later.push(pack);
                    }
                }
                for (pack, sent) in round.iter().zip(self.send_round(queue, &round, blobs).await) {
                    let Err(failure) = sent else { continue };
                    for place in &pack.places {
                        results[*place] = Err(failure.clone());
                    }
                    let (stopped, left) = later.into_iter().partition(|other: &Pack<'_>| other.group == pack.group);
                    later = left;
                    for place in stopped.iter().flat_map(|other: &Pack<'_>| &other.places) {
                        let detail = "an earlier message of its group was not sent".to_owned();
                        results[*place] = Err(Failure::Retry(detail));
                    }
                }
                waiting = later;
            }
        }
        results
    }

    /// Sends one piece of work; durable once this returns.
    ///
    /// # Errors
    /// As the answer of [`Queues::send`] for it.
    pub async fn send_one(&self, send: Send, blobs: &Blobs) -> Result<(), Failure> {
        self.send(&[send], blobs).await.into_iter().collect()
    }

    /// Sends packs of different groups in one request, and says what came of each.
    async fn send_round(&self, queue: Queue, packs: &[Pack<'_>], blobs: &Blobs) -> Vec<Result<(), Failure>> {
        let mut results = Vec::with_capacity(packs.len());
        let mut entries = Vec::with_capacity(packs.len());
        for pack in packs {
            let entry = pack.entry(results.len(), blobs).await;
            results.push(entry.map(|entry| entries.push(entry)));
        }
        if entries.is_empty() {
            return results;
        }
        let request = self.client.send_message_batch().queue_url(self.url(queue)).set_entries(Some(entries));
        match request.send().await {
            Ok(answer) => {
                for failed in answer.failed() {
                    if let Some(result) = failed.id().parse().ok().and_then(|i: usize| results.get_mut(i)) {
                        *result = Err(Failure::Retry(format!("send to {}: {}", queue.as_str(), failed.code())));
                    }
                }
            }
            Err(error) => {
                let detail = format!("send to {}: {}", queue.as_str(), DisplayErrorContext(error));
                for result in results.iter_mut().filter(|result| result.is_ok()) {
                    *result = Err(Failure::Retry(detail.clone()));
                }
            }
        }
        results
    }

    /// Sends the notice of a received mail; durable once this returns.
    ///
    /// # Errors
    /// [`Failure::Retry`] when the queue does not answer.
    pub async fn send_notice(&self, notice: &Notice) -> Result<(), Failure> {
        self.send_to_mail(notice).await
    }

    /// Sends the order to look through stored raw mail.
    ///
    /// # Errors
    /// [`Failure::Retry`] when the queue does not answer.
    pub async fn send_reconcile(&self, reconcile: &Reconcile) -> Result<(), Failure> {
        self.send_to_mail(reconcile).await
    }

    async fn send_to_mail(&self, body: &impl Serialize) -> Result<(), Failure> {
        let body = serde_json::to_string(body).map_err(|error| Failure::Quarantine(error.to_string()))?;
        let sent = self.client.send_message().queue_url(self.url(Queue::Mail)).message_body(body).send().await;
        sent.map_err(|error| Failure::Retry(format!("send to mail: {}", DisplayErrorContext(error))))?;
        Ok(())
    }

    /// Makes a message that failed come again after some seconds. The queue is named by its ARN, as events name it.
    ///
    /// # Errors
    /// [`Failure::Retry`] when the queue does not answer; the message then comes after its usual time.
    pub async fn defer(&self, queue_arn: &str, receipt: &str, seconds: i32) -> Result<(), Failure> {
        let queue_url = url_of(queue_arn);
        let request = self.client.change_message_visibility().queue_url(queue_url).receipt_handle(receipt);
        let sent = request.visibility_timeout(seconds).send().await;
        sent.map_err(|error| Failure::Retry(format!("defer: {}", DisplayErrorContext(error))))?;
        Ok(())
    }
}

/// The URL of a queue, from `arn:aws:sqs:region:account:name`.
fn url_of(arn: &str) -> String {
    let parts: Vec<&str> = arn.split(':').collect();
    match parts.as_slice() {
        [_, _, _, region, account, name] => format!("https://sqs.{region}.amazonaws.com/{account}/{name}"),
        _ => arn.to_owned(),
    }
}
