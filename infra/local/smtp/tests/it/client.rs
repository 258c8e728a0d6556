//! The client against our server and against servers that follow a script.

use std::future::Future;
use std::task::{Context, Poll, Waker};

use throughline_smtp::{Client, Limits, SendError, Stage, send};
use tokio::net::TcpListener;

use crate::support::{Server, scripted};

#[tokio::test]
async fn refused_recipients_are_reported_and_the_others_get_the_mail() {
    let server = Server::start(Limits::default()).await;
    let recipients = ["support@example.com", "nobody@example.com", "down@example.com"];
    let sent = send(server.addr, None, &recipients, b"x").await.unwrap();
    let refused: Vec<_> = sent.refused.iter().map(|one| (one.recipient.as_str(), one.answer.code)).collect();
    assert_eq!(refused, [("nobody@example.com", 550), ("down@example.com", 451)]);
    assert!(sent.refused[1].answer.is_temporary());
    assert_eq!(server.inbox.mails.lock().unwrap()[0].0.recipients, ["support@example.com"]);
}

#[tokio::test]
async fn after_a_refusal_the_next_mail_goes_through() {
    let server = Server::start(Limits::default()).await;
    let mut client = Client::connect(server.addr).await.unwrap();
    let error = client.send(None, &["nobody@example.com"], b"x").await.unwrap_err();
    assert!(matches!(&error, SendError::NoRecipient(refused) if refused.len() == 1));
    assert_eq!(error.to_string(), "the server refused all 1 recipients");
    let error = client.send(None, &["support@example.com"], b"refuse").await.unwrap_err();
    assert!(matches!(&error, SendError::Refused { stage: Stage::Content, .. }));
    assert_eq!(error.to_string(), "the server refused at Content with 554");
    client.send(None, &["support@example.com"], b"x").await.unwrap();
    assert_eq!(server.texts(), ["x\r\n"]);
}

#[tokio::test]
async fn addresses_cannot_carry_commands() {
    let server = Server::start(Limits::default()).await;
    let mut client = Client::connect(server.addr).await.unwrap();
    for bad in ["", "x", "a@b>\r\nRSET", "a@b> SIZE=1", "a b@c", "\"a\r\n\"@b"] {
        for (from, to) in [(Some(bad), "support@example.com"), (None, bad)] {
            let error = client.send(from, &[to], b"x").await.unwrap_err();
            assert!(matches!(error, SendError::Address), "{bad:?}");
        }
    }
    assert!(matches!(client.send(None, &[], b"x").await, Err(SendError::Address)));
    client.send(None, &["support@example.com", "postmaster", "support\u{e9}@example.com"], b"x").await.unwrap();
}

#[tokio::test]
async fn a_plain_old_server_is_served_step_by_step() {
    let script =
        ["220-hello|220 there", "502 what?", "250 old", "250 s", "250 r", "354 go", "250 kept as 7", "221 bye"];
    let (addr, server) = scripted(&script).await;
    let sent = send(addr, None, &["a@x.example"], b"\xe4\n.\n").await.unwrap();
    assert_eq!(sent.answer.text, "kept as 7");
    assert_eq!(
        server.await.unwrap(),
        "EHLO [127.0.0.1]\r\nHELO [127.0.0.1]\r\nMAIL FROM:<>\r\nRCPT TO:<a@x.example>\r\nDATA\r\n\u{fffd}\r\n..\r\n.\r\nQUIT\r\n"
    );
}

#[tokio::test]
async fn what_is_offered_is_used() {
    let ehlo = "250-big|250-PIPELINING|250-SIZE 1000|250-8bitmime|250 SMTPUTF8";
    let (addr, server) = scripted(&["220 x", ehlo, "250 s", "250 r", "354 go", "250 ok"]).await;
    let mut client = Client::connect(addr).await.unwrap();
    client.send(Some("\u{e9}@x.example"), &["b@x.example"], "\u{e4}\n.\n".as_bytes()).await.unwrap();
    let heard = server.await.unwrap();
    assert!(heard.contains("MAIL FROM:<\u{e9}@x.example> SIZE=7 BODY=8BITMIME SMTPUTF8\r\n"), "{heard}");
}

#[tokio::test]
async fn utf8_addresses_need_a_server_that_takes_them() {
    let (addr, _server) = scripted(&["220 x", "250 x", "250 never"]).await;
    let mut client = Client::connect(addr).await.unwrap();
    let error = client.send(None, &["\u{e9}@x.example"], b"x").await.unwrap_err();
    assert!(matches!(error, SendError::Utf8NotOffered));
}

#[tokio::test]
async fn a_go_ahead_for_nobody_gets_an_empty_mail() {
    let pipelining = "250-x|250 PIPELINING";
    let script =
        ["220 x", pipelining, "250 s", "550 no", "354 go", "554 none", "250 reset", "250 s", "250 r", "354", "250 ok"];
    let (addr, server) = scripted(&script).await;
    let mut client = Client::connect(addr).await.unwrap();
    assert!(matches!(client.send(None, &["a@x.example"], b"secret").await, Err(SendError::NoRecipient(_))));
    client.send(None, &["b@x.example"], b"x").await.unwrap();
    let heard = server.await.unwrap();
    assert!(heard.contains("DATA\r\n.\r\nRSET\r\nMAIL FROM:<>\r\n") && !heard.contains("secret"), "{heard}");
}

#[tokio::test]
async fn a_server_that_closes_or_talks_nonsense_is_an_error() {
    for (script, expected) in [
        (&["421 busy"][..], "the server refused at Greeting with 421"),
        (&["554 go away"], "the server refused at Greeting with 554"),
        (&["HTTP/1.1 200 OK"], "the connection broke at Greeting"),
        (&[], "the connection broke at Greeting"),
        (&["220 x", "421 busy"], "the server refused at Hello with 421"),
        (&["220 x", "250 x", "452 full", "503 x", "503 x"], "the server refused at Sender with 452"),
        (&["220 x", "250 x", "250 s", "421 busy"], "the server refused at Recipient with 421"),
        (&["220 x", "250 x", "250 s", "250 r", "451 later"], "the server refused at Data with 451"),
        (&["220 x", "250 x", "250 s", "250 r", "354 go", "421 busy"], "the server refused at Content with 421"),
        (&["220 x", "250 x", "250 s", "250 r", "354 go"], "the connection broke at Content"),
    ] {
        let (addr, _server) = scripted(script).await;
        let error = send(addr, None, &["a@x.example"], b"x").await.unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test]
async fn a_connection_left_in_the_middle_takes_no_further_mail() {
    let server = Server::start(Limits::default()).await;
    let mut client = Client::connect(server.addr).await.unwrap();
    {
        let mut sending = std::pin::pin!(client.send(None, &["support@example.com"], b"x"));
        let polled = sending.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Pending));
    }
    let error = client.send(None, &["support@example.com"], b"y").await.unwrap_err();
    assert!(matches!(error, SendError::Unusable));
    drop(client);
    let inbox = server.inbox.clone();
    server.shut_down().await;
    assert!(inbox.mails.lock().unwrap().is_empty());
}

#[tokio::test]
async fn nobody_is_waited_for_for_ever() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let connecting = tokio::spawn(Client::connect(addr));
    let silent = listener.accept().await.unwrap();
    tokio::time::pause();
    let error = connecting.await.unwrap().unwrap_err();
    assert!(matches!(error, SendError::TimedOut { stage: Stage::Greeting }));
    drop(silent);
}
