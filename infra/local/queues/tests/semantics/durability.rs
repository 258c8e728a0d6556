//! What survives the end of the process, and how big the journal may get.

use crate::support::{Rig, bodies, entry};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use throughline_queues::{Clock, QueueSpec, Queues, limits};
use tokio::time::{Instant, advance};

const FIFO: &str = "inbound.fifo";
const DEAD: &str = "dead.fifo";
const PLAIN: &str = "mail";

fn open(dir: &Path, clock: &Clock) -> Rig {
    Rig::on(Queues::open_with_clock(dir, Arc::clone(clock)).unwrap())
}

/// Wall time that goes with the paused time of the test.
fn clock() -> Clock {
    let start = Instant::now();
    Arc::new(move || 1_700_000_000_000 + u64::try_from(start.elapsed().as_millis()).unwrap())
}

fn journal(dir: &Path) -> std::path::PathBuf {
    dir.join("queues.journal")
}

#[tokio::test(start_paused = true)]
async fn restart_keeps_messages_order_counts_and_settings() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let rig = open(dir.path(), &clock);
    rig.create(&QueueSpec::fifo(DEAD));
    rig.create(&QueueSpec::fifo(FIFO).dead_letter(DEAD, 2).visibility_timeout(Duration::from_secs(7)));
    rig.create(&QueueSpec::standard(PLAIN));
    let deleted = rig.send(FIFO, "a", "a0").await;
    let kept = rig.send(FIFO, "a", "a1 \"quoted\"\n").await;
    rig.send(FIFO, "a", "a2").await;
    let delayed = rig.client.send_message().queue_url(rig.url(PLAIN)).message_body("late").delay_seconds(60);
    delayed.send().await.unwrap();
    let batch = rig.receive(FIFO, 2).await;
    rig.delete(FIFO, &batch[0]).await;
    drop(rig);

    // Twice: the second start reads what the first one compacted.
    for _ in 0..2 {
        advance(Duration::from_secs(10)).await;
        let rig = open(dir.path(), &clock);
        assert_eq!(rig.send(FIFO, "a", "a0").await.message_id, deleted.message_id, "the window goes on");
        assert_eq!((rig.queues.depth(FIFO).visible, rig.queues.depth(PLAIN).delayed), (2, 1));
    }
    let rig = open(dir.path(), &clock);
    let again = rig.receive(FIFO, 10).await;
    assert_eq!(bodies(&again), ["a1 \"quoted\"\n", "a2"]);
    assert_eq!(again[0].message_id, kept.message_id);
    assert_ne!(again[0].receipt_handle, batch[1].receipt_handle);
    advance(Duration::from_secs(7)).await;
    let last = rig.receive(FIFO, 10).await;
    assert_eq!(bodies(&last), ["a2"], "the receive before the restart counts: a1 is dead");
    drop(rig);
    let rig = open(dir.path(), &clock);
    assert_eq!(bodies(&rig.receive(DEAD, 10).await), ["a1 \"quoted\"\n"]);
    advance(Duration::from_secs(40)).await;
    assert_eq!(bodies(&rig.receive(PLAIN, 1).await), ["late"]);
    let next = rig.send(FIFO, "a", "a3").await;
    assert!(next.sequence_number > kept.sequence_number);
    advance(Duration::from_secs(300)).await;
    drop(rig);
    let rig = open(dir.path(), &clock);
    assert_ne!(rig.send(FIFO, "a", "a0").await.message_id, deleted.message_id, "the window has ended");
}

#[tokio::test(start_paused = true)]
async fn journal_cut_anywhere_is_a_shorter_history() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::open(dir.path());
    rig.create(&QueueSpec::fifo(FIFO));
    for batch in [["a1", "a2"], ["a3", "a4"]] {
        let call = rig.client.send_message_batch().queue_url(rig.url(FIFO));
        call.set_entries(Some(batch.map(|body| entry(body, "a", body)).to_vec())).send().await.unwrap();
    }
    let got = rig.receive(FIFO, 1).await;
    rig.delete(FIFO, &got[0]).await;
    let whole = std::fs::read(journal(dir.path())).unwrap();
    let mut seen = Vec::new();
    for cut in 0..=whole.len() {
        let copy = tempfile::tempdir().unwrap();
        std::fs::write(journal(copy.path()), &whole[..cut]).unwrap();
        let queues = Queues::open(copy.path()).unwrap();
        let depth = queues.depth(FIFO).visible;
        if seen.last() != Some(&depth) {
            seen.push(depth);
        }
    }
    assert_eq!(seen, [0, 1, 2, 3, 4, 3]);

    let copy = tempfile::tempdir().unwrap();
    std::fs::write(journal(copy.path()), &whole[..whole.len() - 1]).unwrap();
    let rig = Rig::open(copy.path());
    rig.send(FIFO, "a", "a5").await;
    drop(rig);
    let rig = Rig::open(copy.path());
    assert_eq!(bodies(&rig.receive(FIFO, 10).await), ["a1", "a2", "a3", "a4", "a5"], "the torn line is gone for good");
}

#[tokio::test]
async fn journal_of_another_or_in_use_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::open(dir.path());
    assert_eq!(Queues::open(dir.path()).unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(rig);
    std::fs::write(journal(dir.path()), "{\"format\":1}\nrubbish\n").unwrap();
    let error = Queues::open(dir.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert!(error.to_string().contains("line 2"), "{error}");
    std::fs::write(journal(dir.path()), "{\"format\":9}\n").unwrap();
    assert_eq!(Queues::open(dir.path()).unwrap_err().kind(), ErrorKind::InvalidData);
}

#[tokio::test(start_paused = true)]
async fn journal_stays_small_however_much_went_through() {
    const BATCHES: usize = 10_000;
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let rig = open(dir.path(), &clock);
    rig.create(&QueueSpec::fifo(FIFO));
    rig.send(FIFO, "stays", "stays").await;
    let stays = rig.receive(FIFO, 1).await.remove(0);
    rig.hide(FIFO, &stays, 43_200).await;
    let (url, padding) = (rig.url(FIFO), "x".repeat(100));
    let mut largest = 0;
    for batch in 0..BATCHES {
        // Without the client, whose debug build would take most of the time.
        let entries: Vec<_> = (0..10)
            .map(|n| {
                format!(
                    r#"{{"Id":"{n}","MessageBody":"{padding}","MessageGroupId":"g{}","MessageDeduplicationId":"{batch}-{n}"}}"#,
                    batch % 7
                )
            })
            .collect();
        let send = format!(r#"{{"QueueUrl":"{url}","Entries":[{}]}}"#, entries.join(","));
        assert_eq!(rig.queues.call("AmazonSQS.SendMessageBatch", send.as_bytes()).await.status, 200);
        let receive = format!(r#"{{"QueueUrl":"{url}","MaxNumberOfMessages":10}}"#);
        let got = rig.queues.call("AmazonSQS.ReceiveMessage", receive.as_bytes()).await.body;
        let got: serde_json::Value = serde_json::from_slice(&got).unwrap();
        let messages = got["Messages"].as_array().unwrap().iter().enumerate();
        let entries: Vec<_> = messages
            .map(|(n, message)| format!(r#"{{"Id":"{n}","ReceiptHandle":{}}}"#, message["ReceiptHandle"]))
            .collect();
        assert_eq!(entries.len(), 10);
        let delete = format!(r#"{{"QueueUrl":"{url}","Entries":[{}]}}"#, entries.join(","));
        let deleted = rig.queues.call("AmazonSQS.DeleteMessageBatch", delete.as_bytes()).await;
        assert!(deleted.body.ends_with(br#""Failed":[]}"#));
        advance(Duration::from_secs(1)).await;
        largest = largest.max(std::fs::metadata(journal(dir.path())).unwrap().len());
    }
    // Alive are one message and the ids of five minutes, 3,000 of them.
    let live_max = 3_000 * 200 + 1_000;
    assert!(largest <= limits::JOURNAL_SLACK_BYTES + 2 * live_max, "{largest}");
    advance(limits::DEDUPLICATION_WINDOW).await;
    drop(rig);
    let rig = open(dir.path(), &clock);
    assert!(std::fs::metadata(journal(dir.path())).unwrap().len() < 1_000);
    assert_eq!(bodies(&rig.receive(FIFO, 10).await), ["stays"]);
}
