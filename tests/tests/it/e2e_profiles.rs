//! What channels tell of people who say nothing: it changes what is known of known customers, and makes nobody known.

use bytes::Bytes;
use serde_json::{Value, json};
use throughline_domain::channel::Channel;
use throughline_domain::customer::Profile;
use throughline_domain::identifier::Identifier;
use throughline_tests::{World, provider};

const ANNA: i64 = 987_654_321;
/// 2026-11-20T14:00:00Z, in seconds.
const TWO: i64 = 1_795_183_200;

fn user(id: i64, name: &str) -> Value {
    json!({"id": id, "is_bot": false, "first_name": name, "username": format!("{name}_tg")})
}

fn said(id: i64) -> Bytes {
    let chat = json!({"id": id, "type": "private"});
    let message = json!({"message_id": 1, "date": TWO, "chat": chat, "from": user(id, "Anna"), "text": "Hello"});
    Bytes::from(json!({"update_id": 1, "message": message}).to_string())
}

/// Somebody comes back to the bot under this name.
fn back(id: i64, name: &str, at: i64) -> Bytes {
    let chat = json!({"id": id, "type": "private"});
    let member = json!({"user": {"id": 111_222_333, "is_bot": true}, "status": "member"});
    let update = json!({"chat": chat, "from": user(id, name), "date": at, "new_chat_member": member});
    Bytes::from(json!({"update_id": at, "my_chat_member": update}).to_string())
}

async fn post(world: &World, channel: Channel, body: Bytes) {
    let answer = provider::post(world, channel, body).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    world.settled().await;
}

async fn profile(world: &World, name: &str) -> Option<Profile> {
    let name: Identifier = name.parse().unwrap();
    let owners = world.app().store.owners(std::slice::from_ref(&name)).await.unwrap();
    let owner = owners.get(&name)?;
    world.app().store.profile(owner.customer_id).await.unwrap()
}

#[tokio::test]
async fn who_is_known_is_called_as_they_call_themselves_last() {
    let world = World::start_at("2026-11-20T15:00:00Z").await;
    post(&world, Channel::Telegram, said(ANNA)).await;
    let name = format!("telegram:{ANNA}");
    assert_eq!(world.customer(&name).await["name"], "Anna");
    post(&world, Channel::Telegram, back(ANNA, "Annabel", TWO + 60)).await;
    let told = profile(&world, &name).await.unwrap();
    assert_eq!((told.name.as_deref(), told.attributes["telegram_handle"].as_str()), (Some("Annabel"), "@Annabel_tg"));
    assert_eq!(told.told["name"].source, "telegram/telegram");
    assert_eq!(told.told["name"].at.to_string(), "2026-11-20T14:01:00.000Z");
    // Told again, and told late: nothing changes.
    for _ in 0..10 {
        post(&world, Channel::Telegram, back(ANNA, "Annabel", TWO + 60)).await;
    }
    post(&world, Channel::Telegram, back(ANNA, "Ann", TWO + 30)).await;
    assert_eq!(profile(&world, &name).await.unwrap(), told);
    assert_eq!(world.customer(&name).await["name"], "Annabel");
    assert_eq!(world.tickets("").await.len(), 1, "nobody said anything more");
    world.finish().await;
}

#[tokio::test]
async fn whoever_is_unknown_stays_unknown() {
    let world = World::start_at("2026-11-20T15:00:00Z").await;
    post(&world, Channel::Telegram, back(ANNA, "Anna", TWO)).await;
    let user = json!({"id": "U1", "profile": {"real_name": "Ben Frei", "display_name": "ben"}, "updated": TWO});
    let changed = json!({"type": "event_callback", "team_id": "T1", "event_id": "Ev1",
        "event": {"type": "user_change", "user": user, "event_ts": "1795183200.000100"}});
    post(&world, Channel::Slack, Bytes::from(changed.to_string())).await;
    assert_eq!(profile(&world, &format!("telegram:{ANNA}")).await, None);
    assert_eq!(profile(&world, "slack:U1").await, None);
    assert_eq!(world.tickets("").await.len(), 0);
    assert_eq!(world.get("/v1/quarantine").await["items"], json!([]));
    world.finish().await;
}
