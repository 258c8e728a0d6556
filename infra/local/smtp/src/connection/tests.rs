//! Time limits, on a paused clock and a stream without a socket.

use std::sync::Mutex;

use bytes::Bytes;
use tokio::io::{DuplexStream, duplex};
use tokio::task::JoinHandle;

use super::*;
use crate::{Envelope, Refusal};

/// Takes everything and counts.
#[derive(Default)]
struct Counting(Mutex<Vec<usize>>);

impl Receiver for Counting {
    async fn accepts(&self, _: &str) -> Result<(), Refusal> {
        Ok(())
    }

    async fn deliver(&self, _: Envelope, mail: Bytes) -> Result<String, Refusal> {
        self.0.lock().unwrap().push(mail.len());
        Ok("id".to_owned())
    }
}

struct Dialogue {
    client: DuplexStream,
    stop: watch::Sender<Option<Instant>>,
    server: JoinHandle<io::Result<usize>>,
}

/// A session over a pipe that holds `pipe_bytes`.
fn dialogue(pipe_bytes: usize) -> Dialogue {
    let (client, stream) = duplex(pipe_bytes);
    let (stop, stopped) = watch::channel(None);
    let server = tokio::spawn(async move {
        let peer = "192.0.2.1:2525".parse().unwrap();
        converse(stream, peer, &Counting::default(), Limits::default(), stopped).await
    });
    Dialogue { client, stop, server }
}

const UP_TO_DATA: &[u8] = b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\n";

impl Dialogue {
    async fn hear_until(&mut self, end: &str) -> String {
        let mut heard = String::new();
        while !heard.contains(end) {
            let mut bytes = [0; 1_024];
            let count = self.client.read(&mut bytes).await.unwrap();
            assert!(count > 0, "ended before {end:?}: {heard:?}");
            heard.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        }
        heard
    }

    /// The rest of what is said; then the client hangs up.
    async fn hear_out(mut self) -> (String, io::Result<usize>) {
        let mut heard = String::new();
        self.client.read_to_string(&mut heard).await.unwrap();
        drop(self.client);
        (heard, self.server.await.unwrap())
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_sent_away() {
    let start = Instant::now();
    let (heard, mails) = dialogue(4_096).hear_out().await;
    assert!(heard.starts_with("220 ") && heard.contains("421 4.4.2 "), "{heard:?}");
    assert_eq!(start.elapsed(), Limits::default().idle_max);
    assert_eq!(mails.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_falls_silent_in_its_mail_delivers_nothing() {
    let mut dialogue = dialogue(4_096);
    dialogue.client.write_all(UP_TO_DATA).await.unwrap();
    dialogue.client.write_all(b"half a mail\r\n.").await.unwrap();
    let (heard, mails) = dialogue.hear_out().await;
    assert!(heard.contains("354 ") && heard.contains("421 4.4.2 "), "{heard:?}");
    assert_eq!(mails.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_dropped() {
    let Dialogue { client, server, .. } = dialogue(10);
    let error = server.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_hang_up_is_not_waited_for() {
    let mut dialogue = dialogue(4_096);
    dialogue.client.write_all(b"QUIT\r\n").await.unwrap();
    let start = Instant::now();
    assert_eq!(dialogue.server.await.unwrap().unwrap(), 0);
    assert_eq!(start.elapsed(), LINGER_MAX);
}

#[tokio::test(start_paused = true)]
async fn the_shutdown_ends_a_session_between_mails_at_once() {
    let mut dialogue = dialogue(4_096);
    dialogue.client.write_all(b"EHLO c\r\nMAIL FROM:<>\r\nRC").await.unwrap();
    dialogue.hear_until("250 2.1.0").await;
    dialogue.stop.send_replace(Some(Instant::now() + Duration::from_secs(10)));
    let start = Instant::now();
    let (heard, _) = dialogue.hear_out().await;
    assert!(heard.contains("421 4.3.2 "), "{heard:?}");
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn the_shutdown_lets_a_mail_in_transfer_end() {
    let mut dialogue = dialogue(4_096);
    dialogue.client.write_all(UP_TO_DATA).await.unwrap();
    dialogue.hear_until("354 ").await;
    dialogue.stop.send_replace(Some(Instant::now() + Duration::from_secs(10)));
    tokio::time::advance(Duration::from_secs(9)).await;
    dialogue.client.write_all(b"a mail\r\n.\r\n").await.unwrap();
    let (heard, mails) = dialogue.hear_out().await;
    assert!(heard.starts_with("250 2.0.0 Stored as id\r\n421 4.3.2 "), "{heard:?}");
    assert_eq!(mails.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_shutdown_cuts_a_mail_that_does_not_end() {
    let mut dialogue = dialogue(4_096);
    dialogue.client.write_all(UP_TO_DATA).await.unwrap();
    dialogue.hear_until("354 ").await;
    let start = Instant::now();
    dialogue.stop.send_replace(Some(start + Duration::from_secs(10)));
    tokio::time::advance(Duration::from_secs(9)).await;
    dialogue.client.write_all(b"half a mail").await.unwrap();
    let (heard, mails) = dialogue.hear_out().await;
    assert!(heard.contains("421 4.3.2 "), "{heard:?}");
    assert_eq!(start.elapsed(), Duration::from_secs(10));
    assert_eq!(mails.unwrap(), 0);
}
