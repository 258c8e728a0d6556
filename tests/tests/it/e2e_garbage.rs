//! Nonsense: random bytes at every door break nothing.

use std::net::SocketAddr;
use std::time::Duration;

use http::Method;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use throughline_tests::webhook::Delivery;
use throughline_tests::{Mail, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Attempts at each door.
const ATTEMPTS: usize = 60;
/// Longest wait for an end of a connection that was given nonsense.
const PATIENCE: Duration = Duration::from_secs(5);

/// The same nonsense with each run.
fn nonsense<T: std::fmt::Debug>(strategy: &impl Strategy<Value = T>) -> Vec<T> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    (0..ATTEMPTS).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

/// Writes bytes to a port, ends, and reads whatever comes until the other side ends too.
async fn throw(at: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(at).await.unwrap();
    // It may hang up in the middle, and rightly.
    let _hung_up = stream.write_all(bytes).await;
    let _hung_up = stream.shutdown().await;
    let mut answer = Vec::new();
    let end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    assert!(end.is_ok(), "the connection stays open after {bytes:?}");
}

async fn works(world: &World) {
    let ticket = world.ticket_by_mail(&Mail::from("anna@example.org")).await;
    assert!(ticket["team"].is_string(), "{ticket}");
    assert_eq!(world.anyone.get("/v1/health").await.unwrap().status, 200);
}

#[tokio::test]
async fn random_bytes_to_smtp_break_nothing() {
    let world = World::start().await;
    let bytes = prop::collection::vec(any::<u8>(), 0..2_000);
    for bytes in nonsense(&bytes) {
        throw(world.system().smtp, &bytes).await;
    }
    let commands = prop::collection::vec("(EHLO|MAIL FROM:|RCPT TO:|DATA|RSET|BDAT|[A-Z]{4})[ -~]{0,40}\r\n", 0..20);
    for commands in nonsense(&commands) {
        throw(world.system().smtp, commands.concat().as_bytes()).await;
    }
    works(&world).await;
    world.finish().await;
}

#[tokio::test]
async fn random_mails_are_all_recorded_or_quarantined() {
    let world = World::start().await;
    let to = ["support@example.com"];
    let mut client = world.smtp().await;
    let bytes = prop::collection::vec(any::<u8>(), 0..3_000);
    let header = "(From|To|Subject|Message-ID|References|Content-Type|MIME-Version|Reply-To): [ -~]{0,60}\r\n";
    let mails = (prop::collection::vec(header, 0..8), bytes);
    let mut accepted = 0;
    for (headers, body) in nonsense(&mails) {
        let mail = [headers.concat().as_bytes(), b"\r\n", &body].concat();
        client.send(Some("someone@example.org"), &to, &mail).await.unwrap();
        accepted += 1;
    }
    world.settled().await;
    let mut recorded = 0;
    for ticket in world.tickets("").await {
        recorded += throughline_tests::count(&world.timeline(&ticket).await, "message_received");
    }
    let quarantined = world.get("/v1/quarantine?limit=200").await["items"].as_array().unwrap().len();
    assert_eq!(recorded + quarantined, accepted, "{recorded} recorded, {quarantined} quarantined");
    throughline_tests::checks::queues_are_empty(&world).await;
    works(&world).await;
    world.stop().await;
}

#[tokio::test]
async fn random_bytes_to_http_break_nothing() {
    let world = World::start().await;
    let bytes = prop::collection::vec(any::<u8>(), 1..2_000);
    for bytes in nonsense(&bytes) {
        throw(world.system().http, &bytes).await;
    }
    let request =
        "(GET|POST|PUT|BREW) /[ -~]{0,40} HTTP/1.[019]\r\n([A-Za-z-]{1,12}: [ -~]{0,20}\r\n){0,4}\r\n[ -~]{0,99}";
    for request in nonsense(&request) {
        throw(world.system().http, request.as_bytes()).await;
    }
    works(&world).await;
    world.finish().await;
}

#[tokio::test]
async fn random_bodies_and_paths_are_answered_with_problems() {
    let world = World::start().await;
    let bodies = prop::collection::vec(any::<u8>(), 0..500);
    let json =
        "\\{\"(type|text|status|data|visitor)\": ?(\"[ -~&&[^\"\\\\]]{0,20}\"|[0-9]{1,40}|null|\\[\\]|\\{\\})\\}";
    let bodies = prop_oneof![bodies, json.prop_map(String::into_bytes)];
    let segment = "[a-zA-Z0-9_.~-]{0,12}(%[0-9A-F]{2}){0,3}";
    let places = [
        "/v1/channels/web_chat/chat/sessions",
        "/v1/channels/web_chat/chat",
        "/v1/channels/webhook/shop",
        "/v1/tickets/x/replies",
        "/v1/agents/mia/presence",
        "/v1/quarantine/x/retry",
    ];
    for (i, (body, segment)) in nonsense(&(bodies, segment)).into_iter().enumerate() {
        let path = places[i % places.len()];
        let answer = world.admin.send(Method::POST, path, &[], body.clone()).await.unwrap();
        assert!(answer.status < 500, "{path} {body:?}: {}", answer.status);
        let signed = Delivery::of(&world, &format!("d-{i}"), body).post(&world).await;
        assert!(signed.status < 500, "{}", signed.status);
        for path in [format!("/v1/{segment}"), format!("/v1/tickets/{segment}"), format!("/v1/messages/{segment}/a/b")]
        {
            let answer = world.admin.get(&path).await.unwrap();
            assert!(answer.status < 500, "{path}: {}", answer.status);
        }
        let query = format!("/v1/tickets?status={segment}&limit={segment}&cursor={segment}");
        assert!(world.admin.get(&query).await.unwrap().status < 500, "{query}");
    }
    works(&world).await;
    world.finish().await;
}

#[tokio::test]
async fn foreign_pages_do_not_reach_what_needs_no_token() {
    let world = World::start().await;
    let port = world.system().http.port();
    let status = async |path: &str, headers: &[(&str, &str)]| {
        world.admin.send(Method::GET, path, headers, Vec::new()).await.unwrap().status
    };
    for path in ["/", "/local/mail"] {
        assert_eq!(status(path, &[]).await, 200, "{path}");
        assert_eq!(status(path, &[("host", &format!("localhost:{port}"))]).await, 200, "{path}");
        assert_eq!(status(path, &[("host", &format!("[::1]:{port}"))]).await, 200, "{path}");
        assert_eq!(status(path, &[("host", "evil.example")]).await, 403, "{path}: a name that leads here");
        assert_eq!(status(path, &[("origin", "http://evil.example")]).await, 403, "{path}: from another page");
    }
    world.finish().await;
}
