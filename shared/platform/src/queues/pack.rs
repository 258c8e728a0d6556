//! Packing work into messages of a queue: several pieces of one group as one, in the queues where many come at once.

use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use serde_json::value::{RawValue, to_raw_value};
use throughline_domain::id::digest;
use throughline_domain::work::{ByReference, Several, SeveralKind, Work};

use super::{Queue, Send};
use crate::blobs::Blobs;
use crate::error::Failure;

/// Largest body that is sent as it is, in bytes; a larger one goes to the object store. A batch of ten of these stays
/// under the queue's limit of 1 MiB a request.
pub const BODY_BYTES_MAX: usize = 100_000;
/// Where longer bodies are stored; the template names the same place.
pub const LONG_WORK_PREFIX: &str = "long-work/";
/// Most pieces of work in a message of the queues that carry what people write: they come again together, so a function
/// has to be through with them well within its time. Elsewhere each goes alone: files take long, and routing is rare.
const PIECES_MAX: usize = 20;
/// Room for what stands around the pieces in one body, in bytes.
const AROUND_BYTES: usize = 100;

/// What goes as one message: pieces of work of one group, in order.
pub(super) struct Pack<'a> {
    pub(super) group: &'a str,
    /// Where its pieces stand in what is to be sent.
    pub(super) places: Vec<usize>,
    deduplication_ids: Vec<&'a str>,
    /// None where a piece cannot be written.
    bodies: Vec<Box<RawValue>>,
}

/// Packs what is to go to a queue, in order within each group.
pub(super) fn pack(sends: &[Send], queue: Queue) -> Vec<Pack<'_>> {
    let mut packs: Vec<Pack<'_>> = Vec::new();
    for (place, send) in sends.iter().enumerate().filter(|(_, send)| send.queue == queue) {
        let body = to_raw_value(&send.work).ok();
        let is_packed = matches!(queue, Queue::Inbound | Queue::Identified);
        let last = packs.iter_mut().rfind(|pack| is_packed && pack.group == send.group);
        match (last, &body) {
            // As the queue does: what it has is sent.
            (Some(pack), _) if pack.deduplication_ids.contains(&&*send.deduplication_id) => pack.places.push(place),
            (Some(pack), Some(body)) if pack.has_room_for(body) => {
                pack.places.push(place);
                pack.deduplication_ids.push(&send.deduplication_id);
                pack.bodies.push(body.clone());
            }
            _ => packs.push(Pack {
                group: &send.group,
                places: vec![place],
                deduplication_ids: vec![&send.deduplication_id],
                bodies: body.into_iter().collect(),
            }),
        }
    }
    packs
}

impl Pack<'_> {
    fn has_room_for(&self, body: &RawValue) -> bool {
        let bytes: usize = self.bodies.iter().map(|body| body.get().len() + 1).sum();
        (1..PIECES_MAX).contains(&self.bodies.len()) && bytes + body.get().len() + AROUND_BYTES <= BODY_BYTES_MAX
    }

    /// Its entry in a batch. A body that is too large goes to the object store: it is that of a single piece.
    ///
    /// # Errors
    /// [`Failure::Quarantine`] when it cannot be written, [`Failure::Retry`] when the object store does not answer.
    pub(super) async fn entry(&self, id: usize, blobs: &Blobs) -> Result<SendMessageBatchRequestEntry, Failure> {
        let unwritable = |error: &dyn std::fmt::Display| Failure::Quarantine(format!("it cannot be sent: {error}"));
        let (body, deduplication_id) = match (self.bodies.as_slice(), self.deduplication_ids.as_slice()) {
            ([], _) => return Err(unwritable(&"it is no JSON")),
            ([body], [deduplication_id]) if body.get().len() <= BODY_BYTES_MAX => {
                (body.get().to_owned(), (*deduplication_id).to_owned())
            }
            ([body], [deduplication_id]) => {
                let key = format!("{LONG_WORK_PREFIX}{}", hash(&[body.get()]));
                blobs.put(&key, body.get().as_bytes().to_vec()).await?;
                let reference = serde_json::to_string(&Work::ByReference(ByReference { key }));
                (reference.map_err(|error| unwritable(&error))?, (*deduplication_id).to_owned())
            }
            (bodies, deduplication_ids) => {
                let bodies = bodies.iter().map(|body| &**body).collect();
                let several = Several { kind: SeveralKind::V1, bodies };
                (serde_json::to_string(&several).map_err(|error| unwritable(&error))?, hash(deduplication_ids))
            }
        };
        SendMessageBatchRequestEntry::builder()
            .id(id.to_string())
            .message_body(body)
            .message_group_id(self.group)
            .message_deduplication_id(deduplication_id)
            .build()
            .map_err(|error| unwritable(&error))
    }
}

fn hash(parts: &[&str]) -> String {
    let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
    digest(&parts).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Work of a group whose body has about this many bytes.
    fn send(queue: Queue, group: &str, name: &str, bytes: usize) -> Send {
        let work = Work::ByReference(ByReference { key: "x".repeat(bytes) });
        Send { queue, work, group: group.to_owned(), deduplication_id: name.to_owned() }
    }

    fn places(sends: &[Send]) -> Vec<Vec<usize>> {
        pack(sends, Queue::Inbound).into_iter().map(|pack| pack.places).collect()
    }

    #[test]
    fn what_follows_in_a_group_goes_as_one_and_in_order() {
        let groups = ["a", "b", "a", "a", "b", "c"];
        let mut sends: Vec<Send> =
            groups.iter().enumerate().map(|(at, group)| send(Queue::Inbound, group, &at.to_string(), 1)).collect();
        sends.insert(2, send(Queue::Routing, "a", "elsewhere", 1));
        assert_eq!(places(&sends), [vec![0, 3, 4], vec![1, 5], vec![6]]);
        sends.push(sends[3].clone());
        let packs = pack(&sends, Queue::Inbound);
        assert_eq!((&packs[0].places, packs[0].bodies.len()), (&vec![0, 3, 4, 7], 3), "what is in it already is sent");
    }

    #[test]
    fn what_takes_long_goes_alone() {
        let sends = [1, 2].map(|name| send(Queue::Outbound, "a", &name.to_string(), 1));
        assert_eq!(pack(&sends, Queue::Outbound).len(), 2);
    }

    #[test]
    fn a_pack_has_bounds_and_what_comes_after_a_full_one_stays_behind_it() {
        let many: Vec<Send> = (0..45).map(|at| send(Queue::Inbound, "a", &at.to_string(), 1)).collect();
        assert_eq!(places(&many), [(0..20).collect::<Vec<_>>(), (20..40).collect(), (40..45).collect()]);

        let large = BODY_BYTES_MAX / 2;
        let sizes = [1, large, large, 1, BODY_BYTES_MAX, 1];
        let long: Vec<Send> =
            sizes.iter().enumerate().map(|(at, bytes)| send(Queue::Inbound, "a", &at.to_string(), *bytes)).collect();
        assert_eq!(places(&long), [vec![0, 1], vec![2, 3], vec![4], vec![5]]);
    }
}
