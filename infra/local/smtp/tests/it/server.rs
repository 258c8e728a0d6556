//! The server as a client sees it.

use std::time::Duration;

use throughline_smtp::{Client, Limits, SendError, Stage, send};
use tokio::io::AsyncWriteExt;

use crate::support::Server;

const RECIPIENT: &[&str] = &["support@example.com"];

#[tokio::test]
async fn several_mails_come_over_one_connection() {
    let server = Server::start(Limits::default()).await;
    let mut client = Client::connect(server.addr).await.unwrap();
    for number in 1..=3 {
        let mail = format!("Subject: {number}\n\n.dot\n");
        let sent = client.send(Some("s@x.example"), RECIPIENT, mail.as_bytes()).await.unwrap();
        assert_eq!(sent.answer.to_string(), format!("250 2.0.0 Stored as mail-{number}"));
        assert!(sent.refused.is_empty());
    }
    client.quit().await.unwrap();
    let mails = server.inbox.mails.lock().unwrap().clone();
    assert_eq!(mails[1].1, "Subject: 2\r\n\r\n.dot\r\n");
    assert_eq!(mails[1].0.mail_from.as_deref(), Some("s@x.example"));
    assert_eq!(mails[1].0.recipients, RECIPIENT);
    assert_eq!(mails[1].0.helo, "[127.0.0.1]");
    assert!(mails[1].0.peer.ip().is_loopback());
    server.shut_down().await;
}

#[tokio::test]
async fn pipelined_mails_are_answered_in_order() {
    let server = Server::start(Limits::default()).await;
    let mut lines = server.connect().await;
    let mail = "MAIL FROM:<>\r\nRCPT TO:<support@example.com>\r\nRCPT TO:<nobody@example.com>\r\nDATA\r\nx\r\n.\r\n";
    let expected = ["250 2.1.0", "250 2.1.5", "550 5.1.1", "354", "250 2.0.0"];
    lines.ask("EHLO c\r\n", &["250"]).await;
    lines.ask(mail.repeat(3) + "QUIT\r\n", &[&expected[..], &expected, &expected, &["221 2.0.0"]].concat()).await;
    assert_eq!(lines.rest().await, "");
    assert_eq!(server.texts(), ["x\r\n"; 3]);
    server.shut_down().await;
}

#[tokio::test]
async fn a_mail_over_the_limit_is_refused_and_the_connection_stays() {
    let server = Server::start(Limits { mail_bytes_max: 300_000, ..Limits::default() }).await;
    let big = "x".repeat(78) + "\r\n";
    let mut lines = server.connect().await;
    lines.open_data().await;
    lines.ask(big.repeat(10_000) + ".\r\n", &["552 5.3.4"]).await;
    lines.open_data().await;
    lines.ask(big.repeat(3_750) + ".\r\n", &["250 2.0.0"]).await;
    assert_eq!(server.texts().iter().map(String::len).collect::<Vec<_>>(), [300_000]);

    let mut client = Client::connect(server.addr).await.unwrap();
    let error = client.send(None, RECIPIENT, big.repeat(10_000).as_bytes()).await.unwrap_err();
    assert!(matches!(error, SendError::Refused { stage: Stage::Sender, answer } if answer.code == 552));
    client.send(None, RECIPIENT, b"small").await.unwrap();
}

#[tokio::test]
async fn a_large_mail_within_the_limit_arrives_whole() {
    let server = Server::start(Limits::default()).await;
    let limit = Limits::default().mail_bytes_max;
    let mail = (".".repeat(78) + "\r\n").repeat(limit / 80 - 1);
    let mail = mail.clone() + &"x".repeat(limit - mail.len() - 2);
    send(server.addr, None, RECIPIENT, mail.as_bytes()).await.unwrap();
    let mails = server.inbox.mails.lock().unwrap();
    assert_eq!(mails[0].1.len(), limit);
    assert!(mails[0].1.starts_with(mail.as_bytes()));
}

#[tokio::test]
async fn refusals_have_their_codes() {
    let server = Server::start(Limits::default()).await;
    let mut lines = server.connect().await;
    lines.ask("EHLO c\r\nMAIL FROM:<>\r\n", &["250", "250"]).await;
    lines.ask("RCPT TO:<nobody@example.com>\r\n", &["550 5.1.1 no such mailbox"]).await;
    lines.ask("RCPT TO:<down@example.com>\r\n", &["451 4.3.0 the store is down"]).await;
    lines.ask("DATA\r\nRSET\r\n", &["554 5.5.1", "250"]).await;
    lines.open_data().await;
    lines.ask("a\r\ndown\r\n.\r\n", &["451 4.3.0 the store is down"]).await;
    lines.open_data().await;
    lines.ask("a\r\nrefuse\r\n.\r\n", &["554 5.6.0 not this"]).await;
    lines.open_data().await;
    lines.ask("a\r\n.\r\n", &["250 2.0.0"]).await;
    assert_eq!(server.texts(), ["a\r\n"]);
}

#[tokio::test]
async fn smuggled_mails_stay_inside_the_mail() {
    let server = Server::start(Limits::default()).await;
    let smuggled = "MAIL FROM:<evil@x.example>\r\nRCPT TO:<support@example.com>\r\nDATA\r\nevil";
    for end in ["\n.\n", "\r\n.\n", "\n.\r\n", "\r.\r", "\r\n.\r\r\n"] {
        let mut lines = server.connect().await;
        lines.open_data().await;
        lines.ask(format!("hi{end}{smuggled}\r\n.\r\nQUIT\r\n"), &["250 2.0.0", "221"]).await;
        assert_eq!(lines.rest().await, "", "{end:?}");
    }
    let mails = server.inbox.mails.lock().unwrap();
    assert_eq!(mails.len(), 5);
    assert!(mails.iter().all(|(envelope, mail)| {
        envelope.mail_from.as_deref() == Some("s@x.example") && mail.starts_with(b"hi") && mail.ends_with(b"evil\r\n")
    }));
}

#[tokio::test]
async fn a_cut_connection_delivers_nothing() {
    let server = Server::start(Limits::default()).await;
    for cut in ["half a mail", "half a mail\r\n", "half a mail\r\n.", "half a mail\r\n.\r"] {
        let mut lines = server.connect().await;
        lines.open_data().await;
        lines.say(cut).await;
        lines.0.shutdown().await.unwrap();
        assert_eq!(lines.rest().await, "");
    }
    let inbox = server.inbox.clone();
    server.shut_down().await;
    assert!(inbox.mails.lock().unwrap().is_empty());
}

#[tokio::test]
async fn long_lines_and_any_bytes_arrive_as_they_are() {
    let server = Server::start(Limits::default()).await;
    let mut mail = b"Subject: \xe4\xff\0\r\n\r\n".to_vec();
    mail.extend((0..=255u8).filter(|byte| !b"\r\n".contains(byte)).cycle().take(200_000));
    mail.extend(b"\r\n\r\n..\r\n");
    send(server.addr, Some("\"a b\"@x.example"), &["\"a b\"@example.com", "support+1@example.com"], &mail)
        .await
        .unwrap();
    let mails = server.inbox.mails.lock().unwrap();
    assert_eq!(mails[0].1, mail);
    assert_eq!(mails[0].0.mail_from.as_deref(), Some("\"a b\"@x.example"));
    assert_eq!(mails[0].0.recipients, ["\"a b\"@example.com", "support+1@example.com"]);
}

#[tokio::test]
async fn the_shutdown_finishes_a_delivery_and_sends_the_idle_away() {
    let mut server = Server::start(Limits::default()).await;
    let mut idle = server.connect().await;
    let mut busy = server.connect().await;
    busy.open_data().await;
    busy.say("a mail\r\nwait\r\n.\r\n").await;
    server.waiting.recv().await.unwrap();

    server.stop.take().unwrap().send(()).unwrap();
    assert!(idle.hear().await.starts_with("421 4.3.2"));
    assert_eq!(idle.rest().await, "");
    assert!(!server.served.is_finished());
    assert!(tokio::net::TcpStream::connect(server.addr).await.is_err());

    server.inbox.go_on.add_permits(1);
    assert!(busy.hear().await.starts_with("250 2.0.0"));
    assert!(busy.hear().await.starts_with("421 4.3.2"));
    assert_eq!(busy.rest().await, "");
    server.served.await.unwrap();
    assert_eq!(server.inbox.mails.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn the_shutdown_cuts_a_mail_that_never_ends() {
    let limits = Limits { shutdown_grace_max: Duration::from_millis(1), ..Limits::default() };
    let mut server = Server::start(limits).await;
    let mut lines = server.connect().await;
    lines.open_data().await;
    lines.say("half a mail\r\n").await;
    server.stop.take().unwrap().send(()).unwrap();
    assert!(lines.hear().await.starts_with("421 4.3.2"));
    assert_eq!(lines.rest().await, "");
    server.served.await.unwrap();
    assert!(server.inbox.mails.lock().unwrap().is_empty());
}

#[tokio::test]
async fn one_connection_too_many_is_turned_away() {
    let server = Server::start(Limits { connections_max: 2, ..Limits::default() }).await;
    let (mut first, _second) = (server.connect().await, server.connect().await);
    let error = Client::connect(server.addr).await.unwrap_err();
    assert!(matches!(error, SendError::Refused { stage: Stage::Greeting, answer } if answer.code == 421));
    first.ask("QUIT\r\n", &["221"]).await;
    drop(first);
    // The place is free when the server has seen the end, so the first tries may come too early.
    while Client::connect(server.addr).await.is_err() {}
}

#[tokio::test]
async fn a_receiver_that_panics_ends_its_own_session_only() {
    let server = Server::start(Limits::default()).await;
    let mut other = server.connect().await;
    let mut lines = server.connect().await;
    lines.open_data().await;
    lines.say("panic\r\n.\r\n").await;
    assert_eq!(lines.rest().await, "");
    other.ask("NOOP\r\n", &["250"]).await;
    send(server.addr, None, RECIPIENT, b"a mail").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_a_thousand_mails_arrives() {
    const CONNECTIONS: usize = 50;
    const MAILS: usize = 20;
    let server = Server::start(Limits::default()).await;
    let mail = "Subject: burst\n\n".to_owned() + &"a line of a mail that says nothing\n".repeat(300);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (addr, mail) = (server.addr, mail.clone());
        tasks.spawn(async move {
            let mut client = Client::connect(addr).await.unwrap();
            for _ in 0..MAILS {
                client.send(None, RECIPIENT, mail.as_bytes()).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(server.inbox.mails.lock().unwrap().len(), CONNECTIONS * MAILS);
    server.shut_down().await;
}
