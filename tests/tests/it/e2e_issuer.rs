//! An issuer who tells their keys: found, rotated, away, somebody else, and never asked oftener than is right.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use throughline_local::client::Client;
use throughline_platform::clock::Clock;
use throughline_tests::{World, problem};
use tokio::net::TcpListener;

/// A second key of the issuer, for tests only.
const NEXT_KEY: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIBX3zkfgTJXuZI9a4SfclUM6Hm/R3IRAjtbnwGUUMkXa
-----END PRIVATE KEY-----
";

/// Its public half.
fn next_key() -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "kid": "next", "x": "i70ktJoB8WU6sp--g2CABWWyaU9Inw_2H8nXZPABmog"})
}

/// What an issuer on this machine says, and how often it was asked.
struct Issuer {
    url: String,
    /// What its description names as itself.
    named: Mutex<String>,
    keys: Mutex<Vec<Value>>,
    up: AtomicBool,
    asked: AtomicUsize,
    keys_asked: AtomicUsize,
}

impl Issuer {
    async fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let issuer = Arc::new(Self {
            named: Mutex::new(url.clone()),
            url,
            keys: Mutex::default(),
            up: AtomicBool::new(true),
            asked: AtomicUsize::default(),
            keys_asked: AtomicUsize::default(),
        });
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(description))
            .route("/keys", get(keys))
            .with_state(Arc::clone(&issuer));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        issuer
    }

    /// A world whose tokens this issuer issues, at noon; its keys are the development issuer's.
    async fn world(&self) -> World {
        World::start_with(|options| {
            options.clock = Clock::at("2026-11-20T12:00:00Z".parse().unwrap());
            let given: Value = serde_json::from_str(&options.seed.oidc.keys.take().unwrap()).unwrap();
            *self.keys.lock().unwrap() = given["keys"].as_array().unwrap().clone();
            options.seed.oidc.issuer.clone_from(&self.url);
        })
        .await
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn set_up(&self, up: bool) {
        self.up.store(up, Ordering::SeqCst);
    }
}

async fn description(State(issuer): State<Arc<Issuer>>) -> Result<Json<Value>, StatusCode> {
    issuer.asked.fetch_add(1, Ordering::SeqCst);
    // So slow that who comes at once comes while it is asked.
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    if !issuer.up.load(Ordering::SeqCst) {
        return Err(StatusCode::BAD_GATEWAY);
    }
    let named = issuer.named.lock().unwrap().clone();
    Ok(Json(json!({"issuer": named, "jwks_uri": format!("{}/keys", issuer.url)})))
}

async fn keys(State(issuer): State<Arc<Issuer>>) -> Json<Value> {
    issuer.keys_asked.fetch_add(1, Ordering::SeqCst);
    let keys = issuer.keys.lock().unwrap().clone();
    Json(json!({"keys": keys}))
}

/// A client whose token says that this key signed it, and whether it did.
fn with_key(world: &World, kid: &str, key: &str) -> Client {
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some(kid.to_owned());
    let claims = json!({
        "iss": world.seed.oidc.issuer, "aud": world.seed.oidc.audience, "sub": "mia", "roles": ["agent"],
        "exp": world.now().ms() / 1_000 + 600,
    });
    let key = EncodingKey::from_ed_pem(key.as_bytes()).unwrap();
    world.anyone.with_token(encode(&header, &claims, &key).unwrap())
}

async fn status(client: &Client) -> u16 {
    client.get("/v1/tickets").await.unwrap().status
}

/// Tokens that name keys that nobody knows, all at once.
async fn flood(world: &World) {
    let names: Vec<String> = (0..40).map(|i| format!("unknown-{i}")).collect();
    let clients: Vec<Client> = names.iter().map(|name| with_key(world, name, NEXT_KEY)).collect();
    let statuses = futures::future::join_all(clients.iter().map(status)).await;
    assert!(statuses.iter().all(|status| *status == 401), "{statuses:?}");
}

#[tokio::test]
async fn keys_are_found_once_for_all_and_a_new_one_when_it_is_named() {
    let issuer = Issuer::start().await;
    let mut world = issuer.world().await;
    let at_once = (0..20).map(|_| status(&world.agent));
    assert_eq!(futures::future::join_all(at_once).await, [200; 20]);
    assert_eq!((issuer.asked(), issuer.keys_asked.load(Ordering::SeqCst)), (1, 1));

    issuer.keys.lock().unwrap().insert(0, next_key());
    assert_eq!(status(&with_key(&world, "next", NEXT_KEY)).await, 401, "asked within the last minute");
    world.set_time("2026-11-20T12:01:00Z");
    assert_eq!(status(&with_key(&world, "next", NEXT_KEY)).await, 200);
    assert_eq!(status(&world.agent).await, 200, "the old key is told too");
    problem(&with_key(&world, "development", NEXT_KEY).get("/v1/tickets").await.unwrap(), 401);
    assert_eq!(issuer.asked(), 2);

    // What is no longer told is no longer right, once the keys are an hour old.
    let old = issuer.keys.lock().unwrap().pop().unwrap();
    world.set_time("2026-11-20T13:01:00Z");
    assert_eq!(status(&world.agent).await, 401);
    assert_eq!(status(&with_key(&world, "next", NEXT_KEY)).await, 200);
    issuer.keys.lock().unwrap().push(old);
    world.set_time("2026-11-20T13:02:00Z");
    world.finish().await;
}

#[tokio::test]
async fn a_flood_of_unknown_keys_asks_once_a_minute() {
    let issuer = Issuer::start().await;
    let mut world = issuer.world().await;
    for (time, asked) in [("12:00:00", 1), ("12:00:59", 1), ("12:01:00", 2), ("12:01:30", 2), ("12:02:00", 3)] {
        world.set_time(&format!("2026-11-20T{time}Z"));
        flood(&world).await;
        flood(&world).await;
        assert_eq!(issuer.asked(), asked, "{time}");
    }
    world.finish().await;
}

#[tokio::test]
async fn known_keys_last_a_day_when_the_issuer_is_away() {
    let issuer = Issuer::start().await;
    let mut world = issuer.world().await;
    assert_eq!(status(&world.agent).await, 200);
    issuer.set_up(false);
    for (time, asked) in [
        ("2026-11-20T12:59:59Z", 1),
        ("2026-11-20T13:00:00Z", 2),
        ("2026-11-20T13:00:59Z", 2),
        ("2026-11-20T13:01:00Z", 3),
        ("2026-11-21T11:59:59Z", 4),
    ] {
        world.set_time(time);
        for _ in 0..3 {
            assert_eq!(status(&world.agent).await, 200, "{time}");
        }
        assert_eq!(issuer.asked(), asked, "{time}");
    }
    world.set_time("2026-11-21T12:00:30Z");
    let answer = world.agent.get("/v1/tickets").await.unwrap();
    problem(&answer, 503);
    assert!(answer.headers.contains_key("retry-after"));
    issuer.set_up(true);
    world.set_time("2026-11-21T12:00:35Z");
    assert_eq!(status(&world.agent).await, 200);
    world.finish().await;
}

#[tokio::test]
async fn without_keys_nobody_is_refused_for_good_and_the_rest_works() {
    let issuer = Issuer::start().await;
    issuer.set_up(false);
    let mut world = issuer.world().await;
    let at_once = (0..20).map(|_| status(&world.agent));
    assert_eq!(futures::future::join_all(at_once).await, [503; 20]);
    assert_eq!(issuer.asked(), 1);
    assert_eq!(world.anyone.get("/v1/health").await.unwrap().status, 200);
    problem(&world.anyone.get("/v1/tickets").await.unwrap(), 401);
    problem(&world.anyone.with_token("junk").get("/v1/tickets").await.unwrap(), 401);

    // Somebody else answers in its place, and names themselves.
    issuer.set_up(true);
    "https://issuer.example".clone_into(&mut issuer.named.lock().unwrap());
    world.set_time("2026-11-20T12:00:05Z");
    problem(&world.agent.get("/v1/tickets").await.unwrap(), 503);
    assert_eq!((issuer.asked(), issuer.keys_asked.load(Ordering::SeqCst)), (2, 0), "their keys are not even read");

    issuer.url.clone_into(&mut issuer.named.lock().unwrap());
    world.set_time("2026-11-20T12:00:10Z");
    assert_eq!(status(&world.agent).await, 200);
    world.finish().await;
}
